"""Weights of linear and bilinear layers, from matrices and from paths between blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.convert.projection import nearest_weights
from equinet.field import FieldType
from equinet.nn import Linear, Product
from equinet.rep import Irrep, clebsch_gordan


def set_matrix(layer: Linear, matrix: Tensor, bias: Tensor | None = None) -> None:
    """Give a layer the weights with which its matrix is the given one, if it can be.

    Args:
        layer: on the CPU; it is widened to float64, in which all is computed.
        matrix: float64 ``(channels out, channels in)``.
        bias: one for each invariant vector of the output.
    """
    layer.double()
    with torch.no_grad():
        layer.weight.copy_(nearest_weights(layer, matrix))
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)


class ProductPath(NamedTuple):
    """Products of two blocks that lead to a third.

    Attributes:
        left: number of the block.
        right: likewise.
        out: likewise.
        mode: "uvw", weights for all triples of copies, or "uvu", for pairs of those on the left,
            which stay apart, and on the right.
        weight: for products that are an invariant tensor of norm 1, float64.
        learned: whether it is.
    """

    left: int
    right: int
    out: int
    mode: str
    weight: Tensor
    learned: bool


def is_whole(
    left: FieldType, right: FieldType, out: FieldType, paths: Sequence[ProductPath]
) -> bool:
    """Whether the paths, all of one mode, are those of a ``Product`` of these fields."""
    given = sorted((path.left, path.right, path.out) for path in paths)
    every = [
        (i, j, o)
        for i, (psi, _) in enumerate(copies(left))
        for j, (chi, _) in enumerate(copies(right))
        for o, (omega, _) in enumerate(copies(out))
        if len(clebsch_gordan(psi, chi, omega))
    ]
    if given != every or not all(path.learned for path in paths):
        return False
    # Channel by channel each irrep stands once, with equally many copies.
    blocks = left.blocks + out.blocks
    alone = len(left.fibre.counts) == len(left.blocks) and len(out.fibre.counts) == len(out.blocks)
    return paths[0].mode == "uvw" or alone and len({mul for mul, _ in blocks}) == 1


def set_products(layer: Product, paths: Sequence[ProductPath]) -> None:
    """Give a product the weights of paths between its blocks; those of others are 0.

    Args:
        layer: on the CPU; it is widened to float64, in which all is computed.
        paths: between the blocks of its types.
    """
    layer.double()
    left, right, out = map(copies, (layer.in_type, layer.right_type, layer.out_type))
    tables = _tables(layer)
    for path in paths:
        (psi, u), (chi, v), (omega, w) = left[path.left], right[path.right], out[path.out]
        weight, norm = tables[psi, chi, omega]
        place = (u, v, 0) if layer.is_channelwise else (u, v, 0, w)
        weight[place] += path.weight / norm
    with torch.no_grad():
        layer.weight.copy_(torch.cat([weight.flatten() for weight, _ in tables.values()]))


def _tables(layer: Product) -> dict[tuple[Irrep, Irrep, Irrep], tuple[Tensor, Tensor]]:
    """For three irreps the weights, which are 0, and the norm of their product in the layer."""
    left, right, out = (
        list(fields.fibre.counts) for fields in (layer.in_type, layer.right_type, layer.out_type)
    )
    found, shapes = {}, iter(layer.shapes)
    for pair, rows in zip(layer.pairs, layer.listed("products"), strict=True):
        maps = rows.split([count * out[k].dim for k, count in pair.paths])
        for (k, _), one in zip(pair.paths, maps, strict=True):
            weight = torch.zeros(next(shapes), dtype=torch.float64)
            found[left[pair.left], right[pair.right], out[k]] = weight, one.norm()
    return found


def copies(fields: FieldType) -> list[tuple[Irrep, slice]]:
    """The irrep of each block, which is one, and which of all copies of it the block has.

    Args:
        fields: of blocks that are irreps.
    """
    found, before = [], Counter()
    for mul, rho in fields.blocks:
        (psi,) = rho.multiplicities
        found.append((psi, slice(before[psi], before[psi] + mul)))
        before[psi] += mul
    return found
