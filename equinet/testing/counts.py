r"""How many maps a layer has, and how many there are.

In: a layer with equivariant kernels. Out: the rank of the map from its weights to its kernel, from
the layer; and the dimension of the space of all kernels, from characters alone.
"""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor, nn

from equinet.nn import KernelLayer

_RANK = 1e-9  # singular values below this part of the largest are zero
_MOST = 2**27  # numbers of a Jacobian that is still decomposed
_CHUNK = 64  # tangents at once


# --- how many weights act independently -----------------------------------------------------------


class _Kernel(nn.Module):
    """All numbers of a layer's kernel in a row, as a function of its parameters."""

    def __init__(self, layer: KernelLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return self.layer.dense().flatten()


def independent(layer: KernelLayer) -> tuple[int, int | None]:
    """How many parameters make the kernel, and the rank of the map (E3); None if it is too large.

    Where each parameter acts between two fields only, as in all layers of this library, the
    Jacobian falls into as many blocks, and one tangent has a column of each of them.
    """
    kernel = _Kernel(copy.deepcopy(layer).cpu().double())
    fields, y = kernel.layer.fields(), kernel()
    of_out, of_in = (_weights_of(kernel, y, fields[:, side]) for side in (0, 1))
    weights, width = of_out.shape[1], len(of_in)
    where = of_out.int().argmax(0) * width + of_in.int().argmax(0)
    cells = fields[:, 0] * width + fields[:, 1]
    if max(of_out.sum(0).max(), of_in.sum(0).max()) > 1:  # some act in several places
        where, cells = torch.zeros_like(where), torch.zeros_like(cells)
    alive = of_out.any(0).nonzero()[:, 0]
    members = [alive[where[alive] == cell] for cell in where[alive].unique()]
    most = max(map(len, members), default=0)
    if not most or most * len(y) > _MOST:
        return weights, None if most else 0
    tangents = y.new_zeros(most, weights)
    for columns in members:
        tangents[range(len(columns)), columns] = 1
    jacobian = _slopes(kernel, tangents)
    return weights, sum(_rank(jacobian[: len(m)][:, cells == where[m[0]]]) for m in members)


def _used(kernel: _Kernel, y: Tensor) -> dict[str, Tensor]:
    """The parameters that the kernel is made of."""
    named = dict(kernel.named_parameters())
    slopes = torch.autograd.grad(
        y.sum(), list(named.values()), retain_graph=True, allow_unused=True
    )
    return {n: p for (n, p), s in zip(named.items(), slopes, strict=True) if s is not None}


def _weights_of(kernel: _Kernel, y: Tensor, fields: Tensor) -> Tensor:
    """Which weights act on the numbers of each field, bool ``(fields, weights)``.

    A random functional of these numbers depends on each of them.
    """
    generator = torch.Generator().manual_seed(0)
    functional = torch.randn(len(y), generator=generator, dtype=y.dtype)
    used = list(_used(kernel, y).values())
    rows = []
    for field in range(int(fields.max()) + 1):
        of_field = (functional * (fields == field) * y).sum()
        slopes = torch.autograd.grad(of_field, used, retain_graph=True)
        rows.append(torch.cat([slope.flatten() != 0 for slope in slopes]))
    return torch.stack(rows)


def _slopes(kernel: _Kernel, tangents: Tensor) -> Tensor:
    """The derivatives of the kernel along some directions ``(count, weights)``.

    The transpose of the transpose of the Jacobian: torch's forward mode would warn.
    """
    used = {name: p.detach() for name, p in _used(kernel, kernel()).items()}
    sizes = [p.numel() for p in used.values()]
    at = functools.partial(torch.func.functional_call, kernel, args=())
    y, pull = torch.func.vjp(at, used)[:2]
    push = torch.func.vjp(lambda of: pull(of)[0], torch.zeros_like(y))[1]

    def slope(tangent: Tensor) -> Tensor:
        parts = zip(used.items(), tangent.split(sizes), strict=True)
        return push({name: part.view_as(p) for (name, p), part in parts})[0]

    return torch.func.vmap(slope, chunk_size=_CHUNK)(tangents)


def _rank(matrix: Tensor) -> int:
    """The rank, from as many random sums of the columns as it can be, and some more."""
    generator = torch.Generator().manual_seed(0)
    shape = matrix.shape[1], len(matrix) + 8
    if shape[1] < shape[0]:
        sums = torch.randn(shape, generator=generator, dtype=matrix.dtype)
        matrix = matrix @ sums
    values = torch.linalg.svdvals(matrix)
    return int((values > _RANK * values.max()).sum()) if values.max() > 0 else 0


# --- what the theory says -------------------------------------------------------------------------


def all_maps(layer: KernelLayer) -> int | None:
    """The dimension of the space of all maps, from characters; None if it is not known."""
    space = layer.kernel_space()
    return None if space is None else space.dim
