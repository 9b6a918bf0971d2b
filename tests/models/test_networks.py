"""Whole networks: shapes, symmetry, and what they refuse."""

import re

import pytest
import torch

import equinet as eq
from equinet import models
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import gauss, soft
from equinet.testing import assert_equivariant, equivariance_error
from equinet.transforms import radius_graph
from tests.over import over
from tests.tolerances import SYMMETRY

PLANE = eq.Plane("C4").fields("1x trivial")
THICK = eq.Volume("SO(3)", spacing=(1.0, 1.0, 2.0)).fields("1x0")
WITHIN_SLICES = {"strides": [(2, 2, 1), 2], "kernel_size": 3}
SPINS = "3x0 + 2x1 + 1x2"

# The type of the input, fields of the levels, points along the axes, options.
GRIDS = {
    "C4, odd": (PLANE, ["2x regular", "3x regular"], (13, 13), {"kernel_size": 3}),
    "D4, even then odd": (
        eq.Plane("D4").fields("1x0e + 1x1"),
        ["1x regular", "1x regular + 2x trivial", "1x quotient(C2)"],
        (10, 10),
        {"kernel_size": 3},
    ),
    "SO(2), irreps": (eq.Plane("SO(2)").fields("1x0"), ["2x0 + 2x1", "3x0 + 1x2"], (12, 12), {}),
    "mirror": (eq.Line("O(1)").fields("1x trivial"), ["2x regular"] * 3, (33,), {"blocks": 0}),
    "thick slices": (THICK, ["2x0 + 1x1", "2x0 + 1x1", "4x0 + 1x1"], (10, 10, 5), WITHIN_SLICES),
    "tanh, instances": (
        PLANE,
        ["2x regular", "2x trivial"],
        (12, 12),
        {"norm": enn.InstanceNorm, "function": torch.tanh, "blocks": 2, "kernel_size": 3}
        | {"dilation": 2},
    ),
}


def _trained(network, x, sizes, generator):
    """The network with statistics of some fields, in double precision."""
    network.double().train()(random_field(x, 4, sizes=sizes, generator=generator).double())
    return network.eval()


@over("name", GRIDS)
def test_resnets_over_grids(name, generator):
    x, hidden, sizes, options = GRIDS[name]
    network = models.resnet(x, hidden, 5, sizes=sizes, generator=generator, **options)
    network = _trained(network, x, sizes, generator)
    assert network(torch.zeros(x.shape(2, *sizes)).double()).shape == (2, 5)
    assert equivariance_error(network, sizes=sizes, exact=True, count=2).max < SYMMETRY


@over("name", GRIDS)
def test_unets_over_grids(name, generator):
    x, hidden, sizes, options = GRIDS[name]
    network = models.unet(x, hidden, "2x trivial", sizes=sizes, generator=generator, **options)
    network = _trained(network, x, sizes, generator)
    assert network.out_type == x.space.fields("2x trivial")
    assert network(torch.zeros(x.shape(2, *sizes)).double()).shape == (2, 2, *sizes)
    assert equivariance_error(network, sizes=sizes, exact=True, count=2).max < SYMMETRY


def test_a_network_keeps_the_centre_of_its_own_sizes_only(generator):
    network = models.resnet(PLANE, ["2x regular"] * 3, 5, sizes=20, generator=generator)
    network = _trained(network, PLANE, (20, 20), generator)
    assert equivariance_error(network, sizes=(20, 20), exact=True).max < SYMMETRY
    with pytest.warns(UserWarning, match="centre"):
        assert equivariance_error(network, sizes=(22, 22), exact=True).max > 1e-3


def test_a_u_net_has_the_levels_beside_each_other(generator):
    network = models.unet(PLANE, ["2x regular", "3x regular", "4x regular"], "1x trivial")
    skips = [module for module in network.modules() if isinstance(module, enn.Concat)]
    assert [str(skip.out_type) for skip in skips] == [
        "2x regular + 3x regular",
        "3x regular + 4x regular",
    ]


def test_networks_over_the_sphere(generator):
    spheres = [eq.Sphere(band, soft(2 * band)) for band in (4, 3)]
    hidden = [sphere.fields(SPINS) for sphere in spheres]
    x = spheres[0].fields("1x0 + 1x1")
    cases = [
        (models.spherical_resnet(x, hidden, 5, generator=generator), (2, 5)),
        (models.spherical_unet(x, hidden, "3x0", generator=generator), (2, 3, 16, 16)),
        (models.spherical_operator(x, SPINS, x, blocks=1, generator=generator), (2, 3, 16, 16)),
    ]
    for network, shape in cases:
        network = _trained(network, x, None, generator)
        assert network(torch.zeros(x.shape(2)).double()).shape == shape
        assert equivariance_error(network, count=1, band=2).mean < 0.05
        # It is the grid that errs, and nothing else: finer fields err more.
        assert (
            equivariance_error(network, count=1, band=4).mean
            > equivariance_error(network, count=1, band=2).mean
        )


def test_functions_on_all_rotations():
    x = eq.Sphere(6).fields("2x trivial")
    network = models.spherical_resnet(x, ["2x regular", "3x regular"], 4, blocks=0)
    assert network(torch.zeros(x.shape(2))).shape == (2, 4)
    assert network[1].out_type == eq.Sphere(3).fields("3x regular")


@over("name", ["NequIP", "MACE"])
def test_networks_of_atoms(name):
    kinds = torch.tensor([0, 1, 1, 0, 1, 0])
    outputs = {"outputs": 2} if name == "NequIP" else {}
    network = getattr(models, name)(2, 3.0, 4.0, channels=3, layers=2, **outputs).double()
    assert network.out_type == eq.Points("O(3)", dim=3).fields(
        "1x0e + 1x1o + 1x2e" if outputs else "1x0e"
    )
    assert_equivariant(network, arguments={"kinds": kinds})
    potential = models.potential(2, 3.0, 4.0, network=getattr(models, name), channels=3).double()
    assert_equivariant(potential, arguments={"x": kinds})


@over("name", ["NequIP", "MACE"])
def test_species_are_those_of_the_network(name):
    network = getattr(models, name)(2, 3.0, 4.0, channels=2, lmax=1, layers=1)
    positions = torch.rand(3, 3)
    graph = radius_graph(positions, 3.0)
    for kinds, got in (
        (torch.tensor([0, 1, 2]), "from 0 to 1, got 2"),
        (torch.tensor([0, 1, -1]), "from 0 to 1, got -1"),
        (torch.tensor([0.0, 1.0, 1.0]), "int64 (3,) on cpu, got torch.float32"),
        (torch.tensor([0, 1]), "int64 (3,) on cpu, got torch.int64 (2,)"),
    ):
        message = f"kinds: expected the species of each point, .*{re.escape(got)}"
        with pytest.raises(ValueError, match=message):
            network(kinds, positions, graph)
    assert network(torch.tensor([0, 1, 1]), positions, graph).shape == (3, 1)


WRONG = {
    "hidden: expected the fields of each level": lambda: models.resnet(PLANE, "2x regular", 3),
    "hidden: expected the fields of one level": lambda: models.resnet(PLANE, [], 3),
    "hidden: expected fields over Plane('C4')": lambda: models.resnet(
        PLANE, [eq.Plane("C8").fields("2x regular")], 3
    ),
    "classes: expected an integer >= 1": lambda: models.resnet(PLANE, ["2x regular"], 0),
    "blocks: expected an integer from 0 to 1,000": lambda: models.unet(
        PLANE, ["2x regular"], PLANE, blocks=-1
    ),
    "kernel_size: expected an odd number": lambda: models.resnet(
        PLANE, ["2x regular"], 3, kernel_size=4
    ),
    "strides: expected 1,": lambda: models.resnet(PLANE, ["1x regular"] * 2, 3, strides=[2, 2]),
    "strides: expected 1 or 2": lambda: models.resnet(PLANE, ["1x regular"] * 2, 3, strides=[3]),
    "sizes: expected 2 integers": lambda: models.resnet(PLANE, ["1x regular"], 3, sizes=(4, 5, 6)),
    "sizes: expected only even or only odd": lambda: models.unet(
        eq.Plane("C2").fields("1x0"), ["1x regular"] * 2, "1x0", sizes=(8, 9)
    ),
    "out_type: expected fields over": lambda: models.unet(PLANE, ["1x regular"], THICK),
    "in_type: expected fields over a Line": lambda: models.resnet(
        eq.Sphere(4).fields("1x0"), ["1x0"], 3
    ),
    "hidden: expected a field type for level 1": lambda: models.spherical_resnet(
        eq.Sphere(4, gauss(4)).fields("1x0"), ["2x0", "2x0"], 3
    ),
    "hidden: expected fields over Sphere": lambda: models.spherical_unet(
        eq.Sphere(4).fields("1x0"), [eq.Sphere(3).fields("1x0")], "1x0"
    ),
    "norm: expected a class such as enn.BatchNorm": lambda: models.resnet(
        PLANE, ["1x regular"], 3, norm=3
    ),
    "norm: expected what makes a norm of a type alone": lambda: models.resnet(
        PLANE, ["2x regular"], 3, norm=enn.GroupNorm
    ),
    "stride: expected none": lambda: models.resnet(PLANE, ["1x regular"], 3, stride=2),
    "padding: expected none": lambda: models.unet(PLANE, ["1x regular"], PLANE, padding=0),
    "out_type: expected a field type or its name": lambda: models.unet(PLANE, ["1x regular"], 3),
    "hidden: expected a field type or its name": lambda: models.spherical_operator(
        eq.Sphere(4).fields("1x0"), None, "1x0"
    ),
    "network: expected NequIP, MACE or a function, got 3": lambda: models.potential(
        2, 3.0, 4.0, network=3
    ),
    "got a NequIP, which enn.Potential takes": lambda: models.potential(
        2, 3.0, 4.0, network=models.NequIP(2, 3.0, 4.0, channels=1)
    ),
    "lmax: expected an integer from 0 to 20": lambda: models.NequIP(2, 3.0, 4.0, lmax=-1),
    "cutoff: expected": lambda: models.NequIP(2, -3.0, 4.0),
    "order: expected": lambda: models.MACE(2, 3.0, 4.0, order=0),
    "name: expected 'digits'": lambda: models.pretrained("digit"),
}


@over("message", WRONG)
def test_wrong_arguments(message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        WRONG[message]()
