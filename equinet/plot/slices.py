"""The three coordinate planes of space, each seen with its normal towards the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equinet.plot.canvas import Half


@dataclass(frozen=True)
class CoordinatePlane:
    """A coordinate plane.

    Attributes:
        right: the axis that points to the right, "x", "y" or "z".
        up: the axis that points up.
        normal: the axis that points to the eye.
    """

    right: str
    up: str
    normal: str

    @property
    def axes(self) -> tuple[int, int, int]:
        """The same as numbers 0, 1, 2."""
        return "xyz".index(self.right), "xyz".index(self.up), "xyz".index(self.normal)


PLANES = (
    CoordinatePlane("x", "y", "z"),
    CoordinatePlane("y", "z", "x"),
    CoordinatePlane("z", "x", "y"),
)


def in_plane(points: Tensor, plane: CoordinatePlane) -> Tensor:
    """Points of the plane ``(..., 2)``, (right, up), as points of space ``(..., 3)``."""
    right, up, _ = plane.axes
    out = torch.zeros(*points.shape[:-1], 3, dtype=points.dtype)
    out[..., right], out[..., up] = points[..., 0], points[..., 1]
    return out


def cut(
    values: np.ndarray, spacing: tuple[float, ...]
) -> tuple[list[np.ndarray], list[Half], list[str]]:
    """The three slices of a volume ``(..., x, y, z)`` through its middle.

    An even size has no plane in the middle; then it is the one below, half a step off.

    Returns:
        Images ``(..., height, width)`` with rows that run downwards, half their widths and heights
        in units of length, and the equations of the planes.
    """
    images, halves, names = [], [], []
    sizes = values.shape[-3:]
    for plane in PLANES:
        right, up, normal = plane.axes
        middle = (sizes[normal] - 1) // 2
        flat = np.moveaxis(values, (up - 3, right - 3, normal - 3), (-3, -2, -1))[..., middle]
        images.append(flat[..., ::-1, :])
        halves.append((sizes[right] * spacing[right] / 2, sizes[up] * spacing[up] / 2))
        level = (middle - (sizes[normal] - 1) / 2) * spacing[normal]
        names.append(f"${plane.normal} = {level:g}$")
    return images, halves, names
