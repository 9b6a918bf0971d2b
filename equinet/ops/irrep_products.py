r"""A matrix for each irrep, on all of its copies: the equivariant linear maps between fibres.

In: vectors, and matrices one after the other. Out: vectors.

.. math:: y_{ivm} = \sum_c W_{vc}\, x_{icm}                                               \quad (I1)

for each irrep, with components m. The number E = <v, y> is linear in each of x, W and v; its
gradients by the first two,

.. math:: (\partial_x, \partial_W)\, E(x, W, v)                                           \quad (I2)

are the other operator, and as with ``edge_sums`` gradients of these are both of them again.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from equinet.ops.example_tables import integers
from equinet.ops.native import library
from equinet.ops.native.checks import check_tensor, check_tensors
from equinet.ops.native.operator import Gradients, Operator

Two = tuple[Tensor, Tensor]


class IrrepMap(NamedTuple):
    """The copies of one irrep in a row of x and of y; W is ``(copies, groups * channels)``.

    Attributes:
        dim: its components m.
        copies: in y, each with its components in a row.
        channels: in x, of a group.
        groups: how many there are.
        into: where it starts in a row of x.
        run: from one group of channels to the next; those of the first component stand first. 0
            where the components of a channel stand in a row, in one group.
        out: where it starts in a row of y.
    """

    dim: int
    copies: int
    channels: int
    groups: int
    into: int
    run: int
    out: int

    @property
    def columns(self) -> int:
        """Those of W."""
        return self.groups * self.channels

    @property
    def reach(self) -> int:
        """How many numbers of x lie from the first to the last."""
        if not self.run:
            return self.channels * self.dim
        return (self.dim * self.groups - 1) * self.run + self.channels


class IrrepProduct(NamedTuple):
    """The plan of (I1).

    Attributes:
        weights: the matrices in a row.
        numbers: the entries of all ``IrrepMap``.
        width: the length of a row of y.
    """

    weights: Tensor
    numbers: Sequence[int]
    width: int


class IrrepGradients(NamedTuple):
    """The plan of (I2), which acts on v.

    Attributes:
        x, weights, numbers: as in ``IrrepProduct``.
        wanted: places of the gradients that are wanted, 0 and 1; the others are empty.
    """

    x: Tensor
    weights: Tensor
    numbers: Sequence[int]
    wanted: Sequence[int]


def irrep_product(maps: Sequence[IrrepMap], x: Tensor, weights: Tensor, width: int) -> Tensor:
    """Apply to all copies of each irrep its matrix (I1).

    Args:
        maps: the irreps, which lie apart in x and in y.
        x: ``(rows, components)``.
        weights: the matrices in a row, each ``(copies, groups * channels)``.
        width: the components of a row of the result; those of no irrep are 0.
    Returns:
        ``(rows, width)``.
    Raises:
        ValueError: for tensors of another shape than the sizes say.
        TypeError: for what is no tensor, or tensors of different dtypes or devices.
    """
    check_tensors("irrep_product", x=x, weights=weights)
    numbers = list(itertools.chain.from_iterable(maps))
    return PRODUCT(x, IrrepProduct(weights, numbers, width))


# --- the references -------------------------------------------------------------------------------


def _reference(x: Tensor, plan: IrrepProduct) -> Tensor:
    maps, parts, at = irrep_maps_of(plan.numbers), [], 0
    matrices = _matrices(maps, plan.weights)
    for own, matrix in sorted(zip(maps, matrices, strict=True), key=lambda pair: pair[0].out):
        # As many products: one would copy the vectors first, which lie in rows of x.
        found = torch.bmm(_vectors(own, x).movedim(1, 0), matrix.mT.expand(own.dim, -1, -1))
        parts += [x.new_zeros(x.shape[0], own.out - at), found.movedim(0, 2).flatten(1)]
        at = own.out + own.copies * own.dim
    return torch.cat([*parts, x.new_zeros(x.shape[0], plan.width - at)], 1)


def _gradients_reference(v: Tensor, plan: IrrepGradients) -> Two:
    maps, width = irrep_maps_of(plan.numbers), plan.x.shape[1]
    to_x, to_w = torch.zeros_like(plan.x), [plan.weights.new_zeros(0)]
    for own, matrix in zip(maps, _matrices(maps, plan.weights), strict=True):
        back = v.narrow(1, own.out, own.copies * own.dim)
        back = back.unflatten(1, (own.copies, own.dim)).movedim(2, 0)  # (dim, rows, copies)
        if 0 in plan.wanted:
            found = torch.bmm(back, matrix.expand(own.dim, -1, -1)).movedim(0, 1)
            found = _row_of(own, found)
            to_x = to_x + pad(found, (own.into, width - own.into - own.reach))
        if 1 in plan.wanted:
            vectors = _vectors(own, plan.x).movedim(1, 0)
            to_w.append(torch.bmm(back.mT, vectors).sum(0).flatten())
    nothing = v.new_empty(0)
    return to_x if 0 in plan.wanted else nothing, torch.cat(to_w) if 1 in plan.wanted else nothing


def _matrices(maps: Sequence[IrrepMap], weights: Tensor) -> list[Tensor]:
    """Of each irrep ``(copies, columns)``."""
    parts = weights.split([own.copies * own.columns for own in maps])
    return [part.view(own.copies, own.columns) for own, part in zip(maps, parts, strict=True)]


def _vectors(own: IrrepMap, x: Tensor) -> Tensor:
    """The copies of an irrep in rows, ``(rows, dim, columns)``."""
    x = x.narrow(1, own.into, own.reach)
    if not own.run:
        return x.unflatten(1, (own.channels, own.dim)).mT
    # Not unfold, whose derivative has no rule for vmap.
    x = pad(x, (0, own.dim * own.groups * own.run - own.reach))
    return x.unflatten(1, (own.dim, own.groups, own.run))[..., : own.channels].flatten(2)


def _row_of(own: IrrepMap, vectors: Tensor) -> Tensor:
    """The transpose of ``_vectors``, ``(rows, reach)``, with 0 between the groups."""
    if not own.run:
        return vectors.mT.flatten(1)
    groups = vectors.unflatten(2, (own.groups, own.channels))
    return pad(groups, (0, own.run - own.channels)).flatten(1)[:, : own.reach]


def irrep_maps_of(numbers: Sequence[int]) -> list[IrrepMap]:
    """The irreps of which ``numbers`` are."""
    rows = [numbers[i : i + len(IrrepMap._fields)] for i in range(0, len(numbers), 7)]
    return [IrrepMap(*row) for row in rows]


# --- the operators --------------------------------------------------------------------------------


def _check(x: Tensor, plan: IrrepProduct) -> None:
    _check_all("irrep_product", x, *plan)


def _check_gradients(v: Tensor, plan: IrrepGradients) -> None:
    name, (x, weights, numbers, wanted) = "irrep_product_gradients", plan
    if any(place not in (0, 1) for place in wanted):
        raise ValueError(f"{name}: wanted: expected places 0 and 1, got {list(wanted)}")
    check_tensor(name, "x", x, (None, None))
    check_tensor(name, "gradient", v, (x.shape[0], None), x)
    _check_all(name, x, weights, numbers, v.shape[1])


def _check_all(name: str, x: Tensor, weights: Tensor, numbers: Sequence[int], width: int) -> None:
    check_tensor(name, "x", x, (None, None))
    needed = _sizes(numbers)
    if needed is None or needed[0] > x.shape[1] or needed[1] > width:
        raise ValueError(
            f"{name}: numbers: expected those of irreps in rows of {x.shape[1]} and {width} "
            f"components, got {list(numbers[:14])} ..."
        )
    check_tensor(name, "weights", weights, (needed[2],), x)


def _sizes(numbers: Sequence[int]) -> tuple[int, int, int] | None:
    """``_needed``; a compiler of torch's sees the reference only, and no cache."""
    if torch.compiler.is_compiling():
        return _needed(tuple(numbers))
    return _needed_once(tuple(numbers))


def _needed(numbers: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The components that rows of x and y have at least, and the entries of W; None if of none.

    Compiled code that is handed other numbers reads and writes outside of its arrays.
    """
    if len(numbers) % len(IrrepMap._fields) or any(not 0 <= n <= 2**31 for n in numbers):
        return None
    maps = irrep_maps_of(numbers)
    for own in maps:
        if min(own.dim, own.copies, own.channels, own.groups) < 1:
            return None
        if own.groups > 1 and not own.run or own.run and own.run < own.channels:
            return None
    return (
        max((own.into + own.reach for own in maps), default=0),
        max((own.out + own.copies * own.dim for own in maps), default=0),
        sum(own.copies * own.columns for own in maps),
    )


_needed_once = functools.lru_cache(1024)(_needed)  # asked at each call


def _fake(x: Tensor, plan: IrrepProduct) -> Tensor:
    return x.new_empty(x.shape[0], plan.width)


def _fake_gradients(v: Tensor, plan: IrrepGradients) -> Two:
    to_x, to_w = (
        v.new_empty(one.shape if i in plan.wanted else 0) for i, one in enumerate(plan[:2])
    )
    return to_x, to_w


def _cpu(x: Tensor, plan: IrrepProduct) -> Tensor:
    out, numbers = _fake(x, plan), tuple(plan.numbers)
    given = x.contiguous(), plan.weights.contiguous(), out
    counts = len(numbers) // len(IrrepMap._fields), *x.shape, plan.width
    library.call("irrep_product", x.dtype, *given, numbers, *counts)
    return out


def _gradients_cpu(v: Tensor, plan: IrrepGradients) -> Two:
    x, weights, numbers = plan.x, plan.weights, tuple(plan.numbers)
    found = _fake_gradients(v, plan)
    outs = [one if i in plan.wanted else None for i, one in enumerate(found)]
    given = v.contiguous(), x.contiguous(), weights.contiguous()
    counts = len(numbers) // len(IrrepMap._fields), *x.shape, v.shape[1]
    library.call("irrep_product_gradients", v.dtype, *given, *outs, numbers, *counts)
    return found


def _examples() -> list[tuple[Tensor, IrrepProduct]]:
    """Irreps in both orders, of one and several groups, with gaps; beyond a tile; and no rows."""
    maps = (IrrepMap(1, 33, 17, 1, 1, 0, 0), IrrepMap(3, 5, 4, 2, 20, 6, 35))
    width, generator = 52, torch.Generator().manual_seed(0)
    reach = max(own.into + own.reach for own in maps) + 2
    weights = integers((sum(own.copies * own.columns for own in maps),), generator)
    numbers = list(itertools.chain.from_iterable(maps))
    return [
        (integers((rows, reach), generator), IrrepProduct(weights, numbers, width))
        for rows in (29, 1, 0)
    ]


def _gradients_examples() -> list[tuple[Tensor, IrrepGradients]]:
    """The same of the gradients, both and each alone."""
    generator = torch.Generator().manual_seed(1)
    return [
        (
            integers((len(x), plan.width), generator),
            IrrepGradients(x, plan.weights, plan.numbers, wanted),
        )
        for x, plan in _examples()
        for wanted in ([0, 1], [0], [1])
    ]


PRODUCT = Operator(
    "irrep_product(Tensor x, Tensor weights, int[] numbers, int width) -> Tensor",
    IrrepProduct,
    reference=_reference,
    fake=_fake,
    check=_check,
    examples=_examples,
    cpu=_cpu,
)
GRADIENTS = Operator(
    "irrep_product_gradients(Tensor gradient, Tensor x, Tensor weights, int[] numbers, "
    "int[] wanted) -> (Tensor, Tensor)",
    IrrepGradients,
    reference=_gradients_reference,
    fake=_fake_gradients,
    check=_check_gradients,
    examples=_gradients_examples,
    cpu=_gradients_cpu,
)


# --- their derivatives ----------------------------------------------------------------------------


def _gradients(needed: Sequence[bool], v: Tensor, x: Tensor, plan: IrrepProduct) -> Gradients:
    wanted = [i for i in (0, 1) if needed[i]]
    found = GRADIENTS(v, IrrepGradients(x, plan.weights, plan.numbers, wanted))
    return tuple(one if i in wanted else None for i, one in enumerate(found))


def _second_gradients(
    needed: Sequence[bool], directions: tuple[Tensor | None, ...], v: Tensor, plan: IrrepGradients
) -> Gradients:
    """Those of E with a direction in place of x, and in place of W, added up."""
    to_v: list[Tensor] = []
    others: list[Tensor | None] = [None, None]
    for i, direction in enumerate(directions):
        if direction is None or i not in plan.wanted:
            continue
        x, weights = (direction, plan.weights) if i == 0 else (plan.x, direction)
        if needed[0]:
            to_v.append(PRODUCT(x, IrrepProduct(weights, plan.numbers, v.shape[1])))
        if needed[2 - i]:
            given = IrrepGradients(x, weights, plan.numbers, [1 - i])
            others[1 - i] = GRADIENTS(v, given)[1 - i]
    return sum(to_v[1:], to_v[0]) if to_v else None, *others


PRODUCT.differentiate(_gradients)
GRADIENTS.differentiate(_second_gradients)
