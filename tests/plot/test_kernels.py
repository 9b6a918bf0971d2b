"""Pictures of kernels show the numbers of the basis, where and as the conventions say."""

import itertools

import matplotlib.figure
import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from matplotlib.quiver import Quiver

from equinet import plot
from equinet.group import cyclic, inversion, octahedral, so2, so3
from equinet.harmonics import Harmonics, Pixels, filter_grid, gaussian_shells
from equinet.plot.canvas import place
from equinet.plot.lobes import VIEW
from equinet.plot.slices import PLANES, cut, in_plane
from equinet.rep import irrep, regular, trivial, vector
from equinet.steerable import kernel_basis
from tests.tolerances import ROUNDING, assert_close

PLANE = Harmonics(so2(), gaussian_shells(2))
SPACE = Harmonics(so3(), gaussian_shells(1))


def plane_basis(k_in, k_out):
    return kernel_basis(irrep(so2(), k_in), irrep(so2(), k_out), PLANE)


def space_basis(l_in, l_out):
    return kernel_basis(irrep(so3(), l_in), irrep(so3(), l_out), SPACE)


def image_at(ax, number, x, y):
    """Value of an image at (x, y) from the middle of it."""
    image = ax.images[number]
    left, right, bottom, top = image.get_extent()
    height, width = image.get_array().shape
    column = int(width * (x + (right - left) / 2) / (right - left))
    row = int(height * ((top - bottom) / 2 - y) / (top - bottom))
    return image.get_array()[row, column]


def test_every_kernel_has_axes_and_every_component_an_image():
    basis = plane_basis(1, 2)
    figure = plot.kernels(basis)
    assert len(figure.axes) == basis.dim
    assert [ax.get_title() for ax in figure.axes[:2]] == ["$K_{1}$", "$K_{2}$"]
    for ax in figure.axes:
        assert len(ax.images) == 4
        assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["1", "2"]
        assert ax.get_aspect() == 1


def test_images_are_the_kernels_with_y_upwards():
    basis = plane_basis(0, 1)
    point = torch.tensor([[0.6, 1.9]], dtype=torch.float64)  # more up than right
    expected = basis.at(point).dense()[..., 0]
    for ax, kernel in zip(plot.kernels(basis).axes, expected, strict=True):
        # One image is 64 pixels of 0.1 wide.
        shown = [image_at(ax, i, *point[0].tolist()) for i in range(2)]
        assert_close(torch.tensor(shown), kernel[:, 0], 0.1)


def test_rows_are_outputs_and_columns_inputs():
    """The component (1, 2) is to the right of (1, 1), and (2, 1) below."""
    ax = plot.kernels(plane_basis(1, 1)).axes[0]
    centres = [np.array(i.get_extent()).reshape(2, 2).mean(1) for i in ax.images]
    assert centres[1][0] > centres[0][0] and centres[1][1] == centres[0][1]
    assert centres[2][1] < centres[0][1] and centres[2][0] == centres[0][0]


def test_colours_are_symmetric_about_zero():
    for ax in plot.kernels(plane_basis(1, 1)).axes:
        limits = {image.get_clim() for image in ax.images}
        ((low, high),) = limits
        assert low == -high
        assert high == max(np.abs(image.get_array()).max() for image in ax.images)


def test_pixels_are_those_of_the_filter():
    basis, grid = plane_basis(0, 1), filter_grid((3, 5))
    dense = grid.embed(basis.on(grid).dense())
    figure = plot.kernels(basis, grid=grid)
    for ax, kernel in zip(figure.axes, dense, strict=True):
        for image, component in zip(ax.images, kernel.flatten(0, 1), strict=True):
            assert_close(image.get_array(), component, ROUNDING)
        left, right, bottom, top = ax.images[0].get_extent()
        assert (right - left, top - bottom) == (5, 3)


def test_a_pixel_basis_brings_its_grid():
    group, grid = cyclic(4), filter_grid(3, 2)
    basis = kernel_basis(trivial(group), regular(group), Pixels(group, grid))
    figure = plot.kernels(basis)
    assert len(figure.axes) == 9
    assert figure.axes[0].images[0].get_array().shape == (3, 3)


def test_hexagons():
    group, grid = cyclic(6), filter_grid(3, lattice="hexagonal")
    basis = kernel_basis(trivial(group), trivial(group), Pixels(group, grid))
    dense = basis.on(grid).dense()
    for ax, kernel in zip(plot.kernels(basis).axes, dense, strict=True):
        (cells,) = (c for c in ax.collections if isinstance(c, PolyCollection))
        assert_close(cells.get_array(), kernel.flatten(), ROUNDING)
        middles = np.array([path.vertices[:6].mean(0) for path in cells.get_paths()])
        assert_close(middles, grid.points, ROUNDING)


def test_arrows_point_along_the_kernel():
    basis = kernel_basis(trivial(so2()), vector(so2()), PLANE)
    for ax, i in zip(plot.kernels(basis, style="arrows").axes, range(basis.dim), strict=True):
        (quiver,) = (c for c in ax.collections if isinstance(c, Quiver))
        points = torch.tensor(np.stack([quiver.X, quiver.Y], -1).reshape(-1, 2))
        expected = basis.at(points).dense()[i, :, 0]
        assert_close(np.stack([quiver.U, quiver.V]).reshape(2, -1), expected, ROUNDING)


def test_lobes_have_the_shape_and_sign_of_the_kernel():
    """From a scalar to a vector the kernel is x / |x|: the row y is a dumb-bell along y."""
    basis = space_basis(0, 1)
    (ax,) = plot.kernels(basis).axes
    assert ax.get_title().startswith("$K_{1}$ at $r = ")
    top = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    assert basis.at(top).dense()[0, 1, 0, 0] > 0  # so the upper ball is red
    (surface,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    quads = np.array([path.vertices[:4] for path in surface.get_paths()])
    _, height = place(1, 1, (1.0, 1.0))
    row = np.abs(quads[..., 1].mean(1) - height) < 1.1
    quads, colours = quads[row] - [0, height], surface.get_facecolors()[row]
    red = colours[:, 0] > colours[:, 2]
    # Two balls of diameter 1 / 1.05, of which the upper one touches the centre from above.
    diameter, up = 1 / 1.05, VIEW[1, 1]
    edge = diameter / 2 * (1 + up)
    assert_close(quads[red][..., 1].max(), edge, 5e-3)
    assert_close(quads[~red][..., 1].min(), -edge, 5e-3)
    assert_close(quads[red][..., 0].max(), diameter / 2, 5e-3)
    # The red ball is nearer to the eye, so it is drawn last.
    assert red[-1] and not red[0]


def test_lobes_of_a_matrix():
    figure = plot.kernels(space_basis(1, 1))
    assert len(figure.axes) == space_basis(1, 1).dim
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert ticks == ["1", "2", "3"]


def test_slices_are_planes_of_space():
    basis = space_basis(0, 1)
    figure = plot.kernels(basis, style="slices")
    assert [ax.get_title() for ax in figure.axes] == ["$z = 0$", "$x = 0$", "$y = 0$"]
    assert figure.axes[0].get_ylabel() == "$K_{1}$"
    right_up = torch.tensor([[0.4, 1.1]], dtype=torch.float64)
    for ax, plane in zip(figure.axes, PLANES, strict=True):
        expected = basis.at(in_plane(right_up, plane)).dense()[0, :, 0, 0]
        shown = [image_at(ax, i, *right_up[0].tolist()) for i in range(3)]
        assert_close(torch.tensor(shown), expected, 0.1)


def test_slices_of_a_filter():
    basis, grid = space_basis(0, 0), filter_grid((3, 4, 5))
    figure = plot.kernels(basis, grid=grid)
    assert [ax.get_title() for ax in figure.axes[:3]] == ["$z = 0$", "$x = 0$", "$y = -0.5$"]
    volume = grid.embed(basis.on(grid).dense())[0, 0, 0]
    # x to the right and y up, z to the right and x up.
    assert_close(figure.axes[0].images[0].get_array(), volume[:, :, 2].mT.flip(0), ROUNDING)
    assert_close(figure.axes[2].images[0].get_array(), volume[:, 1, :].flip(0), ROUNDING)


def test_cut_keeps_the_axes_apart():
    values = np.arange(24.0).reshape(2, 3, 4)
    images, halves, names = cut(values, (1.0, 2.0, 0.5))
    assert [image.shape for image in images] == [(3, 2), (4, 3), (2, 4)]
    assert halves == [(1.0, 3.0), (3.0, 1.0), (1.0, 1.0)]
    assert names == ["$z = -0.25$", "$x = -0.5$", "$y = 0$"]
    for y, z in itertools.product(range(3), range(4)):
        assert images[1][3 - z, y] == values[0, y, z]


def test_which_and_too_many():
    basis = plane_basis(1, 1)
    assert [ax.get_title() for ax in plot.kernels(basis, which=[7, 2]).axes] == [
        "$K_{8}$",
        "$K_{3}$",
    ]
    large = kernel_basis([(6, irrep(so2(), 1))], [(1, irrep(so2(), 1))], PLANE)
    figure = plot.kernels(large)
    assert figure.get_suptitle() == f"{len(figure.axes)} of {large.dim} kernels"
    assert len(figure.axes) < large.dim


def test_draws_into_a_given_figure():
    figure = matplotlib.figure.Figure()
    left, right = figure.subfigures(1, 2)
    assert plot.kernels(plane_basis(0, 0), figure=left) is left
    assert len(left.axes) == 3 and not right.axes


def test_a_notebook_shows_it():
    assert plot.kernels(plane_basis(0, 0))._repr_png_().startswith(b"\x89PNG")


LINE = Harmonics(inversion(1), gaussian_shells(1))
BAD = {
    "basis: expected a KernelBasis": (torch.zeros(3), {}, TypeError),
    "basis: expected kernels on the plane or in space": (
        kernel_basis(trivial(inversion(1)), trivial(inversion(1)), LINE),
        {},
        ValueError,
    ),
    "grid: expected one of 2 dimensions, got 3": (
        plane_basis(0, 0),
        {"grid": filter_grid(3, 3)},
        ValueError,
    ),
    "style: expected one of .*got 'lobes'": (plane_basis(0, 0), {"style": "lobes"}, ValueError),
    "style: expected 'slices'": (
        space_basis(0, 0),
        {"style": "lobes", "grid": filter_grid(3, 3)},
        ValueError,
    ),
    "style: expected 'components', since": (plane_basis(0, 2), {"style": "arrows"}, ValueError),
    "which: expected numbers of kernels, 0 to 2": (plane_basis(0, 0), {"which": [3]}, ValueError),
    "extent: expected a number > 0": (plane_basis(0, 0), {"extent": 0.0}, ValueError),
    "basis: expected at least one kernel": (plane_basis(0, 9), {}, ValueError),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    basis, options, error = BAD[message]
    with pytest.raises(error, match=message):
        plot.kernels(basis, **options)


def test_octahedral_pixels_in_space():
    group, grid = octahedral(), filter_grid(3, 3)
    basis = kernel_basis(irrep(group, "A1"), irrep(group, "T1"), Pixels(group, grid))
    figure = plot.kernels(basis)
    assert len(figure.axes) == 3 * basis.dim
