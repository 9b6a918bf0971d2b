"""Objects as voxels, upright or in any orientation.

In: ``modelnet10_vox.npz``, the folder of meshes ModelNet10, or "solids". Out: a :class:`Dataset` of
uint8 grids (n, 30, 30, 30) whose last axis points up, and :func:`grids`, which turns them and
reduces them to what the networks read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool3d, grid_sample, pad

import equinet as eq
from examples.common.archive import read_arrays
from examples.common.digits import digest
from examples.common.errors import InputError
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream

from .meshes import read_folder
from .solids import SOLIDS, solid

SIDE = 30  # voxels of the data, the object within the 24 in the middle
SIZE = 21  # voxels of twice the size: the ball around any turned object fits in
VOLUME = eq.Volume("SO(3)")

HELP = (
    "no data: give --data FOLDER or --data FILE. FOLDER is ModelNet10 (modelnet.cs.princeton.edu) "
    "with its meshes as CLASS/train/*.off and CLASS/test/*.off; FILE is an npz archive of voxels "
    "as the README says. To try the program without data: --data solids, simple shapes"
)


class Objects(NamedTuple):
    """Upright objects and what they are."""

    voxels: Tensor  # (n, 30, 30, 30) uint8, 0 or 1
    labels: Tensor  # (n,) int64


@dataclass(frozen=True)
class Dataset:
    """Objects to learn from and objects never seen while learning."""

    name: str
    classes: tuple[str, ...]
    train: Objects
    test: Objects

    def fingerprint(self) -> str:
        """Name, sizes and a hash of the content: two data sets differ exactly when this does."""
        sizes = f"{len(self.train.labels)}+{len(self.test.labels)}"
        return f"{self.name} {sizes} {digest(*self.train, *self.test)}"

    def limited(self, train: int | None, test: int | None) -> "Dataset":
        """At most ``train`` and ``test`` objects, drawn from all (None: all of them)."""
        parts = []
        for objects, most in ((self.train, train), (self.test, test)):
            order = np.random.default_rng(0).permutation(len(objects.labels))[:most]
            chosen = torch.from_numpy(np.sort(order))
            parts.append(Objects(*(tensor[chosen] for tensor in objects)))
        return Dataset(self.name, self.classes, *parts)


def load(source: Path | None) -> Dataset:
    """The objects of a file or folder.

    Args:
        source: an npz archive, the folder of ModelNet10, or "solids".
    Raises:
        InputError: if there is no source, or it does not hold what it should.
    """
    if source is None:
        raise InputError(HELP)
    if str(source) == "solids":
        return solids(train=300, test=120)
    if source.is_dir():
        classes, arrays = read_folder(source, SIDE)
    else:
        classes, arrays = read_npz(source)
    parts = []
    for part in ("train", "test"):
        voxels, labels = arrays[part]
        filled = voxels.reshape(len(voxels), SIDE**3).any(1)  # a few of the archive are empty
        if not filled.any():
            raise InputError(f"data: expected objects for the {part} part in {source}, got none")
        parts.append(
            Objects(torch.from_numpy(voxels[filled]), torch.from_numpy(labels[filled]).long())
        )
    return Dataset(Path(source).name, classes, *parts)


def read_npz(path: Path) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Class names, and voxels and labels of both parts.

    Raises:
        InputError: if an array is missing or has another shape.
    """
    z = read_arrays(path, ("x30_train", "y30_train", "x30_test", "y30_test", "class_names"))
    classes = tuple(map(str, z["class_names"].ravel()))
    found = {}
    for part in ("train", "test"):
        packed, labels = z[f"x30_{part}"], z[f"y30_{part}"]
        if packed.dtype != np.uint8 or packed.shape != (labels.size, SIDE**3 // 8):
            raise InputError(
                f"data: expected x30_{part} uint8 ({labels.size}, {SIDE**3 // 8}) in {path}, bits "
                f"of {SIDE}^3 voxels, got {packed.dtype} {packed.shape}"
            )
        known = labels.dtype.kind in "iu" and ((labels >= 0) & (labels < len(classes))).all()
        if labels.ndim != 1 or not known:
            raise InputError(
                f"data: expected y30_{part} (n,) of numbers of the {len(classes)} class_names in "
                f"{path}, got {labels.dtype} {labels.shape}"
            )
        found[part] = np.unpackbits(packed, axis=1).reshape(-1, SIDE, SIDE, SIDE), labels
    return classes, found


def solids(train: int, test: int) -> Dataset:
    """Simple shapes of random proportions: not ModelNet, but enough to see the effect."""
    parts = []
    for part, n in enumerate((train, test)):
        generator = np.random.default_rng([0, part])
        labels = np.arange(n) % len(SOLIDS)
        voxels = np.stack([solid(SOLIDS[label], SIDE, generator) for label in labels])
        parts.append(Objects(torch.from_numpy(voxels), torch.from_numpy(labels)))
    return Dataset("solids", SOLIDS, *parts)


def grids(voxels: Tensor, rotations: Tensor | None) -> Tensor:
    """Objects as the networks read them.

    Turned about the centre (values between voxels are trilinear), then reduced to voxels of twice
    the size, each the mean of eight. Upright objects are only reduced.

    Args:
        voxels: (batch, 30, 30, 30) uint8.
        rotations: (batch, 3, 3), or None.
    Returns:
        (batch, 1, 21, 21, 21) float32 in [0, 1].
    """
    x = voxels[:, None].float()
    if rotations is None:
        x = pad(x, (SIZE - SIDE // 2,) * 6)
    else:
        # Where to look, R^-1 x, in units of half the grid; grid_sample counts the last axis first.
        inverse = rotations.mT.flip(1, 2).to(x) * (2 * SIZE / SIDE)
        matrix = torch.cat([inverse, x.new_zeros(len(x), 3, 1)], 2)
        where = affine_grid(matrix, [len(x), 1, *(2 * SIZE,) * 3], align_corners=False)
        x = grid_sample(x, where, align_corners=False)
    return avg_pool3d(x, 2)


def train_rotations(n: int, seed: int, epoch: int) -> Tensor:
    """One rotation for each training object, (n, 3, 3), drawn afresh for every epoch."""
    return eq.so3().sample(n, generator=stream(seed, TRAIN_ROTATIONS, epoch))


def fixed_rotations(n: int, seed: int = 0) -> Tensor:
    """One rotation for each test object, (n, 3, 3), the same for every network."""
    return eq.so3().sample(n, generator=stream(seed, TEST_ROTATIONS))
