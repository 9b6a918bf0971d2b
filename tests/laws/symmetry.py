"""The group elements that a module is tried on, and how they move its arguments."""

import itertools

import torch
from torch import Tensor

from equinet.field import FieldType, act
from equinet.field.grid import Grid
from equinet.group import FiniteGroup


def signed_permutations(n: int) -> Tensor:
    """All matrices ``(2^n n!, n, n)`` with one entry 1 or -1 in every row and column."""
    one = torch.eye(n, dtype=torch.float64)
    signs = torch.tensor(list(itertools.product([1.0, -1.0], repeat=n)), dtype=torch.float64)
    return torch.cat([signs[:, :, None] * one[list(p)] for p in itertools.permutations(range(n))])


def grid_symmetries(space: Grid, sizes: tuple[int, ...]) -> Tensor:
    """The elements of H that map a grid of these sizes to itself; the identity is the first."""
    lengths = torch.zeros(space.n, dtype=torch.float64)
    spacing = torch.tensor(space.spacing, dtype=torch.float64)
    for axis, coordinate in enumerate(space.coordinates):
        lengths[coordinate] = sizes[axis]
    g = signed_permutations(space.n)
    kept = ((g.abs() @ lengths == lengths) & (g.abs() @ spacing == spacing)).all(-1)
    return g[kept & space.group.mask(g)]


def elements(module, sizes: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Some that act exactly: on a grid generators and one more, elsewhere two from Haar measure.

    Of the group that acts on the output, which may be a smaller one.
    """
    space = module.in_type.space
    group = (module.out_type or module.in_type).space.group
    if isinstance(space, Grid):
        found = grid_symmetries(space, sizes)
        found = found[group.mask(found)]
        return torch.cat([FiniteGroup(space.n, found, "of the grid").generators, found[-1:]])
    return group.sample(2, generator=generator)


def move(field_type: FieldType, g: Tensor, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The moved arguments of a module: fields; real tensors are positions, others stay."""
    x, *others = arguments
    space = field_type.space
    is_real = [isinstance(y, Tensor) and y.is_floating_point() for y in others]
    moved = [space.move(g, y) if real else y for y, real in zip(others, is_real, strict=True)]
    return act(field_type, g, x), *moved


def equivariance_error(
    module: torch.nn.Module,
    g: Tensor,
    arguments: tuple[Tensor, ...],
    types: tuple[FieldType, FieldType | None] | None = None,
) -> float:
    """|Phi(g f) - g Phi(f)| / |Phi(f)|; a dropout drops the same fields in both.

    The types are those of the module unless they are said.
    """
    in_type, out_type = types or (module.in_type, module.out_type)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed takes longer than most modules
        y = module(*arguments)
        torch.default_generator.manual_seed(0)
        again = module(*move(in_type, g, arguments))
    moved = y if out_type is None else act(out_type, g, y)
    return float((again - moved).norm() / y.norm())
