"""Radial profiles: Gaussian shells, Bessel, Zernike, B-splines and the constant."""

import copy
import dataclasses
import math
import pickle

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import BSpline as ScipySpline
from scipy.special import jn_zeros, jv, spherical_jn
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics.profiles import Radial
from equinet.harmonics.radial import (
    Angular,
    Bessel,
    BSpline,
    GaussianShells,
    Zernike,
    gaussian_shells,
)
from tests.tolerances import CONDITION, ROUNDING, SINGLE, assert_close

F64 = torch.float64
CASES = [
    GaussianShells((0.0, 0.7, 2.0)),
    gaussian_shells(1.5, cutoff="sfcnn", lmax=2),
    Bessel(2.5, 1),
    Bessel(2.5, 2, max_count=2),
    Bessel(3.5, 3, lmax=3),
    Zernike(2.0, 4, 1),
    Zernike(2.5, 5, 2),
    Zernike(2.5, 6, 3),
    BSpline(2.0, 5, 2),
    BSpline(2.0, 1, 1),
    BSpline(3.0, 4, 1, spline_degree=3, vanish=True),
    Angular(3),
]
every_case = pytest.mark.parametrize("radial", CASES, ids=repr)
NUMBERS = torch.linspace(0.0, 3.9, 40, dtype=F64)  # radii on both sides of every cut-off


def gram(radial, degree, radius, n):
    """Integrals of the products of two profiles with r^(n-1) dr over [0, R], by Gauss's rule."""
    nodes, weights = (torch.from_numpy(x) for x in leggauss(80))
    r = radius * (1 + nodes) / 2
    phi = radial(degree, r)
    return torch.einsum("ir,jr,r->ij", phi, phi, weights * radius / 2 * r ** (n - 1))


# What all families share.


@every_case
def test_the_contract(radial: Radial):
    for degree in range(radial.lmax + 1):
        assert radial.count(degree) > 0
        for shape in ((), (7,), (2, 0), (2, 3)):
            r = torch.ones(shape, dtype=F64)
            assert radial(degree, r).shape == (radial.count(degree), *shape)
        assert radial(degree, torch.ones(2)).dtype == torch.float32
        assert_close(
            radial(degree, NUMBERS.float()), radial(degree, NUMBERS.float().double()), SINGLE
        )
    assert radial.count(radial.lmax + 1) == 0
    assert radial(radial.lmax + 1, NUMBERS).shape == (0, 40)


@every_case
def test_values_are_hashable_and_picklable(radial):
    for other in (pickle.loads(pickle.dumps(radial)), copy.deepcopy(radial)):
        assert other == radial and hash(other) == hash(radial)
        assert_close(other(1, NUMBERS), radial(1, NUMBERS), 0)
    assert len(set(CASES)) == len(CASES)


@every_case
def test_differentiable(radial):
    if isinstance(radial, Angular):
        assert_close(radial(2, NUMBERS), torch.ones(1, 40), 0)
        return
    r = torch.tensor([0.31, 1.2, 1.77], dtype=F64, requires_grad=True)
    origin = torch.zeros(2, dtype=F64, requires_grad=True)
    for degree in range(min(radial.lmax, 2) + 1):
        assert gradcheck(lambda r, J=degree: radial(J, r), r)
        (gradient,) = torch.autograd.grad(radial(degree, origin).sum(), origin)
        assert gradient.isfinite().all()
    if not isinstance(radial, BSpline):  # of degree 2 they have no second derivative at the knots
        assert gradgradcheck(lambda r: radial(1, r), r)


@every_case
def test_nan_passes_through(radial):
    if not isinstance(radial, Angular):
        phi = radial(1, torch.tensor([math.nan, 0.5], dtype=F64))
        assert phi[:, 0].isnan().all() and phi[:, 1].isfinite().all()


@every_case
def test_bad_degree_and_radius(radial):
    with pytest.raises(ValueError, match=r"degree: expected an integer >= 0, got -1"):
        radial(-1, NUMBERS)
    with pytest.raises(ValueError, match=r"degree: expected an integer >= 0, got -1"):
        radial.count(-1)
    with pytest.raises(ValueError, match=r"r: expected a real tensor, got torch.int64"):
        radial(0, torch.arange(3))


@pytest.mark.compile
def test_compiles():
    def profiles(r):
        return torch.cat([radial(1, r) for radial in CASES])

    compiled = torch.compile(profiles, backend="aot_eager", fullgraph=True)
    assert_close(compiled(NUMBERS), profiles(NUMBERS), ROUNDING)


@every_case
def test_knows_no_device(radial):
    """Built under another default device, it still has its numbers."""
    fields = {f.name: getattr(radial, f.name) for f in dataclasses.fields(radial) if f.init}
    with torch.device("meta"):
        other = type(radial)(**fields)
    assert other == radial
    assert_close(other(1, NUMBERS), radial(1, NUMBERS), 0)
    assert radial(1, NUMBERS.to("meta")).device.type == "meta"


# Gaussian shells.


@pytest.mark.parametrize(
    ("cutoff", "largest"),
    [("conservative", [0, 2, 4, 6]), ("compromise", [0, 3, 5, 7]), ("sfcnn", [0, 4, 6, 8])],
)
def test_published_cutoffs(cutoff, largest):
    """J_max of the shells 0, 1, 2, 3 in arXiv 1807.02547."""
    shells = gaussian_shells(3, cutoff=cutoff)
    assert shells.radii == (0, 1, 2, 3) and shells.lmax == largest[-1]
    for degree in range(9):
        assert shells.count(degree) == sum(J >= degree for J in largest)


def parameters(fields, size, classes):
    """Of a network of gated blocks: kernels, a bias for each scalar and gate, a linear layer."""
    total = (fields[-1][0] + 1) * classes
    shells = gaussian_shells((size - 1) / 2)
    for lower, upper in zip(fields, fields[1:], strict=False):
        scalars = upper[0] + sum(upper[1:])
        total += scalars
        for l, inputs in enumerate(lower):
            for j, outputs in enumerate((scalars, *upper[1:])):
                kernels = sum(shells.count(J) for J in range(abs(l - j), l + j + 1))
                total += inputs * outputs * kernels
    return total


def test_published_parameter_counts():
    """The networks for Tetris and SHREC17 of arXiv 1807.02547 have 41k and 142k parameters."""
    tetris = [(1,), (4, 4, 4, 1), (16, 16, 16, 0), (32, 16, 16, 0), (128,)]
    assert parameters(tetris, 5, 8) == 41198
    shrec = [(1,), *2 * [(8, 4, 2)], *2 * [(16, 8, 4)], *3 * [(32, 16, 8)], (512,)]
    assert parameters(shrec, 5, 55) == 142617


@given(st.floats(0, 6), st.floats(0.2, 2), st.integers(0, 6))
def test_shells(extent, sigma, degree):
    shells = gaussian_shells(extent, sigma)
    assert shells.radii[-1] == extent and 0 <= shells.radii[0] < 1
    kept = [m for m in shells.radii if degree == 0 or (m > 0 and degree <= 2 * m + 1)]
    assert shells.count(degree) == len(kept)
    for row, m in zip(shells(degree, NUMBERS), kept, strict=True):
        assert_close(row, torch.exp(-((NUMBERS - m) ** 2) / (2 * sigma**2)), ROUNDING)


def test_shells_of_even_filters_and_caps():
    assert gaussian_shells(1.5).radii == (0.5, 1.5)
    assert [gaussian_shells(1.5).count(J) for J in range(6)] == [2, 2, 2, 1, 1, 0]
    assert gaussian_shells(0.1 + 0.2 + 0.7).radii[0] < 1e-15  # 1 and a rounding error
    assert gaussian_shells(2, lmax=9) == gaussian_shells(2) == GaussianShells((0, 1, 2), lmax=5)
    capped = gaussian_shells(2, lmax=1)
    assert capped.lmax == 1 and [capped.count(J) for J in range(3)] == [3, 2, 0]


# Bessel.


def bessel_function(n, degree, x):
    if n == 1:
        return torch.sin(x) if degree else torch.cos(x)
    function = jv if n == 2 else spherical_jn
    return torch.from_numpy(function(degree, x.numpy()))


@given(st.integers(1, 3), st.floats(1, 20))
def test_bessel_equals_scipy(n, radius):
    """At degrees up to the largest; the zeros are seen in the profiles' scale."""
    radial = Bessel(radius, n)
    r = torch.linspace(0, radius, 30, dtype=F64)
    for degree in {0, 1, radial.lmax // 2, radial.lmax} & set(range(radial.lmax + 1)):
        frequencies, factors = radial._table[degree][:2]
        for row, k, c in zip(radial(degree, r), frequencies, factors, strict=True):
            assert_close(row / c, bessel_function(n, degree, k * r), CONDITION)
            assert abs(row[-1] / c) < CONDITION


@given(st.integers(0, 40), st.floats(1, 120))
def test_zeros(degree, bound):
    """All zeros up to the bound, and no other."""
    expected = jn_zeros(degree, 60)
    expected = expected[expected <= bound]
    if bound > 2.5 and len(expected):
        radial = Bessel(1.0, 2, bound=bound)
        assert_close(radial._table[degree][0], expected, CONDITION)
        assert Bessel(1.0, 2, bound=bound, lmax=degree).lmax == degree


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0, 17.0])
def test_zeros_of_spheres_and_intervals(radius):
    """Of sin(x) / x at i pi, the last of them at the bound itself; of cos at (i - 1/2) pi."""
    pi = math.pi / radius
    found = Bessel(radius, 1)._table
    assert_close(found[0][0], pi * (torch.arange(math.ceil(radius), dtype=F64) + 0.5), CONDITION)
    if radius >= 1:
        whole = pi * torch.arange(1, int(radius) + 1, dtype=F64)
        assert_close(found[1][0], whole, CONDITION)
        assert_close(Bessel(radius, 3)._table[0][0], whole, CONDITION)


@given(st.integers(1, 3), st.floats(0.6, 6))
def test_bessel_orthonormal(n, radius):
    radial = Bessel(radius, n, bound=20.0)
    for degree in range(radial.lmax + 1):
        identity = torch.eye(radial.count(degree), dtype=F64)
        assert_close(gram(radial, degree, radius, n), identity, CONDITION)


def test_bessel_of_the_ball():
    """Degree 0 in closed form: sqrt(2 / R) sin(i pi r / R) / r inside, 0 outside."""
    phi = Bessel(2.0, 3)(0, NUMBERS[1:])
    for i, row in enumerate(phi, 1):
        expected = torch.sin(i * math.pi * NUMBERS[1:] / 2) / NUMBERS[1:]
        assert_close(row, torch.where(NUMBERS[1:] < 2, expected, 0), ROUNDING)


def test_bessel_limits():
    radial = Bessel(4.0, 2)
    assert radial.bound == 4 * math.pi and radial == Bessel(4.0, 2, lmax=99, bound=4 * math.pi)
    few = Bessel(4.0, 2, lmax=3, max_count=2)
    assert [few.count(J) for J in range(5)] == [2, 2, 2, 2, 0]
    assert [radial.count(J) for J in range(4)] == [4, 3, 3, 2]
    assert_close(few(1, NUMBERS), radial(1, NUMBERS)[:2], 0)
    assert Bessel(0.5, 1).lmax == 0


# Zernike.


@given(st.integers(1, 3), st.integers(0, 12), st.sampled_from([0.5, 1.0, 3.0]))
def test_zernike_orthonormal(n, order, radius):
    radial = Zernike(radius, order, n)
    assert radial.lmax == (min(order, 1) if n == 1 else order)
    for degree in range(radial.lmax + 1):
        identity = torch.eye(len(range(degree, order + 1, 2)), dtype=F64)
        assert_close(gram(radial, degree, radius, n), identity, CONDITION)


def zernike_polynomial(n, N, l, rho):
    """R_N^l from the published sums, exact, by SymPy."""
    if n == 1:
        return sympy.legendre(N, rho)
    if n == 2:  # Born and Wolf, Principles of Optics
        f = sympy.factorial
        return sum(
            (-1) ** k * f(N - k) / (f(k) * f((N + l) // 2 - k) * f((N - l) // 2 - k))
            * rho ** (N - 2 * k)
            for k in range((N - l) // 2 + 1)
        )  # fmt: skip
    # Canterakis 1999, 3D Zernike moments, with his norm sqrt(2N + 3) left out
    k, c = (N - l) // 2, sympy.binomial
    return sum(
        (-1) ** (k + v) * c(2 * k, k) * c(k, v) * c(2 * (k + l + v) + 1, 2 * k)
        / (4**k * c(k + l + v, k)) * rho ** (2 * v + l)
        for v in range(k + 1)
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 3])
def test_zernike_closed_form(n):
    """To order 8, at rational radii, one of them on the edge."""
    radius, order = 2.0, 8
    radial = Zernike(radius, order, n)
    fractions = [sympy.Rational(i, 8) for i in range(9)]
    rho = sympy.Symbol("rho")
    r = radius * torch.arange(9, dtype=F64) / 8
    for degree in range(radial.lmax + 1):
        for k, row in enumerate(radial(degree, r)):
            N = degree + 2 * k
            polynomial = zernike_polynomial(n, N, degree, rho)
            factor = math.sqrt((2 * N + n) / radius**n)
            expected = [factor * float(sympy.sympify(polynomial).subs(rho, x)) for x in fractions]
            assert_close(row, expected, ROUNDING)


def test_zernike_zero_outside():
    phi = Zernike(2.0, 4, 2)(0, torch.tensor([2.0, 2.0 + 1e-9, 5.0], dtype=F64))
    assert_close(phi[:, 0], [math.sqrt((2 * N + 2) / 4) for N in (0, 2, 4)], ROUNDING)
    assert_close(phi[:, 1:], torch.zeros(3, 2), 0)


def test_zernike_is_stable():
    """At order 60 the values at the edge are still exact: R_N^l(1) = 1."""
    phi = Zernike(1.0, 60, 3)(0, torch.ones(1, dtype=F64))[:, 0]
    assert_close(phi, [math.sqrt(2 * N + 3) for N in range(0, 61, 2)], CONDITION)


# B-splines.


@given(st.integers(1, 7), st.integers(2, 5), st.sampled_from([0.5, 1.0, 3.0]))
def test_splines_sum_to_one(splines, p, radius):
    inside = torch.linspace(0, radius, 31, dtype=F64)
    radial = BSpline(radius, splines, 2, p)
    assert_close(radial(1, inside).sum(0), torch.ones(31), ROUNDING)
    assert_close(radial(1, radius + 0.01 + inside), torch.zeros(splines, 31), 0)
    vanishing = BSpline(radius, splines, 2, p, vanish=True)
    step = radius / (splines - 1 + (p + 1) / 2)
    total = vanishing(1, inside).sum(0)
    flat = inside <= radius - p * step
    assert_close(total[flat], torch.ones(int(flat.sum())), ROUNDING)
    assert ((total >= 0) & (total <= 1 + ROUNDING)).all()
    assert_close(total[-1], 0.0, ROUNDING)


@given(st.integers(1, 6), st.integers(2, 5))
def test_splines_equal_scipy(splines, p):
    """Each is a B-spline about i h, and its mirror image about 0 for i > 0."""
    h = 3 / (splines - 1 + (p + 1) / 2)
    for i, row in enumerate(BSpline(3.0, splines, 0, p, vanish=True)(0, NUMBERS)):
        knots = [h * (i + j - (p + 1) / 2) for j in range(p + 2)]
        spline = ScipySpline.basis_element(knots, extrapolate=False)
        both = [spline(x) for x in ((NUMBERS.numpy(), -NUMBERS.numpy()) if i else (NUMBERS,))]
        expected = sum(torch.as_tensor(values).nan_to_num() for values in both)
        assert_close(row, expected, ROUNDING)


@pytest.mark.parametrize("vanish", [False, True])
@pytest.mark.parametrize("p", [2, 3])
def test_splines_are_flat_at_zero(vanish, p):
    r = torch.zeros(1, dtype=F64, requires_grad=True)
    slopes = [
        torch.autograd.grad(row[0], r, retain_graph=True)[0]
        for row in BSpline(2.0, 5, 0, p, vanish)(0, r)
    ]
    assert_close(torch.cat(slopes), torch.zeros(5), ROUNDING)
    r = torch.tensor([0.2], dtype=F64, requires_grad=True)  # a control: elsewhere they are not
    (slope,) = torch.autograd.grad(BSpline(2.0, 5, 0, p, vanish)(0, r)[0, 0], r)
    assert slope < -0.1


def test_vanishing_splines_are_smooth_at_the_edge():
    r = torch.tensor([2 - 1e-7, 2 + 1e-7], dtype=F64, requires_grad=True)
    phi = BSpline(2.0, 4, 0, vanish=True)(0, r)
    (slope,) = torch.autograd.grad(phi.sum(), r)
    assert_close(phi, torch.zeros(4, 2), ROUNDING)
    assert_close(slope, torch.zeros(2), 1e-5)  # the slope is continuous: of the order of the step


# Bad input.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianShells(()), r"radii: expected ascending numbers >= 0, got \(\)"),
        (lambda: GaussianShells((1, 1)), r"radii: expected ascending .*, got \(1, 1\)"),
        (lambda: GaussianShells((-1, 1)), r"radii: expected ascending .*, got \(-1, 1\)"),
        (lambda: GaussianShells((math.nan,)), r"radii: expected a finite number, got nan"),
        (lambda: GaussianShells((0, math.inf)), r"radii: expected a finite number, got inf"),
        (lambda: GaussianShells((1,), sigma=0), r"sigma: expected a number > 0, got 0"),
        (lambda: GaussianShells((1,), cutoff="low"), r"cutoff: .*'compromise'.*, got 'low'"),
        (lambda: GaussianShells((1,), lmax=-1), r"lmax: expected an integer >= 0, got -1"),
        (lambda: gaussian_shells(-1), r"extent: expected a finite number >= 0, got -1"),
        (lambda: gaussian_shells(math.inf), r"extent: expected a finite number >= 0, got inf"),
        (lambda: Bessel(0, 2), r"radius: expected a number > 0, got 0"),
        (lambda: Bessel("2", 2), r"radius: expected a number > 0, got '2'"),
        (lambda: Bessel(2, 4), r"n: expected 1, 2 or 3, got 4"),
        (lambda: Bessel(2, 2, bound=2.4), r"bound: .* 2.4048 for n = 2, got 2.4"),
        (lambda: Bessel(0.9, 3), r"bound: .* pi for n = 3, got 2.8.* \(pi radius by default\)"),
        (lambda: Bessel(2, 2, max_count=0), r"max_count: expected an integer >= 1, got 0"),
        (lambda: Zernike(1, -1, 2), r"order: expected an integer >= 0, got -1"),
        (lambda: Zernike(1, 2, 0), r"n: expected 1, 2 or 3, got 0"),
        (lambda: BSpline(1, 0, 2), r"splines: expected an integer >= 1, got 0"),
        (lambda: BSpline(1, 3, 2, 1), r"spline_degree: expected an integer >= 2, got 1"),
        (lambda: BSpline(math.inf, 3, 2), r"radius: expected a number > 0, got inf"),
        (lambda: Angular(0.5), r"lmax: expected an integer >= 0, got 0.5"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()
