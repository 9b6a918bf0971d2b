"""Lenses and what looks like them. In: a pool of galaxies, numbers. Out: images and labels.

Every image has a galaxy in the middle and a second light. In a lens it is a source seen through the
galaxy's gravity; else an unlensed source, a ring, spiral arms or a few satellites. Both kinds draw
its Einstein radius (a size, for what is no lens), flux in the image and colour from the same
distributions, so that neither flux nor colour nor distance from the centre tells them apart.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from examples.common.streams import stream

from .galaxies import STAMP, Pool
from .lensing import Lens, Sersic, blur, grid, lensed, pixels, rotate, sersic
from .surveys import BANDS, SIZE, Survey

KINDS = ("lens", "source", "ring", "spiral", "satellites", "none")
SHARES = {"source": 0.30, "ring": 0.25, "spiral": 0.20, "satellites": 0.25}  # of the negatives
REAL_SHARE = 0.25  # of the images, if there are real galaxies
SATELLITES = 4
CATALOGUE, NOISE = 12, 13  # purposes of streams
CHUNK = 250  # images made at once


class Catalogue(NamedTuple):
    """What is in each image: tensors (n,) and, for ``colour`` (n, bands) and ``free`` (n, 16)."""

    kind: Tensor  # number among KINDS
    galaxy: Tensor  # number in the pool
    pose: Tensor  # of the galaxy: element of D4, 0 to 7
    row: Tensor  # shift of the galaxy, 0 to 2
    column: Tensor
    galaxy_flux: Tensor
    lens: Lens
    source: Sersic
    flux: Tensor  # of the second light, in the reference band, over the image
    colour: Tensor
    free: Tensor  # uniform numbers that shape what is no lens

    @property
    def label(self) -> Tensor:
        """Which are lenses."""
        return self.kind == 0

    def take(self, index: Tensor) -> "Catalogue":
        """The images of these numbers."""
        lens, source = (
            part._make(value[index] for value in part) for part in (self.lens, self.source)
        )
        return self._replace(
            lens=lens,
            source=source,
            **{
                name: getattr(self, name)[index]
                for name in self._fields
                if name not in ("lens", "source")
            },
        )


def draw(
    survey: Survey, pool: Pool, labels: Tensor, generator: torch.Generator, *, leaking: bool = False
) -> Catalogue:
    """Draw what is in the images.

    Args:
        survey: decides the fluxes.
        pool: of the galaxies.
        labels: (n,) bool, which are lenses.
        generator: of the random numbers.
        leaking: leave the second light out of what is no lens, as a set made without care would.
    """
    n = len(labels)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    def whole(below: int) -> Tensor:
        return torch.randint(below, (n,), generator=generator)

    synthetic = len(pool.stamps) - pool.real
    real = (between(0, 1) < REAL_SHARE) & (pool.real > 0)
    galaxy = torch.where(real, whole(max(1, pool.real)), pool.real + whole(synthetic))
    theta_e = between(0.5, 1.5)
    shear, axis = 0.05 * torch.randn(n, generator=generator).abs(), between(0, 2 * math.pi)
    lens = Lens(
        theta_e, between(0.55, 0.95), between(0, math.pi), shear * axis.cos(), shear * axis.sin()
    )
    beta, azimuth = 0.45 * theta_e * between(0, 1).sqrt(), between(0, 2 * math.pi)
    source = Sersic(
        beta * azimuth.cos(),
        beta * azimuth.sin(),
        between(0.08, 0.25),
        between(0.7, 2.0),
        between(0.4, 1),
        between(0, math.pi),
    )
    shares = torch.tensor(list(SHARES.values())).cumsum(0)[:-1]
    other = len(KINDS) - 1 if leaking else 1 + torch.bucketize(between(0, 1), shares)
    scatter = torch.randn(n, len(BANDS), generator=generator)
    colour = torch.tensor([1.1, 1.05, 1.0, 0.65]) * (0.15 * scatter).exp()
    return Catalogue(
        kind=torch.where(labels, 0, other),
        galaxy=galaxy,
        pose=whole(8),
        row=whole(3),
        column=whole(3),
        galaxy_flux=survey.depth * 10 ** between(3, 4),
        lens=lens,
        source=source,
        # A sphere magnifies a source at beta 2 theta_E / beta times: larger lenses, more light.
        flux=survey.depth * theta_e * 10 ** between(2.3, 3.5),
        colour=(colour / colour[:, 2:3])[:, list(survey.bands)],
        free=torch.rand(n, 16, generator=generator),
    )


def second_light(survey: Survey, catalogue: Catalogue) -> Tensor:
    """Lensed sources and the rest, blurred, of flux 1 in the image: (n, SIZE, SIZE)."""
    light = torch.zeros(len(catalogue.kind), SIZE, SIZE)
    for number, kind in enumerate(KINDS):
        index = torch.nonzero(catalogue.kind == number)[:, 0]
        if kind != "none" and len(index):
            light[index] = SHAPES[kind](survey, catalogue.take(index))
    light = blur(light, survey.psf)
    return light / light.sum((1, 2), keepdim=True).clamp_min(1e-6)


def _lens(survey: Survey, c: Catalogue) -> Tensor:
    return pixels(lensed, (c.lens, c.source), SIZE, survey.pixel)


def _source(survey: Survey, c: Catalogue) -> Tensor:
    """One galaxy at the distance of an arc, as large as an image of a lensed one can be."""
    r, phi = c.lens.theta_e * (0.6 + 0.9 * c.free[:, 0]), 2 * math.pi * c.free[:, 1]
    there = c.source._replace(
        x=r * phi.cos(), y=r * phi.sin(), radius=c.source.radius * (1 + 1.5 * c.free[:, 2])
    )
    return pixels(sersic, (there,), SIZE, survey.pixel)


def _polar(survey: Survey, c: Catalogue) -> tuple[Tensor, Tensor]:
    """Radius and azimuth (n, SIZE, SIZE) in the plane of a disc seen nearly from above."""
    x, y = (t.view(SIZE, SIZE) for t in grid(SIZE, survey.pixel))
    u, v = rotate(x, y, math.pi * c.free[:, 0, None, None])
    v = v / (0.7 + 0.3 * c.free[:, 1, None, None])
    return (u * u + v * v).clamp_min(1e-8).sqrt(), torch.atan2(v, u)


def _ring(survey: Survey, c: Catalogue) -> Tensor:
    """A ring galaxy: a closed ring, brighter on some sides."""
    r, phi = _polar(survey, c)
    free = c.free[:, :, None, None]
    radius = c.lens.theta_e[:, None, None] * (0.9 + 0.3 * free[:, 2])
    width = 0.08 + 0.17 * free[:, 3]
    waves = 0.5 * free[:, 4] * (phi + 6.3 * free[:, 5]).cos()
    waves = waves + 0.5 * free[:, 6] * (2 * phi + 6.3 * free[:, 7]).cos()
    return (-(((r - radius) / width) ** 2) / 2).exp() * (1 + waves)


def _spiral(survey: Survey, c: Catalogue) -> Tensor:
    """Two logarithmic arms that are brightest near the Einstein radius."""
    r, phi = _polar(survey, c)
    free = c.free[:, :, None, None]
    s = r / c.lens.theta_e[:, None, None]
    turn = (2 + 5 * free[:, 2]) * torch.where(free[:, 3] < 0.5, 1.0, -1.0)
    arm = (0.5 + 0.5 * (2 * phi + turn * s.log() + 6.3 * free[:, 4]).cos()) ** (1 + 4 * free[:, 5])
    return (s * (1 - s).exp()) ** (3 + 3 * free[:, 6]) * arm


def _satellites(survey: Survey, c: Catalogue) -> Tensor:
    """Two to four galaxies, drawn out along the tangent, that obey no lens equation."""
    free = c.free.view(-1, SATELLITES, 4)
    r = c.lens.theta_e[:, None] * (0.7 + 0.6 * free[..., 0])
    phi = 2 * math.pi * free[..., 1]
    size = c.source.radius[:, None] * (1 + free[..., 2])
    many = Sersic(
        r * phi.cos(), r * phi.sin(), size, torch.ones_like(r), 0.25 + 0.45 * free[..., 3],
        phi + math.pi / 2,
    )  # fmt: skip
    image = pixels(sersic, (many._make(t.flatten() for t in many),), SIZE, survey.pixel)
    there = torch.arange(SATELLITES) < (2 + (3 * free[:, 0, 0]).floor())[:, None]
    weight = there * (0.3 + free[..., 3].roll(1, 1))
    return (image.view(-1, SATELLITES, SIZE, SIZE) * weight[..., None, None]).sum(1)


SHAPES = {
    "lens": _lens,
    "source": _source,
    "ring": _ring,
    "spiral": _spiral,
    "satellites": _satellites,
}


def posed(pool: Pool, c: Catalogue) -> Tensor:
    """The stamps of the galaxies, shifted, then turned by elements of D4."""
    at = torch.arange(SIZE)
    rows, columns = at + c.row[:, None], at + c.column[:, None]
    rows = torch.where(c.pose[:, None] % 2 == 1, STAMP - 1 - rows, rows)
    columns = torch.where(c.pose[:, None] // 2 % 2 == 1, STAMP - 1 - columns, columns)
    turned = pool.stamps[c.galaxy[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    turned = turned.movedim(3, 1)  # (n, bands, rows, columns)
    swap = (c.pose // 4 == 1)[:, None, None, None]
    return torch.where(swap, turned.transpose(2, 3), turned)


def render(survey: Survey, pool: Pool, c: Catalogue, generator: torch.Generator) -> Tensor:
    """The images (n, bands, SIZE, SIZE), in units of the noise of a pixel.

    A real galaxy is scaled so that its own noise is at most 0.7; the rest of 1 is added.
    """
    noise = pool.noise[c.galaxy]
    factor = torch.minimum(c.galaxy_flux, 0.7 / noise.amax(1).clamp_min(1e-9))
    light = second_light(survey, c)[:, None] * (c.flux[:, None] * c.colour)[:, :, None, None]
    image = posed(pool, c) * factor[:, None, None, None] + light
    rest = (1 - (noise * factor[:, None]) ** 2).sqrt()
    return image.addcmul_(rest[:, :, None, None], torch.randn(image.shape, generator=generator))


def make(
    survey: Survey, pool: Pool, labels: Tensor, seed: int, epoch: int, *, leaking: bool = False
) -> tuple[Tensor, Catalogue]:
    """Images as a network sees them, float16, and what is in them; a function of its arguments."""
    c = draw(survey, pool, labels, stream(seed, CATALOGUE, epoch), leaking=leaking)
    generator = stream(seed, NOISE, epoch)
    parts = torch.arange(len(labels)).split(CHUNK)
    return torch.cat([stretch(render(survey, pool, c.take(i), generator)) for i in parts]), c


def stretch(image: Tensor) -> Tensor:
    """asinh(x / 2), half precision: linear in the noise, logarithmic in the galaxy's centre."""
    return (image / 2).asinh().half()


def linear(image: Tensor) -> Tensor:
    """The image before :func:`stretch`."""
    return 2 * image.float().sinh()
