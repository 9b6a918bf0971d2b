"""Points with values, such as the atoms of a molecule, onto a grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.field import Space
from equinet.field.grid import Grid
from equinet.numerics.arguments import check_integer, check_number, is_row
from equinet.numerics.values import check_floating, check_numbers, check_real
from equinet.transforms.clouds import padded

_MOST = 10**10  # numbers in a tensor, 40 GB in float32


def voxelize(
    points: Tensor,
    values: Tensor,
    space: Grid,
    sizes: tuple[int, ...],
    sigma: float,
    *,
    batch: Tensor | None = None,
    samples: int | None = None,
) -> Tensor:
    r"""The density of points with values, each a Gaussian, sampled on a grid.

    .. math::
        f_c(x) = \sum_i v_{ic}\, \frac{1}{(2 \pi \sigma^2)^{n/2}}
        \exp\left(-\frac{|x - p_i|^2}{2 \sigma^2}\right)

    The points of a group act as (p, v) -> (g p, rho(g) v), the density as [g f](x) =
    rho(g) f(g^-1 x), and the one goes over into the other without an error of the grid: f is
    evaluated, not interpolated. The centre of the grid is the origin. Gaussians are not cut off;
    what reaches beyond the grid is lost. Differentiable in ``points`` and ``values``.

    Args:
        points: p, real ``(points, n)``, coordinates (x, y, z) in the unit of ``space.spacing``.
        values: v, ``(points, channel)``; one-hot rows give a channel for each kind of atom.
        space: a Line, Plane or Volume; its spacing is the size of a cell.
        sizes: of the axes of the grid, in their order.
        sigma: width of a Gaussian, in the same unit. From about 0.8 cells on, the density sums to
            the values: sum_x f(x) (cell volume) = sum_i v_i, to 1e-5.
        batch: the sample that each point belongs to, int64 ``(points,)``; None is one sample.
        samples: how many samples there are, by default the largest number in ``batch`` and one;
            a sample without points is zero.
    Returns:
        ``(samples, channel, *sizes)``, in the dtype of ``points``.
    Raises:
        TypeError: if ``space`` is not a grid or a tensor has the wrong kind.
        ValueError: if a shape, ``sigma`` or a number in ``batch`` does not fit, and for tensors of
            more than 1e10 numbers.

    Example:
        >>> from equinet.field import Plane
        >>> point, one = torch.zeros(1, 2), torch.ones(1, 1)
        >>> density = voxelize(point, one, Plane("C4"), sizes=(9, 9), sigma=1.0)
        >>> density.shape, round(density.sum().item(), 3)
        (torch.Size([1, 1, 9, 9]), 1.0)
    """
    _check(points, values, space, sizes, sigma)
    batch, samples = _samples(points, batch, samples)
    _refuse_many(values, batch, samples, sizes)
    points, values = padded(points, batch, samples), padded(values, batch, samples)
    factors = []  # of the Gaussian, one for each axis: (samples, most, size)
    scale = 1 / (math.sqrt(2 * math.pi) * sigma)
    for k, sign, size in zip(space.coordinates, space.signs, sizes, strict=True):
        offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
        line = (sign * space.spacing[k] * offsets).to(points)
        distance = (line - points[..., k, None]) / sigma
        factors.append(scale * torch.exp(-0.5 * distance**2))
    # The first axis goes with the channels, the others together: one matrix product a sample.
    left = (values[..., None] * factors[0][..., None, :]).flatten(2)
    right = torch.ones_like(points[..., :1])
    for factor in factors[1:]:
        right = (right[..., None] * factor[..., None, :]).flatten(2)
    return (left.mT @ right).reshape(samples, values.shape[-1], *sizes)


def _check(
    points: Tensor, values: Tensor, space: Grid, sizes: tuple[int, ...], sigma: float
) -> None:
    if not isinstance(space, Space) or space.grid is None:
        raise TypeError(f"space: expected a Line, Plane or Volume, got {type(space).__name__}")
    check_real("points", points, ("points", space.n))
    check_floating("values", values)
    if values.dim() != 2 or len(values) != len(points):
        raise ValueError(
            f"values: expected ({len(points)}, channel), one row a point, got {tuple(values.shape)}"
        )
    if values.dtype != points.dtype:
        raise TypeError(f"values: expected {points.dtype} as the points, got {values.dtype}")
    if values.device != points.device:
        raise ValueError(f"values: expected a tensor on {points.device}, got {values.device}")
    wrong = not is_row(sizes) or len(sizes) != space.n
    if wrong:
        raise ValueError(f"sizes: expected {space.n} integers >= 1, got {sizes!r}")
    for size in sizes:
        check_integer(size, "sizes")
    check_number(sigma, "sigma", above=0)


def _samples(points: Tensor, batch: Tensor | None, samples: int | None) -> tuple[Tensor, int]:
    """The sample of each point, and how many samples there are."""
    if samples is not None:
        check_integer(samples, "samples", least=0, most=_MOST)
    if batch is None:
        batch = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        if samples not in (None, 1):
            raise ValueError(f"samples: expected None or 1 without batch, got {samples}")
        samples = 1
    check_numbers(
        "batch", batch, "the number of the sample of each point", points.shape[:1], points, samples
    )
    if samples is None:
        samples = int(batch.max()) + 1 if len(batch) else 0
    return batch, samples


def _refuse_many(values: Tensor, batch: Tensor, samples: int, sizes: tuple[int, ...]) -> None:
    """Raise ValueError if the density, or a factor of it, would not fit into memory."""
    channels, plane = values.shape[1], math.prod(sizes[1:])
    numbers = samples * channels * sizes[0] * plane
    if numbers <= _MOST and len(batch):
        most = int(torch.bincount(batch).max())
        numbers = max(numbers, samples * most * max(plane, channels * sizes[0]))
    if numbers > _MOST:
        raise ValueError(
            f"sizes: expected tensors of at most {_MOST:.0e} numbers, got {numbers:.2g} for {sizes}"
            f", {samples} samples and {channels} channels; take a coarser grid, or fewer samples "
            "or points at a time"
        )
