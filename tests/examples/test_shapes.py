"""Shapes on the sphere: what the networks read turns with the surface, and that they learn."""

import json

import numpy as np
import pytest
import torch

import equinet as eq
from equinet.field import act
from examples.common.training import parameter_count
from examples.shapes import __main__ as program
from examples.shapes import data
from examples.shapes.data import INPUT, deformed, load, on_sphere
from examples.shapes.models import NETWORKS, shrec17_network
from tests.tolerances import SINGLE, assert_close

pytest.importorskip("trimesh")


def test_turned_surfaces_are_turned_functions(generator):
    """Exactly, and a network that commutes with turns does not see them; one of pictures does."""
    surfaces = load(None, each=2).test
    turns = eq.so3().sample(len(surfaces.labels), generator=generator)
    upright = on_sphere(surfaces.points, surfaces.normals)
    turned = on_sphere(surfaces.points, surfaces.normals, turns)
    assert_close(turned, act(INPUT, turns, upright), SINGLE)
    changes = {}
    for name in ("spin", "planar"):
        torch.manual_seed(0)
        network = NETWORKS[name](10).train()
        with torch.no_grad():
            network(upright)  # so that norms know their scale
            network.eval()
            seen, again = network(upright), network(turned)
        changes[name] = float((seen - again).abs().mean() / seen.std())
    assert changes["spin"] < changes["planar"] / 4


def test_deformed_surfaces_keep_their_normals():
    """At right angles to the differences of near points, as on a stretched plane."""
    surfaces = load(None, each=2).train
    flat = surfaces._replace(
        points=surfaces.points * torch.tensor([1.0, 1.0, 0.0]),
        normals=torch.tensor([0.0, 0.0, 1.0]).expand_as(surfaces.normals),
    )
    points, normals = deformed(flat, torch.arange(3), seed=0, epoch=0)
    across = ((points[:, 1:] - points[:, :1]) * normals[:, 1:]).sum(-1)
    assert across.abs().max() < 1e-5 and points.std(1).min() > 1e-3
    other, _ = deformed(flat, torch.arange(3), seed=0, epoch=1)
    assert not torch.equal(points, other)


def test_shrec17():
    assert parameter_count(shrec17_network()) == 1_399_515


def test_command_line(tmp_path, capsys):
    arguments = ["train", "--each", "2", "--epochs", "1", "--network", "regular"]
    program.main([*arguments, "--out", str(tmp_path / "run")])
    assert "regular, trained upright" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "result.json").read_text())["parameters"] > 0
    program.main(["table", str(tmp_path)])
    assert "tested rotated" in capsys.readouterr().out


def test_an_archive_of_other_numbers_is_refused(tmp_path):
    path = tmp_path / "shapes.npz"
    points = np.zeros((4, 8, 3), np.float32)
    labels, names = np.zeros(4, np.uint8), np.array(["a"])
    np.savez(path, points=points, normals=points, labels=labels, class_names=names)
    with pytest.raises(ValueError, match="expected int16 points"):
        load(path)
    assert data.test_samples(load(None, each=2).test).keys() == {"upright", "rotated"}
