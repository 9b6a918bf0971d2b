r"""Surfaces, and how they become functions on the sphere.

In: an archive of points with normals, or none. Out: a :class:`Dataset`, and :func:`on_sphere`.

A point at distance r in direction u with normal n becomes a spot at u on the spheres nearest to r:
with hats h_k about ``SHELLS`` radii,

.. math:: f_k(x) = \frac1N \sum_i h_k(r_i)\, \delta(x, u_i), \qquad
          f'_k(x) = \frac1N \sum_i h_k(r_i)\, (n_i \cdot u_i)\, \delta(x, u_i)

where delta is a Gaussian below the band. The harmonics at u are its spectrum, so turned points
have turned functions, exactly; nothing is resampled.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import equinet as eq
from equinet.field.transform import field_synthesis
from equinet.harmonics import spherical_harmonics
from examples.common.archive import read_arrays
from examples.common.digits import digest
from examples.common.errors import InputError
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream
from examples.common.training import Samples

from .meshes import SHAPES, shape, surface

BAND, SHELLS = 16, 4
INPUT = eq.Sphere(BAND).fields(f"{2 * SHELLS}x trivial")
WIDTH = 0.11  # of a spot, in radians

POINTS = 1024  # of a surface in a sample; others of the same surface in the next epoch
STRETCH, SHIFT = 0.1, 0.03  # of training surfaces, at random
SPLIT, DEFORM = 20, 21  # purposes of random streams
LEARNED = 0.7  # share of each class


class Surfaces(NamedTuple):
    """Points of surfaces about the origin, in the unit ball, and what the surfaces are of."""

    points: Tensor  # (n, points, 3) float32
    normals: Tensor  # (n, points, 3) float32
    labels: Tensor  # (n,) int64


@dataclass(frozen=True)
class Dataset:
    """Surfaces to learn from and surfaces never seen while learning."""

    name: str
    classes: tuple[str, ...]
    train: Surfaces
    test: Surfaces

    def fingerprint(self) -> str:
        """Name, sizes and a hash of the content."""
        sizes = f"{len(self.train.labels)}+{len(self.test.labels)}"
        return f"{self.name} {sizes} {digest(*self.train, *self.test)}"


def load(path: Path | None, each: int = 30) -> Dataset:
    """The surfaces of an archive as the README says, or of ``each`` meshes of simple things.

    Raises:
        InputError: if the arrays are not what they should be.
    """
    if path is None:
        return _split("simple", SHAPES, _simple(each))
    arrays = read_arrays(path, ("points", "normals", "labels", "class_names"))
    points, normals, labels = (arrays[name] for name in ("points", "normals", "labels"))
    classes = tuple(map(str, arrays["class_names"].ravel()))
    if points.ndim != 3 or points.shape[2] != 3 or normals.shape != points.shape:
        raise InputError(
            f"data: expected points and normals (n, points, 3) in {path}, got {points.shape} and "
            f"{normals.shape}"
        )
    known = labels.dtype.kind in "iu" and ((labels >= 0) & (labels < len(classes))).all()
    if labels.shape != points.shape[:1] or not known:
        raise InputError(
            f"data: expected labels ({len(points)},) of the {len(classes)} class_names in {path}"
        )
    if points.dtype != np.int16 or normals.dtype != np.int8:
        raise InputError(
            f"data: expected int16 points in units of 1/32767 and int8 normals of 1/127 in {path}, "
            f"got {points.dtype} and {normals.dtype}"
        )
    found = points.astype(np.float32) / 32767, normals.astype(np.float32) / 127, labels
    return _split(path.name, classes, found)


def _simple(each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, normals and labels of ``each`` meshes of every kind."""
    labels = np.repeat(np.arange(len(SHAPES)), each)
    points, normals = [], []
    for number, label in enumerate(labels):
        generator = np.random.default_rng([0, number])
        found = surface(shape(SHAPES[label], generator), 2 * POINTS, generator)
        points.append(found[0])
        normals.append(found[1])
    return np.stack(points), np.stack(normals), labels


def _split(
    name: str, classes: tuple[str, ...], arrays: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Dataset:
    """The same share of every class to learn from, drawn once for all runs."""
    points, normals = (torch.from_numpy(x).float() for x in arrays[:2])
    labels = torch.from_numpy(arrays[2]).long()
    order = torch.randperm(len(labels), generator=stream(0, SPLIT))
    parts: tuple[list[Tensor], list[Tensor]] = [], []
    for label in range(len(classes)):
        own = order[labels[order] == label]
        for part, numbers in zip(parts, own.tensor_split([round(LEARNED * len(own))]), strict=True):
            part.append(numbers)
    chosen = [torch.cat(part).sort().values for part in parts]
    if not all(map(len, chosen)):
        raise InputError(f"data: expected surfaces to learn from and others to test on in {name}")
    return Dataset(name, classes, *(Surfaces(points[i], normals[i], labels[i]) for i in chosen))


def deformed(surfaces: Surfaces, indices: Tensor, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Other points of each surface in every epoch, stretched and moved a little at random.

    Args:
        surfaces: to learn from.
        indices: of those asked for, ``(batch,)``.
        seed: of the training.
        epoch: decides, with the seed, what is drawn.
    Returns:
        Points and normals, ``(batch, POINTS, 3)`` each.
    """
    n, count = surfaces.points.shape[:2]
    random = stream(seed, DEFORM, epoch)
    chosen = torch.randint(count, (n, POINTS), generator=random)[indices]
    noise = torch.randn(n, 3, 3, generator=random)[indices]
    shift = SHIFT * torch.randn(n, 1, 3, generator=random)[indices]
    stretch = torch.eye(3) + STRETCH * (noise + noise.mT) / 2
    points, normals = surfaces.points[indices[:, None], chosen], surfaces.normals
    # A normal stays at right angles to the surface.
    turned = torch.linalg.solve(stretch, normals[indices[:, None], chosen].mT).mT
    return points @ stretch + shift, torch.nn.functional.normalize(turned, dim=-1)


def on_sphere(points: Tensor, normals: Tensor, rotations: Tensor | None = None) -> Tensor:
    """The functions f_k and f'_k.

    Args:
        points: ``(batch, points, 3)``.
        normals: likewise.
        rotations: ``(batch, 3, 3)``, by which the surfaces are turned first, or None.
    Returns:
        ``INPUT.shape(batch)``.
    """
    if rotations is not None:
        turn = rotations.mT.to(points)
        points, normals = points @ turn, normals @ turn
    r = points.norm(dim=-1, keepdim=True)
    u = points / r.clamp_min(1e-6)
    radii = (torch.arange(SHELLS) + 0.5) / SHELLS
    hats = (1 - (r - radii).abs() * SHELLS).clamp_min(0)
    weights = torch.cat([hats, hats * (normals * u).sum(-1, keepdim=True)], -1)
    l = torch.arange(BAND)
    spot = torch.exp(-l * (l + 1) * WIDTH**2 / 2).repeat_interleave(2 * l + 1)
    spectrum = weights.mT @ (spherical_harmonics(BAND - 1, u) * spot)  # (batch, channel, l and m)
    to_field = field_synthesis(INPUT, BAND, points.dtype, points.device)
    return SHELLS * to_field(spectrum.permute(2, 1, 0).flatten() / points.shape[1], len(points))


def train_samples(surfaces: Surfaces, seed: int, turned: bool) -> Samples:
    """Surfaces to learn from, deformed anew in every epoch, and turned at random if asked."""
    n = len(surfaces.labels)

    def make(indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        rotations = None
        if turned:
            rotations = eq.so3().sample(n, generator=stream(seed, TRAIN_ROTATIONS, epoch))[indices]
        found = deformed(surfaces, indices, seed, epoch)
        return on_sphere(*found, rotations), surfaces.labels[indices]

    return Samples(n, make)


def test_samples(surfaces: Surfaces) -> dict[str, Samples]:
    """The two ways to show the test surfaces: upright, and each turned by a rotation of its own."""
    n = len(surfaces.labels)
    rotations = eq.so3().sample(n, generator=stream(0, TEST_ROTATIONS))
    upright = on_sphere(surfaces.points, surfaces.normals)
    turned = on_sphere(surfaces.points, surfaces.normals, rotations)

    def kept(inputs: Tensor) -> Samples:
        return Samples(n, lambda indices, epoch: (inputs[indices], surfaces.labels[indices]))

    return {"upright": kept(upright), "rotated": kept(turned)}
