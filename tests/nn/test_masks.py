"""Weights of points: means over what is there, and silence about the rest."""

import itertools
import math

import pytest
import torch

from equinet import Plane, Points, Sphere, Volume, nn
from equinet.field import act, random_field
from equinet.harmonics import gauss, healpix, soft
from equinet.numerics import random_rotations
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
FIELDS = {
    "function": Sphere(3).fields("2x0 + 1x0"),
    "spins": Sphere(4).fields("2x0 + 1x1"),
    "regular": Sphere(3).fields("2x regular"),
    "plane": Plane("C4").fields("1x trivial + 1x regular"),
    "volume": Volume("O(3)").fields("2x0e + 1x1o"),
}
every_type = over("name", FIELDS)
SIZES = {"plane": (5, 6), "volume": (3, 4, 3)}
NORMS = (nn.BatchNorm, nn.InstanceNorm, lambda in_type: nn.GroupNorm(in_type, in_type.copies))


def _drawn(name, generator):
    in_type = FIELDS[name]
    x = torch.randn(in_type.shape(2, *SIZES.get(name, ())), generator=generator, dtype=F64)
    sizes = x.shape[2:4] if name == "regular" else x.shape[2:]
    return in_type, x, torch.rand(2, *sizes, generator=generator, dtype=F64)


def _quadrature(in_type, x, w):
    """Q w of (N2) at every point, gamma included, by hand."""
    q = in_type.space.weights
    q = torch.ones(()) if q is None else q.view(-1, *[1] * (w.dim() - 2))
    w = (w * q)[:, None]
    return (w[..., None] if in_type.is_sampled else w).expand(2, 1, *x.shape[2:])


@every_type
def test_the_mean_is_over_what_is_there(name, generator):
    in_type, x, w = _drawn(name, generator)
    pool = nn.Integrate if name in ("function", "regular") else nn.GlobalAvgPool
    if name == "spins":
        in_type, x = in_type.space.fields("2x0"), x[:, :2]
    pool = pool(in_type).double()
    every = _quadrature(in_type, x, w)
    expected = (x * every).flatten(2).sum(2) / every.flatten(2).sum(2)
    assert_close(pool(x, weights=w), expected, ROUNDING)
    assert_close(pool(x, weights=torch.ones_like(w[0])), pool(x), ROUNDING)
    assert_close(pool(x, weights=w[0]), pool(x, weights=w[:1].expand_as(w)), ROUNDING)
    assert not pool(x, weights=torch.zeros_like(w)).any()
    assert (pool(x, weights=w) - pool(x)).abs().max() > 1e-3


@every_type
def test_norms_with_weights(name, generator):
    """Of each invariant field the weighted mean is 0, of each field the variance is 1."""
    in_type, x, w = _drawn(name, generator)
    every = _quadrature(in_type, x, w)
    for kind in NORMS:
        norm = kind(in_type).double()
        y = norm(x, weights=w)
        dims = [0, *range(2, x.dim())] if isinstance(norm, nn.BatchNorm) else [*range(2, x.dim())]
        total = every.sum(dims, keepdim=True)
        second = (y.square() * every).sum(dims, keepdim=True) / total
        fields = torch.cat([part.mean(2) for part in in_type.split(second)], 1)
        assert_close(fields, torch.ones_like(fields), 2e-3)  # eps, and a variance below 1
        assert_close(norm(x, weights=torch.ones_like(w)), norm(x), 10 * ROUNDING)
        mean = (y * every).sum(dims, keepdim=True) / total
        assert mean[:, 0].abs().max() < ROUNDING or name == "plane" and in_type.dims[0] == 1


@every_type
def test_what_is_not_there_may_be_anything(name, generator):
    """NaN where the weight is 0 changes no number and no gradient; elsewhere it is not hidden."""
    in_type, x, w = _drawn(name, generator)
    w = w.where(w > 0.4, 0)
    hidden = (w == 0)[:, None]
    hidden = (hidden[..., None] if in_type.is_sampled else hidden).expand_as(x)
    for module in (*(kind(in_type).double() for kind in NORMS), nn.GlobalMaxPool, nn.GlobalAvgPool):
        if isinstance(module, type):
            in_type, x, hidden = in_type.space.fields(in_type.blocks[:1]), x[:, :2], hidden[:, :2]
            if in_type.channels != 2:
                continue
            module = module(in_type).double()
        found = []
        for value in (0.0, 7.0, torch.nan):
            given = x.masked_fill(hidden, value).requires_grad_()
            y = module(given, weights=w)
            (gradient,) = torch.autograd.grad(y.square().sum(), given)
            found.append((y.detach(), gradient))
            assert not gradient[hidden].any()
            if y.shape == x.shape:
                assert not y[hidden].any()
        for other in found[1:]:
            assert all(map(torch.equal, found[0], other))
        assert module(x.masked_fill(~hidden, torch.nan), weights=w).isnan().any()


def test_statistics_that_run_are_those_of_what_is_there(generator):
    in_type = Plane("C4").fields("2x trivial")
    x = torch.randn(3, 2, 4, 5, generator=generator, dtype=F64)
    mask = torch.rand(3, 4, 5, generator=generator) > 0.5
    norm, plain = nn.BatchNorm(in_type).double(), torch.nn.BatchNorm1d(2).double()
    plain(x.movedim(1, -1)[mask])
    norm(x, weights=mask)
    assert_close(norm.running_mean, plain.running_mean, ROUNDING)
    assert_close(norm.running_var, plain.running_var, ROUNDING)
    norm(x, weights=torch.zeros_like(mask))
    assert_close(norm.running_var, plain.running_var, ROUNDING)


def test_a_mask_that_turns_with_the_fields(generator):
    """Exact for a mask below the band; one that stays where it is breaks the symmetry."""
    sphere, g = Sphere(4, grid=soft(6)), random_rotations(generator=generator)
    h, mask = sphere.fields("2x0"), sphere.fields("1x0")
    x, w = (random_field(t, 2, generator=generator, dtype=F64) for t in (h, mask))
    w = w - w.amin() + 0.1
    pool, norm = nn.Integrate(h).double(), nn.InstanceNorm(h).double()
    moved, turned = act(h, g, x), act(mask, g, w)
    assert_close(pool(moved, weights=turned[:, 0]), pool(x, weights=w[:, 0]), SYMMETRY)
    assert (pool(moved, weights=w[:, 0]) - pool(x, weights=w[:, 0])).abs().max() > 1e-2
    y = act(h, g, norm(x, weights=w[:, 0]))
    assert_close(norm(moved, weights=turned[:, 0]), y, SYMMETRY)


def _longest(values):
    return values[:, values.square().sum(0).argmax()]


# What is made of the values of a window, of what is there, by hand; the fields are one vector each.
WINDOWS = {
    "AvgPool": (lambda h: nn.AvgPool(h, 2), lambda values, w: (values * w).sum(1) / w.sum()),
    "AdaptiveAvgPool": (
        lambda h: nn.AdaptiveAvgPool(h, 3),
        lambda values, w: (values * w).sum(1) / w.sum(),
    ),
    "MaxPool": (lambda h: nn.MaxPool(h, 2), lambda values, w: values.amax(1)),
    "AdaptiveMaxPool": (lambda h: nn.AdaptiveMaxPool(h, 3), lambda values, w: values.amax(1)),
    "NormMaxPool": (lambda h: nn.NormMaxPool(h, 2), lambda values, w: _longest(values)),
}


@over("name", WINDOWS)
def test_windows_of_what_is_there(name, generator):
    make, by_hand = WINDOWS[name]
    h = Plane("C4").fields("1x vector" if name == "NormMaxPool" else "1x trivial + 1x regular")
    x = torch.randn(h.shape(2, 6, 6), generator=generator, dtype=F64)
    w = torch.rand(2, 6, 6, generator=generator, dtype=F64)
    w = w.where(w > 0.6, 0)
    w[0, :2, :2] = 0
    module = make(h)
    y = module(x.masked_fill(w[:, None] == 0, torch.nan), weights=w)
    left = module.out_weights(w)
    for sample, row, column in itertools.product(range(2), range(3), range(3)):
        window = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        values, own = x[(sample, slice(None), *window)], w[(sample, *window)]
        expected = torch.zeros(h.channels, dtype=F64)
        if own.any():
            expected = by_hand(values[:, own > 0], own[own > 0])
        assert_close(y[sample, :, row, column], expected, ROUNDING)
        of_window = own.amax() if "Max" in name else own.mean()
        assert_close(left[sample, row, column], of_window, ROUNDING)


def test_a_border_is_as_without_weights(generator):
    """Zeros of a padding count as they do in torch, whatever the unit of the weights."""
    h = Plane("C4").fields("1x trivial")
    x = torch.randn(2, 1, 5, 5, generator=generator, dtype=F64)
    mask = torch.rand(5, 5, generator=generator) > 0.3
    for pool, size in ((nn.AvgPool(h, 3, 1, 1), 9), (nn.AvgPool(h, 3, 1, 1, False), 4)):
        corner = x[:, 0, :2, :2][:, mask[:2, :2]].mean(1) * 4 / size
        assert_close(pool(x, weights=3.0 * mask)[:, 0, 0, 0], corner, ROUNDING)
    assert nn.AvgPool(h, 3, 1, 1).out_weights(torch.ones(5, 5)).eq(1).all()


def test_smoothing_what_is_there(generator):
    """(N3) point by point: (D1) of w f by (D1) of w, times what it makes of 1 at the border."""
    h = Plane("C4").fields("1x regular")
    x = torch.randn(h.shape(2, 7, 7), generator=generator, dtype=F64)
    w = torch.rand(7, 7, generator=generator, dtype=F64)
    w = w.where(w > 0.5, 0)
    down = nn.Downsample(h, 2).double()
    y, left = down(x.masked_fill(w == 0, torch.nan), weights=w), down.out_weights(w)
    (k, _), (taps, _) = down.kernel_size, down.listed("taps")
    for row, column in itertools.product(range(4), range(4)):
        total, whole, weight = torch.zeros(2, h.channels, dtype=F64), 0.0, 0.0
        for a, b in itertools.product(range(k), range(k)):
            i, j = 2 * row - k // 2 + a, 2 * column - k // 2 + b
            if 0 <= i < 7 and 0 <= j < 7:
                whole += taps[a] * taps[b]
                weight += taps[a] * taps[b] * w[i, j]
                total += taps[a] * taps[b] * w[i, j] * x[:, :, i, j]
        assert_close(left[row, column], weight / whole, ROUNDING)
        assert_close(y[:, :, row, column], total * whole / weight, ROUNDING)


def _tangents(sphere):
    """South and east at every point, as vectors of R^3."""
    beta, alpha = (angle.flatten() for angle in sphere.angles())
    south = [beta.cos() * alpha.sin(), -beta.sin(), beta.cos() * alpha.cos()]
    return torch.stack(south, 1), torch.stack([alpha.cos(), 0 * alpha, -alpha.sin()], 1)


def test_the_mean_in_a_disc_of_what_is_there(generator):
    """By brute force: vectors of R^3 are turned from point to point by the shortest rotation."""
    sphere, to = Sphere(4, gauss(5, 9)), Sphere(3, healpix(2))
    h, size = sphere.fields("2x0 + 1x1"), 3
    x = torch.randn(h.shape(2), generator=generator, dtype=F64)
    w = torch.rand(2, 5, 9, generator=generator, dtype=F64)
    w = w.where(w > 0.7, 0)
    w[0] *= 1e-9
    pool = nn.AvgPool(h, size, sphere=to).double()
    y = pool(x.where(w[:, None] > 0, torch.nan), weights=w)
    x, w = x.flatten(2), w.flatten(1) * sphere.weights.repeat_interleave(9)
    points, centres = (s.positions().reshape(-1, 3) for s in (sphere, to))
    (south, east), frame = _tangents(sphere), _tangents(to)
    vectors = x[:, 2, :, None] * south + x[:, 3, :, None] * east
    for i, c in enumerate(centres):
        inside = points @ c > math.cos(size * math.pi / 10)
        v = w * inside
        total = v.sum(1, keepdim=True)
        share = v / total.where(total > 0, 1)
        axis, cosine = torch.linalg.cross(points, c.expand_as(points)), (points @ c)[:, None]
        turned = cosine * vectors + torch.linalg.cross(axis.expand_as(vectors), vectors)
        turned = turned + axis * (axis * vectors).sum(-1, keepdim=True) / (1 + cosine)
        mean = (share[..., None] * turned).sum(1)
        parts = [(share[:, None] * x[:, :2]).sum(2), *[(mean @ e[i])[:, None] for e in frame]]
        assert_close(y[:, :, i], torch.cat(parts, 1), SYMMETRY)


def test_a_mean_of_samples_is_between_them(generator):
    """Whatever the weights: one heavy point, few points, half a sphere, one of small numbers."""
    sphere = Sphere(8, gauss(16))
    h, z = sphere.fields("1x0"), sphere.positions()
    x = (0.5 + 0.5 * torch.tanh(8 * z[..., 0])).expand(2, 1, -1, -1)
    pool = nn.AvgPool(h, 5, 1).double()
    heavy = torch.ones(16, 32, dtype=F64)
    heavy[8, 8] = 1e6
    few = torch.rand(16, 32, generator=generator) > 0.9
    for w in (heavy, few, z[..., 2] < 0.1):
        y, left = pool(x, weights=w), pool.out_weights(w)
        assert y.min() >= 0 and y.max() <= 1 + ROUNDING
        near = (z.flatten(0, 1) @ z.flatten(0, 1).mT) > math.cos(pool.radius) - 1e-9
        assert torch.equal(left.flatten() > 0, (near & (w.flatten() > 0)).any(1))
        assert torch.equal((y == 0).all(0)[0], left == 0)
    small = torch.ones(2, 16, 32)
    small[0] = 1e-30
    assert_close(pool(x, weights=small)[0], pool(x, weights=small)[1], ROUNDING)


@over("text", ["1x0", "1x2", "1x regular"])
def test_a_mean_of_samples_nears_the_integral(text, generator):
    """Of fields and weights of low degree (N3) is exact and moves with them: (N4) comes near it.

    So it does with weights of 1, where the layer without weights is what it nears.
    """
    errors = []
    for size in (6, 12):
        sphere = Sphere(5, soft(size))
        h, mask = sphere.fields(text), sphere.fields("1x0")
        seed = generator.manual_seed(0)
        x, w = (random_field(t, 1, band=3, generator=seed, dtype=F64) for t in (h, mask))
        w = w - w.amin() + 0.5
        pool = nn.AvgPool(h, size // 2, 1).double()
        over_gamma = w[..., None] if h.is_sampled else w
        share = nn.AvgPool(mask, size // 2, 1).double()(w)
        exact = pool(x * over_gamma) / (share[..., None] if h.is_sampled else share)
        for weights, expected in ((w[:, 0], exact), (torch.ones_like(w[:, 0]), pool(x))):
            errors.append(float((pool(x, weights=weights) - expected).norm() / expected.norm()))
    assert max(errors[:2]) < 0.1
    assert errors[2] < 0.8 * errors[0] and errors[3] < 0.8 * errors[1]


def test_the_largest_in_a_disc_of_what_is_there(generator):
    h = Sphere(4).fields("2x0")
    x = torch.randn(h.shape(2), generator=generator, dtype=F64)
    w = torch.rand(8, 8, generator=generator, dtype=F64)
    w[:3] = 0
    pool = nn.MaxPool(h, 2, 1).double()
    y = pool(x.masked_fill(w == 0, torch.nan), weights=w)
    near = h.space.positions().reshape(-1, 3)
    near = near @ near.mT > math.cos(pool.radius) - 1e-9
    for point in range(64):
        there = near[point] & (w.flatten() > 0)
        values = x.flatten(2)[:, :, there]
        expected = values.amax(2) if there.any() else torch.zeros(2, 2, dtype=F64)
        assert_close(y.flatten(2)[:, :, point], expected, ROUNDING)


ON_SPHERES = {
    "Downsample": lambda h: nn.Downsample(h, sphere=Sphere(4)),
    "smooth Downsample": lambda h: nn.Downsample(h, 1, sigma=1.0),
    "Upsample": lambda h: nn.Upsample(h, 2),
}


@over("name, text", [(name, text) for name in ON_SPHERES for text in ("2x0 + 1x1", "1x regular")])
def test_changes_of_band_of_what_is_there(name, text, generator):
    """Exact where field and weights are of low degree; of constants it is the constant."""
    h, mask = (Sphere(5).fields(t) for t in (text, "1x0"))
    g = random_rotations(generator=generator)
    x, w = (
        random_field(t, 1, band=b, generator=generator, dtype=F64) for t, b in ((h, 3), (mask, 2))
    )
    w = w - w.amin() + 0.5
    module = ON_SPHERES[name](h).double()
    low = module.out_type.space.fields("1x0")
    turned = act(mask, g, w)[:, 0]
    share, again = (module.out_weights(v)[:, None] for v in (w[:, 0], turned))
    assert share.amin() > 0 and again.amin() > 0
    assert_close(again, act(low, g, share), SYMMETRY)
    y, moved = module(x, weights=w[:, 0]), module(act(h, g, x), weights=turned)
    if h.is_sampled:
        share, again = share[..., None], again[..., None]
    assert_close(moved * again, act(module.out_type, g, y * share), SYMMETRY)
    if name == "smooth Downsample":  # the others change nothing of this band
        assert (y - module(x)).norm() > 0.01 * y.norm()
    if not h.is_sampled:
        flat = module(torch.ones_like(x), weights=(w > 1)[:, 0])[:, 0]
        assert flat.any()
        assert_close(flat[flat != 0], torch.ones_like(flat[flat != 0]), SYMMETRY)


def test_gaps_that_are_smoothed_away(generator):
    """A function of low degree of which a cap is missing: near its edge nothing wild is made up."""
    h = Sphere(16).fields("1x0")
    x = random_field(h, 4, band=3, generator=generator, dtype=F64)
    mask = h.space.positions()[..., 1] < 0.5
    for module in (nn.Downsample(h, 2), nn.Downsample(h, 2, sigma=1.0), nn.Upsample(h, 2)):
        module = module.double()
        y = module(x.masked_fill(~mask, torch.nan), weights=mask)
        left, whole = module.out_weights(mask), module(x)
        there = left > 0
        assert 0.6 < there.double().mean() < 0.8
        assert not y[..., ~there].any()
        assert (y - whole)[..., there].abs().max() < 0.5 * x.abs().max()


def test_clouds_with_weights(generator):
    in_type = Points("O(3)", dim=3).fields("2x0e")
    x, w = torch.randn(5, 2, generator=generator), torch.tensor([1.0, 2.0, 0.0, 3.0, 0.0])
    x[2] = torch.nan
    batch = torch.tensor([0, 0, 0, 1, 2])
    y = nn.GlobalAvgPool(in_type)(x, batch, 3, weights=w)
    assert_close(y, torch.stack([(x[0] + 2 * x[1]) / 3, x[3], torch.zeros(2)]), 1e-6)
    assert_close(nn.SumPool(in_type)(x, batch, 3, weights=w)[0], x[0] + 2 * x[1], 1e-6)
    z = nn.InstanceNorm(in_type)(x, batch, 3, weights=w)
    assert z.isfinite().all() and not z[2].any()


@pytest.mark.parametrize(
    "weights, error",
    [
        (3, TypeError),
        (torch.ones(6, 6, dtype=torch.complex64), TypeError),
        (torch.ones(6), ValueError),
        (torch.ones(3, 6, 6), ValueError),
        (torch.full((6, 6), -1.0), ValueError),
        (torch.full((6, 6), torch.nan), ValueError),
        (torch.full((6, 6), 3e38), ValueError),
        (torch.ones(6, 6, device="meta"), ValueError),
    ],
)
def test_weights_that_are_none(weights, error):
    h = Sphere(3).fields("1x0")
    with pytest.raises(error, match="^weights: expected .*, got"):
        nn.Integrate(h)(torch.zeros(h.shape(2)), weights=weights)
