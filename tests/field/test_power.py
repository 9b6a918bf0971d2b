"""Power spectra of feature maps."""

import pytest
import torch

from equinet import Plane, Sphere, act, so3
from equinet.field import power_spectra, random_field
from equinet.harmonics import gauss, octahedral, power_spectrum, s2_fft, s2_rfft
from tests.tolerances import CONDITION, ROUNDING, assert_close

F64 = torch.float64


def test_they_are_those_of_the_spectra(generator):
    """Of every copy, of one field and of two; and their sum is the mean square."""
    for rings in (gauss(7), octahedral(7)):
        sphere = Sphere(6, rings)
        fields = sphere.fields("2x0 + 1x1 + 1x2")
        x, y = (random_field(fields, 3, generator=generator, dtype=F64) for _ in range(2))
        spectra = [
            [
                *(s2_rfft(z[:, i], 6, grid=rings) for i in (0, 1)),
                *(
                    s2_fft(torch.complex(z[:, i], z[:, i + 1]), 6, spin=s, grid=rings)
                    for s, i in ((1, 2), (2, 4))
                ),
            ]
            for z in (x, y)
        ]
        for other, theirs in ((None, spectra[0]), (y, spectra[1])):
            expected = [
                power_spectrum(a, b, s)
                for a, b, s in zip(spectra[0], theirs, (0, 0, 1, 2), strict=True)
            ]
            assert_close(power_spectra(fields, x, other), torch.stack(expected, 1), ROUNDING)
    l = torch.arange(6, dtype=F64)
    areas = sphere.areas() / (4 * torch.pi)
    means = ((2 * l + 1) / (4 * torch.pi) * power_spectra(fields, x)).sum(-1)
    squares = (areas * x**2).sum(-1)
    assert_close(means[:, :2], squares[:, :2], ROUNDING)
    assert_close(means[:, 2], squares[:, 2:4].sum(1), ROUNDING)


def test_a_rotation_leaves_them_alone(generator):
    fields = Sphere(5).fields("1x0 + 1x1")
    x = random_field(fields, 2, generator=generator, dtype=F64)
    g = so3().sample(1, generator=generator)[0]
    assert_close(power_spectra(fields, act(fields, g, x)), power_spectra(fields, x), CONDITION)
    with pytest.raises(AssertionError):
        assert_close(power_spectra(fields, x.roll(1, 2)), power_spectra(fields, x), 1e-3)


def test_bad_input():
    fields = Sphere(4).fields("1x0")
    x = torch.zeros(1, 1, 8, 8)
    for call, error, message in (
        (lambda: power_spectra(Plane("C4").fields("1x0"), x), ValueError, "^field_type"),
        (lambda: power_spectra(Sphere(4).fields("1x regular"), x), ValueError, "^field_type"),
        (lambda: power_spectra(fields, x[..., :7]), ValueError, "^x: expected"),
        (lambda: power_spectra(fields, x, x.double()), TypeError, "^other: expected the dtype"),
        (lambda: power_spectra(fields, x, x.expand(2, 1, 8, 8)), ValueError, "^other: expected"),
    ):
        with pytest.raises(error, match=message):
            call()
