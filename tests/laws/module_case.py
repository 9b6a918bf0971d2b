"""What a module promises to the laws, and the spaces over which modules are tried."""

import copy
import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from equinet import (
    Line,
    Plane,
    Point,
    Points,
    Sphere,
    Volume,
    icosahedral,
    symmetric,
)
from equinet.field import HomogeneousSpace, random_field
from equinet.field.grid import Grid


def axes(fold: int) -> Tensor:
    """Where the axes of this order meet the sphere round an icosahedron."""
    g = icosahedral().elements
    trace = g.diagonal(dim1=1, dim2=2).sum(1)
    R = g[(trace - 1 - 2 * math.cos(2 * math.pi / fold)).abs() < 1e-6][0]
    axis = torch.stack([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    return (g @ axis).round(decimals=9).unique(dim=0)


LINE = Line("O(1)")
C4, C8, D4, SO2, O2 = (Plane(name) for name in ("C4", "C8", "D4", "SO(2)", "O(2)"))
SO3, O3, OCTAHEDRAL = (Volume(name) for name in ("SO(3)", "O(3)", "O"))
POINT, POINTS = Point("O(3)", dim=3), Points("O(3)", dim=3)
PLANE_POINTS = Points("C4", dim=2)
# Finite spaces: vertices, faces and centre of an icosahedron, and the members of a set.
VERTICES, FACES = (HomogeneousSpace.of(icosahedral(), axes(fold)) for fold in (5, 3))
CENTRE = HomogeneousSpace(icosahedral(), icosahedral())
SET = HomogeneousSpace.of(symmetric(4), torch.eye(4))

Others = Callable[[int, Generator, torch.dtype], tuple[Any, ...]]


@dataclass(frozen=True)
class ModuleCase:
    """A module of ``equinet.nn`` and what it promises.

    Attributes:
        make: the module at a level of refinement, with the generator of its initial weights.
        exact: whether it commutes to rounding with the elements that act exactly (all of them over
            a sphere or a point, on a grid those that map it to itself). Else the error falls with
            the level.
        level: the refinement at which it is tried; over a sphere its band.
        sizes: of the grid, if there is one.
        traced: whether it goes through torch.compile, torch.export and ONNX too, which takes
            seconds; a case whose graph is like that of another one need not.
        plain: whether ``export()`` leaves nothing of this library.
        others: makes the arguments after the fields, for a number of points.
        levels: three for a case that is not exact.
        bound: the class, its arguments and options, of a case that is a single call.
    """

    name: str
    make: Callable[[int, Generator], torch.nn.Module]
    exact: bool = True
    level: int = 1
    sizes: tuple[int, ...] = ()
    traced: bool = False
    plain: bool = False
    others: Others | None = None
    levels: tuple[int, ...] = (3, 5, 8)
    bound: Callable[[], tuple[Callable, tuple, dict]] | None = None

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> torch.nn.Module:
        """The module at its level: a copy, for a law that is not about how it is made."""
        return copy.deepcopy(_made_once(self))

    def anew(self, seed: int = 0) -> torch.nn.Module:
        """The module as its constructor makes it here and now."""
        return self.make(self.level, Generator().manual_seed(seed))

    def arguments(
        self,
        module: torch.nn.Module,
        generator: Generator,
        batch: int = 2,
        dtype: torch.dtype = torch.float32,
        more: int = 0,
    ) -> tuple[Tensor, ...]:
        """Noise, which has no symmetry, and what else the module takes; ``more`` adds to a grid."""
        sizes = tuple(size + more for size in self.sizes)
        options = dict(sizes=sizes, smoothness=0.0) if sizes else {}
        x = random_field(module.in_type, batch, generator=generator, dtype=dtype, **options)
        return (x,) if self.others is None else (x, *self.others(batch, generator, dtype))

    def smooth(self, module: torch.nn.Module, generator: Generator) -> Tensor:
        """The same fields at every level, in float64; over a sphere those of low degree."""
        low = dict(band=2) if isinstance(module.in_type.space, Sphere) else {}
        return random_field(module.in_type, 2, generator=generator, dtype=torch.float64, **low)


@functools.cache
def _made_once(case: ModuleCase) -> torch.nn.Module:
    return case.anew()


def case(
    kind: Callable[..., torch.nn.Module],
    space: object,
    text: str,
    *args: object,
    sizes: tuple[int, ...] | None = None,
    exact: bool = True,
    traced: bool = False,
    plain: bool = False,
    others: Others | None = None,
    **options: object,
) -> ModuleCase:
    """A module between the types of a text such as "2x0 -> 1x1", with further arguments.

    The space may be a pair, of the input and of the output.
    """
    seeded = "generator" in inspect.signature(kind).parameters
    spaces = space if isinstance(space, tuple) else (space, space)

    def bound() -> tuple[Callable, tuple, dict]:
        with torch.device("cpu"):  # types are values, wherever the module is to be
            types = [
                over.fields(part) for over, part in zip(spaces, text.split(" -> "), strict=False)
            ]
        return kind, (*types, *args), options

    def make(level: int, generator: Generator) -> torch.nn.Module:
        own = dict(generator=generator) if seeded else {}
        return kind(*bound()[1], **options, **own)

    if sizes is None and isinstance(space, Grid):
        sizes = {1: (8,), 2: (6, 6), 3: (4, 4, 4)}[space.n]
    said = [getattr(arg, "__name__", repr(arg)) for arg in args]
    said += [f"{key}={value}" for key, value in options.items()]
    name = ", ".join([f"{kind.__name__}({space}: {text}", *said]) + ")"
    own = bound if inspect.isclass(kind) else None
    return ModuleCase(name, make, exact, 1, sizes or (), traced, plain, others, bound=own)
