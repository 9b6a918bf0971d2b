"""The sphere as a space."""

import pickle

import pytest

from equinet import Sphere, so2, so3


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
