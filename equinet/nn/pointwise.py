"""Pointwise nonlinearities."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinet.field import FieldType
from equinet.field.field_type import check_type
from equinet.nn.arguments import check_elementwise, is_odd
from equinet.nn.module import EquivariantModule
from equinet.numerics.arguments import check_flag
from equinet.numerics.cached import on_cpu
from equinet.numerics.pages import explained
from equinet.ops import relu
from equinet.rep import Representation

# Functions that torch.nn has as modules, with the same arguments by default.
_MODULES: list[tuple[tuple[Callable[..., Tensor], ...], Callable[[], nn.Module]]] = [
    ((torch.relu, functional.relu, torch.Tensor.relu), nn.ReLU),
    ((torch.tanh, functional.tanh, torch.Tensor.tanh), nn.Tanh),
    ((torch.sigmoid, functional.sigmoid, torch.Tensor.sigmoid), nn.Sigmoid),
    ((functional.elu,), nn.ELU),
    ((functional.selu, torch.selu), nn.SELU),
    ((functional.celu, torch.celu), nn.CELU),
    ((functional.gelu,), nn.GELU),
    ((functional.silu,), nn.SiLU),
    ((functional.mish,), nn.Mish),
    ((functional.leaky_relu,), nn.LeakyReLU),
    ((functional.softplus,), nn.Softplus),
    ((functional.softsign,), nn.Softsign),
    ((functional.hardtanh,), nn.Hardtanh),
    ((functional.tanhshrink,), nn.Tanhshrink),
]


class Pointwise(EquivariantModule):
    r"""Apply a function to every value, f(x) -> sigma(f(x)).

    .. math:: \sigma(\rho(h) f) = \rho(h)\, \sigma(f)

    holds where rho(h) permutes the components: for invariant (trivial) fields, for functions on a
    group or its cosets (regular and quotient fields of finite groups, and the regular fields over
    the sphere, which are sampled on SO(3)). Where rho(h) permutes them up to signs, as in a sign
    irrep, it holds for odd functions, sigma(-f) = -sigma(f), such as ``torch.tanh``. On other
    fields the components turn into each other, and it does not hold.

    On the band-limited grid of the sphere the result has degrees above the band, so the
    equivariance is approximate there.

    Args:
        in_type: fields whose components are permuted.
        function: elementwise, such as ``torch.tanh``, or a module; what a module learns must be
            one number for all components of a field.
    Raises:
        ValueError: if a field does not admit the function, with those that would; if the function,
            tried on a few numbers, mixes values, is random, or changes its input.
        TypeError: if it is no function.

    Example:
        >>> from equinet.field import Plane
        >>> module = Pointwise(Plane("C4").fields("2x regular"), torch.tanh)
        >>> module(torch.ones(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, in_type: FieldType, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(in_type, in_type)
        self.aliases = in_type.space.is_band_limited
        self.function = function
        signed = None  # a field whose components change their sign
        for _, rho in in_type.blocks:
            if rho.is_sampled or rho.is_permutation:
                continue
            if not _permutes_up_to_sign(rho):
                raise ValueError(_refusal(in_type, rho))
            signed = rho
        axes = len(in_type.axes)
        blocks = zip(in_type.blocks, in_type.dims, strict=True)
        fields = [dim for (mul, _), dim in blocks for _ in range(mul)]
        check_elementwise(function, "function", fields, axes)
        if signed is not None and not is_odd(function, in_type.channels, axes):
            raise ValueError(
                f"function: the components of {signed!r} change their sign, so they need an odd "
                f"function, f(-x) = -f(x), such as torch.tanh, got {function!r}; or use "
                f"enn.Gate, or enn.NormActivation, for {in_type!r}"
            )

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.function(x)

    def export(self) -> nn.Module:
        if isinstance(self.function, nn.Module):
            return copy.deepcopy(self.function).eval()
        for functions, module in _MODULES:
            if any(self.function is function for function in functions):
                return module()
        return super().export()


class ReLU(Pointwise):
    """max(f, 0), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        inplace: write the result over the input, as in torch, which takes no memory of its own;
            not where the input is needed again, as by the shortcut of a ``Residual``.
    """

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        # A convolution over a grid keeps its input, which is what torch.relu keeps too; the Fourier
        # transform of one over the sphere keeps nothing.
        check_type(in_type, "in_type")
        super().__init__(in_type, relu if in_type.space.is_band_limited else torch.relu)
        self.inplace = check_flag(inplace, "inplace")
        if inplace:
            self.function = torch.relu_

    def export(self) -> nn.Module:
        return nn.ReLU(self.inplace)


def _refusal(in_type: FieldType, rho: Representation) -> str:
    fourier = (
        "enn.FourierPointwise for functions on the group, such as 'regular' or 'regular(3)'"
        if rho.group.is_finite
        else "enn.FourierPointwise for band-limited functions, such as 'regular(3)'"
    )
    return explained(
        f"in_type: a pointwise function acts on values, but the fields {rho!r} are vectors whose "
        f"components turn into each other; use trivial or regular fields, got {in_type!r}; or "
        f"enn.Gate, enn.NormActivation, or {fourier}",
        "guide/pitfalls.md#pointwise-functions-on-irreps",
    )


@on_cpu
def _permutes_up_to_sign(rho: Representation) -> bool:
    """Whether every rho(h) has one entry in each row that is not zero, 1 or -1."""
    values = rho(rho.group.generators)  # products and limits of such matrices are such matrices
    near = values.round()
    return bool((values - near).abs().max() < 1e-9) and bool((near.abs().sum(-1) == 1).all())
