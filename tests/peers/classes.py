"""The names of all modules of escnn 1.0.11, e2cnn 0.2.3, s2cnn, se3cnn and torch-harmonics 0.9.3.

``make peers`` compares them with those that are installed. Of torch-harmonics these are its layers,
without its examples.
"""

import contextlib
import importlib
import pkgutil
from typing import Any

from torch.nn import Module

CLASSES = {
    "escnn": """EquivariantModule BranchingModule MergeModule MultipleModule Linear R2PointConv
        R3PointConv R3Conv R2Conv R2ConvTransposed R3ConvTransposed R3IcoConv R3IcoConvTransposed
        R2Upsampling R3Upsampling GatedNonLinearity1 GatedNonLinearity2 GatedNonLinearityUniform
        InducedGatedNonLinearity1 NormNonLinearity InducedNormNonLinearity PointwiseNonLinearity
        ConcatenatedNonLinearity VectorFieldNonLinearity ReLU ELU LeakyReLU FourierPointwise
        FourierELU QuotientFourierPointwise QuotientFourierELU TensorProductModule ReshuffleModule
        NormMaxPool PointwiseMaxPool2D PointwiseMaxPool3D PointwiseMaxPoolAntialiased2D
        PointwiseMaxPoolAntialiased3D PointwiseAvgPool2D PointwiseAvgPoolAntialiased2D
        PointwiseAvgPool3D PointwiseAvgPoolAntialiased3D PointwiseAdaptiveAvgPool2D
        PointwiseAdaptiveAvgPool3D PointwiseAdaptiveMaxPool2D PointwiseAdaptiveMaxPool3D
        GroupPooling MaxPoolChannels NormPool InducedNormPool InnerBatchNorm NormBatchNorm
        InducedNormBatchNorm GNormBatchNorm IIDBatchNorm1d IIDBatchNorm2d IIDBatchNorm3d
        RestrictionModule DisentangleModule FieldDropout PointwiseDropout SequentialModule
        IdentityModule MaskModule HarmonicPolynomialR3""".split(),
    "e2cnn": """EquivariantModule BranchingModule MergeModule MultipleModule R2Conv
        R2ConvTransposed R2Diffop R2Upsampling GatedNonLinearity1 GatedNonLinearity2
        InducedGatedNonLinearity1 NormNonLinearity InducedNormNonLinearity PointwiseNonLinearity
        ConcatenatedNonLinearity VectorFieldNonLinearity ReLU ELU ReshuffleModule NormMaxPool
        PointwiseMaxPool PointwiseMaxPoolAntialiased PointwiseAvgPool PointwiseAvgPoolAntialiased
        PointwiseAdaptiveAvgPool PointwiseAdaptiveMaxPool GroupPooling MaxPoolChannels NormPool
        InducedNormPool InnerBatchNorm NormBatchNorm InducedNormBatchNorm GNormBatchNorm
        RestrictionModule DisentangleModule FieldDropout PointwiseDropout SequentialModule
        ModuleList IdentityModule MaskModule""".split(),
    "s2cnn": "S2Convolution SO3Convolution SO3Shortcut".split(),
    "se3cnn": """Activation ApplyKernel ConcatenateSphericalSignals ConstantRadialModel Convolution
        FC FiniteElementModel GRU GatedActivation GatedBlock GatedBlockParity Kernel Multiplication
        NeighborsConvolution Norm NormActivation NormBlock NormRelu NormSoftplus PairConvolution
        PairConvolution2 PeriodicConvolution PeriodicConvolutionPrep SE3BNConvolution SE3BatchNorm
        SE3Convolution SE3ConvolutionTranspose SE3Dropout SE3GNConvolution SE3GroupNorm SE3Kernel
        ScalarActivation SelfInteraction SortSphericalSignals SphericalHarmonicsFindPeaks
        SphericalHarmonicsProject""".split(),
    "torch_harmonics": """AttentionS2 DiscreteContinuousConvS2 DiscreteContinuousConvTransposeS2
        InverseRealSHT InverseRealVectorSHT NeighborhoodAttentionS2 QuadratureS2 RealSHT
        RealVectorSHT ResampleS2 SpectralConvS2""".split(),
}
# Those that need torch_geometric, or an older Python, are there only with it.
OPTIONAL = {"R2PointConv", "R3PointConv", "GatedActivation", "NormBlock"}


def installed(name: str) -> set[str]:
    """The names of all modules of an installed package.

    Args:
        name: of the package.
    """
    package: Any = importlib.import_module(name)
    found = [vars(package), vars(getattr(package, "nn", package))]
    if name in ("se3cnn", "s2cnn"):
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            with contextlib.suppress(ImportError, AttributeError, OSError):
                found.append(vars(importlib.import_module(info.name)))
    modules = [value for names in found for value in names.values()]
    return {
        one.__name__
        for one in modules
        if isinstance(one, type) and issubclass(one, Module)
        if one.__module__.partition(".")[0] == name and not one.__name__.startswith("_")
    }
