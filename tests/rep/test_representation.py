"""Irreps and representations; their laws are in tests/laws."""

import math

import pytest
import torch

from equinet import so2, so3
from equinet.group import Group
from equinet.rep import Irrep, Representation, irrep, regular
from tests.tolerances import ROUNDING, assert_close


@pytest.mark.parametrize("frequency", range(5))
def test_dimensions(frequency):
    assert Irrep(so2(), frequency).dim == (2 if frequency else 1)
    assert Irrep(so3(), frequency).dim == 2 * frequency + 1
    assert Irrep(so2(), frequency).name == str(frequency)


def test_irreps_of_so2_turn_by_a_multiple(generator):
    angle = 2 * math.pi * torch.rand(7, generator=generator, dtype=torch.float64)
    for s in (1, 2, 5):
        c, n = (s * angle).cos(), (s * angle).sin()
        expected = torch.stack([c, -n, n, c], -1).unflatten(-1, (2, 2))
        assert_close(Irrep(so2(), s)(so2().element(angle)), expected, ROUNDING)


def test_characters_of_so3(generator):
    """tr psi_l = sin((2l + 1) t/2) / sin(t/2) for a rotation by t."""
    g = so3().sample(9, generator=generator)
    t = ((g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).acos()
    for l in range(6):
        trace = Irrep(so3(), l)(g).diagonal(dim1=-2, dim2=-1).sum(-1)
        assert_close(trace, ((2 * l + 1) * t / 2).sin() / (t / 2).sin(), 100 * ROUNDING)


def test_a_sum_is_block_diagonal_in_order(generator):
    parts = (Irrep(so3(), 2), Irrep(so3(), 0), Irrep(so3(), 1))
    rho = Representation(so3(), "sum", parts)
    g = so3().sample(3, generator=generator)
    assert rho.dim == 9
    expected = torch.stack([torch.block_diag(*(psi(h) for psi in parts)) for h in g])
    assert_close(rho(g), expected, 0)


def test_gradients_pass():
    angle = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    irrep(so2(), 2)(so2().element(angle))[0, 0].backward()
    assert_close(angle.grad, torch.tensor(-2 * math.sin(0.6)), 1e-7)


def test_the_regular_representation_has_no_matrix():
    rho = regular(so2())
    assert rho.is_regular and not irrep(so2(), 1).is_regular
    for ask in (lambda: rho.dim, lambda: rho(torch.eye(2))):
        with pytest.raises(ValueError, match=r"regular representation of SO\(2\)"):
            ask()


def test_the_name_is_for_people():
    """Equal by content."""
    named, other = (Representation(so2(), name, (Irrep(so2(), 1),)) for name in ("1", "spin"))
    assert named == other and hash(named) == hash(other)
    assert named != Representation(so2(), "1", (Irrep(so2(), 2),))
    assert named != Representation(so3(), "1", (Irrep(so3(), 1),))


def test_bad_irreps():
    for frequency in (-1, 1.0, "1", None):
        with pytest.raises(ValueError, match=r"^frequency: expected an integer >= 0, got"):
            Irrep(so2(), frequency)
    for group in ("SO(2)", Group("SU(2)", 2)):
        with pytest.raises(TypeError, match=r"^group: expected SO\(2\) or SO\(3\), got"):
            Irrep(group, 1)
    with pytest.raises(AttributeError):
        Irrep(so2(), 1).frequency = 2
