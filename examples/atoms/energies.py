"""Energies of clouds and forces on atoms. In: a network and atoms. Out: both."""

import torch
from torch import Tensor, nn

from equinet.nn import Potential

from .structures import Atoms


def energies(network: nn.Module, atoms: Atoms) -> Tensor:
    """The sum of the outputs over the atoms of each cloud, ``(clouds,)``."""
    return Potential(network).energies(*atoms)[0]


def energies_and_forces(
    network: nn.Module, atoms: Atoms, *, learns: bool = False
) -> tuple[Tensor, Tensor]:
    """E of each cloud and -dE/dx of each atom.

    Args:
        network: gives one number for each atom.
        atoms: of all clouds.
        learns: whether what is returned can be differentiated by the weights.
    Returns:
        ``(clouds,)`` and ``(points, 3)``.
    """
    with torch.set_grad_enabled(learns):
        found = Potential(network, stress=False)(*atoms)
    return found.energy, found.forces
