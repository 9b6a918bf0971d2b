r"""Where the equivariance error of one layer comes from.

A layer over a grid is tried alone on smooth random fields f of its own input type, known at every
point (``SmoothField``), which go on beyond the end of the grid. Norms are taken over the largest
ball of the grid and are relative to that of :math:`\phi(f)`; g is an element that takes grid points
between grid points. Each source is measured by one change, and is zero where the change does
nothing.

.. math::
   \text{alone} &= |\phi(g f) - g\, \phi(f)| \\
   \text{interpolation} &= \tfrac12 |g^{-1} g\, y - y|, \quad y = \phi(f) \\
   \text{padding} &= |d(g f) - g\, d(f)|, \quad
       d(f) = \phi(f|_{grid}) - \phi(f|_{wide})|_{grid} \\
   \text{stride} &= |(g\, y_{dense}){\downarrow} - g\, (y_{dense}{\downarrow})| \\
   \text{aliasing} &= |\phi(T f) - T \phi(f)| \\
   \text{kernel} &= |\phi(g f)(0) - \rho(g) \phi(f)(0)|
   \quad (E2)

Interpolation: of the output, there and back. Padding: d is what the layer makes of the end of the
grid, beyond which it puts zeros (say) where a wider grid goes on; for a layer that gives vectors it
is what the corners do that turn out of sight. Stride: outputs at every pixel are moved and then
sub-sampled, or the other way round; the outputs between come from shifted inputs. A strided layer
that breaks the symmetry of the grid, off its centre, has this error on top. Aliasing: of a layer
that acts point by point; T interpolates at the moved points, with which it commutes unless it is
nonlinear. Kernel: at the centre of the grid, which stays where it is, so that neither interpolation
nor the border enter; what is left is a filter that the grid does not resolve, or a layer that is
not equivariant. Where a module says that it aliases (a function on a group, sampled on a grid),
this part counts as aliasing.
"""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from equinet.field import FieldType, act
from equinet.field.grid import Grid
from equinet.field.space import space_of
from equinet.testing.elements import grid_symmetries
from equinet.testing.experiments import Experiment
from equinet.testing.outcomes import ORDER, ball, compared, errors, run, there_and_back
from equinet.testing.smooth import SmoothField, inner_radius
from equinet.testing.trials import SMOOTHNESS, trials

_LONGER = 60  # a multiple of most strides
_CENTRES = 8  # fields, where one point of each is looked at
NAMES = ("interpolation", "padding", "stride", "aliasing", "kernel")


@dataclass(frozen=True)
class Sources:
    """Relative errors of one layer (E2); NaN where one could not be measured.

    Attributes:
        alone: of the layer alone, between the grid points.
        exact: of the layer alone, for elements that map the grid to itself; over other spaces for
            all elements.
        interpolation, padding, stride, aliasing, kernel: the sources.
        translation: for a shift by one pixel of the output, away from the border.
    """

    alone: float
    exact: float
    interpolation: float = 0.0
    padding: float = 0.0
    stride: float = 0.0
    aliasing: float = 0.0
    kernel: float = 0.0
    translation: float = 0.0


def sources(layer: Experiment, elements: Tensor) -> Sources:
    """The errors of a layer.

    Args:
        layer: alone, with what to draw for it; over a grid it is tried on ``elements`` and on
            those that keep the grid, elsewhere on ``elements`` only.
        elements: group elements, ``(count, n, n)``.
    Returns:
        Its error and what makes it.
    Raises:
        TypeError, ValueError: if an output cannot be measured.
    """
    layer = replace(layer, module=copy.deepcopy(layer.module).eval())
    with torch.no_grad(), warnings.catch_warnings():
        # Sizes are tried that nobody asked for: what the layer says of them is not for the user.
        warnings.simplefilter("ignore")
        if layer.in_type.space.grid is None:
            everywhere = replace(layer, draw=replace(layer.draw, elements=elements))
            error = errors(everywhere, trials(everywhere)).mean
            return _declared(layer, Sources(error, error, kernel=error))
        assert layer.sizes is not None
        exact = _exact(layer, layer.sizes)
        draw = layer.draw
        width = SMOOTHNESS if draw.smoothness is None else draw.smoothness
        f = SmoothField.draw(
            layer.inputs, draw.batch or 2, width, Generator().manual_seed(draw.seed)
        )
        probe = _Probe(layer, f, elements, layer.sizes)
        if not probe.gives_maps:
            return replace(_of_pool(probe), exact=exact)
        return _declared(layer, _of_maps(probe, exact))


def _exact(layer: Experiment, sizes: Sequence[int]) -> float:
    """The largest error for elements that map the grid to itself; 0 if there are none."""
    if not len(grid_symmetries(layer.group, layer.grids, sizes)):
        return 0.0
    exact = replace(layer, draw=replace(layer.draw, exact=True))
    return errors(exact, trials(exact)).max


def _declared(layer: Experiment, found: Sources) -> Sources:
    """What is left of a layer that says that it aliases is aliasing."""
    if not layer.aliases:
        return found
    return replace(found, aliasing=math.hypot(found.aliasing, found.kernel), kernel=0.0)


class _Probe:
    """A layer with a smooth field, its outputs and elements that move them."""

    def __init__(
        self, layer: Experiment, f: SmoothField, elements: Tensor, sizes: Sequence[int]
    ) -> None:
        self.layer, self.f, self.elements, self.sizes = layer, f, elements, tuple(sizes)
        self.grid = space_of(f.field_type, Grid)
        self.y = self(f)
        grid = None if layer.out_type is None else layer.out_type.space.grid
        self.gives_maps = self.y.dim() > 2 and grid is not None
        self.out_type = layer.out_type if self.gives_maps or grid is None else None

    @property
    def map_type(self) -> FieldType:
        """Type of the output of a layer that gives maps."""
        assert self.gives_maps and self.out_type is not None
        return self.out_type

    def __call__(
        self,
        f: SmoothField,
        sizes: Sequence[int] | None = None,
        offset: Sequence[float] | None = None,
    ) -> Tensor:
        return run(self.layer, f.sample(self.sizes if sizes is None else sizes, offset))

    def accepted(self, f: SmoothField, sizes: Sequence[int]) -> Tensor | None:
        """The output, or None where the layer does not take a grid of these sizes."""
        try:
            return self(f, sizes)
        except (RuntimeError, ValueError):
            return None

    def mean(self, error: Callable[[Tensor], Tensor]) -> float:
        """The mean of ``error(g)`` over the elements."""
        return float(torch.stack([error(g) for g in self.elements]).mean())

    def in_ball(self, difference: Tensor, y: Tensor, margin: float = 1) -> Tensor:
        """The relative norm of a difference of outputs in the middle of the grid."""
        inside = ball(self.map_type, y.shape[2:], margin)
        return (difference * inside).norm() / (y * inside).norm()


def _of_pool(probe: _Probe) -> Sources:
    """A layer that turns maps into vectors: there is a border, and the rest is the layer itself."""
    f, y, layer = probe.f, probe.y, probe.layer
    faded = replace(f, radius=inner_radius(f.field_type, probe.sizes))
    y_faded = probe(faded)

    def alone(g: Tensor) -> Tensor:
        return compared(probe.out_type, g, y, probe(f.moved(g)), True)

    def away_from_border(g: Tensor) -> Tensor:
        return compared(probe.out_type, g, y_faded, probe(faded.moved(g)), True)

    def corners(f: SmoothField) -> Tensor:
        x = f.sample(probe.sizes)
        return run(layer, x) - run(layer, x * ball(f.field_type, probe.sizes))

    d = corners(f)

    def padding(g: Tensor) -> Tensor:
        moved = d if probe.out_type is None else act(probe.out_type, g, d)
        return (corners(f.moved(g)) - moved).norm() / y.norm()

    return Sources(
        probe.mean(alone), 0.0, padding=probe.mean(padding), kernel=probe.mean(away_from_border)
    )


def _of_maps(probe: _Probe, exact: float) -> Sources:
    f, y, out_type = probe.f, probe.y, probe.map_type

    def alone(g: Tensor) -> Tensor:
        return compared(out_type, g, y, probe(f.moved(g)), True)

    pointwise = _is_pointwise(probe)
    strides = (1,) * len(probe.sizes) if pointwise else _strides(probe)
    found = Sources(probe.mean(alone), exact, kernel=_at_centre(probe, strides or (1,)))
    if pointwise:
        return replace(found, aliasing=_aliasing(probe))
    if strides is None:  # a layer that takes one size only, or always gives one
        interpolation = probe.mean(lambda g: there_and_back(out_type, g, y))
        unknown = dict.fromkeys(("padding", "stride", "translation"), math.nan)
        return replace(found, interpolation=interpolation, **unknown)
    strided = max(strides) > 1
    stride = math.hypot(_sub_sampling(probe, strides), exact) if strided else 0.0
    wide = _Wide(probe, strides)
    return replace(
        found,
        interpolation=wide.interpolation(),
        padding=wide.padding(),
        stride=stride,
        translation=wide.translation(),
    )


def _is_pointwise(probe: _Probe) -> bool:
    """Whether the layer commutes with every permutation of the grid points."""
    if probe.y.shape[2:] != probe.sizes:
        return False
    order = torch.randperm(math.prod(probe.sizes), generator=torch.Generator().manual_seed(0))

    def shuffled(values: Tensor) -> Tensor:
        return values.flatten(2)[:, :, order].unflatten(2, probe.sizes)

    again = run(probe.layer, shuffled(probe.f.sample(probe.sizes)))
    return float((again - shuffled(probe.y)).norm() / probe.y.norm()) < 1e-4


def _aliasing(probe: _Probe) -> float:
    x = probe.f.sample(probe.sizes)

    def interpolated(values: Tensor, g: Tensor) -> Tensor:
        scalars = probe.grid.fields(f"{values.shape[1]}x trivial")
        return act(scalars, g, values, order=ORDER)

    def error(g: Tensor) -> Tensor:
        there = run(probe.layer, interpolated(x, g)) - interpolated(probe.y, g)
        return probe.in_ball(there, probe.y)

    return probe.mean(error)


def _strides(probe: _Probe) -> tuple[int, ...] | None:
    """The step of the input for a step of the output along each axis, measured."""
    strides = []
    for axis in range(len(probe.sizes)):
        sizes = list(probe.sizes)
        sizes[axis] += _LONGER
        y = probe.accepted(probe.f, sizes)
        if y is None or y.shape[2 + axis] <= probe.y.shape[2 + axis]:
            return None
        strides.append(max(1, round(_LONGER / (y.shape[2 + axis] - probe.y.shape[2 + axis]))))
    return tuple(strides)


def _sub_sampling(probe: _Probe, strides: Sequence[int]) -> float:
    """The output at every pixel, moved and sub-sampled, against the other way round."""
    y, out_type = probe.y, probe.map_type
    dense = y.new_zeros(*y.shape[:2], *(m * s for m, s in zip(y.shape[2:], strides, strict=True)))
    for offset in itertools.product(*(range(s) for s in strides)):
        phase = tuple(slice(o, None, s) for o, s in zip(offset, strides, strict=True))
        dense[(..., *phase)] = probe(probe.f, offset=offset)
    kept = tuple(slice(s * (m - 1) + 1) for m, s in zip(y.shape[2:], strides, strict=True))
    dense = dense[(..., *kept)]
    fine_type = FieldType(space_of(out_type, Grid, "out_type").refined(strides), out_type.blocks)
    coarse = tuple(slice(None, None, s) for s in strides)

    def error(g: Tensor) -> Tensor:
        moved = act(fine_type, g, dense, order=ORDER)[(..., *coarse)]
        return probe.in_ball(moved - act(out_type, g, y, order=ORDER), y)

    return probe.mean(error)


def _at_centre(probe: _Probe, strides: Sequence[int]) -> float:
    """The law at the centre of the grid, for the size that has a point of the output there."""
    n, best = max(probe.sizes), math.nan
    generator = torch.Generator().manual_seed(0)
    width = 1 / float(probe.f.waves.square().mean().sqrt() * math.sqrt(2))
    step = max(probe.grid.spacing)
    f = SmoothField.draw(probe.f.field_type, _CENTRES, width / step, generator)
    for size in range(n, n + 2 * max(strides)):
        sizes = (size,) * len(probe.sizes)
        one = probe.accepted(replace(f, coefficients=f.coefficients[:1]), sizes)
        if one is None or any(m % 2 == 0 for m in one.shape[2:]):
            continue
        y = probe(f, sizes)
        middle = tuple(m // 2 for m in y.shape[2:])
        value = y[(..., *middle)]
        errors = [
            probe(f.moved(g), sizes)[(..., *middle)] - value @ probe.map_type.rho(g).mT
            for g in probe.elements
        ]
        error = float(torch.stack(errors).square().mean().sqrt() / value.square().mean().sqrt())
        best = error if math.isnan(best) else min(best, error)
    return best


class _Wide:
    """The layer on a grid that goes on where that of the probe ends."""

    def __init__(self, probe: _Probe, strides: Sequence[int]) -> None:
        self.probe = probe
        margins = [
            s * math.ceil(max(size // 4, 4) / s)
            for size, s in zip(probe.sizes, strides, strict=True)
        ]
        self.sizes = [size + 2 * c for size, c in zip(probe.sizes, margins, strict=True)]
        self.step = [float(strides[0]), *(0.0 for _ in strides[1:])]
        self.y = probe(probe.f, self.sizes)
        more = [big - m for big, m in zip(self.y.shape[2:], probe.y.shape[2:], strict=True)]
        self.kept = None
        if all(d > 0 and d % 2 == 0 for d in more):  # half of what is more lies on each side
            self.kept = tuple(
                slice(d // 2, d // 2 + m) for d, m in zip(more, probe.y.shape[2:], strict=True)
            )

    def cropped(self, values: Tensor, shift: int = 0) -> Tensor:
        assert self.kept is not None
        first = slice(self.kept[0].start + shift, self.kept[0].stop + shift)
        return values[(..., first, *self.kept[1:])]

    def padding(self) -> float:
        if self.kept is None:
            return math.nan
        probe = self.probe
        d, y = probe.y - self.cropped(self.y), self.cropped(self.y)

        def error(g: Tensor) -> Tensor:
            f = probe.f.moved(g)
            again = probe(f) - self.cropped(probe(f, self.sizes))
            return probe.in_ball(again - act(probe.map_type, g, d, order=ORDER), y)

        return probe.mean(error)

    def translation(self) -> float:
        if self.kept is None:
            return math.nan
        moved = self.cropped(self.probe(self.probe.f, self.sizes, self.step))
        y = self.cropped(self.y, shift=1)
        return float((moved - y).norm() / y.norm())

    def interpolation(self) -> float:
        out_type = self.probe.map_type
        if self.kept is None:
            return self.probe.mean(lambda g: there_and_back(out_type, g, self.probe.y))

        def error(g: Tensor) -> Tensor:
            back = act(out_type, g.mT, act(out_type, g, self.y, order=ORDER), order=ORDER)
            y = self.cropped(self.y)
            return self.probe.in_ball(self.cropped(back) - y, y) / 2

        return self.probe.mean(error)
