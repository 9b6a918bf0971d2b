"""Small networks of points of any group, and the clouds on which their energies are tried."""

import itertools
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from equinet import Points, cyclic, nn, o3, octahedral, so2, so3
from equinet.group import FiniteGroup, Group
from equinet.transforms import Graph, radius_graph

F64 = torch.float64
CUTOFF = 2.5


class Net(torch.nn.Module):
    """Convolutions between species and an energy for each point: two, or one without a text."""

    def __init__(self, group: Group, text: str, lmax: int, generator: Generator, channels: int = 2):
        super().__init__()
        space = Points(group)
        scalars, energy = space.fields(f"{channels}x trivial"), space.fields("1x trivial")
        row = [scalars, *([space.fields(text)] if text else []), energy]
        options = dict(neighbours=4.0, lmax=lmax, generator=generator)
        self.embedding = torch.nn.Embedding(3, channels)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.randn(3, channels, generator=generator))
        self.layers = torch.nn.ModuleList(
            nn.DepthwisePointConv(before, after, radial(generator), **options)
            for before, after in itertools.pairwise(row)
        )

    def forward(self, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        x = self.embedding(kinds)
        for layer in self.layers:
            x = layer(x, positions, graph)
        return x


def radial(generator: Generator) -> nn.RadialNetwork:
    return nn.RadialNetwork(CUTOFF, 4, (6,), "bessel", 4, generator=generator)


@dataclass(frozen=True)
class Case:
    """A network.

    Attributes:
        group: that acts.
        text: its hidden fields; none for a single layer.
        lmax: of the harmonics.
    """

    group: Group
    text: str
    lmax: int

    def __str__(self) -> str:
        return f"{self.group.name}, lmax={self.lmax}"

    def potential(self, generator: Generator, **options) -> nn.Potential:
        return nn.Potential(Net(self.group, self.text, self.lmax, generator), **options).double()

    def cloud(self, generator: Generator, count: int = 5) -> tuple[Tensor, Tensor]:
        """Species and positions."""
        positions = 2 * torch.rand(count, self.group.n, generator=generator, dtype=F64)
        return torch.arange(count) % 3, positions

    def crystal(self, generator: Generator, count: int = 4) -> tuple[Tensor, Tensor, Graph]:
        """Species, positions and neighbours in a skew cell."""
        kinds, x = self.cloud(generator, count)
        n = self.group.n
        skew = 0.2 * torch.randn(n, n, generator=generator, dtype=F64)
        cell = 3 * torch.eye(n, dtype=F64) + skew
        return kinds, x, radius_graph(x, CUTOFF, cell=cell)


def _text(group: Group, lmax: int) -> str:
    if isinstance(group, FiniteGroup):
        return "1x regular"
    parity = "eo" if group.name == "O(3)" else ("", "")
    return " + ".join(f"1x{l}{parity[l % 2]}" for l in range(lmax + 1))


CASES = [
    Case(group, _text(group, lmax), lmax)
    for group in (o3(), so3(), octahedral(), so2(), cyclic(4))
    for lmax in range(7)
]
SMALL = Case(o3(), "2x0e + 1x1o", 1)
TINY = Case(o3(), "", 0)
