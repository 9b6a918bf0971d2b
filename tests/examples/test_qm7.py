"""Energies of molecules: the data, bags of bonds, and a run from end to end."""

import json

import numpy as np
import pytest
import torch

import equinet as eq
from examples.qm7.__main__ import main
from examples.qm7.bonds import bags, ridge_errors
from examples.qm7.data import ELEMENTS, SMALL, Molecules, Split, load, without_composition
from tests.tolerances import ROUNDING, SINGLE, assert_close

WATER = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]


def few(count=12):
    whole = load(None)
    return Molecules(whole.numbers[:count], whole.positions[:count], whole.energies[:count])


def test_the_molecules_that_are_here():
    molecules = load(None)
    assert len(molecules) == 200 and SMALL.stat().st_size < 100_000
    there = molecules.numbers > 0
    assert_close(molecules.counts().sum(1), there.sum(1).double(), 0)
    apart = torch.cdist(molecules.positions, molecules.positions)
    apart[~(there[:, :, None] & there[:, None]) | torch.eye(there.shape[1]).bool()] = 9
    nearest = apart.amin(2)[there]
    assert 0.9 < nearest.min() and nearest.max() < 1.9  # angstrom: every atom has a bond
    assert molecules.energies.max() < 0


def test_parts_are_disjoint_and_have_their_sizes():
    for n, sizes in ((200, (50, 25, 125)), (7101, (1000, 400, 5701))):
        split = Split.of(n)
        parts = split.test, split.valid, split.pool
        assert tuple(map(len, parts)) == sizes
        assert torch.equal(torch.cat(parts).sort().values, torch.arange(n))


def test_composition_is_taken_away():
    """Of energies that are nothing else all of it, also of molecules that were not fitted."""
    molecules = load(None)
    energies = molecules.counts() @ torch.tensor([-1.0, -2.0, 3.0, -4.0, 5.0]).double()
    own = Molecules(molecules.numbers, molecules.positions, energies + (energies - energies))
    train = Split.of(200).pool
    assert without_composition(own, train).abs().max() < 1e-9
    assert without_composition(molecules, train).abs().mean() > 5


def test_structures_have_the_atoms_without_the_padding():
    numbers = torch.tensor([[8, 1, 1, 0], [16, 0, 0, 0]], dtype=torch.uint8)
    positions = torch.zeros(2, 4, 3)
    positions[0, :3] = torch.tensor(WATER)
    found = Molecules(numbers, positions, torch.zeros(2).double()).structures(1.2).clouds
    assert [ELEMENTS[k] for k in found[0].kinds] == [8, 1, 1] and len(found[1].kinds) == 1
    assert found[0].graph.edges.T.tolist() == [[1, 0], [2, 0], [0, 1], [0, 2]]


def test_a_bag_of_bonds_by_hand():
    numbers = torch.tensor([[8, 1, 1, 0]], dtype=torch.uint8)
    positions = torch.cat([torch.tensor(WATER), torch.zeros(1, 3)])[None]
    found = bags(Molecules(numbers, positions, torch.zeros(1).double()))
    lengths = [np.linalg.norm(np.subtract(WATER[i], WATER[j])) for i, j in ((1, 2), (0, 1), (0, 2))]
    expected = [1 / lengths[0], *sorted((8 / lengths[1], 8 / lengths[2]), reverse=True)]
    assert_close(found[0], np.array(expected), SINGLE)


def test_bags_know_no_order_and_no_orientation():
    molecules, generator = few(), torch.Generator().manual_seed(0)
    order = torch.randperm(molecules.numbers.shape[1], generator=generator)
    g = eq.o3().sample(1, generator=generator)[0].float()
    other = Molecules(
        molecules.numbers[:, order], (molecules.positions @ g.mT)[:, order], molecules.energies
    )
    assert_close(bags(other), bags(molecules), 1e-3)
    assert np.abs(bags(molecules)[1:] - bags(molecules)[:-1]).max(1).min() > 0.1


def test_ridge_regression_goes_through_what_it_learned():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20, 3))
    y = x.sum(1)
    train, valid = np.arange(15), np.arange(10)
    found = ridge_errors(x, y, train, valid, np.arange(15, 20))
    assert found["valid"] < 1e-5 < found["test"] < 1


def test_command_line(tmp_path, capsys):
    command = ["--sizes", "20", "40", "--lmax", "0", "1", "--steps", "4", "--channels", "4"]
    command += ["--layers", "2", "--batch", "4", "--out", str(tmp_path)]
    main(command)
    said = capsys.readouterr().out
    assert "| nequip, l ≤ 1 | " in said and "| bag of bonds | " in said
    assert (tmp_path / "curves.png").stat().st_size > 5_000
    path = tmp_path / "nequip-l1-40.json"
    result = json.loads(path.read_text())["result"]
    assert result["test"] > 0 and result["history"][-1]["step"] == 4
    before = path.stat().st_mtime_ns
    main(command)
    assert capsys.readouterr().out == said and path.stat().st_mtime_ns == before


def test_mace_learns_too(tmp_path, capsys):
    command = ["--network", "mace", "--sizes", "20", "--lmax", "1", "--steps", "2"]
    main([*command, "--channels", "2", "--batch", "4", "--out", str(tmp_path)])
    assert "| mace, l ≤ 1 | " in capsys.readouterr().out


ARRAYS = {"R": np.zeros((9, 2, 3), np.float32), "Z": np.ones((9, 2)), "E": np.zeros(9)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"E": np.zeros(8)},
            r"expected R \(n, atoms, 3\), .*, got \(9, 2, 3\), \(9, 2\) and \(8,\)",
        ),
        ({"Z": np.full((9, 2), 2)}, "expected the elements"),
        ({"R": np.full((9, 2, 3), np.nan)}, "expected finite numbers"),
        ({name: array[:3] for name, array in ARRAYS.items()}, "of 8 molecules or more"),
    ],
)
def test_arrays_that_do_not_fit(change, words, tmp_path, refused):
    np.savez(tmp_path / "data.npz", **(ARRAYS | change))
    with refused(words):
        main(["--data", str(tmp_path / "data.npz")])


def test_more_molecules_than_there_are(tmp_path, refused):
    with refused("sizes: expected at most 125 of these molecules, got 126"):
        main(["--sizes", "126", "--out", str(tmp_path)])


def test_rounding_of_positions_is_none():
    assert_close(load(SMALL).positions, load(None).positions, ROUNDING)
