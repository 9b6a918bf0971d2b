"""Finite homogeneous spaces, and how G moves fields over them."""

import math
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given

from equinet import so3
from equinet.field import HomogeneousSpace, Point, act, random_field
from equinet.group import cyclic, dihedral, octahedral, permutation_group, symmetric, trivial_group
from equinet.rep import regular, trivial, vector
from equinet.testing import assert_equivariant, equivariance_error, report
from tests.field.coset_cases import field_types, noise, random_space
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

GRIDS_ONLY: list[dict[str, Any]] = [{"band": 2}, {"sizes": (3,)}, {"smoothness": 1.0}]
CORNERS = HomogeneousSpace.of(symmetric(4), torch.eye(4))


@given(field_type=field_types())
def test_fields_are_moved_as_the_cocycle_says(field_type):
    """[g f](gx) = rho(s(gx)^-1 g s(x)) f(x) (M1), with matrices, point by point."""
    space, f = field_type.space, noise(field_type, 2)
    s = space.group.elements[list(space.section.numbers)]
    for g in space.group.elements[[1, -1]]:
        h = s[:, None].mT @ g @ s  # [y, x]
        y, x = space.fibre_group.mask(h).nonzero(as_tuple=True)
        expected = torch.full_like(f, math.nan)
        expected[:, :, y] = torch.einsum("pij,zjp->zip", field_type.rho(h[y, x]), f[:, :, x])
        assert_close(act(field_type, g, f), expected, ROUNDING)


@given(field_type=field_types())
def test_the_action_is_one(field_type):
    """act(gh) = act(g) act(h), act(1) = 1, for one element and for one a sample."""
    group, f = field_type.space.group, noise(field_type, 3)
    g, h = group.sample(2, 3, generator=torch.Generator().manual_seed(1))
    twice = act(field_type, g, act(field_type, h, f))
    assert_close(act(field_type, g @ h, f), twice, ROUNDING)
    assert_close(act(field_type, group.identity(), f), f, ROUNDING)
    apart = [act(field_type, g[i], f[i : i + 1]) for i in range(3)]
    assert_close(act(field_type, g, f), torch.cat(apart), ROUNDING)
    assert_close(act(field_type, g.float(), f), act(field_type, g, f), ROUNDING)


def test_functions_on_a_set_are_permuted(generator):
    """Over n things under S_n scalar fields are vectors on which permutation matrices act."""
    field_type = CORNERS.fields("2x trivial")
    f = random_field(field_type, 5, generator=generator)
    g = symmetric(4).sample(5, generator=generator)
    assert torch.equal(act(field_type, g, f), torch.einsum("zij,zcj->zci", g.float(), f))


def test_gradients(generator):
    field_type = CORNERS.fields("1x trivial + 1xE")
    f = random_field(field_type, 2, generator=generator, dtype=torch.float64).requires_grad_()
    g = symmetric(4).elements[[7, 20]]
    assert torch.autograd.gradcheck(lambda f: act(field_type, g, f), (f,))
    assert act(field_type, g, f.float()).dtype == torch.float32
    assert act(field_type, g[0], f[:0]).shape == (0, *f.shape[1:])


def test_a_value():
    space = HomogeneousSpace(dihedral(4), cyclic(4))
    again = pickle.loads(pickle.dumps(space))
    assert again == space and hash(again) == hash(space)
    assert space.group == dihedral(4) and space.fibre_group == cyclic(4) and len(space) == 2
    assert repr(space) == "HomogeneousSpace(D4, C4)"
    other = dihedral(4).elements[[0, 6]]
    assert HomogeneousSpace(dihedral(4), cyclic(4), other) != space
    assert HomogeneousSpace.of(symmetric(4), torch.eye(4)[[1, 0, 2, 3]]) != CORNERS
    with pytest.raises(AttributeError):
        space.section = CORNERS.section  # pyright: ignore
    with pytest.raises(ValueError, match=r"^\+: expected fields over the same space"):
        _ = space.fields("1x0") + CORNERS.fields("1x trivial")
    with torch.device("meta"):
        inside = HomogeneousSpace.of(symmetric(4), torch.eye(4, device="cpu"))
    assert inside == CORNERS and inside.section.cocycle.device.type == "cpu"


def test_shapes():
    field_type = HomogeneousSpace(dihedral(4), cyclic(4)).fields("3x0 + 2x1 + 1x regular")
    assert field_type.shape(8) == (8, 11, 2) and field_type.channels == 11
    with pytest.raises(ValueError, match=r"^sizes: .* expected none"):
        field_type.shape(8, 2)
    with pytest.raises(
        ValueError, match=r"^x: expected \(batch, channel, point\) = \(batch, 11, 2"
    ):
        act(field_type, torch.eye(2), torch.zeros(1, 11, 3))
    with pytest.raises(TypeError, match="^x: expected a real floating tensor"):
        act(field_type, torch.eye(2), torch.zeros(1, 11, 2, dtype=torch.long))


def test_bad_spaces():
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(3\)"):
        HomogeneousSpace(so3(), octahedral())  # pyright: ignore
    with pytest.raises(TypeError, match=r"^subgroup: expected a finite group, got SO\(3\)"):
        HomogeneousSpace(octahedral(), so3())  # pyright: ignore
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(3\)"):
        HomogeneousSpace.of(so3(), torch.eye(3))  # pyright: ignore
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of D4, got C3"):
        HomogeneousSpace(dihedral(4), cyclic(3))
    with pytest.raises(ValueError, match=r"^representatives: expected one of the 8 elements of D4"):
        HomogeneousSpace(dihedral(4), cyclic(4), dihedral(4).elements)
    with pytest.raises(
        ValueError, match=r"^representatives: .* got two in one and none in another"
    ):
        HomogeneousSpace(dihedral(4), cyclic(4), dihedral(4).elements[:2])
    with pytest.raises(ValueError, match=r"^points: expected one orbit of S4"):
        HomogeneousSpace.of(symmetric(4), torch.eye(4)[:3])


def test_bad_fields_and_elements():
    space = HomogeneousSpace(dihedral(4), cyclic(4))
    with pytest.raises(ValueError, match=r"^representation: .* need a representation of C4, got"):
        space.fields([(1, trivial(dihedral(4)))])
    with pytest.raises(ValueError, match="nonsense"):
        space.fields("1x nonsense")
    field_type = space.fields("1x1")
    f = torch.zeros(field_type.shape(2))
    with pytest.raises(ValueError, match="^g: expected elements of D4"):
        act(field_type, cyclic(3).elements[1], f)
    with pytest.raises(ValueError, match="^g: expected elements of D4"):
        act(field_type, torch.eye(3), f)
    with pytest.raises(ValueError, match=r"^g: expected \(2, 2\) or \(2, 2, 2\)"):
        act(field_type, dihedral(4).elements[:3], f)


def test_noise(generator):
    field_type = CORNERS.fields("1x trivial + 1x regular")
    f = random_field(field_type, 500, generator=generator)
    assert f.shape == field_type.shape(500) and f.dtype == torch.float32
    power = f.square().flatten()
    assert abs(power.mean() - 1) < STATISTICAL * power.std() / math.sqrt(len(power))
    for argument in GRIDS_ONLY:
        with pytest.raises(ValueError, match=f"^{[*argument][0]}: has no meaning for Homogeneous"):
            random_field(field_type, 2, **argument)


class _Pairs(torch.nn.Module):
    """From a function on 4 things to one on the 12 ordered pairs, or one that is not symmetric."""

    def __init__(self, weights=(1.0, 2.0, -0.5), twist: float = 0.0) -> None:
        super().__init__()
        self.pairs = torch.tensor([(i, j) for i in range(4) for j in range(4) if i != j])
        points = torch.nn.functional.one_hot(self.pairs, 4).double()
        self.in_type = CORNERS.fields("1x trivial")
        embedded = points[:, 0] + 2 * points[:, 1]
        self.out_type = HomogeneousSpace.of(symmetric(4), embedded).fields("1x trivial")
        self.weights, self.twist = weights, twist

    def forward(self, x):
        a, b, c = self.weights
        y = a * x[..., self.pairs[:, 0]] + b * x[..., self.pairs[:, 1]] + c * x.sum(-1, True)
        return y + self.twist * x[..., :1]


def test_modules_between_different_spaces():
    """From the points of one space to those of another; a twist is found."""
    assert assert_equivariant(_Pairs()).max < 1e-6
    found = report(_Pairs())
    assert found.error < 1e-6 and [layer.kind for layer in found.layers] == ["_Pairs"]
    with pytest.raises(AssertionError, match="^_Pairs is not equivariant within"):
        assert_equivariant(_Pairs(twist=0.1))
    assert report(_Pairs(twist=0.1)).error > 1e-2
    generators = symmetric(4).generators
    elements = equivariance_error(_Pairs(), count=7).elements
    assert len(elements) == 7 and torch.equal(elements[: len(generators)], generators)
    for argument in GRIDS_ONLY:
        with pytest.raises(ValueError, match=f"^{[*argument][0]}: has no meaning for Homogeneous"):
            equivariance_error(_Pairs(), **argument)
    with pytest.raises(ValueError, match="^arguments: has no meaning for Homogeneous"):
        equivariance_error(_Pairs(), arguments={"positions": torch.zeros(4, 3)})


class _Untwisted(torch.nn.Module):
    """Sums the vectors over all points, as if fibres were not turned."""

    def forward(self, x):
        return x.sum(-1, keepdim=True).expand_as(x)


def test_a_module_that_forgets_the_cocycle_is_found():
    """Right for scalars, wrong for fibres that turn."""
    space = random_space(symmetric(4), permutation_group([1, 0, 2, 3], [0, 2, 1, 3]), 3)
    scalars, moving = space.fields("2x trivial"), space.fields([(1, regular(space.fibre_group))])
    assert_equivariant(_Untwisted(), scalars, scalars)
    with pytest.raises(AssertionError, match="^_Untwisted is not equivariant"):
        assert_equivariant(_Untwisted(), moving, moving)


def test_extremes(generator):
    """G/G is a point, where G acts as over ``Point``; G/1 is G, whose functions are moved."""
    group = octahedral()
    whole, point = HomogeneousSpace(group, group), Point(group)
    f = torch.randn(2, 3, 1, generator=generator, dtype=torch.float64)
    g = group.sample(2, generator=generator)
    fixed = act(point.fields([(1, vector(group))]), g, f[..., 0])
    assert_close(act(whole.fields([(1, vector(group))]), g, f)[..., 0], fixed, ROUNDING)
    free = HomogeneousSpace(group, trivial_group(3)).fields("1x trivial")
    f = torch.randn(2, 1, 24, generator=generator, dtype=torch.float64)
    functions = act(point.fields([(1, regular(group))]), g, f[:, 0])
    assert_close(act(free, g, f)[:, 0], functions, ROUNDING)
