"""Learned polynomials of a field."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_kind
from equinet.nn.bilinear import check_factors
from equinet.nn.irrep_parts import JoinIrreps, SplitIrreps
from equinet.nn.kernel_layer import KernelLayer, irrep_paths
from equinet.nn.layout import laid_out
from equinet.nn.meaning import fingerprint
from equinet.nn.module import randn
from equinet.nn.product import check_channels
from equinet.numerics import Constant
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import on_cpu
from equinet.ops import full_precision
from equinet.rep import Irrep
from equinet.steerable.polynomials import (
    SymmetricMaps,
    equivariant_polynomials,
    mean_squares,
    monomials,
)

_HIGHEST, _MOST_KINDS = 12, 10_000


class SymmetricPower(KernelLayer):
    r"""A learned equivariant polynomial of each channel, the symmetric contraction of MACE.

    .. math:: z^k_u = \sum_{\nu = 1}^{order} \sum_\eta W^{k \eta}_u P^{k \eta}(x_u), \qquad
              P^{k \eta}: \mathrm{Sym}^\nu V \to k \quad (K8)

    x_u has copy u of every irrep of the input, the sum of which is V; the P are a basis of all
    equivariant polynomials of degree nu (arXiv 2206.07697). Of sums over neighbours a polynomial of
    degree nu is a sum over nu of them: the many-body terms of an energy. They are computed from
    the monomials, one factor at a time: binomial(dim V + nu - 1, nu) of them in place of the
    dim V^nu entries of a tensor.

    Initial weights are normal with variance 1; the polynomials are scaled so that independent
    normal inputs of variance 1 give outputs of mean square 1. Over the sphere powers have degrees
    above the band, so the equivariance is approximate there.

    Args:
        in_type: fields of finite dimension, equally many copies of every irrep: the channels.
        out_type: fields over the same space, with as many copies of every irrep.
        order: the largest degree, MACE's correlation.
        kinds: how many kinds of samples there are, such as species of atoms, each of which has
            weights of its own; None for the same weights for all.
        generator: for the initial weights.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``. With ``kinds`` a second
        argument says the kind of each sample, over ``Points`` of each point, int64 ``(batch,)``.
    Raises:
        TypeError: if a type is no ``FieldType``.
        ValueError: for types over different spaces, fields sampled on a continuous group, unequal
            numbers of channels, a number out of range, and if there is no polynomial but zero.
    Warns:
        UserWarning: if channels of a type have no polynomial.

    Attributes:
        weight: ``(kinds or 1, polynomials, channels)``, for each irrep of the output in turn.

    Example:
        >>> from equinet.field import Points
        >>> h = Points("O(3)", dim=3).fields("4x0e + 4x1o")
        >>> SymmetricPower(h, h, order=3).weight.shape
        torch.Size([1, 9, 4])
    """

    maps = "polynomial"

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        order: int,
        *,
        kinds: int | None = None,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_factors(in_type=in_type, out_type=out_type)
        super().__init__(in_type, out_type)
        self.channels = check_channels(in_type=in_type, out_type=out_type)
        self.order = check_integer(order, "order", most=_HIGHEST)
        self.kinds = None if kinds is None else check_integer(kinds, "kinds", most=_MOST_KINDS)
        self.aliases = in_type.space.is_band_limited and order > 1
        self.split, self.join = SplitIrreps(in_type), JoinIrreps(out_type)
        self.dim = sum(dim for _, dim in self.split.irreps)
        terms = sum(math.comb(self.dim + nu - 1, nu) for nu in range(1, order + 1))
        rows = sum(dim for _, dim in self.join.irreps)
        check_memory(terms * self.dim * rows, "order", f"polynomials of {terms} terms")
        with torch.device("cpu"):
            basis = self._basis()
        self.counts = [len(polynomials) for polynomials in basis]
        self._check_paths(basis)
        shape = (kinds or 1, sum(self.counts), self.channels)
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def _irreps(self) -> tuple[tuple[Irrep, ...], tuple[Irrep, ...]]:
        return tuple(self.in_type.fibre.counts), tuple(self.out_type.fibre.counts)

    def _basis(self) -> tuple[Tensor, ...]:
        return equivariant_polynomials(*self._irreps(), self.order)

    def _check_paths(self, basis: tuple[Tensor, ...]) -> None:
        """Warn of fields without polynomials; ValueError if there are none at all."""
        if not sum(self.counts):
            raise ValueError(
                f"out_type: there is no equivariant polynomial but zero of degree up to "
                f"{self.order} from {self.in_type!r} to {self.out_type!r}"
            )
        psis, outs = self._irreps()
        owner = [psi for psi in psis for _ in range(psi.dim)]  # of each variable
        names = itertools.chain.from_iterable(
            monomials(self.dim, degree) for degree in range(1, self.order + 1)
        )
        members = [{owner[i] for i in name} for name in names]
        pairs = {
            (out, psi)
            for out, polynomials in zip(outs, basis, strict=True)
            for m in (polynomials.abs().sum((0, 1)) > 1e-9).nonzero()[:, 0].tolist()
            for psi in members[m]
        }
        self.set_paths(irrep_paths(self.in_type, self.out_type, pairs))

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does."""
        with torch.no_grad():
            self.weight.copy_(randn(*self.weight.shape, generator=generator))

    @on_cpu
    def meaning(self) -> str:
        """The types, and the polynomials of which the weights are coefficients."""
        return f"{super().meaning()}, polynomials {fingerprint(self._basis())}"

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        names = [monomials(self.dim, degree) for degree in range(1, self.order + 1)]
        numbers = [{name: i for i, name in enumerate(own)} for own in names]
        return {
            "basis": [self._scaled(polynomials) for polynomials in self._basis()],
            # Each monomial is one of a degree less times one variable.
            "first": [
                torch.tensor([before[name[:-1]] for name in own])
                for before, own in zip(numbers[:-1], names[1:], strict=True)
            ],
            "last": [torch.tensor([name[-1] for name in own]) for own in names[1:]],
        }

    def _scaled(self, polynomials: Tensor) -> Tensor:
        """Each of n polynomials to one irrep has mean square 1 / n in each component, as in one."""
        squares = mean_squares(polynomials[:, :1], self.dim, self.order) * len(polynomials)
        return polynomials / squares.sqrt()[:, None, None]

    def dense(self) -> Tensor:
        """The coefficients of the monomials of each channel, in the basis of irreps.

        Returns:
            ``(kinds or 1, channels, components, monomials)``.
        """
        parts = [
            torch.einsum("neu,edm->nudm", weight.to(basis.dtype), basis)
            for weight, basis in zip(
                self.weight.split(self.counts, 1), self.listed("basis"), strict=True
            )
        ]
        return torch.cat(parts, 2)

    def fields(self) -> Tensor:
        kinds, channels, rows, terms = self.dense().shape
        dims = torch.tensor([dim for _, dim in self.join.irreps])
        irrep = torch.arange(len(dims)).repeat_interleave(dims)
        above = torch.arange(kinds * channels)[:, None]
        out = (above * len(dims) + irrep).flatten().repeat_interleave(terms)
        into = (above % channels).repeat_interleave(rows * terms)
        return torch.stack([out, into], 1)

    def kernel_space(self) -> SymmetricMaps:
        """All polynomials of each channel, for each kind."""
        filters = self.weight.shape[0] * self.channels
        return SymmetricMaps(*self._irreps(), self.order, filters)

    def forward(self, x: Tensor, kind: Tensor | None = None) -> Tensor:
        """The polynomials of the fields, with the weights of its kind for each sample.

        Args:
            x: ``in_type.shape(batch, ...)``.
            kind: of each sample, int64 ``(batch,)``; None without ``kinds``.
        Returns:
            ``out_type.shape(batch, ...)``.
        Raises:
            ValueError: for a kind without weights, and for kinds where there are to be none.
        """
        self.check(x)
        check_kind(x, kind, self.kinds)
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # powers need the digits
        y = y.movedim(1, 0)
        with full_precision(x):
            flat = y.flatten(1)
            coefficients = self.dense().to(flat)
            # One matrix for each channel: (kind and component) by monomial.
            z = coefficients.movedim(0, 1).flatten(1, 2) @ self._monomials(flat)
        z = z.unflatten(1, (coefficients.shape[0], -1))
        if kind is None:
            z = z.squeeze(1)
        else:
            points = kind[:, None].expand(-1, y.shape[2:].numel()).flatten()
            z = torch.take_along_dim(z, points[None, None, None], 1).squeeze(1)
        terms = [[part.flatten(1)] for part in z.split([dim for _, dim in self.join.irreps], 1)]
        z = self.join(terms, flat)
        return laid_out(z.unflatten(1, y.shape[1:]).movedim(0, 1), x).to(x.dtype)

    def _monomials(self, x: Tensor) -> Tensor:
        """From ``(channels, points)`` to ``(copy, monomial, points)``."""
        variables = torch.cat(self.split(x), 1)
        found = [variables]
        for first, last in zip(self.listed("first"), self.listed("last"), strict=True):
            found.append(found[-1].index_select(1, first) * variables.index_select(1, last))
        return torch.cat(found, 1)

    def extra_repr(self) -> str:
        kinds = "" if self.kinds is None else f", kinds={self.kinds}"
        return f"{super().extra_repr()}, order={self.order}{kinds}"
