"""The report of a network: the rows are its layers, the numbers those of the check."""

import math

import pytest
import torch

from equinet import Plane, Point, Points, Sphere, nn, testing
from equinet.testing import Report, equivariance_error, report
from tests.tolerances import ROUNDING, SYMMETRY, assert_close


def _network(group="C8", **options):
    plane = Plane(group)
    x, h = plane.fields("1x trivial"), plane.fields("2x regular")
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(x, h, 5, padding=2, generator=generator),
        nn.ReLU(h),
        torch.nn.Identity(),
        nn.Sequential(nn.Conv2d(h, h, 5, generator=generator, **options), nn.ReLU(h)),
    ).double()


def test_layers_in_order():
    """Nested ones too; plain modules have no row."""
    found = report(_network(), scales=(), count=1)
    assert isinstance(found, Report)
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("0", "Conv2d"), ("1", "ReLU"), ("3.0", "Conv2d"), ("3.1", "ReLU"),
    ]  # fmt: skip
    assert found.model == "Sequential" and found.sizes == (17, 17) and found.smoothness == 2.0
    assert [layer.sources.aliasing > 0 for layer in found.layers] == [False, True, False, True]


def test_errors_are_those_of_the_check():
    """Up to each layer, and of the whole."""
    net = _network()
    found = report(net, scales=(1,), count=2, seed=3)
    given = {"count": 2, "seed": 3, "sizes": (17, 17)}
    for length, row in ((1, 0), (2, 1), (4, 3)):
        part = net[:length]
        error = equivariance_error(part, exact=False, **given)
        assert_close(found.layers[row].error, error.mean, ROUNDING)
        assert found.layers[row].exact < SYMMETRY
    assert_close(found.error, error.mean, ROUNDING)
    assert found.refinement == ((1, pytest.approx(found.error, abs=ROUNDING)),)


def test_the_error_falls_under_refinement():
    plane = Plane("SO(2)")
    x, h = plane.fields("1x0"), plane.fields("2x0 + 1x1")
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(x, h, 3, padding=1, generator=generator),
        nn.Conv2d(h, h, 3, padding=1, stride=2, generator=generator),
    ).double()
    (_, first), (_, second), (_, third) = report(net, count=2).refinement
    assert first > 1.5 * second > 1.5 * third > 0


def test_a_wrong_layer_is_found():
    """The one that breaks the symmetry of the grid, among right ones."""
    net = _network("C4")
    with torch.no_grad():
        net[0].weight += 1  # still right
    wrong = nn.Sequential(*net[:2], _Wrong(net[1].in_type), net[3])
    found = report(wrong, scales=(), count=1)
    exact = [layer.sources.exact > 0.01 for layer in found.layers]
    assert exact == [False, False, True, False, False]
    so_far = [layer.exact > 0.01 for layer in found.layers]
    assert so_far == [False, False, True, True, True]


class _Wrong(torch.nn.Module):
    def __init__(self, in_type):
        super().__init__()
        self.in_type = self.out_type = in_type

    def forward(self, x):
        return x * torch.arange(x.shape[1])[:, None, None]


def test_a_stride_off_the_centre_is_found():
    with pytest.warns(UserWarning, match="off its centre"):
        found = report(_network("C4", stride=2), sizes=(16, 16), scales=(), count=1)
    strides = [layer.sources.stride for layer in found.layers]
    assert strides[2] > 0.1 and strides[0] == strides[1] == strides[3] == 0
    assert report(_network("C4", stride=2), scales=(), count=1).exact < SYMMETRY


def test_a_users_own_network():
    """Modules may run more than once, and out of order; a network without types is one layer."""

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = _network("C4")[3]
            self.conv = _network("C4")[0]

        def forward(self, x):
            return self.body(self.body(self.conv(x))).mean((1, 2, 3))

    own = Own()
    found = report(own, own.conv.in_type, scales=(), count=1)
    names = [layer.name for layer in found.layers]
    assert names == ["conv", "body.0", "body.1", "body.0", "body.1"]
    assert found.exact < SYMMETRY
    plane = Plane("C4").fields("1x trivial")
    (layer,) = report(torch.nn.AvgPool2d(3), plane, plane).layers
    assert layer.name == "" and layer.kind == "AvgPool2d" and layer.error < 1e-6  # float32


def test_the_network_is_left_as_it_was():
    net = _network().train()
    hooks = [dict(module._forward_hooks) for module in net.modules()]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    report(net, scales=(), count=1)
    assert net.training and all(module.training for module in net.modules())
    assert [dict(module._forward_hooks) for module in net.modules()] == hooks
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)


def test_layers_without_tensors_have_the_dtype_of_the_network():
    net = _network("C4")
    found = report(net.append(nn.GlobalAvgPool(net.out_type)), scales=(), count=1)
    for layer in found.layers:
        numbers = [layer.error, layer.exact, *vars(layer.sources).values()]
        assert max(numbers) < SYMMETRY, layer


def test_over_the_sphere():
    """Moves are exact, so what is left is aliasing of the nonlinearity."""
    sphere = Sphere(4)
    x, h = sphere.fields("1x trivial"), sphere.fields("1x regular")
    conv = nn.SphereConv(x, h, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(conv, nn.ReLU(h), nn.Integrate(h), torch.nn.Linear(1, 2)).double()
    found = report(net, count=1)
    first, second, third = (layer.sources for layer in found.layers)
    assert max(first.kernel, first.aliasing, third.kernel, third.aliasing) < SYMMETRY
    assert second.aliasing > 1e-3 and second.kernel == 0
    assert found.refinement == () and found.sizes is None and math.isnan(found.exact)


def test_over_points():
    cloud = Points("O(3)", dim=3).fields("1x0e + 1x1o")
    generator = torch.Generator().manual_seed(0)
    radial = nn.RadialNetwork(2.0, 4, generator=generator)

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.PointConv(cloud, cloud, radial, neighbours=4, generator=generator)
            self.two = nn.Linear(cloud, cloud, generator=generator)

        def forward(self, x, positions, edges):
            return self.two(self.one(x, positions, edges))

    found = report(Own().double(), cloud, cloud)
    assert [layer.name for layer in found.layers] == ["one", "two"]
    assert max(found.error, *(layer.sources.alone for layer in found.layers)) < SYMMETRY


def test_over_a_point():
    fields = Point("SO(3)", dim=3).fields("2x0 + 1x1")
    found = report(nn.Linear(fields, fields, generator=torch.Generator().manual_seed(0)).double())
    assert found.error < SYMMETRY and len(found.layers) == 1


def test_the_text_is_a_table():
    found = report(_network(), scales=(1, 2), count=1)
    lines = str(found).splitlines()
    assert lines[0].startswith("relative equivariance errors, Plane('C8')")
    assert lines[1] == "1 group element, grid 17 x 17, smoothness 2"
    head = lines[2].split()
    assert head == ["layer", "kind", "exact", "error", "alone", "interpolation", "padding",
                    "aliasing", "kernel"]  # fmt: skip
    for line, layer in zip(lines[4:8], found.layers, strict=True):
        cells = dict(zip(head, line.split(), strict=True))
        assert (cells["layer"], cells["kind"]) == (layer.name, layer.kind)
        assert float(cells["error"]) == pytest.approx(layer.error, rel=0.06)
        assert float(cells["alone"]) == pytest.approx(layer.sources.alone, rel=0.06)
        assert float(cells["kernel"]) == pytest.approx(layer.sources.kernel, rel=0.06)
    assert lines[9].split()[:2] == ["all", "Sequential"]
    assert lines[10].startswith("the same pictures on finer grids: x1: ")
    ends = {i for line in (lines[2], *lines[4:8]) for i in [len(line)]}
    assert len(ends) == 1  # columns are aligned


def test_columns_of_nothing_are_left_out():
    """What is zero or not measured in every layer; a stride that errs brings its column back."""
    with pytest.warns(UserWarning, match="off its centre"):
        strided = report(_network("C4", stride=2), sizes=(16, 16), scales=(), count=1)
    assert "stride" in str(strided).splitlines()[2].split()
    fields = Point("SO(3)", dim=3).fields("2x0 + 1x1")
    one = report(nn.Linear(fields, fields, generator=torch.Generator().manual_seed(0)).double())
    head = str(one).splitlines()[2].split()
    assert head == ["kind", "error", "alone", "kernel"]


def test_the_old_name_of_its_rows():
    with pytest.warns(DeprecationWarning, match="^equinet.testing.Layer: deprecated, use .*Layer"):
        assert testing.Layer is testing.LayerReport
    with pytest.raises(AttributeError, match="has no attribute 'Layers'"):
        _ = testing.Layers


def test_without_a_type():
    with pytest.raises(ValueError, match="^in_type: expected a FieldType"):
        report(torch.nn.Identity())
