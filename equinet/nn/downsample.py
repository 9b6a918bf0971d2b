r"""Between grids of different steps, or spheres of different bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Sphere
from equinet.nn.bands import heat, resized, ring_step, unused
from equinet.nn.centred import Centred
from equinet.nn.plain import graph
from equinet.nn.requirements import check_alike, check_steps, grid_of
from equinet.nn.resampling import Averaging
from equinet.numerics import Constant
from equinet.numerics.arguments import (
    Size,
    check_choice,
    check_flag,
    check_memory,
    check_number,
    each,
)

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Downsample(Averaging):
    r"""Take every s-th point of a feature map that a Gaussian has smoothed along each axis.

    .. math:: [\Phi f](o) = \sum_i w_i\, f(s\, o - p + i), \qquad
              w_i \propto \exp\Bigl(-\frac{(i - (k - 1) / 2)^2}{2 \sigma^2}\Bigr), \quad
              \sum_i w_i = 1, \qquad \sigma = \tfrac12 \sqrt{\text{factor}^2 - 1} \quad (D1)

    Without the Gaussian, frequencies that the coarser grid cannot hold fold back and break the
    symmetry; with it they are damped. It acts on all channels alike, so on fields of any type.
    ``stride=1`` gives the low-pass filter alone. An odd kernel keeps the centre of grids with
    n = 1 mod s points (17 to 9, if s = 2), an even ``kernel_size`` that of grids with n = 0 mod s
    (16 to 8, if s = 2).

    Over a sphere it leads to a lower band and is exactly equivariant: degrees that the new band
    cannot hold are left out, which is the orthogonal projection, and the others stay as they are,
    or are damped by a Gaussian on the sphere if there is a ``sigma``. With a factor of 1 it takes
    away what a pointwise function has made above the band.

    With ``weights`` it smooths what is there (N3), over a sphere where half of what the filter
    reads or more is, and weighs a hundredth of the largest weight of the sample. There it is a
    quotient of functions below the band and no mean, so it may overshoot: near the edge of a mask
    a ``sigma`` of one step leaves less of its ripples, and ``AvgPool`` stays between the values.

    Args:
        in_type: fields over a grid or a sphere.
        factor: ratio of the steps, one number or one for each axis; over a sphere the band is
            divided by it and rounded up.
        sigma: of the Gaussian, in steps of the grid; by default that of (D1), over a sphere 0.
        kernel_size: k; by default 1 + 5 sigma, rounded down and made odd.
        stride: s; the factor by default.
        padding: p, zeros at both ends of each axis; by default (k - 1) / 2, rounded down.
        sphere: of the result, in place of ``factor``, with a band and a grid of its own.
    Shape:
        ``in_type.shape(batch, *sizes)``, n to (n + 2 p - k) // s + 1 along each axis; over a sphere
        ``out_type.shape(batch)``.
    Raises:
        TypeError: for both ``factor`` and ``sphere``, and over a sphere for neither.
        ValueError: if the group exchanges axes along which an argument is not the same; for an
            argument that has no meaning over the space.
    Warns:
        UserWarning: for a grid that is sampled off its centre.
    """

    def __init__(
        self,
        in_type: FieldType,
        factor: Size | None = None,
        sigma: float | None = None,
        *,
        kernel_size: Size | None = None,
        stride: Size | None = None,
        padding: Size | None = None,
        sphere: Sphere | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        self.bands = self.shares = None
        if in_type.space.is_band_limited:
            unused(in_type.space, kernel_size=kernel_size, stride=stride, padding=padding)
            self._over_sphere(factor, sigma, sphere)
            return
        space = grid_of(in_type, spheres=True)
        unused(space, sphere=sphere)
        if factor is None:
            raise ValueError(f"factor: expected {space.n} integers >= 1 or one, got None")
        n = space.n
        self.factor = each(factor, n, "factor")
        default = [0.5 * math.sqrt(f**2 - 1) for f in self.factor]
        self.sigma = (
            tuple(default) if sigma is None else (check_number(sigma, "sigma", least=0),) * n
        )
        sizes = [int(1 + 5 * s) // 2 * 2 + 1 for s in self.sigma]
        self.kernel_size = each(sizes if kernel_size is None else kernel_size, n, "kernel_size")
        check_memory(math.prod(self.kernel_size), "kernel_size", f"{self.kernel_size} taps")
        self.stride = each(self.factor if stride is None else stride, n, "stride")
        halves = [(k - 1) // 2 for k in self.kernel_size]
        self.padding = each(halves if padding is None else padding, n, "padding", 0)
        for name in ("factor", "kernel_size", "stride", "padding"):
            check_alike(space, name, getattr(self, name))
        self.out_type = FieldType(space.coarsened(self.stride), in_type.blocks)
        self.centred = Centred(
            in_type, type(self).__name__, self.kernel_size, self.stride, self.padding
        )
        self.set_constants()

    def _over_sphere(self, factor: Size | None, sigma: float | None, sphere: Sphere | None) -> None:
        sigma = 0.0 if sigma is None else check_number(sigma, "sigma", least=0)
        self.out_type = resized(self.in_type, factor, sphere)
        step = ring_step(self.in_type)
        self._set_bands(heat(sigma * step))

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        pairs = zip(self.kernel_size, self.sigma, strict=True)
        return {"taps": [_gaussian(k, sigma) for k, sigma in pairs]}

    def _on_grid(self, x: Tensor) -> Tensor:
        y, all_taps = x, self.listed("taps")
        for axis in reversed(range(len(all_taps))):
            # The last axis is filtered and becomes the first; after all of them they are in order.
            matrix = self._matrix(all_taps[axis], axis, y.shape[-1]).to(y.dtype)
            y = (y @ matrix).movedim(-1, 2)
        return y

    def _matrix(self, taps: Tensor, axis: int, size: int) -> Tensor:
        """(D1) along one axis, ``(size, size out)``."""
        s, p = self.stride[axis], self.padding[axis]
        out = (size + 2 * p - len(taps)) // s + 1
        points = torch.arange(size, device=taps.device)
        i = points[:, None] - s * torch.arange(out, device=taps.device) + p
        inside = (i >= 0) & (i < len(taps))
        return taps[i.clamp(0, len(taps) - 1)] * inside

    def export(self) -> nn.Module:
        """A convolution of each channel on its own; over a sphere a copy."""
        if self.bands is not None:
            return super().export()
        n, channels = len(self.stride), self.in_type.channels
        all_taps = self.listed("taps")
        weight = torch.ones_like(all_taps[0][:1])
        for taps in all_taps:
            weight = weight.unsqueeze(-1) * taps
        layer = _CONVOLUTIONS[n](
            in_channels=channels,
            out_channels=channels,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            groups=channels,
            bias=False,
        ).to(weight)
        with torch.no_grad():
            layer.weight.copy_(weight.expand_as(layer.weight))
        return layer

    def extra_repr(self) -> str:
        if self.bands is not None:
            return super().extra_repr()
        return (
            f"{super().extra_repr()}, factor={self.factor}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}"
        )


def _gaussian(size: int, sigma: float) -> Tensor:
    """Weights of sum 1; for sigma = 0 the limit: the middle one or two."""
    offset = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    nearest = offset.abs().min()
    exponent = (offset**2 - nearest**2) / (2 * sigma**2 or 1e-300)  # the middle has weight 1
    weights = torch.exp(-exponent)
    return weights / weights.sum()


class Upsample(Averaging):
    r"""Values on a finer grid, by repetition or by interpolation along each axis.

    As ``torch.nn.Upsample``; the centres of the two grids are the same, so it commutes with all
    symmetries of the grid. It acts on all channels alike, so on fields of any type.

    Over a sphere it leads to a higher band or to another grid, and changes no function: it is exact
    on all fields of the band, and equivariant for all rotations.

    With ``weights`` it interpolates between what is there (N3), over a sphere where half of what
    it reads or more is.

    Args:
        in_type: fields over a grid or a sphere.
        factor: ratio of the sizes, one number or one for each axis; 2 by default. Where it differs
            between the axes the result is over a grid of another shape, as ``out_type`` says. Over
            a sphere, of the bands.
        size: of the result, one number or one for each axis. It takes the place of the sizes that
            ``factor`` (then 1 by default) would give, which still says how the steps change
            relative to each other.
        mode: "nearest" repeats each value, "linear" interpolates between neighbours.
        align_corners: for "linear", whether the outermost points stay where they are, so that
            n points become ``factor * (n - 1) + 1``, which undoes the sizes of a stride with odd
            kernels; else the grid covers the same cells and n become ``factor * n``.
        scale_factor: the name that ``factor`` has in ``torch.nn.Upsample``.
        sphere: of the result, in place of ``factor``, with a band and a grid of its own.
    Raises:
        TypeError: for two of ``factor``, ``scale_factor`` and ``sphere``.
        ValueError: for an argument that has no meaning over the space; for "nearest" and a size
            that is no multiple of the input's; if the group exchanges axes along which ``size``
            changes the steps otherwise than ``factor`` says.
    """

    def __init__(
        self,
        in_type: FieldType,
        factor: Size | None = None,
        size: Size | None = None,
        mode: Literal["nearest", "linear"] = "linear",
        align_corners: bool = False,
        *,
        scale_factor: Size | None = None,
        sphere: Sphere | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        if factor is not None and scale_factor is not None:
            raise TypeError(
                "scale_factor: expected None beside factor, which is the same, got "
                f"{scale_factor!r} and {factor!r}"
            )
        factor = scale_factor if factor is None else factor
        if factor is None and sphere is None:
            factor = 2 if size is None else 1
        check_choice(mode, "mode", ("nearest", "linear"))
        if check_flag(align_corners, "align_corners") and mode == "nearest":
            raise ValueError("align_corners: expected False for mode 'nearest', got True")
        self.bands = self.shares = None
        if in_type.space.is_band_limited:
            nearest = None if mode == "linear" else mode
            unused(in_type.space, size=size, mode=nearest, align_corners=align_corners or None)
            self.out_type = resized(in_type, factor, sphere, up=True)
            self._set_bands()
            return
        space = grid_of(in_type, spheres=True)
        unused(space, sphere=sphere)
        n = space.n
        assert factor is not None  # the constructor has one over a grid
        self.factor = each(factor, n, "factor")
        self.size = None if size is None else each(size, n, "size")
        self.mode, self.align_corners = mode, align_corners
        self.out_type = FieldType(space.refined(self.factor), in_type.blocks)

    def _on_grid(self, x: Tensor) -> Tensor:
        size = self._size_out([x.shape[axis] for axis in range(2, 2 + len(self.factor))])
        if self.size is not None:
            space, ends = grid_of(self.in_type), int(self.align_corners)
            check_steps(space, "size", x.shape[2:], self.size, self.factor, ends)
        if self.mode == "linear":
            mode = _LINEAR[len(size)]
            return F.interpolate(x, size, mode=mode, align_corners=self.align_corners)
        y = x
        for axis, (new, old) in enumerate(zip(size, x.shape[2:], strict=True), 2):
            if new % old:
                raise ValueError(
                    f"x: expected sizes that divide {size} for mode 'nearest', got {tuple(x.shape)}"
                )
            y = y.repeat_interleave(new // old, axis)
        return y

    def _size_out(self, sizes: Sequence[int]) -> list[int]:
        if self.size is not None:
            return list(self.size)
        pairs = list(zip(self.factor, sizes, strict=True))
        return [f * (n - 1) + 1 if self.align_corners else f * n for f, n in pairs]

    def export(self) -> nn.Module:
        """``torch.nn.Upsample``; with aligned corners and a factor, which it has not, a graph."""
        if self.bands is not None:
            return super().export()
        if self.align_corners and self.size is None:
            return graph(self)
        mode = _LINEAR[len(self.factor)] if self.mode == "linear" else "nearest"
        options: dict[str, Any] = {"size": self.size}
        if self.size is None:
            options = {"scale_factor": tuple(float(f) for f in self.factor)}
        align = self.align_corners if self.mode == "linear" else None
        return nn.Upsample(**options, mode=mode, align_corners=align)

    def extra_repr(self) -> str:
        if self.bands is not None:
            return super().extra_repr()
        how = f"factor={self.factor}" if self.size is None else f"size={self.size}"
        return f"{super().extra_repr()}, {how}, mode={self.mode!r}"
