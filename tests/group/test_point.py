"""The point groups of space against the crystallographers' tables; laws are in tests/laws."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equinet.group import (
    FiniteGroup,
    Group,
    axial,
    conjugacy_classes,
    icosahedral,
    inversion,
    is_subgroup,
    o3,
    octahedral,
    point_group,
    so3,
    tetrahedral,
    trivial_group,
)
from equinet.group.point import HERMANN_MAUGUIN, is_point_group_name
from tests.tolerances import ROUNDING, assert_close

# Schoenflies, Hermann-Mauguin, order, number of classes: International Tables A, chapter 10.1,
# and any book of character tables.
CRYSTAL = """
C1 1 1 1      Ci -1 2 2     C2 2 2 2      Cs m 2 2       C2h 2/m 4 4    D2 222 4 4
C2v mm2 4 4   D2h mmm 8 8   C4 4 4 4      S4 -4 4 4      C4h 4/m 8 8    D4 422 8 5
C4v 4mm 8 5   D2d -42m 8 5  D4h 4/mmm 16 10
C3 3 3 3      S6 -3 6 6     D3 32 6 3     C3v 3m 6 3     D3d -3m 12 6
C6 6 6 6      C3h -6 6 6    C6h 6/m 12 12 D6 622 12 6    C6v 6mm 12 6   D3h -6m2 12 6
D6h 6/mmm 24 12
T 23 12 4     Th m-3 24 8   O 432 24 5    Td -43m 24 5   Oh m-3m 48 10
""".split()
TABLE = {
    name: (hermann, int(order), int(classes))
    for name, hermann, order, classes in zip(*[iter(CRYSTAL)] * 4, strict=True)
}
CHIRAL = set("C1 C2 C3 C4 C6 D2 D3 D4 D6 T O".split())  # rotations only
CENTRIC = set("Ci C2h D2h C4h D4h S6 D3d C6h D6h Th Oh".split())  # -1 is in them: the Laue groups
POLAR = set("C1 Cs C2 C2v C3 C3v C4 C4v C6 C6v".split())  # some vector is fixed

PHI = (1 + math.sqrt(5)) / 2


def finite(name: str, axis=(0.0, 0.0, 1.0)) -> FiniteGroup:
    group = point_group(name, axis)
    assert isinstance(group, FiniteGroup)
    return group


def kinds(group: FiniteGroup) -> tuple:
    """How often each (determinant, trace) comes: it tells the point groups apart."""
    trace = group.elements.diagonal(dim1=-2, dim2=-1).sum(-1)
    pairs = torch.stack([torch.linalg.det(group.elements), trace], -1)
    return tuple(sorted((round(d), round(t, 6) + 0.0) for d, t in pairs.tolist()))


def test_the_table_has_the_32_groups():
    assert len(TABLE) == len(HERMANN_MAUGUIN) == 32
    assert len({kinds(finite(name)) for name in TABLE}) == 32
    assert len(CHIRAL) == len(CENTRIC) == 11 and len(POLAR) == 10


@pytest.mark.parametrize("name", TABLE)
def test_crystallographic_groups(name):
    hermann, order, classes = TABLE[name]
    group = finite(name)
    assert group.order == order and group.name == name
    assert len(conjugacy_classes(group)) == classes
    assert point_group(hermann) == group and str(point_group(hermann)) == name
    assert point_group(re.sub("(?<=[A-Z])(?=.)", "_", name)) == group
    assert is_subgroup(group, so3()) == (name in CHIRAL)
    assert is_subgroup(inversion(3), group) == (name in CENTRIC)
    fixed = torch.linalg.matrix_rank(group.elements.mean(0), atol=1e-9)
    assert (fixed > 0) == (name in POLAR)
    for g in group.elements:  # the crystallographic restriction
        assert abs(float(g.trace().round() - g.trace())) < ROUNDING


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), (1.0, -2.0, 0.5)], ids=str)
@given(n=st.integers(2, 13))
def test_axial_groups_of_any_order(axis, n):
    """Orders, and the largest of the continuous groups that holds each."""
    expected = {
        f"C{n}": (n, "Cinf"),
        f"C{n}v": (2 * n, "Cinfv"),
        f"C{n}h": (2 * n, "Cinfh"),
        f"S{2 * n}": (2 * n, "Cinfh"),
        f"D{n}": (2 * n, "Dinf"),
        f"D{n}h": (4 * n, "Dinfh"),
        f"D{n}d": (4 * n, "Dinfh"),
    }
    turns = axial("Cinf", axis)
    for name, (order, kind) in expected.items():
        group = finite(name, axis)
        assert group.order == order, name
        assert is_subgroup(group, axial(kind, axis)), name
        assert int(turns.mask(group.elements).sum()) == n, name  # turns about the main axis
    assert is_subgroup(finite(f"S{2 * n}", axis), finite(f"D{n}d", axis))
    for small, large in (("C#v", "D#h"), ("C#h", "D#h"), ("D#", "D#h"), ("D#", "D#d")):
        small, large = (text.replace("#", str(n)) for text in (small, large))
        assert is_subgroup(finite(small, axis), finite(large, axis)), (small, large)
    centric = [name for name in expected if finite(name).contains(-torch.eye(3))]
    evens, odds = [f"C{n}h", f"D{n}h"], [f"S{2 * n}", f"D{n}d"]
    assert centric == (evens if n % 2 == 0 else odds)


@given(n=st.integers(1, 12))
def test_isomorphic_groups(n):
    """C_nv and D_n have one table, in the order of their elements, for n > 1."""
    if n > 1:
        assert torch.equal(finite(f"C{n}v").table, finite(f"D{n}").table)
    assert len(conjugacy_classes(finite(f"S{4 * n}"))) == 4 * n  # cyclic


def rotation(axis, angle: float) -> torch.Tensor:
    unit = torch.tensor(axis, dtype=torch.float64)
    return torch.from_numpy(Rotation.from_rotvec((angle * unit / unit.norm()).numpy()).as_matrix())


def test_standard_orientation():
    """Main axis z, half turns across it from x on, mirrors through it from xz on."""
    z, x = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)
    five, half = rotation(z, 2 * math.pi / 5), rotation(x, math.pi)
    through = torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    for name, members in {
        "C5": [five],
        "C5v": [five, through],
        "D5": [five, half],
        "D5h": [five, half, through],
        "O": [rotation(z, math.pi / 2), rotation(x, math.pi / 2)],
        "T": [rotation(z, math.pi), rotation((1, 1, 1), 2 * math.pi / 3)],
        "Td": [-rotation(z, math.pi / 2)],
        "I": [rotation(z, math.pi), rotation((0, 1, PHI), 2 * math.pi / 5)],
    }.items():
        assert finite(name).contains(torch.stack(members)), name


def _cyclic_permutations(points: torch.Tensor) -> torch.Tensor:
    return torch.cat([points.roll(i, -1) for i in range(3)])


def _signs(*entries: float) -> torch.Tensor:
    choices = torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 3)
    return (choices * torch.tensor(entries, dtype=torch.float64)).unique(dim=0)


POLYHEDRA = {
    "tetrahedron": _signs(1, 1, 1)[_signs(1, 1, 1).prod(-1) > 0],
    "cube": _signs(1, 1, 1),
    "octahedron": _cyclic_permutations(_signs(0, 0, 1)),
    "icosahedron": _cyclic_permutations(_signs(0, 1, PHI)),
    "dodecahedron": torch.cat([_signs(1, 1, 1), _cyclic_permutations(_signs(0, PHI, 1 / PHI))]),
}


def symmetries(points: torch.Tensor, group: FiniteGroup) -> torch.Tensor:
    """Which elements permute the points."""
    moved = torch.einsum("gij,pj->gpi", group.elements, points)
    distance = torch.cdist(moved, points.expand(group.order, -1, -1))
    return (distance.min(-1).values < 1e-9).all(-1)


@pytest.mark.parametrize("solid", POLYHEDRA)
def test_polyhedra(solid):
    """T_d, O_h and I_h permute the corners, O not those of the tetrahedron, I not the cube's."""
    full, corners = {
        "tetrahedron": ("Td", 4),
        "cube": ("Oh", 8),
        "octahedron": ("Oh", 6),
        "icosahedron": ("Ih", 12),
        "dodecahedron": ("Ih", 20),
    }[solid]
    points = POLYHEDRA[solid]
    assert len(points) == corners
    for name in ("T", "Td", "Th", "O", "Oh", "I", "Ih"):
        group = finite(name)
        inside = symmetries(points, group)
        assert torch.equal(inside, point_group(full).mask(group.elements)), name
    assert symmetries(points, finite(full)).all()
    turned = points @ rotation((1, 2, 3), 0.1).T
    assert int(symmetries(turned, finite("Oh")).sum()) == 2 - (solid == "tetrahedron")  # control


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7])
def test_polygons(n):
    """D_nh permutes the corners of a polygon with one on the x axis, D_nd not."""
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    corners = torch.stack([angle.cos(), angle.sin(), torch.zeros(n, dtype=torch.float64)], -1)
    assert symmetries(corners, finite(f"D{n}h")).all()
    assert int(symmetries(corners, finite(f"D{n}d")).sum()) == 2 * n


def test_icosahedral_orders():
    for name, order, classes in (("I", 60, 5), ("Ih", 120, 10)):
        assert finite(name).order == order and len(conjugacy_classes(finite(name))) == classes
    assert [octahedral(), tetrahedral(), icosahedral()] == [point_group(n) for n in "OTI"]
    assert is_subgroup(tetrahedral(), octahedral()) and is_subgroup(tetrahedral(), icosahedral())


def test_other_names():
    same = ["C1h Cs m", "S2 Ci -1", "C_inf_v Cinfv", "D_2_d D2d -42m", "C_6_v C6v 6mm", "C1 1"]
    for names in same:
        first, *others = (point_group(name) for name in names.split())
        assert all(other == first for other in others), names
    assert point_group("C1") == trivial_group(3) and point_group("Dinfh") == axial("Dinfh")


@given(
    name=st.sampled_from(["C4", "D3", "C5v", "S8", "Td", "Oh"]),
    axis=st.tuples(*[st.floats(-1, 1)] * 2, st.floats(0.01, 1)),
    scale=st.sampled_from([2.0, -1.0, 1e-3]),
)
def test_axis(name, axis, scale):
    """The group is turned by the smallest rotation from z to the axis, of any length and sign."""
    group = finite(name, axis)
    unit = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    about = torch.tensor([-axis[1], axis[0], 0.0], dtype=torch.float64)  # z x axis
    if float(about.norm()) > 1e-6:
        turn = rotation(about.tolist(), math.acos(min(1.0, float(unit[2]))))
        inner = turn.mT @ group.elements @ turn
        assert_close(inner, point_group(name).components[finite(name).index(inner)], 1e-7)
    assert finite(name, [scale * a for a in axis]) == group


def test_axis_of_a_rotation():
    assert finite("C4", (1, 1, 1)).contains(rotation((1, 1, 1), math.pi / 2))
    assert not finite("C4", (1, 1, 1)).contains(rotation((0, 0, 1), math.pi / 2))
    assert finite("C4", (0, 0, -7)) == finite("C4")
    with pytest.raises(ValueError, match="^axis: expected a vector of three numbers"):
        point_group("C4", (0, 0, 0))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("m-3n", "m-3m"),
        ("Dinfd", "Dinfh"),
        ("Sinf", "Cinf"),
        ("D1", "D6"),
        ("C0", "Cs"),
        ("S5", "S6"),
        ("4/mm", "4/mmm"),
        ("o", None),
        ("", None),
        ("SO(3)", None),
    ],
)
def test_unknown_names(wrong, near):
    assert not is_point_group_name(wrong)
    with pytest.raises(ValueError) as caught:
        point_group(wrong)
    message = f"name: expected the name of a group, got {wrong!r}"
    assert str(caught.value).startswith(message)
    if near:
        assert re.search(f"; the nearest are .*{re.escape(near)}", str(caught.value))


def test_every_known_name_is_known():
    for name in (*TABLE, *HERMANN_MAUGUIN, "I", "Ih", "S12", "C9v", "Cinfh"):
        assert is_point_group_name(name) and isinstance(point_group(name), Group)
        assert is_subgroup(point_group(name), o3())


@pytest.mark.parametrize("wrong", [4, None])
def test_names_that_are_no_strings(wrong):
    with pytest.raises(TypeError, match="^name: expected a string, got"):
        point_group(wrong)
