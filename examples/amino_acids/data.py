"""Which atoms are around a residue whose side chain has been taken away.

In: protein structures, from ``proteins.npz`` or a folder of PDB files. Out: a :class:`Dataset` of
environments, split so that proteins alike are on the same side, and :func:`density`, which puts
them on a grid.

An environment is what lies within ``RADIUS`` of a CA: all heavy atoms but those of the own side
chain of the residue. It keeps the orientation that the protein has in its file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import equinet as eq
from equinet.transforms import voxelize
from examples.common.archive import read_arrays
from examples.common.digits import digest
from examples.common.errors import InputError
from examples.common.streams import stream

from .pdb import BACKBONE, ELEMENTS, RESIDUES, Structure, read_pdb

RADIUS = 10.0  # angstrom
SIZE, CELL, SIGMA = 17, 1.25, 1.0  # cells along a side; angstrom
VOLUME = eq.Volume("SO(3)", CELL)

SPLIT, CHOICE = 10, 11  # purposes of random streams
SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}  # of the residues

HELP = (
    "no data: give --data FILE or --data FOLDER. FOLDER holds structures in the PDB format (*.pdb, "
    "from rcsb.org, say; a few hundred different proteins); FILE is an npz archive as the README "
    "says. To try the program without data: --data strands, artificial chains that are no proteins"
)


class Environments(NamedTuple):
    """Environments of unequal size, one behind the other."""

    positions: Tensor  # (atoms, 3) float32, angstrom, relative to the CA
    elements: Tensor  # (atoms,) uint8, index into ELEMENTS
    first: Tensor  # (n + 1,) int64: environment i has the atoms first[i] to first[i + 1]
    labels: Tensor  # (n,) int64, index into RESIDUES

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Positions, elements and the place in ``indices`` of the atoms of some environments."""
        counts = self.first[indices + 1] - self.first[indices]
        batch = torch.repeat_interleave(torch.arange(len(indices)), counts)
        within = torch.arange(len(batch)) - (counts.cumsum(0) - counts)[batch]
        atoms = self.first[indices][batch] + within
        return self.positions[atoms], self.elements[atoms], batch


@dataclass(frozen=True)
class Dataset:
    """Environments to learn from, to watch the learning with, and to test on."""

    name: str
    train: Environments
    valid: Environments
    test: Environments

    def fingerprint(self) -> str:
        """Name, sizes and a hash of the content: two data sets differ exactly when this does."""
        parts = (self.train, self.valid, self.test)
        sizes = "+".join(str(len(part.labels)) for part in parts)
        return f"{self.name} {sizes} {digest(*(tensor for part in parts for tensor in part))}"

    def majority(self) -> float:
        """Accuracy on the test of always answering the most frequent class of the training."""
        most = torch.bincount(self.train.labels, minlength=len(RESIDUES)).argmax()
        return float((self.test.labels == most).double().mean())


def density(environments: Environments, indices: Tensor) -> Tensor:
    """Some environments as (batch, elements, SIZE, SIZE, SIZE): a Gaussian for each atom."""
    positions, elements, batch = environments.take(indices)
    values = torch.nn.functional.one_hot(elements.long(), len(ELEMENTS)).to(positions)
    grid = voxelize(
        positions, values, VOLUME, (SIZE,) * 3, SIGMA, batch=batch, samples=len(indices)
    )
    return grid * (2 * torch.pi * SIGMA**2) ** 1.5  # an atom is 1 at its centre


def load(source: Path | None, sizes: dict[str, int], seed: int = 0) -> Dataset:
    """Environments of the proteins in a file or folder.

    Args:
        source: ``proteins.npz``, a folder of PDB files, or "strands".
        sizes: how many environments to draw at most for "train", "valid" and "test".
        seed: of the split and of the draw.
    Raises:
        InputError: if there is no source, or it does not hold what it should.
    """
    if source is None:
        raise InputError(HELP)
    if str(source) == "strands":
        structures = [strand(i) for i in range(30)]
        clusters = np.arange(len(structures))
    elif source.is_dir():
        files = sorted(source.glob("*.pdb"))
        if not files:
            raise InputError(f"data: expected *.pdb files in {source}, got none")
        structures, clusters = [read_pdb(file) for file in files], np.arange(len(files))
    else:
        structures, clusters = read_npz(source)
    parts = split(structures, clusters, seed)
    for part, members in parts.items():
        if not any(structures[p].is_alpha.any() for p in members):
            raise InputError(
                f"data: expected proteins with a CA for train, valid and test, got {len(clusters)} "
                f"in {source}, and none is left for {part}"
            )
    generators = {part: stream(seed, CHOICE, i) for i, part in enumerate(SHARES)}
    found = {
        part: environments([structures[p] for p in parts[part]], sizes[part], generators[part])
        for part in SHARES
    }
    return Dataset(Path(source).name, **found)


def read_npz(path: Path) -> tuple[list[Structure], np.ndarray]:
    """The structures of an archive and the cluster of each, see the README for its arrays.

    Raises:
        InputError: if an array is missing, names are others, or the arrays do not fit together.
    """
    needed = {"xyz", "atom_name", "atom_res", "res_type", "atom_ptr", "res_ptr", "cluster"}
    needed |= {"atom_names", "atom_element", "elements", "res_names"}
    z = read_arrays(path, needed)
    for name, expected in (("elements", ELEMENTS), ("res_names", RESIDUES)):
        if tuple(z[name].ravel()) != expected:
            raise InputError(f"data: expected {name} {expected} in {path}, got {z[name].tolist()}")
    try:
        structures = _structures(z)
    except (IndexError, TypeError, ValueError) as error:
        raise InputError(f"data: the arrays in {path} do not fit together ({error})") from error
    return structures, z["cluster"]


def _structures(z: dict[str, np.ndarray]) -> list[Structure]:
    names, structures = z["atom_names"], []
    if z["atom_ptr"][-1] != len(z["xyz"]) or z["res_ptr"][-1] != len(z["res_type"]):
        raise ValueError("atom_ptr, res_ptr")
    for p in range(len(z["cluster"])):
        atoms = slice(z["atom_ptr"][p], z["atom_ptr"][p + 1])
        name = z["atom_name"][atoms]
        structures.append(
            Structure(
                z["xyz"][atoms].astype(np.float32) * np.float32(0.01),
                z["atom_element"][name],
                z["atom_res"][atoms].astype(np.int64),
                np.isin(names, BACKBONE)[name],
                (names == "CA")[name],
                z["res_type"][z["res_ptr"][p] : z["res_ptr"][p + 1]].astype(np.int64),
            )
        )
        s = structures[-1]
        if s.xyz.shape != (len(s.residue), 3) or not (
            all(0 <= r < len(s.kind) for r in (s.residue.min(), s.residue.max()))
            and all(0 <= k < len(RESIDUES) for k in (s.kind.min(), s.kind.max()))
            and s.element.max() < len(ELEMENTS)
        ):
            raise ValueError(f"protein {p}")
    return structures


def split(structures: list[Structure], clusters: np.ndarray, seed: int) -> dict[str, list[int]]:
    """Numbers of the proteins of each part; a cluster is never in two of them."""
    found = np.unique(clusters)
    order = found[torch.randperm(len(found), generator=stream(seed, SPLIT)).numpy()]
    parts: dict[str, list[int]] = {part: [] for part in SHARES}
    filled = dict.fromkeys(SHARES, 0.0)  # residues over the share: equal at the end
    for cluster in order:
        members = np.flatnonzero(clusters == cluster).tolist()
        part = min(filled, key=lambda name: filled[name])
        parts[part] += members
        filled[part] += sum(len(structures[p].kind) for p in members) / SHARES[part]
    return parts


def environments(
    structures: Iterable[Structure], most: int, generator: torch.Generator
) -> Environments:
    """The environments of residues drawn from all that have a CA, at most ``most`` of them."""
    structures = list(structures)
    centres = [(p, atom) for p, s in enumerate(structures) for atom in np.flatnonzero(s.is_alpha)]
    chosen = torch.randperm(len(centres), generator=generator)[:most].sort().values
    positions, elements, labels = [], [], []
    for p, atom in (centres[i] for i in chosen.tolist()):
        s = structures[p]
        offset = s.xyz - s.xyz[atom]
        near = (offset**2).sum(1) < RADIUS**2
        near &= (s.residue != s.residue[atom]) | s.is_backbone
        positions.append(offset[near])
        elements.append(s.element[near])
        labels.append(s.kind[s.residue[atom]])
    counts = [0, *map(len, positions)]
    return Environments(
        torch.from_numpy(np.concatenate(positions)),
        torch.from_numpy(np.concatenate(elements)),
        torch.tensor(counts).cumsum(0),
        torch.tensor(np.array(labels), dtype=torch.int64),
    )


def strand(seed: int, residues: int = 40) -> Structure:
    """An artificial chain: a random walk with a side chain of 1 to 4 atoms, told by its neighbours.

    Not a protein. What can be learned: the kind of a residue (0 to 3) is the element of an atom
    beside its backbone, so a few steps of training show that a network reads its input.
    """
    generator = np.random.default_rng(seed)
    step = generator.normal(size=(residues, 3))
    alpha = 3.8 * np.cumsum(step / np.linalg.norm(step, axis=1, keepdims=True), 0)
    kind = generator.integers(0, 4, residues)
    marker = alpha + generator.normal(size=(residues, 3))  # belongs to the next residue
    xyz = np.stack([alpha, alpha + [0, 0, 1.5], marker], 1).reshape(-1, 3)
    element = np.stack([0 * kind, 1 + 0 * kind, kind], 1).reshape(-1)
    owner = np.stack([np.arange(residues)] * 2 + [(np.arange(residues) + 1) % residues], 1)
    backbone = np.tile([True, True, False], residues)
    return Structure(
        xyz.astype(np.float32),
        element.astype(np.uint8),
        owner.reshape(-1),
        backbone,
        np.tile([True, False, False], residues),
        kind.astype(np.int64),
    )
