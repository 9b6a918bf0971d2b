"""Data into fields."""

from equinet.field.graph import Graph
from equinet.transforms.calculators import calculator
from equinet.transforms.exchange import from_atoms, from_data, to_atoms, to_data
from equinet.transforms.levels import farthest_points, neighbour_graph, voxel_points
from equinet.transforms.meshes import rays
from equinet.transforms.molecules import potentials
from equinet.transforms.neighbour_lists import knn_graph, radius_graph
from equinet.transforms.sampling import Sample
from equinet.transforms.sphere import StereographicProjection, rotate_randomly
from equinet.transforms.tangent import (
    from_polarisation,
    from_winds,
    to_polarisation,
    to_winds,
)
from equinet.transforms.voigt import from_voigt, to_voigt
from equinet.transforms.voxels import voxelize

__all__ = [
    "Graph",
    "Sample",
    "StereographicProjection",
    "calculator",
    "farthest_points",
    "from_atoms",
    "from_data",
    "from_polarisation",
    "from_voigt",
    "from_winds",
    "knn_graph",
    "neighbour_graph",
    "potentials",
    "radius_graph",
    "rays",
    "rotate_randomly",
    "to_atoms",
    "to_data",
    "to_polarisation",
    "to_voigt",
    "to_winds",
    "voxel_points",
    "voxelize",
]
