r"""Any network made equivariant by a small one, which finds how its input stands.

.. math:: \Phi(x) = \sum_h p_h(x)\; h \cdot \phi(h^{-1} x), \quad p = \operatorname{softmax}(s)
          \quad (C3)

over the elements h of a finite group. The scores s are a regular field, s_{gh}(g x) = s_h(x), so
Phi(g x) = g Phi(x) whatever phi is. Of the weights p only the largest are kept: one alone is a
canonical orientation of the input, several are a weighted frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equinet.field import FieldType, resample, space_of
from equinet.field.grid import Grid
from equinet.field.grid_action import source_coordinates, source_matrices
from equinet.field.permute import exchanges
from equinet.field.resampling import snap
from equinet.group import FiniteGroup
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.numerics import Constant
from equinet.numerics.arguments import check_integer
from equinet.ops import full_precision
from equinet.rep import regular

_ROUNDING = 1e-12  # of an entry of a matrix, and of a coordinate


class Canonicaliser(EquivariantModule[FieldType | None]):
    r"""Turns its input to where it knows it, lets a plain network do the rest, and turns back (C3).

    Args:
        find: an equivariant network to one regular field over the same grid; its mean over space
            are the scores.
        network: any module from ``in_type`` of ``find``.
        out_type: of what the network makes, over the same space; None for plain vectors, which are
            invariant then.
        kept: of how many elements, those of the largest weights, the network is asked: the cost is
            that of as many calls. With 1 the scores have no gradient, as nothing depends on them
            but which element is the largest: train with 2 or more, and set ``kept`` to 1 then.
    Shape:
        ``in_type.shape(batch, *sizes)`` to what ``network`` makes of it.
    Raises:
        TypeError: if ``network`` is no module.
        ValueError: for a group that is not finite, types over different spaces, or a ``find`` that
            leads to something else than one regular field.

    Attributes:
        find, network: the two networks.
        kept: the number of elements.

    References:
        Kaba, Mondal, Zhang, Bengio and Ravanbakhsh 2023, Equivariance with Learned Canonicalization
        Functions; Dym, Lawrence and Siegel 2024, Equivariant Frames and the Impossibility of
        Continuous Canonicalization.

    Example:
        >>> from equinet import Plane, nn as enn
        >>> plane = Plane("C4")
        >>> x, scores = plane.fields("3x trivial"), plane.fields("1x regular")
        >>> plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
        >>> network = Canonicaliser(enn.Conv2d(x, scores, 5), plain, kept=2)
        >>> network(torch.randn(2, 3, 17, 17)).shape
        torch.Size([2, 10])
    """

    is_vouched = True

    def __init__(
        self,
        find: EquivariantModule[FieldType],
        network: nn.Module,
        out_type: FieldType | None = None,
        *,
        kept: int = 1,
    ) -> None:
        in_type, scores = (getattr(find, name, None) for name in ("in_type", "out_type"))
        if not isinstance(in_type, FieldType) or not isinstance(scores, FieldType):
            raise TypeError(f"find: expected an equivariant network, got {type(find).__name__}")
        group = in_type.space.group
        if not isinstance(group, FiniteGroup):
            raise ValueError(f"find: expected fields of a finite group, got {in_type!r}")
        space = space_of(in_type, Grid, "find")
        if scores != in_type.space.fields([(1, regular(group))]):
            raise ValueError(
                f"find: expected one regular field over {in_type.space} at its end, got {scores!r}"
            )
        if not isinstance(network, nn.Module):
            raise TypeError(f"network: expected a torch.nn.Module, got {type(network).__name__}")
        if out_type is not None and out_type.space != in_type.space:
            raise ValueError(f"out_type: expected fields over {in_type.space}, got {out_type!r}")
        super().__init__(in_type, out_type)
        self.find, self.network = find, network
        self.kept = check_integer(kept, "kept", 1, len(group.elements))
        with torch.device("cpu"):
            matrices = source_matrices(space, group.elements)
            self._exchanges = exchanges(matrices, (1,) * space.n, _ROUNDING)
        self._inverse = group.inverse.tolist()
        self.set_constants()

    @property
    def _space(self) -> Grid:
        return space_of(self.in_type, Grid, "find")

    @property
    def _elements(self) -> Tensor:
        group = self._space.group
        assert isinstance(group, FiniteGroup)
        return group.elements

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        found: dict[str, Constant] = {
            "elements": self._elements,
            "turn_in": self.in_type.fibre(self._elements.mT),
        }
        return (
            found
            if self.out_type is None
            else {**found, "turn_out": self.out_type.fibre(self._elements)}
        )

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        scores = self.find(x).flatten(2).mean(2)
        with full_precision(scores):
            p, which = scores.softmax(1).topk(self.kept, 1)
            p = (p / p.sum(1, keepdim=True)).to(x.dtype)
        turned = self._chosen(x, which, inverse=True)
        y = self.network(turned.flatten(0, 1)).unflatten(0, which.shape)
        if self.out_type is not None:
            every = [self._chosen(y[:, k], which[:, k, None]) for k in range(self.kept)]
            y = torch.cat(every, 1)
        y = (y * p.view(*p.shape, *[1] * (y.dim() - 2))).sum(1)
        return y if self.out_type is None else laid_out(y, x)

    def _chosen(self, x: Tensor, which: Tensor, inverse: bool = False) -> Tensor:
        """``(batch, kept, channel, *sizes)``, moved by the chosen elements or their inverses."""
        rho = self.get_buffer("turn_in" if inverse else "turn_out").to(x.dtype)
        order = self._inverse if inverse else range(len(self._exchanges))
        moved = torch.stack([self._moved(x, k) for k in order], 1)
        with full_precision(x):
            moved = torch.einsum("hij,bhj...->bhi...", rho, moved)
        index = which.view(*which.shape, *[1] * (x.dim() - 1)).expand(-1, -1, *x.shape[1:])
        return moved.gather(1, index)

    def _moved(self, x: Tensor, k: int) -> Tensor:
        """The values where the element k takes them."""
        one, sizes = self._exchanges[k], tuple(x.shape[2:])
        if one is not None and all((sizes[a] - sizes[b]) % 2 == 0 for a, b in enumerate(one.axes)):
            return one(x)
        g = self.get_buffer("elements")[k].to(x.device, torch.float64)
        return resample(x, snap(source_coordinates(self._space, g, sizes), _ROUNDING * max(sizes)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kept={self.kept}"
