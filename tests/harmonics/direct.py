"""Fourier transforms by their definition: sums over Wigner matrices, slow and plain."""

import torch
from torch import Tensor

from equinet.numerics import soft_angles, soft_weights, wigner_d

F64, C128 = torch.float64, torch.complex128


def textbook_D(l: int, alpha: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
    """D^l_mn = e^{-i m alpha} d^l_mn(beta) e^{-i n gamma}, shape (..., 2l + 1, 2l + 1)."""
    alpha, beta, gamma = torch.broadcast_tensors(alpha, beta, gamma)
    m = torch.arange(-l, l + 1)
    left, right = torch.exp(-1j * alpha[..., None] * m), torch.exp(-1j * gamma[..., None] * m)
    return left[..., :, None] * wigner_d(l, beta) * right[..., None, :]


def so3_grid(band: int) -> tuple[Tensor, Tensor, Tensor]:
    """alpha, beta, gamma of the SOFT grid, axes (beta, alpha, gamma)."""
    beta, alpha = soft_angles(band)
    return alpha[:, None], beta[:, None, None], alpha


def so3_fft(signal: Tensor, band: int) -> Tensor:
    """Quadrature of int f conj(D^l_mn), flat."""
    size = signal.shape[-1]
    weights = soft_weights(size // 2) / size**2
    parts = [
        torch.einsum("j,...jac,jacmn->...mn", weights + 0j, signal + 0j, D.conj()).flatten(-2)
        for D in (textbook_D(l, *so3_grid(size // 2)) for l in range(band))
    ]
    return torch.cat(parts, -1)


def so3_series(spectrum: Tensor, band: int, *angles: Tensor) -> Tensor:
    """sum (2l + 1) f^l_mn D^l_mn at any angles."""
    out, start = torch.zeros(1, dtype=C128), 0
    for l in range(band):
        stop = start + (2 * l + 1) ** 2
        block = spectrum[..., start:stop].unflatten(-1, (2 * l + 1, 2 * l + 1)) + 0j
        term = torch.tensordot(block, textbook_D(l, *angles), ([-2, -1], [-2, -1]))
        out = out + (2 * l + 1) * term
        start = stop
    return out


def s2_grid(band: int) -> tuple[Tensor, Tensor, Tensor]:
    """alpha, beta and gamma = 0 of the SOFT grid, axes (beta, alpha)."""
    beta, alpha = soft_angles(band)
    return alpha, beta[:, None], torch.zeros((), dtype=F64)


def s2_fft(signal: Tensor, band: int, spin: int = 0) -> Tensor:
    """Quadrature of int f conj(D^l_{m,spin}(alpha, beta, 0)), flat, degrees from |spin|."""
    size = signal.shape[-1]
    weights = soft_weights(size // 2) / size
    parts = [
        torch.einsum("j,...ja,jam->...m", weights + 0j, signal + 0j, D[..., l + spin].conj())
        for l, D in ((l, textbook_D(l, *s2_grid(size // 2))) for l in range(abs(spin), band))
    ]
    return torch.cat([signal.new_zeros(*signal.shape[:-2], 0) + 0j, *parts], -1)


def s2_series(spectrum: Tensor, band: int, spin: int, grid_band: int) -> Tensor:
    """sum (2l + 1) f^l_m D^l_{m,spin} on the SOFT grid."""
    size = 2 * grid_band
    out = torch.zeros(*spectrum.shape[:-1], size, size, dtype=C128)
    start = 0
    for l in range(abs(spin), band):
        block = spectrum[..., start : start + 2 * l + 1] + 0j
        D = textbook_D(l, *s2_grid(grid_band))[..., l + spin]
        out = out + (2 * l + 1) * torch.einsum("...m,jam->...ja", block, D)
        start += 2 * l + 1
    return out
