"""Maps of the sky. In: an archive, or none. Out: I, Q and U on HEALPix rings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import equinet as eq
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import Rings, healpix
from equinet.transforms import Sample, to_polarisation
from examples.common.archive import read_arrays
from examples.common.errors import InputError
from examples.common.streams import stream

MADE = 30  # purpose of a random stream
NSIDE = 16  # of the sky that is made up


@dataclass(frozen=True)
class Sky:
    """One map of each, in the order of rings.

    Attributes:
        name: where it is from.
        intensity: I, float64 ``(12 nside^2,)``.
        q: Q in HEALPix's convention, likewise.
        u: U, likewise.
    """

    name: str
    intensity: Tensor
    q: Tensor
    u: Tensor

    @property
    def rings(self) -> Rings:
        """The points."""
        return healpix(round((len(self.intensity) / 12) ** 0.5))


def load(path: Path | None, name: str = "wmap_W") -> Sky:
    """The maps (I, Q, U) of that name in an archive, or a sky that is made up.

    Raises:
        InputError: if the array is not three maps on HEALPix.
    """
    if path is None:
        return made_up()
    maps = read_arrays(path, {name})[name]
    nside = round((maps.shape[-1] / 12) ** 0.5)
    if maps.shape != (3, 12 * nside**2) or not np.isfinite(maps).all():
        raise InputError(
            f"data: expected finite I, Q, U on HEALPix, {name} (3, 12 nside^2), in {path}, got "
            f"{maps.shape}"
        )
    return Sky(name, *torch.from_numpy(maps.astype(np.float64)))


def made_up() -> Sky:
    """Gaussian I and E of falling power, and no B, as the early universe has nearly none."""
    sphere = eq.Sphere(NSIDE, grid=healpix(NSIDE))
    generator = stream(0, MADE)
    fields = sphere.fields("2x0")
    smooth = enn.Downsample(fields, 1, sigma=1.0)  # small scales have less power
    rough = random_field(fields, 1, generator=generator, dtype=torch.float64)
    intensity, e = smooth.double()(rough).unbind(1)
    modes = torch.stack([e, torch.zeros_like(e)], 1)
    q, u = to_polarisation(enn.FromEBModes(fields).double()(modes))
    return Sky("made up", intensity[0], q[0, 0], u[0, 0])


def sampled(sky: Sky, sphere: eq.Sphere) -> tuple[Tensor, Tensor]:
    """I and (Q, U) on the grid of a sphere, ``1x0`` and ``1x2``, below its band."""
    i = Sample(sky.rings, sphere.fields("1x0")).double()(sky.intensity[None, None])
    pair = torch.stack([sky.q, sky.u])[None]
    return i, Sample(sky.rings, sphere.fields("1x2")).double()(pair)
