"""Potentials that ASE calls: its signs and orders, its neighbours, and an energy that stays."""

import numpy as np
import pytest
import torch

from equinet.transforms import calculator, from_atoms, radius_graph
from tests.nn.potential_cases import CUTOFF, F64, SMALL
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

ase = pytest.importorskip("ase")
build = pytest.importorskip("ase.build")
units = pytest.importorskip("ase.units")
verlet = pytest.importorskip("ase.md.verlet")

KINDS = [6, 1, 8]


def crystal(generator, count=6):
    """Atoms in a skew cell, some of them outside of it."""
    _, x, graph = SMALL.crystal(generator, count)
    numbers = [KINDS[i % 3] for i in range(count)]
    return ase.Atoms(numbers, positions=x.numpy() - 0.5, cell=graph.cell.numpy(), pbc=True)


def test_the_properties_of_ase(generator):
    potential, atoms = SMALL.potential(generator), crystal(generator)
    atoms.calc = calculator(potential, KINDS, CUTOFF)
    x, numbers, graph = from_atoms(atoms, CUTOFF, dtype=F64)
    kinds = torch.tensor([KINDS.index(number) for number in numbers.tolist()])
    found = potential(kinds, x, graph)
    assert_close(atoms.get_potential_energy(), found.energy.item(), SYMMETRY)
    assert_close(atoms.get_potential_energies(), found.energies.detach(), SYMMETRY)
    assert_close(atoms.get_forces(), found.forces.detach(), SYMMETRY)
    assert_close(atoms.get_stress(voigt=False), found.stress[0].detach(), SYMMETRY)
    assert atoms.get_stress().shape == (6,)


def test_stress_has_the_sign_and_the_order_of_ase(generator):
    """By strains that ASE makes itself."""
    atoms = crystal(generator)
    atoms.calc = calculator(SMALL.potential(generator), KINDS, CUTOFF)
    numerical = pytest.importorskip("ase.calculators.fd").calculate_numerical_stress(atoms, 1e-5)
    assert_close(atoms.get_stress(), numerical, 1e-7)


def test_a_molecule_has_no_stress(generator):
    atoms = build.molecule("CH3OH")
    atoms.calc = calculator(SMALL.potential(generator), KINDS, CUTOFF)
    assert atoms.get_forces().shape == (6, 3)
    implemented = pytest.importorskip("ase.calculators.calculator").PropertyNotImplementedError
    with pytest.raises(implemented):
        atoms.get_stress()


def test_a_slab_whose_cell_has_no_volume_has_no_stress(generator):
    atoms = crystal(generator)
    atoms.set_cell(atoms.cell.array * [[1], [1], [0]])
    atoms.pbc = (True, True, False)
    atoms.calc = calculator(SMALL.potential(generator), KINDS, CUTOFF)
    assert atoms.get_forces().shape == (6, 3)
    implemented = pytest.importorskip("ase.calculators.calculator").PropertyNotImplementedError
    with pytest.raises(implemented):
        atoms.get_stress()


def test_neighbours_are_looked_for_only_when_atoms_have_moved(generator):
    atoms = crystal(generator)
    atoms.calc = calculator(SMALL.potential(generator), KINDS, CUTOFF, skin=0.4)
    neighbours = atoms.calc.neighbours
    atoms.get_forces()
    atoms.get_stress()
    assert neighbours.searches == 1
    start = atoms.positions.copy()
    push = np.array([0.19, 0.0, 0.0])
    for moved, searches in ((push, 1), (-push, 1), (1.2 * push, 2), (0 * push, 3)):
        atoms.positions[:] = start
        atoms.positions[2] += moved
        forces = atoms.get_forces()
        assert neighbours.searches == searches
        fresh = atoms.copy()
        fresh.calc = calculator(atoms.calc.potential, KINDS, CUTOFF, skin=0.0)
        assert_close(forces, fresh.get_forces(), ROUNDING)
        x, _, graph = neighbours.of(atoms)
        expected = radius_graph(x, CUTOFF, cell=torch.tensor(np.array(atoms.cell)))
        assert torch.equal(graph.edges, expected.edges)
    atoms.set_cell(1.01 * atoms.cell)
    atoms.get_forces()
    assert neighbours.searches == 4


class Turned(torch.nn.Module):
    """Control: forces that are the gradient of nothing, by a thousandth."""

    def __init__(self, potential):
        super().__init__()
        self.potential = potential

    def forward(self, x, positions, graph):
        found = self.potential(x, positions, graph)
        turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=F64)
        return found._replace(forces=found.forces + 0.001 * (positions - positions.mean(0)) @ turn)


class Bound(torch.nn.Module):
    """A network, weakly, and springs between neighbours that keep atoms apart."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, positions, graph):
        r = graph.vectors(positions).norm(dim=1)
        springs = ((r - 1.5).square() + 2 * torch.exp(-2 * r)) * (1 - r / 4).clamp(min=0) ** 3
        each = positions.new_zeros(len(positions), 1).index_add(0, graph.edges[1], springs[:, None])
        return each + 0.02 * self.net(x, positions, graph)


def trajectory(potential, steps=300):
    """The total energies of a molecule that shakes, in units of its kinetic energy."""
    generator = np.random.default_rng(0)
    points = np.stack(np.meshgrid(*[[0.0, 1.5]] * 3), -1).reshape(-1, 3)
    atoms = ase.Atoms([6, 1] * 4, positions=points)
    atoms.set_masses(np.full(8, 12.0))
    atoms.set_momenta(generator.normal(size=(8, 3)))
    atoms.set_momenta(atoms.get_momenta() - atoms.get_momenta().mean(0))
    atoms.calc = calculator(potential, KINDS, 4.0)
    kinetic, energies = atoms.get_kinetic_energy(), []
    dynamics = verlet.VelocityVerlet(atoms, timestep=1.0 * units.fs)
    for _ in range(steps):
        dynamics.run(1)
        energies.append(atoms.get_total_energy())
    assert atoms.calc.neighbours.searches < steps / 4
    return torch.tensor(energies, dtype=F64) / kinetic


def drift(energies):
    """The slope of a line through the energies over all of the time, and its standard error."""
    t = torch.linspace(-0.5, 0.5, len(energies), dtype=F64)
    slope = (t @ energies) / (t @ t)
    left = energies - energies.mean() - slope * t
    return float(slope), float(left.std() / t.norm())


def test_the_energy_of_a_trajectory_does_not_drift(generator):
    potential = SMALL.potential(generator)
    bound = type(potential)(Bound(potential.net)).double()
    slope, error = drift(trajectory(bound))
    assert abs(slope) < STATISTICAL * error < 1e-4
    slope, error = drift(trajectory(Turned(bound)))
    assert abs(slope) > 20 * STATISTICAL * error


def test_bad_input(generator):
    potential = SMALL.potential(generator)
    with pytest.raises(TypeError, match="^potential: expected an enn.Potential, got int"):
        calculator(3, KINDS, 1.0)
    with pytest.raises(TypeError, match="^kinds: expected atomic numbers, got int"):
        calculator(potential, 8, 1.0)
    for wrong in ([1, 1], [-1], [119], [1.0]):
        with pytest.raises(ValueError, match="^kinds: expected different atomic numbers, got"):
            calculator(potential, wrong, 1.0)
    with pytest.raises(ValueError, match="^radius: expected a number > 0, got 0"):
        calculator(potential, KINDS, 0.0)
    with pytest.raises(ValueError, match="^skin: expected a finite number >= 0, got -1"):
        calculator(potential, KINDS, 1.0, skin=-1.0)
    atoms = build.molecule("NH3")
    atoms.calc = calculator(potential, KINDS, CUTOFF)
    with pytest.raises(ValueError, match=r"^atoms: expected species among kinds, got .* \[7\]"):
        atoms.get_forces()
    atoms = crystal(generator)
    atoms.calc = calculator(potential.net, KINDS, CUTOFF)
    with pytest.raises(TypeError, match="^potential: expected what returns .* got .* Tensor"):
        atoms.get_forces()
    with pytest.warns(UserWarning, match="^radius: 0.5 is below the cutoff"):
        calculator(potential, KINDS, 0.5)
