r"""Wigner d and D matrices, from recursions that stay accurate at high degree.

In: degrees and angles or rotation matrices. Out: float64 tables, or matrices in the dtype of the
input.

Two bases of the degree-l representation of SO(3) are in use:

- the textbook complex basis, D^l_mn(alpha, beta, gamma) = e^{-i m alpha} d^l_mn(beta) e^{-i n
  gamma};
- e3nn's real basis, m = -l..l, where m >= 0 are the cosines and m < 0 the sines of -m alpha. There

.. math:: D^l(\alpha, \beta, \gamma) = Z(\alpha)\, d(\beta)\, Z(\gamma), \qquad
          Z_{m,m} = \cos m\alpha, \quad Z_{m,-m} = -\sin m\alpha \quad (W1)

and d(beta) couples cosines with cosines and sines with sines only:

.. math::
    d^{cc}_{mn}, d^{ss}_{mn} = (-1)^{m+n} d^l_{mn} \pm (-1)^m d^l_{m,-n}, \qquad m, n > 0 \quad (W2)

with a factor 1/sqrt(2) on d^cc for each of m, n that is zero.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.numerics.membership import check_rotations
from equinet.numerics.rotation import euler_angles
from equinet.numerics.values import check_floating

_ROOT = math.sqrt(0.5)

N = TypeVar("N", int, Tensor)


def wigner_d_real(
    band: int,
    n: int,
    beta: Tensor,
    weight: Tensor | None = None,
    rows: Sequence[int] | None = None,
) -> Tensor:
    r"""The blocks d^cc and d^ss of (W2) for one column n >= 0 and all degrees n <= l < ``band``.

    Three-term recursion in l at fixed (m, n), started from the closed form at l = max(m, abs(n)):

    .. math::
        \frac{\sqrt{((l+1)^2-m^2)((l+1)^2-n^2)}}{(l+1)(2l+1)} d^{l+1}_{mn}
        = \Big(\cos\beta - \frac{mn}{l(l+1)}\Big) d^l_{mn}
        - \frac{\sqrt{(l^2-m^2)(l^2-n^2)}}{l(2l+1)} d^{l-1}_{mn} \quad (W3)

    Upwards it is stable for n and for -n, each by itself: of d_{m,n} and d_{m,-n} one may be many
    orders of magnitude smaller and grow later, so their sums (W2) are taken at the end only.

    Args:
        band: exclusive bound of the degree.
        n: column, 0 <= n < ``band``.
        beta: polar angles in radians, shape ``(points,)``.
        weight: factor for each point, ``(points,)``; the recursion is linear, so it costs nothing.
        rows: the orders m that are wanted, ascending; each costs the same. All below ``band`` if
            None.
    Returns:
        float64 of shape ``(2, band - n, rows, points)``, index (cc or ss, l - n, m, point). Entries
        with m > l, and those of d^ss with m = 0 or n = 0, are zero.
    Raises:
        TypeError: if ``beta`` is not a real floating tensor.
        ValueError: if ``beta`` has another shape, a bound is none or too large to fit into memory,
            or the rows are no orders below ``band`` in ascending order.

    References:
        Kostelec and Rockmore 2008, FFTs on the rotation group, eq. 2.17.
    """
    check_integer(band, "band")
    check_integer(n, "n", 0, band - 1)
    check_floating("beta", beta)
    if beta.dim() != 1:
        raise ValueError(f"beta: expected angles (points,), got {tuple(beta.shape)}")
    orders = range(band) if rows is None else [check_integer(m, "rows", 0, band - 1) for m in rows]
    size = 2 * (band - n) * len(orders) * len(beta)
    check_memory(size, "band", f"a table of {size} numbers")
    if any(a >= b for a, b in zip(orders[:-1], orders[1:], strict=True)):
        raise ValueError(f"rows: expected orders in ascending order, got {rows}")
    beta = beta.to(torch.float64)
    m = torch.tensor(list(orders), dtype=torch.float64)
    scale, shift, back = _coefficients(torch.arange(n, band, dtype=torch.float64)[:, None], m, n)
    cosine = beta.cos()

    d = beta.new_zeros(2, band - n, len(orders), len(beta))
    for i in range(band - n):
        l = n + i
        below = l if rows is None else sum(order < l for order in orders)
        begun = slice(0, below)  # rows m < l
        if i > 0:
            now, old = d[:, i, begun], d[:, i - 1, begun]
            torch.mul(old, scale[i, begun] * cosine, out=now)
            now.addcmul_(old, shift[:, i, begun], value=-1)
            if i > 1:
                now.addcmul_(d[:, i - 2, begun], back[i, begun], value=-1)
        last = below + (rows is None or l in rows)
        starts = slice(0 if i == 0 else below, last)  # rows with l = max(m, n)
        _start(d[:, i, starts], m[starts], l, n, beta, 1.0 if weight is None else weight)
    out = torch.empty_like(d)
    torch.add(d[0], d[1], out=out[0])  # (W2)
    torch.sub(d[0], d[1], out=out[1])
    return out


def _coefficients(l: Tensor, m: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Those of (W3) for l - 1 -> l, index (l - n, m, point); zero where d^l starts anew."""
    root = ((l**2 - m**2) * (l**2 - n**2)).clamp_min(0).sqrt()
    scale = torch.where(root > 0, l * (2 * l - 1) / root, 0.0)
    j = (l - 1).clamp_min(1)  # for l = 1 the two terms with 1 / (l - 1) vanish
    back = scale * ((j**2 - m**2) * (j**2 - n**2)).clamp_min(0).sqrt() / (j * (2 * j + 1))
    back = torch.where(l > 1, back, 0.0)[..., None]
    shift = torch.where(l > 1, scale * m * n / (j * (j + 1)), 0.0)[..., None]
    return scale[..., None], torch.stack([shift, -shift]), back  # the shifts for n and -n


def _start(d: Tensor, m: Tensor, l: int, n: int, beta: Tensor, weight: Tensor | float) -> None:
    r"""Write the two terms of (W2) at l = max(m, n) into ``d``, index (term, m, point).

    They are (-1)^{m+n} d_{m,n} and (-1)^m d_{m,-n}, times ``weight`` and the factor for m, n = 0,
    from

    .. math:: d^l_{l,k} = (-1)^{l-k} \sqrt{\tbinom{2l}{l+k}} \cos^{l+k}(\beta/2) \sin^{l-k}(\beta/2)

    and d_{m,n} = (-1)^{m-n} d_{n,m} = d_{-n,-m}; in logarithms, against underflow.
    """
    cosine, sine = (beta / 2).cos().abs().log(), (beta / 2).sin().abs().log()

    def top(k: Tensor) -> Tensor:  # (-1)^(l-k) d_{l,k}
        binomial = math.lgamma(2 * l + 1) - torch.lgamma(l + k + 1) - torch.lgamma(l - k + 1)
        # 0 * log 0 counts as 0
        a = torch.where(l + k > 0, (l + k) * cosine, 0.0)
        b = torch.where(l - k > 0, (l - k) * sine, 0.0)
        sign = (beta / 2).cos().sign() ** (l + k) * (beta / 2).sin().sign() ** (l - k)
        return (binomial / 2 + a + b).exp() * sign * weight

    m = m[:, None]
    half = _ROOT ** ((m == 0).to(m.dtype) + (n == 0))
    if n == l:  # all rows m <= l
        d[0], d[1] = top(m) * _sign(l + m) * half, top(-m) * _sign(l) * half
    else:  # the row m = l
        k = torch.full_like(m, float(n))
        d[0], d[1] = top(k) * half, top(-k) * _sign(n) * half


def _sign(k: N) -> N:
    """(-1)^k; torch's compiler would take ``(-1) ** k`` for -(1 ** k)."""
    return 1 - 2 * (k % 2)


def wigner_d(l: int, beta: Tensor) -> Tensor:
    r"""Textbook small d matrix d^l_mn(beta), rows m and columns n from -l to l.

    Args:
        l: degree.
        beta: angles in radians, any shape.
    Returns:
        float64 of shape ``(*beta.shape, 2l + 1, 2l + 1)``.
    Raises:
        TypeError: if ``beta`` is not a real floating tensor.
        ValueError: if ``l`` is no degree, or too large to fit into memory.
    """
    _check_degree(l)
    check_floating("beta", beta)
    flat = beta.reshape(-1).to(torch.float64)
    real = _assemble(l, flat)
    to_real = real_from_complex(l)
    d = (to_real.mH @ real.to(to_real.dtype) @ to_real).real
    return d.unflatten(0, beta.shape) if beta.dim() else d[0]


def _check_degree(l: int) -> None:
    check_integer(l, "l", 0)
    check_memory(6 * (2 * l + 1) ** 2, "l", f"matrices of {2 * l + 1} rows")


def _assemble(l: int, beta: Tensor) -> Tensor:
    """d(beta) in the real basis, shape ``(points, 2l + 1, 2l + 1)``."""
    d = torch.zeros(len(beta), 2 * l + 1, 2 * l + 1, dtype=torch.float64)
    for n in range(l + 1):
        cc, ss = wigner_d_real(l + 1, n, beta)[:, -1]
        d[:, l:, l + n] = cc.T
        if n > 0:
            d[:, :l, l - n] = ss[1:].T.flip(1)
    return d


def real_from_complex(l: int) -> Tensor:
    r"""Unitary matrix from components in the complex basis to the real one.

    .. math:: e_m = \frac{(-1)^m Y_m + Y_{-m}}{\sqrt2}, \qquad
              e_{-m} = \frac{(-1)^m Y_m - Y_{-m}}{i\sqrt2}, \qquad m > 0; \qquad e_0 = Y_0 \quad
              (W4)

    A representation passes as D_real = Q D_complex Q^H.

    Returns:
        Q, complex128 of shape ``(2l + 1, 2l + 1)``.
    Raises:
        ValueError: if ``l`` is no degree, or too large to fit into memory.
    """
    _check_degree(l)
    q = torch.zeros(2 * l + 1, 2 * l + 1, dtype=torch.complex128)
    q[l, l] = 1
    for m in range(1, l + 1):
        sign = _sign(m) / math.sqrt(2)
        q[l + m, l + m], q[l + m, l - m] = sign, math.sqrt(0.5)
        q.imag[l - m, l + m], q.imag[l - m, l - m] = sign, -math.sqrt(0.5)
    return q


def _about_pole(l: int, angle: Tensor) -> Tensor:
    """Z(angle) of (W1), shape ``(*angle.shape, 2l + 1, 2l + 1)``."""
    m = torch.arange(-l, l + 1, device=angle.device, dtype=angle.dtype)
    cos, sin = (angle[..., None] * m).cos(), (angle[..., None] * m).sin()
    return cos.diag_embed() - sin.diag_embed().flip(-1)


def _pole_times(l: int, angle: Tensor, matrix: Tensor) -> Tensor:
    """Z(angle) @ matrix, without the zeros of Z."""
    m = torch.arange(-l, l + 1, device=angle.device, dtype=angle.dtype)
    cos, sin = (angle[..., None] * m).cos(), (angle[..., None] * m).sin()
    return cos[..., None] * matrix - sin[..., None] * matrix.flip(-2)


def _times_pole(l: int, matrix: Tensor, angle: Tensor) -> Tensor:
    """The product matrix @ Z(angle), without the zeros of Z."""
    m = torch.arange(-l, l + 1, device=angle.device, dtype=angle.dtype)
    cos, sin = (angle[..., None] * m).cos(), (angle[..., None] * m).sin()
    return cos[..., None, :] * matrix + sin[..., None, :] * matrix.flip(-1)


def rotation_generators(l: int) -> Tensor:
    r"""The real skew matrices X_a with D^l(exp(theta e_a)) = exp(theta X_a), a = x, y, z.

    Returns:
        float64 of shape ``(3, 2l + 1, 2l + 1)``.
    Raises:
        ValueError: if ``l`` is no degree, or too large to fit into memory.
    """
    _check_degree(l)
    m = torch.arange(-l, l, dtype=torch.float64)
    raising = torch.diag((l * (l + 1) - m * (m + 1)).sqrt(), -1)  # <m+1| J_+ |m>
    # Textbook J_x, J_y, J_z; the Cartesian names are relabelled (x, y, z) -> (z, x, y) here.
    j_x, j_y = (raising + raising.T) / 2 + 0j, (raising - raising.T) / 2j
    j_z = torch.diag(torch.arange(-l, l + 1, dtype=torch.float64)) + 0j
    q = real_from_complex(l)
    return torch.stack([(q @ (-1j * j) @ q.mH).real for j in (j_y, j_z, j_x)])


class _Context(Protocol):
    """What torch hands from the forward pass to the backward pass."""

    l: int
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _WignerD(torch.autograd.Function):
    r"""D^l(R), whose differential d D = sum_a omega_a D X_a, omega = vee(R^T dR), has no poles."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rotation: Tensor, l: int, half_turn: Tensor) -> Tensor:
        alpha, beta, gamma = euler_angles(rotation)
        # exp(beta X_x) = J exp(beta X_y) J with J the half turn that swaps x and y.
        n = 2 * l + 1
        half = _times_pole(l, half_turn, beta).reshape(-1, n) @ half_turn  # one large product
        return _pole_times(l, alpha, _times_pole(l, half.view(*beta.shape, n, n), gamma))

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Any, ...], output: Tensor) -> None:
        rotation, ctx.l, half_turn = inputs
        ctx.save_for_backward(rotation, half_turn)

    @staticmethod
    def backward(ctx: _Context, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (grad,), (rotation, half_turn) = grad_outputs, ctx.saved_tensors
        x = rotation_generators(ctx.l).to(grad)
        d = _WignerD.apply(rotation, ctx.l, half_turn)
        omega = torch.einsum("...ij,...ik,akj->...a", grad, d, x)
        zero = torch.zeros_like(omega[..., 0])
        a, b, c = omega.unbind(-1)
        skew = torch.stack([zero, -c, b, c, zero, -a, -b, a, zero], -1).unflatten(-1, (3, 3))
        return rotation @ skew / 2, None, None


def wigner_D(l: int, rotation: Tensor) -> Tensor:
    r"""Wigner D matrix in e3nn's real basis, D^l(R) Y^l(x) = Y^l(R x).

    Args:
        l: degree.
        rotation: R, shape ``(..., 3, 3)``, real floating.
    Returns:
        Orthogonal matrices of shape ``(..., 2l + 1, 2l + 1)`` in the dtype of ``rotation``. The
        gradient is the one along the rotation group; it is finite everywhere, poles included.
    Raises:
        TypeError, ValueError: if ``rotation`` is not a tensor of rotations.
    """
    check_integer(l, "l", 0)
    check_memory((l + 1) ** 3, "l", f"the half turns of all degrees up to {l}")
    check_rotations(rotation)
    # Tables grow by doubling, so that asking for l = 0, 1, 2, ... makes few of them.
    half_turn = half_turns(max(8, 1 << l.bit_length()))[l]
    return _WignerD.apply(rotation, l, half_turn.to(rotation))


@cached(8)
def half_turns(band: int) -> list[Tensor]:
    """D^l, l < ``band``, of the half turn about (x + y)/sqrt 2: it swaps x and y and reverses z."""
    quarter = torch.tensor(math.pi / 2, dtype=torch.float64)
    # The pole y goes to x, so alpha = beta = pi/2; that x goes to y gives gamma = pi/2.
    return [
        _pole_times(l, quarter, _times_pole(l, d, quarter))
        for l, d in enumerate(_quarter_turns(band))
    ]


def _quarter_turns(band: int) -> Iterator[Tensor]:
    """d^l(pi/2) in the real basis, for each l < ``band``, by (W3) for all m and n at once."""
    m = torch.arange(band, dtype=torch.float64)
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None, None]  # for n and -n
    now = old = torch.zeros(2, band, band, dtype=torch.float64)
    for l in range(band):
        new = torch.zeros_like(now)
        if l > 1:  # the cosine of pi/2 is 0
            j = l - 1
            root, before = ((k * k - m * m).clamp_min(0).sqrt() for k in (l, j))
            scale = l * (2 * l - 1) / root.outer(root)
            new = -signs * m.outer(m) / (j * (j + 1)) * now
            new = scale * (new - before.outer(before) / (j * (2 * j + 1)) * old)
            new = torch.where(scale.isfinite(), new, 0.0)
        k = m[: l + 1]  # where d^l starts anew, in row l and in column l
        top = math.lgamma(2 * l + 1) - torch.lgamma(l + k + 1) - torch.lgamma(l - k + 1)
        top = (top / 2 - l * math.log(2)).exp() * _ROOT ** (k == 0).double()
        sign = _sign(k)
        new[0, l, : l + 1], new[1, l, : l + 1] = top, top * sign
        new[0, :l, l], new[1, :l, l] = (top * sign)[:l] * _sign(l), top[:l] * _sign(l)
        new[:, 0, 0] *= _ROOT if l == 0 else 1
        old, now = now, new
        d = torch.zeros(2 * l + 1, 2 * l + 1, dtype=torch.float64)
        d[l:, l:] = (new[0] + new[1])[: l + 1, : l + 1]  # (W2)
        d[:l, :l] = (new[0] - new[1])[1 : l + 1, 1 : l + 1].flip(0, 1)
        yield d
