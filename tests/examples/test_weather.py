"""Winds and oceans: how files are read, what turns with the Earth, and the programs."""

import math

import numpy as np
import pytest
import torch

import equinet as eq
from equinet import nn as enn
from equinet.field import act
from equinet.harmonics import gauss
from equinet.numerics import random_rotations
from equinet.testing import equivariance_error
from examples.weather import __main__ as program
from examples.weather.data import earth, winds
from examples.weather.models import spherical_unet
from tests.tolerances import assert_close


@pytest.mark.parametrize("north_first", [True, False])
def test_a_wind_of_an_archive(tmp_path, north_first):
    """Of the Earth turning as a whole: its vorticity is 2 sin(latitude), its divergence 0."""
    lat = np.linspace(90, -90, 19)[:: 1 if north_first else -1]
    lon = np.arange(-180.0, 180, 10)
    step = 1e-4
    u = np.broadcast_to(np.cos(np.radians(lat))[:, None], (19, 36))
    path = tmp_path / "winds.npz"
    np.savez(
        path,
        erai_u=np.round(u / step).astype(np.int16)[None, None],
        erai_v=np.zeros((1, 1, 19, 36), np.int16),
        erai_u_scale=np.array([step, 0.0]),
        erai_v_scale=np.array([step, 0.0]),
        erai_lat=lat,
        erai_lon=lon,
    )
    sphere = eq.Sphere(8, grid=gauss(8))
    w, fields = winds(path, sphere), sphere.fields("1x1")
    beta, _ = sphere.angles()
    assert_close(enn.Curl(fields).double()(w)[0, 0], 2 * beta.cos(), 1e-3)
    assert enn.Divergence(fields).double()(w).abs().max() < 1e-3


def test_classes_turn_with_the_earth(generator):
    """As a function does: on the half where a turned height is positive they are those of it."""
    sphere = eq.Sphere(12)
    made = earth(None, sphere)
    g = random_rotations(1, generator=generator)[0]
    turned = act(sphere.fields("4x0"), g.float(), made.seen)[0, 3]
    land = made.labels(sphere, g) < 0
    assert (land == (turned > 0.5)).float().mean() > 0.93
    assert (land == (made.seen[0, 3] > 0.5)).float().mean() < 0.9


def test_the_spherical_network_commutes(generator):
    """Up to what its gates make above the band, which is the less the smoother the fields."""
    torch.manual_seed(0)
    sphere = eq.Sphere(16)
    network = spherical_unet(sphere, 2, 3)
    x, y = sphere.fields("2x0"), sphere.fields("3x0")
    with torch.no_grad():
        network(eq.field.random_field(x, 4, band=4, generator=generator))  # norms know their scale
    assert equivariance_error(network.eval(), x, y, count=2, batch=1, band=3).mean < 0.02


def test_winds(tmp_path, capsys):
    program.main(["winds", "--band", "8", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "vorticity of a turned wind: error" in said and "| degrees |" in said
    assert {path.name for path in tmp_path.iterdir()} == {"wind.png", "vorticity.png"}


def test_oceans(tmp_path, capsys):
    options = ["--band", "8", "--steps", "2", "--turns", "1", "--out", str(tmp_path)]
    program.main(["oceans", *options])
    said = capsys.readouterr().out
    assert "| spherical-0 |" in said and "| planar-0 |" in said
    assert math.isfinite(float(said.split("| spherical-0 |")[1].split("|")[1]))
