"""Modules: equivariant by construction, plain tensors in and out."""

from typing import TYPE_CHECKING

from equinet.nn.activations import ELU, GELU, LeakyReLU, Sigmoid, SiLU, Softplus, Tanh
from equinet.nn.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool
from equinet.nn.batch_norm import BatchNorm, convert_sync_batchnorm
from equinet.nn.canonical import Canonicaliser
from equinet.nn.conv import Conv1d, Conv2d, Conv3d
from equinet.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from equinet.nn.depthwise import DepthwisePointConv
from equinet.nn.downsample import Downsample, Upsample
from equinet.nn.dropout import Dropout, DropPath, FieldDropout
from equinet.nn.fibre_pool import GroupPool, NormPool
from equinet.nn.fourier import FourierPointwise
from equinet.nn.gate import Gate, gated, gated_layer
from equinet.nn.global_pool import GlobalAvgPool, GlobalMaxPool, Integrate, SumPool
from equinet.nn.homogeneous_conv import HomogeneousConv
from equinet.nn.induced import InducedNormActivation
from equinet.nn.kernel_layer import KernelLayer
from equinet.nn.linear import Linear
from equinet.nn.losses import FieldLoss, SobolevLoss
from equinet.nn.module import EquivariantModule
from equinet.nn.norm_activation import NormActivation, squash
from equinet.nn.normalization import GroupNorm, InstanceNorm
from equinet.nn.pixel_shuffle import PixelShuffle, shuffled
from equinet.nn.point_attention import PointAttention
from equinet.nn.point_conv import PointConv
from equinet.nn.point_norm import LayerNorm, RMSNorm
from equinet.nn.point_pool import PointPool, PointUnpool
from equinet.nn.pointwise import Pointwise, ReLU
from equinet.nn.pool import AvgPool, MaxPool, NormMaxPool
from equinet.nn.potential import Potential, Prediction, species_energies
from equinet.nn.product import Product
from equinet.nn.radial_network import RadialNetwork
from equinet.nn.scale import LayerScale, SqueezeExcite
from equinet.nn.select import Select
from equinet.nn.sequential import Sequential
from equinet.nn.spectral import spectral_norm
from equinet.nn.sphere_attention import SphereAttention
from equinet.nn.sphere_conv import SphereConv
from equinet.nn.sphere_derivatives import (
    Curl,
    Divergence,
    EBModes,
    Eth,
    EthBar,
    FromEBModes,
    Gradient,
    Helmholtz,
    InverseLaplacian,
    Laplacian,
    SkewGradient,
)
from equinet.nn.structure import Concat, Identity, Residual, Restrict, Typed
from equinet.nn.summaries import Summary, summary
from equinet.nn.symmetric_power import SymmetricPower
from equinet.nn.tensor_product import TensorProduct
from equinet.nn.vector_field import VectorFieldPool
from equinet.numerics.deprecation import warn_renamed

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool",
    "BatchNorm",
    "Canonicaliser",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Curl",
    "DepthwisePointConv",
    "Divergence",
    "Downsample",
    "DropPath",
    "Dropout",
    "EBModes",
    "ELU",
    "EquivariantModule",
    "Eth",
    "EthBar",
    "FieldDropout",
    "FieldLoss",
    "FourierPointwise",
    "FromEBModes",
    "GELU",
    "Gate",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Gradient",
    "GroupNorm",
    "GroupPool",
    "Helmholtz",
    "HomogeneousConv",
    "Identity",
    "InducedNormActivation",
    "InstanceNorm",
    "Integrate",
    "InverseLaplacian",
    "KernelLayer",
    "Laplacian",
    "LayerNorm",
    "LayerScale",
    "LeakyReLU",
    "Linear",
    "MaxPool",
    "NormActivation",
    "NormMaxPool",
    "NormPool",
    "PixelShuffle",
    "PointAttention",
    "PointConv",
    "PointPool",
    "PointUnpool",
    "Pointwise",
    "Potential",
    "Prediction",
    "Product",
    "RMSNorm",
    "RadialNetwork",
    "ReLU",
    "Residual",
    "Restrict",
    "Select",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SkewGradient",
    "SobolevLoss",
    "Softplus",
    "SphereAttention",
    "SphereConv",
    "SqueezeExcite",
    "SumPool",
    "Summary",
    "SymmetricPower",
    "Tanh",
    "TensorProduct",
    "Typed",
    "Upsample",
    "VectorFieldPool",
    "convert_sync_batchnorm",
    "gated",
    "gated_layer",
    "shuffled",
    "species_energies",
    "spectral_norm",
    "squash",
    "summary",
]

if not TYPE_CHECKING:  # to which any name would be one of this module

    def __getattr__(name: str) -> object:
        if name == "InducedNorm":
            warn_renamed("InducedNorm", "InducedNormActivation")
            return InducedNormActivation
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
