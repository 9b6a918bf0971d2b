"""Potentials as programs: the same numbers and gradients, for any numbers of points and edges."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch

from equinet import nn
from equinet.nn.programs import parts_of
from equinet.ops.native import library
from equinet.transforms import Graph, radius_graph
from tests.nn.potential_cases import CUTOFF, F64, SMALL, TINY, Case
from tests.tolerances import SYMMETRY, assert_close

pytestmark = pytest.mark.compile


def molecule(generator, count=5):
    kinds, x = SMALL.cloud(generator, count)
    return kinds, x, radius_graph(x, CUTOFF)


def several(make):
    """Clouds in a row."""

    def made(generator, *counts):
        kinds, x, graphs = zip(*(make(generator, count) for count in counts), strict=True)
        return torch.cat(kinds), torch.cat(x), Graph.batch(graphs)

    return made


@dataclass(frozen=True)
class Program:
    """A potential, what its program is made with, and what it is tried on.

    Attributes:
        name: of the kind of graph.
        make: from the numbers of points of each cloud.
        sizes: several of these; the program is made for the first.
        case: the network.
    """

    name: str
    make: Callable
    sizes: list[tuple[int, ...]]
    case: Case = TINY

    def __str__(self):
        return self.name if self.case is TINY else f"{self.name}, {self.case}"

    def __call__(self, generator):
        """The potential and arguments of every size."""
        potential = self.case.potential(generator, shifts=[1.0, 2.0, 3.0])
        return potential, [self.make(generator, *counts) for counts in self.sizes]


KINDS = [
    Program("molecule", molecule, [(5,), (3,), (9,)]),
    Program("crystal", SMALL.crystal, [(4,), (2,), (7,)]),
    Program("molecules", several(molecule), [(5, 3), (2, 4, 6)]),
    Program("crystals", several(SMALL.crystal), [(3, 2), (2, 4, 5)]),
]


def programs(*quick):
    """All of them, of a network with vectors too; the others take a while."""
    every = [*KINDS, *(replace(kind, case=SMALL) for kind in KINDS)]
    slow = [[] if str(one) in quick else pytest.mark.slow for one in every]
    cases = [
        pytest.param(one, id=str(one), marks=marks) for one, marks in zip(every, slow, strict=True)
    ]
    return pytest.mark.parametrize("program", cases)


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


@programs("molecule", "crystal", "molecules", "crystals")
def test_a_traced_potential_is_the_same(program, generator):
    potential, given = program(generator)
    traced = potential.traced(*given[0])
    for arguments in given:
        alike(traced(*arguments), potential(*arguments))
        same_grads(traced, potential, arguments)


@programs("crystal")
def test_compiled(program, generator):
    """One program for all sizes, forces in it, forwards and in training."""
    potential, given = program(generator)
    torch.compiler.reset()
    options = dict(dynamic=True, fullgraph=True, backend="aot_eager")
    compiled = torch.compile(potential.traced(*given[0]), **options)
    for arguments in given:
        with torch.no_grad():
            alike(compiled(*arguments), potential(*arguments))
        same_grads(compiled, potential, arguments)


@pytest.mark.filterwarnings("ignore:.*not a leaf Tensor:UserWarning")  # inside torch
def test_a_potential_that_is_compiled_as_it_is(generator):
    """Its network is, and gives the same; but not twice the derivative, which torch refuses."""
    potential, given = TINY.potential(generator), molecule(generator)
    torch.compiler.reset()
    compiled = torch.compile(potential, dynamic=True, backend="aot_eager")
    with torch.no_grad():
        alike(compiled(*given), potential(*given))
    with pytest.raises(RuntimeError, match="create_graph=False|double backward"):
        grads_of(compiled, potential, given)
    torch.compiler.reset()
    whole = torch.compile(potential, fullgraph=True, backend="aot_eager")
    for make in (lambda: whole(*given), lambda: torch.export.export(potential, given)):
        with pytest.raises(RuntimeError, match=r"take potential.traced\(x, positions"):
            make()


def operators(graph):
    """Those of this library, by name."""
    own = [
        node.target for node in graph.nodes if getattr(node.target, "namespace", "") == "equinet"
    ]
    return {operator.name() for operator in own}


def test_what_is_in_a_program(generator):
    """Traced, the compiled operator; exported, torch's own operators only."""
    potential, given = TINY.potential(generator), SMALL.crystal(generator)
    found = operators(potential.traced(*given).steps.graph)
    compiled = {"equinet::edge_sum", "equinet::edge_sum_gradients"}
    assert found >= compiled if library.available() else not found
    assert not operators(potential.exported(*given).graph)


@programs("crystals")
def test_exported(program, generator):
    potential, given = program(generator)
    exported = potential.exported(*given[0]).module()
    for kinds, x, graph in given:
        found = exported(kinds, x, *parts_of(x, graph).values())
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
    program = TINY.potential(generator).traced(*given)
    with pytest.raises(ValueError, match="^graph: expected one with edges, cells, cell, pbc, as"):
        program(*molecule(generator))
    with pytest.raises(ValueError, match="^graph: expected one with edges, cells, cell, pbc, as"):
        program(*several(SMALL.crystal)(generator, 3, 4))
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
@pytest.mark.filterwarnings("ignore")  # what torch thinks of its own
@pytest.mark.parametrize(
    "program", [KINDS[3], replace(KINDS[1], case=SMALL)], ids=["small", "large"]
)
def test_a_package_in_another_process(program, generator, tmp_path):
    """As a C++ program would load it: without Python's modules, at other numbers of atoms."""
    potential, given = program(generator)
    package = torch._inductor.aoti_compile_and_package(
        potential.exported(*given[0]), package_path=str(tmp_path / "potential.pt2")
    )
    data = []
    for kinds, x, graph in given:
        found = potential(kinds, x, graph)._asdict()
        expected = {name: one.detach() for name, one in found.items() if one is not None}
        data.append(((kinds, x, *parts_of(x, graph).values()), expected))
    torch.save(data, tmp_path / "data.pt")
    command = [sys.executable, "-W", "ignore", "-c", SERVER, package, str(tmp_path / "data.pt")]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "done\n", run.stderr
