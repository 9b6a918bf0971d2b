"""The transforms of fields on the sphere: against their definition, and where they have edges."""

import pytest
import torch

from equinet.harmonics import Analysis, Synthesis
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import angles_to_matrix, soft_angles, wigner_D, wigner_d_real
from equinet.ops import s2, s2_analysis, s2_synthesis
from tests.ops.operator_cases import s2_transform
from tests.tolerances import CONDITION, ROUNDING, assert_close

F64 = torch.float64

# (band of the grid, band of the spectrum, order)
CASES = [(1, 1, 0), (3, 3, 0), (5, 3, 0), (4, 4, 1), (5, 4, 2), (4, 4, 3), (20, 18, 0), (19, 18, 2)]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def spectrum_of(case, generator, columns: int = 2) -> torch.Tensor:
    rows = Synthesis(*case, F64).field_tables().size
    return torch.randn(rows, columns, dtype=F64, generator=generator)


def signal_of(case, generator, batch: int = 2) -> torch.Tensor:
    shape = Synthesis(*case, F64).rings.shape
    return torch.randn(batch, 2 if case[2] else 1, *shape, dtype=F64, generator=generator)


@pytest.mark.parametrize("n", range(4))
def test_the_mirror_turns_one_amplitude_into_the_other(n):
    """(H2), at angles of no grid."""
    band, beta = 7, torch.tensor([0.0, 0.3, 1.1, 2.9], dtype=F64)
    (cc, ss), (mirrored_cc, mirrored_ss) = (
        wigner_d_real(band, n, b) for b in (beta, torch.pi - beta)
    )
    plus, minus = (mirrored_cc + mirrored_ss) / 2, (cc - ss) / 2
    if n == 0:
        plus, minus = mirrored_cc, cc  # one function, and its parity
    l, m = torch.arange(n, band)[:, None, None], torch.arange(band)[:, None]
    assert_close(minus, (-1.0) ** (l + m + n) * plus, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(minus, (-1.0) ** (l + n) * plus, ROUNDING)


@pytest.mark.parametrize("case", CASES[:6], ids=str)
def test_signals_are_the_fourier_series(case, generator):
    """Y^c and Y^s, at gamma = 0 and where n gamma = pi/2, of sum (2l + 1) f_mn D_mn."""
    grid_band, band, n = case
    spectrum = spectrum_of(case, generator)
    signal = s2_synthesis(spectrum, Synthesis(*case, F64).field_tables(), 1)
    beta, alpha = soft_angles(grid_band)
    gamma = torch.tensor([0.0, torch.pi / 2 / n] if n else [0.0], dtype=F64)
    r = angles_to_matrix(alpha, beta[:, None], gamma[:, None, None])
    direct = torch.zeros(2, *r.shape[:-2], dtype=F64)
    for (l, m, k), f in zip(spectrum_index(band, (n,)).tolist(), spectrum, strict=True):
        direct += (2 * l + 1) * wigner_D(l, r)[..., l + m, l + k] * f[:, None, None, None]
    assert_close(signal, direct, ROUNDING)
    if band > 1:
        with pytest.raises(AssertionError):  # the axes beta and alpha exchanged
            assert_close(signal.mT, direct, ROUNDING)


@every_case
def test_analysis_is_the_transpose_of_synthesis(case, generator):
    """<S f, y> = <f, S^T y> with the same tables, and not with other factors."""
    tables = Synthesis(*case, F64).field_tables()
    f, y = spectrum_of(case, generator), signal_of(case, generator)
    left = (s2_synthesis(f, tables, 1) * y).sum()
    assert_close((f * s2_analysis(y, tables)).sum() / left, 1.0, ROUNDING)
    other = (f * s2_analysis(y, Analysis(*case, F64).field_tables())).sum()
    with pytest.raises(AssertionError):
        assert_close(other / left, 1.0, ROUNDING)


@pytest.mark.parametrize("case", [(128, 128, 0), (90, 64, 1)], ids=str)
@pytest.mark.parametrize("inverse", [True, False])
def test_high_bands(case, inverse):
    """The compiled form and the reference, which take other sums, agree."""
    call = s2_transform(*case, 1, 3, inverse)
    expected = call.operator.reference(*call.arguments)
    found = call.operator(call.x, call.plan)
    assert_close(found / expected.abs().max(), expected / expected.abs().max(), CONDITION)


@every_case
def test_spectra_and_signals_of_any_strides(case, generator):
    tables = Synthesis(*case, F64).field_tables()
    f, y = spectrum_of(case, generator, 6), signal_of(case, generator, 6)
    expected = s2_synthesis(f[:, ::2].contiguous(), tables, 3)
    assert_close(s2_synthesis(f.T.contiguous().T[:, ::2], tables, 3), expected, ROUNDING)
    expected = s2_analysis(y[::2].contiguous(), tables)
    strided = y.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)[::2]
    assert_close(s2_analysis(strided, tables), expected, ROUNDING)
    flat = y[:, :, :1, :1].expand(y.shape)  # the gradient of an integral
    assert_close(s2_analysis(flat, tables), s2_analysis(flat.contiguous(), tables), ROUNDING)


@pytest.mark.parametrize("case", [(3, 3, 0), (4, 3, 2)], ids=str)
def test_vmap_and_func_grad(case, generator):
    tables = Synthesis(*case, F64).field_tables()

    def synthesis(f):
        return s2_synthesis(f, tables, 1)

    def energy(f):
        return synthesis(f).square().sum() / 2

    f = torch.stack([spectrum_of(case, generator) for _ in range(3)])
    assert_close(torch.vmap(synthesis)(f), torch.stack([synthesis(x) for x in f]), ROUNDING)
    leaf = f.clone().requires_grad_()
    (expected,) = torch.autograd.grad(sum(energy(x) for x in leaf), leaf)
    assert_close(torch.vmap(torch.func.grad(energy))(f), expected, ROUNDING)
    y = torch.stack([signal_of(case, generator) for _ in range(3)])
    each = torch.stack([s2_analysis(x, tables) for x in y])
    assert_close(torch.vmap(lambda x: s2_analysis(x, tables))(y), each, ROUNDING)


@pytest.mark.parametrize("case", [(3, 3, 0), (4, 3, 2)], ids=str)
def test_what_is_no_number_stays_in_its_column(case, generator):
    tables = Synthesis(*case, F64).field_tables()
    f = spectrum_of(case, generator)
    f[0, 0] = torch.nan
    signal = s2_synthesis(f, tables, 1)
    assert signal[0].isnan().any() and not signal[1].isnan().any()
    y = signal_of(case, generator)
    y[1, 0, 0, 0] = torch.inf
    spectrum = s2_analysis(y, tables)
    assert not spectrum[:, 1].isfinite().all() and spectrum[:, 0].isfinite().all()


def test_bad_input():
    case = s2_transform(3, 2, 1, 2, 1, inverse=True)
    f, tables = case.x, case.plan
    with pytest.raises(ValueError, match=r"s2_synthesis: spectrum: expected the shape \(6, any"):
        s2.SYNTHESIS(f[1:], tables)
    with pytest.raises(ValueError, match=r"s2_synthesis: d: expected the shape \(12\), got \(11,"):
        s2.SYNTHESIS(f, tables._replace(d=tables.d[1:]))
    with pytest.raises(ValueError, match=r"order: expected 0 to 1, got 2"):
        s2.SYNTHESIS(f, tables._replace(order=2))
    with pytest.raises(ValueError, match="longitudes: expected 3 or more for band 2, got 2"):
        s2.SYNTHESIS(f, tables._replace(longitudes=2, order=1))
    y = torch.zeros(1, 3, 6, 6, dtype=F64)
    with pytest.raises(ValueError, match="s2_analysis: signal: expected two components .* got 3"):
        s2.ANALYSIS(y, tables)
    with pytest.raises(TypeError, match="d: expected torch.float32 on cpu, got torch.float64"):
        s2.ANALYSIS(y.float(), tables)
