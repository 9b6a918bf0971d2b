"""Factors for whole fields, learned or computed."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_callable, check_clouds
from equinet.nn.field_norm import field_of
from equinet.nn.global_pool import GlobalAvgPool
from equinet.nn.masks import point_weights, read
from equinet.nn.module import EquivariantModule, rand
from equinet.nn.requirements import check_orthogonal
from equinet.numerics.arguments import check_integer, check_number
from equinet.rep import trivial

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _Scaled(EquivariantModule):
    """Fields that are multiplied by numbers."""

    field_of: Tensor

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"field_of": field_of(self.in_type)}

    def scaled(self, x: Tensor, factors: Tensor) -> Tensor:
        """The fields times factors ``(batch or 1, field)``."""
        factors = factors.index_select(1, self.field_of).to(x.dtype)
        return x * factors.view(*factors.shape, *[1] * (x.dim() - 2))


class LayerScale(_Scaled):
    r"""A learned factor for each field, f -> w f, as CaiT and ConvNeXt have it for each channel.

    All components of a field have one factor, so this commutes with G for every representation. It
    starts small: at the end of the body of a ``Residual`` the sum is nearly the shortcut.

    Args:
        in_type: fields over any space.
        init: of all factors (Touvron et al. 2021, arXiv 2103.17239).
        device, dtype: of the module, as in ``torch.nn``.

    Example:
        >>> from equinet.field import Volume
        >>> h = Volume("SO(3)").fields("2x0 + 3x1")
        >>> LayerScale(h, 0.1)(torch.ones(h.shape(1, 1, 1, 1))).sum()
        tensor(1.1000, grad_fn=<SumBackward0>)
    """

    def __init__(
        self,
        in_type: FieldType,
        init: float = 1e-5,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        self.init = check_number(init, "init")
        self.weight = nn.Parameter(torch.empty(in_type.copies))
        self.reset_parameters()
        self.set_constants()
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Set all factors to ``init``, where they start; nothing is drawn."""
        nn.init.constant_(self.weight, self.init)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.scaled(x, self.weight[None])

    def export(self) -> nn.Module:
        """``torch.nn.BatchNorm1d``, ``2d`` or ``3d`` with mean 0 and variance 1, a factor alone."""
        axes = len(self.in_type.axes)
        layer = _BATCH_NORMS[axes](self.in_type.channels, eps=0.0).to(self.weight)
        with torch.no_grad():
            layer.weight.copy_(self.weight[self.field_of])
        return layer.eval()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, init={self.init:g}"


class SqueezeExcite(_Scaled):
    r"""Multiply every field by a factor that is computed from what all fields are on the whole.

    .. math:: f_i \mapsto \text{gate}(W_2\, \text{function}(W_1 s + b_1) + b_2)_i\, f_i

    s has an invariant number for each field: of a field whose components are permuted (trivial,
    regular, quotient fields) the mean over space and components, of another one the root mean
    square. On trivial fields it is the layer of Hu et al. 2018, arXiv 1709.01507. Over the sphere
    the means are integrals with Haar measure, exact for the band. Over ``Point`` there is no space
    to average over.

    Args:
        in_type: fields with orthogonal rho over any space.
        reduction: the hidden layer has so many times fewer numbers than there are fields, at least
            one.
        function: of the hidden numbers, all of which are invariant.
        gate: of the factors.
        eps: added to a mean square, in units of the field squared: it keeps all derivatives finite
            where a field is zero.
        generator: for the initial weights, those of ``torch.nn.Linear``.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to the same. Over ``Points``, ``forward(x, batch, count)``
        takes the number of the cloud of each point, int64 ``(points,)``, without which the clouds
        of a batch would be mixed, and the number of clouds.
    Raises:
        ValueError: if a rho is not orthogonal, and for a number out of range.
        TypeError: if ``function`` or ``gate`` is no function.

    Example:
        >>> from equinet.field import Plane
        >>> module = SqueezeExcite(Plane("D4").fields("4x trivial + 4x vector"), reduction=2)
        >>> module.squeeze
        Linear(in_features=8, out_features=4, bias=True)
    """

    def __init__(
        self,
        in_type: FieldType,
        reduction: int = 4,
        function: Callable[[Tensor], Tensor] = torch.relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        eps: float = 1e-6,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        check_integer(reduction, "reduction")
        check_callable(function, "function")
        check_callable(gate, "gate")
        check_orthogonal(in_type, sampled=True)
        self.function, self.gate, self.eps = function, gate, check_number(eps, "eps", above=1e-36)
        self.permuted = [rho.is_sampled or rho.is_permutation for _, rho in in_type.blocks]
        fields = in_type.copies
        self.hidden = hidden = max(1, fields // reduction)
        self.pool = GlobalAvgPool(_numbers(in_type)) if in_type.has_points else None
        here = torch.get_default_device()
        self.squeeze = nn.utils.skip_init(nn.Linear, fields, hidden, device=here)
        self.excite = nn.utils.skip_init(nn.Linear, hidden, fields, device=here)
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights, as ``torch.nn.Linear`` does."""
        with torch.no_grad():
            for layer, width in ((self.squeeze, self.in_type.copies), (self.excite, self.hidden)):
                for parameter in layer.parameters():
                    start = rand(*parameter.shape, generator=generator)
                    parameter.copy_((2 * start - 1) / math.sqrt(width))

    def forward(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        count: int | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The fields times their factors.

        Args:
            x: ``in_type.shape(batch, ...)``.
            batch: over ``Points``, the number of the cloud of each point, int64 ``(points,)``.
            count: over ``Points``, of the clouds.
            weights: of the points in the means, as in ``GlobalAvgPool``. Where they are 0 the
                input is not read, and the output is 0.
        Returns:
            In the shape of ``x``.
        Raises:
            ValueError: over ``Points`` without ``batch``, and elsewhere with it.
        """
        self.check(x)
        check_clouds(self.in_type, x, batch, count)
        if batch is None and self.in_type.space.in_clouds:
            raise ValueError(
                "batch: expected the number of the cloud of each point, since fields are compared "
                "within a cloud, got None; of a single one x.new_zeros(len(x), dtype=torch.long)"
            )
        x = read(x, point_weights(self.in_type, x, weights))
        s = self.invariants(x, batch, count, weights)
        factors = self.gate(self.excite(self.function(self.squeeze(s.to(x.dtype)))))
        return self.scaled(x, factors if batch is None else factors.index_select(0, batch))

    def invariants(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        count: int | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """One number for each field that the group leaves alone, the mean over space.

        Args:
            x: ``in_type.shape(batch, ...)``.
            batch: over ``Points``, the number of the cloud of each point.
            count: over ``Points``, of the clouds.
            weights: of the points in the means.
        Returns:
            s, ``(batch, field)``; over ``Points`` ``(cloud, field)``.
        """
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # squares need the digits
        parts = [
            part.mean(2) if permuted else part.square().mean(2)
            for part, permuted in zip(self.in_type.split(y), self.permuted, strict=True)
        ]
        means = torch.cat(parts, 1)
        if self.pool is not None:
            means = self.pool(means, batch, count, weights=weights)
        blocks = means.split([mul for mul, _ in self.in_type.blocks], 1)
        s = [
            mean if permuted else (mean + self.eps).sqrt()
            for mean, permuted in zip(blocks, self.permuted, strict=True)
        ]
        return torch.cat(s, 1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, eps={self.eps:g}"


def _numbers(in_type: FieldType) -> FieldType:
    """One number for each field, at every point where they are sampled."""
    group = in_type.space.fibre_group
    rho = in_type.blocks[0][1] if in_type.is_sampled else trivial(group)
    return FieldType(in_type.space, ((in_type.copies, rho),))
