r"""Bags of bonds and kernel ridge regression, what the networks are compared with.

In: molecules. Out: energies. A molecule is a vector: for each pair of elements the numbers
Z_i Z_j / |x_i - x_j| of its pairs of atoms, the largest first (Hansen et al. 2015, J. Phys. Chem.
Lett. 6, 2326), with the kernel

.. math:: k(a, b) = \exp(-|a - b|_1 / \sigma)
"""

import itertools

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from .data import ELEMENTS, Molecules

TRIED = 1000  # molecules
RIDGE = 1e-8  # a smaller one makes no difference
WIDTHS = tuple(2.0**k for k in range(6, 19, 2))


def bags(molecules: Molecules) -> np.ndarray:
    """The vectors, ``(n, numbers)``."""
    x, z = molecules.positions.double().numpy(), molecules.numbers.numpy().astype(float)
    i, j = np.triu_indices(z.shape[1], 1)
    there = (z[:, i] > 0) & (z[:, j] > 0)
    distances = np.where(there, np.linalg.norm(x[:, i] - x[:, j], axis=2), 1)
    values = np.where(there, z[:, i] * z[:, j] / distances, 0)
    low, high = np.minimum(z[:, i], z[:, j]), np.maximum(z[:, i], z[:, j])
    found = []
    for a, b in itertools.combinations_with_replacement(ELEMENTS, 2):
        own = -np.sort(-np.where((low == a) & (high == b), values, 0), axis=1)
        found.append(own[:, : np.count_nonzero(own, axis=1).max()])
    return np.concatenate(found, 1)


def ridge_errors(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, valid: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    """Mean absolute errors of what is learned from ``train``.

    The width is the one that is best on the validation part with the first ``TRIED`` of them.
    """
    tried = train[:TRIED]
    near, far = _distances(x, tried, tried), _distances(x, valid, tried)
    errors = [np.abs(_answers(near, far, y[tried], w) - y[valid]).mean() for w in WIDTHS]
    width = WIDTHS[int(np.argmin(errors))]
    parts = np.concatenate([valid, test])
    near, far = _distances(x, train, train), _distances(x, parts, train)
    apart = np.abs(_answers(near, far, y[train], width) - y[parts])
    of_valid, of_test = (float(own.mean()) for own in np.split(apart, [len(valid)]))
    return {"valid": of_valid, "test": of_test, "width": width}


def _distances(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return cdist(x[rows], x[columns], "cityblock")


def _answers(near: np.ndarray, far: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    kernel = np.exp(-near / width)
    kernel[np.diag_indices_from(kernel)] += RIDGE
    return np.exp(-far / width) @ cho_solve(cho_factor(kernel, overwrite_a=True), y)
