"""The inside of a group against published numbers; the laws are in tests/laws."""

import itertools
import math
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    FiniteGroup,
    Group,
    alternating,
    axial,
    conjugacy_classes,
    cosets,
    cyclic,
    dihedral,
    direct_product,
    find_subgroup,
    icosahedral,
    is_subgroup,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    subgroup,
    subgroup_classes,
    symmetric,
    tetrahedral,
    trivial_group,
)
from tests.group.test_point import finite
from tests.laws.cases import generic_rotation, quaternion_group
from tests.tolerances import ROUNDING, assert_close

# Conjugacy classes of elements and of subgroups, and the number of all subgroups, from tables of
# marks in the literature; for S_n also OEIS A000638 and A005432.
PUBLISHED = {
    "S3": (symmetric(3), 3, 4, 6),
    "S4": (symmetric(4), 5, 11, 30),
    "S5": (symmetric(5), 7, 19, 156),
    "A4": (alternating(4), 4, 5, 10),
    "A5": (alternating(5), 5, 9, 59),
    "Q8": (quaternion_group(), 5, 6, 6),
    "D4": (dihedral(4), 5, 8, 10),
    "Oh": (point_group("Oh"), 10, 33, 98),
    "O": (octahedral(), 5, 11, 30),
    "I": (icosahedral(), 5, 9, 59),
    "Ih": (point_group("Ih"), 10, 22, 164),
    "2 x 2 x 2": (point_group("mmm"), 8, 16, 16),
}


@cache
def brute_force(group: FiniteGroup) -> set[frozenset[int]]:
    """All subgroups: joins of cyclic ones until there are no new ones, on the table."""
    table = group.table.tolist()

    def closure(members: frozenset[int]) -> frozenset[int]:
        found = members | {0}
        while more := {table[i][j] for i in found for j in members} - found:
            found |= more
        return frozenset(found)

    cycles = {closure(frozenset([i])) for i in range(group.order)}
    found, new = set(cycles), cycles
    while new:
        new = {closure(a | b) for a, b in itertools.product(new, cycles)} - found
        found |= new
    return found


def conjugates(group: FiniteGroup, inner: FiniteGroup) -> set[frozenset[int]]:
    e = group.elements[:, None]
    return {frozenset(row.tolist()) for row in group.index(e @ inner.elements @ e.mT)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers(name):
    group, element_classes, classes, all_subgroups = PUBLISHED[name]
    found = subgroup_classes(group)
    assert len(conjugacy_classes(group)) == element_classes
    assert len(found) == classes
    assert sum(len(conjugates(group, inner)) for inner in found) == all_subgroups
    assert found[0] == trivial_group(group.n) and found[-1] == group
    assert [inner.order for inner in found] == sorted(inner.order for inner in found)


SMALL = [dihedral(6), octahedral(), symmetric(4), quaternion_group()]
SMALL += [point_group(name) for name in ("D4h", "D6d", "Td", "Th", "D3d")]


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_subgroup_classes_by_brute_force(group):
    """The conjugates of the representatives are all subgroups, each once."""
    found = [conjugates(group, inner) for inner in subgroup_classes(group)]
    assert set().union(*found) == brute_force(group)
    assert sum(map(len, found)) == len(brute_force(group))


@given(n=st.integers(1, 12))
def test_subgroups_of_cyclic_and_dihedral_groups(n):
    """One C_m for each m that divides n; D_m of one class if n / m is odd, else of two."""
    divisors = [m for m in range(1, n + 1) if n % m == 0]
    assert [inner.order for inner in subgroup_classes(cyclic(n))] == divisors
    expected = len(divisors) + sum(1 + (n // m + 1) % 2 for m in divisors)
    assert len(subgroup_classes(dihedral(n))) == expected


def test_subgroup_classes_do_not_depend_on_the_frame():
    moved = octahedral().conjugate(generic_rotation())
    orders = [inner.order for inner in subgroup_classes(moved)]
    assert orders == [inner.order for inner in subgroup_classes(octahedral())]
    assert all(is_subgroup(inner, moved) for inner in subgroup_classes(moved))


# ---------------------------------------------------------------- one subgroup


@given(numbers=st.lists(st.integers(0, 47), max_size=3))
def test_subgroup(numbers):
    group = finite("Oh")
    inner = subgroup(group, group.elements[numbers])
    members = frozenset(group.index(inner.elements).tolist())
    assert members in brute_force(group) and members.issuperset(numbers)
    assert all(members <= larger for larger in brute_force(group) if larger.issuperset(numbers))
    assert inner.name == f"a subgroup of Oh of order {inner.order}"
    assert subgroup(group, inner.generators, "H").name == "H"


def test_generators_of_a_subgroup_must_be_elements():
    with pytest.raises(ValueError, match=r"^generators: expected elements of O, .* with \[\[-1"):
        subgroup(octahedral(), -torch.eye(3, dtype=torch.float64)[None])


def test_a_subgroup_of_a_continuous_group():
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(3\)$"):
        subgroup(so3(), torch.eye(3)[None])  # pyright: ignore[reportArgumentType]


# Subgroups of O_h up to conjugation, by Schoenflies, and how many subgroups are conjugate in O(3).
IN_OH = "C1 Ci Cs C2 C2h C2v D2 D2h C3 S6 D3 C3v D3d C4 S4 C4h D4 C4v D2d D4h T Th Td O Oh".split()


@pytest.mark.parametrize("name", IN_OH)
def test_find_subgroup(name):
    group, like = finite("Oh"), finite(name)
    turned = like.conjugate(generic_rotation())
    for pattern in (like, turned):
        found = find_subgroup(group, pattern)
        assert found.name == name and found.order == like.order
        assert is_subgroup(found, group)
    if is_subgroup(like, group):
        assert find_subgroup(group, like) == like


def test_find_subgroup_in_another_frame():
    moved = octahedral().conjugate(generic_rotation())
    for name in ("C2", "D3", "T", "O"):
        like = finite(name)
        assert like == moved or not is_subgroup(like, moved)
        assert is_subgroup(find_subgroup(moved, like), moved)


def test_subgroups_that_are_not_found():
    for group, like in (
        (tetrahedral(), octahedral()),
        (octahedral(), point_group("C5")),
        (octahedral(), point_group("C2v")),  # of order 4 as D2, but not of rotations
        (octahedral(), dihedral(4)),
        (point_group("Td"), point_group("C4")),  # it has S4
    ):
        with pytest.raises(ValueError, match=f"^like: expected a subgroup of {group} up to its or"):
            find_subgroup(group, like)  # pyright: ignore[reportArgumentType]


def _mixed() -> Any:
    return so3(), octahedral()


@pytest.mark.parametrize(
    ("use", "argument"),
    [
        (lambda: conjugacy_classes(so3()), "group"),
        (lambda: subgroup_classes(so3()), "group"),
        (lambda: find_subgroup(*_mixed()), "group"),
        (lambda: find_subgroup(*_mixed()[::-1]), "like"),
    ],
)
def test_continuous_groups_have_no_lists(use, argument):
    with pytest.raises(TypeError, match=rf"^{argument}: expected a finite group, got SO\(3\)$"):
        use()


# ---------------------------------------------------------------- cosets

TILTED = (1.0, -2.0, 0.5)
FINITE_INDEX: list[tuple[Group, Group, int]] = [
    (o2(), so2(), 2),
    (o3(), so3(), 2),
    (so3(), so3(), 1),
    (axial("Cinfv", TILTED), axial("Cinf", TILTED), 2),
    (axial("Cinfh"), axial("Cinf"), 2),
    (axial("Dinf", TILTED), axial("Cinf", TILTED), 2),
    (axial("Dinfh"), axial("Cinf"), 4),
    (axial("Dinfh"), axial("Cinfv"), 2),
    (axial("Dinfh", TILTED), axial("Cinfh", TILTED), 2),
    (axial("Dinfh"), axial("Dinf"), 2),
    (direct_product(o2(), dihedral(4)), direct_product(so2(), cyclic(2)), 8),
    (direct_product(so2(), cyclic(6)), direct_product(so2(), trivial_group(2)), 6),
    (point_group("Oh"), tetrahedral(), 4),
    (symmetric(5), alternating(5), 2),
]


@pytest.mark.parametrize(("group", "inner", "index"), FINITE_INDEX, ids=str)
def test_cosets_of_finite_index(group, inner, index, generator):
    """Every g is in one r_i H, and g H = g' H if and only if g^-1 g' is in H."""
    parts = cosets(group, inner)
    assert len(parts) == index and parts.group == group and parts.subgroup == inner
    assert_close(parts.representatives[0], group.identity(), ROUNDING)
    assert parts.number(parts.representatives).tolist() == list(range(index))
    g = group.sample(6, 50, generator=generator)
    number = parts.number(g)
    assert number.shape == (6, 50) and set(number.flatten().tolist()) == set(range(index))
    assert inner.contains(parts.representatives[number].mT @ g)
    h = inner.sample(6, 50, generator=generator)
    assert torch.equal(parts.number(g @ h), number)
    assert torch.equal(parts.number(g.float()), number)
    same = inner.mask(g[:, :, None].mT @ g[:, None])
    assert torch.equal(same, number[:, :, None] == number[:, None])


@pytest.mark.parametrize(
    ("group", "inner"),
    [
        (so3(), axial("Cinf")),
        (so3(), axial("Cinf", (0, 1, 0))),  # about the first of the generators
        (so3(), axial("Dinf", TILTED)),
        (o3(), axial("Dinfh")),
        (so3(), octahedral()),
        (so2(), cyclic(4)),
        (axial("Dinfh"), point_group("D6h")),
        (direct_product(so2(), so2()), direct_product(so2(), cyclic(4))),
        (direct_product(so2(), so2()), direct_product(cyclic(4), so2())),
    ],
    ids=str,
)
def test_cosets_of_infinite_index(group, inner):
    with pytest.raises(ValueError, match="^subgroup: expected a subgroup of finite index in"):
        cosets(group, inner)


def test_cosets_of_what_is_no_subgroup():
    with pytest.raises(
        ValueError, match="^subgroup: .* of T, got O, whose order 24 does not divide"
    ):
        cosets(tetrahedral(), octahedral())
    with pytest.raises(ValueError, match="a conjugate of it may be: see Group.conjugate"):
        cosets(octahedral(), point_group("C4", TILTED))
    with pytest.raises(TypeError, match="^subgroup: expected a Group, got str$"):
        cosets(octahedral(), "T")  # pyright: ignore[reportArgumentType]


def test_cosets_are_a_value():
    first, second = (cosets(octahedral(), subgroup(octahedral(), g)) for g in _two_threefolds())
    assert first == cosets(octahedral(), first.subgroup) and hash(first) != hash(second)
    assert first != second


def _two_threefolds() -> torch.Tensor:
    turn = torch.eye(3, dtype=torch.float64).roll(1, 0)
    return torch.stack([turn, torch.diag(turn.new_tensor([-1.0, -1.0, 1.0])) @ turn])[:, None]


@given(n=st.integers(1, 12), k=st.integers(1, 6))
def test_cosets_of_rotations(n, k):
    """C_n in C_kn: element i is in number i mod k."""
    parts = cosets(cyclic(n * k), cyclic(n))
    numbers = parts.number(cyclic(n * k).elements)
    assert torch.equal(numbers, torch.arange(n * k) % k)
    angle = so2().angle(parts.representatives)
    assert_close(angle.remainder(2 * math.pi), 2 * math.pi * torch.arange(k) / (n * k), 1e-6)
