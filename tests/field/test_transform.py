"""Spectra of feature maps, the action of rotations on them, and random ones."""

import math

import pytest
import torch

from equinet import Plane, Sphere, so3
from equinet.field import FieldAnalysis, FieldSynthesis, act, random_field
from equinet.field.transform import block_orders, columns
from equinet.harmonics import rotate_s2, rotate_so3
from equinet.numerics import angles_to_matrix, soft_weights, wigner_D
from tests.laws.cases import FIELDS
from tests.laws.direct import grid, haar, random_lifts, sample, sample_all
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

every_type = pytest.mark.parametrize("text", [*FIELDS, "1x2 + 1x0 + 1x2"])
BAND = 4


def _noise(text, generator, batch=2, band=BAND, dtype=torch.float64):
    field_type = Sphere(band).fields(text)
    return field_type, random_field(field_type, batch, generator=generator, dtype=dtype)


@every_type
def test_action_is_what_the_formula_says(text, generator):
    """[g f](x) = rho(g) f(g^-1 x): the lift of the moved field is F(g^-1 R)."""
    field_type = Sphere(BAND).fields(text)
    lifts = random_lifts(field_type, BAND - 1, generator)
    (g,) = so3().sample(1, generator=generator)
    moved = sample_all([lambda R, F=F: F(g.mT @ R) for F in lifts], field_type)
    assert_close(act(field_type, g, sample_all(lifts, field_type)), moved, SYMMETRY)


def test_the_formula_tells_directions_apart(generator):
    """Negative control: the inverse rotation gives another field."""
    field_type = Sphere(BAND).fields("1x1")
    lifts = random_lifts(field_type, BAND - 1, generator)
    (g,) = so3().sample(1, generator=generator)
    x = sample_all(lifts, field_type)
    assert (act(field_type, g, x) - act(field_type, g.mT, x)).abs().max() > 0.1


def test_tangent_vectors(generator):
    """Components of the irrep 1 are along R e_z and R e_x with R = Y(alpha) X(beta).

    The gradient of a function is a tangent field; that of the moved function is the moved field.
    """
    field_type = Sphere(BAND).fields("1x1")
    a = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    (g,) = so3().sample(1, generator=generator)

    def gradient(rotation):
        """Of (a_0.x)(a_1.x) + (a_2.x)^3 at the points g^-1 x, along the frame."""
        frame = grid(BAND, regular=False)
        x = frame[..., :, 1].clone().requires_grad_()
        p, q, r = (x @ rotation @ a.T).unbind(-1)
        (slope,) = torch.autograd.grad((p * q + r**3).sum(), x)
        return torch.stack([(slope * frame[..., :, 2]).sum(-1), (slope * frame[..., :, 0]).sum(-1)])

    one = torch.eye(3, dtype=torch.float64)
    assert_close(act(field_type, g, gradient(one)[None]), gradient(g)[None], SYMMETRY)


@every_type
def test_action_is_a_homomorphism(text, generator):
    field_type, x = _noise(text, generator)
    g, h = so3().sample(2, generator=generator)
    assert_close(act(field_type, g, act(field_type, h, x)), act(field_type, g @ h, x), SYMMETRY)
    assert_close(act(field_type, so3().identity(), x), x, SYMMETRY)
    assert_close(act(field_type, g.mT, act(field_type, g, x)), x, SYMMETRY)


@every_type
def test_action_keeps_the_norm(text, generator):
    field_type, x = _noise(text, generator)
    (g,) = so3().sample(1, generator=generator)
    weights = soft_weights(BAND).view(-1, 1, *[1] * (x.dim() - 4))
    norms = [(y**2 * weights).sum() for y in (x, act(field_type, g, x))]
    assert_close(norms[1] / norms[0], 1.0, SYMMETRY)


@every_type
def test_one_rotation_for_each_sample(text, generator):
    field_type, x = _noise(text, generator, batch=3)
    g = so3().sample(3, generator=generator)
    apart = [act(field_type, g[i], x[i : i + 1]) for i in range(3)]
    assert_close(act(field_type, g, x), torch.cat(apart), ROUNDING)


def test_about_the_pole_it_is_a_roll(generator):
    """Y(2 pi / 2b) moves functions by one step of alpha."""
    step = torch.tensor(2 * math.pi / (2 * BAND), dtype=torch.float64)
    g = angles_to_matrix(step, 0 * step, 0 * step)
    for text in FIELDS:
        field_type, x = _noise(text, generator)
        assert_close(act(field_type, g, x), x.roll(1, 3), SYMMETRY)


def test_the_same_as_the_rotations_of_harmonics(generator):
    g = so3().sample(2, generator=generator)
    for text, rotate in (("2x0", rotate_s2), ("2x regular", rotate_so3)):
        field_type, x = _noise(text, generator)
        assert_close(act(field_type, g, x), rotate(x, g), ROUNDING)


def test_degrees_above_the_band_are_lost():
    """A single bright point has all degrees: moved there and back it is another field."""
    field_type = Sphere(BAND).fields("1x0")
    x = torch.zeros(field_type.shape(1), dtype=torch.float64)
    x[0, 0, 3, 3] = 1
    once = act(field_type, so3().identity(), x)
    assert (once - x).abs().max() > 0.1
    assert_close(act(field_type, so3().identity(), once), once, ROUNDING)


def test_action_keeps_dtype_and_carries_gradients(generator):
    field_type, x = _noise("1x0 + 1x1", generator, dtype=torch.float32)
    (g,) = so3().sample(1, generator=generator)
    x.requires_grad_()
    y = act(field_type, g, x)
    y.square().sum().backward()
    assert y.dtype == torch.float32 and x.grad.abs().max() > 0


def test_action_refuses_what_is_not_a_rotation(generator):
    field_type, x = _noise("1x0", generator)
    one = torch.eye(3, dtype=torch.float64)
    wrong = [
        -one,
        2 * one,
        torch.eye(2),
        torch.ones(3),
        one.expand(5, 3, 3),
        one.expand(1, 2, 3, 3),
    ]
    for g in wrong:
        with pytest.raises(ValueError, match="^g: expected "):
            act(field_type, g, x)
    with pytest.raises(ValueError, match="^x: expected "):
        act(field_type, one, x[..., :-1])
    with pytest.raises(TypeError, match="^x: expected "):
        act(field_type, one, x.to(torch.complex128))


def test_another_space_is_refused():
    for kind in (FieldAnalysis, FieldSynthesis):
        with pytest.raises(ValueError, match=r"^field_type: expected fields over a Sphere, got Pl"):
            kind(Plane("C4").fields("1x trivial"), 2)


@every_type
def test_empty_batch(text):
    field_type = Sphere(BAND).fields(text)
    x = torch.zeros(field_type.shape(0))
    assert act(field_type, torch.eye(3), x).shape == x.shape
    assert random_field(field_type, 0).shape == x.shape


@every_type
@pytest.mark.parametrize("band", [1, 3, 4])
def test_analysis_undoes_synthesis(text, band, generator):
    field_type = Sphere(BAND).fields(text)
    size = sum((2 * l + 1) * k for l, k in enumerate(columns(field_type, band)))
    flat = torch.randn(3 * size, generator=generator, dtype=torch.float64)
    to_field = FieldSynthesis(field_type, band).double()
    to_spectrum = FieldAnalysis(field_type, band).double()
    x = to_field(flat, 3)
    assert tuple(x.shape) == field_type.shape(3)
    assert_close(to_spectrum(x), flat, ROUNDING)


def test_layout_of_spectra(generator):
    """Degree by degree (2l + 1, K_l, batch); columns are (block, signed order, copy)."""
    field_type = Sphere(BAND).fields("2x0 + 1x1")
    assert block_orders(field_type, BAND) == [(0,), (1,)]
    assert columns(field_type, BAND) == [2, 4, 4, 4]
    assert columns(Sphere(BAND).fields("2x regular"), BAND) == [2, 6, 10, 14]
    x = random_field(field_type, 3, generator=generator, dtype=torch.float64)
    whole = FieldAnalysis(field_type, BAND).double()(x)
    parts = whole.split([(2 * l + 1) * k * 3 for l, k in enumerate([2, 4, 4, 4])])
    for copy in range(2):  # the two functions by themselves
        alone = FieldAnalysis(Sphere(BAND).fields("1x0"), BAND).double()(x[:, copy : copy + 1])
        pieces = alone.split([(2 * l + 1) * 3 for l in range(BAND)])
        for l, (part, piece) in enumerate(zip(parts, pieces, strict=True)):
            assert_close(part.view(2 * l + 1, -1, 3)[:, copy], piece.view(2 * l + 1, 3), ROUNDING)


@every_type
def test_coefficients_are_integrals(text, generator):
    """f^l_mn = int F(R) D^l_mn(R) over SO(3), by quadrature of the formula of F."""
    field_type = Sphere(BAND).fields(text)
    lifts = random_lifts(field_type, BAND - 1, generator)
    flat = FieldAnalysis(field_type, BAND).double()(sample_all(lifts, field_type))
    points, weights = haar(BAND)
    values = torch.stack([F(points) for F in lifts])
    start, parts = 0, []
    for mul, rho in field_type.blocks:
        parts.append(
            (values[start : start + mul], None if rho.is_sampled else rho.irreps[0].degree)
        )
        start += mul
    expected = []
    for l in range(BAND):
        d = wigner_D(l, points)
        per_block = []
        for copies, order in parts:
            signs = range(-l, l + 1) if order is None else sorted({-order, order})
            n = torch.tensor([l + s for s in signs if abs(s) <= l], dtype=torch.int64)
            blocks = torch.einsum("p,cp,pmn->mnc", weights, copies, d[:, :, n])
            per_block.append(blocks.flatten(1))
        expected.append(torch.cat(per_block, 1).flatten())
    assert_close(flat, torch.cat(expected), SYMMETRY)


@every_type
def test_random_fields_have_unit_variance(text, generator):
    """Every field, whatever stands beside it: E |f|^2 = dim f, with Haar measure."""
    field_type, x = _noise(text, generator, batch=400)
    power = (x**2).mean(tuple(range(3, x.dim()))) @ soft_weights(BAND)  # (batch, channel)
    error = power.std(0) / len(power) ** 0.5
    assert ((power.mean(0) - 1).abs() < STATISTICAL * error).all(), power.mean(0)


def test_random_fields_are_white_and_band_limited(generator):
    field_type = Sphere(6).fields("1x0")
    x = random_field(field_type, 500, band=3, generator=generator, dtype=torch.float64)
    flat = FieldAnalysis(field_type, 6).double()(x).view(36, 500)
    assert_close(flat[9:], torch.zeros(27, 500), ROUNDING)
    energy = (flat**2).mean(1)  # of (l, m): proportional to 1 / (2l + 1)
    l = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
    scaled = energy[:9] * (2 * l + 1)
    assert ((scaled / scaled.mean() - 1).abs() < STATISTICAL * math.sqrt(2 / 500)).all()


def test_random_fields_follow_the_seed():
    field_type = Sphere(BAND).fields("2x1")
    draw = lambda seed: random_field(  # noqa: E731
        field_type, 2, generator=torch.Generator().manual_seed(seed)
    )
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    assert draw(1).dtype == torch.float32


def test_one_seed_is_one_field_on_every_grid(generator):
    """Sampled finer, the field is the same: that is what tests under refinement rest upon."""
    draws = []
    for band in (4, 8):
        field_type = Sphere(band).fields("1x0 + 1x1")
        seed = torch.Generator().manual_seed(3)
        x = random_field(field_type, 2, band=3, generator=seed, dtype=torch.float64)
        draws.append(FieldAnalysis(field_type, 3).double()(x))
    assert_close(*draws, ROUNDING)


def test_random_fields_of_a_bad_band():
    """Above the grid, empty, or too low for any degree of some field."""
    field_type = Sphere(BAND).fields("1x0 + 1x3")
    for band in (5, 0, -1, 3):
        with pytest.raises(ValueError, match=f"^band: expected .*, got {band}"):
            random_field(field_type, 2, band=band)


def test_sample_drops_other_orders(generator):
    """What the direct evaluation of the other tests rests upon: parts of a function in gamma."""
    regular = random_lifts(Sphere(BAND).fields("1x regular"), 3, generator)[0]
    parts = {s: sample(regular, s, BAND) for s in range(4)}
    gamma = torch.tensor(0.7, dtype=torch.float64)
    frame = grid(BAND, regular=False) @ angles_to_matrix(gamma, 0 * gamma, 0 * gamma)
    whole = parts[0][0] + sum(
        (s * gamma).cos() * parts[s][0] + (s * gamma).sin() * parts[s][1] for s in (1, 2, 3)
    )
    assert_close(whole, regular(frame), ROUNDING)
