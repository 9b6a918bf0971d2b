"""Networks called as ``net(kinds, positions, graph)``: species stay, positions move."""

import pytest
import torch

from equinet import Plane, Points, nn
from equinet.testing import assert_equivariant, certificate, equivariance_error, report
from equinet.transforms import radius_graph
from tests.nn.potential_cases import SMALL, TINY, Net
from tests.over import over
from tests.tolerances import SYMMETRY

CLOUD = Points("O(3)", dim=3)
X, VECTOR = CLOUD.fields("2x0e"), CLOUD.fields("1x1o")
KINDS = torch.tensor([0, 1, 2, 0, 1])


def net(generator, case=SMALL):
    return Net(case.group, case.text, case.lmax, generator).double()


def potential(generator, **options):
    return nn.Potential(net(generator), **options).double()


class Sees(torch.nn.Module):
    """The same, and a coordinate."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, kinds, positions, graph):
        x = positions[:, :1] - positions[:, :1].mean()
        return self.inner(kinds, positions, graph) + x


class Named(torch.nn.Module):
    """Energies and forces by name, as many networks return them; forces may have a wrong sign."""

    def __init__(self, inner, wrong=False):
        super().__init__()
        self.inner, self.wrong = nn.Potential(inner), wrong

    def forward(self, kinds, positions, graph):
        found = self.inner(kinds, positions, graph)
        forces = found.forces.abs() if self.wrong else found.forces
        return {"energy": found.energy, "forces": forces, "other": "text"}


def test_species_are_invariant_and_positions_move(generator):
    given = {"kinds": KINDS}
    right = net(generator)
    assert assert_equivariant(right, arguments=given).max < SYMMETRY
    with pytest.raises(AssertionError, match="Sees is not equivariant"):
        assert_equivariant(Sees(right), arguments=given)
    found = report(right, arguments=given, count=2)
    assert [row.kind for row in found.layers] == ["DepthwisePointConv"] * 2
    assert found.error < SYMMETRY < report(Sees(right), arguments=given, count=2).error
    table = certificate(right, arguments=given)
    assert table.is_equivariant and table.layers[0].verdict.startswith("makes fields of what is")
    assert not certificate(Sees(right), arguments=given).is_equivariant


def test_the_points_are_those_of_the_user(generator):
    positions = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    graph = radius_graph(positions, 2.5)
    given = {"kinds": KINDS, "positions": positions, "graph": graph}
    assert assert_equivariant(net(generator), arguments=given).max < SYMMETRY
    invariants = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    conv = nn.Sequential(torch.nn.Identity(), net(generator).layers[0])
    assert assert_equivariant(conv, arguments={"input": invariants}).max < SYMMETRY


def test_fields_that_are_given_move(generator):
    """Of a module that knows its type, floating numbers are fields of it."""
    linear = nn.Linear(VECTOR, VECTOR, generator=generator).double()
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    assert assert_equivariant(linear, arguments={"x": x}).max < SYMMETRY
    plain = torch.nn.Linear(3, 3).double()
    assert equivariance_error(plain, VECTOR, VECTOR, arguments={"input": x}).max > 0.1


def test_a_potential(generator):
    """Energies, forces and, in a crystal, stress, each as it transforms."""
    for module in (potential(generator), potential(generator, shifts=[1.0, -2.0, 3.0])):
        assert assert_equivariant(module, arguments={"x": KINDS}).max < SYMMETRY
    kinds, positions, graph = SMALL.crystal(generator)
    crystal = {"x": kinds, "positions": positions, "graph": graph}
    right = potential(generator)
    assert right(kinds, positions, graph).stress is not None
    assert assert_equivariant(right, arguments=crystal).max < SYMMETRY
    assert report(right, arguments=crystal, count=2).error < SYMMETRY
    assert certificate(right, arguments=crystal).is_equivariant
    for name in ("forces", "stress"):
        wrong = right.out_type | {name: None}
        with pytest.raises(AssertionError, match="Potential is not equivariant"):
            assert_equivariant(right, None, wrong, arguments=crystal)
    with pytest.raises(AssertionError, match="Potential is not equivariant"):
        assert_equivariant(nn.Potential(Sees(net(generator))).double(), arguments={"x": KINDS})


def test_a_potential_of_features(generator):
    """It takes what its network takes."""
    conv = net(generator, TINY).layers[0]
    module = nn.Potential(nn.Sequential(conv))
    assert module.in_type == conv.in_type and assert_equivariant(module).max < SYMMETRY


def test_outputs_by_name(generator):
    inner, given = net(generator), {"kinds": KINDS}
    types = {"energy": None, "forces": VECTOR}
    assert assert_equivariant(Named(inner), None, types, arguments=given).max < SYMMETRY
    with pytest.raises(AssertionError, match="Named is not equivariant"):
        assert_equivariant(Named(inner, wrong=True), None, types, arguments=given)
    assert assert_equivariant(Named(inner, True), None, {"energy": None}, arguments=given)
    with pytest.raises(TypeError, match="return energy, stress by name, got a dict of energy, fo"):
        assert_equivariant(Named(inner), None, {"energy": None, "stress": None}, arguments=given)
    with pytest.raises(TypeError, match="expected it to return a real tensor, got dict"):
        assert_equivariant(Named(inner), arguments=given)


@over("space", [CLOUD, Plane("C4")])
def test_layers_with_weights_for_each_kind(space):
    """Kinds are given to them as they ask, over any space."""
    x = space.fields("2x trivial")
    linear = nn.Linear(x, x, kinds=3, generator=torch.Generator().manual_seed(0)).double()
    assert assert_equivariant(linear).max < SYMMETRY
    assert certificate(linear).is_universal and report(linear, count=1).layers[0].kind == "Linear"


def test_what_is_not_said_is_asked_for(generator):
    given = {"kinds": KINDS}
    blind = Sees(torch.nn.Identity())
    for wrong, message in (
        (lambda: assert_equivariant(net(generator)), "species, goes into arguments, as 'kinds'"),
        (lambda: assert_equivariant(blind, arguments=given), "no layer of Sees says which group"),
        (lambda: assert_equivariant(net(generator), arguments={"kinds": 3}), "as a tensor .*int"),
        (
            lambda: assert_equivariant(nn.Potential(blind), X, arguments={"x": KINDS}),
            r"out_type: expected types by name, since no layer of Potential .* got \{\}",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(TypeError, match="^out_type: expected a FieldType, None, or some of these"):
        assert_equivariant(net(generator), None, {"energy": 3}, arguments=given)
