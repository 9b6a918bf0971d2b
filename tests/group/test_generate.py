"""Groups from rounded generators: exact in float64, or refused; against named groups."""

import math

import pytest
import torch

from equinet import Plane, nn
from equinet.group import (
    FiniteGroup,
    cyclic,
    dihedral,
    direct_product,
    generate,
    octahedral,
    orbit_section,
    point_group,
    semidirect_product,
    so2,
    subgroup,
    subgroup_classes,
    symmetric,
)
from equinet.rep import irreps
from tests.laws.cases import GROUPS, generic_rotation
from tests.tolerances import ROUNDING, assert_close

EXACT = 1e-13  # a group in float64: rounding, whatever its order


def turn(angle: float) -> torch.Tensor:
    return so2().element(torch.tensor([angle], dtype=torch.float64))


def failure(group: FiniteGroup) -> float:
    """The largest distance of a product with one of some elements from the element it should be."""
    some = torch.arange(min(group.order, 64))
    products = group.elements[:, None] @ group.elements[some]
    return float((products - group.elements[group.table[:, some]]).abs().max())


ROUNDED = [
    *(cyclic(n) for n in (7, 39, 100)),
    *(dihedral(n) for n in (7, 24)),
    *(point_group(name) for name in ("C7", "D5d")),
]


@pytest.mark.parametrize("group", ROUNDED, ids=str)
def test_single_precision_gives_the_exact_group(group):
    found = generate(group.generators.float())
    assert found == group and hash(found) == hash(group)
    assert_close(found.elements, group.elements, EXACT)  # equal groups are interchangeable
    assert failure(found) < EXACT


@pytest.mark.parametrize("group", [octahedral(), point_group("Ih"), dihedral(5)], ids=str)
def test_an_orientation_in_single_precision(group):
    """Rounded, it is another one: a group of its own, not equal to the exact one, and exact."""
    by = generic_rotation()[: group.n, : group.n] if group.n == 3 else turn(0.3)[0]
    turned = group.conjugate(by)
    for found in (generate(turned.generators.float()), group.conjugate(by.float())):
        assert failure(found) < EXACT
        assert_close(found.elements, turned.elements, 1e-6)
        assert found != turned and (found.elements - turned.elements).abs().max() > 1e-9


def test_the_rounding_of_one_group_is_not_seen_by_another(default_dtype):
    """What is remembered of the one serves the other: irreps of C7 before a filter over C7."""
    default_dtype(torch.float32)  # forgets all cached constants
    irreps(generate(cyclic(7).elements[1:2].float()))
    h = Plane("C7").fields("1x regular")
    assert nn.Conv2d(h, h, 3)(torch.ones(h.shape(1, 5, 5))).shape == (1, 7, 3, 3)


@pytest.mark.parametrize("group", [g for g in GROUPS if isinstance(g, FiniteGroup)], ids=str)
def test_every_way_to_a_group_is_exact(group):
    """By a frame in float32, as a subgroup, a product, from all elements."""
    random = torch.randn(group.n, group.n, generator=torch.Generator().manual_seed(3))
    made = [
        group,
        group.conjugate(torch.linalg.qr(random).Q),
        generate(group.elements),
        FiniteGroup(group.n, group.elements.flip(0), "in another order"),
        subgroup(group, group.generators[:1]),
        direct_product(group, cyclic(7)),
    ]
    if group.order <= 24:
        made += [*subgroup_classes(group), semidirect_product(group, group)]
    assert made[2] == made[3] == group
    for found in made:
        assert failure(found) < EXACT, found


def test_a_stabiliser_is_exact():
    assert failure(orbit_section(symmetric(5), torch.eye(5)).subgroup) == 0


@pytest.mark.parametrize(
    ("generators", "message"),
    [
        (turn(1.0), "at most bound = 10000 elements, got more"),
        (turn(1.0).float(), "elements as near .* 2 pi / 71"),
        (turn(2 * math.pi / 7 + 1e-5), "at most bound = 10000 elements, got more"),
        (turn(2 * math.pi / 7 + 1e-5).float(), "off by 7.8e-06 from .* the nearest, of order 7"),
        (turn(2 * math.pi / 7).float().double(), "off by .*e-08 from .* of order 7, where 1e-12"),
        (turn(2 * math.pi / 1000).float(), "elements as near .* 2 pi / 1000"),
    ],
)
def test_what_generates_no_finite_group(generators, message):
    with pytest.raises(ValueError, match=f"^generators: expected .*{message}"):
        generate(generators)


@pytest.mark.parametrize(
    ("generators", "message"),
    [
        (torch.eye(2)[None] * 1j, "torch.complex64"),
        (torch.eye(2)[None].half(), "or float32, got torch.float16"),
        (torch.eye(2)[None] > 0, "torch.bool"),
        (None, "None"),
        ("C4", "'C4'"),
        ([[["a"]]], r"\[\[\['a'\]\]\]"),
    ],
)
def test_generators_that_are_no_real_numbers(generators, message):
    with pytest.raises(TypeError, match=f"^generators: expected .*{message}"):
        generate(generators)


@pytest.mark.parametrize("bound", [0, -1, True, 2.0, None])
def test_bounds_that_are_none(bound):
    with pytest.raises(ValueError, match="^bound: expected an integer >= 1, got"):
        generate(torch.eye(2)[None], bound=bound)


@pytest.mark.parametrize("group", [cyclic(2000), dihedral(500), symmetric(6)], ids=str)
def test_large_groups(group):
    found = generate(group.generators)
    assert_close(found.elements, group.elements, EXACT)
    some = torch.arange(0, group.order, 97)
    products = group.elements[some[:, None]] @ group.elements[some]
    assert_close(group.elements[group.products(some[:, None], some)], products, ROUNDING)


@pytest.mark.parametrize(
    ("elements", "error", "message"),
    [
        (cyclic(7).elements.float(), TypeError, "expected a float64 tensor, got torch.float32"),
        (cyclic(7).elements.float().double(), ValueError, "orthogonal in float64, got an error"),
        (cyclic(7).elements[:6], ValueError, "expected all elements of a group"),
        (cyclic(7).elements[[0, 1, 1, 2, 3, 4, 5, 6]], ValueError, "expected all elements"),
        (cyclic(7).elements[1:], ValueError, "expected all elements of a group"),
        (cyclic(7).elements @ turn(0.1), ValueError, "expected all elements of a group"),
        (turn(1.0), ValueError, "expected all elements of a group"),
        (torch.eye(3).double(), ValueError, r"expected matrices \(order, 2, 2\), got \(3, 3\)"),
        (None, TypeError, "expected a float64 tensor, got NoneType"),
    ],
)
def test_elements_that_are_no_group(elements, error, message):
    with pytest.raises(error, match=f"^elements: .*{message}"):
        FiniteGroup(2, elements, "none")
