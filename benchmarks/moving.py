"""Moving fields by group elements, beside what torch needs for the same values.

Calls that do the same work take turns in one process.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from benchmarks.measure import Row, alternated, milliseconds
from benchmarks.spherical import our_step
from equinet import nn as enn
from equinet.field import Plane, Sphere, Volume, act
from equinet.harmonics import rotate_s2
from equinet.numerics import random_rotations
from equinet.testing import equivariance_error

VOLUMES = (32, 1, 29, 29, 29)
IMAGES = (8, 32, 64, 64)


def run() -> list[Row]:
    """All rows, with a progress bar."""
    jobs: list[Callable[[], list[Row]]] = [
        *(_exact, _one_for_each, _volume, _plane, _regular, _sphere, _check)
    ]
    rows = []
    for job in tqdm(jobs, desc="moving", unit="task"):
        rows += job()
    return rows


def _exact() -> list[Row]:
    """A quarter turn of one volume of 32 channels."""
    scalars = Volume("O").fields("32x trivial")
    x = torch.randn(1, 32, 29, 29, 29)
    g = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    calls = {
        "equinet": lambda: act(scalars, g, x),
        "torch.rot90": lambda: torch.rot90(x, 1, (2, 3)).contiguous(),
    }
    _same(calls, 1e-6)
    return alternated("exact element, 32 x 29^3", calls)


def _one_for_each() -> list[Row]:
    """Another rotation of the cube for each of 32 volumes."""
    space = Volume("O")
    scalars, x = space.fields("1x trivial"), torch.randn(VOLUMES)
    g = space.group.sample(32, generator=torch.Generator().manual_seed(0))
    calls = {
        "equinet": lambda: act(scalars, g, x),
        "torch.rot90, one for all": lambda: torch.rot90(x, 1, (2, 3)).contiguous(),
    }
    return alternated("exact element for each of 32 x 29^3", calls)


def _grid(matrix: Tensor, x: Tensor) -> Tensor:
    """The grid of affine_grid, whose axes are x, y(, z) in the order of the tensor from behind."""
    n = x.dim() - 2
    theta = torch.cat([matrix, torch.zeros(n, 1)], 1)[None].expand(len(x), -1, -1)
    return F.affine_grid(theta, list(x.shape), align_corners=True)


def _volume() -> list[Row]:
    space = Volume("SO(3)")
    scalars, x = space.fields("32x0"), torch.randn(1, 32, 29, 29, 29)
    (g,) = space.group.sample(1, generator=torch.Generator().manual_seed(0))
    back = g.float().T.flip(0, 1)
    calls = {
        "equinet": lambda: act(scalars, g, x),
        "grid_sample": lambda: F.grid_sample(x, _grid(back, x), align_corners=True),
    }
    return alternated("order 1, volume 32 x 29^3", calls)


def _plane() -> list[Row]:
    space = Plane("SO(2)")
    scalars, x = space.fields("32x0"), torch.randn(IMAGES)
    (g,) = space.group.sample(1, generator=torch.Generator().manual_seed(0))
    # y points up in the plane and down in the tensor.
    back = g.float().T * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    calls = {
        "equinet": lambda: act(scalars, g, x),
        "grid_sample": lambda: F.grid_sample(x, _grid(back, x), align_corners=True),
    }
    _same(calls, 1e-3)
    return alternated("order 1, images 8 x 32 x 64^2", calls)


def _regular() -> list[Row]:
    """A regular field of C8 turned by 45 degrees: its channels change places too."""
    space = Plane("C8")
    regular, x = space.fields("4x regular"), torch.randn(IMAGES)
    angle = math.pi / 4
    g = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    back = g.T * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    calls = {
        "equinet": lambda: act(regular, g, x),
        "grid_sample": lambda: F.grid_sample(x, _grid(back, x), align_corners=True),
    }
    return alternated("regular fields of C8 by 45 degrees, 8 x 32 x 64^2", calls)


def _sphere() -> list[Row]:
    """32 functions of band 30, each turned by its own rotation, beside a training step on them."""
    x = torch.randn(32, 1, 60, 60)
    rotations = random_rotations(32, generator=torch.Generator().manual_seed(0)).float()
    step = our_step()
    calls = {
        "equinet": lambda: rotate_s2(x, rotations),
        "training step of the spherical MNIST network": step,
    }
    return alternated("rotate 32 functions of band 30", calls)


def _check() -> list[Row]:
    sphere = Sphere(128)
    layer = enn.SphereConv(sphere.fields("1x0"), sphere.fields("1x0"))
    [time] = milliseconds(lambda: equivariance_error(layer), 1, 0)
    return [Row("equivariance_error of a SphereConv at band 128", "equinet", time, time, time)]


def _same(calls: dict[str, Callable[[], Any]], tolerance: float) -> None:
    ours, peer = (call() for call in calls.values())
    error = (ours - peer).abs().max()
    assert error < tolerance, f"{error:.1e} is not the same"
