"""The axioms of a group, and Haar measure, for every group."""

import copy
import pickle

import pytest
import torch

from equinet import group as group_package
from equinet.group import Group
from tests.laws.cases import GROUPS, IRREPS
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def test_every_public_group_has_a_case():
    public = {getattr(group_package, name) for name in group_package.__all__}
    classes = {value for value in public if isinstance(value, type)} - {Group}
    assert classes == {type(group) for group in GROUPS}


@every_group
def test_axioms(group, generator):
    g, h = group.sample(2, 20, generator=generator)
    one = group.identity()
    assert group.contains(one) and group.contains(g @ h) and group.contains(g.mT)
    assert_close(g @ one, g, 0)
    assert_close(g @ g.mT, one.expand_as(g), ROUNDING)


@every_group
def test_elements_that_are_none(group, generator):
    n, g = group.n, group.sample(4, generator=generator)
    mirror = torch.diag(torch.tensor([-1.0] + [1.0] * (n - 1), dtype=torch.float64))
    others = {
        "a reflection": g @ mirror,
        "a stretch": 1.1 * g,
        "one of several": torch.cat([g, g[:1] @ mirror]),
        "not finite": g * torch.nan,
        "another size": torch.eye(n + 1),
        "not square": torch.eye(n)[:, :-1],
        "a vector": torch.ones(n),
        "integers": torch.eye(n, dtype=torch.int64),
    }
    group.check(g)
    for what, elements in others.items():
        assert not group.contains(elements), what
        with pytest.raises(ValueError, match=r"^here: expected elements of SO\(\d\).*got"):
            group.check(elements, "here")


@every_group
def test_haar_measure(group, generator):
    """int psi = 0 for every irrep but the trivial one; only Haar measure has that."""
    count = 20_000
    g = group.sample(count, generator=generator)
    for psi in IRREPS:
        if psi.group == group and psi.frequency:
            values = psi(g)
            error = values.std(0) / count**0.5
            assert (values.mean(0).abs() <= STATISTICAL * error).all(), psi


@every_group
def test_what_haar_measure_is_not(group, generator):
    """Negative control: angles uniform in a smaller range have means that are not zero."""
    g = group.sample(20_000, generator=generator)
    near = g[g.diagonal(dim1=-2, dim2=-1).sum(-1) > group.n / 2 - 1]
    mean, error = near.mean(0), near.std(0) / len(near) ** 0.5
    assert (mean.abs() > STATISTICAL * error).any()


@every_group
def test_sampling(group, generator):
    """Any shape, float64, and the same draw for the same seed."""
    assert group.sample(generator=generator).shape == (group.n, group.n)
    first, second = (group.sample(2, 3, generator=torch.Generator().manual_seed(7)) for _ in "ab")
    assert first.shape == (2, 3, group.n, group.n) and first.dtype == torch.float64
    assert torch.equal(first, second)
    assert not torch.equal(first, group.sample(2, 3, generator=generator))


@every_group
def test_a_group_is_a_value(group):
    for same in (type(group)(), copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert same == group and hash(same) == hash(group)
    assert sum(other == group for other in GROUPS) == 1
    with pytest.raises(AttributeError):
        group.n = 5
