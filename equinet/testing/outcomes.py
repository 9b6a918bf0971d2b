r"""What a trial shows: how far a module is from commuting with the group.

In: an experiment and a trial. Out: ``Outcome`` and ``EquivarianceError``.

.. math:: \Delta(g) = \frac{\lVert \Phi(g f) - g \Phi(f) \rVert}{\lVert \Phi(f) \rVert} \quad (E1)
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from equinet.field import FieldType, act
from equinet.field.graph import Graph
from equinet.field.grid import Grid
from equinet.field.space import space_of
from equinet.nn.surroundings import example_kinds
from equinet.testing.experiments import Experiment
from equinet.testing.trials import Trial

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
        """The largest error."""
        return float(self.errors.max())

    @property
    def mean(self) -> float:
        """The mean of the errors."""
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


class Part(NamedTuple):
    """A typed module inside the one that is tried."""

    name: str
    module: nn.Module
    in_type: FieldType
    out_type: FieldType | None


@dataclass(frozen=True)
class Call:
    """One run of a layer inside the module that is tried.

    Attributes:
        layer: which one.
        sizes: of the axes of the fields that it was given.
        arguments: what else it was given.
        output: float64.
    """

    layer: Part
    sizes: tuple[int, ...]
    arguments: dict[str, Any]
    output: Tensor


@dataclass(frozen=True)
class Outcome:
    """What a trial shows of a module, and of the layers that were followed.

    Attributes:
        error: of the module.
        calls: of the layers, in the order in which they ran.
        layers: errors (E1) of the outputs of the calls, ``(elements, calls)``.
    """

    error: EquivarianceError
    calls: list[Call]
    layers: Tensor


def outcome(experiment: Experiment, trial: Trial, layers: tuple[Part, ...] = ()) -> Outcome:
    """Run a module on the fields of a trial as they are and moved, and compare the outputs.

    Args:
        experiment: the module, in evaluation mode while it runs and then as it was.
        trial: of the experiment.
        layers: those inside that are to be followed.
    Returns:
        An error for each element, and for each element and call of a layer.
    Raises:
        TypeError, ValueError: if an output cannot be measured.
    """
    out_type, between = experiment.out_type, trial.between
    types = {"": out_type} if experiment.outputs is None else experiment.outputs
    whole, interpolation, rows = [], [], []
    with evaluating(experiment.module), following(layers) as calls:
        ys = _outputs(experiment, trial.values, trial.arguments(None))
        first = calls.copy()
        for g in trial.elements:
            calls.clear()
            again = _outputs(experiment, trial.move(g), trial.arguments(g))
            found = [compared(types[n], g, y, again[n], between, n) for n, y in ys.items()]
            whole.append(torch.stack(found).max())
            interpolation.append(torch.zeros_like(whole[-1]))
            if between and out_type is not None and _is_map(out_type, ys[""]):
                interpolation[-1] = there_and_back(out_type, g, ys[""])
            rows.append(_of_layers(first, calls, g, between))
    error = EquivarianceError(
        trial.elements, torch.stack(whole), torch.stack(interpolation), experiment.sizes
    )
    return Outcome(error, first, torch.tensor(rows, dtype=torch.float64))


def _of_layers(first: list[Call], calls: list[Call], g: Tensor, between: bool) -> list[Tensor]:
    """The errors of the calls of layers for moved fields; the first are for fields as they are."""
    before, after = ([call.layer.name for call in found] for found in (first, calls))
    if before != after:
        raise ValueError(
            f"module: expected the same layers to run for moved fields, got {after} after {before}"
        )
    pairs = zip(first, calls, strict=True)
    return [compared(a.layer.out_type, g, a.output, b.output, between) for a, b in pairs]


def errors(experiment: Experiment, trials: Sequence[Trial]) -> EquivarianceError:
    """The errors of a module over several trials.

    Args:
        experiment: the module.
        trials: of the experiment.
    Returns:
        Those of all trials, in their order.
    Raises:
        TypeError, ValueError: if an output cannot be measured.
    """
    found = [outcome(experiment, trial).error for trial in trials]
    return EquivarianceError(
        torch.cat([error.elements for error in found]),
        torch.cat([error.errors for error in found]),
        torch.cat([error.interpolation for error in found]),
        experiment.sizes,
    )


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode, without gradients, then every part as it was."""
    mode = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m, training in mode.items():
            m.training = training


@contextmanager
def following(layers: tuple[Part, ...]) -> Iterator[list[Call]]:
    """A list to which each of the layers adds its runs."""
    calls: list[Call] = []

    def follow(layer: Part) -> RemovableHandle:
        def keep(module: nn.Module, inputs: tuple, known: dict[str, Any], output: object) -> None:
            bound = inspect.signature(module.forward).bind(*inputs, **known).arguments
            (_, x), *more = bound.items()
            y = numbers(output, f"module.{layer.name}" if layer.name else "module")
            calls.append(Call(layer, tuple(x.shape[2:]), dict(more), y))

        return layer.module.register_forward_hook(keep, with_kwargs=True)

    handles = [follow(layer) for layer in layers]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def run(experiment: Experiment, x: Tensor, arguments: Mapping[str, Any] | None = None) -> Tensor:
    """The output of a module that may be of another dtype and elsewhere.

    Args:
        experiment: on the module.
        x: its input, float64; all ``inputs`` side by side.
        arguments: more keyword arguments of the module; its input, if that is no field.
    Returns:
        float64, on the CPU.
    Raises:
        TypeError, ValueError: if it is nothing that can be measured.
    """
    return numbers(_called(experiment, x, arguments))


def _outputs(experiment: Experiment, x: Tensor, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """The same of a module that may return several outputs, by name; one has the empty name."""
    y = _called(experiment, x, arguments)
    if experiment.outputs is None:
        return {"": numbers(y)}
    named = y._asdict() if hasattr(y, "_asdict") else y
    if not isinstance(named, Mapping) or not experiment.outputs.keys() <= named.keys():
        wanted, kind = ", ".join(experiment.outputs), type(y).__name__
        got = f"a {kind} of {', '.join(named)}" if isinstance(named, Mapping) else f"a {kind}"
        raise TypeError(f"module: expected it to return {wanted} by name, got {got}")
    found = {}
    for name, fields in experiment.outputs.items():
        if named[name] is not None:  # what is not computed this time
            y = numbers(named[name], f"module.{name}")
            is_matrix = fields is not None and not fields.axes and y.dim() > 2
            found[name] = y.flatten(1) if is_matrix else y
    return found


def _called(experiment: Experiment, x: Tensor, arguments: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - whatever it returns
    like, module = experiment.like, experiment.module
    known = {name: _placed(value, like) for name, value in (arguments or {}).items()}
    known = example_kinds(module, len(x)) | known
    # A copy, for a module that writes into its input.
    x = x.to(like, copy=True)
    others = {name: x[:, part] for name, part in experiment.others.items()}
    first = x[:, : experiment.in_type.channels] if others else x
    return module(known.pop(experiment.first, first), **others, **known)


def _placed(value: object, like: Tensor) -> object:
    """An argument where the module is, in its dtype if it is floating."""
    if isinstance(value, Graph):
        return value.to(like.device, like.dtype)
    if not isinstance(value, Tensor):
        return value
    return value.to(like if value.is_floating_point() else like.device)


def numbers(y: object, argument: str = "module") -> Tensor:
    """A copy of the output of a module in float64.

    Args:
        y: what the module returned.
        argument: the name of the module in an error.
    Returns:
        On the CPU.
    Raises:
        TypeError, ValueError: if it is nothing that can be measured.
    """
    if not isinstance(y, Tensor) or y.is_complex():
        got = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"{argument}: expected it to return a real tensor, got {got}")
    if not y.isfinite().all():
        raise ValueError(f"{argument}: expected finite numbers in its output, got NaN or infinity")
    return y.detach().to("cpu", torch.float64, copy=True)  # the next layer may write over it


def _is_map(out_type: FieldType, y: Tensor) -> bool:
    """Whether ``y`` has the axes of a grid."""
    return out_type.space.grid is not None and y.dim() > 2


def _are_fields(out_type: FieldType, y: Tensor) -> bool:
    """Whether ``y`` may be such feature maps; if not it is plain vectors, such as scores."""
    vectors = not out_type.space.axes(out_type.blocks) and y.shape[1:] == (out_type.channels,)
    return y.dim() > 2 or y.dim() == 2 and vectors


def compared(
    out_type: FieldType | None,
    g: Tensor,
    y: Tensor,
    again: Tensor,
    between: bool,
    name: str = "",
) -> Tensor:
    """Distance of ``again`` from g y, relative to y.

    Args:
        out_type: of both; None for invariants.
        g: the group element.
        y: the output for the input as it is.
        again: the output for the moved input.
        between: whether ``g`` takes grid points between grid points, so that maps are compared in
            the middle of the grid.
        name: of the output, if there are several.
    Returns:
        The error (E1), of no dimension.
    Raises:
        ValueError: if ``y`` vanishes.
    """
    moved, inside = y, torch.ones((), dtype=torch.bool)
    if out_type is not None and _are_fields(out_type, y):
        moved = act(out_type, g, y, order=ORDER)
        if between and _is_map(out_type, y):
            inside = ball(out_type, y.shape[2:], margin=1)
    size = (y * inside).norm()
    if not size > 0:
        output = f"output {name}" if name else "output"
        raise ValueError(f"module: its {output} vanishes, so no error can be told from it")
    return ((again - moved) * inside).norm() / size


def ball(field_type: FieldType, sizes: Sequence[int], margin: float = 0.0) -> Tensor:
    """Which points lie in the largest ball of a grid, but for a shell at its end: bool ``sizes``.

    Args:
        field_type: over the grid.
        sizes: of the grid.
        margin: thickness of the shell in steps of the grid.
    Returns:
        True at the points inside.
    """
    grid = space_of(field_type, Grid, "field_type")
    points = grid.positions(*sizes)
    radius = points.abs().flatten(0, -2).amax(0).min() - margin * max(grid.spacing)
    return points.norm(dim=-1) <= radius.clamp(min=0) + 1e-9


def there_and_back(out_type: FieldType, g: Tensor, y: Tensor) -> Tensor:
    r"""Half the relative change of y by two interpolations, :math:`|g^{-1} g y - y| / 2 |y|`.

    Args:
        out_type: of ``y``, over a grid.
        g: the group element.
        y: feature maps.
    Returns:
        The change in the middle of the grid, of no dimension.
    """
    inside = ball(out_type, y.shape[2:], margin=3)
    back = act(out_type, g.mT, act(out_type, g, y, order=ORDER), order=ORDER)
    size = (y * inside).norm()
    return ((back - y) * inside).norm() / size / 2 if size > 0 else torch.zeros_like(size)
