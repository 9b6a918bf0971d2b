"""Young's orthogonal form: Coxeter's relations, hook lengths, characters by Murnaghan-Nakayama."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import conjugacy_classes, point_group, symmetric
from equinet.rep import Irrep, irreps, vector
from equinet.rep.young import is_symmetric, partitions, young_generators
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
SHAPES = [shape for n in range(2, 8) for shape in partitions(n)]
every_shape = over("shape", SHAPES)


def hook_lengths(shape):
    """n! over the product of the numbers of cells to the right and below, with the cell itself."""
    below = [sum(part > j for part in shape) for j in range(shape[0])]
    hooks = [part - j + below[j] - i - 1 for i, part in enumerate(shape) for j in range(part)]
    return math.factorial(sum(shape)) // math.prod(hooks)


@cache
def character(shape: tuple[int, ...], cycles: tuple[int, ...]) -> int:
    """Murnaghan and Nakayama: strip off border strips as long as the cycles.

    With the numbers part_i + (rows - 1 - i), which are all different, to strip k cells is to lower
    one of them by k to a free place, and the sign counts those that it passes.
    """
    if not cycles:
        return 1
    k, rows = cycles[0], len(shape)
    beta = [part + rows - 1 - i for i, part in enumerate(shape)]
    total = 0
    for b in beta:
        if b >= k and b - k not in beta:
            passed = sum(b - k < other < b for other in beta)
            lowered = sorted((x if x != b else b - k for x in beta), reverse=True)
            smaller = tuple(x - (rows - 1 - i) for i, x in enumerate(lowered))
            total += (-1) ** passed * character(smaller, cycles[1:])
    return total


def cycle_type(matrix):
    image, seen, lengths = matrix.argmax(0).tolist(), set(), []
    for start in range(len(image)):
        length, i = 0, start
        while i not in seen:
            seen.add(i)
            i, length = image[i], length + 1
        lengths.append(length)
    return tuple(sorted((k for k in lengths if k), reverse=True))


# ------------------------------------------------------------------ the generators


@every_shape
def test_coxeter_relations(shape):
    """s_i^2 = 1, s_i s_j = s_j s_i for distant ones, s_i s_i+1 s_i = s_i+1 s_i s_i+1."""
    s = young_generators(shape)
    one = torch.eye(s.shape[-1], dtype=F64)
    for i, a in enumerate(s):
        assert_close(a, a.mT, ROUNDING)
        assert_close(a @ a, one, ROUNDING)
        for j, b in enumerate(s[:i]):
            if i - j > 1:
                assert_close(a @ b, b @ a, ROUNDING)
            else:
                assert_close(a @ b @ a, b @ a @ b, ROUNDING)


@every_shape
def test_hook_lengths(shape):
    s = young_generators(shape)
    assert s.shape == (sum(shape) - 1, hook_lengths(shape), hook_lengths(shape))


@pytest.mark.parametrize("n", range(1, 8))
def test_partitions(n):
    """All of them, largest first, and the squares of the dimensions sum to n!."""
    found = list(partitions(n))
    assert found == sorted(found, reverse=True) and len(set(found)) == len(found)
    assert len(found) == [1, 2, 3, 5, 7, 11, 15][n - 1]
    assert all(sum(p) == n and list(p) == sorted(p, reverse=True) for p in found)
    assert sum(hook_lengths(p) ** 2 for p in found) == math.factorial(n)


@every_shape
def test_jucys_murphy(shape):
    """The sum of transpositions with the last letter is diagonal: the contents of corners."""
    s, n = young_generators(shape), sum(shape)
    element, total = s[-1], torch.zeros_like(s[-1])
    for i in range(n - 2, -1, -1):  # (i n) = s_i (i+1 n) s_i
        element = s[i] if i == n - 2 else s[i] @ element @ s[i]
        total += element
    corners = {
        part - 1 - i for i, part in enumerate(shape) if i + 1 == len(shape) or shape[i + 1] < part
    }
    assert_close(total, torch.diag(total.diagonal()), SYMMETRY)
    assert {round(float(x), 6) for x in total.diagonal()} == corners


def test_the_relations_can_fail():
    """Negative control: with the root left out it is no representation."""
    s = young_generators((2, 1))
    wrong = torch.stack([torch.diag(x.diagonal()) for x in s])
    assert (wrong[1] @ wrong[1] - torch.eye(2)).abs().max() > 0.5


# ------------------------------------------------------------------ the groups


@pytest.mark.parametrize("n", range(4, 6))
def test_characters(n):
    """On every class and for every partition."""
    group = symmetric(n)
    first = group.elements[[members[0] for members in conjugacy_classes(group)]]
    types = [cycle_type(matrix) for matrix in first]
    for shape in partitions(n):
        psi = Irrep(group, "[" + ",".join(map(str, shape)) + "]")
        expected = torch.tensor([character(shape, t) for t in types], dtype=F64)
        assert_close(psi.character(first), expected, SYMMETRY)


@given(st.sampled_from(SHAPES), st.data())
def test_characters_of_products_of_generators(shape, data):
    """Also for S_6 and S_7: s_0 s_1 ... s_k-1 are cycles, put side by side."""
    s, n = young_generators(shape), sum(shape)
    left, cycles = n, []
    product = torch.eye(s.shape[-1], dtype=F64)
    while left:
        k = data.draw(st.integers(1, left))
        start = n - left
        for i in range(start, start + k - 1):
            product = product @ s[i]
        cycles.append(k)
        left -= k
    expected = character(shape, tuple(sorted(cycles, reverse=True)))
    assert_close(product.trace(), float(expected), SYMMETRY)


def test_murnaghan_and_nakayama_on_a_known_table():
    """S_4: rows [4], [3,1], [2,2], [2,1,1], [1^4] on 1, (12), (12)(34), (123), (1234)."""
    classes = [(1, 1, 1, 1), (2, 1, 1), (2, 2), (3, 1), (4,)]
    rows = [[character(shape, c) for c in classes] for shape in partitions(4)]
    assert rows == [
        [1, 1, 1, 1, 1],
        [3, 1, -1, 0, -1],
        [2, 0, 2, -1, 0],
        [3, -1, -1, 0, 1],
        [1, -1, 1, 1, -1],
    ]


@pytest.mark.parametrize("n", [4, 5])
def test_transpositions_act_by_the_generators(n):
    group = symmetric(n)
    swaps = torch.eye(n, dtype=F64).repeat(n - 1, 1, 1)
    for i in range(n - 1):
        swaps[i, [i, i + 1]] = swaps[i, [i + 1, i]]
    for psi, shape in zip(irreps(group), partitions(n), strict=True):
        assert psi.name == "[" + ",".join(map(str, shape)) + "]"
        assert_close(psi(swaps), young_generators(shape), ROUNDING)


def test_small_ones_are_known_by_partitions_too():
    """S_2 and S_3 are groups of the plane and of space; both names mean the same irrep."""
    sign = torch.linalg.det(symmetric(3).elements)
    assert_close(Irrep(symmetric(3), "[1,1,1]").character(symmetric(3).elements), sign, ROUNDING)
    assert Irrep(symmetric(3), "[3]").is_trivial
    assert Irrep(symmetric(3), "[2,1]").dim == 2
    assert Irrep(symmetric(2), "[1,1]").dim == 1
    with pytest.raises(ValueError, match="irrep: expected one of"):
        Irrep(point_group("C3v"), "[2,1]")


def test_which_groups_are_symmetric():
    assert is_symmetric(symmetric(4)) and not is_symmetric(point_group("C3v"))
    assert not is_symmetric(symmetric(1))
    assert vector(symmetric(5)).multiplicities == {
        Irrep(symmetric(5), "[5]"): 1,
        Irrep(symmetric(5), "[4,1]"): 1,
    }
