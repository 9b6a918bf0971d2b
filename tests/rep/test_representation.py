"""The noun Representation: a value with a split; its laws are in tests/laws."""

import copy
import math
import pickle

import pytest
import torch

from equinet.group import axial, cyclic, o2, o3, octahedral, so2, so3, symmetric
from equinet.rep import (
    Irrep,
    Representation,
    dual,
    induce,
    irrep,
    quotient,
    regular,
    tensor_product,
    trivial,
    vector,
)
from tests.rep.test_decompose import random_matrix
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64


@pytest.mark.parametrize("degree", range(5))
def test_dimensions(degree):
    assert Irrep(so2(), str(degree)).dim == (2 if degree else 1)
    assert Irrep(so3(), str(degree)).dim == 2 * degree + 1
    assert Irrep(so3(), str(degree)).degree == degree == irrep(so3(), degree).degree


def test_irreps_of_so2_turn_by_a_multiple(generator):
    angle = 2 * math.pi * torch.rand(7, generator=generator, dtype=F64)
    for s in (1, 2, 5):
        c, n = (s * angle).cos(), (s * angle).sin()
        expected = torch.stack([c, -n, n, c], -1).unflatten(-1, (2, 2))
        assert_close(Irrep(so2(), str(s))(so2().element(angle)), expected, ROUNDING)


def test_characters_of_so3(generator):
    """tr psi_l = sin((2l + 1) t/2) / sin(t/2) for a rotation by t."""
    g = so3().sample(9, generator=generator)
    t = ((g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).acos()
    for l in range(6):
        trace = irrep(so3(), l).character(g)
        assert_close(trace, ((2 * l + 1) * t / 2).sin() / (t / 2).sin(), 100 * ROUNDING)


def test_a_sum_is_block_diagonal_in_order(generator):
    parts = (Irrep(so3(), "2"), Irrep(so3(), "0"), Irrep(so3(), "1"), Irrep(so3(), "0"))
    rho = Representation(so3(), "sum", parts)
    g = so3().sample(3, generator=generator)
    assert rho.dim == 10 and rho.constituents == parts
    expected = torch.stack([torch.block_diag(*(psi(h) for psi in parts)) for h in g])
    assert_close(rho(g), expected, 0)
    assert rho.multiplicities == {parts[0]: 1, parts[1]: 2, parts[2]: 1}
    assert list(rho.multiplicities) == [parts[0], parts[1], parts[2]]


def test_a_change_of_basis(generator):
    """rho(g) = Q psi(g) Q^-1, whose trace does not see Q."""
    Q = random_matrix(3, 0, False)
    rho = Representation(so3(), "skew", (Irrep(so3(), "1"),), Q)
    g = so3().sample(2, 3, generator=generator)
    assert_close(rho(g), Q @ g @ torch.linalg.inv(Q), SYMMETRY)
    assert_close(rho.character(g), g.diagonal(dim1=-2, dim2=-1).sum(-1), SYMMETRY)
    assert_close(rho.inverse_Q @ rho.Q, torch.eye(3), ROUNDING)
    assert rho(g.float()).dtype == torch.float32 and rho(g[:0]).shape == (0, 3, 3, 3)
    assert irrep(so3(), 1).inverse_Q is None


def test_gradients_pass():
    angle = torch.tensor(0.3, dtype=F64, requires_grad=True)
    irrep(so2(), 2)(so2().element(angle))[0, 0].backward()
    assert_close(angle.grad, torch.tensor(-2 * math.sin(0.6)), 1e-7)


@pytest.mark.parametrize("group", [o2(), o3(), axial("Dinfh")], ids=str)
def test_gradients_pass_with_reflections(group):
    """Along the one-parameter group of the first generator, against central differences."""
    mirror = group.components[-1]
    psi = irrep(group, {"O(2)": "2", "O(3)": "2o", "Dinfh": "E2u"}[group.name])

    def value(angle):
        turn = so2().element(angle)
        if group.n == 3:
            turn = torch.block_diag(turn, torch.ones(1, 1, dtype=F64))
        return psi(turn @ mirror)

    angle = torch.tensor(0.3, dtype=F64, requires_grad=True)
    (found,) = torch.autograd.grad(value(angle).sum(), angle)
    expected = (value(angle + 1e-5) - value(angle - 1e-5)).sum() / 2e-5
    assert_close(found, expected.detach(), 1e-6)


# ------------------------------------------------------------------ questions


def test_is_orthogonal():
    """The matrices, not Q: what commutes with psi may stand in Q."""
    psi = Irrep(so3(), "1")
    one = torch.eye(3, dtype=F64)
    assert irrep(so3(), 1).is_orthogonal
    assert Representation(so3(), "turned", (psi,), random_matrix(3, 0, True)).is_orthogonal
    assert Representation(so3(), "doubled", (psi,), 2 * one).is_orthogonal
    assert not Representation(so3(), "skew", (psi,), random_matrix(3, 0, False)).is_orthogonal
    pair = torch.kron(torch.tensor([[1.0, 0.5], [0.0, 2.0]], dtype=F64), one)
    assert not Representation(so3(), "two", (psi, psi), random_matrix(6, 1, False)).is_orthogonal
    assert Representation(so3(), "two", (psi, psi), pair).is_orthogonal


def test_is_permutation():
    assert regular(octahedral()).is_permutation and vector(symmetric(5)).is_permutation
    assert quotient(octahedral(), cyclic_about_z()).is_permutation
    assert not vector(octahedral()).is_permutation  # it has signs
    assert not irrep(octahedral(), "A2").is_permutation and trivial(so3()).is_permutation
    assert not irrep(so2(), 1).is_permutation and not regular(so2(), 1).is_permutation
    assert tensor_product(regular(cyclic(3)), regular(cyclic(3))).is_permutation
    assert not induce(irrep(cyclic_about_z(), "B"), octahedral()).is_permutation


def cyclic_about_z():
    """C4, a subgroup of O."""
    group = octahedral()
    about = (group.elements[:, 2, 2] - 1).abs() < 1e-9
    return type(group)(3, group.elements[about], "C4")


def test_the_regular_representation_has_no_matrix():
    rho = regular(so2())
    assert rho.is_sampled and not irrep(so2(), 1).is_sampled
    assert not regular(octahedral()).is_sampled  # of finite dimension
    for ask in (
        lambda: rho.dim,
        lambda: rho.constituents,
        lambda: rho.degree,
        lambda: rho.multiplicities,
        lambda: rho(torch.eye(2)),
        lambda: tensor_product(rho, rho),
    ):
        with pytest.raises(ValueError, match=r"regular representation of SO\(2\)"):
            ask()


# ------------------------------------------------------------------ values


def test_the_name_is_for_people():
    """Equal by content."""
    named, other = (Representation(so2(), name, (Irrep(so2(), "1"),)) for name in ("1", "spin"))
    assert named == other and hash(named) == hash(other)
    assert repr(other) == "spin of SO(2)"
    assert named != Representation(so2(), "1", (Irrep(so2(), "2"),))
    assert named != Representation(so3(), "1", (Irrep(so3(), "1"),))
    assert named != "1"


def test_equal_with_a_change_of_basis():
    """Also if Q was computed in another way; never for another one, or another order."""
    psi, Q = Irrep(so3(), "1"), random_matrix(3, 4, True)
    rho = Representation(so3(), "a", (psi,), Q)
    near = Representation(so3(), "b", (psi,), Q @ Q @ Q.mT)
    assert rho == near and hash(rho) == hash(near)
    assert rho != Representation(so3(), "a", (psi,)) and rho != Representation(
        so3(), "a", (psi,), Q.mT.contiguous()
    )
    unit = Representation(so3(), "a", (psi,), torch.eye(3, dtype=F64))
    assert unit.Q is None and unit == irrep(so3(), 1)
    zero, one = Irrep(so3(), "0"), Irrep(so3(), "1")
    assert Representation(so3(), "a", (zero, one)) != Representation(so3(), "a", (one, zero))


@pytest.mark.parametrize(
    "rho",
    [
        regular(octahedral()),
        irrep(so3(), 2),
        regular(so3()),
        tensor_product(vector(octahedral()), vector(octahedral())),
        Representation(so3(), "skew", (Irrep(so3(), "1"),), random_matrix(3, 0, False)),
    ],
    ids=str,
)
def test_copies(rho):
    for same in (copy.copy(rho), copy.deepcopy(rho), pickle.loads(pickle.dumps(rho))):
        assert same == rho and hash(same) == hash(rho) and same.name == rho.name
        if rho.irreps is not None:
            g = rho.group.generators
            assert torch.equal(same(g), rho(g))
    with pytest.raises(AttributeError):
        rho.name = "other"


def test_q_belongs_to_the_representation():
    Q = random_matrix(3, 0, True)
    rho = Representation(so3(), "turned", (Irrep(so3(), "1"),), Q)
    before = rho(so3().identity())
    Q.zero_()
    assert_close(rho(so3().identity()), before, ROUNDING)


# ------------------------------------------------------------------ errors


def test_irreps_of_another_group():
    with pytest.raises(ValueError, match=r"^irreps: expected irreps of SO\(3\), got 1 of SO\(2\)"):
        Representation(so3(), "bad", (Irrep(so3(), "1"), Irrep(so2(), "1")))


@pytest.mark.parametrize(
    "Q",
    [
        torch.ones(2, 2, dtype=F64),
        torch.ones(3, dtype=F64),
        torch.ones(1, 3, 3, dtype=F64),
        torch.eye(3),
        torch.eye(3, dtype=torch.complex128),
    ],
    ids=lambda q: f"{q.dtype}{tuple(q.shape)}",
)
def test_bad_changes_of_basis(Q):
    with pytest.raises(ValueError, match=r"^Q: expected a float64 matrix of shape \(3, 3\), got"):
        Representation(so3(), "bad", (Irrep(so3(), "1"),), Q)


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_a_change_of_basis_has_an_inverse(value):
    Q = torch.full((3, 3), value, dtype=F64)
    with pytest.raises(ValueError, match=r"^Q: expected"):
        Representation(so3(), "bad", (Irrep(so3(), "1"),), Q)


def test_elements_that_are_not_in_the_group():
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=F64))
    for rho in (irrep(so3(), 1), vector(octahedral()), Irrep(octahedral(), "E")):
        for g in (mirror, 2 * torch.eye(3), torch.eye(2), torch.eye(3, dtype=torch.int64)):
            with pytest.raises(
                ValueError, match=r"^g: expected elements of (SO\(3\)|O), orthogonal"
            ):
                rho(g)


def test_dual_of_an_orthogonal_one_is_itself():
    rho = vector(octahedral())
    assert dual(rho) == rho
