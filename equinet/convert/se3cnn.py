r"""Convolutions of se3cnn, with their weights, as layers of this library.

Its fields are irreps of SO(3) in the basis of lie_learn, in which y, z, x are what x, y, z are
here: with A that takes (x, y, z) to (y, z, x), D_{se3cnn}(R) = D(A) D(R) D(A)^{-1}. Volumes have
the axes x, y, z in both.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from equinet.convert.projection import project_filter
from equinet.field import FieldType, Volume
from equinet.group import so3
from equinet.harmonics import Orbits
from equinet.nn import Conv3d
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation, irrep

_ROUNDING = 1e-5
_OPTIONS = ("stride", "padding", "dilation")


class Kernel(Protocol):
    """``SE3Kernel``: the filter, and (multiplicity, degree) of the fields on each side."""

    Rs_in: Sequence[tuple[int, int]]
    Rs_out: Sequence[tuple[int, int]]
    size: int
    weight: Tensor

    def __call__(self) -> Tensor: ...


class Convolution(Protocol):
    """``SE3Convolution``; ``kwargs`` are those of ``torch.nn.functional.conv3d``."""

    kernel: Kernel
    kwargs: Mapping[str, Any]
    training: bool


@on_cpu
def from_se3cnn(layer: Convolution) -> Conv3d:
    """The ``Conv3d`` that is equal to an ``SE3Convolution`` of se3cnn.

    Features are what they were. ``standard_basis`` leads from its fields to the irreps here.

    Args:
        layer: the convolution, with any radial windows.
    Returns:
        The layer, which has all filters on its taps, without a bias; in the dtype and on the device
        of the weights.
    Raises:
        TypeError: if it is another layer.
        ValueError: for options of ``conv3d`` other than stride, padding and dilation, and for a
            filter that is not equivariant, of which the residual is said.
    """
    name = type(layer).__name__
    if name != "SE3Convolution":
        raise TypeError(f"layer: expected an SE3Convolution of se3cnn, got {name}")
    others = sorted(set(layer.kwargs) - set(_OPTIONS))
    if others:
        raise ValueError(
            f"layer: expected no options but {', '.join(_OPTIONS)}, got {', '.join(others)}"
        )
    kernel = layer.kernel
    in_type, out_type = _fields(kernel.Rs_in), _fields(kernel.Rs_out)
    lmax = max(l for _, l in kernel.Rs_in) + max(l for _, l in kernel.Rs_out)
    found = Conv3d(
        in_type,
        out_type,
        kernel.size,
        **layer.kwargs,
        bias=False,
        functions=functools.partial(Orbits, lmax=lmax),
        dtype=torch.float64,
    )
    residual = project_filter(found, kernel(), argument="layer")
    if not residual < _ROUNDING:
        raise ValueError(
            f"layer: expected an equivariant filter, but the part {residual:.2g} of its norm is no "
            f"kernel between {in_type!r} and {out_type!r}"
        )
    return found.to(kernel.weight).train(layer.training)


def _fields(blocks: Sequence[tuple[int, int]]) -> FieldType:
    return Volume(so3()).fields([(mul, _irrep(l)) for mul, l in blocks])


def _irrep(l: int) -> Representation:
    """The irrep of degree l in the basis of lie_learn."""
    here = irrep(so3(), l)
    A = torch.eye(3, dtype=torch.float64).roll(1, 1)
    return here if l == 0 else Representation(so3(), f"{l} of se3cnn", here.irreps, here(A))
