"""Kernels on the plane and in space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import FigureBase
from torch import Tensor

from equinet.harmonics import (
    Bessel,
    BSpline,
    FilterGrid,
    GaussianShells,
    Harmonics,
    Pixels,
    SteeredFunctions,
    Zernike,
    filter_grid,
)
from equinet.plot.canvas import (
    COLOURS,
    STRENGTHS,
    WIDTH,
    Half,
    array,
    arrows,
    frame,
    largest,
    mosaic,
    new_axes,
    number_components,
    place,
)
from equinet.plot.lobes import lobes, sphere_mesh, triad
from equinet.plot.slices import PLANES, cut, in_plane
from equinet.rep import Fibre, vector
from equinet.steerable import KernelBasis, SampledKernels

_FINE = 64  # pixels along an image; even, so that none lies on the origin
# If nobody says which, so many kernels are drawn, of so many components altogether.
_MOST, _COMPONENTS = 30, 200
_STYLES = {2: ("components", "arrows"), 3: ("lobes", "slices")}


def kernels(
    basis: KernelBasis,
    *,
    grid: FilterGrid | None = None,
    style: str | None = None,
    extent: float | None = None,
    which: Sequence[int] | None = None,
    figure: FigureBase | None = None,
) -> FigureBase:
    r"""The kernels of a basis, each on axes of its own and scaled to its largest value.

    A kernel is a matrix of functions K_{oi}(x). Its components stand side by side, a row for each
    component of the output, a column for each of the input; red is positive, blue is negative.

    Args:
        basis: kernels on the plane or in space.
        grid: the taps of a filter, which are then drawn as pixels, as ``basis.on(grid)`` has them;
            by default the kernels are sampled finely, as functions. Bases of ``Pixels`` come with a
            grid.
        style: on the plane "components", or "arrows" for kernels between a scalar and a vector;
            in space "lobes", surfaces over the sphere of the radius where the kernel is largest,
            or "slices", the planes z = 0, x = 0 and y = 0. The first of each is the default, on a
            grid in space "slices".
        extent: half the width of an image in units of length; by default so far as the functions
            reach.
        which: numbers of the kernels to draw, from 0; by default the first, 30 at most, and
            fewer of large matrices.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        TypeError: if ``basis`` is no KernelBasis.
        ValueError: if the kernels are neither on the plane nor in space, there are none, or an
            argument does not fit them.

    Example:
        >>> from equinet.group import so2
        >>> from equinet.harmonics import gaussian_shells
        >>> from equinet.rep import irrep
        >>> from equinet.steerable import kernel_basis
        >>> scalar, functions = irrep(so2(), 0), Harmonics(so2(), gaussian_shells(2))
        >>> [ax.get_title() for ax in kernels(kernel_basis(scalar, scalar, functions)).axes]
        ['$K_{1}$', '$K_{2}$', '$K_{3}$']
    """
    if not isinstance(basis, KernelBasis):
        raise TypeError(f"basis: expected a KernelBasis, got {type(basis).__name__}")
    n = basis.group.n
    if n not in _STYLES:
        raise ValueError(f"basis: expected kernels on the plane or in space, got some on R^{n}")
    if grid is None and isinstance(basis.functions, Pixels):
        grid = basis.functions.grid
    if grid is not None and grid.n != n:
        raise ValueError(f"grid: expected one of {n} dimensions, got {grid.n}")
    style = _checked_style(basis, grid, style)
    if extent is not None and not 0 < extent < math.inf:
        raise ValueError(f"extent: expected a number > 0, got {extent!r}")
    reach = _reach(basis.functions) if extent is None else float(extent)
    if n == 2:
        return _on_plane(basis, grid, style, reach, which, figure)
    if style == "lobes":
        return _as_lobes(basis, reach, which, figure)
    return _as_slices(basis, grid, reach, which, figure)


def _checked_style(basis: KernelBasis, grid: FilterGrid | None, style: str | None) -> str:
    known = _STYLES[basis.group.n]
    if style is None:
        return known[1] if grid is not None and basis.group.n == 3 else known[0]
    if style not in known:
        raise ValueError(f"style: expected one of {known} on R^{basis.group.n}, got {style!r}")
    if style == "lobes" and grid is not None:
        raise ValueError("style: expected 'slices' for kernels on a grid, got 'lobes'")
    if style == "arrows" and not _are_arrows(basis):
        raise ValueError(
            "style: expected 'components', since only kernels between one scalar and one vector "
            f"are arrows, got 'arrows' for dimensions {basis.fibre_in.dim} -> "
            f"{basis.fibre_out.dim}"
        )
    if style == "arrows" and grid is not None and grid.lattice != "square":
        raise ValueError("style: expected 'components' on a hexagonal grid, got 'arrows'")
    return style


def _are_arrows(basis: KernelBasis) -> bool:
    def is_vector(fibre: Fibre) -> bool:
        return fibre.blocks == ((1, vector(basis.group)),)

    fibres = basis.fibre_in, basis.fibre_out
    return any(a.dim == 1 and is_vector(b) for a, b in (fibres, fibres[::-1]))


def _reach(functions: SteeredFunctions) -> float:
    """Where the functions end, in units of length."""
    if isinstance(functions, Harmonics):
        radial = functions.radial
        if isinstance(radial, GaussianShells):
            return radial.radii[-1] + 2 * radial.sigma
        if isinstance(radial, Bessel | Zernike | BSpline):
            return radial.radius
    return 1.0


def _chosen(sampled: SampledKernels, which: Sequence[int] | None) -> tuple[Tensor, list[int]]:
    """The kernels to draw, ``(count, dim_out, dim_in, *points)``, and their numbers."""
    if not sampled.dim:
        raise ValueError("basis: expected at least one kernel, got an empty basis")
    components = sampled.fibre_in.dim * sampled.fibre_out.dim
    most = min(sampled.dim, _MOST, max(4, _COMPONENTS // components))
    numbers = list(range(most)) if which is None else list(which)
    if not numbers or not all(0 <= number < sampled.dim for number in numbers):
        raise ValueError(
            f"which: expected numbers of kernels, 0 to {sampled.dim - 1}, got {which!r}"
        )
    return sampled.dense()[numbers], numbers


def _panels(
    figure: FigureBase | None,
    numbers: list[int],
    total: int,
    rows: int,
    columns: int,
    unit: float | None = None,
) -> tuple[FigureBase, Iterator[Axes]]:
    """Axes for kernels that are matrices of ``rows`` x ``columns`` images, with titles."""
    unit = _unit(rows, columns) if unit is None else unit
    width = columns * unit + (0.3 if rows > 1 else 0.1)
    height = rows * unit + (0.45 if columns > 1 else 0.27)
    across = max(1, min(len(numbers), int(WIDTH / width + 1e-6)))
    down = math.ceil(len(numbers) / across)
    figure, axes = new_axes(figure, down, across, (width, height), count=len(numbers))
    if len(numbers) < total:
        figure.suptitle(f"{len(numbers)} of {total} kernels", fontsize=10)
    found = [ax for row in axes for ax in row][: len(numbers)]
    for ax, number in zip(found, numbers, strict=True):
        ax.set_title(f"$K_{{{number + 1}}}$", fontsize=9, pad=4)
    return figure, iter(found)


def _unit(rows: int, columns: int) -> float:
    """Side of one image in inches."""
    if rows * columns == 1:
        return 1.15
    return min(0.72 if columns < 3 else 0.66 if columns == 3 else 0.5, (WIDTH - 0.3) / columns)


def _on_plane(
    basis: KernelBasis,
    grid: FilterGrid | None,
    style: str,
    reach: float,
    which: Sequence[int] | None,
    figure: FigureBase | None,
) -> FigureBase:
    if grid is None:
        taps = filter_grid(_FINE, 2, spacing=2 * reach / _FINE)
        sampled = basis.at(taps.points)
    else:
        taps, sampled = grid, basis.on(grid)
    dense, numbers = _chosen(sampled, which)
    values = array(taps.embed(dense)) if taps.lattice == "square" else array(dense)
    rows, columns = values.shape[1:3]
    if style == "arrows":
        rows = columns = 1
    half = _half(taps)
    unit = 1.65 if style == "arrows" else None
    figure, axes = _panels(figure, numbers, sampled.dim, rows, columns, unit)
    for ax, kernel in zip(axes, values, strict=True):
        images = kernel.reshape(-1, *kernel.shape[2:])
        if style == "arrows":
            strength = np.hypot(*images)
            limit = largest(strength)
            mosaic(ax, strength[None], 1, half, 1.6 * limit, STRENGTHS)
            arrows(ax, images, half, limit)
        elif taps.lattice == "square":
            mosaic(ax, images, columns, half, largest(images))
        else:
            _hexagons(ax, images, taps, columns, half)
        number_components(ax, rows, columns, half)
    return figure


def _half(taps: FilterGrid) -> Half:
    """Half the width and height of the image of a filter of the plane."""
    (down, across), (dx, dy) = taps.size, taps.spacing
    if taps.lattice == "square":
        return across * dx / 2, down * dy / 2
    reach = (across + 0.2) / 2 * dx
    return reach, reach


def _hexagons(ax: Axes, images: np.ndarray, taps: FilterGrid, columns: int, half: Half) -> None:
    """Values on the cells of a hexagonal grid, ``(count, taps)``."""
    angles = np.arange(6) * math.pi / 3 + math.pi / 6
    cell = np.stack([np.cos(angles), np.sin(angles)], -1) * taps.spacing[0] / math.sqrt(3)
    cells = array(taps.points)[:, None] + cell
    limit = largest(images)
    for number, values in enumerate(images):
        ax.add_collection(
            PolyCollection(
                list(cells + place(number, columns, half)), array=values, cmap=COLOURS,
                norm=Normalize(-limit, limit), edgecolors="0.8", linewidths=0.5,
            )
        )  # fmt: skip
    frame(ax, len(images), columns, half)


def _as_lobes(
    basis: KernelBasis, reach: float, which: Sequence[int] | None, figure: FigureBase | None
) -> FigureBase:
    mesh = sphere_mesh()
    radii = torch.linspace(0, reach, 33, dtype=torch.float64)
    # The radius is sought on a coarse mesh.
    coarse = basis.at(radii[:, None, None, None] * mesh[::3, ::6])
    sizes, numbers = _chosen(coarse, which)
    best = radii[sizes.abs().amax((1, 2, 4, 5)).argmax(1)]
    rows, columns = sizes.shape[1:3]
    figure, axes = _panels(figure, numbers, coarse.dim, rows, columns)
    fine: dict[float, Tensor] = {}
    for i, (ax, number, radius) in enumerate(zip(axes, numbers, best.tolist(), strict=True)):
        if radius not in fine:
            fine[radius] = basis.at(radius * mesh).dense()
        kernel = array(fine[radius][number]).reshape(rows * columns, *mesh.shape[:2])
        lobes(ax, kernel, columns, 1.05 * largest(kernel), framed=True)
        number_components(ax, rows, columns, (1.0, 1.0))
        ax.set_title(f"{ax.get_title()} at $r = {radius:.2g}$", fontsize=9, pad=4)
        if i == 0:
            bottom = place(columns * (rows - 1), columns, (1.0, 1.0))[1]
            triad(ax, -0.6, bottom - 0.68, 0.42)
    return figure


def _as_slices(
    basis: KernelBasis,
    grid: FilterGrid | None,
    reach: float,
    which: Sequence[int] | None,
    figure: FigureBase | None,
) -> FigureBase:
    if grid is None:
        plane = filter_grid(_FINE, 2, spacing=2 * reach / _FINE)
        sampled = basis.at(torch.stack([in_plane(plane.points, p) for p in PLANES]))
        dense, numbers = _chosen(sampled, which)
        images = [array(plane.embed(dense[..., k, :])) for k in range(3)]
        halves = [(reach, reach)] * 3
        names = [f"${p.normal} = 0$" for p in PLANES]
    else:
        sampled = basis.on(grid)
        dense, numbers = _chosen(sampled, which)
        images, halves, names = cut(array(grid.embed(dense)), grid.spacing)
    rows, columns = images[0].shape[1:3]
    unit = min(1.3 if rows * columns == 1 else 0.72, (WIDTH / 3 - 0.3) / columns)
    size = (columns * unit + 0.3, rows * unit + (0.25 if columns > 1 else 0.05))
    figure, axes = new_axes(figure, len(numbers), 3, size, head=0.25)
    for k, number in enumerate(numbers):
        limit = max(largest(image[k]) for image in images)
        for p, ax in enumerate(axes[k]):
            shown = images[p][k]
            mosaic(ax, shown.reshape(-1, *shown.shape[2:]), columns, halves[p], limit)
            number_components(ax, rows, columns, halves[p])
            if k == 0:
                ax.set_title(names[p], fontsize=9, pad=4)
        axes[k][0].set_ylabel(f"$K_{{{number + 1}}}$", rotation=0, labelpad=12, va="center")
    return figure
