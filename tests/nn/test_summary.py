"""``equinet.summary``: counts in closed form, and beside torch's own counter."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from equinet import Line, Plane, Point, Points, Sphere, Volume
from equinet.nn.conv import Conv1d, Conv2d, Conv3d
from equinet.nn.conv_transpose import ConvTranspose2d
from equinet.nn.fibre_pool import GroupPool
from equinet.nn.gate import Gate, gated
from equinet.nn.global_pool import SumPool
from equinet.nn.linear import Linear
from equinet.nn.point_conv import PointConv, RadialNetwork
from equinet.nn.pointwise import ReLU
from equinet.nn.sequential import Sequential
from equinet.nn.sphere_conv import SphereConv
from equinet.nn.summaries import summary
from equinet.transforms import Graph
from tests.nn.potential_cases import SMALL

C4 = Plane("C4")
SO3 = Volume("SO(3)")
X, H = C4.fields("1x trivial"), C4.fields("3x regular")


def network(**options):
    return Sequential(
        Conv2d(X, H, 3, padding=1, **options),
        ReLU(H),
        Conv2d(H, H, 3, stride=2, padding=1),
        GroupPool(H),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 10),
    )


def test_a_convolution_in_closed_form():
    conv = Conv2d(X, H, 5, padding=1)
    found = summary(conv, sizes=(9, 7), batch=3)
    (layer,) = found.layers
    assert found.input == (3, 1, 9, 7) and layer.output == (3, 12, 7, 5) and layer.calls == 1
    assert (layer.name, layer.kind, layer.in_type, layer.out_type) == ("", "Conv2d", X, H)
    assert layer.flops == found.flops == 2 * 3 * 12 * 1 * 25 * 7 * 5
    assert layer.activations == found.activation_bytes == 4 * 3 * 12 * 7 * 5
    assert layer.parameters == conv.weight.numel() + 3  # a bias for each regular field
    assert found.parameter_bytes == 4 * layer.parameters
    assert found.buffer_bytes == sum(b.nbytes for b in conv.buffers()) > 0
    assert 0 < found.expansion < found.flops


def test_strides_groups_and_dtype():
    into, out = SO3.fields("2x0 + 2x1"), SO3.fields("4x0 + 2x2")
    conv = Conv3d(into, out, 3, stride=2, padding=1, groups=2).double()
    found = summary(conv, sizes=(9, 9, 5), batch=2)
    assert found.layers[0].output == (2, 14, 5, 5, 3)
    assert found.flops == 2 * 2 * (14 * 8 // 2) * 27 * 5 * 5 * 3
    assert found.activation_bytes == 8 * 2 * 14 * 75


def test_transposed_and_line():
    up = ConvTranspose2d(H, X, 4, stride=2, padding=1)
    assert summary(up, sizes=(5, 5)).flops == 2 * 12 * 16 * 25  # the taps of every input
    line = Line("O(1)")
    conv = Conv1d(line.fields("1x trivial"), line.fields("2x regular"), 3)
    assert summary(conv, sizes=(10,)).flops == 2 * 4 * 3 * 8


def test_linear_maps_need_no_sizes():
    point = Point("SO(3)", dim=3)
    linear = Linear(point.fields("4x0 + 2x1"), point.fields("3x0 + 5x1"))
    found = summary(linear, batch=7)
    assert found.flops == 2 * 7 * (4 * 3 + 2 * 5 * 3) and found.parameters == 4 * 3 + 2 * 5 + 3


@pytest.mark.parametrize("batch", [1, 4])
def test_against_the_counter_of_torch(batch):
    model = network()
    found = summary(model, sizes=(9, 9), batch=batch)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(batch, 1, 9, 9))
    assert found.flops + found.expansion == counter.get_total_flops()
    assert summary(model, sizes=(9, 9), batch=1).expansion == found.expansion


def test_on_the_sphere():
    """All products are those of torch's counter, twice as many for twice the batch."""
    sphere = Sphere(6)
    conv = SphereConv(sphere.fields("1x trivial"), sphere.at(4).fields("2x regular"))
    found = summary(conv)
    with FlopCounterMode(display=False) as counter:  # on the meta device it sees the references
        copy.deepcopy(conv).to("meta")(torch.zeros(1, 1, 12, 12, device="meta"))
    # torch leaves out products with a vector, and those that are added in place.
    assert found.flops + found.expansion >= counter.get_total_flops() > found.expansion > 0
    twice = summary(conv, batch=2)
    assert twice.flops == 2 * found.flops and twice.expansion == found.expansion
    assert found.layers[0].output == (1, 2, 8, 8, 8) and len(found.layers) == 1


def test_points_take_more_arguments(generator):
    space = Points("SO(3)", dim=3)
    into, out = space.fields("2x0"), space.fields("1x0 + 2x1")
    conv = PointConv(into, out, RadialNetwork(2.0, generator=generator), neighbours=4)
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    arguments = dict(positions=torch.zeros(5, 3), edges=edges)
    found = summary(conv, batch=5, arguments=arguments)
    assert found.layers[0].output == (5, 7)
    assert found.parameters == sum(p.numel() for p in conv.parameters())
    given = {name: value.to("meta") for name, value in arguments.items()}
    with FlopCounterMode(display=False) as counter:  # of the references, as on the sphere
        copy.deepcopy(conv).to("meta")(torch.zeros(5, 2, device="meta"), **given)
    message = "Linear takes beside the fields, kind, got positions"
    with pytest.raises(ValueError, match=f"^arguments: expected a dict of what {message}"):
        summary(Linear(into, into), batch=5, arguments=arguments)
    assert found.flops + found.expansion == counter.get_total_flops()


def test_a_network_of_points_makes_its_own_cloud(generator):
    """Of 8 points that are all neighbours, if none is given."""
    space = Points("SO(3)", dim=3)
    x, h = space.fields("2x0"), space.fields("1x0 + 2x1")
    radial = RadialNetwork(2.0, generator=generator)
    net = Sequential(PointConv(x, h, radial, neighbours=4), Linear(h, h), SumPool(h))
    found = summary(net)
    assert found.input == (8, 2)
    assert [layer.output for layer in found.layers] == [(8, 7), (8, 7), (1, 7)]
    edges = (1 - torch.eye(8)).nonzero().mT
    given = dict(positions=torch.zeros(8, 3), graph=Graph(edges, 8))
    assert summary(net, arguments=given) == found
    assert summary(net, arguments=dict(positions=torch.zeros(5, 3))).input == (5, 2)
    assert summary(net, batch=3).layers[0].output == (3, 7)
    fewer = dict(positions=torch.zeros(8, 3), graph=Graph(edges[:, :9], 8))
    assert summary(net, arguments=fewer).flops < found.flops
    assert summary(net.double()).activation_bytes == 2 * found.activation_bytes
    assert summary(Linear(h, h)).input == (1, 7)


def test_a_network_of_species_takes_them_by_name(generator):
    """And a potential, which differentiates it."""
    potential = SMALL.potential(generator)
    kinds, positions, graph = SMALL.crystal(generator)
    around = {"positions": positions, "graph": graph}
    found = summary(potential.net, arguments={"kinds": kinds} | around)
    assert found.in_type is None and found.input == (4,)
    assert str(found).startswith("Input: no field, of shape 4\n")
    rows = {row.name: row for row in found.layers}
    assert rows["embedding"].output == (4, 2) and rows["layers.0"].flops > 0
    assert found.parameters == sum(p.numel() for p in potential.parameters())
    whole = summary(potential, arguments={"x": kinds} | around)
    assert whole.flops > 2 * found.flops > 0
    with pytest.raises(ValueError, match="^in_type: .* got None; .* arguments, as 'kinds'"):
        summary(potential.net, arguments=around)
    with pytest.raises(ValueError, match="^arguments: .* it needs positions, got graph"):
        summary(potential.net, arguments={"kinds": kinds, "graph": graph})


def test_shared_modules_and_parameters_count_once():
    linear = nn.Linear(12, 12)
    tied = nn.Linear(12, 12)
    tied.weight = linear.weight
    relu = nn.ReLU()
    model = nn.Sequential(nn.Flatten(), linear, relu, tied, relu, linear)
    found = summary(model, C4.fields("12x trivial"), sizes=(1, 1), batch=2)
    assert found.parameters == sum(p.numel() for p in model.parameters()) == 144 + 12 + 12
    assert found.parameter_bytes == 4 * found.parameters
    calls = {layer.name: layer.calls for layer in found.layers}
    assert calls == {"0": 1, "1": 2, "2": 2, "3": 1}
    assert [layer.parameters for layer in found.layers] == [0, 156, 0, 12]
    assert found.flops == 3 * 2 * 2 * 144
    assert "1 (2 calls)" in str(found)


class Residual(nn.Module):
    """Does a sum itself, has a scale of its own, and a layer that does not run."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(inplace=True))
        self.unused = nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.ones(()))
        self.places = torch.arange(4.0)  # neither parameter nor buffer

    def forward(self, x):
        return {"y": self.scale * self.body(x) + torch.arange(4) + self.places}


def test_plain_modules_and_what_they_do_themselves():
    found = summary(Residual(), C4.fields("2x trivial"), sizes=(4, 4))
    assert [layer.name for layer in found.layers] == ["", "body.0", "body.1", "unused"]
    own, conv, relu, unused = found.layers
    assert own.parameters == 1 and own.output == (1, 2, 4, 4) and own.activations == 128
    assert conv.flops == 2 * 4 * 16 and conv.activations == 128
    assert relu.activations == 0  # in place
    assert unused.output is None and unused.calls == 0 and unused.parameters == 12


def test_the_types_of_a_layer_of_ours_come_from_its_outside():
    """What a layer is made of has no line; what it contains of equivariant layers has."""
    found = summary(SphereConv(Sphere(4).fields("1x0"), Sphere(4).fields("1x1")))
    assert [layer.kind for layer in found.layers] == ["SphereConv"]


def test_dead_paths_by_name():
    fields = Volume("O(3)").fields("1x0e + 1x0o")
    model = nn.Sequential(Conv3d(fields, fields, 3))
    found = summary(model, fields, sizes=(3, 3, 3))
    assert found.dead_paths == {"0": (("0o", "0e"), ("0e", "0o"))}
    assert "No equivariant map:\n  0: 0o -> 0e, 0e -> 0o" in str(found)
    alive = SO3.fields("1x0 + 1x1")
    assert not summary(Conv3d(alive, alive, 3)).dead_paths


def test_without_sizes_types_and_parameters_are_known():
    found = summary(network())
    assert found.input is None and found.flops == 0
    assert found.parameters == sum(p.numel() for p in network().parameters())
    assert len(found.layers) == 7 and all(layer.output is None for layer in found.layers)
    assert "give sizes" in str(found) and "FLOPs:" not in str(found)


def test_the_model_stays_as_it_is():
    model = network().train()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    summary(model, sizes=(9, 9))
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(not p.is_meta and p.grad is None for p in model.parameters())
    assert [p.requires_grad for p in model[0].parameters()] == [False, False]


def test_nothing_is_computed():
    """A million images of ten thousand by ten thousand."""
    found = summary(network(), sizes=(10001, 10001), batch=10**6)
    assert found.flops > 10**16 and found.activation_bytes > 10**15
    assert "T" in str(found)


def test_a_stride_off_the_centre_warns_here_too():
    with pytest.warns(UserWarning, match="inputs of size"):
        summary(network(), sizes=(8, 8))


def test_gates_and_the_table():
    h = C4.fields("2x0 + 3x1")
    gate = Gate(h)
    model = Sequential(Conv2d(X, gate.in_type, 3), gate, Linear(h, C4.fields("5x0 + 1x1")))
    lines = str(summary(model, sizes=(5, 5))).splitlines()
    assert lines[0] == "Input: Plane('C4').fields('1x trivial'), of shape 1x1x5x5"
    head = ["layer", "kind", "type", "output", "parameters", "FLOPs", "memory"]
    assert lines[1].split() == head and set(lines[2]) == {"-"}
    assert lines[4].split()[:2] == ["1", "Gate"]
    assert "3x trivial + 2x0 + 3x1 -> 2x0 + 3x1" in lines[4]
    weights = sum(p.numel() for p in model.parameters())
    assert f"Parameters: {weights}" in lines
    flops = 2 * 9 * (11 * 9 + 8 * 7)
    assert f"FLOPs: {flops / 1000:.3g} k a forward pass" in lines[7]


def test_bad_input():
    with pytest.raises(ValueError, match="^in_type: expected a FieldType, since Linear does not"):
        summary(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="^sizes: .* expected one for each axis"):
        summary(network(), sizes=(9,))
    with pytest.raises(ValueError, match="^sizes: .* expected none"):
        summary(SphereConv(Sphere(3).fields("1x0"), Sphere(3).fields("1x0")), sizes=(6, 6))


def test_flops_grow_with_the_points_of_the_grid():
    conv = Conv2d(H, H, 3, padding=1)
    counts = [summary(conv, sizes=(n, n)).flops for n in (4, 8, 16)]
    assert counts == [2 * 9 * 144 * n**2 for n in (4, 8, 16)]
    assert math.prod(conv.dense().shape) == 9 * 144


def test_what_a_plain_network_has():
    """Parameters from the exported layers, whose products are counted alike; and widths."""
    x, out = (Plane("C8").fields(text) for text in ("1x trivial", "2x trivial"))

    def network(width):
        h = Plane("C8").fields(f"{width}x regular")
        return Sequential(Conv2d(x, h, 3, padding=1), ReLU(h), Conv2d(h, h, 5), Conv2d(h, out, 3))

    net = network(4)
    found = summary(net, sizes=(9, 9))
    plain = torch.nn.Sequential(*(part.export() for part in net))
    convolutions = [part for part in plain if isinstance(part, torch.nn.Conv2d)]
    assert [layer.plain for layer in found.layers if layer.plain] == [
        sum(p.numel() for p in part.parameters()) for part in convolutions
    ]
    both = summary(plain, x, sizes=(9, 9))
    assert both.flops == found.flops and both.parameters == sum(r.plain for r in found.layers)
    assert both.widening == 1 and not both.uneven  # torch's own layers have no others beside them
    # So many times the fields have as many parameters, but for the layers at both ends.
    wide = summary(network(round(4 * found.widening)), sizes=(9, 9))
    assert abs(wide.parameters / both.parameters - 1) < 0.2
    assert f"Plain layers of these channels: {both.parameters:,} parameters" in str(found)


def test_channels_that_are_slow():
    """With the gates, but not those of the data and of the scores."""
    x, h = (Plane("C4").fields(text) for text in ("3x trivial", "8x trivial + 4x1"))
    first = Conv2d(x, gated(h), 3)  # 8 + 4 * 2 and 4 gates
    net = Sequential(first, Gate(h), Conv2d(h, h, 3), Conv2d(h, x, 3))
    found = summary(net)
    assert found.uneven == {"0": 20}
    assert "Channels that are no multiple of 8, slow: 20 of 0 (4 more)" in str(found)
    even = Plane("C4").fields("8x regular")
    assert not summary(Sequential(Conv2d(x, even, 3), Conv2d(even, x, 3))).uneven
