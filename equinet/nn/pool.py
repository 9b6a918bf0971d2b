r"""Pools over a window.

Over a sphere a window is a disc. Over a grid it is exact for the elements of H that map the grid to
itself, if the samples lie about its centre; see ``centred``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Sphere, sphere_of
from equinet.field.transform import block_orders
from equinet.nn.bands import cap, resized, ring_step, unused
from equinet.nn.centred import Centred
from equinet.nn.discs import Discs, disc_pairs, discs_between
from equinet.nn.layout import laid_out
from equinet.nn.masks import read
from equinet.nn.requirements import check_alike, check_orthogonal, check_permuted, grid_of
from equinet.nn.resampling import Averaging, Resampling
from equinet.numerics import Constant
from equinet.numerics.arguments import Size, check_flag, check_integer, each
from equinet.ops import full_precision

_AVERAGE = {
    1: (F.avg_pool1d, nn.AvgPool1d),
    2: (F.avg_pool2d, nn.AvgPool2d),
    3: (F.avg_pool3d, nn.AvgPool3d),
}
_MAXIMUM = {
    1: (F.max_pool1d, nn.MaxPool1d),
    2: (F.max_pool2d, nn.MaxPool2d),
    3: (F.max_pool3d, nn.MaxPool3d),
}


class _Window(Resampling):
    """A pool over a moving window on a grid, or over a disc on a sphere."""

    on_spheres = False  # whether there is such a pool

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: Size,
        stride: Size | None,
        padding: Size,
        dilation: Size = 1,
        ceil_mode: bool = False,
        sphere: Sphere | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        self.radius = None
        if self.on_spheres and in_type.space.is_band_limited:
            shape = {"padding": padding or None, "dilation": None if dilation == 1 else dilation}
            unused(in_type.space, **shape, ceil_mode=ceil_mode or None)
            self.kernel_size = (check_integer(kernel_size, "kernel_size"),)
            self.radius = min(self.kernel_size[0] * ring_step(in_type) / 2, math.pi)
            if stride is None and sphere is None:
                stride = kernel_size
            self.out_type = resized(in_type, stride, sphere, name="stride")
            return
        space = grid_of(in_type, spheres=self.on_spheres)
        unused(space, sphere=sphere)
        n = space.n
        self.kernel_size = each(kernel_size, n, "kernel_size")
        self.stride = self.kernel_size if stride is None else each(stride, n, "stride")
        self.padding = each(padding, n, "padding", 0)
        self.dilation = each(dilation, n, "dilation")
        for name in ("kernel_size", "stride", "padding", "dilation"):
            check_alike(space, name, getattr(self, name))
        self.ceil_mode = check_flag(ceil_mode, "ceil_mode")
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding: expected at most half of kernel_size {self.kernel_size}, got {padding!r}"
            )
        self.out_type = FieldType(space.coarsened(self.stride), in_type.blocks)
        self.centred = Centred(
            in_type,
            type(self).__name__,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=ceil_mode,
        )

    def extra_repr(self) -> str:
        if self.radius is not None:
            return f"{super().extra_repr()}, kernel_size={self.kernel_size[0]}"
        text = f"{super().extra_repr()}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if any(self.padding) else ""
        return text + (", ceil_mode=True" if self.ceil_mode else "")

    def _largest(self, x: Tensor, return_indices: bool = False) -> Any:  # noqa: ANN401
        """The largest value in each window of a grid, as the function of torch has it."""
        pool, _ = _MAXIMUM[len(self.kernel_size)]
        return pool(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=return_indices,
        )


class AvgPool(Averaging, _Window):
    r"""The mean over a window, of any fields, as ``torch.nn.AvgPool3d``.

    ``ceil_mode``, which comes before ``count_include_pad`` in torch, is given by name.

    Over a sphere it is the mean over a disc, to whose centre values come along great circles: of
    the function itself and not of its samples, so it is exactly equivariant.

    With ``weights`` it is the mean over what is there (N3). Over a sphere it is then that of the
    samples in the disc (N4), which lies between the smallest and the largest of them, and is
    equivariant up to what is missed between the samples. Functions of gamma are turned as
    functions below the band, which may overshoot.

    Args:
        in_type: fields over a grid or a sphere.
        kernel_size: of the window, one number or one for each axis; over a sphere the diameter of
            the disc in steps from ring to ring, where a pole is half a ring; from a radius of pi on
            it is the whole sphere.
        stride: ``kernel_size`` if None. Over a sphere the band is divided by it and rounded up.
        padding: zeros on both sides of each axis.
        count_include_pad: divide by the size of the window at the border too.
        ceil_mode: let a last window reach over the end of an axis that the stride does not fit.
            Such windows lie off the centre: for axes that the group leaves alone.
        divisor_override: divide by this in place of the size of the window, on a plane or in a
            volume.
        sphere: of the result, in place of ``stride``, with a band and a grid of its own.
    Raises:
        TypeError: for both ``stride`` and ``sphere``.
        ValueError: if the group exchanges axes along which the window is not the same, for a
            ``divisor_override`` on a line, which ``torch.nn.AvgPool1d`` has not, and for an
            argument without a meaning over the space.
    Warns:
        UserWarning: for a grid that is sampled off its centre.
    """

    on_spheres = True

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        count_include_pad: bool = True,
        *,
        ceil_mode: bool = False,
        divisor_override: int | None = None,
        sphere: Sphere | None = None,
    ) -> None:
        super().__init__(in_type, kernel_size, stride, padding, 1, ceil_mode, sphere)
        self.bands = self.shares = None
        if self.radius is not None:
            unused(in_type.space, divisor_override=divisor_override)
            self._set_bands(cap(self.radius))
        self.count_include_pad = check_flag(count_include_pad, "count_include_pad")
        self.divisor_override = divisor_override
        if divisor_override is not None:
            check_integer(divisor_override, "divisor_override")
            if len(self.kernel_size) == 1:
                raise ValueError(
                    "divisor_override: expected None on a line, where torch has none, got "
                    f"{divisor_override}; multiply the output with kernel_size / divisor instead"
                )

    def _on_grid(self, x: Tensor) -> Tensor:
        pool, _ = _AVERAGE[len(self.kernel_size)]
        return pool(x, self.kernel_size, self.stride, self.padding, *self._options())

    def _discs(self, x: Tensor) -> Discs:
        before, after = sphere_of(self.in_type), sphere_of(self.out_type)
        assert self.radius is not None
        return discs_between(before.rings, after.rings, self.radius).like(x)

    def _left(self, w: Tensor) -> Tensor:
        if self.radius is None:
            return super()._left(w)
        found = self._discs(w).means(w.flatten(2))
        return found.unflatten(2, sphere_of(self.out_type).rings.shape)

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        if self.radius is None:
            return super()._of_weighted(x, w)
        sampled = self.in_type.is_sampled
        with full_precision(x):
            largest = w.flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1))
            w = w / largest.where(largest > 0, 1.0)  # so that no product is too large
            share = self._left(w[..., 0] if sampled else w)
            share = share[..., None] if sampled else share
            y = self._transported(read(x, w) * w) / share.where(share > 0, 1.0)
            return y.where(share > 0, 0.0).to(x.dtype)

    def _transported(self, x: Tensor) -> Tensor:
        """The numerator of (N4), for fields times weights in single precision at least."""
        discs, after = self._discs(x), sphere_of(self.out_type)
        band = min(sphere_of(t).band for t in (self.in_type, self.out_type))
        parts = []
        for (mul, rho), orders, part in zip(
            self.in_type.blocks,
            block_orders(self.in_type, band),
            x.split([block.stop - block.start for block in self.in_type.slices], 1),
            strict=True,
        ):
            n = torch.tensor(orders, device=x.device)
            if rho.is_sampled:
                waves = torch.fft.rfft(part.flatten(2, -2), norm="forward")[..., :band]
                size = after.rings.shape[0]
                found = torch.fft.irfft(discs.transported(waves, -n), size, norm="forward")
            elif orders == (0,):
                found = discs.means(part.flatten(2))
            else:
                both = part.flatten(2).unflatten(1, (mul, 2))
                z = discs.transported(torch.complex(both[:, :, 0], both[:, :, 1])[..., None], n)
                found = torch.view_as_real(z[..., 0]).movedim(-1, 2).flatten(1, 2)
            parts.append(found)
        return torch.cat(parts, 1).unflatten(2, after.rings.shape)

    def _options(self) -> list[Any]:
        """What follows the padding in torch's functions and modules."""
        options = [self.ceil_mode, self.count_include_pad]
        return options if self.divisor_override is None else [*options, self.divisor_override]

    def export(self) -> nn.Module:
        """``torch.nn.AvgPool1d``, ``2d`` or ``3d``; over a sphere a copy."""
        if self.radius is not None:
            return super().export()
        sizes: list[Any] = [self.kernel_size, self.stride, self.padding]
        _, plain = _AVERAGE[len(self.kernel_size)]
        return plain(*sizes, *self._options())


class MaxPool(_Window):
    r"""The largest value in a window, of fields whose components are permuted.

    As ``torch.nn.MaxPool3d``. For other fields see ``NormMaxPool``, which needs a grid, or
    ``AvgPool``. Striding after a maximum
    aliases; ``MaxPool(h, k, stride=1, padding=k // 2)`` and then ``Downsample(h, 2)`` does less.
    There is no ``return_indices``: the place of a maximum moves with the fields.

    Over a sphere it is the largest sample in a disc, equivariant up to what is missed between the
    samples; ``AvgPool`` and ``Downsample`` are exact there.

    With ``weights`` it is the largest of what is there, and the weight of the result the largest of
    the window.

    Args:
        in_type: trivial, regular or quotient fields over a grid, trivial ones over a sphere.
        kernel_size: of the window, one number or one for each axis; over a sphere as for
            ``AvgPool``.
        stride: ``kernel_size`` if None. Over a sphere the band is divided by it and rounded up.
        padding: on both sides of each axis, of values that are never the largest.
        dilation: distance of the points of the window.
        ceil_mode: as for ``AvgPool``.
        sphere: as for ``AvgPool``.
    Raises:
        TypeError: for both ``stride`` and ``sphere``.
        ValueError: for fields whose components turn into each other, if the group exchanges axes
            along which the window is not the same, and for an argument without a meaning over the
            space.
    Warns:
        UserWarning: for a grid that is sampled off its centre.
    """

    aliases = True
    on_spheres = True
    pairs: Tensor

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        *,
        ceil_mode: bool = False,
        sphere: Sphere | None = None,
    ) -> None:
        super().__init__(in_type, kernel_size, stride, padding, dilation, ceil_mode, sphere)
        check_permuted(in_type, "the maximum", "enn.NormMaxPool or enn.AvgPool")
        if self.radius is not None and in_type.is_sampled:
            raise ValueError(
                f"in_type: expected trivial fields over a sphere, got {in_type!r}; enn.GroupPool "
                "makes them of regular ones"
            )
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        if self.radius is None:
            return {}
        before, after = sphere_of(self.in_type), sphere_of(self.out_type)
        return {"pairs": disc_pairs(before.rings, after.rings, self.radius)}

    def _resampled(self, x: Tensor) -> Tensor:
        if self.radius is None:
            return self._largest(x)
        points, centres = self.pairs
        found = x.flatten(2).index_select(2, points)
        rings = sphere_of(self.out_type).rings
        y = x.new_zeros(*x.shape[:2], rings.count)
        y = y.scatter_reduce(2, centres.expand_as(found), found, "amax", include_self=False)
        return y.unflatten(2, rings.shape)

    def _left(self, w: Tensor) -> Tensor:
        return self._resampled(w)

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        return read(self._resampled(read(x, w, -torch.inf)), self._left(w))

    def export(self) -> nn.Module:
        """``torch.nn.MaxPool1d``, ``2d`` or ``3d``; over a sphere a copy."""
        if self.radius is not None:
            return super().export()
        sizes: list[Any] = [self.kernel_size, self.stride, self.padding, self.dilation]
        _, plain = _MAXIMUM[len(self.kernel_size)]
        return plain(*sizes, ceil_mode=self.ceil_mode)


class NormMaxPool(_Window):
    r"""The longest vector in a window, for each field.

    A scalar is a vector of one component, so its longest is the one of largest absolute value.

    With ``weights`` it is the longest of what is there, and the weight of the result the largest of
    the window.

    Args:
        in_type: fields over a grid with orthogonal rho.
        kernel_size: of the window, one number or one for each axis.
        stride: ``kernel_size`` if None.
        padding: on both sides of each axis, of vectors that are never the longest.
        ceil_mode: as for ``AvgPool``.
    Raises:
        ValueError: if a rho is not orthogonal, and if the group exchanges axes along which the
            window is not the same.
    Warns:
        UserWarning: for a grid that is sampled off its centre.
    """

    aliases = True

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(in_type, kernel_size, stride, padding, ceil_mode=ceil_mode)
        check_orthogonal(in_type, functions="enn.GroupPool")

    def _resampled(self, x: Tensor) -> Tensor:
        y = torch.cat([self._longest(part) for part in self.in_type.split(x)], 1)
        return laid_out(y, x)

    def _left(self, w: Tensor) -> Tensor:
        return self._largest(w)

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        parts = self.in_type.split(read(x, w))
        return torch.cat([self._longest(part, w) for part in parts], 1)

    def _longest(self, f: Tensor, w: Tensor | None = None) -> Tensor:
        """Of ``(batch, field, component, *sizes)``: ``(batch, channel, *pooled sizes)``."""
        square = f.detach().to(torch.promote_types(f.dtype, torch.float32)).square().sum(2)
        _, where = self._largest(read(square, w, -1.0), return_indices=True)
        index = where.flatten(2).unsqueeze(2).expand(-1, -1, f.shape[2], -1)
        return f.flatten(3).gather(3, index).unflatten(3, where.shape[2:]).flatten(1, 2)
