"""The noun Group; its laws are in tests/laws."""

import math

import pytest
import torch

from equinet.group import (
    Group,
    axial,
    cyclic,
    dihedral,
    is_subgroup,
    o2,
    o3,
    octahedral,
    so2,
    so3,
)
from equinet.group.group import check_subgroup
from tests.tolerances import ROUNDING, assert_close

ABSTRACT = Group(2)


@pytest.mark.parametrize(
    "use",
    [
        lambda group: group.name,
        lambda group: group.generators,
        lambda group: group.haar(2),
        lambda group: group.grid(2),
        lambda group: group.sample(3),
        lambda group: group.conjugate(torch.eye(2)),
    ],
)
def test_an_abstract_group_is_no_group(use):
    with pytest.raises(TypeError, match="^Group is not a concrete group$"):
        use(ABSTRACT)


def test_identity_in_any_dtype():
    assert torch.equal(so3().identity(torch.float32), torch.eye(3))
    assert torch.equal(so3().identity(), torch.eye(3, dtype=torch.float64))


def test_contains_has_a_tolerance():
    almost = torch.eye(2, dtype=torch.float64) * (1 + 1e-7)
    assert o2().contains(almost)
    assert not o2().contains(almost, tolerance=1e-9)


def test_mask_tells_which():
    g = torch.stack([torch.eye(3), -torch.eye(3), 2 * torch.eye(3)]).view(3, 1, 3, 3)
    assert so3().mask(g).tolist() == [[True], [False], [False]]
    assert o3().mask(g).tolist() == [[True], [True], [False]]
    assert octahedral().mask(g).tolist() == [[True], [False], [False]]


def test_an_empty_batch_is_contained():
    assert o2().contains(torch.zeros(0, 2, 2)) and cyclic(3).contains(torch.zeros(4, 0, 2, 2))


def test_check_names_the_argument_and_the_shape():
    with pytest.raises(
        ValueError, match=r"^h: expected elements of O\(2\).*\(\.\.\., 2, 2\).*shape \(3,\)$"
    ):
        o2().check(torch.ones(3), "h")


def test_check_names_the_first_element_that_is_none():
    """The half turn is in C4, the mirrors are not."""
    g = torch.diag_embed(torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"\(4, 2, 2\) with \[\[1\.0, 0\.0\], \[0\.0, -1\.0\]\]$"):
        cyclic(4).check(g)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [(so2(), o2()), (so3(), o3()), (cyclic(6), so2()), (dihedral(3), o2()), (octahedral(), so3())],
    ids=str,
)
def test_a_subgroup_and_not_the_other_way_round(smaller, larger):
    assert is_subgroup(smaller, larger) and not is_subgroup(larger, smaller)
    check_subgroup(smaller, larger)
    with pytest.raises(ValueError, match="^here: expected a subgroup of .* whose elements are not"):
        check_subgroup(larger, smaller, "here")


def test_a_continuous_group_is_no_subgroup_of_a_finite_one():
    assert abs(2 * math.pi * 53 / 333 - 1) < 1e-4
    assert not is_subgroup(so2(), cyclic(333))


@pytest.mark.parametrize("group", [so3(), axial("Dinfh", (1, 2, 3))], ids=str)
def test_the_grid_is_made_of_all_products_of_the_factors(group):
    """The products a b ... of (H1), with the weights w_a w_b ..., the last factor fastest."""
    (elements, weights), *others = group.haar(3)
    for b, w in others:
        elements = torch.cat([a @ b for a in elements])
        weights = torch.cat([v * w for v in weights])
    assert_close(group.grid(3)[0], elements, ROUNDING)
    assert_close(group.grid(3)[1], weights, ROUNDING)


@pytest.mark.parametrize("group", [so2(), so3()], ids=str)
@pytest.mark.parametrize("degree", [-1, 1.5])
def test_a_degree_that_is_none(group, degree):
    with pytest.raises(ValueError, match="^degree: expected an integer >= 0, got"):
        group.grid(degree)


def test_a_subgroup_that_is_no_group():
    with pytest.raises(TypeError, match="^subgroup: expected a Group, got str$"):
        check_subgroup("SO(2)", so3())  # pyright: ignore[reportArgumentType]
