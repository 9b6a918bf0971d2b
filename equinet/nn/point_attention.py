r"""Attention of points to their neighbours.

.. math:: y_i = M z_i, \qquad z_{ipu} = \sqrt{\bar N} \sum_{j \in N(i)} \sum_h
          a_{ij}^h\, w_{pu}^h(|r|)\, K_p(r / |r|)\, f_{ju}, \qquad
          a_{ij}^h = \frac{u(|r|)\, e^{s_{ij}^h}}{e^{b_h} + \sum_k u(|r_{ik}|)\, e^{s_{ik}^h}},
          \qquad s_{ij}^h = \frac{q_i^h \cdot (T(r)\, k_j)^h}{\sqrt{d}}                \quad (V10)

where queries q and keys k are equivariant linear maps of f, T turns a key along the edge as the
layer of (V7) does, d is the dimension of both in a head, and u is the envelope of the radial
functions. Scores are inner products of vectors that the group turns alike, so they are invariant.
"""

from __future__ import annotations

import functools
import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.depthwise import DepthwisePointConv
from equinet.nn.edges import Neighbours, Positions, edges_of, ends_of
from equinet.nn.field_norm import widened
from equinet.nn.linear import Linear
from equinet.nn.module import EquivariantModule
from equinet.nn.point_conv import check_point_layer
from equinet.nn.radial_network import RadialNetwork
from equinet.numerics.arguments import check_integer, check_memory
from equinet.ops import EdgeOrder, full_precision
from equinet.rep.representation import check_rep


@runtime_checkable
class _Windowed(Protocol):
    """Radial functions that fall to zero with an envelope."""

    def window(self, r: Tensor) -> Tensor: ...


class PointAttention(EquivariantModule):
    r"""A convolution on points in which each point weighs its neighbours by what they are (V10).

    Messages are those of ``DepthwisePointConv``; the weights a are invariant, a softmax over the
    neighbours of each point and one place more, of score b and value zero. A neighbour that leaves
    through the cutoff has weight zero, with two derivatives, also where it was the only one. Every
    head weighs all channels, with radial functions of its own.

    As in the SE(3)-Transformer (arXiv 2006.10503) queries and turned keys are of one type and their
    inner product is the score; the envelope in the softmax is that of Equiformer (arXiv
    2206.11990).

    Args:
        in_type: fields over ``Points`` in R^1, R^2 or R^3.
        out_type: fields over the same ``Points``.
        radial: functions of the distance with an envelope, as ``RadialNetwork`` is: a module with
            the attribute ``features`` and the method ``window``.
        neighbours: the mean number of neighbours of a point, which keeps the variance where their
            weights are even.
        heads: how many softmaxes there are.
        key_copies: how many copies of each irrep of ``in_type`` the query of a head has.
        lmax: largest degree of the harmonics, as in ``DepthwisePointConv``.
        bias: add a learned constant to the invariant channels of the output.
        generator: for the initial weights.
        device, dtype: of the module and of ``radial``, as in ``torch.nn``.
    Shape:
        As ``PointConv``. A point without neighbours has the constant alone.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero; in ``forward`` for another shape, and for an edge to no point.

    Attributes:
        sink: b, one for each head, at first 0.
        query, key, turn: q, k and T.
        values: the layer that makes the messages and adds them up.

    Example:
        >>> from equinet.field import Points
        >>> h = Points("O(3)", dim=3).fields("4x0e + 4x1o")
        >>> layer = PointAttention(h, h, RadialNetwork(2.0), neighbours=3, heads=2)
        >>> edges = torch.tensor([[1, 2, 0], [0, 0, 1]])
        >>> layer(torch.ones(h.shape(3)), torch.rand(3, 3), edges).shape
        torch.Size([3, 16])
    """

    by_head: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        radial: nn.Module,
        *,
        neighbours: float,
        heads: int = 4,
        key_copies: int = 2,
        lmax: int | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        features, _ = check_point_layer(in_type, out_type, radial, neighbours, lmax)
        if not isinstance(radial, _Windowed):
            raise ValueError(
                "radial: expected a module with the method window, the envelope of its functions, "
                f"such as RadialNetwork, got {type(radial).__name__}"
            )
        super().__init__(in_type, out_type)
        self.heads = check_integer(heads, "heads")
        copies = heads * check_integer(key_copies, "key_copies")
        with torch.device("cpu"):
            psis = list(in_type.fibre.counts)
            check_memory((copies * len(psis)) ** 2, "heads", f"keys of {copies} copies")
            self.key_type = in_type.space.fields([(copies, check_rep(psi)) for psi in psis])
        made = functools.partial(DepthwisePointConv, lmax=lmax, generator=generator)
        kept = self.key_type, self.key_type
        query, key = (Linear(in_type, kept[0], False, generator=generator) for _ in range(2))
        turn = made(*kept, _Given(features), neighbours=1, bias=False)
        given = _Given(heads * features)
        self.values = made(in_type, out_type, given, neighbours=1 / neighbours, bias=bias)
        self.turn, self.key, self.query = turn, key, query
        self.sink = nn.Parameter(torch.empty(heads))
        self.reset_parameters()
        self.set_constants()
        self.radial = radial
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """The sink to 0; the parts draw their weights themselves."""
        nn.init.zeros_(self.sink)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        size = self.key_type.channels // self.heads
        one_hot = torch.eye(self.heads, dtype=torch.float64) / math.sqrt(size)
        of = [
            one_hot.repeat_interleave(copies * rho.dim // self.heads, 0)
            for copies, rho in self.key_type.blocks
        ]
        return {"by_head": torch.cat(of)}

    def meaning(self) -> str:
        """The types, and of which functions of the distance the parts have coefficients."""
        own = isinstance(self.radial, RadialNetwork)
        return f"{super().meaning()}, {self.radial.extra_repr()}" if own else super().meaning()

    def forward(
        self,
        x: Tensor,
        positions: Positions,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
        *,
        attributes: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> Tensor:
        """The weighted mean of what comes along the edges.

        Args:
            x: ``(points, channels in)``.
            positions: ``(points, n)``; of both ends as a pair where they are other points.
            edges: a ``transforms.Graph``, or int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
            attributes: what the functions of the distance take besides it, ``(count, ...)``.
            targets: the fields where edges end, ``(targets, channels in)``, which make the queries,
                where these are other points.
        Returns:
            ``(points, channels out)``.
        Raises:
            ValueError: if ``targets`` lack, or are of other points than those where edges end.
        """
        self.check(x)
        vectors, order = edges_of(self.values, x, positions, edges, shifts)
        distances, harmonics = self._highest().harmonics(vectors)
        radial = self.radial(distances, *(() if attributes is None else (attributes,)))
        queries = self.query(self._targets(x, positions, targets))
        scores = self._scores(queries, self.key(x), order, harmonics, radial)
        weights = self._weights(scores, self.radial.window(distances), order)
        both = (weights[:, :, None] * radial[:, None]).flatten(1)
        return self.values.along(x, order, harmonics, both)

    def _targets(self, x: Tensor, positions: Positions, targets: Tensor | None) -> Tensor:
        """The fields where edges end, checked."""
        starts, ends = ends_of(positions)
        if targets is None and starts is ends:
            return x
        if targets is not None:
            self.in_type.check(targets, "targets")
        if targets is None or targets.shape[0] != ends.shape[0]:
            raise ValueError(
                f"targets: expected the fields of the {ends.shape[0]} points where edges end, got "
                f"{'None' if targets is None else tuple(targets.shape)}"
            )
        return targets

    def _highest(self) -> DepthwisePointConv:
        """The part that needs the harmonics of more degrees."""
        return self.turn if self.turn.lmax > self.values.lmax else self.values

    def _scores(
        self, queries: Tensor, keys: Tensor, order: EdgeOrder, harmonics: Tensor, radial: Tensor
    ) -> Tensor:
        """s, ``(count, heads)``: every edge ends in a point of its own, where its key turns up."""
        source, target = order.edges
        own = torch.arange(source.shape[0] + 1, device=source.device)
        ends, sorted = torch.stack([source, own[:-1]]), torch.stack([order.order[0], own[:-1]])
        apart = EdgeOrder(ends, sorted, order.source_starts, own)
        turned = self.turn.along(keys, apart, harmonics, radial)
        with full_precision(keys):
            product = widened(queries).index_select(0, target) * widened(turned)
            return product @ self.by_head.to(product)

    def _weights(self, scores: Tensor, window: Tensor, order: EdgeOrder) -> Tensor:
        """a, ``(count, heads)``."""
        sink, target = self.sink.to(scores), order.edges[1]
        # The largest cancels, so it has no derivative.
        top = sink.detach().expand(order.target_starts.shape[0] - 1, -1)
        top = top.scatter_reduce(0, target[:, None].expand_as(scores), scores.detach(), "amax")
        parts = window[:, None] * torch.exp(scores - top.index_select(0, target))
        total = torch.exp(sink - top).index_add(0, target, parts)
        return parts / total.index_select(0, target)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, heads={self.heads}"


class _Given(nn.Module):
    """Radial functions that were computed before, and come as attributes of the edges.

    Where none come, as when the layer is tried by itself, they are 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, r: Tensor, values: Tensor | None = None) -> Tensor:
        return torch.ones_like(r)[:, None].expand(-1, self.features) if values is None else values
