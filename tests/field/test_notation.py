"""The grammar of field types, whatever the group; ``test_field_type`` has the sphere's."""

from types import SimpleNamespace

import pytest

from equinet.field import Line, Plane, Point, Points, Volume, notation
from equinet.group import so2, symmetric
from equinet.rep import Irrep, Representation, direct_sum, irrep, tensor_product

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
    pseudonym = Representation(so2(), "7", (Irrep(so2(), "1"),))
    for rho in (both, product, pseudonym):
        field_type = Plane(so2()).fields([(2, rho), (1, one)])
        assert str(field_type) == f"2x <{rho.name}> + 1x1"
        with pytest.raises(ValueError, match="^fields: "):
            Plane(so2()).fields(str(field_type))
