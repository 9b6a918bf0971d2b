"""Energies of clouds and forces on atoms. In: a network and atoms. Out: both."""

import torch
from torch import Tensor, nn

from equinet import nn as enn

from .models import ENERGY
from .structures import Atoms

_SUM = enn.SumPool(ENERGY)


def energies(network: nn.Module, atoms: Atoms) -> Tensor:
    """The sum of the outputs over the atoms of each cloud, ``(clouds,)``."""
    graph = atoms.graph
    cloud = atoms.kinds.new_zeros(graph.points) if graph.cloud is None else graph.cloud
    return _SUM(network(*atoms), cloud, graph.clouds)[:, 0]


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
    with torch.enable_grad():
        x = atoms.positions.detach().requires_grad_()
        found = energies(network, atoms._replace(positions=x))
        (slope,) = torch.autograd.grad(found.sum(), x, create_graph=learns)
    return (found, -slope) if learns else (found.detach(), -slope)
