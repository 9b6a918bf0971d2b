r"""Convolutions on finite homogeneous spaces.

.. math:: [\kappa \star f](x) = \sum_{y \in G/H_1} \kappa(s_2(x)^{-1} s_1(y))\, f(y), \qquad
          \kappa(h_2 g h_1) = \rho_2(h_2)\, \kappa(g)\, \rho_1(h_1) \quad (V6)

with the sections s_1 and s_2 of the two spaces. This is the twisted correlation of a kernel on
G/H_1, with the twist inside the kernel on G; every equivariant linear map is one.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, HomogeneousSpace, space_of
from equinet.nn.meaning import fingerprint
from equinet.nn.plain import filled
from equinet.nn.steerable import Steerable, field_numbers
from equinet.numerics.cached import on_cpu
from equinet.ops import full_precision
from equinet.steerable import HomogeneousKernels, homogeneous_kernels


class HomogeneousConv(Steerable):
    r"""All equivariant linear maps between fields over finite spaces G/H_1 and G/H_2 (V6).

    The spaces may be one, as from the vertices of a graph to themselves, or two, as from the
    vertices of a polyhedron to its faces; the group G is the same. Every equivariant linear map is
    a value of the weights, of which there are as many as Mackey's formula counts.

    Args:
        in_type: fields over a ``HomogeneousSpace``.
        out_type: fields over a ``HomogeneousSpace`` of the same group.
        bias: add a learned constant section, v at every point with rho_2(h) v = v.
        generator: for the initial weights, normal with variance 1; inputs of variance 1, without
            correlation between points, give outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch)``, that is ``(batch, channels in, points in)``, to
        ``out_type.shape(batch)``.
    Raises:
        ValueError: for types over other spaces or of two groups, and if there is no equivariant map
            but zero.
    Warns:
        UserWarning: if channels of a type have no kernel.

    Example:
        >>> from equinet.field import HomogeneousSpace
        >>> from equinet.group import symmetric
        >>> sets = HomogeneousSpace.of(symmetric(4), torch.eye(4)).fields("1x trivial")
        >>> HomogeneousConv(sets, sets, bias=False).weight.numel()  # the identity and the mean
        2
    """

    steps: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        kernels = _between(in_type, out_type)
        if not any(
            HomogeneousKernels(kernels.section_in, kernels.section_out, psi_in, psi_out).dim
            for psi_in in in_type.fibre.counts
            for psi_out in out_type.fibre.counts
        ):
            raise ValueError(
                f"out_type: there is no equivariant map but zero from {in_type!r} to {out_type!r}"
            )
        sample = functools.partial(
            homogeneous_kernels, kernels.section_in, kernels.section_out, in_type.fibre,
            out_type.fibre,
        )  # fmt: skip
        super().__init__(in_type, out_type, sample, 1, bias, 1.0, generator)
        self.place(device, dtype)

    @on_cpu
    def meaning(self) -> str:
        """And how the points are numbered and their fibres turned."""
        steps = _between(self.in_type, self.out_type).steps
        return f"{super().meaning()}, steps {fingerprint([steps])}"

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        # The elements s_2(x)^-1 s_1(y), int64 (points out, points in).
        return {**super().constants(dtype), "steps": _between(self.in_type, self.out_type).steps}

    def dense(self, weight: Tensor | None = None) -> Tensor:
        """The map as a matrix.

        Args:
            weight: other weights than those of the layer, of the same shape.
        Returns:
            ``(channels out * points out, channels in * points in)``.
        """
        kernel = super().dense(weight)[:, :, self.steps]  # (out, in, points out, points in)
        return kernel.transpose(1, 2).flatten(2).flatten(0, 1)

    def fields(self) -> Tensor:
        numbers = [
            field_numbers(fibre).repeat_interleave(points)
            for fibre, points in zip(self.fibres(), reversed(self.steps.shape), strict=True)
        ]
        return torch.cartesian_prod(*reversed(numbers))

    def kernel_space(self) -> HomogeneousKernels:
        """All linear maps between the fields."""
        return _between(self.in_type, self.out_type)

    def offset(self) -> Tensor | None:
        """The bias on each channel and point of the output, ``(channels out * points out,)``."""
        shift = self.shift()
        return None if shift is None else shift[:, None].expand(-1, len(self.steps)).flatten()

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        with full_precision(x):
            weight, bias = self.dense(), self.offset()
        y = F.linear(x.flatten(1), weight, bias)
        return y.unflatten(1, (self.out_type.channels, len(self.steps)))

    def export(self) -> nn.Module:
        """``torch.nn.Flatten``, ``Linear`` with the matrix of now, ``Unflatten``."""
        weight, bias = self.dense(), self.offset()
        rows, columns = weight.shape
        layer = nn.Linear(columns, rows, bias=bias is not None, device="meta")
        shape = self.out_type.channels, len(self.steps)
        return nn.Sequential(nn.Flatten(), filled(layer, weight, bias), nn.Unflatten(1, shape))


@on_cpu
def _between(in_type: FieldType, out_type: FieldType) -> HomogeneousKernels:
    """The kernels from one type to the other; raises unless they are over spaces of one group."""
    spaces = [
        space_of(value, HomogeneousSpace, name)
        for name, value in (("in_type", in_type), ("out_type", out_type))
    ]
    if spaces[1].group != spaces[0].group:
        raise ValueError(
            f"out_type: expected fields over a space of {spaces[0].group}, which acts on those of "
            f"in_type, got {out_type!r} of {spaces[1].group}"
        )
    sections = spaces[0].section, spaces[1].section
    return HomogeneousKernels(*sections, in_type.fibre, out_type.fibre)
