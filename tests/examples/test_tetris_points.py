"""Tetris on points: mirror images, a training that ends at 100 %, and the command line."""

import json

import torch

from examples.tetris.data import PIECES
from examples.tetris_points.__main__ import main
from examples.tetris_points.data import pieces, turned
from examples.tetris_points.models import Reader
from tests.tolerances import SYMMETRY, assert_close

ALL = torch.arange(len(PIECES))


def network(name):
    torch.manual_seed(0)
    return Reader(name).double()


def test_turned_pieces_keep_their_distances():
    found, labels = turned(2, torch.Generator().manual_seed(0))
    assert found.shape == (16, 4, 3) and labels.tolist() == [*range(8)] * 2
    assert_close(torch.cdist(found, found), torch.cdist(pieces(), pieces())[labels], 1e-3)
    assert (found[:8] - found[8:]).abs().max() > 1


def test_a_mirror_exchanges_the_scores_of_the_chiral_pieces():
    generator = torch.Generator().manual_seed(0)
    clouds = 0.6 * torch.randn(6, 4, 3, generator=generator, dtype=torch.float64)
    mirrored = clouds * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    scores = network("odd")(clouds)
    exchanged = scores[:, [1, 0, *range(2, 8)]]
    assert_close(network("odd")(mirrored), exchanged, SYMMETRY)
    assert (scores[:, 0] - scores[:, 1]).abs().min() > 1e-5
    even = network("even")(clouds)
    assert torch.equal(even[:, 0], even[:, 1])  # the control cannot know them apart


def test_pieces_that_are_their_own_mirror_image_have_no_odd_scalar():
    odd = network("odd").invariants(pieces(torch.float64))[:, 7]
    assert odd[2:].abs().max() < 1e-12 < odd[:2].abs().min() / 1e6
    assert_close(odd[0], -odd[1], SYMMETRY)


def test_all_pieces_are_known_in_any_orientation_from_one(tmp_path, capsys):
    out = tmp_path / "odd"
    main(["train", "--out", str(out), "--tests", "10"])
    assert json.loads((out / "result.json").read_text())["accuracy"]["rotated"] == 1
    capsys.readouterr()
    main(["table", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[2].startswith("| odd | ")
    main(["figure", "--run", str(tmp_path / "odd"), "--out", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").stat().st_size > 5_000


def test_a_figure_of_a_network_without_odd_scalars(tmp_path, refused):
    main(["train", "--network", "even", "--out", str(tmp_path), "--tests", "1", "--epochs", "1"])
    with refused("run: expected one with --network odd"):
        main(["figure", "--run", str(tmp_path), "--out", str(tmp_path / "a.png")])
