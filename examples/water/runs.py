"""What is learned from which frames. In: tasks. Out: errors, and energies along a trajectory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.transforms import radius_graph
from examples.atoms import training
from examples.atoms.energies import energies_and_forces
from examples.atoms.networks import NETWORKS
from examples.atoms.structures import Atoms, Structures
from examples.atoms.training import learn
from examples.common.sweep import Desk
from examples.common.training import parameter_count

from .data import SPECIES, Pair, Part
from .dynamics import STEP, Motion, maxwell

SEEN = 16  # frames of the test part that are looked at during a training
ENERGY_WEIGHT = 0.1
TEMPERATURE = 300.0
NOTES = 100  # of the energies, along a trajectory
# Columns of a scalar, a vector and a tensor, which the network gives.
COLUMNS = {"dipole": (1, 2, 3), "polarisability": (0, 4, 5, 6, 7, 8), "control": (0,)}


@dataclass(frozen=True)
class Task(training.Task):
    """All that decides the result.

    Attributes:
        target: "forces", or a key of ``COLUMNS``; the control has polarisabilities without l = 2.
        motion: steps of the trajectory with the trained forces; 0 for none.
    """

    target: str = "forces"
    motion: int = 0


def forces(pair: Pair, task: Task, desk: Desk) -> dict[str, Any]:
    """Learn forces and energies, then let the atoms move by them."""
    train, test = pair.train.take(slice(task.size)), pair.test
    scale, mean, atoms = train.values.std().item(), train.energies.mean(), len(train.kinds)
    targets = ((train.energies - mean) / scale).float()
    structures = train.structures(task.cutoff)
    network = _network(task, structures)

    def loss(network: nn.Module, indices: Tensor) -> Tensor:
        energy, force = energies_and_forces(network, structures.take(indices), learns=True)
        apart = F.mse_loss(energy, targets[indices]) / atoms
        own = train.values[indices].flatten(0, 1) / scale
        return F.mse_loss(force, own) + ENERGY_WEIGHT * apart

    few = slice(min(SEEN, len(test)))
    seen = test.structures(task.cutoff)

    def errors(frames: slice, network: nn.Module) -> tuple[float, float]:
        """Root mean square errors of forces, and of energies by atom, in eV and angstrom."""
        found = [energies_and_forces(network, one) for one in seen.clouds[frames]]
        energy, force = zip(*found, strict=True)
        apart = scale * torch.stack(force) - test.values[frames]
        energy = scale * torch.cat(energy).double() + mean - test.energies[frames]
        return apart.square().mean().sqrt().item(), (energy / atoms).square().mean().sqrt().item()

    history, seconds = learn(
        task, network, loss, lambda network: {"forces": errors(few, network)[0]}, desk
    )
    force, energy = errors(slice(None), network)
    found = {"forces": force, "energies": energy, "history": history, "seconds": seconds}
    found["parameters"] = parameter_count(network)
    if task.motion:
        found["motion"] = motion(network, scale, test, task)
    return found


def motion(network: nn.Module, scale: float, part: Part, task: Task) -> dict[str, list[float]]:
    """Energies in eV and temperatures along a trajectory from a frame of the test part."""
    network = network.double()
    cell = part.cells[0].double()

    def field(positions: Tensor) -> tuple[Tensor, Tensor]:
        graph = radius_graph(positions, task.cutoff, cell=cell)
        energy, force = energies_and_forces(network, Atoms(part.kinds, positions, graph))
        return scale * energy[0], scale * force

    velocities = maxwell(part.kinds, TEMPERATURE, torch.Generator().manual_seed(task.seed))
    moving = Motion(part.kinds, part.positions[0].double(), velocities, field)
    found: dict[str, list[float]] = {"time": [], "potential": [], "total": [], "temperature": []}
    every = max(1, task.motion // NOTES)
    for step in range(0, task.motion + 1, every):
        if step:
            moving.run(every)
        found["time"].append(step * STEP)
        found["potential"].append(moving.energy.item())
        found["total"].append(moving.energy.item() + moving.kinetic())
        found["temperature"].append(moving.temperature())
    network.float()
    return found


def drift(found: dict[str, list[float]], atoms: int) -> tuple[float, float]:
    """Of the total energy: the slope in meV per atom and ps, and the spread about it in meV."""
    time, total = np.array(found["time"]) / 1000, np.array(found["total"]) * 1000 / atoms
    line = np.polyfit(time, total, 1)
    return float(line[0]), float(np.std(total - np.polyval(line, time)))


def tensors(pair: Pair, task: Task, desk: Desk) -> dict[str, Any]:
    """Learn the dipoles or polarisabilities of the oxygens."""
    train, test = pair.train.take(slice(task.size)), pair.test
    columns = COLUMNS[task.target]
    centre = train.values.mean((0, 1))
    centre[int(task.target != "dipole") :] = 0  # a constant is a scalar: of the isotropic part
    spread = (train.values - centre).square().mean().sqrt()
    structures = train.structures(task.cutoff)
    network = _network(task, structures, outputs=2)
    oxygens = torch.where(train.kinds == 0)[0]

    def answers(network: nn.Module, atoms: Atoms) -> Tensor:
        """Components of the oxygens of all frames, zero for those that the control lacks."""
        found = network(*atoms).unflatten(0, (-1, len(train.kinds)))[:, oxygens][..., columns]
        return F.pad(found, (0, len(centre) - found.shape[-1]))

    def loss(network: nn.Module, indices: Tensor) -> Tensor:
        own = (train.values[indices] - centre) / spread
        return F.mse_loss(answers(network, structures.take(indices)), own)

    seen = test.structures(task.cutoff)

    def errors(frames: slice, network: nn.Module) -> Tensor:
        """Squares of the errors, over all and by component."""
        with torch.no_grad():
            found = torch.cat([answers(network, one) for one in seen.clouds[frames]])
        return (spread * found + centre - test.values[frames]).square().mean((0, 1))

    few = slice(min(SEEN, len(test)))
    history, seconds = learn(
        task, network, loss, lambda net: {"error": errors(few, net).mean().sqrt().item()}, desk
    )
    return {
        "squares": errors(slice(None), network).tolist(),
        "variances": (test.values - centre).square().mean((0, 1)).tolist(),
        "history": history,
        "seconds": seconds,
        "parameters": parameter_count(network),
    }


def _network(task: Task, structures: Structures, **options: Any) -> nn.Module:
    torch.manual_seed(task.seed)
    sizes = {"channels": task.channels, "lmax": task.lmax, "layers": task.layers}
    return NETWORKS[task.network](
        len(SPECIES), task.cutoff, structures.neighbours(), **sizes, **options
    )
