"""Nothing, a smaller group, a sum."""

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume, octahedral
from equinet.nn import BatchNorm, Conv2d, Linear
from equinet.nn.pool import AvgPool
from equinet.nn.sequential import Sequential
from equinet.nn.structure import Identity, Residual, Restrict
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
    with pytest.raises(ValueError, match="^in_type: expected fields over a grid, Point or Points"):
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
    with pytest.raises(ValueError, match=r"^shortcut: expected an output of shape .*strides"):
        strided(field(D4, 5, generator=generator, dtype=torch.float32))
