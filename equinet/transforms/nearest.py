"""The nearest point of other rings, for what is no function below a band: masks and classes."""

import torch
from scipy.spatial import KDTree
from torch import Tensor

from equinet.harmonics import Rings
from equinet.numerics import angles_to_matrix
from equinet.numerics.cached import cached_untraced

_ASIDE = 1e-9  # radians


@cached_untraced(8)
def nearest_points(sources: Rings, targets: Rings) -> Tensor:
    """For each point of some rings the number of the nearest one of others.

    Of two that are equally near it is the one to the south, then the one to the east, whatever
    rounding says.

    Args:
        sources: among whose points it is looked for.
        targets: the points.
    Returns:
        int64 ``(targets.count,)``.
    """
    beta, alpha = (angle.flatten() + _ASIDE for angle in targets.angles())
    points = angles_to_matrix(alpha, beta, torch.zeros_like(alpha))[:, :, 1]
    _, found = KDTree(sources.positions().reshape(-1, 3).numpy()).query(points.numpy())
    return torch.from_numpy(found).long()
