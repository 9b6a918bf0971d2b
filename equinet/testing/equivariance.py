r"""How far a module is from commuting with the group.

.. math:: \Delta(g) = \frac{\lVert \Phi(g f) - g \Phi(f) \rVert}{\lVert \Phi(f) \rVert} \quad (E1)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from equinet.field import FieldType, act
from equinet.field.grid import Grid
from equinet.numerics.arguments import check_number
from equinet.testing.sizes import evaluating, fitting_sizes, like_of, sizes_of
from equinet.testing.smooth import ball, inner_radius
from equinet.testing.trial import Draw, Trial, aliases, common_group, kinds, trials

# What rounding leaves of an equivariant linear map.
_EXACT = {torch.float64: 1e-10, torch.float32: 1e-4}
_ALIASED = 0.1
_FALL = 0.8  # the error on a grid twice as fine, over the error
_FLOOR = 0.5  # of a right layer whose filter has few pixels
ORDER = 3  # of the interpolation of outputs


@dataclass(frozen=True)
class EquivarianceError:
    """Relative errors (E1), one for each group element.

    Attributes:
        elements: the group elements, ``(count, n, n)``.
        errors: their errors, ``(count,)``.
        interpolation: what moving the output alone does to it, half the relative change there and
            back, ``(count,)``; zero where nothing is interpolated.
        sizes: of the grid that was used, if it was one.
    """

    elements: Tensor
    errors: Tensor
    interpolation: Tensor
    sizes: tuple[int, ...] | None = None

    @property
    def max(self) -> float:
        return float(self.errors.max())

    @property
    def mean(self) -> float:
        return float(self.errors.mean())

    def __str__(self) -> str:
        worst = self.elements[int(self.errors.argmax())].tolist()
        rows = ", ".join("[" + ", ".join(f"{v:+.3f}" for v in row) + "]" for row in worst)
        text = (
            f"relative equivariance error: max {self.max:.2e}, mean {self.mean:.2e} over "
            f"{len(self.errors)} group elements; worst at [{rows}]"
        )
        if self.sizes is not None:
            text += f"; on a grid of {' x '.join(map(str, self.sizes))}"
        if self.interpolation.any():
            text += f", interpolation alone {float(self.interpolation.mean()):.2e}"
        return text


def equivariance_error(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    *,
    count: int = 5,
    batch: int | None = None,
    band: int | None = None,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    exact: bool | None = None,
    seed: int = 0,
    elements: Tensor | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> EquivarianceError:
    r"""Measure (E1) on random fields for several group elements.

    Works for any module: one of this library knows its types, for another say them. The module is
    measured in evaluation mode and left as it was. Elements of a continuous group are drawn from
    Haar measure, so their axes are neither polar nor on the grid; of a finite group there are
    generators and others.

    Over the sphere fields are moved exactly, through their spectra; over ``Points`` and ``Point``
    by rho(g), and positions by g and a translation; over a ``HomogeneousSpace`` by a permutation
    of its points and rho of the cocycle. Over a grid, elements that map the grid to
    itself (signed permutations of the axes) move white noise exactly, and outputs are compared
    everywhere. For other elements the input is a smooth function that fades before the end of the
    grid, which is moved exactly as well; the output is moved by cubic interpolation and compared in
    the largest ball of the grid. What this interpolation does is measured beside it.

    Args:
        module: Phi, from ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
        in_type: type of the input; ``module.in_type`` if None.
        out_type: type of the output; None means ``module.out_type`` where there is one, and
            otherwise that the output is invariant.
        count: number of group elements.
        batch: number of fields for each of them, 2 by default; over points, of points, 8 by
            default.
        band: over the sphere, bound of the degrees of the random fields. By default all of the band
            of the space; half of it if a module inside has nonlinearities, whose products need room
            below the band.
        sizes: over a grid, of its axes; by default small odd ones (or even ones) at which every
            strided layer keeps the centre.
        smoothness: over a grid, of the smooth fields: the standard deviation, in steps of the grid,
            of the Gaussian that would make them of white noise; 2 by default.
        exact: over a grid, True for elements that map it to itself only, False for others only.
        seed: of fields and group elements.
        elements: use these group elements ``(count, n, n)`` instead.
        arguments: more keyword arguments of the module, over ``Points``: "positions" and "shifts"
            move with the group. Positions and edges ``(2, count)``, all pairs, are drawn if
            ``forward`` takes them and they are not given.
    Raises:
        TypeError, ValueError: if there is no type, an argument has no meaning over the space, or
            the output vanishes, is not finite or not a real tensor, so that there is nothing to
            compare.
    """
    in_type = type_of(module, in_type)
    draw = Draw(
        count, seed, batch, elements=elements, band=band, sizes=sizes, smoothness=smoothness,
        exact=exact, arguments=arguments,
    )  # fmt: skip
    draw = replace(draw, sizes=sizes_of(module, in_type, sizes))
    return measured(module, in_type, out_type, draw)


def type_of(module: nn.Module, in_type: FieldType | None, argument: str = "module") -> FieldType:
    """The type of the input, which is said or which the module knows."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"{argument}: expected a torch.nn.Module, got {type(module).__name__}")
    in_type = getattr(module, "in_type", None) if in_type is None else in_type
    if not isinstance(in_type, FieldType):
        raise ValueError(
            f"in_type: expected a FieldType, since {type(module).__name__} does not know its own, "
            f"got {in_type!r}"
        )
    return in_type


def types_inside(module: nn.Module) -> list[FieldType]:
    """The types of all typed modules inside."""
    named = [getattr(m, name, None) for m in module.modules() for name in ("in_type", "out_type")]
    return [value for value in named if isinstance(value, FieldType)]


def grids_of(types: Iterable[FieldType | None]) -> tuple[Grid, ...]:
    """The grids of fields, each once."""
    spaces = [t.space for t in types if t is not None and isinstance(t.space, Grid)]
    return tuple(dict.fromkeys(spaces))


def type_after(module: nn.Module, out_type: FieldType | None) -> FieldType | None:
    """The type of the output, which is said or which the module knows; None for invariants."""
    out_type = getattr(module, "out_type", None) if out_type is None else out_type
    if out_type is not None and not isinstance(out_type, FieldType):
        raise TypeError(f"out_type: expected a FieldType or None, got {type(out_type).__name__}")
    return out_type


def measured(
    module: nn.Module, in_type: FieldType, out_type: FieldType | None, draw: Draw
) -> EquivarianceError:
    """The errors of a module for what is drawn."""
    out_type = type_after(module, out_type)
    types = [*types_inside(module), out_type]
    group, draw = common_group(in_type, types), replace(draw, grids=grids_of(types))
    found = []
    with evaluating(module):
        for trial in trials(module, in_type, group, draw):
            found += _errors(module, trial, out_type)
    elements, errors, interpolation = (torch.stack(column) for column in zip(*found, strict=True))
    return EquivarianceError(elements, errors, interpolation, draw.sizes)


def _errors(module: nn.Module, trial: Trial, out_type: FieldType | None) -> list:
    """(element, error, error of the interpolation) for each element of a trial."""
    y = run(module, trial.values, trial.arguments(None))
    rows = []
    for g in trial.elements:
        again = run(module, trial.move(g), trial.arguments(g))
        error = compared(out_type, g, y, again, trial.between)
        alone = torch.zeros_like(error)
        if trial.between and _is_map(out_type, y):
            alone = there_and_back(out_type, g, y)  # pyright: ignore
        rows.append((g, error, alone))
    return rows


def _is_map(out_type: FieldType | None, y: Tensor) -> bool:
    """Whether ``y`` has the axes of a grid."""
    return out_type is not None and isinstance(out_type.space, Grid) and y.dim() > 2


def run(module: nn.Module, x: Tensor, arguments: Mapping[str, Any] | None = None) -> Tensor:
    """The output, float64, of a module that may be of another dtype and elsewhere."""
    like = like_of(module)
    known = {
        name: value.to(like) if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in (arguments or {}).items()
    }
    # A copy, for a module that writes into its input.
    return numbers(module(x.to(like, copy=True), **known))


def numbers(y: Any) -> Tensor:
    """The output of a module in float64; an error if it is nothing that can be measured."""
    if not isinstance(y, Tensor) or y.is_complex():
        got = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"module: expected it to return a real tensor, got {got}")
    if not y.isfinite().all():
        raise ValueError("module: expected finite numbers in its output, got NaN or infinity")
    return y.double().cpu()


def _fits(out_type: FieldType, y: Tensor) -> bool:
    """Whether ``y`` may be such feature maps; more than vectors must be."""
    return y.dim() > 2 or y.dim() == 2 and y.shape == _vectors(out_type, len(y))


def _vectors(out_type: FieldType, batch: int) -> tuple[int, ...] | None:
    axes = out_type.space.axes(out_type.blocks)
    return None if axes else (batch, out_type.channels)


def compared(
    out_type: FieldType | None, g: Tensor, y: Tensor, again: Tensor, between: bool
) -> Tensor:
    """Distance of ``again`` from g y, relative to y.

    Args:
        out_type: of both; None for invariants.
        g: the group element.
        y: the output for the input as it is.
        again: the output for the moved input.
        between: whether ``g`` takes grid points between grid points, so that maps are compared in
            the middle of the grid.
    """
    if out_type is not None and not _fits(out_type, y):
        out_type = None  # plain vectors, such as the scores of a classifier
    moved = y if out_type is None else act(out_type, g, y, order=ORDER)
    inside = torch.ones((), dtype=torch.bool)
    if out_type is not None and between and _is_map(out_type, y):
        inside = ball(out_type, y.shape[2:], margin=1)
    size = (y * inside).norm()
    if not size > 0:
        raise ValueError("module: its output vanishes, so no error can be told from it")
    return ((again - moved) * inside).norm() / size


def there_and_back(out_type: FieldType, g: Tensor, y: Tensor) -> Tensor:
    r"""Half the relative change of y by two interpolations, :math:`|g^{-1} g y - y| / 2 |y|`."""
    inside = ball(out_type, y.shape[2:], margin=3)
    back = act(out_type, g.mT, act(out_type, g, y, order=ORDER), order=ORDER)
    size = (y * inside).norm()
    return ((back - y) * inside).norm() / size / 2 if size > 0 else torch.zeros_like(size)


def assert_equivariant(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    *,
    tolerance: float | None = None,
    count: int = 5,
    batch: int | None = None,
    band: int | None = None,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    exact: bool | None = None,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> EquivarianceError:
    """Raise AssertionError if a module does not commute with the group.

    Over the sphere, points and finite spaces no error may be above ``tolerance``. Over a grid this
    holds for the elements that map the grid to itself, generators of all of these among them.
    Others a grid can only follow approximately: the mean of their errors must fall when the same
    picture is sampled twice as finely, or be below 0.5, since a filter of few pixels leaves an
    error that no finer picture mends.

    Args:
        module: as in ``equivariance_error``, like all that follow but the tolerance.
        in_type: type of the input.
        out_type: type of the output.
        tolerance: by default what rounding leaves of a linear map, 1e-10 in float64 and 1e-4 in
            float32; with nonlinearities on a grid of a group, whose outputs have degrees above the
            band, 0.1. Given together with ``exact=False`` it stands in place of the refinement.
        count: number of group elements.
        batch: number of fields.
        band: bound of the degrees of the random fields over the sphere.
        sizes: of a grid.
        smoothness: of the fields on a grid.
        exact: over a grid, True to leave out the elements that do not map it to itself, False to
            leave out those that do.
        seed: of fields and group elements.
        arguments: more keyword arguments of the module.
    Returns:
        The measured errors: over a grid those of the elements that map it to itself, if there are
        any.
    """
    in_type, out_type = type_of(module, in_type), type_after(module, out_type)
    if tolerance is None:
        limit = _ALIASED if aliases(module) else _EXACT.get(like_of(module).dtype, 1e-1)
    else:
        check_number(tolerance, "tolerance", 0)
        limit = tolerance
    draw = Draw(
        count, seed, batch, band=band, sizes=sizes, smoothness=smoothness, exact=exact,
        arguments=arguments,
    )  # fmt: skip
    if not isinstance(in_type.space, Grid):
        return _below(module, measured(module, in_type, out_type, draw), limit)
    draw = replace(draw, sizes=sizes_of(module, in_type, sizes))
    types = [*types_inside(module), out_type]
    draw = replace(draw, grids=grids_of(types))
    keep, others = kinds(common_group(in_type, types), in_type, draw)
    error = None
    if keep:
        error = measured(module, in_type, out_type, replace(draw, exact=True))
        _below(module, error, limit)
    if others:
        coarse = measured(module, in_type, out_type, replace(draw, exact=False))
        if exact is False and tolerance is not None:
            _below(module, coarse, tolerance)
        else:
            _falls(module, in_type, out_type, replace(draw, exact=False), coarse)
        error = coarse if error is None else error
    return measured(module, in_type, out_type, draw) if error is None else error


def _below(module: nn.Module, error: EquivarianceError, limit: float) -> EquivarianceError:
    if not error.max <= limit:
        raise AssertionError(
            f"{type(module).__name__} is not equivariant within {limit:g}: {error}"
        )
    return error


def _falls(
    module: nn.Module,
    in_type: FieldType,
    out_type: FieldType | None,
    draw: Draw,
    coarse: EquivarianceError,
) -> None:
    """Raise unless the mean error is small or falls on a grid that is twice as fine."""
    if coarse.mean <= _FLOOR:
        return
    fine = measured(module, in_type, out_type, refined(module, in_type, draw, 2))
    if not fine.mean <= _FALL * coarse.mean:
        raise AssertionError(
            f"{type(module).__name__} is not equivariant between the grid points: the mean error "
            f"{coarse.mean:.2e} does not fall on a grid twice as fine, where it is {fine.mean:.2e} "
            f"(exact=True leaves this out): {fine}"
        )


def refined(module: nn.Module, in_type: FieldType, draw: Draw, scale: int) -> Draw:
    """The same smooth fields and elements on a grid ``scale`` times as fine."""
    assert draw.sizes is not None
    if scale == 1:
        return draw
    sizes = fitting_sizes(module, in_type, least=scale * (max(draw.sizes) - 1) + 1)
    return replace(draw, sizes=sizes, scale=scale, radius=inner_radius(in_type, draw.sizes))
