"""Double cosets: a partition of the group, its representatives and stabilisers."""

import pytest
import torch

from equinet.group import (
    cyclic,
    dihedral,
    icosahedral,
    octahedral,
    permutation_group,
    point_group,
    so2,
    so3,
    subgroup_classes,
    symmetric,
    tetrahedral,
    trivial_group,
)
from equinet.group.double_coset import double_cosets
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

GROUPS = [dihedral(4), octahedral(), symmetric(4), tetrahedral()]
TRIPLES = [
    (group, left, right)
    for group in GROUPS
    for left in subgroup_classes(group)
    for right in subgroup_classes(group)[::2]
]
every_triple = over("group, left, right", TRIPLES)


@every_triple
def test_every_element_is_a_product(group, left, right):
    """g = h2(g) gamma(g) h1(g) (H4), by matrices; for a representative both are the identity."""
    cosets = double_cosets(group, left, right)
    gamma = group.elements[cosets.representatives]
    product = left.elements[cosets.lefts] @ gamma[cosets.number] @ right.elements[cosets.rights]
    assert_close(product, group.elements, ROUNDING)
    assert torch.equal(cosets.number[cosets.representatives], torch.arange(len(cosets)))
    assert not cosets.lefts[cosets.representatives].any()
    assert not cosets.rights[cosets.representatives].any()
    first = [int((cosets.number == i).nonzero()[0]) for i in range(len(cosets))]
    assert first == cosets.representatives.tolist() == sorted(first)


@every_triple
def test_stabilisers(group, left, right):
    """h gamma = gamma partner for exactly the h that keep gamma H1, and |H2 gamma H1| follows."""
    cosets = double_cosets(group, left, right)
    for gamma, (h, partner) in zip(
        group.elements[cosets.representatives], cosets.stabilisers, strict=True
    ):
        moved = gamma.mT @ left.elements @ gamma
        assert h.tolist() == right.mask(moved).nonzero()[:, 0].tolist()
        assert_close(right.elements[partner], moved[h], ROUNDING)
    orders = torch.tensor([len(h) for h, _ in cosets.stabilisers])
    assert torch.equal(cosets.sizes * orders, torch.full_like(orders, left.order * right.order))
    assert int(cosets.sizes.sum()) == group.order


@every_triple
def test_number_of_double_cosets(group, left, right):
    """Burnside: the mean over H2 x H1 of the number of g with h2 g h1 = g."""
    moved = left.elements[:, None, None] @ group.elements[:, None] @ right.elements
    fixed = (moved - group.elements[:, None]).abs().amax((-1, -2)) < 1e-6
    mean = float(fixed.double().sum()) / (left.order * right.order)
    assert len(double_cosets(group, left, right)) == round(mean)


def test_known_numbers():
    """Two for n points, three for pairs of five things, by how many they have in common."""
    for n in (3, 4, 5):
        G = symmetric(n)
        fixed = [h for h in G.elements if h[0, 0] == 1]
        H = next(s for s in subgroup_classes(G) if s.order == len(fixed))
        assert len(double_cosets(G, H, H)) == 2
    pairs = permutation_group([1, 0, 2, 3, 4], [0, 1, 3, 4, 2], [0, 1, 3, 2, 4])
    assert double_cosets(symmetric(5), pairs, pairs).sizes.sort().values.tolist() == [12, 36, 72]
    C5 = next(s for s in subgroup_classes(icosahedral()) if s.order == 5)
    rings = double_cosets(icosahedral(), C5, C5).sizes.tolist()  # the poles and two rings of five
    assert sorted(rings) == [5, 5, 25, 25]


def test_trivial_subgroups_and_the_whole_group():
    G = octahedral()
    one, C4 = trivial_group(3), point_group("C4")
    assert len(double_cosets(G, one, one)) == 24
    assert len(double_cosets(G, one, C4)) == len(double_cosets(G, C4, one)) == 6
    assert len(double_cosets(G, G, C4)) == len(double_cosets(G, C4, G)) == 1


def test_repr():
    assert str(double_cosets(octahedral(), point_group("C4"), point_group("C2"))) == (
        "the double cosets C4\\O/C2"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((so3(), so3(), so3()), TypeError, "left: expected a finite group"),
        ((octahedral(), so3(), octahedral()), TypeError, "left: expected a finite group"),
        ((octahedral(), octahedral(), so2()), TypeError, "right: expected a finite group"),
        ((so2(), cyclic(4), cyclic(4)), TypeError, "group: expected a finite group"),
        ((cyclic(4), cyclic(4), dihedral(4)), ValueError, "right: expected a subgroup"),
        ((cyclic(4), dihedral(4), cyclic(4)), ValueError, "left: expected a subgroup"),
        ((octahedral(), cyclic(4), octahedral()), ValueError, "left: expected a subgroup"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        double_cosets(*arguments)
