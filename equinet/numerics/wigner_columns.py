r"""Columns of Wigner's d for all degrees at once, by a recursion that stays accurate.

In: an order and angles. Out: float64 tables of the blocks d^cc and d^ss, see (W2) in
``wigner_matrices``, with derivatives by the angles.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.values import check_floating, is_differentiated

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
        float64 of shape ``(2, band - n, rows, points)``, index (cc or ss, l - n, m, point), with
        derivatives of all orders by ``beta``. Entries with m > l, and those of d^ss with m = 0 or
        n = 0, are zero.
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
    if beta.requires_grad if torch.compiler.is_compiling() else is_differentiated(beta):
        d = cast(Tensor, _Differentiable.apply(beta, band, n, tuple(orders)))
        return d if weight is None else d * weight
    return _table(band, n, beta, weight, tuple(orders))


def _table(
    band: int, n: int, beta: Tensor, weight: Tensor | None, orders: tuple[int, ...]
) -> Tensor:
    """The blocks in the rows that are wanted, without a derivative."""
    every = len(orders) == band
    m = torch.tensor(orders, dtype=torch.float64)
    scale, shift, back = _coefficients(torch.arange(n, band, dtype=torch.float64)[:, None], m, n)
    cosine = beta.cos()

    d = beta.new_zeros(2, band - n, len(orders), len(beta))
    for i in range(band - n):
        l = n + i
        below = l if every else sum(order < l for order in orders)
        begun = slice(0, below)  # rows m < l
        if i > 0:
            now, old = d[:, i, begun], d[:, i - 1, begun]
            torch.mul(old, scale[i, begun] * cosine, out=now)
            now.addcmul_(old, shift[:, i, begun], value=-1)
            if i > 1:
                now.addcmul_(d[:, i - 2, begun], back[i, begun], value=-1)
        last = below + (every or l in orders)
        starts = slice(0 if i == 0 else below, last)  # rows with l = max(m, n)
        _start(d[:, i, starts], m[starts], l, n, beta, 1.0 if weight is None else weight)
    out = torch.empty_like(d)
    torch.add(d[0], d[1], out=out[0])  # (W2)
    torch.sub(d[0], d[1], out=out[1])
    return out


class _Context(Protocol):
    """What torch hands from a forward pass to the others."""

    saved_tensors: tuple[Tensor, ...]
    rest: list[Any]

    def save_for_backward(self, *tensors: Tensor) -> None: ...

    def save_for_forward(self, *tensors: Tensor) -> None: ...


class _Differentiable(torch.autograd.Function):
    """``_table`` with derivatives of all orders, by (W5)."""

    @staticmethod
    def forward(beta: Tensor, band: int, n: int, orders: tuple[int, ...]) -> Tensor:
        return _table(band, n, beta, None, orders)

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Any, ...], output: Tensor) -> None:
        beta, *ctx.rest = inputs
        ctx.save_for_backward(beta)
        ctx.save_for_forward(beta)

    @staticmethod
    def backward(ctx: _Context, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (beta,), (gradient,) = ctx.saved_tensors, grad_outputs
        return (gradient * _slope(beta, *ctx.rest)).sum((0, 1, 2)), None, None, None

    @staticmethod
    def jvp(ctx: _Context, *grad_inputs: Tensor) -> Tensor:
        (beta,), (tangent, *_) = ctx.saved_tensors, grad_inputs
        return _slope(beta, *ctx.rest) * tangent


def _slope(beta: Tensor, band: int, n: int, orders: tuple[int, ...]) -> Tensor:
    r"""How the blocks change with beta: columns n of d(beta) J, with the generator of turns.

    .. math::
        \partial_\beta d_n = j_n\, d_{n+1} - j_{n-1}\, d_{n-1}, \qquad
        j_n = \tfrac12 \sqrt{(l-n)(l+n+1)} \quad (W5)

    where j_0 is sqrt(2) times as large for d^cc, and d^ss has no column 0.
    """
    l = torch.arange(n, band, dtype=torch.float64, device=beta.device)
    found = torch.zeros(2, band - n, len(orders), len(beta)).to(beta)
    for column, sign in ((n - 1, -1), (n + 1, 1)):
        if not 0 <= column < band:
            continue
        k = min(n, column)
        j = 0.5 * ((l - k) * (l + k + 1)).sqrt()
        both = torch.stack([j, j]) if k else torch.stack([j / _ROOT, 0 * j])
        d = wigner_d_real(band, column, beta, rows=orders)
        d = d[:, 1:] if column < n else torch.nn.functional.pad(d, (0, 0, 0, 0, 1, 0))
        found = found + sign * both[..., None, None] * d
    return found


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
        d[0], d[1] = top(m) * parity(l + m) * half, top(-m) * parity(l) * half
    else:  # the row m = l
        k = torch.full_like(m, float(n))
        d[0], d[1] = top(k) * half, top(-k) * parity(n) * half


def parity(k: N) -> N:
    """(-1)^k; torch's compiler would take ``(-1) ** k`` for -(1 ** k)."""
    return 1 - 2 * (k % 2)
