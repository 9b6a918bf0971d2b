r"""Normalisation of fields, one road for five layers.

.. math:: f \mapsto w\, \frac{f - \mu}{\sqrt{\sigma^2 + \epsilon}} + b, \qquad
          \mu = P\, E f, \quad \sigma^2 = E\, |f - \mu|^2 / \dim f \quad (N1)

P projects on the vectors that H leaves alone, the only place where a mean or a bias b can be; w is
a number for each field. rho(h) is orthogonal, so ``|f - mu|^2`` is invariant, and (N1) commutes
with G if the expectation E does. On trivial fields these are the layers of ``torch.nn``.

============  ====================================================================================
layer         E is over
============  ====================================================================================
BatchNorm     batch and space, for each field; mu = b = 0 on request
InstanceNorm  space, for each sample and field; over ``Points`` each cloud
GroupNorm     space and a group of fields, for each sample; over ``Points`` each cloud
LayerNorm     all fields, for each point of space
RMSNorm       all fields, for each point of space; mu = b = 0
============  ====================================================================================

Among the fields over which E is taken each counts the same, whatever its dimension: sigma^2 is the
mean of theirs, and the coefficients of mu in the invariant vectors are the mean of theirs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_clouds
from equinet.nn.clouds import cloud_means, clouds_of
from equinet.nn.field_norm import FieldNorm, moments, widened
from equinet.nn.layout import laid_out
from equinet.nn.masks import moments_over, point_weights, read
from equinet.numerics import Constant
from equinet.numerics.arguments import check_integer
from equinet.ops import full_precision


class SpaceNorm(FieldNorm):
    """Statistics over space: moments of the channels come first, all else is small."""

    weights: Tensor
    over_batch = False
    centre = True  # whether mu is taken away; else mu = 0 in (N1)

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        # Along the first axis of space, where they differ; elsewhere all points weigh the same.
        weights = self.in_type.space.weights
        one = torch.ones(1, dtype=torch.float64)
        return {**super().constants(dtype), "weights": one if weights is None else weights}

    def moments(self, x: Tensor, w: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and variance of every channel, ``(batch or 1, channel)`` each."""
        if w is not None:
            return moments_over(x, w, self.weights, self.over_batch)
        first = 2 if self.in_type.space.weights is None else 3
        dims = [0] * self.over_batch + list(range(first, x.dim()))
        mean, var = moments(x, dims) if dims else (widened(x), widened(torch.zeros_like(x)))
        mean, var = mean[:, :, None].flatten(2), var[:, :, None].flatten(2)
        weights = self.weights.to(mean.dtype)
        whole = (mean * weights).sum(2, keepdim=True)
        return whole[..., 0], ((var + (mean - whole) ** 2) * weights).sum(2)

    def statistics(self, x: Tensor, w: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The coefficients of mu and sigma^2 of the fields, ``(batch or 1, ...)`` each."""
        if not x.numel():
            return widened(x.new_zeros(1, self.count)), widened(x.new_ones(1, self.fields))
        return self.of_fields(*self.moments(x, w))

    def of_fields(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """The statistics of the fields from the moments of the channels."""
        m = self.pool_means(self.coefficients(mean))
        m = m if self.centre else torch.zeros_like(m)
        return m, self.pool_variances(self.per_field(var + (mean - self.spread(m)) ** 2))

    def pool_means(self, m: Tensor) -> Tensor:
        """The mean over the group of each invariant vector; here it is alone."""
        return m

    def pool_variances(self, variance: Tensor) -> Tensor:
        """The mean over the group of each field; here it is alone."""
        return variance

    def normalize(self, x: Tensor, m: Tensor, variance: Tensor) -> Tensor:
        """(N1) with these statistics."""
        scale, shift = (part.flatten() for part in self.scale_and_shift(m, variance))
        if not x.numel():
            return x * (scale + shift).sum().to(x.dtype)  # nothing, with all gradients
        # w x + b in one pass, forward and backward: torch's layer with statistics 0 and 1.
        rows = x.reshape(-1, scale.numel(), *x.shape[2:])
        y = F.batch_norm(rows, torch.zeros_like(scale), torch.ones_like(scale), scale, shift, eps=0)
        return laid_out(y.view(x.shape), x)

    def scale_and_shift(self, m: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """What (N1) with these statistics multiplies channels by, and then adds."""
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        scale = scale.index_select(1, self.field_of)
        shift = -self.spread(m) * scale
        return scale, shift if self.bias is None else shift + self.spread(self.bias[None])


class SampleNorm(SpaceNorm):
    """Statistics of every sample, over ``Points`` of every cloud."""

    def forward(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        count: int | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The fields with these statistics.

        Args:
            x: ``in_type.shape(batch, ...)``.
            batch: over ``Points``, the number of the cloud of each; without it all are one.
            count: over ``Points``, of the clouds, by default the largest number and one.
            weights: of the points in the statistics, as in ``GlobalAvgPool``. Where they are 0
                the input is not read, and the output is 0.
        Returns:
            In the shape of ``x``.
        Raises:
            TypeError, ValueError: as ``GlobalAvgPool``.
        """
        self.check(x)
        w = point_weights(self.in_type, x, weights)
        x = read(x, w)
        if self.in_type.space.in_clouds:
            return read(self.over_clouds(x, *clouds_of(x, batch, count), w), w)
        check_clouds(self.in_type, x, batch, count)
        return read(self.normalize(x, *self.statistics(x, w)), w)

    def over_clouds(self, x: Tensor, batch: Tensor, count: int, w: Tensor | None) -> Tensor:
        """(N1) with the statistics of each cloud.

        Args:
            x: ``(points, channels)``.
            batch: the number of the cloud of each point.
            count: of the clouds.
            w: weights of the points, ``(points, 1)``, or None.
        Returns:
            In the shape of ``x``.
        """
        y = widened(x)
        mean = cloud_means(y, batch, count, w)
        var = cloud_means((y - mean.index_select(0, batch)).square(), batch, count, w)
        scale, shift = self.scale_and_shift(*self.of_fields(mean, var))
        return (y * scale.index_select(0, batch) + shift.index_select(0, batch)).to(x.dtype)


class InstanceNorm(SampleNorm):
    r"""Normalise every field of every sample over space (N1), as ``torch.nn.InstanceNorm3d``.

    The statistics are those of the sample, in evaluation too; ``BatchNorm`` has running ones.

    Args:
        in_type: fields over a space with points.
        eps: added to the variance.
        affine: learn w, one a field, and b, one for each invariant vector.
        bias: learn b, if ``affine``; False for w alone.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to the same. Over ``Points``, ``forward(x, batch, count)``
        takes the number of the cloud of each point and the number of clouds, as ``GlobalAvgPool``.
    Raises:
        ValueError: over ``Point``, and if a rho is not orthogonal.
    """

    def __init__(
        self,
        in_type: FieldType,
        eps: float = 1e-5,
        affine: bool = False,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, eps, affine, bias=bias)
        if not in_type.has_points:
            raise ValueError(
                "in_type: there is no space to average over; use GroupNorm or "
                f"LayerNorm, got {in_type!r}"
            )
        self.set_constants()
        self.place(device, dtype)

    def export(self) -> nn.Module:
        """For scalars ``torch.nn.GroupNorm`` with a group for each; else a copy."""
        return _exported(self, self.in_type.copies) or super().export()


class GroupNorm(SampleNorm):
    r"""Normalise groups of fields of every sample over space (N1), as ``torch.nn.GroupNorm``.

    With one group, all fields of a sample have one mu and one sigma over all of space.

    Args:
        in_type: fields over any space.
        num_groups: the fields, in order, fall into so many groups of equal number.
        eps: added to the variance.
        affine: learn w, one a field, and b, one for each invariant vector.
        bias: learn b, if ``affine``; False for w alone.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        As ``InstanceNorm``.
    Raises:
        ValueError: if the fields do not fall into such groups, and if a rho is not orthogonal.
    """

    group_of: Tensor
    mean_of: Tensor

    def __init__(
        self,
        in_type: FieldType,
        num_groups: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, eps, affine, bias=bias)
        self.num_groups = check_integer(num_groups, "num_groups")
        if in_type.copies % num_groups:
            raise ValueError(
                f"num_groups: expected a divisor of the number of fields, {in_type.copies} in "
                f"{in_type!r}, got {num_groups!r}"
            )
        self.set_constants()
        self.place(device, dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        # The group of each invariant vector, and the matrix that takes means over the groups.
        per_field = torch.tensor(self.means).repeat_interleave(torch.tensor(self.multiplicities))
        field = torch.arange(len(per_field)).repeat_interleave(per_field)
        group_of = field // (len(per_field) // self.num_groups)
        member = (torch.arange(self.num_groups)[:, None] == group_of).double()
        mean_of = member / member.sum(1, keepdim=True).clamp(min=1)
        return {**super().constants(dtype), "group_of": group_of, "mean_of": mean_of}

    def pool_means(self, m: Tensor) -> Tensor:
        with full_precision(m):
            return (m @ self.mean_of.to(m.dtype).mT).index_select(1, self.group_of)

    def pool_variances(self, variance: Tensor) -> Tensor:
        groups = variance.unflatten(1, (self.num_groups, -1))
        return groups.mean(2, keepdim=True).expand_as(groups).flatten(1)

    def export(self) -> nn.Module:
        """For scalars ``torch.nn.GroupNorm``; else a copy."""
        return _exported(self, self.num_groups) or super().export()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_groups={self.num_groups}"


def _exported(module: SpaceNorm, groups: int) -> nn.Module | None:
    """``torch.nn.GroupNorm`` if all fields are scalars in their own basis, on a grid or a point."""
    in_type = module.in_type
    space = in_type.space
    plain = (
        space.weights is None
        and not space.in_clouds
        and all(
            d == 1 and k == 1 and bool((vectors > 0).all())
            for d, k, vectors in zip(
                in_type.dims, module.means, module.listed("invariants"), strict=True
            )
        )
    )
    if not plain:
        return None
    sizes = groups, in_type.channels, module.eps, module.weight is not None
    layer = nn.GroupNorm(*sizes).to(module.weights)
    layer.load_state_dict(dict(module.named_parameters()), strict=False)  # the bias may lack: 0
    return layer
