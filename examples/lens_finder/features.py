"""Hand-made features and logistic regression: the gate against leaks, and the simple baselines.

In: images before the stretch (n, bands, SIZE, SIZE). Out: features (n, k) in float64.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from .lensing import grid
from .surveys import SIZE

RIDGE = 1e-3
ANNULUS = 2.0  # pixels
ANNULI = 12
COARSE = 7  # annuli of four pixels, the last one open
ANGLES = 6  # bins of the direction of a gradient, from along the radius to across it


def _annuli() -> Tensor:
    """Weights (ANNULI, SIZE^2) whose product with an image is its mean over each annulus."""
    x, y = grid(SIZE, 1.0)
    number = ((x * x + y * y).sqrt() / ANNULUS).floor()
    member = (number == torch.arange(ANNULI)[:, None]).float()
    return member / member.sum(1, keepdim=True)


def fluxes(image: Tensor) -> Tensor:
    """The mean flux of each band, and its asinh."""
    mean = image.mean((2, 3)).double()
    return torch.cat([mean, (10 * mean).asinh()], 1)


def radial_profiles(image: Tensor) -> Tensor:
    """Mean and standard deviation over annuli of two pixels, in each band, and their asinh."""
    weights = _annuli()
    flat = image.flatten(2)
    mean = flat @ weights.T
    deviation = (flat.square() @ weights.T - mean.square()).clamp_min(0).sqrt()
    profile = torch.cat([mean, deviation], 1).flatten(1).double()
    return torch.cat([profile, profile.asinh()], 1)


def oriented_gradients(image: Tensor) -> Tensor:
    """Radial profiles and histograms of gradients: share by direction, annulus and band.

    Directions are taken from the radius, so an arc anywhere on a circle counts alike, and the
    features do not change when the image is turned.
    """
    parts = [radial_profiles(image)]
    for smooth in (1, 2):
        a = avg_pool2d((image / 2).asinh(), 3, 1, 1)[..., ::smooth, ::smooth]
        dx = a[..., 1:-1, 2:] - a[..., 1:-1, :-2]
        dy = a[..., :-2, 1:-1] - a[..., 2:, 1:-1]
        size = a.shape[-1] - 2
        x, y = (t.view(size, size) for t in grid(size, 1.0))
        turn = (torch.atan2(dy, dx) - torch.atan2(y, x)) % math.pi
        turn = torch.minimum(turn, math.pi - turn)  # a mirror image changes its sign
        number = (turn / (math.pi / 2) * ANGLES).long().clamp(max=ANGLES - 1)
        annulus = ((x * x + y * y).sqrt() * smooth / (2 * ANNULUS)).long().expand_as(number)
        cells = (number * COARSE + annulus.clamp(max=COARSE - 1)).flatten(2)
        found = torch.zeros(*a.shape[:2], ANGLES * COARSE)
        strength = torch.hypot(dx, dy) * ((x != 0) | (y != 0))  # the centre has no radius
        found.scatter_add_(2, cells, strength.flatten(2))
        parts.append((found / size).flatten(1).double())
    return torch.cat(parts, 1)


class Logistic:
    """Logistic regression on standardised features, fitted by L-BFGS."""

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        self.mean, self.scale = features.mean(0), features.std(0) + 1e-9
        x = self._standardised(features)
        y = labels.double()
        weight = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = binary_cross_entropy_with_logits(x @ weight, y)
            value = value + RIDGE / 2 * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        self.weight = weight.detach()

    def _standardised(self, features: Tensor) -> Tensor:
        x = (features - self.mean) / self.scale
        return torch.cat([x, x.new_ones(len(x), 1)], 1)

    def scores(self, features: Tensor) -> Tensor:
        """The logit of being a lens (n,)."""
        return self._standardised(features) @ self.weight


FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "fluxes": fluxes,
    "radial": radial_profiles,
    "gradients": oriented_gradients,
}
