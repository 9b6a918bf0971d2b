r"""The landscape of the quadratic hinge loss: violated constraints, and the Hessian in two parts.

.. math:: L = \frac1{P} \sum_\mu \tfrac12 \max(0, \Delta_\mu)^2, \qquad
          \Delta_\mu = 1 - y_\mu f(x_\mu)                                              \quad (H1)

.. math:: H = \underbrace{\frac1P \sum_{\Delta > 0} \nabla f \nabla f^T}_{H_0}
          \underbrace{- \frac1P \sum_{\Delta > 0} y\, \Delta\, \nabla\nabla f}_{H_p}   \quad (H2)

H_0 is positive, of a rank of at most the number of violated constraints; H_p has eigenvalues of
both signs (Geiger, Spigler et al., arXiv 1809.09349; Spigler, Geiger et al., arXiv 1810.09665).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacrev

from equinet.learning.ensemble import check_labels
from equinet.learning.tangent import batch_statistics, check_samples
from equinet.numerics.arguments import check_number

_LARGEST = 5000  # parameters; a Hessian of that size takes 200 MB


def violations(margins: Tensor, tolerance: float = 1e-10) -> Tensor:
    """N_Delta, the number of samples with 1 - F y > tolerance.

    Args:
        margins: F y, ``(..., n)``.
        tolerance: Delta up to it counts as satisfied; NaN does not.
    Returns:
        int64 ``(...)``.
    Raises:
        ValueError: if ``margins`` are no real numbers, or ``tolerance`` is below 0.
    """
    dense = isinstance(margins, Tensor) and margins.layout == torch.strided
    if not dense or not margins.is_floating_point() or not margins.dim():
        got = margins.dtype if isinstance(margins, Tensor) else type(margins).__name__
        raise ValueError(f"margins: expected real numbers (..., n), got {got}")
    if not isinstance(tolerance, int | float) or not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance: expected a finite number >= 0, got {tolerance!r}")
    return (~(1 - margins <= tolerance)).sum(-1)


@dataclass(frozen=True)
class Inertia:
    """The numbers of positive, negative and zero eigenvalues."""

    positive: int
    negative: int
    zero: int


@dataclass(frozen=True)
class HessianSplit:
    """The Hessian of (H1) at one point; ``str`` says what it is like.

    Attributes:
        h0: H_0, ``(N, N)``.
        hp: H_p, ``(N, N)``.
        whole: H by automatic differentiation, ``(N, N)``.
        jacobian: of the violated samples, ``(N_Delta, N)``.
        violated: N_Delta.
        rank: of the Jacobian, by its singular values.
        spectrum: eigenvalues of H, ascending.
        spectrum_p: eigenvalues of H_p, ascending.
        inertia: of H.
        inertia_p: of H_p.
        gradient: |dL/dw|.
        loss: L.
    """

    h0: Tensor = field(repr=False)
    hp: Tensor = field(repr=False)
    whole: Tensor = field(repr=False)
    jacobian: Tensor = field(repr=False)
    violated: int
    rank: int
    spectrum: Tensor = field(repr=False)
    spectrum_p: Tensor = field(repr=False)
    inertia: Inertia
    inertia_p: Inertia
    gradient: float
    loss: float

    @property
    def negative_share(self) -> float:
        """C_0, the share of negative ones among the eigenvalues of H_p that are not 0."""
        count = self.inertia_p.positive + self.inertia_p.negative
        return self.inertia_p.negative / count if count else math.nan

    @property
    def obeys_weyl(self) -> bool:
        """N_-(H_p) <= rank J + N_-(H), which holds at every point."""
        return self.inertia_p.negative <= self.rank + self.inertia.negative

    def __str__(self) -> str:
        n = len(self.whole)
        return (
            f"N = {n}, N_Delta = {self.violated}, rank J = {self.rank}, loss {self.loss:.2e}, "
            f"|gradient| {self.gradient:.1e}; H: {self.inertia.positive} positive, "
            f"{self.inertia.negative} negative; H_p: {self.inertia_p.positive} positive, "
            f"{self.inertia_p.negative} negative, C_0 = {self.negative_share:.2f}"
        )


def hessian_split(net: nn.Module, x: Tensor, y: Tensor, *, tolerance: float = 0.0) -> HessianSplit:
    r"""The two parts (H2) of the Hessian of the quadratic hinge loss.

    Args:
        net: with one output, ``(n, ...)`` to ``(n, 1)`` or ``(n,)``, and at most 5,000 parameters,
            as the matrices are dense; best in float64.
        x: the training set, ``(P, ...)``.
        y: labels +-1, ``(P,)``.
        tolerance: samples with Delta above it are violated.
    Raises:
        ValueError: for labels other than +-1, several outputs, batch statistics, or a net that is
            too large; the message gives the bytes that it would take.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
    check_samples("x", x)
    check_number(tolerance, "tolerance", 0)
    mixing = next(batch_statistics(net), None)
    if mixing is not None:
        raise ValueError(f"net: expected a module without batch statistics, got {mixing}")
    y = check_labels(y).to(x.dtype)
    if len(y) != len(x):
        raise ValueError(f"y: expected {len(x)} labels, one for each sample, got {len(y)}")
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    rest = dict(net.named_buffers())
    sizes = [p.numel() for p in parameters.values()]
    count = sum(sizes)
    if not 0 < count <= _LARGEST:
        raise ValueError(
            f"net: expected 1 to {_LARGEST} parameters, got {count}, whose Hessian takes "
            f"{count**2 * x.element_size():,} bytes"
        )

    def f(w: Tensor) -> Tensor:
        parts = zip(parameters.items(), w.split(sizes), strict=True)
        state = {name: part.view(p.shape) for (name, p), part in parts}
        out = functional_call(net, (state, rest), (x,))
        if out.numel() != len(x):
            raise ValueError(f"net: expected one output for a sample, got {tuple(out.shape)}")
        return out.reshape(-1)

    w = torch.cat([p.reshape(-1) for p in parameters.values()])
    delta = 1 - y * f(w)
    violated = delta > tolerance
    push = torch.where(violated, -y * delta, torch.zeros_like(delta)) / len(x)
    J: Tensor = jacrev(f)(w)[violated]  # pyright: ignore[reportAssignmentType]
    h0 = J.T @ J / len(x)
    hp: Tensor = hessian(lambda w: (f(w) * push).sum())(w)  # pyright: ignore
    whole: Tensor = hessian(  # pyright: ignore[reportAssignmentType]
        lambda w: (1 - y * f(w)).clamp_min(0).square().sum() / (2 * len(x))
    )(w)
    spectrum, spectrum_p = torch.linalg.eigvalsh(whole), torch.linalg.eigvalsh(hp)
    return HessianSplit(
        h0, hp, whole, J, int(violated.sum()), int(torch.linalg.matrix_rank(J)) if len(J) else 0,
        spectrum, spectrum_p, _inertia(spectrum, spectrum), _inertia(spectrum_p, spectrum),
        float((J.T @ (push[violated])).norm()) if len(J) else 0.0,
        float(delta[violated].square().sum() / (2 * len(x))),
    )  # fmt: skip


def _inertia(values: Tensor, scale: Tensor) -> Inertia:
    """Signs, where rounding of the largest eigenvalue of the whole counts as zero."""
    edge = 1e-9 * float(scale.abs().max()) if len(scale) else 0.0
    positive, negative = int((values > edge).sum()), int((values < -edge).sum())
    return Inertia(positive, negative, len(values) - positive - negative)
