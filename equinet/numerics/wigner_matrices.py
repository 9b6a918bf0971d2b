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
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.numerics.membership import check_rotations
from equinet.numerics.rotation import euler_angles
from equinet.numerics.values import check_floating
from equinet.numerics.wigner_columns import parity, wigner_d_real

_ROOT = math.sqrt(0.5)


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
        sign = parity(m) / math.sqrt(2)
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
        sign = parity(k)
        new[0, l, : l + 1], new[1, l, : l + 1] = top, top * sign
        new[0, :l, l], new[1, :l, l] = (top * sign)[:l] * parity(l), top[:l] * parity(l)
        new[:, 0, 0] *= _ROOT if l == 0 else 1
        old, now = now, new
        d = torch.zeros(2 * l + 1, 2 * l + 1, dtype=torch.float64)
        d[l:, l:] = (new[0] + new[1])[: l + 1, : l + 1]  # (W2)
        d[:l, :l] = (new[0] - new[1])[1 : l + 1, 1 : l + 1].flip(0, 1)
        yield d
