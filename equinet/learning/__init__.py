"""How networks learn: tangent kernels, lazy and feature regimes, learning curves, jamming.

For any ``torch.nn.Module``. It needs torch only and knows no group: elements enter as a tensor or
as a function, so what is said of an equivariant network is measured from outside.
"""

from equinet.learning.curves import (
    KernelRegression,
    NotPositiveError,
    PowerLaw,
    expected_error,
    exponent,
    lattice_error,
    power_law,
)
from equinet.learning.ensemble import Ensemble
from equinet.learning.flow import Flow, gradient_flow, hinge, satisfied, soft_hinge, square
from equinet.learning.kernels import Gaussian, Laplace, Matern, averaged
from equinet.learning.landscape import HessianSplit, Inertia, hessian_split, violations
from equinet.learning.parametrize import ntk_parametrize
from equinet.learning.tangent import Linearized, tangent_kernel, tangent_product

__all__ = [
    "Ensemble",
    "Flow",
    "Gaussian",
    "HessianSplit",
    "Inertia",
    "KernelRegression",
    "Laplace",
    "Linearized",
    "Matern",
    "NotPositiveError",
    "PowerLaw",
    "averaged",
    "expected_error",
    "exponent",
    "gradient_flow",
    "hessian_split",
    "hinge",
    "lattice_error",
    "ntk_parametrize",
    "power_law",
    "satisfied",
    "soft_hinge",
    "square",
    "tangent_kernel",
    "tangent_product",
    "violations",
]
