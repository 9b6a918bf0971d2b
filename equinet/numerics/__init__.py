"""Float64 formulas on plain tensors; this package knows no group."""

from equinet.numerics.constants import Constant, Constants
from equinet.numerics.legendre_functions import legendre, solid_harmonics
from equinet.numerics.quadrature import soft_angles, soft_weights
from equinet.numerics.rotation import (
    angles_to_matrix,
    matrix_to_angles,
    points_to_angles,
    random_rotations,
)
from equinet.numerics.subspace import eigenprojectors, generic_symmetric, range_basis
from equinet.numerics.wigner_columns import wigner_d_real
from equinet.numerics.wigner_matrices import (
    real_from_complex,
    rotation_generators,
    wigner_D,
    wigner_d,
)

__all__ = [
    "Constant",
    "Constants",
    "angles_to_matrix",
    "eigenprojectors",
    "generic_symmetric",
    "legendre",
    "matrix_to_angles",
    "points_to_angles",
    "random_rotations",
    "range_basis",
    "real_from_complex",
    "rotation_generators",
    "soft_angles",
    "soft_weights",
    "solid_harmonics",
    "wigner_D",
    "wigner_d",
    "wigner_d_real",
]
