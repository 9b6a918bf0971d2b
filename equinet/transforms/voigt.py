r"""Symmetric tensors as the rows of numbers in which engineers write them, and back.

In: rows in Voigt's notation. Out: tensors with all their indices, which ``rep.CartesianTensor``
takes apart into irreps, and back.

A symmetric tensor of space has six numbers. What is written for T_yz, T_xz and T_xy differs:

.. math:: v = (T_{xx}, T_{yy}, T_{zz}, w T_{yz}, w T_{xz}, w T_{xy}) \quad (V11)

with w = 1 for a stress, w = 2 for a strain (engineering shear, gamma = 2 epsilon), and w = sqrt 2
in Mandel's notation, where \|v\| is the norm of T. A row does not say which it is, and with the
wrong w it is another tensor of the same shape, which no check of a network would find.
"""

import torch
from torch import Tensor

from equinet.numerics.arguments import check_choice, check_integer, check_string
from equinet.numerics.values import check_floating

_SHEAR = {"stress": 1.0, "strain": 2.0, "mandel": 2**0.5}
_ORDERS = {1: "xx", 2: "xx yy xy", 3: "xx yy zz yz xz xy"}


def from_voigt(values: Tensor, *, shear: str, pairs: int = 1, order: str | None = None) -> Tensor:
    r"""Symmetric tensors from their rows in Voigt's notation (V11).

    Args:
        values: ``(..., 6)`` in space, ``(..., 3)`` in the plane; with two pairs ``(..., 6, 6)``.
        shear: "stress" (w = 1), "strain" (w = 2) or "mandel" (w = sqrt 2), for every pair: of a
            tensor of fourth rank a stiffness is "stress", a compliance "strain".
        pairs: how many of the last axes stand for a pair of indices.
        order: of the numbers, "xx yy zz yz xz xy" if None, as in ASE; LAMMPS has
            "xx yy zz xy xz yz", VASP "xx yy zz xy yz zx".
    Returns:
        ``(..., 3, 3)``; with two pairs ``(..., 3, 3, 3, 3)``.
    Raises:
        TypeError: if ``values`` is not a real floating tensor.
        ValueError: for another shape, another word, or an order in which a pair lacks.

    Example:
        >>> from equinet import o3
        >>> from equinet.rep import CartesianTensor
        >>> strain = from_voigt(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.2]), shear="strain")
        >>> strain[0]
        tensor([0.0000, 0.1000, 0.0000])
        >>> CartesianTensor(o3(), "ij=ji").to_irreps(strain).shape  # 1x0e + 1x2e
        torch.Size([6])
    """
    values, w = check_floating("values", values), _weight(shear)
    check_integer(pairs, "pairs", most=3)
    count = values.shape[-1] if values.dim() >= pairs else 0
    n = next((n for n, names in _ORDERS.items() if len(names.split()) == count), None)
    if n is None or values.shape[values.dim() - pairs :] != (count,) * pairs:
        raise ValueError(
            f"values: expected (..., 6) of space or (..., 3) of the plane, for each of {pairs} "
            f"pairs of indices, got {tuple(values.shape)}"
        )
    basis = _basis(n, order).to(values)  # (numbers, n, n), 1 at both places of a shear
    basis = basis / w ** _is_shear(basis)
    for axis in range(pairs):
        rows = values.movedim(values.dim() - pairs - axis, -1)
        values = (rows @ basis.flatten(1)).unflatten(-1, (n, n))
    return values


def to_voigt(tensor: Tensor, *, shear: str, pairs: int = 1, order: str | None = None) -> Tensor:
    """Rows in Voigt's notation (V11), the inverse of ``from_voigt``.

    Args:
        tensor: ``(..., n, n)``, with two pairs ``(..., n, n, n, n)``; what is antisymmetric in a
            pair is lost.
        shear: as for ``from_voigt``, and so ``pairs`` and ``order``.
        pairs: see there.
        order: see there.
    Returns:
        ``(..., 6)`` in space; with two pairs ``(..., 6, 6)``.
    Raises:
        TypeError: if ``tensor`` is not a real floating tensor.
        ValueError: for another shape, another word, or an order in which a pair lacks.

    Example:
        >>> to_voigt(torch.tensor([[1.0, 0.5], [0.5, 2.0]]), shear="strain")
        tensor([1., 2., 1.])
    """
    tensor, w = check_floating("tensor", tensor), _weight(shear)
    check_integer(pairs, "pairs", most=3)
    n = tensor.shape[-1] if tensor.dim() >= 2 * pairs else 0
    if n not in _ORDERS or tensor.shape[tensor.dim() - 2 * pairs :] != (n,) * (2 * pairs):
        raise ValueError(
            f"tensor: expected (..., n, n) with n up to 3, for each of {pairs} pairs of indices, "
            f"got {tuple(tensor.shape)}"
        )
    basis = _basis(n, order).to(tensor)
    basis = basis * (w / 2) ** _is_shear(basis)
    for axis in range(pairs):
        first = tensor.dim() - 2 * pairs + axis
        tensor = tensor.flatten(first, first + 1).movedim(first, -1) @ basis.flatten(1).mT
    return tensor


def _weight(shear: str) -> float:
    return _SHEAR[check_choice(shear, "shear", tuple(_SHEAR))]


def _is_shear(basis: Tensor) -> Tensor:
    """1 for each number off the diagonal, 0 for the others, ``(numbers, 1, 1)``."""
    return 1 - basis.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]


def _basis(n: int, order: str | None) -> Tensor:
    """For each number of a row the places that it has in the matrix, ``(numbers, n, n)``."""
    wanted = _ORDERS[n]
    names = wanted.split() if order is None else check_string(order, "order").split()
    if sorted("".join(sorted(name)) for name in names) != sorted(wanted.split()):
        raise ValueError(f"order: expected the pairs {wanted!r} in some order, got {order!r}")
    basis = torch.zeros(len(names), n, n)
    for number, name in zip(basis, names, strict=True):
        i, j = ("xyz".index(letter) for letter in name)
        number[i, j] = number[j, i] = 1
    return basis
