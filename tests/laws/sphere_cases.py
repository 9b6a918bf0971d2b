"""The modules over the sphere, where the level of a case is the band."""

import inspect
import re
from collections.abc import Callable

import torch
from torch import Generator

from equinet import FieldType, Sphere, nn
from equinet.steerable import blurred, smooth
from tests.laws.module_case import ModuleCase

# Over the sphere: functions, functions on SO(3), and spin-weighted fields; where mirrors act the
# text begins with "O(3): ".
FUNCTIONS = ("2x trivial", "2x regular")
FIELDS = (*FUNCTIONS, "2x0 + 1x1 + 1x2", "2x1", "1x3")
MIRRORED = "O(3): 2x0e + 2x0o + 2x1"


def fields_of(text: str, band: int) -> FieldType:
    group, _, blocks = text.rpartition(": ")
    return Sphere(band, group=group or "SO(3)").fields(blocks)


def _small_band(*texts: str) -> int:
    return 1 + max(int(order) for text in texts for order in re.findall(r"x(\d)", f"{text} x1"))


def _sphere_conv(
    text_in: str,
    text_out: str,
    filter=None,
    up: int = 0,
    traced: bool = False,
    relu: bool = False,
    groups: int = 1,
) -> ModuleCase:
    def make(band: int, generator: Generator) -> torch.nn.Module:
        types = fields_of(text_in, band), fields_of(text_out, band + up)
        return nn.SphereConv(*types, filter, generator=generator, relu=relu, groups=groups)

    kind = "" if filter is None else f"{type(filter).__name__}, "
    band = _small_band(text_in, text_out) - min(up, 0)
    name = f"SphereConv({kind}{text_in} -> {text_out}{', relu' if relu else ''}"
    name += f", groups={groups})" if groups > 1 else ")"
    return ModuleCase(name, make, not relu, band, traced=traced)


def _on_sphere(
    kind: Callable[..., torch.nn.Module],
    text: str,
    exact: bool,
    *args,
    traced: bool = False,
    band: int = 0,
) -> ModuleCase:
    seeded = "generator" in inspect.signature(kind).parameters

    def make(band: int, generator: Generator) -> torch.nn.Module:
        return kind(fields_of(text, band), *args, **dict(generator=generator) if seeded else {})

    return ModuleCase(
        f"{kind.__name__}(Sphere: {text})",
        make,
        exact,
        band or _small_band(text),
        traced=traced,
    )


def _attention(text_in: str, text_out: str, reach: float | None) -> ModuleCase:
    def make(band: int, generator: Generator) -> torch.nn.Module:
        types = fields_of(text_in, band), fields_of(text_out, band)
        return nn.SphereAttention(*types, heads=2, reach=reach, generator=generator)

    name, band = f"SphereAttention({text_in} -> {text_out}, {reach})", _small_band(text_in)
    return ModuleCase(name, make, False, band, traced=reach is None)


def _derivative(
    kind: Callable[..., torch.nn.Module], text: str, *args, traced: bool = False
) -> ModuleCase:
    """A filter without weights, at a band that holds what it makes."""

    def make(band: int, generator: Generator) -> torch.nn.Module:
        return kind(fields_of(text, band), *args)

    return ModuleCase(
        f"{kind.__name__}(Sphere: {text})",
        make,
        True,
        1 + _small_band(text),
        traced=traced,
        bound=lambda: (kind, (fields_of(text, 4), *args), {}),
    )


def _sphere_network(band: int, generator: Generator) -> torch.nn.Module:
    x, h = fields_of("2x trivial", band), fields_of("3x regular", band - 1)
    return nn.Sequential(
        nn.SphereConv(x, h, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.SphereConv(h, h, smooth(), generator=generator),
        nn.Integrate(h),
        torch.nn.LayerNorm(3),
    )


SPHERE: list[ModuleCase] = [
    _sphere_conv("2x trivial", "2x regular"),
    _sphere_conv("2x regular", "2x regular", up=-1),
    _sphere_conv("2x trivial", "2x trivial"),
    _sphere_conv("2x1", "2x0 + 1x1 + 1x2", smooth()),
    _sphere_conv("2x0 + 1x1 + 1x2", "2x1", up=1),
    _sphere_conv("2x1", "1x3"),
    _sphere_conv("1x3", "2x trivial"),
    _sphere_conv("2x regular", "2x1"),
    # Between them, both transforms of both kinds of fields, with one block and with several.
    _sphere_conv("1x0 + 1x1", "1x regular", traced=True),
    _sphere_conv("1x regular", "1x0 + 1x1", traced=True),
    _sphere_conv("2x trivial", "2x regular", traced=True, relu=True),
    _sphere_conv("2x regular", "2x trivial", relu=True),
    _sphere_conv("2x0 + 2x1", "4x0 + 2x2", blurred(), groups=2),
    *[_on_sphere(nn.BatchNorm, text, True, traced=text == FIELDS[2]) for text in FIELDS],
    *[_on_sphere(nn.InstanceNorm, text, True) for text in FIELDS[1:3]],
    *[_on_sphere(nn.GroupNorm, text, True, 2) for text in FIELDS[1:3]],
    _on_sphere(nn.LayerNorm, "1x0 + 1x1", False),
    _on_sphere(nn.RMSNorm, FIELDS[3], False),
    _on_sphere(nn.FieldDropout, FIELDS[2], True),
    *[_on_sphere(nn.Pointwise, text, False, torch.tanh) for text in FUNCTIONS],
    *[_on_sphere(nn.ReLU, text, False) for text in FUNCTIONS],
    _on_sphere(nn.SiLU, FUNCTIONS[0], False),
    _on_sphere(nn.Gate, "1x0 + 2x1", False),
    _on_sphere(nn.NormActivation, "1x0 + 2x1", False, nn.squash),
    _on_sphere(nn.InducedNormActivation, FIELDS[3], False, 2, nn.squash),
    _on_sphere(nn.DropPath, FIELDS[1], True, 0.2),
    _on_sphere(nn.LayerScale, FIELDS[2], True),
    *[_on_sphere(nn.SqueezeExcite, text, True, 1, torch.tanh) for text in FIELDS[:3]],
    *[_on_sphere(nn.Integrate, text, True, traced=text == FUNCTIONS[1]) for text in FUNCTIONS],
    *[_on_sphere(nn.GlobalMaxPool, text, False) for text in FUNCTIONS],
    *[_derivative(kind, "2x0") for kind in (nn.Gradient, nn.SkewGradient, nn.InverseLaplacian)],
    *[_derivative(kind, "2x1") for kind in (nn.Divergence, nn.Curl, nn.EthBar)],
    _derivative(nn.Helmholtz, "2x1", traced=True),
    _derivative(nn.FromEBModes, "4x0", 2),
    _derivative(nn.EBModes, "1x2"),
    _derivative(nn.Eth, "2x1"),
    _derivative(nn.Laplacian, "2x2"),
    *[_on_sphere(nn.Downsample, text, True, 2, 1.0, band=5) for text in FIELDS[:3]],
    *[_on_sphere(nn.Upsample, text, True, 2, traced=text == FIELDS[1]) for text in FIELDS[:3]],
    *[_on_sphere(nn.AvgPool, text, True, 3, 1, traced=text == FIELDS[2]) for text in FIELDS[:3]],
    _on_sphere(nn.MaxPool, FUNCTIONS[0], False, 2, 1, traced=True),
    _attention("4x0 + 2x1", "2x0 + 2x1", None),
    _attention("1x0 + 2x1", "1x1 + 1x0", 0.8),
    ModuleCase("Sequential(a spherical network)", _sphere_network, False, 3),
    # Where mirrors act.
    _sphere_conv(MIRRORED, "O(3): 1x0e + 1x0o + 1x2", traced=True),
    _sphere_conv("O(3): 2x1", "O(3): 2x0o + 2x0e", blurred(), up=1, groups=2),
    _sphere_conv("O(3): 1x0o", "O(3): 1x0o + 2x1", smooth()),
    *[_on_sphere(kind, MIRRORED, True) for kind in (nn.BatchNorm, nn.InstanceNorm)],
    _on_sphere(nn.LayerNorm, MIRRORED, False),
    _on_sphere(nn.Pointwise, "O(3): 2x0e + 2x0o", False, torch.tanh),
    _on_sphere(nn.Gate, "O(3): 1x0e + 1x0o + 2x1", False),
    _on_sphere(nn.SqueezeExcite, MIRRORED, True, 1, torch.tanh),
    _derivative(nn.Gradient, "O(3): 2x0e"),
    _derivative(nn.SkewGradient, "O(3): 2x0o"),
    *[_derivative(kind, "O(3): 2x1") for kind in (nn.Divergence, nn.Curl, nn.EthBar)],
    _derivative(nn.Laplacian, "O(3): 1x0e + 1x0o"),
    _derivative(nn.EBModes, "O(3): 2x2"),
    _derivative(nn.FromEBModes, "O(3): 2x0e + 2x0o", 2),
    _on_sphere(nn.Downsample, MIRRORED, True, 2, 1.0, band=5),
    _on_sphere(nn.AvgPool, MIRRORED, True, 3, 1),
    _attention(MIRRORED, "O(3): 1x1 + 2x0o + 1x0e", 0.8),
    _on_sphere(nn.Restrict, MIRRORED, True, "SO(3)"),
]
