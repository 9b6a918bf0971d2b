r"""What a module is tried on: fields, and how group elements move them.

In: an experiment. Out: ``Trial``.

Over most spaces every element moves a field exactly. Over a grid the signed permutations of the
axes do; other elements move a field between its points, so there the field is a smooth function
that is known everywhere.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType, act, random_field
from equinet.testing.elements import drawn_elements, grid_elements
from equinet.testing.experiments import Experiment
from equinet.testing.smooth import SmoothField, inner_radius
from equinet.testing.spaces import is_cloud, options_of, room_of

SMOOTHNESS = 2.0
_CLOUD = 8  # points, where the batch is a cloud of them
_FIELDS = 2


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
    in_type, draw, grid = experiment.in_type, experiment.draw, experiment.grid
    are_vectors = not in_type.space.axes(in_type.blocks)  # with nothing but batch and channel
    over_grid = dict.fromkeys(("sizes", "smoothness", "exact"), grid is not None)
    meaning = over_grid | {"band": "band" in options_of(in_type), "arguments": are_vectors}
    for name, has_meaning in meaning.items():
        value = getattr(draw, name)
        if not has_meaning and value is not None:
            raise ValueError(
                f"{name}: has no meaning for {in_type!r}, expected None, got {value!r}"
            )
    if grid is not None:
        return _on_grid(experiment, by_kind)
    return [_of_vectors(experiment) if are_vectors else _of_maps(experiment)]


def _on_grid(experiment: Experiment, by_kind: bool) -> list[Trial]:
    """White noise for the elements that keep the grid, a smooth field for the others."""
    in_type, draw, sizes, found = experiment.in_type, experiment.draw, experiment.sizes, []
    assert sizes is not None and draw.sizes is not None
    batch = draw.batch or _FIELDS
    drawn = grid_elements(experiment.group, experiment.grids, draw, by_kind=by_kind)
    for elements, between, generator in drawn:
        if between:
            width = SMOOTHNESS if draw.smoothness is None else draw.smoothness
            radius = inner_radius(in_type, draw.sizes)
            smooth = SmoothField.draw(in_type, batch, width, generator, radius)
            smooth = smooth.refined(experiment.scale)
            values, move = smooth.sample(sizes), functools.partial(smooth.moved_sample, sizes)
        else:
            values = random_field(
                in_type, batch, sizes=sizes, smoothness=0, generator=generator, dtype=torch.float64
            )
            move = functools.partial(act, in_type, x=values)
        found.append(Trial(elements, values, move, between))
    return found


def _of_maps(experiment: Experiment) -> Trial:
    """Fields with axes, which every element moves exactly."""
    in_type, draw, generator = experiment.in_type, experiment.draw, experiment.draw.generator()
    band = draw.band
    if band is None and experiment.aliases:
        band = room_of(in_type)  # products of nonlinearities need room below the band
    values = random_field(
        in_type, draw.batch or _FIELDS, band=band, generator=generator, dtype=torch.float64
    )
    elements = drawn_elements(experiment.group, draw, generator)
    return Trial(elements, values, functools.partial(act, in_type, x=values), False)


def _of_vectors(experiment: Experiment) -> Trial:
    """Fields without axes; over points, their positions move with them."""
    in_type, draw, generator = experiment.in_type, experiment.draw, experiment.draw.generator()
    given, cloud = dict(draw.arguments or {}), is_cloud(in_type)
    count = len(given["positions"]) if "positions" in given else draw.batch or _CLOUD
    if cloud:
        given = _neighbourhood(experiment.module, in_type, count, generator) | given
    values = random_field(in_type, count, generator=generator, dtype=torch.float64)
    translation = torch.randn(experiment.group.n, generator=generator, dtype=torch.float64)
    elements = drawn_elements(experiment.group, draw, generator)
    arguments = functools.partial(_moved, given, translation if cloud else None)
    return Trial(elements, values, functools.partial(act, in_type, x=values), False, arguments)


def _neighbourhood(
    module: nn.Module, in_type: FieldType, count: int, generator: Generator
) -> dict[str, Any]:
    """Positions and all pairs as edges, as far as ``forward`` takes them."""
    wanted, found = inspect.signature(module.forward).parameters, {}
    positions = torch.randn(
        count, in_type.space.fibre_group.n, generator=generator, dtype=torch.float64
    )
    if "positions" in wanted:
        found["positions"] = _reach(module) * positions
    if "edges" in wanted:
        pairs = torch.cartesian_prod(torch.arange(count), torch.arange(count))
        found["edges"] = pairs[pairs[:, 0] != pairs[:, 1]].mT.contiguous()
    return found


def _reach(module: nn.Module) -> float:
    """Half the shortest distance at which a module inside stops to look, 1 if none says."""
    cutoffs = [getattr(part, "cutoff", None) for part in module.modules()]
    return min((c / 2 for c in cutoffs if isinstance(c, int | float)), default=1.0)


def _moved(
    given: dict[str, Any], translation: Tensor | None, g: Tensor | None = None
) -> dict[str, Any]:
    """The arguments, of which positions and shifts turn with ``g``; positions are shifted too."""
    if g is None or translation is None:
        return given
    g = g.to(translation)
    turned = {name: given[name] for name in ("positions", "shifts") if name in given}
    turned = {name: value.to(g) @ g.mT for name, value in turned.items()}
    if "positions" in turned:  # G has the translations too
        turned["positions"] = turned["positions"] + translation
    return given | turned
