"""Bands, degrees and tensors that are none are refused by name, and nothing else is."""

import math

import pytest
import torch

from equinet import Plane, Sphere
from equinet.field import act, random_field
from equinet.field.resampling import resample
from equinet.harmonics import (
    Analysis,
    Synthesis,
    angular_harmonics,
    circular_harmonics,
    rotate_s2,
    s2_fft,
    s2_ifft,
    s2_irfft,
    s2_rfft,
    so3_fft,
    so3_ifft,
    so3_irfft,
    so3_rfft,
    spherical_harmonics,
)
from equinet.nn import SphereConv
from equinet.numerics import (
    legendre,
    rotation_generators,
    soft_angles,
    soft_weights,
    solid_harmonics,
    wigner_D,
    wigner_d,
    wigner_d_real,
)
from tests.tolerances import SINGLE, assert_close

POINTS, ANGLES, SIGNAL = torch.rand(2, 3), torch.rand(2), torch.rand(4, 4)
GRAY, ON_SPHERE = Plane("C4").fields("1x trivial"), Sphere(2).fields("1x trivial")
# An argument that must be an integer, with the least that is allowed.
INTEGERS = {
    "spherical_harmonics": (lambda n: spherical_harmonics(n, POINTS), "lmax", 0),
    "circular_harmonics": (lambda n: circular_harmonics(n, POINTS[:, :2]), "lmax", 0),
    "angular_harmonics": (lambda n: angular_harmonics(n, POINTS), "lmax", 0),
    "solid_harmonics": (lambda n: solid_harmonics(n, POINTS), "lmax", 0),
    "legendre": (lambda n: legendre(n, ANGLES), "lmax", 0),
    "wigner_D": (lambda n: wigner_D(n, torch.eye(3)), "l", 0),
    "wigner_d": (lambda n: wigner_d(n, ANGLES), "l", 0),
    "wigner_d_real": (lambda n: wigner_d_real(n, 0, ANGLES), "band", 1),
    "rotation_generators": (rotation_generators, "l", 0),
    "soft_angles": (soft_angles, "band", 1),
    "soft_weights": (soft_weights, "band", 1),
    "Analysis": (lambda n: Analysis(2, n, 0), "band", 1),
    "Analysis of order": (lambda n: Analysis(2, 2, n), "order", 0),
    "Synthesis": (lambda n: Synthesis(n, 1, 0), "grid", 1),
    "s2_rfft": (lambda n: s2_rfft(SIGNAL, n), "band", 1),
    "s2_fft": (lambda n: s2_fft(SIGNAL, n), "band", 1),
    "so3_rfft": (lambda n: so3_rfft(torch.rand(4, 4, 4), n), "band", 1),
    "so3_fft": (lambda n: so3_fft(torch.rand(4, 4, 4), n), "band", 1),
    "s2_irfft": (lambda n: s2_irfft(torch.rand(1), n), "band", 1),
    "s2_ifft": (lambda n: s2_ifft(torch.rand(1), n), "band", 1),
    "so3_irfft": (lambda n: so3_irfft(torch.rand(1), n), "band", 1),
    "so3_ifft": (lambda n: so3_ifft(torch.rand(1), n), "band", 1),
    "grid_band": (lambda n: s2_irfft(torch.rand(1), 1, n), "grid_band", 1),
    "random_field": (lambda n: random_field(ON_SPHERE, n), "batch", 0),
    "band of random_field": (lambda n: random_field(ON_SPHERE, 1, band=n), "band", 1),
    "sizes": (lambda n: random_field(GRAY, 1, sizes=(n, 3)), "sizes", 1),
}


@pytest.mark.parametrize(("call", "argument", "least"), INTEGERS.values(), ids=INTEGERS)
def test_numbers_that_are_none(call, argument, least):
    call(least)
    for bad in (least - 1, -7, float(least), 1.5, math.nan, True, "1"):
        with pytest.raises(ValueError, match=f"^{argument}: expected an integer >= {least}, got"):
            call(bad)
            pytest.fail(f"took {bad!r}")


def test_tensors_and_types_that_are_none():
    wrong = {
        "signal": lambda: s2_fft([1.0]),
        "spectrum": lambda: s2_ifft([1.0], 1),
        "field_type": lambda: random_field("1x trivial", 1),
        " field_type": lambda: act("1x trivial", torch.eye(3), SIGNAL),
        "dtype": lambda: random_field(GRAY, 1, sizes=(3, 3), dtype=torch.int64),
        "sizes": lambda: random_field(GRAY, 1, sizes=3),
        "x": lambda: resample(torch.ones(1, 1, 3, dtype=torch.long), torch.rand(1, 2, 1)),
        "coordinates": lambda: resample(torch.rand(1, 1, 3), torch.ones(1, 2, 1).long()),
    }
    for argument, call in wrong.items():
        with pytest.raises(TypeError, match=f"^{argument.strip()}: expected"):
            call()
    for spin in (1.0, True, None, "1"):
        with pytest.raises(ValueError, match="^spin: expected an integer"):
            s2_fft(SIGNAL, spin=spin)
    with pytest.raises(ValueError, match="^smoothness: expected a finite number"):
        random_field(GRAY, 1, sizes=(3, 3), smoothness=math.nan)


def test_half_precision(generator):
    """No transform in 16 bits; under autocast the transforms and rotations keep float32."""
    conv = SphereConv(ON_SPHERE, ON_SPHERE).half()
    with pytest.raises(TypeError, match="^dtype: expected float32 or float64.*autocast"):
        conv(torch.zeros(ON_SPHERE.shape(1)).half())
    x = random_field(ON_SPHERE, 2, generator=generator)
    g = ON_SPHERE.space.group.sample(2, generator=generator)
    expected = rotate_s2(x, g), act(ON_SPHERE, g, x)
    with torch.autocast("cpu", torch.bfloat16):
        for found, exact in zip((rotate_s2(x, g), act(ON_SPHERE, g, x)), expected, strict=True):
            assert_close(found, exact, SINGLE)


def test_empty_batches():
    assert s2_fft(SIGNAL[None][:0]).shape == (0, 4)
    assert rotate_s2(torch.zeros(0, 1, 4, 4), torch.eye(3)).shape == (0, 1, 4, 4)
    assert random_field(ON_SPHERE, 0).shape == (0, 1, 4, 4)
