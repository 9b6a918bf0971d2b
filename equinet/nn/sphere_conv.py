r"""Convolutions on the sphere and on SO(3)."""

import math

import torch
from torch import Tensor, nn

from equinet.field import FieldAnalysis, FieldSynthesis, FieldType, sphere_of
from equinet.field.transform import block_orders
from equinet.harmonics.grid import degree_columns
from equinet.nn.meaning import said
from equinet.nn.module import EquivariantModule, rand
from equinet.nn.requirements import check_permuted
from equinet.numerics.arguments import check_flag
from equinet.numerics.cached import on_cpu
from equinet.ops import (
    SpectrumPlan,
    SpectrumSide,
    block_matmul,
    filter_spectrum,
    full_precision,
)
from equinet.steerable import SphereFilter, near_identity, sphere_basis


class SphereConv(EquivariantModule):
    r"""Correlation between any two field types on the sphere.

    .. math:: [\psi * f](R) = \int_{SO(3)} \psi(R^{-1} Q) f(Q)\, dQ, \qquad
              \widehat{\psi * f}{}^l = \hat f^l (W^l)^T

    From trivial to regular it is the lifting correlation on S^2, from regular to regular the
    correlation on SO(3) (Cohen et al. 2018), from trivial to trivial the zonal convolution (Esteves
    et al. 2018), and between irreps m and m' the convolution of spin-weighted fields. The output is
    sampled at the band of ``out_type``; degrees above the smaller of the two bands are dropped.

    Args:
        in_type: fields over a sphere.
        out_type: fields over a sphere, of any band.
        filter: which family of filters; ``steerable.near_identity()`` by default.
        bias: add a learned constant to the invariant fields of the output.
        relu: rectify the output, as ``enn.ReLU`` behind it does. Fields over SO(3) are large, and
            this takes no pass over memory of its own, forwards or backwards.
        generator: for the initial weights, uniform in [-1, 1] times a constant that keeps the
            second moment of the activations through layers with ReLU.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch)`` to ``out_type.shape(batch)``.
    """

    basis: Tensor
    table: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        filter: SphereFilter | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
        relu: bool = False,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        if out_type is None:
            raise TypeError("out_type: expected a FieldType, got NoneType")
        if filter is not None and not hasattr(filter, "matrices"):
            raise TypeError(f"filter: expected a SphereFilter, got {type(filter).__name__}")
        self.out_type: FieldType = out_type
        self.aliases = self.relu = check_flag(relu, "relu")
        check_flag(bias, "bias")
        if relu:
            check_permuted(out_type, "relu", "enn.Gate, or enn.NormActivation", "out_type")
        self.filter = near_identity() if filter is None else filter
        self.band = min(sphere_of(in_type).band, sphere_of(out_type, "out_type").band)
        self.orders_in = block_orders(in_type, self.band)
        self.orders_out = block_orders(out_type, self.band)
        self.analysis = FieldAnalysis(in_type, self.band)
        self.synthesis = FieldSynthesis(out_type, self.band)

        self.scales: list[float] = []
        weights, points = [], []
        for basis, gain, mul_out, mul_in in self._pairs():
            # Uniform weights have variance 1/3; ReLU halves the second moment.
            total = gain * math.sqrt(mul_in * len(in_type.blocks) / 3 / 2)
            self.scales.append(1 / total if total else 0.0)
            weights.append(nn.Parameter(torch.empty(mul_out, mul_in, basis.shape[1])))
            points.append(basis.shape[1])
        if not any(self.scales):
            raise ValueError(
                f"out_type: there is no equivariant map but zero from {in_type!r} to {out_type!r} "
                f"below band {self.band}"
            )
        self.weights = nn.ParameterList(weights)
        sides = (self._side(out_type, self.orders_out), self._side(in_type, self.orders_in))
        self._plan = SpectrumPlan(*sides, tuple(points))
        invariant = [0 in orders for orders in self.orders_out]
        constants = sum(
            mul for (mul, _), yes in zip(out_type.blocks, invariant, strict=True) if yes
        )
        self.bias = nn.Parameter(torch.empty(constants)) if bias and constants else None
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does; the bias is 0."""
        with torch.no_grad():
            for weight in self.weights:
                weight.copy_(2 * rand(*weight.shape, generator=generator) - 1)
            if self.bias is not None:
                self.bias.zero_()

    def meaning(self) -> str:
        """The types, and the filter of which the weights are coefficients."""
        return f"{super().meaning()}, {said(self.filter)}"

    @on_cpu
    def _pairs(self) -> list[tuple[Tensor, float, int, int]]:
        """(basis, gain, copies out, copies in) for each pair of an output and an input block."""
        return [
            (*sphere_basis(self.filter, self.band, n_out, n_in), mul_out, mul_in)
            for n_out, (mul_out, _) in zip(self.orders_out, self.out_type.blocks, strict=True)
            for n_in, (mul_in, _) in zip(self.orders_in, self.in_type.blocks, strict=True)
        ]

    def _side(self, field_type: FieldType, orders: list[tuple[int, ...]]) -> SpectrumSide:
        counts = tuple(tuple(degree_columns(l, n) for l in range(self.band)) for n in orders)
        return SpectrumSide(tuple(mul for mul, _ in field_type.blocks), counts)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        # The scales do not depend on the dtype, so only the bases are made anew.
        pairs = zip(self.scales, self._pairs(), strict=True)
        basis = torch.cat([(scale * basis).flatten() for scale, (basis, *_) in pairs])
        return {"basis": basis, "table": self._plan.table()}

    def expand(self) -> list[Tensor]:
        """The matrices W^l of all blocks, ``(K_l out, K_l in)`` for each degree."""
        shapes = self._plan.shapes
        parts = self._filter().split([rows * columns for rows, columns in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def _filter(self) -> Tensor:
        """The matrices W^l in a row."""
        weights = [weight.flatten() for weight in self.weights]
        joined = weights[0] if len(weights) == 1 else torch.cat(weights)
        return filter_spectrum(self._plan, joined, self.basis, self.table)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        batch = x.shape[0]
        spectrum = self.analysis(x)
        rows, columns = self._plan.out.sizes, self._plan.into.sizes
        with full_precision(x):
            spectrum = block_matmul(spectrum, self._filter(), rows, columns, batch, self.bias)
        return self.synthesis(spectrum, batch, self.relu)
