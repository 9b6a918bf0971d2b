"""The kernel constraint and its solutions."""

from equinet.steerable.expansion import Plan, assemble, separate
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
    "Plan",
    "SampledKernels",
    "SmoothFilter",
    "SphereFilter",
    "assemble",
    "equatorial",
    "kernel_basis",
    "near_identity",
    "separate",
    "smooth",
    "sphere_basis",
]
