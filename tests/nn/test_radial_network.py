"""Learned functions of the distance."""

import math

import e3nn.math
import pytest
import scipy.special
import torch

from equinet import Points
from equinet.nn import PointConv, RadialNetwork
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
BASES = ("gaussian", "bessel")


def _bare(basis, count=5, cutoff=2.5, **options):
    """A network that gives its basis, times the envelope."""
    radial = RadialNetwork(cutoff, count, (), basis, count, **options).double()
    torch.nn.init.eye_(radial.weights[0])
    return radial


def _envelope(t, p):
    """The polynomial as DimeNet writes it."""
    a, b, c = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
    return 1 - a * t**p + b * t ** (p + 1) - c * t ** (p + 2)


def test_bessel_functions():
    """Spherical Bessel functions of order 0, those of e3nn, of mean square 1 over the ball."""
    c, n = 2.5, 5
    r = torch.linspace(0.01, 2.4, 100, dtype=F64)
    y = _bare("bessel", n, c)(r) / _envelope(r / c, 6)[:, None]
    roots = math.pi * torch.arange(1, n + 1, dtype=F64)
    j0 = torch.tensor(scipy.special.spherical_jn(0, (roots * r[:, None] / c).numpy()))
    assert_close(y, math.sqrt(2 / 3) * roots * j0, SYMMETRY)
    theirs = e3nn.math.soft_one_hot_linspace(r, 0.0, c, n, "bessel", True)
    assert_close(y[:, 0] / y[:, 1], theirs[:, 0] / theirs[:, 1], SYMMETRY)
    nodes, weights = (torch.tensor(a) for a in scipy.special.roots_legendre(60))
    t = (nodes + 1) / 2
    b = math.sqrt(2 / 3) * torch.sin(roots * t[:, None]) / t[:, None]
    assert_close(torch.einsum("r,rn,rm->nm", 1.5 * weights * t**2, b, b), torch.eye(n), ROUNDING)


def test_gaussians_are_what_they_were():
    r = torch.linspace(0, 2.4, 50, dtype=F64)
    t = r[:, None] / 2.5
    centres = torch.arange(1, 6, dtype=F64) / 6
    expected = torch.exp(-((6 * (t - centres)) ** 2) / 2) * math.sqrt(5 / 1.2533)
    assert_close(_bare("gaussian")(r), expected * (1 - t) ** 3 * (1 + 3 * t + 6 * t * t), ROUNDING)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("p", [None, 1, 2, 5])
def test_values_and_two_derivatives_vanish_at_the_cutoff(basis, p):
    """The envelope is DimeNet's; a third derivative would be none of a network that ends there."""
    c = 2.0
    radial = _bare(basis, 3, c, envelope=p)
    order = {"gaussian": 3, "bessel": 6}[basis] if p is None else p
    assert radial.envelope == order
    t = torch.linspace(0.01, 1, 30, dtype=F64)[:, None]
    assert_close(radial.window(c * t), _envelope(t, order), ROUNDING)
    r = torch.tensor(c - 1e-9, dtype=F64).requires_grad_()
    derivative = radial.window(r[None])[0]
    for _ in range(3):
        assert abs(derivative.detach()) < 1e-6
        (derivative,) = torch.autograd.grad(derivative, r, create_graph=True)
    assert abs(derivative.detach()) > 0.1  # negative control: the third does not
    assert (radial(torch.tensor([c, 2 * c], dtype=F64)) == 0).all()


@pytest.mark.parametrize("basis", BASES)
def test_second_moments_are_about_one(basis, generator):
    """Of distances that are even in the ball, and attributes of second moment 1."""
    radial = RadialNetwork(2.0, 400, basis=basis, attributes=3, generator=generator).double()
    r = 2 * torch.rand(200, generator=generator, dtype=F64) ** (1 / 3)
    a = torch.randn(200, 3, generator=generator, dtype=F64)
    y = radial(r, a) / radial.window(r[:, None])
    assert y.shape == (200, 400)
    assert 0.5 < y.square().mean() < 2


@pytest.mark.parametrize("basis", BASES)
def test_derivatives_are_finite_at_distance_zero(basis, generator):
    radial = RadialNetwork(2.0, 4, basis=basis, generator=generator)
    r = torch.tensor([0.0, 1e-8, 1e-4, 1e-2, 0.3]).requires_grad_()
    (first,) = torch.autograd.grad(radial(r).sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), r)
    assert first.isfinite().all() and second.isfinite().all()
    assert radial(r).isfinite().all()


def test_attributes(generator):
    """They stand beside the basis at the entrance of the first layer."""
    radial = RadialNetwork(2.0, 4, (), num_basis=3, attributes=2, generator=generator).double()
    assert radial.weights[0].shape == (4, 5)
    r = torch.tensor([0.3, 1.0], dtype=F64)
    a = torch.randn(2, 2, generator=generator, dtype=F64)
    part = (a @ radial.weights[0][:, 3:].mT) * radial.window(r[:, None])
    assert_close(radial(r, a) - radial(r, torch.zeros_like(a)), part, ROUNDING)
    for wrong in (None, a[:1], a[:, :1]):
        with pytest.raises(ValueError, match="^attributes: expected"):
            radial(r, wrong)
    with pytest.raises(TypeError, match="^attributes: expected a real floating tensor"):
        radial(r, a.long())
    with pytest.raises(ValueError, match="^attributes: expected 0 numbers for each edge, .*some"):
        RadialNetwork(2.0)(r.float(), a.float())


def test_weights_of_another_basis_are_refused():
    """Gaussians have the word of older checkpoints."""
    space = Points("SO(3)", dim=3)
    h = space.fields("1x0 + 1x1")

    def word(**options):
        return PointConv(h, h, RadialNetwork(2.0, **options), neighbours=4.0).meaning()

    assert word().endswith(", cutoff=2.0, features=16, basis=8")
    words = [word(**o) for o in ({}, dict(basis="bessel"), dict(envelope=5), dict(attributes=2))]
    assert len(set(words)) == 4


def test_bad_input():
    for name, wrong in (
        ("cutoff", dict(cutoff=-1.0)),
        ("features", dict(features=0)),
        ("basis", dict(basis="fourier")),
        ("num_basis", dict(num_basis=0)),
        ("envelope", dict(envelope=0)),
        ("attributes", dict(attributes=-1)),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            RadialNetwork(**(dict(cutoff=1.0) | wrong))


def test_a_number_of_gaussians_works_for_one_version():
    with pytest.warns(DeprecationWarning, match="^basis: a number: deprecated, use num_basis"):
        old = RadialNetwork(2.0, basis=4)
    assert old.basis == "gaussian" and old.num_basis == 4
