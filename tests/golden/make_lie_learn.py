"""Make ``lie_learn.npz``: the changes of basis of lie_learn.

In the environment of ``make peers``, from the root of the repository::

    python -m tests.golden.make_lie_learn

Made with lie_learn 0.0.2, numpy 1.26. ``FIELD_NORMALIZATION_ORDER_PHASE`` is the matrix from
('real', 'quantum', 'centered', 'cs') to that basis for l = 0..4 as blocks, complex128 ``(25, 25)``.
"""

import collections
import collections.abc
import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import block_diag

WORDS = (
    ("real", "complex"),
    ("quantum", "seismology", "geodesy", "nfft"),
    ("centered", "block"),
    ("cs", "nocs"),
)


def bases() -> dict[str, np.ndarray]:
    """The matrices of all bases."""
    setattr(collections, "Iterable", collections.abc.Iterable)  # noqa: B010, it asks for the old place
    module: Any = importlib.import_module("lie_learn.representations.SO3.irrep_bases")
    start = ("real", "quantum", "centered", "cs")
    found = {}
    for words in itertools.product(*WORDS):
        blocks = [module.change_of_basis_matrix(l, start, words) for l in range(5)]
        found["_".join(words)] = block_diag(*blocks).astype(complex)
    return found


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("lie_learn.npz"), **bases())
