"""The one check of group elements.

In: matrices. Out: nothing, or an error that names the argument.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equinet.numerics.values import came, is_readable

TOLERANCE = 1e-4  # elements come in float32 too, after several products


def are_rotations(matrices: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Which of ``matrices`` ``(..., n, n)`` are orthogonal and of determinant 1: bool ``(...)``.

    Args:
        matrices: real floating.
        tolerance: the largest error of an entry of R^T R.
    Returns:
        One answer for each matrix.
    """
    return are_orthogonal(matrices, tolerance) & (torch.linalg.det(matrices) > 0)


def are_orthogonal(matrices: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Which of ``matrices`` ``(..., n, n)`` are orthogonal: bool ``(...)``; NaN is not.

    Args:
        matrices: real floating.
        tolerance: the largest error of an entry of R^T R.
    Returns:
        One answer for each matrix.
    """
    one = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return ((matrices.mT @ matrices - one).abs() < tolerance).all(-1).all(-1)


def check_members(
    matrices: object,
    n: int,
    members: Callable[[Tensor, float], Tensor],
    group: str,
    argument: str,
    like: Tensor | None = None,
) -> None:
    """Raise unless all matrices are elements of a group; their values are read where they may be.

    Args:
        matrices: ``(..., n, n)``.
        n: size of the matrices of the group.
        members: which of some matrices belong to the group up to a tolerance, bool ``(...)``.
        group: its name.
        argument: what the caller calls the matrices.
        like: what is to be moved, if there must be one matrix, or one for each sample of it.
    Raises:
        TypeError: if ``matrices`` is not a tensor.
        ValueError: if it is one of another shape or dtype, or of other matrices.
    """
    expected = f"{argument}: expected elements of {group}, orthogonal matrices of shape "
    expected += f"(..., {n}, {n}), got "
    if not isinstance(matrices, Tensor):
        raise TypeError(f"{expected}{came(matrices)}")
    if matrices.layout != torch.strided:
        raise TypeError(f"{expected}a tensor of layout {matrices.layout}")
    expected += f"a tensor of shape {tuple(matrices.shape)}"
    if matrices.shape[-2:] != (n, n):
        raise ValueError(expected)
    if not matrices.is_floating_point():
        raise ValueError(f"{expected} of {matrices.dtype}")
    if is_readable(matrices):
        seen, tolerance = matrices.detach(), max(TOLERANCE, 4 * torch.finfo(matrices.dtype).eps)
        seen = seen.float() if seen.dtype.itemsize < 4 else seen  # torch has no det for the others
        inside = members(seen, tolerance)
        if not inside.all():
            raise ValueError(f"{expected} with {seen[~inside][0].tolist()}")
    if like is None:
        return
    batch, axes = like.shape[0], matrices.dim() - 2
    if axes > 1 or (axes == 1 and matrices.shape[0] != batch):
        raise ValueError(
            f"{argument}: expected ({n}, {n}) or ({batch}, {n}, {n}), got {tuple(matrices.shape)}"
        )
    if matrices.is_meta and not like.is_meta:
        raise ValueError(f"{argument}: expected a tensor on {like.device}, got one on meta")


def check_rotations(
    rotation: object, argument: str = "rotation", like: Tensor | None = None
) -> None:
    """Raise unless they are rotations of space; see ``check_members``.

    Args:
        rotation: ``(..., 3, 3)``.
        argument: what an error calls it.
        like: as in ``check_members``.
    Raises:
        TypeError: if it is no tensor.
        ValueError: if it is another one.
    """
    check_members(rotation, 3, are_rotations, "SO(3)", argument, like)
