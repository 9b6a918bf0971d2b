"""Nothing, a smaller group, a sum, channels beside each other, types for a plain module."""

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume, octahedral
from equinet.nn import BatchNorm, Conv2d, Gate, GlobalAvgPool, Linear, Upsample
from equinet.nn.pool import AvgPool
from equinet.nn.sequential import Sequential
from equinet.nn.structure import Concat, Identity, Residual, Restrict, Typed
from tests.laws.cases import generic_rotation
from tests.nn.symmetric import TYPES, assert_equivariant, field
from tests.tolerances import ROUNDING, assert_close

every_type = pytest.mark.parametrize("in_type", TYPES, ids=repr)
D4 = Plane("D4").fields("2x trivial + 1x regular + 1x vector")


@every_type
def test_the_identity(in_type, generator):
    x = field(in_type, generator=generator)
    module = Identity(in_type)
    assert module(x) is x and module.out_type == in_type
    assert isinstance(module.export(), torch.nn.Identity)
    with pytest.raises(ValueError, match="^x: expected"):
        module(x[:, 1:])


# --- a smaller group ------------------------------------------------------------------------------

RESTRICTIONS = [
    (Line("O(1)").fields("2x vector + 1x regular"), "trivial"),
    (D4, "C4"),
    (D4, "C1"),
    (Plane("O(2)", spacing=(2.0, 2.0)).fields("1x0o + 2x1 + 1x3"), "D4"),
    (Plane("SO(2)").fields("1x regular(2)"), "C8"),
    (Volume("SO(3)").fields("2x0 + 1x1 + 1x2"), "O"),
    (Volume("Oh", spacing=(1.0, 1.0, 2.0)).fields("1x quotient(C4) + 2x T1u"), "D4h"),
    (Point("O(3)", dim=3).fields("1x1o + 1x2e"), "SO(3)"),
    (Points("O(3)", dim=3).fields("1x1o + 1x2e"), octahedral()),
]


@pytest.mark.parametrize(("in_type", "subgroup"), RESTRICTIONS, ids=str)
def test_the_matrices_stay_the_same(in_type, subgroup, generator):
    module = Restrict(in_type, subgroup)
    out_type = module.out_type
    assert type(out_type.space) is type(in_type.space) and out_type.channels == in_type.channels
    assert getattr(out_type.space, "spacing", None) == getattr(in_type.space, "spacing", None)
    group = out_type.space.group
    g = group.elements if group.is_finite else group.sample(5, generator=generator)
    assert_close(out_type.rho(g), in_type.rho(g), ROUNDING)
    x = field(in_type, generator=generator)
    assert module(x) is x
    assert isinstance(module.export(), torch.nn.Identity)


def test_there_are_more_kernels_behind_it():
    """The vector of D1 has an invariant component, and a bias there."""
    down = Restrict(Plane("D4").fields("2x vector"), "D1")
    assert BatchNorm(down.in_type).bias is None
    assert BatchNorm(down.out_type).bias.shape == (2,)


def test_names_are_those_of_irreps():
    out_type = Restrict(Plane("SO(2)").fields("3x0 + 2x1 + 1x2"), "C8").out_type
    assert out_type == Plane("C8").fields("3x0 + 2x1 + 1x2")
    assert str(out_type) == "3x0 + 2x1 + 1x2"


def test_what_is_no_subgroup():
    with pytest.raises(ValueError, match="^subgroup: expected a subgroup of D4, got C8"):
        Restrict(D4, "C8")
    with pytest.raises(TypeError, match="^subgroup: expected a Group, got int"):
        Restrict(D4, 4)
    with pytest.raises(ValueError, match=r"^subgroup: expected SO\(3\) over Sphere"):
        Restrict(Sphere(3).fields("1x0"), "C4")
    turned = octahedral().conjugate(generic_rotation())
    with pytest.raises(ValueError, match="conjugate"):
        Restrict(Volume("O").fields("1x trivial"), turned)


# --- sums -----------------------------------------------------------------------------------------


def _conv(a, b, **options):
    return Conv2d(a, b, 3, padding=1, generator=torch.Generator().manual_seed(0), **options)


def test_a_residual_block(generator):
    body = Sequential(_conv(D4, D4), BatchNorm(D4), _conv(D4, D4))
    module = Residual(body).double().eval()
    x = field(D4, generator=generator)
    assert_close(module(x), x + body(x), ROUNDING)
    assert_equivariant(module, x)
    assert (module.in_type, module.out_type) == (D4, D4)
    exported = module.export()
    assert_close(exported(x), module(x), ROUNDING)
    assert not any(type(m).__module__.startswith("equinet.nn.conv") for m in exported.modules())


def test_a_shortcut_of_its_own(generator):
    wide = Plane("D4").fields("2x regular")
    module = Residual(
        _conv(D4, wide, stride=2), Sequential(AvgPool(D4, 3, 2, 1), Linear(D4, wide))
    ).double()
    x = field(D4, 5, generator=generator)
    assert_close(module(x), module.body(x) + module.shortcut(x), ROUNDING)
    assert_equivariant(module, x)
    assert_close(module.export()(x), module(x), ROUNDING)
    assert {name.split(".")[0] for name in module.state_dict()} == {"body", "shortcut"}


def test_branches_that_do_not_fit(generator):
    wide = Plane("D4").fields("2x regular")
    with pytest.raises(ValueError, match="^shortcut: expected out_type .*2x regular.* Identity;"):
        Residual(_conv(D4, wide))
    with pytest.raises(ValueError, match="^shortcut: expected in_type"):
        Residual(_conv(D4, wide), _conv(wide, wide))
    for body in (torch.nn.Identity(), None, torch.relu):
        with pytest.raises(TypeError, match="^body: expected a module with in_type and out_type"):
            Residual(body)
    with pytest.raises(TypeError, match="^shortcut: expected a module"):
        Residual(_conv(D4, D4), torch.nn.Identity())
    strided = Residual(_conv(D4, D4, stride=2))
    with pytest.raises(ValueError) as caught:
        strided(field(D4, 5, generator=generator, dtype=torch.float32))
    assert str(caught.value) == (
        "shortcut: expected an output of shape (batch, channel, *sizes) = (2, 12, 3, 3), the sizes "
        "of Conv2d, got (2, 12, 5, 5) from Identity, for x of shape (2, 12, 5, 5); give both the "
        "same strides and paddings, or end one in enn.Upsample(h, size=sizes), or let x have sizes "
        "that the strides divide"
    )


# --- channels beside each other -------------------------------------------------------------------


def test_channels_beside_each_other(generator):
    """The skip of a U-Net: the types add up, and so the next layer knows what it takes."""
    h = Plane("D4").fields("1x regular")
    down = Sequential(_conv(D4, h, stride=2), Upsample(h, align_corners=True))
    module = Concat(Identity(D4), down, BatchNorm(D4)).double().eval()
    assert (module.in_type, module.out_type) == (D4, D4 + h + D4)
    x = field(D4, 5, generator=generator)
    expected = torch.cat([x, down(x), x / (1 + 1e-5) ** 0.5], 1)
    assert_close(module(x), expected, ROUNDING)
    assert_equivariant(module, x)
    assert_equivariant(Sequential(module, _conv(module.out_type, D4)).double(), x)
    exported = module.export()
    assert_close(exported(x), expected, ROUNDING)
    assert not any(type(m).__module__.startswith("equinet") for m in exported.modules())
    pool = GlobalAvgPool(Plane("D4").fields("3x trivial"))
    assert Concat(pool, pool).out_type is None
    assert Concat(pool, pool)(torch.ones(2, 3, 4, 4)).shape == (2, 6)


def test_channels_that_do_not_fit(generator):
    wide = Plane("D4").fields("2x regular")
    for branches, error, message in (
        ([], ValueError, "branches: expected at least one module, got none"),
        (
            [Identity(D4), torch.nn.Identity()],
            TypeError,
            r"branches\[1\]: expected a module",
        ),
        ([Identity(D4), Identity(wide)], ValueError, r"branches\[1\]: expected in_type .* that of"),
        (
            [Identity(D4), Restrict(D4, "C4")],
            ValueError,
            r"branches\[1\]: .* over Plane\('D4'\)",
        ),
    ):
        with pytest.raises(error, match=f"^{message}"):
            Concat(*branches)
    x = field(D4, 5, generator=generator, dtype=torch.float32)
    uneven = Concat(Identity(D4), Sequential(_conv(D4, wide, stride=2), Upsample(wide)))
    text = r"^branches\[1\]: expected an output .* = \(2, 16, 5, 5\), .* got \(2, 16, 6, 6\) "
    with pytest.raises(ValueError, match=text):
        uneven(x)


# --- types for a plain module ---------------------------------------------------------------------


def test_a_module_of_ones_own(generator):
    """It has types, keeps its place among typed ones, and its shapes are checked."""
    h = Plane("D4").fields("3x trivial")
    mix = torch.nn.Conv2d(3, 3, 1, dtype=torch.float64)
    module = Typed(mix, h, h)
    x = field(h, generator=generator)
    assert torch.equal(module(x), mix(x))
    assert_equivariant(module, x)
    assert_equivariant(Residual(Sequential(module, Identity(h))), x)
    assert type(module.export()) is torch.nn.Conv2d and module.export() is not mix
    with pytest.raises(ValueError, match="^x: expected"):
        module(x[:, :2])
    with pytest.raises(ValueError, match="^output of module: expected .*, got "):
        Typed(torch.nn.Conv2d(3, 2, 1, dtype=torch.float64), h, h)(x)
    with pytest.raises(TypeError, match="^module: expected a torch.nn.Module, got function"):
        Typed(lambda x: x, h, h)


def test_a_function_that_cannot_be_traced(generator):
    """Then what is exported is a copy, which needs this library."""
    h = Plane("D4").fields("3x trivial")
    gate = Gate(h, function=lambda s: s.tanh() if s.numel() else s)
    x = field(h, generator=generator)
    assert torch.equal(gate.export()(x), gate(x)) and isinstance(gate.export(), Gate)
