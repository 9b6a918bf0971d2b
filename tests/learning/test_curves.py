"""Kernels, their averages over groups, and the exponents of their learning curves."""

import math

import pytest
import torch

from equinet.group import cyclic
from equinet.learning import (
    Gaussian,
    KernelRegression,
    Laplace,
    Matern,
    NotPositiveError,
    averaged,
    expected_error,
    exponent,
    lattice_error,
    power_law,
)
from tests.tolerances import CONDITION, ROUNDING, STATISTICAL, assert_close

F64 = torch.float64
PAIRS = [(0.5, 0.5), (0.5, 1.5), (1.5, 0.5), (1.5, 1.5), (2.5, 1.5), (6.5, 0.5), (10.5, 1.5)]


def _circle(n: int, generator=None) -> torch.Tensor:
    """Points on a circle: at equal distances, or at random."""
    step = torch.arange(n, dtype=F64) / n
    angle = (
        2 * math.pi * (step if generator is None else torch.rand(n, generator=generator, dtype=F64))
    )
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_kernels_in_closed_form(generator):
    x, x2 = (torch.randn(n, 3, generator=generator, dtype=F64) for n in (4, 5))
    r = torch.stack([(x2 - a).norm(dim=1) for a in x]) / 0.7
    z3, z5 = math.sqrt(3) * r, math.sqrt(5) * r
    for kernel, expected in (
        (Laplace(0.7), (-r).exp()),
        (Matern(1.5, 0.7), (1 + z3) * (-z3).exp()),
        (Matern(2.5, 0.7), (1 + z5 + z5**2 / 3) * (-z5).exp()),
        (Gaussian(0.7), (-(r**2) / 2).exp()),
    ):
        assert_close(kernel(x, x2), expected, ROUNDING)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
def test_spectrum_is_the_fourier_transform(nu):
    """In one dimension, by a sum over a fine and long grid, up to one factor."""
    kernel, h = Matern(nu, 0.5), 2e-3
    r = torch.arange(-15000, 15001, dtype=F64) * h
    values = kernel(r[:, None], torch.zeros(1, 1, dtype=F64))[:, 0]
    k = torch.tensor([0.0, 0.3, 1.0, 2.0], dtype=F64)
    transform = (torch.cos(2 * math.pi * k[:, None] * r) * values).sum(1) * h
    spectrum = kernel.spectrum(k**2, 1)
    assert_close(transform / transform[0], spectrum / spectrum[0], 1e-5)


@pytest.mark.parametrize("teacher, student", PAIRS)
def test_exponent_on_a_lattice(teacher, student):
    """The theorem, from the slope at the finest lattices; and a wrong student has another one."""
    T, S = Matern(teacher, 0.3), Matern(student, 0.3)
    n = [256, 512, 1024]
    fit = power_law(n, [lattice_error(T, S, 1, k, aliases=200) for k in n])
    assert abs(fit.beta - exponent(T, S, 1)) < 0.01
    rough = Matern(0.5, 0.3)
    if exponent(T, rough, 1) != exponent(T, S, 1):
        other = power_law(n, [lattice_error(T, rough, 1, k, aliases=200) for k in n])
        assert abs(other.beta - exponent(T, S, 1)) > 0.5


def test_lattice_error_is_the_error_on_a_circle():
    """(C2) for the kernel of the circle with the same spectrum, by plain linear algebra."""
    T, S, n, aliases = Matern(1.5, 0.3), Laplace(0.3), 8, 40

    def periodic(kernel):
        k = torch.arange(-n * (aliases + 1), n * (aliases + 1) + 1, dtype=F64)
        inside = (k >= -(n // 2) - n * aliases) & (k < n - n // 2 + n * aliases)
        k = k[inside]
        weights = kernel.spectrum(k**2, 1)
        return lambda a, b: (torch.cos(2 * math.pi * k * (a - b.T)[..., None]) * weights).sum(-1)

    x = torch.arange(n, dtype=F64)[:, None] / n
    test = torch.linspace(0, 1 / n, 401, dtype=F64)[:-1, None]
    direct = expected_error(periodic(T), periodic(S), x, test)
    assert_close(lattice_error(T, S, 1, n, aliases=aliases), direct, 1e-6)


def test_expected_error_is_that_of_drawn_teachers(generator):
    T, S = Matern(1.5), Laplace()
    x, test = (torch.rand(n, 2, generator=generator, dtype=F64) for n in (12, 15))
    both = torch.cat([x, test])
    root = torch.linalg.cholesky(T(both, both) + 1e-12 * torch.eye(27, dtype=F64))
    fields = root @ torch.randn(27, 20000, generator=generator, dtype=F64)
    answer = S(test, x) @ torch.linalg.solve(S(x, x), fields[:12])
    squares = (fields[12:] - answer).square().mean(0)
    error = (squares.mean() - expected_error(T, S, x, test)).abs()
    assert error < STATISTICAL * squares.std() / math.sqrt(20000)


def test_a_regression_serves_for_the_first_points_too(generator):
    """One factor: the same answers and errors as from these points alone, and as from K^-1."""
    T, S = Matern(1.5), Laplace()
    x, test = (torch.rand(n, 2, generator=generator, dtype=F64) for n in (12, 5))
    y = torch.randn(12, 3, generator=generator, dtype=F64)
    whole = KernelRegression(S, x)
    for n in (1, 7, 12):
        few = whole.first(n)
        direct = S(test, x[:n]) @ torch.linalg.solve(S(x[:n], x[:n]), y[:n])
        assert_close(few(y[:n], test), direct, CONDITION)
        assert_close(few(y[:n, 0], test), direct[:, 0], CONDITION)
        assert_close(few.expected_error(T, test), expected_error(T, S, x[:n], test), ROUNDING)
    assert_close(whole(y, x), y, CONDITION)  # ridgeless: through all values
    assert (KernelRegression(S, x, jitter=0.1)(y, x) - y).abs().max() > 0.01


def test_how_many_points_a_smooth_kernel_bears():
    x = _circle(300)
    with pytest.raises(NotPositiveError) as refused:
        KernelRegression(Gaussian(10.0), x)
    most = refused.value.most
    assert 1 < most < 300
    KernelRegression(Gaussian(10.0), x[:most])
    with pytest.raises(NotPositiveError):
        KernelRegression(Gaussian(10.0), x[: most + 1])


@pytest.mark.parametrize("order", [2, 4])
def test_an_invariant_student_needs_fewer_points(order):
    """On a circle, at equal distances, error_inv(n) = error_plain(n |G|): nothing else changes."""
    T, S, elements = Matern(1.5), Laplace(), cyclic(order).elements
    n = 6
    angle = 2 * math.pi * torch.arange(n, dtype=F64) / (n * order)
    arc = torch.stack([angle.cos(), angle.sin()], 1)
    test = _circle(200)
    invariant = expected_error(averaged(T, elements), averaged(S, elements), arc, test)
    plain = expected_error(averaged(T, elements), S, _circle(n * order), test)
    assert_close(invariant, plain, 1e-9)
    alone = expected_error(averaged(T, elements), S, arc, test)
    assert alone > 2 * invariant  # the plain student, with as few points


def test_averaged_kernel(generator):
    """Positive, invariant in each argument; a function of the elements is as good as a tensor."""
    elements, x = cyclic(5).elements, torch.randn(20, 2, generator=generator, dtype=F64)
    kernel = averaged(Matern(1.5), elements)
    K = kernel(x, x)
    assert torch.linalg.eigvalsh(K).min() > 0
    assert_close(kernel(x @ elements[2].T, x), K, ROUNDING)
    assert_close(kernel(x, x @ elements[3].T), K, ROUNDING)
    by_function = averaged(Matern(1.5), lambda y: torch.stack([y @ g.T for g in elements]))
    assert_close(by_function(x, x), K, ROUNDING)
    plain = Matern(1.5)(x, x)
    assert (Matern(1.5)(x @ elements[2].T, x) - plain).abs().max() > 0.01


def test_power_law(generator):
    n = torch.tensor([10.0, 30, 100, 300, 1000])
    noise = torch.randn(5, generator=generator) * 0.05
    fit = power_law(n, 3 * n**-0.7 * noise.exp())
    assert abs(fit.beta - 0.7) < STATISTICAL * fit.deviation < 0.3
    assert fit(100.0) == pytest.approx(fit.scale * 100**-fit.beta)
    shuffled = power_law(n, (3 * n**-0.7)[[3, 0, 4, 2, 1]])
    assert abs(shuffled.beta - 0.7) > 0.3


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda: Matern(1.0), "nu: expected 1/2"),
        (lambda: Laplace(-1.0), "sigma: expected"),
        (lambda: Gaussian(math.nan), "sigma: expected"),
        (lambda: exponent(Laplace(), Laplace(), 0), "d: expected"),
        (lambda: power_law([1, 2], [1.0, -1.0]), "error: expected finite"),
        (lambda: power_law([2, 2], [1.0, 1.0]), "error: expected one for each"),
        (lambda: lattice_error(Laplace(), Laplace(), 1, 0), "points: expected"),
        (lambda: averaged(Laplace(), torch.ones(2, 2)), "elements: expected"),
        (lambda: Laplace()(torch.ones(3), torch.ones(3, 1)), "x: expected real points"),
        (
            lambda: expected_error(Gaussian(10.0), Gaussian(10.0), _circle(300), _circle(3)),
            r"student: expected .* positive definite .* of n = 300",
        ),
    ],
)
def test_bad_input(wrong, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        wrong()
