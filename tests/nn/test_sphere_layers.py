"""Layers over the sphere that change its band, that alias less, and that attend."""

import copy
import itertools
import math

import pytest
import torch
from scipy.special import eval_legendre

from equinet import Plane, Sphere, nn
from equinet.field import FieldAnalysis, act, random_field
from equinet.harmonics import equiangular, gauss, healpix, octahedral, soft
from equinet.nn.discs import disc_pairs
from equinet.nn.sphere_attention import SphereAttention
from equinet.numerics import random_rotations
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

F64 = torch.float64
SPINS = "2x0 + 1x1 + 1x3"
AXIS = torch.tensor([0.0, 0.6, 0.8], dtype=F64)


def _legendre(l: int, sphere: Sphere) -> torch.Tensor:
    """P_l of the angle to an axis, at the points of a sphere: ``(1, 1, *shape)``."""
    return torch.as_tensor(eval_legendre(l, (sphere.positions() @ AXIS).numpy()))[None, None]


def _spectra(x, in_type, band):
    return FieldAnalysis(in_type, band, F64)(x)


# --- changes of band ------------------------------------------------------------------------------


@over("text", [SPINS, "2x regular"])
def test_degrees_that_both_bands_hold_stay(text, generator):
    h = Sphere(7).fields(text)
    x = random_field(h, 2, generator=generator, dtype=F64)
    down, up = nn.Downsample(h, 2).double(), nn.Upsample(h, 2).double()
    assert (down.out_type.space, up.out_type.space) == (Sphere(4), Sphere(14))
    assert_close(_spectra(down(x), down.out_type, 4), _spectra(x, h, 4), SYMMETRY)
    assert_close(_spectra(up(x), up.out_type, 7), _spectra(x, h, 7), SYMMETRY)
    back = nn.Downsample(up.out_type, 2).double()
    assert_close(back(up(x)), x, SYMMETRY)
    again = nn.Upsample(down.out_type, sphere=h.space).double()
    assert (again(down(x)) - x).norm() > 0.1 * x.norm()  # what was left out is gone


@over("grid", [gauss(8, 16), equiangular(17, 20, poles=True), healpix(8)])
def test_from_grid_to_grid(grid, generator):
    """The values are those of the one function at the points of the other grid."""
    low = Sphere(5).fields(SPINS)
    up = nn.Upsample(low, sphere=Sphere(8, grid)).double()
    x = random_field(low, 2, generator=generator, dtype=F64)
    g = random_rotations(generator=generator)
    assert_close(up(act(low, g, x)), act(up.out_type, g, up(x)), SYMMETRY if grid.is_uniform else 1)
    functions = nn.Upsample(Sphere(5).fields("1x0"), sphere=Sphere(8, grid)).double()
    assert_close(functions(_legendre(3, Sphere(5))), _legendre(3, Sphere(8, grid)), SYMMETRY)


def test_a_gaussian_damps_as_heat_does(generator):
    """Beside the solution of the heat equation on functions: e^{-l (l + 1) t}."""
    h, sigma = Sphere(6).fields("1x0"), 1.7
    down = nn.Downsample(h, 1, sigma).double()
    for l in range(6):
        x = _legendre(l, Sphere(6))
        factor = math.exp(-l * (l + 1) * (sigma * math.pi / 12) ** 2 / 2)
        assert_close(down(x), factor * x, ROUNDING)


def test_the_mean_over_a_disc(generator):
    """Of functions by its closed form; a constant stays; of vectors along great circles."""
    h, size, steps = Sphere(6).fields("1x0"), 3, math.pi / 12
    pool, c = nn.AvgPool(h, size, 1).double(), math.cos(1.5 * steps)
    for l in range(6):
        x = _legendre(l, Sphere(6))
        mean = (eval_legendre(l - 1, c) - eval_legendre(l + 1, c)) / ((2 * l + 1) * (1 - c))
        assert_close(pool(x), (mean if l else 1.0) * x, ROUNDING)
    # d^1_{11} = (1 + cos(beta)) / 2.
    vectors = Sphere(3).fields("1x1")
    x = random_field(vectors, 1, band=2, generator=generator, dtype=F64)
    c = math.cos(math.pi / 6)
    assert_close(nn.AvgPool(vectors, 2, 1).double()(x), (1 + (1 + c) / 2) / 2 * x, ROUNDING)


def test_the_largest_value_in_a_disc(generator):
    """By brute force; and a maximum at a point is found at all points near it alone."""
    sphere, coarse = Sphere(6), Sphere(4, gauss(5, 9))
    pool = nn.MaxPool(sphere.fields("2x trivial"), 4, sphere=coarse)
    x = torch.randn(pool.in_type.shape(2), generator=generator)
    spots, centres = (s.positions().reshape(-1, 3) for s in (sphere, coarse))
    y = pool(x).flatten(2)
    for i, centre in enumerate(centres):
        inside = spots @ centre >= math.cos(2 * math.pi / 12) - 1e-9
        assert torch.equal(y[:, :, i], x.flatten(2)[:, :, inside].amax(2))


def test_the_diameter_of_a_disc():
    """In steps between rings, at the poles too; from a radius of pi on it is the whole sphere."""
    for grid in (None, equiangular(33, 64, poles=True), equiangular(3, 4, poles=True), gauss(8)):
        sphere = Sphere(2, grid)
        beta = sphere.rings.beta
        step = (beta[-1] - beta[0]) / (len(beta) - 1)
        for kind in (nn.AvgPool, nn.MaxPool):
            found = kind(sphere.fields("1x0"), 1, 1).radius
            assert abs(found - step / 2) < 0.07 * step


@over("kind", [nn.AvgPool, nn.MaxPool])
def test_a_disc_that_is_the_whole_sphere(kind, generator):
    """However large the diameter is said to be; and it is not yet where it is smaller."""
    h = Sphere(4, gauss(4)).fields("2x0")
    x = random_field(h, 2, generator=generator, dtype=F64)
    whole = nn.GlobalMaxPool(h) if kind is nn.MaxPool else nn.Integrate(h)
    y = whole.double()(x)[:, :, None, None]
    for size in (8, 9, 15, 16, 1000):
        found = kind(h, size, 1).double()(x)
        assert_close(found, y.expand_as(found), ROUNDING)
    assert (kind(h, 4, 1).double()(x) - y).abs().max() > 0.1


@pytest.mark.parametrize("grid", [soft(6), gauss(7, 9), healpix(4), octahedral(5)], ids=str)
def test_discs_hold_what_is_near(grid):
    """By brute force over all pairs of points, of any grids, about any centres."""
    spots, around = grid.positions().reshape(-1, 3), equiangular(4, 7, poles=True)
    for centres, radius in itertools.product((grid, around), (0.01, 0.3, 1.2, 2.6, 4.0)):
        cosines = centres.positions().reshape(-1, 3) @ spots.mT
        inside = cosines > math.cos(min(radius, math.pi)) - 1e-9
        nearest = cosines > cosines.amax(1, keepdim=True) - 1e-9
        inside |= nearest & ~inside.any(1, keepdim=True)
        found = torch.zeros_like(inside, dtype=torch.long)
        points, middles = disc_pairs(grid, centres, radius)
        found.index_put_((middles, points), torch.tensor(1), accumulate=True)
        assert torch.equal(found, inside.long())


@pytest.mark.slow
def test_the_largest_at_a_large_band(generator):
    """Where all pairs of points would be 69 billion numbers; a bump is its own maximum."""
    sphere = Sphere(256)
    pool = nn.MaxPool(sphere.fields("1x0"), 3, 1)
    x = sphere.positions()[..., 1].float()[None, None]
    y = pool(x)
    beta = sphere.angles()[0].float()
    assert_close(y[0, 0], (beta - math.pi / 512).clamp_min(beta.min()).cos(), SINGLE)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda h: nn.Downsample(h), TypeError, "factor: expected it or sphere.*got neither"),
        (lambda h: nn.Downsample(h, 2, sphere=Sphere(2)), TypeError, "factor: .*got both"),
        (lambda h: nn.Downsample(h, 2, stride=2), ValueError, "stride: has no meaning over Sphere"),
        (lambda h: nn.Downsample(h, 4), ValueError, "factor: expected a band above 1"),
        (lambda h: nn.Downsample(h, (2, 2)), ValueError, "factor: expected an integer"),
        (
            lambda h: nn.Downsample(Sphere(4, gauss(4)).fields("1x0"), 2),
            ValueError,
            r"factor: expected sphere in its place, .*=Sphere\(2, gauss\(2\)\)",
        ),
        (
            lambda h: nn.Upsample(h, sphere=Sphere(3)),
            ValueError,
            "sphere: expected a band of at least 4, .* got 3; enn.Downsample",
        ),
        (lambda h: nn.Downsample(h, sphere="Sphere(3)"), TypeError, "sphere: expected a Sphere"),
        (lambda h: nn.Upsample(h, mode="nearest"), ValueError, "mode: has no meaning over Sphere"),
        (lambda h: nn.AvgPool(h, 2, padding=1), ValueError, "padding: has no meaning over Sphere"),
        (lambda h: nn.NormMaxPool(h, 2), ValueError, "in_type: expected fields over a Line"),
        (lambda h: nn.MaxPool(h, 2), ValueError, "in_type: the maximum needs trivial"),
        (
            lambda h: nn.MaxPool(Sphere(4).fields("1x regular"), 2),
            ValueError,
            "in_type: expected trivial fields over a sphere",
        ),
        (
            lambda h: nn.Upsample(Plane("C4").fields("1x trivial"), sphere=h.space),
            ValueError,
            "sphere: has no meaning over Plane",
        ),
    ],
)
def test_arguments_without_a_meaning(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make(Sphere(4).fields("1x1"))


# --- nonlinearities on finer grids ----------------------------------------------------------------


def _error(make, sphere, text, generator):
    """Of the nonlinearity and the projection back to the band, on fields that fill the band."""
    h = sphere.fields(text)
    module = make(h)
    net = nn.Sequential(module, nn.Downsample(module.out_type, 1)).double()
    x = random_field(module.in_type, 4, generator=generator, dtype=F64)
    g = random_rotations(generator=generator)
    expected = act(net.out_type, g, net(x))
    return float((net(act(net.in_type, g, x)) - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    "make, text",
    [(nn.Gate, "2x0 + 2x1"), (lambda h: nn.Pointwise(h, torch.tanh), "2x trivial")],
    ids=["Gate", "tanh"],
)
def test_a_finer_grid_for_the_same_band_aliases_less(make, text, generator):
    """With 3/2 of the points of an axis a product of two fields is exact, and others nearly."""
    errors = [_error(make, Sphere(6, soft(b)), text, generator) for b in (6, 9, 12)]
    assert errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2


def test_the_next_convolution_drops_what_is_above_the_band(generator):
    """So the projection of a nonlinearity is free: a convolution reads degrees below its band."""
    h = Sphere(5, soft(8)).fields("2x0 + 1x1")
    conv, project = nn.SphereConv(h, h).double(), nn.Downsample(h, 1).double()
    x = torch.randn(h.shape(2), generator=generator, dtype=F64)  # of all degrees
    assert (project(x) - x).norm() > 0.1 * x.norm()
    assert_close(conv(project(x)).detach(), conv(x).detach(), SYMMETRY)


# --- attention ------------------------------------------------------------------------------------


def test_attention_in_half_precision(generator):
    """Maps in half, scores and sums in single precision; of a module that is half throughout."""
    h = Sphere(3).fields("2x0 + 2x1")
    layer = SphereAttention(h, h, heads=2, reach=0.7, generator=generator)
    x = random_field(h, 2, generator=generator)
    y = copy.deepcopy(layer).half()(x.half())
    assert y.dtype == torch.float16
    assert_close(y.float(), layer(x), 0.02)


def _brute_force(layer: SphereAttention, x):
    """(S1) for functions, point by point."""
    sphere = layer.in_type.space
    q, k, v = (part(x).flatten(2) for part in (layer.query, layer.key, layer.value))
    points = sphere.positions().reshape(-1, 3)
    w = sphere.weights[:, None].expand(sphere.rings.shape).flatten()
    y = torch.zeros_like(v)
    rows, columns = q.shape[1] // layer.heads, v.shape[1] // layer.heads
    for b in range(len(x)):
        for head in range(layer.heads):
            keys = slice(head * rows, (head + 1) * rows)
            values = slice(head * columns, (head + 1) * columns)
            for i in range(q.shape[2]):
                score = (q[b, keys, i, None] * k[b, keys]).sum(0) / rows**0.5
                score = score - (1 - points @ points[i]) / layer.reach**2
                a = w * score.exp()
                y[b, values, i] = (v[b, values] * a / a.sum()).sum(1)
    return layer.mix(y.unflatten(2, x.shape[2:]))


def test_attention_of_functions_by_brute_force(generator):
    h = Sphere(3, gauss(4, 7)).fields("4x0")
    layer = SphereAttention(h, h, heads=2, reach=0.5, generator=generator).double()
    x = random_field(h, 2, generator=generator, dtype=F64)
    assert_close(layer(x).detach(), _brute_force(layer, x).detach(), SYMMETRY)


def test_attention_commutes_with_rotations_about_any_axis(generator):
    """Up to aliasing, which a finer grid takes away; without the weights it does not."""
    g, low = random_rotations(generator=generator), Sphere(4).fields("2x0 + 2x1 + 2x2")
    x, errors = random_field(low, 1, generator=generator, dtype=F64), {}
    for b in (4, 10):
        h = Sphere(4, soft(b)).fields(low.blocks)
        seed = torch.Generator().manual_seed(0)
        layer = SphereAttention(h, h, heads=2, generator=seed).double().requires_grad_(False)
        net = nn.Sequential(nn.Upsample(low, sphere=h.space), layer, nn.Downsample(h, 1)).double()
        for weighed in (True, False):
            layer.weights.mul_(weighed)
            expected = act(h, g, net(x))
            errors[b, weighed] = float((net(act(low, g, x)) - expected).norm() / expected.norm())
    assert errors[10, True] < 0.05 * errors[4, True] < 0.02, errors
    assert errors[10, False] > 30 * errors[10, True], errors


def test_attention_that_cannot_be():
    h = Sphere(3).fields("2x0")
    for make, message in (
        (lambda: SphereAttention(h, Sphere(4).fields("2x0")), "^out_type: expected fields over"),
        (
            lambda: SphereAttention(*[Sphere(3).fields("1x regular")] * 2),
            "^in_type: expected spin-weighted fields",
        ),
        (
            lambda: SphereAttention(h, Sphere(3).fields("2x0 + 1x1")),
            "^out_type: .* spins of in_type, .0.",
        ),
        (lambda: SphereAttention(h, h, reach=0.0), "^reach: expected a number > 0"),
        (lambda: SphereAttention(h, h, reach=30.0), r"^reach: .* in radians .*radians\(30.0\)"),
        (lambda: SphereAttention(h, h, heads=0), "^heads: expected an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


# --- memory ---------------------------------------------------------------------------------------


def _kept(net, x) -> tuple[torch.Tensor, int]:
    """The output, and the bytes of activations that its backward pass will read."""
    own = {t.untyped_storage().data_ptr() for t in (x, *net.parameters(), *net.buffers())}
    found = {}

    def pack(t):
        found[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        kept.append(t)  # so that no two have one address
        return t

    kept: list = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = net(x)
    return y, sum(size for place, size in found.items() if place not in own)


def test_autocast_keeps_half_of_the_activations(generator):
    """1.7 times less at an error of a hundredth, in a network of spins on the SOFT grid."""
    x, h = Sphere(8).fields("1x0"), Sphere(8).fields("4x0 + 3x1 + 3x2")
    layers = []
    for t in (x, h, h):
        wide = nn.gated(h)
        layers += [nn.SphereConv(t, wide, generator=generator), nn.BatchNorm(wide), nn.Gate(h)]
    net = nn.Sequential(*layers)
    signal = random_field(x, 4, generator=generator, dtype=torch.float32)
    expected, many = _kept(net, signal)
    with torch.autocast("cpu", torch.bfloat16):
        y, few = _kept(net, signal)
    assert y.dtype == torch.bfloat16 and many > 1.7 * few
    assert (y.float() - expected).norm() < 1e-2 * expected.norm()
