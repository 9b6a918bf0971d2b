"""The sphere as a space."""

import math
import pickle

import numpy as np
import pytest
import torch

from equinet import Sphere, so2, so3
from equinet.harmonics import Rings, equiangular, gauss, healpix, soft
from tests.tolerances import assert_close


def test_its_groups():
    assert Sphere(4).group == so3() and Sphere(4).fibre_group == so2()


def test_a_value():
    sphere = Sphere(band=6)
    assert sphere.at(band=4) == Sphere(4) != sphere
    assert hash(sphere.at(4).at(6)) == hash(sphere)
    assert pickle.loads(pickle.dumps(sphere)) == sphere
    assert eval(repr(sphere), {"Sphere": Sphere}) == sphere
    with pytest.raises(AttributeError):
        sphere.band = 3


def test_axes():
    sphere = Sphere(3)
    assert sphere.axes(sphere.fields("1x2").blocks) == {"beta": 6, "alpha": 6}
    regular = sphere.axes(sphere.fields("1x regular").blocks)
    assert list(regular.items()) == [("beta", 6), ("alpha", 6), ("gamma", 6)]


@pytest.mark.parametrize("band", [0, -1, 2.0, "3", None, True])
def test_bad_band(band):
    for make in (Sphere, Sphere(4).at):
        with pytest.raises(ValueError, match=r"^band: expected an integer >= 1, got"):
            make(band)


def test_on_rings():
    sphere = Sphere(4, grid=gauss(6))
    assert sphere.rings == gauss(6) and sphere != Sphere(4) == Sphere(4, grid=soft(4))
    assert pickle.loads(pickle.dumps(sphere)) == sphere and hash(sphere) != hash(Sphere(4))
    assert sphere.fields("1x0+1x2").shape(5) == (5, 3, 6, 12)
    assert eval(repr(sphere), {"Sphere": Sphere, "gauss": gauss}) == sphere
    assert Sphere(4, grid=healpix(2)).fields("1x1").axes == {"point": 48}
    assert sphere.at(6, gauss(6)) == Sphere(6, gauss(6)) and sphere.at(4) == sphere
    with pytest.raises(ValueError, match=r"^grid: expected the rings for band 3, .* at\(3, gauss"):
        sphere.at(3)
    assert sphere.positions().shape == (6, 12, 3) and sphere.angles()[0].shape == (6, 12)
    assert Sphere(2, grid=soft(3)).fields("1x regular").shape(1) == (1, 1, 6, 6, 6)


def test_areas():
    """Those of rings between parallels, 2 pi (cos a - cos b), up to the width of a ring."""
    for rings in (gauss(6), soft(3), healpix(2), equiangular(40, 12, poles=False)):
        areas = Sphere(3, grid=rings).areas()
        assert areas.shape == rings.shape
        assert abs(float(areas.sum()) - 4 * math.pi) < 1e-12
    edges = torch.linspace(0, math.pi, 41, dtype=torch.float64).cos()
    assert_close(areas.sum(1).cumsum(0), 2 * math.pi * (1 - edges[1:]), 3e-3)


def test_integers_of_numpy():
    """Sizes from files are such."""
    assert repr(Sphere(np.int64(4))) == "Sphere(band=4)" and Sphere(np.int32(4)) == Sphere(4)
    with pytest.raises(ValueError, match="^band: expected an integer"):
        Sphere(np.float64(4))


def test_a_grid_that_cannot_hold_the_band():
    message = r"^grid: expected rings that hold band 7, got {}, which hold up to band 6"
    for grid in (gauss(6), equiangular(11, 30, poles=True), equiangular(30, 11, poles=True)):
        name = repr(grid).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=message.format(name)):
            Sphere(7, grid=grid)
    half = Rings((0.1, 0.8, 1.5), (0.2, 0.4, 0.4), (8,) * 3, degree=2)
    with pytest.raises(ValueError, match="^grid: expected rings that the equator mirrors"):
        Sphere(2, grid=half)
    with pytest.raises(TypeError, match=r"^grid: expected Rings, such as gauss\(4\), got 12"):
        Sphere(4, grid=12)
    with pytest.raises(ValueError, match=r"^blocks: expected irreps, .* got .* on gauss\(6, 12\)"):
        Sphere(4, grid=gauss(6)).fields("1x regular")
