r"""Shapes onto the sphere.

In: a mesh. Out: six functions on the sphere.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinet.field import Space, Sphere
from equinet.numerics.arguments import check_flag, check_number


def rays(
    mesh: Any,  # noqa: ANN401 - a trimesh.Trimesh, where trimesh is installed
    sphere: Sphere,
    *,
    radius: float | None = None,
    hull: bool = True,
    dtype: torch.dtype | None = None,
) -> Tensor:
    r"""What is seen of a shape from a sphere around it, along rays to its centre.

    From each point R x of the sphere a ray goes to the centre, which is the origin, and first meets
    the surface at s x, whose normal is n. The channels are

    .. math:: 1 - s / R, \qquad \cos = n \cdot x, \qquad \sin = |n \times x|

    of the mesh, and the same of its convex hull. Where a ray meets nothing before the centre, s =
    0 and cos = sin = 0. A turned mesh is seen as the turned functions: [g f](x) = f(g^-1 x) at the
    points of the sphere; between them the edges of a shape are sharper than any band.

    Args:
        mesh: a ``trimesh.Trimesh`` about the origin, or the path of a file that trimesh reads.
        sphere: at whose points is looked.
        radius: R, in the unit of the mesh; by default the distance of the farthest vertex.
        hull: whether the convex hull is looked at too.
        dtype: of the result, torch's default by default.
    Returns:
        ``(6, *axes)``, or ``(3, *axes)`` without the hull: one sample without a batch.
    Raises:
        ModuleNotFoundError: where trimesh is not installed, the extra ``meshes``.
        TypeError: if ``mesh`` is neither mesh nor path, or ``sphere`` is none.
        ValueError: for a mesh without faces or with vertices that are no numbers, one that lies
            beside the origin, whose faces all look inwards, of which there is no convex hull, or
            that a sphere of this radius does not hold, or a file that is no mesh.

    References:
        Cohen, Geiger, Köhler and Welling 2018, Spherical CNNs, section 5.3.

    Example:
        >>> import trimesh
        >>> cube = trimesh.creation.box((1, 1, 1))
        >>> rays(cube, Sphere(4)).shape
        torch.Size([6, 8, 8])
    """
    if not isinstance(sphere, Space) or not sphere.is_band_limited:
        raise TypeError(f"sphere: expected a Sphere, got {type(sphere).__name__}")
    check_flag(hull, "hull")
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"dtype: expected a floating one, got {dtype}")
    mesh = _mesh(mesh)
    farthest = float(np.linalg.norm(mesh.vertices, axis=1).max())
    if radius is None:
        radius = farthest
    check_number(radius, "radius", above=0)
    if farthest > radius * (1 + 1e-6):
        raise ValueError(
            f"radius: expected at least {farthest:.6g}, the distance of the farthest vertex from "
            f"the origin, got {radius}"
        )
    points = sphere.positions()
    shape = points.shape[:-1]
    shapes = [mesh, _hull(mesh)] if hull else [mesh]
    seen = np.concatenate([_seen(each, points.reshape(-1, 3).numpy(), radius) for each in shapes])
    return torch.from_numpy(seen).to(dtype or torch.get_default_dtype()).view(-1, *shape)


def _mesh(mesh: Any) -> Any:  # noqa: ANN401 - see rays
    """The mesh, read if it is a path; an error if it is none."""
    if importlib.util.find_spec("trimesh") is None:
        raise ModuleNotFoundError(
            "rays: expected trimesh to be installed, which comes with equinet-torch[meshes]"
        )
    trimesh = importlib.import_module("trimesh")
    if isinstance(mesh, str | os.PathLike):
        path = mesh
        if not os.path.isfile(path):
            raise ValueError(f"mesh: expected the path of a file, got {os.fspath(path)!r}")
        try:
            mesh = trimesh.load_mesh(path)
        except Exception as error:  # of whatever kind trimesh's readers raise
            name = os.fspath(path)
            raise ValueError(f"mesh: expected a file of a mesh, got {name!r}: {error}") from error
    if not isinstance(mesh, trimesh.Trimesh):
        raise TypeError(f"mesh: expected a trimesh.Trimesh or a path, got {type(mesh).__name__}")
    if not len(mesh.faces) or not np.isfinite(mesh.vertices).all():
        raise ValueError(
            f"mesh: expected faces between points of space, got {len(mesh.faces)} faces and "
            f"{np.sum(~np.isfinite(mesh.vertices))} coordinates that are no numbers"
        )
    low, high = mesh.bounds
    if (low > 0).any() or (high < 0).any():
        raise ValueError(
            f"mesh: expected one about the origin, got one from {low.round(3).tolist()} to "
            f"{high.round(3).tolist()}; mesh.apply_translation(-mesh.centroid) brings it there"
        )
    if mesh.is_watertight and mesh.volume < 0:
        raise ValueError("mesh: expected faces that look outwards, got none; use mesh.invert()")
    return mesh


def _hull(mesh: Any) -> Any:  # noqa: ANN401 - see rays
    try:
        return mesh.convex_hull
    except Exception as error:  # Qhull's own, whose module is SciPy's to name
        raise ValueError(
            "hull: expected a mesh with a convex hull, got a flat one; use hull=False"
        ) from error


def _seen(mesh: Any, points: np.ndarray, radius: float) -> np.ndarray:  # noqa: ANN401 - see rays
    """The three channels ``(3, points)`` of one surface, along rays through unit vectors."""
    faces, lines, _ = mesh.ray.intersects_id(
        2 * radius * points, -points, multiple_hits=False, return_locations=True
    )
    normals, x = mesh.face_normals[faces], points[lines]
    cos = (normals * x).sum(1)
    # Where the plane of the face meets the ray, since what casts rays may do so in float32.
    level = (normals * mesh.vertices[mesh.faces[faces, 0]]).sum(1)
    place = level / np.where(cos == 0, 1, cos)
    before = (cos != 0) & (place > 0)
    cos, place, lines = cos[before], place[before], lines[before]
    found = np.zeros((3, len(points)))
    found[0] = 1
    found[:, lines] = 1 - place / radius, cos, np.sqrt(np.clip(1 - cos**2, 0, None))
    return found
