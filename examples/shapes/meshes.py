"""Meshes of simple things with random proportions, and points of their surfaces.

In: a random generator. Out: meshes about the origin in the unit ball; points with normals.
"""

from typing import Any

import numpy as np
import trimesh

SHAPES = ("box", "cylinder", "cone", "capsule", "ring", "ball", "table", "bracket", "pipe", "cross")


def shape(name: str, generator: np.random.Generator) -> Any:
    """A mesh of that name, z up, centred and scaled into the unit ball."""
    a, b, c = generator.uniform(0.35, 0.75, 3)
    thin = generator.uniform(0.1, 0.2)
    make: Any = trimesh.creation
    mesh: Any
    if name == "box":
        mesh = make.box((a, b, c))
    elif name == "cylinder":
        mesh = make.cylinder(a / 2, 2 * c)
    elif name == "cone":
        mesh = make.cone(a, 2 * c)
    elif name == "capsule":
        mesh = make.capsule(height=2 * c, radius=a / 2)
    elif name == "ring":
        mesh = make.torus(a + b, a * 0.6)
    elif name == "ball":
        mesh = make.icosphere(3)
        mesh.apply_scale((1, 0.7 + 0.4 * a, 0.7 + 0.4 * b))
    elif name == "table":
        legs = [bar((thin, thin, c), (x, y, -c / 2)) for x in (-a, a) for y in (-b, b)]
        mesh = trimesh.util.concatenate([bar((2 * a + thin, 2 * b + thin, thin)), *legs])
    elif name == "bracket":
        walls = [bar((thin, b, c), (-a / 2, 0, c / 2)), bar((a, b, thin))]
        mesh = trimesh.util.concatenate(walls)
    elif name == "pipe":
        mesh = make.annulus(a / 2, a / 2 + thin, 2 * c)
    else:
        bars = [bar(np.roll((2 * a, thin, thin), k)) for k in range(3)]
        mesh = trimesh.util.concatenate(bars)
    vertices = mesh.vertices - mesh.centroid
    mesh.vertices = vertices / np.linalg.norm(vertices, axis=1).max()
    return mesh


def bar(sizes: Any, centre: tuple[float, float, float] = (0, 0, 0)) -> Any:
    """A box of these sizes about a point."""
    mesh = trimesh.creation.box(sizes)
    mesh.apply_translation(centre)
    return mesh


def surface(mesh: Any, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points drawn evenly from a surface, and the normals there, ``(count, 3)`` each."""
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=generator)[:2]
    return np.asarray(points), np.asarray(mesh.face_normals[faces])
