"""Molecules, or frames of a liquid, each with its graph. In: positions. Out: batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.transforms import Graph, radius_graph


class Atoms(NamedTuple):
    """Clouds of atoms in a row, what a network of atoms is called with.

    Attributes:
        kinds: numbers of the species, int64 ``(points,)``.
        positions: ``(points, 3)``.
        graph: of all clouds.
    """

    kinds: Tensor
    positions: Tensor
    graph: Graph


@dataclass(frozen=True)
class Structures:
    """Many clouds whose neighbours have been found once for all."""

    clouds: tuple[Atoms, ...]

    @classmethod
    def of(
        cls,
        kinds: Sequence[Tensor],
        positions: Sequence[Tensor],
        cutoff: float,
        cells: Tensor | None = None,
    ) -> "Structures":
        """Find the neighbours within a cutoff.

        Args:
            kinds: of the atoms of each cloud.
            positions: of them.
            cutoff: the largest distance.
            cells: the vectors after which each cloud repeats, ``(clouds, 3, 3)``.
        """
        sizes = torch.tensor([len(own) for own in kinds])
        batch = torch.arange(len(sizes)).repeat_interleave(sizes)
        graph = radius_graph(torch.cat(list(positions)), cutoff, batch, cell=cells)
        graphs = (one.ordered() for one in graph.split())
        return cls(tuple(map(Atoms, kinds, positions, graphs)))

    def __len__(self) -> int:
        return len(self.clouds)

    def take(self, indices: Tensor) -> Atoms:
        """Some of them in a row."""
        kinds, positions, graphs = zip(*(self.clouds[i] for i in indices.tolist()), strict=True)
        return Atoms(torch.cat(kinds), torch.cat(positions), Graph.batch(graphs))

    def neighbours(self) -> float:
        """Their mean number."""
        edges = sum(own.graph.edges.shape[1] for own in self.clouds)
        return edges / sum(own.graph.points for own in self.clouds)
