"""The grammar of field types, whatever the group; ``test_field_type`` has the sphere's."""

from types import SimpleNamespace

import pytest

from equinet.field import FieldType, Line, Plane, Point, Points, Volume, notation
from equinet.group import (
    direct_product,
    named_group,
    o2,
    o3,
    octahedral,
    so2,
    so3,
    symmetric,
    trivial_group,
)
from equinet.rep import (
    Irrep,
    Representation,
    direct_sum,
    dual,
    irrep,
    restrict,
    tensor_product,
    trivial,
)
from tests.laws.cases import REPRESENTATIONS
from tests.over import over

NAMES = [
    "0e",
    "12",
    "A1'",
    'E1"',
    "T2g",
    "B_1",
    "vector",
    "regular",
    "quotient(C4)",
    "induced(C4, E)",
    "induced(quotient(C_2), [2,1])",
    "quotient(-4/m)",
    "[3,1]",
    "1;[2,1];A1",
]


@pytest.fixture
def any_name(monkeypatch):
    """Every name is that of a representation."""
    monkeypatch.setattr(
        notation, "named", lambda group, name: SimpleNamespace(group=group, name=name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_names(any_name, name):
    text = f" 2x{name} +  13 x {name}  "
    blocks = notation.parse_blocks(text, so2())
    assert [(mul, rho.name) for mul, rho in blocks] == [(2, name), (13, name)]
    assert notation.parse_blocks(notation.format_blocks(blocks), so2()) == blocks


def test_all_together(any_name):
    text = " + ".join(f"{i + 1}x {name}" for i, name in enumerate(NAMES))
    assert [rho.name for _, rho in notation.parse_blocks(text, so2())] == NAMES


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A1 B",
        "quotient(C4",
        "quotient(C4]",
        "quotient C4)",
        "[3,1",
        "3,1]",
        "3,1",
        "a-b",
        "(",
        "é",
    ],
)
def test_names_that_are_none(any_name, name):
    text = f"2x A + 1x {name}"
    with pytest.raises(ValueError, match=r"^fields: expected terms like ") as caught:
        notation.parse_blocks(text, so2())
    assert f"got {f' 1x {name}'!r} at position 6 of {text!r}" in str(caught.value)


def test_plus_separates_in_brackets_too(any_name):
    with pytest.raises(ValueError, match=r"got '2x f\(a ' at position 0"):
        notation.parse_blocks("2x f(a + b)", so2())


@pytest.mark.parametrize(
    ("space", "texts"),
    [
        (lambda: Line("O(1)"), ["2x trivial + 1x vector", "1x regular"]),
        (lambda: Plane("SO(2)"), ["16x0 + 8x1"]),
        (lambda: Plane("O(2)"), ["4x0e + 1x0o + 2x3"]),
        (lambda: Plane("C8"), ["8x regular + 2x vector + 1x3"]),
        (lambda: Plane("D4"), ["2x regular + 1x vector + 3x trivial + 1x quotient(C4)"]),
        (lambda: Volume("SO(3)"), ["16x0 + 8x1 + 4x2"]),
        (lambda: Volume("O(3)"), ["4x0e + 2x1o"]),
        (lambda: Volume("m-3m"), ["2xA1g + 3xT2g + 1x quotient(D4)", "1x regular + 1x vector"]),
        (lambda: Points("O(3)", dim=3), ["4x0e + 2x1o + 1x trivial"]),
        (lambda: Point(symmetric(4)), ["1x[3,1] + 2x[4] + 1x vector"]),
    ],
)
def test_round_trip_over_every_space(space, texts):
    for text in texts:
        field_type = space().fields(text)
        assert space().fields(str(field_type)) == field_type
        assert len(field_type.blocks) == text.count("+") + 1


def test_errors_of_names_keep_the_position():
    with pytest.raises(ValueError, match=r"^fields: at position 12 of .*'nonsense'"):
        Plane("C4").fields("2x trivial +1xnonsense")


def test_a_representation_without_a_name_is_shown_as_such():
    """Not as another field type: the string does not parse."""
    one, two = irrep(so2(), 1), irrep(so2(), 2)
    both = direct_sum(one, two)
    product = tensor_product(one, one)
    for rho in (both, product):
        field_type = Plane(so2()).fields([(2, rho), (1, one)])
        assert str(field_type) == f"2x <{rho.name}> + 1x1"
        with pytest.raises(ValueError, match="^fields: "):
            Plane(so2()).fields(str(field_type))
    pseudonym = Representation(so2(), "7", (Irrep(so2(), "1"),))
    assert str(Plane(so2()).fields([(2, pseudonym)])) == "2x1"


@pytest.mark.parametrize(
    ("space", "e3nn", "ours"),
    [
        (Point(o3()), "1e + 2e", "1x1e + 1x2e"),
        (Point(o3()), "0x1o + 16x0e+0x3e+  2o", "16x0e + 1x2o"),
        (Point(so2()), "1", "1x1"),
        (Point(so2()), "12 + 2x1", "1x12 + 2x1"),
        (Point(symmetric(4)), "[3,1] + 0x[4]", "1x[3,1]"),
        (Point(octahedral()), "T1", "1xT1"),
        (Point(direct_product(so2(), so3())), "1;2 + 2x0;0", "1x1;2 + 2x0;0"),
    ],
)
def test_strings_of_e3nn(space, e3nn, ours):
    """An irrep alone stands once; none of an irrep is none."""
    assert space.fields(e3nn) == space.fields(ours)


def test_a_whole_representation_needs_its_multiplicity():
    """A negative control: only irreps stand alone or not at all."""
    for text in ("regular", "2x0 + vector", "1y", "x1", "2x", "1 2", "\u0661x1", "\u0661"):
        with pytest.raises(ValueError, match="^fields: expected terms like"):
            Point(so2()).fields(text)
    for text in ("0x1", "0x1 + 0x2", "0x regular(50)", "1x1 + 0x quotient(C4,2)"):
        with pytest.raises(ValueError, match="^multiplicity: expected .* got 0$"):
            Point(so2()).fields(text)
    with pytest.raises(ValueError, match="^fields: .*nonsense"):
        Point(so2()).fields("1x1 + 1xnonsense")


def kin(rho: Representation) -> list[Representation]:
    """What can be made of a representation."""
    if rho.dim >= 5:
        return [rho, dual(rho)]
    small = [restrict(rho, trivial_group(rho.group.n)), tensor_product(rho, rho)]
    return [rho, dual(rho), *small, *(irrep(rho.group, psi.name) for psi in rho.constituents)]


def doubled(rho: Representation) -> FieldType:
    """A type with two copies."""
    return Point(rho.group).fields([(2, rho), (1, trivial(rho.group))])


@over("rho", REPRESENTATIONS[::2] + REPRESENTATIONS[1::6])
def test_what_a_string_says_is_what_it_was_made_of(rho):
    """Of all kinds of representation: the string parses back to an equal type, or has <> in it."""
    for field_type in map(doubled, kin(rho)):
        if "<" in str(field_type):
            with pytest.raises(ValueError, match="^fields: expected names, got .* in <>"):
                field_type.space.fields(str(field_type))
        else:
            assert field_type.space.fields(str(field_type)) == field_type


def test_most_strings_say_it():
    """And are not left out above, those of a group by its name among them."""
    types = [doubled(each) for rho in REPRESENTATIONS[::12] for each in kin(rho)]
    assert sum("<" not in str(field_type) for field_type in types) > 30
    for subgroup in ("C4", "C3", "D1"):
        smaller = named_group(subgroup, 2)
        space = Point(smaller)
        field_type = space.fields([(2, restrict(irrep(o2(), 1), smaller)), (1, trivial(smaller))])
        assert "<" not in str(field_type)
        assert space.fields(str(field_type)) == field_type
