"""Where the taps of a filter lie, in the order and orientation of torch's filter tensors."""

import copy
import itertools
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.harmonics import FilterGrid, filter_grid
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
sizes = st.integers(1, 3).flatmap(lambda n: st.tuples(*[st.integers(1, 5)] * n))


@given(sizes, st.data())
def test_taps_are_centred_and_lie_at_the_spacing(size, data):
    n = len(size)
    steps = data.draw(st.tuples(*[st.integers(1, 3)] * n))
    spacing = data.draw(st.tuples(*[st.sampled_from([0.5, 1.0, 1.75])] * n))
    grid = filter_grid(size, dilation=steps, spacing=spacing)
    taps = grid.points
    assert grid.n == n and taps.shape == (math.prod(size), n) and taps.dtype == F64
    assert_close(taps.mean(0), torch.zeros(n), ROUNDING)
    # Along each axis of the filter tensor, by hand: rows run down, columns to the right.
    expected = []
    for at in itertools.product(*map(range, size)):
        along = [(i - (k - 1) / 2) * d for i, k, d in zip(at, size, steps, strict=True)]
        place = (along[1], -along[0]) if n == 2 else along
        expected.append([p * s for p, s in zip(place, spacing, strict=True)])
    assert_close(taps, torch.tensor(expected, dtype=F64), ROUNDING)
    assert grid.extent == pytest.approx(float(taps.abs().max()), abs=ROUNDING)


def test_a_quarter_turn_of_the_points_is_rot90_of_the_filter():
    """The field f(x) = a x + b y, moved by h: f(h^-1 x)."""
    a, b = 0.3, -1.1
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)
    for size in (3, 4):
        grid = filter_grid(size, 2)
        plane = torch.tensor([a, b], dtype=F64)
        image = grid.embed(grid.points @ plane)
        moved = grid.embed((grid.points @ quarter) @ plane)  # h^-1 x = h^T x
        assert_close(moved, torch.rot90(image, 1, (-2, -1)), ROUNDING)
        assert not torch.allclose(moved, image)


def test_taps_are_those_of_a_torch_convolution():
    """Cross-correlation with a unit filter picks f(x + tap), on an image whose pixels know x."""
    size, dilation = (2, 3), (2, 1)
    grid = filter_grid(size, dilation=dilation)
    y, x = torch.meshgrid(
        -torch.arange(7.0, dtype=F64), torch.arange(8.0, dtype=F64), indexing="ij"
    )
    filters = grid.embed(torch.eye(6, dtype=F64))[:, None]
    for axis, image in enumerate((x, y)):
        found = torch.nn.functional.conv2d(image[None, None], filters, dilation=dilation)[0]
        offset = found - found.mean(0)  # relative to the centre of the filter
        assert_close(offset, grid.points[:, axis, None, None].expand_as(offset), ROUNDING)


def test_volumes_have_axes_x_y_z():
    taps = filter_grid((1, 2, 3), spacing=(1.0, 2.0, 4.0)).points
    assert taps.tolist() == [[0, y, z] for y in (-1.0, 1.0) for z in (-4.0, 0.0, 4.0)]


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_hexagonal_taps_are_a_hexagon_of_the_triangular_lattice(size):
    k = size // 2
    grid = filter_grid(size, lattice="hexagonal", spacing=1.5)
    taps = grid.points / 1.5
    assert len(taps) == 3 * k * (k + 1) + 1 == len(grid.cells)
    # Lattice points a (1, 0) + b (1/2, sqrt(3)/2) at hexagonal distance <= k, found by search.
    near = range(-size, size + 1)
    found = [
        (a + b / 2, b * math.sqrt(0.75))
        for a, b in itertools.product(near, near)
        if max(abs(a), abs(b), abs(a + b)) <= k
    ]
    place = torch.tensor(sorted(found), dtype=F64).view(-1, 2)
    distance = torch.cdist(taps, place, compute_mode="donot_use_mm_for_euclid_dist")
    assert_close(distance.min(1).values, torch.zeros(len(taps)), ROUNDING)
    assert sorted(distance.argmin(1).tolist()) == list(range(len(taps)))
    # The six neighbours of the centre are at the spacing.
    if k:
        norms = taps.norm(dim=1)
        assert int(((norms - 1).abs() < ROUNDING).sum()) == 6
    assert grid.extent == pytest.approx(1.5 * k)


def test_hexagonal_filters_are_embedded_in_axial_coordinates():
    """Neighbours in the array are neighbours in the plane: right is x, up is the 60 degree axis."""
    grid = filter_grid(5, lattice="hexagonal")
    x, y = (grid.embed(c) for c in grid.points.unbind(-1))
    inside = grid.embed(torch.ones(19, dtype=F64))
    assert inside.shape == (5, 5) and inside.sum() == 19
    corners = inside[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [1, 0, 0, 1]  # |q + r| <= 2 with r upwards
    right = (inside[:, 1:] * inside[:, :-1]).bool()
    up = (inside[1:] * inside[:-1]).bool()
    for step, expected in (
        ((x[:, 1:] - x[:, :-1])[right], 1.0),
        ((y[:, 1:] - y[:, :-1])[right], 0.0),
        ((x[:-1] - x[1:])[up], 0.5),
        ((y[:-1] - y[1:])[up], math.sqrt(0.75)),
    ):
        assert len(step) == 14
        assert_close(step, torch.full_like(step, expected), ROUNDING)


def test_embed_keeps_leading_axes_and_dtype(generator):
    for grid in (filter_grid((2, 3)), filter_grid(3, lattice="hexagonal"), filter_grid(2, 3)):
        values = torch.randn(4, 5, len(grid.points), generator=generator)
        filters = grid.embed(values)
        assert filters.shape == (4, 5, *grid.size) and filters.dtype == torch.float32
        assert_close(filters.flatten(-grid.n)[..., grid.cells], values, 0)
        assert_close(filters.sum(), values.sum(), 1e-4)


def test_values_are_hashable_and_picklable():
    grids = [
        filter_grid(3, 2),
        filter_grid(3, 3),
        filter_grid((3, 5)),
        filter_grid(3, 2, spacing=2.0),
        filter_grid(3, lattice="hexagonal"),
    ]
    assert len(set(grids)) == len(grids)
    for grid in grids:
        for other in (pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid)):
            assert other == grid and hash(other) == hash(grid)
            assert_close(other.points, grid.points, 0)
    # Dilation is spacing: the same taps are the same grid.
    assert filter_grid(3, 2, dilation=2) == filter_grid(3, 2, spacing=2.0)
    assert filter_grid((3, 3)) == FilterGrid((3, 3), (1.0, 1.0))


BAD = [
    (dict(size=3), "n: expected"),
    (dict(size=0, n=2), "size: expected"),
    (dict(size=(3, 0)), "size: expected"),
    (dict(size=3.0, n=2), "size: expected"),
    (dict(size=True, n=2), "size: expected"),
    (dict(size=3, n=4), "n: expected an integer from 1 to 3"),
    (dict(size=(3, 3), dilation=0), "dilation: expected 2 integers"),
    (dict(size=(3, 3), dilation=(1, 2, 3)), "dilation: expected 2 integers"),
    (dict(size=(3, 3), dilation=1.5), "dilation: expected 2 integers"),
    (dict(size=(3, 3), spacing=0.0), "spacing: expected 2 positive"),
    (dict(size=(3, 3), spacing=(1.0,)), "spacing: expected 2 positive"),
    (dict(size=(3, 3), spacing=-1), "spacing: expected 2 positive"),
    (dict(size=(3, 3), spacing=math.nan), "spacing: expected 2 positive"),
    (dict(size=(3, 3), spacing=math.inf), "spacing: expected 2 positive"),
    (dict(size=(3, 3), lattice="hex"), "lattice: expected 'square' or 'hexagonal'"),
    (dict(size=4, lattice="hexagonal"), "size: expected .* hexagonal"),
    (dict(size=(3, 5), lattice="hexagonal"), "size: expected .* hexagonal"),
    (dict(size=3, n=3, lattice="hexagonal"), "size: expected .* hexagonal"),
    (dict(size=3, lattice="hexagonal", spacing=(1.0, 2.0)), "spacing: expected equal"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[str(a) for a, _ in BAD])
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        filter_grid(**arguments)


@pytest.mark.parametrize("arguments", [dict(size=(3, 3), n=3), dict(size=[3, 3], n=1)], ids=str)
def test_the_error_names_the_size(arguments):
    with pytest.raises((TypeError, ValueError)) as error:
        filter_grid(**arguments)
    assert str(error.value).startswith(("size: expected", "n: expected 2"))
