"""The galaxies in front: stamps of real ones and of synthetic ones, apart for training and test.

In: numbers, and a file like ``des_galaxies.npz`` if there is one. Out: :class:`Pool`.
"""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from examples.common.archive import read_arrays
from examples.common.errors import InputError
from examples.common.streams import stream

from .lensing import Sersic, blur, pixels, rotate, sersic
from .surveys import BANDS, SIZE, Survey

STAMP = SIZE + 2  # room for a shift of one pixel each way
REAL_TEST = 10  # of the real galaxies, how many are for the test
GALAXIES, SPLIT = 10, 11  # purposes of streams


class Pool(NamedTuple):
    """Galaxies of one survey, with a flux of 1 in the reference band.

    Attributes:
        stamps: (galaxies, bands, STAMP, STAMP).
        noise: (galaxies, bands), the noise of a stamp's own; 0 for a synthetic galaxy.
        real: how many are real; they come first.
    """

    stamps: Tensor
    noise: Tensor
    real: int


def read_galaxies(path: Path | None) -> tuple[Tensor | None, str]:
    """The images (n, 5, side, side) of a file in the bands g r i z Y, and a name of the content.

    Raises:
        InputError: if it is not such a file.
    """
    if path is None:
        return None, "synthetic"
    images = read_arrays(path, ["images"])["images"]
    if images.ndim != 4 or images.shape[1] != 5 or images.shape[2] != images.shape[3]:
        raise InputError(f"galaxies: expected images (n, 5, side, side), got {images.shape}")
    if images.dtype.kind != "f" or not math.isfinite(float(images.sum())):
        raise InputError(f"galaxies: expected finite real numbers in images of {path}")
    if images.shape[-1] < STAMP or len(images) <= REAL_TEST:
        raise InputError(
            f"galaxies: expected more than {REAL_TEST} images of at least {STAMP} pixels a side, "
            f"got {len(images)} of {images.shape[-1]}"
        )
    digest = hashlib.sha256(images.tobytes()).hexdigest()[:12]
    return torch.from_numpy(images).float(), f"{path.name} {len(images)} {digest}"


def pool(survey: Survey, real: Tensor | None, count: int, part: str) -> Pool:
    """The galaxies of "train" or "test", which have none in common.

    Args:
        survey: decides bands, pixel and point spread function.
        real: from :func:`read_galaxies`.
        count: of synthetic galaxies.
        part: "train" or "test".
    """
    made = synthetic(survey, count, 0 if part == "train" else 1)
    parts = [Pool(made, torch.zeros(made.shape[:2]), 0)]
    if real is not None:
        order = torch.randperm(len(real), generator=stream(0, SPLIT))
        chosen = order[REAL_TEST:] if part == "train" else order[:REAL_TEST]
        parts.insert(0, cut_outs(survey, real[chosen]))
    return Pool(
        torch.cat([p.stamps for p in parts]),
        torch.cat([p.noise for p in parts]),
        sum(p.real for p in parts),
    )


def cut_outs(survey: Survey, real: Tensor) -> Pool:
    """Real galaxies: the middle of each image, without sky, in units of the noise of each band.

    A pixel is taken for one of the survey, as if the galaxy were farther away: nothing is
    interpolated, and the noise stays independent from pixel to pixel.
    """
    images = real[:, list(survey.real_bands)]
    side = images.shape[-1]
    border = torch.ones(side, side, dtype=torch.bool)
    border[8:-8, 8:-8] = False
    sky = images[..., border]
    level = sky.median(-1).values
    # Neighbours lie in the border too: the quartile of the deviations is blind to them.
    noise = (sky - level[..., None]).abs().median(-1).values / 0.6745
    typical = noise.median(0).values
    start = (side - STAMP) // 2
    middle = slice(start, start + STAMP)
    stamps = (images - level[..., None, None])[..., middle, middle] / typical[:, None, None]
    flux = stamps[:, survey.reference].sum((1, 2))[:, None].clamp_min(1.0)
    return Pool(stamps / flux[..., None, None], noise / typical / flux, len(real))


def synthetic(survey: Survey, count: int, half: int) -> Tensor:
    """Sersic bulges in exponential discs with spiral arms (count, bands, STAMP, STAMP).

    The disc is e^(-r/h) (1 + A cos(2 phi + a log(2 r / h) + phase)); half of the galaxies are
    nearly all bulge.
    """
    generator = stream(half, GALAXIES)
    u = torch.rand(count, 12, generator=generator)
    normal = torch.randn(count, 1 + 2 * len(BANDS), generator=generator)
    early = u[:, 0] < 0.5
    share = torch.where(early, 0.7 + 0.3 * u[:, 1], 0.1 + 0.5 * u[:, 1])
    zero = torch.zeros(count)
    bulge = Sersic(
        zero,
        zero,
        0.2 + 0.5 * u[:, 2],
        (4 * share**0.4 * 10 ** (0.1 * normal[:, 0])).clamp(0.7, 5),
        0.55 + 0.45 * u[:, 3],
        math.pi * u[:, 4],
    )
    disc = Disc(
        0.3 + 0.5 * u[:, 5],
        (0.2 + 0.8 * u[:, 6]).clamp(0.2, 1),
        math.pi * u[:, 7],
        0.6 * u[:, 8],
        2 + 4 * u[:, 9],
        2 * math.pi * u[:, 10],
    )
    light = []
    for formula, part in ((sersic, bulge), (spiral_disc, disc)):
        image = blur(pixels(formula, (part,), STAMP, survey.pixel, fine=7), survey.psf)
        light.append(image / image.sum((1, 2), keepdim=True))
    colours = normal[:, 1:].view(count, 2, len(BANDS)).unbind(1)
    red = torch.tensor([0.22, 0.80, 1.0, 0.85]) * (0.12 * colours[0]).exp()
    blue = torch.tensor([0.45, 0.92, 1.0, 0.75]) * (0.12 * colours[1]).exp()
    bands = list(survey.bands)
    old, young = (share[:, None] * red)[:, bands], ((1 - share[:, None]) * blue)[:, bands]
    stamps = old[..., None, None] * light[0][:, None] + young[..., None, None] * light[1][:, None]
    return stamps / stamps[:, survey.reference].sum((1, 2))[:, None, None, None]


class Disc(NamedTuple):
    """An exponential disc with two spiral arms."""

    scale: Tensor
    q: Tensor
    angle: Tensor
    arms: Tensor  # their amplitude, below 1
    winding: Tensor
    phase: Tensor


def spiral_disc(x: Tensor, y: Tensor, disc: Disc) -> Tensor:
    """Surface brightness of the disc, as seen from the side by its axis ratio."""
    u, v = rotate(x, y, disc.angle)
    v = v / disc.q
    r = (u * u + v * v).clamp_min(1e-8).sqrt() / disc.scale
    wave = 2 * torch.atan2(v, u) + disc.winding * (2 * r).log() + disc.phase
    return (-r).exp() * (1 + disc.arms * wave.cos())
