r"""How G moves a field, [g f](x) = rho(g) f(g^-1 x), over every space.

In: field types, group elements and feature maps. Out: ``act``.
"""

from torch import Tensor

from equinet.field.field_type import FieldType, check_type
from equinet.field.resampling import check_order


def act(field_type: FieldType, g: Tensor, x: Tensor, *, order: int = 1) -> Tensor:
    r"""The moved feature maps.

    .. math:: [g f](x) = \rho(g) f(g^{-1} x)

    Over the sphere this is exact for feature maps without degrees above the band, whose spectra
    F^l turn as F^l -> D^l(g) F^l; degrees above the band are lost.

    Over a line, plane or volume the origin is the centre of the grid, (size - 1) / 2 in units of
    the index, whether the size is even or odd. The grid keeps its shape: what leaves it is lost and
    what enters is zero, also where a rotation by 90 degrees turns an image whose sides differ.
    Elements that map grid points to grid points only permute the values, without rounding, before
    rho(g) is applied; for a rotation by 90 degrees the two sides must be both even or both odd. For
    other elements the values between grid points are interpolated.

    Over ``Point`` and ``Points`` the features are multiplied by rho(g), and that is all; positions
    are moved by ``Points.move``.

    Over a ``HomogeneousSpace`` the values are permuted and each is turned by the cocycle (M1),
    [g f](gx) = rho(h(x, g)) f(x), without interpolation and for every element of G.

    Args:
        field_type: of ``x``.
        g: elements of the group of the space, ``(n, n)``, or one for each sample,
            ``(batch, n, n)``.
        x: ``field_type.shape(batch)``, and of any sizes over a grid.
        order: of the interpolation on a grid: 0 nearest, 1 linear in every axis, 3 cubic
            convolution. Without effect over other spaces.
    Returns:
        In the shape and dtype and on the device of ``x``; differentiable in ``x`` and ``g`` (for
        order 0 in ``g`` through rho only, over a ``HomogeneousSpace`` in ``x`` only).
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if ``g`` is not in the group, or a shape or ``order`` is another one.

    Example:
        >>> import torch
        >>> from equinet.field import Plane
        >>> gray = Plane("C4").fields("1x trivial")
        >>> image = torch.rand(gray.shape(1, 5, 5))
        >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> torch.equal(act(gray, quarter, image), torch.rot90(image, 1, (-2, -1)))
        True
    """
    check_order(order)
    check_type(field_type)
    field_type.check(x)
    space = field_type.space
    space.group.check(g, "g", x)
    moved = space.act(field_type, g, x, order)
    field_type.check(moved, f"{type(space).__name__}.act")
    return moved.clone() if moved is x else moved  # a tensor of its own, whatever the space
