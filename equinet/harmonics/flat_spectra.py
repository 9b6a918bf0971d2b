r"""What the Fourier transforms on the sphere and on SO(3) share, for users' flat tensors.

In: signals ``(..., beta, alpha[, gamma])`` and spectra ``(..., coefficients)``. Out: checked, split
into real parts, turned; and the modules that transform them.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from equinet.harmonics.rings import Rings, soft
from equinet.harmonics.transform import Analysis, Synthesis
from equinet.numerics.cached import cached
from equinet.numerics.membership import check_rotations
from equinet.numerics.turn import turn_degrees
from equinet.numerics.values import came
from equinet.ops import full_precision


@cached(4)
def analysis(
    grid: Rings | int, band: int, order: int | None, dtype: torch.dtype, device: torch.device
) -> Analysis:
    """The forward transform, kept for the next call.

    Args:
        grid: the rings, or b of a SOFT grid.
        band: exclusive bound of the degree.
        order: s of a field on the sphere, None for functions on SO(3).
        dtype: of the constants.
        device: where they are.
    Returns:
        A module.
    """
    return Analysis(grid, band, order, dtype).to(device)


@cached(4)
def synthesis(
    grid: Rings | int, band: int, order: int | None, dtype: torch.dtype, device: torch.device
) -> Synthesis:
    """The inverse transform, kept for the next call.

    Args:
        grid: the rings, or b of a SOFT grid.
        band: exclusive bound of the degree.
        order: s of a field on the sphere, None for functions on SO(3).
        dtype: of the constants.
        device: where they are.
    Returns:
        A module.
    """
    return Synthesis(grid, band, order, dtype).to(device)


def rotate_spectrum(spectrum: Tensor, band: int, columns: list[int], rotation: Tensor) -> Tensor:
    r"""Spectrum of f(R^-1 x) from that of f: \hat f^l -> D^l(R) \hat f^l, in the real basis.

    Args:
        spectrum: ``(..., rows)``, or ``(batch, ..., rows)`` with a rotation for each sample.
        band: exclusive bound of the degrees.
        columns: number of signed orders n at each degree.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
    Returns:
        A spectrum of the same shape.
    Raises:
        ValueError: if ``rotation`` is no rotation, or not one for each sample.
    """
    check_rotations(rotation, "rotation", spectrum)
    rotation = rotation.to(spectrum.device, spectrum.dtype)
    shape = spectrum.shape
    batch = math.prod(shape[:-1]) if rotation.dim() == 2 else shape[0]
    rows = spectrum.reshape(batch, math.prod(shape[:-1]) // max(1, batch), shape[-1])
    with full_precision(spectrum):
        return (
            turn_degrees(rows.permute(2, 1, 0), columns, rotation).permute(2, 1, 0).reshape(shape)
        )


def by_parts(transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A map of real tensors applied to the real and the imaginary part, side by side.

    Args:
        transform: linear, and the same for each entry of the first axis.
        x: real or complex.
    Returns:
        A tensor that is complex if ``x`` is.
    """
    if not x.is_complex():
        return transform(x)
    parts = transform(torch.stack([x.real, x.imag]))
    return torch.complex(parts[0], parts[1])


def band_of_grid(signal: Tensor, axes: int, real: bool = False) -> int:
    """The band b of the SOFT grid that the last axes of a signal are.

    Args:
        signal: ``(..., 2b, ..., 2b)``.
        axes: their number, 2 on the sphere and 3 on SO(3).
        real: refuse complex numbers.
    Returns:
        b.
    Raises:
        ValueError: if the axes are not of one even size.
        TypeError: if ``signal`` is no floating tensor, or complex where it must be real.
    """
    _check_signal(signal, real)
    sizes = tuple(signal.shape[-axes:])
    if signal.dim() < axes or len(set(sizes)) > 1 or sizes[0] % 2 or sizes[0] == 0:
        raise ValueError(
            f"signal: expected {axes} last axes of one even size 2 * band, got "
            f"{tuple(signal.shape)}"
        )
    return sizes[0] // 2


def rings_of(signal: Tensor, grid: Rings | None, real: bool = False) -> Rings:
    """The rings on which a signal on the sphere is given.

    Args:
        signal: ``(..., *grid.shape)``, or ``(..., 2b, 2b)`` on the SOFT grid of b.
        grid: the rings, None for the SOFT grid.
        real: refuse complex numbers.
    Returns:
        The rings.
    Raises:
        ValueError: if the last axes are not those of the grid.
        TypeError: if ``signal`` is no floating tensor, or complex where it must be real, or
            ``grid`` are no rings.
    """
    if grid is None:
        return soft(band_of_grid(signal, 2, real))
    check_rings(grid)
    _check_signal(signal, real)
    if signal.shape[-len(grid.shape) :] != grid.shape:
        axes = ", ".join(map(str, grid.shape))
        raise ValueError(f"signal: expected (..., {axes}) on {grid}, got {tuple(signal.shape)}")
    return grid


def check_rings(grid: object) -> None:
    """Refuse what are no rings.

    Args:
        grid: anything.
    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(grid, Rings):
        raise TypeError(f"grid: expected Rings, such as gauss(32), got {grid!r}")


def _check_signal(signal: Tensor, real: bool) -> None:
    _check_tensor("signal", signal)
    if real and not signal.is_floating_point():
        raise TypeError(f"signal: expected a real floating tensor, got {signal.dtype}")
    if not (signal.is_floating_point() or signal.is_complex()):
        raise TypeError(f"signal: expected a real or complex floating tensor, got {signal.dtype}")


def _check_tensor(argument: str, x: object) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{argument}: expected a floating tensor, got {came(x)}")
    if x.layout != torch.strided:
        raise TypeError(f"{argument}: expected a floating tensor, got {x.layout}")


def check_spectrum(spectrum: Tensor, rows: int, real: bool = False) -> None:
    """Refuse what is no flat spectrum.

    Args:
        spectrum: ``(..., rows)``.
        rows: the number of coefficients that it must have.
        real: refuse complex numbers.
    Raises:
        ValueError: for another number of coefficients.
        TypeError: if ``spectrum`` is no floating tensor, or complex where it must be real.
    """
    _check_tensor("spectrum", spectrum)
    if real and not spectrum.is_floating_point():
        raise TypeError(f"spectrum: expected a real floating tensor, got {spectrum.dtype}")
    if not (spectrum.is_floating_point() or spectrum.is_complex()):
        raise TypeError(f"spectrum: expected a floating tensor, got {spectrum.dtype}")
    if spectrum.dim() == 0 or spectrum.shape[-1] != rows:
        raise ValueError(
            f"spectrum: expected a last axis of {rows} coefficients, got {tuple(spectrum.shape)}"
        )
