"""A support vector machine of hard margin. In: a positive definite matrix. Out: its multipliers.

It has no bias: f(x) = sum_i a_i y_i K(x_i, x) with the least norm for which y_i f(x_i) >= 1 on all
points seen. Its dual is

    max over a >= 0 of  sum a - a^T Q a / 2,      Q_ij = y_i K(x_i, x_j) y_j                    (S1)

which block principal pivoting solves to rounding (Judice and Pires 1994): choose which a are free,
solve for them, and change the sides of all that came out with the wrong sign. Most points support
the margin here, so a handful of Cholesky factors does, where methods that move two multipliers at a
time stop at a tolerance.
"""

import torch
from torch import Tensor

_PATIENCE = 10  # exchanges in blocks without progress, before those one at a time, which must end


def hard_margin(Q: Tensor, *, tolerance: float = 1e-9, free: Tensor | None = None) -> Tensor:
    """The multipliers a (n,) of (S1): a >= 0, Q a >= 1, and a_i = 0 or (Q a)_i = 1.

    Args:
        Q: float64 (n, n), symmetric and positive definite.
        tolerance: of Q a >= 1, and of a >= 0 in parts of the largest.
        free: (n,), a first guess of which are not 0; all of them by default.
    Raises:
        ValueError: if Q is not positive definite to rounding.
    """
    free = torch.ones(len(Q), dtype=torch.bool) if free is None else free.clone()
    least, patience = len(Q) + 1, _PATIENCE
    while True:
        a = _solve(Q, free)
        wrong = torch.where(free, a < -tolerance * a.abs().max(), Q @ a - 1 < -tolerance)
        count = int(wrong.sum())
        if not count:
            return a.clamp_min(0)
        if count < least:
            least, patience = count, _PATIENCE
        elif patience:
            patience -= 1
        else:  # Murty's rule: the last one alone
            wrong[: int(wrong.nonzero()[-1])] = False
        free ^= wrong


def _solve(Q: Tensor, free: Tensor) -> Tensor:
    a = torch.zeros(len(Q), dtype=Q.dtype)
    if free.any():
        part = Q[free][:, free]
        factor, failed = torch.linalg.cholesky_ex(part)
        if failed:
            raise ValueError(f"Q: expected a positive definite matrix, got another of n = {len(Q)}")
        a[free] = torch.cholesky_solve(torch.ones(len(part), 1, dtype=Q.dtype), factor)[:, 0]
    return a
