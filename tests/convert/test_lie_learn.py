"""The bases of lie_learn for irreps of SO(3), and its spectra."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equinet.convert import (
    from_lie_learn,
    from_lie_learn_so3,
    lie_learn_basis,
    to_lie_learn,
    to_lie_learn_so3,
)
from equinet.harmonics import s2_fft, so3_fft, so3_ifft
from equinet.numerics import angles_to_matrix, wigner_D
from tests.harmonics.direct import textbook_D
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

GOLDEN = Path(__file__).parents[1] / "golden"
with np.load(GOLDEN / "lie_learn.npz") as arrays:
    BASES = {name: torch.from_numpy(array) for name, array in arrays.items()}
with np.load(GOLDEN / "lie_learn_spectra.npz") as arrays:
    SPECTRA = {name: torch.from_numpy(array) for name, array in arrays.items()}
NAMES = [name.removesuffix("/f") for name in SPECTRA if name.endswith("/f")]
BAND = 3


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


# --- spectra --------------------------------------------------------------------------------------


def at_points(f):
    """f = sum (2l + 1) f_m D^l_m0 at the points of the sphere, term by term."""
    alpha, beta = SPECTRA["alpha"], SPECTRA["beta"]
    columns = [
        (2 * l + 1) * textbook_D(l, alpha, beta, torch.zeros_like(beta))[..., l]
        for l in range(BAND)
    ]
    return torch.cat(columns, -1) @ f


@over("name", [name for name in NAMES if name.count("_") == 2])
def test_functions_on_the_sphere(name):
    c, values = SPECTRA[f"{name}/c"], SPECTRA[f"{name}/f"] + 0j
    words = name.split("_")
    f = from_lie_learn(c, *words)
    assert_close(at_points(f), values, 10 * ROUNDING)
    assert_close(to_lie_learn(f, *words), c, 10 * ROUNDING)
    assert_close(from_lie_learn(c.numpy(), *words), f, ROUNDING)
    batch = torch.stack([c, 2 * c])[:, None]
    assert_close(from_lie_learn(batch, *words)[1, 0], 2 * f, ROUNDING)
    other = "quantum" if words[1] != "quantum" else "seismology"  # the negative control
    assert (at_points(from_lie_learn(c, words[0], other, words[2])) - values).abs().max() > 0.1


@over("name", [name for name in NAMES if name.count("_") == 3])
def test_functions_on_rotations(name):
    F, values = SPECTRA[f"{name}/F"], SPECTRA[f"{name}/f"] + 0j
    words, sizes = name.split("_"), [1, 3, 5]
    matrices = [
        part.view(n, n) for part, n in zip(F.split([n * n for n in sizes]), sizes, strict=True)
    ]
    f = from_lie_learn_so3(matrices, *words)
    assert_close(so3_ifft(f, BAND).transpose(0, 1), values, 100 * ROUNDING)
    for found, matrix in zip(to_lie_learn_so3(f, *words), matrices, strict=True):
        assert_close(found, matrix, 10 * ROUNDING)
    wrong = from_lie_learn_so3([m.mT for m in matrices], *words)  # the negative control
    assert (so3_ifft(wrong, BAND).transpose(0, 1) - values).abs().max() > 0.1


def test_spectra_that_are_refused(generator):
    c = torch.randn(9, generator=generator, dtype=torch.float64)
    with pytest.raises(TypeError, match="^coefficients: expected .* of complex numbers, got torch"):
        from_lie_learn(c, "complex")
    with pytest.raises(TypeError, match="^coefficients: expected .* of real floating numbers"):
        from_lie_learn(c + 0j)
    for call in (lambda: from_lie_learn(c[:8]), lambda: from_lie_learn(c[0])):
        with pytest.raises(ValueError, match=r"^coefficients: expected a last axis of band\^2"):
            call()
    with pytest.raises(ValueError, match=r"^spectrum: expected a last axis of band\^2"):
        to_lie_learn(c[:8] + 0j)
    with pytest.raises(ValueError, match=r"^spectrum: expected a last axis of band \(4 band\^2"):
        to_lie_learn_so3(c + 0j)
    for matrices in (c, [], None):
        with pytest.raises(TypeError, match="^matrices: expected a list of tensors"):
            from_lie_learn_so3(matrices)
    with pytest.raises(ValueError, match=r"^matrices\[1\]: expected \(..., 3, 3\), got \(9, 9\)"):
        from_lie_learn_so3([torch.zeros(1, 1), torch.zeros(9, 9)], "real")
    signal = torch.randn(6, 6, generator=generator) * (1 + 1j)
    volume = torch.randn(6, 6, 6, generator=generator) * (1 + 1j)
    for convert, f in ((to_lie_learn, s2_fft(signal)), (to_lie_learn_so3, so3_fft(volume))):
        convert(f, "complex")
        with pytest.raises(ValueError, match="^spectrum: expected that of a real function for the"):
            convert(f, "real")
        with pytest.raises(ValueError, match="^normalization: expected"):
            convert(f, "complex", "unnormalized")
