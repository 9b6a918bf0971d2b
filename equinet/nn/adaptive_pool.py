"""The mean over windows that divide a grid of any size."""

from torch import Tensor, nn
from torch.nn import functional as F

from equinet.field import FieldType
from equinet.nn.requirements import check_steps, grid_of
from equinet.nn.resampling import Averaging
from equinet.numerics.arguments import Size, each

_KINDS = {
    1: (F.adaptive_avg_pool1d, nn.AdaptiveAvgPool1d),
    2: (F.adaptive_avg_pool2d, nn.AdaptiveAvgPool2d),
    3: (F.adaptive_avg_pool3d, nn.AdaptiveAvgPool3d),
}


class AdaptiveAvgPool(Averaging):
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
        super().__init__(in_type, in_type)
        self.bands = self.shares = None
        self.output_size = each(output_size, grid_of(in_type).n, "output_size")

    def _on_grid(self, x: Tensor) -> Tensor:
        if max(self.output_size) > 1:
            check_steps(grid_of(self.in_type), "output_size", x.shape[2:], self.output_size)
        pool, _ = _KINDS[len(self.output_size)]
        return pool(x, self.output_size)

    def export(self) -> nn.Module:
        """``torch.nn.AdaptiveAvgPool1d``, ``2d`` or ``3d``."""
        _, plain = _KINDS[len(self.output_size)]
        return plain(self.output_size)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output_size={self.output_size}"
