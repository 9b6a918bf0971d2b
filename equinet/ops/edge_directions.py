r"""Lengths of the vectors along edges, and the harmonics of their directions.

In: vectors. Out: a length and the harmonics of all degrees for each.

.. math:: u = r / |r|, \qquad Y_0 = 1, \qquad Y_{l+1}(u) = Q_l\, (Y_l(u) \otimes u)       \quad (H1)

At r = 0 the length and all harmonics but the first are 0, and so are all derivatives. The gradient
of

.. math:: E(r) = \langle a, |r| \rangle + \langle b, Y(u) \rangle                         \quad (H2)

is another operator, and how (H1) and (H2) change along a direction v,

.. math:: \partial_\epsilon\, (|r|, Y, \nabla E)(r + \epsilon v)                          \quad (H3)

the third: it is all that gradients of (H2) are made of, since the second derivative of E is
symmetric. Its own derivatives are those of the plain reference.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops.native import library
from equinet.ops.native.checks import check_counts, check_tensor, check_tensors
from equinet.ops.native.operator import Gradients, Operator

Two = tuple[Tensor, Tensor]
Three = tuple[Tensor, Tensor, Tensor]


def edge_harmonics(r: Tensor, steps: Tensor, dims: Sequence[int]) -> Two:
    """The lengths of vectors, and the harmonics of their directions (H1).

    Args:
        r: ``(edges, n)``, n up to 3.
        steps: the matrices Q one after the other, each ``(dims[l + 1], dims[l] * n)`` in a row.
        dims: how many harmonics each degree has, the first 1.
    Returns:
        ``(edges,)`` and ``(edges, sum of dims)``.
    Raises:
        ValueError: for tensors of another shape than the sizes say.
        TypeError: for what is no tensor or no size, or tensors of different dtypes or devices.
    """
    check_tensors("edge_harmonics", r=r, steps=steps)
    check_counts("edge_harmonics", "dims", dims, least=1)
    return HARMONICS(r, Degrees(steps, dims))


class Degrees(NamedTuple):
    """The plan of (H1): ``steps`` and ``dims`` as in ``edge_harmonics``."""

    steps: Tensor
    dims: Sequence[int]


class Gradient(NamedTuple):
    """The plan of (H2).

    Attributes:
        to_length, to_harmonics: a and b, None for 0.
        steps, dims: as in ``edge_harmonics``.
    """

    to_length: Tensor | None
    to_harmonics: Tensor | None
    steps: Tensor
    dims: Sequence[int]


class Tangent(NamedTuple):
    """The plan of (H3).

    Attributes:
        direction: v.
        to_length, to_harmonics, steps, dims: as in ``Gradient``.
    """

    direction: Tensor
    to_length: Tensor | None
    to_harmonics: Tensor | None
    steps: Tensor
    dims: Sequence[int]

    @property
    def gradient(self) -> Gradient:
        """The plan of (H2)."""
        return Gradient(*self[1:])


# --- the references -------------------------------------------------------------------------------


class _Found(NamedTuple):
    """What the reference finds on its way; columns are edges.

    Attributes:
        origin: where r = 0, ``(edges,)``.
        length: |r|, and 1 there, ``(edges,)``.
        u: the directions, 0 there, ``(n, edges)``.
        harmonics: of each degree ``(dim, edges)``.
        steps: the matrices Q.
    """

    origin: Tensor
    length: Tensor
    u: Tensor
    harmonics: list[Tensor]
    steps: list[Tensor]


def _found(r: Tensor, steps: Tensor, dims: Sequence[int]) -> _Found:
    columns, sizes = r.mT.contiguous(), _sizes(r.shape[1], dims)
    # Scaled by the largest coordinate first, so that tiny vectors keep their direction.
    scale = columns.detach().abs().amax(0)
    origin = scale == 0
    scale = torch.where(origin, 1, scale)
    columns = columns / scale
    length = torch.where(origin, 1, (columns * columns).sum(0)).sqrt()
    u = torch.where(origin, 0, columns / length)
    parts = steps.split([math.prod(size) for size in sizes]) if sizes else ()
    matrices = [step.view(size) for step, size in zip(parts, sizes, strict=True)]
    harmonics = [torch.ones_like(u[:1])]
    for matrix in matrices:
        harmonics.append(matrix @ edge_products(harmonics[-1], u))
    return _Found(origin, scale * length, u, harmonics, matrices)


def _reference(r: Tensor, plan: Degrees) -> Two:
    found = _found(r, *plan)
    length = torch.where(found.origin, 0, found.length)
    return length, torch.cat(found.harmonics).mT.contiguous()


def _gradient_reference(r: Tensor, plan: Gradient) -> Tensor:
    # Backwards through (H1), and on to r, along which the direction does not change. Written out,
    # since a program in which torch.func differentiates cannot be exported.
    found = _found(r, plan.steps, plan.dims)
    slope = torch.zeros_like(found.u)  # of what is of the harmonics, by u
    if plan.to_harmonics is not None:
        *others, to = plan.to_harmonics.mT.split(list(plan.dims))
        for l in reversed(range(len(others))):
            both = (found.steps[l].mT @ to).unflatten(0, (-1, len(found.u)))
            slope = slope + (both * found.harmonics[l][:, None]).sum(0)
            to = others[l] + (both * found.u).sum(1)
    across = slope - found.u * (found.u * slope).sum(0)
    change = torch.where(found.origin, 0, across / found.length)
    if plan.to_length is not None:
        change = change + plan.to_length * found.u
    return change.mT.contiguous()


def _tangent_reference(r: Tensor, plan: Tangent) -> Three:
    # The change of every line of the two functions above, which stands behind it with a d.
    found = _found(r, plan.steps, plan.dims)
    u, v = found.u, plan.direction.mT
    d_length = (u * v).sum(0)
    du = torch.where(found.origin, 0, (v - u * d_length) / found.length)
    d_harmonics = [torch.zeros_like(u[:1])]
    for matrix, y in zip(found.steps, found.harmonics, strict=False):
        d_harmonics.append(matrix @ (edge_products(d_harmonics[-1], u) + edge_products(y, du)))
    slope = d_slope = torch.zeros_like(u)
    if plan.to_harmonics is not None:
        *others, to = plan.to_harmonics.mT.split(list(plan.dims))
        d_to = torch.zeros_like(to)
        for l in reversed(range(len(others))):
            back, y, dy = found.steps[l].mT, found.harmonics[l][:, None], d_harmonics[l][:, None]
            both, d_both = ((back @ one).unflatten(0, (-1, len(u))) for one in (to, d_to))
            slope = slope + (both * y).sum(0)
            d_slope = d_slope + (d_both * y + both * dy).sum(0)
            to = others[l] + (both * u).sum(1)
            d_to = (d_both * u + both * du).sum(1)
    along, d_along = (u * slope).sum(0), (du * slope + u * d_slope).sum(0)
    across, d_across = slope - u * along, d_slope - du * along - u * d_along
    change = d_across / found.length - across * d_length / found.length.square()
    change = torch.where(found.origin, 0, change)
    if plan.to_length is not None:
        change = change + plan.to_length * du
    return d_length, torch.cat(d_harmonics).mT.contiguous(), change.mT.contiguous()


def edge_products(y: Tensor, u: Tensor) -> Tensor:
    """The products of harmonics of one degree with the coordinates of directions.

    Args:
        y: ``(dim, edges)``.
        u: ``(n, edges)``.
    Returns:
        ``(dim * n, edges)``.
    """
    return (y[:, None] * u).flatten(0, 1)


def _sizes(n: int, dims: Sequence[int]) -> list[tuple[int, int]]:
    """Of the matrices Q."""
    return [(above, below * n) for below, above in itertools.pairwise(dims)]


# --- the operators --------------------------------------------------------------------------------


def _check(r: Tensor, plan: Degrees) -> None:
    _check_all("edge_harmonics", r, Gradient(None, None, *plan))


def _check_gradient(r: Tensor, plan: Gradient) -> None:
    _check_all("edge_harmonics_gradient", r, plan)


def _check_tangent(r: Tensor, plan: Tangent) -> None:
    name = "edge_harmonics_tangent"
    _check_all(name, r, plan.gradient)
    check_tensor(name, "direction", plan.direction, tuple(r.shape), r)


def _check_all(name: str, r: Tensor, plan: Gradient) -> None:
    check_tensor(name, "r", r, (None, None))
    count, n = r.shape
    if n not in (1, 2, 3):
        raise ValueError(f"{name}: r: expected vectors in 1 to 3 dimensions, got {n}")
    if not plan.dims or plan.dims[0] != 1 or min(plan.dims) < 1 or max(plan.dims) > 2**20:
        raise ValueError(f"{name}: dims: expected sizes, the first 1, got {list(plan.dims)}")
    entries = sum(math.prod(size) for size in _sizes(n, plan.dims))
    check_tensor(name, "steps", plan.steps, (entries,), r)
    if plan.to_length is not None:
        check_tensor(name, "to_length", plan.to_length, (count,), r)
    if plan.to_harmonics is not None:
        check_tensor(name, "to_harmonics", plan.to_harmonics, (count, sum(plan.dims)), r)


def _fake(r: Tensor, plan: Degrees) -> Two:
    return r.new_empty(r.shape[0]), r.new_empty(r.shape[0], sum(plan.dims))


def _fake_gradient(r: Tensor, plan: Gradient) -> Tensor:
    return r.new_empty(r.shape)


def _fake_tangent(r: Tensor, plan: Tangent) -> Three:
    return *_fake(r, Degrees(plan.steps, plan.dims)), r.new_empty(r.shape)


def _cpu(r: Tensor, plan: Degrees) -> Two:
    found = _fake(r, plan)
    _call("edge_harmonics", (r, plan.steps), found, plan.dims)
    return found


def _gradient_cpu(r: Tensor, plan: Gradient) -> Tensor:
    found = _fake_gradient(r, plan)
    _call("edge_harmonics_gradient", (r, *plan[:-1]), (found,), plan.dims)
    return found


def _tangent_cpu(r: Tensor, plan: Tangent) -> Three:
    found = _fake_tangent(r, plan)
    _call("edge_harmonics_tangent", (r, *plan[:-1]), found, plan.dims)
    return found


def _call(
    name: str, given: Sequence[Tensor | None], found: Sequence[Tensor], dims: Sequence[int]
) -> None:
    """Call what is compiled; its first argument is r."""
    r, *_ = rows = [None if tensor is None else tensor.contiguous() for tensor in given]
    assert r is not None
    count, n = r.shape
    library.call(name, r.dtype, *rows, *found, tuple(dims), len(dims), n, count)


def _examples() -> list[tuple[Tensor, Tangent]]:
    """In each dimension, with a vector of length 0; beyond a register; without a, b or degrees."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    found: list[tuple[Tensor, Tangent]] = []
    for n, count, dims in ((3, 37, [1, 3, 5]), (2, 9, [1, 2, 2]), (1, 4, [1, 1]), (3, 5, [1])):
        r, direction, a, b = drawn(count, n), drawn(count, n), drawn(count), drawn(count, sum(dims))
        r[1] = 0
        steps = drawn(sum(math.prod(size) for size in _sizes(n, dims)))
        found += [(r, Tangent(direction, *factors, steps, dims)) for factors in ((a, b), (None, b))]
        found.append((r, Tangent(direction, a, None, steps, dims)))
    return found


HARMONICS = Operator(
    "edge_harmonics(Tensor r, Tensor steps, int[] dims) -> (Tensor, Tensor)",
    Degrees,
    reference=_reference,
    fake=_fake,
    check=_check,
    examples=lambda: [(r, Degrees(plan.steps, plan.dims)) for r, plan in _examples()[::3]],
    cpu=_cpu,
)
GRADIENT = Operator(
    "edge_harmonics_gradient(Tensor r, Tensor? to_length, Tensor? to_harmonics, Tensor steps, "
    "int[] dims) -> Tensor",
    Gradient,
    reference=_gradient_reference,
    fake=_fake_gradient,
    check=_check_gradient,
    examples=lambda: [(r, plan.gradient) for r, plan in _examples()],
    cpu=_gradient_cpu,
)
TANGENT = Operator(
    "edge_harmonics_tangent(Tensor r, Tensor direction, Tensor? to_length, Tensor? to_harmonics, "
    "Tensor steps, int[] dims) -> (Tensor, Tensor, Tensor)",
    Tangent,
    reference=_tangent_reference,
    fake=_fake_tangent,
    check=_check_tangent,
    examples=_examples,
    cpu=_tangent_cpu,
)


# --- their derivatives ----------------------------------------------------------------------------


def _gradients(
    needed: Sequence[bool], to: tuple[Tensor | None, Tensor | None], r: Tensor, plan: Degrees
) -> Gradients:
    return (GRADIENT(r, Gradient(*to, *plan)),)


def _second_gradients(
    needed: Sequence[bool], direction: Tensor, r: Tensor, plan: Gradient
) -> Gradients:
    *others, to_r = TANGENT(r, Tangent(direction, *plan))
    pairs = zip(others, plan[:2], strict=True)
    return to_r, *(found if factor is not None else None for found, factor in pairs)


def _third_gradients(
    needed: Sequence[bool], to: tuple[Tensor | None, ...], r: Tensor, plan: Tangent
) -> Gradients:
    """By torch, of the reference; with derivatives of their own."""
    places = [i for i, factor in enumerate(plan[:3]) if factor is not None]

    def at(r: Tensor, *factors: Tensor) -> Three:
        given = {plan._fields[i]: factor for i, factor in zip(places, factors, strict=True)}
        return _tangent_reference(r, plan._replace(**given))

    pulled = torch.func.vjp(at, r, *(plan[i] for i in places))[1]
    pairs = zip(to, _fake_tangent(r, plan), strict=True)
    to_r, *others = pulled(tuple(torch.zeros_like(y) if v is None else v for v, y in pairs))
    gradients: list[Tensor | None] = [None] * 3
    for i, one in zip(places, others, strict=True):
        gradients[i] = one
    return to_r, *gradients


HARMONICS.differentiate(_gradients)
GRADIENT.differentiate(_second_gradients)
TANGENT.differentiate(_third_gradients)
