r"""Spectra of all degrees, turned at once.

In: spectra and rotations. Out: ``turn_degrees``.

.. math:: D^l(R) = Z(\alpha)\, J\, Z(\beta)\, J\, Z(\gamma)                          \quad (W4)

with Z of (W1) and J the half turn that swaps x and y, a constant. Z mixes the orders m and -m only,
so all degrees and columns take part in one product with cosines and one with sines.
"""

import torch
from torch import Tensor

from equinet.numerics.cached import cached
from equinet.numerics.rotation import euler_angles
from equinet.numerics.values import is_differentiated
from equinet.numerics.wigner_matrices import half_turns, wigner_D


def turn_degrees(spectrum: Tensor, columns: list[int], rotation: Tensor) -> Tensor:
    r"""\hat f^l -> D^l(R) \hat f^l in the real basis, for l = 0, 1, ...

    Args:
        spectrum: ``(rows, ..., batch)``, where the rows list for each degree a matrix
            ``(2l + 1, columns[l])``.
        columns: of each degree.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``; in the dtype and on the
            device of ``spectrum``.
    Returns:
        As ``spectrum``; differentiable in both.
    """
    widths = tuple(columns)
    if not spectrum.numel():
        return spectrum
    # Angles have no derivative at the poles; the matrices D have.
    if is_differentiated(rotation):
        return _by_matrices(spectrum, widths, rotation)
    order, opposite = (table.to(spectrum.device) for table in _orders(widths))
    alpha, beta, gamma = (angle.view(-1) for angle in euler_angles(rotation.double()))
    halves = _halves(len(widths), spectrum.dtype, spectrum.device)

    def about_pole(angle: Tensor, x: Tensor) -> Tensor:
        phase = torch.arange(len(widths), dtype=torch.float64, device=x.device)[:, None] * angle
        tall = (-1, *[1] * (x.dim() - 2), len(angle))
        cos = phase.cos().to(x)[order.abs()].view(tall)
        sin = (phase.sin().to(x)[order.abs()] * order.sign()[:, None]).view(tall)
        return cos * x - sin * x[opposite]

    def half_turn(x: Tensor) -> Tensor:
        blocks = x.split([(2 * l + 1) * k for l, k in enumerate(widths)])
        turned = [J @ block.reshape(len(J), -1) for J, block in zip(halves, blocks, strict=True)]
        return torch.cat([block.flatten() for block in turned]).view(x.shape)

    x = about_pole(gamma, spectrum)
    x = about_pole(beta, half_turn(x))
    return about_pole(alpha, half_turn(x))


def _by_matrices(spectrum: Tensor, widths: tuple[int, ...], rotation: Tensor) -> Tensor:
    """Degree by degree, with a derivative by the rotation that has no poles."""
    batch, start, turned = spectrum.shape[-1], 0, []
    rotation = rotation.expand(batch, 3, 3)
    for l, k in enumerate(widths):
        stop = start + (2 * l + 1) * k
        block = spectrum[start:stop].reshape(2 * l + 1, -1, batch)
        moved = torch.einsum("bmn,nkb->mkb", wigner_D(l, rotation), block)
        turned.append(moved.reshape(stop - start, *spectrum.shape[1:]))
        start = stop
    return torch.cat(turned)


@cached(8)
def _orders(widths: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The order m of each row of a spectrum, and the row of -m in the same column."""
    orders, opposite, start = [], [], 0
    for l, k in enumerate(widths):
        m = torch.arange(-l, l + 1)
        orders.append(m.repeat_interleave(k))
        rows = torch.arange(start, start + (2 * l + 1) * k).view(2 * l + 1, k)
        opposite.append(rows.flip(0).flatten())
        start += (2 * l + 1) * k
    return torch.cat(orders), torch.cat(opposite)


@cached(4)
def _halves(band: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    return [J.to(device, dtype) for J in half_turns(band)]
