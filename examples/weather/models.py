"""U-Nets on the sphere, and on the grid taken for a picture."""

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from equinet.steerable import SphereFilter, smooth

WIDTHS = (12, 16, 24)  # fields of each spin, from fine to coarse


class SphericalUNet(nn.Module):
    """Functions on a sphere to scores at each point, through lower bands and back.

    Args:
        sphere: of input and output.
        channels: of the input.
        classes: of the output.
    """

    def __init__(self, sphere: eq.Sphere, channels: int, classes: int) -> None:
        super().__init__()
        spheres = [sphere.at(sphere.band >> k) for k in range(len(WIDTHS))]
        types = [s.fields(f"{w}x0 + {w}x1") for s, w in zip(spheres, WIDTHS, strict=True)]
        here = sphere.fields(f"{channels}x0")
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for fields in types:  # a convolution changes the band on its way
            self.down.append(enn.Sequential(*_block(here, fields), *_block(fields, fields)))
            here = fields
        for finer, fields in reversed([*zip(spheres, types, strict=True)][:-1]):
            self.up.append(nn.ModuleList([enn.Upsample(here, sphere=finer), _both(here, fields)]))
            here = fields
        self.out = enn.SphereConv(here, sphere.fields(f"{classes}x0"), _filters())

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
        kept.pop()
        for level in self.up:
            assert isinstance(level, nn.ModuleList)
            upsample, block = level
            x = block(torch.cat([upsample(x), kept.pop()], 1))
        return self.out(x)


def _both(coarse: eq.FieldType, fine: eq.FieldType) -> nn.Module:
    """From the upsampled fields and those that were kept."""
    upsampled = fine.space.fields(coarse.blocks)
    return enn.Sequential(*_block(upsampled + fine, fine))


def _block(here: eq.FieldType, out: eq.FieldType) -> tuple[nn.Module, ...]:
    wide = enn.gated(out)
    return (
        enn.SphereConv(here, wide, _filters(), bias=False),
        enn.BatchNorm(wide),
        enn.Gate(out, function=nn.functional.silu),
    )


def _filters() -> SphereFilter:
    return smooth(knots=8, max_order=1)


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


NETWORKS = {"spherical": SphericalUNet, "planar": PlanarUNet}
