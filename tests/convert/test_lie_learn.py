"""The bases of lie_learn for irreps of SO(3)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equinet.convert import lie_learn_basis
from equinet.numerics import angles_to_matrix, wigner_D
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

GOLDEN = Path(__file__).parents[1] / "golden"
with np.load(GOLDEN / "lie_learn.npz") as arrays:
    BASES = {name: torch.from_numpy(array) for name, array in arrays.items()}


@over("name", BASES)
def test_changes_of_basis(name):
    blocks = [lie_learn_basis(l, *name.split("_")) for l in range(5)]
    assert {B.is_complex() for B in blocks} == {name.startswith("complex")}
    assert_close(torch.block_diag(*[B.to(torch.complex128) for B in blocks]), BASES[name], ROUNDING)


def test_wigner_matrices():
    """D there is B D B^-1, with those that it gives for some rotations."""
    with np.load(GOLDEN / "peers.npz") as arrays:
        angles = torch.from_numpy(arrays["lie_learn_angles"])
        expected = {
            field: torch.from_numpy(arrays[f"lie_learn_wigner_D_{field}"])
            for field in ("real", "complex")
        }
    rotations = angles_to_matrix(*angles.T)
    for field, D in expected.items():
        found = []
        for l in range(7):
            B = lie_learn_basis(l, field)
            found.append((B @ wigner_D(l, rotations).to(B) @ torch.linalg.inv(B)).flatten(1))
        assert_close(torch.cat(found, 1), D, ROUNDING)
    wrong = lie_learn_basis(2, "complex").conj()  # the negative control
    D = wrong @ wigner_D(2, rotations).to(wrong) @ torch.linalg.inv(wrong)
    assert (D.flatten(1) - expected["complex"][:, 10:35]).abs().max() > 0.1


def test_what_is_refused():
    for arguments, name in [
        ((-1,), "l"), ((1, "quaternionic"), "field"), ((1, "real", "4pi"), "normalization"),
        ((1, "real", "quantum", "up"), "order"),
        ((1, "real", "quantum", "centered", "yes"), "condon_shortley"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            lie_learn_basis(*arguments)
