"""Modules in a row."""

from collections import OrderedDict

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume
from equinet.harmonics import gauss
from equinet.nn import (
    BatchNorm,
    Concat,
    Conv2d,
    FieldDropout,
    Gate,
    GlobalAvgPool,
    GroupPool,
    Identity,
    Integrate,
    Linear,
    PointConv,
    RadialNetwork,
    ReLU,
    Residual,
    Sequential,
    SphereConv,
    SqueezeExcite,
    SumPool,
    Typed,
    summary,
)
from equinet.testing import assert_equivariant, certificate
from equinet.transforms import Sample, radius_graph
from tests.field.test_own_space import RING
from tests.tolerances import ROUNDING, assert_close

SPHERE = Sphere(4)
X = SPHERE.fields("1x trivial")
H = SPHERE.at(3).fields("2x regular")


def test_types_are_those_of_the_ends():
    net = Sequential(SphereConv(X, H), ReLU(H), Integrate(H), torch.nn.Linear(2, 3))
    assert net.in_type == X and net.out_type is None
    assert Sequential(SphereConv(X, H), torch.nn.Identity()).out_type == H
    assert Sequential(torch.nn.Identity(), ReLU(H)).in_type == H
    plain = Sequential(torch.nn.Linear(2, 3))
    assert plain.in_type is None and plain.out_type is None
    assert Sequential().in_type is None and Sequential().out_type is None


def test_it_computes_what_torchs_does(generator):
    parts = SphereConv(X, H), BatchNorm(H), ReLU(H), Integrate(H), torch.nn.Linear(2, 3)
    net = Sequential(*parts).eval()
    x = torch.randn(X.shape(2), generator=generator)
    assert torch.equal(net(x), torch.nn.Sequential(*parts)(x))
    assert list(net.state_dict()) == list(torch.nn.Sequential(*parts).state_dict())
    assert isinstance(net, torch.nn.Sequential) and len(net) == 5


def test_named_nested_and_sliced():
    inner = Sequential(OrderedDict(conv=SphereConv(X, H), relu=ReLU(H)))
    assert inner.conv is inner[0]
    outer = Sequential(inner, BatchNorm(H), Integrate(H))
    assert outer.in_type == X and outer.out_type is None
    assert outer[1:].in_type == H and outer[:2].out_type == H
    with pytest.raises(
        ValueError, match=r"^module 1 \(Sequential\): expected .*1x trivial.* got .*regular"
    ):
        Sequential(BatchNorm(H), inner).forward  # noqa: B018
    with pytest.raises(ValueError, match=r"^module second \(ReLU\)"):
        Sequential(OrderedDict(first=SphereConv(X, H), second=ReLU(X)))


def test_plain_parts_are_no_ends():
    """A nested row without types of its own is passed over."""
    plain = Sequential(torch.nn.Identity())
    net = Sequential(plain, ReLU(H), plain)
    assert net.in_type == H and net.out_type == H
    with pytest.raises(ValueError, match="^module 2"):
        Sequential(ReLU(H), plain, ReLU(X))


def test_other_fields_are_refused():
    """The message says what would mend it."""
    with pytest.raises(ValueError) as caught:
        Sequential(SphereConv(X, H), ReLU(SPHERE.at(3).fields("3x regular")))
    assert str(caught.value).partition("; see ")[0] == (
        "module 1 (ReLU): expected Sphere(band=3).fields('3x regular'), got "
        "Sphere(band=3).fields('2x regular') from SphereConv; put a convolution from "
        "Sphere(band=3).fields('2x regular') to Sphere(band=3).fields('3x regular') between them"
    )


def test_another_band_is_refused():
    with pytest.raises(ValueError) as caught:
        Sequential(SphereConv(X, H), torch.nn.Identity(), ReLU(SPHERE.fields("2x regular")))
    message = str(caught.value)
    assert message.startswith("module 2 (ReLU): expected Sphere(band=4)")
    assert "; let both be sampled at one band, Sphere(band=3) or Sphere(band=4); see " in message


def test_fields_after_the_pooling_are_refused():
    with pytest.raises(ValueError, match=r"got plain vectors from Integrate.*before the pooling"):
        Sequential(ReLU(H), Integrate(H), torch.nn.Linear(2, 2), ReLU(H))


def test_fields_over_another_space_are_refused():
    ring = RING.fields("2x trivial")
    with pytest.raises(ValueError, match=r"expected Ring\(turns=D4.* got Sphere\(band=4\).*one sp"):
        Sequential(ReLU(X), ReLU(ring))


def test_what_is_added_later_is_compared_too():
    for add in (
        lambda net: net.append(ReLU(X)),
        lambda net: net.extend([ReLU(X)]),
        lambda net: net.insert(0, ReLU(H)),
    ):
        with pytest.raises(ValueError, match="expected Sphere"):
            add(Sequential(SphereConv(X, H), ReLU(H)))
    net = Sequential(SphereConv(X, H))
    assert net.append(ReLU(H)).out_type == H


def test_a_module_that_is_refused_stays_outside():
    net = Sequential(SphereConv(X, H), ReLU(H))
    before = list(net.named_children())
    for change in (
        lambda: net.append(BatchNorm(X)),
        lambda: net.insert(0, Integrate(H)),
        lambda: net.__setitem__(1, BatchNorm(X)),
    ):
        with pytest.raises(ValueError, match="^module"):
            change()
        assert list(net.named_children()) == before and net.out_type == H


def test_none_is_no_module():
    refused = "expected a torch.nn.Module, got None"
    with pytest.raises(TypeError, match=f"^module 1: {refused}"):
        Sequential(ReLU(H), None)
    with pytest.raises(TypeError, match=f"^module 0.0: {refused}"):
        Sequential(torch.nn.Sequential(None))
    net = Sequential(ReLU(H))
    with pytest.raises(TypeError, match=f"^module last: {refused}"):
        net.add_module("last", None)
    assert len(net) == 1


def test_a_source_of_fields_begins_a_row(generator):
    """What knows only the type of its output makes fields of something else."""
    sample = Sample(gauss(5), X)
    net = Sequential(sample, SphereConv(X, H), ReLU(H))
    assert net.in_type is None and net.out_type == H
    values = torch.randn(2, 1, 5, 10, generator=generator)
    assert torch.equal(net(values), net[2](net[1](sample(values))))
    outer = Sequential(torch.nn.Identity(), torch.nn.Sequential(net), BatchNorm(H), Integrate(H))
    assert outer.in_type is None and outer.out_type is None and outer[1:].out_type is None
    found = summary(net, arguments={"input": values})
    assert [(row.kind, row.in_type, row.out_type) for row in found.layers] == [
        ("Sample", None, X),
        ("SphereConv", X, H),
        ("ReLU", H, H),
    ]
    assert "Sample      -> 1x trivial" in str(found)
    with pytest.raises(ValueError, match=r"^module 1 \(ReLU\): .* from Sample; put a convolution"):
        Sequential(Sample(gauss(5), X), ReLU(SPHERE.fields("2x trivial")))
    with pytest.raises(ValueError, match=r"^module 1 \(Sample\): expected to come first, .*ReLU$"):
        Sequential(ReLU(X), sample)


def test_an_embedding_of_species_begins_a_row(generator):
    """Of each number it makes invariants, and no vectors."""
    space = Points("O(3)", dim=3)
    x, vectors, energy = map(space.fields, ("3x0e", "1x1o", "1x0e"))
    radial = RadialNetwork(2.0)
    net = Sequential(torch.nn.Embedding(2, 3), PointConv(x, energy, radial, neighbours=3.0))
    assert net.in_type is None and net.out_type == energy
    positions = torch.randn(4, 3, generator=generator)
    kinds, graph = torch.tensor([0, 1, 1, 0]), radius_graph(positions, 2.0)
    assert net(kinds, positions, graph).shape == (4, 1)
    with pytest.warns(UserWarning, match=r"module 0 \(Embedding\) of plain torch"):
        Sequential(torch.nn.Embedding(2, 3), Linear(vectors, vectors))
    with pytest.warns(UserWarning, match=r"module 1 \(Embedding\) of plain torch"):
        Sequential(Linear(vectors, vectors), torch.nn.Embedding(2, 3))


PLANE = Plane("D4")
VOLUME = Volume("SO(3)").fields("2x0 + 1x1")


@pytest.mark.parametrize(
    ("given", "wanted", "mend"),
    [
        (
            PLANE.fields("1x vector"),
            PLANE.fields("2x vector"),
            "put a convolution or enn.Linear from Plane('D4').fields('1x vector') to "
            "Plane('D4').fields('2x vector') between them",
        ),
        (
            PLANE.fields("1x vector"),
            Plane("C4").fields("1x vector"),
            "put enn.Restrict(Plane('D4').fields('1x vector'), 'C4') between them",
        ),
        (
            Plane("C4").fields("1x vector"),
            PLANE.fields("1x vector"),
            "let both have one group, C4 or D4",
        ),
        (
            PLANE.fields("1x vector"),
            Plane("D4", spacing=2.0).fields("1x vector"),
            "let both have one spacing, that of Plane('D4') or of Plane('D4', spacing=(2.0, 2.0))",
        ),
        (
            VOLUME,
            Gate(VOLUME).in_type,
            "did you mean the output of Identity to be Volume('SO(3)').fields('1x trivial + 2x0 + "
            "1x1'), with the gates: enn.gated(h)?",
        ),
        (
            PLANE.fields("1x vector"),
            Point("D4", dim=2).fields("1x vector"),
            "enn.GlobalAvgPool(Plane('D4').fields('1x vector')) leads from fields to vectors",
        ),
        (
            PLANE.fields("1x vector"),
            Line("O(1)").fields("1x vector"),
            "no module leads from fields over Plane('D4') to fields over Line('O(1)'); make both "
            "types over one space",
        ),
        (
            Points("O(3)", dim=3).fields("1x0e"),
            Points("O(3)", dim=3).fields("1x1o"),
            "put enn.PointConv or enn.Linear from Points('O(3)', dim=3).fields('1x0e') to "
            "Points('O(3)', dim=3).fields('1x1o') between them",
        ),
        (
            Point("O(3)", dim=3).fields("1x0e"),
            Point("O(3)", dim=3).fields("2x0e"),
            "put enn.Linear from Point('O(3)', dim=3).fields('1x0e') to "
            "Point('O(3)', dim=3).fields('2x0e') between them",
        ),
    ],
    ids=str,
)
def test_the_message_says_what_would_mend_it(given, wanted, mend):
    with pytest.raises(ValueError) as caught:
        Sequential(Identity(given), Identity(wanted))
    start = f"module 1 (Identity): expected {wanted!r}, got {given!r} from Identity; "
    assert str(caught.value).partition("; see ")[0] == start + mend


def test_export_is_plain(generator):
    """Modules of torch.nn with equal outputs, and the row stays as it was."""
    x, h = Plane("C4").fields("2x trivial"), Plane("C4").fields("2x regular")
    seeded = torch.Generator().manual_seed(0)
    block = Residual(Sequential(Conv2d(h, h, 3, padding=1, generator=seeded), BatchNorm(h)))
    net = Sequential(
        OrderedDict(
            conv=Conv2d(x, h, 3, padding=1, generator=seeded),
            block=block,
            relu=ReLU(h),
            drop=FieldDropout(h, 0.3),
            nested=torch.nn.Sequential(Identity(h), torch.nn.Dropout(0.3)),
            pool=GroupPool(h),
            mean=GlobalAvgPool(GroupPool(h).out_type),
            linear=torch.nn.Linear(2, 3),
        )
    ).double()
    images = torch.randn(x.shape(2, 5, 5), generator=generator, dtype=torch.float64)
    net(images)
    net.eval()
    exported = net.export()
    assert_close(exported(images), net(images), ROUNDING)
    assert not exported.training and list(dict(exported.named_children())) == list(net._modules)
    assert type(exported) is torch.nn.Sequential and type(exported.conv) is torch.nn.Conv2d
    assert {type(m).__module__.partition(".")[0] for m in exported.modules()} == {"torch"}
    assert exported.linear is not net.linear
    shared = {p.data_ptr() for p in net.parameters()} & {
        p.data_ptr() for p in exported.parameters()
    }
    assert not shared


def test_a_network_that_ends_in_scalars(generator):
    h = PLANE.fields("3x regular")
    scalars = GroupPool(h).out_type
    net = Sequential(GroupPool(h), GlobalAvgPool(scalars), torch.nn.Linear(3, 2))
    assert net.in_type == h and net.out_type is None
    with pytest.raises(ValueError, match="got plain vectors from GlobalAvgPool"):
        Sequential(GlobalAvgPool(scalars), GroupPool(h))


# --- modules that stand twice ---------------------------------------------------------------------

C4 = Plane("C4")
A, B = C4.fields("1x regular"), C4.fields("4x trivial")


def _conv(x, h):
    return Conv2d(x, h, 3, padding=1, generator=torch.Generator().manual_seed(0))


def test_a_module_may_stand_twice(generator):
    """What follows is compared with the last module that runs, however often it stands."""
    there, back = _conv(A, B), _conv(B, A)
    net = Sequential(there, back, there).double()
    assert (net.in_type, net.out_type) == (A, B)
    assert Sequential(there, back, there, ReLU(B)).out_type == B
    x = torch.randn(A.shape(2, 3, 3), generator=generator, dtype=torch.float64)
    assert_close(net(x), there(back(there(x))), ROUNDING)
    for wrong in (
        lambda: Sequential(there, there),
        lambda: Sequential(there, back, there, ReLU(A)),
    ):
        with pytest.raises(ValueError, match="^module"):
            wrong()
    # Exported it is one module too, in nested rows as well.
    whole = Sequential(there, torch.nn.Sequential(back, there), Residual(Sequential(back, there)))
    plain = whole.double().export()
    assert_close(plain(x), whole(x), ROUNDING)
    assert sum(p.numel() for p in plain.parameters()) == 2 * 9 * 16 + 2 * 4
    assert plain[0] is plain[1][1]
    found = certificate(Sequential(there, back, there)).layers
    assert [layer.name for layer in found] == ["0", "1", "2"]
    assert summary(net, sizes=(3, 3)).layers[0].calls == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.append(Identity(A)),
        lambda net: net.extend([_conv(B, A), Identity(B)]),
        lambda net: net.insert(1, Identity(A)),
        lambda net: net.add_module("last", Identity(A)),
        lambda net: net.__setitem__(1, Identity(A)),
        lambda net: net.__delitem__(1),
        lambda net: net.__delitem__(slice(1, 4, 2)),
        lambda net: net.pop(1),
        lambda net: net.__iadd__(Sequential(Identity(A))),
        lambda net: net.__imul__(2),
        lambda net: net + Sequential(Identity(A)),
        lambda net: torch.nn.Sequential(Identity(B)) + net,
        lambda net: net * 2,
        lambda net: net[::2],
    ],
)
def test_every_change_is_compared(change):
    """What does not fit is refused, and the row is what it was."""
    net = Sequential(_conv(A, B), _conv(B, A), _conv(A, B), Identity(B))
    before = list(net)
    with pytest.raises(ValueError, match="^module"):
        change(net)
    assert list(net) == before and (net.in_type, net.out_type) == (A, B)


def test_changes_that_fit():
    net = Sequential(_conv(A, B), _conv(B, A))
    for other in (net + net, net * 2, Sequential(*net) + torch.nn.Sequential(*net)):
        assert type(other) is Sequential and len(other) == 4 and other.out_type == A
    net += net
    net *= 2
    assert len(net) == 8 and len(net.extend(net)) == 16
    assert isinstance(net.pop(-1), Conv2d) and net.out_type == B
    del net[1:]
    assert net.out_type == B and len(net) == 1
    del net[0]
    assert net.in_type is None and net.out_type is None


def test_a_plain_row_inside_is_compared_too():
    with pytest.raises(ValueError, match=r"^module 1.0 \(Identity\)"):
        Sequential(_conv(A, B), torch.nn.Sequential(Identity(A)))


# --- plain modules --------------------------------------------------------------------------------

VECTORS, SCALARS = C4.fields("2x1"), C4.fields("4x trivial")
CLOUD = Points("SO(3)", dim=3).fields("4x0")
nn = torch.nn


@pytest.mark.parametrize(
    ("fields", "module", "instead"),
    [
        (A, nn.Conv2d(4, 4, 3, padding=1), "enn.Conv2d"),
        (SCALARS, nn.Conv2d(4, 4, 3, padding=1), "enn.Conv2d"),
        (SCALARS, nn.ConvTranspose2d(4, 4, 3), "enn.ConvTranspose2d"),
        (A, nn.BatchNorm2d(4), "enn.BatchNorm"),
        (X, nn.BatchNorm2d(1), "enn.BatchNorm"),
        (A, nn.GroupNorm(2, 4), "enn.GroupNorm"),
        (SCALARS, nn.LayerNorm((4, 4, 4)), "enn.LayerNorm"),
        (VECTORS, nn.ReLU(), "enn.Gate or enn.NormActivation"),
        (A, nn.PReLU(4), "enn.Gate or enn.NormActivation"),
        (VECTORS, nn.Dropout(0.5), "enn.FieldDropout"),
        (VECTORS, nn.MaxPool2d(2), "enn.NormMaxPool or enn.MaxPool"),
        (A, nn.AvgPool2d((1, 2)), "enn.AvgPool"),
        (SCALARS, nn.Flatten(), "enn.GlobalAvgPool or enn.Integrate, then"),
        (Point("SO(3)", dim=3).fields("1x1"), nn.Linear(3, 3), "enn.Linear"),
    ],
    ids=str,
)
def test_a_plain_module_that_breaks_the_symmetry(fields, module, instead):
    """It is named with its place, once; ``Typed`` says that one knows better."""
    text = rf"^module 1 \({type(module).__name__}\) of plain torch is not known .*: use {instead}"
    with pytest.warns(UserWarning, match=text) as caught:
        net = Sequential(Identity(fields), module)
    assert len(caught) == 1 and caught[0].filename == __file__
    net.append(Identity(fields))  # is said once
    Sequential(Identity(fields), Typed(module, fields, None))


@pytest.mark.parametrize(
    ("fields", "modules"),
    [
        (VECTORS, [nn.Identity(), nn.AvgPool2d(2), nn.Upsample(scale_factor=2)]),
        (A, [nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d(3, 2, 1), nn.PReLU(), nn.GELU()]),
        (SCALARS, [nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4), nn.PReLU(4)]),
        (SCALARS, [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 9), nn.LayerNorm(9)]),
        (SCALARS, [nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1)), nn.Flatten()]),
        (H, [nn.ReLU(), nn.Dropout(0.5)]),
        (CLOUD, [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.SiLU(), nn.LayerNorm(4), nn.Flatten()]),
        (Plane("C4").fields("1x 2"), [nn.Tanh()]),
        (Plane("trivial").fields("4x trivial"), [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)]),
    ],
    ids=str,
)
def test_plain_modules_that_keep_it(fields, modules, generator):
    """No warning, and the equation holds, on the sphere up to aliasing."""
    net = Sequential(Identity(fields), *modules).double().eval()
    pooled = fields == SCALARS and any("Adaptive" in str(module) for module in modules)
    assert net.out_type == (None if pooled else fields)
    if fields != H:
        assert_equivariant(net)


# --- over points ----------------------------------------------------------------------------------


CLOUD = Points("O(3)", dim=3)
U, V = CLOUD.fields("2x0e + 1x1o"), CLOUD.fields("1x0e + 1x1o")


def conv(in_type, out_type, generator):
    radial = RadialNetwork(2.0, 3, generator=generator)
    return PointConv(in_type, out_type, radial, neighbours=4, generator=generator)


def cloud_of_two(generator):
    positions = torch.rand(7, 3, generator=generator)
    graph = radius_graph(positions, 2.0, torch.tensor([0, 0, 0, 1, 1, 1, 1]))
    return torch.randn(7, U.channels, generator=generator), positions, graph


def test_a_network_of_points_is_its_modules_one_after_the_other(generator):
    """Each gets what its ``forward`` names: a linear map the kinds, a pool the clouds."""
    x, positions, graph = cloud_of_two(generator)
    kind = torch.arange(7) % 2
    first, second = conv(U, V, generator), conv(V, V, generator)
    linear = Linear(V, V, kinds=2, generator=generator)
    net = Sequential(first, Residual(Sequential(second)), linear, SumPool(V))
    y = first(x, positions, graph)
    y = linear(y + second(y, positions, graph), kind)
    expected = SumPool(V)(y, graph.cloud, graph.clouds)
    assert torch.equal(net(x, positions, graph, kind=kind), expected)
    assert net.takes[:2] == ("positions", "graph") and "kind" in net.takes
    assert expected.shape == (2, 4)
    split = Concat(conv(U, V, generator), Typed(conv(U, V, generator), U, V))
    parts = [branch(x, positions, graph) for branch in split.children()]
    assert torch.equal(split(x, positions, graph), torch.cat(parts, 1))
    # Edges alone serve as well, of one cloud; and a module that comes later is asked too.
    row = Sequential(linear)
    assert row.takes == ("kind",)
    row.append(second)
    assert torch.equal(
        row(y, positions, graph.edges, kind=kind), second(linear(y, kind), positions, graph)
    )


def test_what_no_module_takes_is_refused(generator):
    x, positions, graph = cloud_of_two(generator)
    net = Sequential(conv(U, V, generator))
    with pytest.raises(TypeError, match="^kinds: expected an argument of a module of this row"):
        net(x, positions, graph, kinds=torch.zeros(7).long())
    with pytest.raises(TypeError, match="positions"):
        net(x)


def test_layers_over_other_spaces_get_nothing(generator):
    """Behind a pool there are no points any more."""
    x, positions, graph = cloud_of_two(generator)
    scalars = CLOUD.fields("4x0e")
    row = Sequential(conv(U, scalars, generator), SumPool(scalars), torch.nn.Linear(4, 1))
    assert row(x, positions, graph).shape == (2, 1)
    vectors = SumPool(V).out_type
    assert Sequential(conv(U, V, generator), SumPool(V), SqueezeExcite(vectors, 1))(
        x, positions, graph
    ).shape == (2, 4)


def test_export_of_a_network_of_points_is_a_copy(generator):
    x, positions, graph = cloud_of_two(generator)
    net = Sequential(conv(U, V, generator), Residual(conv(V, V, generator)))
    exported = net.export()
    assert torch.equal(exported(x, positions, graph), net.eval()(x, positions, graph))
    assert not {id(p) for p in exported.parameters()} & {id(p) for p in net.parameters()}
    plain = Sequential(Linear(U, V), GlobalAvgPool(V)).export()  # which needs no surroundings
    assert type(plain) is torch.nn.Sequential
