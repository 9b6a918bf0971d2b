"""The noun Group; its laws are in tests/laws."""

import pytest
import torch

from equinet.group import Group


def test_repr_is_the_name():
    assert repr(Group("SL(2)", 2)) == "SL(2)"


def test_equal_by_content():
    assert Group("a", 2) == Group("a", 2) != Group("a", 3)


def test_an_abstract_group_has_no_elements_to_draw():
    with pytest.raises(TypeError, match="a is not a concrete group"):
        Group("a", 2).sample(3)


def test_identity_in_any_dtype():
    assert torch.equal(Group("a", 3).identity(torch.float32), torch.eye(3))


def test_contains_has_a_tolerance():
    almost = torch.eye(2, dtype=torch.float64) * (1 + 1e-7)
    assert Group("O(2)", 2).contains(almost)
    assert not Group("O(2)", 2).contains(almost, tolerance=1e-9)


def test_check_names_the_argument():
    with pytest.raises(
        ValueError, match=r"^h: expected elements of O\(2\).*\(\.\.\., 2, 2\).*\(3,\)"
    ):
        Group("O(2)", 2).check(torch.ones(3), "h")
