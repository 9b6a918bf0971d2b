"""Pools over all of space, from maps to vectors."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, HomogeneousSpace, Point, Points, Sphere, sphere_of
from equinet.field.grid import Grid
from equinet.nn.arguments import check_clouds
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import filled
from equinet.nn.pool import plain_vectors
from equinet.nn.requirements import check_permuted
from equinet.numerics import soft_weights
from equinet.numerics.arguments import check_integer
from equinet.numerics.values import check_numbers

_MOST = 2**31 - 1  # clouds
_POOLS = {
    1: (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    3: (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d),
}


class _GlobalPool(EquivariantModule):
    """A pool over a grid, the sphere, SO(3), a cloud of points, or a finite space."""

    which: int  # of _POOLS

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, None)
        space = in_type.space
        if isinstance(space, Point):
            raise ValueError(
                f"in_type: there is no space to pool over, got {in_type!r}; see enn.GroupPool and "
                "enn.NormPool"
            )
        if not isinstance(space, Grid | Sphere | Points | HomogeneousSpace):
            raise ValueError(
                "in_type: expected fields over a grid, a sphere or Points, or a HomogeneousSpace, "
                f"got {in_type!r}"
            )
        if isinstance(space, Sphere):
            for _, rho in in_type.blocks:
                if not rho.is_regular and not rho.is_trivial:
                    raise ValueError(
                        f"in_type: over the sphere {type(self).__name__} needs trivial or regular "
                        f"fields, got {rho!r} in {in_type!r}: vectors in different tangent planes "
                        "cannot be compared"
                    )
        self.is_finite = isinstance(space, HomogeneousSpace)
        # Points of a finite space have fibres of their own, so what is left is invariant.
        self.out_type = None if self.is_finite else plain_vectors(in_type)
        self.has_clouds = isinstance(space, Points)

    def forward(self, x: Tensor, batch: Tensor | None = None, count: int | None = None) -> Tensor:
        self.check(x)
        if self.has_clouds:
            return self.over_clouds(x, *_clouds(x, batch, count))
        check_clouds(self.in_type, x, batch, count)
        return self.over_space(x)

    def over_clouds(self, x: Tensor, batch: Tensor, count: int) -> Tensor:
        """Reduce the points of each cloud, ``(points, channel)`` to ``(count, channel)``."""
        raise TypeError(f"{type(self).__name__} is not a concrete pool")

    def over_space(self, x: Tensor) -> Tensor:
        """Reduce all axes of space."""
        raise TypeError(f"{type(self).__name__} is not a concrete pool")

    def export(self) -> nn.Module:
        """``AdaptiveAvgPool`` or ``AdaptiveMaxPool`` and ``Flatten`` over a grid, else a copy."""
        if not isinstance(self.in_type.space, Grid):
            return super().export()
        kind: Any = _POOLS[self.in_type.space.n][self.which]
        return nn.Sequential(kind(1), nn.Flatten(1))


class GlobalAvgPool(_GlobalPool):
    r"""Mean over all of space.

    Over a grid or the points of a cloud it is the mean of the values; of vectors it is a vector.
    Over the sphere and SO(3) it is the integral with Haar measure, exact for band-limited fields.
    Over a finite space, where the fibres of two points cannot be compared, it is what is invariant
    of that: the mean of the component of the values along each vector that H leaves alone.

    Args:
        in_type: fields over a grid, a sphere (trivial or regular ones), ``Points``, or a
            ``HomogeneousSpace`` (all with an invariant vector, such as regular ones).
    Shape:
        ``in_type.shape(batch, ...)`` to ``(batch, channels)``, over a finite space to
        ``(batch, invariant vectors)``. ``out_type`` is None for plain vectors, where all channels
        are invariant, else the same fields over ``Point``.

        Over ``Points``, ``forward(x, batch, count)`` takes the number of the cloud of each point,
        int64 ``(points,)``, and the number of clouds (by default the largest and one), and gives
        ``(count, channels)``, zeros for a cloud without points; without ``batch`` all points are
        one cloud. On a GPU the check of the numbers waits for them, as ``count=None`` does.
    Raises:
        ValueError: if a number in ``batch`` is negative or not below ``count``.
    """

    weights: Tensor
    which = 0

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        self.on_sphere = isinstance(in_type.space, Sphere)
        if self.is_finite:
            _check_invariants(in_type)
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        if self.is_finite:  # the component of a value along each invariant vector
            return {"weights": self.in_type.fibre.coefficients}
        return {"weights": soft_weights(self.in_type.space.band)} if self.on_sphere else {}  # pyright: ignore

    def over_clouds(self, x: Tensor, batch: Tensor, count: int) -> Tensor:
        # Sums, as ONNX takes the last of the values where scatter_reduce means their mean.
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # sums need the digits
        sums = y.new_zeros(count, y.shape[1]).index_add(0, batch, y)
        points = y.new_zeros(count).index_add(0, batch, torch.ones_like(y[:, 0]))
        return (sums / points.clamp(min=1)[:, None]).to(x.dtype)

    def over_space(self, x: Tensor) -> Tensor:
        if self.is_finite:
            return F.linear(x.mean(2), self.weights)
        if not self.on_sphere:
            return x.mean(tuple(range(2, x.dim())))
        # Reversed, the axes lie in memory as the convolutions leave them. The gradient of a sum is
        # one number for all of it, that of a mean would be written out.
        y = x.permute(tuple(reversed(range(x.dim())))).flatten(0, -4)
        weights = self.weights / len(y)
        return (y.sum(0).permute(2, 1, 0) @ weights.to(y.dtype)).contiguous()

    def export(self) -> nn.Module:
        """Over a finite space with a ``torch.nn.Linear`` for the invariant vectors."""
        if not self.is_finite:
            return super().export()
        count, channels = self.weights.shape
        layer = nn.Linear(channels, count, bias=False, device="meta")
        mean = nn.AdaptiveAvgPool1d(1)
        return nn.Sequential(mean, nn.Flatten(1), filled(layer, self.weights, None))


class Integrate(GlobalAvgPool):
    r"""Mean over the sphere or over SO(3) with Haar measure, int f; exact for band-limited fields.

    The name of ``GlobalAvgPool`` over the sphere.

    Shape:
        ``in_type.shape(batch)`` to ``(batch, channels)``.
    """

    def __init__(self, in_type: FieldType) -> None:
        sphere_of(in_type)
        super().__init__(in_type)


class GlobalMaxPool(_GlobalPool):
    """Maximum over all of space; invariant up to what a grid misses between its points.

    Over a finite space, where H permutes the components of a value, over those too.

    Args:
        in_type: trivial, regular or quotient fields over a grid, a sphere, ``Points``, or a
            ``HomogeneousSpace``.
    Shape:
        As ``GlobalAvgPool``; over a finite space ``(batch, fields)``.
    """

    which = 1
    aliases = True

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        check_permuted(in_type, "the maximum", "enn.GlobalAvgPool")
        self.aliases = not self.is_finite

    def over_clouds(self, x: Tensor, batch: Tensor, count: int) -> Tensor:
        zeros, index = x.new_zeros(count, x.shape[1]), batch[:, None].expand_as(x)
        return zeros.scatter_reduce(0, index, x, "amax", include_self=False)

    def over_space(self, x: Tensor) -> Tensor:
        if self.is_finite:
            return torch.cat([part.amax((2, 3)) for part in self.in_type.split(x)], 1)
        return x.amax(tuple(range(2, x.dim())))


def _clouds(x: Tensor, batch: Tensor | None, count: int | None) -> tuple[Tensor, int]:
    """The number of the cloud of each point, and how many clouds there are."""
    if count is not None:
        check_integer(count, "count", least=0, most=_MOST)
    if batch is None:
        if count not in (None, 1):
            raise ValueError(
                f"batch: expected the number of the cloud of each point, for {count} clouds, got "
                "None"
            )
        return torch.zeros(x.shape[0], dtype=torch.int64, device=x.device), 1
    check_numbers("batch", batch, "the number of the cloud of each point", x.shape[:1], x, count)
    if count is None:
        count = int(batch.max()) + 1 if len(batch) else 0
    return batch, count


def _check_invariants(in_type: FieldType) -> None:
    """Raise ValueError if a block has no vector that H leaves alone, so that nothing is left."""
    for _, rho in in_type.blocks:
        if not any(psi.is_trivial for psi in rho.constituents):
            raise ValueError(
                f"in_type: over {in_type.space} the mean needs fields with an invariant vector, "
                f"got {rho!r} in {in_type!r}: values in the fibres of different points cannot be "
                "compared; enn.NormPool or a convolution makes scalars"
            )
