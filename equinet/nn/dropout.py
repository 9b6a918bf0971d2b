"""Dropout of whole fields and of whole samples."""

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_clouds, check_share
from equinet.nn.clouds import clouds_of
from equinet.nn.field_norm import field_of
from equinet.nn.module import EquivariantModule
from equinet.numerics.arguments import check_flag


class FieldDropout(EquivariantModule):
    r"""In training, set whole fields to zero with probability p, and divide the others by 1 - p.

    All components of a field and all of space share one draw, for each sample, so the values that
    are left transform as before; ``torch.nn.Dropout3d`` on trivial fields. Over ``Points`` a sample
    is a point or, with ``batch``, a cloud, all points of which then share the draw.

    ``enn.Dropout`` is another name of it. ``torch.nn.Dropout`` draws for every value, which no
    symmetry of space or of a field survives.

    Args:
        in_type: fields over any space.
        p: the probability, from 0 to 1.
        inplace: in training, write the result over the input, as in torch; not where the input is
            needed again, as by the shortcut of a ``Residual``.
    Shape:
        ``in_type.shape(batch, ...)`` to the same. Over ``Points``, ``forward(x, batch, count)``
        takes the number of the cloud of each point and the number of clouds, as ``GlobalAvgPool``.
    Raises:
        ValueError: if p is no probability.
        TypeError: if ``inplace`` is neither True nor False.
    """

    field_of: Tensor

    def __init__(self, in_type: FieldType, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(in_type, in_type)
        self.p, self.fields = check_share(p, "p", "a probability"), in_type.copies
        self.inplace = check_flag(inplace, "inplace")
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"field_of": field_of(self.in_type)}

    def forward(self, x: Tensor, batch: Tensor | None = None, count: int | None = None) -> Tensor:
        """The fields, some of them zero while training.

        Args:
            x: ``in_type.shape(batch, ...)``.
            batch: over ``Points``, the number of the cloud of each point, int64 ``(points,)``;
                without it each point has its own draw.
            count: over ``Points``, of the clouds, by default the largest number and one.
        Returns:
            In the shape of ``x``.
        Raises:
            ValueError: if a number in ``batch`` is negative or not below ``count``.
        """
        self.check(x)
        check_clouds(self.in_type, x, batch, count)
        if not self.training:
            return x
        samples = x.shape[0]
        if batch is not None or count is not None:
            batch, samples = clouds_of(x, batch, count)
        kept = nn.functional.dropout(x.new_ones(samples, self.fields), self.p)
        kept = kept.index_select(1, self.field_of)
        kept = kept if batch is None else kept.index_select(0, batch)
        kept = kept.view(*kept.shape, *[1] * (x.dim() - 2))
        return x.mul_(kept) if self.inplace else x * kept

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, p={self.p:g}"
        return f"{text}, inplace=True" if self.inplace else text


Dropout = FieldDropout


class DropPath(EquivariantModule):
    r"""In training, set whole samples to zero with probability p, and divide the others by 1 - p.

    At the end of the body of a ``Residual`` it leaves the shortcut alone (stochastic depth, Huang
    et al. 2016, arXiv 1603.09382). Over ``Points`` a sample is a cloud.

    Args:
        in_type: fields over any space.
        p: the probability, from 0 to 1.
    Shape:
        ``in_type.shape(batch, ...)`` to the same. Over ``Points``, ``forward(x, batch)`` takes the
        number of the cloud of each point, int64 ``(points,)``; without it all are one cloud.
    Raises:
        ValueError: if p is no probability.

    Example:
        >>> from equinet.field import Plane
        >>> h = Plane("C4").fields("2x regular")
        >>> DropPath(h, 1.0)(torch.ones(h.shape(2, 5, 5))).sum()
        tensor(0.)
    """

    def __init__(self, in_type: FieldType, p: float) -> None:
        super().__init__(in_type, in_type)
        self.p = check_share(p, "p", "a probability")

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """The samples, some of them zero while training.

        Args:
            x: ``in_type.shape(batch, ...)``.
            batch: over ``Points``, the number of the cloud of each point, int64 ``(points,)``;
                without it all are one cloud.
        Returns:
            In the shape of ``x``.
        """
        self.check(x)
        check_clouds(self.in_type, x, batch)
        if not self.training:
            return x
        together = self.in_type.space.in_clouds and batch is None
        kept = nn.functional.dropout(x.new_ones(1 if together else x.shape[0]), self.p)
        if batch is not None:  # there are no more clouds than points
            kept = kept[batch.unique(return_inverse=True)[1]]
        return x * kept.view(-1, *[1] * (x.dim() - 1))

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p:g}"
