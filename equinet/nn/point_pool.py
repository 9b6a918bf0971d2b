r"""From one level of points to another, along edges with invariant weights.

.. math:: y_i = \sum_{j \in N(i)} P_{ij}\, f_j, \qquad
          P_{ij} = \frac{w(|r_{ij}|)}{\sum_k w(|r_{ik}|)} \quad (V9)

The weights depend on distances alone and multiply whole fields, so (V9) and its transpose commute
with every motion, for fields of any kind. Points that weigh more, or are missing, have weights of
their own, m_j, which multiply w(\|r_ij\|).
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType, Points
from equinet.nn.edges import Neighbours, Positions, edge_vectors, ends_of, length
from equinet.nn.field_norm import widened
from equinet.nn.masks import point_weights, read
from equinet.nn.module import EquivariantModule
from equinet.nn.radial_network import envelope
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_choice, check_number

_NEAR = 1e-8  # squares of distances, in those of all neighbours: how near the inverse stops to grow
_ENVELOPE = 3  # the order of that polynomial


class PointPool(EquivariantModule):
    r"""The weighted mean of the neighbours of each point (V9).

    Along a graph from a fine level to a coarse one it pools; with weights "inverse" along one from
    the three nearest points of a coarse level to each of a fine one it interpolates, as PointNet++
    does (arXiv 1706.02413).

    Args:
        in_type: fields over ``Points``.
        weights: w, "uniform" for 1 or "inverse" for 1 / r^2. At a point where there is a neighbour
            the latter takes its value; near it, within 1e-4 of the distance of the others, it is
            level, so that its derivatives are finite.
        cutoff: c, where the weights fall smoothly to zero, with the polynomial of
            ``RadialNetwork``; None for no such factor.
    Shape:
        x ``(sources, channels)``, positions ``((sources, n), (targets, n))``, or one tensor for
        both, and edges as ``PointConv`` takes them, to ``(targets, channels)``; zeros for a point
        without neighbours.
    Raises:
        ValueError: for fields over another space, another word, and a cutoff that is no positive
            number; in ``forward`` for another shape, for an edge to no point, and for the positions
            of one level alone with a graph between two.

    Example:
        >>> h = Points("O(3)", dim=3).fields("1x0e")
        >>> fine, coarse = torch.tensor([[0.0, 0, 0], [1, 0, 0]]), torch.tensor([[0.0, 1, 0]])
        >>> edges = torch.tensor([[0, 1], [0, 0]])
        >>> PointPool(h, "inverse")(torch.tensor([[0.0], [3.0]]), (fine, coarse), edges)
        tensor([[1.]])
    """

    end = 0  # of edges, at which the fields are

    def __init__(
        self, in_type: FieldType, weights: str = "uniform", cutoff: float | None = None
    ) -> None:
        check_over(Points, in_type, in_type)
        super().__init__(in_type, in_type)
        self.weights = check_choice(weights, "weights", ("uniform", "inverse"))
        self.cutoff = None if cutoff is None else check_number(cutoff, "cutoff", above=0)
        self.n = in_type.space.fibre_group.n

    def forward(
        self,
        x: Tensor,
        positions: Positions,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The fields at the other end of the edges.

        Args:
            x: ``(sources, channels)``; of ``PointUnpool`` ``(targets, channels)``.
            positions: ``(points, n)``; of both ends as a pair where they are other points.
            edges: a ``transforms.Graph``, or int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
            weights: of the points of ``x``, as in ``GlobalAvgPool``: the mean is over what is
                there. Where they are 0 the fields are not read; ``PointUnpool`` gives away so many
                times what a point has.
        Returns:
            ``(targets, channels)``; of ``PointUnpool`` ``(sources, channels)``.
        """
        self.check(x)
        w = point_weights(self.in_type, x, weights)
        found, r = edge_vectors(self, x, positions, edges, shifts, self.end)
        return self._along(widened(x), w, positions, found, widened(r)).to(x.dtype)

    def out_weights(
        self,
        weights: Tensor,
        positions: Positions,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
    ) -> Tensor:
        """The weights at the other end of the edges, for the layers behind.

        Args:
            weights: of the points of the fields, as ``forward`` takes them.
            positions: as there.
            edges: as there.
            shifts: as there.
        Returns:
            What (V9), or its transpose, makes of them; 0 where nothing is left.
        """
        points = ends_of(positions)[self.end]
        one = points.new_ones(points.shape[0], 1)
        w = point_weights(self.in_type, one, weights)
        assert w is not None
        found, r = edge_vectors(self, one, positions, edges, shifts, self.end)
        return self._along(w.expand_as(one), None, positions, found, widened(r))[:, 0]

    def _along(
        self, x: Tensor, w: Tensor | None, positions: Positions, edges: Tensor, r: Tensor
    ) -> Tensor:
        """What comes along the edges of the fields, of which w is there."""
        counts = [one.shape[0] for one in ends_of(positions)]
        here, there = edges if self.end == 0 else edges.flip(0)
        share = None
        if w is not None:
            x, w = read(x, w), w.expand(x.shape[0], 1)
            x = x * w if self.end else x
            share = None if self.end else w[:, 0].index_select(0, here)
        shares = self._shares(r, edges[1], counts[1], share)
        parts = shares[:, None] * x.index_select(0, here)
        return parts.new_zeros(counts[1 - self.end], x.shape[1]).index_add(0, there, parts)

    def _shares(self, r: Tensor, target: Tensor, targets: int, m: Tensor | None) -> Tensor:
        """P of every edge, ``(count,)``, of which the sources have the weights m."""

        def summed(values: Tensor) -> Tensor:
            """For every edge the sum over those that end where it does."""
            sums = values.new_zeros(targets).index_add(0, target, values)
            return sums.index_select(0, target)

        squares = (r * r).sum(1)
        w = one = torch.ones_like(squares)
        if self.weights == "inverse":
            near = squares + _NEAR * summed(read(squares, m))
            w = 1 / torch.where(near == 0, one, near)
        if self.cutoff is not None:
            w = w * envelope((length(r) / self.cutoff).clamp(max=1), _ENVELOPE)
        w = w if m is None else w * m
        total = summed(w)
        return w / torch.where(total == 0, one, total)

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, weights={self.weights}"
        return text if self.cutoff is None else f"{text}, cutoff={self.cutoff:g}"


class PointUnpool(PointPool):
    r"""The transpose of ``PointPool``, back along the same edges: f_j = sum_i P_ij y_i.

    It is the adjoint, <y, P f> = <P^T y, f>, and keeps the sum of every field: what a point has
    goes to its neighbours in the shares in which it came.

    Args:
        in_type: fields over ``Points``.
        weights: as in ``PointPool``.
        cutoff: as in ``PointPool``.
    Shape:
        x ``(targets, channels)``, and positions and edges as those of ``PointPool``, to
        ``(sources, channels)``; zeros for a source without edges.
    Raises:
        ValueError: as ``PointPool``.
    """

    end = 1
