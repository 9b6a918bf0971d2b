"""What is learned from how many molecules. In: tasks. Out: errors in kcal/mol."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.atoms.training import Run, learn
from examples.common.sweep import Desk
from examples.common.training import parameter_count
from examples.qm7.data import Molecules, Split, without_composition

from .models import NETWORKS, Atoms, SphereNetwork

MANY = 50  # molecules at once where nothing is learned


@dataclass(frozen=True)
class SphereRun(Run):
    """A spherical network.

    Attributes:
        band: of the potentials.
        channels: of each kind of fields.
        spin: the largest of the fields.
        radius: of the spheres, in angstrom.
    """

    band: int = 8
    channels: int = 16
    spin: int = 2
    radius: float = 1.0

    positive: ClassVar = (*Run.positive, "band", "channels", "radius")


def take(molecules: Molecules, indices: Tensor) -> Atoms:
    """The atoms of some molecules in a row."""
    numbers, positions = molecules.numbers[indices], molecules.positions[indices]
    there = numbers > 0
    batch = torch.arange(len(indices))[:, None].expand_as(there)
    return Atoms(numbers[there].long(), positions[there], batch[there])


def train(molecules: Molecules, run: SphereRun, desk: Desk) -> dict[str, Any]:
    """Let a network learn, and test it."""
    split = Split.of(len(molecules))
    train = split.pool[: run.size]
    y = without_composition(molecules, train)
    scale = y[train].std().item()
    targets = (y / scale).float()
    torch.manual_seed(run.seed)
    trunk, features = NETWORKS[run.network](run.band, run.channels, run.spin)
    network = SphereNetwork(trunk, features, run.radius, run.band)
    network.set_scale(take(molecules, train[:500]))

    def loss(network: nn.Module, indices: Tensor) -> Tensor:
        own = train[indices]
        return F.l1_loss(network(take(molecules, own)), targets[own])

    def errors(part: Tensor) -> tuple[float, float]:
        """Mean absolute error and root of the mean square."""
        network.eval()
        with torch.no_grad():
            found = torch.cat([network(take(molecules, own)) for own in part.split(MANY)])
        network.train()
        error = scale * (found - targets[part])
        return error.abs().mean().item(), error.square().mean().sqrt().item()

    history, seconds = learn(
        run, network, loss, lambda network: {"valid": errors(split.valid)[0]}, desk
    )
    mae, rmse = errors(split.test)
    found = {"test": mae, "rmse": rmse, "history": history, "seconds": seconds}
    return found | {"parameters": parameter_count(network)}
