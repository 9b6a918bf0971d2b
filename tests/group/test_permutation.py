"""Groups of permutations; their laws are in tests/laws."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import alternating, conjugacy_classes, permutation_group, symmetric
from equinet.group.permutation import permutation_matrix

PARTITIONS = {1: 1, 2: 2, 3: 3, 4: 5, 5: 7}  # of n; the classes of S_n are cycle types
CLASSES_OF_A = {1: 1, 2: 1, 3: 3, 4: 4, 5: 5}


@given(p=st.permutations(range(5)), q=st.permutations(range(5)))
def test_permutation_matrices_multiply_like_permutations(p, q):
    """P e_i = e_p(i), so P Q belongs to i -> p(q(i))."""
    product = permutation_matrix(p) @ permutation_matrix(q)
    assert torch.equal(product, permutation_matrix([p[i] for i in q]))
    assert torch.equal(permutation_matrix(p)[:, 2], torch.eye(5, dtype=torch.float64)[p[2]])


@pytest.mark.parametrize("n", PARTITIONS)
def test_symmetric(n):
    group = symmetric(n)
    assert group.order == math.factorial(n) and group.name == f"S{n}" and group.n == n
    assert group.contains(torch.stack([permutation_matrix(p) for p in _permutations(n)]))
    assert len(conjugacy_classes(group)) == PARTITIONS[n]


@pytest.mark.parametrize("n", CLASSES_OF_A)
def test_alternating(n):
    group = alternating(n)
    assert group.order == max(1, math.factorial(n) // 2) and group.name == f"A{n}"
    even = [p for p in _permutations(n) if _inversions(p) % 2 == 0]
    assert group.contains(torch.stack([permutation_matrix(p) for p in even]))
    assert len(conjugacy_classes(group)) == CLASSES_OF_A[n]


def test_permutation_group():
    """The affine maps x -> a x + b of Z_7, and Klein's group."""
    affine = permutation_group([1, 2, 3, 4, 5, 6, 0], [0, 3, 6, 2, 5, 1, 4], name="AGL(1, 7)")
    assert affine.order == 42 and affine.name == "AGL(1, 7)"
    klein = permutation_group((1, 0, 3, 2), (3, 2, 1, 0))
    assert klein.order == 4 and klein.name == "a group of order 4"
    assert permutation_group([0, 1]).order == 1
    with pytest.raises(ValueError, match="at most bound = 41 elements"):
        permutation_group([1, 2, 3, 4, 5, 6, 0], [0, 3, 6, 2, 5, 1, 4], bound=41)


@pytest.mark.parametrize("wrong", [[0, 0], [1, 2], [0, 2, 1, 4], [-1, 0]])
def test_no_permutations(wrong):
    with pytest.raises(ValueError, match="^permutation: expected the numbers 0 to . in some order"):
        permutation_group(wrong)
    with pytest.raises(
        ValueError, match=r"^permutations: expected at least one, of equally many things, got \[\]$"
    ):
        permutation_group()


@pytest.mark.parametrize("wrong", [([1, 0], [1, 2, 0]), ([],)])
def test_permutations_of_different_sets(wrong):
    with pytest.raises(ValueError, match="^permutations: expected"):
        permutation_group(*wrong)


@pytest.mark.parametrize("build", [symmetric, alternating])
@pytest.mark.parametrize("n", [0, 8, 2.0, True, "4"])
def test_bad_sizes(build, n):
    with pytest.raises(ValueError, match=f"^n: expected an integer from 1 to 7 .*, got {n!r}$"):
        build(n)


def _permutations(n: int) -> list[tuple[int, ...]]:
    return [*itertools.permutations(range(n))]


def _inversions(p: tuple[int, ...]) -> int:
    return sum(a > b for a, b in itertools.combinations(p, 2))
