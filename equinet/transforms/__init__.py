"""Data into fields."""

from equinet.transforms.graph import radius_graph
from equinet.transforms.sphere import StereographicProjection, rotate_randomly
from equinet.transforms.voxels import voxelize

__all__ = ["StereographicProjection", "radius_graph", "rotate_randomly", "voxelize"]
