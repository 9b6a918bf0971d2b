"""Data into fields."""

from equinet.field.graph import Graph
from equinet.transforms.calculators import calculator
from equinet.transforms.exchange import from_atoms, from_data, to_atoms, to_data
from equinet.transforms.levels import farthest_points, neighbour_graph, voxel_points
from equinet.transforms.neighbour_lists import knn_graph, radius_graph
from equinet.transforms.sampling import Sample
from equinet.transforms.sphere import StereographicProjection, rotate_randomly
from equinet.transforms.voxels import voxelize

__all__ = [
    "Graph",
    "Sample",
    "StereographicProjection",
    "calculator",
    "farthest_points",
    "from_atoms",
    "from_data",
    "knn_graph",
    "neighbour_graph",
    "radius_graph",
    "rotate_randomly",
    "to_atoms",
    "to_data",
    "voxel_points",
    "voxelize",
]
