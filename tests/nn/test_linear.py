"""Equivariant linear maps between fibres."""

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume, dihedral, o3, so2, so3, symmetric
from equinet.field import act
from equinet.nn import Linear
from equinet.rep import hom, regular, vector
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

DOUBLE = torch.float64
CASES = {
    "SO(3)": (Point(so3()), "4x0 + 3x1 + 2x2", "2x0 + 5x1 + 2x2"),
    "O(3)": (Points(o3()), "2x0e + 2x0o + 1x1o", "1x0e + 3x0o + 2x1o"),
    "equal irreps apart": (Points(o3()), "2x0e + 3x1o + 1x0e + 2x1o", "1x1o + 2x0e + 2x1o"),
    "complex type": (Points(so2()), "2x0 + 3x1 + 2x2 + 1x1", "2x2 + 2x1 + 1x0"),
    "S4": (Point(symmetric(4)), "3x vector", "2x vector + 1x trivial"),
    "plane": (Plane(dihedral(4)), "2x regular + 1x vector", "1x regular + 2x vector"),
    "line": (Line("O(1)"), "2x regular", "1x trivial + 1x 0o"),
    "volume": (Volume("SO(3)"), "2x0 + 1x1", "1x0 + 2x1"),
    "sphere": (Sphere(3), "2x0 + 1x1", "1x0 + 2x1"),
}
every_case = pytest.mark.parametrize("name", CASES)


def _layer(name, generator):
    space, text_in, text_out = CASES[name]
    layer = Linear(space.fields(text_in), space.fields(text_out), generator=generator).double()
    torch.nn.init.normal_(layer.bias, generator=generator)
    sizes = [4] * getattr(space, "n", 0) if isinstance(space, Line | Plane | Volume) else []
    x = torch.randn(layer.in_type.shape(5, *sizes), generator=generator, dtype=DOUBLE)
    return layer, x


@every_case
def test_it_is_a_matrix_that_commutes(name, generator):
    layer, x = _layer(name, generator)
    weight, bias = layer.dense(), layer.shift()
    view = (-1,) + (1,) * (x.dim() - 2)
    expected = torch.einsum("oi,bi...->bo...", weight, x) + bias.view(view)
    assert_close(layer(x), expected, ROUNDING)
    group = layer.in_type.space.fibre_group
    for g in group.sample(4, generator=generator):
        into, out = layer.in_type.rho(g), layer.out_type.rho(g)
        assert_close(weight @ into, out @ weight, SYMMETRY)
        assert_close(out @ bias, bias, SYMMETRY)
    g = group.generators[-1]
    into, out = layer.in_type.rho(g), layer.out_type.rho(g)
    noise = torch.randn(weight.shape, generator=generator, dtype=DOUBLE)  # negative control
    assert (noise @ into - out @ noise).abs().max() > 0.1


def test_what_no_map_ends_in_is_zero(generator):
    space = Points(o3())
    into, out = space.fields("2x0e + 3x1o"), space.fields("1x1o + 2x2e + 1x0e")
    with pytest.warns(UserWarning, match="no kernel ends in 2e"):
        layer = Linear(into, out, generator=generator)
    y = layer(torch.randn(5, into.channels, generator=generator))
    assert not y[:, 3:13].any() and y[:, :3].all() and y[:, 13].all()


@every_case
def test_all_of_them(name, generator):
    """As many weights as the space Hom_H has dimensions, from another road."""
    layer, _ = _layer(name, generator)
    count = sum(
        mul_in * mul_out * len(hom(rho_in, rho_out))
        for mul_in, rho_in in layer.in_type.blocks
        for mul_out, rho_out in layer.out_type.blocks
    )
    assert layer.weight.numel() == count


def test_fields_move(generator):
    layer, x = _layer("volume", generator)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=DOUBLE)
    moved = act(layer.out_type, quarter, layer(x))
    assert_close(layer(act(layer.in_type, quarter, x)), moved, SYMMETRY)


def test_variance_is_kept(generator):
    space = Point(dihedral(4))
    layer = Linear(
        space.fields([(20, regular(dihedral(4))), (10, vector(dihedral(4)))]),
        space.fields([(30, regular(dihedral(4)))]),
        bias=False,
        generator=generator,
    )
    y = layer(torch.randn(layer.in_type.shape(2000), generator=generator)).detach()
    assert abs(y.square().mean() - 1) < STATISTICAL * (2 / layer.weight.numel()) ** 0.5


@every_case
def test_export(name, generator):
    layer, x = _layer(name, generator)
    plain = layer.export()
    kinds = {2: "Linear", 3: "Conv1d", 4: "Conv2d", 5: "Conv3d"}
    assert type(plain) is getattr(torch.nn, kinds[x.dim()])
    assert_close(plain(x), layer(x), ROUNDING)


@every_case
def test_weights_by_kind(name, generator):
    """As many layers as there are kinds, each on its samples."""
    space, text_in, text_out = CASES[name]
    types = space.fields(text_in), space.fields(text_out)
    layer = Linear(*types, kinds=3, generator=generator).double()
    torch.nn.init.normal_(layer.bias, generator=generator)
    _, x = _layer(name, generator)
    kind = torch.tensor([2, 0, 2, 1, 0])
    y = layer(x, kind)
    for k in range(3):
        single = Linear(*types).double()
        single.load_state_dict(
            {
                **single.state_dict(),
                "weight": layer.weight[k : k + 1],
                "bias": layer.bias[k],
            }
        )
        assert_close(y[kind == k], single(x)[kind == k], ROUNDING)
        assert (y - single(x))[kind != k].abs().max() > 0.01  # negative control
    plain = layer.export()
    assert_close(plain(x, kind), y, ROUNDING)


def test_a_kind_without_weights():
    x = Points(o3()).fields("2x0e")
    layer, one = Linear(x, x, kinds=2), Linear(x, x)
    for kind, words in (
        (torch.tensor([0, 2]), "the kind of each sample, from 0 to 1, got 2"),
        (torch.tensor([0, -1]), "the kind of each sample, from 0 to 1, got -1"),
        (torch.tensor([0]), r"the kind of each sample, int64 \(2,\) on cpu"),
        (torch.tensor([0.0, 1.0]), r"the kind of each sample, int64 \(2,\) on cpu"),
        (None, "the kind of each sample, got NoneType"),
    ):
        with pytest.raises(ValueError, match=f"^kind: expected {words}"):
            layer(torch.ones(2, 2), kind)
    with pytest.raises(ValueError, match="^kind: expected None, without kinds, got Tensor"):
        one(torch.ones(2, 2), torch.tensor([0, 1]))
    for kinds in (0, True, 2.5):
        with pytest.raises(ValueError, match="^kinds: expected an integer"):
            Linear(x, x, kinds=kinds)


def test_schur():
    """An irrep maps to copies of itself only; the rest is named."""
    space = Point(so3())
    x, y = space.fields("2x0 + 1x1"), space.fields("1x0 + 1x2")
    with pytest.warns(UserWarning, match="no kernel ends in 2 .*no kernel starts in 1 ") as caught:
        layer = Linear(x, y)
    assert caught[0].filename == __file__
    assert layer.dead_paths() == [("1", "0"), ("0", "2"), ("1", "2")]
    with pytest.raises(
        ValueError, match="^out_type: there is no equivariant map but zero from 3x 1"
    ):
        Linear(space.fields("3x1"), space.fields("3x2"))


def test_bad_input():
    x = Point(so3()).fields("1x0")
    with pytest.raises(TypeError, match="^out_type: expected a FieldType, got str"):
        Linear(x, "1x0")
    with pytest.raises(ValueError, match="^out_type: expected fields over Point"):
        Linear(x, Point(so2()).fields("1x0"))
    regular_on_sphere = Sphere(3).fields("1x regular")
    with pytest.raises(ValueError, match="^in_type: expected fibres of finite dimension"):
        Linear(regular_on_sphere, regular_on_sphere)
