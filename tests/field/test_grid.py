"""Line, plane and volume as spaces."""

import copy
import pickle

import numpy as np
import pytest
import torch

from equinet import so2, so3
from equinet.field import Line, Plane, Sphere, Volume
from equinet.group import cyclic, dihedral, named_group, o2, o3, octahedral
from tests.tolerances import ROUNDING, assert_close

SPACES = [
    Line("O(1)"),
    Line("O(1)", spacing=0.5),
    Plane("C8"),
    Plane("D4", spacing=2),
    Plane("SO(2)", spacing=(1.0, 3.0)),
    Volume("SO(3)"),
    Volume("m-3m", spacing=(1, 1, 2.5)),
    Volume("O(3)", spacing=0.1),
]
every_space = pytest.mark.parametrize("space", SPACES, ids=repr)


@every_space
def test_a_value(space):
    for again in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert again == space and hash(again) == hash(space)
    assert eval(repr(space), {"Line": Line, "Plane": Plane, "Volume": Volume}) == space
    with pytest.raises(AttributeError):
        space.spacing = (1.0,)
    assert len({*SPACES, space}) == len(SPACES)


def test_a_group_or_its_name():
    assert Plane("SO(2)") == Plane(so2()) and Plane("O(2)") == Plane(o2())
    assert Plane("C8") == Plane(cyclic(8)) and Plane("D4") == Plane(dihedral(4))
    assert Volume("SO(3)") == Volume(so3()) and Volume("O(3)") == Volume(o3())
    assert Volume("O") == Volume(octahedral())
    assert Line("O(1)") == Line(named_group("O(1)", 1))
    assert Plane("C4") != Plane("C8") != Volume("C8") != Plane("SO(2)")


@every_space
def test_its_groups(space):
    assert space.fibre_group == space.group and space.group.n == space.n == len(space.spacing)


def test_spacing():
    assert Plane("C4").spacing == (1.0, 1.0)
    assert Plane("C4", spacing=2) == Plane("C4", spacing=[2.0, 2.0]) != Plane("C4")
    assert Volume("SO(3)", (1, 2, 3)).spacing == (1.0, 2.0, 3.0)
    assert Line("O(1)", np.float64(0.5)).spacing == (0.5,)


@pytest.mark.parametrize(
    "spacing", [0, -1.0, float("nan"), float("inf"), (1,), (1, 1, 1), (1, 0), ()]
)
def test_spacing_out_of_range(spacing):
    with pytest.raises(ValueError, match=r"^spacing: expected 2 finite numbers > 0 or one, got "):
        Plane("C4", spacing)


@pytest.mark.parametrize("spacing", [None, "11", True, (1.0, "1"), (1.0, None), (True, 1.0)])
def test_spacing_that_is_no_number(spacing):
    with pytest.raises(TypeError, match=r"^spacing: expected a number or 2 of them, got "):
        Plane("C4", spacing)


def test_groups_that_do_not_fit():
    for make, n in ((Line, 1), (Plane, 2), (Volume, 3)):
        group = so3() if n < 3 else so2()
        with pytest.raises(ValueError, match=rf"^group: a {make.__name__} needs a group of {n} x"):
            make(group)
        with pytest.raises(TypeError, match="^group: expected a Group or its name, got int"):
            make(5)
        with pytest.raises(ValueError, match="^group: .*'nonsense'"):
            make("nonsense")


def test_axes():
    assert Line("O(1)").axes(()) == {"x": None}
    assert list(Plane("C4").axes(())) == ["y", "x"]
    assert list(Volume("SO(3)").axes(())) == ["x", "y", "z"]


@pytest.mark.parametrize("space", [Plane(so2()), Volume(so3(), spacing=2.0)], ids=repr)
def test_infinite_fibres_are_refused(space):
    """On the sphere they are functions on SO(3); here nothing samples them."""
    for text in ("1x regular", "2x0 + 1x regular"):
        with pytest.raises(ValueError, match="^blocks: .*finite dimension, got .*band-limited"):
            space.fields(text)
    assert Sphere(3).fields("1x regular").is_sampled


def test_positions():
    """Centred; in an image y runs upwards, against the rows."""
    assert_close(Line("O(1)", 0.5).positions(4)[:, 0], [-0.75, -0.25, 0.25, 0.75], 0)
    plane = Plane("C4", spacing=(1.0, 10.0)).positions(2, 3)
    assert plane.tolist() == [
        [[-1.0, 5.0], [0.0, 5.0], [1.0, 5.0]],
        [[-1.0, -5.0], [0.0, -5.0], [1.0, -5.0]],
    ]
    volume = Volume("SO(3)", spacing=(1.0, 2.0, 3.0)).positions(3, 4, 5)
    assert volume.shape == (3, 4, 5, 3)
    assert_close(volume[0, 0, 0], [-1.0, -3.0, -6.0], 0)
    assert_close(volume[2, 3, 4], [1.0, 3.0, 6.0], 0)
    assert_close(volume.mean((0, 1, 2)), torch.zeros(3), ROUNDING)
    assert Plane("C4").positions(2, 2, dtype=torch.float32).dtype == torch.float32
    with pytest.raises(ValueError, match="^sizes: expected one for each of"):
        Plane("C4").positions(3)
