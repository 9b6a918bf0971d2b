r"""What the layers on points share that sum along paths from irreps to irreps.

.. math:: y_{i o v n} = \sum_{p \to o} \sum_{u, f} M_{p f u v}\, z_{i p n f u}

where z is what ``ops.edge_sum`` gives, and M are the learned matrices, irrep by irrep.
"""

from __future__ import annotations

import abc
import itertools

import torch
from torch import Tensor, nn

from equinet.harmonics import angular_harmonics
from equinet.nn.edges import Neighbours, Positions, edges_of
from equinet.nn.module import EquivariantModule
from equinet.numerics import Constants
from equinet.ops import EdgeOrder, EdgePlan, edge_harmonics, edge_sum, full_precision
from equinet.ops.edge_directions import edge_products
from equinet.rep import Fibre, Irrep
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
    """

    def __init__(self, kernels: SampledKernels) -> None:
        counts = kernels.fibre_in.counts
        numbers = {psi: i for i, psi in enumerate(counts)}
        paths = [pair for pair, found in kernels.pairs.items() for _ in found]
        blocks = tuple((count, psi.dim) for psi, count in counts.items())
        self.plan = EdgePlan(blocks, tuple((numbers[psi], out.dim) for out, psi in paths))
        self.fibre = Fibre(tuple((counts[psi], check_rep(out)) for out, psi in paths))
        runs = itertools.groupby(self.fibre.counts.items(), key=lambda item: item[0].dim)
        self._ends = [(dim, dict(many)) for dim, many in runs]

    def places(self, features: int = 1) -> dict[Irrep, tuple[int, int]]:
        """Where the sums that end in each irrep stand.

        Args:
            features: how many sums there are of every channel.
        Returns:
            For each the first component in a row, and how far it is to the next feature; those of
            the first component stand before those of the second.
        """
        found, start = {}, 0
        for dim, many in self._ends:
            run = sum(many.values())
            places = itertools.accumulate(many.values(), initial=start)
            found |= {psi: (place, run) for psi, place in zip(many, places, strict=False)}
            start += dim * features * run
        return found


class EdgeConv(EquivariantModule, abc.ABC):
    """A sum along edges, and a map after it: what the convolutions on points do.

    Attributes:
        weight: its dtype is that in which all is computed.
        radial: functions of the distance.
        harmonics: of the direction.
        n: the dimension of space.
    """

    weight: nn.Parameter
    radial: nn.Module
    harmonics: EdgeHarmonics
    n: int
    _paths: EdgePaths

    @abc.abstractmethod
    def turns(self) -> Tensor:
        """The kernels, ``(harmonics, entries)``, in the order of the paths."""

    @abc.abstractmethod
    def scales(self) -> Tensor | None:
        """W of ``ops.edge_sum``."""

    @abc.abstractmethod
    def mixed(self, z: Tensor, features: int) -> Tensor:
        """The learned matrices, irrep by irrep, of the sums along edges.

        Args:
            z: ``(points, components)``, from ``ops.edge_sum``.
            features: how many of each channel z has, if it is without W.
        Returns:
            ``(points, components of the output)``, all copies of an irrep together.
        """

    @abc.abstractmethod
    def shift(self) -> Tensor | None:
        """The bias on each channel of the output."""

    def forward(
        self,
        x: Tensor,
        positions: Positions,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
        *,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """The convolved features.

        Args:
            x: ``(points, channels in)``.
            positions: ``(points, n)``; of both ends as a pair where they are other points.
            edges: a ``transforms.Graph``, or int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
            attributes: what the functions of the distance take besides it, ``(count, ...)``.
        Returns:
            ``(points, channels out)``.
        """
        self.check(x)
        vectors, order = edges_of(self, x, positions, edges, shifts)
        distances, harmonics = self.harmonics(vectors)
        given = () if attributes is None else (attributes,)
        return self.along(x, order, harmonics, self.radial(distances, *given))

    def along(self, x: Tensor, order: EdgeOrder, harmonics: Tensor, radial: Tensor) -> Tensor:
        """The convolution, of what is known along the edges.

        Args:
            x: ``(points, channels in)``.
            order: of the edges.
            harmonics: ``(count, harmonics)``, up to the degree of the layer or a higher one.
            radial: the functions of the distance, ``(count, features)``.
        Returns:
            ``(points, channels out)``.
        """
        dtype, into, out = self.weight.dtype, *map(self._buffers.get, ("into", "out_of"))
        with full_precision(x):
            features, radial = x.to(dtype), radial.to(dtype)
            features = features if into is None else features @ into.mT
            turns = self.turns()
            kernels = harmonics.to(dtype)[:, : turns.shape[0]] @ turns
            z = edge_sum(self._paths.plan, features, kernels, radial, self.scales(), order)
            y, bias = self.mixed(z, radial.shape[1]), self.shift()
            y = y if out is None else y @ out.mT
            return (y if bias is None else y + bias).to(x.dtype)


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
    r"""Lengths of vectors and their angular harmonics, degree by degree.

    .. math:: Y_{l+1}(u) = Q_l\, (Y_l(u) \otimes u), \qquad u = r / |r|

    The products are all harmonics of degree l + 1 and l - 1; Q_l, of least norm, projects on the
    former.

    Args:
        lmax: the largest degree.
        n: the dimension of space.
    """

    steps: Tensor

    def __init__(self, lmax: int, n: int) -> None:
        super().__init__()
        self.lmax, self.n = lmax, n
        self.dims = [y.shape[-1] for y in angular_harmonics(lmax, torch.zeros(1, n))]
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        many = 4 * self.n * (2 * self.lmax + 1)  # directions, more than there are products
        generator = torch.Generator().manual_seed(0)
        u = torch.randn(many, self.n, dtype=torch.float64, generator=generator)
        u = u / u.norm(dim=1, keepdim=True)
        steps = [
            (torch.linalg.pinv(edge_products(y.mT, u.mT).mT, rtol=1e-10) @ above).mT.flatten()
            for y, above in itertools.pairwise(angular_harmonics(self.lmax, u))
        ]
        return {"steps": torch.cat([u.new_empty(0), *steps])}

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Both, of vectors ``(edges, n)``.

        Args:
            r: at 0 the length and all harmonics but the first are 0, with gradient 0.
        Returns:
            ``(edges,)``, and ``(edges, harmonics)`` in the order of ``angular_harmonics``.
        """
        with full_precision(r):
            return edge_harmonics(r, self.steps.to(r), self.dims)
