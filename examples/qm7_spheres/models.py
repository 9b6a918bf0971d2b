"""The networks: molecules as sets of spheres.

Each atom sees the potential of the others on a sphere about it, a function for each element; a
spherical network makes of it features that do not change when the molecule is turned, an ordinary
one makes of these and of the element an energy, and the energies are added.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from equinet.steerable import near_identity, smooth
from equinet.transforms import potentials
from examples.qm7.data import ELEMENTS


class Atoms(NamedTuple):
    """Atoms of several molecules in a row.

    Attributes:
        numbers: of the elements, int64 ``(atoms,)``.
        positions: ``(atoms, 3)``.
        batch: the molecule of each, int64 ``(atoms,)``.
    """

    numbers: Tensor
    positions: Tensor
    batch: Tensor


class SphereNetwork(nn.Module):
    """Energies of molecules, ``(molecules,)``.

    Args:
        trunk: from functions on the sphere, one for each element, to ``features`` numbers.
        features: what it makes of a sphere.
        radius: of the spheres.
        band: of the functions.
    """

    scale: Tensor

    def __init__(self, trunk: nn.Module, features: int, radius: float, band: int) -> None:
        super().__init__()
        self.trunk, self.radius, self.sphere = trunk, radius, eq.Sphere(band)
        self.register_buffer("scale", torch.ones(len(ELEMENTS), len(ELEMENTS)))
        width = features + len(ELEMENTS)
        self.head = nn.Sequential(nn.Linear(width, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU())
        self.energy = nn.Linear(128, 1)

    def set_scale(self, atoms: Atoms) -> None:
        """Let the functions about atoms of each element have size one for these molecules."""
        x, kind = self._potentials(atoms), self._kind(atoms)
        for element in range(len(ELEMENTS)):
            own = x[kind == element]
            size = own.square().mean((0, 2, 3)).sqrt() if len(own) else self.scale[element]
            self.scale[element] = torch.where(size > 0, size, 1)

    def _potentials(self, atoms: Atoms) -> Tensor:
        return potentials(
            atoms.positions, atoms.numbers, ELEMENTS, self.sphere, self.radius, batch=atoms.batch
        )

    def _kind(self, atoms: Atoms) -> Tensor:
        return (atoms.numbers[:, None] == torch.tensor(ELEMENTS)).long().argmax(1)

    def forward(self, atoms: Atoms) -> Tensor:
        kind = self._kind(atoms)
        x = self._potentials(atoms) / self.scale[kind][:, :, None, None]
        element = nn.functional.one_hot(kind, len(ELEMENTS)).to(x)
        hidden = self.head(torch.cat([self.trunk(x).flatten(1), element], 1))
        molecules = int(atoms.batch.max()) + 1
        return x.new_zeros(molecules).index_add(0, atoms.batch, self.energy(hidden)[:, 0])


def spin_trunk(band: int, channels: int, spin: int) -> tuple[nn.Module, int]:
    """Fields of spin 0 to ``spin`` on spheres of falling band."""
    here = eq.Sphere(band).fields(f"{len(ELEMENTS)}x0")
    layers: list[nn.Module] = []
    for next_band in (band, max(band - 2, spin + 2), max(band - 4, spin + 2)):
        width = " + ".join(f"{channels}x{s}" for s in range(spin + 1))
        fields = eq.Sphere(next_band).fields(width)
        wide = enn.gated(fields)
        conv = enn.SphereConv(here, wide, smooth(knots=next_band, max_order=spin))
        layers += [conv, enn.BatchNorm(wide), enn.Gate(fields, function=nn.functional.silu)]
        here = fields
    features = 8 * channels
    out = here.space.fields(f"{features}x0")
    last = enn.SphereConv(here, out, smooth(knots=max(band - 4, spin + 2), max_order=spin))
    layers += [last, enn.BatchNorm(out), enn.ReLU(out), enn.Integrate(out)]
    return enn.Sequential(*layers), features


def regular_trunk(band: int, channels: int, spin: int) -> tuple[nn.Module, int]:
    """Functions on SO(3) of falling band, as in the paper."""
    here = eq.Sphere(band).fields(f"{len(ELEMENTS)}x trivial")
    layers: list[nn.Module] = []
    features = 8 * channels
    for next_band, width in ((6, channels), (4, 2 * channels), (3, features)):
        out = eq.Sphere(min(band, next_band)).fields(f"{width}x regular")
        conv = enn.SphereConv(here, out, near_identity(max_beta=torch.pi / 4))
        layers += [conv, enn.BatchNorm(out), enn.ReLU(out)]
        here = out
    return enn.Sequential(*layers, enn.Integrate(here)), features


NETWORKS: dict[str, Callable[[int, int, int], tuple[nn.Module, int]]] = {
    "spin": spin_trunk,
    "regular": regular_trunk,
}
