"""Pools over windows that divide a grid of any size."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equinet.field import FieldType
from equinet.nn.masks import read
from equinet.nn.requirements import check_permuted, check_steps, grid_of
from equinet.nn.resampling import Averaging, Resampling
from equinet.numerics.arguments import Size, each

_AVERAGE = {
    1: (F.adaptive_avg_pool1d, nn.AdaptiveAvgPool1d),
    2: (F.adaptive_avg_pool2d, nn.AdaptiveAvgPool2d),
    3: (F.adaptive_avg_pool3d, nn.AdaptiveAvgPool3d),
}
_MAXIMUM = {
    1: (F.adaptive_max_pool1d, nn.AdaptiveMaxPool1d),
    2: (F.adaptive_max_pool2d, nn.AdaptiveMaxPool2d),
    3: (F.adaptive_max_pool3d, nn.AdaptiveMaxPool3d),
}


class _Adaptive(Resampling):
    """A pool to as many points as are asked for."""

    def __init__(self, in_type: FieldType, output_size: Size) -> None:
        super().__init__(in_type, in_type)
        self.output_size = each(output_size, grid_of(in_type).n, "output_size")

    def check_output(self, x: Tensor) -> None:
        """Raise ValueError if the steps become different along axes that the group exchanges."""
        if max(self.output_size) > 1:
            check_steps(grid_of(self.in_type), "output_size", x.shape[2:], self.output_size)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output_size={self.output_size}"


class AdaptiveAvgPool(_Adaptive, Averaging):
    r"""The mean over as many windows as the output is to have points, of any fields.

    .. math:: [\Phi f](o) = \mathrm{mean}\; f(i), \qquad
              \lfloor o\, n / m \rfloor \le i < \lceil (o + 1)\, n / m \rceil \quad (D2)

    As ``torch.nn.AdaptiveAvgPool2d``. The windows lie about the centre of the grid, so it commutes
    with all symmetries of the grid, whatever the sizes n and m. With ``weights`` the mean is over
    what is there (N3).

    Args:
        in_type: fields over a grid.
        output_size: m, one number or one for each axis.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``in_type.shape(batch, *output_size)``.
    Raises:
        ValueError: at a call, if the group exchanges axes along which the steps become different.
            One point along each axis is allowed from everywhere.
    """

    def __init__(self, in_type: FieldType, output_size: Size) -> None:
        super().__init__(in_type, output_size)
        self.bands = self.shares = None

    def _on_grid(self, x: Tensor) -> Tensor:
        self.check_output(x)
        pool, _ = _AVERAGE[len(self.output_size)]
        return pool(x, self.output_size)

    def export(self) -> nn.Module:
        """``torch.nn.AdaptiveAvgPool1d``, ``2d`` or ``3d``."""
        _, plain = _AVERAGE[len(self.output_size)]
        return plain(self.output_size)


class AdaptiveMaxPool(_Adaptive):
    r"""The largest value in as many windows as the output is to have points.

    .. math:: [\Phi f](o) = \max\; f(i), \qquad
              \lfloor o\, n / m \rfloor \le i < \lceil (o + 1)\, n / m \rceil

    As ``torch.nn.AdaptiveMaxPool2d``, in the windows of ``AdaptiveAvgPool``, so it commutes with
    all symmetries of the grid. With ``weights`` it is the largest of what is there, and the weight
    of the result the largest of the window.

    Args:
        in_type: trivial, regular or quotient fields over a grid.
        output_size: m, one number or one for each axis.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``in_type.shape(batch, *output_size)``.
    Raises:
        ValueError: for fields whose components turn into each other; at a call, if the group
            exchanges axes along which the steps become different. One point along each axis is
            allowed from everywhere.
    """

    aliases = True

    def __init__(self, in_type: FieldType, output_size: Size) -> None:
        super().__init__(in_type, output_size)
        check_permuted(in_type, "the maximum", "enn.NormMaxPool or enn.AdaptiveAvgPool")

    def _resampled(self, x: Tensor) -> Tensor:
        self.check_output(x)
        pool, _ = _MAXIMUM[len(self.output_size)]
        return pool(x, self.output_size)

    def _left(self, w: Tensor) -> Tensor:
        return self._resampled(w)

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        return read(self._resampled(read(x, w, -torch.inf)), self._left(w))

    def export(self) -> nn.Module:
        """``torch.nn.AdaptiveMaxPool1d``, ``2d`` or ``3d``."""
        _, plain = _MAXIMUM[len(self.output_size)]
        return plain(self.output_size)
