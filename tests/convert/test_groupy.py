"""Convolutions of GrouPy: its transformed filters, element by element."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equinet.convert import from_groupy, standard_basis
from equinet.testing import assert_equivariant
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

with np.load(Path(__file__).parents[1] / "golden" / "groupy.npz") as arrays:
    STORED = {name: torch.from_numpy(array).double() for name, array in arrays.items()}
LAYERS = [name.removesuffix("_weight") for name in STORED if name.endswith("_weight")]


@over("name", LAYERS)
def test_filters_are_equal(name):
    w, expected = STORED[f"{name}_weight"], STORED[f"{name}_filter"]
    w, expected = w / w.max(), expected / w.max()
    group = "p4m" if name.startswith("P4M") else "p4"
    layer = from_groupy(w, group, torch.tensor([1.0, -2.0]).double())
    assert_close(layer.dense(), expected.flatten(0, 1).flatten(1, 2), ROUNDING)
    assert layer.weight.numel() == w.numel()
    assert_close(
        layer.shift(), torch.tensor([1.0, -2.0]).repeat_interleave(layer.out_type.dims[0]), ROUNDING
    )
    assert_close(from_groupy(w.numpy(), group).dense(), layer.dense(), ROUNDING)
    mirrored = from_groupy(w.flip(-1), group)
    assert (mirrored.dense() - layer.dense()).abs().max() > 1e-3  # the negative control
    assert assert_equivariant(layer).max < SYMMETRY


def test_the_order_of_elements(generator):
    """For p4m a permutation leads to regular fields, and functions of values go along."""
    layer = from_groupy(torch.randn(3, 2, 8, 3, 3, generator=generator), "p4m", padding=1)
    assert layer.weight.dtype == torch.float32
    standard, M = standard_basis(layer.in_type)
    assert str(standard) == "2x regular" and ((M == 0) | (M == 1)).all()
    assert not torch.equal(M, torch.eye(16).double())
    rotations = from_groupy(torch.randn(3, 2, 4, 3, 3, generator=generator), "p4")
    assert str(rotations.in_type) == "2x regular"


def test_what_is_refused():
    w = torch.zeros(2, 2, 4, 3, 3)
    for arguments, error, text in [
        ((w, "p6"), ValueError, "^group: expected"),
        ((w, "p4m"), ValueError, r"^weight: expected \(out, in, 1 or 8, k, k\) for p4m, got"),
        ((w[0], "p4"), ValueError, "^weight: expected"),
        (("w", "p4"), TypeError, "^weight: expected"),
        ((w, "p4", torch.zeros(3)), ValueError, "^bias: expected 2 numbers"),
    ]:
        with pytest.raises(error, match=text):
            from_groupy(*arguments)
