"""The names of all modules that escnn 1.0.11 and e2cnn 0.2.3 have.

``make peers`` compares them with those that are installed.
"""

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
}
# Those that need torch_geometric are there only with it.
OPTIONAL = {"R2PointConv", "R3PointConv"}


def installed(package: Any) -> set[str]:
    """The names of all modules of an installed package.

    Args:
        package: escnn or e2cnn.
    """
    modules = (getattr(package.nn, name) for name in package.nn.__all__)
    return {one.__name__ for one in modules if isinstance(one, type) and issubclass(one, Module)}
