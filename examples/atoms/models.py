"""Two networks of atoms, in calls of the library.

Both are called as ``network(kinds, positions, graph)``, with the species int64 ``(points,)``,
positions ``(points, 3)`` and a ``transforms.Graph``, and return ``(points, 1)``, whose sum is the
energy of a molecule, or vectors and tensors behind it.
"""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from equinet.transforms import Graph

SPACE = eq.Points("O(3)", dim=3)
ENERGY = SPACE.fields("1x0e")


def copies(channels: int, lmax: int) -> eq.FieldType:
    """As many scalars, vectors and so on, each of the parity of its harmonics."""
    return SPACE.fields(" + ".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(lmax + 1)))


class SelfConnection(nn.Module):
    """What an atom gives itself, by its species; zero in fields that no linear map reaches.

    These come last: the first layer has scalars only, which are the first blocks of any type.
    """

    def __init__(self, in_type: eq.FieldType, out_type: eq.FieldType, kinds: int) -> None:
        super().__init__()
        here = in_type.fibre.counts.keys()
        reached = [pair for pair in out_type.blocks if here & pair[1].multiplicities.keys()]
        self.linear = enn.Linear(in_type, SPACE.fields(tuple(reached)), kinds=kinds)
        self.missing = out_type.channels - self.linear.out_type.channels

    def forward(self, x: Tensor, kinds: Tensor) -> Tensor:
        return F.pad(self.linear(x, kinds), (0, self.missing))


class NequIP(nn.Module):
    """Convolutions, channel by channel, and gates (Batzner et al., arXiv 2101.03164).

    Args:
        kinds: the number of species.
        cutoff: the largest distance of neighbours, which the graph is made with.
        neighbours: the mean number of neighbours of an atom.
        channels: of each irrep.
        lmax: the largest degree of fields and harmonics.
        layers: convolutions.
        outputs: the largest degree of what is returned, one field of each; 0 for energies.
    """

    def __init__(
        self,
        kinds: int,
        cutoff: float,
        neighbours: float,
        *,
        channels: int = 32,
        lmax: int = 1,
        layers: int = 3,
        outputs: int = 0,
    ) -> None:
        super().__init__()
        degrees = [0, *[lmax] * (layers - 1), outputs]
        self.embedding = nn.Embedding(kinds, channels)
        self.layers = nn.ModuleList(
            Interaction(copies(channels, a), copies(channels, b), kinds, cutoff, neighbours, lmax)
            for a, b in itertools.pairwise(degrees)
        )
        self.readout = enn.Linear(copies(channels, outputs), copies(1, outputs), kinds=kinds)

    def forward(self, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        x = self.embedding(kinds)
        for layer in self.layers:
            x = layer(x, kinds, positions, graph)
        return self.readout(x, kinds)


class Interaction(nn.Module):
    """A layer of ``NequIP``: what neighbours send, and what an atom is itself, through a gate."""

    def __init__(
        self,
        in_type: eq.FieldType,
        out_type: eq.FieldType,
        kinds: int,
        cutoff: float,
        neighbours: float,
        lmax: int,
    ) -> None:
        super().__init__()
        wide = enn.gated(out_type)
        radial = enn.RadialNetwork(cutoff, basis="bessel")
        self.mix = enn.Linear(in_type, in_type)
        self.messages = enn.DepthwisePointConv(
            in_type, wide, radial, neighbours=neighbours, lmax=lmax, bias=False
        )
        self.own = SelfConnection(in_type, wide, kinds)
        self.gate = enn.Gate(out_type, function=F.silu)

    def forward(self, x: Tensor, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        return self.gate(self.messages(self.mix(x), positions, graph) + self.own(x, kinds))


class MACE(nn.Module):
    """Polynomials of sums over neighbours (Batatia et al., arXiv 2206.07697).

    Args:
        kinds: the number of species.
        cutoff: the largest distance of neighbours, which the graph is made with.
        neighbours: the mean number of neighbours of an atom.
        channels: of each irrep.
        lmax: the largest degree of the harmonics and of the sums over neighbours.
        order: the degree of the polynomials; a layer has terms of order + 1 bodies.
        hidden: the largest degree of what one layer gives the next.
        layers: of sums and polynomials.
    """

    def __init__(
        self,
        kinds: int,
        cutoff: float,
        neighbours: float,
        *,
        channels: int = 32,
        lmax: int = 2,
        order: int = 3,
        hidden: int = 1,
        layers: int = 2,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(kinds, channels)
        self.layers, self.readouts = nn.ModuleList(), nn.ModuleList()
        for a, b in itertools.pairwise([0, *[hidden] * (layers - 1), 0]):
            before, after = copies(channels, a), copies(channels, b)
            radial = enn.RadialNetwork(cutoff, basis="bessel")
            sums = enn.DepthwisePointConv(
                before, copies(channels, lmax), radial, neighbours=neighbours, lmax=lmax, bias=False
            )
            self.layers.append(ManyBody(sums, after, order, kinds))
            self.readouts.append(enn.Linear(after, ENERGY, kinds=kinds))

    def forward(self, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        x = self.embedding(kinds)
        energies = positions.new_zeros(positions.shape[0], 1)
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            x = layer(x, kinds, positions, graph)
            energies = energies + readout(x, kinds)
        return energies


class ManyBody(nn.Module):
    """A layer of ``MACE``: polynomials of what neighbours send, by the species of the atom."""

    def __init__(
        self, sums: enn.DepthwisePointConv, out_type: eq.FieldType, order: int, kinds: int
    ) -> None:
        super().__init__()
        self.sums = sums
        # Neighbours are nearer than the mean of the ball, for which radial functions have size 1.
        self.smaller = enn.LayerScale(sums.out_type, 0.2)
        self.powers = enn.SymmetricPower(sums.out_type, out_type, order, kinds=kinds)
        self.mix = enn.Linear(out_type, out_type)
        self.own = SelfConnection(sums.in_type, out_type, kinds)

    def forward(self, x: Tensor, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        many = self.powers(self.smaller(self.sums(x, positions, graph)), kinds)
        return self.mix(many) + self.own(x, kinds)


NETWORKS = {"nequip": NequIP, "mace": MACE}
