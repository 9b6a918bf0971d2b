"""Learned products of fields."""

import math

import e3nn.o3
import pytest
import torch

from equinet.field import Plane, Point, Points, Volume, random_field
from equinet.nn.tensor_product import TensorProduct
from tests.laws.cases import quaternion_group
from tests.nn.fibre_cases import derivatives_at_zero_are_finite, law_error
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

# Group, dimension, input, output: irreps of every type, several copies, functions on the group.
CASES = [
    ("SO(2)", 2, "2x0 + 3x1 + 1x2 + 1x regular(3)", "2x1 + 3x0 + 1x regular(2)"),
    ("O(2)", 2, "2x0e + 1x0o + 3x1", "2x1 + 3x0o + 1x regular(2)"),
    ("C8", 2, "1x0 + 3x1 + 1x4 + 1x regular", "1x regular + 1x3"),
    ("D4", 2, "2x regular + 1x vector", "2x1 + 3x regular"),
    ("SO(3)", 3, "3x0 + 2x1 + 1x2", "2x0 + 2x1 + 2x2 + 1x3"),
    ("O(3)", 3, "3x0e + 2x1o + 1x2e", "2x0e + 2x1e + 2x2e + 1x3o"),
    ("T", 3, "2x E + 1x T", "2x A + 1x E + 2x T"),
    ("O", 3, "1x A1 + 2x T1 + 1x E", "2x T2 + 1x regular"),
    ("I", 3, "1x A + 2x T1 + 1x G", "2x T2 + 1x vector"),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])


def _make(case, generator=None):
    group, n, text_in, text_out = case
    fields = Point(group, n).fields
    return TensorProduct(fields(text_in), fields(text_out), generator=generator)


@every_case
@pytest.mark.filterwarnings("ignore:TensorProduct. dead paths")
def test_equivariance(case, generator):
    assert law_error(_make(case, generator), generator) <= SYMMETRY


def test_equivariance_in_space(generator):
    for space, sizes, texts in (
        (Plane("D4"), (5, 5), ("1x0e + 2x1", "2x1 + 1x0e + 1x2o")),
        (Volume("O"), (3, 3, 3), ("1x A1 + 2x T1", "1x E + 1x T1")),
        (Points("O(3)", 3), (), ("2x1o + 1x0e", "1x1e + 1x1o")),
    ):
        module = TensorProduct(*map(space.fields, texts), generator=generator)
        assert law_error(module, generator, sizes) <= SYMMETRY


def test_every_term_is_quadratic(generator):
    module = _make(CASES[4], generator).double()
    x = torch.randn(3, module.in_type.channels, generator=generator, dtype=torch.float64)
    assert_close(module(-2 * x), 4 * module(x), ROUNDING)


def test_two_vectors_give_their_cross_product(generator):
    """Nothing else of them is a pseudovector."""
    fields = Point("O(3)", 3).fields
    module = TensorProduct(fields("2x1o"), fields("1x1e"), generator=generator).double()
    x = torch.randn(10, 6, generator=generator, dtype=torch.float64)
    cross = torch.linalg.cross(x[:, :3], x[:, 3:])
    ratio = module(x) / cross
    assert_close(ratio, ratio[:1, :1].expand(10, 3), 1e-10)
    assert ratio.abs().max() > 0


def test_one_vector_gives_its_square(generator):
    """A product with itself has no cross product: the only paths are those to 0 and 2."""
    fields = Point("SO(3)", 3).fields
    module = TensorProduct(fields("1x1"), fields("1x0"), generator=generator).double()
    x = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    ratio = module(x) / x.square().sum(1, keepdim=True)
    assert_close(ratio, ratio[:1].expand(10, 1), 1e-10)
    with pytest.raises(ValueError, match="^out_type: there is no equivariant map but zero from pr"):
        TensorProduct(fields("1x1"), fields("1x1"))


def test_term_by_term(generator):
    """z_o = sum_u W_ou C(x_u, sum_v V_uv y_v) with the coefficients of e3nn."""
    fields = Point("SO(3)", 3).fields
    module = TensorProduct(fields("3x1 + 2x2"), fields("4x3"), generator=generator).double()
    x = torch.randn(5, 19, generator=generator, dtype=torch.float64)
    parts = {1: x[:, :9].view(5, 3, 3), 2: x[:, 9:].view(5, 2, 5)}
    # 1 x 2 with 2 on the left, of which there are fewer, and 2 x 2, which is antisymmetric.
    expected = torch.zeros(5, 4, 7, dtype=torch.float64)
    for mixer, weight, (l1, l2) in zip(
        module.mixers, module.weights, ((2, 1), (2, 2)), strict=True
    ):
        mixed = torch.einsum("uv,zvj->zuj", mixer, parts[l2])
        c = e3nn.o3.wigner_3j(l1, l2, 3, dtype=torch.float64)
        if l1 == l2:
            c = c * math.sqrt(2)  # half of it meets itself, where it vanishes
        expected += torch.einsum("ou,ijk,zui,zuj->zok", weight[..., 0], c, parts[l1], mixed)
    assert_close(module(x), expected.flatten(1), 1e-10)


COMPLETE = [
    ("C4", 2, "2x1 + 1x2", "1x0 + 1x1 + 1x2"),
    ("C3", 2, "2x1 + 1x0", "1x1"),
    ("D4", 2, "2x1 + 1x0o + 1x2e", "1x regular"),
    ("T", 3, "1x E + 1x T", "1x E + 1x T"),
    ("O", 3, "2x T1 + 1x E", "1x T1 + 1x A1 + 1x T2"),
    ("Q8", 4, "1x vector + 1x A1", "1x regular"),
]


@pytest.mark.parametrize("case", COMPLETE, ids=lambda case: case[0])
def test_every_quadratic_map_is_reached(case, generator):
    """The span over all weights has the dimension that characters tell, Hom_H(Sym^2 V, W)."""
    name, n, *texts = case
    point = Point(quaternion_group() if name == "Q8" else name, n)
    types = [point.fields(text) for text in texts]
    h = point.group.components

    def character(field_type, g):
        return field_type.rho(g).diagonal(dim1=-2, dim2=-1).sum(-1)

    symmetric = (character(types[0], h).square() + character(types[0], h @ h)) / 2
    expected = float((symmetric * character(types[1], h)).mean())
    x = torch.randn(40, types[0].channels, generator=generator, dtype=torch.float64)
    maps = [
        TensorProduct(*types, generator=generator).double()(x).detach().flatten()
        for _ in range(round(expected) + 4)
    ]
    assert int(torch.linalg.matrix_rank(torch.stack(maps), rtol=1e-8)) == round(expected)


@every_case
@pytest.mark.filterwarnings("ignore:TensorProduct. dead paths")
def test_outputs_start_with_mean_square_one(case, generator):
    """Of every field, on average over inputs and initial weights."""
    squares = []
    for _ in range(30):
        module = _make(case, generator)
        x = torch.randn(200, module.in_type.channels, generator=generator)
        with torch.no_grad():
            parts = module.out_type.split(module(x))
        squares.append(torch.stack([part.square().mean() for part in parts]))
    squares = torch.stack(squares).double()
    error = squares.std(0) / math.sqrt(len(squares))
    assert ((squares.mean(0) - 1).abs() < STATISTICAL * error).all(), squares.mean(0)
    assert (error < 0.5).all()


def test_the_seed_decides(generator):
    def make(seed):
        return _make(CASES[4], torch.Generator().manual_seed(seed)).state_dict()

    torch.testing.assert_close(make(1), make(1), rtol=0, atol=0)
    assert not torch.equal(make(1)["mixers.0"], make(2)["mixers.0"])
    assert all(name.startswith(("mixers.", "weights.", "_extra_state")) for name in make(1))


def test_dead_paths_are_named():
    fields = Point("SO(3)", 3).fields
    with pytest.warns(UserWarning, match="dead paths; no product ends in 5 of .*: zero") as caught:
        module = TensorProduct(fields("1x0 + 1x1"), fields("1x1 + 2x5"))
    assert caught[0].filename == __file__
    assert not module(torch.ones(2, 4))[:, 3:].any()
    with pytest.warns(UserWarning, match="dead paths; no product starts in 3 of .*: ignored; see "):
        TensorProduct(fields("1x0 + 1x1 + 1x3"), fields("1x1"))


def test_derivatives_are_finite(generator):
    derivatives_at_zero_are_finite(_make(CASES[5], generator))
    module = TensorProduct(
        Point("SO(3)", 3).fields("1x0 + 1x1"), Point("SO(3)", 3).fields("1x1"), generator=generator
    ).double()
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x) and torch.autograd.gradgradcheck(module, x)


def test_half_precision_and_no_samples(generator):
    """Products are taken in single precision."""
    module = _make(CASES[4], generator)
    x = random_field(module.in_type, 4, generator=generator).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x)
    assert half.dtype == torch.bfloat16
    assert_close(half, module(x.float()).bfloat16(), 0.0)
    assert module(x[:0].float()).shape == (0, module.out_type.channels)


def test_bad_input():
    fields = Point("SO(3)", 3).fields
    with pytest.raises(ValueError, match=r"^out_type: expected fields over Point\('SO\(3\)', dim"):
        TensorProduct(fields("1x1"), Volume("SO(3)").fields("1x1"))
    with pytest.raises(TypeError, match="^out_type: expected a FieldType, got str"):
        TensorProduct(fields("1x1"), "1x1")  # pyright: ignore
