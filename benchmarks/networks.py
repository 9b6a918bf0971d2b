"""Networks of the size of a wide ResNet-16-8 (arXiv 1605.07146) with fields in space.

Sixteen layers with parameters in a row: a convolution, three stages of two blocks of two
convolutions, whose shortcuts have a convolution of size 1 where the width changes, and a linear
layer. The widths are as near to 16, 128, 256 and 512 channels as whole fields come.
"""

from collections.abc import Callable, Sequence

from torch import nn

from equinet import nn as enn
from equinet.field import FieldType, Volume


def octahedral() -> nn.Sequential:
    """Regular fields of the octahedral group: 24, 120, 264 and 504 channels."""
    space = Volume("O")
    widths = [space.fields(f"{copies}x regular") for copies in (1, 5, 11, 21)]
    return _resnet(space.fields("1x trivial"), widths, _same, enn.ReLU)


def so3() -> nn.Sequential:
    """Irreps of SO(3) of degrees 0, 1, 2, equally many of each, gated: 18, 126, 252, 513 channels.

    The convolutions make the scalars of the gates as well.
    """
    space = Volume("SO(3)")
    widths = [space.fields(f"{copies}x0 + {copies}x1 + {copies}x2") for copies in (2, 14, 28, 57)]
    return _resnet(space.fields("1x0"), widths, enn.gated, enn.Gate)


def _same(fields: FieldType) -> FieldType:
    return fields


def _resnet(
    given: FieldType,
    widths: Sequence[FieldType],
    gated: Callable[[FieldType], FieldType],
    activation: Callable[[FieldType], nn.Module],
) -> nn.Sequential:
    def convolution(x: FieldType, y: FieldType, stride: int = 1) -> list[nn.Module]:
        """Followed by a norm and a nonlinearity."""
        conv = enn.Conv3d(x, gated(y), 3, stride, padding=1, bias=False)
        return [conv, enn.BatchNorm(gated(y)), activation(y)]

    layers, here = convolution(given, widths[0]), widths[0]
    for width, stride in zip(widths[1:], (1, 2, 2), strict=True):
        for step in (stride, 1):
            body = [*convolution(here, width, step), *convolution(width, width)]
            shortcut = None if here == width else enn.Conv3d(here, width, 1, step, bias=False)
            layers.append(enn.Residual(enn.Sequential(*body), shortcut))
            here = width
    return enn.Sequential(*layers, enn.GlobalAvgPool(here), nn.Linear(here.channels, 10))
