"""Molecules and their energies. In: an archive, or none. Out: molecules, and parts of them.

Without an archive there are 200 molecules of QM7, which come with the program.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.atoms.structures import Structures
from examples.common.archive import read_arrays
from examples.common.digits import digest
from examples.common.errors import InputError
from examples.common.streams import stream

ELEMENTS = (1, 6, 7, 8, 16)
SMALL = Path(__file__).with_name("molecules.npz")
SPLIT = 10  # purpose of a random stream
TESTS, VALIDS = 1000, 400  # at most; a quarter and an eighth of few molecules


@dataclass(frozen=True)
class Molecules:
    """Molecules padded with atoms of number 0.

    Attributes:
        numbers: of the elements, uint8 ``(n, atoms)``.
        positions: in angstrom, float32 ``(n, atoms, 3)``.
        energies: of atomisation, in kcal/mol, float64 ``(n,)``.
    """

    numbers: Tensor
    positions: Tensor
    energies: Tensor

    def __len__(self) -> int:
        return len(self.energies)

    def fingerprint(self) -> str:
        """The number of molecules and a hash of all."""
        return f"{len(self)} {digest(self.numbers, self.positions, self.energies)}"

    def counts(self) -> Tensor:
        """How many atoms of each element, float64 ``(n, elements)``."""
        return torch.stack([(self.numbers == z).sum(1) for z in ELEMENTS], 1).double()

    def structures(self, cutoff: float) -> Structures:
        """With their neighbours."""
        kind = torch.zeros(256, dtype=torch.int64)
        kind[list(ELEMENTS)] = torch.arange(len(ELEMENTS))
        there = [own > 0 for own in self.numbers]
        kinds = [kind[z[own].long()] for z, own in zip(self.numbers, there, strict=True)]
        positions = [x[own] for x, own in zip(self.positions, there, strict=True)]
        return Structures.of(kinds, positions, cutoff)


@dataclass(frozen=True)
class Split:
    """Numbers of the molecules of each part, drawn once for all runs."""

    test: Tensor
    valid: Tensor
    pool: Tensor

    @classmethod
    def of(cls, n: int) -> "Split":
        """The training sets are the beginnings of ``pool``."""
        order = torch.randperm(n, generator=stream(0, SPLIT))
        tests, valids = min(TESTS, n // 4), min(VALIDS, n // 8)
        return cls(*order.tensor_split([tests, tests + valids]))


def load(path: Path | None) -> Molecules:
    """The molecules of an archive with R, Z and E as the README says, or the 200 that are here.

    Raises:
        InputError: if the arrays are not what they should be.
    """
    source = SMALL if path is None else path
    arrays = read_arrays(source, {"R", "Z", "E"})
    R, Z, E = (arrays[name] for name in "RZE")
    n = len(E) if E.ndim == 1 else -1
    if Z.ndim != 2 or R.shape != (*Z.shape, 3) or len(Z) != n or n < 8:
        raise InputError(
            f"data: expected R (n, atoms, 3), Z (n, atoms) and E (n,) of 8 molecules or more in "
            f"{source}, got {R.shape}, {Z.shape} and {E.shape}"
        )
    if not np.isin(Z, (0, *ELEMENTS)).all():
        raise InputError(f"data: expected the elements {ELEMENTS} in Z of {source}, 0 for no atom")
    if not (np.isfinite(R).all() and np.isfinite(E).all()):
        raise InputError(f"data: expected finite numbers in R and E of {source}")
    return Molecules(
        torch.from_numpy(Z.astype(np.uint8)),
        torch.from_numpy(R.astype(np.float32)),
        torch.from_numpy(E.astype(np.float64)),
    )


def composition(molecules: Molecules, train: Tensor) -> Tensor:
    """An energy for each element, float64 ``(elements,)``, fitted to some of the molecules."""
    counts, energies = molecules.counts()[train], molecules.energies[train, None]
    return torch.linalg.lstsq(counts, energies, driver="gelsd").solution[:, 0]


def without_composition(molecules: Molecules, train: Tensor) -> Tensor:
    """What of the energies is not a sum over atoms by element, fitted to some of the molecules."""
    return molecules.energies - molecules.counts() @ composition(molecules, train)
