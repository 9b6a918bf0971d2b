"""Pointwise nonlinearities. Before: ``spectral``. Next: ``gate``."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinet.field import FieldType, Sphere
from equinet.nn.module import EquivariantModule
from equinet.numerics.cached import on_cpu
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
        function: elementwise, such as ``torch.tanh``.
    Raises:
        ValueError: if a field does not admit the function; the message names those that would.

    Example:
        >>> from equinet.field import Plane
        >>> module = Pointwise(Plane("C4").fields("2x regular"), torch.tanh)
        >>> module(torch.ones(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, in_type: FieldType, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(in_type, in_type)
        self.aliases = isinstance(in_type.space, Sphere)
        self.function = function
        odd = None  # not known yet
        for _, rho in in_type.blocks:
            if rho.is_regular or rho.is_permutation:
                continue
            if not _permutes_up_to_sign(rho):
                raise ValueError(_refusal(in_type, rho))
            odd = _is_odd(function, in_type.channels) if odd is None else odd
            if not odd:
                raise ValueError(
                    f"function: the components of {rho!r} change their sign, so they need an odd "
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
    """max(f, 0), value by value; see ``Pointwise``."""

    def __init__(self, in_type: FieldType) -> None:
        # A convolution over a grid keeps its input, which is what torch.relu keeps too; the Fourier
        # transform of one over the sphere keeps nothing.
        super().__init__(in_type, relu if isinstance(in_type.space, Sphere) else torch.relu)

    def export(self) -> nn.Module:
        return nn.ReLU()


def _refusal(in_type: FieldType, rho: Representation) -> str:
    fourier = (
        "enn.FourierPointwise for functions on the group, such as 'regular' or 'regular(3)'"
        if rho.group.is_finite
        else "enn.FourierPointwise for band-limited functions, such as 'regular(3)'"
    )
    return (
        f"in_type: a pointwise function acts on values, but the fields {rho!r} are vectors whose "
        f"components turn into each other; use trivial or regular fields, got {in_type!r}; or "
        f"enn.Gate, enn.NormActivation, or {fourier}"
    )


@on_cpu
def _permutes_up_to_sign(rho: Representation) -> bool:
    """Whether every rho(h) has one entry in each row that is not zero, 1 or -1."""
    values = rho(rho.group.generators)  # products and limits of such matrices are such matrices
    near = values.round()
    return bool((values - near).abs().max() < 1e-9) and bool((near.abs().sum(-1) == 1).all())


def _is_odd(function: Callable[[Tensor], Tensor], channels: int) -> bool:
    """Whether f(-x) = -f(x) on a few numbers; assumed of a module that has no memory yet."""
    own = list(function.parameters()) if isinstance(function, nn.Module) else []
    if any(parameter.is_meta for parameter in own):
        return True
    dtype = own[0].dtype if own else torch.float64
    with torch.device("cpu"), torch.no_grad():
        points = torch.tensor([0.0, 0.3, 0.9, 1.7, 4.2, 11.0], dtype=dtype)
        points = points[:, None].expand(-1, channels).to(own[0].device if own else "cpu")
        error = (function(points) + function(-points)).abs().max()
    return bool(error < (1e-12 if dtype == torch.float64 else 1e-5))
