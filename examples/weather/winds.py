"""What a wind makes: divergence, vorticity, potential and stream function, and their power."""

from pathlib import Path

import torch

import equinet as eq
from equinet import nn as enn
from equinet import plot
from equinet.field import act
from equinet.harmonics import power_spectrum, s2_rfft
from examples.common.figures import save
from examples.common.streams import TEST_ROTATIONS, stream
from examples.common.table import markdown

from . import data

RADIUS = 6.371e6  # of the Earth, in metres


def winds(path: Path | None, sphere: eq.Sphere, out: Path) -> None:
    """Print how well identities hold and where the power is, and draw the wind."""
    fields = sphere.fields("1x1")
    w = data.winds(path, sphere)
    makers = [
        kind(fields, radius=RADIUS).double() for kind in (enn.Divergence, enn.Curl, enn.Helmholtz)
    ]
    divergence, vorticity, parts = (maker(w) for maker in makers)
    potential, stream_function = parts.split(1, 1)
    one = sphere.fields("1x0")
    back = enn.Gradient(one, radius=RADIUS).double()(potential)
    back = back + enn.SkewGradient(one, radius=RADIUS).double()(stream_function)
    print(f"the wind from its potential and stream function: error {share(back, w):.1e}")
    g = eq.so3().sample(1, generator=stream(0, TEST_ROTATIONS))[0]
    turned = makers[1](act(fields, g, w))
    print(f"vorticity of a turned wind: error {share(turned, act(one, g, vorticity)):.1e}")
    edges = sorted({*torch.linspace(1, sphere.band, 6).long().tolist()})
    spectra = [
        power_spectrum(s2_rfft(x[:, 0], sphere.band, grid=sphere.rings))[0]
        for x in (divergence, vorticity)
    ]
    l = torch.arange(sphere.band).double()
    # Of the energy of rotation and of divergence: C_l of curl and div, times r^2 / l (l + 1).
    energy = [p * (2 * l + 1) * RADIUS**2 / (l * (l + 1)).clamp_min(1) for p in spectra]
    rows = [
        [f"{low} to {high - 1}", *(f"{e[low:high].sum():.3g}" for e in reversed(energy))]
        for low, high in zip(edges, edges[1:], strict=False)
    ]
    print(markdown(["degrees", "rotation, m2/s2", "divergence, m2/s2"], rows))
    save(plot.globe(fields, w), out / "wind.png")
    save(plot.globe(one, vorticity), out / "vorticity.png")
    print(f"wind.png and vorticity.png are in {out}")


def share(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The size of an error beside what it is an error of."""
    return float((found - expected).norm() / expected.norm())
