r"""Wigner synthesis and analysis: between spectra and signals in (alpha, beta), order by order.

In: a real spectrum, or signals on the (alpha, beta) grid. Out: the other. Before: ``numerics``.
Next: ``block_matmul``.

A real function on SO(3) with coefficients f^l_mn in the real basis is

.. math:: f(\alpha, \beta, \gamma) = \sum_{l,m,n} f^l_{mn} D^l_{mn}
          = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta) + \sin(n\gamma)\, Y_n^s(\alpha, \beta)

and this operator is the map f -> Y for some orders n. Written out with D = Z(alpha) d(beta) Z(gamma),
the sums over l at fixed m, n >= 0 (f_{+-} means the coefficient with indices +m, -n, and so on)

.. math:: U  &= \sum_l d^{cc} f_{++} + d^{ss} f_{--}, \qquad & U' &= \sum_l d^{cc} f_{--} + d^{ss} f_{++} \\
          V  &= \sum_l d^{ss} f_{-+} - d^{cc} f_{+-},  \qquad & V' &= \sum_l d^{ss} f_{+-} - d^{cc} f_{-+}  \quad (F1)

give

.. math:: Y^c_n = \sum_m \cos(m\alpha) U - \sin(m\alpha) V', \qquad
          Y^s_n = \sum_m \cos(m\alpha) V - \sin(m\alpha) U'                                     \quad (F2)

Everything is a real matrix product from the left on tensors whose last axis holds the columns
(channel and batch), so nothing is ever transposed, and one order n is worked off while it is in cache.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class SphereTables(NamedTuple):
    """The constants of one transform, made by ``harmonics.grid``.

    Attributes:
        orders: the n >= 0, ascending.
        d: flat table; for each n a block ``(2, band, size, band - n)``, index (cc or ss, m, j, l - n),
            with all factors (quadrature weight or 2l + 1) in it.
        alpha: ``(size, 2 * band)``: columns cos(m alpha), then -sin(m alpha), m = 0..band - 1.
        scatter: the rows of the spectrum in the order in which the loop over n works on them; for
            n > 0 the four sets ++, --, -+, +- with index (m, l - n), for n = 0 the sets +0 and -0.
        gather: for every row of the spectrum its place in that list.
    """

    orders: tuple[int, ...]
    d: Tensor
    alpha: Tensor
    scatter: Tensor
    gather: Tensor


def wave_count(orders: tuple[int, ...]) -> int:
    """Rows of Y: two for every order n > 0, one for n = 0."""
    return sum(2 if n else 1 for n in orders)


def wigner_synthesis(spectrum: Tensor, tables: SphereTables) -> Tensor:
    r"""The map f -> Y of (F1) and (F2).

    Args:
        spectrum: real, ``(rows, columns)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants in the dtype and on the device of ``spectrum``.
    Returns:
        ``(waves, size_alpha, size_beta, columns)``; waves Y^c_n, Y^s_n for each order (one for n = 0).
    """
    return _Synthesis.apply(spectrum, *tables)


def wigner_analysis(waves: Tensor, tables: SphereTables) -> Tensor:
    """The transpose of ``wigner_synthesis`` with the same tables, Y -> f.

    Args:
        waves: real, ``(waves, size_alpha, size_beta, columns)``.
        tables: constants in the dtype and on the device of ``waves``.
    Returns:
        ``(rows, columns)``.
    """
    return _Analysis.apply(waves, *tables)


class _Synthesis(torch.autograd.Function):
    @staticmethod
    def vmap(info, in_dims, spectrum, *constants):
        return _as_columns(_Synthesis, info.batch_size, in_dims[0], spectrum, constants)

    @staticmethod
    def forward(spectrum, orders, d, alpha, scatter, gather):
        with torch.autocast(spectrum.device.type, enabled=False):  # the tables fix the precision
            return _synthesis(spectrum.to(d.dtype), orders, d, alpha, scatter)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.orders, *constants = inputs
        ctx.save_for_backward(*constants)

    @staticmethod
    def backward(ctx, grad):
        return _Analysis.apply(grad, ctx.orders, *ctx.saved_tensors), None, None, None, None, None


class _Analysis(torch.autograd.Function):
    @staticmethod
    def vmap(info, in_dims, waves, *constants):
        return _as_columns(_Analysis, info.batch_size, in_dims[0], waves, constants)

    @staticmethod
    def forward(waves, orders, d, alpha, scatter, gather):
        with torch.autocast(waves.device.type, enabled=False):
            return _analysis(waves.to(d.dtype), orders, d, alpha, gather)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.orders, *constants = inputs
        ctx.save_for_backward(*constants)

    @staticmethod
    def backward(ctx, grad):
        return _Synthesis.apply(grad, ctx.orders, *ctx.saved_tensors), None, None, None, None, None


def _as_columns(function, size, dim, x, constants):
    """Rule for ``torch.vmap``: the mapped axis becomes more columns."""
    columns = x.movedim(dim, -1)
    out = function.apply(columns.flatten(-2), *constants)
    out = out.unflatten(-1, (columns.shape[-2], size))
    return out, out.dim() - 1


def _blocks(orders: tuple[int, ...], d: Tensor, alpha: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """(n, d^cc, d^ss) for each order, the two blocks as ``(band, size, band - n)`` views of ``d``."""
    size, band = alpha.shape[0], alpha.shape[1] // 2
    lengths = [2 * band * size * (band - n) for n in orders]
    parts = d.split(lengths)
    blocks = [part.view(2, band, size, band - n) for n, part in zip(orders, parts, strict=True)]
    return [(n, block[0], block[1]) for n, block in zip(orders, blocks, strict=True)]


def _synthesis(spectrum, orders, d, alpha, scatter) -> Tensor:
    size, band, columns = alpha.shape[0], alpha.shape[1] // 2, spectrum.shape[1]
    rows = spectrum.index_select(0, scatter)
    out = spectrum.new_empty(wave_count(orders), size, size * columns)
    # z[c or s in gamma, c or s in alpha, m]: U, V' and V, U' of (F1) for one order
    z = spectrum.new_empty(2, 2, band, size, columns)
    start = wave = 0
    for n, cc, ss in _blocks(orders, d, alpha):
        count = band * (band - n)
        sets = [
            rows[start + i * count : start + (i + 1) * count].view(band, band - n, columns)
            for i in range(4 if n else 2)
        ]
        start += len(sets) * count
        if n:
            pp, mm, mp, pm = sets
            torch.bmm(cc, pp, out=z[0, 0]).baddbmm_(ss, mm)  # U
            torch.bmm(ss, pm, out=z[0, 1]).baddbmm_(cc, mp, alpha=-1)  # V'
            torch.bmm(ss, mp, out=z[1, 0]).baddbmm_(cc, pm, alpha=-1)  # V
            torch.bmm(cc, mm, out=z[1, 1]).baddbmm_(ss, pp)  # U'
        else:
            torch.bmm(cc, sets[0], out=z[0, 0])
            torch.bmm(cc, sets[1], out=z[0, 1]).neg_()
        parts = 2 if n else 1
        torch.bmm(  # (F2)
            alpha.expand(parts, -1, -1),
            z[:parts].view(parts, 2 * band, size * columns),
            out=out[wave : wave + parts],
        )
        wave += parts
    return out.view(-1, size, size, columns)


def _analysis(waves, orders, d, alpha, gather) -> Tensor:
    size, band, columns = alpha.shape[0], alpha.shape[1] // 2, waves.shape[-1]
    flat = waves.reshape(-1, size, size * columns)
    counts = [(4 if n else 2) * band * (band - n) for n in orders]
    rows = waves.new_empty(sum(counts), columns)
    z = waves.new_empty(2, 2, band, size, columns)
    start = wave = 0
    for n, cc, ss in _blocks(orders, d, alpha):
        parts, count = (2, band * (band - n)) if n else (1, band * band)
        torch.bmm(
            alpha.T.expand(parts, -1, -1),
            flat[wave : wave + parts],
            out=z[:parts].view(parts, 2 * band, size * columns),
        )
        wave += parts
        sets = [
            rows[start + i * count : start + (i + 1) * count].view(band, band - n, columns)
            for i in range(4 if n else 2)
        ]
        start += len(sets) * count
        cc, ss = cc.mT, ss.mT
        if n:
            pp, mm, mp, pm = sets
            (u, v_prime), (v, u_prime) = z[0], z[1]
            torch.bmm(cc, u, out=pp).baddbmm_(ss, u_prime)
            torch.bmm(cc, u_prime, out=mm).baddbmm_(ss, u)
            torch.bmm(ss, v, out=mp).baddbmm_(cc, v_prime, alpha=-1)
            torch.bmm(ss, v_prime, out=pm).baddbmm_(cc, v, alpha=-1)
        else:
            torch.bmm(cc, z[0, 0], out=sets[0])
            torch.bmm(cc, z[0, 1], out=sets[1]).neg_()
    return rows.index_select(0, gather)
