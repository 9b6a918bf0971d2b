r"""What a module is tried on: fields, and how group elements move them.

In: an experiment. Out: ``Trial``.

Over most spaces every element moves a field exactly. Over a grid the signed permutations of the
axes do; other elements move a field between its points, so there the field is a smooth function
that is known everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from equinet.field import act, random_field
from equinet.field.graph import Graph
from equinet.field.noise import noise_options
from equinet.nn.surroundings import example
from equinet.numerics.values import check_real
from equinet.testing.elements import exact_elements, grid_elements
from equinet.testing.experiments import Experiment
from equinet.testing.smooth import SmoothField, inner_radius

SMOOTHNESS = 2.0
_VECTORS = 8  # points of a cloud, or vectors over a single point
_FIELDS = 2


@dataclass(frozen=True)
class Trial:
    """A batch of fields, and group elements that move it.

    Attributes:
        elements: ``(count, n, n)``.
        values: the fields, float64; of a module with several, all ``inputs`` side by side.
        move: from an element to the values of the moved fields.
        between: whether the elements take grid points between grid points, so that the output is
            moved by interpolation and compared in the middle of the grid.
        arguments: more keyword arguments of the module, for an element or, for None, as they are.
    """

    elements: Tensor
    values: Tensor
    move: Callable[[Tensor], Tensor]
    between: bool
    arguments: Callable[[Tensor | None], dict[str, Any]] = lambda g: {}


def trials(experiment: Experiment, *, by_kind: bool = False) -> list[Trial]:
    """Fields and group elements for a module; over a grid, those that keep it and the others.

    Args:
        experiment: the module, the types and what to draw.
        by_kind: over a grid, ``count`` elements of each kind there is, in place of a mixture.
    Returns:
        One trial for each kind of elements; those that keep the grid come first.
    Raises:
        ValueError: if an option has no meaning over the space.
    """
    in_type, draw, grid = experiment.in_type, experiment.draw, experiment.in_type.space.grid
    options = noise_options(in_type)
    meaning = {name: name in options for name in ("band", "sizes", "smoothness")}
    meaning |= {"exact": grid is not None, "arguments": not in_type.space.axes(in_type.blocks)}
    for name, has_meaning in meaning.items():
        value = getattr(draw, name)
        if not has_meaning and value is not None:
            raise ValueError(
                f"{name}: has no meaning for {in_type!r}, expected None, got {value!r}"
            )
    return [_exact(experiment)] if grid is None else _on_grid(experiment, by_kind)


def _exact(experiment: Experiment) -> Trial:
    """Random fields, all of which every element moves exactly."""
    inputs, draw = experiment.inputs, experiment.draw
    generator = Generator().manual_seed(draw.seed)
    space, given = inputs.space, dict(draw.arguments or {})
    count, translation = draw.batch or _FIELDS, None
    if not space.axes(inputs.blocks):
        names = (experiment.first, "positions", "kind", *experiment.others)
        counted = [given[name] for name in names if name in given]
        count = len(counted[0]) if counted else draw.batch or _VECTORS
    if space.in_clouds:
        given = _neighbourhood(experiment.module, space.group.n, count, generator) | given
    options = {name: getattr(draw, name) for name in noise_options(inputs)}
    if "sizes" in options:
        options["sizes"] = experiment.sizes
    if "band" in options and draw.band is None and experiment.aliases:
        options["band"] = space.room  # products of nonlinearities need room below the band
    values = random_field(inputs, count, generator=generator, dtype=torch.float64, **options)
    fields = {experiment.first: slice(experiment.in_type.channels), **experiment.others}
    for name, part in fields.items():
        if name in given and not (name == experiment.first and _are_numbers(given[name])):
            check_real(name, given[name], values[:, part].shape)
            values[:, part] = given.pop(name)
    if space.in_clouds:  # whose positions G translates too
        translation = torch.randn(space.group.n, generator=generator, dtype=torch.float64)
    elements = exact_elements(experiment.group, space, experiment.sizes or (), draw, generator)
    move = functools.partial(act, inputs, x=values)
    return Trial(elements, values, move, False, functools.partial(_moved, given, translation))


def _on_grid(experiment: Experiment, by_kind: bool) -> list[Trial]:
    """White noise for the elements that keep the grid, a smooth field for the others."""
    inputs, draw = experiment.inputs, experiment.draw
    sizes, coarse = experiment.sizes, experiment.coarse
    assert sizes is not None and coarse is not None
    batch, found = draw.batch or _FIELDS, []
    drawn = grid_elements(experiment.group, experiment.grids, coarse, draw, by_kind=by_kind)
    for elements, between, generator in drawn:
        if between:
            width = SMOOTHNESS if draw.smoothness is None else draw.smoothness
            radius = inner_radius(inputs, coarse)
            smooth = SmoothField.draw(inputs, batch, width, generator, radius)
            smooth = smooth.refined(experiment.scale)
            values, move = smooth.sample(sizes), functools.partial(smooth.moved_sample, sizes)
        else:
            values = random_field(
                inputs, batch, sizes=sizes, smoothness=0, generator=generator, dtype=torch.float64
            )
            move = functools.partial(act, inputs, x=values)
        found.append(Trial(elements, values, move, between))
    return found


def _are_numbers(x: object) -> bool:
    """Whether an input is no field but the species of points, say, which nothing changes."""
    return isinstance(x, Tensor) and not x.is_floating_point()


def _neighbourhood(module: nn.Module, n: int, count: int, generator: Generator) -> dict[str, Any]:
    """Positions and all pairs as edges, as far as the module takes them."""
    positions = torch.randn(count, n, generator=generator, dtype=torch.float64)
    return example(module, _reach(module) * positions)


def _reach(module: nn.Module) -> float:
    """Half the shortest distance at which a module inside stops to look, 1 if none says."""
    cutoffs = [getattr(part, "cutoff", None) for part in module.modules()]
    return min((c / 2 for c in cutoffs if isinstance(c, int | float)), default=1.0)


def _moved(
    given: dict[str, Any], translation: Tensor | None, g: Tensor | None = None
) -> dict[str, Any]:
    """The arguments; in a cloud ``g`` turns positions, shifts and cells, positions also move."""
    if g is None or translation is None:
        return given
    turned: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Graph):
            cell = value.cell
            turned[name] = value if cell is None else value.with_cell(cell.to(translation) @ g.mT)
        elif name in ("positions", "shifts"):
            turned[name] = value.to(translation) @ g.mT
    if "positions" in turned:
        turned["positions"] = turned["positions"] + translation
    return given | turned
