"""Modules: equivariant by construction, plain tensors in and out."""

from equinet.nn.batch_norm import BatchNorm
from equinet.nn.conv import Conv1d, Conv2d, Conv3d
from equinet.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from equinet.nn.linear import Linear
from equinet.nn.module import EquivariantModule
from equinet.nn.point_conv import PointConv, RadialNetwork
from equinet.nn.pointwise import Pointwise, ReLU
from equinet.nn.pool import GlobalMaxPool, Integrate
from equinet.nn.sequential import Sequential
from equinet.nn.sphere_conv import SphereConv

__all__ = [
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "EquivariantModule",
    "GlobalMaxPool",
    "Integrate",
    "Linear",
    "PointConv",
    "Pointwise",
    "RadialNetwork",
    "ReLU",
    "Sequential",
    "SphereConv",
]
