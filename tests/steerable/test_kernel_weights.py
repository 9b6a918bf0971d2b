"""Kernels from weights: order, copies, derivatives, dtypes; the basis as a value; its errors."""

import copy
import pickle

import pytest
import torch
from hypothesis import assume, given
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, vmap

from equinet.group import cyclic, o3, octahedral, point_group, so3
from equinet.harmonics import Angular, GaussianShells, Harmonics, Pixels, Zernike, filter_grid
from equinet.rep import irrep, quotient, regular, trivial, vector
from equinet.steerable import SampledKernels, kernel_basis
from tests.steerable.kernel_cases import bases, random, residual, scattered, seeded, weights_of
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64

# Weights.

O = octahedral()
MIXED_IN = [(2, regular(O)), (1, vector(O)), (3, trivial(O))]
MIXED_OUT = [(1, vector(O)), (2, quotient(O, point_group("C4")))]
MIXED = kernel_basis(MIXED_IN, MIXED_OUT, Harmonics(O, GaussianShells((0.0, 1.0), lmax=2)))
SMALL = kernel_basis(
    [(2, irrep(so3(), 1)), (1, trivial(so3()))],
    [(1, irrep(so3(), 0)), (2, irrep(so3(), 2)), (1, irrep(so3(), 1))],
    Harmonics(so3(), Zernike(2.5, 3, 3)),
)


def test_mixed_blocks_have_equal_irreps_apart():
    assert MIXED.fibre_out.permutation is not None and MIXED.fibre_in.permutation is not None
    for h in O.sample(3, generator=seeded()):
        assert residual(MIXED, h, scattered(O, 4)) < SYMMETRY


@pytest.mark.parametrize("basis", [MIXED, SMALL], ids=["mixed", "small"])
def test_expand_is_linear_in_the_weights_in_the_order_of_dense(basis):
    kernels = basis.at(scattered(basis.group, 4))
    weights, every = weights_of(kernels), kernels.dense()
    assert every.shape == (basis.dim, basis.fibre_out.dim, basis.fibre_in.dim, 4)
    assert kernels.dim == basis.dim == sum(w.numel() for w in weights)
    flat = torch.cat([w.flatten() for w in weights])
    assert_close(kernels.expand(weights), torch.einsum("k,koip->oip", flat, every), SYMMETRY)


@given(bases(most=2, largest=4))
def test_a_weight_belongs_to_one_copy_of_each_irrep(basis):
    """Weights (copies out, copies in, kernels), copies in the order of the blocks."""
    kernels = basis.at(scattered(basis.group, 3))
    for (psi_out, psi_in), shape in kernels.weight_shapes.items():
        assert shape == (
            basis.fibre_out.counts[psi_out],
            basis.fibre_in.counts[psi_in],
            basis.counts[psi_out, psi_in],
        )
    for space in (basis.fibre_in, basis.fibre_out):
        assume(all(rho.Q is None for _, rho in space.blocks))
    for i, (pair, shape) in enumerate(kernels.weight_shapes.items()):
        weights = [torch.zeros(s, dtype=F64) for s in kernels.weight_shapes.values()]
        weights[i][-1, 0, 0] = 1
        expected = torch.zeros(basis.fibre_out.dim, basis.fibre_in.dim, 3, dtype=F64)
        rows = copy_rows(basis.fibre_out, pair[0])[-1]
        columns = copy_rows(basis.fibre_in, pair[1])[0]
        expected[rows, columns] = kernels.pairs[pair][0]
        assert_close(kernels.expand(weights), expected, ROUNDING)
        assert shape[2] == len(kernels.pairs[pair])


def copy_rows(space, wanted) -> list[slice]:
    found, start = [], 0
    for mul, rho in space.blocks:
        for psi in rho.constituents * mul:
            if psi == wanted:
                found.append(slice(start, start + psi.dim))
            start += psi.dim
    return found


def test_shapes_of_points():
    for shape in ((), (0,), (2, 3)):
        kernels = SMALL.at(torch.ones(*shape, 3))
        weights = [w.float() for w in weights_of(kernels)]
        kernel = kernels.expand(weights)
        assert kernel.shape == (SMALL.fibre_out.dim, SMALL.fibre_in.dim, *shape)
        assert kernel.dtype == torch.float32


def test_single_precision_agrees():
    points = scattered(O, 4).float()
    double, single = MIXED.at(points.double()), MIXED.at(points)
    weights = weights_of(double)
    found = single.expand([w.float() for w in weights])
    assert found.dtype == torch.float32
    expected = double.expand(weights)
    assert_close(found / expected.abs().max(), expected / expected.abs().max(), 1e-5)


def test_gradients_through_the_weights():
    kernels = MIXED.at(scattered(O, 2))
    weights = [w.requires_grad_() for w in weights_of(kernels)]
    assert gradcheck(lambda *w: kernels.expand(w)[::5, ::7], weights, fast_mode=True)
    # Linear: the gradient of <K, T> is <dense, T>.
    target = random(MIXED.fibre_out.dim, MIXED.fibre_in.dim, 2, seed=9)
    (kernels.expand(weights) * target).sum().backward()
    found = torch.cat([w.grad.flatten() for w in weights if w.grad is not None])
    assert_close(found, torch.einsum("koip,oip->k", kernels.dense(), target), SYMMETRY)


def test_derivatives_in_the_points():
    weights = weights_of(SMALL.at(scattered(so3(), 1)))
    points = scattered(so3(), 2).requires_grad_()

    def kernel(x):
        return SMALL.at(x).expand(weights)

    assert gradcheck(kernel, (points,), fast_mode=True)
    assert gradgradcheck(kernel, (points,), fast_mode=True)
    origin = torch.zeros(2, 3, dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(kernel(origin).sum(), origin)
    assert gradient.isfinite().all()


def test_function_transforms():
    kernels = SMALL.at(scattered(so3(), 2))
    batch = [torch.stack([w, 2 * w, -w]) for w in weights_of(kernels)]
    many = vmap(kernels.expand)(batch)
    one = kernels.expand([w[0] for w in batch])
    assert_close(many, torch.stack([one, 2 * one, -one]), SYMMETRY)
    weights = [w[0] for w in batch]
    slopes = grad(lambda w: kernels.expand(w).square().sum())(weights)
    leaves = [w.clone().requires_grad_() for w in weights]
    kernels.expand(leaves).square().sum().backward()
    for slope, leaf in zip(slopes, leaves, strict=True):
        assert_close(slope, leaf.grad, SYMMETRY)


# Values and errors.


def test_values_are_hashable_and_picklable():
    functions = Harmonics(so3(), Angular(2))
    rho = irrep(so3(), 1)
    cases = [
        MIXED,
        SMALL,
        kernel_basis(rho, rho, functions),
        kernel_basis([(2, rho)], rho, functions),
        kernel_basis(rho, [(2, rho)], functions),
        kernel_basis(rho, rho, Harmonics(so3(), Angular(1))),
        kernel_basis(regular(cyclic(4)), regular(cyclic(4)), Pixels(cyclic(4), filter_grid(3, 2))),
    ]
    assert len(set(cases)) == len(cases)
    assert cases[2] == kernel_basis([(1, rho)], [(1, rho)], functions)
    for basis in cases:
        dim = basis.dim  # before it is pickled, with what it has cached
        for other in (pickle.loads(pickle.dumps(basis)), copy.deepcopy(basis)):
            assert other == basis and hash(other) == hash(basis) and other.dim == dim
            points = scattered(basis.group, 2)
            weights = weights_of(basis.at(points))
            assert_close(other.at(points).expand(weights), basis.at(points).expand(weights), 0)


def test_representations_of_another_group():
    functions = Harmonics(so3(), Angular(2))
    here, there = trivial(so3()), trivial(o3())
    with pytest.raises(ValueError, match=r"blocks_in: expected .*SO\(3\).*got some of O\(3\)"):
        kernel_basis(there, here, functions)
    with pytest.raises(ValueError, match=r"blocks_out: expected .*SO\(3\).*got some of O\(3\)"):
        kernel_basis(here, there, functions)
    with pytest.raises(ValueError, match="blocks: expected representations"):
        kernel_basis(here, [(1, here), (1, there)], functions)
    with pytest.raises(ValueError, match="no finite dimension"):
        _ = kernel_basis(here, regular(so3()), functions).dim


def test_no_kernel_between_the_types():
    basis = kernel_basis(irrep(so3(), 4), trivial(so3()), Harmonics(so3(), Angular(2)))
    assert basis.dim == 0 and basis.counts == {}
    nothing = basis.at(scattered(so3(), 2)).dense()
    assert nothing.shape == (0, 1, 9, 2)
    with pytest.raises(
        ValueError, match=r"no kernel but zero from 1x 4 to 1x trivial .*\(5, 5, 5\)"
    ):
        basis.on(filter_grid(5, 3))


def test_a_grid_too_small_for_any_kernel():
    basis = kernel_basis(irrep(so3(), 1), trivial(so3()), Harmonics(so3(), Angular(2)))
    assert basis.dim == 1
    with pytest.raises(ValueError, match=r"grid: there is no kernel but zero .* size \(1, 1, 1\)"):
        basis.on(filter_grid(1, 3))
    assert basis.on(filter_grid(2, 3)).dim == 1


def test_points_of_another_dimension():
    with pytest.raises(ValueError, match=r"points: expected \(..., 3\) for SO\(3\), got \(9, 2\)"):
        SMALL.on(filter_grid(3, 2))
    with pytest.raises(ValueError, match=r"points: expected \(..., 3\)"):
        SMALL.at(torch.ones(4, 2))


def test_weights_that_do_not_fit():
    kernels = SMALL.at(scattered(so3(), 2))
    weights = weights_of(kernels)
    for wrong in (weights[:-1], [*weights, weights[0]]):
        with pytest.raises(ValueError):
            kernels.expand(wrong)
    with pytest.raises((ValueError, RuntimeError)):
        kernels.expand([w[..., :-1] for w in weights])


NOTHING = kernel_basis(irrep(so3(), 4), trivial(so3()), Harmonics(so3(), Angular(2)))


def test_the_error_for_too_few_weights_names_them():
    with pytest.raises(ValueError) as error:
        SMALL.at(scattered(so3(), 2)).expand([])
    assert "weights: expected" in str(error.value)


def test_no_kernels_have_the_dtype_of_the_points():
    assert NOTHING.at(scattered(so3(), 2)).dense().dtype == F64


def test_no_kernels_expand_to_zero():
    assert_close(NOTHING.at(scattered(so3(), 2)).expand([]), torch.zeros(1, 9, 2), 0)


def test_pairs_in_another_order_are_refused():
    """The weights stand in the order of the fibres, so another order would be read wrongly."""
    sampled = SMALL.on(filter_grid(3, 3))
    turned = dict(reversed(sampled.pairs.items()))
    twisted = SampledKernels(sampled.fibre_in, sampled.fibre_out, sampled.points, turned)
    with pytest.raises(ValueError, match="kernels: expected pairs .* in the order of the irreps"):
        twisted.expand(weights_of(twisted))
