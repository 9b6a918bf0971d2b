r"""Weights of GrouPy's convolutions, of the groups p4 and p4m.

A layer has a filter w for each pair of channels, a function on the group, and computes

.. math:: y_o(x, s) = b_o + \sum_{i, t, u} w_{oi}(s^{-1} t, s^{-1} u)\, f_i(x + u, t)

with s, t in the stabiliser, C4 or D4: the first group convolutions. As a filter between regular
fields it is w_{oi}(s^{-1} t, s^{-1} u) in row (o, s), column (i, t) and at u.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.convert.coefficients import as_tensor
from equinet.convert.projection import project_filter
from equinet.field import FieldType, Plane
from equinet.group import FiniteGroup, cyclic, dihedral
from equinet.harmonics import Pixels
from equinet.nn import Conv2d
from equinet.numerics.arguments import Size, check_choice, real_tensor
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation, regular, trivial

_GROUPS = {"p4": (cyclic, 4), "p4m": (dihedral, 4)}


@on_cpu
def from_groupy(
    weight: Tensor,
    group: str,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Size = 0,
) -> Conv2d:
    """The ``Conv2d`` that is equal to a convolution of GrouPy, or of a port of it.

    ================================  ======================================
    GrouPy                            ``weight``
    ================================  ======================================
    ``P4ConvZ2``, ``P4MConvZ2``       ``(out, in, 1, k, k)``
    ``P4ConvP4``                      ``(out, in, 4, k, k)``, group "p4"
    ``P4MConvP4M``                    ``(out, in, 8, k, k)``, group "p4m"
    ================================  ======================================

    The axes of feature maps are (batch, channel, element, row, column) there: ``x.flatten(1, 2)``
    is what goes in here, and ``y.unflatten(1, (out, -1))`` is theirs again. The elements of p4m
    are in GrouPy's order, M^m R^r with m before r, which for m = 1 is not the order of
    ``regular``; ``standard_basis`` leads to that. Each weight of theirs is one here.

    Args:
        weight: the parameter ``W`` or ``weight`` of the layer, real floating, a tensor or an array.
        group: "p4" or "p4m", of the output.
        bias: one for each channel of the output, or None.
        stride: of the layer.
        padding: of the layer, with zeros.
    Returns:
        The layer, in the dtype and on the device of the weight.
    Raises:
        TypeError: if ``weight`` is of no real floating numbers.
        ValueError: for another group or shape, such as that of an input that is in another group.

    Example:
        >>> layer = from_groupy(torch.randn(6, 3, 1, 3, 3), "p4", padding=1)
        >>> layer(torch.randn(2, 3, 8, 8)).unflatten(1, (6, 4)).shape
        torch.Size([2, 6, 4, 8, 8])
    """
    make, n = _GROUPS[check_choice(group, "group", tuple(_GROUPS))]
    stabiliser: FiniteGroup = make(n)
    order = stabiliser.order
    given = as_tensor(weight, "weight", is_complex=False)
    w = given.detach().cpu().double()
    if w.dim() != 5 or w.shape[2] not in (1, order) or w.shape[3] != w.shape[4] or not w.numel():
        raise ValueError(
            f"weight: expected (out, in, 1 or {order}, k, k) for {group}, got {tuple(w.shape)}"
        )
    plane = Plane(stabiliser)
    lifts = w.shape[2] == 1
    elements = _elements(order)
    functions = _functions(stabiliser, elements)
    in_type = plane.fields([(w.shape[1], trivial(stabiliser) if lifts else functions)])
    out_type = plane.fields([(w.shape[0], functions)])
    layer = Conv2d(
        in_type,
        out_type,
        w.shape[-1],
        stride,
        padding,
        bias=bias is not None,
        functions=Pixels,
        dtype=torch.float64,
    )
    shift = None if bias is None else _shift(bias, out_type, order)
    project_filter(layer, _expanded(w, elements, layer.taps.points), shift)
    return layer.to(given)


def _shift(bias: Tensor, out_type: FieldType, order: int) -> Tensor:
    given = real_tensor(bias, "bias").cpu()
    if given.shape != (out_type.channels // order,):
        raise ValueError(
            f"bias: expected {out_type.channels // order} numbers, got {tuple(given.shape)}"
        )
    return given.repeat_interleave(order)


def _elements(order: int) -> Tensor:
    """The matrices of GrouPy's elements in its order, on (x, y) with y upwards: M^m R^r."""
    turns = cyclic(4).elements
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))  # of the rows
    return turns if order == 4 else torch.cat([turns, mirror @ turns])


def _functions(group: FiniteGroup, elements: Tensor) -> Representation:
    """Functions on the group, their values in the order of these elements."""
    rho = regular(group)
    return Representation(group, rho.name, rho.irreps, rho.basis[group.index(elements)])


def _expanded(w: Tensor, elements: Tensor, points: Tensor) -> Tensor:
    """The filter of torch, ``(out * |H|, in * (1 or |H|), k, k)``."""
    rows = []
    for s in elements:
        # s^-1 t and s^-1 u by their numbers; elements are orthogonal.
        pixels = torch.cdist(points @ s, points).argmin(1)
        moved = w.flatten(3)[..., pixels]
        if w.shape[2] > 1:
            others = torch.einsum("ji,tjk->tik", s, elements)
            numbers = torch.cdist(others.flatten(1), elements.flatten(1)).argmin(1)
            moved = moved[:, :, numbers]
        rows.append(moved.flatten(1, 2))
    return torch.stack(rows, 1).flatten(0, 1).unflatten(-1, w.shape[3:])
