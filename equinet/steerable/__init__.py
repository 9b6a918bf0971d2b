"""The kernel constraint and its solutions."""

from equinet.steerable.homogeneous import HomogeneousKernels
from equinet.steerable.homogeneous_basis import homogeneous_kernels, kernels_between
from equinet.steerable.kernel_bases import KernelBasis, SampledKernels, kernel_basis
from equinet.steerable.kernel_spaces import (
    DirectionKernels,
    Intertwiners,
    KernelSpace,
    SphereKernels,
    TapKernels,
)
from equinet.steerable.sphere import SphereFilter, sphere_basis
from equinet.steerable.sphere_filters import (
    BlurredFilter,
    EquatorialFilter,
    NearIdentityFilter,
    SmoothFilter,
    blurred,
    equatorial,
    near_identity,
    smooth,
)

__all__ = [
    "BlurredFilter",
    "DirectionKernels",
    "EquatorialFilter",
    "HomogeneousKernels",
    "Intertwiners",
    "KernelBasis",
    "KernelSpace",
    "NearIdentityFilter",
    "SampledKernels",
    "SmoothFilter",
    "SphereFilter",
    "SphereKernels",
    "TapKernels",
    "blurred",
    "equatorial",
    "homogeneous_kernels",
    "kernel_basis",
    "kernels_between",
    "near_identity",
    "smooth",
    "sphere_basis",
]
