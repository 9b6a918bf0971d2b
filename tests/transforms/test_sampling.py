"""Data on any rings into fields, and back."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from equinet import Plane, Sphere
from equinet.field import FieldAnalysis, random_field
from equinet.harmonics import (
    Rings,
    equiangular,
    gauss,
    healpix,
    healpix_nested,
    octahedral,
    s2_irfft,
    s2_rfft,
    soft,
)
from equinet.transforms import Sample, sampling
from equinet.transforms.data_rings import needed_steps
from tests.over import over
from tests.tolerances import CONDITION, ROUNDING, assert_close

F64 = torch.float64
BAND = 6
FIELDS = Sphere(BAND).fields("1x0+2x1+1x2")
HEIGHTS = Sphere(BAND).fields("1x0")
SAMPLINGS = [
    soft(7),
    equiangular(11, 13, poles=True),
    equiangular(12, 12, poles=False),
    gauss(6, 11, start=0.2),
    octahedral(8),
    healpix(3),
]


def field(kind=FIELDS, generator=None):
    return random_field(kind, 2, generator=generator, dtype=F64)


@over("rings", SAMPLINGS)
def test_there_and_back(rings, generator):
    """Fields below the band come back from any rings, from HEALPix after some corrections."""
    sample, x = Sample(rings, FIELDS).double(), field(generator=generator)
    values = sample.inverse(x)
    assert values.shape == (2, 7, *rings.shape)
    assert_close(sample(values), x, ROUNDING)
    if rings == healpix(3):
        with pytest.raises(AssertionError):
            assert_close(Sample(rings, FIELDS, steps=0).double()(values), x, 1e-2)


@over("rings", SAMPLINGS)
def test_values_are_those_of_the_function(rings, generator):
    x = field(HEIGHTS, generator)
    values = Sample(rings, HEIGHTS).double().inverse(x)
    assert_close(values, s2_irfft(s2_rfft(x), BAND, grid=rings), ROUNDING)


def test_from_a_fine_grid_to_a_coarse_one_nothing_aliases(generator):
    fine = field(Sphere(12).fields("1x0"), generator)
    coarse = Sample(soft(12), HEIGHTS).double()(fine)
    assert_close(s2_rfft(coarse), s2_rfft(fine, BAND), ROUNDING)
    up = Sample(gauss(BAND), Sphere(12, grid=gauss(12)).fields("1x0")).double()
    assert up.band == BAND and up(torch.ones(1, 1, 6, 12, dtype=F64)).shape == (1, 1, 12, 24)


@over(
    "rings, band",
    [
        (equiangular(7, 12, poles=True), 6),
        (equiangular(6, 12, poles=False), 6),
        (equiangular(7, 8, poles=True, start=0.4), 4),
        (equiangular(6, 11, poles=False), 3),  # no meridian goes on behind the poles
    ],
)
def test_equal_steps_hold_more_than_their_quadrature(rings, band, generator):
    """As many degrees as there are steps, as far as the rings tell orders apart."""
    kind = Sphere(6).fields("1x0+1x1+1x2")
    sample = Sample(rings, kind, longitude_start=0.2).double()
    assert sample.band == band >= rings.degree
    low = random_field(kind, 2, band=band, generator=generator, dtype=F64)
    assert_close(sample(sample.inverse(low)), low, ROUNDING)
    if sample.is_refined:
        sample.from_data, sample.is_refined = FieldAnalysis(sample.data_type, band).double(), False
        with pytest.raises(AssertionError):
            assert_close(sample(sample.inverse(low)), low, 1e-2)


def test_how_the_data_lie(generator):
    """Rows from the south, from 180 degrees west, with the first meridian at both ends."""
    rings = equiangular(11, 16, poles=True)
    x = field(generator=generator)
    values = Sample(rings, FIELDS).double().inverse(x)
    upside = Sample(rings, FIELDS, north_first=False).double()
    assert_close(upside(values.flip(-2)), x, ROUNDING)
    assert_close(upside.inverse(x), values.flip(-2), ROUNDING)
    west = Sample(rings, FIELDS, longitude_start=-math.pi).double()
    assert_close(west(values.roll(8, -1)), x, ROUNDING)
    assert_close(west.inverse(x), values.roll(8, -1), ROUNDING)
    twice = Sample(rings, FIELDS, repeats_meridian=True).double()
    repeated = torch.cat([values, values[..., :1]], -1)
    assert_close(twice(repeated), x, ROUNDING)
    assert_close(twice.inverse(x), repeated, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(Sample(rings, FIELDS).double()(values.flip(-2)), x, 1e-2)


def test_reduced_rings_from_the_south(generator):
    rings, x = octahedral(8), field(HEIGHTS, generator)
    values = Sample(rings, HEIGHTS).double().inverse(x)
    backwards = torch.cat(list(reversed(values.split(rings.counts, -1))), -1)
    upside = Sample(rings, HEIGHTS, north_first=False).double()
    assert_close(upside(backwards), x, CONDITION)
    assert_close(upside.inverse(x), backwards, CONDITION)


def test_latitudes_are_checked():
    rings = gauss(6)
    north = 90 - torch.tensor(rings.beta, dtype=F64).rad2deg()
    Sample(rings, HEIGHTS, latitudes=north)
    Sample(rings, HEIGHTS, latitudes=north.flip(0), north_first=False)
    for wrong, first in ((north.flip(0), True), (north, False)):
        with pytest.warns(UserWarning, match="north_first is .*: is the field upside down"):
            Sample(rings, HEIGHTS, latitudes=wrong, north_first=first)
    with pytest.raises(
        ValueError, match=r"^latitudes: expected those of gauss\(6, 12\) in degrees"
    ):
        Sample(rings, HEIGHTS, latitudes=torch.linspace(90, -90, 6))


COORDINATES = [
    (equiangular(11, 16, poles=True), 0.0),
    (equiangular(12, 16, poles=False), -math.pi),
    (gauss(7, 16), math.pi / 8),
]


@over("case", COORDINATES)
def test_the_grid_of_a_file(case, generator):
    """It is known by its coordinates, in single precision and from either pole."""
    rings, start = case
    x = field(HEIGHTS, generator)
    values = Sample(rings, HEIGHTS, longitude_start=start).double().inverse(x)
    latitudes = torch.tensor(90 - np.degrees(rings.beta), dtype=torch.float32)
    longitudes = math.degrees(start) + 360 / 16 * torch.arange(17)
    for latitude, data in ((latitudes, values), (latitudes.flip(0), values.flip(-2))):
        sample = Sample.from_degrees(latitude, longitudes[:16], HEIGHTS).double()
        assert sample.rings == rings
        assert_close(sample(data), x, ROUNDING)
        twice = Sample.from_degrees(latitude, longitudes, HEIGHTS).double()
        assert_close(twice(torch.cat([data, data[..., :1]], -1)), x, ROUNDING)
    west = (longitudes[:16] + 180) % 360 - 180
    wrong = [(latitudes[1:], longitudes[:16]), (latitudes, longitudes[:12]), (latitudes, west)]
    for latitude, longitude in wrong:
        with pytest.raises(ValueError, match="^(latitudes|longitudes): expected"):
            if start:  # from 0 on, west jumps; from elsewhere it may not
                longitude = longitude.flip(0)
            Sample.from_degrees(latitude, longitude, HEIGHTS)


def test_rings_whose_quadrature_is_not_exact(generator, monkeypatch):
    """The error is corrected on the way in and on the way out; without it, it is there."""
    good = gauss(9, 18)
    rounded = Rings(np.radians(np.degrees(good.beta).astype(np.float32)), good.weight, good.counts)
    healthy = Sphere(BAND, healpix(4)).fields("1x0+1x1")
    for rings, kind in ((rounded, HEIGHTS), (gauss(6), healthy)):
        x = field(Sphere(BAND, gauss(6)).fields(kind.blocks), generator)
        there = Sample(gauss(6), kind).double()
        assert_close(there.inverse(there(x)), x, CONDITION)
        sample = Sample(rings, Sphere(BAND, gauss(6)).fields(kind.blocks)).double()
        assert_close(sample(sample.inverse(x)), x, CONDITION)
    monkeypatch.setattr(sampling, "needed_steps", lambda *_: 0)
    with pytest.raises(AssertionError):
        assert_close(there.inverse(there(x)), x, 1e-3)


@over("band", [2, 3, 4, 8])
def test_corrections_on_healpix(band, generator):
    """Until rounding in either precision, and the fewer the lower the band and the digits."""
    steps = []
    for dtype in (torch.float32, F64):
        low = Sphere(band, gauss(band)).fields("1x0+1x1")
        sample = Sample(healpix(4), low).to(dtype)
        y = torch.randn(2, 3, 192, dtype=dtype, generator=generator)  # with much above the band
        spectrum = sample.from_field(sample(y))
        rest = sample._spectrum(y - sample.to_data(spectrum, 2))
        assert rest.norm() < 30 * torch.finfo(dtype).eps * spectrum.norm()
        coarse = sample.from_field(Sample(healpix(4), low, steps=1).to(dtype)(y))
        assert (coarse - spectrum).norm() > 10 * rest.norm()  # the negative control
        steps.append(needed_steps(sample.rings, band, dtype))
    assert steps[0] < steps[1] <= needed_steps(sample.rings, 8, F64)


def test_healpix_in_nested_order(generator):
    """As healpy has it; both ways, for fields and for classes."""
    order = healpix_nested(4)
    rings = Sample(healpix(4), HEIGHTS).double()
    nested = Sample(healpix(4), HEIGHTS, nested=True).double()
    values = torch.randn(2, 1, 192, dtype=F64, generator=generator)
    x = rings(values)
    assert torch.equal(nested(values[..., order]), x)
    assert torch.equal(nested.inverse(x), rings.inverse(x)[..., order])
    assert torch.equal(nested.nearest(values[..., order]), rings.nearest(values))
    assert torch.equal(nested.nearest_inverse(x), rings.nearest_inverse(x)[..., order])
    assert not torch.equal(nested(values), x)  # the negative control
    for wrong, options in ((healpix(3), {}), (gauss(6), {}), (healpix(4), {"north_first": False})):
        with pytest.raises(ValueError, match=r"^nested: expected a HEALPix of a power of two"):
            Sample(wrong, HEIGHTS, nested=True, **options)


@over("rings", SAMPLINGS)
def test_classes_are_those_of_the_nearest_point(rings):
    """Of all distances, the smallest; whole numbers stay, and a point of both grids is itself."""
    sample = Sample(rings, HEIGHTS, longitude_start=0.3)
    start = sample.data_type.space.positions().reshape(-1, 3)
    end = HEIGHTS.space.positions().reshape(-1, 3)
    numbers = torch.arange(rings.count).view(1, 1, *rings.shape)
    found = sample.nearest(numbers)
    back = sample.nearest_inverse(torch.arange(len(end)).view(1, 1, *HEIGHTS.space.rings.shape))
    assert found.dtype == torch.int64 and found.shape == (1, 1, 12, 12)
    assert back.shape == (1, 1, *rings.shape)
    for place, a, b in ((found, end, start), (back, start, end)):
        products = a @ b.T
        here = products.gather(1, place.flatten()[:, None])[:, 0]
        assert_close(here, products.amax(1), 1e-8)
    same = Sample(soft(BAND), HEIGHTS)
    mask = numbers.new_tensor(range(144)).view(1, 1, 12, 12) % 3 == 0
    assert torch.equal(same.nearest(mask), mask) and torch.equal(same.nearest_inverse(mask), mask)


def test_classes_lie_as_the_data_do():
    """From the south, from another longitude, with a meridian twice, of any number of channels."""
    rings = equiangular(11, 16, poles=False)
    values = torch.arange(2 * 3 * 176).view(2, 3, 11, 16)
    plain = Sample(rings, HEIGHTS)
    x = plain.nearest(values)
    assert x.shape == (2, 3, 12, 12)
    upside = Sample(rings, HEIGHTS, north_first=False)
    assert torch.equal(upside.nearest(values.flip(-2)), x)
    assert torch.equal(upside.nearest_inverse(x), plain.nearest_inverse(x).flip(-2))
    west = Sample(rings, HEIGHTS, longitude_start=-math.pi)
    assert torch.equal(west.nearest(values.roll(8, -1)), x)
    twice = Sample(rings, HEIGHTS, repeats_meridian=True)
    repeated = torch.cat([values, values[..., :1]], -1)
    assert torch.equal(twice.nearest(repeated), x)
    assert twice.nearest_inverse(x).shape == (2, 3, 11, 17)
    for wrong in (values[..., 1:], values[0]):
        with pytest.raises(ValueError, match=r"^values: expected \(batch, channel, 11, 16\), got"):
            plain.nearest(wrong)
    with pytest.raises(
        TypeError, match=r"^values: expected a dense tensor, got ndarray; torch.from"
    ):
        plain.nearest(values.numpy())
    with pytest.raises(ValueError, match=r"^x: expected \(batch, channel, 12, 12\), got"):
        plain.nearest_inverse(values)


def test_what_is_missing():
    sample = Sample(gauss(6), HEIGHTS)
    values = torch.ones(1, 1, 6, 12)
    # NaN, healpy's UNSEEN and the fill value of netCDF; infinity is not missing but wrong.
    for gap in (math.nan, -1.6375e30, 9.96921e36, math.inf):
        given = values.clone()
        given[0, 0, 2, 3] = gap
        with pytest.raises(ValueError, match=r"^values: expected .*, got 1 that .*say missing=0.0"):
            sample(given)
        half = Sample(gauss(6), HEIGHTS, missing=0.5)
        if gap == math.inf:
            with pytest.raises(ValueError, match=r"^values: expected .*\(inf\)"):
                half(given)
        else:
            filled = values.clone()
            filled[0, 0, 2, 3] = 0.5
            assert_close(half(given), sample(filled), 1e-6)


def test_it_is_a_module(generator):
    sample = Sample(healpix(2), Sphere(3).fields("1x1")).double()
    values = torch.randn(2, 2, 48, dtype=F64, generator=generator)
    for other in (copy.deepcopy(sample), pickle.loads(pickle.dumps(sample))):
        assert torch.equal(other(values), sample(values))
    assert not sample.state_dict() and "healpix(2)" in repr(sample)
    assert torch.autograd.gradcheck(sample, values[:1].requires_grad_())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Sample(gauss, HEIGHTS), TypeError, "^rings: expected Rings, such as gauss"),
        (lambda: Sample(gauss(6), Plane("C4").fields("1x trivial")), ValueError, "^field_type: "),
        (
            lambda: Sample(gauss(6), Sphere(4).fields("1x regular")),
            ValueError,
            "^field_type: expected irreps",
        ),
        (
            lambda: Sample(healpix(2), HEIGHTS, repeats_meridian=True),
            ValueError,
            "^repeats_meridian: expected rows of one length",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS)(torch.ones(1, 1, 6, 13)),
            ValueError,
            r"^values: expected \(batch, 1, 6, 12\) on gauss.*say repeats_meridian=True",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS)(torch.ones(1, 1, 12, 12)),
            ValueError,
            r"^values: expected \(batch, 1, 6, 12\) on gauss\(6, 12\), got \(1, 1, 12, 12\)$",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS).inverse(torch.ones(1, 1, 6, 12)),
            ValueError,
            r"^x: expected \(batch, 1, 12, 12\), got",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS)(torch.ones(1, 1, 6, 12, dtype=F64)),
            TypeError,
            "^values: expected torch.float32 as this Sample, got torch.float64",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS).inverse(torch.full((1, 1, 12, 12), math.nan)),
            ValueError,
            "^x: expected finite numbers",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS, repeats_meridian=True)(torch.rand(1, 1, 6, 13)),
            ValueError,
            "^values: expected the first meridian at the end of each row again",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS, longitude_start=-180.0),
            ValueError,
            r"^longitude_start: .*math.radians\(-180\)",
        ),
        (
            lambda: Sample(gauss(6), HEIGHTS, longitude_start=math.nan),
            ValueError,
            "^longitude_start: expected a finite number",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
