r"""Equivariant filters on the sphere.

In: two sets of orders and the description of a filter. Out: its Fourier matrices.

A correlation [psi * f](R) = int psi(R^-1 Q) f(Q) dQ is, degree by degree, a product of matrices,

.. math:: \widehat{\psi * f}{}^l_{m n'} = \sum_n \hat f^l_{mn} W^l_{n'n}, \qquad
          W^l_{n'n} = \int \psi D^l_{n'n} \quad (K1)

where n runs over the orders of the input field and n' over those of the output field (0 for
functions on S^2, -s and s for the irrep s of SO(2), all for functions on SO(3)). By Schur's lemma
every family of real matrices W^l gives an equivariant map, and there are no others; a filter is a
choice of some of them: localised ones are sums of point masses, psi = sum_p w_p delta(Q_p), hence

.. math:: W^l_{n'n} = \sum_p w_p D^l_{n'n}(Q_p) \quad (K2)

and smooth ones interpolate free matrices at a few degrees l.

Where mirrors act too, a map that commutes with the mirror (O1) of ``field.mirror`` has

.. math:: W^l_{n'n} = 0 \quad\text{unless}\quad \epsilon'\, \sigma(n') = \epsilon\, \sigma(n)
          \quad (O2)

and what a filter has of these is its even part.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from equinet.harmonics.grid import mirror_signs, signed_orders
from equinet.numerics import wigner_d_real
from equinet.numerics.arguments import check_integer, check_memory, is_row

Orders = tuple[int, ...]

_ROUNDING = 1e-9


class SphereFilter(Protocol):
    """A family of Fourier matrices W^l that is linear in its weights."""

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        """The basis of the W^l.

        Args:
            band: for l < ``band``.
            orders_out: of the output, which are the rows; n' is m and -m for each.
            orders_in: of the input, which are the columns.
        Returns:
            For each l a float64 tensor ``(n', n, weights)``.
        """
        ...


def wigner_D_rows(band: int, rows: Orders, columns: Orders, angles: Tensor) -> list[Tensor]:
    r"""Rows +-m and columns +-n of the real D^l(alpha, beta, gamma), for all l < ``band`` at once.

    Args:
        band: the degrees are below it.
        rows: the orders m >= 0.
        columns: the orders n >= 0.
        angles: (alpha, beta, gamma) in radians, ``(points, 3)``.
    Returns:
        For each l a float64 tensor ``(signed rows, signed columns, points)``.
    """
    alpha, beta, gamma = angles.unbind(-1)
    beta, where = beta.unique(return_inverse=True)  # few, so d is cheap
    result = []
    kept = sorted({m for m in rows if m < band})
    parts = {n: wigner_d_real(band, n, beta, rows=kept)[..., where] for n in columns if n < band}
    for l in range(band):
        m = torch.tensor(signed_orders(l, rows), dtype=torch.float64)[:, None]
        k = signed_orders(l, columns)
        out = torch.zeros(len(m), len(k), len(angles), dtype=torch.float64)
        index = torch.searchsorted(torch.tensor(kept), m.abs().long()[:, 0])
        # Row +-m of Z(alpha) meets d^cc through its entry with index |m|, d^ss with index -|m|.
        through_cc = torch.where(m >= 0, (m * alpha).cos(), (-m * alpha).sin())
        through_ss = torch.where(m >= 0, -(m * alpha).sin(), (m * alpha).cos())
        for i, n in enumerate(k):
            cc, ss = parts[abs(n)][:, l - abs(n), index]
            c, s = (n * gamma).cos(), (n * gamma).sin()
            from_cc, from_ss = (c, s) if n >= 0 else (s, c)  # column n of Z(gamma)
            out[:, i] = through_cc * cc * from_cc + through_ss * ss * from_ss
        result.append(out)
    return result


def sphere_basis(
    kernel: SphereFilter,
    band: int,
    orders_out: Orders,
    orders_in: Orders,
    parity: int | None = None,
) -> tuple[Tensor, float]:
    r"""The matrices of a filter as one tensor, and the gain of variance.

    One output copy has, for one input copy of unit variance in degree l only and for independent
    weights of variance sigma^2, the variance

    .. math:: \sigma^2 \sum_{n'n,p} (W^l_{n'n,p})^2 \Big/ \sum_n 1 \quad (K3)

    with n over the input orders that the filter acts on. The gain is the root of its largest value
    over l, so that no spectrum of the input can make variance grow from layer to layer.

    Args:
        kernel: the filter.
        band: degrees l < ``band`` are mapped.
        orders_out: of the output.
        orders_in: of the input.
        parity: of (O2), epsilon' epsilon; None where no mirror acts.
    Returns:
        float64 ``(sum over l of n' n, weights)``, and the gain (0 if the map can only be zero).
    Raises:
        TypeError: if ``kernel`` is no filter, or orders are no row.
        ValueError: for a band or an order that is no integer in range.
    """
    if not callable(getattr(kernel, "matrices", None)):
        raise TypeError(f"kernel: expected a filter of a sphere, got {type(kernel).__name__}")
    check_integer(band, "band")
    for name, orders in (("orders_out", orders_out), ("orders_in", orders_in)):
        if not is_row(orders):
            raise TypeError(f"{name}: expected a sequence of integers, got {orders!r}")
        for n in orders:
            check_integer(n, name, 0)
    entries = band * math.prod(2 * min(band, len(orders)) for orders in (orders_out, orders_in))
    check_memory(entries, "band", f"the matrices of a filter of band {band}")
    matrices = kernel.matrices(band, orders_out, orders_in)
    if parity is not None:
        matrices = _even_part(matrices, orders_out, orders_in, parity)
    gain = max(float((w**2).sum()) / max(carried(w), 1) for w in matrices)
    basis = torch.cat([w.flatten(0, 1) for w in matrices])
    return basis, math.sqrt(gain)


def carried(basis: Tensor) -> int:
    """Number of input orders that some weight acts on, for a basis ``(n', n, weights)``."""
    return int(basis.abs().sum((0, 2)).count_nonzero())


def _even_part(
    matrices: list[Tensor], orders_out: Orders, orders_in: Orders, parity: int
) -> list[Tensor]:
    """What (O2) leaves of a basis, without functions of which it leaves nothing.

    Points in the planes of mirrors, as all families of the library have them between irreps, are
    even or odd. Others have both parts; then those whose even part depends on the ones before go.
    """
    kept = []
    for l, w in enumerate(matrices):
        signs = torch.outer(mirror_signs(l, orders_out), mirror_signs(l, orders_in))
        kept.append(w * (signs == parity)[..., None])
    whole, even = (torch.cat([w.flatten(0, 1) for w in parts]) for parts in (matrices, kept))
    size, odd = whole.norm(dim=0), (whole - even).norm(dim=0)
    alive = even.norm(dim=0) > _ROUNDING * size
    if (alive & (odd > _ROUNDING * size)).any():
        alive = alive & _is_new(even * alive)
    return [w[..., alive] for w in kept]


def _is_new(columns: Tensor) -> Tensor:
    """Whether a column is no combination of those before it, by orthogonalisation."""
    found, basis = [], columns[:, :0]
    for column in columns.unbind(1):
        rest = column
        for _ in range(2):  # once loses digits
            rest = rest - basis @ (basis.mT @ rest)
        found.append(bool(rest.norm() > _ROUNDING * column.norm()))
        if found[-1]:
            basis = torch.cat([basis, (rest / rest.norm())[:, None]], 1)
    return torch.tensor(found, dtype=torch.bool)
