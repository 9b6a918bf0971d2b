r"""Pointwise functions by the names of ``torch.nn``.

Each is ``Pointwise`` with a module of torch, and takes the fields that ``Pointwise`` takes. None
works in place: the same fields may go on into a shortcut.
"""

from torch import nn

from equinet.field import FieldType
from equinet.nn.pointwise import Pointwise
from equinet.numerics.arguments import check_choice, check_number


class LeakyReLU(Pointwise):
    r"""max(f, 0) + a min(f, 0), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        negative_slope: a.

    Example:
        >>> from equinet.field import Plane
        >>> LeakyReLU(Plane("C4").fields("2x regular"), 0.1).export()
        LeakyReLU(negative_slope=0.1)
    """

    def __init__(self, in_type: FieldType, negative_slope: float = 0.01) -> None:
        super().__init__(in_type, nn.LeakyReLU(check_number(negative_slope, "negative_slope")))


class ELU(Pointwise):
    r"""max(f, 0) + alpha (exp(min(f, 0)) - 1), value by value; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
        alpha: the value that is approached for f to minus infinity, with the other sign.
    """

    def __init__(self, in_type: FieldType, alpha: float = 1.0) -> None:
        super().__init__(in_type, nn.ELU(check_number(alpha, "alpha")))


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


class SiLU(Pointwise):
    r"""f / (1 + exp(-f)), value by value, also called swish; see ``Pointwise``.

    Args:
        in_type: fields whose components are permuted.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.SiLU())


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
