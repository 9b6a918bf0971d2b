"""Networks on grids: generic rotations, the size of activations, and types that do not fit."""

from functools import partial

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume, nn, so2
from equinet.field import act, random_field
from tests.laws.cases import generic_rotation

F64 = torch.float64

# --- generic rotations ----------------------------------------------------------------------------


def _plane_conv(generator):
    x, y = (Plane("SO(2)").fields(text) for text in ("2x0 + 2x1", "2x0 + 1x1"))
    return nn.Conv2d(x, y, 5, padding=2, generator=generator)


def _plane_network(generator):
    h = Plane("C8").fields("1x regular")
    conv = nn.Conv2d(h, h, 5, padding=2, generator=generator)
    return nn.Sequential(conv, nn.BatchNorm(h), nn.Pointwise(h, torch.tanh))


def _plane_pools(generator):
    h = Plane("SO(2)").fields("2x0 + 2x1")
    return nn.Sequential(nn.Downsample(h, 2), nn.Upsample(h, 2, align_corners=True))


def _gated_volume(generator):
    x, h = (Volume("SO(3)").fields(text) for text in ("1x0 + 1x1", "1x0 + 1x1"))
    return nn.Sequential(nn.Conv3d(x, nn.gated(h), 3, padding=1, generator=generator), nn.Gate(h))


def _plane_frequency(generator, frequency):
    x, y = (Plane("SO(2)").fields(text) for text in ("1x0", f"4x{frequency}"))
    return nn.Conv2d(x, y, 5, padding=2, generator=generator)


def _volume_degree(generator, degree):
    x, y = (Volume("SO(3)").fields(text) for text in ("1x0", f"2x{degree}"))
    return nn.Conv3d(x, y, 5, padding=2, generator=generator)


NETWORKS = [
    (_plane_conv, 3),
    (_plane_network, 3),
    (_plane_pools, 3),
    (_gated_volume, 2),
    # Each by itself: filters of high degree answer smooth fields with little.
    *[(partial(_plane_frequency, frequency=frequency), 3) for frequency in (2, 3)],
    *[(partial(_volume_degree, degree=degree), 2) for degree in (2, 3)],
]


def _network_name(make) -> str:
    if isinstance(make, partial):
        return f"{make.func.__name__} {next(iter(make.keywords.values()))}"
    return make.__name__


def _central_ball(space, sizes: list[int]) -> torch.Tensor:
    """Which points a rotation brings in from inside the grid, well off its border."""
    r = space.positions(*sizes).norm(dim=-1)
    return r < 0.5 * r[(0,) * space.n] / space.n**0.5


@pytest.mark.parametrize(
    "make, levels", NETWORKS, ids=[_network_name(make) for make, _ in NETWORKS]
)
def test_generic_rotations_become_exact_under_refinement(make, levels, generator):
    """The same picture on a grid, on one of half its step, and so on; the network stays."""
    module = make(generator).double().eval()
    space, n = module.in_type.space, module.in_type.space.n
    angle = torch.tensor(torch.pi / 4 if space.group.is_finite else 0.6, dtype=F64)
    g = so2().element(angle) if n == 2 else generic_rotation()
    finest, smooth = 2 ** (levels - 1), 1.5 if n == 2 else 1.0
    size = (16 if n == 2 else 10) * finest + 1
    options = dict(sizes=(size,) * n, smoothness=smooth * finest, generator=generator, dtype=F64)
    picture = random_field(module.in_type, 2, **options)
    errors = []
    for level in range(levels):
        step = finest // 2**level
        x = picture[(..., *[slice(None, None, step)] * n)]
        with torch.no_grad():
            y = module(x)
            again = module(act(module.in_type, g, x, order=3))
        inside = _central_ball(space, list(y.shape[2:]))
        difference = (again - act(module.out_type, g, y, order=3))[..., inside]
        errors.append(float(difference.norm() / y[..., inside].norm()))
    assert errors[0] < 0.5
    for coarse, fine in zip(errors[:-1], errors[1:], strict=True):
        assert fine < 0.7 * coarse, errors


# --- the size of activations ----------------------------------------------------------------------


LAYERS = {
    "Conv1d": (Line("O(1)"), "8x regular", nn.Conv1d),
    "Conv2d, C8": (Plane("C8"), "4x regular", nn.Conv2d),
    "Conv2d, O(2)": (Plane("O(2)"), "8x0e + 4x0o + 4x1 + 4x2", nn.Conv2d),
    "Conv3d": (Volume("SO(3)"), "8x0 + 4x1 + 2x2", nn.Conv3d),
    "Linear": (Point("O(3)", dim=3), "16x0e + 8x1o + 4x2e", nn.Linear),
}
# Kernels on few shells are smooth, so that a stack of these favours low frequencies.
AMPLIFIED = ("Conv2d, O(2)", "Conv3d")


def _variance(name: str, depth: int) -> float:
    """E |y|^2 / E |x|^2 of a stack of linear layers for white noise, averaged over weights."""
    space, text, kind = LAYERS[name]
    generator = torch.Generator().manual_seed(0)
    h = space.fields(text)
    linear = kind is nn.Linear
    options = {} if linear else dict(kernel_size=3, padding=1, padding_mode="circular")
    sizes = () if linear else {1: (64,), 2: (12, 12), 3: (6, 6, 6)}[space.n]
    ratios = []
    for _ in range(12):
        x = y = torch.randn(h.shape(16, *sizes), generator=generator)
        for _ in range(depth):
            with torch.no_grad():
                y = kind(h, h, bias=False, generator=generator, **options)(y)
        ratios.append(y.square().mean() / x.square().mean())
    return float(torch.stack(ratios).mean())


@pytest.mark.parametrize("name", LAYERS)
def test_a_new_layer_keeps_the_variance(name):
    assert abs(_variance(name, 1) - 1) < 0.15


@pytest.mark.parametrize("name", LAYERS)
def test_the_variance_in_a_stack(name):
    """The docstrings say that smooth inputs, such as outputs of other convolutions, grow."""
    variance = _variance(name, 4)
    assert variance > 2 if name in AMPLIFIED else 0.5 < variance < 2


# --- types of another space -----------------------------------------------------------------------

PLANE, VOLUME = Plane("C4").fields("1x trivial"), Volume("O").fields("1x A1")
OTHER = {
    "a grid or a sphere": [
        lambda x: nn.AvgPool(x, 2),
        lambda x: nn.MaxPool(x, 2),
        lambda x: nn.Downsample(x, 2),
        lambda x: nn.Upsample(x, 2),
    ],
    "a grid": [
        lambda x: nn.Conv2d(x, x, 3),
        lambda x: nn.ConvTranspose3d(x, x, 3),
    ],
    "a sphere": [lambda x: nn.SphereConv(x, x), nn.Integrate],
    "points": [lambda x: nn.PointConv(x, x, nn.RadialNetwork(1.0), neighbours=1.0)],
}


@pytest.mark.parametrize("what", OTHER)
def test_types_over_a_space_that_the_layer_is_not_for(what):
    wrong = {
        "a grid or a sphere": [Point("O(3)", dim=3).fields("1x0e")],
        "a grid": [Point("O(3)", dim=3).fields("1x0e"), Sphere(3).fields("1x trivial")],
        "a sphere": [PLANE, Point("O(3)", dim=3).fields("1x0e")],
        "points": [PLANE, Point("O(3)", dim=3).fields("1x0e")],
    }[what]
    for make in OTHER[what]:
        for field_type in wrong:
            with pytest.raises(ValueError, match="^in_type: expected fields over"):
                make(field_type)


@pytest.mark.parametrize("kind", [nn.Linear, nn.TensorProduct, lambda x, y: nn.Conv2d(x, y, 3)])
def test_types_over_two_spaces(kind):
    others = [VOLUME, Points("C4", dim=2).fields("1x trivial"), Plane("C2").fields("1x trivial")]
    for other in others:
        with pytest.raises(ValueError, match="^out_type: expected fields over"):
            kind(PLANE, other)


def test_modules_that_do_not_follow_each_other():
    other = Plane("D4").fields("1x trivial")
    for wrong in (other, VOLUME, Plane("C4").fields("2x trivial")):
        with pytest.raises(ValueError, match="^module 1 .Identity.: expected .*, got .*"):
            nn.Sequential(nn.Identity(PLANE), nn.Identity(wrong))
        with pytest.raises(ValueError, match="^shortcut: expected in_type .*, got .*"):
            nn.Residual(nn.Identity(PLANE), nn.Identity(wrong))
