"""How G moves fields on grids: rot90 and flips, SciPy, formulas, and the law of a group action."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch.autograd import forward_ad, gradcheck

from equinet import so2, so3
from equinet.field import Line, Plane, Points, Volume, act, random_field
from equinet.rep import irrep
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
every_order = pytest.mark.parametrize("order", [0, 1, 3])


def turn(angle, dtype=F64):
    """The rotation of the plane; in float32 cos(pi/2) is -4e-8."""
    return so2().element(torch.as_tensor(angle, dtype=dtype))


def quarter(axis: int) -> torch.Tensor:
    """Rotation by +90 degrees about x, y or z, without rounding."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    g = torch.zeros(3, 3, dtype=F64)
    g[axis, axis], g[j, i], g[i, j] = 1, 1, -1
    return g


def noise(space, text, sizes, generator, batch=2, dtype=F64):
    field_type = space.fields(text)
    shape = field_type.shape(batch, *sizes)
    return field_type, torch.randn(shape, generator=generator, dtype=dtype)


# --- grid symmetries ------------------------------------------------------------------------------


@every_order
@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.bfloat16])
@pytest.mark.parametrize("size", [1, 4, 5])
def test_a_quarter_turn_of_an_image_is_rot90(order, dtype, size, generator):
    """Bit for bit, from rotations that carry the rounding of their dtype."""
    plane, x = noise(Plane(so2()), "3x0", (size, size), generator, dtype=dtype)
    for k in range(-1, 5):
        for of_g in (torch.float32, F64):
            moved = act(plane, turn(k * math.pi / 2, of_g), x, order=order)
            assert moved.dtype == dtype
            assert torch.equal(moved, torch.rot90(x, k, (-2, -1)))


@every_order
def test_a_vector_field_turns_with_its_image(order, generator):
    """By +90 degrees: (u, v) becomes (-v, u)."""
    field_type, x = noise(Plane(so2()), "1x0 + 1x1", (5, 5), generator)
    scalar, u, v = torch.rot90(x, 1, (-2, -1)).unbind(1)
    moved = act(field_type, turn(math.pi / 2), x, order=order)
    assert torch.equal(moved[:, 0], scalar)
    assert_close(moved[:, 1:], torch.stack([-v, u], 1), ROUNDING)


@every_order
@pytest.mark.parametrize("sizes", [(5, 7), (8, 4), (3, 1)])
def test_sides_that_differ(order, sizes, generator):
    """The shape stays; what leaves is lost, what enters is zero."""
    plane, x = noise(Plane(so2()), "2x0", sizes, generator)
    side = max(sizes)
    border = [(side - size) // 2 for size in sizes]
    square = torch.nn.functional.pad(x, (border[1], border[1], border[0], border[0]))
    rows, columns = (slice(b, side - b) for b in border)
    expected = torch.rot90(square, 1, (-2, -1))[..., rows, columns]
    moved = act(plane, turn(math.pi / 2), x, order=order)
    assert torch.equal(moved, expected) and (moved == 0).any()
    assert torch.equal(act(plane, turn(math.pi), x, order=order), x.flip(-1, -2))


def test_an_even_and_an_odd_side(generator):
    """A quarter turn then moves grid points half a step off the grid: means of four pixels."""
    plane, x = noise(Plane(so2()), "1x0", (4, 5), generator)
    moved = act(plane, turn(math.pi / 2), x)
    means = torch.rot90(torch.nn.functional.avg_pool2d(x, 2, 1), 1, (-2, -1))
    assert_close(moved[..., 1:4], means, ROUNDING)


def test_volumes_turn_about_their_axes(generator):
    """From y to z about x, from z to x about y, from x to y about z."""
    volume, x = noise(Volume(so3()), "2x0", (4, 4, 4), generator)
    for axis, dims in enumerate([(3, 4), (4, 2), (2, 3)]):
        assert torch.equal(act(volume, quarter(axis), x), torch.rot90(x, 1, dims))


def test_reflections(generator):
    line, x = noise(Line("O(1)"), "1x trivial", (6,), generator)
    assert torch.equal(act(line, -torch.eye(1), x), x.flip(-1))
    plane, x = noise(Plane("O(2)"), "1x trivial", (4, 6), generator)
    assert torch.equal(act(plane, torch.diag(torch.tensor([-1.0, 1.0])), x), x.flip(-1))
    assert torch.equal(act(plane, torch.diag(torch.tensor([1.0, -1.0])), x), x.flip(-2))
    volume, x = noise(Volume("O(3)"), "1x trivial", (4, 5, 6), generator)
    for axis in range(3):
        mirror = torch.eye(3)
        mirror[axis, axis] = -1
        assert torch.equal(act(volume, mirror, x), x.flip(2 + axis))


def test_anisotropic_voxels(generator):
    """About the axis on which the spacing differs a quarter turn is exact, about others it is not.

    Half turns always are.
    """
    volume, x = noise(Volume(so3(), spacing=(0.3, 0.3, 0.7)), "1x0", (5, 5, 3), generator)
    assert torch.equal(act(volume, quarter(2), x), torch.rot90(x, 1, (2, 3)))
    for axis in range(3):
        half = quarter(axis) @ quarter(axis)
        others = [2 + a for a in range(3) if a != axis]
        assert torch.equal(act(volume, half, x), x.flip(others))
    again = act(volume, quarter(0), act(volume, quarter(0), x))
    assert (again - x.flip(3, 4)).abs().max() > 0.1


@given(
    words=st.tuples(*[st.lists(st.integers(0, 2), max_size=3)] * 2),
    order=st.sampled_from([0, 1, 3]),
    size=st.sampled_from([3, 4]),
)
def test_a_homomorphism_on_grid_symmetries(words, order, size):
    """All rotations of the cube are products of quarter turns."""
    g, h = torch.eye(3, dtype=F64).repeat(2, 1, 1)
    for axis in words[0]:
        g = g @ quarter(axis)
    for axis in words[1]:
        h = h @ quarter(axis)
    generator = torch.Generator().manual_seed(0)
    field_type, x = noise(Volume(so3()), "2x0 + 1x1 + 1x2", [size] * 3, generator, batch=1)
    twice = act(field_type, g, act(field_type, h, x, order=order), order=order)
    assert_close(twice, act(field_type, g @ h, x, order=order), ROUNDING)


def test_regular_fields_of_finite_groups(generator):
    """Only values change places."""
    for space, sizes in ((Plane("D4"), (4, 4)), (Volume("O"), (3, 3, 3)), (Plane("C4"), (5, 5))):
        field_type, x = noise(space, "1x regular", sizes, generator, batch=1)
        g, h = space.group.sample(2, generator=generator)
        twice = act(field_type, g, act(field_type, h, x))
        assert_close(twice, act(field_type, g @ h, x), ROUNDING)
        moved = act(field_type, g, x)
        assert_close(moved.flatten().sort().values, x.flatten().sort().values, ROUNDING)


def test_symmetries_of_the_grid_among_other_elements(generator):
    """In one batch: they only permute, bit for bit, and the others are what they are alone."""
    volume, x = noise(
        Volume("O(3)"), "1x0e + 1x1o", (4, 6, 4), generator, batch=5, dtype=torch.float32
    )
    exact = torch.stack([quarter(1), -torch.eye(3, dtype=F64), quarter(1)])
    g = torch.cat([exact[:2], so3().sample(2, generator=generator), exact[2:]])
    moved = act(volume, g, x)
    for i in range(5):
        alone = act(volume, g[i], x[i : i + 1])
        assert torch.equal(moved[i : i + 1, :1], alone[:, :1])
        assert_close(moved[i : i + 1], alone, ROUNDING)
    for i, dims in ((0, None), (1, (2, 3, 4)), (4, None)):
        source = x[i : i + 1, :1]
        expected = torch.rot90(source, 1, (4, 2)) if dims is None else source.flip(dims)
        assert torch.equal(moved[i : i + 1, :1], expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_derivatives_forwards_at_a_symmetry_of_the_grid(generator):
    """Flips know no neighbour: where a tangent is wanted they do not serve."""
    field_type, x = noise(Plane(so2()), "1x0 + 1x1", (5, 5), generator)
    for angle in (0.0, math.pi / 2, 0.3):
        angle = torch.tensor(angle, dtype=F64)
        with forward_ad.dual_level():
            g = so2().element(forward_ad.make_dual(angle, torch.ones_like(angle)))
            tangent = forward_ad.unpack_dual(act(field_type, g, x, order=3)).tangent
        step = 1e-8  # small: at grid points the second derivative jumps
        ahead, behind = (act(field_type, turn(angle + s), x, order=3) for s in (step, -step))
        assert_close(tangent, (ahead - behind) / (2 * step), 1e-6)


def test_exact_without_gradients_too(generator):
    field_type, x = noise(Plane(so2()), "1x0", (33, 33), generator, dtype=torch.float32)
    with torch.no_grad():
        moved = act(field_type, turn(math.pi / 2).requires_grad_(), x)
    assert torch.equal(moved, torch.rot90(x, 1, (-2, -1)))


def test_the_result_is_a_tensor_of_its_own(generator):
    for space, sizes in ((Plane("C4"), (4, 4)), (Points("SO(3)", dim=3), ())):
        field_type, x = noise(space, "2x trivial", sizes, generator)
        before = x.clone()
        act(field_type, torch.eye(space.group.n), x).zero_()
        assert torch.equal(x, before)


def test_long_sides_keep_their_digits(generator):
    plane, x = noise(Plane(so2()), "1x0", (3, 1001), generator, batch=1)
    for order in (0, 1):
        moved = act(plane, turn(0.3), x.float(), order=order)
        assert (moved - act(plane, turn(0.3), x.float().double(), order=order)).abs().max() < 2e-6


def test_a_derivative_changes_no_value(generator):
    """Symmetries, other elements and permutations of components, with and without gradients."""
    for space, text in ((Plane("C8"), "1x regular + 1x trivial"), (Volume("O"), "1x regular")):
        sizes = (5,) * space.n
        field_type, x = noise(space, text, sizes, generator, batch=3)
        g = space.group.sample(3, generator=generator)
        expected = act(field_type, g.clone().requires_grad_(), x.clone().requires_grad_())
        for of_g, of_x in ((False, False), (True, False), (False, True)):
            moved = act(field_type, g.clone().requires_grad_(of_g), x.clone().requires_grad_(of_x))
            assert_close(moved, expected, ROUNDING)
        one = act(field_type, g[0].clone().requires_grad_(), x)
        assert_close(act(field_type, g[0], x), one, ROUNDING)


# --- any rotation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(7, 7), (6, 9), (1, 4)])
@pytest.mark.parametrize("angle", [0.3, 2.0, -1.1])
def test_images_against_scipy(sizes, angle, generator):
    """Index coordinates (row, column): y is minus the row."""
    plane, x = noise(Plane(so2()), "1x0", sizes, generator, batch=1)
    c, s = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[c, s], [-s, c]], dtype=F64)
    centre = (torch.tensor(sizes, dtype=F64) - 1) / 2
    for order in (0, 1):
        expected = ndimage.affine_transform(
            x[0, 0].numpy(),
            matrix.numpy(),
            (centre - matrix @ centre).numpy(),
            order=order,
            mode="grid-constant",
        )
        assert_close(act(plane, turn(angle), x, order=order)[0, 0], expected, ROUNDING)
    expected = ndimage.rotate(
        x[0, 0].numpy(), math.degrees(angle), reshape=False, order=1, mode="grid-constant"
    )
    assert_close(act(plane, turn(angle), x)[0, 0], expected, ROUNDING)


def test_volumes_against_scipy(generator):
    """With anisotropic voxels: to units of length, back by g, to units of the index."""
    spacing = torch.tensor([1.0, 0.5, 2.0], dtype=F64)
    volume, x = noise(Volume(so3(), spacing.tolist()), "1x0", (6, 9, 4), generator, batch=1)
    (g,) = so3().sample(1, generator=generator)
    matrix = torch.diag(1 / spacing) @ torch.linalg.inv(g) @ torch.diag(spacing)
    centre = (torch.tensor([6, 9, 4], dtype=F64) - 1) / 2
    offset = centre - matrix @ centre
    arguments = x[0, 0].numpy(), matrix.numpy(), offset.numpy()
    expected = ndimage.affine_transform(*arguments, order=1, mode="grid-constant")
    assert_close(act(volume, g, x)[0, 0], expected, ROUNDING)


def _blob(space, g, sizes, width, fibre):
    """Two Gaussians off the centre times a constant fibre, moved by g: rho(g) f(g^-1 x)."""
    back = space.positions(*sizes) @ g  # g^-1 x, as rows
    centres = torch.tensor([[1.0, 0.5, -0.7], [-1.0, 0.8, 0.4]], dtype=F64)[:, : space.n]
    values = sum(
        a * torch.exp(-((back - c) ** 2).sum(-1) / (2 * width**2))
        for a, c in zip((1.0, -0.6), centres, strict=True)
    )
    return torch.einsum("c,...->c...", fibre, values)[None]


@pytest.mark.parametrize(("order", "rate"), [(0, 1.6), (1, 3.5), (3, 6.5)])
@pytest.mark.parametrize("kind", ["plane", "volume"])
def test_the_formula_under_refinement(order, rate, kind, generator):
    """The error falls with the spacing h as h, h^2 and h^3, on anisotropic grids too."""
    errors = []
    for scale in (4, 8, 16) if kind == "plane" else (3, 6):
        if kind == "plane":
            space, g = Plane(so2(), spacing=(1 / scale, 0.8 / scale)), turn(0.7)
            text, sizes, width = "1x0 + 1x1 + 1x2", (10 * scale + 1, 8 * scale), 0.6
        else:
            space = Volume(so3(), spacing=(1 / scale, 1 / scale, 0.8 / scale))
            g = so3().sample(1, generator=torch.Generator().manual_seed(1))[0]
            text, sizes, width = "1x0 + 1x1", (7 * scale, 7 * scale + 1, 9 * scale), 0.6
        field_type = space.fields(text)
        fibre = torch.linspace(-1, 1, field_type.channels, dtype=F64)
        one = torch.eye(space.n, dtype=F64)
        x = _blob(space, one, sizes, width, fibre)
        expected = _blob(space, g, sizes, width, field_type.rho(g) @ fibre)
        errors.append((act(field_type, g, x, order=order) - expected).square().mean().sqrt())
        wrong = (act(field_type, g.mT, x, order=order) - expected).square().mean().sqrt()
        assert wrong > 0.05  # negative control: the inverse is far from it at every spacing
    assert all(a / b > rate for a, b in itertools.pairwise(errors)), errors


def test_there_and_back_under_refinement(generator):
    """act(g^-1, act(g, x)) nears x as the field gets smoother on its grid."""
    field_type = Plane(so2()).fields("1x0 + 1x1")
    errors = []
    for smoothness in (1.0, 2.0, 4.0):
        x = random_field(
            field_type, 4, sizes=(48, 48), smoothness=smoothness, generator=generator, dtype=F64
        )
        y = act(field_type, turn(-0.6), act(field_type, turn(0.6), x))
        inside = (slice(None), slice(None), slice(12, 36), slice(12, 36))
        errors.append((y - x)[inside].abs().max())
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_one_element_for_each_sample(generator):
    for space, text, sizes in (
        (Plane(so2()), "1x0 + 1x1", (5, 6)),
        (Volume(so3(), (1, 2, 3)), "1x1 + 1x0", (3, 4, 5)),
    ):
        field_type, x = noise(space, text, sizes, generator, batch=3)
        g = space.group.sample(3, generator=generator)
        for order in (0, 1, 3):
            apart = [act(field_type, g[i], x[i : i + 1], order=order) for i in range(3)]
            assert_close(act(field_type, g, x, order=order), torch.cat(apart), ROUNDING)


@pytest.mark.parametrize("order", [1, 3])
def test_gradients_for_any_rotation(order, generator):
    field_type, x = noise(Plane(so2(), (1.0, 1.3)), "1x0 + 1x1", (3, 4), generator)
    move = lambda a, x: act(field_type, so2().element(a), x, order=order)  # noqa: E731
    angles = torch.tensor([0.4, -2.0], dtype=F64, requires_grad=True)
    x.requires_grad_()
    assert gradcheck(move, (angles, x))
    assert gradcheck(move, (angles[0], x))


def test_gradients_at_grid_symmetries(generator):
    """Coordinates are put on the grid there; the derivative of the smooth order 3 is unharmed."""
    field_type, x = noise(Plane(so2()), "1x0 + 1x1", (4, 4), generator)
    move = lambda a: act(field_type, so2().element(a), x, order=3)  # noqa: E731
    for k in range(4):
        assert gradcheck(move, torch.tensor(k * math.pi / 2, dtype=F64, requires_grad=True))
    for order in (1, 3):
        angle = torch.tensor(math.pi / 2, dtype=F64, requires_grad=True)
        scalar = act(Plane(so2()).fields("3x0"), so2().element(angle), x, order=order)
        scalar[0, 0, 1, 2].backward()
        assert angle.grad.abs() > 1e-3


# --- arguments ------------------------------------------------------------------------------------


def test_dtypes_mix(generator):
    """float64 elements move float32 fields, and the other way round."""
    field_type, x = noise(Plane(so2()), "1x0 + 1x1", (5, 6), generator)
    g = turn(0.4)
    y = act(field_type, g, x)
    assert act(field_type, g, x.float()).dtype == torch.float32
    assert_close(act(field_type, g, x.float()), y, 1e-5)
    assert act(field_type, g.float(), x).dtype == F64
    assert_close(act(field_type, g.float(), x), y, 1e-5)


def test_autocast_changes_nothing(generator):
    field_type, x = noise(Plane(so2()), "2x1", (5, 6), generator, dtype=torch.float32)
    expected = act(field_type, turn(0.4), x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(act(field_type, turn(0.4), x), expected)


def test_strides_do_not_matter(generator):
    field_type, x = noise(Plane(so2()), "2x1", (5, 6), generator)
    assert_close(
        act(field_type, turn(0.4), x.to(memory_format=torch.channels_last)),
        act(field_type, turn(0.4), x),
        ROUNDING,
    )


def test_empty():
    field_type = Plane(so2()).fields("1x0 + 1x1")
    for shape in (field_type.shape(0, 4, 5), field_type.shape(2, 0, 5)):
        for g in (torch.eye(2), torch.eye(2).expand(shape[0], 2, 2)):
            assert act(field_type, g, torch.zeros(shape)).shape == shape


def test_a_single_pixel_is_the_centre(generator):
    field_type, x = noise(Volume(so3()), "1x1", (1, 1, 1), generator)
    (g,) = so3().sample(1, generator=generator)
    expected = torch.einsum("ij,bjxyz->bixyz", irrep(so3(), 1)(g), x)
    assert_close(act(field_type, g, x), expected, ROUNDING)


def test_what_is_refused():
    field_type, x = Plane(so2()).fields("1x1"), torch.zeros(3, 2, 5, 5)
    one = torch.eye(2)
    mirror = torch.diag(torch.tensor([1.0, -1.0]))
    for g in (mirror, 2 * one, torch.eye(3), one.expand(2, 2, 2), one.expand(1, 3, 2, 2)):
        with pytest.raises(ValueError, match="^g: expected "):
            act(field_type, g, x)
    with pytest.raises(ValueError, match=r"^g: expected .*C4"):
        act(Plane("C4").fields("1x trivial"), turn(0.3), x[:, :1])
    for bad in (x[:, :1], x[0], x[..., None]):
        with pytest.raises(ValueError, match=r"^x: expected \(batch, channel, y, x\) = "):
            act(field_type, one, bad)
    with pytest.raises(TypeError, match="^x: expected a real floating tensor"):
        act(field_type, one, x.long())
    for order in (2, 5, True, "linear"):
        with pytest.raises(ValueError, match="^order: expected 0 "):
            act(field_type, one, x, order=order)
