r"""Distances of fields: by area on a grid, and by degrees.

In: two fields, and what the points weigh. Out: one number.
"""

import functools
import math

import torch
from torch import Tensor

from equinet.field import FieldAnalysis, FieldType, sphere_of
from equinet.field.field_type import check_type
from equinet.field.transform import block_orders
from equinet.harmonics.grid import degree_columns
from equinet.nn.masks import mean_over, point_weights, read
from equinet.numerics import Constants
from equinet.numerics.arguments import check_flag, check_number
from equinet.numerics.values import check_measured, is_readable
from equinet.ops import full_precision
from equinet.ops.precision import is_autocast

_EXPONENT = math.log(1e30)  # of what a factor may be, in single precision and with room for fields


class FieldLoss(Constants):
    r"""The mean square of a difference, in which points weigh as much as the area they stand for.

    .. math:: L = \frac{1}{N} \sum_c \frac{\int w\, (x_c - y_c)^2}{\int w}, \qquad
              L_{rel} = \Bigl(\frac{\sum_c \int w\, (x_c - y_c)^2}
                                   {\sum_c \int w\, y_c^2}\Bigr)^{1/2}

    summed over the N channels c. ``torch.nn.MSELoss`` counts the points of a grid, which on a
    sphere lie dense about the poles. The loss of moved fields, with moved weights, is the same.

    Args:
        in_type: of both fields.
        relative: L_rel instead, which does not depend on units.
    Shape:
        two tensors ``in_type.shape(batch, ...)`` to a number, the mean over the batch. Under
        ``torch.autocast`` they may differ in dtype, and it is in float32, as in torch's losses.
    Raises:
        TypeError: if ``in_type`` is no field type.
        ValueError: if its samples have no points of their own, as in a batch of clouds.

    Example:
        >>> from equinet import Sphere
        >>> sphere = Sphere(band=8)
        >>> loss = FieldLoss(sphere.fields("1x0"))
        >>> x, y = torch.randn(2, 4, 1, 16, 16)
        >>> sea = torch.rand(16, 16) > 0.3
        >>> loss(x, y, weights=sea).shape
        torch.Size([])
    """

    area: Tensor

    def __init__(self, in_type: FieldType, relative: bool = False) -> None:
        super().__init__()
        check_type(in_type, "in_type")
        if in_type.space.in_clouds:
            raise ValueError(f"in_type: expected fields over a grid or a sphere, got {in_type!r}")
        self.in_type, self.relative = in_type, check_flag(relative, "relative")
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        area = self.in_type.space.weights
        if area is None:
            return {"area": torch.ones(())}
        return {"area": area.view(-1, *[1] * (len(self.in_type.axes) - 1))}  # along the first axis

    def forward(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss.

        Args:
            x: found, ``in_type.shape(batch, ...)``.
            y: wanted, likewise.
            weights: of the points, as in ``GlobalAvgPool``: >= 0, for the points, ``(*sizes)``, or
                for those of each sample, ``(batch, *sizes)``. Where they are 0 or False neither
                field is read, so that it may be NaN there. A sample with no other weights than 0
                counts as 0 in the mean, and has no relative loss.
        Returns:
            A number.
        Raises:
            TypeError: if a field is not real floating, or of another dtype than ``x``.
            ValueError: if a shape is another one, a weight is negative, or a number is not finite
                where the weight is not 0.
        """
        x, y = _pair(self.in_type, x, y)
        w = point_weights(self.in_type, x, weights)
        if self.relative and w is not None and is_readable(w) and not w.flatten(1).any(1).all():
            raise ValueError(
                "weights: expected some that are not 0 in every sample, to which a loss can be "
                "relative, got a sample of zeros"
            )
        x, y = read(x, w), read(y, w)
        _check_finite(x, y)
        dtype, wide = x.dtype, torch.promote_types(x.dtype, torch.float32)  # as sums are
        x, y = x.to(wide), y.to(wide)
        w = (x.new_ones([1] * x.dim()) if w is None else w) * self.area
        axes = list(range(2, x.dim()))
        square = mean_over((x - y) ** 2, w, axes).flatten(1)
        if self.relative:
            whole = mean_over(y**2, w, axes).flatten(1)
            return _relative(square.sum(1), whole.sum(1)).to(dtype)
        return square.mean().to(dtype)


class SobolevLoss(Constants):
    r"""The mean square of a difference and of its derivatives, by degrees.

    .. math:: L = \frac{1}{N} \sum_{ls} \bigl(1 + a^2 (l(l + 1) - s^2)\bigr)^k\, P_{ls}(x - y)

    of fields with N channels, where P_ls is what degree l of the fields of spin s contributes to
    the sum of their mean squares: for k = 0 it is ``FieldLoss``, without the degrees above the
    band. For k = 1 it is that of H^1, the mean of ``(x - y)^2 + a^2 |grad (x - y)|^2`` on the unit
    sphere; with k < 0 small scales count less. A norm by degrees needs the field everywhere: where
    nothing is known, ``FieldLoss`` serves.

    Args:
        in_type: functions and fields of any spins s over a sphere.
        order: k.
        length: a, in radians: slopes count from scales below it on.
        relative: divide by the same of y, and take the root: the relative error in that norm.
    Shape:
        two tensors ``in_type.shape(batch)`` to a number, the mean over the batch; autocast as in
        ``FieldLoss``.
    Raises:
        TypeError: if ``in_type`` is no field type.
        ValueError: for other fields, or numbers that are none.
    """

    factors: Tensor

    def __init__(
        self, in_type: FieldType, order: float = 1.0, length: float = 1.0, relative: bool = False
    ) -> None:
        super().__init__()
        sphere = sphere_of(in_type)
        if in_type.is_sampled:
            raise ValueError(f"in_type: expected functions and fields of spins, got {in_type!r}")
        self.in_type, self.relative = in_type, check_flag(relative, "relative")
        self.order = check_number(order, "order")
        self.length = check_number(length, "length", 0)
        largest = 1 + self.length**2 * sphere.band * (sphere.band + 1)
        if self.order * math.log(largest) > _EXPONENT:
            raise ValueError(
                f"order: expected one for which {largest:g}^order, the factor of the last degrees, "
                f"is below 1e30, got {order!r}"
            )
        self.analysis = FieldAnalysis(in_type, sphere.band)
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        factors = [torch.zeros(0, dtype=torch.float64)]
        orders = block_orders(self.in_type, self.analysis.band)
        for l in range(self.analysis.band):
            columns = []
            for (mul, _), (s,) in zip(self.in_type.blocks, orders, strict=True):
                # Two channels of spin s > 0 share the coefficients of one real function.
                power = (2 * l + 1) * (2 if s else 1)
                if s <= l:
                    power *= (1 + self.length**2 * (l * (l + 1) - s**2)) ** self.order
                columns += mul * degree_columns(l, (s,)) * [power]
            factors.append(torch.tensor(columns, dtype=torch.float64).repeat(2 * l + 1))
        return {"factors": torch.cat(factors)[:, None]}

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss.

        Args:
            x: found, ``in_type.shape(batch)``.
            y: wanted, likewise.
        Returns:
            A number.
        Raises:
            TypeError: if a field is not real floating, or ``y`` of another dtype than ``x``.
            ValueError: if its shape is another one, or a number is not finite.
        """
        x, y = _pair(self.in_type, x, y)
        _check_finite(x, y)
        square = self._square(x - y)
        if self.relative:
            return _relative(square, self._square(y))
        return square.mean() / self.in_type.channels

    def _square(self, x: Tensor) -> Tensor:
        """The square of the norm of each sample, ``(batch,)``."""
        with full_precision(x):
            rows = self.analysis(x).view(len(self.factors), -1)
        return (self.factors * rows**2).sum(0)


def _pair(in_type: FieldType, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The fields, under autocast in single precision at least, as the losses of torch have them.

    Raises:
        TypeError: if one is no field of the type, or they differ in dtype without autocast.
        ValueError: if their shapes are others.
    """
    for argument, field in (("x", x), ("y", y)):
        in_type.check(field, argument)
    if y.shape != x.shape:
        raise ValueError(f"y: expected {tuple(x.shape)}, as x, got {tuple(y.shape)}")
    if is_autocast(x):
        wide = functools.reduce(torch.promote_types, (x.dtype, y.dtype, torch.float32))
        return x.to(wide), y.to(wide)
    if y.dtype != x.dtype:
        raise TypeError(f"y: expected {x.dtype}, as x, got {y.dtype}")
    return x, y


def _check_finite(x: Tensor, y: Tensor) -> None:
    instead = "give weights that are 0 where nothing is known, or fill them"
    for argument, field in (("x", x), ("y", y)):
        check_measured(argument, field, instead)


def _relative(square: Tensor, whole: Tensor) -> Tensor:
    """The mean of the roots of the ratios; where two fields are equal its derivative is 0."""
    if is_readable(whole) and not (whole > 0).all():
        raise ValueError("y: expected fields that are not 0, to which a loss can be relative")
    ratio = square / whole
    some = ratio > 0
    return torch.where(some, torch.where(some, ratio, 1).sqrt(), 0).mean()
