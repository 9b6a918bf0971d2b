"""Field types: the string notation, values, shapes, checks."""

import pickle
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet import FieldType, Sphere, so2, so3
from equinet.field.field_type import parse_blocks
from equinet.rep import Irrep, Representation, irrep, regular, trivial

SPHERE = Sphere(5)

multiplicities = st.integers(1, 99)
irrep_names = st.sampled_from(["trivial", "vector", *map(str, range(12))])
spaces = st.sampled_from(["", " ", "  "])


@st.composite
def notations(draw, names) -> str:
    """A string such as "3x0 +2x  vector", blanks anywhere."""
    terms = draw(st.lists(st.tuples(multiplicities, names), min_size=1, max_size=5))
    blank = lambda: draw(spaces)  # noqa: E731
    return "+".join(f"{blank()}{mul}{blank()}x{blank()}{name}{blank()}" for mul, name in terms)


@given(notations(irrep_names) | notations(st.just("regular")))
def test_round_trip(text):
    field_type = SPHERE.fields(text)
    assert SPHERE.fields(str(field_type)) == field_type
    assert eval(repr(field_type), {"Sphere": Sphere}) == field_type
    assert len(field_type.blocks) == text.count("+") + 1
    assert field_type.channels == sum(
        mul if rho.is_regular else mul * rho.dim for mul, rho in field_type.blocks
    )


@given(st.text("0123456789x+ regulavot-.", max_size=12))
def test_any_string_parses_or_is_refused(text):
    """And nothing else happens."""
    try:
        assert all(mul >= 0 for mul, _ in parse_blocks(text, so2()))
    except ValueError as error:
        assert "expected" in str(error) and "at position" in str(error)


def test_order_and_multiplicity_are_kept():
    field_type = SPHERE.fields("2x1 + 1x0 + 3x1")
    assert [(mul, rho.name) for mul, rho in field_type.blocks] == [(2, "1"), (1, "0"), (3, "1")]
    assert str(field_type) == "2x1 + 1x0 + 3x1"
    assert str(SPHERE.fields("2xregular")) == "2x regular"


def test_strings_and_lists_say_the_same():
    assert SPHERE.fields("2x1 + 1x trivial") == SPHERE.fields(
        [(2, irrep(so2(), 1)), (1, trivial(so2()))]
    )
    assert SPHERE.fields("4x regular") == FieldType(SPHERE, ((4, regular(so2())),))


@pytest.mark.parametrize(
    ("text", "term", "position"),
    [
        ("", "", 0),
        ("2y0", "2y0", 0),
        ("2x", "2x", 0),
        ("x0", "x0", 0),
        ("-1x0", "-1x0", 0),
        ("1.5x0", "1.5x0", 0),
        ("2x0,1x1", "2x0,1x1", 0),
        ("2x0 +", "", 5),
        ("2x0 + + 1x1", " ", 5),
        ("2x0 + regular", " regular", 5),
        ("2x0 + 3xA1", "A1", 5),
        ("2x0 + 3x1e", "1e", 5),
    ],
)
def test_strings_that_do_not_parse(text, term, position):
    with pytest.raises(ValueError, match="^fields: ") as caught:
        SPHERE.fields(text)
    assert f"got {term!r} at position {position} of {text!r}" in str(caught.value)


def test_bad_blocks():
    with pytest.raises(ValueError, match="^blocks: expected at least one"):
        SPHERE.fields([])
    for mul in (0, -2, 1.5, "2"):
        with pytest.raises(ValueError, match=f"^multiplicity: .* >= 1, got {mul!r}"):
            SPHERE.fields([(mul, trivial(so2()))])
    with pytest.raises(ValueError, match=r"^multiplicity: expected .* got 0"):
        SPHERE.fields("0x1")
    with pytest.raises(TypeError, match="^representation: expected a Representation, got str"):
        SPHERE.fields([(2, "trivial")])
    with pytest.raises(ValueError, match=r"^representation: .* of SO\(2\), got 1 of SO\(3\)"):
        SPHERE.fields([(2, irrep(so3(), 1))])
    for mixed in ("1x0 + 1x regular", "1x regular + 2x1"):
        with pytest.raises(ValueError, match="^blocks: .*either regular throughout"):
            SPHERE.fields(mixed)


def test_a_sum_of_irreps_is_written_out():
    """A block of a reducible representation would have no string, and blocks are sums already."""
    pair = Representation(so2(), "pair", (Irrep(so2(), 0), Irrep(so2(), 1)))
    with pytest.raises(ValueError, match="pair"):
        SPHERE.fields([(1, pair)])


def test_a_value():
    one, same = SPHERE.fields("2x0 + 1x2"), Sphere(5).fields("2x trivial + 1x 2")
    assert one == same and hash(one) == hash(same)
    again = pickle.loads(pickle.dumps(one))
    assert again == one and hash(again) == hash(one)
    for text in ("1x2 + 2x0", "1x0 + 1x0 + 1x2", "2x0 + 1x1", "3x0"):
        assert SPHERE.fields(text) != one
    assert Sphere(4).fields("2x0 + 1x2") != one
    assert len({one, same, SPHERE.fields("1x0")}) == 2
    with pytest.raises(AttributeError):
        one.blocks = ()


def test_shapes():
    assert SPHERE.fields("2x0 + 1x1 + 3x2").shape(7) == (7, 2 + 2 + 6, 10, 10)
    assert SPHERE.fields("2x regular + 1x regular").shape(0) == (0, 3, 10, 10, 10)
    assert SPHERE.fields("2x regular").is_regular and not SPHERE.fields("2x1").is_regular


def test_check():
    field_type = SPHERE.fields("2x0 + 1x1")
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        for batch in (0, 1, 3):
            field_type.check(torch.zeros(batch, 4, 10, 10, dtype=dtype))
    for shape in ((2, 3, 10, 10), (2, 4, 10, 9), (2, 4, 12, 12), (4, 10, 10), (2, 4, 10, 10, 10)):
        with pytest.raises(ValueError, match="^field: expected ") as caught:
            field_type.check(torch.zeros(shape), "field")
        message = str(caught.value)
        assert "(batch, channel, beta, alpha) = (batch, 4, 10, 10)" in message
        assert message.endswith(f"got {shape}") and repr(field_type) in message
    for dtype in (torch.complex64, torch.int32, torch.bool):
        with pytest.raises(TypeError, match=f"^x: expected a real floating tensor, got {dtype}"):
            field_type.check(torch.zeros(2, 4, 10, 10, dtype=dtype))


@dataclass(frozen=True)
class Ring:
    """Another space, as a user might write one."""

    size: int = 8

    @property
    def fibre_group(self):
        return so2()

    def axes(self, blocks):
        return {"angle": self.size}


def test_any_space_will_do():
    field_type = FieldType(Ring(), ((3, irrep(so2(), 1)),))
    assert field_type.shape(2) == (2, 6, 8)
    assert field_type != SPHERE.fields("3x1")
    with pytest.raises(ValueError, match=r"\(batch, channel, angle\) = \(batch, 6, 8\)"):
        field_type.check(torch.zeros(2, 6, 9))
