"""The transforms of fields on the sphere without tables: against tables, sums and exact values."""

import copy

import mpmath
import pytest
import torch

from equinet.harmonics import Analysis, Synthesis, gauss
from equinet.numerics import soft_angles, soft_weights, wigner_d_real
from equinet.ops import LegendrePlan, legendre, legendre_analysis, legendre_synthesis
from equinet.ops.native import library
from tests.ops.operator_cases import legendre_transform
from tests.tolerances import CONDITION, ROUNDING, assert_close

F32, F64 = torch.float32, torch.float64

# (rings, band, order)
CASES = [(1, 1, 0), (4, 3, 0), (5, 5, 0), (7, 4, 1), (8, 5, 2), (5, 6, 5), (33, 20, 0), (34, 18, 9)]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def direct(spectrum: torch.Tensor, plan: LegendrePlan) -> torch.Tensor:
    """The amplitudes of e^{i m alpha}, m >= 0, as sums over the coefficients one by one.

    For n > 0 those of Y^c and Y^s, whose waves run in opposite directions for d^+ and d^-.
    """
    n = plan.order
    cc, ss = wigner_d_real(plan.band, n, plan.angles)
    plus, minus = ((cc + ss) / 2, (cc - ss) / 2) if n else (cc, cc)
    out = torch.zeros(plan.parts, plan.rings, plan.band, spectrum.shape[1], dtype=torch.cdouble)

    def row(l: int, m: int, k: int) -> torch.Tensor:
        return spectrum[2 * (l * l - n * n + l + m) + (k > 0) if n else l * l + l + m]

    for l in range(n, plan.band):
        for m in range(l + 1):
            zero = torch.zeros_like(spectrum[0])
            a, b = (plan.by_degree[l] * plan.by_ring * d[l - n, m] for d in (plus, minus))
            pp, mp = row(l, m, n), row(l, -m, n) if m else zero
            if not n:
                out[0, :, m] += a[:, None] * (pp - 1j * mp)
                continue
            pm, mm = row(l, m, -n), row(l, -m, -n) if m else zero
            p = a[:, None] * ((pp + mm) - 1j * (mp - pm))
            q = b[:, None] * ((pp - mm) - 1j * (mp + pm))
            out[0, :, m] += p + q
            out[1, :, m] += 1j * (p - q)
    return torch.view_as_real(out.permute(3, 0, 1, 2))


@every_case
def test_waves_are_sums_of_amplitudes(case):
    call = legendre_transform(*case, 1, 2, inverse=True)
    expected = direct(call.x[:, 0], call.plan)
    scale = expected.abs().max()
    assert_close(legendre.SYNTHESIS(call.x, call.plan) / scale, expected / scale, ROUNDING)
    if case[1] > 1:
        turned = call.plan._replace(angles=call.plan.angles / 2)
        with pytest.raises(AssertionError):
            assert_close(legendre.SYNTHESIS(call.x, turned) / scale, expected / scale, ROUNDING)


@every_case
@pytest.mark.parametrize("longitudes", [0, 41])
def test_analysis_is_the_transpose_of_synthesis(case, longitudes):
    call = legendre_transform(*case, 2, 1, True, longitudes)
    y = legendre_transform(*case, 2, 1, False, longitudes).x
    left = (legendre.SYNTHESIS(call.x, call.plan) * y).sum()
    assert_close((call.x * legendre.ANALYSIS(y, call.plan)).sum() / left, 1.0, ROUNDING)


@pytest.mark.parametrize("case", [(3, 3, 0), (6, 4, 1), (20, 18, 2), (64, 64, 0)], ids=str)
def test_what_tables_give(case, generator):
    """Both directions, on a SOFT grid."""
    grid_band, band, order = case
    beta, _ = soft_angles(grid_band)
    degrees, size = 2 * torch.arange(band, dtype=F64) + 1, 2 * grid_band
    plan = LegendrePlan(beta, degrees, torch.ones_like(beta), band, size, order)
    f = torch.randn(plan.rows, 6, dtype=F64, generator=generator)
    y = torch.randn(2, 3 * plan.parts, size, size, dtype=F64, generator=generator)
    scale = degrees.square().sum().sqrt()
    expected = Synthesis(*case, F64)(f, 3)
    assert_close(legendre_synthesis(f, plan, 3) / scale, expected / scale, ROUNDING)
    weights = soft_weights(grid_band) / size / plan.parts
    mean = plan._replace(by_degree=torch.ones_like(degrees), by_ring=weights)
    assert_close(legendre_analysis(y, mean), Analysis(*case, F64)(y), ROUNDING)


def exact(l: int, m: int, n: int, beta: float) -> float:
    """d^+ from a Jacobi polynomial, with more digits than cancel in it."""
    with mpmath.workdps(400):
        high, low = max(m, n), min(m, n)
        half = mpmath.mpf(beta) / 2
        root = mpmath.sqrt(
            mpmath.factorial(l + high)
            * mpmath.factorial(l - high)
            / mpmath.factorial(l + low)
            / mpmath.factorial(l - low)
        )
        poles = mpmath.sin(half) ** (high - low) * mpmath.cos(half) ** (high + low)
        polynomial = mpmath.jacobi(l - high, high - low, high + low, mpmath.cos(2 * half))
        sign = -1 if m < n and (m + n) % 2 else 1
        of_zeros = 1 if (m == 0) == (n == 0) else mpmath.sqrt(0.5 if n else 2)
        return float(sign * of_zeros * root * poles * polynomial)


@pytest.mark.parametrize("n", [0, 2])
@pytest.mark.parametrize("beta", [0.01, 0.5, 1.2])
def test_exact_values_of_a_high_degree(n, beta):
    l = 719
    angles = torch.tensor([beta, torch.pi / 2, torch.pi - beta], dtype=F64)
    ones = torch.ones(l + 1, dtype=F64)
    plan = LegendrePlan(angles, ones, ones[:3], l + 1, 0, n)
    orders = [0, 1, 7, 100, 340, 600, 719]
    f = torch.zeros(plan.rows, 1, len(orders), dtype=F64)
    for i, m in enumerate(orders):
        f[2 * (l * l - n * n + l + m) + 1 if n else l * l + l + m, 0, i] = 1
    waves = legendre.SYNTHESIS(f, plan)[:, :, 0]
    x = torch.stack([waves[i, :, m] for i, m in enumerate(orders)])
    # X^c = d^+ + d^- and X^s = i (d^+ - d^-), as only f_{++} is not 0.
    found = (x[:, 0, 0] + x[:, 1, 1]) / 2 if n else x[:, 0, 0]
    expected = torch.tensor([exact(l, m, n, beta) for m in orders], dtype=F64)
    assert_close(found / expected.abs().max(), expected / expected.abs().max(), 1e-12)


@pytest.mark.parametrize("case", [(128, 128, 0), (99, 64, 3)], ids=str)
@pytest.mark.parametrize("inverse", [True, False])
def test_high_bands(case, inverse):
    """The compiled form and the reference agree, whatever starts late near the poles."""
    call = legendre_transform(*case, 1, 3, inverse)
    expected = call.operator.reference(*call.arguments)
    scale = expected.abs().max()
    assert_close(call.operator(call.x, call.plan) / scale, expected / scale, CONDITION)
    single = call.operator.overload(*call.with_tensors(lambda x: x.float()))
    assert_close(single.double() / scale, expected / scale, 1e-6)


@pytest.mark.native
@pytest.mark.parametrize("columns", [1, 2, 11])
def test_the_number_of_threads_does_not_matter(columns):
    """Of many chunks of orders, with blocks of columns."""
    call = legendre_transform(60, 70, 0, 1, columns, inverse=True)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(call.operator(call.x, call.plan))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(x, found[0]) for x in found)


@pytest.mark.parametrize("order, start", [(0, 0.0), (1, 0.1)])
def test_large_bands_have_no_table(order, start, generator):
    """Round trips, on rings with one Fourier transform and on others; moved and copied modules."""
    band = legendre.LARGEST // 8 + 1
    rings = gauss(band, 2 * band, start)
    synthesis, analysis = (make(rings, band, order, F64) for make in (Synthesis, Analysis))
    has_table = legendre.needs_table(band, F64, torch.device("cpu"))
    assert hasattr(synthesis, "d") == has_table == (library.CPU is None)
    parts = 2 if order else 1
    f = torch.randn(parts * (band**2 - order**2), 2, dtype=F64, generator=generator)
    signal = synthesis(f, 1)
    assert_close(analysis(signal), f, CONDITION)
    single = copy.deepcopy(synthesis).float()
    assert_close(single(f.float(), 1) / signal.abs().max(), signal / signal.abs().max(), 1e-6)
    if not has_table:
        assert single.angles.dtype == F64 and single.by_ring.dtype == F32
        assert sum(x.nbytes for x in synthesis.buffers()) < rings.count * 8 * 8


@pytest.mark.compile
def test_a_large_band_is_compiled_into_one_graph(generator):
    band = legendre.LARGEST // 4 + 1
    transform = Synthesis(gauss(band), band, 0, F32)
    f = torch.randn(band**2, 1, generator=generator)
    compiled = torch.compile(transform, fullgraph=True, backend="aot_eager")
    assert_close(compiled(f, 1), transform(f, 1), ROUNDING)


def test_few_columns_need_no_table(generator):
    """What is faster serves, with the same result; a graph serves any number of columns."""
    band, cpu = legendre.FEW_FROM, torch.device("cpu")
    analysis = Analysis(gauss(band), band, 0, F64)
    y = torch.randn(legendre.FEW, 1, band, 2 * band, dtype=F64, generator=generator)
    roads = [legendre.needs_table(band, F64, cpu, n) for n in (legendre.FEW, legendre.FEW - 1)]
    assert roads == [True, library.CPU is None]
    assert_close(analysis(y)[:, :-1], analysis(y[:-1]), ROUNDING)


@pytest.mark.parametrize("order", [0, 2])
def test_rings_at_the_poles_and_at_the_equator(order):
    angles = torch.tensor([0.0, 1e-9, torch.pi / 2, torch.pi - 1e-9, torch.pi], dtype=F64)
    call = legendre_transform(5, 40, order, 1, 1, inverse=True)
    plan = call.plan._replace(angles=angles)
    expected = direct(call.x[:, 0], plan)
    found = legendre.SYNTHESIS(call.x, plan)
    assert_close(found / expected.abs().max(), expected / expected.abs().max(), ROUNDING)


@pytest.mark.parametrize("case", [(4, 3, 0), (5, 4, 2)], ids=str)
def test_vmap_and_func_grad(case):
    call = legendre_transform(*case, 1, 3, inverse=True)
    plan, f = call.plan, call.x

    def energy(x):
        return legendre_synthesis(x, plan, 1).square().sum() / 2

    each = torch.stack([f, 2 * f])[:, :, 0]
    leaf = each.clone().requires_grad_()
    (expected,) = torch.autograd.grad(sum(energy(x) for x in leaf), leaf)
    assert_close(torch.vmap(torch.func.grad(energy))(each), expected, ROUNDING)


def test_what_is_no_number_stays_in_its_column():
    call = legendre_transform(6, 5, 0, 1, 2, inverse=True)
    call.x[0, 0, 0] = torch.nan
    waves = legendre.SYNTHESIS(call.x, call.plan)
    assert waves[0].isnan().any() and not waves[1].isnan().any()


def test_bad_input():
    call = legendre_transform(4, 3, 1, 2, 1, inverse=True)
    f, plan = call.x, call.plan
    with pytest.raises(ValueError, match=r"legendre_synthesis: spectrum: expected the shape \(16,"):
        legendre.SYNTHESIS(f[1:], plan)
    with pytest.raises(ValueError, match=r"by_ring: expected the shape \(4\), got \(3,\)"):
        legendre.SYNTHESIS(f, plan._replace(by_ring=plan.by_ring[1:]))
    with pytest.raises(ValueError, match="order: expected 0 to 2, got 3"):
        legendre.SYNTHESIS(f, plan._replace(order=3))
    with pytest.raises(ValueError, match="longitudes: expected 5 or more for band 3, got 4"):
        legendre.SYNTHESIS(f, plan._replace(longitudes=4))
    with pytest.raises(TypeError, match="angles: expected torch.float64 on cpu, got torch.float32"):
        legendre.SYNTHESIS(f, plan._replace(angles=plan.angles.float()))
    y = torch.zeros(1, 3, 4, 3, 2, dtype=F64)
    with pytest.raises(ValueError, match="signal: expected two components .* got 3"):
        legendre.ANALYSIS(y, plan)
    with pytest.raises(TypeError, match="tables: expected LegendrePlan, got tuple"):
        legendre_analysis(y, tuple(plan))
