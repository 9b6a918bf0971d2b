"""Pictures of fields, harmonics and character tables show the numbers they are given."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.quiver import Quiver

from equinet import plot
from equinet.field import Plane, Points, Sphere, Volume, act
from equinet.group import cyclic, dihedral, icosahedral, octahedral, point_group, so3
from equinet.plot.lobes import VIEW, sphere_mesh
from equinet.rep import character_table
from tests.tolerances import ROUNDING, assert_close


def quiver_of(ax):
    (quiver,) = (c for c in ax.collections if isinstance(c, Quiver))
    return quiver


def test_plane_has_a_row_a_sample_and_a_column_a_field(generator):
    fields = Plane("C4").fields("2x trivial + 1x vector + 1x regular")
    x = torch.randn(3, 8, 6, 9, generator=generator)
    figure = plot.field(fields, x)
    assert len(figure.axes) == 3 * 4
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles == ["trivial, 1", "trivial, 2", "vector", "regular"]
    assert_close(figure.axes[4].images[0].get_array(), x[1, 0].double(), 0.0)
    regular = figure.axes[3]
    for image, component in zip(regular.images, x[0, 4:], strict=True):
        assert_close(image.get_array(), component.double(), 0.0)
    # One colour scale throughout the batch.
    assert len({figure.axes[i].images[0].get_clim() for i in (0, 4, 8)}) == 1


def test_vectors_are_arrows_at_their_pixels():
    fields = Plane("C4", spacing=0.5).fields("1x vector")
    positions = fields.space.positions(6, 9)
    x = torch.stack([positions[..., 0], 2 * positions[..., 1]])[None]  # (x, 2y) at (x, y)
    quiver = quiver_of(plot.field(fields, x).axes[0])
    assert_close(quiver.U, quiver.X.reshape(quiver.U.shape), ROUNDING)
    assert_close(quiver.V, 2 * quiver.Y.reshape(quiver.V.shape), ROUNDING)
    assert quiver.Y.max() == 1.25 and quiver.X.max() == 2.0


def test_arrows_of_a_turned_field_are_turned(generator):
    fields = Plane("C4").fields("1x vector")
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, generator=generator)
    g = cyclic(4).elements[1]
    before, after = (quiver_of(plot.field(fields, y).axes[0]) for y in (x, act(fields, g, x)))
    arrows = {(a, b): (u, v) for a, b, u, v in zip(*_columns(before), strict=True)}
    for a, b, u, v in zip(*_columns(after), strict=True):
        assert_close((u, v), (-arrows[b, -a][1], arrows[b, -a][0]), ROUNDING)


def _columns(quiver):
    return [np.round(np.ravel(c), 9).tolist() for c in (quiver.X, quiver.Y, quiver.U, quiver.V)]


def test_a_volume_is_cut_by_three_planes(generator):
    fields = Volume("SO(3)").fields("1x0 + 1x vector")
    x = torch.randn(1, 4, 5, 3, 7, dtype=torch.float64, generator=generator)
    figure = plot.field(fields, x)
    assert len(figure.axes) == 2 * 3
    assert [ax.get_title() for ax in figure.axes[:3]] == ["$z = 0$", "$x = 0$", "$y = 0$"]
    assert [ax.get_title(loc="left") for ax in figure.axes[::3]] == ["0", "vector"]
    assert (figure.axes[1].get_xlabel(), figure.axes[1].get_ylabel()) == ("$y$", "$z$")
    assert_close(figure.axes[1].images[0].get_array(), x[0, 0, 2].mT.flip(0), 0.0)
    # The colour is the component out of the plane, arrows are those in it.
    vectors = figure.axes[4]
    assert_close(vectors.images[0].get_array(), x[0, 1, 2].mT.flip(0), 0.0)
    assert_close(quiver_of(vectors).U.reshape(7, 3), x[0, 2, 2].mT.flip(0), 0.0)
    assert_close(quiver_of(vectors).V.reshape(7, 3), x[0, 3, 2].mT.flip(0), 0.0)


def test_the_sphere_has_its_pole_up_and_alpha_zero_in_the_middle():
    fields = Sphere(4).fields("1x trivial")
    beta = math.pi * (2 * torch.arange(8, dtype=torch.float64) + 1) / 16
    alpha = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    x = (beta[:, None] + 10 * alpha)[None, None]
    (ax,) = plot.field(fields, x).axes
    (mesh,) = (c for c in ax.collections if isinstance(c, QuadMesh))
    corners = mesh.get_coordinates()
    centres = (corners[:-1, :-1] + corners[1:, 1:]) / 2
    # A column is centred at its alpha, up to half a step, and rows at the latitude of beta.
    expected = math.pi / 2 - centres[..., 1] + 10 * np.mod(centres[..., 0] - math.pi / 8, 2 * np.pi)
    assert_close(mesh.get_array().reshape(8, 8), expected, ROUNDING)


def test_components_on_the_sphere():
    fields = Sphere(3).fields("1x trivial + 1x1")
    figure = plot.field(fields, torch.ones(2, 3, 6, 6))
    titles = [ax.get_title() for ax in figure.axes[:3]]
    assert titles == ["trivial", "1, component 1", "1, component 2"]


@pytest.mark.parametrize(
    ("fields", "shape", "error", "message"),
    [
        (Plane("C4").fields("1x vector"), (1, 3, 4, 4), ValueError, "x: expected"),
        (Plane("C4").fields("1x vector"), (0, 2, 4, 4), ValueError, "empty batch"),
        (Points("O(3)", dim=3).fields("1x0e"), (5, 1), ValueError, "field_type: expected"),
        (Sphere(2).fields("1x regular"), (1, 1, 4, 4, 4), ValueError, "field_type: expected"),
    ],
)
def test_bad_fields(fields, shape, error, message):
    with pytest.raises(error, match=message):
        plot.field(fields, torch.zeros(shape))


def test_harmonics():
    (ax,) = plot.harmonics(2).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0", "1", "2"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["−2", "−1", "0", "1", "2"]
    (surface,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    assert np.isfinite(np.array([path.vertices for path in surface.get_paths()])).all()
    with pytest.raises(ValueError, match="lmax: expected an integer >= 0"):
        plot.harmonics(-1)


def test_the_view_is_a_rotation_with_y_up():
    assert so3().contains(torch.tensor(VIEW))
    assert VIEW[1, 1] > 0.8 and abs(VIEW[0, 1]) < 1e-12
    # The mesh is closed and of unit vectors, from pole y to pole -y.
    mesh = sphere_mesh()
    assert_close(mesh.norm(dim=-1), torch.ones(mesh.shape[:2]), ROUNDING)
    assert_close(mesh[:, 0], mesh[:, -1], ROUNDING)
    assert_close(mesh[0, 0], (0.0, 1.0, 0.0), ROUNDING)


@pytest.mark.parametrize("group", [octahedral(), icosahedral(), dihedral(4), point_group("D3h")])
def test_character_table(group):
    table = character_table(group)
    for given in (table, group):
        (ax,) = plot.character_table(given).axes
        shown = [float(t.get_text().replace("−", "-")) for t in ax.texts]
        assert_close(shown, table.values.flatten(), 5e-4)
        colours = ax.images[0].get_array()
        assert_close(colours, table.values / table.values[:, :1], ROUNDING)


def test_names_in_character_tables():
    (ax,) = plot.character_table(point_group("m-3m")).axes
    assert [t.get_text() for t in ax.get_yticklabels()][:3] == ["$A_{1g}$", "$A_{2g}$", "$E_{g}$"]
    classes = {t.get_text() for t in ax.get_xticklabels()}
    assert {r"$\,E$", r"$8\,C_{3}$", r"$6\,S_{4}$", r"$3\,\sigma$", r"$\,i$"} <= classes
    with pytest.raises(TypeError, match="table: expected a CharacterTable or a finite group"):
        plot.character_table(so3())


@pytest.mark.process
def test_equinet_does_not_need_matplotlib():
    """Neither it nor the pictures know of pyplot, which keeps a global list of figures."""
    program = """
import sys, equinet
assert "equinet.plot" not in sys.modules and "matplotlib" not in sys.modules
from equinet import plot
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
