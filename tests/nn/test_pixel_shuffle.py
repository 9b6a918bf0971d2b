"""From channels to pixels, and pools to a given size."""

import pytest
import torch

from equinet import Line, Plane, Sphere, Volume, nn
from equinet.field import act
from tests.nn.symmetric import F64, GRIDS, assert_equivariant, field
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

every_grid = pytest.mark.parametrize("in_type", GRIDS, ids=repr)


@every_grid
@pytest.mark.parametrize("factor", [2, 3])
def test_it_is_equivariant(in_type, factor, generator):
    module = nn.PixelShuffle(in_type, factor)
    for size in (3, 4):
        assert_equivariant(module, field(module.in_type, size, generator=generator))


def test_it_is_torchs(generator):
    out = Plane("D4").fields("2x vector + 1x regular")
    module = nn.PixelShuffle(out, 3)
    x = field(module.in_type, 4, generator=generator)
    assert_close(module(x), torch.nn.PixelShuffle(3)(x), 0)
    assert type(module.export()) is torch.nn.PixelShuffle
    line = nn.PixelShuffle(Line("O(1)").fields("1x trivial"), 2)
    assert_close(line(torch.tensor([[[1.0, 2], [3, 4]]])), [[[1.0, 3, 2, 4]]], 0)
    assert isinstance(line.export(), nn.PixelShuffle)


def test_channels_are_permuted_as_the_block_turns(generator):
    """By hand: a quarter turn takes the places (0 1 / 2 3) to (1 3 / 0 2)."""
    plane = Plane("C4")
    fine = plane.fields("1x trivial")
    found = nn.shuffled(fine, 2)
    quarter = plane.group.elements[1]
    turned = found.rho(quarter) @ torch.arange(4, dtype=F64)
    assert_close(turned, torch.rot90(torch.arange(4.0).view(2, 2)).flatten(), ROUNDING)
    # Negative control: channels that stay where they are do not commute.
    x = torch.randn(1, 4, 3, 3, generator=generator, dtype=F64)
    y = torch.nn.PixelShuffle(2)(act(plane.fields("4x trivial"), quarter, x))
    moved = act(fine, quarter, torch.nn.PixelShuffle(2)(x))
    assert (y - moved).abs().max() > 0.1
    assert found.fibre.counts == plane.fields("1x regular").fibre.counts  # one orbit of four


def test_unequal_factors_lead_to_thick_slices():
    out = Volume("C4", (1.0, 1.0, 2.0)).fields("1x A")
    module = nn.PixelShuffle(out, (2, 2, 1))
    assert module.in_type.space == Volume("C4") and module.in_type.channels == 4
    assert module(torch.zeros(1, 4, 3, 3, 5)).shape == (1, 1, 6, 6, 5)


def test_blocks_that_the_group_breaks():
    for group in ("C8", "SO(2)"):
        with pytest.raises(ValueError, match="^factor: expected a block of points that .* maps to"):
            nn.PixelShuffle(Plane(group).fields("1x trivial"), 2)
    with pytest.raises(
        ValueError, match=r"^factor: expected a block of points that C4 maps to its"
    ):
        nn.PixelShuffle(Plane("C4").fields("1x trivial"), (1, 2))
    with pytest.raises(ValueError, match="^out_type: expected fields over a Line, Plane or Volume"):
        nn.PixelShuffle(Sphere(3).fields("1x0"), 2)


# --- pools to a size ------------------------------------------------------------------------------


@every_grid
@pytest.mark.parametrize("output_size", [1, 2, 3, 7])
def test_the_adaptive_pool(in_type, output_size, generator):
    """Equivariant for every pair of sizes, and torch's."""
    module = nn.AdaptiveAvgPool(in_type, output_size)
    for size in (5, 6):
        x = field(in_type, size, generator=generator)
        plain = getattr(torch.nn, f"AdaptiveAvgPool{in_type.space.n}d")
        assert_close(module(x), plain(output_size)(x), ROUNDING)
        assert type(module.export()) is plain
        if output_size > 1:
            assert_equivariant(module, x)


@over("size, output_size", [(5, 1), (5, 2), (6, 3), (6, 4)])
def test_the_adaptive_maximum(size, output_size, generator):
    """Torch's, and equivariant as the mean is; of vectors there is none."""
    in_type = Plane("D4").fields("1x trivial + 1x regular")
    module = nn.AdaptiveMaxPool(in_type, output_size)
    x = field(in_type, size, generator=generator)
    plain = torch.nn.AdaptiveMaxPool2d(output_size)
    assert torch.equal(module(x), plain(x)) and type(module.export()) is type(plain)
    if output_size > 1:
        assert_equivariant(module, x)
    with pytest.raises(ValueError, match="^in_type: the maximum needs trivial, regular or"):
        nn.AdaptiveMaxPool(Plane("D4").fields("1x vector"), output_size)


def test_what_the_adaptive_pool_refuses():
    x = Plane("C4").fields("1x trivial")
    for size, given in ((2, (4, 6)), ((2, 3), (6, 6))):
        with pytest.raises(
            ValueError, match="^output_size: expected sizes that .* along y and x, w"
        ):
            nn.AdaptiveAvgPool(x, size)(torch.zeros(1, 1, *given))
    assert nn.AdaptiveAvgPool(x, (2, 3))(torch.zeros(1, 1, 4, 6)).shape == (1, 1, 2, 3)
    assert nn.AdaptiveAvgPool(x, 1)(torch.zeros(1, 1, 4, 6)).shape == (1, 1, 1, 1)
    free = Plane("C1").fields("1x trivial")
    assert nn.AdaptiveAvgPool(free, 2)(torch.zeros(1, 1, 4, 6)).shape == (1, 1, 2, 2)
