r"""Newton's equation of motion, by the method of Verlet. In: forces. Out: energies along the way.

.. math:: v \mathrel{+}= \tfrac{h}{2 m} F(x), \quad x \mathrel{+}= h v, \quad
          v \mathrel{+}= \tfrac{h}{2 m} F(x)

Lengths are in angstrom, times in femtoseconds, energies in eV. The total energy stays as it is up
to O(h^2) if F is minus the gradient of an energy, and drifts if it is not.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .data import MASSES

STEP = 0.5  # fs
ACCELERATION = 9.648533e-3  # 1 eV / (angstrom u) in angstrom / fs^2
BOLTZMANN = 8.617333e-5  # eV / K

Field = Callable[[Tensor], tuple[Tensor, Tensor]]  # positions to the energy and the forces


def masses(kinds: Tensor) -> Tensor:
    """In atomic units of mass, float64 ``(atoms, 1)``."""
    return torch.tensor(MASSES, dtype=torch.float64)[kinds][:, None]


def maxwell(kinds: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Random velocities at a temperature, without a motion of the whole."""
    m = masses(kinds)
    spread = (BOLTZMANN * temperature * ACCELERATION / m).sqrt()
    v = spread * torch.randn(len(kinds), 3, generator=generator, dtype=torch.float64)
    return v - (m * v).sum(0) / m.sum()


class Motion:
    """Atoms on their way."""

    def __init__(self, kinds: Tensor, positions: Tensor, velocities: Tensor, field: Field) -> None:
        self.masses, self.field = masses(kinds), field
        self.positions, self.velocities = positions, velocities
        self.energy, self.forces = field(positions)

    def run(self, steps: int, step: float = STEP) -> None:
        """Go on for some steps."""
        for _ in range(steps):
            self._push(step / 2)
            self.positions = self.positions + step * self.velocities
            self.energy, self.forces = self.field(self.positions)
            self._push(step / 2)

    def _push(self, time: float) -> None:
        self.velocities = self.velocities + time * ACCELERATION * self.forces / self.masses

    def kinetic(self) -> float:
        """The energy of the motion, in eV."""
        return (self.masses * self.velocities.square()).sum().item() / (2 * ACCELERATION)

    def temperature(self) -> float:
        """In kelvin; the motion of the whole has none."""
        return 2 * self.kinetic() / (3 * (len(self.masses) - 1) * BOLTZMANN)
