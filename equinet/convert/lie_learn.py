r"""The bases that lie_learn has for the irreps of SO(3).

.. math:: D_{lie\_learn}(R) = B\, D^l(R)\, B^{-1}, \qquad v_{lie\_learn} = B\, v

with D^l of this library, which is its basis (real, quantum, centered, cs). Rotations have the same
angles there; the axes that it calls x, y, z are z, x, y here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.numerics import real_from_complex
from equinet.numerics.arguments import check_choice, check_integer, check_memory
from equinet.numerics.cached import on_cpu

_FIELDS = ("real", "complex")
_NORMALIZATIONS = ("quantum", "seismology", "geodesy", "nfft")
_ORDERS = ("centered", "block")
_PHASES = ("cs", "nocs")


@on_cpu
def lie_learn_basis(
    l: int,
    field: str = "real",
    normalization: str = "quantum",
    order: str = "centered",
    condon_shortley: str = "cs",
) -> Tensor:
    """The matrix B from vectors of the irrep l here to those in a basis of lie_learn.

    The four words are those of its ``wigner_D_matrix`` and ``change_of_basis_matrix``. Its complex
    basis is the conjugate of the textbook's.

    Args:
        l: degree.
        field: "real" or "complex".
        normalization: "quantum", "seismology", "geodesy" or "nfft": of the harmonics.
        order: "centered", m = -l..l, or "block", in which every second m comes first.
        condon_shortley: "cs", or "nocs" without the phase (-1)^m of m > 0.
    Returns:
        B, complex128 or for a real basis float64, ``(2l + 1, 2l + 1)``.
    Raises:
        ValueError: for another word, or no degree, or one that is too large.

    Example:
        >>> lie_learn_basis(1, order="block")
        tensor([[0., 1., 0.],
                [1., 0., 0.],
                [0., 0., 1.]], dtype=torch.float64)
    """
    check_integer(l, "l", 0)
    check_memory(2 * (2 * l + 1) ** 2, "l", f"a matrix of degree {l}")
    check_choice(field, "field", _FIELDS)
    check_choice(normalization, "normalization", _NORMALIZATIONS)
    check_choice(order, "order", _ORDERS)
    check_choice(condon_shortley, "condon_shortley", _PHASES)
    m = torch.arange(-l, l + 1)
    phase = 1.0 - 2.0 * (m % 2)
    is_real = field == "real"
    B = torch.eye(2 * l + 1, dtype=torch.float64) if is_real else real_from_complex(l).mT
    if normalization != "quantum":
        B = phase[:, None].double() * B
    if normalization == "geodesy":
        B = math.sqrt(4 * math.pi) * B
    if normalization == "nfft":
        B = math.sqrt(4 * math.pi / (2 * l + 1)) * B
    if condon_shortley == "nocs":
        B = torch.where(m > 0, phase, 1.0)[:, None].double() * B
    if order == "block":
        B = torch.cat([B[1::2], B[::2]])
    return B.contiguous()
