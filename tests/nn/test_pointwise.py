"""Pointwise nonlinearities; their equivariance over the sphere is in tests/laws."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from equinet import Sphere
from equinet.field import Plane, Point, Volume, random_field
from equinet.nn.pointwise import Pointwise, ReLU, relu
from tests.nn.fibre_cases import law_error
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

# Where the components are permuted, and where they are permuted up to their signs.
PERMUTED = [
    ("C8", 2, "2x regular + 1x0"),
    ("D4", 2, "1x regular + 2x quotient(D1) + 1x trivial"),
    ("O", 3, "1x regular + 1x A1"),
    ("I", 3, "1x quotient(C5)"),
    ("SO(3)", 3, "4x0"),
]
SIGNED = [
    ("O(1)", 1, "2x0o + 1x regular"),
    ("C4", 2, "2x1 + 1x2"),
    ("D4", 2, "1x vector + 1x0o + 1x regular"),
    ("O(2)", 2, "3x0o + 1x0e"),
    ("O(3)", 3, "2x0o + 1x0e"),
    ("O", 3, "1x T1 + 1x T2 + 2x A2"),
]


@pytest.mark.parametrize("text", ["2x0", "1x0 + 3x trivial", "2x regular"])
def test_value_by_value(text, generator):
    field_type = Sphere(3).fields(text)
    x = torch.randn(field_type.shape(2), generator=generator)
    assert torch.equal(ReLU(field_type)(x), x.clamp_min(0))
    assert torch.equal(Pointwise(field_type, torch.sin)(x), x.sin())
    assert Pointwise(field_type, torch.sin).out_type == field_type
    assert ReLU(field_type).aliases  # products have degrees above the band


def test_the_input_is_left_as_it_was(generator):
    field_type = Sphere(3).fields("1x0")
    x = torch.randn(field_type.shape(2), generator=generator)
    before = x.clone()
    ReLU(field_type)(x)
    assert torch.equal(x, before)


def test_a_module_is_a_function_too(generator):
    """Its parameters are learned with the rest."""
    field_type = Sphere(3).fields("2x0")
    x = torch.randn(field_type.shape(2), generator=generator)
    module = Pointwise(field_type, torch.nn.PReLU())
    assert torch.equal(module(x), torch.where(x > 0, x, 0.25 * x))
    assert list(module.state_dict()) == ["function.weight"]


@pytest.mark.parametrize("text", ["1x1", "2x0 + 1x2"])
def test_components_of_vectors_are_refused(text):
    for make in (ReLU, lambda field_type: Pointwise(field_type, torch.tanh)):
        with pytest.raises(
            ValueError, match=r"^in_type: .*trivial or regular fields, got"
        ) as caught:
            make(Sphere(3).fields(text))
        assert repr(Sphere(3).fields(text)) in str(caught.value)


def test_relu_on_a_vector_is_not_equivariant(generator):
    """Why they are refused: half a turn in the tangent plane swaps what is kept and what is cut."""
    v = torch.randn(100, 2, generator=generator)
    assert not torch.allclose(-(v.relu()), (-v).relu())


@pytest.mark.parametrize(("group", "n", "text"), PERMUTED, ids=str)
def test_any_function_where_components_are_permuted(group, n, text, generator):
    field_type = Point(group, n).fields(text)
    for module in (ReLU(field_type), Pointwise(field_type, torch.exp)):
        assert law_error(module, generator, batch=8) <= SYMMETRY
        assert not module.aliases


@pytest.mark.parametrize(("group", "n", "text"), SIGNED, ids=str)
def test_odd_functions_where_signs_change(group, n, text, generator):
    field_type = Point(group, n).fields(text)
    for function in (torch.tanh, torch.sin, functional.softsign, lambda x: x**3, nn.Tanh()):
        assert law_error(Pointwise(field_type, function), generator, batch=8) <= SYMMETRY
    for function in (torch.relu, functional.gelu, torch.cos, nn.PReLU(), lambda x: x + 1):
        with pytest.raises(ValueError, match=r"^function: .* odd function, .*tanh, got .*Gate"):
            Pointwise(field_type, function)


def test_other_functions_are_not_equivariant_there(generator, monkeypatch):
    """Negative control: why they are refused."""
    monkeypatch.setattr("equinet.nn.pointwise.is_odd", lambda *_: True)
    module = Pointwise(Point("C4", 2).fields("2x1"), torch.relu)
    assert law_error(module, generator, batch=8) > 1e-2


def test_on_grids(generator):
    for space, text, sizes in (
        (Plane("D4"), "1x regular + 1x1", (5, 5)),
        (Volume("O"), "1x T1 + 1x A2", (3, 3, 3)),
    ):
        module = Pointwise(space.fields(text), torch.tanh)
        assert law_error(module, generator, sizes) <= SYMMETRY
        assert not module.aliases


@pytest.mark.parametrize(
    ("group", "n", "text"),
    [
        ("SO(2)", 2, "1x0 + 2x1"),
        ("C8", 2, "1x1"),  # by 45 degrees the components mix
        ("D3", 2, "1x vector"),
        ("SO(3)", 3, "1x regular(1)"),  # coefficients, not values
        ("O", 3, "1x E"),
    ],
)
def test_the_refusal_says_what_to_use(group, n, text):
    field_type = Point(group, n).fields(text)
    for function in (torch.relu, torch.tanh):
        with pytest.raises(
            ValueError, match="^in_type: .* trivial or regular fields, got"
        ) as caught:
            Pointwise(field_type, function)
        for name in ("Gate", "NormActivation", "FourierPointwise", repr(field_type)):
            assert name in str(caught.value)


FUNCTIONS = [
    (torch.relu, nn.ReLU),
    (torch.tanh, nn.Tanh),
    (torch.sigmoid, nn.Sigmoid),
    (functional.elu, nn.ELU),
    (functional.selu, nn.SELU),
    (functional.celu, nn.CELU),
    (functional.gelu, nn.GELU),
    (functional.silu, nn.SiLU),
    (functional.mish, nn.Mish),
    (functional.leaky_relu, nn.LeakyReLU),
    (functional.softplus, nn.Softplus),
    (functional.softsign, nn.Softsign),
    (functional.hardtanh, nn.Hardtanh),
    (functional.tanhshrink, nn.Tanhshrink),
]


@pytest.mark.parametrize(("function", "kind"), FUNCTIONS, ids=lambda f: f.__name__)
def test_export_is_the_module_of_torch(function, kind, generator):
    module = Pointwise(Plane("C4").fields("1x regular"), function)
    plain = module.export()
    x = 3 * torch.randn(2, 4, 5, 5, generator=generator)
    assert type(plain) is kind and torch.equal(plain(x), module(x))


def test_export_of_other_functions(generator):
    field_type = Plane("C4").fields("1x regular")
    x = torch.randn(2, 4, 5, 5, generator=generator)
    assert type(ReLU(field_type).export()) is nn.ReLU
    prelu = Pointwise(field_type, nn.PReLU())
    plain = prelu.export()
    assert type(plain) is nn.PReLU and plain.weight is not prelu.get_parameter("function.weight")
    other = Pointwise(field_type, torch.sin).export()
    assert type(other) is Pointwise and torch.equal(other(x), x.sin())


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
def test_relu_is_torchs_with_all_derivatives(generator):
    x = torch.randn(20, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.equal(relu(x), torch.relu(x))
    assert torch.autograd.gradcheck(relu, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(relu, x)
    rows = x.detach().view(4, 5)
    assert torch.equal(torch.func.vmap(relu)(rows), rows.relu())
    hessian = torch.func.hessian(lambda v: relu(v).square().sum())(rows[0])
    assert_close(hessian, 2 * torch.diag((rows[0] > 0).double()), ROUNDING)
    zero = torch.zeros(1, requires_grad=True)
    assert torch.autograd.grad(relu(zero).sum(), zero)[0] == 0
    assert relu(torch.tensor(torch.nan)).isnan()


def test_relu_keeps_a_byte_for_each_value(generator):
    """The transform after it keeps nothing, so keeping the output would cost four times as much."""
    x = torch.randn(1000, generator=generator, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel() * t.element_size()), lambda t: t
    ):
        relu(x)
    assert sum(kept) == 1000


def test_half_precision_and_no_samples(generator):
    module = ReLU(Plane("C4").fields("1x regular"))
    x = random_field(module.in_type, 3, sizes=(4, 4), generator=generator).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(x), x.relu())
    assert module(x[:0]).shape == (0, 4, 4, 4)


def test_made_on_the_meta_device():
    """Functions are tried on numbers, though there are none on that device."""
    with torch.device("meta"):
        assert Pointwise(Point("C4", 2).fields("1x1"), torch.tanh).function is torch.tanh
        assert Pointwise(Point("C4", 2).fields("1x0"), nn.PReLU()).function.weight.is_meta
        with pytest.raises(ValueError, match=r"^function: .* odd function"):
            Pointwise(Point("C4", 2).fields("1x1"), nn.PReLU())
        with pytest.raises(ValueError, match=r"^function: the group permutes .* one function, got"):
            Pointwise(Plane("C4").fields("2x regular"), nn.PReLU(8))
