"""Functions that are steered, and their Fourier transforms."""

from equinet.harmonics.circular import angular_harmonics, circular_harmonics
from equinet.harmonics.fft_s2 import rotate_s2, s2_fft, s2_ifft, s2_irfft, s2_rfft
from equinet.harmonics.fft_so3 import rotate_so3, so3_fft, so3_ifft, so3_irfft, so3_rfft
from equinet.harmonics.filter_grids import FilterGrid, filter_grid
from equinet.harmonics.nested import healpix_nested
from equinet.harmonics.orbits import Orbits
from equinet.harmonics.pixel import Pixels
from equinet.harmonics.power import power_spectrum
from equinet.harmonics.profiles import Radial
from equinet.harmonics.radial import (
    Angular,
    Bessel,
    BSpline,
    GaussianShells,
    Zernike,
    gaussian_shells,
)
from equinet.harmonics.rings import Rings, equiangular, gauss, healpix, octahedral, soft
from equinet.harmonics.spherical import spherical_harmonics
from equinet.harmonics.steered import (
    ConstantFunction,
    Harmonics,
    SteeredFunctions,
    angular_coefficients,
    harmonics_representation,
    shell_harmonics,
)
from equinet.harmonics.transform import Analysis, Synthesis

__all__ = [
    "Analysis",
    "Angular",
    "BSpline",
    "Bessel",
    "ConstantFunction",
    "FilterGrid",
    "GaussianShells",
    "Harmonics",
    "Orbits",
    "Pixels",
    "Radial",
    "Rings",
    "SteeredFunctions",
    "Synthesis",
    "Zernike",
    "angular_coefficients",
    "angular_harmonics",
    "circular_harmonics",
    "equiangular",
    "filter_grid",
    "gauss",
    "gaussian_shells",
    "harmonics_representation",
    "healpix",
    "healpix_nested",
    "octahedral",
    "power_spectrum",
    "rotate_s2",
    "rotate_so3",
    "s2_fft",
    "s2_ifft",
    "s2_irfft",
    "s2_rfft",
    "shell_harmonics",
    "so3_fft",
    "so3_ifft",
    "so3_irfft",
    "so3_rfft",
    "soft",
    "spherical_harmonics",
]
