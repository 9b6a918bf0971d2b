"""Agreement with the coefficients of healpy, pyshtools and torch-harmonics.

``tests/golden/make_sphere.py`` made the values; fields are summed up term by term here, so that no
transform of this library is among what is compared.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from equinet import Sphere, convert
from equinet import nn as enn
from equinet.harmonics import s2_fft, s2_ifft
from tests.harmonics.direct import textbook_D
from tests.tolerances import ROUNDING, assert_close

BAND = 7


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "golden" / "sphere.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def at_points(spectrum, points, spin=0):
    """f = sum (2l + 1) f_m D^l_{m,spin}(alpha, beta, 0) of spectra ``(..., rows)``."""
    beta, alpha = points
    columns = [
        (2 * l + 1) * textbook_D(l, alpha, beta, torch.zeros_like(beta))[..., l + spin]
        for l in range(spin, BAND)
    ]
    return torch.einsum("pm,...m->...p", torch.cat(columns, -1), spectrum)


def test_functions_of_healpy(golden):
    alm = golden["healpy_alm"]
    f = convert.from_healpy(alm)
    assert_close(at_points(f, golden["healpy_points"])[0], golden["healpy_maps"][0] + 0j, ROUNDING)
    assert_close(convert.to_healpy(f), alm, ROUNDING)
    assert_close(convert.from_healpy(alm.numpy()), f, ROUNDING)
    with pytest.raises(AssertionError):  # without the conjugate
        found = at_points(convert.from_healpy(alm.conj()), golden["healpy_points"])[0]
        assert_close(found, golden["healpy_maps"][0] + 0j, ROUNDING)


@pytest.mark.parametrize("spin", [1, 2, 3])
def test_fields_of_healpy(spin, golden):
    """Q + i U is f, of spin 2 in the convention COSMO; so are the maps of other spins."""
    alm = golden["healpy_alm"][1:].clone()
    l = torch.tensor([l for m in range(BAND) for l in range(m, BAND)])
    alm[:, l < spin] = 0
    q, u = golden["healpy_maps"][1:] if spin == 2 else golden[f"healpy_spin_{spin}"]
    f = convert.from_healpy(alm, spin)
    assert_close(at_points(f, golden["healpy_points"], spin), q + 1j * u, ROUNDING)
    assert_close(convert.to_healpy(f, spin), alm, ROUNDING)
    with pytest.raises(AssertionError):  # IAU
        assert_close(at_points(f, golden["healpy_points"], spin), q - 1j * u, ROUNDING)


@pytest.mark.parametrize("spin", [1, 2, 3])
def test_e_and_b_are_those_of_healpy(spin, golden):
    """As maps: those of the functions with a^E and a^B."""
    alm = golden["healpy_alm"][1:].clone()
    alm[:, torch.tensor([l for m in range(BAND) for l in range(m, BAND)]) < spin] = 0
    f = s2_ifft(convert.from_healpy(alm, spin), BAND, spin=spin)
    x = torch.stack([f.real, f.imag])[None]
    modes = enn.EBModes(Sphere(BAND).fields(f"1x{spin}")).double()
    expected = s2_ifft(convert.from_healpy(alm), BAND).real
    assert_close(modes(x)[0], expected, ROUNDING)
    back = enn.FromEBModes(modes.out_type, spin).double()
    assert_close(back(expected[None]), x, ROUNDING)
    with pytest.raises(AssertionError):  # B has a sign
        assert_close(modes(x[:, [1, 0]])[0].flip(0), expected, ROUNDING)


@pytest.mark.parametrize("csphase", [1, -1])
@pytest.mark.parametrize("normalization", ["4pi", "ortho", "schmidt"])
def test_pyshtools(normalization, csphase, golden):
    cilm, options = golden["pyshtools_cilm"], (normalization, csphase)
    f = convert.from_pyshtools(cilm, *options)
    expected = golden[f"pyshtools_{normalization}_{csphase}"]
    assert_close(at_points(f, golden["healpy_points"]), expected + 0j, ROUNDING)
    assert_close(convert.to_pyshtools(f, *options), cilm, ROUNDING)
    with pytest.raises(AssertionError):
        other = convert.from_pyshtools(cilm, normalization, -csphase)
        assert_close(at_points(other, golden["healpy_points"]), expected + 0j, ROUNDING)


def test_functions_of_torch_harmonics(golden):
    c = golden["torch_harmonics_scalar"]
    f = convert.from_torch_harmonics(c)
    values = at_points(f, golden["torch_harmonics_points"])
    assert_close(values, golden["torch_harmonics_function"] + 0j, ROUNDING)
    assert_close(convert.to_torch_harmonics(f), c, ROUNDING)
    fewer = torch.where(torch.arange(BAND) < 4, c, 0)  # mmax < lmax
    assert_close(
        convert.from_torch_harmonics(c[:, :4]), convert.from_torch_harmonics(fewer), ROUNDING
    )


def test_winds_of_torch_harmonics(golden):
    """The wind, its vorticity and its divergence; with u and v exchanged none of them."""
    c, points = golden["torch_harmonics_vector"], golden["torch_harmonics_points"]
    south, east = golden["torch_harmonics_wind"]
    f = convert.from_torch_harmonics(c, vector=True)
    assert_close(at_points(f, points, 1), south + 1j * east, ROUNDING)
    assert_close(convert.to_torch_harmonics(f, vector=True), c, ROUNDING)

    wind = s2_ifft(f, BAND, spin=1)
    fields = Sphere(BAND).fields("1x1")

    def found(u, v):
        x = torch.stack([-v, u])[None]
        both = torch.cat([kind(fields).double()(x) for kind in (enn.Curl, enn.Divergence)])
        return at_points(s2_fft(both[:, 0]), points).real

    expected = golden["torch_harmonics_vordiv"]
    assert_close(found(wind.imag, -wind.real), expected, 10 * ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(found(-wind.real, wind.imag), expected, 1e-3)


# --- the packages themselves, where they are installed --------------------------------------------


def test_healpy_itself(generator):
    healpy = pytest.importorskip("healpy")
    alm = torch.randn(2, 45, dtype=torch.complex128, generator=generator)
    alm[:, :9] = alm[:, :9].real + 0j
    alm[:, torch.tensor([l for m in range(9) for l in range(m, 9)]) < 2] = 0
    q, u = healpy.alm2map_spin(list(alm.numpy()), 16, 2, 8)
    found = np.array(healpy.map2alm_spin([q, u], 2, 8))
    f = torch.from_numpy(found).to(torch.complex128)
    assert_close(convert.to_healpy(convert.from_healpy(f, 2), 2), f, ROUNDING)


def test_torch_harmonics_itself(generator, default_dtype):
    """A round trip of samples on its grid, by way of a spectrum of this library."""
    package = pytest.importorskip("torch_harmonics")
    default_dtype(torch.float64)  # of its tables
    options = dict(lmax=8, mmax=8, grid="legendre-gauss")
    c = torch.randn(2, 8, 8, dtype=torch.complex128, generator=generator).tril()
    c[..., 0], c[:, 0] = c[..., 0].real + 0j, 0
    wind = package.InverseRealVectorSHT(8, 16, **options).double()(c)
    found = package.RealVectorSHT(8, 16, **options).double()(wind)
    f = convert.from_torch_harmonics(found, vector=True)
    assert_close(convert.to_torch_harmonics(f, vector=True), c, ROUNDING)


# --- what is no coefficient -----------------------------------------------------------------------


def test_a_complex_function_is_refused(generator):
    """Its orders m >= 0 do not tell all."""
    f = s2_fft(torch.randn(8, 8, generator=generator) + 0j)
    complex_function = f + 1j * f.roll(1)
    for convert_it in (convert.to_healpy, convert.to_pyshtools, convert.to_torch_harmonics):
        convert_it(f)
        with pytest.raises(ValueError, match="^spectrum: expected that of a real function"):
            convert_it(complex_function)


def test_coefficients_that_no_real_field_has(generator):
    """Complex ones of m = 0, sines of m = 0, orders above their degree."""
    a = torch.randn(2, 45, dtype=torch.complex128, generator=generator)
    c = torch.randn(2, 5, 5, generator=generator)
    square = torch.randn(2, 5, 5, dtype=torch.complex128, generator=generator)
    sines = c.tril()
    above = c.clone()
    above[1, :, 0] = 0
    for call in (
        lambda: convert.from_healpy(a),
        lambda: convert.from_healpy(a, 2),
        lambda: convert.from_torch_harmonics(square),
        lambda: convert.from_torch_harmonics(square, vector=True),
        lambda: convert.from_pyshtools(sines),
        lambda: convert.from_pyshtools(above),
    ):
        with pytest.raises(ValueError, match=": expected those of real fields"):
            call()
    sines[1, :, 0] = 0
    convert.from_pyshtools(sines)


@pytest.mark.parametrize(
    ("function", "shape", "options", "message"),
    [
        (convert.from_healpy, (29,), {}, "^alm: expected .*lmax"),
        (convert.from_healpy, (3, 28), {"spin": 2}, "^alm: expected .*2, "),
        (convert.from_healpy, (2, 3), {"spin": 2}, "^spin: expected one below 2"),
        (convert.from_torch_harmonics, (7, 8), {}, "^coefficients: expected .*mmax <= lmax"),
        (convert.from_torch_harmonics, (3, 7, 7), {"vector": True}, "^coefficients: expected"),
        (convert.to_healpy, (10,), {}, "^spectrum: expected a last axis of band"),
        (convert.to_torch_harmonics, (49,), {"vector": True}, "^spectrum: expected"),
    ],
)
def test_wrong_shapes(function, shape, options, message):
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(shape, dtype=torch.complex128), **options)


def test_wrong_conventions():
    c = torch.zeros(2, 3, 3)
    with pytest.raises(ValueError, match="^normalization: expected"):
        convert.from_pyshtools(c, "unnorm")
    with pytest.raises(ValueError, match="^csphase: expected 1 or -1"):
        convert.from_pyshtools(c, csphase=0)
    with pytest.raises(ValueError, match="^cilm: expected"):
        convert.from_pyshtools(c[0])
    with pytest.raises(TypeError, match="^alm: expected .*complex"):
        convert.from_healpy(c)
