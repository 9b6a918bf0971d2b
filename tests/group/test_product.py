"""Direct and semidirect products against groups known otherwise; laws are in tests/laws."""

import itertools
import math
import re
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    FiniteGroup,
    ProductGroup,
    alternating,
    axial,
    conjugacy_classes,
    cyclic,
    dihedral,
    direct_product,
    inversion,
    is_subgroup,
    o2,
    o3,
    octahedral,
    permutation_group,
    point_group,
    semidirect_product,
    so2,
    so3,
    symmetric,
    tetrahedral,
    trivial_group,
)
from tests.tolerances import ROUNDING, assert_close

small_groups = st.sampled_from([cyclic(3), cyclic(4), dihedral(3), dihedral(4), symmetric(3)])


def finite(*groups) -> FiniteGroup:
    product = direct_product(*groups)
    assert isinstance(product, FiniteGroup)
    return product


def orders(group: FiniteGroup) -> Counter:
    """How many elements have which order."""
    found, table = Counter(), group.table.tolist()
    for i in range(group.order):
        power, n = i, 1
        while power:
            power, n = table[power][i], n + 1
        found[n] += 1
    return found


# ---------------------------------------------------------------- direct products


@given(first=small_groups, second=small_groups)
def test_direct_product(first, second):
    """All pairs in blocks; order and number of classes multiply, orders of pairs are the lcm."""
    group = finite(first, second)
    pairs = [torch.block_diag(a, b) for a in first.elements for b in second.elements]
    assert group.order == len(pairs) and group.contains(torch.stack(pairs))
    assert group.name == f"{first.name} x {second.name}" and group.n == first.n + second.n
    classes = len(conjugacy_classes(first)) * len(conjugacy_classes(second))
    assert len(conjugacy_classes(group)) == classes
    expected = Counter()
    for (a, many), (b, more) in itertools.product(orders(first).items(), orders(second).items()):
        expected[math.lcm(a, b)] += many * more
    assert orders(group) == expected


@pytest.mark.parametrize(
    ("planar", "name"),
    [(cyclic(4), "C4h"), (dihedral(3), "D3h"), (dihedral(1), "C2v"), (cyclic(1), "Cs")],
)
def test_products_that_are_groups_of_space(planar, name):
    """The sign of z beside a group of the plane; C_2v is meant with x as its main axis."""
    group = point_group(name, (1, 0, 0)) if name == "C2v" else point_group(name)
    assert finite(planar, inversion(1)) == group


def test_one_and_three_factors():
    assert direct_product(cyclic(4)) == cyclic(4) and direct_product(so3()).n == 3
    assert finite(inversion(1), inversion(1), inversion(1)) == point_group("mmm")
    two, three = cyclic(2), cyclic(3)
    assert finite(finite(two, three), two) == finite(two, three, two)
    with pytest.raises(ValueError, match="^groups: expected at least one group, got none$"):
        direct_product()


def test_continuous_products(generator):
    """As long as one factor is continuous; cyclic(n) x cyclic(m) is finite."""
    group = direct_product(so3(), dihedral(3))
    assert isinstance(group, ProductGroup) and group.name == "SO(3) x D3" and group.n == 5
    a, b = so3().sample(6, generator=generator), dihedral(3).sample(6, generator=generator)
    g = group.element(a, b)
    assert group.contains(g) and all(map(torch.equal, group.parts(g), (a, b)))
    assert torch.equal(g[0], torch.block_diag(a[0], b[0]))
    wrong = {
        "an improper part": group.element(-a, b),
        "the other part": group.element(a, 1.1 * b),
        "not in blocks": g.flip(-1),
        "blocks and more": g + torch.diag(g.new_tensor([0.0, 0.01]), 3),
    }
    for what, elements in wrong.items():
        assert not group.mask(elements).any(), what
    assert len(direct_product(o2(), o3(), dihedral(3)).components) == 2 * 2 * 6


def test_subgroups_of_products():
    assert is_subgroup(direct_product(so2(), cyclic(2)), direct_product(o2(), cyclic(4)))
    assert not is_subgroup(direct_product(o2(), cyclic(2)), direct_product(so2(), cyclic(4)))
    assert is_subgroup(direct_product(so2(), inversion(1)), axial("Cinfh"))
    assert is_subgroup(axial("Dinfh"), direct_product(o2(), inversion(1)))
    assert is_subgroup(finite(cyclic(4), dihedral(2)), direct_product(so2(), o2()))


def test_a_product_is_a_value_and_knows_its_frame():
    group = direct_product(axial("Cinf"), cyclic(2))
    assert group == direct_product(axial("Cinf"), cyclic(2))
    assert group != direct_product(cyclic(2), axial("Cinf"))
    turn = so3().element(*torch.tensor([0.3, 0.8, 0.1], dtype=torch.float64))
    by = torch.block_diag(turn, dihedral(1).elements[1])
    axis = turn[:, 2].tolist()
    assert group.conjugate(by) == direct_product(axial("Cinf", axis), cyclic(2))
    message = r"^by: expected a block diagonal matrix for Cinf x C2, got \[\["
    with pytest.raises(ValueError, match=message):
        group.conjugate(torch.eye(5).roll(1, 0))


def test_factors_that_are_no_groups():
    with pytest.raises(TypeError, match="^groups"):
        direct_product(cyclic(4), "C2")  # pyright: ignore[reportArgumentType]


# ---------------------------------------------------------------- semidirect products


def multiply(group: FiniteGroup, normal: FiniteGroup, h_size: int) -> torch.Tensor:
    """n h for the elements (n, h): n is where the mass at 1 goes under (n, 1) and (n, h)."""
    n = group.elements[:, : normal.order, 0].argmax(-1)
    return normal.elements[n] @ group.elements[:, -h_size:, -h_size:]


@pytest.mark.parametrize(
    ("normal", "acting", "whole"),
    [
        (cyclic(5), dihedral(1), dihedral(5)),
        (cyclic(6), dihedral(1), dihedral(6)),
        (tetrahedral(), point_group("C2", (1, 1, 0)), octahedral()),
        (tetrahedral(), inversion(3), point_group("Th")),
        (point_group("D2"), point_group("C3", (1, 1, 1)), tetrahedral()),
        (alternating(4), permutation_group([1, 0, 2, 3]), symmetric(4)),
        (
            permutation_group([1, 0, 3, 2], [3, 2, 1, 0], name="V4"),
            permutation_group([1, 0, 2, 3], [1, 2, 0, 3], name="S3"),
            symmetric(4),
        ),
    ],
    ids=str,
)
def test_inner_semidirect_products(normal, acting, whole):
    """If N is normal in G = N H and N meets H in 1 only, (n, h) -> n h is an isomorphism to G."""
    group = semidirect_product(normal, acting)
    assert group.name == f"{normal.name} x| {acting.name}"
    images = whole.index(multiply(group, normal, acting.n))
    whole.check(multiply(group, normal, acting.n))
    assert torch.equal(images.sort().values, torch.arange(whole.order))
    assert torch.equal(images[group.table], whole.table[images[:, None], images])


@given(n=st.integers(1, 12))
def test_dihedral_groups_are_semidirect(n):
    group = semidirect_product(cyclic(n), dihedral(1))
    assert group.order == 2 * n and orders(group) == orders(dihedral(n))
    assert len(conjugacy_classes(group)) == len(conjugacy_classes(dihedral(n)))


def test_the_trivial_action_gives_the_direct_product():
    group = semidirect_product(cyclic(4), symmetric(3), lambda h, n: n)
    assert orders(group) == orders(finite(cyclic(4), symmetric(3)))
    assert len(conjugacy_classes(group)) == 4 * 3
    # Another action on the same factors is another group.
    sign = semidirect_product(cyclic(4), symmetric(3), lambda h, n: n if h.det() > 0 else n.mT)
    assert len(conjugacy_classes(sign)) < 4 * 3


def on_the_torus(size: int):
    """D_4 on Z_size^2, whose element (a, b) is rotations by 2 pi a / size and 2 pi b / size."""

    def action(h: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        turns = [cyclic(size).index(block) for block in (n[:, :2, :2], n[:, 2:, 2:])]
        moved = (torch.stack(turns, -1) @ h.mT.round().long()) % size
        first, second = cyclic(size).elements[moved].unbind(1)
        return torch.stack([torch.block_diag(a, b) for a, b in zip(first, second, strict=True)])

    return action


def wallpaper(size: int) -> tuple[Counter, int]:
    """p4m on a torus: orders of elements and number of classes, by integer arithmetic."""
    point = [tuple(map(int, h.round().flatten())) for h in dihedral(4).elements]
    every = [(a, b, h) for a in range(size) for b in range(size) for h in point]

    def times(f, g):
        (a, b, (p, q, r, s)), (c, d, (t, u, v, w)) = f, g
        linear = p * t + q * v, p * u + q * w, r * t + s * v, r * u + s * w
        return (a + p * c + q * d) % size, (b + r * c + s * d) % size, linear

    one = (0, 0, (1, 0, 0, 1))
    inverse = {f: g for f in every for g in every if times(f, g) == one}
    classes = {frozenset(times(times(f, g), inverse[f]) for f in every) for g in every}
    found = Counter()
    for f in every:
        power, n = f, 1
        while power != one:
            power, n = times(power, f), n + 1
        found[n] += 1
    return found, len(classes)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_wallpaper_group_p4m_on_a_torus(size):
    """Z_n^2 x| D_4, of order 8 n^2."""
    torus = finite(cyclic(size), cyclic(size))
    group = semidirect_product(torus, dihedral(4), on_the_torus(size))
    assert group.order == 8 * size**2
    assert (orders(group), len(conjugacy_classes(group))) == wallpaper(size)


def test_actions_that_are_none():
    half = cyclic(2)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    outside = so2().element(torch.tensor(0.3, dtype=torch.float64))
    bad = {
        "expected elements of C4, got others for h": [
            lambda h, n: n @ outside,
            lambda h, n: n[:-1],
            lambda h, n: n @ dihedral(1).elements[1],
        ],
        "expected automorphisms of C4, got a map that does not keep products for element": [
            lambda h, n: n @ turn,
        ],
        "expected alpha_1 = 1 and alpha_gh = alpha_g alpha_h for C2, got another": [
            lambda h, n: n.mT,  # the inversion for 1 too
        ],
    }
    for message, actions in bad.items():
        for action in actions:
            with pytest.raises(ValueError, match="^action: " + re.escape(message)):
                semidirect_product(cyclic(4), half, action)
    with pytest.raises(
        ValueError, match="^action: expected alpha_1 = 1 and alpha_gh"
    ):  # 2^2 is not 1 mod 5
        semidirect_product(cyclic(5), half, lambda h, n: n @ n if h[0, 0] < 0 else n)
    with pytest.raises(ValueError, match="^action: expected one, since C4 and C1 have matrices"):
        semidirect_product(cyclic(4), trivial_group(3))
    with pytest.raises(ValueError, match="^action: expected elements of C3, got others"):
        semidirect_product(point_group("C3"), point_group("C2", (1, 1, 1)))  # pyright: ignore
    for arguments, name in (((so2(), half), "normal"), ((half, so2()), "acting")):
        with pytest.raises(TypeError, match=rf"^{name}: expected a finite group, got SO\(2\)$"):
            semidirect_product(*arguments)  # pyright: ignore[reportArgumentType]


def test_an_action_that_collapses():
    """alpha_h(n) = 1 keeps products, and alpha_gh = alpha_g alpha_h; but alpha_1 is not 1."""
    with pytest.raises(ValueError, match="^action: expected"):
        semidirect_product(cyclic(3), cyclic(2), lambda h, n: n @ n.mT)


def test_elements_of_a_semidirect_product_are_orthogonal():
    e = semidirect_product(cyclic(5), dihedral(1)).elements
    assert_close(e @ e.mT, torch.eye(7, dtype=torch.float64).expand_as(e), ROUNDING)
