"""Networks on the sphere: shapes, and how well they commute with rotations."""

import torch

from equinet import Sphere
from equinet.field import random_field
from equinet.harmonics import gauss, soft
from equinet.testing import equivariance_error
from examples.sphere_models import fourier_operator, spin_resnet, unet

TEXT = "3x0 + 2x1 + 1x2"


def _trained(network, generator):
    """The network with statistics of some fields."""
    network.double().train()(random_field(network.in_type, 4, generator=generator).double())
    return network.eval()


def test_spin_resnet(generator):
    spheres = [Sphere(band, soft(2 * band)) for band in (4, 3)]
    hidden = [sphere.fields(TEXT) for sphere in spheres]
    x = spheres[0].fields("1x0 + 1x1")
    network = _trained(spin_resnet(x, hidden, 5, generator=generator), generator)
    assert network(random_field(x, 2, generator=generator).double()).shape == (2, 5)
    assert equivariance_error(network, count=1, band=2).mean < 0.03


def test_unet(generator):
    sphere, lower = Sphere(4, gauss(8, 17)), Sphere(3, gauss(6, 13))
    x, y, h, low = (
        s.fields(t) for s, t in ((sphere, "2x0"), (sphere, "3x0"), (sphere, TEXT), (lower, TEXT))
    )
    network = _trained(unet(x, [h, low], y, generator), generator)
    assert network(torch.zeros(x.shape(2)).double()).shape == y.shape(2)
    assert equivariance_error(network, count=1, band=2).mean < 0.05


def test_fourier_operator(generator):
    sphere = Sphere(4, soft(8))
    x, h = sphere.fields("1x0 + 1x1"), sphere.fields(TEXT)
    network = fourier_operator(x, h, x, 1, generator).double()
    assert network(torch.zeros(x.shape(2)).double()).shape == x.shape(2)
    assert equivariance_error(network, count=1, band=2).mean < 0.03
