"""Rays from a sphere to a mesh: a cube and a ball in closed form, and turned meshes."""

import numpy as np
import pytest
import torch

import equinet as eq
from equinet.numerics import random_rotations
from equinet.transforms import meshes, rays
from tests.tolerances import ROUNDING, assert_close

trimesh = pytest.importorskip("trimesh")
F64 = torch.float64


def test_cube():
    """The surface is at s = 1/2 / max |x_i|, its normal along that axis."""
    sphere = eq.Sphere(4)
    x = sphere.positions()
    along = x.abs().amax(-1)
    expected = torch.stack([1 - 0.5 / along / 0.9, along, (1 - along**2).sqrt()])
    cube = trimesh.creation.box((1, 1, 1))
    found = rays(cube, sphere, radius=0.9, dtype=F64)
    assert_close(found[:3], expected, ROUNDING)
    assert_close(found[3:], expected, ROUNDING)  # it is its own hull
    # What casts rays where nothing faster than trimesh is installed.
    cube.ray = trimesh.ray.ray_triangle.RayMeshIntersector(cube)
    assert_close(rays(cube, sphere, radius=0.9, hull=False, dtype=F64), expected, ROUNDING)


def test_hull_and_nothing():
    """A ray through the hole of a ring meets nothing, but its hull, a disc with a flat top."""
    ring = trimesh.creation.torus(1.0, 0.2)  # about z
    ring.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    found = rays(ring, eq.Sphere(6), dtype=F64)  # whose pole is y
    assert torch.equal(found[:3, 0], torch.tensor([1.0, 0, 0], dtype=F64)[:, None].expand(3, 12))
    cos = eq.Sphere(6).positions()[0, :, 1]
    assert_close(found[3, 0], 1 - 0.2 / cos / 1.2, 1e-3)  # the top of a polygon of 32 corners
    assert found[0, 6].lt(1).all()


def test_turned_meshes_are_seen_turned(generator):
    """A function of the ray alone: at the point g x the turned mesh has the value at x."""
    g = random_rotations(1, generator=generator)[0]
    mesh = trimesh.creation.cone(0.5, 1.0)
    mesh.apply_translation((0, 0, -0.3))  # the centre is inside
    turned = mesh.copy()
    turned.apply_transform(np.block([[g.numpy(), np.zeros((3, 1))], [np.zeros((1, 3)), 1]]))
    x = eq.Sphere(5).positions().reshape(-1, 3)
    found = meshes._seen(mesh, x.numpy(), 1.2)
    np.testing.assert_allclose(meshes._seen(turned, (x @ g.T).numpy(), 1.2), found, atol=1e-9)
    assert abs(meshes._seen(turned, x.numpy(), 1.2) - found).max() > 0.1


def test_files(tmp_path):
    cube = trimesh.creation.box((1, 1, 1))
    path = tmp_path / "cube.off"
    cube.export(path)
    assert_close(rays(path, eq.Sphere(3)), rays(cube, eq.Sphere(3)), ROUNDING)
    with pytest.raises(ValueError, match=r"mesh: expected the path of a file, got .*none\.off"):
        rays(str(tmp_path / "none.off"), eq.Sphere(3))
    for name, text in (("empty.off", ""), ("cut.off", "OFF\n8 12 0\n0 0"), ("no.py", "1")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=f"mesh: expected a file of a mesh, got .*{name}"):
            rays(tmp_path / name, eq.Sphere(3))


def test_bad_input(monkeypatch):
    cube, sphere = trimesh.creation.box((1, 1, 1)), eq.Sphere(3)
    with pytest.raises(ValueError, match=r"radius: expected at least 0\.866025"):
        rays(cube, sphere, radius=0.5)
    with pytest.raises(TypeError, match=r"mesh: expected a trimesh\.Trimesh or a path, got Tensor"):
        rays(torch.zeros(3), sphere)
    with pytest.raises(TypeError, match="sphere: expected a Sphere"):
        rays(cube, 3)
    with pytest.raises(ValueError, match="mesh: expected faces"):
        rays(trimesh.Trimesh(), sphere)
    aside, inside_out = cube.copy(), cube.copy()
    aside.apply_translation((0, 5, 0))
    inside_out.invert()
    flat = trimesh.Trimesh([(-1, -1, 0), (1, -1, 0), (0, 1, 0)], [(0, 1, 2)])
    for mesh, message in (
        (aside, "mesh: expected one about the origin, .*apply_translation"),
        (inside_out, "mesh: expected faces that look outwards"),
        (flat, "hull: expected a mesh with a convex hull"),
    ):
        with pytest.raises(ValueError, match=message):
            rays(mesh, sphere)
    with pytest.raises(TypeError, match="dtype: expected a floating one"):
        rays(cube, sphere, dtype=torch.int32)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="meshes"):
        rays(cube, sphere)
