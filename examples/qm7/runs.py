"""What is learned from how many molecules. In: tasks. Out: errors in kcal/mol."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.atoms.energies import energies
from examples.atoms.networks import NETWORKS
from examples.atoms.structures import Structures
from examples.atoms.training import Task, learn
from examples.common.sweep import Desk
from examples.common.training import parameter_count

from .bonds import bags, ridge_errors
from .data import ELEMENTS, Molecules, Split, without_composition

MANY = 100  # molecules at once where nothing is learned


@dataclass(frozen=True)
class Baseline:
    """All that decides the errors of composition alone and of bags of bonds."""

    data: str
    size: int


def baselines(molecules: Molecules, task: Baseline, desk: Desk) -> dict[str, Any]:
    """Errors on the test part."""
    split = Split.of(len(molecules))
    train = split.pool[: task.size]
    y = without_composition(molecules, train)
    parts = (part.numpy() for part in (train, split.valid, split.test))
    found = ridge_errors(bags(molecules), y.numpy(), *parts)
    return {"bonds": found, "composition": y[split.test].abs().mean().item()}


def train(molecules: Molecules, task: Task, desk: Desk) -> dict[str, Any]:
    """Let a network learn, and test it."""
    split = Split.of(len(molecules))
    train = split.pool[: task.size]
    y = without_composition(molecules, train)
    structures = molecules.structures(task.cutoff)
    scale = scale_of_an_atom(molecules, train)
    torch.manual_seed(task.seed)
    sizes = {"channels": task.channels, "lmax": task.lmax, "layers": task.layers}
    network = NETWORKS[task.network](len(ELEMENTS), task.cutoff, structures.neighbours(), **sizes)
    targets = (y / scale).float()

    def loss(network: nn.Module, indices: Tensor) -> Tensor:
        own = train[indices]
        return F.l1_loss(energies(network, structures.take(own)), targets[own])

    errors = partial(_errors, structures, targets, scale)
    history, seconds = learn(
        task, network, loss, lambda network: {"valid": errors(split.valid, network)}, desk
    )
    found = {"valid": errors(split.valid, network), "test": errors(split.test, network)}
    found |= {"history": history, "seconds": seconds, "parameters": parameter_count(network)}
    return found


def scale_of_an_atom(molecules: Molecules, train: Tensor) -> float:
    """How large an atom's part of an energy is, in kcal/mol, if atoms are independent."""
    rest = without_composition(molecules, train)[train]
    return (rest.std() / molecules.counts()[train].sum(1).mean().sqrt()).item()


def _errors(
    structures: Structures, targets: Tensor, scale: float, part: Tensor, network: nn.Module
) -> float:
    """The mean absolute error on a part, in kcal/mol."""
    with torch.no_grad():
        found = [energies(network, structures.take(own)) for own in part.split(MANY)]
    return scale * (torch.cat(found) - targets[part]).abs().mean().item()
