"""The kernel constraint and its solutions."""

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
    "NearIdentityFilter",
    "SmoothFilter",
    "SphereFilter",
    "equatorial",
    "near_identity",
    "smooth",
    "sphere_basis",
]
