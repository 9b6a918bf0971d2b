r"""Equivariant maps between copies of irreps, irrep by irrep; as one matrix they are mostly zeros.

.. math:: y_{vi} = \sum_{u, j, e} W_{vue}\, E_{eij}\, x_{uj}

where the E are the kernels from an irrep to itself: one, a multiple of the identity, but for those
that are complex or quaternionic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops import IrrepMap, irrep_product
from equinet.rep import Irrep
from equinet.steerable import SampledKernels


class _Part(NamedTuple):
    """Sizes of the weights of one irrep, its dim, and whether x has its components first."""

    copies_out: int
    copies_in: int
    ends: int
    dim: int
    turned: bool


class IrrepMaps:
    """The maps, for weights in the order of the kernels.

    Args:
        sampled: the kernels, between irreps that are alike.
        places: for each irrep of x where it starts in a row, and how far its components are apart;
            by default a row has all copies of an irrep together, channel by channel.
    """

    def __init__(
        self, sampled: SampledKernels, places: Mapping[Irrep, tuple[int, int]] | None = None
    ) -> None:
        counts_in, counts_out = sampled.fibre_in.counts, sampled.fibre_out.counts
        if places is None:
            starts = itertools.accumulate((n * psi.dim for psi, n in counts_in.items()), initial=0)
            places = {psi: (start, 0) for psi, start in zip(counts_in, starts, strict=False)}
        self.width = sampled.fibre_out.dim
        self._maps: list[IrrepMap] = []
        self._parts: list[_Part] = []
        out = 0
        for psi, copies in counts_out.items():
            ends, dim = len(sampled.pairs.get((psi, psi), ())), psi.dim
            if ends:
                count, (into, run) = counts_in[psi], places[psi]
                self._parts.append(_Part(copies, count, ends, dim, run > 0))
                if ends == 1:
                    sizes = dim, copies, count, 1
                else:  # a matrix between all components
                    sizes = 1, copies * dim, *((count, dim) if run else (count * dim, 1))
                self._maps.append(IrrepMap(*sizes, into, run, out))
            out += copies * dim

    def scales(self, kernels: Tensor) -> Tensor:
        """The multiples of the identity, for each weight the one of its kernel; 1 for others.

        Args:
            kernels: all entries of the kernels in a row.
        Returns:
            ``(weights,)``.
        """
        sizes = [part.ends * part.dim**2 for part in self._parts]
        found = [
            (own[0] if part.ends == 1 else own.new_ones(())).expand(math.prod(part[:3]))
            for part, own in zip(self._parts, kernels.split(sizes), strict=True)
        ]
        return torch.cat(found)

    def matrices(self, weight: Tensor, scales: Tensor, kernels: Tensor) -> Tensor:
        """The matrices that ``product`` takes, in a row.

        Args:
            weight: ``(layers, weights)``.
            scales: of ``scales``.
            kernels: all entries of the kernels in a row.
        Returns:
            ``(layers, entries)``.
        """
        weight = weight * scales
        if all(part.ends == 1 for part in self._parts):
            return weight
        found = []
        parts = weight.split([math.prod(part[:3]) for part in self._parts], 1)
        ends = kernels.split([part.ends * part.dim**2 for part in self._parts])
        for part, own, kernel in zip(self._parts, parts, ends, strict=True):
            if part.ends > 1:
                own = own.unflatten(1, part[:3])
                kernel = kernel.view(part.ends, part.dim, part.dim)
                order = "kvue,eij->kviju" if part.turned else "kvue,eij->kviuj"
                own = torch.einsum(order, own, kernel).flatten(1)
            found.append(own)
        return torch.cat(found, 1)

    def product(self, x: Tensor, matrices: Tensor) -> Tensor:
        """Each irrep times its matrix.

        Args:
            x: ``(rows, components)``.
            matrices: of one layer.
        Returns:
            ``(rows, width)``, all copies of an irrep together; zero for those without a map.
        """
        # Under autocast the features may be shorter than the weights.
        return irrep_product(self._maps, x.to(matrices.dtype), matrices, self.width)

    def products(self, x: Tensor, matrices: Tensor) -> Tensor:
        """The same by several layers.

        Args:
            x: ``(rows, components)``.
            matrices: ``(layers, entries)``.
        Returns:
            ``(rows, layers, width)``.
        """
        many = len(matrices)
        blocks = matrices.split([own.copies * own.columns for own in self._maps], 1)
        maps = [own._replace(copies=many * own.copies, out=many * own.out) for own in self._maps]
        entries = torch.cat([b.flatten() for b in blocks])
        y = irrep_product(maps, x.to(entries.dtype), entries, many * self.width)
        sizes = self._sizes()
        parts = y.split([many * size for size in sizes], 1)
        return torch.cat([part.unflatten(1, (many, -1)) for part in parts], 2)

    def _sizes(self) -> list[int]:
        """Of the runs of y, with a map and without."""
        cuts = {0, self.width}
        for own in self._maps:
            cuts |= {own.out, own.out + own.copies * own.dim}
        return [end - start for start, end in itertools.pairwise(sorted(cuts))]
