"""Building representations by function and by name."""

import pytest
import torch

from equinet import so2, so3
from equinet.rep import Irrep, irrep, named, regular, trivial, vector
from tests.tolerances import ROUNDING, assert_close


@pytest.mark.parametrize("group", [so2(), so3()], ids=str)
def test_builders(group, generator):
    g = group.sample(4, generator=generator)
    assert_close(vector(group)(g), g, ROUNDING)  # the defining representation
    assert trivial(group).dim == 1
    assert_close(trivial(group)(g), torch.ones(4, 1, 1), ROUNDING)
    assert irrep(group, 3).irreps == (Irrep(group, 3),)
    assert_close(irrep(group, 3)(g), Irrep(group, 3)(g), 0)
    assert regular(group).irreps is None and regular(group).group == group


@pytest.mark.parametrize("group", [so2(), so3()], ids=str)
def test_names(group):
    assert named(group, "trivial") == named(group, "0") == trivial(group)
    assert named(group, "vector") == named(group, "1") == vector(group)
    assert named(group, "regular") == regular(group)
    assert named(group, "12") == irrep(group, 12)
    for rho in (trivial(group), vector(group), regular(group), irrep(group, 7)):
        assert named(group, rho.name) == rho


@pytest.mark.parametrize("name", ["", "Regular", "1e", "-1", "1.0", "²", " 1", "A1"])
def test_names_that_are_none(name):
    with pytest.raises(
        ValueError, match="representation: expected one of trivial, vector"
    ) as caught:
        named(so2(), name)
    assert repr(name) in str(caught.value)
