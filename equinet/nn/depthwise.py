r"""Convolutions on points in which kernels act on every channel by itself.

.. math:: y_i = M z_i, \qquad z_{ipu} = \frac{1}{\sqrt{\bar N}} \sum_{j \in N(i)}
          w_{pu}(|r|)\, K_p(r / |r|)\, f_{ju}, \qquad r = x_j - x_i \quad (V7)

where a path p is a kernel K_p from the irrep of the channels u to another one, w = phi W are
learned functions of the distance, and M is a learned equivariant matrix, which mixes the channels.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.edge_paths import EdgeConv, EdgeHarmonics, EdgePaths, irrep_bases
from equinet.nn.irrep_maps import IrrepMaps
from equinet.nn.kernel_layer import KernelLayer, irrep_paths
from equinet.nn.linear import Linear
from equinet.nn.meaning import fingerprint
from equinet.nn.module import randn
from equinet.nn.point_conv import check_point_layer, direction_kernels, harmonic_norms
from equinet.nn.radial_network import RadialNetwork
from equinet.nn.steerable import field_numbers
from equinet.numerics.arguments import check_generator
from equinet.steerable import DirectionKernels


class DepthwisePointConv(KernelLayer, EdgeConv):
    r"""A convolution on points that turns every channel by itself, along all paths, and then mixes.

    Between the channels of two irreps ``PointConv`` has a function of the distance for every pair
    of them, this layer one for every channel and path (V7): it costs less by a factor of the number
    of channels. It is what NequIP calls an interaction, a product "uvu" and a linear map.

    Args:
        in_type: fields over ``Points`` in R^1, R^2 or R^3.
        out_type: fields over the same ``Points``.
        radial: functions phi of the distance, ``(edges,)`` to ``(edges, radial.features)``:
            ``RadialNetwork``, or a module of yours with the attribute ``features``.
        neighbours: the mean number of neighbours of a point, which keeps the variance.
        lmax: largest degree of the harmonics; by default all that the irreps of a continuous group
            can use, 3 for a finite group.
        bias: add a learned constant to the invariant channels of the output.
        generator: for the initial weights.
        device, dtype: of the module and of ``radial``, as in ``torch.nn``.
    Shape:
        As ``PointConv``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero; in ``forward`` for another shape, and for an edge to no point.

    Attributes:
        weight: W, ``(radial.features, columns)``, with a column for every path and channel of it.
        mix: M, a ``Linear``.
    """

    lacking = "it has one function of the distance for every channel, and mixes them afterwards"
    calls_below: ClassVar[int] = 3

    kernels: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        radial: nn.Module,
        *,
        neighbours: float,
        lmax: int | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        features, lmax = check_point_layer(in_type, out_type, radial, neighbours, lmax)
        check_generator(generator)
        super().__init__(in_type, out_type)
        self.lmax, self.n = lmax, in_type.space.fibre_group.n
        with torch.device("cpu"):
            kernels = direction_kernels(in_type.blocks, out_type.blocks, lmax)
            self._paths = EdgePaths(kernels)
            between = in_type.space.fields(self._paths.fibre.blocks)
        self._kernels = fingerprint(kernels.pairs.values())
        self._gain = 1 / math.sqrt(features * neighbours)
        self.mix = Linear(between, out_type, bias, generator=generator)
        with torch.device("cpu"):
            self._mixing = IrrepMaps(self.mix._sample(), self._paths.places())
        self.weight = nn.Parameter(torch.empty(features, self._paths.plan.sizes[2]))
        self.reset_parameters(generator)
        self.harmonics = EdgeHarmonics(lmax, self.n)
        self.set_constants()
        self.radial = radial
        self.place(device, dtype)
        self.set_paths(irrep_paths(in_type, out_type, kernels.pairs))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights W anew, as the constructor does."""
        with torch.no_grad():
            self.weight.copy_(self._gain * randn(*self.weight.shape, generator=generator))

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        norms = harmonic_norms(self.lmax, self.n)
        pairs = direction_kernels(self.in_type.blocks, self.out_type.blocks, self.lmax).pairs
        paths = [
            kernel * (math.sqrt(psi_out.dim) / kernel.norm())
            for (psi_out, _), kernels in pairs.items()
            for kernel in kernels
        ]
        kernels = torch.cat([kernel.flatten(0, 1) for kernel in paths])
        bases = irrep_bases(self.in_type.fibre, self.out_type.fibre)
        return {"kernels": norms[:, None] * kernels.mT, **bases}

    def meaning(self) -> str:
        """The types, and the kernels of which the weights are coefficients."""
        own = isinstance(self.radial, RadialNetwork)
        found = f"{super().meaning()}, kernels {self._kernels}"
        return f"{found}, {self.radial.extra_repr()}" if own else found

    def dense(self) -> Tensor:
        """For each radial function a filter, in the harmonics of the direction.

        Returns:
            ``(radial.features * dim out, dim in, harmonics)``, for ``angular_harmonics`` as they
            are.
        """
        plan, mix = self._paths.plan, self.mix.dense()
        harmonics, features = self.kernels.shape[0], self.weight.shape[0]
        sizes = [channels * dim for channels, dim in plan.blocks]
        blocks = [mix.new_zeros(features, len(mix), size, harmonics) for size in sizes]
        columns = mix.split([path.channels * path.dim_out for path in plan.places], 1)
        for (number, _), path, rows in zip(plan.paths, plan.places, columns, strict=True):
            kernel = self.kernels.narrow(1, path.kernel, path.dim_out * path.dim_in)
            kernel = kernel.unflatten(1, (path.dim_out, path.dim_in))
            rows = rows.unflatten(1, (path.channels, path.dim_out))
            weight = self.weight.narrow(1, path.weight, path.channels)
            found = torch.einsum("oun,fu,hnm->foumh", rows, weight, kernel)
            blocks[number] = blocks[number] + found.flatten(2, 3)
        filters = torch.cat(blocks, 2)
        into = self._buffers.get("into")
        if into is not None:
            filters = torch.einsum("fogh,gi->foih", filters, into)
        return filters.flatten(0, 1)

    def fields(self) -> Tensor:
        rows, columns = field_numbers(self.out_type.fibre), field_numbers(self.in_type.fibre)
        filters = torch.arange(len(self.weight))[:, None] * (int(rows.max()) + 1)
        columns = columns.repeat_interleave(len(self.kernels))
        return torch.cartesian_prod((rows + filters).flatten(), columns)

    def kernel_space(self) -> DirectionKernels:
        """For each radial function, all functions of the direction."""
        fibres = self.in_type.fibre, self.out_type.fibre
        return DirectionKernels(*fibres, self.lmax, filters=len(self.weight))

    def turns(self) -> Tensor:
        return self.kernels

    def scales(self) -> Tensor:
        return self.weight

    def mixed(self, z: Tensor, features: int) -> Tensor:
        mix = self.mix
        matrices = self._mixing.matrices(mix.weight, mix.scales, mix.kernels)
        return self._mixing.product(z, matrices[0])

    def shift(self) -> Tensor | None:
        return self.mix.shift()
