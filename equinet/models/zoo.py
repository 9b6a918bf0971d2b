"""Networks with the weights that the examples trained, which come with the library."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files

from torch import nn
from torch.nn.functional import silu

from equinet.field import Plane, Sphere
from equinet.models.atoms import potential
from equinet.models.grids import resnet
from equinet.models.spheres import spherical_resnet, spherical_unet
from equinet.models.weights import load_weights
from equinet.numerics.arguments import check_choice, check_flag
from equinet.steerable import smooth


def pretrained(name: str, *, weights: bool = True) -> nn.Module:
    """A network that has been trained; the guide has a row for each with its data and its errors.

    - "digits": handwritten digits in any orientation, ``(batch, 1, 28, 28)`` from 0 to 1, white on
      black, to ten scores; a ``resnet`` over ``Plane("C8")``.
    - "spherical_digits": digits on the sphere in any orientation, ``(batch, 1, 60, 60)`` of
      (beta, alpha) from 0 to 30, as ``transforms.StereographicProjection(28, 30)`` makes them of
      30 times those above, to ten scores; a ``spherical_resnet``.
    - "oceans": the oceans of the Earth, turned or not, from its colours and heights,
      ``(batch, 4, 64, 64)`` as ``examples.weather`` has them, each channel of mean 0 and
      variance 1, to five scores at each point; a ``spherical_unet``.
    - "molecules": energies of atomisation in kcal/mol of molecules of H, C, N, O and S, species 0
      to 4, with a graph of radius 3.5 angstrom; a ``potential``.
    - "water": energies in eV and forces in eV per angstrom of liquid water, species 0 for oxygen
      and 1 for hydrogen, with a graph of radius 4 angstrom; a ``potential``.

    Args:
        name: of the network.
        weights: whether to load them; else the network is as it was before its training.
    Returns:
        The network, with its weights in evaluation mode.
    Raises:
        ValueError: for another name, and for a file that has been damaged.

    Example:
        >>> import torch
        >>> net = pretrained("digits")
        >>> net(torch.zeros(1, 1, 28, 28)).shape
        torch.Size([1, 10])
    """
    network = _NETWORKS[check_choice(name, "name", tuple(_NETWORKS))]()
    if not check_flag(weights, "weights"):
        return network
    with as_file(files("equinet.models") / "trained" / f"{name}.pt") as path:
        load_weights(network, path)
    return network.eval()


def _digits() -> nn.Module:
    digit = Plane("C8").fields("1x trivial")
    return resnet(digit, ["3x regular", "6x regular", "12x regular"], classes=10, sizes=28)


def _spherical_digits() -> nn.Module:
    levels = {16: "8x0 + 6x1 + 4x2", 10: "16x0 + 12x1 + 12x2", 6: "32x0 + 16x1 + 16x2"}
    return spherical_resnet(
        Sphere(30).fields("1x0"),
        [Sphere(band).fields(fields) for band, fields in levels.items()],
        classes=10,
        blocks=0,
        functions=smooth(knots=6, max_order=2),
    )


def _oceans() -> nn.Module:
    return spherical_unet(
        Sphere(32).fields("4x0"),
        [f"{width}x0 + {width}x1" for width in (12, 16, 24)],
        "5x0",
        functions=smooth(knots=8, max_order=1),
        function=silu,
    )


# The mean numbers of neighbours are those of the data: the weights are for these.
def _molecules() -> nn.Module:
    return potential(5, 3.5, 9.69664, shifts=[0.0] * 5, scales=1.0, stress=False)


def _water() -> nn.Module:
    return potential(2, 4.0, 26.1595, lmax=2, layers=2, shifts=[0.0] * 2, scales=1.0)


_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "digits": _digits,
    "spherical_digits": _spherical_digits,
    "oceans": _oceans,
    "molecules": _molecules,
    "water": _water,
}
