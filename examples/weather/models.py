"""U-Nets on the sphere, and on the grid taken for a picture."""

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import models
from equinet.steerable import smooth

WIDTHS = (12, 16, 24)  # fields of each spin, from fine to coarse


def spherical_unet(sphere: eq.Sphere, channels: int, classes: int) -> nn.Module:
    """Functions on a sphere to scores at each point, through lower bands and back.

    Args:
        sphere: of input and output.
        channels: of the input.
        classes: of the output.
    Returns:
        The network, of 236,729 parameters for four channels and five classes.
    """
    return models.spherical_unet(
        sphere.fields(f"{channels}x0"),
        [f"{width}x0 + {width}x1" for width in WIDTHS],
        f"{classes}x0",
        functions=smooth(knots=8, max_order=1),
        function=nn.functional.silu,
    )


class PlanarUNet(nn.Module):
    """The same with ordinary convolutions on the array of latitudes and longitudes."""

    def __init__(self, sphere: eq.Sphere, channels: int, classes: int) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        here = channels
        widths = [3 * width for width in WIDTHS]
        for width in widths:
            self.down.append(nn.Sequential(*_planar(here, width), *_planar(width, width)))
            here = width
        for width in reversed(widths[:-1]):
            self.up.append(nn.Sequential(*_planar(here + width, width)))
            here = width
        self.out = nn.Conv2d(here, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for number, block in enumerate(self.down):
            x = block(nn.functional.avg_pool2d(x, 2) if number else x)
            kept.append(x)
        kept.pop()
        for block in self.up:
            fine = kept.pop()
            coarse = nn.functional.interpolate(x, size=fine.shape[2:], mode="bilinear")
            x = block(torch.cat([coarse, fine], 1))
        return self.out(x)


def _planar(here: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(here, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.SiLU()]


NETWORKS = {"spherical": spherical_unet, "planar": PlanarUNet}
