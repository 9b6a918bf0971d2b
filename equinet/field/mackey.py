r"""Fields as functions on the group: the induced representation in both of its pictures.

In: field types over a ``HomogeneousSpace``. Out: the maps between the pictures.

A field over G/H is a function f on the points, moved by (M1), or the same thing without a choice of
section: a Mackey function F on G with values in the fibre,

.. math::
   F(g h) &= \rho(h)^{-1} F(g), \quad h \in H \quad (M2) \\
   [u F](g) &= F(u^{-1} g), \quad u \in G \quad (M3)

Both are Ind_H^G rho. Here F is a tensor ``(batch, channel, |G|)``, its last axis in the order of
``group.elements``.
"""

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.homogeneous import HomogeneousSpace, turn
from equinet.field.space import space_of
from equinet.group import Section
from equinet.numerics.arguments import check_memory
from equinet.numerics.values import check_floating
from equinet.ops import full_precision


def lift(field_type: FieldType, f: Tensor) -> Tensor:
    r"""The Mackey function of a field.

    .. math:: [\Lambda f](g) = \rho(h(g))^{-1} f(gH) \quad (M4)

    It commutes with G, which moves f by (M1) and the result by (M3).

    Args:
        field_type: over a ``HomogeneousSpace``.
        f: ``(batch, channel, point)``.
    Returns:
        ``(batch, channel, |G|)``.
    Raises:
        ValueError: if the fields live over another kind of space, or a shape is another one.

    Example:
        >>> from equinet.group import cyclic, dihedral
        >>> two_points = HomogeneousSpace(dihedral(4), cyclic(4))
        >>> lift(two_points.fields("1x1"), torch.rand(3, 2, 2)).shape
        torch.Size([3, 2, 8])
    """
    s = _section(field_type)
    field_type.check(f, "f")
    return turn(field_type, s.subgroup.inverse[s.remainder], f[..., s.coset.to(f.device)])


def lower(field_type: FieldType, F: Tensor) -> Tensor:
    r"""The field of a Mackey function, the inverse of ``lift``.

    .. math:: f(x) = F(s(x)) \quad (M5)

    Args:
        field_type: over a ``HomogeneousSpace``.
        F: ``(batch, channel, |G|)``; of a function that does not obey (M2) the values at s(x).
    Returns:
        ``(batch, channel, point)``.
    Raises:
        ValueError: if the fields live over another kind of space, or a shape is another one.
    """
    s = _section(field_type)
    _check(field_type, s, F)
    return F[..., list(s.numbers)]


def act_on_mackey(field_type: FieldType, g: Tensor, F: Tensor) -> Tensor:
    r"""How G moves functions on G (M3): :math:`[g F](u) = F(g^{-1} u)`.

    Args:
        field_type: over a ``HomogeneousSpace``.
        g: elements of G, ``(n, n)``, or one for each sample, ``(batch, n, n)``.
        F: ``(batch, channel, |G|)``.
    Returns:
        In the shape of ``F``; the values are permuted, without rounding.
    Raises:
        ValueError: if the fields live over another kind of space, ``g`` is not in G, or a shape is
            another one.
    """
    s = _section(field_type)
    _check(field_type, s, F)
    s.group.check(g, "g", F)
    numbers = s.group.index((g if g.dim() == 3 else g[None]).detach().cpu().double())
    every = torch.arange(s.group.order)
    sources = s.group.products(numbers[:, None], every).argsort(-1)  # u -> g u, and back
    return F.gather(2, sources.to(F.device)[:, None].expand(len(F), F.shape[1], -1))


def mackey_projection(field_type: FieldType, F: Tensor) -> Tensor:
    r"""The Mackey function in any function on G with values in the fibre.

    .. math:: [P F](g) = \frac1{|H|} \sum_{h \in H} \rho(h) F(g h) \quad (M6)

    P F obeys (M2), P F = F if F does, and P commutes with (M3). Without it, functions on G are
    fields over G/1, whose fibre is not moved.

    Args:
        field_type: over a ``HomogeneousSpace``.
        F: ``(batch, channel, |G|)``.
    Raises:
        ValueError: if the fields live over another kind of space, or a shape is another one.
    """
    s = _section(field_type)
    _check(field_type, s, F)
    rho = field_type.rho(s.subgroup.elements).to(F)
    with full_precision(F):
        return torch.einsum("hij,zjgh->zig", rho, _along_cosets(s, F)) / s.subgroup.order


def mackey_residual(field_type: FieldType, F: Tensor) -> float:
    r"""How far a function on G is from obeying (M2).

    .. math:: \max_{h \in H} \lVert F(\cdot\, h) - \rho(h)^{-1} F \rVert / \lVert F \rVert

    Args:
        field_type: over a ``HomogeneousSpace``.
        F: ``(batch, channel, |G|)``, not zero.
    Raises:
        ValueError: if the fields live over another kind of space, a shape is another one, or F
            vanishes.
    """
    s = _section(field_type)
    _check(field_type, s, F)
    size = F.norm()
    if not size > 0:
        raise ValueError("F: expected a function that is not zero, got zeros")
    inverse = field_type.rho(s.subgroup.elements.mT).to(F)
    with full_precision(F):
        expected = torch.einsum("hij,zjg->zigh", inverse, F)
    difference = _along_cosets(s, F) - expected
    return float((difference.flatten(0, 2).norm(dim=0) / size).max())


def induced_matrices(field_type: FieldType) -> Tensor:
    r"""The matrices of Ind_H^G rho in the picture of functions on G/H (M1).

    .. math::
       [\mathrm{Ind}\,\rho](g)_{(y, i)(x, j)} =
       \begin{cases} \rho(h(x, g))_{ij} & y = g x \\ 0 & \text{else} \end{cases} \quad (M7)

    Components are (point, channel), those of ``f.mT.flatten(1)``. Where the section takes the first
    element of each coset, this is ``rep.induce(rho, G)``.

    Args:
        field_type: over a ``HomogeneousSpace``.
    Returns:
        float64 ``(|G|, D, D)``, D the number of points times that of channels, in the order of
        ``group.elements``.
    Raises:
        ValueError: if the fields live over another kind of space.
    """
    s = _section(field_type)
    order, points, channels = s.group.order, len(s), field_type.channels
    size = points * channels
    check_memory(order * size**2, "field_type", f"{order} matrices of size {size}")
    rho = field_type.rho(s.subgroup.elements)[s.cocycle]  # (|G|, points, channels, channels)
    out = torch.zeros(order, points, channels, points, channels, dtype=torch.float64)
    g = torch.arange(order)[:, None]
    out[g, s.moved, :, torch.arange(points), :] = rho
    return out.view(order, size, size)


def _along_cosets(s: Section, F: Tensor) -> Tensor:
    """F(g h), ``(batch, channel, |G|, |H|)``."""
    products = s.group.products(torch.arange(s.group.order)[:, None], s.inclusion)
    return F[..., products.to(F.device)]


def _section(field_type: FieldType) -> Section:
    """Of the space, which must have one."""
    return space_of(field_type, HomogeneousSpace, "field_type").section


def _check(field_type: FieldType, s: Section, F: Tensor) -> None:
    """Raise unless F is a batch of functions on G with values in the fibre."""
    check_floating("F", F)
    if F.dim() != 3 or F.shape[1:] != (field_type.channels, s.group.order):
        raise ValueError(
            f"F: expected (batch, channel, |G|) = (batch, {field_type.channels}, {s.group.order}) "
            f"for {field_type!r}, got {tuple(F.shape)}"
        )
