"""Make ``lie_learn.npz`` and ``lie_learn_spectra.npz``: bases of lie_learn, and its spectra.

In the environment of ``make peers``, from the root of the repository::

    python -m tests.golden.make_lie_learn

Made with lie_learn 0.0.2, numpy 1.26. ``FIELD_NORMALIZATION_ORDER_PHASE`` is the matrix from
('real', 'quantum', 'centered', 'cs') to that basis for l = 0..4 as blocks, complex128 ``(25, 25)``.

Of spectra, for l = 0..2: ``FIELD_NORMALIZATION_PHASE/c`` are coefficients and ``/f`` what
``S2_FT_Naive`` makes of them at the points ``beta``, ``alpha``; of SO(3) for some of the bases
``FIELD_NORMALIZATION_ORDER_PHASE/F`` the matrices in a row, and ``/f`` what ``SO3_FT_Naive`` makes
of them, axes alpha, beta, gamma.
"""

import collections
import collections.abc
import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from benchmarks.peers import mend_harmonics

WORDS = (
    ("real", "complex"),
    ("quantum", "seismology", "geodesy", "nfft"),
    ("centered", "block"),
    ("cs", "nocs"),
)


def mend() -> None:
    """Give lie_learn back what it asks for in old places of Python and SciPy."""
    setattr(collections, "Iterable", collections.abc.Iterable)  # noqa: B010
    mend_harmonics()


def bases() -> dict[str, np.ndarray]:
    """The matrices of all bases."""
    mend()
    module: Any = importlib.import_module("lie_learn.representations.SO3.irrep_bases")
    start = ("real", "quantum", "centered", "cs")
    found = {}
    for words in itertools.product(*WORDS):
        blocks = [module.change_of_basis_matrix(l, start, words) for l in range(5)]
        found["_".join(words)] = block_diag(*blocks).astype(complex)
    return found


def sphere(lmax: int = 2) -> dict[str, np.ndarray]:
    """Coefficients and functions of all harmonics."""
    mend()
    module: Any = importlib.import_module("lie_learn.spectral.S2FFT")
    points: Any = importlib.import_module("lie_learn.spaces.S2")
    rng, found = np.random.default_rng(5), {}
    beta, alpha = points.meshgrid(b=lmax + 1, grid_type="Gauss-Legendre")
    for field, normalization, phase in itertools.product(WORDS[0], WORDS[1], WORDS[3]):
        fft = module.S2_FT_Naive(lmax, "Gauss-Legendre", field, normalization, phase)
        c = _numbers(rng, field, (lmax + 1) ** 2)
        name = f"{field}_{normalization}_{phase}"
        found |= {f"{name}/c": c, f"{name}/f": fft.synthesize(c)}
    return found | {"beta": beta, "alpha": alpha}


def rotations(every: bool, lmax: int = 2) -> dict[str, np.ndarray]:
    """Matrices and functions on SO(3) of all bases, or of every fifth."""
    mend()
    module: Any = importlib.import_module("lie_learn.spectral.SO3FFT_Naive")
    rng, found = np.random.default_rng(6), {}
    for words in list(itertools.product(*WORDS))[:: 1 if every else 5]:
        fft, name = module.SO3_FT_Naive(lmax, *words), "_".join(words)
        F = [_numbers(rng, words[0], (2 * l + 1) ** 2) for l in range(lmax + 1)]
        square = [one.reshape(2 * l + 1, 2 * l + 1) for l, one in enumerate(F)]
        found |= {f"{name}/F": np.concatenate(F), f"{name}/f": fft.synthesize(square)}
    return found


def _numbers(rng: np.random.Generator, field: str, count: int) -> np.ndarray:
    return rng.normal(size=count) + (1j * rng.normal(size=count) if field == "complex" else 0)


if __name__ == "__main__":
    folder = Path(__file__).parent
    np.savez_compressed(folder / "lie_learn.npz", **bases())
    np.savez_compressed(folder / "lie_learn_spectra.npz", **sphere(), **rotations(every=False))
