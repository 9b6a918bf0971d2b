"""Wigner matrices: exact values, the group law, and derivatives along the group."""

import math
from functools import partial
from itertools import product

import numpy as np
import pytest
import sympy
import torch
from e3nn import o3
from scipy.special import eval_jacobi
from sympy.physics.quantum.spin import Rotation

from equinet.numerics import (
    angles_to_matrix,
    random_rotations,
    real_from_complex,
    rotation_generators,
    soft_angles,
    soft_weights,
    wigner_D,
    wigner_d,
    wigner_d_real,
)
from equinet.numerics.wigner_matrices import half_turns
from tests.over import over
from tests.tolerances import CONDITION, DERIVATIVE, ROUNDING, SINGLE, SYMMETRY, assert_close

F64 = torch.float64
POLES = torch.tensor([0.0, math.pi], dtype=F64)


def skew(omega):
    """The matrix of v -> omega x v."""
    zero = torch.zeros_like(omega[..., 0])
    x, y, z = omega.unbind(-1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


@pytest.mark.parametrize(
    ("l", "entries"),
    [
        (0, [(0, 0)]),
        (1, list(product(range(-1, 2), repeat=2))),
        (2, list(product(range(-2, 3), repeat=2))),
        (5, [(5, -3), (-4, 1), (2, 2), (0, -5)]),
    ],
)
def test_small_d_has_the_exact_values(l, entries):
    """SymPy's d^l_mn at the angle whose cosine is 3/5, rows m and columns n from -l to l."""
    beta = sympy.Symbol("beta")
    found = wigner_d(l, torch.tensor(math.atan2(4, 3), dtype=F64))
    for m, n in entries:
        exact = Rotation.d(l, m, n, beta).doit().subs(beta, sympy.acos(sympy.Rational(3, 5)))
        assert_close(found[l + m, l + n], float(exact.evalf(20)), ROUNDING)


def jacobi_form(l, m, n, beta):
    """d^l_mn for m >= |n| as a Jacobi polynomial in cos(beta)."""
    sine, cosine = (beta / 2).sin(), (beta / 2).cos()
    ratio = math.factorial(l + m) * math.factorial(l - m)
    ratio = math.sqrt(ratio / (math.factorial(l + n) * math.factorial(l - n)))
    polynomial = torch.from_numpy(eval_jacobi(l - m, m - n, m + n, beta.cos().numpy()))
    return (-1) ** (m - n) * ratio * sine ** (m - n) * cosine ** (m + n) * polynomial


@pytest.mark.parametrize("l", [1, 4, 25])
def test_small_d_is_a_jacobi_polynomial(l):
    beta = torch.linspace(0, math.pi, 11, dtype=F64)
    d = wigner_d(l, beta)
    for m in range(l + 1):
        for n in range(-m, m + 1, 1 + l // 5):
            assert_close(d[:, l + m, l + n], jacobi_form(l, m, n, beta), CONDITION)
    with pytest.raises(AssertionError):  # rows and columns exchanged
        assert_close(d[:, l, l + 1], jacobi_form(l, 1, 0, beta), CONDITION)


def test_small_d_closed_forms(generator):
    """d^1 in full, d^l_00 = P_l, d^l_ll = cos^2l(beta/2), d^l_{l,-l} = sin^2l(beta/2)."""
    beta = math.pi * torch.rand(50, dtype=F64, generator=generator)
    c, s = beta.cos(), beta.sin()
    r = math.sqrt(0.5)
    one = torch.stack(
        [(1 + c) / 2, s * r, (1 - c) / 2, -s * r, c, s * r, (1 - c) / 2, -s * r, (1 + c) / 2], -1
    )
    assert_close(wigner_d(1, beta), one.unflatten(-1, (3, 3)), ROUNDING)
    for l in (2, 7, 30):
        d = wigner_d(l, beta)
        legendre = np.polynomial.legendre.Legendre.basis(l)(c.numpy())
        assert_close(d[:, l, l], legendre, ROUNDING)
        assert_close(d[:, -1, -1], (beta / 2).cos() ** (2 * l), ROUNDING)
        assert_close(d[:, -1, 0], (beta / 2).sin() ** (2 * l), ROUNDING)


def test_small_d_at_the_poles():
    """d(0) = 1 and d(pi)_mn = (-1)^(l - n) delta_{m,-n}."""
    for l in (0, 1, 5, 40):
        at_zero, at_pi = wigner_d(l, POLES)
        size = 2 * l + 1
        sign = (-1.0) ** (l - torch.arange(-l, l + 1, dtype=F64))
        assert_close(at_zero, torch.eye(size, dtype=F64), ROUNDING)
        assert_close(at_pi, torch.eye(size, dtype=F64).flip(0) * sign, ROUNDING)


def test_small_d_of_any_angle(generator):
    """d(-beta) = d(beta)^T and d(a + b) = d(a) d(b), also beyond [0, pi]."""
    a, b = torch.tensor([2.5, 1.9], dtype=F64)
    for l in (1, 2, 5):
        assert_close(wigner_d(l, -a), wigner_d(l, a).T, ROUNDING)
        assert_close(wigner_d(l, a + b), wigner_d(l, a) @ wigner_d(l, b), ROUNDING)


def test_small_d_symmetries(generator):
    """d_mn = (-1)^(m - n) d_nm = d_{-n,-m}, and rows are orthonormal at degree 60."""
    beta = math.pi * torch.rand(2, dtype=F64, generator=generator)
    for l in (6, 60):
        d = wigner_d(l, beta)
        m = torch.arange(-l, l + 1, dtype=F64)
        assert_close(d, (-1) ** (m[:, None] - m) * d.mT, CONDITION)
        assert_close(d, d.flip(-1, -2).mT, CONDITION)
        assert_close(d @ d.mT, torch.eye(2 * l + 1, dtype=F64).expand(2, -1, -1), CONDITION)


def orthogonality_error(band, n, orders, chunk=256):
    """max |(2l+1) 1/2 int d^l_mn d^l'_mn sin(beta) d beta - delta_ll'|, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(band)
    beta, weights = torch.from_numpy(nodes).acos(), torch.from_numpy(weights) / 2
    gram = torch.zeros(len(orders), 2, band - n, band - n, dtype=F64)
    for part, w in zip(beta.split(chunk), weights.split(chunk), strict=True):
        cc, ss = wigner_d_real(band, n, part)
        for i, m in enumerate(orders):
            # d^cc +- d^ss is 2 d_mn or 2 d_{m,-n}, sqrt2 d if one of m, n is zero, d if both are
            scale = 2 if m and n else 1
            for j, d in enumerate((cc[:, m] + ss[:, m], cc[:, m] - ss[:, m])):
                gram[i, j] += (d / scale * w) @ (d / scale).T
    l = torch.arange(n, band)
    worst = 0.0
    for i, m in enumerate(orders):
        norm = 2.0 if (m == 0) != (n == 0) else 1.0
        expected = torch.diag(torch.where(l >= m, norm, 0.0).to(F64))
        root = (2 * l + 1).to(F64).sqrt()
        worst = max(worst, float((gram[i] * root[:, None] * root - expected).abs().max()))
    return worst


@pytest.mark.parametrize("n", [0, 3, 130, 255])
def test_orthogonal_at_band_256(n):
    assert orthogonality_error(256, n, range(0, 256, 15)) < CONDITION


@pytest.mark.slow
@pytest.mark.parametrize("n", [0, 200])
def test_orthogonal_at_band_512(n):
    assert orthogonality_error(512, n, (0, 1, 60, 200, 511), chunk=64) < CONDITION


def test_orthogonality_check_can_fail(monkeypatch):
    """One wrong coefficient of the recursion is seen."""
    wrong = wigner_d_real(8, 2, torch.linspace(0.1, 3, 8, dtype=F64))
    monkeypatch.setitem(globals(), "wigner_d_real", lambda *_: wrong)
    assert orthogonality_error(8, 2, range(8)) > 1e-3


@pytest.mark.parametrize("n", [0, 1, 2])
def test_real_blocks_are_the_real_basis(n):
    """(W2): in the real basis d^cc couples cosines, d^ss couples sines, and all else is 0."""
    band = 5
    beta, _ = soft_angles(3)
    cc, ss = wigner_d_real(band, n, beta)
    zero = torch.zeros_like(beta)
    for l in range(n, band):
        d = wigner_D(l, angles_to_matrix(zero, beta, zero))
        assert_close(cc[l - n, : l + 1].T, d[:, l:, l + n], ROUNDING)
        assert_close(d[:, :l, l + n], torch.zeros(6, l, dtype=F64), ROUNDING)
        assert not cc[l - n, l + 1 :].any() and not ss[l - n, l + 1 :].any()
        if n:
            assert_close(ss[l - n, 1 : l + 1].T, d[:, :l, l - n].flip(1), ROUNDING)


@over("n", [0, 1, 2, 6])
def test_some_rows_are_those_of_all(n):
    beta, _ = soft_angles(5)
    whole = wigner_d_real(7, n, beta)
    for rows in ([0], [2], [1, 4], [0, 3, 6], list(range(7)), []):
        assert torch.equal(wigner_d_real(7, n, beta, rows=rows), whole[:, :, rows])
    for wrong in ([2, 1], [1, 1], [7], [-1]):
        with pytest.raises(ValueError, match="^rows: expected"):
            wigner_d_real(7, n, beta, rows=wrong)


def test_weights_multiply_the_points():
    beta, weight = soft_angles(4)[0], soft_weights(4)
    plain, weighted = (torch.stack(tuple(wigner_d_real(4, 1, beta, w))) for w in (None, weight))
    assert_close(weighted, plain * weight, ROUNDING)


def test_real_from_complex_is_unitary_and_maps_d(generator):
    """Q Q^H = 1, D_real = Q D_complex Q^H with D_complex = e^{-i m alpha} d_mn e^{-i n gamma}."""
    alpha, beta, gamma = torch.rand(3, 4, dtype=F64, generator=generator) * math.pi
    for l in (0, 1, 4):
        q, m = real_from_complex(l), torch.arange(-l, l + 1)
        assert_close(q @ q.mH, torch.eye(2 * l + 1, dtype=q.dtype), ROUNDING)
        left, right = torch.exp(-1j * alpha[:, None] * m), torch.exp(-1j * gamma[:, None] * m)
        textbook = left[:, :, None] * wigner_d(l, beta) * right[:, None]
        real = q @ textbook @ q.mH
        assert_close(real, wigner_D(l, angles_to_matrix(alpha, beta, gamma)) + 0j, ROUNDING)
        if l:
            with pytest.raises(AssertionError):  # the other sign in the exponent
                assert_close(q @ textbook.conj() @ q.mH, real, ROUNDING)


@pytest.mark.parametrize("l", [0, 1, 2, 5, 11, 64])
def test_representation_of_the_rotation_group(l, generator):
    """D(1) = 1, D(g) D(g)^T = 1, D(g h) = D(g) D(h), and not D(h) D(g)."""
    g, h = random_rotations(2, 5, generator=generator)
    one = torch.eye(2 * l + 1, dtype=F64)
    assert_close(wigner_D(l, torch.eye(3, dtype=F64)), one, CONDITION)
    assert_close(wigner_D(l, g) @ wigner_D(l, g).mT, one.expand(5, -1, -1), CONDITION)
    assert_close(wigner_D(l, g @ h), wigner_D(l, g) @ wigner_D(l, h), CONDITION)
    if l:
        with pytest.raises(AssertionError):
            assert_close(wigner_D(l, g @ h), wigner_D(l, h) @ wigner_D(l, g), CONDITION)


@pytest.mark.parametrize("l", [0, 1, 2, 3, 7, 11])
def test_equals_e3nn(l, generator, default_dtype):
    g = random_rotations(6, generator=generator)
    default_dtype(F64)
    expected = o3.wigner_D(l, *o3.matrix_to_angles(g))
    assert_close(wigner_D(l, g), expected, ROUNDING)


def test_degree_one_is_the_rotation_itself(generator):
    g = random_rotations(6, generator=generator)
    assert_close(wigner_D(1, g), g, ROUNDING)


@pytest.mark.parametrize("beta", [0.0, math.pi, 1e-9, math.pi - 1e-9])
def test_poles(beta):
    """At and near the poles, where only alpha + gamma or alpha - gamma counts, D is the limit."""
    alpha, gamma = torch.tensor([0.4, 1.3], dtype=F64)
    g = angles_to_matrix(alpha, torch.tensor(beta, dtype=F64), gamma)
    for l in (1, 4):
        zero = torch.zeros((), dtype=F64)
        parts = [
            wigner_D(l, angles_to_matrix(*angles))
            for angles in ((alpha, zero, zero), (zero, zero + beta, zero), (gamma, zero, zero))
        ]
        assert_close(wigner_D(l, g), parts[0] @ parts[1] @ parts[2], ROUNDING)


def test_generators():
    """D(exp(theta e_a)) = exp(theta X_a), [X_x, X_y] = X_z cyclically, sum X_a^2 = -l(l + 1)."""
    for l in (0, 1, 2, 6):
        x = rotation_generators(l)
        for a in range(3):
            theta = torch.zeros(3, dtype=F64)
            theta[a] = 0.7
            turn = torch.linalg.matrix_exp(skew(theta))
            assert_close(wigner_D(l, turn), torch.linalg.matrix_exp(0.7 * x[a]), ROUNDING)
            b, c = (a + 1) % 3, (a + 2) % 3
            assert_close(x[a] @ x[b] - x[b] @ x[a], x[c], ROUNDING)
        casimir = -l * (l + 1) * torch.eye(2 * l + 1, dtype=F64)
        assert_close((x @ x).sum(0), casimir, ROUNDING)


def along_the_group(l, start, omega):
    """D^l(exp(omega) start) as a function of omega near 0; exact to second order in omega."""
    x = skew(omega)
    step = torch.eye(3, dtype=F64) + x + x @ x / 2 + x @ x @ x / 6
    return wigner_D(l, step @ start)


STARTS = {
    "identity": torch.eye(3, dtype=F64),
    "south pole": torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=F64)),
    "quarter turn": torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=F64),
    "generic": random_rotations(generator=torch.Generator().manual_seed(7)),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_gradient_along_the_group(start):
    """d D / d omega_a = X_a D, which is finite and right at the poles too."""
    l = 3
    omega = torch.zeros(3, dtype=F64)
    jacobian = torch.autograd.functional.jacobian(partial(along_the_group, l, start), omega)
    expected = rotation_generators(l) @ wigner_D(l, start)
    assert_close(jacobian.movedim(-1, 0), expected, ROUNDING)
    h = 1e-5
    for a in range(3):  # and the function itself moves that way
        step = h * torch.eye(3, dtype=F64)[a]
        forth, back = along_the_group(l, start, step), along_the_group(l, start, -step)
        assert_close((forth - back) / (2 * h), jacobian[..., a], DERIVATIVE)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_second_derivative_along_the_group(start, generator):
    """d^2 f / d omega_a d omega_b of f = <W, D> is <W, (X_a X_b + X_b X_a) / 2 D> at omega = 0."""
    l = 3
    w = torch.randn(2 * l + 1, 2 * l + 1, dtype=F64, generator=generator)

    def f(omega):
        return (w * along_the_group(l, start, omega)).sum()

    hessian = torch.autograd.functional.hessian(f, torch.zeros(3, dtype=F64))
    x = rotation_generators(l)
    product = torch.einsum("mn,amk,bkj,jn->ab", w, x, x, wigner_D(l, start))
    assert_close(hessian, (product + product.T) / 2, SYMMETRY)


def test_gradient_of_float32_is_finite_at_the_poles():
    for start in STARTS.values():
        g = start.to(torch.float32).requires_grad_()
        out = wigner_D(6, g)
        out.square().sum().backward()  # constant on the group, so its gradient is 0
        assert out.dtype == torch.float32
        assert_close(g.grad, torch.zeros(3, 3), SINGLE)


def test_vmap_and_func_grad(generator):
    g = random_rotations(4, generator=generator)
    assert_close(torch.vmap(partial(wigner_D, 3))(g), wigner_D(3, g), ROUNDING)

    def loss(rotation):
        return wigner_D(3, rotation)[0].sum()

    leaf = g.clone().requires_grad_()
    (expected,) = torch.autograd.grad(sum(loss(rotation) for rotation in leaf), leaf)
    assert_close(torch.vmap(torch.func.grad(loss))(g), expected, ROUNDING)


def test_shapes_and_dtypes(generator):
    g = random_rotations(2, 3, generator=generator)
    assert wigner_D(2, g).shape == (2, 3, 5, 5)
    assert wigner_D(2, g[:0]).shape == (0, 3, 5, 5)
    assert wigner_D(0, g).shape == (2, 3, 1, 1)
    assert wigner_D(2, g.float()).dtype == torch.float32
    assert_close(wigner_D(8, g.float()), wigner_D(8, g).float(), SINGLE)
    assert wigner_d(2, torch.zeros(4, 3)).shape == (4, 3, 5, 5)
    assert wigner_d(2, torch.tensor(0.5)).shape == (5, 5)
    assert wigner_d(2, torch.tensor(0.5)).dtype == F64


@pytest.mark.parametrize(
    ("rotation", "got"),
    [
        (torch.eye(2), r"shape \(2, 2\)"),
        (torch.eye(3, dtype=torch.int64), r"shape \(3, 3\) of torch.int64"),
        (torch.eye(3) + 0j, r"shape \(3, 3\) of torch.complex64"),
        (torch.ones(3), r"shape \(3,\)"),
    ],
)
def test_bad_rotation(rotation, got):
    with pytest.raises(ValueError, match=rf"rotation: expected .*\(\.\.\., 3, 3\), got .*{got}"):
        wigner_D(1, rotation)


def test_quadrature_of_the_grid_is_exact_for_products_of_d():
    """On the SOFT grid too, (2l + 1) sum_j w_j d^l_mn d^l'_mn = delta_ll' for l, l' < b."""
    band, n, m = 12, 3, 2
    beta, _ = soft_angles(band)
    cc, ss = wigner_d_real(band, n, beta)
    d = (cc + ss)[:, m] / 2
    l = torch.arange(n, band)
    assert_close((d * soft_weights(band)) @ d.T, torch.diag(1 / (2 * l + 1.0).to(F64)), ROUNDING)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own
@over("n", [0, 1, 3])
def test_derivatives_of_columns(n):
    """(W5), of second order too, forwards too, and at the poles, where logarithms have none."""
    beta = torch.tensor([0.0, 0.4, 3.1, math.pi], dtype=F64, requires_grad=True)

    def columns(b, weight=None):
        return wigner_d_real(5, n, b, weight, rows=(0, 2, 3))

    assert torch.autograd.gradcheck(columns, beta, fast_mode=True)
    assert torch.autograd.gradgradcheck(columns, beta, fast_mode=True)
    at, one = beta.detach(), torch.ones_like(beta)
    slope = torch.func.jvp(lambda b: columns(b, 2 * b), (at,), (one,))[1]
    plain, straight = torch.func.jvp(columns, (at,), (one,))
    assert_close(slope, 2 * plain + 2 * at * straight, ROUNDING)
    assert straight.abs().max() > 0.1 and slope.isfinite().all()


@pytest.mark.compile
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a .functools.lru_cache")
def test_the_tables_are_the_same_where_torch_compiles_them():
    """Half turns for D^l, and every column of d^l: (-1)^k has its own way through a compiler."""

    def tables(beta: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (*half_turns(4), *(wigner_d_real(4, n, beta) for n in range(4)))

    beta = torch.tensor([0.3, 1.2], dtype=torch.float64)
    compiled = torch.compile(tables, backend="eager")(beta)
    for expected, found in zip(tables(beta), compiled, strict=True):
        assert_close(found, expected, ROUNDING)
