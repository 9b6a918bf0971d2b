"""Layers and coefficients of other libraries as those of this one.

Layers come with their weights, plain networks without; ``project_filter`` takes any filter.
Coefficients of fields on the sphere are spectra (S2) here, as ``harmonics.s2_fft`` makes them.
"""

from equinet.convert.e3nn import from_e3nn
from equinet.convert.e3nn_convolution import from_e3nn_convolution
from equinet.convert.escnn import from_escnn
from equinet.convert.escnn_types import from_escnn_type
from equinet.convert.groupy import from_groupy
from equinet.convert.healpy import from_healpy, to_healpy
from equinet.convert.lie_learn import lie_learn_basis
from equinet.convert.lie_learn_spectra import (
    from_lie_learn,
    from_lie_learn_so3,
    to_lie_learn,
    to_lie_learn_so3,
)
from equinet.convert.projection import project_filter
from equinet.convert.pyshtools import from_pyshtools, to_pyshtools
from equinet.convert.relaxing import ResidualPathway, relax
from equinet.convert.s2cnn import from_s2cnn
from equinet.convert.se3cnn import from_se3cnn
from equinet.convert.skeleton import Skeleton, from_torch
from equinet.convert.standard import standard_basis
from equinet.convert.torch_harmonics import from_torch_harmonics, to_torch_harmonics

__all__ = [
    "ResidualPathway",
    "Skeleton",
    "from_e3nn",
    "from_e3nn_convolution",
    "from_escnn",
    "from_escnn_type",
    "from_groupy",
    "from_healpy",
    "from_lie_learn",
    "from_lie_learn_so3",
    "from_pyshtools",
    "from_s2cnn",
    "from_se3cnn",
    "from_torch",
    "from_torch_harmonics",
    "lie_learn_basis",
    "project_filter",
    "relax",
    "standard_basis",
    "to_healpy",
    "to_lie_learn",
    "to_lie_learn_so3",
    "to_pyshtools",
    "to_torch_harmonics",
]
