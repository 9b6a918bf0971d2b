"""Pools over all of space, from maps to vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, sphere_of
from equinet.nn.arguments import check_clouds
from equinet.nn.clouds import cloud_means, cloud_sums, clouds_of
from equinet.nn.fibre_pool import plain_vectors
from equinet.nn.masks import mean_over, point_weights, read
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import filled
from equinet.nn.requirements import check_permuted
from equinet.ops import full_precision
from equinet.ops.precision import is_autocast

_POOLS = {
    1: (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    3: (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d),
}


class _GlobalPool(EquivariantModule[FieldType | None]):
    """A pool over all points of a space, or of each cloud."""

    which: int  # of _POOLS

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, None)
        if not in_type.has_points:
            raise ValueError(
                f"in_type: there is no space to pool over, got {in_type!r}; see enn.GroupPool and "
                "enn.NormPool"
            )
        # Where points have fibres of their own, what is left is invariant.
        self.out_type = plain_vectors(in_type) if in_type.space.is_parallel else None

    def forward(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        count: int | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        self.check(x)
        if is_autocast(x):  # a mean over many points needs the digits
            x = x.to(torch.promote_types(x.dtype, torch.float32))
        with full_precision(x):
            w = point_weights(self.in_type, x, weights)
            if self.in_type.space.in_clouds:
                return self.over_clouds(x, *clouds_of(x, batch, count), w)
            check_clouds(self.in_type, x, batch, count)
            return self.over_space(x, w)

    def over_clouds(self, x: Tensor, batch: Tensor, count: int, w: Tensor | None) -> Tensor:
        """Reduce the points of each cloud.

        Args:
            x: ``(points, channel)``.
            batch: the number of the cloud of each point, ``(points,)``.
            count: of the clouds.
            w: weights of the points, ``(points, 1)``, or None.
        Returns:
            ``(count, channel)``.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete pool")

    def over_space(self, x: Tensor, w: Tensor | None) -> Tensor:
        """Reduce all axes of space.

        Args:
            x: ``(batch, channel, *sizes)``.
            w: weights of the points, ``(batch or 1, 1, *sizes)``, or None.
        Returns:
            ``(batch, channel)``, or what is left of it.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete pool")

    def plain(self) -> nn.Sequential | None:
        """The pool of torch for points that weigh the same, with ``Flatten``; None if none is."""
        space, axes = self.in_type.space, len(self.in_type.axes)
        if space.in_clouds or space.weights is not None or axes not in _POOLS:
            return None
        return nn.Sequential(_POOLS[axes][self.which](1), nn.Flatten(1))


class GlobalAvgPool(_GlobalPool):
    r"""Mean over all of space.

    Over a grid or the points of a cloud it is the mean of the values; of vectors it is a vector.
    Over the sphere and SO(3) it is the integral with Haar measure, exact for band-limited fields.
    There and over finite spaces the fibres of two points cannot be compared; it is the mean of the
    component of the values along each vector that H leaves alone, which is invariant.

    Args:
        in_type: fields over a space with points; over a sphere or a ``HomogeneousSpace`` with an
            invariant vector in each, such as trivial and regular ones.
    Shape:
        ``in_type.shape(batch, ...)`` to ``(batch, channels)``, over a sphere or a finite space to
        ``(batch, invariant vectors)``. ``out_type`` is None for plain vectors, where all channels
        are invariant, else the same fields over ``Point``.

        Over ``Points``, ``forward(x, batch, count)`` takes the number of the cloud of each point,
        int64 ``(points,)``, and the number of clouds (by default the largest and one), and gives
        ``(count, channels)``, zeros for a cloud without points; without ``batch`` all points are
        one cloud. On a GPU the check of the numbers waits for them, as ``count=None`` does.

        Over any space it takes ``weights`` by name, areas or a mask, 0 where nothing is measured:
        for the points, ``(*sizes)``, or for those of each sample, ``(batch, *sizes)``. The mean is
        that over what is there (N2), and what is not may be NaN.

        Under ``torch.autocast`` it is in float32, as ``torch.sum`` is.
    Raises:
        TypeError: if ``weights`` is no real tensor.
        ValueError: if a number in ``batch`` is negative or not below ``count``, or one in
            ``weights`` negative or not finite.
    """

    weights: Tensor
    components: Tensor
    which = 0

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        self.is_weighted = in_type.space.weights is not None
        # Functions on the whole group are sampled along axes of their own, which are reduced too.
        invariant = all(
            dim == 1 and (rho.is_sampled or rho.is_trivial)
            for (_, rho), dim in zip(in_type.blocks, in_type.dims, strict=True)
        )
        self.takes_components = not (in_type.space.is_parallel or invariant)
        if self.takes_components:
            _check_invariants(in_type)
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = {}
        weights = self.in_type.space.weights
        if weights is not None:
            found["weights"] = weights
        if self.takes_components:  # of a value, along each invariant vector
            found["components"] = self.in_type.fibre.coefficients
        return found

    def over_clouds(self, x: Tensor, batch: Tensor, count: int, w: Tensor | None) -> Tensor:
        return cloud_means(x, batch, count, w).to(x.dtype)

    def over_space(self, x: Tensor, w: Tensor | None) -> Tensor:
        if w is not None:
            first = [1] * (x.dim() - 3)
            q = self.weights.view(-1, *first) if self.is_weighted else 1
            mean = mean_over(read(x, w), w * q, list(range(2, x.dim()))).flatten(1).to(x.dtype)
        else:
            mean = self._weighted(x) if self.is_weighted else x.mean(tuple(range(2, x.dim())))
        return F.linear(mean, self.components) if self.takes_components else mean

    def _weighted(self, x: Tensor) -> Tensor:
        """The mean with weights along the first axis of space."""
        # Reversed, the axes lie in memory as the convolutions leave them. The gradient of a sum is
        # one number for all of it, that of a mean would be written out.
        y = x.permute(tuple(reversed(range(x.dim()))))[None].flatten(0, -4)
        weights = self.weights / len(y)
        return (y.sum(0).permute(2, 1, 0) @ weights.to(y.dtype)).contiguous()

    def export(self) -> nn.Module:
        """``AdaptiveAvgPool`` and ``Flatten``, then ``Linear`` for invariant vectors; or a copy."""
        plain = self.plain()
        if plain is None or not self.takes_components:
            return super().export() if plain is None else plain
        count, channels = self.components.shape
        layer = nn.Linear(channels, count, bias=False, device="meta")
        return nn.Sequential(*plain, filled(layer, self.components, None))


class SumPool(GlobalAvgPool):
    r"""Sum over the points of each cloud, of a grid, or of a finite space, y = sum_x f(x).

    What is extensive is a sum: the energy of a molecule is one over its atoms. Over a finite space
    it is the sum of what ``GlobalAvgPool`` takes the mean of; ``weights`` multiply the values.

    Args:
        in_type: fields over a space whose points weigh the same, with an invariant vector in each
            over a ``HomogeneousSpace``.
    Shape:
        As ``GlobalAvgPool``.
    Raises:
        ValueError: over a sphere, where the sum would depend on the grid; in ``forward`` if a
            number in ``batch`` is negative or not below ``count``.

    Example:
        >>> from equinet.field import Points
        >>> energies = SumPool(Points("O(3)", dim=3).fields("1x0e"))
        >>> energies(torch.ones(5, 1), torch.tensor([0, 1, 0, 1, 1])).flatten()
        tensor([2., 3.])
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        if self.is_weighted:
            raise ValueError(
                f"in_type: expected fields over a space whose points weigh the same, got "
                f"{in_type!r}; enn.Integrate has the mean over a sphere, and 4 pi times it is the "
                "integral by area"
            )

    def over_clouds(self, x: Tensor, batch: Tensor, count: int, w: Tensor | None) -> Tensor:
        return cloud_sums(x if w is None else read(x, w) * w, batch, count).to(x.dtype)

    def over_space(self, x: Tensor, w: Tensor | None) -> Tensor:
        y = x if w is None else (read(x, w) * w).to(x.dtype)
        return super().over_space(y, None) * x.shape[2:].numel()

    def plain(self) -> None:
        """None: no module of torch sums over space."""


class Integrate(GlobalAvgPool):
    r"""Mean over the sphere or over SO(3) with Haar measure, int f; exact for band-limited fields.

    The name of ``GlobalAvgPool`` over the sphere. Haar measure has volume 1: of the function 1 it
    is 1, and 4 pi times it is the integral by area on the unit sphere.

    Shape:
        ``in_type.shape(batch)`` to ``(batch, channels)``.
    """

    def __init__(self, in_type: FieldType) -> None:
        sphere_of(in_type)
        super().__init__(in_type)


class GlobalMaxPool(_GlobalPool):
    """Maximum over all of space; invariant up to what a grid misses between its points.

    Over a sphere or a finite space, where H permutes the components of a value, over those too.

    Args:
        in_type: trivial, regular or quotient fields over a space with points.
    Shape:
        As ``GlobalAvgPool``; over a sphere or a finite space ``(batch, fields)``. The maximum is
        over the points whose weight is not 0, and minus infinity where there are none.
    """

    which = 1

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        check_permuted(in_type, "the maximum", "enn.GlobalAvgPool")
        space = in_type.space
        self.aliases = space.is_band_limited or space.grid is not None

    def over_clouds(self, x: Tensor, batch: Tensor, count: int, w: Tensor | None) -> Tensor:
        x = x if w is None else x.where(w > 0, -torch.inf)
        zeros, index = x.new_zeros(count, x.shape[1]), batch[:, None].expand_as(x)
        return zeros.scatter_reduce(0, index, x, "amax", include_self=False)

    def over_space(self, x: Tensor, w: Tensor | None) -> Tensor:
        x = x if w is None else x.where(w > 0, -torch.inf)
        y = x.amax(tuple(range(2, x.dim())))
        if self.in_type.space.is_parallel:
            return y
        return torch.cat([part.amax(2) for part in self.in_type.split(y)], 1)

    def export(self) -> nn.Module:
        """``AdaptiveMaxPool`` and ``Flatten``, or a copy."""
        plain = self.plain()
        whole = self.in_type.space.is_parallel or all(dim == 1 for dim in self.in_type.dims)
        return super().export() if plain is None or not whole else plain


def _check_invariants(in_type: FieldType) -> None:
    """Raise ValueError if a block has no vector that H leaves alone, so that nothing is left."""
    for _, rho in in_type.blocks:
        if not any(psi.is_trivial for psi in rho.constituents):
            raise ValueError(
                f"in_type: over {in_type.space} the mean needs fields with an invariant vector, "
                f"got {rho!r} in {in_type!r}: values in the fibres of different points cannot be "
                "compared; enn.NormPool or a convolution makes scalars"
            )
