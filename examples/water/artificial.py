"""Something like water, to try the programs without data.

The atoms of a molecule are held together by springs; those of different molecules push each other
away, and attract as smeared charges do. Dipoles and polarisabilities are sums over the bonds of an
oxygen. It is no model of the liquid.
"""

import math

import torch
from torch import Tensor

import equinet as eq
from equinet.transforms import radius_graph

from .data import TENSORS, Pair, Part, divided
from .dynamics import Motion, maxwell

SIDE, DISTANCE = 2, 3.1  # molecules along an edge of the cell, and how far they are from another
CUTOFF = 4.5
CHARGES = (-0.8, 0.4)  # of O and H
COULOMB = 14.4  # eV angstrom
BOND, ANGLE, SPRING = 0.96, 1.52, 20.0  # lengths of O-H and H-H; eV per angstrom^2
TEMPERATURE = 300.0
SETTLE, EVERY = 200, 20  # steps before the first frame, and from one to the next


def artificial(frames: int = 60) -> dict[str, Pair]:
    """Frames of a motion whose velocities are drawn anew for each, as ``data.load`` gives them."""
    generator = torch.Generator().manual_seed(0)
    kinds, x, cell = _lattice(generator)
    field, found = _ForceField(kinds, cell), []
    for steps in [SETTLE, *[EVERY] * frames]:
        motion = Motion(kinds, x, maxwell(kinds, TEMPERATURE, generator), field)
        motion.run(steps)
        x = motion.positions
        found.append((x, motion.energy, motion.forces))
    positions, energies, forces = (torch.stack(each) for each in zip(*found[1:], strict=True))
    frame = (kinds, positions.float(), cell.float().expand(frames, 3, 3))
    atoms = positions.float().unflatten(1, (-1, 3))  # O, H, H of each molecule
    bonds = atoms[:, :, 1:] - atoms[:, :, :1]
    tensors = {
        "dipole": 0.6 * bonds.sum(2),
        "polarisability": torch.eye(3) + 0.3 * (bonds[..., None] * bonds[..., None, :]).sum(2),
    }
    values = {name: tensor.to_irreps(tensors[name]) for name, tensor in TENSORS.items()}
    none = torch.zeros_like(energies)
    own = {name: divided(Part(*frame, value, none)) for name, value in values.items()}
    return {"forces": divided(Part(*frame, forces.float(), energies)), **own}


def _lattice(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Molecules in random orientations: kinds, positions and the cell, float64."""
    height = math.sqrt(BOND**2 - ANGLE**2 / 4)
    molecule = torch.tensor(
        [[0, 0, 0], [height, ANGLE / 2, 0], [height, -ANGLE / 2, 0]], dtype=torch.float64
    )
    places = DISTANCE * torch.cartesian_prod(*[torch.arange(SIDE, dtype=torch.float64)] * 3)
    rotations = eq.so3().sample(len(places), generator=generator).double()
    x = places[:, None] + molecule @ rotations.mT
    kinds = torch.tensor([0, 1, 1]).repeat(len(places))
    return kinds, x.flatten(0, 1), SIDE * DISTANCE * torch.eye(3, dtype=torch.float64)


class _ForceField:
    """The energy of positions, and the forces."""

    def __init__(self, kinds: Tensor, cell: Tensor) -> None:
        self.kinds, self.cell = kinds, cell
        self.charges = torch.tensor(CHARGES, dtype=torch.float64)[kinds]
        first = torch.arange(0, len(kinds), 3)
        self.bonds = torch.stack([first, first + 1, first, first + 2, first + 1, first + 2])
        self.lengths = torch.tensor([BOND, BOND, ANGLE], dtype=torch.float64)

    def __call__(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        x = positions.detach().requires_grad_()
        energy = self.springs(x) + self.pairs(x)
        (slope,) = torch.autograd.grad(energy, x)
        return energy.detach(), -slope

    def springs(self, x: Tensor) -> Tensor:
        """Within the molecules."""
        ends = x[self.bonds].unflatten(0, (3, 2))
        lengths = (ends[:, 0] - ends[:, 1]).norm(dim=-1)
        return SPRING / 2 * (lengths - self.lengths[:, None]).square().sum()

    def pairs(self, x: Tensor) -> Tensor:
        """Between them, each pair twice."""
        graph = radius_graph(x, CUTOFF, cell=self.cell)
        (j, i), cells = graph.edges, graph.cells
        assert cells is not None
        other = (i // 3 != j // 3) | cells.any(1)
        r = graph.vectors(x)[other].norm(dim=1)
        charges = (self.charges[i] * self.charges[j])[other]
        energies = COULOMB * charges * torch.erf(r / 2) / r + 400 * torch.exp(-r / 0.28)
        return (energies * (1 - (r / CUTOFF).square()) ** 3).sum() / 2
