"""Fields on a ball: arrows and colours are those of the field at the places where they stand."""

import math

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.quiver import Quiver

from equinet import plot
from equinet.field import Plane, Sphere, act, random_field
from equinet.group import so3
from equinet.harmonics import equiangular, gauss
from equinet.numerics import angles_to_matrix, soft_angles
from equinet.plot.lobes import VIEW
from tests.tolerances import assert_close

SPHERE = Sphere(3)


def frames():
    beta, alpha = soft_angles(SPHERE.band)
    return angles_to_matrix(alpha, beta[:, None], torch.zeros_like(alpha))


def tangent(a):
    """The tangent parts a - (a.x) x of a vector a, in components along the frames: spin 1."""
    along = torch.einsum("i,baij->jba", a, frames())
    return torch.stack([along[2], along[0]])[None]


def on_the_ball(ax, kind):
    """Where the arrows or lines stand, as points of the sphere, and the collection."""
    (found,) = (c for c in ax.collections if isinstance(c, kind))
    where = found.get_offsets() if kind is Quiver else np.array(found.get_segments())[:, 0]
    eye = np.sqrt(1 - (where**2).sum(1))
    return np.column_stack([where, eye]) @ VIEW, found


@pytest.mark.parametrize("grid", [gauss(4), equiangular(9, 12, poles=True)], ids=str)
def test_the_grid_of_the_data_does_not_show(grid):
    """A field is drawn as what it is, on whatever rings it is given, not as where it is known."""
    rings = Sphere(3, grid=grid)
    drawn = []
    for sphere in (SPHERE, rings):
        y = sphere.positions()[None, None, ..., 1]
        (image,) = plot.globe(sphere.fields("1x0"), y).axes[0].images
        drawn.append(image.get_array())
    assert_close(*drawn, 1e-6)
    (other,) = plot.globe(rings.fields("1x0"), 0.5 - y**2).axes[0].images
    assert np.abs(other.get_array() - drawn[0]).max() > 0.1


@pytest.mark.parametrize("turned", [False, True])
def test_arrows_are_the_vectors_where_they_stand(generator, turned):
    a = torch.randn(3, dtype=torch.float64, generator=generator)
    fields, x = SPHERE.fields("1x1"), tangent(a)
    if turned:  # the tangent parts of g a
        g = so3().sample(generator=generator)
        x, a = act(fields, g, x), g @ a
    points, quiver = on_the_ball(plot.globe(fields, x).axes[0], Quiver)
    a = a.numpy()
    expected = (a - (points @ a)[:, None] * points) @ VIEW[:2].T
    drawn = np.column_stack([quiver.U, quiver.V])
    scale = (drawn * expected).sum() / (expected**2).sum()
    assert scale > 0 and len(points) > 60
    assert_close(drawn, scale * expected, 1e-9)


def test_lines_of_spin_two_are_squares_of_tangent_vectors(generator):
    """The square of a complex number has the double of its angle, so the lines lie along it."""
    a = torch.randn(3, dtype=torch.float64, generator=generator)
    real, imaginary = tangent(a)[0]
    x = torch.stack([real**2 - imaginary**2, 2 * real * imaginary])[None]
    points, lines = on_the_ball(plot.globe(SPHERE.fields("1x2"), x).axes[0], LineCollection)
    start, end = np.array(lines.get_segments()).swapaxes(0, 1)
    a = a.numpy()
    along = (a - (points @ a)[:, None] * points) @ VIEW[:2].T
    drawn = end - start
    assert_close(drawn[:, 0] * along[:, 1], drawn[:, 1] * along[:, 0], 1e-9)
    half = len(drawn) // 2  # the other arm points the other way
    assert_close(drawn[:half], -drawn[half:], 1e-9)


def test_colours_are_the_function_where_they_are():
    """A linear function is strongest at its pole, as red, and the picture's centre is the eye."""
    eye = torch.tensor(VIEW[2])
    x = torch.einsum("i,bai->ba", eye, frames()[..., 1])[None, None]
    fields = SPHERE.fields("1x trivial")
    for sign, channel in ((1, 0), (-1, 2)):
        picture = plot.globe(fields, sign * x).axes[0].images[0].get_array()
        middle = picture[len(picture) // 2, len(picture) // 2]
        assert middle.argmax() == channel and middle[channel] < 0.75 and middle.min() < 0.2
    # It falls off evenly on all sides.
    inside = np.hypot(*np.mgrid[-1 : 1 : 1j * len(picture), -1 : 1 : 1j * len(picture)]) < 0.98
    assert_close(picture[inside], np.rot90(picture)[inside], 1.5e-2)


def test_a_column_a_sample_and_a_row_a_field(generator):
    fields = SPHERE.fields("1x trivial + 2x1")
    x = random_field(fields, 3, generator=generator)
    figure = plot.globe(fields, x, axis=torch.tensor([0.0, 2.0, 0.0]))
    assert len(figure.axes) == 9
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == ["trivial", "spin 1, 1", "spin 1, 2"]
    for ax in figure.axes:  # the axis of rotation is upright: its ends are over and under the ball
        front, back = (line.get_xydata() for line in ax.lines)
        assert np.abs([front[:, 0], back[:, 0]]).max() < 1e-12
        assert front[1, 1] == -back[1, 1] > 1


@pytest.mark.parametrize(
    ("fields", "shape", "axis", "message"),
    [
        (Plane("C4").fields("1x vector"), (1, 2, 4, 4), None, "field_type: expected"),
        (Sphere(2).fields("1x regular"), (1, 1, 4, 4, 4), None, "field_type: expected"),
        (Sphere(2).fields("1x1"), (1, 1, 4, 4), None, "x: expected"),
        (Sphere(2).fields("1x1"), (0, 2, 4, 4), None, "empty batch"),
        (Sphere(2).fields("1x1"), (1, 2, 4, 4), (0.0, 0.0, 0.0), "axis: expected three numbers"),
        (Sphere(2).fields("1x1"), (1, 2, 4, 4), (math.nan, 0.0, 0.0), "axis: expected three"),
        (Sphere(2).fields("1x1"), (1, 2, 4, 4), (1.0, 0.0), "axis: expected three numbers"),
    ],
)
def test_bad_input(fields, shape, axis, message):
    axis = None if axis is None else torch.tensor(axis)
    with pytest.raises(ValueError, match=message):
        plot.globe(fields, torch.zeros(shape), axis=axis)
