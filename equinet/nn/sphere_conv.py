r"""Convolutions on the sphere and on SO(3)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from equinet.field import FieldAnalysis, FieldSynthesis, FieldType, sphere_of
from equinet.field.mirror import block_parities
from equinet.field.sphere import check_acting
from equinet.field.transform import block_orders
from equinet.harmonics.grid import degree_columns
from equinet.nn.convolution import grouped
from equinet.nn.kernel_layer import KernelLayer
from equinet.nn.meaning import fingerprint, said
from equinet.nn.module import rand
from equinet.nn.requirements import check_permuted
from equinet.numerics.arguments import check_flag
from equinet.numerics.cached import on_cpu
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.pages import explained
from equinet.ops import (
    SpectrumPlan,
    SpectrumSide,
    block_matmul,
    filter_spectrum,
    full_precision,
)
from equinet.ops.precision import is_autocast
from equinet.steerable import SphereFilter, SphereKernels, near_identity, sphere_basis
from equinet.steerable.sphere_filters import at_band


class SphereConv(KernelLayer):
    r"""Correlation between any two field types on the sphere.

    .. math:: [\psi * f](R) = \int_{SO(3)} \psi(R^{-1} Q) f(Q)\, dQ, \qquad
              \widehat{\psi * f}{}^l = \hat f^l (W^l)^T

    From trivial to regular it is the lifting correlation on S^2, from regular to regular the
    correlation on SO(3) (Cohen et al. 2018), from trivial to trivial the zonal convolution (Esteves
    et al. 2018), and between irreps m and m' the convolution of spin-weighted fields. The output is
    sampled at the band of ``out_type``; degrees above the smaller of the two bands are dropped.

    Where O(3) acts, the layer commutes with mirrors too: of the filter it takes the even part (O2),
    half of the weights between spins, and there is no constant for pseudoscalars.

    Args:
        in_type: fields over a sphere.
        out_type: fields over a sphere, of any band.
        functions: what the filter is made of; ``steerable.near_identity()`` by default.
        bias: add a learned constant to the invariant fields of the output.
        relu: rectify the output, as ``enn.ReLU`` behind it does. Fields over SO(3) are large, and
            this takes no pass over memory of its own, forwards or backwards.
        groups: the copies of each block fall into so many groups of equal number, in order, and
            each sees those of its own group only, as in ``torch.nn``. It saves weights; the
            products are as large as without.
        generator: for the initial weights, uniform in [-1, 1] times a constant that keeps the
            second moment of the activations through layers with ReLU.
        device, dtype: of the module, as in ``torch.nn``.
        filter: the old name of ``functions``.
    Shape:
        ``in_type.shape(batch)`` to ``out_type.shape(batch)``. Under ``torch.autocast`` it is in the
        dtype of that, and all that comes before in float32.
    Raises:
        TypeError: if ``functions`` are no ``SphereFilter``.
        ValueError: for types over another space, or spheres on which other groups act, if there is
            no map but zero, and if ``groups`` does not divide all multiplicities.
    Warns:
        UserWarning: if channels of a type have no map.

    Attributes:
        weight: for each pair of blocks, those of the output first, ``(copies out, copies in
            / groups, functions)``, one pair behind the other in a row.
        bias: one for each copy of a block with invariant fields, or None.
    """

    basis: Tensor
    table: Tensor
    lacking = "its filter does not reach all matrices of all degrees"
    calls_below = 3

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        functions: SphereFilter | None = None,
        bias: bool = True,
        *,
        relu: bool = False,
        groups: int = 1,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        filter: SphereFilter | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        if out_type is None:
            raise TypeError("out_type: expected a FieldType, got NoneType")
        functions = _family(functions, "functions")
        if filter is not None:
            functions = _family(filter, "filter")
            warn_renamed("filter", "functions")
        self.aliases = self.relu = check_flag(relu, "relu")
        check_flag(bias, "bias")
        if relu:
            check_permuted(out_type, "relu", "enn.Gate, or enn.NormActivation", "out_type")
        before, after = sphere_of(in_type), sphere_of(out_type, "out_type")
        check_acting(after, before)
        self.band = min(before.band, after.band)
        self.functions, self.groups = at_band(functions, self.band), groups
        for name, field_type in (("in_type", in_type), ("out_type", out_type)):
            grouped(field_type.blocks, groups, name)
        self.orders_in = block_orders(in_type, self.band)
        self.orders_out = block_orders(out_type, self.band)
        self.analysis = FieldAnalysis(in_type, self.band)
        self.synthesis = FieldSynthesis(out_type, self.band)

        self._set_scales()
        if not any(self.scales):
            raise ValueError(
                explained(
                    f"out_type: there is no equivariant map but zero from {in_type!r} to "
                    f"{out_type!r} below band {self.band}",
                    "guide/pitfalls.md#dead-paths",
                )
            )
        width = len(in_type.blocks)
        live = [number for number, scale in enumerate(self.scales) if scale]
        self.set_paths((number % width, number // width) for number in live)
        self.weight = nn.Parameter(torch.empty(sum(map(math.prod, self._shapes))))
        sides = (self._side(out_type, self.orders_out), self._side(in_type, self.orders_in))
        self._plan = SpectrumPlan(*sides, tuple(points for *_, points in self._shapes))
        constants = len(self._invariants())
        self.bias = nn.Parameter(torch.empty(constants)) if bias and constants else None
        self.register_load_state_dict_pre_hook(_join_weights)
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def _set_scales(self) -> None:
        """For each pair of blocks the shape of its weights, and what they are multiplied by."""
        self.scales: list[float] = []
        self._gains: list[float] = []
        self._shapes: list[tuple[int, int, int]] = []
        for basis, gain, mul_out, mul_in in self._pairs():
            # Uniform weights have variance 1/3; ReLU halves the second moment.
            mul_in //= self.groups
            total = gain * math.sqrt(mul_in * len(self.in_type.blocks) / 3 / 2)
            self._gains.append(gain)
            self.scales.append(1 / total if total else 0.0)
            self._shapes.append((mul_out, mul_in, basis.shape[1]))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does; the bias is 0."""
        with torch.no_grad():
            for weight in self.split_weight():
                weight.copy_(2 * rand(*weight.shape, generator=generator) - 1)
            if self.bias is not None:
                self.bias.zero_()

    def split_weight(self) -> list[Tensor]:
        """The coefficients of each pair of blocks, those of one block of the output side by side.

        Returns:
            Views of ``weight``, ``(copies out, copies in / groups, functions)`` each.
        """
        parts = self.weight.split([math.prod(shape) for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    @property
    def weights(self) -> list[Tensor]:
        """``split_weight``, by its old name."""
        warn_renamed("weights", "weight, or split_weight()")
        return self.split_weight()

    @property
    def filter(self) -> SphereFilter:
        """``functions``, by its old name."""
        warn_renamed("filter", "functions")
        return self.functions

    def __dir__(self) -> list[str]:
        """The names but those that have a successor: ``torch.jit.trace`` looks at all of them."""
        return [name for name in super().__dir__() if name not in ("filter", "weights")]

    def meaning(self) -> str:
        """The types, and the filter of which the weights are coefficients, by how much of it.

        The band is not in it, as many filters are the same at all bands, but where it tells what
        the filter is.
        """
        gains = torch.tensor([1.0, *self._gains], dtype=torch.float64, device="cpu")
        band = f" of band {self.band}" if getattr(self.functions, "is_of_band", False) else ""
        word = f"{super().meaning()}, {said(self.functions)}"
        return f"{word}; gains {fingerprint([gains])}{band}"

    @on_cpu
    def _pairs(self) -> list[tuple[Tensor, float, int, int]]:
        """(basis, gain, copies out, copies in) for each pair of an output and an input block."""
        sides = (
            zip(field_type.blocks, orders, block_parities(field_type), strict=True)
            for field_type, orders in (
                (self.out_type, self.orders_out),
                (self.in_type, self.orders_in),
            )
        )
        found = []
        for ((mul_out, _), n_out, up), ((mul_in, _), n_in, down) in itertools.product(*sides):
            parity = None if up is None or down is None else up * down
            made = sphere_basis(self.functions, self.band, n_out, n_in, parity)
            found.append((*made, mul_out, mul_in))
        return found

    def _side(self, field_type: FieldType, orders: list[tuple[int, ...]]) -> SpectrumSide:
        counts = tuple(tuple(degree_columns(l, n) for l in range(self.band)) for n in orders)
        return SpectrumSide(tuple(mul for mul, _ in field_type.blocks), counts)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        # The scales do not depend on the dtype, so only the bases are made anew.
        pairs = zip(self.scales, self._pairs(), strict=True)
        basis = torch.cat([(scale * basis).flatten() for scale, (basis, *_) in pairs])
        found = {"basis": basis, "table": self._plan.table()}
        if self.groups > 1:
            found["places"] = self._places()
        invariants = self._invariants()
        if self.bias is not None and len(invariants) < self._plan.out.sizes[0]:
            found["constants_at"] = torch.tensor(invariants)
        return found

    def _invariants(self) -> list[int]:
        """Which of the fields that have a degree 0 have a constant: pseudoscalars have none."""
        kinds = zip(
            self.out_type.blocks, self.orders_out, block_parities(self.out_type), strict=True
        )
        found = [parity != -1 for (mul, _), n, parity in kinds if 0 in n for _ in range(mul)]
        return [i for i, has_constant in enumerate(found) if has_constant]

    def _bias(self) -> Tensor | None:
        """What is added to the coefficients of degree 0."""
        at = self._buffers.get("constants_at")
        if self.bias is None or at is None:
            return self.bias
        return self.bias.new_zeros(self._plan.out.sizes[0]).index_copy(0, at, self.bias)

    def _places(self) -> Tensor:
        """Where each weight stands among those of a single group."""
        places, start = [], 0
        for mul_out, mul_in, points in self._shapes:
            out = torch.arange(mul_out)[:, None]
            into = torch.arange(mul_in) + out // (mul_out // self.groups) * mul_in
            pair = (out * (mul_in * self.groups) + into)[..., None] * points
            places.append((start + pair + torch.arange(points)).flatten())
            start += mul_out * mul_in * self.groups * points
        return torch.cat(places)

    def dense(self) -> Tensor:
        """The entries of the matrices W^l in a row, degree by degree; 0 between groups."""
        weight, places = self.weight, self._buffers.get("places")
        if places is not None:
            zeros = weight.new_zeros(self.groups * len(weight))
            weight = zeros.index_copy(0, places, weight)
        return filter_spectrum(self._plan, weight, self.basis, self.table)

    def matrices(self) -> list[Tensor]:
        """The matrices W^l of all blocks, ``(K_l out, K_l in)`` for each degree."""
        shapes = self._plan.shapes
        parts = self.dense().split([rows * columns for rows, columns in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def fields(self) -> Tensor:
        sides = self._plan.out, self._plan.into
        return torch.cat(
            [torch.cartesian_prod(*(_labels(side, l) for side in sides)) for l in range(self.band)]
        )

    def kernel_space(self) -> SphereKernels:
        """All linear maps between fields of this band, within the groups."""
        into = grouped(self.in_type.blocks, self.groups, "in_type")
        out = grouped(self.out_type.blocks, self.groups, "out_type")
        return SphereKernels(into, out, self.band, self.groups)

    def expand(self) -> list[Tensor]:
        """``matrices``, by its old name."""
        warn_renamed("expand()", "matrices()")
        return self.matrices()

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        batch = x.shape[0]
        spectrum = self.analysis(x)
        rows, columns = self._plan.out.sizes, self._plan.into.sizes
        with full_precision(x):
            spectrum = block_matmul(spectrum, self.dense(), rows, columns, batch, self._bias())
        y = self.synthesis(spectrum, batch, self.relu)
        # The transforms are in float32; what is kept for the backward pass of the next layer is y.
        return y.to(torch.get_autocast_dtype(x.device.type)) if is_autocast(x) else y

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.groups == 1 else f"{text}, groups={self.groups}"


def _family(functions: SphereFilter | None, argument: str) -> SphereFilter:
    """The family of filters, by default a localised one; TypeError if it is none."""
    if functions is None:
        return near_identity()
    if not hasattr(functions, "matrices"):
        raise TypeError(f"{argument}: expected a SphereFilter, got {type(functions).__name__}")
    return functions


def _join_weights(conv: SphereConv, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Have a state of an older version, with a tensor for each pair of blocks, as it is now."""
    old = [f"{prefix}weights.{i}" for i in range(len(conv.split_weight()))]
    if all(key in state for key in old):
        state[f"{prefix}weight"] = torch.cat([state.pop(key).flatten() for key in old])


def _labels(side: SpectrumSide, l: int) -> Tensor:
    """The number of the field of each row, or column, of W^l: in a block the copies run fastest."""
    labels, first = [], 0
    for mul, orders in zip(side.muls, side.orders, strict=True):
        labels.append(first + torch.arange(mul).repeat(orders[l]))
        first += mul
    return torch.cat(labels)
