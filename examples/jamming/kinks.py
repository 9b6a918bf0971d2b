r"""Whether a network stopped on kinks. In: a network and its points. Out: the least subgradient.

Where a ReLU has the argument 0 the loss has a kink, and a descent stays there if the gradients on
both sides push towards it: the gradient does not vanish, but a *sub*gradient does, in which the
derivative of that ReLU is a number s between 0 and 1 (F. Clarke, *Optimization and Nonsmooth
Analysis*, 1983),

.. math:: \min_{0 \le s \le 1} \Bigl| g_0 + \sum_k s_k (g_k - g_0) \Bigr|                \quad (K1)

with g_0 the gradient for all s = 0 and g_k that for s_k = 1 alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import lsq_linear
from torch import Tensor

from examples.common.descent import Network

CLOSE = 1e-4  # arguments below it are on a kink: a hundred times the last learning rate


@dataclass(frozen=True)
class Kinks:
    """How a network lies on kinks of its loss.

    Attributes:
        count: (violated point, neuron) pairs whose argument is closer to 0 than ``CLOSE``.
        gradient: norm of the gradient.
        least: norm of the least subgradient (K1).
    """

    count: int
    gradient: float
    least: float


def kinks_of(network: Network, weights: Sequence[Tensor], x: Tensor, y: Tensor) -> Kinks:
    """Of one network with ReLU, weights ``(out, in)`` and ``(out,)``, points ``(P, d)``."""
    gates, close, a = [], [], x
    for matrix, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        z = a @ matrix.T + bias
        gates.append((z > 0).to(x.dtype))
        close.append(z.abs() < CLOSE)
        a = z.relu()
    violated = y * (a @ weights[-2].T + weights[-1])[:, 0] < 1
    places = [
        (layer, int(point), int(neuron))
        for layer, near in enumerate(close)
        for point, neuron in (near & violated[:, None]).nonzero()
    ]
    whole = float(_gradient(weights, x, y, gates).norm())
    if not places:
        return Kinks(0, whole, whole)
    for layer, point, neuron in places:
        gates[layer][point, neuron] = 0
    base = _gradient(weights, x, y, gates)
    changes = []
    for layer, point, neuron in places:
        gates[layer][point, neuron] = 1
        changes.append(_gradient(weights, x, y, gates) - base)
        gates[layer][point, neuron] = 0
    best = lsq_linear(torch.stack(changes, 1).numpy(), -base.numpy(), (0, 1))
    for (layer, point, neuron), share in zip(places, best.x, strict=True):
        gates[layer][point, neuron] = float(share)
    return Kinks(len(places), whole, float(_gradient(weights, x, y, gates).norm()))


def _gradient(weights: Sequence[Tensor], x: Tensor, y: Tensor, gates: Sequence[Tensor]) -> Tensor:
    """Of the quadratic hinge loss, where the derivatives of the neurons are ``gates``."""
    leaves = [w.clone().requires_grad_() for w in weights]
    a = x
    for layer, gate in enumerate(gates):
        a = (a @ leaves[2 * layer].T + leaves[2 * layer + 1]) * gate
    f = (a @ leaves[-2].T + leaves[-1])[:, 0]
    loss = (1 - y * f).clamp_min(0).square().mean() / 2
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, leaves)])
