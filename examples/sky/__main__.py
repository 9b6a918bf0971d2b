"""Command line: ``python -m examples.sky``."""

import argparse
from pathlib import Path

import torch

import equinet as eq
from equinet import nn as enn
from equinet import plot
from equinet.field import act
from equinet.harmonics import gauss, power_spectrum, s2_rfft
from examples.common.figures import save
from examples.common.options import positive, run
from examples.common.streams import TEST_ROTATIONS, stream
from examples.common.table import markdown

from .data import load, sampled

BANDS = 6  # ranges of degrees in the table


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(prog="python -m examples.sky", description=__doc__)
    top.add_argument("--data", type=Path, metavar="FILE", help="npz; default: a sky made up")
    top.add_argument("--map", default="wmap_W", help="I, Q, U in it, (3, 12 nside^2)")
    top.add_argument("--band", type=positive, help="degrees below it; default: 3/2 nside")
    top.add_argument("--out", type=Path, default=Path("runs/sky"))
    top.set_defaults(command=_run)
    return top


def _run(options: argparse.Namespace) -> None:
    sky = load(options.data, options.map)
    band = options.band or sky.rings.degree * 3 // 4
    sphere = eq.Sphere(band, grid=gauss(band))
    one, two = sphere.fields("1x0"), sphere.fields("1x2")
    i, p = sampled(sky, sphere)
    modes, back = enn.EBModes(two).double(), enn.FromEBModes(modes_of(two)).double()
    eb = modes(p)
    print(f"{sky.name}: {sky.rings!r}, degrees below {band} on {sphere.rings!r}")
    print(f"Q and U from E and B: error {_share(back(eb), p):.1e}")

    g = eq.so3().sample(1, generator=stream(0, TEST_ROTATIONS))[0]
    functions = modes_of(two)
    turned = act(two, g, p)
    print(f"E and B of a turned sky: error {_share(modes(turned), act(functions, g, eb)):.1e}")
    wrong = modes(act(functions, g, p))
    print(
        f"... if Q and U are turned as functions: error {_share(wrong, act(functions, g, eb)):.2f}"
    )

    spectra = [s2_rfft(x[:, 0], band, grid=sphere.rings)[0] for x in (i, eb[:, :1], eb[:, 1:])]
    names = ["T T", "E E", "B B", "T E"]
    pairs = [(spectra[k], spectra[k]) for k in range(3)] + [(spectra[0], spectra[1])]
    power = torch.stack([power_spectrum(a, b) for a, b in pairs])
    edges = torch.linspace(2, band, BANDS + 1).long().tolist()
    rows = []
    for low, high in zip(edges, edges[1:], strict=False):
        weight = 2 * torch.arange(low, high) + 1.0
        means = (power[:, low:high] * weight).sum(1) / weight.sum()
        rows.append([f"{low} to {high - 1}", *(f"{value:.2e}" for value in means)])
    print(markdown(["degrees", *names], rows))
    for name, kind, x in (("sky", one, i), ("polarisation", two, p), ("modes", functions, eb)):
        save(plot.globe(kind, x), options.out / f"{name}.png")
    print(f"sky.png, polarisation.png and modes.png are in {options.out}")


def modes_of(fields: eq.FieldType) -> eq.FieldType:
    """The two functions E and B over the same sphere."""
    return fields.space.fields("2x0")


def _share(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


if __name__ == "__main__":
    main()
