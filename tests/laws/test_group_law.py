"""The axioms of a group, and Haar measure, for every group."""

import copy
import pickle
import re
from collections import Counter

import pytest
import torch

from equinet import group as group_package
from equinet.group import (
    FiniteGroup,
    Group,
    ProductGroup,
    conjugacy_classes,
    cosets,
    cyclic,
    direct_product,
    inversion,
    is_subgroup,
    o2,
    o3,
    so2,
    so3,
    subgroup,
    trivial_group,
)
from tests.laws.cases import GROUPS
from tests.over import over
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

FINITE = [group for group in GROUPS if isinstance(group, FiniteGroup)]
CONTINUOUS = [group for group in GROUPS if not isinstance(group, FiniteGroup)]
ORTHOGONAL = [group for group in GROUPS if group in (o2(), o3()) or group.n == 1]  # all of O(n)
SMALLER = [group for group in GROUPS if group not in ORTHOGONAL]
NORMAL = [so2(), so3(), direct_product(o2(), cyclic(3)), inversion(3)]  # in O(n), or the product's
NORMAL += [trivial_group(2), cyclic(3), cyclic(8)]

every_group = over("group", GROUPS)
every_finite_group = over("group", FINITE)
every_continuous_group = over("group", CONTINUOUS)
every_smaller_group = over("group", SMALLER)


def test_every_public_group_has_a_case():
    public = [getattr(group_package, name) for name in group_package.__all__]
    classes = {c for c in public if isinstance(c, type) and issubclass(c, Group)} - {Group}
    assert classes == {type(group) for group in GROUPS}


@every_group
def test_axioms(group, generator):
    g, h = group.sample(2, 20, generator=generator)
    one = group.identity()
    assert group.contains(one) and group.contains(g @ h) and group.contains(g.mT)
    assert group.contains(group.components) and group.contains(group.generators)
    assert_close(group.components[0], one, ROUNDING)
    assert_close(g @ g.mT, one.expand_as(g), ROUNDING)


@every_group
def test_elements_in_single_precision(group, generator):
    g = group.sample(3, 4, generator=generator).float()
    assert group.mask(g).shape == (3, 4) and group.contains(g @ g)
    assert group.identity(torch.float32).dtype == torch.float32


@every_group
def test_elements_that_are_none(group, generator):
    g = group.sample(4, generator=generator)
    others = {
        "a stretch": 1.1 * g,
        "one of several": torch.cat([g, 1.1 * g[:1]]),
        "not finite": g * torch.nan,
        "another size": torch.eye(group.n + 1),
        "not square": torch.eye(group.n, group.n + 1),
        "a vector": torch.ones(group.n),
        "integers": torch.eye(group.n, dtype=torch.int64),
    }
    group.check(g)
    for what, elements in others.items():
        assert not group.contains(elements), what
        message = f"^here: expected elements of {re.escape(group.name)}, .*got a tensor of shape"
        with pytest.raises(ValueError, match=message):
            group.check(elements, "here")


@every_smaller_group
def test_not_every_orthogonal_matrix_is_an_element(group, generator):
    other = _random_orthogonal(group.n, generator)
    other[0] *= -torch.linalg.det(other)  # improper, for SO(n)
    assert not group.contains(other)
    with pytest.raises(ValueError, match=re.escape(f"with [[{other[0, 0].item()}, ")):
        group.check(torch.stack([group.identity(), other]))


def moments(g: torch.Tensor, degree: int) -> torch.Tensor:
    """Products of ``degree`` random matrix entries u . g v of elements ``(count, n, n)``."""
    generator = torch.Generator().manual_seed(degree)
    uv = torch.randn(2, degree, g.shape[-1], generator=generator, dtype=torch.float64)
    u, v = torch.nn.functional.normalize(uv, dim=-1)
    return torch.einsum("di,gij,dj->gd", u, g, v).prod(-1)


def left_invariance(group: Group, degree: int, of: int) -> torch.Tensor:
    """Difference of sum w_g f(h g) and sum w_g f(g) on grid(degree), f of degree ``of``.

    Elements of the group with weights of sum 1 integrate f exactly if and only if it vanishes.
    """
    g, weights = group.grid(degree)
    probe = torch.cat([group.generators, group.sample(3, generator=torch.Generator())])
    return torch.stack([weights @ (moments(h @ g, of) - moments(g, of)) for h in probe])


@every_group
def test_the_grid_integrates_exactly_up_to_its_degree(group):
    for degree in range(5):
        g, weights = group.grid(degree)
        assert group.contains(g) and (weights > 0).all()
        assert_close(weights.sum(), 1.0, ROUNDING)
        for of in range(1, degree + 1):
            error = left_invariance(group, degree, of)
            assert_close(error, torch.zeros_like(error), ROUNDING)


@every_continuous_group
def test_what_the_grid_does_not_integrate(group):
    """Negative control: degree + 1, or degree + 2 where -1 kills odd functions."""
    for degree in range(4):
        errors = [left_invariance(group, degree, degree + more).abs().max() for more in (1, 2)]
        assert max(errors) > 1e-4, degree


def deviation(group: Group, g: torch.Tensor) -> float:
    """How far the mean of (trace, moments) over ``g`` is from Haar's, in standard errors."""

    def functions(g):
        trace = g.diagonal(dim1=-2, dim2=-1).sum(-1)
        return torch.stack([trace, moments(g, 1), moments(g, 2)], -1)

    elements, weights = group.grid(2)
    values = functions(g)
    error = values.std(0) / len(g) ** 0.5 + ROUNDING
    return float(((values.mean(0) - weights @ functions(elements)).abs() / error).max())


@every_group
def test_samples_have_haar_measure(group, generator):
    assert deviation(group, group.sample(10_000, generator=generator)) <= STATISTICAL


@every_group
def test_samples_without_haar_measure(group, generator):
    """Negative control: the elements that are nearer to 1 have other means."""
    if group == trivial_group(2):
        return  # there is one measure only
    g = group.sample(10_000, generator=generator)
    trace = g.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert deviation(group, g[trace >= trace.quantile(0.7)]) > STATISTICAL


@every_group
def test_sampling(group):
    """Any shape, float64, and the same draw for the same seed only."""
    first, second, other = (
        group.sample(5, 8, generator=torch.Generator().manual_seed(seed)) for seed in (7, 7, 8)
    )
    assert first.shape == (5, 8, group.n, group.n) and first.dtype == torch.float64
    assert group.sample().shape == (group.n, group.n)
    assert group.sample(0, 2).shape == (0, 2, group.n, group.n)
    assert torch.equal(first, second)
    assert group == trivial_group(2) or not torch.equal(first, other)


@every_group
def test_a_group_is_a_value(group):
    for same in (copy.copy(group), copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert same == group and hash(same) == hash(group) and repr(same) == repr(group)
    assert sum(other == group for other in GROUPS) == 1
    assert group != group.name and repr(group) == group.name
    with pytest.raises(AttributeError):
        group.n = 5


@every_group
def test_conjugate(group, generator):
    """F H F^T has the elements F h F^T; it is H for F in H."""
    assert group.conjugate(group.identity()) == group
    for inner in (-group.identity(), *group.sample(2, generator=generator)):
        assert is_subgroup(group.conjugate(inner), group)
        assert is_subgroup(group, group.conjugate(inner))
    by = _random_frame(group, generator)
    g = group.sample(10, generator=generator)
    moved = group.conjugate(by)
    assert type(moved) is type(group)
    assert moved.contains(by @ g @ by.mT) and group.contains(by.mT @ moved.sample(10) @ by)
    for wrong in (2 * by, by[:-1], torch.eye(group.n + 1)):
        with pytest.raises(ValueError, match="^by: expected an orthogonal matrix of shape"):
            group.conjugate(wrong)


@over("group", [g for g in SMALLER if g not in NORMAL])
def test_a_conjugate_is_another_group(group, generator):
    """Negative control: a generic conjugate of a group that is not normal in O(n)."""
    moved = group.conjugate(_random_frame(group, generator))
    assert moved != group and not is_subgroup(moved, group) and not is_subgroup(group, moved)


@every_group
def test_subgroup_relation(group, generator):
    assert is_subgroup(group, group)
    assert is_subgroup(trivial_group(group.n), group)
    assert not is_subgroup(trivial_group(group.n + 1), group)
    for orthogonal in ORTHOGONAL:
        if orthogonal.n == group.n:
            assert is_subgroup(group, orthogonal)
            assert is_subgroup(orthogonal, group) == (group == orthogonal)


@every_continuous_group
def test_a_continuous_group_is_not_finite(group):
    assert not group.is_finite
    with pytest.raises(ValueError, match="^subgroup: expected a subgroup of finite index in"):
        cosets(group, trivial_group(group.n))


@every_finite_group
def test_multiplication_table(group):
    """g_i g_j = g_table[i, j], and the table is that of a group with neutral element 0."""
    e, table, every = group.elements, group.table, torch.arange(group.order)
    assert group.is_finite and len(e) == group.order and e.dtype == torch.float64
    assert_close(e[:, None] @ e, e[table], ROUNDING)
    assert torch.equal(table.sort(0).values, every[:, None].expand_as(table))
    assert torch.equal(table.sort(1).values, every.expand_as(table))
    assert torch.equal(table[0], every) and torch.equal(table[:, 0], every)
    assert torch.equal(table[table], table[:, table])  # (ij)k = i(jk)
    assert torch.equal(table[every, group.inverse], torch.zeros_like(every))


@every_finite_group
def test_number_of_an_element(group, generator):
    every = torch.arange(group.order)
    assert torch.equal(group.index(group.elements), every)
    assert torch.equal(group.components, group.elements)
    number = torch.randint(group.order, (2, 3), generator=generator)
    noise = 1e-5 * torch.randn(2, 3, group.n, group.n, generator=generator)
    assert torch.equal(group.index(group.elements[number].float() + noise), number)


@every_finite_group
def test_generators_generate(group):
    """Each is needed: without the last the subgroup is smaller."""
    generators = group.generators
    assert subgroup(group, generators) == group
    if group.order > 1:
        assert subgroup(group, generators[:-1]).order < group.order


@every_finite_group
def test_conjugacy_classes(group):
    """They are a partition, the identity first, and the equivalence classes of h g h^-1."""
    classes = conjugacy_classes(group)
    assert sorted(i for c in classes for i in c) == list(range(group.order))
    assert classes[0] == (0,) and [c[0] for c in classes] == sorted(min(c) for c in classes)
    e = group.elements
    for members in classes:
        conjugates = group.index(e @ e[members[-1]] @ e.mT)
        assert set(conjugates.tolist()) == set(members)


@every_finite_group
def test_cosets(group, generator):
    """Lagrange: the r_i H are disjoint, of one size, and r_i h is in number i."""
    for g in group.sample(3, generator=generator):
        inner = subgroup(group, g[None])
        parts = cosets(group, inner)
        assert len(parts) * inner.order == group.order
        numbers = parts.number(parts.representatives[:, None] @ inner.elements)
        assert torch.equal(numbers, torch.arange(len(parts))[:, None].expand_as(numbers))
        assert torch.equal(parts.representatives[0], group.identity())
        every = parts.number(group.elements.float())
        assert set(Counter(every.tolist()).values()) == {inner.order}
        # Representatives come in group order.
        first = [every.tolist().index(i) for i in range(len(parts))]
        assert first == sorted(first)
        assert_close(parts.representatives, group.elements[first], ROUNDING)


def _random_orthogonal(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q


def _random_frame(group: Group, generator: torch.Generator) -> torch.Tensor:
    """An orthogonal matrix, with the blocks of a product."""
    factors = group.factors if isinstance(group, ProductGroup) else (group,)
    return torch.block_diag(*(_random_orthogonal(factor.n, generator) for factor in factors))
