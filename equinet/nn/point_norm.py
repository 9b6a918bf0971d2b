"""Norms over all fields at each point of space on its own, two of the five of ``normalization``."""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.nn.field_norm import FieldNorm, invariants, widened
from equinet.nn.masks import point_weights, read
from equinet.numerics import Constant
from equinet.ops import full_precision


class _PointNorm(FieldNorm):
    """Statistics over all fields, at every point of space on its own."""

    mean_of: Tensor
    constant: Tensor
    share: Tensor

    def __init__(
        self, in_type: FieldType, eps: float, affine: bool, bias: bool, centred: bool
    ) -> None:
        super().__init__(in_type, eps, affine, bias)
        self.centred = centred and self.count > 0
        # On the sphere a quotient of fields has degrees above the band.
        self.aliases = in_type.space.is_band_limited
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        found = super().constants(dtype)
        rows, columns, shares = [], [], []
        for (mul, rho), dim in zip(self.in_type.blocks, self.in_type.dims, strict=True):
            vectors, coefficients = invariants(rho)
            rows.append(coefficients.sum(0).repeat(mul) / max(1, self.count))
            columns.append(vectors.sum(1).repeat(mul))
            shares += [1 / (dim * self.in_type.copies)] * (mul * dim)
        return {
            **found,
            "mean_of": torch.cat(rows),  # channels to the mean coefficient
            "constant": torch.cat(columns),  # the sum of all invariant vectors
            "share": torch.tensor(shares, dtype=torch.float64),  # of |f_c|^2 in sigma^2
        }

    def forward(self, x: Tensor, *, weights: Tensor | None = None) -> Tensor:
        """The fields with the statistics of each point.

        Args:
            x: ``in_type.shape(batch, ...)``.
            weights: of the points, as in ``GlobalAvgPool``. A point is on its own, so that it
                matters only where they are 0: there the input is not read, and the output is 0.
        Returns:
            In the shape of ``x``.
        Raises:
            TypeError, ValueError: for ``weights``, as ``GlobalAvgPool``.
        """
        self.check(x)
        w = point_weights(self.in_type, x, weights)
        y, axes = widened(read(x, w)), [1] * (x.dim() - 2)
        with full_precision(x):
            if self.centred:
                mean = _over_channels(y, self.mean_of)
                y = y - mean * self.constant.to(y.dtype).view(-1, *axes)
            variance = _over_channels(y * y, self.share)
        y = y * (variance + self.eps).rsqrt()
        if self.weight is not None:
            y = y * self.weight[self.field_of].view(-1, *axes)
        if self.bias is not None:
            y = y + self.spread(self.bias[None])[0].view(-1, *axes)
        return read(y, w).to(x.dtype)


class LayerNorm(_PointNorm):
    r"""Normalise all fields at each point of space (N1), as ``torch.nn.LayerNorm(channels)``.

    Every point is on its own, as a token of a transformer or a pixel of ConvNeXt: one mu and one
    sigma for all fields there. ``GroupNorm(in_type, 1)`` takes them over space as well.

    Args:
        in_type: fields over any space.
        eps: added to the variance.
        affine: learn w, one a field, and b, one for each invariant vector.
        bias: learn b, if ``affine``; False for w alone.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if a rho is not orthogonal.
    """

    def __init__(
        self,
        in_type: FieldType,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, eps, affine, bias, centred=True)
        self.place(device, dtype)


class RMSNorm(_PointNorm):
    r"""Divide all fields at each point of space by their root mean square (N1), mu = b = 0.

    As ``torch.nn.RMSNorm(channels)`` at every point of space.

    Args:
        in_type: fields over any space.
        eps: added to the mean square.
        affine: learn w, one a field.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if a rho is not orthogonal.
    """

    def __init__(
        self,
        in_type: FieldType,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, eps, affine, bias=False, centred=False)
        self.place(device, dtype)


def _over_channels(x: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum over the channels, ``(batch, 1, ...)``; einsum copies ``x``."""
    rows = weights.to(x.dtype) @ x[..., None].flatten(2)
    return rows.view(x.shape[0], 1, *x.shape[2:])
