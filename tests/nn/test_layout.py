"""Channels that lie last in memory stay there, and images that are too small are named."""

import sys
import warnings

import pytest
import torch

from equinet import Plane, nn
from equinet.field.grid import Grid
from equinet.nn.layout import laid_out
from tests.laws.module_cases import MODULES
from tests.tolerances import ROUNDING, assert_close

# Those of the files that lay their output out by ``laid_out``, or leave it to torch.
KINDS = (
    nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.AvgPool, nn.MaxPool,
    nn.NormMaxPool, nn.GroupPool, nn.NormPool, nn.Downsample, nn.Upsample, nn.TensorProduct,
    nn.Pointwise, nn.ReLU, nn.Gate, nn.NormActivation, nn.BatchNorm, nn.Identity,
)  # fmt: skip


def test_channels_last_stays(generator):
    tried = set()
    for case in MODULES:
        module = case() if len(case.sizes) > 1 else None
        if type(module) not in KINDS or not isinstance(module.in_type.space, Grid):
            continue
        (x,) = case.arguments(module, generator)
        form = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, last = module(x), module(x.to(memory_format=form))
        assert last.is_contiguous(memory_format=form) and y.is_contiguous(), str(case)
        assert_close(last.double(), y.double(), 1e-5)
        tried.add(type(module))
    assert tried == set(KINDS)


def test_where_channels_lie():
    """As torch's convolution: one channel that is said to lie last leads to many that do."""
    y = torch.rand(2, 3, 4, 5)
    contiguous, last = torch.rand(2, 1, 4, 5), torch.rand(2, 4, 5, 1).movedim(-1, 1)
    assert laid_out(y, contiguous).is_contiguous() and laid_out(y, y) is y
    assert laid_out(y, last).is_contiguous(memory_format=torch.channels_last)
    conv = torch.nn.Conv2d(1, 3, 3)
    assert conv(last).is_contiguous(memory_format=torch.channels_last)
    assert_close(laid_out(y, last), y, ROUNDING)
    gray, h = (Plane("C4").fields(text) for text in ("1x trivial", "1x regular"))
    assert nn.Conv2d(gray, h, 3)(last).is_contiguous(memory_format=torch.channels_last)


H = Plane("C4").fields("1x trivial")
SMALL = {
    "filter": (nn.Conv2d(H, H, 5), (5, 5), (5, 4)),
    "padded": (nn.Conv2d(H, H, 5, padding=1), (3, 3), (2, 3)),
    "dilated": (nn.Conv2d(H, H, 3, dilation=3), (7, 7), (6, 7)),
    "reflect": (nn.Conv2d(H, H, 5, padding=2, padding_mode="reflect"), (3, 3), (2, 4)),
    "circular": (nn.Conv2d(H, H, 5, padding=3, padding_mode="circular"), (3, 3), (2, 4)),
    "same": (nn.Conv2d(H, H, 5, padding="same"), (1, 1), (0, 3)),
    "transposed": (nn.ConvTranspose2d(H, H, 3, 2, 3), (3, 3), (2, 3)),
    "average": (nn.AvgPool(H, 3), (3, 3), (2, 3)),
    "maximum": (nn.MaxPool(H, 3, dilation=2), (5, 5), (4, 6)),
    "longest": (nn.NormMaxPool(H, 4), (4, 4), (4, 3)),
    "down": (nn.Downsample(H, 2, padding=0), (5, 5), (4, 5)),
}


@pytest.mark.parametrize("name", SMALL)
def test_an_image_that_is_too_small(name):
    """One size less than what is named is refused, and that itself is taken."""
    module, least, small = SMALL[name]
    text = rf"^x: expected sizes of at least \({least[0]}, {least[1]}\) for .*, got \({small[0]}, "
    with pytest.raises(ValueError, match=text):
        module(torch.zeros(1, 1, *small))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert module(torch.zeros(1, 1, *least)).numel()


def test_more_output_padding_than_a_stride():
    with pytest.raises(
        ValueError, match=r"^output_padding: expected numbers below stride \(2, 2\)"
    ):
        nn.ConvTranspose2d(H, H, 3, 2, output_padding=2)
    with pytest.raises(
        TypeError, match="^functions: expected a function of the group and the taps"
    ):
        nn.Conv2d(H, H, 3, functions="shells")


def test_kernels_that_no_machine_holds(monkeypatch):
    """8 bytes for each entry of each kernel at each tap, found before any is sampled."""
    h = Plane("C4").fields("1x regular")
    layer, limits = nn.Conv2d(h, h, 5), sys.modules["equinet.harmonics.filter_grids"]
    monkeypatch.setattr(limits, "_LARGEST", layer.kernels.numel() * 8)
    nn.Conv2d(h, h, 5)
    monkeypatch.setattr(limits, "_LARGEST", layer.kernels.numel() * 8 - 1)
    with pytest.raises(
        ValueError, match=r"^grid: expected a filter .* \(5, 5\) taps, .* of kernels"
    ):
        nn.Conv2d(h, h, 5)


def test_layout_under_vmap(generator):
    module = nn.Downsample(H, 2)
    x = torch.randn(3, 2, 1, 9, 9, generator=generator)
    assert_close(torch.func.vmap(module)(x), torch.stack([module(part) for part in x]), 1e-6)
