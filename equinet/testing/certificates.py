r"""Whether a layer is equivariant, and whether it is all that it could be.

The equivariant linear maps of a kind are a vector space, whose dimension characters tell. A layer
is universal if its weights reach all of them, which is a question of rank:

.. math:: \mathrm{rank}\, \frac{\partial \Phi}{\partial w} = \dim \mathrm{Hom}_G \quad (E3)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule, KernelLayer
from equinet.nn.module import is_source
from equinet.numerics.tables import Table, Tabular, error_cell
from equinet.testing.counts import all_maps, independent
from equinet.testing.draws import Draw
from equinet.testing.experiments import Experiment, Outputs, has_aliasing, type_after, type_of
from equinet.testing.outcomes import errors
from equinet.testing.trials import trials
from equinet.testing.verdicts import verdict

_COUNT = 5  # group elements
_UNIVERSAL = "universal: every equivariant linear map of this kind is a value of the weights"


@dataclass(frozen=True)
class LayerCertificate:
    """One row of a certificate.

    Attributes:
        name: of the layer in the model.
        kind: its class.
        weights: how many numbers its kernel has, without the bias; None if they are not counted.
        free: how many of them act independently.
        dim: of the space of all equivariant linear maps of this kind.
        error: the largest relative equivariance error; NaN if there are no types to measure with.
        is_equivariant: whether that is what rounding leaves, or a grid; None if not measured.
        verdict: a sentence.
    """

    name: str
    kind: str
    weights: int | None
    free: int | None
    dim: int | None
    error: float
    is_equivariant: bool | None
    verdict: str

    @property
    def is_universal(self) -> bool:
        """Whether it is equivariant and its weights reach every map."""
        if self.free is None or self.dim is None:
            return False
        return bool(self.is_equivariant) and self.free >= self.dim


@dataclass(frozen=True)
class Certificate(Tabular):
    """What the theory says of a model and of its layers; ``str`` makes a table of it.

    Attributes:
        model: its class.
        in_type: what goes in.
        layers: in the order in which the model has them.
        error: the largest relative equivariance error of the whole model.
        is_equivariant: whether that is what rounding leaves, or a grid.
    """

    model: str
    in_type: FieldType
    layers: tuple[LayerCertificate, ...]
    error: float
    is_equivariant: bool

    @property
    def is_universal(self) -> bool:
        """Whether the model and all layers with weights that are counted are universal."""
        counted = [layer for layer in self.layers if layer.free is not None]
        return self.is_equivariant and bool(counted) and all(c.is_universal for c in counted)

    @property
    def verdict(self) -> str:
        """A sentence on the whole model."""
        if len(self.layers) == 1:
            return self.layers[0].verdict
        if not self.is_equivariant:
            return f"not equivariant: error {self.error:.1e}"
        counted = [layer for layer in self.layers if layer.free is not None]
        if not counted:
            return "equivariant"
        universal = sum(layer.is_universal for layer in counted)
        return f"equivariant; {universal} of {len(counted)} layers with kernels are universal"

    def table(self) -> Table:
        """A row for each layer: what its weights reach, of how many maps there are."""
        rows = []
        for c in self.layers:
            counts = ["" if n is None else str(n) for n in (c.weights, c.free, c.dim)]
            rows.append((c.name or ".", c.kind, *counts, error_cell(c.error), c.verdict))
        total = ("all", self.model, "", "", "", error_cell(self.error), self.verdict)
        return Table(
            f"certificate of {self.model}, {self.in_type!r}",
            ("layer", "kind", "weights", "free", "of", "error", "verdict"),
            "<<>>>><",
            tuple(rows),
            None if len(rows) == 1 else total,
        )


def certificate(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: Outputs = None,
    *,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> Certificate:
    """Measure whether a model is equivariant, and count whether its layers are universal.

    For each layer with equivariant kernels three numbers are found in three ways: the weights are
    counted, the rank of the map from weights to kernels is computed (E3), and the dimension of the
    space of all such maps comes from characters, without the layer's own basis. What "all" means:

    ===================  ==========================================================================
    layer                all equivariant maps of the kind
    ===================  ==========================================================================
    ``HomogeneousConv``  all linear maps between the fields (Mackey's formula)
    ``Linear``           all matrices between the fibres (Schur's lemma)
    ``Conv1d`` ...       all kernels with K(h x) = rho_out(h) K(x) rho_in(h)^-1 on R^n, at the taps
                         of the filter and within its groups; ``ConvTranspose`` likewise
    ``PointConv``        for each radial function all functions of the direction; for a finite group
                         of degree up to ``lmax``
    ``SphereConv``       all linear maps between fields of its band
    ``Product``          all bilinear maps of the two fields
    ``SymmetricPower``   all polynomials of each channel up to its degree
    ===================  ==========================================================================

    Equivariance is measured in float64 on random fields as by ``assert_equivariant``, layer by
    layer and for the whole; over a grid the error is that of the elements that keep the grid, if
    there are any. Layers of plain ``torch.nn`` are measured between the types of their neighbours
    in a ``Sequential``, or with the types that are given.

    Args:
        module: a layer or a model; it is not changed.
        in_type: type of the input; ``module.in_type`` if None.
        out_type: type of the output; ``module.out_type`` if None, or invariant; of several outputs
            a dict, as in ``equivariance_error``.
        seed: of fields and group elements.
        arguments: more keyword arguments of the module, over ``Points``; its input too, if that is
            no field, as in ``equivariance_error``.
    Returns:
        A row for each layer, and the error of the whole.
    Raises:
        ValueError: if there is no type, or an output vanishes, so that there is nothing to measure.

    Example:
        >>> from equinet import Plane, nn as enn
        >>> from equinet.harmonics import Pixels
        >>> x = Plane("C4").fields("1x regular")
        >>> found = certificate(enn.Conv2d(x, x, 3, functions=Pixels))
        >>> found.layers[0].weights, found.layers[0].free, found.layers[0].dim
        (36, 36, 36)
        >>> found.verdict[:9]
        'universal'
    """
    in_type = type_of(module, in_type, arguments=arguments)
    out_type = type_after(module, out_type)
    draw = Draw(_COUNT, seed)
    error, passed = _measured(module, in_type, out_type, replace(draw, arguments=arguments))
    rows = []
    for name, layer, types, why in _parts(module, in_type, out_type):
        if layer is module:
            found = error, passed
        else:
            found = _measured(layer, *types, draw) if types else (math.nan, None)
        rows.append(_certified(name, layer, *found, why))
    return Certificate(type(module).__name__, in_type, tuple(rows), error, passed)


def _certified(
    name: str, layer: nn.Module, error: float, passed: bool | None, why: str
) -> LayerCertificate:
    """The row of a layer, of which the error is known."""
    weights = free = dim = None
    if isinstance(layer, KernelLayer) and layer.kernel_space() is not None:
        with torch.device("cpu"):
            dim = all_maps(layer)
            weights, free = independent(layer)
    kind = type(layer).__name__
    if passed is None:
        verdict = why
    elif not passed:
        verdict = f"not equivariant: error {error:.1e}"
    elif weights is None:
        verdict = "equivariant up to aliasing" if has_aliasing(layer) else "equivariant"
    elif dim is None:
        verdict = "equivariant; the dimension of all maps of this kind is not known"
    elif free is None:
        verdict = f"equivariant; its {weights} weights are too many to be told apart"
    elif free >= dim:
        verdict = _UNIVERSAL
    else:
        verdict = f"equivariant, but {dim - free} of {dim} dimensions are missing: "
        verdict += _why(layer, weights, free, dim)
    return LayerCertificate(name, kind, weights, free, dim, error, passed, verdict)


def _why(layer: nn.Module, weights: int, free: int, dim: int) -> str:
    """Why dimensions are missing: weights that say nothing new, or too few of them."""
    found = []
    if free < weights:
        found.append(f"{weights - free} of its {weights} weights do nothing of their own")
    if weights < dim:
        known = layer.lacking if isinstance(layer, KernelLayer) else ""
        found.append(known or f"it has {weights} weights only")
    return ", and ".join(found)


# --- what is measured -----------------------------------------------------------------------------


def _measured(
    module: nn.Module, in_type: FieldType, out_type: Outputs, draw: Draw
) -> tuple[float, bool]:
    """The largest error, in float64, and whether the module passes as equivariant."""
    twin = copy.deepcopy(module).double()
    experiment = Experiment.of(twin, in_type, out_type, draw)
    found = verdict(experiment)
    if found.failure is None:
        return found.error.max, True
    return errors(experiment, trials(experiment)).max, False


Types = tuple[FieldType, Outputs]


def _parts(
    model: nn.Module, in_type: FieldType, out_type: Outputs
) -> Iterator[tuple[str, nn.Module, Types | None, str]]:
    """The layers of a model with the types to measure them with, or why there are none."""
    leaves = list(_leaves("", model))
    types = [_types(leaf) for _, leaf in leaves]
    in_row = isinstance(model, nn.Sequential)
    invariant = False  # whether all that comes now is a function of invariants
    for i, (name, leaf) in enumerate(leaves):
        own = types[i]
        if leaf is model:
            yield name, leaf, (in_type, out_type), ""
        elif own is not None:
            invariant = in_row and own[1] is None
            yield name, leaf, own, ""
        elif is_source(leaf) or isinstance(leaf, nn.Embedding):
            yield name, leaf, None, "makes fields of what is none, so there is nothing to measure"
        elif invariant:
            yield name, leaf, None, "acts on invariants, where every map is equivariant"
        elif in_row and (found := _between(types, i)) is not None:
            yield name, leaf, found, ""
        else:
            yield name, leaf, None, "not measured: no types on both sides of it"


def _types(layer: nn.Module) -> Types | None:
    """The types that a layer knows, if any."""
    in_type = getattr(layer, "in_type", None)
    return (in_type, getattr(layer, "out_type", None)) if isinstance(in_type, FieldType) else None


def _between(types: list[Types | None], i: int) -> Types | None:
    """The types of a layer that knows none, from its neighbours in a row, if they know theirs."""
    before = types[i - 1] if i else None
    after = types[i + 1] if i + 1 < len(types) else (None, None)
    if before is None or not isinstance(before[1], FieldType) or after is None:
        return None
    return before[1], after[0]


def _leaves(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The typed layers, and modules without parts; what a layer of ours is made of is its own."""
    held = [(key, child) for key, child in module._modules.items() if child is not None]
    children = [(f"{name}.{key}".lstrip("."), child) for key, child in held]  # one may stand twice
    parts = [part for _, child in children for part in child.modules()]
    ours = isinstance(module, EquivariantModule)
    whole = ours and not any(isinstance(p, EquivariantModule) for p in parts)
    learns = ours and any(True for _ in module.parameters(recurse=False))
    if not children or whole or learns or isinstance(module, KernelLayer):
        yield name, module
        return
    for key, child in children:
        yield from _leaves(key, child)
