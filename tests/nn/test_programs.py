"""Potentials as programs: the same numbers and gradients, for any numbers of points and edges."""

import subprocess
import sys

import pytest
import torch

from equinet import nn
from equinet.nn.programs import parts_of
from equinet.ops.native import library
from equinet.transforms import Graph, radius_graph
from tests.nn.potential_cases import CUTOFF, F64, SMALL
from tests.tolerances import SYMMETRY, assert_close

pytestmark = pytest.mark.compile


def molecule(generator, count=5):
    kinds, x = SMALL.cloud(generator, count)
    return kinds, x, radius_graph(x, CUTOFF)


def batch(generator, *counts):
    """Crystals in a row."""
    parts = [SMALL.crystal(generator, count) for count in counts]
    kinds, x, graphs = zip(*parts, strict=True)
    return torch.cat(kinds), torch.cat(x), Graph.batch(graphs)


def molecules(generator, *counts):
    parts = [molecule(generator, count) for count in counts]
    kinds, x, graphs = zip(*parts, strict=True)
    return torch.cat(kinds), torch.cat(x), Graph.batch(graphs)


#: What a program is made with, and what it is tried on.
KINDS = [
    ("molecule", molecule, [(5,), (3,), (9,)]),
    ("crystal", SMALL.crystal, [(4,), (2,), (7,)]),
    ("molecules", molecules, [(5, 3), (2, 4, 6)]),
    ("crystals", batch, [(3, 2), (2, 4, 5)]),
]


def each_kind(*quick):
    """All of them, of which some are tried in the gate, since to trace one takes seconds."""
    slow = pytest.mark.slow
    return [
        pytest.param(*kind, id=kind[0], marks=[] if i in quick else slow)
        for i, kind in enumerate(KINDS)
    ]


def alike(found, expected, tolerance=SYMMETRY):
    assert type(found) is nn.Prediction
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert_close(one, other, tolerance)


def grads_of(module, potential, arguments):
    """Gradients of a loss of all that a potential says."""
    found = module(*arguments)
    loss = sum(one.square().sum() for one in found if one is not None)
    names, parameters = zip(*potential.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def same_grads(program, potential, arguments):
    ours, theirs = (grads_of(module, potential, arguments) for module in (program, potential))
    for name, grad in theirs.items():
        scale = 1 + grad.abs().max()
        assert_close(ours[name] / scale, grad / scale, SYMMETRY)


@pytest.mark.parametrize("name, make, sizes", each_kind(0, 3))
def test_a_traced_potential_is_the_same(name, make, sizes, generator):
    potential = SMALL.potential(generator, shifts=[1.0, 2.0, 3.0])
    program = potential.traced(*make(generator, *sizes[0]))
    for counts in sizes:
        arguments = make(generator, *counts)
        alike(program(*arguments), potential(*arguments))
        same_grads(program, potential, arguments)


@pytest.mark.parametrize("name, make, sizes", each_kind(1))
def test_compiled(name, make, sizes, generator):
    """One program for all sizes, forces in it, forwards and in training."""
    potential = SMALL.potential(generator)
    torch.compiler.reset()
    traced = potential.traced(*make(generator, *sizes[0]))
    options = dict(dynamic=True, fullgraph=True, backend="aot_eager")
    program = torch.compile(traced, **options)
    for counts in sizes:
        arguments = make(generator, *counts)
        with torch.no_grad():
            alike(program(*arguments), potential(*arguments))
        same_grads(program, potential, arguments)


def operators(graph):
    """Those of this library, by name."""
    own = [
        node.target for node in graph.nodes if getattr(node.target, "namespace", "") == "equinet"
    ]
    return {operator.name() for operator in own}


def test_what_is_in_a_program(generator):
    """Traced, the compiled operator; exported, torch's own operators only."""
    potential, given = SMALL.potential(generator), SMALL.crystal(generator)
    found = operators(potential.traced(*given).steps.graph)
    compiled = {"equinet::edge_sum", "equinet::edge_sum_gradients"}
    assert found >= compiled if library.available() else not found
    assert not operators(potential.exported(*given).graph)


@pytest.mark.parametrize("name, make, sizes", each_kind(3))
def test_exported(name, make, sizes, generator):
    potential = SMALL.potential(generator)
    program = potential.exported(*make(generator, *sizes[0])).module()
    for counts in sizes:
        kinds, x, graph = make(generator, *counts)
        parts = parts_of(x, graph)
        found = program(kinds, x, *parts.values())
        expected = potential(kinds, x, graph)._asdict()
        assert found.keys() == {name for name, one in expected.items() if one is not None}
        for name, one in found.items():
            assert_close(one, expected[name], SYMMETRY)


class Detached(torch.nn.Module):
    """A network that stops a derivative itself, in the middle of what is saved for others."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.7, dtype=F64))

    def forward(self, x, positions, graph):
        r = graph.vectors(positions * self.weight).square().sum(1)
        each = (r.detach() * r.exp().sqrt()).tanh()
        return positions.new_zeros(positions.shape[0], 1).index_add(
            0, graph.edges[1], each[:, None]
        )


def test_what_a_network_detaches_stays_detached(generator):
    potential, given = nn.Potential(Detached()), SMALL.crystal(generator)
    program = potential.traced(*given)
    alike(program(*given), potential(*given))
    (ours,), (theirs,) = (grads_of(m, potential, given).values() for m in (program, potential))
    assert_close(ours / theirs, 1.0, SYMMETRY)


class Counted(torch.nn.Module):
    def forward(self, x, positions, graph):
        return positions.square().sum(1, keepdim=True) / len(positions)


def test_a_number_of_points_that_is_fixed_is_refused(generator):
    given = SMALL.crystal(generator)
    with pytest.raises(ValueError, match="^net: expected steps for any number of points, got some"):
        nn.Potential(Counted()).traced(*given)


def test_graphs_with_other_parts(generator):
    given = SMALL.crystal(generator)
    program = SMALL.potential(generator).traced(*given)
    with pytest.raises(ValueError, match="^graph: expected one with edges, cells, cell, pbc, as"):
        program(*molecule(generator))
    with pytest.raises(ValueError, match="^graph: expected one with edges, cells, cell, pbc, as"):
        program(*batch(generator, 3, 4))
    with pytest.raises(ValueError, match="^x: expected something of 4 points"):
        program(given[0][:3], *given[1:])


SERVER = """
import sys, torch
sys.modules["equinet"] = None  # which is not needed
package, data = sys.argv[1:]
potential = torch._inductor.aoti_load_package(package)
for given, expected in torch.load(data):
    found = potential(*given)
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one, rtol=0, atol=1e-10)
print("done")
"""


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.parametrize("name, make, sizes", each_kind(4)[:2])
def test_a_package_in_another_process(name, make, sizes, generator, tmp_path):
    """As a C++ program would load it: without Python's modules, at other numbers of atoms."""
    potential = SMALL.potential(generator)
    program = potential.exported(*make(generator, *sizes[0]))
    package = torch._inductor.aoti_compile_and_package(
        program, package_path=str(tmp_path / "potential.pt2")
    )
    data = []
    for counts in sizes:
        kinds, x, graph = make(generator, *counts)
        found = potential(kinds, x, graph)._asdict()
        expected = {name: one.detach() for name, one in found.items() if one is not None}
        data.append(((kinds, x, *parts_of(x, graph).values()), expected))
    torch.save(data, tmp_path / "data.pt")
    command = [sys.executable, "-W", "ignore", "-c", SERVER, package, str(tmp_path / "data.pt")]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "done\n", run.stderr
