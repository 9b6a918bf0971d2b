"""Learning with a kernel that stays as it is. In: a Gram matrix. Out: predictions.

F moves as dF/dt = -1/n sum_i Theta(x, x_i) l'(F_i y_i) y_i. With Theta = R R^T this is the gradient
flow of v in F = R v, which the library follows as that of any other network.
"""

import torch
from torch import Tensor, nn

from equinet.learning import Ensemble, Flow, gradient_flow

from .networks import ended

SMALLEST = 1e-12  # eigenvalues below this share of the largest are rounding


class Rooted(nn.Module):
    """F = R v on numbered samples: what is read is the number, (n, 1)."""

    root: Tensor

    def __init__(self, root: Tensor) -> None:
        super().__init__()
        self.register_buffer("root", root)
        self.v = nn.Parameter(root.new_zeros(root.shape[1]))

    def forward(self, number: Tensor) -> Tensor:
        return (self.root @ self.v)[number[:, 0].long(), None]


def root(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """R on the training set (n, n) and on the test set (m, n), with R R^T = Theta.

    Args:
        train: Theta on the training set.
        test: Theta between the test set and it, (m, n).
    """
    values, vectors = torch.linalg.eigh(train)
    scales = values.clamp_min(0).sqrt()
    sound = values > SMALLEST * values[-1]
    inverse = torch.where(sound, 1 / scales.where(sound, torch.ones(())), torch.zeros(()))
    return vectors * (scales * sound), test @ vectors * inverse


def frozen_flow(
    grams: list[tuple[Tensor, Tensor]], y: Tensor, loss: float | None, steps: int
) -> tuple[Tensor, Flow]:
    """F on the test set (networks, m) after the flow with each kernel, and that flow.

    Args:
        grams: Theta (n, n) on the training set, and (m, n) between test and training set.
        y: the labels (n,).
        loss: where the flow ends, see ``networks.ended``.
        steps: at most.
    """
    roots = [root(*gram) for gram in grams]
    ensemble = Ensemble(lambda i: Rooted(roots[i][0]), range(len(roots)))
    number = torch.arange(len(y), dtype=torch.float64)[:, None]
    flow = gradient_flow(ensemble, number, y, alpha=1.0, steps=steps, until=ended(loss))
    v = flow.weights["v"]
    return torch.stack([test @ own for (_, test), own in zip(roots, v, strict=True)]), flow
