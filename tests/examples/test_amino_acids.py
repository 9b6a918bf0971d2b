"""Amino acids: structures, environments, the networks, the command line."""

import json

import numpy as np
import pytest
import torch

import equinet as eq
from equinet.field import act
from examples.amino_acids.__main__ import main
from examples.amino_acids.data import (
    CELL,
    RADIUS,
    SHARES,
    SIZE,
    VOLUME,
    Environments,
    density,
    environments,
    load,
    split,
    strand,
)
from examples.amino_acids.models import NETWORKS
from examples.amino_acids.pdb import BACKBONE, ELEMENTS, RESIDUES, Structure, read_pdb
from examples.common.training import parameter_count
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

ATOMS = VOLUME.fields("4x0")
CUBE = eq.octahedral().elements

PDB = """\
HEADER    A MADE-UP DIPEPTIDE
ATOM      1  N   SER A   1      11.104   6.134  -6.504  1.00  0.00           N
ATOM      2  CA  SER A   1      11.639   6.071  -5.147  1.00  0.00           C
ATOM      3  HA  SER A   1      11.939   6.071  -5.147  1.00  0.00           H
ATOM      4  CB ASER A   1      12.639   6.071  -5.147  0.60  0.00           C
ATOM      5  CB BSER A   1      12.839   6.071  -5.147  0.40  0.00           C
ATOM      6  N   MET A   1A     10.639   6.071  -5.147  1.00  0.00           N
ATOM      7  CA  MET A   1A     10.639   7.071  -5.147  1.00  0.00
ATOM      8  SD  MET A   1A     10.639   8.071  -5.147  1.00  0.00           S
ATOM      9  O   HOH A   2       0.000   0.000   0.000  1.00  0.00           O
HETATM   10  C1  LIG A   3       0.000   0.000   0.000  1.00  0.00           C
ENDMDL
ATOM      1  N   SER A   1       1.104   6.134  -6.504  1.00  0.00           N
"""


def test_pdb(tmp_path):
    path = tmp_path / "made_up.pdb"
    path.write_text(PDB)
    s = read_pdb(path)
    assert [RESIDUES[k] for k in s.kind] == ["SER", "MET"]
    assert s.residue.tolist() == [0, 0, 0, 1, 1, 1]
    assert [ELEMENTS[e] for e in s.element] == ["N", "C", "C", "N", "C", "S"]
    assert s.is_alpha.tolist() == [False, True, False, False, True, False]
    assert s.is_backbone.tolist() == [True, True, False, True, True, False]
    assert_close(s.xyz[2], np.array([12.639, 6.071, -5.147]), SINGLE)
    path.write_text("HEADER\n")
    with pytest.raises(ValueError, match="ATOM records of amino acids in .*made_up.pdb, got none"):
        read_pdb(path)


def test_an_environment_lacks_the_own_side_chain_and_nothing_else():
    """Against a loop over all atoms."""
    s = strand(3, residues=25)
    found = environments([s], 1000, torch.Generator())
    assert len(found.labels) == 25
    for i, centre in enumerate(np.flatnonzero(s.is_alpha)):
        atoms = []
        for a, xyz in enumerate(s.xyz):
            own_side_chain = s.residue[a] == s.residue[centre] and not s.is_backbone[a]
            if np.linalg.norm(xyz - s.xyz[centre]) < RADIUS and not own_side_chain:
                atoms.append(a)
        positions, elements, batch = found.take(torch.tensor([i]))
        assert_close(positions, s.xyz[atoms] - s.xyz[centre], SINGLE)
        assert_close(elements, s.element[atoms], 0)
        assert not batch.any() and found.labels[i] == s.kind[s.residue[centre]]
    # What the label can be read from is the atom beside the CA, of the side chain of another.
    assert all((found.take(torch.tensor([i]))[0].norm(dim=1) < 3).sum() > 1 for i in range(25))


def test_take_in_any_order_and_twice():
    found = environments([strand(i) for i in range(3)], 50, torch.Generator())
    alone = [found.take(torch.tensor([i])) for i in (7, 2, 7)]
    positions, elements, batch = found.take(torch.tensor([7, 2, 7]))
    assert_close(positions, torch.cat([p for p, _, _ in alone]), 0)
    assert_close(elements, torch.cat([e for _, e, _ in alone]), 0)
    assert_close(batch, torch.repeat_interleave(torch.tensor([len(p) for p, _, _ in alone])), 0)


def test_parts_share_no_cluster_and_have_their_shares():
    structures = [strand(i, residues=10 + i % 30) for i in range(200)]
    clusters = np.arange(200) // 2
    parts = split(structures, clusters, seed=0)
    assert sorted(p for part in parts.values() for p in part) == list(range(200))
    owners = [{int(clusters[p]) for p in part} for part in parts.values()]
    assert all(not a & b for i, a in enumerate(owners) for b in owners[:i])
    total = sum(len(s.kind) for s in structures)
    for part, share in SHARES.items():
        assert abs(sum(len(structures[p].kind) for p in parts[part]) / total - share) < 0.03
    assert split(structures, clusters, seed=0) == parts != split(structures, clusters, seed=1)


def test_density_of_one_atom():
    """It is 1 where the atom is, in the channel of its element, and it is a Gaussian."""
    place = torch.tensor([[2 * CELL, 0.0, -CELL]])
    one = Environments(
        place, torch.tensor([2], dtype=torch.uint8), torch.tensor([0, 1]), torch.zeros(1).long()
    )
    grid = density(one, torch.tensor([0]))[0]
    assert grid.shape == (4, SIZE, SIZE, SIZE) and not grid[[0, 1, 3]].any()
    middle = SIZE // 2
    assert_close(grid[2, middle + 2, middle, middle - 1], 1.0, SINGLE)
    assert_close(grid[2, middle + 3, middle, middle - 1], np.exp(-(CELL**2) / 2), SINGLE)


def rotated(found: Environments, g: torch.Tensor) -> Environments:
    return found._replace(positions=found.positions @ g.to(found.positions).mT)


def test_the_steerable_network_does_not_see_the_orientation():
    """Of a batch turned as a whole; its statistics are the same, so training mode serves."""
    found = environments([strand(0)], 4, torch.Generator())
    found = found._replace(positions=found.positions.double())
    chosen = torch.arange(4)
    x = density(found, chosen)
    assert_close(density(rotated(found, CUBE[7]), chosen), act(ATOMS, CUBE[7], x), ROUNDING)
    answers = {}
    for name in ("steerable", "plain-small"):
        network = NETWORKS[name]().double()
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        with torch.no_grad():
            turned = [density(rotated(found, g), chosen) for g in CUBE[:5]]
            answers[name] = torch.stack([network(y) for y in turned])
    assert_close(answers["steerable"], answers["steerable"][:1].expand(5, -1, -1), SYMMETRY)
    assert (answers["plain-small"] - answers["plain-small"][:1]).abs().max() > 1e-3


def test_the_plain_networks_have_three_times_as_many_parameters():
    counts = {name: parameter_count(build()) for name, build in NETWORKS.items()}
    assert 3 * counts["steerable"] < counts["plain-small"] < counts["plain"]


def archive(structures: list[Structure]) -> dict[str, np.ndarray]:
    """The arrays that the program reads, of structures whose atoms are CA, C and SD."""
    names = np.array(["CA", "C", "SD", "OG"])
    assert set(BACKBONE) & set(names) == {"CA", "C"}
    kinds = [
        np.where(s.is_alpha, 0, np.where(s.is_backbone, 1, 2 + (s.element == 2)))
        for s in structures
    ]
    return {
        "xyz": np.concatenate([np.round(s.xyz * 100) for s in structures]).astype(np.int16),
        "atom_name": np.concatenate(kinds).astype(np.uint8),
        "atom_res": np.concatenate([s.residue for s in structures]).astype(np.uint16),
        "res_type": np.concatenate([s.kind for s in structures]).astype(np.uint8),
        "atom_ptr": np.cumsum([0, *(len(s.xyz) for s in structures)]),
        "res_ptr": np.cumsum([0, *(len(s.kind) for s in structures)]),
        "cluster": np.arange(len(structures)),
        "atom_names": names,
        "atom_element": np.array([0, 0, 3, 2], dtype=np.uint8),
        "elements": np.array(ELEMENTS),
        "res_names": np.array(RESIDUES),
    }


def test_archive(tmp_path):
    structures = [strand(i) for i in range(20)]
    arrays = archive(structures)
    np.savez(tmp_path / "a.npz", **arrays)
    dataset = load(tmp_path / "a.npz", {"train": 100, "valid": 20, "test": 20})
    assert dataset.fingerprint().startswith("a.npz 100+20+20 ")
    assert 0.1 < dataset.majority() < 0.6
    positions, elements, _ = dataset.train.take(torch.tensor([0]))
    assert (positions.norm(dim=1) < RADIUS).all() and set(elements.tolist()) <= {0, 2, 3}
    np.savez(tmp_path / "b.npz", **(arrays | {"res_names": np.array(RESIDUES[::-1])}))
    with pytest.raises(ValueError, match="expected res_names"):
        load(tmp_path / "b.npz", dict.fromkeys(SHARES, 9))
    del arrays["cluster"]
    np.savez(tmp_path / "c.npz", **arrays)
    with pytest.raises(ValueError, match=r"arrays \['cluster'\] in"):
        load(tmp_path / "c.npz", dict.fromkeys(SHARES, 9))


@pytest.mark.parametrize(("data", "message"), [([], "no data"), (["--data", "."], "got none")])
def test_the_program_says_where_data_come_from(tmp_path, monkeypatch, refused, data, message):
    monkeypatch.chdir(tmp_path)
    with refused(message):
        main(["train", *data])


SMALL = ["--data", "strands", "--train-size", "24", "--valid-size", "8", "--test-size", "8"]


def test_train_and_table(tmp_path, capsys, refused):
    out = tmp_path / "run"
    for _ in range(2):  # the second time there is nothing left to do
        main(["train", *SMALL, "--epochs", "1", "--batch", "12", "--out", str(out)])
    result = json.loads((out / "result.json").read_text())
    assert set(result["accuracy"]) == {"test"} and set(result["history"][0]) >= {"valid"}
    assert (out / "curves.png").exists() and (out / "confusion.png").exists()
    with refused("epochs: saved 1, asked 2"):
        main(["train", *SMALL, "--epochs", "2", "--batch", "12", "--out", str(out)])
    capsys.readouterr()
    main(["table", str(tmp_path)])
    row = capsys.readouterr().out.splitlines()[2]
    assert row.startswith(f"| steerable | {result['parameters']:,} | strands 24+8+8 | 1 |")


def test_picture(tmp_path):
    main(["picture", *SMALL, "--out", str(tmp_path / "new" / "environments.png")])
    assert (tmp_path / "new" / "environments.png").stat().st_size > 10_000
