"""Gates: every field has one of its own, and only scalars pass through a function."""

import pytest
import torch

from equinet import Sphere
from equinet.field import Plane, Point, Points, Volume, random_field
from equinet.nn import (
    BatchNorm,
    Conv2d,
    Conv3d,
    LayerNorm,
    Linear,
    PointConv,
    RadialNetwork,
    Sequential,
)
from equinet.nn.gate import Gate, gated, gated_layer
from equinet.testing import assert_equivariant
from tests.nn.fibre_cases import (
    derivatives_at_zero_are_finite,
    every_group,
    fibres,
    law_error,
    on_grids,
)
from tests.tolerances import ROUNDING, SYMMETRY, assert_close


def _one_by_one(out_type, x, function, gate):
    """Field by field, component by component."""
    scalar = [all(psi.is_trivial for psi in rho.constituents) for _, rho in out_type.blocks]
    count = sum(mul for (mul, _), s in zip(out_type.blocks, scalar, strict=True) if not s)
    gates, fields, out = list(x[:, :count].unbind(1)), list(x[:, count:].unbind(1)), []
    for (mul, rho), is_scalar in zip(out_type.blocks, scalar, strict=True):
        for _ in range(mul):
            t = None if is_scalar else gate(gates.pop(0))
            for _ in range(rho.dim):
                value = fields.pop(0)
                out.append(function(value) if t is None else t * value)
    assert not gates and not fields
    return torch.stack(out, 1)


@pytest.mark.parametrize("text", ["3x0 + 2x1", "2x1 + 1x0 + 1x2 + 2x0", "2x1", "4x0"])
def test_field_by_field(text, generator):
    out_type = Volume("SO(3)").fields(text)
    x = torch.randn(gated(out_type).shape(2, 3, 3, 3), generator=generator, dtype=torch.float64)
    plain = _one_by_one(out_type, x, torch.relu, torch.sigmoid)
    assert_close(Gate(out_type)(x), plain, ROUNDING)
    other = _one_by_one(out_type, x, torch.sin, torch.tanh)
    assert_close(Gate(out_type, torch.sin, torch.tanh)(x), other, ROUNDING)


def test_a_layer_with_norm_and_gate(generator):
    """The same as what is written by hand, over grids and points."""
    x, h = (Plane("D4").fields(text) for text in ("1x trivial", "2x trivial + 2x vector"))
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    options = dict(padding=1, bias=False)
    net = gated_layer(Conv2d, x, h, 3, generator=seeds[0], **options)
    hand = Sequential(
        Conv2d(x, gated(h), 3, generator=seeds[1], **options), BatchNorm(gated(h)), Gate(h)
    )
    image = torch.randn(x.shape(2, 7, 7), generator=generator)
    assert [type(part) for part in net] == [type(part) for part in hand]
    assert torch.equal(net(image), hand(image)) and net.out_type == h
    assert_equivariant(net.double().eval(), sizes=(7, 7))
    y = Points("O(3)", 3).fields("2x0e + 2x1o")
    bare = gated_layer(Linear, y, y, norm=None, function=torch.tanh, gate=torch.tanh)
    assert len(bare) == 2 and bare[1].function is torch.tanh and bare[1].gate is torch.tanh
    points = gated_layer(PointConv, y, y, RadialNetwork(2.0), norm=LayerNorm, neighbours=3.0)
    assert isinstance(points[1], LayerNorm)
    assert_equivariant(points.double().eval())
    tall = Volume("Cinf", (1.0, 1.0, 2.0)).fields("1x A + 1x E1")
    down = gated_layer(Conv3d, tall, tall, 3, stride=(2, 2, 1), padding=1)
    assert down.out_type.space == tall.space.coarsened((2, 2, 1))


def test_what_makes_no_layer():
    h = Plane("C4").fields("1x1")
    for name, value in (("layer", "Conv2d"), ("layer", None), ("norm", "BatchNorm")):
        arguments = {"layer": Linear, "norm": None, name: value}
        with pytest.raises(TypeError, match=f"^{name}: expected a class of modules, got"):
            gated_layer(arguments["layer"], h, h, norm=arguments["norm"])
    with pytest.raises(TypeError, match="^out_type: expected a FieldType, got str"):
        gated_layer(Linear, h, "1x1")


def test_gates_come_first():
    h = Volume("SO(3)").fields("16x0 + 8x1 + 4x2")
    gate = Gate(h)
    assert repr(gate.in_type) == "Volume('SO(3)').fields('12x trivial + 16x0 + 8x1 + 4x2')"
    assert gate.in_type == gated(h) and gate.out_type == h
    assert gate.in_type.channels == h.channels + 12


def test_scalars_need_no_gate():
    h = Plane("C4").fields("2x0 + 3x trivial")
    assert gated(h) == h == Gate(h).in_type


def test_what_changes_its_sign_is_no_scalar():
    """A pseudoscalar and a function on the group are gated, although each admits some function."""
    assert str(gated(Plane("D4").fields("2x0e + 1x0o"))) == "1x trivial + 2x0e + 1x0o"
    assert str(gated(Plane("C4").fields("2x regular"))) == "2x trivial + 2x regular"


@every_group
def test_equivariance(group, generator):
    assert law_error(Gate(fibres(group)), generator) <= SYMMETRY
    assert law_error(Gate(fibres(group), torch.sin, torch.exp), generator) <= SYMMETRY


@pytest.mark.parametrize("case", on_grids(), ids=lambda case: repr(case[0].space))
def test_equivariance_in_space(case, generator):
    field_type, sizes = case
    assert law_error(Gate(field_type), generator, sizes) <= SYMMETRY


def test_a_gate_for_each_component_would_not_do(generator):
    """Negative control: a vector whose components have gates of their own does not turn."""

    class Componentwise(Gate):
        def forward(self, x):
            return x[:, 1:] * torch.sigmoid(x[:, 1:])

    module = Componentwise(Point("SO(3)", 3).fields("1x1"))
    assert law_error(module, generator) > 1e-2


def test_learned_functions(generator):
    """A module as function or gate is learned with the rest."""
    h = Point("SO(3)", 3).fields("2x0 + 1x1")
    module = Gate(h, torch.nn.PReLU(), torch.nn.Softplus())
    assert list(module.state_dict()) == ["function.weight"]
    module(torch.randn(4, 6, generator=generator)).sum().backward()
    assert module.function.weight.grad.abs() > 0


def test_derivatives_are_finite(generator):
    derivatives_at_zero_are_finite(Gate(fibres("O(3)")))
    module = Gate(Point("SO(3)", 3).fields("1x0 + 1x1")).double()
    x = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


def test_nothing_but_the_input_is_kept_for_the_backward_pass(generator):
    """Besides the input, which is there already: the gates, and a byte for each scalar."""
    h = Volume("SO(3)").fields("16x0 + 8x1 + 4x2")
    x = torch.randn(gated(h).shape(2, 4, 4, 4), generator=generator, requires_grad=True)
    memory = {}

    def keep(tensor):
        memory[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        Gate(h)(x)
    memory.pop(x.untyped_storage().data_ptr())
    points = 2 * 4**3
    assert sum(memory.values()) <= points * (4 * 12 + 16)


def test_half_precision_and_no_samples(generator):
    module = Gate(fibres("SO(3)"))
    x = random_field(module.in_type, 4, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert_close(half.float(), module(x), 0.05)
    assert module(x[:0]).shape == (0, module.out_type.channels)


def test_over_the_sphere(generator):
    """At every point of the grid; the product of two fields has a larger band."""
    h = Sphere(3).fields("2x0 + 1x1")
    module = Gate(h)
    assert module.aliases and not Gate(Plane("C4").fields("1x1")).aliases
    x = random_field(module.in_type, 2, generator=generator, dtype=torch.float64)
    assert_close(module(x), _one_by_one(h, x, torch.relu, torch.sigmoid), ROUNDING)


def test_bad_input():
    for make, name in ((Gate, "out_type"), (gated, "field_type")):
        with pytest.raises(ValueError, match=f"^{name}: expected fields of finite .* regular of"):
            make(Sphere(3).fields("2x regular"))
        with pytest.raises(TypeError, match=f"^{name}: expected a FieldType, got str"):
            make("2x1")  # pyright: ignore
    module = Gate(Plane("C4").fields("1x1"))
    with pytest.raises(ValueError, match="^x: expected .* = .*3, any, any.*, got"):
        module(torch.zeros(1, 2, 5, 5))  # the gates are missing
