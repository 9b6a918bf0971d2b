"""Layers on points beside e3nn, their operator beside torch.mm, neighbour lists beside vesin.

e3nn does a product "uvu" with weights from a radial network, a sum over the neighbours and a linear
map: what ``DepthwisePointConv`` does, along the same paths. ``PointConv`` has a function of the
distance for every pair of channels. Calls that do the same work take turns in one process; features
are in the order that users have them in, and graphs are sorted beforehand, as a data set is.
"""

import functools
import importlib
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.measure import Row, alternated, peak_memory
from equinet import nn as enn
from equinet import o3
from equinet.field import Points
from equinet.ops import edge_order, edge_sums
from equinet.transforms import Graph, radius_graph

POINTS, RADIUS, BASIS, HIDDEN = 300, 2.0, 8, 32


class Setting(NamedTuple):
    """Channels of each degree from 0 to ``degree``, harmonics to ``lmax``."""

    channels: int
    degree: int
    lmax: int

    def __str__(self) -> str:
        irreps = " + ".join(f"{l}{'eo'[l % 2]}" for l in range(self.degree + 1))
        return f"{self.channels}x({irreps}), lmax {self.lmax}"


SETTINGS = Setting(32, 1, 1), Setting(32, 2, 2), Setting(64, 2, 3)


def run() -> list[Row]:
    """All rows, with a progress bar."""
    jobs: list[Callable[[], list[Row]]] = []
    for setting in SETTINGS:
        kinds = _layers, _dense, _attention, _operator
        jobs += [functools.partial(job, setting) for job in kinds]
    jobs += [functools.partial(_neighbours, count) for count in (192, 1536, 5184, 41472)]
    jobs.append(_molecules)
    rows = []
    for job in tqdm(jobs, desc="points", unit="task"):
        rows += job()
    return rows


# --- layers ---------------------------------------------------------------------------------------


class Radial(nn.Module):
    """A layer on Gaussians of the distance, the same for both libraries."""

    features = HIDDEN

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(BASIS, HIDDEN) / BASIS**0.5)
        self.register_buffer("centres", torch.linspace(0, RADIUS, BASIS), persistent=False)

    def forward(self, r: Tensor) -> Tensor:
        near = torch.exp(-8 * (r[..., None] - self.get_buffer("centres")) ** 2)
        return torch.nn.functional.silu(near @ self.weight) * 1.6767


class E3nnLayer(nn.Module):
    """Product, sum and linear map of e3nn, as in NequIP."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        theirs = importlib.import_module("e3nn.o3")
        degrees = range(setting.degree + 1)
        paths = [
            (into, l, out)
            for out in degrees
            for into in degrees
            for l in range(setting.lmax + 1)
            if abs(into - l) <= out <= into + l and (into + l + out) % 2 == 0
        ]
        irreps = [(setting.channels, (l, (-1) ** l)) for l in degrees]
        between = theirs.Irreps([(setting.channels, (out, (-1) ** out)) for *_, out in paths])
        self.degrees = list(range(setting.lmax + 1))
        self.product = theirs.TensorProduct(
            theirs.Irreps(irreps),
            theirs.Irreps.spherical_harmonics(setting.lmax),
            between,
            [(into, l, k, "uvu", True) for k, (into, l, _) in enumerate(paths)],
            shared_weights=False,
            internal_weights=False,
            irrep_normalization="component",
            path_normalization="element",
        )
        self.radial = Radial()
        self.weight = nn.Parameter(torch.randn(HIDDEN, self.product.weight_numel) / HIDDEN**0.5)
        self.linear = theirs.Linear(between.simplify(), theirs.Irreps(irreps))
        self.evaluate = theirs.spherical_harmonics

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        r = positions[source] - positions[target]
        harmonics = self.evaluate(self.degrees, r, True, "component")
        messages = self.product(x[source], harmonics, self.radial(r.norm(dim=1)) @ self.weight)
        sums = messages.new_zeros(len(x), messages.shape[1]).index_add(0, target, messages)
        return self.linear(sums)


def _graph() -> tuple[Tensor, Graph]:
    """Positions of a density at which a point has about 22 neighbours."""
    torch.manual_seed(0)
    positions = torch.rand(POINTS, 3) * RADIUS * (POINTS / 8) ** (1 / 3)
    return positions, radius_graph(positions, RADIUS).ordered()


def _ours(setting: Setting, *, dense: bool) -> nn.Module:
    degrees = range(setting.degree + 1)
    text = " + ".join(f"{setting.channels}x{l}{'eo'[l % 2]}" for l in degrees)
    fields = Points(o3()).fields(text)
    if dense:
        radial = enn.RadialNetwork(RADIUS, features=BASIS, hidden=(HIDDEN,))
        return enn.PointConv(fields, fields, radial, neighbours=22, lmax=setting.lmax)
    return enn.DepthwisePointConv(fields, fields, Radial(), neighbours=22, lmax=setting.lmax)


def _features(setting: Setting) -> Tensor:
    return torch.randn(POINTS, setting.channels * (setting.degree + 1) ** 2)


def _forward(layer: nn.Module, x: Tensor, positions: Tensor, graph: Graph | Tensor) -> None:
    with torch.no_grad():
        layer(x, positions, graph)


def _step(layer: nn.Module, x: Tensor, positions: Tensor, graph: Graph | Tensor) -> None:
    """Gradients of weights, features and positions."""
    x, positions = x.clone().requires_grad_(), positions.clone().requires_grad_()
    layer(x, positions, graph).square().mean().backward()


def _force_step(layer: nn.Module, x: Tensor, positions: Tensor, graph: Graph | Tensor) -> None:
    """Gradients of a loss of the energy and of its gradient by the positions."""
    positions = positions.clone().requires_grad_()
    energy = layer(x, positions, graph).square().sum()
    (forces,) = torch.autograd.grad(energy, positions, create_graph=True)
    (forces.square().mean() + energy).backward()


CALLS = {"forward": _forward, "training step": _step, "training step with forces": _force_step}


def _layers(setting: Setting) -> list[Row]:
    """DepthwisePointConv and e3nn, eager and compiled."""
    (positions, graph), x = _graph(), _features(setting)
    layers = {"equinet": _ours(setting, dense=False)}
    reason = "" if importlib.util.find_spec("e3nn") else "e3nn is not installed"
    if not reason:
        torch.compiler.reset()  # it gives up after so many layers
        layers["e3nn"] = E3nnLayer(setting)
        compiled: Any = torch.compile(E3nnLayer(setting), dynamic=False)
        layers["e3nn, torch.compile"] = compiled
    rows = []
    for name, call in CALLS.items():
        task, calls = f"{name}, DepthwisePointConv, {setting}", {}
        for by, layer in layers.items():
            given = graph if by == "equinet" else graph.edges
            one = functools.partial(call, layer, x, positions, given)
            if failure := _failure(one):
                rows.append(Row(task, by, note=f"skipped: {failure}"))
            else:
                calls[by] = one
        rows += [_with_memory(row, setting) for row in alternated(task, calls, repeats=9)]
        if reason:
            rows.append(Row(task, "e3nn", note=f"skipped: {reason}"))
    return rows


def _failure(call: Callable[[], None]) -> str:
    """Why a call that torch compiles does not work; nothing if it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except Exception as error:  # whatever torch.compile raises
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return ""


def _dense(setting: Setting) -> list[Row]:
    (positions, graph), x = _graph(), _features(setting)
    layer, rows = _ours(setting, dense=True), []
    for name, call in CALLS.items():
        one = functools.partial(call, layer, x, positions, graph)
        found = alternated(f"{name}, PointConv, {setting}", {"equinet": one}, repeats=9)
        rows += [_with_memory(row, setting) for row in found]
    return rows


def _attention(setting: Setting) -> list[Row]:
    """PointAttention of four heads beside DepthwisePointConv, with the same radial network."""
    (positions, graph), x = _graph(), _features(setting)
    fields = _ours(setting, dense=False).in_type
    radial = enn.RadialNetwork(RADIUS, features=HIDDEN, hidden=(), num_basis=BASIS)
    kinds = {"equinet": enn.PointAttention, "DepthwisePointConv": enn.DepthwisePointConv}
    layers = {
        by: kind(fields, fields, radial, neighbours=22, lmax=setting.lmax)
        for by, kind in kinds.items()
    }
    rows = []
    for name, call in CALLS.items():
        given = x, positions, graph
        calls = {by: functools.partial(call, net, *given) for by, net in layers.items()}
        rows += alternated(f"{name}, PointAttention, {setting}", calls, repeats=9)
    return rows


def _operator(setting: Setting) -> list[Row]:
    """The operator of the layer, in turn with a product of matrices."""
    layer = _ours(setting, dense=False)
    assert isinstance(layer, enn.DepthwisePointConv)
    _, graph = _graph()
    plan, count = layer._paths.plan, graph.edges.shape[1]
    width, entries, columns, out = plan.sizes
    order = edge_order(graph.edges, POINTS, order=graph.order)
    sizes = (POINTS, width), (count, entries), (count, HIDDEN), (HIDDEN, columns)
    x, *rest = (torch.randn(size) for size in sizes)
    given = edge_sums.EdgeSum(rest[0], rest[1], rest[2], *order, plan.numbers())
    v = torch.randn(POINTS, out)
    a, b, c = torch.randn(1024, 1024), torch.randn(1024, 1024), torch.empty(1024, 1024)
    gradients = edge_sums.EdgeGradients(x, *given, [0, 1, 2, 3])
    turned = setting.channels * entries  # all blocks have as many channels
    operations = {
        "sum": 2 * count * (HIDDEN * columns + turned + out),
        "gradients": 2 * count * (3 * HIDDEN * columns + 3 * turned + 2 * out),
        "torch.mm": 2 * 1024**3,
    }
    calls: dict[str, Callable[[], Any]] = {
        "sum": lambda: edge_sums.EDGE_SUM(x, given),
        "gradients": lambda: edge_sums.GRADIENTS(v, gradients),
        "torch.mm": lambda: torch.mm(a, b, out=c),
    }
    with torch.inference_mode():
        found = alternated(f"edge_sum, {setting}", calls, repeats=40)
    lows = {row.by: row.low or 0.0 for row in found}
    rates = {by: operations[by] / low / 1e6 for by, low in lows.items()}
    return [
        Row(
            row.task,
            row.by,
            row.median,
            row.low,
            row.high,
            note=f"{rates[row.by]:.0f} GFLOP/s at best, {rates[row.by] / rates['torch.mm']:.2f} "
            "of torch.mm",
        )
        for row in found
    ]


def _with_memory(row: Row, setting: Setting) -> Row:
    """Of a training step its peak memory too, in a fresh process."""
    if row.by not in ("equinet", "e3nn") or not row.task.startswith("training step,"):
        return row
    kind = row.by if "Depthwise" in row.task else "dense"
    peak = peak_memory(functools.partial(_built_step, kind, setting), before=_imports)
    return replace(row, memory=peak)


def _imports() -> None:
    if importlib.util.find_spec("e3nn"):
        importlib.import_module("e3nn.o3")


def _built_step(kind: str, setting: Setting) -> Callable[[], None]:
    (positions, graph), x = _graph(), _features(setting)
    layer = E3nnLayer(setting) if kind == "e3nn" else _ours(setting, dense=kind == "dense")
    return functools.partial(_step, layer, x, positions, graph.edges if kind == "e3nn" else graph)


# --- neighbour lists ------------------------------------------------------------------------------


def _neighbours(count: int) -> list[Row]:
    """Of a periodic box with a tenth of an atom in a unit of volume, to 5 units."""
    torch.manual_seed(0)
    length = (10 * count) ** (1 / 3)
    positions = length * torch.rand(count, 3, dtype=torch.float64)
    cell = length * torch.eye(3, dtype=torch.float64)
    calls: dict[str, Callable[[], Any]] = {
        "equinet": lambda: radius_graph(positions, 5.0, cell=cell)
    }
    if peer := _vesin(5.0):
        x, box = positions.numpy(), cell.numpy()
        calls["vesin"] = lambda: peer.compute(x, box, True, "PSd")
    if importlib.util.find_spec("matscipy"):
        find = importlib.import_module("matscipy.neighbours").neighbour_list
        calls["matscipy"] = lambda: find(
            "ijS", positions=positions.numpy(), cutoff=5.0, cell=cell.numpy(), pbc=[True] * 3
        )
    return alternated(f"neighbours of {count} atoms, periodic", calls, repeats=9)


def _molecules() -> list[Row]:
    """Small molecules in one call, and one after the other."""
    torch.manual_seed(0)
    molecules, atoms = 5000, 18
    positions = 5 * torch.rand(molecules * atoms, 3, dtype=torch.float64)
    batch = torch.arange(molecules).repeat_interleave(atoms)
    calls: dict[str, Callable[[], Any]] = {"equinet": lambda: radius_graph(positions, 5.0, batch)}
    if peer := _vesin(5.0):
        clouds = positions.view(molecules, atoms, 3).numpy()
        box = torch.zeros(3, 3, dtype=torch.float64).numpy()
        calls["vesin, a loop"] = lambda: [peer.compute(x, box, False, "PSd") for x in clouds]
    return alternated(f"neighbours in {molecules} molecules of {atoms} atoms", calls, repeats=9)


def _vesin(radius: float) -> Any:
    """vesin's search, or None where it is not installed."""
    if importlib.util.find_spec("vesin") is None:
        return None
    return importlib.import_module("vesin").NeighborList(cutoff=radius, full_list=True)
