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

RIDGES = (1e-9, 1e-7, 1e-5)
WIDTHS = tuple(2.0**k for k in range(4, 15))


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
    """Mean absolute errors with the width and the ridge that are best on the validation part."""
    near, far = cdist(x[train], x[train], "cityblock"), {}
    for name, part in (("valid", valid), ("test", test)):
        far[name] = cdist(x[part], x[train], "cityblock")
    best = {"valid": np.inf}
    for width, ridge in itertools.product(WIDTHS, RIDGES):
        kernel = np.exp(-near / width)
        kernel[np.diag_indices_from(kernel)] += ridge
        weights = cho_solve(cho_factor(kernel, overwrite_a=True), y[train])
        errors = {
            name: float(np.abs(np.exp(-distances / width) @ weights - y[part]).mean())
            for (name, distances), part in zip(far.items(), (valid, test), strict=True)
        }
        if errors["valid"] < best["valid"]:
            best = {**errors, "width": width, "ridge": ridge}
    return best
