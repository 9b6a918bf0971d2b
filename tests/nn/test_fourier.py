"""Functions of functions on the group, through samples."""

import pytest
import torch

from equinet import FieldType
from equinet.field import Plane, Point, Volume, act, random_field
from equinet.group import cyclic, dihedral, named_group, so3
from equinet.nn.fourier import FourierPointwise
from equinet.rep import Representation, couple, fourier_basis, irreps, quotient, regular
from equinet.testing import equivariance_error
from tests.nn.fibre_cases import derivatives_at_zero_are_finite, law_error
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

# Group, dimension, fields, subgroup of the quotients.
CASES = [
    ("SO(2)", 2, "2x regular(3)", None),
    ("O(2)", 2, "1x regular(2) + 1x0e", None),
    ("O(2)", 2, "2x quotient(D1,3)", "D1"),
    ("SO(3)", 3, "1x regular(1) + 2x0", None),
    ("SO(3)", 3, "2x quotient(Cinf,2) + 1x regular(1)", "Cinf"),
    ("O(3)", 3, "2x quotient(Cinfv,2)", "Cinfv"),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[2]}")


def _type(case):
    group, n, text, _ = case
    return Point(group, n).fields(text)


def _square(x):
    return x.square()


@every_case
def test_the_identity_comes_back(case, generator):
    for oversampling in (2, 2.5, 3):
        module = FourierPointwise(_type(case), lambda x: x, oversampling, case[3]).double()
        x = random_field(module.in_type, 4, generator=generator, dtype=torch.float64)
        assert_close(module(x), x, ROUNDING)


@every_case
def test_polynomials_are_exact(case, generator):
    """A square needs three times the band, a cube four times."""
    for function, oversampling in ((_square, 3), (lambda x: x**3 - x, 4)):
        module = FourierPointwise(_type(case), function, oversampling, case[3])
        assert law_error(module, generator) <= SYMMETRY


@every_case
def test_a_grid_too_coarse_is_not_equivariant(case, generator):
    """Negative control: relu has all degrees."""
    module = FourierPointwise(_type(case), torch.relu, 2, case[3])
    assert module.aliases and law_error(module, generator, batch=8) > 1e-3


@every_case
def test_the_error_falls_with_oversampling(case, generator):
    """For one input; relu has a corner, so the error falls slowly."""
    x = random_field(_type(case), 20, generator=generator, dtype=torch.float64)
    g = _type(case).space.fibre_group.sample(20, generator=generator)
    errors = []
    for oversampling in (2, 5, 12):
        module = FourierPointwise(_type(case), torch.relu, oversampling, case[3]).double()
        moved = act(module.in_type, g, module(x))
        errors.append(float((module(act(module.in_type, g, x)) - moved).norm() / moved.norm()))
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2] > 0


def test_the_square_is_the_product_of_clebsch_and_gordan(generator):
    r"""f f = sum over l1, l2, l3 of sqrt((2 l1 + 1)(2 l2 + 1)) <l1 l2|l3>: functions on the sphere.

    With Y_l = sqrt(2 l + 1) psi_l(g) v, the product of the vectors f_l1, f_l2 is contracted with
    the isometry psi_l3 -> psi_l1 (x) psi_l2 and with the components of the vectors v.
    """
    lmax, group = 2, so3()
    axis = named_group("Cinf", 3)
    module = FourierPointwise(
        Point(group).fields(f"1x quotient(Cinf,{lmax})"), _square, 3, subgroup=axis
    ).double()
    x = torch.randn(5, 9, generator=generator, dtype=torch.float64)
    from_degree = {0: slice(0, 1), 1: slice(1, 4), 2: slice(4, 9)}
    identity = group.identity()[None]
    basis = fourier_basis(group, identity, lmax, axis)[0]  # sqrt(2 l + 1) v of each degree
    psis = irreps(group, lmax)
    expected = torch.zeros_like(x)
    for l1, one in enumerate(psis):
        for l2, two in enumerate(psis):
            pair = torch.einsum("zi,zj->zij", x[:, from_degree[l1]], x[:, from_degree[l2]])
            vectors = torch.outer(basis[from_degree[l1]], basis[from_degree[l2]])
            for psi, isometry in couple(one, two):
                if psi.degree <= lmax:
                    part = from_degree[psi.degree]
                    norm = (2 * psi.degree + 1) ** 0.5
                    v = basis[part] / norm
                    weight = (isometry.mT @ vectors.flatten()) @ v / norm
                    expected[:, part] += weight * (pair.flatten(1) @ isometry)
    # Values and coefficients have the same root mean square: f is divided by sqrt(dim) = 3.
    assert_close(module(x), expected / 3, ROUNDING)


def test_values_and_coefficients_have_the_same_size(generator):
    for case in CASES:
        module = FourierPointwise(_type(case), torch.relu, 2, case[3]).double()
        for i, (_, rho) in enumerate(module.in_type.blocks):
            if module.samples[i]:
                basis = module.get_buffer(f"basis_{i}")
                assert_close(basis.square().sum(1), torch.ones(len(basis)), ROUNDING)
                assert basis.shape == (module.samples[i], rho.dim)


def test_grids_are_small():
    """On the sphere the rules with 6, 14 and 26 points, then a product grid, not all of SO(3)."""

    def samples(text):
        fields = Point("SO(3)", 3).fields(text)
        return FourierPointwise(fields, torch.relu, 2, subgroup="Cinf").samples

    assert samples("1x quotient(Cinf,1) + 1x quotient(Cinf,2)") == [6, 14]
    assert samples("1x quotient(Cinf,3) + 2x quotient(Cinf,4)") == [26, 72]
    assert samples("1x regular(1) + 1x0") == [24, 0]


@pytest.mark.parametrize("space", [Plane("SO(2)"), Plane("O(2)")], ids=str)
def test_symmetries_of_the_square_are_exact(space, generator):
    module = FourierPointwise(space.fields("1x regular(2)"), torch.relu).double()
    x = random_field(module.in_type, 1, sizes=(5, 5), generator=generator, dtype=torch.float64)
    square = dihedral(4) if space == Plane("O(2)") else cyclic(4)
    for g in square.elements:
        moved = act(module.in_type, g, module(x))
        assert_close(module(act(module.in_type, g, x)), moved, SYMMETRY)


@pytest.mark.parametrize(
    ("group", "text", "subgroup"),
    [
        ("SO(3)", "1x regular(1)", None),
        ("SO(3)", "1x regular(2)", None),
        ("SO(3)", "1x quotient(Cinf,3)", "Cinf"),
        ("O(3)", "1x quotient(Cinfv,2)", "Cinfv"),
    ],
)
def test_symmetries_of_the_cube_are_exact(group, text, subgroup, generator):
    module = FourierPointwise(Volume(group).fields(text), torch.relu, 2, subgroup).double()
    cube = named_group("O" if group == "SO(3)" else "Oh", 3).components
    x = torch.randn(1, module.in_type.channels, 2, 2, 2, generator=generator, dtype=torch.float64)
    for g in cube[:: len(cube) // 12]:
        moved = act(module.in_type, g, module(x))
        assert_close(module(act(module.in_type, g, x)), moved, SYMMETRY)


def test_a_finite_group_loses_nothing(generator):
    """Coefficients in the basis of irreps: the function acts on the values at all elements."""
    values = regular(cyclic(8))
    coefficients = Representation(cyclic(8), "coefficients", values.irreps)
    field_type = FieldType(Point("C8", 2), ((2, coefficients), (1, values)))
    module = FourierPointwise(field_type, torch.relu).double()
    assert module.samples == [8, 0] and not module.aliases
    x = torch.randn(3, 24, generator=generator, dtype=torch.float64)
    q = values.Q
    assert q is not None
    first = (x[:, :16].view(3, 2, 8) @ q.mT).relu() @ q
    assert_close(module(x), torch.cat([first.flatten(1), x[:, 16:].relu()], 1), ROUNDING)
    assert law_error(module, generator) <= SYMMETRY


def test_on_the_cosets_of_a_finite_group(generator):
    rho = quotient(dihedral(4), named_group("D1", 2))
    coefficients = Representation(dihedral(4), "coefficients", rho.irreps)
    module = FourierPointwise(
        FieldType(Point("D4", 2), ((2, coefficients),)), torch.relu, subgroup="D1"
    )
    assert module.samples == [4]
    assert law_error(module, generator, batch=8) <= SYMMETRY


def test_over_a_grid_it_acts_point_by_point(generator):
    field_type = Volume("SO(3)").fields("2x regular(1) + 1x0")
    x = torch.randn(2, 21, 2, 3, 1, generator=generator, dtype=torch.float64)
    there = FourierPointwise(field_type, torch.relu).double()
    here = FourierPointwise(Point("SO(3)", 3).fields("2x regular(1) + 1x0"), torch.relu).double()
    points = x.movedim(1, -1).reshape(-1, 21)
    assert_close(there(x).movedim(1, -1).reshape(-1, 21), here(points), ROUNDING)


def test_derivatives_are_finite():
    module = FourierPointwise(Point("SO(3)", 3).fields("1x regular(1)"), torch.relu)
    derivatives_at_zero_are_finite(module)


def test_half_precision_and_no_samples(generator):
    module = FourierPointwise(Point("SO(2)", 2).fields("2x regular(2)"), torch.relu)
    x = random_field(module.in_type, 4, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x)
    assert_close(half.float(), module(x), 0.1)
    assert module(x[:0]).shape == (0, 10)


def test_other_fields_are_refused():
    fields = Point(so3()).fields
    for text, subgroup in (("2x1", None), ("1x quotient(Cinf,2)", None), ("1x2", "Cinf")):
        with pytest.raises(ValueError, match=r"^in_type: expected functions on SO\(3\), such as"):
            FourierPointwise(fields(text), torch.relu, subgroup=subgroup)
    with pytest.raises(ValueError, match="^oversampling: expected a finite number >= 2, got 1.5"):
        FourierPointwise(fields("1x regular(1)"), torch.relu, 1.5)
    with pytest.raises(TypeError, match="^function: expected a function, .*, got 'relu'"):
        FourierPointwise(fields("1x regular(1)"), "relu")


def test_the_default_leaves_the_error_that_it_says():
    """Negative control: half of it leaves several times as much."""
    for group, lmax in (("SO(3)", 2), ("SO(2)", 4), ("O(2)", 3)):
        fields = Point(group, dim=int(group[-2])).fields(f"1x regular({lmax})")
        for function, bound in ((torch.relu, 0.06), (torch.tanh, 0.04)):
            module = FourierPointwise(fields, function).double()
            coarse = FourierPointwise(fields, function, oversampling=2).double()
            assert equivariance_error(module, batch=16).max < bound
            assert equivariance_error(coarse, batch=16).max > 1.5 * bound
