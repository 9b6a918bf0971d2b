"""Group elements to try: generators, random ones, and which of them keep a grid.

In: groups and what to draw. Out: elements ``(count, n, n)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from equinet.field import Space
from equinet.field.grid import Grid
from equinet.group import FiniteGroup, Group
from equinet.group.finite import finite_group
from equinet.testing.draws import Draw


class Drawn(NamedTuple):
    """Group elements of one kind.

    Attributes:
        elements: ``(count, n, n)``.
        between: whether they take grid points between grid points.
        generator: that drew them, and goes on to draw their fields.
    """

    elements: Tensor
    between: bool
    generator: Generator


def drawn_elements(group: Group, draw: Draw, generator: Generator, every: bool = False) -> Tensor:
    """Group elements: of a finite group generators and others, else drawn from Haar measure.

    Args:
        group: that is drawn from.
        draw: how many, or which.
        generator: of the random numbers.
        every: all of a finite group but the identity, however many are to be drawn.
    Returns:
        float64 ``(count, n, n)``.
    Raises:
        ValueError: if elements are given that are none of the group.
    """
    if draw.elements is not None:
        group.check(draw.elements, "elements")
        return draw.elements
    if isinstance(group, FiniteGroup):
        if group.order == 1:
            return group.elements
        if every:
            return _generators_first(
                group.elements[1:], group.order, Generator().manual_seed(draw.seed)
            )
        return _generators_first(group.elements[1:], draw.count, generator)
    drawn = group.sample(4 * draw.count, generator=generator)
    proper = torch.linalg.det(drawn) > 0
    if proper.all() or not proper.any():
        return drawn[: draw.count]
    # Both components, whatever the draw.
    pairs = zip(drawn[proper], drawn[~proper], strict=False)
    return torch.stack([g for pair in pairs for g in pair])[: draw.count]


def exact_elements(
    group: Group, space: Space, sizes: tuple[int, ...], draw: Draw, generator: Generator
) -> Tensor:
    """Of ``drawn_elements`` those that move fields over a space exactly; all that are given.

    Args:
        group: that is drawn from.
        space: on which it acts.
        sizes: of its open axes.
        draw: how many elements, or which.
        generator: of the random numbers.
    Returns:
        float64 ``(count, n, n)``.
    Raises:
        ValueError: if there are none, or elements are given that are none of the group.
    """
    drawn = drawn_elements(group, draw, generator)
    if draw.elements is not None:
        return drawn
    kept = drawn[space.keeps(drawn, sizes)]
    if not len(kept):
        raise ValueError(
            f"elements: expected some that move fields over {space} exactly, got none of those "
            "that were drawn; say elements="
        )
    return kept


def grid_elements(
    group: Group,
    grids: Sequence[Grid],
    sizes: Sequence[int],
    draw: Draw,
    *,
    by_kind: bool = False,
) -> list[Drawn]:
    """Elements that keep some grids, and others, as many as are to be drawn.

    Args:
        group: that is drawn from.
        grids: on the same space; the sizes are those of the first.
        sizes: of its axes.
        draw: how many elements, and of which kind.
        by_kind: that many of each kind there is, in place of a mixture.
    Returns:
        One entry for each kind; the elements that keep the grids come first.
    Raises:
        ValueError: if only one of the two kinds is asked for and there is none.
    """
    keeping = grid_symmetries(group, grids, sizes)
    all_keep = isinstance(group, FiniteGroup) and group.order == 1 + len(keeping)
    kinds = [draw.exact]
    if by_kind and draw.exact is None:
        there_are = {True: len(keeping) > 0, False: not all_keep}
        kinds = [exact for exact in (True, False) if there_are[exact]]
    if not kinds or draw.elements is not None:
        kinds = [None]
    found = []
    for exact in kinds:
        generator = Generator().manual_seed(draw.seed)
        if exact and not len(keeping):
            raise ValueError(
                f"exact: no element of {group} but the identity keeps a grid of sizes "
                f"{tuple(sizes)} over {grids[0]}; use exact=False"
            )
        if exact is False and all_keep:
            raise ValueError(f"exact: every element of {group} keeps the grid; use exact=True")
        if exact:
            kept, others = _generators_first(keeping, draw.count, generator), keeping[:0]
        else:
            drawn = drawn_elements(group, draw, generator, every=exact is False)
            kept, others = _split(drawn.double(), grids, sizes)
        if exact is False:
            kept, others = kept[:0], others[: draw.count]
        for elements, between in ((kept, False), (others, True)):
            if len(elements):
                found.append(Drawn(elements, between, generator))
    return found


def grid_symmetries(group: Group, grids: Sequence[Grid], sizes: Sequence[int]) -> Tensor:
    """All elements of a group but the identity that map grids to themselves.

    Args:
        group: whose elements are tried.
        grids: on the same space; the sizes are those of the first.
        sizes: of its axes.
    Returns:
        float64 ``(count, n, n)``, signed permutation matrices.
    """
    n = grids[0].n
    matrices = []
    for order in itertools.permutations(range(n)):
        for signs in itertools.product((1.0, -1.0), repeat=n):
            matrix = torch.zeros(n, n, dtype=torch.float64)
            matrix[list(order), range(n)] = torch.tensor(signs, dtype=torch.float64)
            matrices.append(matrix)
    every = torch.stack(matrices)
    exact, _ = _split(every[group.mask(every)], grids, sizes)
    return exact[(exact - torch.eye(n, dtype=torch.float64)).abs().amax((1, 2)) > 0]


def _split(elements: Tensor, grids: Sequence[Grid], sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Elements that map the grids to themselves, the first of these sizes, and the others."""
    keeps = grids[0].keeps(elements, tuple(sizes))
    for other in grids[1:]:  # of sizes that are not known, where only the steps matter
        keeps = keeps & other.keeps(elements, (1,) * other.n)
    return elements[keeps], elements[~keeps]


def _generators_first(elements: Tensor, count: int, generator: Generator) -> Tensor:
    """Generators of a group of which the elements but the identity are given, then some others."""
    one = torch.eye(elements.shape[-1], dtype=torch.float64)[None]
    whole = finite_group(torch.cat([one, elements]), "")
    first = whole.index(whole.generators).tolist()
    rest = [i for i in range(1, whole.order) if i not in first]
    order = torch.randperm(len(rest), generator=generator).tolist()
    numbers = first + [rest[i] for i in order]
    return whole.elements[numbers[: max(count, len(first))]]
