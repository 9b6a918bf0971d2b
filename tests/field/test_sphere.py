"""The sphere as a space."""

import pickle

import pytest

from equinet import Sphere, so2, so3
from equinet.harmonics import equiangular, gauss, healpix, soft


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
    assert sphere.at(6, gauss(6)) == Sphere(6, gauss(6)) and sphere.at(5) == Sphere(5)
    assert sphere.positions().shape == (6, 12, 3) and sphere.angles()[0].shape == (6, 12)
    assert Sphere(2, grid=soft(3)).fields("1x regular").shape(1) == (1, 1, 6, 6, 6)


def test_a_grid_that_cannot_hold_the_band():
    message = r"^grid: expected rings that hold band 7, got {}, which hold up to band 6"
    for grid in (gauss(6), equiangular(11, 30, poles=True), equiangular(30, 11, poles=True)):
        name = repr(grid).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=message.format(name)):
            Sphere(7, grid=grid)
    with pytest.raises(TypeError, match=r"^grid: expected Rings, such as gauss\(4\), got 12"):
        Sphere(4, grid=12)
    with pytest.raises(ValueError, match=r"^blocks: expected irreps, .* got .* on gauss\(6, 12\)"):
        Sphere(4, grid=gauss(6)).fields("1x regular")
