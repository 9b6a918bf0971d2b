"""Tetris: the pieces, the networks of the paper, and a training from end to end."""

import json

import pytest
import torch

import equinet as eq
from examples.common.training import parameter_count
from examples.tetris import __main__ as program
from examples.tetris import models
from examples.tetris.__main__ import main
from examples.tetris.data import PIECES, REACH, training_pieces, voxels
from examples.tetris.models import KERNEL, NETWORKS, SCALES, STRIDES, Scale

TINY = Scale(
    size=13,
    side=2,
    padding=2,
    multiplicities=((1, 1), (2, 1), (2, 1), (4,)),
    parity=(
        "1x0e + 1x1o",
        "2x0e + 1x1o + 1x1e",
        "2x0e + 1x0o + 1x1o",
        "4x0e + 2x0o",
    ),
    channels=(2, 3, 3, 4),
)
ALL = torch.arange(len(PIECES))


def upright(size=21, side=2):
    return voxels(ALL, torch.eye(3).expand(len(ALL), 3, 3), size, side)


@pytest.mark.parametrize(("name", "parameters"), [("steerable", 41_198), ("plain", 6_221_832)])
@pytest.mark.parametrize("low_pass", [True, False])
def test_parameter_counts_are_those_of_the_paper(name, parameters, low_pass):
    assert parameter_count(NETWORKS[name](SCALES["paper"], low_pass)) == parameters


def test_every_stride_keeps_the_centre():
    """Sizes with an odd number of voxels; a warning of the layers is an error here too."""
    for scale in (*SCALES.values(), TINY):
        size = scale.size
        for stride in STRIDES:
            size += 2 * scale.padding - (KERNEL - 1)
            assert stride == 1 or size % 2 == 1
            size = (size - 1) // stride + 1


@pytest.mark.parametrize(("size", "side"), [(21, 2), (14, 3), (37, 5)])
def test_pieces_are_four_cubes_each_and_differ(size, side):
    volumes = upright(size, side)
    assert volumes.sum((1, 2, 3, 4)).tolist() == [4 * side**3] * 8
    assert torch.cdist(volumes.flatten(1), volumes.flatten(1)).add(torch.eye(8)).min() > 0.9


def test_the_square_is_what_it_is_called():
    square = upright(14, 3)[2, 0]
    expected = torch.zeros(14, 14, 14)
    expected[4:10, 4:10, 5:9] = torch.tensor([0.5, 1, 1, 0.5])  # a height of 3 about the centre
    assert torch.equal(square, expected)


def test_no_piece_reaches_farther_than_it_may():
    for cubes in PIECES.values():
        corners = torch.tensor(cubes).double()
        assert ((corners - corners.mean(0)).abs() + 0.5).norm(dim=1).max() < REACH


@pytest.mark.parametrize("number", [0, 5, 17])
def test_turned_pieces_are_turned_fields(number):
    """A rotation of the cube only permutes voxels: an independent way to turn a volume."""
    g = eq.octahedral().elements[number]
    turned = voxels(ALL, g.float().expand(8, 3, 3), 21, 2)
    field = eq.Volume("O").fields("1x trivial")
    expected = eq.field.act(field, g, upright())
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-6)


def test_chiral_pieces_are_mirror_images_and_not_rotations():
    """None of the 24 rotations of the cube maps one to the other; a reflection does."""
    one, other = upright()[:2, 0]
    turned = voxels(torch.zeros(24, dtype=torch.long), eq.octahedral().elements.float(), 21, 2)
    assert (turned[:, 0] - other).abs().sum((1, 2, 3)).min() > 4
    mirrored = torch.stack([t.flip(0) for t in turned[:, 0]])
    assert (mirrored - other).abs().sum((1, 2, 3)).min() < 1e-4


def test_training_pieces_are_drawn_once():
    first, labels = training_pieces(0, 13, 2).make(ALL, 0)
    again, _ = training_pieces(0, 13, 2).make(ALL, 7)
    assert torch.equal(first, again) and labels.tolist() == list(range(8))
    assert not torch.equal(first, training_pieces(1, 13, 2).make(ALL, 0)[0])


def noise():
    """Volumes in which no field of any network is small, as those of 0o are in a small piece."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 1, 13, 13, 13, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("low_pass", [True, False])
@torch.no_grad()
def test_scores_are_exact_under_rotations_of_the_cube(low_pass):
    torch.manual_seed(0)
    volumes = noise()
    field = eq.Volume("SO(3)").fields("1x0")
    worst = {}
    for name, build in NETWORKS.items():
        network = build(TINY, low_pass).double()
        for module in network.modules():
            if hasattr(module, "momentum"):
                module.momentum = 1.0
        network(volumes)  # the running statistics are now those of these volumes
        scores = network.eval()(volumes)
        errors = [
            (network(eq.field.act(field, g, volumes)) - scores).abs().max()
            for g in eq.octahedral().elements[1:6]
        ]
        worst[name] = torch.stack(errors).max() / scores.std(0).mean()
    assert worst["steerable"] < 1e-10
    assert worst["parity"] < 1e-10
    assert worst["plain"] > 1e-3  # the test can fail


@torch.no_grad()
def test_a_mirror_image_changes_the_sign_of_what_tells_chiral_pieces_apart():
    torch.manual_seed(0)
    *features, _, _ = models.parity_network(TINY, low_pass=True).double()
    body = torch.nn.Sequential(*features)
    field = eq.Volume("O(3)").fields("1x0e")
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    even, odd = body(noise()).split([4, 2], 1)
    mirrored_even, mirrored_odd = body(eq.field.act(field, mirror, noise())).split([4, 2], 1)
    assert (mirrored_even - even).abs().max() < 1e-10 * even.abs().max()
    assert (mirrored_odd + odd).abs().max() < 1e-10 * odd.abs().max()
    # Six pieces are their own mirror images and have none of it but rounding, which the norms
    # scale up with the small fields; the two chiral pieces have opposite ones.
    odd = body(upright(13).double())[:, 4:]
    chiral = odd[:2].abs().amax(0)
    assert (odd[2:].abs().amax(0) < 1e-6 * chiral).all()
    assert ((odd[0] + odd[1]).abs() < 1e-6 * chiral).all()


def test_only_filters_of_the_parity_network_learn_slowly():
    for name, build in NETWORKS.items():
        network = build(TINY, True)
        groups = models.parameter_groups(network)
        assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
        slow = [len(group["params"]) for group in groups if group["factor"] < 1]
        assert slow == ([4] if name == "parity" else [])


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(models.SCALES, "small", TINY)
    common = ["train", "--epochs", "2", "--tests", "1"]
    for network in NETWORKS:
        for low_pass in ("yes", "no"):
            out = tmp_path / f"{network}-{low_pass}"
            cell = ["--network", network, "--low-pass", low_pass, "--out", str(out)]
            main([*common, *cell])
            assert len(json.loads((out / "result.json").read_text())["history"]) == 2
            assert (out / "confusion.png").stat().st_size > 5_000
    assert "steerable, " in capsys.readouterr().out
    main(["table", str(tmp_path)])
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + 4 + 2 * len(NETWORKS)
    assert table[2].startswith("| paper, 36^3 | steerable | yes | 41,198 |")
    drawn = []
    monkeypatch.setattr(program, "pieces_figure", drawn.append)  # it takes long
    main(["figure", str(tmp_path)])
    assert (tmp_path / "accuracy.png").stat().st_size > 5_000
    assert drawn == [tmp_path / "pieces.png"]


@pytest.mark.slow
def test_picture_of_the_pieces(tmp_path):
    """It is drawn before there are runs, too."""
    main(["figure", str(tmp_path)])
    assert (tmp_path / "pieces.png").stat().st_size > 5_000
