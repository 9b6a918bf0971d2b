"""Values of sampled functions between their grid points.

In: plain tensors. Out: ``resample``.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from equinet.numerics.values import check_floating, is_differentiated, is_readable

_SHORT = 128  # a side up to it leaves coordinates in float32 five digits behind the point
Tap = tuple[Tensor, Tensor]  # numbers of grid points, and their weights


def resample(x: Tensor, coordinates: Tensor, order: int = 1) -> Tensor:
    r"""The functions x at ``coordinates``, zero outside the grid.

    .. math:: y(c) = \sum_i w(c_1 - i_1) \cdots w(c_n - i_n)\, x_i

    At integer coordinates y is x, up to the rounding of coordinates. Outside the grid the samples
    count as zero.

    Args:
        x: ``(batch, channel, *sizes)`` with n sizes.
        coordinates: in units of the index, ``(1, *out, n)`` or, to take other points of each
            sample, ``(batch, *out, n)``.
        order: 0, the nearest grid point (the higher one of two); 1, n-linear; 3, cubic convolution
            (Catmull-Rom), which is smooth and exact for quadratic functions, but overshoots.
    Returns:
        ``(batch, channel, *out)`` in the dtype of ``x``; differentiable in ``x`` and, for order 1
        and 3, in ``coordinates`` (for order 1 at integers, the derivative to the right).
    Raises:
        TypeError: if ``x`` or ``coordinates`` is not a real floating tensor.
        ValueError: if a shape does not fit, a coordinate is not finite, or ``order`` is another
            number.
    """
    check_order(order)
    for name, value in (("x", x), ("coordinates", coordinates)):
        check_floating(name, value)
    if x.dim() < 3:
        raise ValueError(f"x: expected (batch, channel, *sizes), got {tuple(x.shape)}")
    batch, channels, *sizes = x.shape
    n, groups = len(sizes), coordinates.shape[0]
    if coordinates.shape[-1] != n or groups not in (1, batch):
        raise ValueError(
            f"coordinates: expected (1 or {batch}, ..., {n}) for x of shape {tuple(x.shape)}, got "
            f"{tuple(coordinates.shape)}"
        )
    out, points = coordinates.shape[1:-1], math.prod(sizes)
    if is_readable(coordinates) and coordinates.numel():
        low, high = torch.aminmax(coordinates.detach())  # NaN, if one is
        if not (-math.inf < float(low) and float(high) < math.inf):
            raise ValueError("coordinates: expected finite numbers, got some that are not")
    if 0 in (x.numel(), coordinates.numel()):
        return x.new_zeros(batch, channels, *out)
    # torch's interpolation has first derivatives only.
    if order < 2 and n < 4 and not is_differentiated(x, coordinates):
        return _sampled(x, coordinates, order)
    # One row for each grid point: gathering then copies whole rows. Where all samples share the
    # coordinates, the batch joins the channels.
    width = channels * (batch // groups)
    rows = x.reshape(groups, width, points).mT.reshape(groups * points, width)
    stride, taps = points, []
    for axis, size in enumerate(sizes):
        stride //= size
        c = coordinates[..., axis].reshape(groups, -1)
        taps.append([(stride * i, w.to(x.dtype)) for i, w in _taps(c, size, order)])
    first = points * torch.arange(groups, device=x.device)[:, None]
    y = None
    for index, weight in _corners(taps, first, x.new_ones(())):
        row, weight = rows.index_select(0, index.flatten()), weight.reshape(-1, 1)
        if y is None or not is_readable(x):  # vmap has no rule for the other
            y = row * weight if y is None else y + row * weight
        else:  # in place: new memory for every corner would take most of the time
            y = y.addcmul_(row, weight)
    assert y is not None
    return y.reshape(groups, -1, width).mT.reshape(batch, channels, *out)


def snap(coordinates: Tensor, tolerance: float) -> Tensor:
    """Coordinates within ``tolerance`` of a multiple of 1/2, put there; the derivative stays 1.

    So rounding does not decide which grid points are mixed, nor which of two is the nearest.
    """
    exact = coordinates.detach()
    near = (2 * exact).round() / 2
    change = torch.where((near - exact).abs() < tolerance, near - exact, torch.zeros_like(exact))
    return coordinates + change


def check_order(order: int) -> None:
    """Raise ValueError unless there is an interpolation of this order."""
    if isinstance(order, bool) or order not in (0, 1, 3):
        raise ValueError(
            f"order: expected 0 (nearest), 1 (linear) or 3 (cubic convolution), got {order!r}"
        )


def _sampled(x: Tensor, coordinates: Tensor, order: int) -> Tensor:
    """The same by ``grid_sample``, which is many times as fast."""
    batch, channels, *sizes = x.shape
    groups, out = coordinates.shape[0], coordinates.shape[1:-1]
    c, size = coordinates.double(), coordinates.new_tensor(sizes, dtype=torch.float64)
    c = c if order else (c + 0.5).floor()
    # From -1 to 1 between the outer edges of the grid, and the last axis first. Beyond the
    # neighbours of the grid all is zero.
    c = (2 * torch.minimum(c.clamp_min(-2), size + 1) + 1) / size - 1
    # The coordinates take the dtype of the values, and lose as many digits as a size has.
    wide = (
        x
        if x.dtype == torch.float64
        else x.to(torch.float64 if max(sizes) > _SHORT else torch.float32)
    )
    c = c.to(wide.dtype).flip(-1).reshape(groups, -1, 1, len(sizes))
    if len(sizes) == 1:
        wide, c = wide.unsqueeze(2), torch.cat([c, torch.zeros_like(c)], -1)
    if len(sizes) == 3:
        # Where all samples share the coordinates, the batch joins the channels: in space their
        # weights take most of the time, in the plane it is many channels that do.
        wide, c = wide.reshape(groups, -1, *sizes), c.unsqueeze(1)
    else:
        c = c.expand(batch, *c.shape[1:])
    mode = "bilinear" if order else "nearest"
    y = F.grid_sample(wide, c, mode=mode, padding_mode="zeros", align_corners=False)
    return y.reshape(batch, channels, *out).to(x.dtype)


def _corners(taps: list[list[Tap]], index: Tensor, weight: Tensor) -> Iterator[Tap]:
    """All grid points that are one of the taps along every axis, with the product of weights."""
    if not taps:
        yield index, weight
        return
    for i, w in taps[0]:
        yield from _corners(taps[1:], index + i, weight * w)


def _taps(c: Tensor, size: int, order: int) -> list[Tap]:
    """The grid points along one axis that make the value at ``c``, and their weights."""
    base = (c.detach() + (0.5 if order == 0 else 0)).floor()
    below = base.long()
    taps = []
    for shift, weight in _weights(c - base, order).items():
        i = below + shift
        inside = (i >= 0) & (i < size)
        taps.append((i.clamp(0, size - 1), weight * inside))
    return taps


def _weights(f: Tensor, order: int) -> dict[int, Tensor]:
    """Weights by offset of the grid point from the first one, which is f below."""
    if order == 0:
        return {0: torch.ones_like(f)}
    if order == 1:
        return {0: 1 - f, 1: f}
    return {  # cubic convolution with a = -1/2 (Keys 1981)
        -1: f * (-0.5 + f * (1 - 0.5 * f)),
        0: 1 + f * f * (-2.5 + 1.5 * f),
        1: f * (0.5 + f * (2 - 1.5 * f)),
        2: f * f * (-0.5 + 0.5 * f),
    }
