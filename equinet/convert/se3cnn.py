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
from equinet.convert.refusals import refusal
from equinet.field import FieldType, Volume
from equinet.group import so3
from equinet.harmonics import Orbits
from equinet.nn import Conv3d, ConvTranspose3d
from equinet.numerics.cached import on_cpu
from equinet.numerics.pages import explained
from equinet.rep import Representation, irrep

_ROUNDING = 1e-5
_OPTIONS = ("stride", "padding", "dilation")
_KINDS = {"SE3Convolution": Conv3d, "SE3ConvolutionTranspose": ConvTranspose3d}
# What is nearest to layers that have no equal, as the end of a sentence.
_NEAREST = {
    "SE3BatchNorm": "the nearest is enn.BatchNorm, of mean squares of components",
    "SE3BNConvolution": "the nearest are enn.BatchNorm and enn.Conv3d in a row",
    "SE3GroupNorm": "the nearest is enn.GroupNorm",
    "SE3GNConvolution": "the nearest are enn.GroupNorm and enn.Conv3d in a row",
    "SE3Dropout": "enn.FieldDropout draws for each field too",
    "GatedBlock": "the nearest is enn.gated_layer",
    "GatedBlockParity": "the nearest is enn.gated_layer",
    "GatedActivation": "the nearest is enn.Gate, whose gates come from the layer before",
    "NormBlock": "the nearest are enn.Conv3d and enn.NormActivation in a row",
    "NormActivation": "the nearest is enn.NormActivation",
    "NormSoftplus": "the nearest is enn.NormActivation with softplus",
    "NormRelu": "the nearest is enn.NormActivation",
    "Norm": "enn.NormPool is the norm of each field",
    "ScalarActivation": "the nearest is enn.Pointwise, or enn.Gate where there are other fields",
    "Activation": "the nearest is enn.Pointwise, or enn.Gate where there are other fields",
    "Multiplication": "the nearest is enn.Product",
    "GRU": "write it with enn.Conv3d and enn.Gate",
    "SelfInteraction": "the nearest is enn.Linear",
    "SortSphericalSignals": "the nearest is enn.Select",
    "ConcatenateSphericalSignals": "the nearest is enn.Concat",
    "SE3Kernel": "hand over the SE3Convolution that it is of",
    "Kernel": "the nearest is enn.PointConv",
    "Convolution": "the nearest is enn.PointConv",
    "PairConvolution": "the nearest is enn.PointConv",
    "PairConvolution2": "the nearest is enn.PointConv",
    "ApplyKernel": "the nearest is enn.PointConv",
    "NeighborsConvolution": "the nearest is enn.PointConv",
    "PeriodicConvolution": "the nearest is enn.PointConv on a periodic graph",
    "PeriodicConvolutionPrep": "the nearest is enn.PointConv on a periodic graph",
    "ConstantRadialModel": "the nearest is enn.RadialNetwork",
    "FiniteElementModel": "the nearest is enn.RadialNetwork",
    "FC": "the nearest is enn.RadialNetwork",
    "SphericalHarmonicsFindPeaks": "harmonics.spherical_harmonics has the functions",
    "SphericalHarmonicsProject": "harmonics.spherical_harmonics has the functions",
}


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
def from_se3cnn(layer: Convolution) -> Conv3d | ConvTranspose3d:
    """The ``Conv3d`` that is equal to an ``SE3Convolution`` of se3cnn.

    An ``SE3ConvolutionTranspose`` becomes a ``ConvTranspose3d``; it may have an ``output_padding``.

    Features are what they were. ``standard_basis`` leads from its fields to the irreps here.

    Args:
        layer: the convolution, with any radial windows.
    Returns:
        The layer, which has all filters on its taps, without a bias; in the dtype and on the device
        of the weights.
    Raises:
        TypeError: if it is another layer.
        ValueError: for options other than stride, padding and dilation, and for a
            filter that is not equivariant, of which the residual is said.
    """
    name = type(layer).__name__
    if name not in _KINDS:
        expected = "an SE3Convolution or SE3ConvolutionTranspose of se3cnn"
        raise refusal(layer, expected, _NEAREST, _KINDS, ("se3cnn",), "layer")
    is_transposed = name == "SE3ConvolutionTranspose"
    options = (*_OPTIONS, "output_padding") if is_transposed else _OPTIONS
    others = sorted(set(layer.kwargs) - set(options))
    if others:
        raise ValueError(
            f"layer: expected no options but {', '.join(options)}, got {', '.join(others)}"
        )
    kernel, filter = layer.kernel, layer.kernel()
    given, wanted = kernel.Rs_in, kernel.Rs_out
    if is_transposed:  # of a kernel from the output to the input
        given, wanted, filter = wanted, given, filter.transpose(0, 1)
    in_type, out_type = _fields(given), _fields(wanted)
    lmax = max(l for _, l in given) + max(l for _, l in wanted)
    found = _KINDS[name](
        in_type,
        out_type,
        kernel.size,
        **layer.kwargs,
        bias=False,
        functions=functools.partial(Orbits, lmax=lmax),
        dtype=torch.float64,
    )
    residual = project_filter(found, filter, argument="layer")
    if not residual < _ROUNDING:
        text = (
            f"layer: expected an equivariant filter, but the part {residual:.2g} of its norm is no "
            f"kernel between {in_type!r} and {out_type!r}; project_filter takes the nearest filter"
        )
        raise ValueError(explained(text, "guide/converters.md#a-filter-is-projected"))
    return found.to(kernel.weight).train(layer.training)


def _fields(blocks: Sequence[tuple[int, int]]) -> FieldType:
    return Volume(so3()).fields([(mul, _irrep(l)) for mul, l in blocks])


def _irrep(l: int) -> Representation:
    """The irrep of degree l in the basis of lie_learn."""
    here = irrep(so3(), l)
    A = torch.eye(3, dtype=torch.float64).roll(1, 1)
    return here if l == 0 else Representation(so3(), f"{l} of se3cnn", here.irreps, here(A))
