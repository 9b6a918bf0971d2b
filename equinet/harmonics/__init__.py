"""Functions that are steered, and their Fourier transforms."""

from equinet.harmonics.s2_fft import rotate_s2, s2_fft, s2_ifft, s2_irfft, s2_rfft
from equinet.harmonics.so3_fft import rotate_so3, so3_fft, so3_ifft, so3_irfft, so3_rfft
from equinet.harmonics.spherical import spherical_harmonics
from equinet.harmonics.transform import Analysis, Synthesis

__all__ = [
    "Analysis",
    "Synthesis",
    "rotate_s2",
    "rotate_so3",
    "s2_fft",
    "s2_ifft",
    "s2_irfft",
    "s2_rfft",
    "so3_fft",
    "so3_ifft",
    "so3_irfft",
    "so3_rfft",
    "spherical_harmonics",
]
