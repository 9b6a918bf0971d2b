"""Proteins from files in the PDB format, the heavy atoms of the 20 amino acids.

In: a folder of ``*.pdb`` files. Out: the arrays of :class:`~.data.Proteins`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from examples.common.errors import InputError

ELEMENTS = ("C", "N", "O", "S")
RESIDUES = tuple(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL".split()
)
BACKBONE = ("N", "CA", "C", "O", "OXT")


class Atom(NamedTuple):
    """What one ATOM record says."""

    name: str
    residue: str
    place: str  # chain, number and insertion code of the residue
    position: tuple[float, float, float]  # angstrom
    element: str


class Structure(NamedTuple):
    """One protein: its atoms, and its residues in the order of the file."""

    xyz: np.ndarray  # (atoms, 3) angstrom
    element: np.ndarray  # (atoms,) index into ELEMENTS
    residue: np.ndarray  # (atoms,) number of the residue
    is_backbone: np.ndarray  # (atoms,)
    is_alpha: np.ndarray  # (atoms,) whether it is the CA
    kind: np.ndarray  # (residues,) index into RESIDUES


def read_pdb(path: Path) -> Structure:
    """The first model of a file, without hydrogen, water, ligands and alternative positions.

    Raises:
        InputError: if there is no atom of an amino acid, or a record is damaged.
    """
    atoms = []
    with path.open(errors="replace") as file:
        for line in file:
            if line.startswith("ENDMDL"):
                break
            atom = _atom(line, path) if line.startswith("ATOM  ") else None
            if atom is not None:
                atoms.append(atom)
    if not atoms:
        raise InputError(f"data: expected ATOM records of amino acids in {path}, got none")
    places = list(dict.fromkeys(atom.place for atom in atoms))
    number = {place: i for i, place in enumerate(places)}
    kind = {atom.place: RESIDUES.index(atom.residue) for atom in atoms}
    return Structure(
        np.array([atom.position for atom in atoms], dtype=np.float32),
        np.array([ELEMENTS.index(atom.element) for atom in atoms], dtype=np.uint8),
        np.array([number[atom.place] for atom in atoms], dtype=np.int64),
        np.array([atom.name in BACKBONE for atom in atoms]),
        np.array([atom.name == "CA" for atom in atoms]),
        np.array([kind[place] for place in places], dtype=np.int64),
    )


def _atom(line: str, path: Path) -> Atom | None:
    """The atom of a record, None if it is not one of ours."""
    name, residue = line[12:16].strip(), line[17:20].strip()
    element = line[76:78].strip() or name[:1]
    if line[16:17] not in " A" or residue not in RESIDUES or element not in ELEMENTS:
        return None
    try:
        position = float(line[30:38]), float(line[38:46]), float(line[46:54])
    except ValueError as error:
        raise InputError(f"data: {path} has an atom without a place: {line.strip()}") from error
    return Atom(name, residue, line[21:27], position, element)
