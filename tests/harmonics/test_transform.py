"""The transforms as modules: any strides, any band, any order, and torch's machinery."""

import copy
import pickle

import pytest
import torch
from torch.autograd import gradcheck

from equinet.harmonics import (
    Analysis,
    Synthesis,
    healpix,
    octahedral,
    s2_rfft,
    so3_irfft,
    so3_rfft,
)
from equinet.harmonics.grid import spectrum_index, spectrum_size
from equinet.numerics import soft_angles
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, assert_close

F64 = torch.float64

# (band of the grid, band of the spectrum, order of the field or None on SO(3))
CASES = [(1, 1, None), (3, 3, None), (5, 3, None), (4, 4, 0), (4, 3, 1), (4, 4, 3), (2, 2, 4)]


def random_signal(case, generator, batch=3, channels=2):
    """Noise: a field of order s > 0 has two components a channel."""
    grid_band, _, order = case
    axes = 3 if order is None else 2
    channels *= 2 if order else 1
    shape = (batch, channels, *axes * [2 * grid_band])
    return torch.randn(shape, dtype=F64, generator=generator)


def rows_of(case):
    _, band, order = case
    return spectrum_size(band, tuple(range(band)) if order is None else (order,))


def random_spectrum(case, generator, columns=6):
    return torch.randn(rows_of(case), columns, dtype=F64, generator=generator)


@pytest.mark.parametrize("case", CASES)
def test_round_trip(case, generator):
    """Analysis after synthesis is 1; columns are (channel, batch), signals (batch, channel)."""
    spectrum = random_spectrum(case, generator)
    signal = Synthesis(*case, F64)(spectrum, 2)
    assert signal.shape == random_signal(case, generator).shape
    assert_close(Analysis(*case, F64)(signal), spectrum, ROUNDING)
    one = Synthesis(*case, F64)(spectrum[:, 4:5], 1)  # channel 1, sample 1
    width = signal.shape[1] // 2
    assert_close(signal[1:2, width:], one, ROUNDING)


def test_is_the_functional_transform(generator):
    signal = random_signal((3, 3, None), generator)
    found = Analysis(3, 2, None, F64)(signal).unflatten(1, (2, 3))
    assert_close(found, so3_rfft(signal, 2).permute(2, 1, 0), ROUNDING)
    signal = random_signal((3, 3, 0), generator)
    found = Analysis(3, 2, 0, F64)(signal).unflatten(1, (2, 3))
    assert_close(found, s2_rfft(signal, 2).permute(2, 1, 0), ROUNDING)


@pytest.mark.parametrize("order", [1, 2])
def test_fields_of_an_irrep(order, generator):
    """As a function on SO(3) with orders n = -s, s it is y_0 cos(s gamma) + y_1 sin(s gamma)."""
    band = 3
    spectrum = random_spectrum((band, band, order), generator, columns=1)
    on_group = torch.zeros(1, spectrum_size(band, tuple(range(band))), dtype=F64)
    on_group[0, spectrum_index(band, tuple(range(band)))[:, 2].abs() == order] = spectrum[:, 0]
    y = Synthesis(band, band, order, F64)(spectrum, 1)[0]
    turn = order * soft_angles(band)[1]
    expected = y[0, ..., None] * turn.cos() + y[1, ..., None] * turn.sin()
    assert_close(so3_irfft(on_group, band)[0], expected, ROUNDING)
    with pytest.raises(AssertionError):  # the other sense of rotation
        wrong = y[0, ..., None] * turn.cos() - y[1, ..., None] * turn.sin()
        assert_close(so3_irfft(on_group, band)[0], wrong, ROUNDING)


@pytest.mark.parametrize("case", CASES)
def test_strides_do_not_matter(case, generator):
    signal = random_signal(case, generator)
    analysis = Analysis(*case, F64)
    order = tuple(reversed(range(signal.dim())))
    strided = signal.permute(order).contiguous().permute(order)
    assert_close(analysis(strided), analysis(signal), ROUNDING)
    spectrum = random_spectrum(case, generator)
    synthesis = Synthesis(*case, F64)
    assert_close(synthesis(spectrum.T.contiguous().T, 3), synthesis(spectrum, 3), ROUNDING)


@pytest.mark.parametrize("case", CASES)
def test_empty_batch(case, generator):
    empty = random_signal(case, generator, batch=0)
    spectrum = Analysis(*case, F64)(empty)
    assert spectrum.shape == (rows_of(case), 0)
    signal = Synthesis(*case, F64)(spectrum, 2)
    assert signal.shape[0] == 0 and signal.shape[2:] == empty.shape[2:]


@over("rings", [healpix(2), octahedral(3)])
def test_empty_batch_on_rings_of_several_lengths(rings):
    """The short ones and the long ones, forwards and backwards."""
    signal = torch.zeros(0, 2, sum(rings.counts), dtype=F64, requires_grad=True)
    spectrum = Analysis(rings, 3, 1, F64)(signal)
    found = Synthesis(rings, 3, 1, F64)(spectrum, 1)
    assert found.shape == signal.shape and spectrum.shape[1] == 0
    found.sum().backward()
    assert signal.grad.shape == signal.shape


@pytest.mark.parametrize("case", [(2, 2, None), (2, 2, 0), (2, 2, 1)])
def test_derivatives(case, generator):
    signal = random_signal(case, generator, batch=1, channels=1).requires_grad_()
    assert gradcheck(Analysis(*case, F64), signal)
    spectrum = random_spectrum(case, generator, columns=1).requires_grad_()
    assert gradcheck(lambda x: Synthesis(*case, F64)(x, 1), spectrum)


@pytest.mark.parametrize("case", CASES)
def test_constants_are_exact_in_any_dtype(case, generator):
    """Born in float32 and widened, a transform equals the one born in float64."""
    signal, spectrum = random_signal(case, generator), random_spectrum(case, generator)
    analysis, synthesis = Analysis(*case), Synthesis(*case)
    single = analysis(signal.float())
    assert single.dtype == torch.float32
    assert_close(single, Analysis(*case, F64)(signal), SINGLE)
    assert torch.equal(analysis.double()(signal), Analysis(*case, F64)(signal))
    assert torch.equal(synthesis.double()(spectrum, 3), Synthesis(*case, F64)(spectrum, 3))


@pytest.mark.parametrize("case", CASES)
def test_copies_and_checkpoints(case, generator):
    signal = random_signal(case, generator)
    analysis = Analysis(*case, F64)
    assert not analysis.state_dict()
    for other in (copy.deepcopy(analysis), pickle.loads(pickle.dumps(analysis))):
        assert torch.equal(other(signal), analysis(signal))


@pytest.mark.parametrize("case", [(3, 3, None), (4, 3, 1)])
def test_autocast_keeps_the_precision(case, generator):
    signal, spectrum = random_signal(case, generator), random_spectrum(case, generator)
    analysis, synthesis = Analysis(*case), Synthesis(*case)
    plain = analysis(signal.float()), synthesis(spectrum.float(), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = analysis(signal.float()), synthesis(spectrum.float(), 3)
        assert analysis(signal.bfloat16()).dtype == torch.float32
    assert torch.equal(plain[0], cast[0]) and torch.equal(plain[1], cast[1])


@pytest.mark.compile
def test_compile_and_export(generator):
    """Fields on S^2; tests/ops/test_wigner.py compiles the rest."""
    case = (3, 2, 1)
    signal, spectrum = random_signal(case, generator), random_spectrum(case, generator)
    analysis, synthesis = Analysis(*case, F64), Synthesis(*case, F64)
    options = {"fullgraph": True, "backend": "aot_eager"}
    assert_close(torch.compile(analysis, **options)(signal), analysis(signal), ROUNDING)
    assert_close(torch.compile(synthesis, **options)(spectrum, 3), synthesis(spectrum, 3), ROUNDING)
    exported = torch.export.export(analysis, (signal,)).module()
    assert_close(exported(signal), analysis(signal), ROUNDING)


@pytest.mark.parametrize("transform", [Analysis, Synthesis])
@pytest.mark.parametrize("band", [0, -1, 4])
def test_bad_band(transform, band):
    with pytest.raises(
        ValueError, match=rf"^band: expected (1 to 3|an integer >= 1).*, got {band}"
    ):
        transform(3, band, None)
