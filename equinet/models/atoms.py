"""Networks of atoms.

They are called as ``network(kinds, positions, graph)``, with the species int64 ``(points,)``,
positions ``(points, 3)`` and a ``transforms.Graph``, and return ``(points, 1)``, whose sum is the
energy of a molecule, or vectors and tensors behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from equinet import nn as enn
from equinet.field import FieldType, Points
from equinet.field.graph import Graph
from equinet.models.blocks import MOST
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_number
from equinet.numerics.values import check_floating, check_numbers

_SPACE = Points("O(3)", dim=3)


def _copies(channels: int, lmax: int) -> FieldType:
    """As many scalars, vectors and so on, each of the parity of its harmonics."""
    return _SPACE.fields(" + ".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(lmax + 1)))


_HIGHEST = 20  # degree


def _check(
    kinds: int, cutoff: float, neighbours: float, channels: int, layers: int, **degrees: int
) -> None:
    check_integer(kinds, "kinds")
    check_number(cutoff, "cutoff", above=0)
    check_number(neighbours, "neighbours", above=0)
    check_integer(channels, "channels")
    check_integer(layers, "layers", 1, MOST)
    for name, degree in degrees.items():
        check_integer(degree, name, int(name == "order"), _HIGHEST)
    larger = "kinds" if kinds > channels else "channels"
    check_memory(channels * (channels + kinds), larger, "weights of one layer")


def _embedded(embedding: nn.Embedding, kinds: Tensor, positions: Tensor) -> Tensor:
    """The first fields of the atoms, by their species."""
    check_floating("positions", positions, 3)
    what = "the species of each point"
    check_numbers("kinds", kinds, what, positions.shape[:1], positions, embedding.num_embeddings)
    return embedding(kinds)


class _SelfConnection(nn.Module):
    """What an atom gives itself, by its species; zero in fields that no linear map reaches.

    These come last: the first layer has scalars only, which are the first blocks of any type.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, kinds: int) -> None:
        super().__init__()
        here = in_type.fibre.counts.keys()
        reached = [pair for pair in out_type.blocks if here & pair[1].multiplicities.keys()]
        self.linear = enn.Linear(in_type, _SPACE.fields(tuple(reached)), kinds=kinds)
        self.missing = out_type.channels - self.linear.out_type.channels

    def forward(self, x: Tensor, kinds: Tensor) -> Tensor:
        return F.pad(self.linear(x, kinds), (0, self.missing))


class NequIP(nn.Module):
    """Convolutions, channel by channel, and gates.

    Args:
        kinds: the number of species.
        cutoff: the largest distance of neighbours, which the graph is made with.
        neighbours: the mean number of neighbours of an atom.
        channels: of each irrep.
        lmax: the largest degree of fields and harmonics.
        layers: convolutions.
        outputs: the largest degree of what is returned, one field of each; 0 for energies.
    Shape:
        species ``(points,)``, positions ``(points, 3)`` and a ``transforms.Graph`` to
        ``(points, channels of the output)``.
    Raises:
        ValueError: for a number out of range.

    References:
        Batzner et al. 2022, E(3)-equivariant graph neural networks, arXiv 2101.03164.

    Example:
        >>> import torch
        >>> from equinet.transforms import radius_graph
        >>> net = NequIP(2, cutoff=3.0, neighbours=4.0, channels=4, outputs=1)
        >>> positions = torch.rand(5, 3)
        >>> net(torch.zeros(5).long(), positions, radius_graph(positions, 3.0)).shape
        torch.Size([5, 4])
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
        _check(kinds, cutoff, neighbours, channels, layers, lmax=lmax, outputs=outputs)
        degrees = [0, *[lmax] * (layers - 1), outputs]
        self.embedding = nn.Embedding(kinds, channels)
        types = [_copies(channels, degree) for degree in degrees]
        self.layers = nn.ModuleList(
            _Interaction(before, after, kinds, cutoff, neighbours, lmax)
            for before, after in itertools.pairwise(types)
        )
        self.readout = enn.Linear(_copies(channels, outputs), _copies(1, outputs), kinds=kinds)
        self.out_type = self.readout.out_type

    def forward(self, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        """What the network says of each atom.

        Args:
            kinds: species, int64 ``(points,)``.
            positions: ``(points, 3)``.
            graph: neighbours, a ``transforms.Graph``.
        Returns:
            ``(points, channels of the output)``.
        Raises:
            ValueError: for species that are none of the network's, and for other shapes.
        """
        x = _embedded(self.embedding, kinds, positions)
        for layer in self.layers:
            x = layer(x, kinds, positions, graph)
        return self.readout(x, kinds)


class _Interaction(nn.Module):
    """A layer of ``NequIP``: what neighbours send, and what an atom is itself, through a gate."""

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
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
        self.own = _SelfConnection(in_type, wide, kinds)
        self.gate = enn.Gate(out_type, function=F.silu)

    def forward(self, x: Tensor, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        return self.gate(self.messages(self.mix(x), positions, graph) + self.own(x, kinds))


class MACE(nn.Module):
    """Polynomials of sums over neighbours.

    Args:
        kinds: the number of species.
        cutoff: the largest distance of neighbours, which the graph is made with.
        neighbours: the mean number of neighbours of an atom.
        channels: of each irrep.
        lmax: the largest degree of the harmonics and of the sums over neighbours.
        order: the degree of the polynomials; a layer has terms of order + 1 bodies.
        hidden: the largest degree of what one layer gives the next.
        layers: of sums and polynomials.
    Shape:
        species ``(points,)``, positions ``(points, 3)`` and a ``transforms.Graph`` to
        ``(points, 1)``.
    Raises:
        ValueError: for a number out of range.

    References:
        Batatia et al. 2022, MACE: higher order equivariant message passing, arXiv 2206.07697.

    Example:
        >>> import torch
        >>> from equinet.transforms import radius_graph
        >>> net = MACE(2, cutoff=3.0, neighbours=4.0, channels=4)
        >>> positions = torch.rand(5, 3)
        >>> net(torch.zeros(5).long(), positions, radius_graph(positions, 3.0)).shape
        torch.Size([5, 1])
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
        degrees = {"lmax": lmax, "order": order, "hidden": hidden}
        _check(kinds, cutoff, neighbours, channels, layers, **degrees)
        self.embedding = nn.Embedding(kinds, channels)
        self.layers, self.readouts = nn.ModuleList(), nn.ModuleList()
        self.out_type = _copies(1, 0)
        for a, b in itertools.pairwise([0, *[hidden] * (layers - 1), 0]):
            before, after = _copies(channels, a), _copies(channels, b)
            radial, wide = enn.RadialNetwork(cutoff, basis="bessel"), _copies(channels, lmax)
            sums = enn.DepthwisePointConv(
                before, wide, radial, neighbours=neighbours, lmax=lmax, bias=False
            )
            self.layers.append(_ManyBody(sums, after, order, kinds))
            self.readouts.append(enn.Linear(after, _copies(1, 0), kinds=kinds))

    def forward(self, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        """What the network says of each atom.

        Args:
            kinds: species, int64 ``(points,)``.
            positions: ``(points, 3)``.
            graph: neighbours, a ``transforms.Graph``.
        Returns:
            ``(points, 1)``.
        Raises:
            ValueError: for species that are none of the network's, and for other shapes.
        """
        x = _embedded(self.embedding, kinds, positions)
        energies = positions.new_zeros(positions.shape[0], 1)
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            x = layer(x, kinds, positions, graph)
            energies = energies + readout(x, kinds)
        return energies


class _ManyBody(nn.Module):
    """A layer of ``MACE``: polynomials of what neighbours send, by the species of the atom."""

    def __init__(
        self, sums: enn.DepthwisePointConv, out_type: FieldType, order: int, kinds: int
    ) -> None:
        super().__init__()
        self.sums = sums
        # Neighbours are nearer than the mean of the ball, for which radial functions have size 1.
        self.smaller = enn.LayerScale(sums.out_type, 0.2)
        self.powers = enn.SymmetricPower(sums.out_type, out_type, order, kinds=kinds)
        self.mix = enn.Linear(out_type, out_type)
        self.own = _SelfConnection(sums.in_type, out_type, kinds)

    def forward(self, x: Tensor, kinds: Tensor, positions: Tensor, graph: Graph) -> Tensor:
        many = self.powers(self.smaller(self.sums(x, positions, graph)), kinds)
        return self.mix(many) + self.own(x, kinds)


def potential(
    kinds: int,
    cutoff: float,
    neighbours: float,
    *,
    network: Callable[..., nn.Module] = NequIP,
    shifts: Tensor | Sequence[float] | None = None,
    scales: Tensor | Sequence[float] | float | None = None,
    stress: bool | None = None,
    **sizes: int,
) -> enn.Potential:
    """Energies, forces and stress of atoms, by a network of these.

    Args:
        kinds: the number of species.
        cutoff: the largest distance of neighbours, which the graph is made with.
        neighbours: the mean number of neighbours of an atom.
        network: ``NequIP``, the default, ``MACE``, or what is called as they are.
        shifts: an energy for each species, as in ``enn.Potential``.
        scales: of the outputs of the network, one number or one for each species.
        stress: whether to compute it; by default where the graph has a cell.
        **sizes: more arguments of the network, such as ``channels`` and ``lmax``.
    Shape:
        species ``(points,)``, positions ``(points, 3)`` and a ``transforms.Graph`` to an
        ``enn.Prediction``.
    Raises:
        TypeError: if ``network`` cannot be called, or has been made already.
        ValueError: for a number out of range.

    Example:
        >>> import torch
        >>> from equinet.transforms import radius_graph
        >>> model = potential(2, cutoff=3.0, neighbours=4.0, channels=4)
        >>> positions = torch.rand(5, 3)
        >>> found = model(torch.tensor([0, 1, 1, 0, 1]), positions, radius_graph(positions, 3.0))
        >>> found.energy.shape, found.forces.shape
        (torch.Size([1]), torch.Size([5, 3]))
    """
    if not callable(network) or isinstance(network, nn.Module):
        made = isinstance(network, nn.Module)
        got = f"a {type(network).__name__}, which enn.Potential takes" if made else repr(network)
        raise TypeError(f"network: expected NequIP, MACE or a function, got {got}")
    found = enn.Potential(
        network(kinds, cutoff, neighbours, **sizes), shifts=shifts, scales=scales, stress=stress
    )
    for name, given, kept in (("shifts", shifts, found.shifts), ("scales", scales, found.scales)):
        if kept is not None and not is_number(given) and len(kept) != kinds:
            raise ValueError(f"{name}: expected {kinds}, one for each species, got {given!r}")
    return found
