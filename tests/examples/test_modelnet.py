"""ModelNet: voxels, orientations, the networks, the command line."""

import json

import numpy as np
import pytest
import torch

import equinet as eq
from equinet.field import act
from examples.common.training import parameter_count
from examples.modelnet.__main__ import main
from examples.modelnet.data import SIDE, SIZE, VOLUME, grids, load, solids, train_rotations
from examples.modelnet.meshes import read_off, surface_voxels
from examples.modelnet.models import NETWORKS
from tests.tolerances import SINGLE, SYMMETRY, assert_close

CUBE = eq.octahedral().elements  # the 24 rotations that map the grid to itself
ONE = VOLUME.fields("1x0")

CORNERS = """\
8 6 0
0 0 0
4 0 0
4 2 0
0 2 0
0 0 1
4 0 1
4 2 1
0 2 1
4 0 1 2 3
4 4 5 6 7
4 0 1 5 4
4 1 2 6 5
4 2 3 7 6
4 3 0 4 7
"""


def test_grids_against_the_library():
    """Upright: pad and take means of eight. Rotated: the library turns the padded voxels."""
    voxels = solids(12, 6).train.voxels[:6]
    margin = SIZE - SIDE // 2
    padded = torch.nn.functional.pad(voxels[:, None].float(), (margin,) * 6)
    reduce = torch.nn.AvgPool3d(2)
    assert_close(grids(voxels, None), reduce(padded), 0)
    rotations = train_rotations(6, 0, 0)
    turned = reduce(act(ONE, rotations, padded))
    assert_close(grids(voxels, rotations), turned, SINGLE)
    assert (grids(voxels, rotations.mT) - turned).abs().max() > 0.5  # the other way round


def test_nothing_of_an_object_is_lost():
    """The grid holds the ball around any object: its volume stays."""
    voxels = torch.zeros(1, SIDE, SIDE, SIDE, dtype=torch.uint8)
    voxels[:, 3:27, 3:27, 3:27] = 1
    full = grids(voxels.expand(8, -1, -1, -1), train_rotations(8, 0, 0)).sum((1, 2, 3, 4))
    assert_close(full * 8 / 24**3, torch.ones(8), 1e-3)


def test_rotations_of_the_cube_are_exact():
    voxels = solids(6, 6).train.voxels[5:]
    for g in CUBE:
        turned = act(ONE, g.float(), grids(voxels, None))
        assert_close(grids(voxels, g[None]), turned, SINGLE)


def test_the_steerable_network_does_not_see_the_orientation():
    """Of a batch turned as a whole; its statistics are the same, so training mode serves."""
    voxels = solids(6, 6).train.voxels[4:6]
    upright = grids(voxels, None).double()
    answers = {}
    for name, build in NETWORKS.items():
        torch.manual_seed(0)
        network = build(6).double()  # in training mode
        with torch.no_grad():
            answers[name] = torch.stack([network(act(ONE, g, upright)) for g in CUBE[:5]])
    assert_close(answers["steerable"], answers["steerable"][:1].expand(5, -1, -1), SYMMETRY)
    assert (answers["plain"] - answers["plain"][:1]).abs().max() > 1e-3


def test_the_plain_network_has_at_least_as_many_parameters():
    assert 3 * parameter_count(NETWORKS["steerable"](10)) < parameter_count(NETWORKS["plain"](10))


def test_archive(tmp_path):
    voxels = solids(12, 6).train.voxels.numpy()
    voxels[3] = 0  # empty: dropped
    packed = np.packbits(voxels.reshape(12, -1), axis=1)
    labels = np.arange(12, dtype=np.uint8) % 6
    arrays = {f"x30_{part}": packed for part in ("train", "test")}
    arrays |= {f"y30_{part}": labels for part in ("train", "test")}
    np.savez(tmp_path / "a.npz", **arrays, class_names=np.array(list("abcdef")))
    dataset = load(tmp_path / "a.npz")
    kept = [i for i in range(12) if i != 3]
    assert_close(dataset.train.voxels, voxels[kept], 0)
    assert_close(dataset.train.labels, labels[kept], 0)
    assert dataset.classes == tuple("abcdef") and dataset.fingerprint().startswith("a.npz 11+11 ")
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(ValueError, match=r"arrays \['class_names'\] in"):
        load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", **(arrays | {"x30_test": packed[:, 1:]}), class_names=labels)
    with pytest.raises(ValueError, match="x30_test uint8"):
        load(tmp_path / "c.npz")


@pytest.mark.parametrize("head", ["OFF\n", "OFF"])
def test_mesh_of_a_box(tmp_path, head):
    """The surface of 4 x 2 x 1, whose longest side is 0.8 x 21 = 16.8 voxels, hollow."""
    path = tmp_path / "box.off"
    path.write_text(head + CORNERS)
    vertices, triangles = read_off(path)
    assert vertices.shape == (8, 3) and triangles.shape == (12, 3)
    voxels = surface_voxels(vertices, triangles, 21)
    expected = np.zeros_like(voxels)
    expected[2:19, 6:15, 8:13] = 1
    expected[3:18, 7:14, 9:12] = 0
    assert_close(voxels, expected, 0)


def test_folder_of_meshes(tmp_path):
    for part in ("train", "test"):
        for name in ("sofa", "bed"):
            folder = tmp_path / name / part
            folder.mkdir(parents=True)
            (folder / f"{name}_0001.off").write_text("OFF\n" + CORNERS)
    dataset = load(tmp_path)
    assert dataset.classes == ("bed", "sofa") and dataset.train.labels.tolist() == [0, 1]
    (tmp_path / "bed" / "train" / "bed_0001.off").write_text("ply\n")
    with pytest.raises(ValueError, match="to begin with OFF"):
        load(tmp_path)


@pytest.mark.parametrize(("data", "message"), [([], "no data"), (["--data", "."], "found none")])
def test_the_program_says_where_data_come_from(tmp_path, monkeypatch, refused, data, message):
    monkeypatch.chdir(tmp_path)
    with refused(message):
        main(["train", *data])


def test_train_and_table(tmp_path, capsys, refused):
    options = ["--data", "solids", "--limit", "12", "--limit-test", "6", "--batch", "6"]
    out = tmp_path / "run"
    for _ in range(2):  # the second time there is nothing left to do
        main(["train", *options, "--epochs", "1", "--train-on", "rotated", "--out", str(out)])
    result = json.loads((out / "result.json").read_text())
    assert set(result["accuracy"]) == {"upright", "rotated"} and len(result["history"]) == 1
    assert (out / "curves.png").exists() and (out / "confusion.png").exists()
    with refused("train_on: saved 'rotated', asked 'upright'"):
        main(["train", *options, "--epochs", "1", "--out", str(out)])
    capsys.readouterr()
    main(["table", str(tmp_path)])
    row = capsys.readouterr().out.splitlines()[2]
    cells = f"| steerable | {result['parameters']:,} | solids 12+6 | rotated | 1 |"
    assert row.startswith(cells)


def test_picture(tmp_path):
    main(["picture", "--data", "solids", "--out", str(tmp_path / "new" / "objects.png")])
    assert (tmp_path / "new" / "objects.png").stat().st_size > 10_000
