"""The product of a spectrum with one matrix per degree."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from equinet.ops import block_matmul
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64

# (k_out, k_in) for each degree, some of them empty
SIZES = [(3, 2), (2, 0), (0, 2), (4, 1)]


def draw(sizes, batch, generator):
    """Matrices, a spectrum as one tensor for each degree, and a bias."""
    blocks = [torch.randn(size, dtype=F64, generator=generator) for size in sizes]
    parts = [
        torch.randn(2 * l + 1, k_in, batch, dtype=F64, generator=generator)
        for l, (_, k_in) in enumerate(sizes)
    ]
    return blocks, parts, torch.randn(sizes[0][0], dtype=F64, generator=generator)


def flat(parts):
    return torch.cat([part.flatten() for part in parts])


def product(spectrum, blocks, batch, bias=None):
    """block_matmul of matrices that are a list."""
    rows, columns = ([block.shape[i] for block in blocks] for i in range(2))
    return block_matmul(spectrum, flat(blocks), rows, columns, batch, bias)


def direct(blocks, parts, bias=None):
    """z^l_m = W^l x^l_m, plus the bias at l = 0."""
    out = [torch.einsum("oi,mib->mob", *pair) for pair in zip(blocks, parts, strict=True)]
    if bias is not None:
        out[0] = out[0] + bias[:, None]
    return flat(out)


size = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(sizes=st.lists(size, min_size=1, max_size=5), batch=st.integers(0, 3))
def test_one_matrix_for_each_degree(sizes, batch):
    blocks, parts, bias = draw(sizes, batch, torch.Generator().manual_seed(0))
    found = product(flat(parts), blocks, batch)
    assert_close(found, direct(blocks, parts), ROUNDING)
    assert_close(product(flat(parts), blocks, batch, bias), direct(blocks, parts, bias), ROUNDING)


def test_the_check_can_fail(generator):
    """Orders and channels exchanged within a degree give another result."""
    blocks, parts, _ = draw([(2, 2), (3, 3)], 2, generator)
    mixed = flat([part.transpose(0, 1) for part in parts])
    with pytest.raises(AssertionError):
        assert_close(product(mixed, blocks, 2), direct(blocks, parts), ROUNDING)


def test_commutes_with_rotations(generator):
    """Schur: (1 x D) (W x 1) = (W x 1) (1 x D), for any matrix D that acts on m."""
    blocks, parts, _ = draw([(3, 2), (2, 4), (1, 3)], 2, generator)
    d = [torch.randn(2 * l + 1, 2 * l + 1, dtype=F64, generator=generator) for l in range(3)]

    def turn(parts):
        return [torch.einsum("mn,nkb->mkb", *pair) for pair in zip(d, parts, strict=True)]

    turned_last = product(flat(parts), blocks, 2).split([3 * 2, 3 * 2 * 2, 5 * 1 * 2])
    turned_last = [part.view(2 * l + 1, -1, 2) for l, part in enumerate(turned_last)]
    assert_close(product(flat(turn(parts)), blocks, 2), flat(turn(turned_last)), ROUNDING)


def test_derivatives(generator):
    blocks, parts, bias = draw(SIZES, 2, generator)
    inputs = [x.requires_grad_() for x in (flat(parts), bias, *blocks)]

    def apply(spectrum, bias, *blocks):
        return product(spectrum, list(blocks), 2, bias)

    assert gradcheck(apply, inputs)
    assert gradgradcheck(apply, inputs)


def test_vmap_and_func_grad(generator):
    blocks, parts, bias = draw(SIZES, 2, generator)
    spectra = torch.stack([flat(parts), 2 * flat(parts), -flat(parts)])

    def apply(spectrum):
        return product(spectrum, blocks, 2, bias)

    each = torch.stack([apply(spectrum) for spectrum in spectra])
    assert_close(torch.vmap(apply)(spectra), each, ROUNDING)
    gradient = torch.func.grad(lambda spectrum: apply(spectrum).sum())(spectra[0])
    columns = [block.sum(0)[:, None].expand(2 * l + 1, -1, 2) for l, block in enumerate(blocks)]
    assert_close(gradient, flat(columns), ROUNDING)


@pytest.mark.compile
def test_compile(generator):
    blocks, parts, bias = draw(SIZES, 2, generator)
    compiled = torch.compile(product, fullgraph=True, backend="aot_eager")
    assert_close(compiled(flat(parts), blocks, 2, bias), direct(blocks, parts, bias), ROUNDING)


def test_strides_do_not_matter(generator):
    blocks, parts, bias = draw(SIZES, 2, generator)
    strided = torch.stack([flat(parts)] * 2, -1)[:, 0]
    rows, columns = zip(*SIZES, strict=True)
    weights = torch.stack([flat(blocks)] * 2, -1)[:, 0]
    assert not strided.is_contiguous() and not weights.is_contiguous()
    found = block_matmul(strided, weights, list(rows), list(columns), 2, bias)
    assert_close(found, direct(blocks, parts, bias), ROUNDING)


def test_a_spectrum_of_another_size_is_refused(generator):
    blocks, parts, _ = draw(SIZES, 2, generator)
    with pytest.raises((ValueError, RuntimeError)):
        product(flat(parts)[1:], blocks, 2)
