r"""Potentials: the energy of atoms and what is a derivative of it.

.. math:: E = \sum_i s_{k(i)}\, \Phi_i(x) + e_{k(i)}, \qquad F = -\frac{\partial E}{\partial x},
          \qquad \sigma = \frac{1}{V} \frac{\partial E}{\partial \varepsilon} \quad (V8)

k(i) is the species of atom i, and the strain moves positions and cell, x to x + x eps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.nn.programs import Program, check_points, exported, traced
from equinet.numerics.arguments import check_integer, check_memory, is_number, is_row
from equinet.numerics.values import came, check_numbers, check_real
from equinet.rep import tensor_product

if TYPE_CHECKING:  # which torch brings when it is asked for
    from torch.export import ExportedProgram

T = TypeVar("T")


class Prediction(NamedTuple):
    """What a potential says of clouds of atoms.

    Attributes:
        energy: E of each cloud, ``(clouds,)``.
        energies: of each atom, ``(points,)``, whose sums they are; None from a network that has
            summed over the atoms itself.
        forces: -dE/dx, ``(points, n)``.
        stress: the derivative by a symmetric strain over the volume, ``(clouds, n, n)``, with ASE's
            sign: positive where the crystal would shrink. Zeros for a cloud without a volume; None
            where there is no cell.
    """

    energy: Tensor
    energies: Tensor | None
    forces: Tensor
    stress: Tensor | None


class Potential(nn.Module):
    r"""Energies, forces and stress of a network that gives a number for each atom (V8).

    Forces and stress are derivatives of the energy, so it is conserved, and what the network is
    invariant under, they are equivariant under. Wherever gradients are enabled they can be
    differentiated in their turn, as a loss of forces is by the weights; under ``torch.no_grad()``
    they are numbers only, for less memory.

    Args:
        net: called as ``net(x, positions, graph)``, x features or int64 species of the points, as
            all networks of points here; returns one invariant scalar for each point,
            ``(points, 1)``, or one for each cloud, ``(clouds, 1)``.
        shifts: e, an energy for each species, ``(species,)``, such as ``species_energies`` finds;
            x are then the species.
        scales: s, one number, or one for each species.
        pooled: whether ``net`` gives one scalar for each cloud; by default as its ``out_type``
            says, and for each point if it has none.
        stress: whether to compute it; by default where the graph has a cell.
    Shape:
        x ``(points, ...)``, positions ``(points, n)`` and a ``transforms.Graph`` to a
        ``Prediction``.
    Raises:
        TypeError: if ``net`` is no module.
        ValueError: if its ``out_type`` is not one invariant scalar, for shifts or scales that are
            no finite numbers, or for scales by species where ``net`` gives the energy of clouds;
            in ``forward`` for another number of points, positions that are not finite, a species
            out of range, an output that is no scalar, and if stress is asked for without a cell.

    Example:
        >>> from equinet.field import Points
        >>> from equinet.nn import DepthwisePointConv, RadialNetwork, Sequential
        >>> from equinet.transforms import radius_graph
        >>> space = Points("O(3)", dim=3)
        >>> radial = RadialNetwork(3.0)
        >>> types = space.fields("4x0e"), space.fields("1x0e")
        >>> potential = Potential(DepthwisePointConv(*types, radial, neighbours=4.0))
        >>> positions = torch.rand(5, 3)
        >>> found = potential(torch.ones(5, 4), positions, radius_graph(positions, 3.0))
        >>> found.energy.shape, found.forces.shape, found.stress
        (torch.Size([1]), torch.Size([5, 3]), None)
    """

    shifts: Tensor | None
    scales: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        *,
        shifts: Tensor | Sequence[float] | None = None,
        scales: Tensor | Sequence[float] | float | None = None,
        pooled: bool | None = None,
        stress: bool | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise TypeError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
        for name, value in (("pooled", pooled), ("stress", stress)):
            if not isinstance(value, bool | None):
                raise ValueError(f"{name}: expected True, False or None, got {value!r}")
        known = _says_pooled(net)
        if None not in (known, pooled) and known != pooled:
            raise ValueError(f"pooled: expected {known}, as the types of net say, got {pooled}")
        self.net, self.with_stress = net, stress
        self.pooled = bool(known if pooled is None else pooled)
        self.register_buffer("shifts", _constants("shifts", shifts))
        self.register_buffer("scales", _constants("scales", scales))
        self.species = max((len(t) for t in (self.shifts, self.scales) if t is not None), default=1)
        if self.scales is not None and self.pooled and len(self.scales) > 1:
            raise ValueError("scales: expected one number where net gives the energy of clouds")
        if self.shifts is not None and len(self.shifts) != self.species:
            raise ValueError(
                f"shifts: expected {self.species} numbers, as many as scales, got "
                f"{len(self.shifts)}"
            )

    @property
    def in_type(self) -> FieldType | None:
        """Type of the features that the network takes; None if these are species."""
        return getattr(self.net, "in_type", None)

    @property
    def out_type(self) -> dict[str, FieldType | None]:
        """Types of what is returned, by name, for checks; empty if no layer says the group."""
        typed = [getattr(part, "in_type", None) for part in self.net.modules()]
        found = [t.space for t in typed if isinstance(t, FieldType) and t.space.in_clouds]
        if not found:
            return {}
        vectors = found[0].fields("1x vector")
        ((_, vector),) = vectors.blocks
        matrices = found[0].fields(((1, tensor_product(vector, vector)),))
        return {"energy": None, "energies": None, "forces": vectors, "stress": matrices}

    def energies(self, x: Tensor, positions: Tensor, graph: Graph) -> tuple[Tensor, Tensor | None]:
        """The energies alone, for a loss without forces.

        Args:
            x: features or species of the points.
            positions: ``(points, n)``.
            graph: of these points.
        Returns:
            Of each cloud, ``(clouds,)``, and of each atom, ``(points,)``, or None.
        Raises:
            TypeError, ValueError: as ``forward``.
        """
        self._check(x, positions, graph)
        return self._energies(x, positions, graph)

    def forward(self, x: Tensor, positions: Tensor, graph: Graph) -> Prediction:
        """The energies and their derivatives.

        Args:
            x: features or species of the points.
            positions: ``(points, n)``; what they are computed of is differentiated through.
            graph: of these points; so is its cell.
        Returns:
            Energies, forces and, where there is a cell, stress.
        Raises:
            TypeError: if the positions are not real, or the cell is of another dtype.
            ValueError: for another number of points, a number out of range, and as in the class.
            RuntimeError: while torch exports it, or compiles it with ``fullgraph=True``; if the
                energies have no derivatives by the positions.
        """
        self._check(x, positions, graph)
        learns = torch.is_grad_enabled()
        x, positions, graph = _outside_inference((x, positions, graph))
        with torch.inference_mode(False), torch.enable_grad():
            found = self._derivatives(x, positions, graph, learns)
        return found

    def traced(self, x: Tensor, positions: Tensor, graph: Graph) -> Program:
        """The steps of ``forward``, derivatives among them, as a module for ``torch.compile``.

        ``torch.compile`` does not look into derivatives: of a potential it compiles the network
        alone, and then no loss of forces can be differentiated. Of these steps it makes one
        program, for training as well:
        ``torch.compile(potential.traced(x, positions, graph), dynamic=True)``. The parameters are
        those of the potential; whether it trains is as of now, and what its network does under
        ``torch.no_grad()`` is differentiated.

        Args:
            x: as in ``forward``; only the dtypes, and which parts the graph has, are looked at.
            positions: likewise.
            graph: likewise.
        Returns:
            A module to be called as the potential, with any numbers of points and edges; with any
            number of clouds if ``graph`` has more than one.
        Raises:
            TypeError, ValueError: as ``forward``.
        """
        self._check(x, positions, graph)
        return traced(self, x, positions, graph)

    def exported(self, x: Tensor, positions: Tensor, graph: Graph) -> ExportedProgram:
        """The same as a program of torch's own operators, which needs neither Python nor equinet.

        ``torch._inductor.aoti_compile_and_package`` makes a file of it that
        ``AOTIModelPackageLoader`` of libtorch runs. Its inputs are tensors in a row: x, positions
        and, as far as ``graph`` has them, its edges, cells, cell, pbc, cloud and order, and of
        several clouds an empty tensor ``(clouds, 0)``; its outputs are named as in ``Prediction``.
        Operators that are compiled here, as ``edge_sum``, are in it as the plain PyTorch that
        defines them.

        Args:
            x: as in ``traced``.
            positions: likewise.
            graph: likewise.
        Returns:
            The program, for as many points and edges, from two on, as there are.
        Raises:
            TypeError, ValueError: as ``forward``.
        """
        self._check(x, positions, graph)
        return exported(self, x, positions, graph)

    def _check(self, x: Tensor, positions: Tensor, graph: Graph) -> None:
        check_points(x, positions, graph)
        if graph.cell is not None and graph.cell.dtype != positions.dtype:
            raise TypeError(
                f"graph: expected a cell of {positions.dtype} as the positions, got one of "
                f"{graph.cell.dtype}; use graph.to({positions.dtype})"
            )
        if self.species > 1 or self.shifts is not None:
            what = "the species of each point"
            check_numbers("x", x, what, (graph.points,), positions, self.species)
        if self.with_stress and graph.cell is None:
            raise ValueError("stress: expected False or None for a graph without a cell, got True")

    def _energies(self, x: Tensor, positions: Tensor, graph: Graph) -> tuple[Tensor, Tensor | None]:
        y = self.net(x, positions, graph)
        what, count = ("clouds", graph.clouds) if self.pooled else ("points", graph.points)
        if not isinstance(y, Tensor) or not y.is_floating_point() or y.shape != (count, 1):
            got = tuple(y.shape) if isinstance(y, Tensor) else came(y)
            raise ValueError(
                f"net: expected one scalar for each of {count} {what}, ({count}, 1), got {got}"
            )
        # Shifts are large: what is summed has their digits, not only what comes out.
        own = y[:, 0].to(positions.dtype)
        if self.scales is not None:
            own = own * (self.scales if len(self.scales) == 1 else self.scales.index_select(0, x))
        if self.shifts is not None:
            shifts = self.shifts.index_select(0, x)
            own = own + (_by_cloud(shifts, graph) if self.pooled else shifts)
        energy = (own if self.pooled else _by_cloud(own, graph)).to(positions.dtype)
        return energy, None if self.pooled else own.to(positions.dtype)

    def _derivatives(self, x: Tensor, positions: Tensor, graph: Graph, learns: bool) -> Prediction:
        if torch.compiler.is_dynamo_compiling() or torch.compiler.is_exporting():
            # They lose derivatives, some of them silently. torch.compile then goes on in ``net``.
            raise RuntimeError(
                "potential: expected to run as it is; for torch.compile take potential.traced(x, "
                "positions, graph), for torch.export potential.exported(x, positions, graph)"
            )
        # Derivatives are taken by a displacement, so that positions may be any function of others.
        moves = torch.zeros_like(positions, requires_grad=True)
        moved, by, cell = positions + moves, [moves], graph.cell
        has_stress = cell is not None if self.with_stress is None else self.with_stress
        if has_stress and cell is not None:
            n = positions.shape[1]
            strain = positions.new_zeros(graph.clouds, n, n, requires_grad=True)
            by.append(strain)
            strain = (strain + strain.mT) / 2
            own = strain if graph.cloud is None else strain.index_select(0, graph.cloud)
            moved = moved + _times(moved[:, None], own)[:, 0]
            cell = cell if cell.dim() == 3 or graph.clouds == 1 else cell.expand(graph.clouds, n, n)
            graph = graph.with_cell(cell + _times(cell, strain.view(*cell.shape[:-2], n, n)))
        energy, energies = self._energies(x, moved, graph)
        if not energy.requires_grad:
            raise RuntimeError(
                "net: expected energies with derivatives by the positions, got some without, which "
                "net has cut off; under torch.func.vmap take torch.func.grad of potential.energies"
            )
        slopes = torch.autograd.grad(energy.sum(), by, create_graph=learns)
        stress = None
        if has_stress and cell is not None:
            volume = _volume(cell).expand(graph.clouds)
            there = volume > 0
            share = slopes[1] / torch.where(there, volume, 1)[:, None, None]
            stress = torch.where(there[:, None, None], share, 0)
        found = Prediction(energy, energies, -slopes[0], stress)
        return found if learns else pytree.tree_map_only(Tensor, torch.detach, found)

    def extra_repr(self) -> str:
        return f"pooled={self.pooled}, species={self.species}"


def species_energies(
    energy: Tensor, kinds: Tensor, graph: Graph, species: int | None = None
) -> Tensor:
    r"""The energy of each species that explains most of what clouds have, by least squares.

    .. math:: \min_e \sum_c \Big( E_c - \sum_{i \in c} e_{k(i)} \Big)^2

    Of the solutions, where there are many, as for one molecule only, it is the smallest. What is
    left, ``energy - shifts[kinds]`` summed over each cloud, is what a network has to learn.

    Args:
        energy: of each cloud, ``(clouds,)``.
        kinds: the species of each point, int64 ``(points,)``.
        graph: which says the cloud of each point.
        species: their number, by default the largest in ``kinds`` and one.
    Returns:
        ``(species,)`` in float64, for ``Potential(shifts=)``.
    Raises:
        TypeError: if the energies are not real.
        ValueError: for another shape, or a number out of range.

    Example:
        >>> cloud = torch.tensor([0, 0, 0, 1, 1])
        >>> graph = Graph(torch.zeros(2, 0).long(), 5, clouds=2, cloud=cloud)
        >>> kinds = torch.tensor([0, 0, 1, 1, 1])
        >>> species_energies(torch.tensor([7.0, 10.0]), kinds, graph).round(decimals=6)
        tensor([1., 5.], dtype=torch.float64)
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"graph: expected a transforms.Graph, got {type(graph).__name__}")
    if species is not None:
        check_integer(species, "species")
        check_memory(graph.clouds * species, "species", f"counts of {species} species")
    check_real("energy", energy, (graph.clouds,))
    check_numbers("kinds", kinds, "the species of each point", (graph.points,), energy, species)
    if species is None:
        species = int(kinds.max()) + 1 if len(kinds) else 0
    cloud = torch.zeros_like(kinds) if graph.cloud is None else graph.cloud
    counts = torch.bincount(cloud * species + kinds, minlength=graph.clouds * species)
    return torch.linalg.pinv(counts.view(-1, species).double()) @ energy.double()


def _says_pooled(net: nn.Module) -> bool | None:
    """Whether the types of a network say that it gives one scalar for each cloud; None if none."""
    if isinstance(net, nn.Sequential) and not _is_typed(net):  # it begins with species
        net = next((part for part in reversed(list(net)) if _is_typed(part)), net)
    out_type = getattr(net, "out_type", None)
    if not _is_typed(net):
        return None
    if out_type is None:  # plain vectors, which are invariant
        return True
    if out_type.channels != 1 or not all(rho.is_trivial for _, rho in out_type.blocks):
        raise ValueError(f"net: expected one invariant scalar as its out_type, got {out_type!r}")
    return not out_type.space.in_clouds


def _is_typed(net: nn.Module) -> bool:
    return isinstance(getattr(net, "in_type", None), FieldType)


def _constants(name: str, values: Tensor | Sequence[float] | float | None) -> Tensor | None:
    """A row of numbers in float64, whatever the dtype of the module will be."""
    if values is None:
        return None
    if name == "scales" and is_number(values):
        values = [values]
    if not isinstance(values, Tensor):
        if not is_row(values) or not all(map(is_number, values)):
            raise ValueError(f"{name}: expected one number for each species, got {values!r}")
        values = torch.tensor(values, dtype=torch.float64)
    check_real(name, values, ("species",))
    if not len(values):
        raise ValueError(f"{name}: expected one number for each species, got none")
    return values.detach().to(torch.float64, copy=True)


def _outside_inference(given: T) -> T:
    """The same, without tensors of ``torch.inference_mode``, which have no derivatives."""
    if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
        return given
    with torch.inference_mode(False):
        return pytree.tree_map_only(Tensor, torch.clone, given)


def _by_cloud(values: Tensor, graph: Graph) -> Tensor:
    """The sum over the points of each cloud."""
    if graph.cloud is None:
        return values.sum(0, keepdim=True)
    return values.new_zeros(graph.clouds, *values.shape[1:]).index_add(0, graph.cloud, values)


def _times(rows: Tensor, matrix: Tensor) -> Tensor:
    """The product of matrices; not torch's, which autocast would compute with three digits."""
    return (rows[..., None] * matrix[..., None, :, :]).sum(-2)


def _volume(cell: Tensor) -> Tensor:
    """|det| of each cell, differentiable where it is 0 too."""
    n = cell.shape[-1]
    if n == 3:
        a, b, c = cell.unbind(-2)
        return (torch.linalg.cross(a, b) * c).sum(-1).abs()
    if n == 2:
        return (cell[..., 0, 0] * cell[..., 1, 1] - cell[..., 0, 1] * cell[..., 1, 0]).abs()
    return torch.linalg.det(cell).abs()
