"""Fields over a sphere at points of no grid: polynomials, and what constant tensors are in it."""

import math

import pytest
import torch

from equinet import Plane, Sphere
from equinet.field import random_field, values_at
from equinet.harmonics import gauss, octahedral
from equinet.numerics import angles_to_matrix
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
GRIDS = [None, gauss(7, 15, start=0.2), octahedral(7)]
TYPES = [("SO(3)", "1x0+2x1+1x2+1x3+1x7"), ("O(3)", "1x0e+1x0o+2x1")]


def fields_of(beta, alpha):
    """A function, a tangent field and one of spin 2, in closed form: (5, *points).

    The tangent part of a constant vector, and the traceless tangent part of a constant matrix, in
    the frame (south, east).
    """
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(3, dtype=F64, generator=generator)
    T = torch.randn(3, 3, dtype=F64, generator=generator)
    T = T + T.mT
    turn = angles_to_matrix(alpha, beta, torch.zeros_like(alpha))
    up, south, east = turn[..., 1], turn[..., 2], turn[..., 0]  # the pole is y, and (z, x, y)
    x, y, z = up.unbind(-1)
    function = x**3 * y - 2 * z**4 + x * y + 0.5

    def between(a, b):
        return torch.einsum("...i,ij,...j->...", a, T, b)

    return torch.stack([
        function, south @ v, east @ v,
        (between(south, south) - between(east, east)) / 2, between(south, east),
    ])  # fmt: skip


@over("grid", GRIDS)
def test_closed_forms_anywhere(grid, generator):
    kind = Sphere(5, grid).fields("1x0+1x1+1x2")
    x = fields_of(*kind.space.angles())[None]
    beta = math.pi * torch.rand(50, generator=generator, dtype=F64)
    beta[0], beta[1] = 0, math.pi
    alpha = 9 * torch.randn(50, generator=generator, dtype=F64)
    found = values_at(kind, x, beta, alpha)
    assert_close(found[0], fields_of(beta, alpha), ROUNDING)
    with pytest.raises(AssertionError):  # the negative control: the components exchanged
        assert_close(found[0, [0, 2, 1]], fields_of(beta, alpha)[:3], 1e-2)


@over("kind", TYPES)
def test_at_the_points_of_the_grid_they_are_the_samples(kind, generator):
    """Of every order, copy and batch, in pieces too; a spin beyond the band has no degree."""
    group, text = kind
    for grid in GRIDS:
        fields = Sphere(6, grid, group).fields(text)
        x = random_field(fields, 3, generator=generator, dtype=F64) if "7" not in text else None
        if x is None:
            low = Sphere(6, grid, group).fields(text.removesuffix("+1x7"))
            x = random_field(low, 3, generator=generator, dtype=F64)
            x = torch.cat([x, torch.zeros_like(x[:, :2])], 1)
        found = values_at(fields, x, *(angle.flatten() for angle in fields.space.angles()))
        assert_close(found, x.flatten(2), ROUNDING)


def test_derivatives_by_fields_and_by_points(generator):
    """Of second order too, and at the poles."""
    kind = Sphere(3).fields("1x0+1x1")
    x = random_field(kind, 1, generator=generator, dtype=F64).requires_grad_()
    beta = torch.tensor([0.0, 0.7, math.pi], dtype=F64, requires_grad=True)
    alpha = torch.tensor([0.1, 4.0, -1.0], dtype=F64, requires_grad=True)

    def at(*given):
        return values_at(kind, *given)

    assert torch.autograd.gradcheck(at, (x, beta, alpha), fast_mode=True)
    assert torch.autograd.gradgradcheck(at, (x.detach(), beta, alpha), fast_mode=True)


def test_in_single_precision(generator):
    kind = Sphere(6).fields("1x0+1x2")
    x = random_field(kind, 2, generator=generator, dtype=F64)
    beta, alpha = torch.rand(2, 9, generator=generator)
    found = values_at(kind, x.float(), beta, alpha)
    assert found.dtype == torch.float32 and values_at(kind, x, beta[:0], alpha[:0]).numel() == 0
    assert_close(found, values_at(kind, x, beta, alpha).float(), 1e-5)


def test_what_is_refused():
    kind = Sphere(3).fields("1x0")
    x, angle = torch.zeros(kind.shape(2)), torch.zeros(4)
    for error, text, given in [
        (ValueError, "^field_type: expected fields over a Sphere", (Plane("C4").fields("1x0"), x)),
        (ValueError, "^field_type: expected irreps", (Sphere(3).fields("1x regular"), x)),
        (ValueError, "^x: expected", (kind, x[..., :-1])),
    ]:
        with pytest.raises(error, match=text):
            values_at(*given, angle, angle)
    for got, beta in [("0 to 45; of latitudes .*deg2rad", 45.0), ("-0.5 to 0", -0.5)]:
        with pytest.raises(ValueError, match=f"^beta: expected radians from 0 to pi, got {got}"):
            values_at(kind, x, torch.tensor([0.0, beta]), angle[:2])
    with pytest.raises(ValueError, match=r"^alpha: expected \(4,\), got \(3,\)"):
        values_at(kind, x, angle, angle[:3])
    with pytest.raises(ValueError, match="^beta: expected finite numbers"):
        values_at(kind, x, angle / 0, angle)
