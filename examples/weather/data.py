"""Fields of the Earth. In: an archive, or none. Out: fields on a sphere."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import equinet as eq
from equinet.field import random_field
from equinet.harmonics import equiangular
from equinet.transforms import Sample, from_winds
from examples.common.archive import read_arrays
from examples.common.errors import InputError
from examples.common.streams import stream

MADE = 40  # purpose of a random stream
OCEANS = 4  # the largest basins; the sea elsewhere is one class more
MONTH, LEVEL = 0, 0  # January, 200 hPa


def winds(path: Path | None, sphere: eq.Sphere) -> Tensor:
    """Horizontal winds of one month at one level, ``1x1`` on the grid of the sphere, in m/s.

    Without an archive a field that is made up, of the same size.
    """
    fields = sphere.fields("1x1")
    if path is None:
        made = random_field(
            fields, 1, generator=stream(0, MADE), band=max(2, sphere.band // 2), dtype=torch.float64
        )
        return 10 * made
    names = ("erai_u", "erai_v", "erai_u_scale", "erai_v_scale", "erai_lat", "erai_lon")
    arrays = read_arrays(path, names)
    found = []
    for name in ("erai_u", "erai_v"):
        numbers = arrays[name][MONTH, LEVEL].astype(np.float64)
        step, offset = arrays[f"{name}_scale"]
        found.append(torch.from_numpy(numbers * step + offset)[None, None])
    latitudes = torch.from_numpy(arrays["erai_lat"].astype(np.float64))
    rings = equiangular(len(latitudes), len(arrays["erai_lon"]), poles=True)
    start = math.radians(float(arrays["erai_lon"][0]))
    north_first = bool(latitudes[0] > 0)
    sample = Sample(
        rings, fields, north_first=north_first, longitude_start=start, latitudes=latitudes
    )
    return sample.double()(from_winds(*found))


@dataclass(frozen=True)
class Earth:
    """What is seen of the Earth, and what sea it is.

    Attributes:
        seen: brightness in three colours and height, ``4x0`` on the grid, float32 ``(1, 4, ...)``.
        positions: unit vectors of the cells that are known, ``(cells, 3)``.
        basins: of those cells, int64 ``(cells,)``; -1 on land.
        names: of the classes.
    """

    seen: Tensor
    positions: Tensor
    basins: Tensor
    names: tuple[str, ...]

    def labels(self, sphere: eq.Sphere, rotation: Tensor | None = None) -> Tensor:
        """The class at each point of a grid when the Earth is turned, that of the nearest cell."""
        x = sphere.positions().flatten(0, -2).float()
        if rotation is not None:
            x = x @ rotation.to(x)  # R^-1 x, and x is a row
        nearest = [(part @ self.positions.mT).argmax(1) for part in x.split(512)]
        return self.basins[torch.cat(nearest)].view(sphere.rings.shape)


def earth(path: Path | None, sphere: eq.Sphere) -> Earth:
    """The Earth of an archive, or one that is made up."""
    if path is None:
        return _made_up(sphere)
    names = (
        "basin_surface",
        "basin_lat",
        "basin_lon",
        "basin_names",
        "bluemarble_rgb",
        "topo_1deg",
    )
    arrays = read_arrays(path, names)
    rgb = torch.from_numpy(arrays["bluemarble_rgb"]).permute(2, 0, 1)[None].float() / 255
    height = torch.from_numpy(arrays["topo_1deg"]).float()[None, None] / 4000
    if rgb.dim() != 4 or arrays["basin_surface"].ndim != 2:
        raise InputError(f"data: expected maps of latitude and longitude in {path}")
    half = math.pi / rgb.shape[3]  # the first column is the centre of a cell
    picture = Sample(
        equiangular(*rgb.shape[2:], poles=False),
        sphere.fields("3x0"),
        north_first=False,
        longitude_start=half - math.pi,
    )
    relief = Sample(equiangular(*height.shape[2:], poles=True), sphere.fields("1x0"))
    codes = arrays["basin_surface"]
    sea = codes >= 0
    kinds, counts = np.unique(codes[sea], return_counts=True)
    largest = kinds[np.argsort(-counts)][:OCEANS]
    classes = np.full(codes.shape, OCEANS, np.int64)
    for number, code in enumerate(largest):
        classes[codes == code] = number
    classes[~sea] = -1
    lat, lon = np.meshgrid(
        np.radians(arrays["basin_lat"].astype(np.float64)),
        np.radians(arrays["basin_lon"].astype(np.float64)),
        indexing="ij",
    )
    points = np.stack(
        [np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], -1
    ).reshape(-1, 3)
    return Earth(
        torch.cat([picture(rgb), relief(height)], 1),
        torch.from_numpy(points).float(),
        torch.from_numpy(classes.reshape(-1)),
        (*(str(arrays["basin_names"][code - 1]) for code in largest), "elsewhere"),
    )


def _made_up(sphere: eq.Sphere) -> Earth:
    """Seas between random heights, classes by the axis that is nearest."""
    fields = sphere.fields("4x0")
    seen = random_field(fields, 1, generator=stream(0, MADE), band=max(2, sphere.band // 3))
    x = sphere.positions().flatten(0, -2).float()
    axis = x.abs().argmax(1)
    classes = torch.where(seen[0, 3].flatten() > 0.5, -1, axis)
    return Earth(seen, x, classes, ("x", "y", "z"))
