"""Frames of liquid water and what was computed of them. In: an archive, or none. Out: parts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import equinet as eq
from equinet.rep import CartesianTensor
from examples.atoms.structures import Structures
from examples.common.archive import read_arrays
from examples.common.digits import digest
from examples.common.errors import InputError
from examples.common.streams import stream

SPECIES = (8, 1)
MASSES = (15.999, 1.008)
SPLIT, TESTS = 10, 80  # purpose of a random stream; frames of the test of the forces, at most
TENSORS = {
    "dipole": CartesianTensor(eq.o3(), "i"),
    "polarisability": CartesianTensor(eq.o3(), "ij=ji"),
}
_NAMES = {"dipole": "dipole", "polarisability": "polar"}  # in the archive


@dataclass(frozen=True)
class Part:
    """Frames of the same atoms.

    Attributes:
        kinds: places of the elements in ``SPECIES``, int64 ``(atoms,)``.
        positions: in angstrom, float32 ``(frames, atoms, 3)``.
        cells: rows after which space repeats, ``(frames, 3, 3)``.
        values: forces ``(frames, atoms, 3)`` in eV per angstrom, or the components of the tensors
            of the oxygens, ``(frames, oxygens, components)``.
        energies: in eV, float64 ``(frames,)``; zeros beside tensors.
    """

    kinds: Tensor
    positions: Tensor
    cells: Tensor
    values: Tensor
    energies: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def fingerprint(self) -> str:
        """The number of frames and a hash of all."""
        tensors = (self.kinds, self.positions, self.cells, self.values)
        return f"{len(self)} {digest(*tensors)}"

    def structures(self, cutoff: float) -> Structures:
        """With their neighbours."""
        kinds = [self.kinds] * len(self)
        return Structures.of(kinds, list(self.positions), cutoff, self.cells)

    def take(self, frames: Tensor | slice) -> "Part":
        """Some of the frames."""
        x, cells, values = self.positions[frames], self.cells[frames], self.values[frames]
        return Part(self.kinds, x, cells, values, self.energies[frames])


@dataclass(frozen=True)
class Pair:
    """What is learned from, and what it is tested on."""

    train: Part
    test: Part


def divided(part: Part) -> Pair:
    """Frames in random order, of which the last are the test: a fifth, and ``TESTS`` at most."""
    order = torch.randperm(len(part), generator=stream(0, SPLIT))
    tests = min(TESTS, len(part) // 5)
    return Pair(part.take(order[:-tests]), part.take(order[-tests:]))


def load(path: Path) -> dict[str, Pair]:
    """The frames of an archive with the arrays that the README names.

    Returns:
        "forces", "dipole" and "polarisability".
    Raises:
        InputError: if the arrays are not what they should be.
    """
    needed = {"Z", "ef_pos", "ef_cell", "ef_force", "ef_energy", "tensor_Z"}
    tensors = {
        f"{name}_atomic_{part}{what}"
        for name in _NAMES.values()
        for part in ("train", "valid")
        for what in ("", "_pos", "_cell")
    }
    z = read_arrays(path, needed | tensors)
    forces = _part(z, path, "Z", ("ef_pos", "ef_cell", "ef_force"))
    energies = torch.from_numpy(z["ef_energy"].astype(np.float64))
    if energies.shape != (len(forces),) or forces.values.shape != forces.positions.shape:
        raise InputError(f"data: expected an energy and forces for each frame of {path}")
    found = {"forces": divided(replace(forces, energies=energies))}
    for target, tensor in TENSORS.items():
        parts = []
        for part in ("train", "valid"):
            own = f"{_NAMES[target]}_atomic_{part}"
            one = _part(z, path, "tensor_Z", (f"{own}_pos", f"{own}_cell", own))
            size = one.values.shape[-1]
            if size != 3**tensor.rank or one.values.shape[1] != int((one.kinds == 0).sum()):
                raise InputError(f"data: expected {own} (frames, oxygens, {3**tensor.rank})")
            values = one.values.unflatten(-1, (3,) * tensor.rank)
            parts.append(replace(one, values=tensor.to_irreps(values)))
        found[target] = Pair(*parts)
    return found


def _part(
    z: Mapping[str, np.ndarray], path: Path, numbers: str, names: tuple[str, str, str]
) -> Part:
    """Frames from an archive, all three of them checked against each other."""
    if not np.isin(z[numbers], SPECIES).all():
        raise InputError(f"data: expected the elements {SPECIES} in {numbers} of {path}")
    x, cells, values = (torch.from_numpy(z[name].astype(np.float32)) for name in names)
    atoms = len(z[numbers])
    fits = x.dim() == values.dim() == 3 and x.shape[1:] == (atoms, 3) and len(x) > 4
    if not fits or cells.shape != (len(x), 3, 3) or len(values) != len(x):
        shapes = ", ".join(f"{name} {z[name].shape}" for name in names)
        raise InputError(f"data: {path}: expected five frames of {atoms} atoms, got {shapes}")
    kinds = torch.from_numpy((z[numbers] == 1).astype(np.int64))
    return Part(kinds, x, cells, values, torch.zeros(len(x), dtype=torch.float64))
