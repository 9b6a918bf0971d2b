"""Finite groups as lists of matrices: generation and canonical order; laws are in tests/laws."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equinet.group import (
    FiniteGroup,
    cyclic,
    dihedral,
    generate,
    o3,
    octahedral,
    so3,
    symmetric,
    trivial_group,
)
from tests.group.test_point import finite
from tests.tolerances import ROUNDING, assert_close

NAMES = ("T", "Td", "Th", "O", "Oh", "I", "D6d", "S8", "C5v", "D3h", "C7")

orientations = st.integers(0, 999).map(
    lambda seed: o3().sample(generator=torch.Generator().manual_seed(seed))
)


def closure(table: list[list[int]], chosen: list[int]) -> set[int]:
    """All products of the chosen numbers, by brute force."""
    found = {0}
    while True:
        more = found | {table[i][j] for i in found for j in chosen}
        if more == found:
            return found
        found = more


@given(name=st.sampled_from(NAMES), by=orientations, data=st.data())
def test_generate_finds_the_closure(name, by, data):
    group = finite(name).conjugate(by)
    numbers = st.lists(st.integers(0, group.order - 1), min_size=1, max_size=3)
    chosen = data.draw(numbers)
    expected = sorted(closure(group.table.tolist(), chosen))
    found = generate(group.elements[chosen])
    assert found.order == len(expected) and found.name == f"a group of order {len(expected)}"
    assert_close(found.elements, group.elements[expected], ROUNDING)  # and in the same order


@given(name=st.sampled_from(NAMES), by=orientations, random=st.randoms())
def test_the_order_of_elements_depends_on_the_group_only(name, by, random):
    """Not on the generators, their order, or the rounding of a change of frame and back."""
    group = finite(name)
    numbers = [*range(group.order)]
    random.shuffle(numbers)
    redundant = generate(group.elements[numbers[: group.order // 2 + 1]], name)
    back = group.conjugate(by).conjugate(by.mT)
    for same in (redundant, generate(group.generators.flip(0)), back):
        assert same == group and hash(same) == hash(group)
        assert_close(same.elements, group.elements, ROUNDING)


@given(name=st.sampled_from(NAMES))
def test_the_order_of_elements_in_space(name):
    """Rotations first; within det = +-1 by the angles of det g = Z(alpha) Y(beta) Z(gamma)."""
    keys = []
    for g in finite(name).elements.numpy():
        sign = np.linalg.det(g)
        with_lock = Rotation.from_matrix(sign * g)
        beta = math.acos(np.clip(sign * g[2, 2], -1, 1))
        if 1e-6 < beta < math.pi - 1e-6:
            alpha, _, gamma = with_lock.as_euler("ZYZ")
        else:  # the angle from x to the image of x
            alpha, gamma = math.atan2(sign * g[1, 0], sign * g[0, 0]), 0.0
        turns = [round(angle / (2 * math.pi) + 1e-9, 6) % 1 for angle in (beta, alpha, gamma)]
        keys.append((sign < 0, *turns))
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


def test_the_order_of_elements_in_other_dimensions():
    """Permutation matrices like words in a dictionary, by the images of 0, 1, ..."""
    words = [tuple(g.argmax(0).tolist()) for g in symmetric(4).elements.mT]
    assert words == [*itertools.permutations(range(4))]


def test_a_name_does_not_make_a_group():
    group = octahedral()
    assert group.renamed("cube") == group and group.renamed("cube").name == "cube"
    assert hash(group.renamed("cube")) == hash(group)
    assert generate(group.generators, "cube").name == "cube"
    assert group != finite("Td") and group != octahedral().elements
    assert trivial_group(2) != trivial_group(3)


def test_generators_of_any_kind():
    """Lists, single precision with exact entries, none at all, the same ones twice."""
    quarter = [[0, -1], [1, 0]]
    assert generate(torch.tensor([quarter], dtype=torch.float32)) == cyclic(4)
    assert generate([quarter, quarter]) == cyclic(4)  # pyright: ignore[reportArgumentType]
    assert generate(torch.zeros(0, 2, 2)) == trivial_group(2)
    assert generate(torch.eye(3)[None]) == trivial_group(3)
    assert generate(torch.tensor([[[-1.0]]])).order == 2
    assert generate(torch.tensor([quarter])).elements.dtype == torch.float64


@pytest.mark.parametrize("group", [cyclic(20), cyclic(39), octahedral()], ids=str)
def test_rounded_generators_generate_the_group_or_are_refused(group):
    by = so3().element(*torch.tensor([0.4, 1.3, -2.2], dtype=torch.float64))
    group = group if group.n == 2 else group.conjugate(by)
    try:
        order = generate(group.generators.float(), bound=2_000).order
    except ValueError as error:
        assert "float64" in str(error)
    else:
        assert order == group.order


def test_bound():
    assert generate(cyclic(12).generators, bound=12).order == 12
    message = "^generators: expected matrices that generate at most bound = 11 elements, got more"
    with pytest.raises(ValueError, match=message):
        generate(cyclic(12).generators, bound=11)
    with pytest.raises(ValueError, match="at most bound = 10000 elements"):
        generate(so3().sample(2, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 2), (3,), (1, 2, 3, 3)])
def test_generators_of_a_wrong_shape(shape):
    message = r"^generators: expected matrices of shape \(count, n, n\), got \("
    with pytest.raises(ValueError, match=message):
        generate(torch.zeros(shape))


@pytest.mark.parametrize("wrong", [[[2.0, 0.0], [0.0, 1.0]], [[math.nan, 0.0], [0.0, 1.0]]])
def test_generators_that_are_not_orthogonal(wrong):
    message = r"^generators\[1\]: expected an orthogonal matrix of shape \(2, 2\), got \[\["
    with pytest.raises(ValueError, match=message):
        generate(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], wrong]))


def test_every_element_is_drawn_equally_often(generator):
    group, count = octahedral(), 24_000
    numbers = group.index(group.sample(count, generator=generator))
    times = torch.tensor([Counter(numbers.tolist())[i] for i in range(24)], dtype=torch.float64)
    chi_square = ((times - count / 24) ** 2 / (count / 24)).sum()
    assert chi_square < 49.7  # 23 degrees of freedom, p = 0.001


def test_a_finite_group_integrates_everything():
    """Its grid is the group, whatever the degree."""
    for degree in (0, 7):
        g, weights = dihedral(5).grid(degree)
        assert torch.equal(g, dihedral(5).elements)
        assert_close(weights, torch.full((10,), 0.1, dtype=torch.float64), ROUNDING)


def test_number_on_any_batch():
    group = finite("Oh")
    assert group.index(group.elements.view(2, 4, 6, 3, 3)).shape == (2, 4, 6)
    assert group.index(group.elements[5]).item() == 5
    assert trivial_group(3).index(torch.eye(3).expand(2, 5, 3, 3)).tolist() == [[0] * 5] * 2
    assert isinstance(group.conjugate(torch.eye(3)), FiniteGroup)
