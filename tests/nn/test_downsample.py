"""From a fine grid to a coarse one and back."""

import math

import pytest
import torch
import torch.nn.functional as F

from equinet import Line, Plane, Point, Volume
from equinet.field import act
from equinet.nn.downsample import Downsample, Upsample
from tests.nn.symmetric import F64, GRIDS, assert_equivariant, field
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

every_grid = pytest.mark.parametrize("in_type", GRIDS, ids=repr)


# --- down -----------------------------------------------------------------------------------------


def gaussian(size, sigma):
    offsets = [i - (size - 1) / 2 for i in range(size)]
    weights = torch.tensor([math.exp(-(o**2) / (2 * sigma**2)) for o in offsets], dtype=F64)
    return weights / weights.sum()


@pytest.mark.parametrize("space", [Line("O(1)"), Plane("D4"), Volume("Oh")], ids=str)
def test_a_dense_gaussian_and_a_stride(space, generator):
    """One convolution of each channel with the product of the weights along the axes."""
    in_type = space.fields("2x trivial + 1x vector")
    x = field(in_type, 9, generator=generator)
    conv = [F.conv1d, F.conv2d, F.conv3d][space.n - 1]
    module = Downsample(in_type, 2).double()
    sigma = 0.5 * math.sqrt(3)
    assert module.kernel_size == (5,) * space.n and module.sigma == (sigma,) * space.n
    taps = gaussian(5, sigma)
    kernel = taps
    for _ in range(space.n - 1):
        kernel = kernel[..., None] * taps
    weight = kernel.expand(in_type.channels, 1, *kernel.shape)
    expected = conv(x, weight, stride=2, padding=2, groups=in_type.channels)
    assert_close(module(x), expected, ROUNDING)
    assert_close(module.export()(x), expected, ROUNDING)
    assert type(module.export()) is [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d][space.n - 1]
    assert not module.state_dict() and module(x).is_contiguous()


@pytest.mark.parametrize(
    ("factor", "size"), [(1, 1), (2, 5), (3, 9), (4, 11)]
)  # int(1 + 5 sigma) made odd
def test_sizes_of_the_filter(factor, size):
    module = Downsample(Line("O(1)").fields("1x trivial"), factor)
    assert module.kernel_size == (size,)
    assert_close(module.taps_0.sum(), 1.0, 1e-6)


def test_arguments_for_each_axis(generator):
    in_type = Plane("C2").fields("1x trivial")
    x = field(in_type, 12, generator=generator)
    module = Downsample(in_type, (2, 3), sigma=1.0, kernel_size=(4, 5), padding=(0, 1)).double()
    y = F.conv2d(
        x, (gaussian(4, 1.0)[:, None] * gaussian(5, 1.0))[None, None], None, (2, 3), (0, 1)
    )
    assert_close(module(x), y, ROUNDING)


@every_grid
@pytest.mark.parametrize(
    ("factor", "options", "size"),
    [
        (2, {}, 9),
        (2, {"kernel_size": 6}, 8),
        (3, {}, 7),
        (2, {"stride": 1}, 6),
        (2, {"sigma": 0.0}, 7),
        (2, {"sigma": 0.0, "kernel_size": 2}, 6),
    ],
)
def test_down_is_equivariant(in_type, factor, options, size, generator):
    module = Downsample(in_type, factor, **options).double()
    assert_equivariant(module, field(in_type, size, generator=generator))


def test_a_grid_that_is_sampled_off_its_centre(generator):
    module = Downsample(Plane("C4").fields("1x trivial"), 2).double()
    x = field(module.in_type, 8, generator=generator)
    with pytest.warns(UserWarning, match=r"^Downsample: a grid of size \(8, 8\) .*\(7, 7\)"):
        y = module(x)
    turned = module(torch.rot90(x, 1, (-2, -1)))
    assert (turned - torch.rot90(y, 1, (-2, -1))).abs().max() > 0.01
    half = Downsample(module.in_type, 2, kernel_size=6).double()
    assert half(x).shape[-2:] == (4, 4)  # and no warning


def test_it_damps_what_the_coarse_grid_cannot_hold(generator):
    """A wave above the frequency of the coarse grid folds back without the filter."""
    in_type = Line("O(1)").fields("1x trivial")
    x = torch.cos(0.8 * math.pi * torch.arange(33, dtype=F64)).view(1, 1, -1)
    plain = Downsample(in_type, 2, sigma=0.0).double()(x)
    smooth = Downsample(in_type, 2).double()(x)
    assert torch.equal(plain, x[..., ::2])
    assert smooth[..., 2:-2].abs().max() < 0.15 < 0.9 < plain.abs().max()
    constant = torch.ones(1, 1, 33, dtype=F64)
    assert_close(
        Downsample(in_type, 2).double()(constant)[..., 1:-1], torch.ones(1, 1, 15), ROUNDING
    )


def test_the_error_of_a_rotation_falls_with_the_filter(generator):
    """By 45 degrees, of noise that only the fine grid resolves."""
    in_type = Plane("C8").fields("1x trivial")
    g = in_type.space.group.elements[1]
    from_fine = field(in_type, 33, generator=generator)

    def error(sigma):
        module = Downsample(in_type, 4, sigma).double()
        module.in_type = module.out_type = in_type
        turned = act(in_type, g, from_fine, order=3)
        a, b = module(turned), act(in_type, g, module(from_fine), order=3)
        inside = (slice(None), slice(None), slice(3, -3), slice(3, -3))
        return float((a - b)[inside].norm() / b[inside].norm())

    assert error(None) < 0.5 * error(0.0)


def test_bad_down():
    in_type = Plane("C4").fields("1x trivial")
    for bad in (0, 1.5, -2, (2,)):
        with pytest.raises(ValueError, match="^factor: expected 2 integers >= 1"):
            Downsample(in_type, bad)
    with pytest.raises(ValueError, match="^factor: expected the same along the axes y and x"):
        Downsample(in_type, (1, 2))
    for bad in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="^sigma: expected a finite number >= 0"):
            Downsample(in_type, 2, bad)
    with pytest.raises(ValueError, match=r"^x: expected sizes of at least \(5, 5\) for the w"):
        Downsample(in_type, 2, padding=0)(torch.zeros(1, 1, 3, 3))
    other = Point("SO(3)", dim=3).fields("1x0")
    for kind in (Downsample, Upsample):
        with pytest.raises(ValueError, match="^in_type: expected fields over a Line, .* or Sphere"):
            kind(other, 2)
    with pytest.raises(ValueError, match="^factor: expected 2 integers >= 1 or one, got None"):
        Downsample(in_type)


# --- up -------------------------------------------------------------------------------------------


@every_grid
@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {"factor": 2},
        {"factor": 3},
        {"factor": 2, "mode": "nearest"},
        {"factor": 3, "mode": "nearest"},
        {"factor": 2, "align_corners": True},
        {"size": 7},
        {"size": 6, "align_corners": True},
    ],
    ids=str,
)
def test_up_is_equivariant(in_type, size, options, generator):
    module = Upsample(in_type, **options)
    assert_equivariant(module, field(in_type, size, generator=generator))


@pytest.mark.parametrize("space", [Line("O(1)"), Plane("D4"), Volume("Oh")], ids=str)
def test_up_is_torchs(space, generator):
    in_type = space.fields("2x trivial")
    x = field(in_type, 4, generator=generator)
    linear = ["linear", "bilinear", "trilinear"][space.n - 1]
    for ours, theirs in (
        (Upsample(in_type), torch.nn.Upsample(scale_factor=2, mode=linear)),
        (Upsample(in_type, 3, mode="nearest"), torch.nn.Upsample(scale_factor=3)),
        (Upsample(in_type, size=7), torch.nn.Upsample((7,) * space.n, mode=linear)),
        (
            Upsample(in_type, size=7, align_corners=True),
            torch.nn.Upsample((7,) * space.n, mode=linear, align_corners=True),
        ),
    ):
        assert_close(ours(x), theirs(x), ROUNDING)
        assert type(ours.export()) is torch.nn.Upsample
        assert_close(ours.export()(x), ours(x), ROUNDING)


def test_aligned_corners_undo_a_stride(generator):
    """9 to 5 to 9, and linear functions come back."""
    in_type = Plane("D4").fields("1x trivial")
    ramp = torch.arange(9, dtype=F64).expand(1, 1, 9, 9)
    coarse = Downsample(in_type, 2, sigma=0.0).double()(ramp)
    up = Upsample(in_type, align_corners=True)
    assert_close(up(coarse), ramp, SYMMETRY)
    assert not isinstance(up.export(), Upsample)  # a graph of plain functions
    assert_close(up.export()(coarse), ramp, SYMMETRY)


def test_bad_up(generator):
    in_type = Plane("C4").fields("1x trivial")
    with pytest.raises(ValueError, match="^mode: expected 'nearest' or 'linear', got 'cubic'"):
        Upsample(in_type, mode="cubic")
    with pytest.raises(ValueError, match="^align_corners: expected False for mode 'nearest'"):
        Upsample(in_type, mode="nearest", align_corners=True)
    with pytest.raises(ValueError, match=r"^x: expected sizes that divide \[7, 7\]"):
        Upsample(in_type, size=7, mode="nearest")(torch.zeros(1, 1, 3, 3))
    for size, named in (((6, 9), "y and x"), ((6, 6, 9), "x and z")):
        grid = (Plane("C4") if len(size) == 2 else Volume("O")).fields("1x trivial")
        up = Upsample(grid, size=size)
        with pytest.raises(ValueError, match=f"^size: expected sizes that .* steps along {named}"):
            up(torch.zeros(grid.shape(1, *[3] * len(size))))
        assert up(torch.zeros(grid.shape(1, *[n // 3 for n in size]))).shape[2:] == size
    with pytest.raises(TypeError, match="^scale_factor: expected None beside factor, .* 3 and 2$"):
        Upsample(in_type, 2, scale_factor=3)
    assert Upsample(in_type, scale_factor=3).factor == (3, 3)


@pytest.mark.parametrize("make", [lambda t: Downsample(t, 2), Upsample])
def test_nothing_and_nan(make, generator):
    module = make(Plane("C4").fields("1x trivial + 1x vector"))
    x = field(module.in_type, 9, generator=generator, dtype=torch.float32)
    empty = x[:0].clone().requires_grad_()
    module(empty).sum().backward()
    assert empty.grad.shape == empty.shape
    clean = module(x)
    x[0, 0, 0, 0] = torch.nan
    assert module(x)[0].isnan().any() and torch.equal(module(x)[1], clean[1])
