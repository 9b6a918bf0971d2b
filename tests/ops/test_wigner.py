"""Wigner synthesis and analysis: against their definition, and under torch's transforms."""

from functools import partial

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics import Analysis, Synthesis
from equinet.harmonics.grid import spectrum_index, spectrum_size
from equinet.numerics import angles_to_matrix, soft_angles, wigner_D
from equinet.ops.wigner import SphereTables, wigner_analysis, wigner_synthesis
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64

# (band of the grid, band of the spectrum)
CASES = [(1, 1), (3, 3), (4, 2)]
LARGE = [(18, 18)]  # orders m beyond one chunk


def tables_of(transform, case, dtype=F64) -> SphereTables:
    tables, orders = transform(*case, None, dtype).group_tables(), tuple(range(case[1]))
    rows = (tables.scatter, tables.gather)
    return SphereTables(orders, case[1], 2 * case[0], tables.d, tables.alpha, *rows)


synthesis_tables = partial(tables_of, Synthesis)


def random_spectrum(tables, generator, columns=2):
    rows = spectrum_size(tables.band, tables.orders)
    return torch.randn(rows, columns, dtype=F64, generator=generator)


def random_waves(tables, generator, columns=2):
    shape = wigner_synthesis(random_spectrum(tables, generator, columns), tables).shape
    return torch.randn(shape, dtype=F64, generator=generator)


# Each operator with a way to draw its input
OPS = [(wigner_synthesis, random_spectrum), (wigner_analysis, random_waves)]


@pytest.mark.parametrize(("grid_band", "band"), CASES)
def test_waves_sum_to_the_fourier_series(grid_band, band, generator):
    """sum_n cos(n gamma) Y^c_n + sin(n gamma) Y^s_n = sum (2l + 1) f_mn D_mn, at any gamma."""
    tables = synthesis_tables((grid_band, band))
    spectrum = random_spectrum(tables, generator)
    waves = wigner_synthesis(spectrum, tables)  # (waves, alpha, beta, columns)
    beta, alpha = soft_angles(grid_band)
    gamma = torch.tensor([0.0, 0.7, -2.1], dtype=F64)
    r = angles_to_matrix(alpha[:, None, None], beta[:, None], gamma)
    l, m, n = spectrum_index(band, tuple(range(band))).unbind(1)
    matrices = [wigner_D(degree, r) for degree in range(band)]
    direct = sum(
        (2 * l[i] + 1) * matrices[l[i]][..., l[i] + m[i], l[i] + n[i], None] * spectrum[i]
        for i in range(len(l))
    )
    order = torch.arange(1, band, dtype=F64)
    turns = [torch.stack([(k * gamma).cos(), (k * gamma).sin()]) for k in order]
    turns = torch.cat([torch.ones(1, 3, dtype=F64), *turns])
    assert_close(torch.einsum("wg,wabc->abgc", turns, waves), direct, ROUNDING)
    if band > 1:
        with pytest.raises(AssertionError):  # alpha and beta exchanged
            assert_close(torch.einsum("wg,wbac->abgc", turns, waves), direct, ROUNDING)


@pytest.mark.parametrize("case", CASES + LARGE)
def test_analysis_is_the_transpose_of_synthesis(case, generator):
    """<S f, y> = <f, S^T y> with the same tables."""
    tables = synthesis_tables(case)
    f, y = random_spectrum(tables, generator), random_waves(tables, generator)
    left = (wigner_synthesis(f, tables) * y).sum()
    right = (f * wigner_analysis(y, tables)).sum()
    assert_close(right / left, 1.0, ROUNDING)
    other = (f * wigner_analysis(y, tables_of(Analysis, case))).sum()
    with pytest.raises(AssertionError):
        assert_close(other / left, 1.0, ROUNDING)  # these tables are those of the inverse


@pytest.mark.parametrize("case", CASES)
def test_linear(case, generator):
    tables = synthesis_tables(case)
    for op, draw in OPS:
        x, y = draw(tables, generator), draw(tables, generator)
        assert_close(op(2 * x - 3 * y, tables), 2 * op(x, tables) - 3 * op(y, tables), ROUNDING)


@pytest.mark.parametrize("case", [(2, 2), (3, 2)])
def test_derivatives(case, generator):
    tables = synthesis_tables(case)
    for op, draw in OPS:
        x = draw(tables, generator, columns=1).requires_grad_()
        assert gradcheck(partial(op, tables=tables), x)
        assert gradgradcheck(lambda x, op=op: op(x, tables).square(), x)


@pytest.mark.parametrize("case", [(3, 3), (4, 3)])
def test_vmap_and_func_grad(case, generator):
    tables = synthesis_tables(case)
    for op, draw in OPS:
        x = torch.stack([draw(tables, generator) for _ in range(3)])
        each = torch.stack([op(part, tables) for part in x])
        assert_close(torch.vmap(partial(op, tables=tables))(x), each, ROUNDING)
        last = torch.vmap(partial(op, tables=tables), in_dims=-1, out_dims=1)(x.movedim(0, -1))
        assert_close(last, each.movedim(0, 1), ROUNDING)

        def energy(part, op=op):
            return op(part, tables).square().sum() / 2

        leaf = x.clone().requires_grad_()
        (expected,) = torch.autograd.grad(sum(energy(part) for part in leaf), leaf)
        assert_close(torch.vmap(torch.func.grad(energy))(x), expected, ROUNDING)


@pytest.mark.compile
def test_compile(generator):
    torch.compiler.reset()  # other tests compiled the same functions, and torch counts
    tables = synthesis_tables((2, 2))
    for op, draw in OPS:
        compiled = torch.compile(partial(op, tables=tables), fullgraph=True, backend="aot_eager")
        x = draw(tables, generator).requires_grad_()
        y = compiled(x)
        assert_close(y, op(x, tables), ROUNDING)
        weight = torch.randn_like(y)
        (found,) = torch.autograd.grad((weight * y).sum(), x)
        (expected,) = torch.autograd.grad((weight * op(x, tables)).sum(), x)
        assert_close(found, expected, ROUNDING)


@pytest.mark.parametrize("case", CASES)
def test_strides_do_not_matter(case, generator):
    tables = synthesis_tables(case)
    for op, draw in OPS:
        x = draw(tables, generator, columns=6)
        strided = x.mT.contiguous().mT[..., ::2]
        assert_close(op(strided, tables), op(x[..., ::2].contiguous(), tables), ROUNDING)


@pytest.mark.parametrize("case", CASES)
def test_no_columns(case, generator):
    tables = synthesis_tables(case)
    empty = wigner_synthesis(random_spectrum(tables, generator, columns=0), tables)
    assert empty.shape == random_waves(tables, generator, columns=0).shape
    assert wigner_analysis(empty, tables).shape == (spectrum_size(case[1], tables.orders), 0)


@pytest.mark.parametrize("case", [(3, 3), (4, 3)])
def test_the_tables_fix_the_precision(case, generator):
    """Autocast does not lower it, and the output has the dtype of the tables."""
    tables = synthesis_tables(case, torch.float32)
    for op, draw in OPS:
        x = draw(synthesis_tables(case), generator)
        plain = op(x.float(), tables)
        assert plain.dtype == torch.float32
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(op(x.float(), tables), plain)
        x.requires_grad_()
        op(x, tables).sum().backward()
        assert x.grad.dtype == F64


@pytest.mark.parametrize("case", [(3, 3), (4, 3)])
def test_nan_stays_in_its_column(case, generator):
    tables = synthesis_tables(case)
    spectrum = random_spectrum(tables, generator)
    spectrum[0, 0] = torch.nan
    waves = wigner_synthesis(spectrum, tables)
    assert waves[..., 0].isnan().any() and not waves[..., 1].isnan().any()
