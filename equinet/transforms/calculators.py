"""Potentials for ASE, which moves atoms.

In: a potential. Out: what ``ase.Atoms`` takes as ``calc``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equinet.field.graph import Graph
from equinet.numerics.arguments import check_number, is_integer, is_number, is_row
from equinet.transforms.exchange import from_atoms

_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx, yy, zz, yz, xz, xy
_HIGHEST = 118  # atomic number
_ROUNDING = 1e-6  # of a cutoff that was a number in single precision


def calculator(
    potential: Callable[..., Any],
    kinds: Sequence[int],
    radius: float,
    *,
    skin: float = 0.5,
    dtype: torch.dtype | None = None,
) -> Any:  # noqa: ANN401 - an ase.calculators.calculator.BaseCalculator
    """What ``ase.Atoms`` takes as ``calc``: energies, forces and, where space repeats, stress.

    Units are those that the potential was trained in; ASE means eV and Angstrom.

    Args:
        potential: ``enn.Potential``, or what is called as it is with species, positions and graph
            and returns ``energy``, ``energies``, ``forces`` and ``stress``.
        kinds: the atomic number of each species, in the order of the network: [8, 1] for water.
        radius: the largest distance of neighbours, with which the potential was trained; at least
            the largest ``cutoff`` of its layers.
        skin: neighbours are looked for up to ``radius + skin``, and again when an atom has moved
            by half the skin since, or the cell has changed; which of them are within ``radius`` is
            seen at each step, so that results do not depend on it.
        dtype: of the positions; by default that of the potential's parameters, or torch's.
    Returns:
        An ASE calculator with the properties energy, free_energy, energies, forces and, for atoms
        with three vectors of a cell, stress.
    Raises:
        TypeError: if the potential cannot be called, or ``kinds`` is no row; in use, if what it
            returns has no energy and forces.
        ValueError: for a number out of range; in use, for atoms of other species.
        ModuleNotFoundError: where ase is not installed, the extra ``atoms``.
    Warns:
        UserWarning: if a layer has a ``cutoff`` above ``radius``, where energies would jump.
    """
    if not callable(potential):
        raise TypeError(f"potential: expected an enn.Potential, got {type(potential).__name__}")
    if not is_row(kinds):
        raise TypeError(f"kinds: expected atomic numbers, got {type(kinds).__name__}")
    if not all(is_integer(number, 0, _HIGHEST) for number in kinds) or len({*kinds}) < len(kinds):
        raise ValueError(f"kinds: expected different atomic numbers, got {kinds!r}")
    check_number(radius, "radius", above=0)
    check_number(skin, "skin", least=0)
    own = torch.empty(0)
    if isinstance(potential, nn.Module):
        own = next((t for t in potential.parameters() if t.is_floating_point()), own)
        _check_reach(potential, radius)
    neighbours = _Neighbours(radius, skin, own.dtype if dtype is None else dtype)
    return _calculator_class()(potential, tuple(kinds), neighbours, own.device)


def _check_reach(potential: nn.Module, radius: float) -> None:
    """Warn if layers see farther than neighbours are looked for."""
    cutoffs = [getattr(module, "cutoff", None) for module in potential.modules()]
    reach = max((cutoff for cutoff in cutoffs if is_number(cutoff)), default=0)
    if radius < reach * (1 - _ROUNDING):
        warnings.warn(
            f"radius: {radius:g} is below the cutoff {reach:g} of a layer, so energies jump where "
            "neighbours leave it",
            stacklevel=3,
        )


class _Neighbours:
    """A list of neighbours a little too long, which serves as long as atoms move a little."""

    def __init__(self, radius: float, skin: float, dtype: torch.dtype) -> None:
        self.radius, self.skin, self.dtype = radius, skin, dtype
        self.made_of: tuple[np.ndarray, ...] = ()
        self.list: tuple[Tensor, Tensor, Graph] | None = None
        self.searches = 0

    def of(self, atoms: Any) -> tuple[Tensor, Tensor, Graph]:  # noqa: ANN401 - ase.Atoms
        """Positions, atomic numbers, and the graph of what is within the radius now."""
        now = tuple(np.array(x) for x in (atoms.positions, atoms.numbers, atoms.cell, atoms.pbc))
        if self.list is None or not self._serves(now):
            self.made_of, self.searches = now, self.searches + 1
            self.list = from_atoms(atoms, self.radius + self.skin, dtype=self.dtype)
        _, numbers, graph = self.list
        positions = torch.from_numpy(now[0]).to(self.dtype)
        near = graph.vectors(positions).square().sum(1) <= self.radius**2
        cells = None if graph.cells is None else graph.cells[near]
        kept = Graph(graph.edges[:, near], graph.points, cells, graph.cell, graph.pbc)
        return positions, numbers, kept

    def _serves(self, now: tuple[np.ndarray, ...]) -> bool:
        same = all(map(np.array_equal, now[1:], self.made_of[1:]))
        if not same:
            return False
        moved = np.linalg.norm(now[0] - self.made_of[0], axis=1).max(initial=0)
        return moved <= self.skin / 2


class _Potential:
    """How ASE asks a potential; the rest is ASE's."""

    implemented_properties = ("energy", "free_energy", "energies", "forces", "stress")
    name = "equinet"

    results: dict[str, Any]

    def __init__(
        self,
        potential: Callable[..., Any],
        kinds: tuple[int, ...],
        neighbours: _Neighbours,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.potential, self.neighbours, self.device = potential, neighbours, device
        self.kind_of = np.full(_HIGHEST + 1, -1)
        self.kind_of[list(kinds)] = np.arange(len(kinds))

    def calculate(
        self,
        atoms: Any,  # noqa: ANN401 - ase.Atoms
        properties: object,
        system_changes: object,
    ) -> None:
        """All properties, whichever are asked for: they cost little more than the forces.

        Args:
            atoms: an ``ase.Atoms``.
            properties: not looked at.
            system_changes: not looked at.
        Raises:
            TypeError: if the potential returns no energy and forces.
            ValueError: for atoms of a species that the potential does not know.
        """
        positions, numbers, graph = self.neighbours.of(atoms)
        kinds = self.kind_of[numbers.numpy()]
        if (kinds < 0).any():
            unknown = sorted({*numbers.numpy()[kinds < 0].tolist()})
            raise ValueError(f"atoms: expected species among kinds, got atomic numbers {unknown}")
        x = torch.from_numpy(kinds).to(self.device)
        with torch.no_grad():
            found = self.potential(x, positions.to(self.device), graph.to(self.device))
        if not hasattr(found, "energy") or not hasattr(found, "forces"):
            raise TypeError(
                "potential: expected what returns energy, energies, forces and stress, such as "
                f"enn.Potential(net), got one that returns {type(found).__name__}"
            )
        energy = float(found.energy)
        self.results = {"energy": energy, "free_energy": energy, "forces": _array(found.forces)}
        if found.energies is not None:
            self.results["energies"] = _array(found.energies)
        if found.stress is not None and atoms.cell.rank == len(atoms.cell):  # there is a volume
            self.results["stress"] = _array(found.stress)[0][_VOIGT]


@functools.cache
def _calculator_class() -> type:
    """Of two halves: ASE is looked for when it is needed."""
    if importlib.util.find_spec("ase") is None:
        raise ModuleNotFoundError("ase: expected it to be installed: pip install ase")
    base = importlib.import_module("ase.calculators.calculator").BaseCalculator
    return type("PotentialCalculator", (_Potential, base), {})


def _array(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()
