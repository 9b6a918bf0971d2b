"""How well layers on the sphere commute with rotations, beside those of torch-harmonics.

All are on the same Gauss grid, have random weights as they are drawn, and get random fields below
each of ``BANDS``, on a grid that holds more. Rotations are drawn from Haar measure, so that their
axes are tilted. Fields are turned through their spectra, which is exact; the error is that of (E1)
in ``equinet.testing``: 0 if all is well, about 1 or more if the symmetry is lost. What is an error
of the grid falls for smoother fields; what comes of a preferred direction does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

import equinet as eq
from benchmarks.peers import load_torch_harmonics
from equinet import nn as enn
from equinet.harmonics import gauss
from equinet.steerable import blurred
from equinet.testing import equivariance_error

BANDS = (16, 8, 4)  # of the fields
RINGS = 32
COUNT = 5  # rotations
CHANNELS = 4
TASK = f"{RINGS} x {2 * RINGS} points of Gauss, float32; mean errors for fields below these bands"

Case = tuple[str, str, Callable[[], nn.Module]]  # the layer, a note, how it is made


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        layer: whose it is, and its name.
        by: equinet or the peer, with its version.
        errors: for each of ``BANDS``, the mean over rotations; none if skipped.
        note: why it was skipped, or what the layer is.
    """

    layer: str
    by: str
    errors: tuple[float, ...] = ()
    note: str = ""


def run() -> list[Row]:
    """All rows, with a progress bar."""
    torch.manual_seed(0)
    sphere = eq.Sphere(RINGS, grid=gauss(RINGS))
    fields = sphere.fields(f"{CHANNELS}x0")
    jobs = [("equinet", *case) for case in _ours(sphere)]
    peer, reason = load_torch_harmonics()
    if peer is not None:
        jobs += [(f"torch-harmonics {peer.version}", *case) for case in _theirs(peer.package)]
    rows = []
    for by, name, note, build in tqdm(jobs, desc="equivariance", unit="layer"):
        layer = build()
        kind = None if by == "equinet" else fields
        errors = [
            equivariance_error(layer, kind, kind, count=COUNT, batch=1, band=band).mean
            for band in BANDS
        ]
        rows.append(Row(name, by, tuple(errors), note))
    return rows if peer is not None else [*rows, Row("", "torch-harmonics", note=reason)]


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    bands = " | ".join(map(str, BANDS))
    lines = [TASK, "", f"| layer | by | {bands} | note |"]
    lines.append("|" + "---|" * (3 + len(BANDS)))
    for row in rows:
        errors = [f"{x:.0e}" if x < 1e-4 else f"{x:.4f}" for x in row.errors]
        cells = " | ".join(errors or ["skipped"] * len(BANDS))
        lines.append(f"| {row.layer} | {row.by} | {cells} | {row.note} |")
    return "\n".join(lines)


def _ours(sphere: eq.Sphere) -> list[Case]:
    x, spins = sphere.fields(f"{CHANNELS}x0"), sphere.fields("4x0 + 3x1 + 3x2")
    return [
        ("SphereConv", "between functions", lambda: enn.SphereConv(x, x)),
        (
            "SphereConv",
            "local and directional, 4x0 + 3x1 + 3x2",
            lambda: enn.SphereConv(spins, spins, blurred()),
        ),
        ("SphereAttention", "to all points", lambda: enn.SphereAttention(x, x)),
        ("SphereAttention", "to near points", lambda: enn.SphereAttention(x, x, reach=0.2)),
    ]


def _theirs(th: Any) -> list[Case]:
    shape = (RINGS, 2 * RINGS)
    grids: dict[str, Any] = {"grid_in": "legendre-gauss", "grid_out": "legendre-gauss"}
    one = {"in_shape": shape, "out_shape": shape, **grids}
    many = {"in_channels": CHANNELS, "out_channels": CHANNELS, **one}
    disco = th.DiscreteContinuousConvS2
    return [
        (
            "SpectralConvS2",
            "a complex number for each degree",
            lambda: th.SpectralConvS2(**many),
        ),
        (
            "DiscreteContinuousConvS2",
            "kernel_shape (3, 4), directional",
            lambda: disco(kernel_shape=(3, 4), bias=False, **many),
        ),
        (
            "DiscreteContinuousConvS2",
            "kernel_shape (3, 1), isotropic",
            lambda: disco(kernel_shape=(3, 1), bias=False, **many),
        ),
        ("AttentionS2", "to all points", lambda: th.AttentionS2(CHANNELS, 4, **one)),
        (
            "NeighborhoodAttentionS2",
            "to near points",
            lambda: th.NeighborhoodAttentionS2(CHANNELS, num_heads=4, **one),
        ),
    ]
