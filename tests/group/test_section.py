"""Sections of G -> G/H: the equations of the cocycle, the points of polyhedra, and bad sections."""

import pickle
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet import so3
from equinet.group import (
    FiniteGroup,
    Section,
    cosets,
    cyclic,
    dihedral,
    icosahedral,
    octahedral,
    orbit_section,
    point_group,
    section,
    semidirect_product,
    subgroup,
    subgroup_classes,
    symmetric,
    tetrahedral,
    trivial_group,
)
from tests.laws.cases import quaternion_group
from tests.tolerances import ROUNDING, assert_close

GROUPS = {
    "D4": dihedral(4),
    "S4": symmetric(4),
    "T": tetrahedral(),
    "D3d": point_group("D3d"),
    "Q8": quaternion_group(),
    "Z5 x| D1": semidirect_product(cyclic(5), dihedral(1)),
}
every_group = pytest.mark.parametrize("name", GROUPS)


@cache
def _subgroups(name: str) -> tuple[FiniteGroup, ...]:
    return subgroup_classes(GROUPS[name])


def _random_section(group: FiniteGroup, H: FiniteGroup, seed: int) -> Section:
    """Points in any order, any element of each coset but of H, where it must be the identity."""
    generator = torch.Generator().manual_seed(seed)
    s = section(group, H)
    members = group.table[list(s.numbers)][:, s.inclusion]  # (points, |H|)
    chosen = torch.randint(H.order, (len(s), 1), generator=generator)
    numbers = members.gather(1, chosen)[:, 0]
    numbers[s.base] = 0
    order = torch.randperm(len(s), generator=generator)
    return section(group, H, group.elements[numbers[order]])


@st.composite
def sections(draw) -> Section:
    name = draw(st.sampled_from(sorted(GROUPS)))
    H = draw(st.sampled_from(_subgroups(name)))
    return _random_section(GROUPS[name], H, draw(st.integers(0, 1000)))


def _representatives(s: Section) -> torch.Tensor:
    return s.group.elements[list(s.numbers)]


@given(s=sections())
def test_elements_split_into_a_point_and_a_part_in_h(s):
    """g = s(gH) h(g) (H2), as matrices; s(H) = 1; h(s(x)) = 1; h(gh) = h(g) h."""
    assert len(s) * s.subgroup.order == s.group.order
    product = _representatives(s)[s.coset] @ s.subgroup.elements[s.remainder]
    assert_close(product, s.group.elements, ROUNDING)
    assert s.numbers[s.base] == 0
    assert torch.equal(s.coset[list(s.numbers)], torch.arange(len(s)))
    assert (s.remainder[list(s.numbers)] == 0).all()
    moved = s.group.table[:, s.inclusion]
    assert torch.equal(s.remainder[moved], s.subgroup.table[s.remainder])
    assert torch.equal(s.coset[moved], s.coset[:, None].expand_as(moved))


@given(s=sections())
def test_the_cocycle_turns_fibres(s):
    """g s(x) = s(gx) h(x, g) (H2), as matrices."""
    left = s.group.elements[:, None] @ _representatives(s)
    right = _representatives(s)[s.moved] @ s.subgroup.elements[s.cocycle]
    assert_close(left, right, ROUNDING)


@given(s=sections())
def test_the_law_of_the_cocycle(s):
    """h(x, g1 g2) = h(g2 x, g1) h(x, g2) (H3), and G acts on the points."""
    table = s.group.table
    g1, g2 = (i.flatten() for i in torch.meshgrid(*[torch.arange(len(table))] * 2, indexing="ij"))
    product = table[g1, g2]
    assert torch.equal(s.moved[product], s.moved[g1].gather(1, s.moved[g2]))
    outer = s.cocycle[g1].gather(1, s.moved[g2])
    assert torch.equal(s.cocycle[product], s.subgroup.table[outer, s.cocycle[g2]])
    assert torch.equal(s.moved[0], torch.arange(len(s))) and (s.cocycle[0] == 0).all()


def test_another_order_of_the_law_fails():
    """Negative control: h(x, g1 g2) is not h(x, g2) h(g2 x, g1) where H does not commute."""
    s = section(symmetric(4), FiniteGroup(4, symmetric(4).elements[:6], "S3"))
    g1, g2 = 9, 20
    product, outer = int(s.group.table[g1, g2]), s.cocycle[g1, s.moved[g2]]
    assert torch.equal(s.cocycle[product], s.subgroup.table[outer, s.cocycle[g2]])
    assert not torch.equal(s.cocycle[product], s.subgroup.table[s.cocycle[g2], outer])


@every_group
def test_the_default_takes_the_first_element_of_each_coset(name):
    group = GROUPS[name]
    for H in _subgroups(name):
        s = section(group, H)
        assert_close(_representatives(s), cosets(group, H).representatives, 0.0)
        assert s.base == 0


@every_group
def test_h_leaves_its_point_in_place(name):
    """And nothing else does; for another point it is the conjugate s(x) H s(x)^-1."""
    group = GROUPS[name]
    for H in _subgroups(name):
        s = _random_section(group, H, 1)
        assert torch.equal((s.moved[:, s.base] == s.base).nonzero()[:, 0], s.inclusion)
        r = _representatives(s)[-1]
        stabiliser = (s.moved[:, -1] == len(s) - 1).nonzero()[:, 0]
        assert H.conjugate(r) == FiniteGroup(group.n, group.elements[stabiliser], "")


def _orbit(group: FiniteGroup, point: list[float]) -> torch.Tensor:
    moved = group.elements @ torch.tensor(point, dtype=torch.float64)
    return moved.round(decimals=9).unique(dim=0)


@pytest.mark.parametrize(
    ("group", "point", "count", "faces"),
    [
        (octahedral(), [1.0, 0.0, 0.0], 6, 4),
        (octahedral(), [1.0, 1.0, 1.0], 8, 3),
        (octahedral(), [1.0, 1.0, 0.0], 12, 2),
        (icosahedral(), "vertices", 12, 5),
        (icosahedral(), "faces", 20, 3),
        (icosahedral(), "edges", 30, 2),
        (icosahedral(), [0.2, 0.5, 1.0], 60, 1),
    ],
    ids=str,
)
def test_polyhedra(group, point, count, faces, generator):
    """Corners, faces and edges in any order: H is the rotations about the axis of the first."""
    if isinstance(point, str):  # the axis of the rotations of that order
        fold = {"vertices": 5, "faces": 3, "edges": 2}[point]
        angle = 2 * torch.pi / torch.tensor(float(fold), dtype=torch.float64)
        trace = group.elements.diagonal(dim1=1, dim2=2).sum(1)
        turn = group.elements[int((trace - 1 - 2 * angle.cos()).abs().argmin())]
        _, _, vh = torch.linalg.svd(turn - torch.eye(3, dtype=torch.float64))
        point = vh[-1].tolist()
    points = _orbit(group, point)
    assert len(points) == count
    points = points[torch.randperm(count, generator=generator)]
    s = orbit_section(group, points)
    assert len(s) == count and s.subgroup.order == faces and s.base == 0
    assert_close(s.subgroup.elements @ points[0], points[0].expand(faces, 3), 1e-8)
    # The numbers are those of the given points.
    assert_close((points @ group.elements.mT), points[s.moved], 1e-8)
    assert_close(_representatives(s) @ points[0], points, 1e-8)


def test_integers_and_single_precision_are_points_too():
    corners = torch.tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    s = orbit_section(dihedral(4), corners)
    assert s == orbit_section(dihedral(4), corners.float()) and s.subgroup.order == 2
    assert s.moved[1].tolist() == [1, 2, 3, 0]  # the quarter turn
    assert orbit_section(dihedral(4), torch.zeros(1, 2)).subgroup == dihedral(4)


def test_a_value():
    s = section(symmetric(4), _subgroups("S4")[3])
    again = pickle.loads(pickle.dumps(s))
    assert again == s and hash(again) == hash(s) and torch.equal(again.cocycle, s.cocycle)
    assert s != _random_section(s.group, s.subgroup, 2)
    assert repr(section(dihedral(4), cyclic(4))) == "a section of D4 over D4/C4"
    with pytest.raises(AttributeError):
        s.numbers = (0,)  # pyright: ignore
    with torch.device("meta"):
        assert section(dihedral(4), cyclic(4)).cocycle.device.type == "cpu"


def test_no_subgroup():
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of D4, got C3"):
        section(dihedral(4), cyclic(3))
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of D4, got C1"):
        section(dihedral(4), trivial_group(3))
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of C4, got D4"):
        Section(cyclic(4), dihedral(4), (0,))


def test_infinite_groups():
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(3\)"):
        section(so3(), octahedral())  # pyright: ignore
    with pytest.raises(TypeError, match=r"^subgroup: expected a finite group, got SO\(3\)"):
        section(octahedral(), so3())  # pyright: ignore
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(3\)"):
        orbit_section(so3(), torch.eye(3))  # pyright: ignore
    with pytest.raises(TypeError, match=r"^subgroup: expected a finite group, got 'C4'"):
        section(dihedral(4), "C4")  # pyright: ignore


def _mirror() -> FiniteGroup:
    return subgroup(dihedral(4), dihedral(4).elements[4:5], "Cs")


def test_sections_that_are_none():
    D4, H = dihedral(4), _mirror()
    good = section(D4, H).numbers
    one, two = D4.elements[list(good)], D4.table[:, int(section(D4, H).inclusion[1])]
    with pytest.raises(ValueError, match=r"^representatives: .* each of the 4 cosets of Cs, got"):
        section(D4, H, one[:3])
    with pytest.raises(ValueError, match=r"^representatives: .* coset of Cs, got two in one and"):
        section(D4, H, torch.stack([one[0], one[1], one[2], D4.elements[two[good[1]]]]))
    other = one.clone()
    other[0] = H.elements[1]
    with pytest.raises(ValueError, match=r"^representatives: expected the identity, number 0, for"):
        section(D4, H, other)
    with pytest.raises(ValueError, match=r"^representatives: expected elements of D4"):
        section(D4, H, cyclic(3).elements)
    with pytest.raises(ValueError, match=r"^representatives: expected elements of D4"):
        section(D4, H, torch.eye(3).expand(4, 3, 3))


@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 1, 2, 8), (0, 1, 2, -1), (0, 0, 1, 2), ()])
def test_numbers_that_are_no_section(numbers):
    with pytest.raises(ValueError, match=r"^numbers: expected (one |an integer from 0 to 7)"):
        Section(dihedral(4), _mirror(), numbers)


def test_points_that_are_no_orbit():
    S3, D4 = symmetric(3), dihedral(4)
    for wrong in (torch.eye(2), torch.ones(3), torch.zeros(0, 3)):
        with pytest.raises(ValueError, match=r"^points: expected positions \(count, 3\) for S3"):
            orbit_section(S3, wrong)
    with pytest.raises(ValueError, match=r"^points: .* got 2 points that are not all taken to one"):
        orbit_section(S3, torch.eye(3)[:2])
    with pytest.raises(ValueError, match=r"^points: .* got 4 points of which some are equal"):
        orbit_section(S3, torch.eye(3)[[0, 1, 2, 2]])
    with pytest.raises(ValueError, match=r"^points: .* not finite$"):
        orbit_section(S3, torch.full((3, 3), float("nan")))
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    with pytest.raises(ValueError, match=r"^points: .* got 8 points in 2 orbits, of 4, 4 points"):
        orbit_section(D4, torch.cat([square, 2 * square]))
    with pytest.raises(ValueError, match=r"^points: .* got 5 points in 2 orbits, of 1, 4 points"):
        orbit_section(D4, torch.cat([torch.zeros(1, 2), square]))
