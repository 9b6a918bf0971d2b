"""The kernel constraint and its solutions."""

from equinet.steerable.expansion import Plan, assemble, separate
from equinet.steerable.homogeneous import HomogeneousKernels
from equinet.steerable.homogeneous_basis import homogeneous_kernels, kernels_between
from equinet.steerable.kernel_basis import KernelBasis, SampledKernels, kernel_basis
from equinet.steerable.sphere import (
    EquatorialFilter,
    NearIdentityFilter,
    SmoothFilter,
    SphereFilter,
    equatorial,
    near_identity,
    smooth,
    sphere_basis,
)

__all__ = [
    "EquatorialFilter",
    "HomogeneousKernels",
    "KernelBasis",
    "NearIdentityFilter",
    "Plan",
    "SampledKernels",
    "SmoothFilter",
    "SphereFilter",
    "assemble",
    "equatorial",
    "homogeneous_kernels",
    "kernel_basis",
    "kernels_between",
    "near_identity",
    "separate",
    "smooth",
    "sphere_basis",
]
