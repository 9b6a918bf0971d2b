"""The conventions, each with its test. They are fixed: what is written here does not change.

1. Rotations are active, angles in radians, R = Y(alpha) X(beta) Y(gamma); the polar axis is y.
2. Irreps of SO(3) are real, components m = -l..l, equal to e3nn's; l = 1 is (x, y, z).
3. In the angles the textbook's formulas hold: D^l_mn = e^{-i m alpha} d^l_mn e^{-i n gamma}.
4. The SOFT grid; signals are (batch, channel, beta, alpha[, gamma]); Haar measure has mass 1.
5. f^l_mn = int f conj(D^l_mn), f = sum (2l + 1) f^l_mn D^l_mn; spectra are flat.
6. Images: x along the last axis, y upwards; a turn by +90 degrees is torch.rot90(x, 1, (-2, -1)).
7. Types are strings, "16x0 + 8x1"; a block is multiplicity-major.
8. band is exclusive, lmax inclusive, never both in one signature.
9. Constants are float64, cast once, and not in the state_dict.
10. Fields of spin s on the sphere are (Re f, Im f) in the frame (e_beta, e_alpha) = (south, east),
    f e^{-i s theta} in one turned by theta from south to east; winds are (-v, u), polarisation
    (Q, U) of HEALPix.
"""

import importlib
import inspect
import math
import pkgutil

import pytest
import torch
from e3nn import o3
from scipy.special import lpmv

import equinet as eq
from equinet import harmonics, numerics
from equinet import nn as enn
from equinet.field import act, random_field
from equinet.harmonics import (
    rotate_s2,
    rotate_so3,
    s2_fft,
    s2_irfft,
    so3_fft,
    so3_ifft,
    so3_irfft,
    spherical_harmonics,
)
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import (
    angles_to_matrix,
    matrix_to_angles,
    points_to_angles,
    random_rotations,
    soft_angles,
    soft_weights,
    wigner_D,
)
from equinet.transforms import StereographicProjection, from_polarisation, from_voigt, from_winds
from tests.harmonics.direct import textbook_D
from tests.tolerances import CONDITION, DERIVATIVE, ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
ZERO, QUARTER = torch.tensor([0, math.pi / 2], dtype=F64)


def randn(*shape, generator):
    return torch.randn(shape, dtype=F64, generator=generator)


@pytest.fixture
def rotations(generator):
    return random_rotations(5, generator=generator)


# 1. Rotations


def test_euler_angles_are_those_of_e3nn(rotations):
    """R = Y(alpha) X(beta) Y(gamma)."""
    angles = o3.matrix_to_angles(rotations)
    assert_close(angles_to_matrix(*angles), o3.angles_to_matrix(*angles), ROUNDING)
    assert_close(angles_to_matrix(*matrix_to_angles(rotations)), rotations, ROUNDING)


def test_the_point_with_given_angles(rotations):
    """(sin beta sin alpha, cos beta, sin beta cos alpha), R applied to the pole y, as in e3nn."""
    alpha, beta, _ = matrix_to_angles(rotations)
    point = torch.stack([beta.sin() * alpha.sin(), beta.cos(), beta.sin() * alpha.cos()], -1)
    assert_close(rotations[..., 1], point, ROUNDING)
    assert_close(o3.angles_to_xyz(alpha, beta), point, ROUNDING)
    assert_close(torch.stack(points_to_angles(point)), torch.stack([alpha, beta]), ROUNDING)


def test_rotations_are_active():
    """A quarter turn about the pole y takes the axis z to x, and the function z to x."""
    turn = angles_to_matrix(QUARTER, ZERO, ZERO)
    assert_close(turn @ torch.tensor([0, 0, 1], dtype=F64), [1.0, 0.0, 0.0], ROUNDING)
    beta, alpha = torch.meshgrid(*soft_angles(2), indexing="ij")
    x, z = beta.sin() * alpha.sin(), beta.sin() * alpha.cos()
    assert_close(rotate_s2(z[None, None], turn)[0, 0], x, ROUNDING)


# 2. and 3. Irreps


@pytest.mark.parametrize("l", [0, 1, 2, 5])
def test_wigner_matrices_are_those_of_e3nn(l, rotations, default_dtype):
    default_dtype(F64)
    expected = o3.Irrep(l, 1).D_from_matrix(rotations)
    assert_close(wigner_D(l, rotations), expected, ROUNDING)
    assert_close(eq.rep.irrep(eq.so3(), l)(rotations), expected, ROUNDING)


@pytest.mark.parametrize("normalization", ["norm", "component", "integral"])
def test_spherical_harmonics_are_those_of_e3nn(normalization, generator):
    x = randn(5, 3, generator=generator)
    expected = o3.spherical_harmonics(list(range(6)), x, True, normalization)
    assert_close(spherical_harmonics(5, x, normalization=normalization), expected, ROUNDING)


def test_degree_one_is_x_y_z(rotations, generator):
    x = randn(3, generator=generator)
    assert_close(spherical_harmonics(1, x, normalize=False)[1:], x, ROUNDING)
    assert_close(wigner_D(1, rotations), rotations, ROUNDING)
    assert_close(eq.rep.vector(eq.so3())(rotations), rotations, ROUNDING)


def test_textbook_formulas_hold_in_the_angles():
    """D^l_m0(alpha, beta, 0) = sqrt(4 pi / (2l + 1)) conj(Y_l^m), Y with Condon-Shortley signs."""
    alpha, beta = torch.tensor([[0.3, -1.2], [0.8, 2.5]], dtype=F64)
    for l in (1, 3):
        column = textbook_D(l, alpha, beta, ZERO)[..., l]
        for m in range(l + 1):
            norm = math.sqrt(math.factorial(l - m) / math.factorial(l + m))
            y = norm * torch.from_numpy(lpmv(m, l, beta.cos().numpy())) * torch.exp(1j * m * alpha)
            assert_close(column[:, l + m], y.conj().resolve_conj(), ROUNDING)


def test_irreps_of_so2_turn_by_s_times_the_angle():
    """psi_s(theta) = [[cos s theta, -sin s theta], [sin s theta, cos s theta]], with name s."""
    angle = torch.tensor(0.7, dtype=F64)
    g = eq.so2().element(angle)
    for s in (1, 2):
        c, d = (s * angle).cos().item(), (s * angle).sin().item()
        assert_close(eq.rep.irrep(eq.so2(), s)(g), [[c, -d], [d, c]], ROUNDING)
        assert eq.rep.irrep(eq.so2(), s).name == str(s)
    assert (
        eq.rep.named(eq.so2(), "trivial")
        == eq.rep.irrep(eq.so2(), 0)
        == eq.rep.named(eq.so2(), "0")
    )
    assert eq.rep.named(eq.so3(), "vector") == eq.rep.vector(eq.so3())


# 4. and 5. Sampling and Fourier transforms


def test_soft_grid():
    """beta_j = pi (2j + 1) / 4b, alpha_k = gamma_k = 2 pi k / 2b; the weights sum to 1."""
    beta, alpha = soft_angles(3)
    j = torch.arange(6, dtype=F64)
    assert_close(beta, math.pi * (2 * j + 1) / 12, ROUNDING)
    assert_close(alpha, 2 * math.pi * j / 6, ROUNDING)
    for band in (1, 10, 30):
        assert_close(soft_weights(band).sum(), 1.0, ROUNDING)
    assert_close(so3_fft(torch.ones(1, 4, 4, 4, dtype=F64))[0].real, torch.eye(10)[0], ROUNDING)


def test_axes_of_signals():
    """(batch, channel, beta, alpha, gamma) on SO(3), and without gamma on the sphere."""
    sphere = eq.Sphere(band=3)
    assert sphere.fields("2x regular").shape(5) == (5, 2, 6, 6, 6)
    assert sphere.fields("2x trivial").shape(5) == (5, 2, 6, 6)
    spectrum = torch.eye(35, dtype=torch.complex128)
    l, m, n = spectrum_index(3, (0, 1, 2)).unbind(1)
    signals = so3_ifft(spectrum, 3)
    varies = [
        (signals - signals.mean(axis, keepdim=True)).abs().amax((1, 2, 3)) for axis in (-2, -1)
    ]
    for order, changes in ((m, varies[0]), (n, varies[1])):  # alpha goes with m, gamma with n
        assert torch.equal(order != 0, changes > SYMMETRY)


@pytest.mark.parametrize(("l", "m", "n"), [(0, 0, 0), (1, 1, -1), (2, -1, 2), (3, 0, 3)])
def test_fourier_transform_and_spectral_index_on_so3(l, m, n):
    """D^l_mn itself has the coefficient 1/(2l + 1) at l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l)."""
    beta, alpha = soft_angles(4)
    signal = textbook_D(l, alpha[:, None], beta[:, None, None], alpha)[..., l + m, l + n]
    expected = torch.zeros(1, 84, dtype=torch.complex128)
    expected[0, l * (4 * l * l - 1) // 3 + (2 * l + 1) * (m + l) + (n + l)] = 1 / (2 * l + 1)
    assert_close(so3_fft(signal[None]), expected, ROUNDING)
    if m or n:
        with pytest.raises(AssertionError):
            assert_close(so3_fft(signal.conj()[None]), expected, ROUNDING)


@pytest.mark.parametrize(("l", "m"), [(0, 0), (1, -1), (2, 2), (3, 1)])
def test_fourier_transform_and_spectral_index_on_the_sphere(l, m):
    """D^l_m0 has the coefficient 1/(2l + 1) at l^2 + m + l."""
    beta, alpha = soft_angles(4)
    signal = textbook_D(l, alpha, beta[:, None], ZERO)[..., l + m, l]
    expected = torch.zeros(1, 16, dtype=torch.complex128)
    expected[0, l * l + m + l] = 1 / (2 * l + 1)
    assert_close(s2_fft(signal[None]), expected, ROUNDING)


def test_functions_are_moved_actively(rotations, generator):
    """[L_R f](x) = f(R^-1 x): the peak of a function goes from p to R p."""
    band, r = 8, rotations[0]
    p = torch.tensor([0.6, 0.0, 0.8], dtype=F64)
    peak = s2_irfft(
        spherical_harmonics(band - 1, p)[None, None], band
    )  # the reproducing kernel at p
    moved = s2_irfft(spherical_harmonics(band - 1, r @ p)[None, None], band)
    assert_close(rotate_s2(peak, r), moved, CONDITION)
    f = so3_irfft(randn(1, 1, 84, generator=generator), 4)
    q, r = rotations[:2]
    assert_close(rotate_so3(rotate_so3(f, r), q), rotate_so3(f, q @ r), SYMMETRY)


# 6. Images


def test_turning_an_image_turns_the_sphere(generator):
    """rot90 by +90 degrees is the rotation by +90 degrees about the polar axis y."""
    image = randn(1, 1, 28, 28, generator=generator)
    project = StereographicProjection(28, band=6).double()
    turned = project(torch.rot90(image, 1, (-2, -1)))
    turn = angles_to_matrix(QUARTER, ZERO, ZERO)
    assert_close(turned, project(image, turn), ROUNDING)
    assert_close(turned, project(image).roll(3, -1), ROUNDING)  # a quarter of 12 points in alpha
    with pytest.raises(AssertionError):
        assert_close(turned, project(image, turn.T), ROUNDING)


def test_an_image_has_x_to_the_right_and_y_upwards():
    """The image is seen with z to the right and x upwards, for alpha = atan2(x, z)."""
    right, top = torch.zeros(2, 1, 1, 9, 9, dtype=F64)
    right[..., 4, 7], top[..., 1, 4] = 1, 1
    project = StereographicProjection(9, band=10).double()
    for image, alpha in ((right, 0.0), (top, math.pi / 2)):
        place = project(image)[0, 0].amax(0).argmax()
        assert_close(soft_angles(10)[1][place], alpha, ROUNDING)


# 7. Field types


def test_types_are_strings():
    sphere = eq.Sphere(band=4)
    h = sphere.fields("3x0 + 2x1 + 1x2")
    assert str(h) == "3x0 + 2x1 + 1x2" and h == sphere.fields(str(h))
    assert h.channels == 3 + 2 * 2 + 2
    blocks = [(mul, eq.rep.irrep(eq.so2(), s)) for mul, s in ((3, 0), (2, 1), (1, 2))]
    assert h == sphere.fields(blocks)
    assert sphere.fields("3x trivial") == sphere.fields("3x0")
    assert sphere.fields("8x regular").channels == 8


def test_blocks_are_multiplicity_major(rotations):
    """Channels are (copy, component): copies can be exchanged whole, components cannot."""
    fields = eq.Sphere(band=3).fields("2x1")
    x = random_field(fields, 1, generator=torch.Generator().manual_seed(0), dtype=F64)
    copies, components = [2, 3, 0, 1], [0, 2, 1, 3]
    moved = act(fields, rotations[0], x)
    assert_close(act(fields, rotations[0], x[:, copies]), moved[:, copies], CONDITION)
    with pytest.raises(AssertionError):
        assert_close(act(fields, rotations[0], x[:, components]), moved[:, components], CONDITION)


def test_a_mirror_turns_longitudes_and_east():
    """Of diag(-1, 1, 1): 0e and components to the south stay, 0o and those to the east do not."""
    fields = eq.Sphere(band=4, group="O(3)").fields("1x0e + 1x0o + 1x1 + 1x2")
    x = random_field(fields, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], dtype=F64)[:, None, None]
    moved = act(fields, torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=F64)), x)
    assert_close(moved, signs * x[..., -torch.arange(8) % 8], CONDITION)


# 8. Names


def public_callables():
    for info in pkgutil.walk_packages(eq.__path__, "equinet."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            error = isinstance(value, type) and issubclass(value, Exception)  # has no signature
            if callable(value) and not error and getattr(value, "__module__", None) == info.name:
                yield f"{info.name}.{name}", value


def test_band_and_lmax_never_meet_in_one_signature():
    both, seen = [], set()
    for name, value in public_callables():
        parameters = set(inspect.signature(value).parameters)
        seen |= parameters
        if "lmax" in parameters and {"band", "grid_band"} & parameters:
            both.append(name)
    assert {"lmax", "band", "grid_band"} <= seen and not both


def test_band_is_exclusive_and_lmax_inclusive():
    assert harmonics.s2_rfft(torch.zeros(1, 8, 8), 3).shape[-1] == sum(2 * l + 1 for l in range(3))
    assert spherical_harmonics(3, torch.zeros(3)).shape[-1] == sum(2 * l + 1 for l in range(4))


# 9. Constants


def network():
    sphere = eq.Sphere(band=4)
    x, h = sphere.fields("1x trivial"), sphere.at(band=3).fields("2x regular")
    y = sphere.at(band=2).fields("2x0 + 1x1")
    return enn.Sequential(
        enn.SphereConv(x, h), enn.BatchNorm(h), enn.ReLU(h), enn.SphereConv(h, y), enn.BatchNorm(y)
    )


def test_a_state_dict_holds_what_is_learned():
    """Parameters and the statistics of batch norm, in train and in eval mode, and for each layer
    the word that says what they mean."""
    net = network()
    statistics = {
        f"{name}.running_{kind}"
        for name, module in net.named_modules()
        if isinstance(module, enn.BatchNorm)
        for kind in ("mean", "var")
    }
    words = {f"{i}._extra_state" for i in (0, 1, 3, 4)}
    expected = {name for name, _ in net.named_parameters()} | statistics | words
    assert statistics
    for mode in (net.train(), net.eval(), net.double()):
        assert set(mode.state_dict()) == expected


def float64_results():
    """What the library computes in float64, by name."""
    generator = torch.Generator().manual_seed(0)
    r = random_rotations(2, generator=generator)
    x, sphere, group = (
        randn(2, *shape, generator=generator) for shape in ((3,), (1, 8, 8), (1, 8, 8, 8))
    )
    beta = numerics.soft_angles(4)[0]
    results = {
        "rotations": r,
        "angles": torch.stack(numerics.matrix_to_angles(r)),
        "soft_weights": numerics.soft_weights(5),
        "wigner_D": wigner_D(6, r),
        "wigner_d": numerics.wigner_d(6, beta),
        "wigner_d_real": torch.stack(tuple(numerics.wigner_d_real(6, 2, beta))),
        "generators": numerics.rotation_generators(4),
        "real_from_complex": numerics.real_from_complex(4),
        "legendre": numerics.legendre(6, beta.cos()),
        "so3_rfft": harmonics.so3_rfft(group),
        "so3_ifft": so3_ifft(so3_fft(group), 4, 5),
        "rotate_so3": rotate_so3(group, r),
        "rotate_s2": rotate_s2(sphere, r),
        "random_field": random_field(eq.Sphere(3).fields("1x2"), 2, generator=generator, dtype=F64),
        "projection": StereographicProjection(8, 3).double()(sphere),
    }
    for name in ("norm", "component", "integral"):
        results[f"harmonics {name}"] = spherical_harmonics(6, x, normalization=name)
    for spin in (-1, 0, 2):
        results[f"s2_fft {spin}"] = s2_fft(sphere, spin=spin)
        results[f"s2_ifft {spin}"] = harmonics.s2_ifft(s2_fft(sphere, spin=spin), 4, spin=spin)
    net = network().double().eval()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, generator=generator)
    return results | {"network": net(sphere)}


def test_no_constant_is_born_in_float32(default_dtype):
    """Under torch's default dtype float32 the float64 results are those under float64."""
    default_dtype(F64)
    expected = float64_results()
    default_dtype(torch.float32)
    found = float64_results()
    for name, value in found.items():
        assert value.dtype in (F64, torch.complex128), name
        assert_close(value, expected[name], ROUNDING)


def test_a_constant_born_in_float32_would_be_seen(default_dtype, monkeypatch):
    monkeypatch.setattr(numerics, "soft_weights", lambda band: torch.ones(band) / 3)
    found = []
    for dtype in (F64, torch.float32):
        default_dtype(dtype)
        found.append(float64_results()["soft_weights"])
    with pytest.raises(AssertionError):
        assert_close(*found, ROUNDING)


# 10. Frames


def test_a_wind_from_the_west_is_the_second_channel(rotations):
    """The velocity omega x x, with components to the south and to the east, is of spin 1."""
    sphere, omega = eq.Sphere(band=3), torch.tensor([0.3, -0.5, 0.8], dtype=F64)
    beta, alpha = sphere.angles()
    x, h = sphere.positions(), 1e-6

    def at(beta, alpha):
        return angles_to_matrix(alpha, beta, torch.zeros_like(beta))[..., 1]

    south = (at(beta + h, alpha) - at(beta - h, alpha)) / (2 * h)
    east = (at(beta, alpha + h) - at(beta, alpha - h)) / (2 * h) / beta.sin()[..., None]
    assert (south[..., 1] < 0).all()  # away from the pole y

    def wind(omega):
        velocity = torch.linalg.cross(omega.expand_as(x), x)
        return torch.stack([(velocity * south).sum(-1), (velocity * east).sum(-1)])[None]

    r = rotations[0]
    assert_close(act(sphere.fields("1x1"), r, wind(omega)), wind(r @ omega), DERIVATIVE)
    with pytest.raises(AssertionError):
        swapped = wind(omega).flip(1)
        assert_close(act(sphere.fields("1x1"), r, swapped), wind(r @ omega).flip(1), 1e-3)
    with pytest.raises(AssertionError):
        polarised = act(sphere.fields("1x2"), r, wind(omega))
        assert_close(polarised, wind(r @ omega), 1e-3)
    u, v = wind(omega)[:, 1:], -wind(omega)[:, :1]
    assert torch.equal(from_winds(u, v), wind(omega))
    assert torch.equal(from_polarisation(u, v), torch.cat([u, v], 1))


def test_rows_of_a_stress_and_of_a_strain():
    """xx yy zz yz xz xy, with the shears of a strain twice."""
    rows = torch.eye(6)
    for shear, w in {"stress": 1, "strain": 2, "mandel": 2**0.5}.items():
        found = from_voigt(rows, shear=shear)
        for row, (i, j) in zip(
            found, [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)], strict=True
        ):
            assert torch.isclose(row[i, j], torch.tensor(1.0 if i == j else 1 / w))
            assert row.count_nonzero() == (1 if i == j else 2)
