"""Arguments that modules share, one table for each kind: what is refused, by name, and what not."""

import math

import numpy as np
import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, nn, point_group, testing
from equinet.transforms import StereographicProjection, radius_graph, rotate_randomly, voxelize

PLANE, LINE = Plane("C4"), Line("O(1)")
H = PLANE.fields("2x trivial + 1x regular")
SCALARS, CLOUD = PLANE.fields("4x trivial"), Points("O(3)", dim=3).fields("2x0e + 2x1o")
FUNCTIONS, VECTORS = Sphere(3).fields("2x trivial"), Point("SO(3)", dim=3).fields("2x0 + 2x1")

SAMPLED = Point("SO(3)", dim=3).fields("1x regular(2)")


def radial(**options):
    return nn.RadialNetwork(2.0, 2, (3,), num_basis=4, **options)


class Given(torch.nn.Module):
    """A function of the distance in which nothing is learned."""

    features = 1


# Makers that take the argument of the table, and nothing else that could be wrong.
LEARNING = {
    "Conv2d": lambda **options: nn.Conv2d(H, H, 3, **options),
    "ConvTranspose2d": lambda **options: nn.ConvTranspose2d(H, H, 3, **options),
    "Linear": lambda **options: nn.Linear(H, H, **options),
    "SphereConv": lambda **options: nn.SphereConv(FUNCTIONS, FUNCTIONS, **options),
    "PointConv": lambda **options: nn.PointConv(CLOUD, CLOUD, Given(), neighbours=3, **options),
    "RadialNetwork": radial,
    "SqueezeExcite": lambda **options: nn.SqueezeExcite(H, **options),
    "TensorProduct": lambda **options: nn.TensorProduct(VECTORS, VECTORS, **options),
    "Product": lambda **options: nn.Product(VECTORS, VECTORS, VECTORS, **options),
    "SymmetricPower": lambda **options: nn.SymmetricPower(VECTORS, VECTORS, 2, **options),
}
NORMS = {
    "BatchNorm": lambda **options: nn.BatchNorm(H, **options),
    "InstanceNorm": lambda **options: nn.InstanceNorm(H, **options),
    "GroupNorm": lambda **options: nn.GroupNorm(H, 3, **options),
    "LayerNorm": lambda **options: nn.LayerNorm(H, **options),
    "RMSNorm": lambda **options: nn.RMSNorm(H, **options),
}


def refused(make, name, values, error=(TypeError, ValueError)):
    """Every one of the values, with an error that begins with the name."""
    for value in values:
        with pytest.raises(error, match=f"^{name}: expected .*got|^{name}: has a meaning"):
            make(**{name: value})


def values_of(module):
    return torch.cat([value.flatten() for value in module.parameters()])


@pytest.mark.parametrize("kind", LEARNING)
def test_a_generator_is_no_seed(kind):
    """A seed, or a generator of another library, is refused; one of torch says all numbers."""
    make = LEARNING[kind]
    wrong = (3, True, "cpu", np.random.default_rng(0), torch.Generator)
    refused(make, "generator", wrong, TypeError)
    first, again, other = (
        values_of(make(generator=torch.Generator().manual_seed(seed))) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("kind", [*LEARNING, *NORMS])
def test_where_and_of_which_dtype_a_module_is(kind):
    make = (LEARNING | NORMS)[kind]
    if kind == "InstanceNorm":
        make = lambda **options: nn.InstanceNorm(H, affine=True, **options)  # noqa: E731
    refused(make, "device", ("nonsense", 2.5, -1, ()), ValueError)
    refused(make, "dtype", ("float32", 3, torch.int64, torch.complex64), TypeError)
    here = make(device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in here.parameters()} == {("meta", torch.float64)}


FLAGS = {
    **{(kind, "bias"): LEARNING[kind] for kind in list(LEARNING)[:5]},
    **{(kind, "affine"): NORMS[kind] for kind in NORMS},
    ("SphereConv", "relu"): LEARNING["SphereConv"],
    **{("BatchNorm", name): NORMS["BatchNorm"] for name in ("centre", "sync")},
    ("BatchNorm", "track_running_stats"): NORMS["BatchNorm"],
    ("AvgPool", "count_include_pad"): lambda **options: nn.AvgPool(H, 2, **options),
    ("Upsample", "align_corners"): lambda **options: nn.Upsample(H, 2, **options),
    ("NormActivation", "bias"): lambda **options: nn.NormActivation(VECTORS, **options),
    ("radius_graph", "loop"): lambda **options: radius_graph(torch.zeros(1, 3), 1.0, **options),
}


@pytest.mark.parametrize("flag", FLAGS, ids="-".join)
def test_flags_are_true_or_false(flag):
    """The string "False" is true for Python, and would be read so."""
    make, name = FLAGS[flag], flag[1]
    wrong = ("False", "", 0, 1, None, np.True_, torch.tensor(True), torch.tensor([1, 2]))
    refused(make, name, wrong, TypeError)
    on, off = make(**{name: True}), make(**{name: False})
    if name in ("bias", "affine"):  # on means to learn more
        assert len(list(on.parameters())) > len(list(off.parameters()))
    elif name == "loop":
        assert on.edges.tolist() == [[0], [0]] and off.edges.tolist() == [[], []]
    elif name == "track_running_stats":
        assert on.running_mean is not None and off.running_mean is None
    else:
        assert getattr(on, name) is True and getattr(off, name) is False


def test_numbers_in_their_range():
    """Of the kinds eps, momentum, p, and lengths; the ends of a range belong to it or not."""
    none = (math.nan, math.inf, -math.inf, "1.0", None, (), 1j, True, 10**400)
    for make in NORMS.values():
        refused(make, "eps", (*none, -1.0), ValueError)
        assert make(eps=0).eps == 0 and make(eps=1e-3).eps == 1e-3
    momenta = (*(value for value in none if value is not None), -0.1, 1.1)
    refused(NORMS["BatchNorm"], "momentum", momenta, ValueError)
    assert [NORMS["BatchNorm"](momentum=m).momentum for m in (None, 0, 1)] == [None, 0, 1]
    for kind in (nn.FieldDropout, nn.DropPath):
        refused(lambda kind=kind, **options: kind(H, **options), "p", (*none, -0.1, 1.1))
        assert kind(H, 1).p == 1 and kind(H, 0.25).p == 0.25
    x = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    lengths = {
        "cutoff": lambda **options: nn.RadialNetwork(**options),
        "neighbours": lambda **options: nn.PointConv(CLOUD, CLOUD, radial(), **options),
        "radius": lambda **options: radius_graph(x, **options),
        "sigma": lambda **options: voxelize(x[:, :1], x[:, :1], LINE, (4,), **options),
    }
    for name, make in lengths.items():
        refused(make, name, (*none, 0, -1.0), ValueError)
        make(**{name: 2})


def test_sizes_in_their_range():
    """Of windows, and of what would be built: refused before it is, however large."""
    none = (math.nan, 2.5, "3", "33", True, None, (), (3, 3, 3), [1.0, 1], -1, 2**31, 10**400)
    makers = {
        "kernel_size": (lambda **o: nn.Conv2d(H, H, **o), lambda **o: nn.AvgPool(H, **o)),
        "stride": (
            lambda **o: nn.Conv2d(H, H, 3, **o),
            lambda **o: nn.ConvTranspose2d(H, H, 3, **o),
        ),
        "padding": (lambda **o: nn.Conv2d(H, H, 3, **o),),
        "dilation": (lambda **o: nn.Conv2d(H, H, 3, **o), lambda **o: nn.MaxPool(SCALARS, 3, **o)),
        "factor": (lambda **o: nn.PixelShuffle(H, **o), lambda **o: nn.Downsample(H, **o)),
        "output_size": (lambda **o: nn.AdaptiveAvgPool(H, **o),),
    }
    for name, making in makers.items():
        for make in making:
            refused(make, name, none, ValueError)
            assert getattr(make(**{name: [1, 1]}), name) == (1, 1)
    for name, make in (
        ("kernel_size", lambda: nn.Conv2d(H, H, 10**5)),
        ("kernel_size", lambda: nn.Downsample(H, 10**5)),
        ("factor", lambda: nn.PixelShuffle(H, 10**4)),
        ("hidden", lambda: nn.RadialNetwork(1.0, 10**6, (10**6,))),
        ("band", lambda: StereographicProjection(8, 10**6)),
        ("lmax", lambda: nn.PointConv(CLOUD, CLOUD, Given(), neighbours=3, lmax=10**400)),
        ("oversampling", lambda: nn.FourierPointwise(SAMPLED, torch.relu, 1e9)),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected what fits into 1 GiB, got .*GiB"):
            make()
    counts = (0, -1, 2.5, True, "3", None, 10**400)
    refused(lambda **o: nn.Conv2d(H, H, 3, **o), "groups", counts[:-1], ValueError)
    refused(lambda **o: nn.GroupNorm(H, **o), "num_groups", counts, ValueError)
    for name in ("features", "num_basis"):
        refused(lambda **o: nn.RadialNetwork(1.0, **o), name, counts[:-1], ValueError)
    refused(radial_of_widths, "hidden", ((0,), (2.5,), ("3",), (None,), 3, None, {1: 2}))
    assert [len(radial_of_widths(hidden=wide).weights) for wide in ((), [2], (3, 2))] == [1, 2, 3]


def radial_of_widths(**options):
    return nn.RadialNetwork(1.0, **options)


def test_words_of_a_list():
    """Words of another library, or in another case, are not guessed at."""
    none = ("", "nonsense", "SAME", "zero", "avg", "bilinear", "x" * 5000, 7, None, b"max", ["max"])
    for name, make, words in (
        ("padding_mode", lambda **o: nn.Conv2d(H, H, 3, padding=1, **o), ("zeros", "circular")),
        ("padding", lambda **o: nn.Conv2d(H, H, 3, **o), ("same", "valid")),
        ("reduce", lambda **o: nn.GroupPool(H, **o), ("max", "mean")),
        ("mode", lambda **o: nn.Upsample(H, **o), ("nearest", "linear")),
        ("approximate", lambda **o: nn.GELU(H, **o), ("none", "tanh")),
    ):
        wrong = [value for value in none if name != "padding" or value != 7]
        refused(make, name, (*wrong, np.array(words), torch.zeros(2)), ValueError)
        assert [getattr(make(**{name: word}), name, word) for word in words] == list(words)


def test_what_a_module_would_not_look_at():
    """Refused although it would change nothing: the caller has something else in mind."""
    x = PLANE.fields("2x trivial").shape(2, 5, 5)
    fields = Plane("SO(2)").fields("2x regular(2)")
    refused(
        lambda **o: nn.FourierPointwise(fields, torch.relu, **o),
        "subgroup",
        (4, object(), point_group("O")),
    )
    for layer in (nn.SqueezeExcite(PLANE.fields("2x trivial")), nn.SqueezeExcite(VECTORS)):
        x = torch.zeros(
            layer.in_type.shape(2, *[5] * len(layer.in_type.space.axes(layer.in_type.blocks)))
        )
        for name in ("batch", "count"):
            with pytest.raises(ValueError, match=f"^{name}: has a meaning over Points only"):
                layer(x, **{name: 3})
        assert layer(x).shape == x.shape
    refused(NORMS["BatchNorm"], "process_group", ("nonsense", 3, object()), TypeError)
    for model, group, name in ((H, None, "model"), (nn.BatchNorm(H), 3, "process_group")):
        with pytest.raises(TypeError, match=f"^{name}: expected"):
            nn.convert_sync_batchnorm(model, group)


def test_tensors_of_functions_on_data():
    x, rotations = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.eye(3)
    points = torch.eye(3)
    none = (None, "x", x.tolist(), x.numpy(), x.long(), x.bool(), x.to_sparse(), x + 1j)
    refused(lambda signal: rotate_randomly(signal), "signal", (*none, x[0], x[None]))
    refused(lambda generator: rotate_randomly(x, generator), "generator", (3, "cpu"), TypeError)
    refused(lambda images: StereographicProjection(6, 3)(images), "images", (*none, x[0]))
    refused(lambda n: nn.squash(n), "n", none, TypeError)
    sparse = points.to_sparse()
    refused(lambda positions: radius_graph(positions, 1.0), "positions", (*none, sparse))
    refused(lambda cell: radius_graph(points, 1.0, cell=cell), "cell", (sparse, points[:2], 3.0))
    values = (*none[:5], sparse, points[:2])
    refused(lambda values: voxelize(points[:, :1], values, LINE, (4,), 1.0), "values", values)
    sizes = (None, 2.5, "4", (2.5,), (4, 4), (0,), (True,), {4: 4})
    refused(lambda sizes: voxelize(points[:, :1], points, LINE, sizes, 1.0), "sizes", sizes)
    assert rotate_randomly(x)[1].shape == (2, 3, 3)
    assert StereographicProjection(6, 3)(x, rotations).shape == x.shape
    refused(lambda r: radial()(r), "r", none, TypeError)
    layer = nn.PointConv(CLOUD, CLOUD, radial(), neighbours=2.0)
    f, edges = torch.zeros(CLOUD.shape(3)), torch.tensor([[0, 1], [1, 2]])
    refused(
        lambda positions: layer(f, positions, edges), "positions", (sparse, None, points.numpy())
    )
    refused(
        lambda edges: layer(f, points, edges), "edges", (edges.to_sparse(), None, edges.tolist())
    )
    assert layer(f, points, edges).shape == f.shape


def test_what_is_measured():
    """The functions of ``equinet.testing`` and ``summary`` share how they read their arguments."""
    relu = nn.ReLU(H)
    for measure, model in (
        (testing.equivariance_error, "module"),
        (testing.assert_equivariant, "module"),
        (testing.report, "model"),
    ):
        refused(lambda f=measure, **o: f(**o), model, (None, 4, "nonsense", dict), TypeError)

        def tried(f=measure, **options):
            return f(relu, **options)

        refused(tried, "sizes", (2.5, "55", ("a", 5), (5,), (-1, 5), {5: 5}), ValueError)
        for name in ("count", "batch", "seed"):
            refused(tried, name, (-1, 2.5, True, "3", 10**400), ValueError)
        refused(tried, "arguments", (3, "x", [1]), TypeError)
    refused(lambda **o: testing.report(relu, **o), "scales", (3, 2.5, "1", (0,), ("a",)))
    refused(lambda **o: testing.input_sizes(relu, **o), "sizes", (3, None, ("a",), (0,)))
    refused(lambda **o: nn.summary(**o), "model", (None, 4, dict), TypeError)
    for name in ("sizes", "batch", "arguments"):
        refused(lambda **o: nn.summary(relu, **o), name, (2.5, math.nan, object()))
    assert nn.summary(relu, sizes=[5, 4], batch=3).input == (3, 6, 5, 4)
    assert testing.equivariance_error(relu, sizes=[5, 5], count=1).sizes == (5, 5)
    with pytest.raises(TypeError, match="^field_type: expected a FieldType, got int"):
        nn.shuffled(4)


@pytest.mark.parametrize("kind", [*list(LEARNING)[:4], "SqueezeExcite", "TensorProduct", *NORMS])
def test_a_single_sample_is_not_a_batch(kind):
    """``torch.nn`` takes (C, H, W) too; here the first axis is always the batch."""
    layer = (LEARNING | NORMS)[kind]()
    space, blocks = layer.in_type.space, layer.in_type.blocks
    x = torch.zeros(layer.in_type.shape(1, *[5] * list(space.axes(blocks).values()).count(None)))
    with pytest.raises(ValueError, match=r"^x: expected .* a single sample is x\[None\]$"):
        layer(x[0])
    assert layer(x[0][None]).shape[0] == 1
