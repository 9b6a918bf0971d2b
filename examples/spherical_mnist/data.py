"""Real digits, and the rotation that each of them gets.

In: a :class:`Dataset` of uint8 images (n, 28, 28). Out: samples, which are functions on the sphere.
"""

from functools import lru_cache

import torch
from torch import Tensor

import equinet as eq
from equinet.transforms import StereographicProjection
from examples.common.digits import Digits
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream
from examples.common.training import Samples

IMAGE_SIZE = 28
BAND = 30

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


@lru_cache(maxsize=1)
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


def samples(digits: Digits, device: torch.device, dtype: torch.dtype, rotations) -> Samples:
    """Digits on the sphere, each turned by its rotation.

    Args:
        digits: the digits.
        device: where they are projected.
        dtype: in which they are projected.
        rotations: ``rotations(epoch)`` gives (n, 3, 3), or None for upright digits.
    """
    project = projection()

    def make(indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        turns = rotations(epoch)
        turns = None if turns is None else turns[indices].to(device)
        signal = on_sphere(project, digits.images[indices].to(device), turns, dtype)
        return signal, digits.labels[indices]

    return Samples(len(digits.labels), make)
