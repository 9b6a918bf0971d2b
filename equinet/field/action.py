r"""How G moves a field, [g f](x) = rho(g) f(g^-1 x), over every space.

In: field types, group elements and feature maps. Out: ``act``.
"""

import math

import torch
from torch import Tensor

from equinet.field.field_type import FieldType, check_type
from equinet.field.grid import Grid
from equinet.field.homogeneous import HomogeneousSpace, turn
from equinet.field.permute import Exchange, exchange, exchanges
from equinet.field.points import Fibres
from equinet.field.resampling import check_order, resample, snap
from equinet.field.space import check_elements
from equinet.field.sphere import Sphere, sphere_of
from equinet.field.transform import columns, field_analysis, field_synthesis
from equinet.numerics.turn import turn_degrees
from equinet.numerics.values import is_differentiated
from equinet.ops import full_precision


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
    if isinstance(space, Grid | Fibres | Sphere | HomogeneousSpace):
        check_elements(space.group, g, x)
    if isinstance(space, Grid):
        return _on_grid(field_type, space, g, x, order)
    if isinstance(space, Fibres):
        moved = _on_fibres(field_type, g, x)
        return moved.clone() if moved is x else moved  # as elsewhere, a tensor of its own
    if isinstance(space, Sphere):
        return _on_sphere(field_type, g, x)
    if isinstance(space, HomogeneousSpace):
        return _on_cosets(field_type, space, g, x)
    raise ValueError(
        "field_type: expected fields over a Line, Plane, Volume, Sphere, Points, Point or "
        f"HomogeneousSpace, got {field_type!r}"
    )


def _on_sphere(field_type: FieldType, g: Tensor, x: Tensor) -> Tensor:
    """Degree by degree, D^l(g) times the spectrum."""
    band, batch = sphere_of(field_type).band, x.shape[0]
    to_spectrum = field_analysis(field_type, band, x.dtype, x.device)
    to_field = field_synthesis(field_type, band, x.dtype, x.device)
    widths = columns(field_type, band)
    flat = to_spectrum(x).view(sum((2 * l + 1) * k for l, k in enumerate(widths)), batch)
    with full_precision(x):
        turned = turn_degrees(flat, widths, g.to(x))
    return to_field(turned.flatten(), batch)


def _on_grid(field_type: FieldType, space: Grid, g: Tensor, x: Tensor, order: int) -> Tensor:
    """Fetch every value from where it was, then mix the components of each fibre."""
    sizes = tuple(x.shape[2:])
    # The rounding of g; that of a coordinate is larger by its distance from the centre.
    tolerance = (16 if g.element_size() > 2 else 1) * torch.finfo(g.dtype).eps
    # A derivative by g needs all its neighbours.
    if not is_differentiated(g) and x.numel():
        matrices = source_matrices(space, g.to(torch.float64))
        found = exchanges(matrices.cpu(), sizes, tolerance)
        kept = [one for one in found if one is not None]
        if len(kept) == len(found):
            return _on_fibres(field_type, g, exchange(x, kept))
        if kept:
            return _some_exactly(field_type, space, g, x, order, found)
    sources = source_coordinates(space, g.to(x.device, torch.float64), sizes)
    moved = resample(x, snap(sources, tolerance * max(1, *sizes)), order)
    return _on_fibres(field_type, g, moved)


def _some_exactly(
    field_type: FieldType,
    space: Grid,
    g: Tensor,
    x: Tensor,
    order: int,
    found: list[Exchange | None],
) -> Tensor:
    """Samples whose elements are symmetries of the grid by themselves, then the others."""
    parts, numbers = [], []
    for exact in (True, False):
        rows = [i for i, one in enumerate(found) if (one is not None) == exact]
        parts.append(_on_grid(field_type, space, g[rows], x[rows], order))
        numbers += rows
    order_of = torch.tensor(numbers, device=x.device).argsort()
    return torch.cat(parts).index_select(0, order_of)


def source_matrices(space: Grid, g: Tensor) -> Tensor:
    """What g^-1 makes of offsets from the centre, in units of the index, ``(1 or batch, n, n)``."""
    inverse = (g if g.dim() == 3 else g[None]).mT
    # From (x, y, z) in units of length to the axes of the tensor in units of the index.
    axes = list(space.coordinates)
    signs = g.new_tensor(space.signs)
    spacing = g.new_tensor([space.spacing[k] for k in axes])
    return inverse[:, axes][:, :, axes] * signs[:, None] * signs * (spacing / spacing[:, None])


def source_coordinates(space: Grid, g: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Where g^-1 takes each grid point, in units of the index.

    Args:
        space: the grid.
        g: ``(n, n)`` or ``(batch, n, n)``.
        sizes: of the axes of the grid.
    Returns:
        ``(1 or batch, *sizes, n)``, in the dtype and on the device of ``g``.
    """
    matrix = source_matrices(space, g)
    ranges = [torch.arange(size, dtype=g.dtype, device=g.device) for size in sizes]
    centre = g.new_tensor([(size - 1) / 2 for size in sizes])
    offsets = torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1) - centre
    moved = offsets.reshape(1, -1, len(sizes)) @ matrix.mT + centre
    return moved.reshape(len(matrix), *sizes, len(sizes))


def _on_cosets(field_type: FieldType, space: HomogeneousSpace, g: Tensor, x: Tensor) -> Tensor:
    """Fetch the value at y from x = g^-1 y, then turn it by h(x, g)."""
    s = space.section
    numbers = s.group.index((g if g.dim() == 3 else g[None]).detach().cpu().double())
    sources = s.moved_by(numbers).argsort(-1)  # (1 or batch, points), a permutation and its inverse
    turns = s.cocycle_of(numbers).gather(1, sources)
    index = sources.to(x.device)[:, None].expand(len(x), x.shape[1], -1)
    return turn(field_type, turns, x.gather(2, index))


def _on_fibres(field_type: FieldType, g: Tensor, x: Tensor) -> Tensor:
    """rho(g) on the channels of every point, block by block."""
    if all(rho.is_trivial for _, rho in field_type.blocks):
        return x
    wanted = is_differentiated(g)
    g = (g if g.dim() == 3 else g[None]).to(x.device, torch.float64)
    parts = []
    for (mul, rho), channels in zip(field_type.blocks, field_type.slices, strict=True):
        if rho.is_trivial:
            parts.append(x[:, channels])
            continue
        matrix = rho(g).to(x.dtype)  # (1 or batch, dim, dim)
        part = x[:, channels].reshape(len(x), mul, rho.dim, math.prod(x.shape[2:]))
        if len(matrix) == 1 and not wanted and _permutes(matrix[0]):
            part = part.index_select(2, matrix[0].argmax(1))
        else:
            with full_precision(x):
                part = torch.einsum("zij,zmjp->zmip", matrix, part)
        parts.append(part.reshape(len(x), mul * rho.dim, *x.shape[2:]))
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _permutes(matrix: Tensor) -> bool:
    """Whether it only exchanges components, as it does in regular and quotient representations."""
    ones = matrix == 1
    return bool((ones | (matrix == 0)).all() & (ones.sum(0) == 1).all() & (ones.sum(1) == 1).all())
