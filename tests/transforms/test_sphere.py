"""Images on the sphere, and random rotations."""

import math

import pytest
import torch

from equinet import so3
from equinet.harmonics import rotate_s2, s2_irfft
from equinet.numerics import angles_to_matrix
from equinet.transforms import StereographicProjection, rotate_randomly
from tests.laws.direct import grid
from tests.tolerances import ROUNDING, SINGLE, assert_close


def _image(function, size: int) -> torch.Tensor:
    """Values at the centres of pixels: x to the right, y upwards, the inscribed circle is r = 1."""
    right = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    y, x = torch.meshgrid(-right, right, indexing="ij")
    return function(x, y)[None, None]


def _smooth(x, y):
    """Not symmetric, and vanishing well inside the picture."""
    blob = torch.exp(-20 * ((x - 0.2) ** 2 + (y + 0.1) ** 2))
    return blob + 0.5 * torch.exp(-25 * ((x + 0.3) ** 2 + (y - 0.3) ** 2))


def _projected(function, band: int, rotation=None) -> torch.Tensor:
    """The formula itself, f(x) = I(z / (1 + y), x / (1 + y)), on the grid."""
    points = grid(band, regular=False)[..., 1]
    if rotation is not None:
        points = points @ rotation  # R^-1 x
    x, y, z = points.unbind(-1)
    return function(z / (1 + y), x / (1 + y))[None, None]


def test_against_the_formula():
    """Between pixels the image is bilinear, so the error falls as the square of a pixel."""
    errors = []
    for size in (32, 64, 128):
        projection = StereographicProjection(size, 8).double()
        difference = projection(_image(_smooth, size)) - _projected(_smooth, 8)
        errors.append(float(difference.abs().max()))
    assert errors[0] < 0.03 and errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3


def test_the_formula_tells_left_from_right():
    """Negative control: mirrored images are other functions on the sphere."""
    projection, image = StereographicProjection(64, 8).double(), _image(_smooth, 64)
    for mirrored in (image.flip(-1), image.flip(-2), image.mT):
        assert (projection(mirrored) - _projected(_smooth, 8)).abs().max() > 0.1


def test_a_linear_image_is_exact():
    """Bilinear interpolation has no error there, so every point is where the formula puts it."""
    linear = lambda x, y: 1 + 0.3 * x - 0.7 * y  # noqa: E731
    projection = StereographicProjection(50, 6).double()
    inside = _projected(lambda x, y: x**2 + y**2 < 0.9, 6)
    difference = projection(_image(linear, 50)) - _projected(linear, 6)
    assert inside.any() and difference[inside].abs().max() < ROUNDING


def test_orientation():
    """The centre goes to the north pole; to its right is z, alpha = 0, upwards x, alpha = pi/2."""
    band, size = 8, 33
    for step, (column, row) in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)]):
        image = torch.zeros(1, 1, size, size, dtype=torch.float64)
        image[0, 0, 16 - 6 * row, 16 + 6 * column] = 1  # up is against the row index
        signal = StereographicProjection(size, band).double()(image)[0, 0]
        beta, alpha = divmod(int(signal.argmax()), 2 * band)
        assert alpha == step * band // 2
        radius = math.tan(math.pi * (2 * beta + 1) / (4 * band) / 2)  # tan(beta / 2)
        assert abs(radius - 12 / 33) < 0.1
    dot = torch.zeros(1, 1, size, size)
    dot[..., 14:19, 14:19] = 1
    signal = StereographicProjection(size, band)(dot)
    assert (signal[0, 0, 0] > 0.99).all() and not signal[0, 0, 4:].any()


def test_the_inscribed_circle_is_the_equator():
    """A bright image fills the northern hemisphere, and only the corners go beyond."""
    band = 16
    signal = StereographicProjection(64, band)(torch.ones(1, 1, 64, 64))[0, 0]
    assert (signal[: band - 1] > 0.99).all()
    inside_corner = 2 * math.atan(math.sqrt(2))
    for j, row in enumerate(signal):
        if math.pi * (2 * j + 1) / (4 * band) > inside_corner + 0.05:
            assert not row.any()
    assert signal[band].max() > 0.99  # corners


def test_rotations_are_evaluated_not_resampled(generator):
    """f(R^-1 x), to the interpolation of the image and no more."""
    size = 64
    projection = StereographicProjection(size, 8).double()
    for R in so3().sample(3, generator=generator):
        difference = projection(_image(_smooth, size), R) - _projected(_smooth, 8, R)
        assert difference.abs().max() < 0.01


def test_about_the_pole_it_is_a_roll_and_a_turn_of_the_image(generator):
    """rot90 turns the image by +90 degrees, from x to y; on the sphere that is alpha + pi/2."""
    band, size = 6, 31
    image = torch.rand(2, 1, size, size, generator=generator, dtype=torch.float64)
    projection = StereographicProjection(size, band).double()
    quarter = torch.tensor(math.pi / 2, dtype=torch.float64)
    R = angles_to_matrix(quarter, 0 * quarter, 0 * quarter)
    turned = projection(image, R)
    assert_close(turned, projection(image).roll(band // 2, -1), ROUNDING)
    assert_close(turned, projection(torch.rot90(image, 1, (-2, -1))), ROUNDING)


def test_rotating_the_image_or_its_spectrum(generator):
    """For a smooth image the rotated projection is the projection rotated by the transforms."""
    errors = []
    (R,) = so3().sample(1, generator=generator)
    for band in (6, 12):
        projection = StereographicProjection(256, band).double()
        image = _image(_smooth, 256)
        difference = projection(image, R) - rotate_s2(projection(image), R)
        errors.append(float(difference.abs().max()))
    assert errors[0] > 8 * errors[1]


def test_one_rotation_for_each_image(generator):
    projection = StereographicProjection(16, 4).double()
    images = torch.rand(3, 2, 16, 16, generator=generator, dtype=torch.float64)
    R = so3().sample(3, generator=generator)
    apart = [projection(images[i : i + 1], R[i]) for i in range(3)]
    assert_close(projection(images, R), torch.cat(apart), ROUNDING)
    assert_close(projection(images, R[:1].expand(3, 3, 3)), projection(images, R[0]), ROUNDING)


def test_the_south_pole_is_finite(generator):
    """Turned there, a point of the grid lies where the projection has none."""
    projection = StereographicProjection(16, 4)
    half = torch.tensor(math.pi, dtype=torch.float64)
    beta = math.pi * torch.tensor([1.0, 15.0], dtype=torch.float64) / 16
    for b in beta:  # moves a point of the grid onto the south pole
        R = angles_to_matrix(0 * half, b - half, 0 * half)
        y = projection(torch.rand(1, 1, 16, 16, generator=generator), R)
        assert y.isfinite().all()


def test_projection_is_differentiable_and_follows_the_dtype(generator):
    image = torch.rand(1, 1, 16, 16, generator=generator, requires_grad=True)
    projection = StereographicProjection(16, 4)
    y = projection(image)
    y.sum().backward()
    assert y.dtype == torch.float32 and image.grad.abs().sum() > 0
    assert_close(projection.double()(image.double()), y, SINGLE)
    assert not projection.state_dict()
    assert projection(image[:0]).shape == (0, 1, 8, 8)


def test_bad_images():
    projection = StereographicProjection(16, 4)
    good = torch.zeros(2, 1, 16, 16)
    for bad in (good[0], good[..., 1:], torch.zeros(2, 1, 17, 17)):
        with pytest.raises(ValueError, match=r"^images: expected \(batch, channel, .*got") as e:
            projection(bad)
        assert str(tuple(bad.shape)) in str(e.value)
    for bad in (good.byte(), good.to(torch.complex64), good.to_sparse(), good.numpy(), None):
        with pytest.raises(TypeError, match="^images: expected a real floating tensor, got"):
            projection(bad)
    one = torch.eye(3)
    for bad in (one[:2], one.expand(3, 3, 3), one[0], one.expand(1, 2, 3, 3)):
        with pytest.raises(ValueError, match=r"^rotations: expected .*3, 3\).*got"):
            projection(good, bad)


@pytest.mark.parametrize("bad", [0, -3, 2.0, "4", None])
def test_bad_sizes(bad):
    with pytest.raises(ValueError, match="^image_size: expected an integer >= 1, got"):
        StereographicProjection(bad, 4)
    with pytest.raises(ValueError, match="^band: expected an integer >= 1, got"):
        StereographicProjection(28, bad)


def _signals(batch, generator, band=4, channels=2):
    spectrum = torch.randn(batch, channels, band * band, generator=generator, dtype=torch.float64)
    return s2_irfft(spectrum, band)


def test_every_sample_is_turned_by_its_own_rotation(generator):
    x = _signals(1, generator).expand(4, 2, 8, 8)  # four times the same
    y, R = rotate_randomly(x, generator)
    assert R.shape == (4, 3, 3) and so3().contains(R)
    assert_close(y, torch.cat([rotate_s2(x[i : i + 1], R[i]) for i in range(4)]), ROUNDING)
    for i in range(4):
        for j in range(i):
            assert (R[i] - R[j]).abs().max() > 0.1 and (y[i] - y[j]).abs().max() > 0.1


def test_channels_turn_together(generator):
    x = _signals(3, generator, channels=1).expand(3, 2, 8, 8)
    y, _ = rotate_randomly(x, generator)
    assert_close(y[:, 0], y[:, 1], ROUNDING)


def test_rotations_are_drawn_by_the_generator():
    x = _signals(2, torch.Generator().manual_seed(0))
    draw = lambda seed: rotate_randomly(x, torch.Generator().manual_seed(seed))  # noqa: E731
    assert torch.equal(draw(1)[0], draw(1)[0]) and not torch.equal(draw(1)[1], draw(2)[1])


def test_signals_keep_their_dtype(generator):
    y, R = rotate_randomly(_signals(2, generator).float(), generator)
    assert y.dtype == R.dtype == torch.float32


def test_empty_batch(generator):
    y, R = rotate_randomly(torch.zeros(0, 1, 8, 8), generator)
    assert y.shape == (0, 1, 8, 8) and R.shape == (0, 3, 3)


def test_bad_signals():
    for bad in (torch.zeros(2, 1, 7, 7), torch.zeros(2, 1, 8, 6), torch.zeros(8)):
        with pytest.raises(ValueError, match="^signal: expected .* got"):
            rotate_randomly(bad)
    for dtype in (torch.complex64, torch.int64):
        with pytest.raises(
            TypeError, match=f"^signal: expected a real floating tensor, got {dtype}"
        ):
            rotate_randomly(torch.zeros(2, 1, 8, 8, dtype=dtype))


def test_gaps_are_refused():
    """A turn through the spectrum would make one gap of a signal its every value."""
    gap = torch.zeros(2, 1, 8, 8)
    gap[1, 0, 2, 3] = torch.nan
    for refused in (rotate_randomly, StereographicProjection(8, 4)):
        with pytest.raises(ValueError, match=r"^(signal|images): expected finite .* got 1 .*nan"):
            refused(gap)
