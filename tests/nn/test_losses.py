"""Distances of fields: integrals by area, norms by degrees, and what nobody knows."""

import pytest
import torch
from torch.autograd import gradcheck

from equinet import Plane, Points, Sphere, act
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import equiangular, octahedral, soft
from equinet.numerics import random_rotations
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
BAND = 4
GRIDS = {"soft": None, "lat-lon": equiangular(9, 12, poles=True), "octahedral": octahedral(8)}
LOSSES = {
    "area": enn.FieldLoss,
    "area, relative": lambda fields: enn.FieldLoss(fields, relative=True),
    "H^1": enn.SobolevLoss,
    "H^-1, relative": lambda fields: enn.SobolevLoss(fields, -1.0, 0.3, relative=True),
}


def pair(fields, generator, batch=3):
    return [random_field(fields, batch, generator=generator, dtype=F64) for _ in range(2)]


@over("grid", GRIDS)
def test_the_integral_on_any_grid(grid, generator):
    """Of the square of a coordinate it is 1/3, whatever the points; a mean over points is not."""
    sphere = Sphere(BAND, GRIDS[grid])
    y = sphere.positions()[..., 1][None, None]
    loss = enn.FieldLoss(sphere.fields("1x0")).double()
    assert_close(loss(y, 0 * y), 1 / 3, ROUNDING)
    twice = torch.cat([2 * y, 0 * y], 1)
    both = enn.FieldLoss(sphere.fields("2x0")).double()
    assert_close(both(twice, 0 * twice), 2 / 3, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(torch.nn.functional.mse_loss(y, 0 * y), 1 / 3, 1e-2)


def test_without_weights_of_the_space_it_is_that_of_torch(generator):
    x, y = torch.randn(2, 3, 4, 5, 5, generator=generator)
    loss = enn.FieldLoss(Plane("C4").fields("4x0"))
    assert_close(loss(x, y), torch.nn.functional.mse_loss(x, y), 1e-6)


@over("name", LOSSES)
def test_moved_fields_are_as_far_apart(name, generator):
    sphere = Sphere(BAND)
    for text in ("2x0", "1x0 + 1x1", "1x2"):
        loss, g = LOSSES[name](sphere.fields(text)).double(), random_rotations(generator=generator)
        x, y = pair(loss.in_type, generator)
        moved = loss(*(act(loss.in_type, g, field) for field in (x, y)))
        assert_close(moved, loss(x, y), SYMMETRY)
        assert gradcheck(loss, (x[:1].requires_grad_(), y[:1].requires_grad_()), fast_mode=True)


@pytest.mark.parametrize("text", ["2x0", "1x1", "1x2"])
def test_norms_of_sobolev(text, generator):
    """H^0 is the mean square, and H^1 adds that of the derivatives."""
    fields = Sphere(BAND).fields(text)
    x, y = pair(fields, generator)
    area = enn.FieldLoss(fields).double()(x, y)
    assert_close(enn.SobolevLoss(fields, 0.0).double()(x, y), area, ROUNDING)
    d, laplacian = x - y, enn.Laplacian(fields).double()(x - y)
    weights = fields.space.weights[:, None]
    slopes = -(weights * d * laplacian).mean((0, 1)).sum() / (2 * BAND)
    for length in (1.0, 0.3):
        found = enn.SobolevLoss(fields, 1.0, length).double()(x, y)
        assert_close(found, area + length**2 * slopes, SYMMETRY)
    if text == "2x0":
        gradient = enn.Gradient(fields).double()
        square = enn.FieldLoss(gradient.out_type).double()(gradient(x), gradient(y))
        assert_close(slopes, 2 * square, SYMMETRY)  # a mean over the two channels of each


@pytest.mark.parametrize("name", ["area", "H^1"])
def test_relative_losses_have_no_units(name, generator):
    kind = enn.FieldLoss if name == "area" else enn.SobolevLoss
    fields = Sphere(BAND).fields("1x0")
    x, y = pair(fields, generator, 1)
    plain, loss = kind(fields).double(), kind(fields, relative=True).double()
    expected = (plain(x, y) / plain(0 * y, y)).sqrt()
    assert_close(loss(x, y), expected, ROUNDING)
    assert_close(loss(7 * x, 7 * y), expected, ROUNDING)
    same = y.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(same, y), same)
    assert_close(loss(y, y), 0.0, ROUNDING)
    assert not slope.any()


def test_what_nobody_knows(generator):
    """NaN where the weight is 0 neither shows in the loss nor in its derivative."""
    fields = Sphere(BAND).fields("1x0 + 1x1")
    loss = enn.FieldLoss(fields).double()
    x, y = pair(fields, generator)
    known = torch.rand(3, 2 * BAND, 2 * BAND, generator=generator) > 0.4
    w = known * fields.space.weights[:, None]
    square = ((x - y) ** 2 * w[:, None]).sum((2, 3)) / w.sum((1, 2))[:, None]
    assert_close(loss(x, y, weights=known), square.mean(), ROUNDING)
    given = y.where(known[:, None], torch.nan)
    x.requires_grad_()
    found = loss(x, given, weights=known)
    assert_close(found.detach(), square.mean(), ROUNDING)
    (slope,) = torch.autograd.grad(found, x)
    assert slope.isfinite().all() and not slope.where(~known[:, None], 0).any()
    with pytest.raises(ValueError, match="^y: expected finite .* weights that are 0"):
        loss(x, given)
    with pytest.raises(ValueError, match="^y: expected finite"):
        enn.SobolevLoss(Sphere(BAND).fields("1x0"))(torch.zeros(3, 1, 8, 8), given[:, :1].float())


def test_samples_of_which_nothing_is_known(generator):
    """In a mean they count as 0; to nothing a loss cannot be relative, and it says why."""
    fields = Sphere(BAND).fields("1x0")
    x, y = pair(fields, generator)
    w = torch.ones(3, 2 * BAND, 2 * BAND, dtype=F64)
    w[1] = 0
    loss = enn.FieldLoss(fields).double()
    each = [loss(x[i : i + 1], y[i : i + 1]) for i in (0, 2)]
    assert_close(loss(x, y, weights=w), sum(each) / 3, ROUNDING)
    with pytest.raises(ValueError, match="^weights: expected some that are not 0 in every sample"):
        enn.FieldLoss(fields, relative=True).double()(x, y, weights=w)
    with pytest.raises(ValueError, match="^order: expected one for which .* got 200"):
        enn.SobolevLoss(fields, order=200)
    enn.SobolevLoss(fields, order=-200)


def test_sums_are_wide(generator):
    """In half precision the weights of many points would be 0."""
    fields = Sphere(64).fields("1x0")
    x, y = torch.randn(2, 1, 1, 128, 128, generator=generator)
    expected = enn.FieldLoss(fields)(x, y)
    found = enn.FieldLoss(fields).half()(x.half(), y.half())
    assert found.dtype == torch.float16
    assert_close(found, expected, 1e-2)


@over("name", LOSSES)
def test_losses_under_autocast(name, generator):
    """As those of torch: in float32, of fields of any two dtypes, and with derivatives."""
    fields = Sphere(BAND).fields("1x0 + 1x1")
    loss = LOSSES[name](fields)
    x, y = (field.float() for field in pair(fields, generator))
    with pytest.raises(TypeError, match="^y: expected torch.bfloat16, as x, got torch.float32"):
        loss(x.bfloat16(), y)
    for one, two in ((x, y), (x.bfloat16(), y), (x, y.bfloat16()), (x.bfloat16(), y.bfloat16())):
        expected, one = loss(one.float(), two.float()), one.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            found = loss(one, two)
            assert found.dtype == torch.nn.functional.mse_loss(one, two).dtype == torch.float32
        assert_close(found, expected, 1e-6)
        found.backward()
        assert one.grad.dtype == one.dtype and one.grad.isfinite().all()
        one.grad = None


@pytest.mark.compile
def test_compiled_and_exported(generator):
    fields = Sphere(BAND).fields("2x0")
    x, y = (field.float() for field in pair(fields, generator))
    area, sobolev = enn.FieldLoss(fields, relative=True), enn.SobolevLoss(fields)
    compiled = torch.compile(area, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x, y), area(x, y), 1e-6)
    exported = torch.export.export(sobolev, (x, y)).module()
    assert_close(exported(x, y), sobolev(x, y), 1e-6)


def test_fields_of_several_spins(generator):
    """A loss of theirs is the sum of those of each block, by channels."""
    sphere = Sphere(BAND)
    fields, parts = sphere.fields("2x0 + 1x1 + 1x3"), ["2x0", "1x1", "1x3"]
    x, y = pair(fields, generator)
    alone = [
        enn.SobolevLoss(sphere.fields(part), 0.7, 0.4).double()(a.flatten(1, 2), b.flatten(1, 2))
        for part, a, b in zip(parts, fields.split(x), fields.split(y), strict=True)
    ]
    whole = enn.SobolevLoss(fields, 0.7, 0.4).double()(x, y)
    assert_close(whole, sum(2 * loss for loss in alone) / 6, ROUNDING)


def test_fewer_points_by_oversampling(generator):
    """The same fields on a finer grid are as far apart."""
    fine = Sphere(BAND, soft(2 * BAND))
    values = []
    for sphere in (Sphere(BAND), fine):
        fields = sphere.fields("1x0")
        generator.manual_seed(1)
        values.append(enn.SobolevLoss(fields).double()(*pair(fields, generator)))
    assert_close(values[0], values[1], SYMMETRY)


def test_wrong_arguments(generator):
    fields = Sphere(BAND).fields("1x0")
    loss = enn.FieldLoss(fields)
    x = torch.randn(2, 1, 8, 8, generator=generator)
    for wrong, error, message in (
        (x[:1], ValueError, r"^y: expected \(2, 1, 8, 8\), as x"),
        (x.double(), TypeError, "^y: expected torch.float32, as x"),
        (x[..., 0], ValueError, "^y: expected"),
    ):
        with pytest.raises(error, match=message):
            loss(x, wrong)
    with pytest.raises(ValueError, match="^weights: expected finite numbers >= 0"):
        loss(x, x, weights=-torch.ones(8, 8))
    with pytest.raises(ValueError, match=r"^weights: expected \(8, 8\) or"):
        loss(x, x, weights=torch.ones(4, 4))
    with pytest.raises(ValueError, match="^y: expected fields that are not 0"):
        enn.FieldLoss(fields, relative=True)(x, 0 * x)
    with pytest.raises(ValueError, match="^in_type: expected fields over a grid or a sphere"):
        enn.FieldLoss(Points("O(3)", 3).fields("1x0e"))
    with pytest.raises(ValueError, match="^in_type: expected functions and fields of spins"):
        enn.SobolevLoss(Sphere(BAND).fields("1x regular"))
    with pytest.raises(ValueError, match="^length: expected"):
        enn.SobolevLoss(fields, length=-1.0)
