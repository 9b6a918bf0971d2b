"""Potentials on spheres about atoms: the formula, the symmetry, the gradient."""

import pytest
import torch

import equinet as eq
from equinet.field import act
from equinet.numerics import random_rotations
from equinet.transforms import potentials
from tests.laws.direct import grid
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
KINDS = (1, 6, 8)


def _molecules(generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two molecules whose atoms are mixed; no two are closer than 1.5."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 2.5], dtype=F64)] * 3)
    noise = torch.rand(8, 3, generator=generator, dtype=F64)
    return corners + 0.5 * noise, torch.tensor([1, 6, 6, 8, 1, 1, 8, 1]), torch.arange(8) % 2


@pytest.mark.parametrize("radius", [0.3, 30.0], ids=["outside", "inside"])
def test_against_the_formula(radius, generator):
    """Far from any atom the degrees of band 24 are all that there is: (1/3)^24 = 4e-12."""
    p, z, batch = _molecules(generator)
    sphere = eq.Sphere(24)
    x = grid(sphere.band, regular=False)[..., 1]
    expected = torch.zeros(len(p), len(KINDS), *x.shape[:-1], dtype=F64)
    for i in range(len(p)):
        for j in range(len(p)):
            if i != j and batch[i] == batch[j]:
                distance = torch.linalg.vector_norm(p[i] + radius * x - p[j], dim=-1)
                expected[i, KINDS.index(int(z[j]))] += z[i] * z[j] / distance
    found = potentials(p, z, KINDS, sphere, radius, batch=batch)
    assert_close(found, expected, 1e-10)
    assert torch.equal(found[:, 1].any(-1).any(-1), z != 6)  # one carbon atom in each molecule


def test_turned_molecules_have_turned_potentials(generator):
    p, z, batch = _molecules(generator)
    sphere = eq.Sphere(5)  # which cannot hold them
    g = random_rotations(1, generator=generator)[0]
    fields = sphere.fields(f"{len(KINDS)}x trivial")
    arguments = z, KINDS, sphere, 0.7
    turned = potentials(p @ g.mT, *arguments, batch=batch)
    assert_close(turned, act(fields, g, potentials(p, *arguments, batch=batch)), SYMMETRY)
    sampled = potentials(p @ g.mT, z, KINDS, eq.Sphere(24), 0.7, batch=batch)
    assert (act(fields, g, turned) - turned).abs().max() > 0.1 and sampled.isfinite().all()


def test_gradient_and_coincident_atoms(generator):
    p, z, batch = _molecules(generator)
    inputs = p[:4].clone().requires_grad_()
    weights = torch.randn(4, 3, 6, 6, generator=generator, dtype=F64)
    sphere = eq.Sphere(3)
    torch.autograd.gradcheck(
        lambda x: (weights * potentials(x, z[:4], KINDS, sphere, 0.4, batch=batch[:4])).sum(),
        inputs,
    )
    same = torch.zeros(2, 3, dtype=F64, requires_grad=True)
    found = potentials(same, z[:2], KINDS, eq.Sphere(3), 0.5)
    assert_close(found[0, 1], torch.full((6, 6), 6 / 0.5, dtype=F64), ROUNDING)
    found.sum().backward()
    assert same.grad.isfinite().all()
    assert potentials(p[:0], z[:0], KINDS, eq.Sphere(3), 0.5).shape == (0, 3, 6, 6)
    assert not potentials(p[:1], z[:1], KINDS, eq.Sphere(3), 0.5).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"numbers": torch.tensor([1, 7, 8])}, ValueError, r"numbers: .* got \[7\] too"),
        ({"kinds": (1, 1, 8)}, ValueError, "kinds: expected different"),
        ({"kinds": 8}, TypeError, "kinds: expected numbers of elements, got int"),
        ({"radius": 0.0}, ValueError, "radius: "),
        ({"sphere": eq.Volume("SO(3)")}, TypeError, "sphere: expected a Sphere, got Volume"),
        ({"batch": torch.tensor([0, 0])}, ValueError, "batch: "),
        ({"positions": torch.zeros(3, 2)}, ValueError, "positions: "),
        ({"positions": torch.full((3, 3), torch.nan)}, ValueError, "positions: .*finite"),
    ],
)
def test_bad_input(change, error, message):
    given = {
        "positions": torch.eye(3),
        "numbers": torch.tensor([1, 6, 8]),
        "kinds": KINDS,
        "sphere": eq.Sphere(3),
        "radius": 0.5,
    }
    with pytest.raises(error, match=message):
        potentials(**{**given, **change})
