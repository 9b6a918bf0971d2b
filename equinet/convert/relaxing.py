r"""Networks with less symmetry than they had: the same function, as layers of a smaller group.

A kernel that obeys K(h x) = rho(h) K(x) rho(h)^-1 for all h of a group does so for those of a
subgroup, for which there are more kernels. So a layer is a layer of the subgroup too, with weights
that happen to have more symmetry, and training may take it away.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert.projection import project_filter
from equinet.field import FieldType
from equinet.group import Group, named_group
from equinet.harmonics import Orbits
from equinet.nn import (
    Concat,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    Residual,
    Restrict,
    Sequential,
    Typed,
)
from equinet.nn.convolution import Convolution
from equinet.nn.kernel_layer import KernelLayer
from equinet.nn.module import EquivariantModule
from equinet.nn.steerable import Steerable
from equinet.numerics.arguments import check_number

_ROUNDING = 1e-6
_CONVOLUTIONS = (Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def relax(module: nn.Module, subgroup: Group | str) -> nn.Module:
    """The same function with the symmetry of a subgroup, so that training goes on with less.

    Convolutions on grids and ``enn.Linear`` become those of the subgroup, with all filters on their
    taps, of which theirs is one (of a continuous subgroup, with all of the same ``functions``); the
    weights are new ones of the same dtype. What has no kernels
    (nonlinearities, norms, pools) stays what it is, as ``enn.Typed`` between fields of the
    subgroup. ``Sequential``, ``Residual`` and ``Concat`` are gone through.

    Args:
        module: a layer or a network over a grid or over ``Point``.
        subgroup: of the group of its space, or its name.
    Returns:
        A module that is equal to ``module`` up to rounding, in its mode.
    Raises:
        TypeError: if it is no module, and for layers with kernels of another kind.
        ValueError: if it is no subgroup, or a continuous one of which the functions of a layer do
            not make its filter.

    Example:
        >>> from equinet import Plane, nn
        >>> x = Plane("D4").fields("1x trivial")
        >>> h = Plane("D4").fields("2x regular")
        >>> net = nn.Sequential(nn.Conv2d(x, h, 3), nn.ReLU(h))
        >>> freer = relax(net, "C4")
        >>> freer[0].weight.numel() > net[0].weight.numel()
        True
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    if isinstance(module, Sequential):
        made: nn.Module = Sequential(*[relax(part, subgroup) for part in module])
    elif isinstance(module, Residual | Concat):
        made = type(module)(*[relax(part, subgroup) for part in module.children()])
    elif isinstance(module, KernelLayer):
        made = _filled(module, subgroup)
    elif isinstance(module, EquivariantModule):
        made = _typed(module, subgroup)
    else:
        made = copy.deepcopy(module)
    return made.train(module.training)


class ResidualPathway(EquivariantModule[FieldType]):
    r"""An equivariant layer and, by a learned share, one of less symmetry beside it.

    .. math:: y = \Phi(x) + s\, \Psi(x)

    Phi has the symmetry of the types, Psi that of a subgroup, and s is a number that begins small:
    data with all of the symmetry leave it there, others raise it. A penalty on ``share`` is a prior
    for symmetry. ``testing.report`` measures how far the layer is from it.

    Args:
        layer: Phi, a convolution on a grid or ``enn.Linear``.
        subgroup: of the group of its space, or its name; the trivial one by default.
        share: s at first, >= 0.
        generator: for the initial weights of Psi.
    Raises:
        TypeError: for layers of another kind.
        ValueError: if it is no subgroup, or the share is negative.

    Attributes:
        layer: Phi.
        free: Psi.
        share: s.

    References:
        Finzi, Benton and Wilson 2021, Residual Pathway Priors for Soft Equivariance Constraints.

    Example:
        >>> from equinet import Plane
        >>> x = Plane("C8").fields("2x regular")
        >>> nearly = ResidualPathway(Conv2d(x, x, 3, padding=1))
        >>> nearly(torch.zeros(x.shape(1, 5, 5))).shape
        torch.Size([1, 16, 5, 5])
    """

    is_vouched = True

    def __init__(
        self,
        layer: Steerable,
        subgroup: Group | str = "C1",
        *,
        share: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        if not isinstance(layer, _CONVOLUTIONS + (Linear,)):
            raise TypeError(
                f"layer: expected a convolution on a grid or Linear, got {type(layer).__name__}"
            )
        super().__init__(layer.in_type, layer.out_type)
        self.layer, self.free = layer, _made(layer, subgroup)
        self.free.reset_parameters(generator)
        self.share = nn.Parameter(layer.weight.new_tensor(check_number(share, "share", 0)))

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.layer(x) + self.share * self.free(x)


def _filled(layer: KernelLayer, subgroup: Group | str) -> Steerable:
    """The layer of the subgroup with the filter and the bias of this one."""
    if not isinstance(layer, _CONVOLUTIONS + (Linear,)) or getattr(layer, "kinds", None):
        raise TypeError(
            "module: expected convolutions on grids, Linear, and what has no kernels, got "
            f"{type(layer).__name__}, which a network keeps if it stands behind what is relaxed"
        )
    made = _made(layer, subgroup).double()
    exact = copy.deepcopy(layer).double()
    with torch.no_grad():
        residual = project_filter(made, exact.dense(), exact.shift(), argument="module")
    if residual > _ROUNDING:  # never with all filters on the taps, as of a finite subgroup
        raise ValueError(
            f"subgroup: expected one whose functions on the taps span those of the layer, got "
            f"{subgroup}, which leaves {residual:.2g} of a filter out; a finite one has all"
        )
    return made.to(layer.weight)


def _made(layer: Steerable, subgroup: Group | str) -> Steerable:
    """A layer of the same arguments between the fields of the subgroup, with all filters."""
    into, out = (_less(fields, subgroup) for fields in (layer.in_type, layer.out_type))
    has_bias = layer.bias is not None
    if not isinstance(layer, Convolution):
        return Linear(into, out, has_bias, dtype=layer.weight.dtype)
    options: dict[str, Any] = {
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "bias": has_bias,
        # The functions on a grid of a continuous group, whose moments are mended, are those of the
        # larger one too; they are not all that there are at the taps.
        "functions": Orbits if into.space.fibre_group.is_finite else layer.functions,
        "dtype": layer.weight.dtype,
    }
    for name in ("padding_mode", "output_padding"):
        if hasattr(layer, name):
            options[name] = getattr(layer, name)
    kind: Any = type(layer)
    return kind(into, out, **options)


def _typed(module: EquivariantModule[Any], subgroup: Group | str) -> nn.Module:
    out = module.out_type
    return Typed(
        copy.deepcopy(module),
        _less(module.in_type, subgroup),
        _less(out, subgroup) if isinstance(out, FieldType) else None,
    )


def _less(fields: FieldType, subgroup: Group | str) -> FieldType:
    if isinstance(subgroup, str):
        subgroup = named_group(subgroup, fields.space.group.n)
    return Restrict(fields, subgroup).out_type
