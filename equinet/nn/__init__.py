"""Modules: equivariant by construction, plain tensors in and out."""

from equinet.nn.batch_norm import BatchNorm
from equinet.nn.module import EquivariantModule
from equinet.nn.pointwise import Pointwise, ReLU
from equinet.nn.pool import GlobalMaxPool, Integrate
from equinet.nn.sequential import Sequential
from equinet.nn.sphere_conv import SphereConv

__all__ = [
    "BatchNorm",
    "EquivariantModule",
    "GlobalMaxPool",
    "Integrate",
    "Pointwise",
    "ReLU",
    "Sequential",
    "SphereConv",
]
