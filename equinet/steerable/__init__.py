"""The kernel constraint and its solutions."""

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
    "KernelBasis",
    "NearIdentityFilter",
    "SampledKernels",
    "SmoothFilter",
    "SphereFilter",
    "equatorial",
    "kernel_basis",
    "near_identity",
    "smooth",
    "sphere_basis",
]
