"""What every module and transform of points makes of odd and of wrong input.

A case of a module is one of the laws whose ``forward`` takes edges, clouds or kinds, so a new one
inherits these too.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from equinet import Volume, transforms
from equinet.transforms import Graph
from tests.laws.module_cases import MODULES
from tests.over import over
from tests.tolerances import SINGLE, assert_close

F64 = torch.float64


_TAKEN = {c: inspect.signature(c().forward).parameters for c in MODULES if c.others}


def _taking(argument: str):
    """The cases whose modules take this besides fields."""
    return [case for case, taken in _TAKEN.items() if argument in taken]


every_edge_module = over("case", _taking("edges"))
every_cloud_module = over("case", _taking("batch"))
every_kind_module = over("case", _taking("kind"))


def test_the_cases_are_there():
    assert len(_taking("edges")) >= 10 and len(_taking("batch")) >= 6 and len(_taking("kind")) >= 3
    assert not {*_taking("edges")} & {*_taking("batch")}


# --- modules along edges --------------------------------------------------------------------------


@every_edge_module
def test_an_edge_to_no_point(case, generator):
    """-1 is not the last point, and the number of points is none."""
    module = case()
    x, positions, edges = case.arguments(module, generator, batch=3)
    for row in (0, 1):
        for number in (-1, 3, 2**40):
            wrong = edges.clone()
            wrong[row, 0] = number
            with pytest.raises(ValueError, match=f"^edges: expected .* from 0 to 2, got {number}"):
                module(x, positions, wrong)
    for wrong in (edges.int(), edges.double(), edges.mT, edges[0], edges.tolist(), None):
        with pytest.raises(ValueError, match="^edges: expected the numbers of neighbour and point"):
            module(x, positions, wrong)


@every_edge_module
def test_positions_and_shifts_of_another_kind(case, generator):
    module = case()
    x, positions, edges = case.arguments(module, generator, batch=3)
    shifts = torch.zeros(edges.shape[1], positions.shape[1])
    assert_close(module(x, positions, edges, shifts), module(x, positions, edges), SINGLE)
    told = "expected torch.float32 as this .*, got torch.float64; use"
    with pytest.raises(TypeError, match=f"^positions: {told}"):
        module(x, positions.double(), edges)
    with pytest.raises(TypeError, match=f"^shifts: {told}"):
        module(x, positions, edges, shifts.double())
    with pytest.raises(TypeError, match="^(x|positions): expected torch.float"):
        module(x.double(), positions, edges)
    for wrong in (positions[:2], positions[:, :1], positions[None]):
        with pytest.raises(ValueError, match="^positions: expected"):
            module(x, wrong, edges)
    for wrong in (shifts[1:], shifts[:, :1], shifts[0]):
        with pytest.raises(ValueError, match="^shifts: expected"):
            module(x, positions, edges, wrong)
    for wrong in (positions.long(), positions.tolist(), positions + 0j):
        with pytest.raises((TypeError, ValueError), match="^positions: expected"):
            module(x, wrong, edges)


@every_edge_module
def test_nan_reaches_the_neighbours_alone(case, generator):
    """0 is seen by 1 alone, and sees 2."""
    module = case().double()
    x, positions, _ = case.arguments(module, generator, batch=4, dtype=F64)
    edges = torch.tensor([[0, 2, 3, 2], [1, 0, 2, 3]])
    clean = module(x, positions, edges)
    positions[0] = torch.nan
    y = module(x, positions, edges)
    touched = torch.tensor([True, True, False, False])
    if getattr(module, "end", 0):  # what comes back along the edges of 0 and 1
        touched = torch.tensor([True, False, True, False])
    assert torch.equal(y.isnan().any(1), touched)
    assert torch.equal(y[~touched], clean[~touched])


@every_edge_module
def test_nothing_works(case, generator):
    """No edges, and no points; and from none to some, and the other way round."""
    module = case().double()
    x, positions, edges = case.arguments(module, generator, batch=3, dtype=F64)
    none, nobody = edges[:, :0], positions[:0]
    y = module(x, positions, Graph(none, 3))
    assert y.isfinite().all() and torch.equal(y[0], y[1])
    y.sum().backward() if y.requires_grad else None
    assert module(x[:0], nobody, Graph(none, 0)).shape == (0, y.shape[1])
    if "targets" not in inspect.signature(module.forward).parameters:
        other = 3 if getattr(module, "end", 0) else 0
        empty = module(x[:0], (nobody, positions) if not other else (positions, nobody), none)
        assert torch.equal(empty, y)


@every_edge_module
def test_points_on_top_of_each_other(case, generator):
    """Values and two derivatives are finite, by all that can be differentiated."""
    module = case().double()
    x, positions, edges = case.arguments(module, generator, batch=4, dtype=F64)
    for start in (torch.zeros_like(positions), positions[[0, 0, 2, 3]]):
        start, x = start.clone().requires_grad_(), x.clone().requires_grad_()
        inputs = [start, x, *module.parameters()]
        y = module(x, start, edges)
        assert y.isfinite().all()
        options = dict(create_graph=True, allow_unused=True, materialize_grads=True)
        first = torch.autograd.grad(y.square().sum() + y.sum(), inputs, **options)
        total = sum(one.square().sum() + one.sum() for one in first)
        assert total.isfinite()
        if total.requires_grad:
            for second in torch.autograd.grad(total, inputs, **options):
                assert second.isfinite().all()


@every_edge_module
def test_a_graph_of_other_points(case, generator):
    module = case()
    x, positions, edges = case.arguments(module, generator, batch=3)
    for points in (4, 5):
        with pytest.raises(ValueError, match=f"^x: expected something of {points} points, got"):
            module(x, positions, Graph(edges, points))
    assert_close(module(x, positions, Graph(edges, 3)), module(x, positions, edges), SINGLE)


# --- modules of clouds and of kinds ---------------------------------------------------------------


@every_cloud_module
def test_a_cloud_that_is_none(case, generator):
    module = case()
    x, batch, count = case.arguments(module, generator, batch=3)
    module(x, batch, count)
    last = int(batch.max())
    for numbers, clouds in ((batch - 1, count), (batch, last), (batch + 2**40, count)):
        with pytest.raises(ValueError, match="^batch: expected the number of the cloud of each"):
            module(x, numbers, clouds)
    for wrong in (batch[1:], batch.int(), batch.float(), batch.tolist(), batch[:, None]):
        with pytest.raises(ValueError, match="^batch: expected"):
            module(x, wrong, count)
    for wrong in (-1, 2.0, True):
        with pytest.raises(ValueError, match="^(count|batch): expected"):
            module(x, batch, wrong)


@every_kind_module
def test_a_kind_without_weights(case, generator):
    module = case()
    x, kind = case.arguments(module, generator, batch=3)
    for wrong in (kind + 2, kind - 2, kind[1:], kind.float(), None):
        with pytest.raises(ValueError, match="^kind: expected"):
            module(x, wrong)


# --- transforms -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transform:
    """A function of positions.

    Attributes:
        name: of it.
        call: of positions, and options by name.
        clouds: the options that say of which cloud a point is.
        positions: what it calls these.
        takes_cell: whether it knows periodic space.
    """

    name: str
    call: Callable[..., Any]
    clouds: tuple[str, ...] = ("batch",)
    positions: tuple[str, ...] = ("positions",)
    options: dict[str, Any] = field(default_factory=dict)
    takes_cell: bool = False

    def __str__(self) -> str:
        return self.name

    def __call__(self, positions: Any, numbers: Any = None, **options: Any) -> Any:
        if numbers is not None:
            options |= dict.fromkeys(self.clouds, numbers)
        places = dict.fromkeys(self.positions, positions)
        return self.call(**places, **self.options, **options)


def _voxelized(positions, **options):
    space, values = Volume("SO(3)"), torch.ones(len(positions), 1, dtype=F64)
    return transforms.voxelize(positions, values, space, (3, 3, 3), 1.0, **options)


_BOTH = dict(clouds=("source_batch", "target_batch"), positions=("sources", "targets"))
TRANSFORMS = [
    Transform("radius_graph", transforms.radius_graph, options={"radius": 1.5}, takes_cell=True),
    Transform("knn_graph", transforms.knn_graph, options={"count": 2}, takes_cell=True),
    Transform(
        *("neighbour_graph", transforms.neighbour_graph),
        **dict(options={"radius": 1.5}, takes_cell=True, **_BOTH),
    ),
    Transform(
        *("neighbour_graph, count", transforms.neighbour_graph),
        **dict(options={"count": 2}, **_BOTH),
    ),
    Transform("farthest_points", transforms.farthest_points, options={"count": 2}),
    Transform("voxel_points", transforms.voxel_points, options={"size": 0.7}),
    Transform("voxelize", _voxelized),
]
every_transform = over("case", TRANSFORMS)
every_periodic = over("case", [case for case in TRANSFORMS if case.takes_cell])
NAMES = "(positions|points|sources|targets)"


def _points(generator, count=6):
    return torch.randn(count, 3, generator=generator, dtype=F64)


@every_transform
def test_positions_that_are_none(case, generator):
    x = _points(generator)
    case(x)
    for bad in (torch.nan, torch.inf):
        wrong = x.clone()
        wrong[2, 1] = bad
        with pytest.raises(ValueError, match=f"^{NAMES}: expected finite numbers, got"):
            case(wrong)
    for wrong in (x.long(), x + 0j):
        with pytest.raises(TypeError, match=f"^({NAMES}|values): expected"):
            case(wrong)
    with pytest.raises(ValueError, match=f"^{NAMES}: expected"):
        case(x[0])


@every_transform
def test_clouds_that_are_none(case, generator):
    x = _points(generator)
    numbers = torch.tensor([0, 0, 1, 1, 3, 3])
    case(x, numbers)
    for wrong in (numbers - 1, numbers[1:], numbers.int(), numbers.double(), numbers.tolist()):
        with pytest.raises(ValueError, match="^(source_|target_)?batch: expected"):
            case(x, wrong)


@every_transform
def test_no_points_and_equal_points(case, generator):
    none, numbers = torch.zeros(0, 3, dtype=F64), torch.zeros(0, dtype=torch.int64)
    case(none)
    case(none, numbers)
    case(torch.zeros(4, 3, dtype=F64))
    case(torch.zeros(4, 3, dtype=F64), torch.tensor([0, 0, 1, 5]))


@every_periodic
def test_a_singular_cell(case, generator):
    """Where space repeats along it; else it may be anything."""
    x = _points(generator)
    flat = torch.diag(torch.tensor([3.0, 3.0, 0.0], dtype=F64))
    slanted = torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1.0]], dtype=F64)
    for cell in (flat, slanted, 0 * flat):
        with pytest.raises(ValueError, match="^cell: expected vectors that span space"):
            case(x, cell=cell)
    case(x, cell=flat, pbc=(True, True, False))
    case(x, cell=slanted, pbc=(True, False, True))
    for cell in (flat * torch.nan, flat[:2], flat.long(), flat.expand(2, 3, 3)):
        with pytest.raises((TypeError, ValueError), match="^cell: expected"):
            case(x, cell=cell)
    for pbc in ((True, True), "xyz", torch.ones(3), (1, 1, 1)):
        with pytest.raises(ValueError, match="^pbc: expected"):
            case(x, cell=torch.eye(3, dtype=F64), pbc=pbc)
    with pytest.raises(ValueError, match="^pbc: expected None or False without cell"):
        case(x, pbc=True)


def test_atoms_that_are_none():
    good = dict(positions=torch.zeros(2, 3), numbers=[1, 1], cell=torch.zeros(3, 3), pbc=False)
    transforms.from_atoms(SimpleNamespace(**good), 1.0)
    empty = good | dict(positions=torch.zeros(0, 3), numbers=[])
    transforms.from_atoms(SimpleNamespace(**empty), 1.0)
    for wrong, name in (
        (dict(positions=torch.full((2, 3), torch.nan)), "positions"),
        (dict(pbc=True), "cell"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            transforms.from_atoms(SimpleNamespace(**good | wrong), 1.0)


# --- the graph itself -----------------------------------------------------------------------------


def test_graphs_that_are_none():
    edges, one = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1])
    cells, cell = torch.zeros(2, 3, dtype=torch.int64), torch.eye(3)
    for arguments, name in (
        (dict(edges=-edges), "edges"),
        (dict(points=1), "edges"),
        (dict(edges=edges.int()), "edges"),
        (dict(cloud=one, clouds=1), "cloud"),
        (dict(cloud=-one, clouds=2), "cloud"),
        (dict(cloud=one[:1], clouds=2), "cloud"),
        (dict(clouds=2), "cloud"),
        (dict(cells=cells), "cells"),
        (dict(cells=cells.int(), cell=cell), "cells"),
        (dict(cells=cells[:1], cell=cell), "cells"),
        (dict(cells=cells.to_sparse(), cell=cell), "cells"),
        (dict(cells=cells, cell=cell * torch.nan), "cell"),
        (dict(cells=cells, cell=cell, pbc=torch.ones(3)), "pbc"),
        (dict(order=edges + 1), "order"),
        (dict(sources=1), "edges"),
        (dict(sources=-1), "sources"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            Graph(**dict(edges=edges, points=2) | arguments)
    empty = Graph(edges[:, :0], 0)
    assert empty.vectors(torch.zeros(0, 3)).shape == (0, 3) and empty.ordered().order.shape == (
        2,
        0,
    )
    assert [part.points for part in empty.split()] == [0]
    for wrong in (torch.zeros(3, 3), torch.zeros(2), torch.zeros(2, 3).long(), None):
        with pytest.raises((TypeError, ValueError), match="^positions: expected"):
            Graph(edges, 2).vectors(wrong)
