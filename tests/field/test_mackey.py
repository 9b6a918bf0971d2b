"""The induced representation in both pictures, and the maps between them."""

import pytest
import torch
from hypothesis import given

from equinet.field import (
    HomogeneousSpace,
    Plane,
    act,
    act_on_mackey,
    induced_matrices,
    lift,
    lower,
    mackey_projection,
    mackey_residual,
)
from equinet.group import cyclic, dihedral, octahedral, subgroup_classes, symmetric
from equinet.rep import induce, irrep, irreps, trivial
from tests.field.coset_cases import every_kind, field_types, noise, random_space
from tests.tolerances import ROUNDING, assert_close

TWO = HomogeneousSpace(dihedral(4), cyclic(4)).fields("2x0 + 1x1")


def _functions(field_type, batch, seed=0):
    """Any functions on G with values in the fibre."""
    generator = torch.Generator().manual_seed(seed)
    size = batch, field_type.channels, field_type.space.group.order
    return torch.randn(size, generator=generator, dtype=torch.float64)


@given(field_type=field_types())
def test_lift_and_lower_are_inverse(field_type):
    """And lifts are Mackey functions (M2); what is lowered and lifted again is the same only then.

    F(s(x) h) = rho(h)^-1 f(x), with matrices.
    """
    f = noise(field_type, 2)
    F = lift(field_type, f)
    assert_close(lower(field_type, F), f, ROUNDING)
    assert mackey_residual(field_type, F) < ROUNDING
    assert_close(lift(field_type, lower(field_type, F)), F, ROUNDING)
    group, H = field_type.space.group, field_type.space.fibre_group
    s = group.elements[list(field_type.space.section.numbers)]
    inverse = field_type.rho(H.elements.mT)
    members = group.index(s[:, None] @ H.elements)  # (points, |H|)
    assert_close(F[..., members], torch.einsum("hij,zjp->ziph", inverse, f), ROUNDING)


@given(field_type=field_types())
def test_lift_commutes_with_the_group(field_type):
    """Lambda [g f] = [g Lambda f]: (M1) below, (M3) above; one element and one a sample."""
    f, group = noise(field_type, 3), field_type.space.group
    F = lift(field_type, f)
    elements = group.sample(3, generator=torch.Generator().manual_seed(0))
    for g in (elements[0], elements):
        moved = act_on_mackey(field_type, g, F)
        assert_close(lift(field_type, act(field_type, g, f)), moved, ROUNDING)
        assert_close(act(field_type, g, f), lower(field_type, moved), ROUNDING)


@given(field_type=field_types())
def test_the_action_above(field_type):
    """[g F](u) = F(g^-1 u) as matrices; act(gh) = act(g) act(h)."""
    F, group = _functions(field_type, 2), field_type.space.group
    g, h = group.elements[1], group.elements[-1]
    moved = act_on_mackey(field_type, g, F)
    assert torch.equal(moved, F[..., group.index(g.mT @ group.elements)])
    twice = act_on_mackey(field_type, h, moved)
    assert torch.equal(twice, act_on_mackey(field_type, h @ g, F))


@given(field_type=field_types())
def test_projection(field_type):
    """P is a projector that commutes with G, onto functions that obey (M2), lifts of fields."""
    F = _functions(field_type, 2)
    projected = mackey_projection(field_type, F)
    assert mackey_residual(field_type, projected) < ROUNDING
    assert_close(mackey_projection(field_type, projected), projected, ROUNDING)
    g = field_type.space.group.elements[-1]
    moved = mackey_projection(field_type, act_on_mackey(field_type, g, F))
    assert_close(moved, act_on_mackey(field_type, g, projected), ROUNDING)
    assert_close(lift(field_type, lower(field_type, projected)), projected, ROUNDING)
    f = noise(field_type, 2)
    assert_close(mackey_projection(field_type, lift(field_type, f)), lift(field_type, f), ROUNDING)
    if field_type.space.fibre_group.order > 1:  # a negative control
        assert mackey_residual(field_type, F) > 0.1
        assert (projected - F).abs().max() > 0.1


def test_there_are_as_many_mackey_functions_as_fields():
    """The trace of P is the dimension of Ind_H^G rho, |G/H| dim rho."""
    space = random_space(symmetric(4), subgroup_classes(symmetric(4))[5], 0)
    field_type = space.fields(
        [(1, irrep(space.fibre_group, p.name)) for p in irreps(space.fibre_group)]
    )
    size = field_type.channels * 24
    every = torch.eye(size, dtype=torch.float64).view(size, field_type.channels, 24)
    P = mackey_projection(field_type, every).flatten(1)
    assert_close(P.trace(), len(space) * field_type.channels, 1e-10)
    assert torch.linalg.matrix_rank(P) == len(space) * field_type.channels


@given(field_type=field_types())
def test_matrices_of_the_local_picture(field_type):
    """They do what ``act`` does (M7), and multiply like the group."""
    group, f = field_type.space.group, noise(field_type, 2)
    generators = group.index(group.generators).tolist()
    matrices = induced_matrices(field_type)
    for i in (0, *generators):
        moved = act(field_type, group.elements[i], f)
        assert_close(f.mT.flatten(1) @ matrices[i].mT, moved.mT.flatten(1), ROUNDING)
    for i in generators:
        assert_close(matrices[i] @ matrices, matrices[group.table[i]], ROUNDING)


@pytest.mark.parametrize("group", [dihedral(4), symmetric(4), octahedral()], ids=repr)
def test_matrices_are_those_of_induce(group):
    """Where s takes the first element of each coset, as ``rep.induce`` does."""
    for H in subgroup_classes(group)[-5:]:
        for psi in irreps(H):
            rho = irrep(H, psi.name)
            field_type = HomogeneousSpace(group, H).fields([(1, rho)])
            expected = induce(rho, group)(group.elements)
            assert_close(induced_matrices(field_type), expected, 1e-10)


def test_another_section_is_another_basis():
    """The matrices differ, their traces do not: the character of Ind_H^G rho."""
    H = subgroup_classes(symmetric(4))[6]
    one, other = (every_kind(random_space(symmetric(4), H, seed)) for seed in (1, 2))
    a, b = induced_matrices(one), induced_matrices(other)
    assert (a - b).abs().max() > 0.5
    assert_close(a.diagonal(dim1=1, dim2=2).sum(1), b.diagonal(dim1=1, dim2=2).sum(1), 1e-10)


def test_gradients(generator):
    F = _functions(TWO, 2).requires_grad_()
    f = noise(TWO, 2).requires_grad_()
    g = dihedral(4).elements[5]
    assert torch.autograd.gradcheck(lambda f: lift(TWO, f), (f,))
    assert torch.autograd.gradcheck(lambda F: lower(TWO, F), (F,))
    assert torch.autograd.gradcheck(lambda F: act_on_mackey(TWO, g, F), (F,))
    assert torch.autograd.gradcheck(lambda F: mackey_projection(TWO, F), (F,))
    assert lift(TWO, f.float()).dtype == mackey_projection(TWO, F.float()).dtype == torch.float32


def test_bad_arguments():
    plane = Plane("C4").fields("1x trivial")
    x = torch.zeros(1, 1, 8)
    for function in (lift, lower, mackey_projection, mackey_residual):
        with pytest.raises(
            ValueError, match="^field_type: expected fields over a HomogeneousSpace"
        ):
            function(plane, x)
    with pytest.raises(ValueError, match="^field_type: expected fields over a HomogeneousSpace"):
        induced_matrices(plane)
    with pytest.raises(ValueError, match="^field_type: expected fields over a HomogeneousSpace"):
        act_on_mackey(plane, torch.eye(2), x)
    with pytest.raises(
        ValueError, match=r"^f: expected \(batch, channel, point\) = \(batch, 4, 2\)"
    ):
        lift(TWO, torch.zeros(1, 4, 8))
    for wrong in (torch.zeros(1, 4, 2), torch.zeros(1, 3, 8), torch.zeros(4, 8)):
        for function in (lower, mackey_projection, mackey_residual):
            with pytest.raises(
                ValueError, match=r"^F: expected \(batch, channel, \|G\|\) = \(batc"
            ):
                function(TWO, wrong)
    with pytest.raises(TypeError, match="^F: expected a real floating tensor, got torch.int64"):
        lower(TWO, torch.zeros(1, 4, 8, dtype=torch.long))
    with pytest.raises(ValueError, match="^F: expected a function that is not zero"):
        mackey_residual(TWO, torch.zeros(1, 4, 8))
    F = torch.zeros(2, 4, 8)
    with pytest.raises(ValueError, match="^g: expected elements of D4"):
        act_on_mackey(TWO, cyclic(3).elements[1], F)
    with pytest.raises(ValueError, match=r"^g: expected \(2, 2\) or \(2, 2, 2\)"):
        act_on_mackey(TWO, dihedral(4).elements[:3], F)
    with pytest.raises(ValueError, match="^representation: .* need a representation of C4"):
        TWO.space.fields([(1, trivial(dihedral(4)))])  # pyright: ignore
