"""Whole networks, of the layers of ``equinet.nn``, typed by the names of fields."""

from equinet.models.atoms import MACE, NequIP, potential
from equinet.models.grids import resnet, unet
from equinet.models.spheres import spherical_operator, spherical_resnet, spherical_unet
from equinet.models.weights import load_weights, save_weights
from equinet.models.zoo import pretrained

__all__ = [
    "MACE",
    "NequIP",
    "load_weights",
    "potential",
    "pretrained",
    "resnet",
    "save_weights",
    "spherical_operator",
    "spherical_resnet",
    "spherical_unet",
    "unet",
]
