"""Rotations of space as 3 x 3 matrices and their Euler angles in the order Y X Y.

In: angles, matrices or points. Out: the same, batched, differentiable.

The polar axis is y: R = Y(alpha) X(beta) Y(gamma), and the point with angles (alpha, beta) is
(sin beta sin alpha, cos beta, sin beta cos alpha). Textbook formulas in Z Y Z angles hold as they
stand; only the names of the Cartesian axes are relabelled, (x, y, z) -> (y, z, x).
"""

from math import prod

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.membership import check_rotations
from equinet.numerics.values import check_floating


def _about(angle: Tensor, axis: int) -> Tensor:
    """Rotation about the Cartesian axis 0, 1 or 2 (x, y, z), counter-clockwise in radians."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        0: (one, zero, zero, zero, c, -s, zero, s, c),
        1: (c, zero, s, zero, one, zero, -s, zero, c),
        2: (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def angles_to_matrix(alpha: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
    """R = Y(alpha) X(beta) Y(gamma) for angles in radians, shape ``(..., 3, 3)``.

    Args:
        alpha: about y, the last of the three turns.
        beta: about x.
        gamma: about y, the first.
    Returns:
        Rotations in the shape that the angles broadcast to, and in their dtype.
    Raises:
        TypeError: if the angles are not real floating tensors of one dtype.
        ValueError: if their shapes do not broadcast.
    """
    for name, angle in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        check_floating(name, angle)
    for name, angle in (("beta", beta), ("gamma", gamma)):
        if angle.dtype != alpha.dtype:
            raise TypeError(f"{name}: expected {alpha.dtype}, as alpha, got {angle.dtype}")
        for other in (alpha, beta):
            sizes = zip(reversed(angle.shape), reversed(other.shape), strict=False)
            if any(m != n and m != 1 and n != 1 for m, n in sizes):
                raise ValueError(
                    f"{name}: expected a shape that broadcasts with {tuple(other.shape)}, got "
                    f"{tuple(angle.shape)}"
                )
    return _product(alpha, beta, gamma)


def _product(alpha: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
    alpha, beta, gamma = torch.broadcast_tensors(alpha, beta, gamma)
    return _about(alpha, 1) @ _about(beta, 0) @ _about(gamma, 1)


def points_to_angles(points: Tensor) -> tuple[Tensor, Tensor]:
    """(alpha, beta) of the directions of ``points``, shape ``(..., 3)``; alpha = 0 at the poles.

    Raises:
        TypeError, ValueError: if ``points`` are not real points of space.
    """
    check_floating("points", points, 3)
    x, y, z = points.unbind(-1)
    return torch.atan2(x, z), torch.atan2(torch.hypot(x, z), y)


def matrix_to_angles(rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(alpha, beta, gamma) in radians of ``rotation``, shape ``(..., 3, 3)``; beta in [0, pi].

    At beta = 0 or pi only alpha + gamma or alpha - gamma is determined; then alpha = 0.

    Raises:
        TypeError, ValueError: if ``rotation`` is not a tensor of rotations.
    """
    check_rotations(rotation)
    return euler_angles(rotation)


def euler_angles(rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same without a look at ``rotation``."""
    alpha, beta = points_to_angles(rotation[..., :, 1])  # R maps the pole (0, 1, 0) to this point
    # Undo alpha and beta; what is left is Y(gamma), whose first row is (cos, 0, sin).
    zero = torch.zeros_like(alpha)
    rest = _product(alpha, beta, zero).mT @ rotation
    return alpha, beta, torch.atan2(rest[..., 0, 2], rest[..., 0, 0])


def random_rotations(*size: int, generator: torch.Generator | None = None) -> Tensor:
    """Rotations drawn from Haar measure, float64 ``(*size, 3, 3)``, by normal quaternions.

    Args:
        size: the shape of the batch.
        generator: of random numbers.
    Returns:
        The rotations.
    Raises:
        ValueError: if a size is not an integer >= 0, or they are too many to fit into memory.
    """
    for length in size:
        check_integer(length, "size", 0)
    check_memory(9 * prod(size), "size", f"{prod(size)} rotations")
    q = torch.randn(*size, 4, generator=generator, dtype=torch.float64)
    w, x, y, z = (q / q.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
