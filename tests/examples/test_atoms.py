"""What the examples of atoms share: the networks, batches, and a training that can be stopped."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import equinet as eq
from equinet.models import MACE, NequIP
from equinet.rep import Irrep
from equinet.transforms import radius_graph
from examples.atoms.energies import energies, energies_and_forces
from examples.atoms.networks import NETWORKS
from examples.atoms.structures import Atoms, Structures
from examples.atoms.training import LOOKS, Task, learn
from examples.common.errors import InputError
from examples.common.sweep import Desk
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

CUTOFF = 3.0
SHAPE = {"channels": 4, "layers": 2}
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


def cloud(count=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    positions = 2.5 * torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return Atoms(torch.arange(count) % 3, positions, radius_graph(positions, CUTOFF))


def network(name, **options):
    torch.manual_seed(0)
    return NETWORKS[name](3, CUTOFF, 5.0, **SHAPE, **options).double()


def moved(atoms, g):
    positions = atoms.positions @ g.mT + 5
    return Atoms(atoms.kinds, positions, radius_graph(positions, CUTOFF))


@pytest.mark.parametrize("name", NETWORKS)
def test_energies_are_invariant_and_forces_turn_and_are_their_gradient(name):
    net, atoms = network(name), cloud()
    energy, forces = energies_and_forces(net, atoms)
    g = eq.o3().sample(1, generator=torch.Generator().manual_seed(1))[0].double()
    for turn in (g, g @ MIRROR):
        turned, pushed = energies_and_forces(net, moved(atoms, turn))
        assert_close(turned, energy, SYMMETRY)
        assert_close(pushed, forces @ turn.mT, SYMMETRY)
    step = torch.zeros_like(atoms.positions)
    step[2, 1] = 1e-5
    ends = [energies(net, atoms._replace(positions=atoms.positions + s)) for s in (step, -step)]
    assert abs((ends[1] - ends[0]).item() / 2e-5 - forces[2, 1].item()) < 1e-7
    others = atoms._replace(kinds=(atoms.kinds + 1) % 3)
    assert (energies(net, others) - energy).abs() > 1e-3  # the control: species are seen


def test_a_network_gives_tensors():
    out = eq.Points("O(3)", dim=3).fields("1x0e + 1x1o + 1x2e")
    net, atoms = NequIP(3, CUTOFF, 5.0, lmax=2, **SHAPE, outputs=2).double(), cloud()
    g = eq.o3().sample(1, generator=torch.Generator().manual_seed(1))[0].double()
    assert_close(net(*moved(atoms, g)), eq.act(out, g, net(*atoms)), SYMMETRY)
    assert net(*atoms).abs().amax(0).min() > 1e-2


def test_the_polynomials_of_mace_have_the_order_that_is_asked_for():
    powers = MACE(2, CUTOFF, 5.0, channels=2, order=2).layers[0].powers
    assert powers.order == 2 and Irrep(eq.o3(), "2e") in powers.in_type.fibre.counts


def test_a_batch_is_the_clouds_one_by_one():
    atoms = [cloud(5, 1), cloud(8, 2), cloud(3, 3)]
    structures = Structures.of([a.kinds for a in atoms], [a.positions for a in atoms], CUTOFF)
    net = network("nequip")
    alone = torch.cat([energies(net, one) for one in atoms])
    found = energies(net, structures.take(torch.tensor([2, 0, 1])))
    assert_close(found, alone[[2, 0, 1]], ROUNDING)
    edges = [len(one.graph.edges[0]) for one in atoms]
    assert math.isclose(structures.neighbours(), sum(edges) / 16)


def test_a_crystal_is_its_supercell():
    atoms, cell = cloud(4), 3.1 * torch.eye(3, dtype=torch.float64)
    small = Structures.of([atoms.kinds], [atoms.positions], CUTOFF, cell[None])
    shifts = 3.1 * torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0), torch.arange(1.0))
    many = (atoms.positions + shifts[:, None]).flatten(0, 1)
    cells = torch.diag(torch.tensor([2.0, 2.0, 1.0])).double() @ cell
    large = Structures.of([atoms.kinds.repeat(4)], [many], CUTOFF, cells[None])
    net, zero = network("nequip"), torch.zeros(1).long()
    assert_close(energies(net, large.take(zero)), 4 * energies(net, small.take(zero)), SYMMETRY)


# --- training -------------------------------------------------------------------------------------

TASK = Task("nequip", "none", 6, lmax=1, channels=4, layers=2, steps=2 * LOOKS, batch=2)


def lesson():
    """Energies that depend on the size of a cloud."""
    atoms = [cloud(3 + i % 3, i) for i in range(6)]
    structures = Structures.of([a.kinds for a in atoms], [a.positions for a in atoms], CUTOFF)
    targets = torch.arange(6) % 3 - 1.0

    def loss(net, indices):
        return F.mse_loss(energies(net, structures.take(indices)), targets.double()[indices])

    def watch(net):
        with torch.no_grad():
            return {"all": loss(net, torch.arange(6)).item()}

    return loss, watch


class StoppedError(Exception):
    pass


def test_a_training_that_was_stopped_ends_with_the_same_bits(tmp_path, monkeypatch):
    loss, watch = lesson()
    whole, parts = network("nequip"), network("nequip")
    history, _ = learn(TASK, whole, loss, watch, Desk(tmp_path / "whole", lambda share: None))
    assert len(history) == LOOKS and history[-1]["all"] < history[0]["all"] / 2
    monkeypatch.setattr("examples.atoms.training.SAVE_SECONDS", 0.0)
    calls = 0

    def breaks(net, indices):
        nonlocal calls
        calls += 1
        if calls == 17:
            raise StoppedError
        return loss(net, indices)

    desk = Desk(tmp_path / "parts", lambda share: None)
    with pytest.raises(StoppedError):
        learn(TASK, network("nequip"), breaks, watch, desk)
    with pytest.raises(InputError, match="out: there is a training with other settings"):
        learn(replace(TASK, lmax=2), network("nequip"), loss, watch, desk)
    again, _ = learn(TASK, parts, loss, watch, desk)
    assert again == history
    kept = torch.load(tmp_path / "parts" / "weights.pt", weights_only=True)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    parts.load_state_dict(kept)
    assert torch.equal(kept["embedding.weight"], whole.embedding.weight)


@pytest.mark.parametrize("name", ["size", "steps", "learning_rate", "cutoff"])
@pytest.mark.parametrize("value", [0, float("nan"), float("inf")])
def test_numbers_that_are_none(name, value):
    with pytest.raises(InputError, match=f"{name}: expected a positive number"):
        replace(TASK, **{name: value})
