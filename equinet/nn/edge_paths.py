r"""What the layers on points share that sum along paths from irreps to irreps.

.. math:: y_{i o v n} = \sum_{p \to o} \sum_{u, f} M_{p f u v}\, z_{i p n f u}

where z is what ``ops.edge_sum`` gives, and M are the learned matrices, irrep by irrep.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from equinet.harmonics import angular_harmonics
from equinet.numerics import Constant, Constants
from equinet.ops import EdgePlan, full_precision
from equinet.rep import Fibre
from equinet.rep.representation import check_rep
from equinet.steerable import SampledKernels


class EdgePaths:
    """The paths of kernels, as ``ops.edge_sum`` takes them, and where each irrep stands after them.

    Args:
        kernels: between the fibres.

    Attributes:
        plan: of the sums, with a block for each irrep of the input.
        fibre: of what they give, channel by channel: for each path as many copies as its irrep of
            the input has.
        ends: for each block of the result, the channels of each irrep of the output in it.
        live: for each irrep of the output, whether a path ends there.
    """

    def __init__(self, kernels: SampledKernels) -> None:
        counts, outs = kernels.fibre_in.counts, kernels.fibre_out.counts
        numbers = {psi: i for i, psi in enumerate(counts)}
        paths = [pair for pair, found in kernels.pairs.items() for _ in found]
        blocks = tuple((count, psi.dim) for psi, count in counts.items())
        self.plan = EdgePlan(blocks, tuple((numbers[psi], out.dim) for out, psi in paths))
        self.fibre = Fibre(tuple((counts[psi], check_rep(out)) for out, psi in paths))
        channels = self.fibre.counts
        runs = itertools.groupby(channels, key=lambda psi: psi.dim)
        self.ends = [(dim, [channels[psi] for psi in psis]) for dim, psis in runs]
        self.live = [channels.get(psi, 0) > 0 for psi in outs]
        self.sizes = [(count, psi.dim) for psi, count in outs.items()]

    def by_irrep(self, z: Tensor, features: int = 1) -> list[Tensor]:
        """The sums that end in each irrep.

        Args:
            z: ``(points, components)``, from ``edge_sum``.
            features: how many sums there are of every channel.
        Returns:
            For each that is live ``(dim, points, features * channels)``.
        """
        sizes = [(dim, features, sum(many)) for dim, many in self.ends]
        blocks = z.split([dim * features * channels for dim, _, channels in sizes], 1)
        return [
            part.flatten(2).movedim(1, 0)
            for block, size, (_, many) in zip(blocks, sizes, self.ends, strict=True)
            for part in block.unflatten(1, size).split(many, 3)
        ]

    def mixed(self, parts: Sequence[Tensor], matrices: Sequence[Tensor]) -> Tensor:
        """Each part times its matrix, in a row, zero where no path ends.

        Args:
            parts: ``(dim, points, channels)`` for each irrep that is live.
            matrices: ``(channels, copies)``.
        Returns:
            ``(points, components)``, all copies of an irrep together.
        """
        found, pairs = [], iter(zip(parts, matrices, strict=True))
        for (count, dim), live in zip(self.sizes, self.live, strict=True):
            if live:
                part, matrix = next(pairs)
                # As many products: one would copy the parts first, which lie in rows of points.
                product = torch.bmm(part, matrix.expand(dim, *matrix.shape))
                found.append(product.movedim(0, 2).flatten(1))
            else:
                found.append(parts[0].new_zeros(parts[0].shape[1], count * dim))
        return torch.cat(found, 1)


def irrep_bases(fibre_in: Fibre, fibre_out: Fibre) -> dict[str, Tensor]:
    """What goes from vectors to their parts in irreps, those of equal ones together, and back.

    Args:
        fibre_in: of the vectors that are taken apart.
        fibre_out: of those that are put together.
    Returns:
        "into" and "out_of", float64 ``(dim, dim)``, without those that are the identity.
    """
    found = {"into": _basis(fibre_in, inverse=True), "out_of": _basis(fibre_out, inverse=False)}
    return {name: matrix for name, matrix in found.items() if not torch.equal(matrix, _one(matrix))}


def _basis(fibre: Fibre, *, inverse: bool) -> Tensor:
    changes = zip(fibre.blocks, fibre.matrices(inverse=inverse), strict=True)
    blocks = [
        [torch.eye(rho.dim, dtype=torch.float64) if change is None else change] * mul
        for (mul, rho), change in changes
    ]
    matrix = torch.block_diag(*itertools.chain.from_iterable(blocks))
    if fibre.permutation is None:
        return matrix
    order = fibre.permutation.argsort()
    return matrix[order] if inverse else matrix[:, order]


def _one(matrix: Tensor) -> Tensor:
    return torch.eye(len(matrix), dtype=matrix.dtype)


class EdgeHarmonics(Constants):
    r"""Lengths of vectors and their angular harmonics, in few operations.

    .. math:: Y_{l+1}(u) = Q_l\, (Y_l(u) \otimes u), \qquad u = r / |r|

    The products are all harmonics of degree l + 1 and l - 1; Q_l, of least norm, projects on the
    former.

    Args:
        lmax: the largest degree.
        n: the dimension of space.
    """

    def __init__(self, lmax: int, n: int) -> None:
        super().__init__()
        self.lmax, self.n = lmax, n
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        many = 4 * self.n * (2 * self.lmax + 1)  # directions, more than there are products
        generator = torch.Generator().manual_seed(0)
        u = torch.randn(many, self.n, dtype=torch.float64, generator=generator)
        u = u / u.norm(dim=1, keepdim=True)
        steps: list[Tensor | None] = [
            (torch.linalg.pinv(_products(y.mT, u.mT).mT, rtol=1e-10) @ above).mT
            for y, above in itertools.pairwise(angular_harmonics(self.lmax, u))
        ]
        return {"steps": steps}

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Both, of vectors ``(edges, n)``.

        Args:
            r: at 0 the length and all harmonics but the first are 0, with gradient 0.
        Returns:
            ``(edges,)``, and ``(harmonics, edges)`` in the order of ``angular_harmonics``.
        """
        columns = r.mT.contiguous()
        # Scaled by the largest coordinate first, so that tiny vectors keep their direction.
        scale = columns.detach().abs().amax(0)
        origin = scale == 0
        scale = torch.where(origin, 1, scale)
        columns = columns / scale
        length = torch.where(origin, 1, (columns * columns).sum(0)).sqrt()
        u = torch.where(origin, 0, columns / length)
        found = [torch.ones_like(u[:1])]
        with full_precision(r):
            for step in self.listed("steps"):
                found.append(step.to(u) @ _products(found[-1], u))
        return torch.where(origin, 0, scale * length), torch.cat(found)


def _products(y: Tensor, u: Tensor) -> Tensor:
    """Of the harmonics of a degree with the coordinates, ``(dim * n, edges)``."""
    return (y[:, None] * u).flatten(0, 1)
