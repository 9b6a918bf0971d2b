r"""How exact a layer of the catalogue is.

.. math:: \Delta(g) = \frac{\lVert \Phi(g f) - g \Phi(f) \rVert}{\lVert \Phi(f) \rVert} \quad (E1)

It is taken in float32, for two kinds of elements g. Those that permute the samples of a field, or
act on its spectrum, leave rounding only. Others move a field on a grid between its points: there
the error is that of the grid, and it must fall as the same field and the same filter are sampled
more finely.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from equinet.field import FieldType, act, random_field
from equinet.taxonomy.layers import Layer
from equinet.testing import equivariance_error
from equinet.testing.draws import Draw
from equinet.testing.elements import grid_elements, grid_symmetries
from equinet.testing.experiments import Experiment
from equinet.testing.outcomes import evaluating, run

BAR = 1e-5  # of what is exact, in float32
FALL = 0.9  # at most this part of an error is left on the next finer grid

_SIZES = {2: 17, 3: 7}  # odd, so that the centre is a point
_SHIFT = 2
_ROOM = 4  # around a field: a shift, and half a filter of size 5


@dataclass(frozen=True)
class Measured:
    """Relative equivariance errors (E1) of a layer in float32.

    Attributes:
        exact: the largest one, over elements with which the layer should commute to rounding.
        refined: the means over other elements, each on a finer grid than the one before; empty
            where there are no others.
    """

    exact: float
    refined: tuple[float, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether what should be exact is below 1e-5, and what should fall falls."""
        pairs = zip(self.refined, self.refined[1:], strict=False)
        return self.exact < BAR and all(fine <= FALL * coarse for coarse, fine in pairs)


def measure(build: Callable[[int], Layer], refinements: tuple[int, ...], seed: int = 0) -> Measured:
    """The errors of a layer.

    Args:
        build: the layer, whose space is a grid that many times as fine.
        refinements: of the grids on which elements are tried that do not keep them.
        seed: of fields and group elements.
    Returns:
        The errors at refinement 1 and at those of ``refinements``.
    """
    layer = build(1)
    exact = _on_grid(layer, seed) if _is_grid(layer) else equivariance_error(layer, seed=seed).max
    return Measured(exact, tuple(_between(build(scale), scale, seed) for scale in refinements))


def inputs_of(layer: Layer, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Random fields for a layer, and over points their positions and all pairs as edges."""
    in_type: FieldType = layer.in_type
    options: Any = dict(generator=Generator().manual_seed(seed), dtype=torch.float32)
    if _is_grid(layer):
        return (random_field(in_type, batch, sizes=_sizes(layer, 1), **options),)
    fields = random_field(in_type, batch, **options)
    if not in_type.space.in_clouds or "edges" not in _arguments(layer):
        return (fields,)
    positions = torch.randn(batch, in_type.space.group.n, **options)
    pairs = torch.cartesian_prod(torch.arange(batch), torch.arange(batch))
    return fields, positions, pairs[pairs[:, 0] != pairs[:, 1]].mT.contiguous()


def _arguments(layer: Layer) -> list[str]:
    return list(inspect.signature(layer.forward).parameters)


def _is_grid(layer: Layer) -> bool:
    return layer.in_type.space.grid is not None


def _sizes(layer: Layer, scale: int) -> tuple[int, ...]:
    """The same piece of the line, plane or space, with ``scale`` times as many steps."""
    space: Any = layer.in_type.space.grid
    return ((_SIZES[space.n] - 1) * scale + 1,) * space.n


def _on_grid(layer: Layer, seed: int) -> float:
    """The largest error under shifts by whole steps, with the symmetries of the grid before them.

    The fields are noise with room around it, so that nothing leaves the grid.
    """
    in_type: Any = layer.in_type
    out_type: Any = layer.out_type
    space, n = in_type.space, in_type.space.n
    generator = Generator().manual_seed(seed)
    sizes = (2 * _ROOM + 1,) * n
    noise = random_field(
        in_type, 2, sizes=sizes, smoothness=0, generator=generator, dtype=torch.float64
    )
    x = F.pad(noise, (_ROOM, _ROOM) * n)
    elements = torch.eye(n, dtype=torch.float64)[None]
    draw = Draw(5, seed, sizes=sizes, exact=True)
    if len(grid_symmetries(space.group, [space], sizes)):
        (kept,) = grid_elements(space.group, [space], sizes, draw)
        elements = torch.cat([elements, kept.elements])
    axes, worst = tuple(range(-n, 0)), 0.0
    experiment = Experiment.of(layer, in_type, out_type, draw)
    with evaluating(layer):
        y = run(experiment, x)
        for g in elements:
            shift = torch.randint(1, _SHIFT + 1, (n,), generator=generator).tolist()
            again = run(experiment, act(in_type, g, x).roll(shift, axes))
            moved = act(out_type, g, y).roll(shift, axes)
            worst = max(worst, float((again - moved).norm() / y.norm()))
    return worst


def _between(layer: Layer, scale: int, seed: int) -> float:
    """The mean error of elements that do not keep the grid, for a smooth field."""
    error = equivariance_error(
        layer, count=3, exact=False, sizes=_sizes(layer, scale), smoothness=2.0 * scale, seed=seed
    )
    return error.mean
