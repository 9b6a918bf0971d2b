r"""Pointwise functions by the names of ``torch.nn``.

Each is ``Pointwise`` with a module of torch, and takes the fields that ``Pointwise`` takes. With
``inplace`` the result is written over the input, as in torch, and takes no memory of its own: not
where the input is needed again, as by the shortcut of a ``Residual`` that it begins.
"""

from torch import nn

from equinet.field import FieldType
from equinet.nn.pointwise import Pointwise
from equinet.numerics.arguments import check_choice, check_flag, check_number


class _InPlace(Pointwise):
    """A function that torch can write over its input; it is tried before, on numbers to keep."""

    def __init__(
        self, in_type: FieldType, function: nn.LeakyReLU | nn.ELU | nn.SiLU, inplace: bool
    ) -> None:
        super().__init__(in_type, function)
        function.inplace = check_flag(inplace, "inplace")


class LeakyReLU(_InPlace):
    r"""max(f, 0) + a min(f, 0), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        negative_slope: a.
        inplace: write the result over the input.

    Example:
        >>> from equinet.field import Plane
        >>> LeakyReLU(Plane("C4").fields("2x regular"), 0.1).export()
        LeakyReLU(negative_slope=0.1)
    """

    def __init__(
        self, in_type: FieldType, negative_slope: float = 0.01, inplace: bool = False
    ) -> None:
        function = nn.LeakyReLU(check_number(negative_slope, "negative_slope"))
        super().__init__(in_type, function, inplace)


class ELU(_InPlace):
    r"""max(f, 0) + alpha (exp(min(f, 0)) - 1), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        alpha: the value that is approached for f to minus infinity, with the other sign.
        inplace: write the result over the input.
    """

    def __init__(self, in_type: FieldType, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(in_type, nn.ELU(check_number(alpha, "alpha")), inplace)


class GELU(Pointwise):
    r"""f Phi(f), Phi the distribution function of a normal variable; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        approximate: "none", or "tanh" for the formula with tanh.
    Raises:
        ValueError: for another word, and as ``Pointwise`` raises.
    """

    def __init__(self, in_type: FieldType, approximate: str = "none") -> None:
        check_choice(approximate, "approximate", ("none", "tanh"))
        super().__init__(in_type, nn.GELU(approximate))


class SiLU(_InPlace):
    r"""f / (1 + exp(-f)), value by value, also called swish; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        inplace: write the result over the input.
    """

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, nn.SiLU(), inplace)


class Sigmoid(Pointwise):
    r"""1 / (1 + exp(-f)), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Sigmoid())


class Softplus(Pointwise):
    r"""log(1 + exp(beta f)) / beta, value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        beta: a positive number.
        threshold: where beta f is larger, f itself.
    """

    def __init__(self, in_type: FieldType, beta: float = 1.0, threshold: float = 20.0) -> None:
        beta = check_number(beta, "beta", above=0)
        super().__init__(in_type, nn.Softplus(beta, check_number(threshold, "threshold")))


class Tanh(Pointwise):
    r"""tanh(f), value by value: an odd function, for fields that change their sign too.

    Args:
        in_type: fields whose components are permuted, up to signs; see ``Pointwise``.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Tanh())
