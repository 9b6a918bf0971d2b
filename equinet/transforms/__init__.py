"""Data into fields."""

from equinet.transforms.sphere import StereographicProjection, rotate_randomly
from equinet.transforms.voxels import voxelize

__all__ = ["StereographicProjection", "rotate_randomly", "voxelize"]
