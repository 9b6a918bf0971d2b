r"""The landscape of the quadratic hinge loss: violated constraints, and the Hessian in two parts.

.. math:: L = \frac1{P} \sum_\mu \tfrac12 \max(0, \Delta_\mu)^2, \qquad
          \Delta_\mu = 1 - y_\mu f(x_\mu)                                              \quad (H1)

.. math:: H = \underbrace{\frac1P \sum_{\Delta > 0} \nabla f \nabla f^T}_{H_0}
          \underbrace{- \frac1P \sum_{\Delta > 0} y\, \Delta\, \nabla\nabla f}_{H_p}   \quad (H2)

H_0 is positive, of a rank of at most the number of violated constraints; H_p has eigenvalues of
both signs (Geiger, Spigler et al., arXiv 1809.09349; Spigler, Geiger et al., arXiv 1810.09665).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, hessian, jvp

from equinet.learning.ensemble import check_labels
from equinet.learning.lanczos import lanczos
from equinet.learning.tangent import batch_statistics, check_samples, jacobian
from equinet.numerics.arguments import check_generator, check_integer, check_memory, check_number
from equinet.numerics.values import came


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
        got = margins.dtype if isinstance(margins, Tensor) else came(margins)
        raise ValueError(f"margins: expected real numbers (..., n), got {got}")
    if not isinstance(tolerance, int | float) or not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance: expected a finite number >= 0, got {tolerance!r}")
    return (~(1 - margins <= tolerance)).sum(-1)


@dataclass(frozen=True)
class Inertia:
    """How many eigenvalues there are of each sign.

    Attributes:
        positive: number of those above zero.
        negative: number of those below.
        zero: number of the others, to rounding.
    """

    positive: int
    negative: int
    zero: int


@dataclass(frozen=True)
class HessianSplit:
    """The Hessian of (H1) at one point; ``str`` says what it is like.

    Attributes:
        h0: H_0, ``(N, N)``; None where no matrices are built.
        hp: H_p, likewise.
        whole: H by automatic differentiation, likewise.
        jacobian: of the violated samples, ``(N_Delta, N)``.
        violated: N_Delta.
        rank: of the Jacobian, by its singular values.
        spectrum: eigenvalues of H, ascending; without matrices those of Lanczos' recursion.
        weights: how many eigenvalues each of them stands for, 1 where there are matrices.
        spectrum_p: eigenvalues of H_p, likewise.
        weights_p: of ``spectrum_p``.
        inertia: of H; rounded estimates where there are no matrices.
        inertia_p: of H_p, likewise.
        deviation: standard error of the number of negative eigenvalues of H_p, over the random
            vectors; 0 where there are matrices.
        split_error: the largest entry of H - H_0 - H_p, in units of the largest of H; of the
            products with the random vectors where there are no matrices.
        gradient: the norm of dL/dw.
        loss: L.
    """

    h0: Tensor | None = field(repr=False)
    hp: Tensor | None = field(repr=False)
    whole: Tensor | None = field(repr=False)
    jacobian: Tensor = field(repr=False)
    violated: int
    rank: int
    spectrum: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)
    spectrum_p: Tensor = field(repr=False)
    weights_p: Tensor = field(repr=False)
    inertia: Inertia
    inertia_p: Inertia
    deviation: float
    split_error: float
    gradient: float
    loss: float

    @property
    def negative_share(self) -> float:
        """C_0, the share of negative ones among the eigenvalues of H_p that are not 0."""
        count = self.inertia_p.positive + self.inertia_p.negative
        return self.inertia_p.negative / count if count else math.nan

    @property
    def obeys_weyl(self) -> bool:
        """``N_-(H_p) <= rank J + N_-(H)``, as everywhere; estimates up to 3 deviations."""
        least = self.inertia_p.negative - 3 * self.deviation
        return least <= self.rank + self.inertia.negative

    def __str__(self) -> str:
        about = "" if self.whole is not None else f", +- {self.deviation:.1f} by Lanczos"
        return (
            f"N = {self.jacobian.shape[1]}, N_Delta = {self.violated}, rank J = {self.rank}, "
            f"loss {self.loss:.2e}, |gradient| {self.gradient:.1e}; H: {self.inertia.positive} "
            f"positive, {self.inertia.negative} negative; H_p: {self.inertia_p.positive} positive, "
            f"{self.inertia_p.negative} negative{about}, C_0 = {self.negative_share:.2f}"
        )


def hessian_split(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    tolerance: float = 0.0,
    dense: int = 2000,
    steps: int = 100,
    probes: int = 8,
    generator: Generator | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> HessianSplit:
    r"""The two parts (H2) of the Hessian of the quadratic hinge loss.

    Up to ``dense`` parameters the matrices are built and diagonalised. Beyond, their spectra are
    those of Lanczos' recursion from random vectors: shares and densities are estimates then, and
    the ends of the spectrum are sharp; eigenvalues at 0 are spread over both sides.

    Args:
        net: with one output, ``(n, ...)`` to ``(n, 1)`` or ``(n,)``; best in float64. Parameters
            that do not learn are constants.
        x: the training set, ``(P, ...)``.
        y: labels +-1, ``(P,)``.
        tolerance: samples with Delta above it are violated.
        dense: the number of parameters up to which matrices are built.
        steps: of each recursion.
        probes: random vectors.
        generator: of these.
        progress: called with the number of products with H_p and H done, and of all of them.
    Returns:
        Both parts, their spectra and how many eigenvalues of each sign they have.
    Raises:
        ValueError: for labels other than +-1, several outputs, batch statistics, or matrices that
            would not fit into memory; the message says what they would take.
    """
    y = _checked(net, x, y)
    check_number(tolerance, "tolerance", 0)
    for value, name, least in ((dense, "dense", 0), (steps, "steps", 1), (probes, "probes", 2)):
        check_integer(value, name, least)
    check_generator(generator)
    count = sum(p.numel() for p in net.parameters() if p.requires_grad)
    numbers = count * (3 * count if count <= dense else max(len(x), min(steps, count)))
    check_memory(numbers, "net", f"{count:,} parameters")
    split = _Split(net, x, y, tolerance)
    if count <= dense:
        found = _by_matrices(split)
    else:
        found = _by_lanczos(split, steps, probes, generator, progress)
    (of_p, weights_p), (of_h, weights) = found.spectra
    J, delta = split.J, split.delta[split.violated]
    return HessianSplit(
        *found.matrices, J, len(J), int(torch.linalg.matrix_rank(J)) if len(J) else 0,
        *_pooled(of_h, weights), *_pooled(of_p, weights_p),
        _inertia(of_h, weights, of_h), _inertia(of_p, weights_p, of_h),
        found.deviation, found.error,
        float((J.T @ split.push[split.violated]).norm()),
        float(delta.square().sum() / (2 * len(x))),
    )  # fmt: skip


def _checked(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The labels like ``x``; raises unless this net has a Hessian on this training set."""
    if not isinstance(net, nn.Module):
        raise TypeError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
    check_samples("x", x)
    if not len(x):
        raise ValueError("x: expected at least one sample, got none")
    mixing = next(batch_statistics(net), None)
    if mixing is not None:
        raise ValueError(f"net: expected a module without batch statistics, got {mixing}")
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError(f"net: expected a module that learns, got {type(net).__name__}")
    y = check_labels(y).to(x.dtype)
    if len(y) != len(x):
        raise ValueError(f"y: expected {len(x)} labels, one for each sample, got {len(y)}")
    with torch.no_grad():
        out = net(x)
    if out.numel() != len(x):
        raise ValueError(f"net: expected one output for a sample, got {tuple(out.shape)}")
    return y


class _Split:
    """H_p and H as products with vectors, and J with H_0 = J^T J / P, at the weights of a net."""

    def __init__(self, net: nn.Module, x: Tensor, y: Tensor, tolerance: float) -> None:
        self.net, self.x, self.y = net, x, y
        self.own, self.rest, rows = jacobian(net)
        self.w = torch.cat([p.reshape(-1) for p in self.own.values()])
        self.delta = 1 - y * self.f(self.w)
        self.violated = self.delta > tolerance
        nothing = torch.zeros_like(self.delta)
        self.push = torch.where(self.violated, -y * self.delta, nothing) / len(x)
        self.J = x.new_zeros(0, len(self.w))
        if self.violated.any():
            blocks = rows(self.own, x[self.violated]).values()
            self.J = torch.cat([block.flatten(1) for block in blocks], 1)

    def f(self, w: Tensor) -> Tensor:
        parts = w.split([p.numel() for p in self.own.values()])
        state = {
            name: part.view(p.shape)
            for (name, p), part in zip(self.own.items(), parts, strict=True)
        }
        return functional_call(self.net, (state, self.rest), (self.x,)).reshape(-1)

    def pushed(self, w: Tensor) -> Tensor:
        """The outputs in the direction in which the loss pushes them; H_p is its Hessian."""
        return (self.f(w) * self.push).sum()

    def loss(self, w: Tensor) -> Tensor:
        return (1 - self.y * self.f(w)).clamp_min(0).square().sum() / (2 * len(self.x))

    def p(self, v: Tensor) -> Tensor:
        return jvp(grad(self.pushed), (self.w,), (v,))[1]

    def h(self, v: Tensor) -> Tensor:
        return jvp(grad(self.loss), (self.w,), (v,))[1]

    def error(self, v: Tensor) -> float:
        """|H v - H_0 v - H_p v| by its largest entry."""
        whole = self.h(v)
        return _relative(whole - self.p(v) - self.J.T @ (self.J @ v) / len(self.x), whole)


class _Spectra(NamedTuple):
    """What is known of H_p and H: values and weights of each, matrices, and errors."""

    spectra: list[tuple[Tensor, Tensor]]
    matrices: tuple[Tensor | None, Tensor | None, Tensor | None]
    deviation: float
    error: float


def _by_matrices(split: _Split) -> _Spectra:
    h0 = split.J.T @ split.J / len(split.x)
    hp, whole = hessian(split.pushed)(split.w), hessian(split.loss)(split.w)
    values = [torch.linalg.eigvalsh(matrix)[None] for matrix in (hp, whole)]
    spectra = [(found, torch.ones_like(found)) for found in values]
    return _Spectra(spectra, (h0, hp, whole), 0.0, _relative(h0 + hp - whole, whole))


def _by_lanczos(
    split: _Split,
    steps: int,
    probes: int,
    generator: Generator | None,
    progress: Callable[[int, int], None] | None,
) -> _Spectra:
    count, done = len(split.w), itertools.count(1)
    total = 2 * probes * min(steps, count)

    def tell() -> None:
        if progress is not None:
            progress(next(done), total)

    given = {"steps": steps, "probes": probes, "generator": generator, "like": split.w}
    spectra = [lanczos(product, count, progress=tell, **given) for product in (split.p, split.h)]
    vectors = torch.randn(2, count, generator=generator).to(split.w)
    deviation = _error_of_negatives(*spectra[0], spectra[1][0])
    return _Spectra(spectra, (None, None, None), deviation, max(map(split.error, vectors)))


def _relative(rest: Tensor, whole: Tensor) -> float:
    """The largest entry, in units of the largest of the whole."""
    scale = whole.abs().max()
    return float(rest.abs().max() / scale) if scale > 0 else 0.0


def _pooled(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The spectra of all probes as one, ascending."""
    order = values.flatten().argsort()
    return values.flatten()[order], weights.flatten()[order] / len(values)


def _edge(scale: Tensor) -> float:
    """Below it rounding of the largest eigenvalue of the whole counts as zero."""
    return 1e-9 * float(scale.abs().max()) if scale.numel() else 0.0


def _inertia(values: Tensor, weights: Tensor, scale: Tensor) -> Inertia:
    edge, total = _edge(scale), weights.sum() / len(values)
    positive = round(float(weights[values > edge].sum()) / len(values))
    negative = round(float(weights[values < -edge].sum()) / len(values))
    return Inertia(positive, negative, round(float(total)) - positive - negative)


def _error_of_negatives(values: Tensor, weights: Tensor, scale: Tensor) -> float:
    counts = torch.where(values < -_edge(scale), weights, torch.zeros_like(weights)).sum(1)
    return float(counts.std() / math.sqrt(len(counts)))
