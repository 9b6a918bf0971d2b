"""The continuous groups about an axis; their laws are in tests/laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equinet.group import axial, is_subgroup, o3, point_group, so2, so3
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

KINDS = ("Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh")
TILTED = (2.0, 1.0, -2.0)

axes = st.tuples(*[st.floats(-1, 1).filter(lambda a: abs(a) > 1e-3) for _ in "xyz"])
every_kind = pytest.mark.parametrize("kind", KINDS)


def rotation(axis, angle: float) -> torch.Tensor:
    """About ``axis``, by SciPy."""
    unit = torch.tensor(axis, dtype=torch.float64)
    vector = angle * unit / unit.norm()
    return torch.from_numpy(Rotation.from_rotvec(vector.numpy()).as_matrix())


def across(axis) -> list[float]:
    """A vector orthogonal to the axis."""
    x, y, z = axis
    return [y, -x, 0.0] if x or y else [1.0, 0.0, 0.0]


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), TILTED], ids=str)
def test_what_is_in_which_group(axis):
    """Schoenflies: v has mirrors through the axis, h one across it, D half turns across it."""
    half_turn = rotation(across(axis), math.pi)
    operations = {
        "turn": (rotation(axis, 0.3), "Cinf Cinfv Cinfh Dinf Dinfh"),
        "half turn across": (half_turn, "Dinf Dinfh"),
        "mirror through": (-half_turn, "Cinfv Dinfh"),
        "mirror across": (-rotation(axis, math.pi), "Cinfh Dinfh"),
        "inversion": (-torch.eye(3, dtype=torch.float64), "Cinfh Dinfh"),
        "rotary reflection": (-rotation(axis, 0.4), "Cinfh Dinfh"),
        "turn about another axis": (rotation(across(axis), 0.3), ""),
    }
    for what, (g, kinds) in operations.items():
        found = [kind for kind in KINDS if axial(kind, axis).contains(g)]
        assert found == kinds.split(), what


def test_a_slightly_tilted_turn_is_no_element():
    """Entries are to be within the tolerance, 1e-4; here some are off by 1e-2."""
    held = [kind for kind in KINDS if axial(kind).contains(rotation((1, 0, 0), 1e-2))]
    larger = [kind for kind in KINDS if is_subgroup(axial(kind, (0.01, 0, 1)), axial(kind))]
    assert held == larger == []


@given(axis=axes, kind=st.sampled_from(KINDS), seed=st.integers(0, 99))
def test_parts_undo_element(axis, kind, seed):
    """g maps the axis to s times itself, and the plane across it by h, s = 1 or det h or free."""
    group = axial(kind, axis)
    g = group.sample(20, generator=torch.Generator().manual_seed(seed))
    h, sign = group.parts(g)
    assert group.planar.contains(h)
    assert_close(group.element(h, sign), g, ROUNDING)
    if not group.has_free_sign:
        assert_close(group.element(h), g, ROUNDING)
    line = torch.tensor(group.axis, dtype=torch.float64)
    assert_close(g @ line, sign[:, None] * line, 2e-12)  # the axis is kept to twelve digits
    assert_close(torch.linalg.det(g), torch.linalg.det(h) * sign, ROUNDING)


@given(axis=axes)
def test_a_turn_is_right_handed_about_the_axis(axis):
    """By h of angle t, about the one of the two unit vectors that points up."""
    up = [-a for a in axis] if axis[2] < 0 else list(axis)
    h = so2().element(torch.tensor(0.7, dtype=torch.float64))
    assert_close(axial("Cinf", axis).element(h), rotation(up, 0.7), 5e-12)


@given(axis=axes, scale=st.sampled_from([-3.0, -1.0, 0.01, 1e6]), kind=st.sampled_from(KINDS))
def test_an_axis_has_no_length_and_no_direction(axis, scale, kind):
    group, other = axial(kind, axis), axial(kind, [scale * a for a in axis])
    assert group == other and hash(group) == hash(other)
    assert group != axial(kind, (axis[0], axis[1], axis[2] + 3))


def test_the_sign_of_an_axis_across_z():
    assert axial("Cinf", (0, -2, 0)).axis == (0, 1, 0)
    assert axial("Cinf", (-1, 0, 0)).axis == (1, 0, 0)
    assert axial("Cinf", (0, 0, -1)) == axial("Cinf")


@given(axis=axes, kind=st.sampled_from(KINDS), seed=st.integers(0, 99))
def test_a_conjugate_turns_the_axis(axis, kind, seed):
    by = o3().sample(generator=torch.Generator().manual_seed(seed))
    moved = (by @ torch.tensor(axis, dtype=torch.float64)).tolist()
    assert is_subgroup(axial(kind, axis).conjugate(by), axial(kind, moved))


@every_kind
def test_components(kind):
    """One for each combination of det h and s that the group has."""
    group = axial(kind, TILTED)
    h, sign = group.parts(group.components)
    found = list(zip(torch.linalg.det(h).round().tolist(), sign.round().tolist(), strict=True))
    expected = {
        "Cinf": {(1, 1)},
        "Cinfv": {(1, 1), (-1, 1)},
        "Cinfh": {(1, 1), (1, -1)},
        "Dinf": {(1, 1), (-1, -1)},
        "Dinfh": {(1, 1), (1, -1), (-1, 1), (-1, -1)},
    }
    assert len(found) == len(expected[kind]) and set(found) == expected[kind]
    g = group.sample(4_000, generator=torch.Generator().manual_seed(0))
    h, sign = group.parts(g)
    for det, s in found:  # a random element is in each with the same probability
        share = ((torch.linalg.det(h) * det > 0) & (sign * s > 0)).double().mean()
        p = 1 / len(found)
        assert abs(float(share) - p) <= STATISTICAL * math.sqrt(p * (1 - p) / 4_000)


INSIDE = {
    "C5": KINDS,
    "C5v": ("Cinfv", "Dinfh"),
    "C5h": ("Cinfh", "Dinfh"),
    "S8": ("Cinfh", "Dinfh"),
    "D5": ("Dinf", "Dinfh"),
    "D5d": ("Dinfh",),
    "D5h": ("Dinfh",),
    "Ci": ("Cinfh", "Dinfh"),
    "T": (),
    "Oh": (),
}


@pytest.mark.parametrize("name", INSIDE)
def test_the_finite_groups_inside(name):
    group = point_group(name, TILTED)
    assert [k for k in KINDS if is_subgroup(group, axial(k, TILTED))] == list(INSIDE[name])


def test_the_continuous_groups_inside():
    lattice = {
        (a, b) for a in KINDS for b in KINDS if is_subgroup(axial(a, TILTED), axial(b, TILTED))
    }
    proper = {("Cinf", kind) for kind in KINDS} | {(kind, "Dinfh") for kind in KINDS}
    assert lattice == proper | {(kind, kind) for kind in KINDS}
    assert [k for k in KINDS if is_subgroup(axial(k, TILTED), so3())] == ["Cinf", "Dinf"]
    assert not is_subgroup(axial("Cinf", TILTED), axial("Cinf"))


@pytest.mark.parametrize(
    "axis", [(0, 0, 0), (0, 1), (0, 0, 0, 1), (0, math.nan, 1), (math.inf, 0, 1)]
)
def test_bad_axes(axis):
    with pytest.raises(
        ValueError, match="^axis: expected a vector of three numbers, not zero, got"
    ):
        axial("Cinf", axis)


def test_bad_kind():
    with pytest.raises(ValueError, match="^kind: expected one of Cinf, .*, Dinfh, got 'Dinfd'$"):
        axial("Dinfd")
