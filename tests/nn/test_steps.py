"""The steps of a grid follow strides and factors, so that a U-Net ends where it began."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from equinet import Line, Plane, Volume, nn, so3
from equinet.field import FieldType, act
from equinet.testing import assert_equivariant, equivariance_error, report
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
THICK = (1.0, 1.0, 2.0)  # slices twice as far apart as their pixels
ROT = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=F64)


# --- the rule -------------------------------------------------------------------------------------

STRIDES = [(1, 2), (2, 1), (3, 2), (1, 5), (7, 3), (5, 5)]
SPACINGS = [
    (1.0, 1.0),
    (0.7, 3.0),
    (5 / 3, 1.0),
    (0.699999988079071, 3.299999952316284),  # as headers in float32 have them
    (math.pi, math.e),
]


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_strides_in_any_order_lead_back(spacing):
    """Steps times strides, up to a unit: the same whatever the way, and exactly back."""
    plane = Plane("C1", spacing)
    for s, t in itertools.product(STRIDES, repeat=2):
        coarse = plane.coarsened(s).coarsened(t)
        assert coarse == plane.coarsened(t).coarsened(s)
        assert coarse == plane.coarsened([a * b for a, b in zip(s, t, strict=True)])
        assert coarse.refined(s).refined(t) == coarse.refined(t).refined(s) == plane
        assert plane.refined(s).coarsened(s) == plane
        assert min(coarse.spacing) == min(spacing)
        (y, x), (dx, dy) = s, spacing
        ratio = plane.coarsened(s).spacing[0] / plane.coarsened(s).spacing[1]
        assert math.isclose(ratio, dx * x / (dy * y), rel_tol=1e-14)


def test_the_rule_by_hand():
    assert Volume("C1").coarsened((1, 1, 2)).spacing == THICK
    assert Volume("C1", THICK).coarsened((2, 2, 1)).spacing == (1.0, 1.0, 1.0)
    assert Plane("C1", (2.0, 3.0)).coarsened((1, 2)).spacing == (8 / 3, 2.0)  # strides are (y, x)
    assert Plane("C4").coarsened(5) == Plane("C4").refined(3) == Plane("C4")
    assert Line("O(1)", 0.5).coarsened(2) == Line("O(1)", 0.5)
    assert Plane("C1", (Fraction(5, 3), 1)) == Plane("C1", (5 / 3, 1.0))
    for bad in (0, 1.5, True, (1, 2, 3), "12"):
        for name, follow in (("stride", Plane.coarsened), ("factor", Plane.refined)):
            with pytest.raises(ValueError, match=f"^{name}: expected 2 integers >= 1 or one, got"):
                follow(Plane("C1"), bad)


# --- every layer follows it -----------------------------------------------------------------------

DOWN = {
    "Conv3d": lambda x, s: nn.Conv3d(x, x, 3, s, 1),
    "AvgPool": lambda x, s: nn.AvgPool(x, s),
    "MaxPool": lambda x, s: nn.MaxPool(x, s),
    "NormMaxPool": lambda x, s: nn.NormMaxPool(x, s),
    "Downsample": lambda x, s: nn.Downsample(x, s),
    "Downsample, by stride": lambda x, s: nn.Downsample(x, 2, stride=s),
}
UP = {
    "ConvTranspose3d": lambda x, s: nn.ConvTranspose3d(x, x, 3, s),
    "Upsample": lambda x, s: nn.Upsample(x, s),
    "Upsample, nearest": lambda x, s: nn.Upsample(x, scale_factor=s, mode="nearest"),
    "Upsample, to a size": lambda x, s: nn.Upsample(x, s, size=tuple(4 * f for f in s)),
}


@pytest.mark.parametrize("name", [*DOWN, *UP])
@pytest.mark.parametrize("strides", [(2, 2, 1), (1, 1, 2), (2, 2, 2), (1, 2, 3)], ids=str)
def test_the_output_is_over_the_grid_of_the_samples(name, strides):
    """A position of the output, in steps of the input, is that of a grid with the steps it says."""
    x = Volume("C1", (1.0, 1.0, 1.5)).fields("2x trivial")
    layer = (DOWN | UP)[name](x, strides)
    signs = 1 if name in DOWN else -1
    steps = [d * s**signs for d, s in zip(x.space.spacing, strides, strict=True)]
    found = layer.out_type.space.spacing
    assert_close(torch.tensor(found) / found[0], torch.tensor(steps) / steps[0], ROUNDING)
    assert layer.out_type.blocks == x.blocks and layer.in_type == x
    assert (layer.out_type == x) == (strides == (2, 2, 2))
    layer.out_type.check(layer(torch.zeros(x.shape(1, 4, 4, 4))))


def test_the_next_filter_is_round(generator):
    """Over cubes again, taps at (0, -1, -1) and (-1, -1, 0) from the centre are alike."""
    thick = Volume("SO(3)", THICK).fields("1x0")
    low = nn.Downsample(thick, (2, 2, 1))
    assert low.out_type.space == Volume("SO(3)")
    options = {"kernel_size": 3, "generator": generator}
    for make in (nn.Conv3d, nn.ConvTranspose3d):
        layer = make(low.out_type, low.out_type, **options).double()
        weight = layer.dense()[0, 0].detach()
        assert_close(weight[2, 1, 1], weight[1, 1, 2], ROUNDING)
        old = make(thick, thick, **options).double().dense()[0, 0].detach()
        assert (old[2, 1, 1] - old[1, 1, 2]).abs() > 0.01  # control: over long voxels they differ
    # On the way up the taps lie on the fine grid: these are twice as far apart along z.
    up = nn.ConvTranspose3d(low.out_type, thick, 3, (2, 2, 1))
    assert up.taps.spacing == THICK and up.out_type == thick


def test_the_type_of_the_output_may_be_said_over_either_grid():
    thick = Volume("SO(3)", THICK).fields("1x0")
    cubes, h = Volume("SO(3)").fields("1x0"), Volume("SO(3)", THICK).fields("2x1")
    for out in (h, Volume("SO(3)").fields("2x1")):
        assert nn.Conv3d(thick, out, 3, (2, 2, 1)).out_type == Volume("SO(3)").fields("2x1")
        assert nn.ConvTranspose3d(cubes, out, 3, (2, 2, 1)).out_type == h
    other = Volume("SO(3)", (1.0, 1.0, 4.0)).fields("2x1")
    for make, x in ((nn.Conv3d, thick), (nn.ConvTranspose3d, cubes)):
        with pytest.raises(ValueError, match="^out_type: .* where the samples lie, or .*, got"):
            make(x, other, 3, (2, 2, 1))
    with pytest.raises(ValueError, match=r"^out_type: expected fields over Volume\('SO\(3\)'\), g"):
        nn.Conv3d(cubes, other, 3)


def test_which_strides_the_group_allows():
    """Down not what breaks the symmetry of the grid; up anything, as it may lead back."""
    thick, cubes = (Volume("SO(3)", spacing).fields("1x0") for spacing in (THICK, 1.0))
    for stride in ((1, 1, 1), (2, 2, 1), (1, 1, 2), (2, 2, 3)):
        assert nn.Downsample(thick, stride).out_type.space.group == so3()
        nn.Upsample(cubes, stride), nn.Upsample(thick, stride)
    for x, stride in ((thick, (2, 1, 1)), (cubes, (2, 2, 1)), (cubes, (1, 2, 2))):
        for make in (nn.AvgPool, nn.Downsample, lambda x, s: nn.Conv3d(x, x, 3, s)):
            with pytest.raises(ValueError, match="expected the same along the axes . and ., which"):
                make(x, stride)


# --- the law --------------------------------------------------------------------------------------


def _layers(generator):
    x = Volume("SO(3)", THICK).fields("1x0 + 1x1")
    options = {"padding": 1, "generator": generator}
    h = nn.Conv3d(x, x, 3, (2, 2, 1), **options).out_type
    return {
        "Downsample": nn.Downsample(x, (2, 2, 1)),
        "Conv3d": nn.Conv3d(x, x, 3, (2, 2, 1), **options),
        "ConvTranspose3d": nn.ConvTranspose3d(h, x, 3, (2, 2, 1), **options),
        "Upsample": nn.Upsample(h, (2, 2, 1), align_corners=True),
        "two": nn.Sequential(
            nn.Downsample(x, (2, 2, 1)), nn.Conv3d(h, Volume("SO(3)").fields("1x1"), 3, **options)
        ),
    }


@pytest.mark.parametrize("name", ["Downsample", "Conv3d", "ConvTranspose3d", "Upsample", "two"])
def test_symmetries_of_both_grids_are_exact(name, generator):
    module = _layers(generator)[name].double()
    x = torch.randn(module.in_type.shape(1, 7, 7, 5), generator=generator, dtype=F64)
    y = module(x)
    assert y.norm() > 0
    for g in (ROT, torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=F64))):
        moved = act(module.out_type, g, y)
        assert_close(module(act(module.in_type, g, x)), moved, SYMMETRY)
    found = assert_equivariant(module, exact=True, sizes=(5, 5, 5))
    assert len(found.elements) > 1


@pytest.mark.parametrize("name", ["Conv3d", "Upsample", "two"])
def test_generic_rotations_become_exact_under_refinement(name, generator):
    module = _layers(generator)[name].double()
    g = so3().sample(1, generator=generator)
    options = {"exact": False, "elements": g, "batch": 1}

    def errors():
        # Smoother fields are the same picture on a finer grid; the grid is as far across each way.
        sizes = [(17, 17, 9), (33, 33, 17)] if name != "Upsample" else [(9,) * 3, (17,) * 3]
        return [
            equivariance_error(module, sizes=n, smoothness=s, **options).mean
            for n, s in zip(sizes, (1.0, 2.0), strict=True)
        ]

    coarse, fine = errors()
    assert fine < 0.7 * coarse
    # Negative control: the steps of the input, as if there were no stride.
    last = module[-1] if isinstance(module, nn.Sequential) else module
    last.out_type = module.out_type = FieldType(module.in_type.space, last.out_type.blocks)
    coarse, fine = errors()
    assert fine > 0.9 * coarse > 0


def test_a_u_net_ends_where_it_began(generator):
    """Its types fit in a row and in a sum, and the reports follow it."""
    x = Plane("SO(2)", (1.0, 2.0)).fields("2x0 + 1x1")
    options = {"padding": 1, "generator": generator}
    down = nn.Conv2d(x, x, 3, (1, 2), **options)  # (y, x)
    h = down.out_type
    coarse = nn.Conv2d(h, h, 3, **options)
    inner = nn.Sequential(nn.Downsample(h, 2), coarse, nn.Upsample(h, align_corners=True))
    up = nn.Upsample(h, (1, 2), align_corners=True)
    net = nn.Residual(nn.Sequential(down, nn.Residual(inner), up)).double()
    assert h.space == Plane("SO(2)") and net.out_type == up.out_type == x
    assert len(assert_equivariant(net, exact=True, sizes=(9, 17)).elements) == 1  # half a turn
    assert nn.summary(net, sizes=(9, 17)).layers[-1].output == x.shape(1, 9, 17)
    found = report(net, sizes=(9, 17), count=1, batch=1, scales=(1,))
    assert found.exact < SYMMETRY and found.error < 1
    assert nn.Restrict(x, "C2").out_type.space.coarsened((1, 2)) == Plane("C2")
