r"""The spectrum of a symmetric matrix that is known by its products only.

Lanczos' recursion from a random unit vector v gives a tridiagonal matrix whose eigenvalues theta_i
and first components c_i are the Gauss rule of the spectrum as v sees it. In the mean over v

.. math:: \mathrm{tr}\, f(A) = n\, \mathbb{E} \sum_i c_i^2\, f(\theta_i)               \quad (S1)

exactly for polynomials of degree below 2 * steps (Ubaru, Chen and Saad, SIAM J. Matrix Anal. 38,
2017).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def lanczos(
    product: Callable[[Tensor], Tensor],
    size: int,
    *,
    steps: int,
    probes: int,
    generator: Generator | None,
    like: Tensor,
    progress: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """Eigenvalues as seen by random vectors, and how many each of them stands for.

    Args:
        product: A v for v ``(size,)``.
        size: of the matrix.
        steps: of each recursion, at most ``size``.
        probes: random vectors.
        generator: of these.
        like: has their type and device.
        progress: called after each product.
    Returns:
        values and weights ``(probes, steps)``; the weights of a probe sum to ``size``. Where a
        recursion ends early the rest has weight 0.
    """
    steps = min(steps, size)
    values = like.new_zeros(probes, steps)
    weights = like.new_zeros(probes, steps)
    for probe in range(probes):
        start = torch.randn(size, generator=generator, dtype=torch.float64).to(like)
        diagonal, beside = _tridiagonal(product, start / start.norm(), steps, progress)
        T = torch.diag(diagonal) + torch.diag(beside, 1) + torch.diag(beside, -1)
        found, vectors = torch.linalg.eigh(T)
        values[probe, : len(found)] = found
        weights[probe, : len(found)] = size * vectors[0].square()
    return values, weights


def _tridiagonal(
    product: Callable[[Tensor], Tensor], v: Tensor, steps: int, progress: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    basis = v.new_zeros(steps, len(v))
    diagonal, beside = [], []
    largest = 0.0
    for i in range(steps):
        basis[i] = v
        w = product(v)
        progress()
        diagonal.append(w @ v)
        # Twice: rounding would bring back directions that have been found.
        for _ in range(2):
            w = w - basis[: i + 1].T @ (basis[: i + 1] @ w)
        length = w.norm()
        largest = max(largest, float(diagonal[-1].abs()), float(length))
        if i + 1 == steps or float(length) <= torch.finfo(v.dtype).eps * len(v) ** 0.5 * largest:
            break
        beside.append(length)
        v = w / length
    return torch.stack(diagonal), torch.stack(beside) if beside else v.new_zeros(0)
