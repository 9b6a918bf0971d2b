"""The fibre of a field type: blocks of representations, and its change to irreps."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import cyclic, octahedral, so2, so3
from equinet.rep import Fibre, Representation, fibre, irrep, regular, trivial, vector
from tests.steerable.kernel_cases import GROUPS, fibres, random, seeded
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
O = octahedral()
MIXED = fibre([(2, regular(O)), (1, vector(O)), (3, trivial(O)), (1, regular(O))])


@st.composite
def drawn_fibres(draw):
    group = draw(st.sampled_from(GROUPS), label="group")
    return fibre(draw(fibres(group, most=3), label="blocks"))


@given(drawn_fibres())
def test_the_action_is_block_diagonal(space):
    g = space.group.sample(2, generator=seeded())
    value, start = space(g), 0
    expected = torch.zeros(2, space.dim, space.dim, dtype=F64)
    for mul, rho in space.blocks:
        for _ in range(mul):
            stop = start + rho.dim
            expected[:, start:stop, start:stop] = rho(g)
            start = stop
    assert start == space.dim
    assert_close(value, expected, 0)
    assert_close(space(g[0] @ g[1]), value[0] @ value[1], SYMMETRY)


@given(drawn_fibres())
def test_counts_are_those_of_the_irreps(space):
    g = space.group.sample(3, generator=seeded())
    character = sum(count * psi.character(g) for psi, count in space.counts.items())
    assert_close(character, space(g).diagonal(dim1=-2, dim2=-1).sum(-1), SYMMETRY)
    assert sum(count * psi.dim for psi, count in space.counts.items()) == space.dim


@given(drawn_fibres())
def test_permutation_and_change_of_basis_undo_the_action(space):
    """rho(g) = Q S^-1 (sum of m psi(g), equal irreps together) S Q^-1, S the sorting."""
    g = space.group.sample(generator=seeded())
    sorted_ = torch.block_diag(*[psi(g) for psi, m in space.counts.items() for _ in range(m)])
    matrix = sorted_
    if space.permutation is not None:
        matrix = matrix[space.permutation][:, space.permutation]
        assert not torch.equal(space.permutation, torch.arange(space.dim))
    matrix = space.change_basis(matrix, 0)
    matrix = space.change_basis(matrix, 1, inverse=True)
    assert_close(matrix, space(g), SYMMETRY)


def test_a_mixed_fibre_needs_both_permutation_and_change_of_basis():
    g = O.sample(generator=seeded())
    irreps = torch.block_diag(*[psi(g) for psi, m in MIXED.counts.items() for _ in range(m)])
    wrong = MIXED.change_basis(MIXED.change_basis(irreps, 0), 1, inverse=True)
    assert MIXED.permutation is not None and (wrong - MIXED(g)).abs().max() > 0.1
    assert fibre([(3, trivial(O))]).permutation is None
    assert fibre([(1, vector(O)), (2, trivial(O)), (1, vector(O))]).permutation is not None


@given(drawn_fibres())
def test_grouped_matrices_put_equal_irreps_together(space):
    g = space.group.sample(generator=seeded())
    matrices, inverses = (space.matrices(inverse=inv, grouped=True) for inv in (False, True))
    for (_, rho), Q, inverse in zip(space.blocks, matrices, inverses, strict=True):
        psis = [psi for psi in space.counts for _ in range(rho.multiplicities.get(psi, 0))]
        value = torch.block_diag(*[psi(g) for psi in psis])
        assert (Q is None) == (inverse is None)
        if Q is not None and inverse is not None:
            value = Q @ value @ inverse
        assert_close(value, rho(g), SYMMETRY)


def skewed(space):
    """The same fibre in other bases, so that its representations are not orthogonal."""
    blocks = []
    for mul, rho in space.blocks:
        shear = torch.eye(rho.dim, dtype=F64) + random(rho.dim, rho.dim).triu(1) / 4
        Q = shear if rho.Q is None else shear @ rho.Q
        blocks.append((mul, Representation(rho.group, "skewed", rho.irreps, Q)))
    return fibre(blocks)


@given(drawn_fibres(), st.booleans())
def test_invariants_and_their_coefficients(space, skew):
    """V spans what the group leaves alone, and V W is the mean of rho over the group."""
    space = skewed(space) if skew else space
    v, w = space.invariants, space.coefficients
    assert v.shape == w.mT.shape == (space.dim, v.shape[1])
    assert v.shape[1] == sum(m for psi, m in space.counts.items() if psi.is_trivial)
    average = torch.eye(space.dim, dtype=F64)
    for g, weight in space.group.haar(max(rho.degree for _, rho in space.blocks)):
        average = average @ torch.einsum("g,gij->ij", weight, space(g))
    assert_close(w @ v, torch.eye(v.shape[1]), SYMMETRY)
    assert_close(v @ w, average, SYMMETRY)
    assert_close(v.count_nonzero(0) > 0, torch.ones(v.shape[1]) > 0, 0)


def test_the_mean_is_no_orthogonal_projector_in_a_skewed_basis():
    """Negative control: the pseudo-inverse of V serves orthogonal representations only."""
    assert_close(torch.linalg.pinv(MIXED.invariants), MIXED.coefficients, SYMMETRY)
    space = skewed(MIXED)
    wrong = torch.linalg.pinv(space.invariants) - space.coefficients
    assert wrong.abs().max() > 1e-3


@pytest.mark.parametrize("mul", [1, 3])
def test_the_invariant_of_functions_on_a_group_is_the_constant(mul):
    expected = torch.block_diag(*[torch.ones(O.order, 1, dtype=F64)] * mul)
    assert_close(fibre([(mul, regular(O))]).invariants, expected, SYMMETRY)


def test_the_former_name_of_the_permutation_warns():
    with pytest.warns(DeprecationWarning, match="Fibre.permutation"):
        assert_close(MIXED.order, MIXED.permutation, 0)


@given(drawn_fibres(), st.integers(0, 2))
def test_change_of_basis_acts_along_one_axis(space, axis):
    size = [2, 3, 4]
    size[axis] = space.dim
    x = random(*size)
    change = space.change_basis(torch.eye(space.dim, dtype=F64), 0)
    inverse = space.change_basis(torch.eye(space.dim, dtype=F64), 1, inverse=True)
    assert_close(change @ inverse, torch.eye(space.dim), SYMMETRY)
    for matrix, inv in ((change, False), (inverse.mT, True)):
        moved = (matrix @ x.movedim(axis, -2)).movedim(-2, axis)
        assert_close(space.change_basis(x, axis, inverse=inv), moved, SYMMETRY)


def test_change_of_basis_keeps_dtype_and_gradient():
    x = random(3, MIXED.dim).float().requires_grad_()
    y = MIXED.change_basis(x, -1)
    assert y.shape == x.shape and y.dtype == torch.float32
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.isfinite().all()


def test_fibre_takes_a_representation_or_blocks():
    rho = regular(cyclic(4))
    assert fibre(rho) == fibre([(1, rho)]) == Fibre(((1, rho),))
    assert fibre(iter([(2, rho), (1, trivial(cyclic(4)))])).dim == 9
    assert fibre(rho).group == cyclic(4)


def test_values_are_hashable_and_picklable():
    spaces = [MIXED, fibre(vector(so3())), fibre([(2, vector(so3()))]), fibre(irrep(so2(), 1))]
    assert len(set(spaces)) == len(spaces)
    for space in spaces:
        assert (
            space.permutation is None or len(space.permutation) == space.dim
        )  # before it is pickled
        for other in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
            assert other == space and hash(other) == hash(space)
            g = space.group.sample(generator=seeded())
            assert_close(other(g), space(g), 0)
    # A name is no part of a representation, so none of a fibre.
    named = Representation(so2(), "a pair", irrep(so2(), 1).irreps)
    assert fibre(named) == fibre(irrep(so2(), 1))


def test_bad_input():
    with pytest.raises(ValueError, match="blocks: expected at least one"):
        fibre([])
    with pytest.raises(ValueError, match=r"blocks: expected representations of C4, got .* of O"):
        fibre([(1, trivial(cyclic(4))), (1, trivial(O))])
    with pytest.raises(ValueError, match=r"regular representation of SO\(3\) has no finite dim"):
        _ = fibre(regular(so3())).counts


@pytest.mark.parametrize("mul", [-1, 1.5, True])
def test_a_multiplicity_that_is_no_count(mul):
    with pytest.raises((TypeError, ValueError), match="multiplicity|blocks"):
        fibre([(mul, trivial(O))])


def test_identity_change_returns_the_tensor_itself():
    x = random(6, 2)
    assert fibre([(2, irrep(so3(), 1))]).change_basis(x, 0) is x
    assert_close(fibre(irrep(so3(), 0)).change_basis(x, 0), x, ROUNDING)
