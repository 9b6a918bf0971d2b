"""The contract of layers with learned kernels, for every kind of them."""

import copy
import functools
import re

import pytest
import torch
from torch import Tensor

from equinet import HomogeneousSpace, Plane, Point, Sphere, nn, symmetric
from equinet.field import FieldType
from equinet.harmonics import Pixels
from equinet.nn import summary
from equinet.steerable import Intertwiners, smooth
from equinet.testing import certificate
from tests.laws.module_cases import MODULES
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64


@functools.cache
def layers() -> dict[str, nn.KernelLayer]:
    """Every layer with kernels among the cases of the module law, in float64."""
    kinds = re.compile(
        "_?(Conv|Sphere|Point|Homogeneous|point_)?(Conv|conv|Linear|TensorProduct)"
        "|_product|_channelwise|SymmetricPower"
    )
    made = {str(case): case() for case in MODULES if kinds.match(str(case))}
    return {name: m.double() for name, m in made.items() if isinstance(m, nn.KernelLayer)}


def field_numbers(fields: FieldType) -> list[int]:
    """The number of the field of each channel, for fields of finite dimension."""
    dims = [rho.dim for mul, rho in fields.blocks for _ in range(mul)]
    return [number for number, dim in enumerate(dims) for _ in range(dim)]


def test_all_kinds_are_tried():
    kinds = {type(layer) for layer in layers().values()}
    public = {getattr(nn, name) for name in nn.__all__}
    assert kinds == {k for k in public if isinstance(k, type) and issubclass(k, nn.KernelLayer)} - {
        nn.KernelLayer
    }


def test_the_kernel_is_made_of_the_weights_and_linear_in_them():
    for name, layer in layers().items():
        dense, fields = layer.dense(), layer.fields()
        assert dense.numel() and fields.shape == (dense.numel(), 2), name
        assert fields.dtype == torch.int64 and fields.min() == 0, name
        if isinstance(layer, nn.TensorProduct):
            assert layer.kernel_space() is None
            continue
        twin = copy.deepcopy(layer)
        with torch.no_grad():
            twin.weight.mul_(-2)
        assert_close(twin.dense(), -2 * dense, ROUNDING)
        dim = layer.kernel_space().dim
        assert dim is None or dim >= 1, name


def test_the_field_numbers_are_those_of_the_types():
    """Where the axes of the kernel are those of the types."""
    for name, layer in layers().items():
        single = getattr(layer, "kinds", None) is None and getattr(layer, "groups", 1) == 1
        if not isinstance(layer, nn.Linear | nn.Conv2d) or not single:
            continue
        out, into = field_numbers(layer.out_type), field_numbers(layer.in_type)
        points = layer.dense()[0, 0].numel()
        pairs = [[o, i] for o in out for i in into for _ in range(points)]
        assert layer.fields().tolist() == pairs, name


def test_fields_without_a_path_have_no_kernel():
    """No number of the kernel between two fields moves if and only if the path is dead."""
    point = Point("O(3)", dim=3)
    into, out = point.fields("1x0e + 2x1o + 1x2e"), point.fields("2x1o + 1x0e + 1x3o")
    with pytest.warns(UserWarning, match=r"^Linear: dead paths; no kernel ends in 3o of"):
        linear = nn.Linear(into, out)
    with pytest.warns(UserWarning, match=r"^TensorProduct: dead paths; no product ends in 0o of"):
        product = nn.TensorProduct(point.fields("1x0e + 1x1o"), point.fields("1x0o + 1x1o"))
    sphere = Sphere(3)
    with pytest.warns(UserWarning, match=r"^SphereConv: dead paths; no kernel starts in 2 of"):
        conv = nn.SphereConv(sphere.fields("1x1 + 1x2"), sphere.at(2).fields("1x0 + 1x1"), smooth())
    for layer in (linear, product, conv):
        dense, fields = layer.dense(), layer.fields()
        sides = layer.out_type.blocks, layer.in_type.blocks
        blocks = [[b for b, (mul, _) in enumerate(side) for _ in range(mul)] for side in sides]
        live = set()
        for number, (o, i) in zip(dense.flatten().tolist(), fields.tolist(), strict=True):
            if number:
                # Of a product the pairs of fields of the input are numbered.
                those = divmod(i, len(blocks[1])) if layer is product else (i,)
                live |= {(blocks[1][k], blocks[0][o]) for k in those}
        assert live == layer.paths
        count = len(layer.in_type.blocks) * len(layer.out_type.blocks)
        assert 0 < len(layer.dead_paths()) == count - len(live)


def test_a_product_is_its_kernel(generator):
    """z_o = sum_ij T_oij x_i x_j, and T is symmetric."""
    for name, layer in layers().items():
        if not isinstance(layer, nn.TensorProduct):
            continue
        axes = layer.in_type.space.axes(layer.in_type.blocks).values()
        shape = layer.in_type.shape(3, *[2 for size in axes if size is None])
        x = torch.randn(shape, generator=generator, dtype=F64)
        T, z = layer.dense(), layer(x)
        assert_close(z, torch.einsum("oij,bi...,bj...->bo...", T, x, x), SYMMETRY)
        assert_close(T, T.mT, ROUNDING)
        other = torch.einsum("oij,bi...,bj...->bo...", T, x, x.roll(1, 1))  # negative control
        assert (z - other).abs().max() > 0.01, name


class Multiple(nn.KernelLayer):
    """A learned multiple of the input, a layer that the library does not know."""

    lacking = "it has one number for all fields"

    def __init__(self, in_type):
        super().__init__(in_type, in_type)
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.set_paths((i, i) for i in range(len(in_type.blocks)))

    def dense(self):
        return self.weight * torch.eye(self.in_type.channels).to(self.weight)

    def fields(self):
        numbers = torch.tensor(field_numbers(self.in_type))
        return torch.cartesian_prod(numbers, numbers)

    def kernel_space(self):
        return Intertwiners(self.in_type.fibre, self.in_type.fibre)

    def forward(self, x):
        return self.weight * x


def test_a_layer_of_ones_own_is_certified():
    """Nothing asks for the class of a layer."""
    scalars, mixed = (Point("O(3)", dim=3).fields(text) for text in ("1x0e", "2x0e + 1x1o"))
    (row,) = certificate(Multiple(scalars)).layers
    assert (row.weights, row.free, row.dim) == (1, 1, 1) and row.is_universal
    (row,) = certificate(Multiple(mixed)).layers
    assert (row.weights, row.free, row.dim) == (1, 1, 4 + 1) and not row.is_universal
    assert row.verdict.endswith("4 of 5 dimensions are missing: it has one number for all fields")
    dead = (("0e", "1o"), ("1o", "0e"))
    assert set(summary(Multiple(mixed)).dead_paths[""]) == set(dead)


def test_old_names_work_for_one_version():
    fields, sphere = Plane("C4").fields("2x regular"), Sphere(3).fields("1x0")
    conv, linear = nn.Conv2d(fields, fields, 3, functions=Pixels), nn.Linear(fields, fields)
    points = HomogeneousSpace.of(symmetric(4), torch.eye(4)).fields("1x trivial")
    finite, layer = nn.HomogeneousConv(points, points), nn.SphereConv(sphere, sphere, smooth())
    induced = Plane("D4").fields("1x induced(C4,1)")
    for match, old, new in (
        ("^filters", lambda: conv.filters(2 * conv.weight), 2 * conv.dense().flatten(2)),
        ("^filters", lambda: finite.filters()[0, 0, finite.steps], finite.dense()),
        ("^filter", lambda: conv.filter(), conv.dense()),
        ("^matrix", lambda: linear.matrix(), linear.dense()),
        ("^filter: deprecated, use functions", lambda: layer.filter, smooth()),
        ("^filter: deprecated, use functions", lambda: _smoothed(sphere).functions, smooth()),
        ("^expand", lambda: torch.cat([m.flatten() for m in layer.expand()]), layer.dense()),
        ("^weights", lambda: layer.weights[0].flatten(), layer.weight),
        ("^InducedNorm: deprecated, use InducedNormActivation", lambda: _induced(induced), induced),
    ):
        with pytest.warns(DeprecationWarning, match=match) as caught:
            found = old()
        assert torch.equal(found, new) if isinstance(new, Tensor) else found == new, match
        assert [warning.filename for warning in caught] == [__file__], match


def _smoothed(fields: FieldType) -> nn.SphereConv:
    return nn.SphereConv(fields, fields, filter=smooth())


def _induced(fields: FieldType) -> FieldType:
    module = nn.InducedNorm(fields, 2)
    assert isinstance(module, nn.InducedNormActivation)
    return module.in_type


@pytest.mark.parametrize("assign", [False, True])
def test_a_state_with_a_tensor_for_each_pair_of_blocks_is_loaded(assign):
    sphere = Sphere(3)
    make = functools.partial(nn.SphereConv, sphere.fields("2x0 + 1x1"), sphere.fields("1x0 + 3x1"))
    net, other = torch.nn.Sequential(make()), torch.nn.Sequential(make())
    state = net.state_dict()
    old = {f"0.weights.{i}": part.clone() for i, part in enumerate(net[0].split_weight())}
    assert len(old) == 4 and old["0.weights.2"].shape[:2] == (3, 2)
    state = {key: value for key, value in state.items() if key != "0.weight"} | old
    kept = dict(state)
    assert not torch.equal(net[0].weight, other[0].weight)
    other.load_state_dict(state, assign=assign)
    assert torch.equal(net[0].weight, other[0].weight) and isinstance(
        other[0].weight, torch.nn.Parameter
    )
    assert state.keys() == kept.keys()  # the caller's own is left as it is
    del state["0.weights.1"]  # negative control
    with pytest.raises(RuntimeError, match=r"Missing key.*0\.weight"):
        other.load_state_dict(state)
