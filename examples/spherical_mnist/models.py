"""The two networks of the paper, of nearly the same size, and one of spins.

All read the digit on the sphere as the array (batch, 1, 60, 60) of (beta, alpha); the spherical
networks know that it is a sphere, the planar one takes it for a picture.
"""

from math import pi

import torch

import equinet as eq
from equinet import nn as enn
from equinet.models import pretrained
from equinet.steerable import near_identity

from .data import BAND

# Of the filters; their weights are of order one, so that a step of Adam changes them by a share.
LEARNING_RATE = {"spherical": 0.2, "spin": 0.01, "planar": 5e-4}


def spherical_network() -> torch.nn.Sequential:
    """S^2 correlation, SO(3) correlation, integral over SO(3): 58,550 parameters.

    The score of a digit does not change when the digit is rotated, since the integral of a
    function over SO(3) does not change when the function is rotated.
    """
    sphere = eq.Sphere(band=BAND)
    digit = sphere.fields("1x trivial")
    hidden_1 = sphere.at(band=10).fields("20x regular")
    hidden_2 = sphere.at(band=6).fields("40x regular")
    return enn.Sequential(
        enn.SphereConv(
            digit,
            hidden_1,
            near_identity(max_beta=pi / 8, n_alpha=8, n_beta=3),
            relu=True,
        ),
        enn.SphereConv(
            hidden_1,
            hidden_2,
            functions=near_identity(
                max_beta=pi / 8, n_alpha=8, n_beta=3, max_gamma=pi / 8, n_gamma=3
            ),
            relu=True,
        ),
        enn.Integrate(hidden_2),
        torch.nn.Linear(40, 10),
    )


def spin_network() -> torch.nn.Module:
    """Functions, tangent fields and fields of spin 2, of the library: 83,268 parameters."""
    return pretrained("spherical_digits", weights=False)


def planar_network() -> torch.nn.Sequential:
    """An ordinary CNN on the (beta, alpha) array: 68,106 parameters."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, kernel_size=5, stride=3),  # 60 -> 19
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, kernel_size=5, stride=3),  # 19 -> 5
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64 * 5 * 5, 10),
    )


def parameter_groups(network: torch.nn.Module) -> list[dict]:
    """Groups for the optimiser with a factor on the learning rate.

    Biases and the last layer of the spherical network of the paper are on the scale of its
    activations and its scores, not of order one, and learn 10 and 20 times more slowly than its
    filters. In the others all parameters learn alike.
    """
    filters, biases = [], []
    for layer in network.children():
        if isinstance(layer, enn.SphereConv):
            filters.append(layer.weight)
            biases += [] if layer.bias is None else [layer.bias]
    if not filters:
        return [{"params": list(network.parameters()), "factor": 1.0}]
    return [
        {"params": filters, "factor": 1.0},
        {"params": biases, "factor": 0.1},
        {"params": list(network.get_submodule("3").parameters()), "factor": 0.05},
    ]


NETWORKS = {"spherical": spherical_network, "spin": spin_network, "planar": planar_network}
