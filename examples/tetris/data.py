"""The eight pieces of Tetris in space, in any orientation, as voxels.

In: rotations. Out: samples, volumes (batch, 1, size, size, size) in [0, 1].
"""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, pad

import equinet as eq
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream
from examples.common.training import Samples

# Four cubes each, by their corners.
PIECES = {
    "chiral 1": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)),
    "chiral 2": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "square": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)),
    "line": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)),
    "corner": ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "L": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)),
    "T": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)),
    "zigzag": ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)),
}

# A voxel is the mean over FINE^3 points in it, so that a turned piece has soft edges, not steps.
# With 4 no point is ever on the face of a cube of an upright piece.
FINE = 4

# No piece is farther from its centre of mass than this, in sides of a cube.
REACH = 2.5

# How many rotations of each piece a network is tested with.
TESTS = 100


def voxels(pieces: Tensor, rotations: Tensor, size: int, side: int) -> Tensor:
    """Turned pieces, the centre of mass of each in the centre of its volume.

    Args:
        pieces: (batch,) int64, numbers of the pieces.
        rotations: (batch, 3, 3).
        size: of the volume, in voxels.
        side: of one cube of a piece, in voxels.
    Returns:
        (batch, 1, size, size, size) float32: the share of each voxel that is in the piece.
    """
    margin = max(0, math.floor(size / 2 - REACH * side))  # where nothing ever is
    inner = FINE * (size - 2 * margin)
    fine = (torch.arange(inner, dtype=torch.float32) + 0.5 - inner / 2) / (FINE * side)
    points = torch.cartesian_prod(fine, fine, fine)
    near = (points.norm(dim=1) < REACH).nonzero()[:, 0]
    volumes = []
    for piece, rotation in zip(pieces.tolist(), rotations, strict=True):
        # In the coordinates of the piece, R^-1 x.
        volume = torch.zeros(len(points))
        volume[near] = _inside(piece, rotation.to(points).T @ points[near].T).float()
        volumes.append(avg_pool3d(volume.view(1, 1, inner, inner, inner), FINE))
    return pad(torch.cat(volumes), [margin] * 6)


def _inside(piece: int, points: Tensor) -> Tensor:
    """Whether each point (3, n) is in a cube of the piece; the unit is the side of a cube."""
    centres = torch.tensor(list(PIECES.values())[piece]).to(points)
    inside = points.new_zeros(points.shape[1], dtype=torch.bool)
    for centre in centres - centres.mean(0):
        inside |= (points - centre[:, None]).abs().amax(0) <= 0.5
    return inside


def _batch(copies: int, seed: int, purpose: int, size: int, side: int) -> tuple[Tensor, Tensor]:
    """Each piece ``copies`` times, every time in a random orientation."""
    labels = torch.arange(len(PIECES)).repeat(copies)
    rotations = eq.so3().sample(len(labels), generator=stream(seed, purpose))
    return voxels(labels, rotations, size, side), labels


@lru_cache(maxsize=4)
def training_pieces(seed: int, size: int, side: int) -> Samples:
    """One copy of each piece, in one random orientation, drawn once."""
    return _fixed(_batch(1, seed, TRAIN_ROTATIONS, size, side))


@lru_cache(maxsize=4)
def test_pieces(copies: int, size: int, side: int) -> Samples:
    """Each piece in many other random orientations, the same ones for all networks."""
    return _fixed(_batch(copies, 0, TEST_ROTATIONS, size, side))


def _fixed(batch: tuple[Tensor, Tensor]) -> Samples:
    volumes, labels = batch
    return Samples(len(labels), lambda indices, epoch: (volumes[indices], labels[indices]))
