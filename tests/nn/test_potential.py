"""Energies and their derivatives: laws of physics over networks of every group."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch

from equinet import Points, nn
from equinet.transforms import Graph, radius_graph
from tests.nn.potential_cases import CASES, CUTOFF, F64, SMALL
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

FORCES = 1e-7  # central differences with a step of 1e-5, of energies of order one

every_case = over("case", CASES)
some_cases = over("case", [case for case in CASES if case.lmax in (0, 1, 3)])


def slopes(energy_of, x, step=1e-5):
    """Central differences by every entry of ``x``, all of them in one call."""
    moves = step * torch.eye(x.numel(), dtype=F64).view(-1, *x.shape)
    energies = energy_of(torch.cat([x + moves, x - moves]))
    ahead, behind = energies.chunk(2)
    return ((ahead - behind) / (2 * step)).view(x.shape)


def energies_at(potential, kinds, graph):
    """The energies of as many clouds as there are positions, with the edges of one."""

    def energy_of(positions):
        count = len(positions)
        batch = Graph.batch([graph] * count) if count > 1 else graph
        return potential.energies(kinds.repeat(count), positions.flatten(0, 1), batch)[0].detach()

    return energy_of


@every_case
def test_forces_are_slopes(case, generator):
    potential, (kinds, x) = case.potential(generator), case.cloud(generator)
    graph = radius_graph(x, CUTOFF)
    found = potential(kinds, x, graph)
    expected = -slopes(energies_at(potential, kinds, graph), x)
    size = found.forces.abs().max().detach()
    assert size > 1e-3
    assert_close(found.forces / size, expected / size, FORCES)
    assert found.stress is None and found.energy.shape == (1,)
    assert_close(found.energies.sum(), found.energy[0], ROUNDING)


@some_cases
def test_stress_is_the_slope_along_a_strain(case, generator):
    potential, (kinds, x, graph) = case.potential(generator), case.crystal(generator)
    found = potential(kinds, x, graph)
    n = case.group.n

    def strained(strain):
        stretch = torch.eye(n, dtype=F64) + strain
        moved = graph.with_cell(graph.cell @ stretch)
        return potential.energies(kinds, x @ stretch, moved)[0].detach()

    step = 1e-5
    slope = torch.zeros(n, n, dtype=F64)
    for i in range(n):
        for j in range(i + 1):
            strain = torch.zeros(n, n, dtype=F64)
            strain[i, j] += step / 2
            strain[j, i] += step / 2
            slope[i, j] = slope[j, i] = (strained(strain) - strained(-strain)) / (2 * step)
    volume = torch.linalg.det(graph.cell).abs()
    size = found.stress.abs().max().detach()
    assert size > 1e-3 and torch.equal(found.stress, found.stress.mT)
    assert_close(found.stress[0] / size, slope / volume / size, FORCES)


@some_cases
def test_what_the_energy_does_not_see(case, generator):
    """Elements of the group, reflections among those of O(3), translations and the order."""
    potential, (kinds, x) = case.potential(generator), case.cloud(generator)
    found = potential(kinds, x, radius_graph(x, CUTOFF))
    scale = 1 + found.energy.abs().max()
    for g in case.group.sample(3, generator=generator):
        moved = x @ g.mT + torch.randn(case.group.n, generator=generator, dtype=F64)
        again = potential(kinds, moved, radius_graph(moved, CUTOFF))
        assert_close(again.energy / scale, found.energy / scale, ROUNDING)
        assert_close(again.forces / scale, found.forces @ g.mT / scale, SYMMETRY)
    order = torch.randperm(len(x), generator=generator)
    again = potential(kinds[order], x[order], radius_graph(x[order], CUTOFF))
    assert_close(again.energy / scale, found.energy / scale, ROUNDING)
    assert_close(again.forces / scale, found.forces[order] / scale, ROUNDING)
    # Control: a stretch is seen.
    wide = 1.1 * x
    assert (potential(kinds, wide, radius_graph(wide, CUTOFF)).energy - found.energy).abs() > 1e-4


@some_cases
def test_supercells(case, generator):
    """Twice the crystal has twice the energy, the same forces and the same stress."""
    potential, (kinds, x, graph) = case.potential(generator), case.crystal(generator)
    found, n = potential(kinds, x, graph), case.group.n
    twice = graph.cell.clone()
    twice[-1] *= 2
    both = torch.cat([x, x + graph.cell[-1]])
    again = potential(kinds.repeat(2), both, radius_graph(both, CUTOFF, cell=twice))
    scale = 1 + found.energy.abs().max()
    assert_close(again.energy / scale, 2 * found.energy / scale, ROUNDING)
    assert_close(again.forces / scale, found.forces.repeat(2, 1) / scale, SYMMETRY)
    assert_close(again.stress / scale, found.stress / scale, SYMMETRY)
    assert found.stress.shape == (1, n, n)


# --- clouds ---------------------------------------------------------------------------------------


def test_a_batch_is_its_clouds(generator):
    """Crystals of other cells beside a molecule, whose stress is zero."""
    potential = SMALL.potential(generator, shifts=[0.1, 0.2, 0.3], scales=[1.0, 2.0, 3.0])
    parts = [SMALL.crystal(generator, count) for count in (3, 4)]
    kinds, x = SMALL.cloud(generator)
    parts.insert(1, (kinds, x, radius_graph(x, CUTOFF)))
    batch = Graph.batch([graph for *_, graph in parts])
    together = potential(*(torch.cat(each) for each in list(zip(*parts, strict=True))[:2]), batch)
    alone = [potential(*part) for part in parts]
    assert_close(together.energy, torch.cat([one.energy for one in alone]), SYMMETRY)
    assert_close(together.energies, torch.cat([one.energies for one in alone]), SYMMETRY)
    assert_close(together.forces, torch.cat([one.forces for one in alone]), SYMMETRY)
    assert alone[1].stress is None and not together.stress[1].any()
    for k in (0, 2):
        assert_close(together.stress[k], alone[k].stress[0], SYMMETRY)
    # One cell for all clouds.
    kinds, x, graph = parts[0]
    shared = replace(Graph.batch([graph, graph]), cell=graph.cell, pbc=graph.pbc)
    found = potential(kinds.repeat(2), x.repeat(2, 1), shared)
    assert_close(found.stress, alone[0].stress.repeat(2, 1, 1), SYMMETRY)


def test_an_empty_cloud_and_one_without_neighbours(generator):
    potential = SMALL.potential(generator)
    kinds, x = torch.tensor([0]), torch.zeros(1, 3, dtype=F64)
    found = potential(kinds, x, radius_graph(x, CUTOFF))
    assert not found.forces.any() and found.energy.isfinite().all()
    found = potential(kinds[:0], x[:0], radius_graph(x[:0], CUTOFF))
    assert found.energy.tolist() == [0.0] and found.forces.shape == (0, 3)


def test_atoms_on_top_of_each_other(generator):
    potential = SMALL.potential(generator)
    kinds, x = torch.tensor([0, 1, 2]), torch.zeros(3, 3, dtype=F64)
    found = potential(kinds, x, radius_graph(x, CUTOFF))
    found.forces.square().sum().backward()
    assert all(part.isfinite().all() for part in (found.energy, found.forces))
    assert all(p.grad.isfinite().all() for p in potential.parameters() if p.grad is not None)


def test_networks_that_sum_over_the_points(generator):
    """A row that ends in a pool; there are no energies of points then."""
    space = Points("O(3)", dim=3)
    x_type, energy = space.fields("2x0e"), space.fields("1x0e")
    radial = nn.RadialNetwork(CUTOFF, 4, generator=generator)
    conv = nn.DepthwisePointConv(x_type, energy, radial, neighbours=4.0, generator=generator)
    whole = nn.Potential(nn.Sequential(conv, nn.SumPool(energy))).double()
    each = nn.Potential(nn.Sequential(conv)).double()
    assert whole.pooled and not each.pooled
    species = torch.nn.Embedding(3, 2), conv
    assert nn.Potential(nn.Sequential(*species, nn.SumPool(energy))).pooled
    assert not nn.Potential(nn.Sequential(*species)).pooled
    _, x, graph = SMALL.crystal(generator)
    features = torch.randn(len(x), 2, generator=generator, dtype=F64)
    batch = Graph.batch([graph, graph])
    arguments = features.repeat(2, 1), x.repeat(2, 1), batch
    found, expected = whole(*arguments), each(*arguments)
    assert found.energies is None
    for name in ("energy", "forces", "stress"):
        assert_close(getattr(found, name), getattr(expected, name), ROUNDING)


# --- gradients ------------------------------------------------------------------------------------


def test_a_loss_of_forces_trains_the_weights(generator):
    potential, (kinds, x, graph) = SMALL.potential(generator), SMALL.crystal(generator)
    parameters = dict(potential.named_parameters())

    def loss(values):
        found = torch.func.functional_call(potential, values, (kinds, x, graph))
        return found.forces.square().sum() + found.stress.square().sum() + found.energy.sum()

    grads = torch.autograd.grad(loss(parameters), list(parameters.values()))
    for (name, parameter), grad in zip(parameters.items(), grads, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=F64)
        step = 1e-5 * direction
        with torch.no_grad():
            ahead, behind = (loss(parameters | {name: parameter + s}) for s in (step, -step))
        slope = (ahead - behind) / 2e-5
        assert_close(
            slope / (1 + slope.abs()), (grad * direction).sum() / (1 + slope.abs()), FORCES
        )


def test_gradients_reach_what_positions_are_made_of(generator):
    """Positions and cell that already require grad, or are functions of something that does."""
    potential, (kinds, x, graph) = SMALL.potential(generator), SMALL.crystal(generator)
    plain = potential(kinds, x, graph)
    cell = graph.cell.clone().requires_grad_()
    a = torch.ones((), dtype=F64, requires_grad=True)
    x.requires_grad_()
    found = potential(kinds, a * x, graph.with_cell(a * cell))
    by_x, by_cell, by_a = torch.autograd.grad(found.energy.sum(), (x, cell, a), create_graph=True)
    assert_close(by_x, -plain.forces, SYMMETRY)
    volume = torch.linalg.det(graph.cell).abs()
    assert_close(by_a, plain.stress[0].trace() * volume, SYMMETRY)
    assert_close(by_a, (by_x * x).sum() + (by_cell * cell).sum(), SYMMETRY)
    # And through the forces: the Hessian is symmetric.
    hessian = torch.stack(
        [torch.autograd.grad(f, x, retain_graph=True)[0].flatten() for f in found.forces.flatten()]
    )
    assert_close(hessian, hessian.mT, SYMMETRY)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_without_gradients(off, generator):
    """The numbers are the same, and nothing is kept for a derivative."""
    potential, given = SMALL.potential(generator), SMALL.crystal(generator)
    expected = potential(*given)
    with off():
        made = [torch.cat([given[0]]), 1 * given[1], given[2].to("cpu")]
        for arguments in (given, made):
            found = potential(*arguments)
            for one, other in zip(found, expected, strict=True):
                assert_close(one, other.detach(), ROUNDING)
                assert not one.requires_grad
    assert all(one.requires_grad for one in expected)
    assert all(p.grad is None for p in potential.parameters())


def test_single_precision(generator):
    potential, (kinds, x, graph) = SMALL.potential(generator), SMALL.crystal(generator)
    expected = potential(kinds, x, graph)
    single = potential.float()(kinds, x.float(), graph.to(torch.float32))
    for one, other in zip(single, expected, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < SINGLE * other.norm()


def test_autocast_leaves_the_sum_its_digits(generator):
    potential, (kinds, x, graph) = SMALL.potential(generator).float(), SMALL.crystal(generator)
    given = kinds, x.float(), graph.to(torch.float32)
    expected = potential(*given)
    with torch.autocast("cpu", torch.bfloat16):
        found = potential(*given)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.05 * other.norm()


# --- constants of species -------------------------------------------------------------------------


def test_shifts_and_scales(generator):
    kinds, x, graph = SMALL.crystal(generator)
    plain = SMALL.potential(generator.manual_seed(1))
    shifts, scales = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2.0, 3.0, 4.0])
    full = SMALL.potential(generator.manual_seed(1), shifts=shifts, scales=scales)
    before, after = plain(kinds, x, graph), full(kinds, x, graph)
    expected = before.energies * scales[kinds] + shifts[kinds]
    assert_close(after.energies, expected, ROUNDING)
    half = SMALL.potential(generator.manual_seed(1), scales=0.5)
    assert_close(half(kinds, x, graph).forces, before.forces / 2, ROUNDING)
    alone = full.energies(kinds, x, graph)
    assert torch.equal(alone[0], after.energy) and torch.equal(alone[1], after.energies)


def test_shifts_are_saved_and_keep_their_digits(generator):
    """Energies of atoms are large; in single precision their sum would lose the rest."""
    shift = -1234.567890123
    potential = SMALL.potential(generator, shifts=[shift, 0.0, 0.0])
    assert potential.shifts[0] == shift
    again = SMALL.potential(generator, shifts=[0.0, 0.0, 0.0])
    again.load_state_dict(potential.state_dict())
    for twin in (again, copy.deepcopy(potential), pickle.loads(pickle.dumps(potential))):
        assert twin.shifts[0] == shift


def test_energies_of_species_by_least_squares(generator):
    kinds = torch.randint(3, (40,), generator=generator)
    cloud = torch.randint(9, (40,), generator=generator)
    graph = Graph(torch.zeros(2, 0).long(), 40, clouds=9, cloud=cloud)
    truth = torch.tensor([1.5, -20.0, 7.0], dtype=F64)
    energy = torch.zeros(9, dtype=F64).index_add(0, cloud, truth[kinds])
    assert_close(nn.species_energies(energy, kinds, graph), truth, SYMMETRY)
    noisy = energy + torch.randn(9, generator=generator, dtype=F64)
    fitted = nn.species_energies(noisy, kinds, graph, 3)
    left = noisy - torch.zeros(9, dtype=F64).index_add(0, cloud, fitted[kinds])
    counts = torch.zeros(9, 3, dtype=F64).index_put((cloud, kinds), torch.ones(40).double(), True)
    assert_close(counts.mT @ left, torch.zeros(3), SYMMETRY)  # the normal equations
    water = Graph(torch.zeros(2, 0).long(), 3)
    found = nn.species_energies(torch.tensor([10.0]), torch.tensor([0, 1, 1]), water, 3)
    assert_close(found, torch.tensor([2.0, 4.0, 0.0]), SYMMETRY)  # one molecule, least norm


# --- bad input ------------------------------------------------------------------------------------


class Sick(torch.nn.Module):
    """Gives something else than one scalar for each point."""

    def __init__(self, give):
        super().__init__()
        self.give = give

    def forward(self, x, positions, graph):
        return self.give(positions)


@pytest.mark.parametrize(
    "give, got",
    [
        (lambda x: x.sum(1), r"\(4,\)"),
        (lambda x: x, r"\(4, 3\)"),
        (lambda x: x.sum()[None, None], r"\(1, 1\)"),
        (lambda x: (x,), "tuple"),
        (lambda x: x[:, :1].long(), r"\(4, 1\)"),
    ],
)
def test_outputs_that_are_no_scalar(give, got, generator):
    with pytest.raises(ValueError, match=rf"^net: expected one scalar for each of 4 points.*{got}"):
        nn.Potential(Sick(give))(*SMALL.crystal(generator))


def test_bad_networks():
    space = Points("O(3)", dim=3)
    h, pair = space.fields("1x0e + 1x1o"), space.fields("2x0e")
    for out_type in (h, pair, space.fields("1x0o")):
        with pytest.raises(ValueError, match="^net: expected one invariant scalar as its out_type"):
            nn.Potential(nn.Identity(out_type))
    with pytest.raises(TypeError, match=r"^net: expected a torch.nn.Module, got function"):
        nn.Potential(lambda *_: None)
    scalars = space.fields("1x0e")
    with pytest.raises(ValueError, match="^pooled: expected False, as the types of net say, got T"):
        nn.Potential(nn.Identity(scalars), pooled=True)
    with pytest.raises(ValueError, match="^stress: expected True, False or None, got 1"):
        nn.Potential(nn.Identity(scalars), stress=1)
    with pytest.raises(ValueError, match="^scales: expected one number where net gives"):
        nn.Potential(nn.SumPool(scalars), scales=[1.0, 2.0])
    with pytest.raises(ValueError, match="^shifts: expected 2 numbers, as many as scales, got 1"):
        nn.Potential(nn.Identity(scalars), shifts=[1.0], scales=[1.0, 2.0])
    for wrong in ("ab", [], [[1.0]], 3, [float("nan")]):
        with pytest.raises((ValueError, TypeError), match="^shifts: expected"):
            nn.Potential(nn.Identity(scalars), shifts=wrong)


def test_bad_input(generator):
    potential = SMALL.potential(generator, shifts=[0.0, 1.0, 2.0])
    kinds, x, graph = SMALL.crystal(generator)
    with pytest.raises(ValueError, match=r"^x: expected something of 4 points, got \(3,\)"):
        potential(kinds[:3], x, graph)
    between = Graph(graph.edges, graph.points, sources=9)
    with pytest.raises(ValueError, match="^graph: expected edges between points of one set, got"):
        potential(kinds, x, between)
    with pytest.raises(ValueError, match=r"^positions: expected \(4, n\), got \(3, 3\)"):
        potential(kinds, x[:3], graph)
    with pytest.raises(
        ValueError, match="^x: expected the species of each point, from 0 to 2, got 3"
    ):
        potential(kinds + 1, x, graph)
    with pytest.raises(ValueError, match="^x: expected the species of each point, int64"):
        potential(x, x, graph)
    with pytest.raises(ValueError, match="^positions: expected finite numbers, got .*nan"):
        potential(kinds, x * torch.nan, graph)
    with pytest.raises(TypeError, match="^graph: expected a transforms.Graph, got tuple"):
        potential(kinds, x, tuple(graph))
    with pytest.raises(TypeError, match="^positions: expected torch.float64 as this Depthwise"):
        potential(kinds, x.float(), graph.to(torch.float32))
    for positions, around in ((x, graph.to(torch.float32)), (x.float(), graph)):
        with pytest.raises(TypeError, match="^graph: expected a cell of torch.float.. as the pos"):
            potential(kinds, positions, around)
    always = SMALL.potential(generator, stress=True)
    with pytest.raises(ValueError, match="^stress: expected False or None for a graph without"):
        always(kinds, x, radius_graph(x, CUTOFF))
    assert always(kinds, x, graph).stress is not None
    assert SMALL.potential(generator, stress=False)(kinds, x, graph).stress is None
    with pytest.raises(ValueError, match="^kinds: expected the species .* from 0 to 1, got 2"):
        nn.species_energies(torch.zeros(1), kinds, graph, 2)
    with pytest.raises(ValueError, match=r"^energy: expected \(1\), got \(2,\)|^energy: expected"):
        nn.species_energies(torch.zeros(2), kinds, graph)


def test_a_network_that_does_not_see_positions_is_no_potential(generator):
    """Forces that are zero because a derivative was cut would be silent."""
    net = Sick(lambda x: x.detach()[:, :1])
    kinds, x, graph = SMALL.crystal(generator)
    with pytest.raises(RuntimeError, match="^net: expected energies with derivatives by the posi"):
        nn.Potential(net)(kinds, x, graph)
    potential, two = SMALL.potential(generator), torch.stack([x, x + 1])
    with pytest.raises(RuntimeError, match="under torch.func.vmap take torch.func.grad of"):
        torch.func.vmap(lambda one: potential(kinds, one, graph).forces)(two)
    slope = torch.func.grad(lambda one: potential.energies(kinds, one, graph)[0].sum())
    forces = potential(kinds, x, graph).forces.expand_as(two)
    assert_close(-torch.func.vmap(slope)(two), forces, SYMMETRY)
