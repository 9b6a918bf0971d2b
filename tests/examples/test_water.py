"""Water: made-up frames, the equation of motion, what is learned, and the command line."""

import json
import math

import numpy as np
import pytest
import torch

import equinet as eq
from examples.water import __main__ as program
from examples.water import artificial as made_up
from examples.water.__main__ import main
from examples.water.data import SPECIES, TENSORS, load
from examples.water.dynamics import BOLTZMANN, STEP, Motion, masses, maxwell
from examples.water.runs import drift
from tests.tolerances import DERIVATIVE, SINGLE, assert_close


@pytest.fixture(scope="module")
def frames():
    return made_up.artificial(10)


def setting():
    generator = torch.Generator().manual_seed(0)
    kinds, x, cell = made_up._lattice(generator)
    return kinds, x, made_up._ForceField(kinds, cell), generator


def test_made_up_forces_are_the_gradient_and_know_the_cell():
    _, x, field, _ = setting()
    energy, forces = field(x)
    for atom, axis in ((0, 0), (7, 2)):
        step = torch.zeros_like(x)
        step[atom, axis] = 1e-5
        slope = (field(x + step)[0] - field(x - step)[0]).item() / 2e-5
        assert abs(slope + forces[atom, axis].item()) < DERIVATIVE
    moved = x.clone()
    moved[3:6] += field.cell[1]  # a molecule, into the next cell
    assert_close(field(moved)[0], energy, 1e-9)
    assert_close(forces.sum(0), torch.zeros(3), 1e-9)


def test_made_up_tensors_turn_with_the_molecules(frames):
    part = frames["polarisability"].train
    tensors = TENSORS["polarisability"].to_tensor(part.values)
    atoms = part.positions.unflatten(1, (-1, 3))
    bonds = atoms[:, :, 1:] - atoms[:, :, :1]
    assert_close(bonds.norm(dim=-1).mean(), 0.96, 0.05)
    normal = torch.linalg.cross(bonds[:, :, 0], bonds[:, :, 1])
    assert_close(tensors @ normal[..., None], normal[..., None], SINGLE)


def test_energy_is_kept_by_forces_that_are_a_gradient():
    """And not by others: the control pushes the hydrogens along their velocities' first signs."""
    kinds, x, field, generator = setting()
    v = maxwell(kinds, 300.0, generator)

    def wrong(positions):
        energy, forces = field(positions)
        return energy, forces + 0.02 * v.sign()

    slopes = []
    for own in (field, wrong):
        motion, found = Motion(kinds, x, v, own), {"time": [], "total": []}
        for step in range(0, 200, 5):
            found["time"].append(step * STEP)
            found["total"].append(motion.energy.item() + motion.kinetic())
            motion.run(5)
        slopes.append(abs(drift(found, len(kinds))[0]))
    assert slopes[0] < 5 and slopes[1] > 10 * slopes[0]  # meV for each atom and ps


def test_velocities_have_a_temperature_and_no_motion_of_the_whole():
    kinds = torch.tensor([0, 1, 1]).repeat(2000)
    v = maxwell(kinds, 300.0, torch.Generator().manual_seed(0))
    assert (masses(kinds) * v).sum(0).abs().max() < 1e-9
    motion = Motion(kinds, v, v, lambda x: (x.sum(), x))
    assert abs(motion.temperature() - 300) < 5 * 300 * math.sqrt(2 / (3 * len(kinds)))
    expected = math.sqrt(8 * BOLTZMANN * 300 / (math.pi * masses(kinds)[0].item()) * 9.648533e-3)
    assert abs(v[kinds == 0].norm(dim=1).mean().item() / expected - 1) < 0.03


def test_demo(tmp_path, capsys, monkeypatch, frames):
    monkeypatch.setattr(program, "artificial", lambda: frames)
    monkeypatch.setattr(program, "DEMO", {"channels": 2, "layers": 2, "lmax": 2})
    monkeypatch.setattr(program, "STEPS", (4, 2, 20))
    main(["demo", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "| control | l = 2 | 1.0" in said and "drift" in said
    for name in ("forces/forces.png", "tensors/tensors.png"):
        assert (tmp_path / name).stat().st_size > 5_000
    result = json.loads((tmp_path / "forces" / "nequip-8.json").read_text())["result"]
    assert result["forces"] > 0 and len(result["motion"]["time"]) == 21


def archive(path, frames, **change):
    """Made-up frames under the names of the archive."""
    numbers = {0: SPECIES[0], 1: SPECIES[1]}
    part = frames["forces"].train
    Z = np.array([numbers[k] for k in part.kinds.tolist()])
    arrays = {"Z": Z, "tensor_Z": Z, "ef_pos": part.positions, "ef_cell": part.cells}
    arrays |= {"ef_force": part.values, "ef_energy": part.energies}
    for target, name in (("dipole", "dipole"), ("polarisability", "polar")):
        for which in ("train", "valid"):
            own = frames[target].train
            values = TENSORS[target].to_tensor(own.values).flatten(2)
            key = f"{name}_atomic_{which}"
            arrays |= {f"{key}_pos": own.positions, f"{key}_cell": own.cells, key: values}
    np.savez(path, **{key: np.asarray(value) for key, value in (arrays | change).items()})


def test_an_archive_is_read_as_it_was_written(frames, tmp_path):
    archive(tmp_path / "a.npz", frames)
    found = load(tmp_path / "a.npz")
    assert found["forces"].train.kinds.tolist() == frames["forces"].train.kinds.tolist()
    assert len(found["forces"].train) == 7 and len(found["forces"].test) == 1
    for target in TENSORS:
        assert_close(found[target].test.values, frames[target].train.values, SINGLE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Z": np.full(24, 6)}, "expected the elements"),
        ({"ef_pos": np.zeros((8, 23, 3))}, "expected five frames of 24 atoms, got ef_pos"),
        ({"ef_energy": np.zeros(3)}, "expected an energy and forces for each frame"),
        ({"polar_atomic_train": np.zeros((8, 8, 6))}, "expected polar_atomic_train"),
    ],
)
def test_arrays_that_do_not_fit(frames, change, words, tmp_path, refused):
    archive(tmp_path / "a.npz", frames, **change)
    with refused(words):
        main(["forces", "--data", str(tmp_path / "a.npz"), "--out", str(tmp_path)])


def test_dipoles_are_vectors():
    g = eq.o3().sample(1, generator=torch.Generator().manual_seed(0))[0].double()
    v = torch.tensor([1.0, -2.0, 0.5]).double()
    rho = TENSORS["dipole"].representation
    turned = TENSORS["dipole"].to_irreps(v) @ rho(g).mT
    assert_close(TENSORS["dipole"].to_irreps(g @ v), turned, 1e-12)
