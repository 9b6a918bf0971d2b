r"""Winds and polarisation, by the names of their components, as fields over the sphere.

In: components as data have them. Out: channels of the types ``1x1`` and ``1x2``, and back.

A field of spin s over the sphere is a complex number at each point, whose real and imaginary parts
are two channels. It is written in the frame of the polar angles: the first axis is e_beta, which
points *south*, the second e_alpha, which points *east*,

.. math:: e_\beta = \frac{\partial x}{\partial \beta}, \qquad
          e_\alpha = \frac{1}{\sin\beta} \frac{\partial x}{\partial \alpha}

and in a frame that is turned by theta from south to east the same field is f e^{-i s theta}. So a
tangent vector w = a e_beta + b e_alpha has the channels (a, b). A wind whose components (u, v), to
the east and to the north, are taken for these is turned by a quarter at every point: a field of the
right type, whose divergence is the vorticity of the wind, and no error shows it.
"""

import torch
from torch import Tensor

from equinet.numerics.arguments import check_choice
from equinet.numerics.values import check_floating, check_measured

#: The sign of U: looking at the sky, HEALPix counts angles from south to east, the IAU from north.
_CONVENTIONS = {"cosmo": 1, "iau": -1}


def from_winds(u: Tensor, v: Tensor) -> Tensor:
    r"""Tangent vectors, as fields of spin 1, from their components to the east and to the north.

    .. math:: w = u\, e_{east} + v\, e_{north} = -v\, e_\beta + u\, e_\alpha

    so the channels of each field are (-v, u), and not (u, v).

    Args:
        u: to the east, ``(batch, fields, *points)``.
        v: to the north, likewise.
    Returns:
        ``(batch, 2 * fields, *points)``, the channels of the type ``Nx1`` for N fields.
    Raises:
        TypeError: if a component is not a real floating tensor, or ``v`` has another dtype.
        ValueError: if their shapes differ or have no axis of points, or a number is not finite.

    Example:
        >>> from equinet import Sphere
        >>> winds = Sphere(band=8).fields("3x1")  # at three heights
        >>> u, v = torch.randn(2, 5, 3, 16, 16)
        >>> from_winds(u, v).shape == winds.shape(batch=5)
        True
    """
    _check_components(u=u, v=v)
    return torch.stack([-v, u], 2).flatten(1, 2)


def to_winds(x: Tensor) -> tuple[Tensor, Tensor]:
    """The components of tangent vectors to the east and to the north; inverse of ``from_winds``.

    Args:
        x: fields of the type ``Nx1``, ``(batch, 2 * fields, *points)``.
    Returns:
        u, to the east, and v, to the north, ``(batch, fields, *points)`` each.
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if it has another shape.
    """
    south, east = _components(x)
    return east, -south


def from_polarisation(q: Tensor, u: Tensor, convention: str = "cosmo") -> Tensor:
    r"""Linear polarisation, as fields of spin 2, from the Stokes parameters.

    In the convention "cosmo" of HEALPix, Q + i U is written in the frame (south, east), as fields
    here are: the channels are (Q, U). In that of the IAU, "iau", which astronomers use (angles from
    north through east), U has the other sign: (Q, -U).

    Args:
        q: Q, ``(batch, fields, *points)``.
        u: U, likewise.
        convention: "cosmo" or "iau", that of the data; see POLCCONV in the header of a FITS file.
    Returns:
        ``(batch, 2 * fields, *points)``, the channels of the type ``Nx2`` for N fields.
    Raises:
        TypeError: if a component is not a real floating tensor, or ``u`` has another dtype.
        ValueError: if their shapes differ or have no axis of points, a number is not finite, or
            there is no such convention.
    """
    sign = _CONVENTIONS[check_choice(convention, "convention", tuple(_CONVENTIONS))]
    _check_components(q=q, u=u)
    return torch.stack([q, sign * u], 2).flatten(1, 2)


def to_polarisation(x: Tensor, convention: str = "cosmo") -> tuple[Tensor, Tensor]:
    """The Stokes parameters of fields of spin 2; inverse of ``from_polarisation``.

    Args:
        x: fields of the type ``Nx2``, ``(batch, 2 * fields, *points)``.
        convention: "cosmo" or "iau", that of the result.
    Returns:
        Q and U, ``(batch, fields, *points)`` each.
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if it has another shape, or there is no such convention.
    """
    sign = _CONVENTIONS[check_choice(convention, "convention", tuple(_CONVENTIONS))]
    q, u = _components(x)
    return q, sign * u


def _check_components(**components: Tensor) -> None:
    """Raise unless both are finite ``(batch, fields, *points)`` of one shape, dtype and device."""
    (name, first), (other, second) = components.items()
    for argument, x in components.items():
        check_floating(argument, x)
    if first.dim() < 3:
        raise ValueError(
            f"{name}: expected (batch, fields, *points), got {tuple(first.shape)}; a single field "
            f"is {name}[None, None]"
        )
    if second.shape != first.shape:
        raise ValueError(
            f"{other}: expected {tuple(first.shape)}, as {name}, got {tuple(second.shape)}"
        )
    if second.dtype != first.dtype:
        raise TypeError(f"{other}: expected {first.dtype}, as {name}, got {second.dtype}")
    if second.device != first.device:
        raise ValueError(
            f"{other}: expected a tensor on {first.device}, where {name} is, got one on "
            f"{second.device}"
        )
    for argument, x in components.items():
        check_measured(
            argument,
            x,
            f"where nothing is measured put 0, as {argument}.nan_to_num(0) for NaN, and give "
            "weights that are 0 there to norms, pools and losses",
        )


def _components(x: Tensor) -> tuple[Tensor, Tensor]:
    """The two channels of each field, ``(batch, fields, *points)`` each."""
    check_floating("x", x)
    if x.dim() < 3 or x.shape[1] % 2 or not x.shape[1]:
        raise ValueError(
            f"x: expected (batch, 2 * fields, *points), two channels for each field, got "
            f"{tuple(x.shape)}"
        )
    first, second = x.unflatten(1, (-1, 2)).unbind(2)
    return first, second
