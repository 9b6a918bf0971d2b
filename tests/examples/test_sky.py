"""The sky: E and B of maps on HEALPix, whichever way it is turned, and the program."""

import numpy as np
import pytest
import torch

import equinet as eq
from equinet import nn as enn
from equinet.field import act
from equinet.harmonics import gauss
from examples.sky import __main__ as program
from examples.sky.data import load, sampled
from tests.tolerances import ROUNDING, assert_close


def test_the_sky_that_is_made_up_has_no_b(generator):
    """Nor has it when it is turned; with U of the other sign it has."""
    sky = load(None)
    sphere = eq.Sphere(16, grid=gauss(16))
    two = sphere.fields("1x2")
    modes = enn.EBModes(two).double()
    _, p = sampled(sky, sphere)
    g = eq.so3().sample(generator=generator)
    for x in (p, act(two, g, p)):
        e, b = modes(x).unbind(1)
        assert b.abs().max() < ROUNDING * e.abs().max() * 100
    e, b = modes(act(two, g, p) * torch.tensor([1.0, -1.0])[:, None, None].double()).unbind(1)
    assert b.norm() > 0.1 * e.norm()


def test_an_archive_is_read_as_healpix(tmp_path):
    """I and the polarisation of a file are those on the rings."""
    made = load(None)
    path = tmp_path / "sky.npz"
    np.savez(path, wmap_W=torch.stack([made.intensity, made.q, made.u]).numpy(), short=np.ones(3))
    sphere = eq.Sphere(8, grid=gauss(8))
    for found, expected in zip(sampled(load(path), sphere), sampled(made, sphere), strict=True):
        assert_close(found, expected, ROUNDING)
    with pytest.raises(ValueError, match="expected finite I, Q, U on HEALPix"):
        load(path, "short")


def test_command_line(tmp_path, capsys):
    program.main(["--band", "8", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "| 2 to 2 |" in said and "E and B of a turned sky" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        *("sky.png", "polarisation.png", "modes.png")
    }
