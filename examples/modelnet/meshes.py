"""Voxels from the meshes of ModelNet10.

In: a folder with CLASS/train/*.off and CLASS/test/*.off. Out: which voxels the surfaces touch.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from examples.common.errors import InputError

SHARE = 0.8  # of the grid, for the longest side of the object


def read_folder(
    folder: Path, side: int
) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Class names, and voxels and labels of both parts.

    Raises:
        InputError: if there are no meshes where they should be.
    """
    classes = tuple(sorted(path.parent.name for path in folder.glob("*/train")))
    found = {}
    for part in ("train", "test"):
        files = [
            (f, i) for i, c in enumerate(classes) for f in sorted(folder.glob(f"{c}/{part}/*.off"))
        ]
        if not files:
            raise InputError(f"data: expected {folder}/CLASS/{part}/*.off, found none")
        voxels = [
            surface_voxels(*read_off(f), side) for f, _ in tqdm(files, desc=part, disable=None)
        ]
        found[part] = np.stack(voxels), np.array([label for _, label in files])
    return classes, found


def read_off(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) and triangles (m, 3) of a file in the OFF format.

    Raises:
        InputError: if it is not one.
    """
    words = path.read_text(errors="replace").split()
    # Some files of ModelNet have no space between "OFF" and the first number.
    if not words or not words[0].startswith("OFF"):
        raise InputError(f"data: expected {path} to begin with OFF")
    try:
        vertices, triangles = _mesh(words)
    except (ValueError, IndexError) as error:
        raise InputError(f"data: expected {path} to be a mesh in the OFF format") from error
    inside = triangles.size and 0 <= triangles.min() and triangles.max() < len(vertices)
    if not inside or not np.isfinite(vertices).all():
        raise InputError(f"data: expected corners and faces between them in {path}")
    return vertices, triangles


def _mesh(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    numbers = ([words[0][3:]] if words[0] != "OFF" else []) + words[1:]
    n, m = int(numbers[0]), int(numbers[1])
    vertices = np.array(numbers[3 : 3 + 3 * n], dtype=float).reshape(n, 3)
    triangles, place = [], 3 + 3 * n
    for _ in range(m):
        corners = int(numbers[place])
        face = [int(word) for word in numbers[place + 1 : place + 1 + corners]]
        triangles += [(face[0], a, b) for a, b in zip(face[1:], face[2:], strict=False)]
        place += 1 + corners
    return vertices, np.array(triangles)


def surface_voxels(vertices: np.ndarray, triangles: np.ndarray, side: int) -> np.ndarray:
    """The voxels that the surface goes through, (side, side, side) uint8.

    The bounding box is put in the middle, its longest side is ``SHARE`` of the grid. The surface is
    a set of points so dense that it has no holes: 4 to a voxel along each direction.
    """
    low, high = vertices.min(0), vertices.max(0)
    scale = SHARE * side / max((high - low).max(), 1e-12)
    a, b, c = ((vertices - (low + high) / 2) * scale)[triangles].transpose(1, 0, 2)
    longest = np.maximum(np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1))
    voxels = np.zeros((side,) * 3, dtype=np.uint8)
    steps = np.ceil(4 * longest).astype(int) + 1
    for n in np.unique(steps):
        u, v = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
        u, v = u[u + v <= 1 + 1e-9][:, None, None], v[u + v <= 1 + 1e-9][:, None, None]
        own = steps == n
        points = a[own] + u * (b - a)[own] + v * (c - a)[own]
        index = np.floor(points.reshape(-1, 3) + side / 2).astype(int).clip(0, side - 1)
        voxels[tuple(index.T)] = 1
    return voxels
