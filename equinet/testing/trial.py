r"""What a module is tried on: fields and group elements over every kind of space.

In: field types. Out: ``Trial``.

Over the sphere, points, a single point and finite homogeneous spaces every element moves a field
exactly. Over a grid the signed permutations of the axes do; other elements move a field between its
points.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType, HomogeneousSpace, Points, Sphere, act, random_field
from equinet.field.grid import Grid
from equinet.group import FiniteGroup, Group, is_subgroup
from equinet.group.finite import finite_group
from equinet.nn.arguments import check_keywords
from equinet.numerics.arguments import check_integer, check_number
from equinet.testing.smooth import SmoothField, inner_radius

SMOOTHNESS = 2.0
_CLOUD = 8  # points, where the batch is a cloud of them
_FIELDS = 2
_MOST = 10**6  # elements, fields or points


@dataclass(frozen=True)
class Trial:
    """A batch of fields, and group elements that move it.

    Attributes:
        elements: ``(count, n, n)``.
        values: the fields, float64.
        move: from an element to the values of the moved fields.
        between: whether the elements take grid points between grid points, so that the output is
            moved by interpolation and compared in the middle of the grid.
        arguments: more keyword arguments of the module, for an element or, for None, as they are.
    """

    elements: Tensor
    values: Tensor
    move: Callable[[Tensor], Tensor]
    between: bool = False
    arguments: Callable[[Tensor | None], dict[str, Any]] = field(default=lambda g: {})


@dataclass(frozen=True)
class Draw:
    """What to draw; None leaves it to the space.

    Attributes:
        count: number of group elements.
        seed: of all random numbers.
        batch: number of fields, or points.
        elements: use these, ``(count, n, n)``.
        band: over the sphere.
        sizes: over a grid.
        smoothness: over a grid, of the fields that are moved between its points.
        exact: over a grid, only elements that keep it (True), or only others (False).
        arguments: of the module; "positions" and "shifts" move with the points.
        scale: over a grid, how much finer the same smooth field is sampled.
        radius: over a grid, where the smooth field ends before it is scaled.
        grids: inside the module; an element keeps the grid if it keeps all of these as well.
    """

    count: int
    seed: int = 0
    batch: int | None = None
    elements: Tensor | None = None
    band: int | None = None
    sizes: tuple[int, ...] | None = None
    smoothness: float | None = None
    exact: bool | None = None
    arguments: Mapping[str, Any] | None = None
    scale: float = 1.0
    radius: float | None = None
    grids: tuple[Grid, ...] = ()
    generator: Generator = field(init=False, compare=False)

    def __post_init__(self) -> None:
        check_integer(self.count, "count", most=_MOST)
        check_integer(self.seed, "seed", 0, most=2**63 - 1)
        if self.batch is not None:
            check_integer(self.batch, "batch", most=_MOST)
        if self.smoothness is not None:
            check_number(self.smoothness, "smoothness", 0)
        if self.exact is not None and not isinstance(self.exact, bool):
            raise TypeError(f"exact: expected True, False or None, got {self.exact!r}")
        check_keywords(self.arguments)
        if self.elements is not None and (
            not isinstance(self.elements, Tensor)
            or self.elements.dim() != 3
            or not len(self.elements)
        ):
            got = getattr(self.elements, "shape", type(self.elements).__name__)
            raise ValueError(f"elements: expected (count, n, n) with count >= 1, got {got}")
        object.__setattr__(self, "generator", torch.Generator().manual_seed(self.seed))


def trials(module: nn.Module, in_type: FieldType, group: Group, draw: Draw) -> list[Trial]:
    """Fields and group elements for a module; over a grid, those that keep it and the others.

    Raises:
        ValueError: if an argument has no meaning over the space.
    """
    space, draw = in_type.space, replace(draw)  # the same numbers whenever it is called
    if isinstance(space, Grid):
        _refuse(in_type, band=draw.band, arguments=draw.arguments)
        return _on_grid(in_type, space, group, draw)
    _refuse(in_type, sizes=draw.sizes, smoothness=draw.smoothness, exact=draw.exact)
    if isinstance(space, Sphere):
        _refuse(in_type, arguments=draw.arguments)
        return [_on_sphere(module, in_type, space, group, draw)]
    _refuse(in_type, band=draw.band)
    if isinstance(space, HomogeneousSpace):
        _refuse(in_type, arguments=draw.arguments)
        return [_on_cosets(in_type, group, draw)]
    return [_on_fibres(module, in_type, group, draw)]


def _refuse(in_type: FieldType, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{name}: has no meaning for {in_type!r}, expected None, got {value!r}"
            )


def common_group(in_type: FieldType, types: Iterable[FieldType | None]) -> Group:
    """The smallest of the groups that move the fields: a restriction leaves no more than that."""
    group = in_type.space.group  # pyright: ignore
    for other in types:
        moving = getattr(other.space, "group", None) if other is not None else None
        if moving is not None and moving != group and is_subgroup(moving, group):
            group = moving
    return group


def _on_sphere(
    module: nn.Module, in_type: FieldType, space: Sphere, group: Group, draw: Draw
) -> Trial:
    band = draw.band
    if band is None and aliases(module):
        band = (space.band + 1) // 2  # products of nonlinearities need room below the band
    values = random_field(
        in_type, draw.batch or _FIELDS, band=band, generator=draw.generator, dtype=torch.float64
    )
    return Trial(_elements(group, draw), values, lambda g: act(in_type, g, values))


def aliases(module: nn.Module) -> bool:
    """Whether a module inside says that it is equivariant up to aliasing only."""
    return any(getattr(part, "aliases", False) for part in module.modules())


def _on_cosets(in_type: FieldType, group: Group, draw: Draw) -> Trial:
    values = random_field(
        in_type, draw.batch or _FIELDS, generator=draw.generator, dtype=torch.float64
    )
    return Trial(_elements(group, draw), values, lambda g: act(in_type, g, values))


def _on_fibres(module: nn.Module, in_type: FieldType, group: Group, draw: Draw) -> Trial:
    space, known = in_type.space, dict(draw.arguments or {})
    count = len(known["positions"]) if "positions" in known else draw.batch or _CLOUD
    if isinstance(space, Points):
        wanted = inspect.signature(module.forward).parameters
        drawn = torch.randn(count, space.n, generator=draw.generator, dtype=torch.float64)
        if "positions" in wanted:
            known.setdefault("positions", _reach(module) * drawn)
        if "edges" in wanted:
            pairs = torch.cartesian_prod(torch.arange(count), torch.arange(count))
            known.setdefault("edges", pairs[pairs[:, 0] != pairs[:, 1]].mT.contiguous())
    values = random_field(in_type, count, generator=draw.generator, dtype=torch.float64)
    vectors = [name for name in ("positions", "shifts") if name in known]
    translation = torch.randn(group.n, generator=draw.generator, dtype=torch.float64)

    def move(g: Tensor) -> Tensor:
        return act(in_type, g, values)

    def arguments(g: Tensor | None) -> dict[str, Any]:
        if g is None or not isinstance(space, Points):
            return known
        moved = {name: space.move(g, known[name]) for name in vectors}
        if "positions" in moved:  # G has the translations too
            moved["positions"] = moved["positions"] + translation
        return known | moved

    return Trial(_elements(group, draw), values, move, arguments=arguments)


def _reach(module: nn.Module) -> float:
    """Half the shortest distance at which a module inside stops to look, 1 if none says."""
    cutoffs = [getattr(part, "cutoff", None) for part in module.modules()]
    return min((c / 2 for c in cutoffs if isinstance(c, int | float)), default=1.0)


def _on_grid(in_type: FieldType, space: Grid, group: Group, draw: Draw) -> list[Trial]:
    """White noise for the elements that keep the grid, a smooth field for the others."""
    assert draw.sizes is not None
    batch = draw.batch or _FIELDS
    if draw.elements is not None:
        group.check(draw.elements, "elements")
        exact, generic = _split(draw.elements.double(), (space, *draw.grids), draw.sizes)
    else:
        exact, generic = grid_elements(group, space, draw)
    found = []
    if len(exact):
        noise = random_field(
            in_type, batch, sizes=draw.sizes, smoothness=0, generator=draw.generator,
            dtype=torch.float64,
        )  # fmt: skip
        found.append(Trial(exact, noise, lambda g: act(in_type, g, noise)))
    if len(generic):
        width = SMOOTHNESS if draw.smoothness is None else draw.smoothness
        radius = inner_radius(in_type, draw.sizes) if draw.radius is None else draw.radius
        smooth = SmoothField.draw(in_type, batch, width, draw.generator, radius)
        smooth, sizes = smooth.refined(draw.scale), draw.sizes
        found.append(
            Trial(generic, smooth.sample(sizes), lambda g: smooth.moved(g).sample(sizes), True)
        )
    return found


def grid_elements(group: Group, space: Grid, draw: Draw) -> tuple[Tensor, Tensor]:
    """Elements of the group that keep the grid, and others, as many as are to be drawn.

    Raises:
        ValueError: if only one of the two kinds is asked for and there is none.
    """
    assert draw.sizes is not None
    grids = (space, *draw.grids)
    exact = grid_symmetries(group, space, draw.sizes, draw.grids)
    none = exact[:0]
    if draw.exact is True:
        if not len(exact):
            raise ValueError(
                f"exact: no element of {group} but the identity keeps a grid of sizes "
                f"{draw.sizes} over {space}; use exact=False"
            )
        return _generators_first(exact, draw), none
    if draw.exact is False:
        if isinstance(group, FiniteGroup) and group.order == len(exact) + 1:
            raise ValueError(f"exact: every element of {group} keeps the grid; use exact=True")
        return none, _split(_elements(group, draw, others=True), grids, draw.sizes)[1][: draw.count]
    return _split(_elements(group, draw), grids, draw.sizes)


def kinds(group: Group, in_type: FieldType, draw: Draw) -> tuple[bool, bool]:
    """Whether to try elements that keep a grid, and others, of which ``draw`` may want one kind."""
    if not isinstance(in_type.space, Grid):
        return False, True
    assert draw.sizes is not None
    keep = len(grid_symmetries(group, in_type.space, draw.sizes, draw.grids))
    others = not isinstance(group, FiniteGroup) or group.order > 1 + keep
    # What is wanted and is not there is refused where it is drawn.
    exact = draw.exact is not False and (keep > 0 or draw.exact is True)
    return exact, draw.exact is not True and (others or draw.exact is False)


def grid_symmetries(
    group: Group, space: Grid, sizes: Sequence[int], others: Sequence[Grid] = ()
) -> Tensor:
    """All elements of the group but the identity that map the grid to itself.

    Args:
        group: whose elements are tried.
        space: the grid.
        sizes: of its axes.
        others: grids of other steps, which the elements are to map to themselves as well.
    Returns:
        float64 ``(count, n, n)``, signed permutation matrices.
    """
    n = space.n
    matrices = []
    for order in itertools.permutations(range(n)):
        for signs in itertools.product((1.0, -1.0), repeat=n):
            matrix = torch.zeros(n, n, dtype=torch.float64)
            matrix[list(order), range(n)] = torch.tensor(signs, dtype=torch.float64)
            matrices.append(matrix)
    every = torch.stack(matrices)
    exact, _ = _split(every[group.mask(every)], (space, *others), sizes)
    return exact[(exact - torch.eye(n, dtype=torch.float64)).abs().amax((1, 2)) > 0]


def _split(elements: Tensor, grids: Sequence[Grid], sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Elements that map the grids to themselves, the first of these sizes, and the others."""
    space = grids[0]
    size = torch.zeros(space.n, dtype=torch.float64)
    size[list(space.coordinates)] = torch.tensor(sizes, dtype=torch.float64)
    alike = size[:, None] == size
    for grid in grids:
        spacing = torch.tensor(grid.spacing, dtype=torch.float64)
        alike = alike & (spacing[:, None] == spacing)
    zero = elements.abs() < 1e-6
    one = (elements.abs() - 1).abs() < 1e-6
    keeps = (zero | one & alike).all(-1).all(-1)
    return elements[keeps], elements[~keeps]


def _generators_first(elements: Tensor, draw: Draw) -> Tensor:
    """Generators of a group of which the elements but the identity are given, then some others."""
    one = torch.eye(elements.shape[-1], dtype=torch.float64)[None]
    whole = finite_group(torch.cat([one, elements]), "")
    first = whole.index(whole.generators).tolist()
    rest = [i for i in range(1, whole.order) if i not in first]
    order = torch.randperm(len(rest), generator=draw.generator).tolist()
    numbers = first + [rest[i] for i in order]
    return whole.elements[numbers[: max(draw.count, len(first))]]


def _elements(group: Group, draw: Draw, others: bool = False) -> Tensor:
    """Group elements: of a finite group generators and others, else drawn from Haar measure.

    Args:
        group: that is drawn from.
        draw: what is wanted.
        others: more than are wanted, of which some will be left out.
    """
    if draw.elements is not None:
        group.check(draw.elements, "elements")
        return draw.elements
    if isinstance(group, FiniteGroup):
        if group.order == 1:
            return group.elements
        more = replace(draw, count=group.order) if others else draw
        return _generators_first(group.elements[1:], more)
    drawn = group.sample(4 * draw.count, generator=draw.generator)
    proper = torch.linalg.det(drawn) > 0
    if proper.all() or not proper.any():
        return drawn[: draw.count]
    # Both components, whatever the draw.
    pairs = zip(drawn[proper], drawn[~proper], strict=False)
    return torch.stack([g for pair in pairs for g in pair])[: draw.count]
