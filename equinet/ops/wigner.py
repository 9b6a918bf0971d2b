r"""Wigner synthesis and analysis: between spectra and waves in alpha and gamma, order by order.

In: a real spectrum, or signals on the grid of beta. Out: the other.

A real function on SO(3) with coefficients f^l_mn in the real basis is

.. math::
    f(\alpha, \beta, \gamma) = \sum_{l,m,n} f^l_{mn} D^l_{mn}
    = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta) + \sin(n\gamma)\, Y_n^s(\alpha, \beta)

and this operator is the map f -> Y for some orders n. Written out with D = Z(alpha) d(beta)
Z(gamma), the sums over l at fixed m, n >= 0 are (f_{+-} is the coefficient with indices +m, -n, and
so on)

.. math::
    A^+ = \sum_l d^+ [(f_{++} + f_{--}) + i (f_{-+} - f_{+-})], \qquad
    A^- = \sum_l d^- [(f_{++} - f_{--}) - i (f_{-+} + f_{+-})] \quad (F1)

with d^+, d^- = (d^cc +- d^ss) / 2, which are d_{m,n} and d_{m,-n} up to signs:
the amplitudes of two waves that run in opposite directions, as a real function has them. Their sum
and difference, U + i V = A^+ + A^- and U' - i V' = A^+ - A^-, give

.. math::
    Y^c_n = \sum_m \cos(m\alpha) U - \sin(m\alpha) V', \qquad
    Y^s_n = \sum_m \cos(m\alpha) V - \sin(m\alpha) U'                                   \quad (F2)

Everything is a real matrix product from the left on tensors whose last axis holds the columns
(channel and batch), so nothing is ever transposed, and one order n is worked off while it is in
cache. Fields on S^2 have few orders n and go through a fast Fourier transform over alpha: ``s2``.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch._functorch.autograd_function import VmapInfo

from equinet.ops.precision import full_precision

# Orders m are taken in chunks of this many, so that few products l >= max(m, n) are with zeros.
CHUNK = 16


class SphereTables(NamedTuple):
    """The constants of one transform, made by ``harmonics.grid``.

    Attributes:
        orders: the n >= 0, ascending.
        band: degrees l < band.
        size: points in beta (and in alpha).
        d: flat table: for each n and each chunk of orders m from m0 on, d^+ and d^-, for n = 0 only
            d^cc, as ``(m, band - max(m0, n), size)``, with all factors (weight or 2l + 1) in it.
        alpha: ``(size, 2 * band)``, the columns cos(m alpha) and then -sin(m alpha).
        scatter: the rows of the spectrum in the order in which the loop works on them: for each n
            and chunk the sets ++, --, -+, +- with index (m, l), for n = 0 the sets +0 and -0.
        gather: for every row of the spectrum its place in that list.
    """

    orders: tuple[int, ...]
    band: int
    size: int
    d: Tensor
    alpha: Tensor
    scatter: Tensor
    gather: Tensor


def chunks(band: int, n: int) -> list[tuple[int, int, int]]:
    """Chunks of orders m0 <= m < m1, each with its lowest degree l0 = max(m0, n).

    Args:
        band: orders m < band.
        n: the other order.
    Returns:
        (m0, m1, l0) of each chunk.
    """
    return [(m, min(m + CHUNK, band), max(m, n)) for m in range(0, band, CHUNK)]


def wave_count(orders: tuple[int, ...]) -> int:
    """Rows of Y: two for every order n > 0, one for n = 0."""
    return sum(2 if n else 1 for n in orders)


def wigner_synthesis(spectrum: Tensor, tables: SphereTables) -> Tensor:
    r"""The map f -> Y of (F1) and (F2).

    Args:
        spectrum: real, ``(rows, columns)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants on the device of ``spectrum``.
    Returns:
        ``(waves, size, size, columns)`` with axes alpha, beta; the waves are Y^c_n, Y^s_n for each
        order (one for n = 0).
    Raises:
        ValueError: if the spectrum has another number of rows.
    """
    if spectrum.dim() != 2 or spectrum.shape[0] != tables.gather.shape[0]:
        raise ValueError(
            f"spectrum: expected ({tables.gather.shape[0]}, columns), got {tuple(spectrum.shape)}"
        )
    return _apply(spectrum, False, tables)


def wigner_analysis(waves: Tensor, tables: SphereTables) -> Tensor:
    """The transpose of ``wigner_synthesis`` with the same tables, Y -> f.

    Args:
        waves: as ``wigner_synthesis`` returns them.
        tables: constants on their device.
    Returns:
        A real spectrum, ``(rows, columns)``.
    """
    return _apply(waves, True, tables)


class _Context(Protocol):
    """What torch hands from a forward pass to the passes of derivatives."""

    transposed: bool
    sizes: tuple[tuple[int, ...], int, int]
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...
    def save_for_forward(self, *tensors: Tensor) -> None: ...


class _Transform(torch.autograd.Function):
    """Either of the two maps, each of which is the other's derivative.

    They are made of products into memory that is there (``out=``), which torch cannot
    differentiate; and they are no operators, so that exported programs hold what they consist of.
    """

    @staticmethod
    def forward(  # torch.compile counts the parameters: the tables have to stand one by one
        x: Tensor,
        transposed: bool,
        orders: tuple[int, ...],
        band: int,
        size: int,
        d: Tensor,
        alpha: Tensor,
        scatter: Tensor,
        gather: Tensor,
    ) -> Tensor:
        tables = SphereTables(orders, band, size, d, alpha, scatter, gather)
        with full_precision(x), torch.no_grad():  # the tables fix the precision
            return (_analysis if transposed else _synthesis)(x.detach().to(d.dtype), tables)

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.transposed, ctx.sizes = inputs[1], inputs[2:5]
        ctx.save_for_backward(*inputs[5:])

    @staticmethod
    def backward(ctx: _Context, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        tables = SphereTables(*ctx.sizes, *ctx.saved_tensors)
        back = _apply(grad_outputs[0], not ctx.transposed, tables)
        return back, None, *[None] * len(tables)

    @staticmethod
    def vmap(
        info: VmapInfo, in_dims: tuple[int | None, ...], *args: object
    ) -> tuple[Tensor, int | None]:
        """The mapped axis becomes more columns.

        Constants that are mapped too are those of several modules of one kind, all alike.
        """
        x, transposed = args[0], bool(args[1])
        assert isinstance(x, Tensor)
        tables = SphereTables._make(
            value.select(dim, 0) if isinstance(value, Tensor) and dim is not None else value
            for value, dim in zip(args[2:], in_dims[2:], strict=True)
        )
        if in_dims[0] is None:
            return _apply(x, transposed, tables), None
        columns = x.movedim(in_dims[0], -1)
        out = _apply(columns.flatten(-2), transposed, tables)
        out = out.unflatten(-1, (columns.shape[-2], info.batch_size))
        return out, out.dim() - 1


class _WithForwardMode(_Transform):
    """The same with a derivative in forward mode, which torch.compile refuses to see."""

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Transform.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs[5:])

    @staticmethod
    def jvp(ctx: _Context, *grad_inputs: Tensor) -> Tensor:
        """The map itself, as it is linear."""
        tables = SphereTables(*ctx.sizes, *ctx.saved_tensors)
        return _apply(grad_inputs[0], ctx.transposed, tables)


def _apply(x: Tensor, transposed: bool, tables: SphereTables) -> Tensor:
    function = _Transform if torch.compiler.is_compiling() else _WithForwardMode
    return function.apply(x, transposed, *tables)


def _synthesis(spectrum: Tensor, tables: SphereTables) -> Tensor:
    orders, band, size, d, alpha, scatter, _ = tables
    columns = spectrum.shape[1]
    rows = _Cursor(spectrum.index_select(0, scatter))
    table = _Cursor(d)
    # z[c or s in gamma, c or s in alpha, m]: U, V' and V, U' of (F1), for one order at a time
    z = spectrum.new_empty(2, 2, band, size, columns)
    out = spectrum.new_empty(wave_count(orders), size, size * columns)
    wave = 0
    for n in orders:
        parts = 2 if n else 1
        for m0, m1, l0 in chunks(band, n):
            count, degrees = m1 - m0, band - l0
            plus = table.take(count, degrees, size).mT
            if n == 0:
                torch.bmm(plus, rows.take(count, degrees, columns), out=z[0, 0, m0:m1])
                torch.bmm(plus, rows.take(count, degrees, columns), out=z[0, 1, m0:m1]).neg_()
                continue
            minus = table.take(count, degrees, size).mT
            pp, mm, mp, pm = (rows.take(count, degrees, columns) for _ in range(4))
            a = torch.bmm(plus, torch.cat([pp + mm, mp - pm], -1))
            b = torch.bmm(minus, torch.cat([pp - mm, -mp - pm], -1))
            re_a, im_a = a[..., :columns], a[..., columns:]
            re_b, im_b = b[..., :columns], b[..., columns:]
            torch.add(re_a, re_b, out=z[0, 0, m0:m1])  # U
            torch.sub(im_b, im_a, out=z[0, 1, m0:m1])  # V'
            torch.add(im_a, im_b, out=z[1, 0, m0:m1])  # V
            torch.sub(re_a, re_b, out=z[1, 1, m0:m1])  # U'
        torch.bmm(  # (F2)
            alpha.expand(parts, -1, -1),
            z[:parts].view(parts, 2 * band, size * columns),
            out=out[wave : wave + parts],
        )
        wave += parts
    return out.view(out.shape[0], size, size, columns)


def _analysis(waves: Tensor, tables: SphereTables) -> Tensor:
    orders, band, size, d, alpha, scatter, gather = tables
    columns = waves.shape[-1]
    all_rows = waves.new_empty(scatter.shape[0], columns)
    rows, table = _Cursor(all_rows), _Cursor(d)
    z = waves.new_empty(2, 2, band, size, columns)
    waves = waves.contiguous().view(waves.shape[0], size, size * columns)
    wave = 0
    for n in orders:
        parts = 2 if n else 1
        torch.bmm(
            alpha.mT.expand(parts, -1, -1),
            waves[wave : wave + parts],
            out=z[:parts].view(parts, 2 * band, size * columns),
        )
        wave += parts
        for m0, m1, l0 in chunks(band, n):
            count, degrees = m1 - m0, band - l0
            plus = table.take(count, degrees, size)
            if n == 0:
                torch.bmm(plus, z[0, 0, m0:m1], out=rows.take(count, degrees, columns))
                torch.bmm(plus, z[0, 1, m0:m1], out=rows.take(count, degrees, columns)).neg_()
                continue
            minus = table.take(count, degrees, size)
            (u, v_prime), (v, u_prime) = z[0, :, m0:m1], z[1, :, m0:m1]
            pp, mm, mp, pm = (rows.take(count, degrees, columns) for _ in range(4))
            a = torch.bmm(plus, torch.cat([u + u_prime, v - v_prime], -1))
            b = torch.bmm(minus, torch.cat([u - u_prime, v + v_prime], -1))
            re_a, im_a = a[..., :columns], a[..., columns:]
            re_b, im_b = b[..., :columns], b[..., columns:]
            torch.add(re_a, re_b, out=pp)
            torch.sub(re_a, re_b, out=mm)
            torch.sub(im_a, im_b, out=mp)
            torch.add(im_a, im_b, out=pm).neg_()
    return all_rows.index_select(0, gather)


class _Cursor:
    """Takes consecutive pieces of a tensor as blocks; the last axis of a matrix stays whole."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.at = x, 0

    def take(self, *shape: int) -> Tensor:
        lines = shape[0] * shape[1] * (shape[2] if self.x.dim() == 1 else 1)
        self.at += lines
        return self.x[self.at - lines : self.at].view(shape)
