"""Learned functions of the distance."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.nn.module import check_place, randn
from equinet.numerics.arguments import (
    check_choice,
    check_integer,
    check_memory,
    check_number,
    is_row,
)
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.values import check_floating

_ENVELOPES = {"gaussian": 3, "bessel": 6}  # by the basis, where none is asked for
_HIGHEST = 64  # order of an envelope
_NEAR = 1e-3  # in cutoffs; nearer than that a Bessel function is level, as sin(t) / t is 0 / 0


class RadialNetwork(nn.Module):
    r"""Learned functions of the distance, which fall smoothly to zero at a cutoff.

    .. math:: \varphi(r) = u(r / c)\, \mathrm{MLP}(b(r), a), \qquad
              u(t) = (1 - t)^3 \sum_{k < p} \tfrac{(k + 1)(k + 2)}{2} t^k \quad (V5)

    where the b are Gaussians at equal distances, or the Bessel functions of order 0 that vanish at
    the cutoff,

    .. math:: b_n(r) = \sqrt{2 / 3}\, \frac{\sin(n \pi t)}{t}, \qquad t = r / c,

    of mean square 1 over the ball of radius c, and a are attributes of the edge. The envelope u is
    the polynomial of DimeNet and NequIP (arXiv 2003.03123), u = 1 + O(t^p): it and two derivatives
    vanish at the cutoff.

    Args:
        cutoff: c, in units of length.
        features: number of functions.
        hidden: widths of the hidden layers; without any, phi is linear in u b and u a.
        basis: the functions b, "gaussian" or "bessel"; a number, deprecated, is ``num_basis``.
        num_basis: how many.
        envelope: p, the larger the later u falls; by default 3 for Gaussians and 6 for Bessel
            functions.
        attributes: how many numbers an edge has besides its length, such as one-hot species of its
            ends.
        generator: for the initial weights.
        device, dtype: of the weights, as in ``torch.nn``.
    Raises:
        TypeError: if ``hidden`` is no row.
        ValueError: for another basis, or a number out of range.
    Shape:
        r ``(...)`` and attributes ``(..., attributes)`` to ``(..., features)``, of second moment
        about 1 before u if the attributes have it.

    Example:
        >>> radial = RadialNetwork(5.0, basis="bessel", attributes=3)
        >>> radial(torch.rand(10), torch.zeros(10, 3)).shape
        torch.Size([10, 16])
    """

    def __init__(
        self,
        cutoff: float,
        features: int = 16,
        hidden: tuple[int, ...] = (32,),
        basis: str | int = "gaussian",
        num_basis: int = 8,
        *,
        envelope: int | None = None,
        attributes: int = 0,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if isinstance(basis, int) and not isinstance(basis, bool):
            warn_renamed("basis: a number", "num_basis", stacklevel=3)
            basis, num_basis = "gaussian", basis
        self.cutoff = check_number(cutoff, "cutoff", above=0)
        self.features = check_integer(features, "features")
        self.basis = check_choice(basis, "basis", tuple(_ENVELOPES))
        self.num_basis = check_integer(num_basis, "num_basis")
        envelope = _ENVELOPES[self.basis] if envelope is None else envelope
        self.envelope = check_integer(envelope, "envelope", most=_HIGHEST)
        self.attributes = check_integer(attributes, "attributes", least=0)
        if not is_row(hidden):
            raise TypeError(f"hidden: expected widths of layers, got {hidden!r}")
        inner = (check_integer(width, "hidden") for width in hidden)
        widths = (num_basis + attributes, *inner, features)
        weights = sum(math.prod(pair) for pair in itertools.pairwise(widths))
        check_memory(weights, "hidden", f"layers of widths {widths}")
        check_place(device, dtype)
        self.weights = nn.ParameterList(
            torch.empty(wide, narrow, device=device, dtype=dtype)
            for narrow, wide in zip(widths[:-1], widths[1:], strict=True)
        )
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does."""
        with torch.no_grad():
            for weight in self.weights:
                start = randn(*weight.shape, generator=generator)
                weight.copy_(start / math.sqrt(weight.shape[1]))

    def forward(self, r: Tensor, attributes: Tensor | None = None) -> Tensor:
        """The functions at these distances.

        Args:
            r: distances, ``(...)``.
            attributes: of the edges, ``(..., attributes)``.
        Returns:
            ``(..., features)``.
        Raises:
            TypeError: if one is not real floating.
            ValueError: for attributes of another shape, where there are to be none, and none where
                there are to be some.
        """
        check_floating("r", r)
        t = (r / self.cutoff).clamp(max=1)[..., None]
        y = self._gaussians(t) if self.basis == "gaussian" else self._bessel_functions(t)
        if self.attributes or attributes is not None:
            y = torch.cat([y, self._checked(attributes, r).to(y)], -1)
        for i, weight in enumerate(self.weights):
            y = F.linear(y if i == 0 else F.silu(y) / 0.5967, weight)  # SiLU's second moment
        return y * envelope(t, self.envelope)

    def window(self, r: Tensor) -> Tensor:
        """The envelope u alone: 1 at distance 0, and smoothly 0 at the cutoff.

        Args:
            r: distances, ``(...)``.
        Returns:
            In the shape of ``r``.
        """
        return envelope((r / self.cutoff).clamp(max=1), self.envelope)

    def _gaussians(self, t: Tensor) -> Tensor:
        step = 1 / (self.num_basis + 1)
        centres = torch.arange(1, self.num_basis + 1, dtype=t.dtype, device=t.device) * step
        # The sum of their squares is about 1.12 / 2 * sqrt(pi) everywhere, and then 1 a function.
        return torch.exp(-(((t - centres) / step) ** 2) / 2) * math.sqrt(self.num_basis / 1.2533)

    def _bessel_functions(self, t: Tensor) -> Tensor:
        roots = math.pi * torch.arange(1, self.num_basis + 1, dtype=t.dtype, device=t.device)
        t = t.clamp(min=_NEAR)
        return math.sqrt(2 / 3) * torch.sin(roots * t) / t

    def _checked(self, attributes: Tensor | None, r: Tensor) -> Tensor:
        shape = (*r.shape, self.attributes)
        if attributes is None or not self.attributes:
            got = "None" if attributes is None else "some"
            raise ValueError(
                f"attributes: expected {self.attributes} numbers for each edge, as this "
                f"RadialNetwork was made for, got {got}"
            )
        if check_floating("attributes", attributes).shape != shape:
            raise ValueError(f"attributes: expected {shape}, got {tuple(attributes.shape)}")
        if attributes.device != r.device:
            raise ValueError(
                f"attributes: expected a tensor on {r.device}, as the distances, got one on "
                f"{attributes.device}"
            )
        return attributes

    def extra_repr(self) -> str:
        """What the weights mean, too; of Gaussians in the words of older checkpoints."""
        words = f"cutoff={self.cutoff}, features={self.features}, basis={self.num_basis}"
        if (self.basis, self.envelope) != ("gaussian", _ENVELOPES["gaussian"]):
            words += f" {self.basis}, envelope={self.envelope}"
        return words + (f", attributes={self.attributes}" if self.attributes else "")


def envelope(t: Tensor, order: int) -> Tensor:
    """The polynomial u of ``RadialNetwork``, by Horner's rule; the series is that of (1 - t)^-3.

    Args:
        t: distances in units of the cutoff, at most 1.
        order: p.
    Returns:
        In the shape of ``t``.
    """
    series = torch.zeros_like(t)
    for k in reversed(range(order)):
        series = series * t + (k + 1) * (k + 2) // 2
    return (1 - t) ** 3 * series
