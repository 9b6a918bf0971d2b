"""The periodic lattice against images: quarter turns, mirrors, shifts, and the triangular grid."""

import math

import pytest
import torch

from equinet import so2
from equinet.field import Plane, act, random_field, torus
from equinet.group import FiniteGroup, cyclic, dihedral, inversion
from equinet.rep import decompose, regular
from tests.tolerances import ROUNDING, assert_close

SQUARE = ("C1", "C2", "C4", "D1", "D2", "D4")
TRIANGULAR = ("C3", "C6", "D3", "D6")


def _fibre_element(space, h):
    """The element (0, h) of G for a matrix h of the plane."""
    elements = space.fibre_group.elements
    distance = (elements[:, -2:, -2:] - h).abs().amax((1, 2))
    assert distance.min() < 1e-9
    return elements[int(distance.argmin())]


def _vector(H: FiniteGroup):
    """Vectors in the plane as a representation of the matrices of H."""
    return decompose(H, lambda h: h[..., -2:, -2:], name="plane vector")


@pytest.mark.parametrize("name", [*SQUARE, *TRIANGULAR])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_orders(name, size):
    space = torus(size, name)
    H = (cyclic if name[0] == "C" else dihedral)(int(name[1:]))
    assert len(space) == size**2 and space.group.order == size**2 * H.order
    assert space.fibre_group.order == H.order and space.section.base == 0
    assert space.fibre_group.name == H.name and space == torus(size, H)
    assert repr(space) == f"HomogeneousSpace(Z{size}^2 x| {name}, {name})"


def test_large_matrices_are_told_apart():
    """Numbers and table of G against products compared entry by entry; outsiders are refused."""
    group = torus(3, "D6").group
    products = (group.elements[:, None] @ group.elements).flatten(0, 1).flatten(1)
    distance = torch.cdist(products, group.elements.flatten(1))
    assert torch.equal(group.table.flatten(), distance.argmin(1))
    assert torch.equal(group.index(group.elements.float()), torch.arange(108))
    wrong = group.elements[5].clone()
    wrong[:, [0, 1]] = wrong[:, [1, 0]]
    assert not group.contains(wrong) and not group.contains(group.elements + 1e-3)


@pytest.mark.parametrize("name", ["C4", "D4", "D6"])
def test_the_cocycle_is_the_part_in_h_of_g(name):
    """h(x, g) does not depend on x: the section is a subgroup, of the translations."""
    space = torus(3, name)
    s, part = space.section, space.group.elements[:, -2:, -2:]
    h = space.fibre_group.elements[s.cocycle][..., -2:, -2:]
    assert_close(h, part[:, None].expand_as(h), ROUNDING)
    translations = torch.tensor(s.numbers)
    assert set(s.group.table[translations][:, translations].flatten().tolist()) == set(s.numbers)


@pytest.mark.parametrize("size", [3, 4])
def test_elements_move_images(size, generator):
    """Rotations about pixel (0, 0) are rot90 and a roll; so are mirrors with flip."""
    space = torus(size, "D4")
    scalars = space.fields("1x trivial")
    image = torch.randn(2, 1, size, size, generator=generator)
    f = image.flatten(2)
    for quarters in range(4):
        g = _fibre_element(space, cyclic(4).elements[quarters])
        turned = torch.rot90(image, quarters, (-2, -1))
        corner = [(0, 0), (1, 0), (1, 1), (0, 1)][quarters]
        expected = turned.roll(corner, (-2, -1))
        assert torch.equal(act(scalars, g, f), expected.flatten(2))
    upside_down = _fibre_element(space, torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64)))
    expected = image.flip(-2).roll(1, -2)
    assert torch.equal(act(scalars, upside_down, f), expected.flatten(2))
    for point in (1, size, size**2 - 1):  # s(x) takes pixel (0, 0) to x
        g = space.group.elements[space.section.numbers[point]]
        expected = image.roll((point // size, point % size), (-2, -1))
        assert torch.equal(act(scalars, g, f), expected.flatten(2))


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_vector_fields_turn_as_over_the_plane(name, generator):
    """About the centre of an odd image, s(x) g s(x)^-1: ``Plane`` moves it without a border."""
    size, space, plane = 5, torus(5, name), Plane(name)
    here = space.fields([(2, _vector(space.fibre_group))])
    there = plane.fields("2x vector")
    image = random_field(there, 2, sizes=(size, size), smoothness=0, generator=generator).double()
    s = space.group.elements[space.section.numbers[size**2 // 2]]
    for h in plane.group.elements:  # pyright: ignore
        g = s @ _fibre_element(space, h) @ s.mT
        expected = act(there, h, image)
        assert_close(act(here, g, image.flatten(2)).view_as(image), expected, ROUNDING)
    lazy = space.fields("4x trivial")  # a negative control: vectors that are not turned
    g = s @ _fibre_element(space, plane.group.elements[1]) @ s.mT  # pyright: ignore
    expected = act(there, plane.group.elements[1], image)  # pyright: ignore
    assert (act(lazy, g, image.flatten(2)).view_as(image) - expected).abs().max() > 0.1


@pytest.mark.parametrize("name", TRIANGULAR)
def test_the_triangular_lattice(name):
    """Point i n + j lies at j b1 - i b2 modulo n b1 and n b2; h turns positions by its matrix."""
    size, space = 4, torus(4, name)
    basis = torch.tensor([[1.0, 0.5], [0.0, math.sqrt(3) / 2]], dtype=torch.float64)
    row, column = torch.arange(16) // size, torch.arange(16) % size
    positions = torch.stack([column, -row], 1).double() @ basis.mT
    for h in space.fibre_group.elements:
        moved = space.section.moved[int(space.group.index(h))]
        difference = positions[moved] - positions @ h[-2:, -2:].mT
        periods = difference @ torch.linalg.inv(size * basis).mT
        assert_close(periods, periods.round(), 1e-9)
    # The nearest points are one orbit: b1, b2, b2 - b1 and their opposites, where six turn.
    nearest = {1, 3, 4, 5, 12, 15} if name in ("C6", "D6") else None
    members = space.group.index(space.fibre_group.elements)
    orbit = set(space.section.moved[members, 1].tolist())
    assert orbit == nearest if nearest else len(orbit) in (3, 6)


@pytest.mark.parametrize("name", ["C2", "D2", "C3", "D6"])
def test_the_action_is_one(name, generator):
    space = torus(3, name)
    H = space.fibre_group
    field_type = space.fields([(1, _vector(H)), (1, regular(H))])
    f = random_field(field_type, 2, generator=generator, dtype=torch.float64)
    g, h = space.group.sample(2, 2, generator=generator)
    assert_close(act(field_type, g @ h, f), act(field_type, g, act(field_type, h, f)), ROUNDING)


def test_large_lattices():
    """Their elements are small matrices, and what one of them does needs no table of all."""
    for size, name in ((64, "C4"), (24, "D6")):
        space = torus(size, name)
        scalars = space.fields("1x trivial")
        image = torch.arange(size**2, dtype=torch.float64).view(1, 1, size, size)
        g = space.group.elements[space.section.numbers[2 * size + 5]]
        assert torch.equal(act(scalars, g, image.flatten(2)), image.roll((2, 5), (2, 3)).flatten(2))
    with pytest.raises(ValueError, match="^size: .* got 36000000 elements, which takes 10 GiB"):
        torus(3000, "C4")


def test_groups_as_objects():
    assert torus(3, inversion(2)) == torus(3, "C2")
    mirror = FiniteGroup(2, torch.tensor([[[1.0, 0], [0, 1]], [[-1, 0], [0, 1]]]).double(), "m")
    assert torus(3, mirror).fibre_group.name == "m"
    assert torus(3, "trivial") == torus(3, "C1")


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3", None])
def test_bad_sizes(size):
    with pytest.raises(ValueError, match=f"^size: expected an integer >= 1, got {size!r}$"):
        torus(size, "C4")


@pytest.mark.parametrize(
    "group", ["C5", "D8", cyclic(12), dihedral(4).conjugate(cyclic(16).elements[1])]
)
def test_groups_that_keep_no_lattice(group):
    with pytest.raises(
        ValueError, match="^group: expected one that keeps the square or the triang"
    ):
        torus(3, group)


def test_bad_groups():
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got SO\(2\)"):
        torus(3, so2())  # pyright: ignore
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got O\(2\)"):
        torus(3, "O(2)")
    with pytest.raises(ValueError, match="^group: .* needs a group of 2 x 2 matrices"):
        torus(3, inversion(3))
    with pytest.raises(ValueError, match="^group: .*'nonsense'"):
        torus(3, "nonsense")
