"""Harmonics times radial profiles: f(h x) = psi(h) f(x), complete degree by degree."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from equinet.group import (
    O2,
    O3,
    SO2,
    SO3,
    cyclic,
    icosahedral,
    inversion,
    o2,
    o3,
    octahedral,
    so2,
    so3,
    symmetric,
)
from equinet.harmonics import (
    Angular,
    Bessel,
    BSpline,
    GaussianShells,
    Harmonics,
    Zernike,
    angular_harmonics,
    filter_grid,
    gaussian_shells,
    harmonics_representation,
)
from equinet.harmonics.steered import shell_harmonics
from tests.steerable.kernel_cases import (
    GENERIC,
    GROUPS,
    harmonics_character,
    harmonics_matrix,
    name,
    radials,
    rank,
    scattered,
    seeded,
)
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
every_group = pytest.mark.parametrize("group", GROUPS, ids=name)


def largest_degree(group):
    """6 where it is fast; the axial groups have a closed form for irreps, but not for splits."""
    if isinstance(group, SO2 | O2 | SO3 | O3) or group.is_finite:
        return 1 if group.n == 1 else 6
    return 3


@every_group
def test_representation_of_the_harmonics(group):
    """Y(h x) = rho(h) Y(x), against a fit to values; and Q splits it into the named irreps."""
    elements = group.sample(3, generator=seeded())
    for degree in {0, 1, 2, 3, 6}.intersection(range(largest_degree(group) + 1)):
        rho = harmonics_representation(group, degree)
        values = torch.stack([harmonics_matrix(degree, h) for h in elements])
        assert_close(rho(elements), values, SYMMETRY)
        assert_close(rho.character(elements), harmonics_character(degree, elements), SYMMETRY)
        assert rho.is_orthogonal


@every_group
def test_functions_transform_by_their_irrep(group):
    functions = Harmonics(group, GaussianShells((0.0, 1.0, 2.0), lmax=4))
    points, elements = scattered(group, 5), group.sample(3, generator=seeded())
    before = functions(points)
    after = functions(torch.einsum("hij,pj->hpi", elements, points))
    assert before.keys() == functions.counts.keys()
    for psi, value in before.items():
        assert value.shape == (functions.counts[psi], psi.dim, 5)
        expected = torch.einsum("hij,cjp->cihp", psi(elements), value)
        assert_close(after[psi], expected, SYMMETRY)


@given(st.data())
def test_every_family_of_profiles_is_steered(data):
    group = data.draw(st.sampled_from(GROUPS), label="group")
    functions = Harmonics(group, data.draw(radials(group.n), label="radial"))
    points, (h,) = scattered(group, 6, seed=1), group.sample(1, generator=seeded(1))
    before, after = functions(points), functions(points @ h.mT)
    for psi, value in before.items():
        assert_close(after[psi], torch.einsum("ij,cjp->cip", psi(h), value), SYMMETRY)


OUTSIDERS = [
    (cyclic(4), so2().element(torch.tensor(0.5, dtype=F64))),
    (cyclic(4), o2().mirror),
    (so2(), o2().mirror),
    (octahedral(), GENERIC),
    (octahedral(), -torch.eye(3, dtype=F64)),
    (so3(), -torch.eye(3, dtype=F64)),
]


@pytest.mark.parametrize(("group", "outsider"), OUTSIDERS)
def test_an_outsider_does_not_do_what_any_element_does(group, outsider):
    functions, points = Harmonics(group, Angular(3)), scattered(group, 5)
    before, after = functions(points), functions(points @ outsider.mT)
    elements, _ = group.grid(12)
    errors = torch.zeros(len(elements), dtype=F64)
    for psi, value in before.items():
        moved = torch.einsum("hij,cjp->hcip", psi(elements), value)
        errors = errors.maximum((moved - after[psi]).flatten(1).abs().amax(1))
    assert errors.min() > 0.1


@given(st.data())
def test_functions_are_all_of_those_of_the_profiles(data):
    """Their number is that of harmonics times profiles, and they span the same."""
    group = data.draw(st.sampled_from(GROUPS), label="group")
    radial = data.draw(radials(group.n), label="radial")
    functions = Harmonics(group, radial)
    top = min(radial.lmax, 1) if group.n == 1 else radial.lmax
    dims = [1, *[1 if group.n == 1 else 2 if group.n == 2 else 2 * J + 1 for J in range(1, 7)]]
    total = sum(radial.count(J) * dims[J] for J in range(top + 1))
    assert sum(count * psi.dim for psi, count in functions.counts.items()) == total
    points = scattered(group, 3 * total)
    if group.n == 1:
        points = torch.cat([points, -points])  # both sides
    values = torch.cat([v.flatten(0, 1) for v in functions(points).values()])
    angular = angular_harmonics(top, points)
    plain = [radial(J, points.norm(dim=1))[:, None] * angular[J].mT for J in range(top + 1)]
    plain = torch.cat([p.flatten(0, 1) for p in plain])
    assert rank(values) == rank(plain) == rank(torch.cat([values, plain])) == total


def test_profiles_and_harmonics_as_they_are():
    """No factor is added: in SO(3) f = phi(|x|) Y(x / |x|)."""
    functions = Harmonics(so3(), Zernike(2.5, 4, 3))
    points = scattered(so3(), 7)
    for psi, value in functions(points).items():
        y = angular_harmonics(psi.degree, points)[psi.degree]
        profiles = functions.radial(psi.degree, points.norm(dim=1))
        assert_close(value, profiles[:, None] * y.mT, ROUNDING)


def test_the_line_has_even_and_odd_functions():
    functions = Harmonics(inversion(1), GaussianShells((0.0, 1.0, 2.0), lmax=4))
    assert {psi.name: count for psi, count in functions.counts.items()} == {"0e": 3, "0o": 2}
    x = torch.linspace(-2, 2, 9, dtype=F64)[:, None]
    for psi, value in functions(x).items():
        sign = 1 if psi.name == "0e" else -1
        assert_close(value.flip(-1), sign * value, ROUNDING)


def test_unit_scales_the_radius():
    radial, points = gaussian_shells(2.0), scattered(so3(), 6)
    one, thousand = Harmonics(so3(), radial), Harmonics(so3(), radial, 1000.0)
    for psi, value in one(points).items():
        assert_close(thousand(1000 * points)[psi], value, ROUNDING)
    for unit in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="unit: expected a number > 0"):
            Harmonics(so3(), radial, unit)


@pytest.mark.parametrize(("size", "n"), [(5, 2), (4, 3), (3, 1)])
def test_shells_fit_the_filter(size, n):
    group = {1: inversion(1), 2: so2(), 3: so3()}[n]
    grid = filter_grid(size, n, spacing=0.25)
    functions = shell_harmonics(group, grid, cutoff="sfcnn", lmax=3)
    assert functions == Harmonics(group, gaussian_shells((size - 1) / 2, 0.6, "sfcnn", 3), 0.25)
    # The same values as on the filter of unit spacing.
    plain = filter_grid(size, n)
    other = shell_harmonics(group, plain, cutoff="sfcnn", lmax=3)
    for psi, value in functions(grid.points).items():
        assert_close(value, other(plain.points)[psi], ROUNDING)


@pytest.mark.parametrize("group", [inversion(1), o2(), octahedral(), o3(), symmetric(3)], ids=str)
def test_shapes_dtypes_and_derivatives(group):
    functions = Harmonics(group, Zernike(2.5, 2, group.n))
    for shape in ((), (0,), (2, 3)):
        points = torch.ones(*shape, group.n)
        for psi, value in functions(points).items():
            assert value.shape == (functions.counts[psi], psi.dim, *shape)
            assert value.dtype == torch.float32
    points = scattered(group, 3).requires_grad_()

    def values(x):
        return tuple(functions(x).values())

    assert gradcheck(values, (points,))
    assert gradgradcheck(values, (points,))
    origin = torch.zeros(2, group.n, dtype=F64, requires_grad=True)
    torch.stack([v.sum() for v in functions(origin).values()]).sum().backward()
    assert origin.grad is not None and origin.grad.isfinite().all()


def test_a_group_and_a_grid_of_other_dimensions():
    with pytest.raises(
        ValueError, match="^grid: expected taps in 2 dimensions for C4, got some in"
    ):
        shell_harmonics(cyclic(4), filter_grid(3, 3))
    for radial in (Bessel(2.5, 3), Zernike(2.0, 3, 3)):
        with pytest.raises(
            ValueError, match="^radial: expected profiles in 2 dimensions for C4, g"
        ):
            Harmonics(cyclic(4), radial)


def test_a_hopeless_size_is_refused_before_anything_is_sampled():
    """The numbers by hand: shells r = 0, ..., 50 with degrees J <= 2r + 1 of 2J + 1 harmonics."""
    count = 1 + sum((2 * r + 2) ** 2 for r in range(1, 51))
    size = 8 * count * 101**3 / 2**30
    with pytest.raises(
        ValueError, match=f"^grid: .* {count:,} components of .* take {size:,.0f} G"
    ):
        shell_harmonics(octahedral(), filter_grid(101, 3))


def test_values_are_hashable_and_picklable():
    families = [
        Harmonics(group, radial)
        for group in (so2(), cyclic(4), so3(), icosahedral())
        for radial in (
            gaussian_shells(2.0),
            Angular(2),
            Zernike(2.0, 3, group.n),
            BSpline(2.0, 3, 1),
        )
    ]
    families += [Harmonics(so3(), Bessel(2.0, 3)), Harmonics(so3(), Angular(2), 2.0)]
    assert len(set(families)) == len(families)
    for functions in families:
        points = scattered(functions.group, 2)
        for other in (pickle.loads(pickle.dumps(functions)), copy.deepcopy(functions)):
            assert other == functions and hash(other) == hash(functions)
            for psi, value in functions(points).items():
                assert_close(other(points)[psi], value, 0)


def test_bad_input():
    functions = Harmonics(so3(), Angular(2))
    with pytest.raises(ValueError, match=r"points: expected \(..., 3\) for SO\(3\), got \(5, 2\)"):
        functions(torch.ones(5, 2))
    with pytest.raises(TypeError, match="points: expected a real"):
        functions(torch.ones(5, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"group: expected .*line.*plane.*space, got S4 in O\(4\)"):
        harmonics_representation(symmetric(4), 1)
    with pytest.raises(ValueError, match="expected"):
        harmonics_representation(octahedral(), -1)


def test_the_line_has_no_harmonics_of_degree_two():
    with pytest.raises(ValueError, match="degree"):
        harmonics_representation(inversion(1), 2)


def test_a_point_without_coordinates():
    with pytest.raises(ValueError, match="points: expected"):
        Harmonics(so3(), Angular(2))(torch.tensor(1.0))
