"""Neighbour lists against brute force."""

import itertools

import pytest
import torch

from equinet.transforms.graph import radius_graph
from tests.tolerances import ROUNDING, assert_close


def _points(count, n, generator):
    return 3 * torch.rand(count, n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("loop", [False, True])
def test_open(n, loop, generator):
    x = _points(40, n, generator)
    distance = torch.cdist(x, x)
    near = distance <= 0.7
    if not loop:
        near.fill_diagonal_(False)
    edges, shifts = radius_graph(x, 0.7, loop=loop)
    assert shifts is None and edges.dtype == torch.int64
    assert torch.equal(edges.flip(0), near.nonzero().mT)


def test_clouds_do_not_see_each_other(generator):
    x = _points(30, 3, generator)
    batch = torch.randint(3, (30,), generator=generator)
    edges, _ = radius_graph(x, 1.0, batch)
    near = (torch.cdist(x, x) <= 1.0) & (batch[:, None] == batch)
    near.fill_diagonal_(False)
    assert torch.equal(edges.flip(0), near.nonzero().mT)


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5])
def test_periodic(radius, generator):
    """All images in a skew cell, also with points outside of it and a radius beyond it."""
    cell = torch.tensor([[1.0, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.2, 0.3, 1.2]], dtype=torch.float64)
    x = _points(4, 3, generator) - 1
    edges, shifts = radius_graph(x, radius, cell=cell)
    found = {
        (int(j), int(i), *(shift @ torch.linalg.inv(cell)).round().int().tolist())
        for (j, i), shift in zip(edges.mT, shifts, strict=True)
    }
    steps = range(-8, 9)
    expected = set()
    for step in itertools.product(steps, repeat=3):
        image = torch.tensor(step, dtype=torch.float64) @ cell
        near = (x[None] + image - x[:, None]).norm(dim=-1) <= radius  # (i, j)
        expected |= {(int(j), int(i), *step) for i, j in near.nonzero() if (i != j or any(step))}
    assert found == expected and len(found) == edges.shape[1]
    vectors = x[edges[0]] - x[edges[1]] + shifts
    assert (vectors.norm(dim=1) <= radius + ROUNDING).all()


def test_a_cell_for_each_cloud(generator):
    x = _points(6, 2, generator)
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    cells = torch.stack([torch.eye(2), 1.5 * torch.eye(2)]).double()
    edges, shifts = radius_graph(x, 1.2, batch, cell=cells)
    first, second = (radius_graph(x[batch == k], 1.2, cell=cells[k]) for k in (0, 1))
    assert torch.equal(edges, torch.cat([first[0], second[0] + 3], 1))
    assert_close(shifts, torch.cat([first[1], second[1]]), ROUNDING)


def test_empty():
    edges, shifts = radius_graph(torch.zeros(0, 3), 1.0, cell=torch.eye(3))
    assert edges.shape == (2, 0) and shifts.shape == (0, 3)


def test_bad_input():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="^positions: expected"):
        radius_graph(torch.zeros(3), 1.0)
    with pytest.raises(ValueError, match="^radius: expected"):
        radius_graph(x, 0.0)
    with pytest.raises(ValueError, match=r"^batch: expected int64 \(3,\)"):
        radius_graph(x, 1.0, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="^cell: expected"):
        radius_graph(x, 1.0, cell=torch.eye(3))
