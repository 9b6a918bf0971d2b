"""Field types: the string notation, values, shapes, checks."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet import FieldType, Sphere, so2, so3
from equinet.field import Plane, Point, Volume
from equinet.field.notation import parse_blocks
from equinet.rep import Irrep, Representation, irrep, named, regular, trivial
from tests.tolerances import ROUNDING, assert_close

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
        mul if rho.is_sampled else mul * rho.dim for mul, rho in field_type.blocks
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
    ],
)
def test_strings_that_do_not_parse(text, term, position):
    with pytest.raises(ValueError, match="^fields: ") as caught:
        SPHERE.fields(text)
    assert f"got {term!r} at position {position} of {text!r}" in str(caught.value)


def test_bad_blocks():
    with pytest.raises(ValueError, match="^blocks: expected at least one"):
        SPHERE.fields([])
    for mul in (0, -2, 1.5, "2", True):
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


@pytest.mark.parametrize("name", ["A1", "1e", "quotient(C4,)"])
def test_names_of_no_representation(name):
    """The reason, and where."""
    text = f"2x0 + 3x{name}"
    with pytest.raises(ValueError) as caught:
        SPHERE.fields(text)
    assert str(caught.value).startswith(f"fields: at position 5 of {text!r}: ")
    with pytest.raises(ValueError) as reason:
        named(so2(), name)
    assert str(caught.value).endswith(str(reason.value))


@pytest.mark.parametrize("blocks", [5, None, trivial(so2()), 2.5])
def test_neither_a_string_nor_a_list(blocks):
    with pytest.raises(TypeError, match="^blocks: expected a string such as .* or a list of pairs"):
        SPHERE.fields(blocks)


@pytest.mark.parametrize("entry", [5, (2,), (2, trivial(so2()), 1), "2x0", None, trivial(so2())])
def test_malformed_pairs(entry):
    with pytest.raises(ValueError, match="^blocks: expected pairs .* at index 1$") as caught:
        SPHERE.fields([(1, trivial(so2())), entry])
    assert f"got {entry!r}" in str(caught.value)


def test_blocks_become_tuples():
    """A list inside would not hash."""
    field_type = FieldType(SPHERE, [[2, trivial(so2())]])
    assert field_type == SPHERE.fields("2x0") and hash(field_type) == hash(SPHERE.fields("2x0"))


def test_a_sum_of_irreps_is_written_out():
    """A block of a reducible representation would have no string, and blocks are sums already."""
    pair = Representation(so2(), "pair", (Irrep(so2(), "0"), Irrep(so2(), "1")))
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
    assert SPHERE.fields("2x regular").is_sampled and not SPHERE.fields("2x1").is_sampled


def test_open_sizes_are_asked_for():
    plane = Plane(so2()).fields("2x0 + 1x1")
    assert plane.shape(3, 5, 7) == (3, 4, 5, 7)
    assert Volume(so3()).fields("1x2").shape(1, 2, 3, 4) == (1, 5, 2, 3, 4)
    assert Point(so3()).fields("1x2").shape(6) == (6, 5)
    for sizes in ((), (5,), (5, 6, 7)):
        with pytest.raises(ValueError, match=r"^sizes: .*one for each axis \(y, x\), got \("):
            plane.shape(3, *sizes)
    with pytest.raises(ValueError, match="^sizes: .* expected none, got"):
        SPHERE.fields("2x0").shape(3, 10, 10)


def test_check_leaves_open_sizes_open():
    plane = Plane(so2()).fields("2x0 + 1x1")
    for sizes in ((5, 7), (1, 1), (0, 3)):
        plane.check(torch.zeros(2, 4, *sizes))
    for shape in ((2, 3, 5, 7), (2, 4, 5), (2, 4, 5, 7, 1)):
        with pytest.raises(ValueError, match=r"\(batch, channel, y, x\) = \(batch, 4, any, any\)"):
            plane.check(torch.zeros(shape))


def test_sum():
    plane = Plane(so2())
    assert plane.fields("2x0 + 1x1") + plane.fields("1x1") == plane.fields("2x0 + 1x1 + 1x1")
    with pytest.raises(ValueError, match=r"^\+: expected fields over the same space, got "):
        plane.fields("1x0") + Plane(so2(), spacing=2.0).fields("1x0")
    with pytest.raises(TypeError, match="unsupported operand"):
        plane.fields("1x0") + "1x0"
    with pytest.raises(ValueError, match="^blocks: .*either regular throughout"):
        SPHERE.fields("1x0") + SPHERE.fields("1x regular")


def test_slices():
    field_type = Point(so3()).fields("2x1 + 3x0 + 1x2")
    assert field_type.slices == (slice(0, 6), slice(6, 9), slice(9, 14))
    assert SPHERE.fields("2x regular + 1x regular").slices == (slice(0, 2), slice(2, 3))


def test_rho(generator):
    """Multiplicity-major: every copy has a block of its own, side by side."""
    field_type = Point(so3()).fields("2x1 + 3x0 + 1x2")
    g, h = so3().sample(2, generator=generator)
    psi = [irrep(so3(), l)(g) for l in range(3)]
    expected = torch.block_diag(psi[1], psi[1], psi[0], psi[0], psi[0], psi[2])
    assert_close(field_type.rho(g), expected, 0)
    assert_close(field_type.rho(g @ h), field_type.rho(g) @ field_type.rho(h), ROUNDING)
    stack = torch.stack([g, h])
    assert_close(field_type.rho(stack), torch.stack([field_type.rho(k) for k in (g, h)]), ROUNDING)
    assert field_type.rho(stack[:, None].float()).shape == (2, 1, 14, 14)
    assert field_type.rho(stack.float()).dtype == torch.float32
    with pytest.raises(ValueError, match="no finite dimension"):
        SPHERE.fields("1x regular").rho(torch.eye(2))


def test_rho_carries_gradients(generator):
    field_type = Plane(so2()).fields("2x1 + 1x0 + 1x3")
    angle = torch.rand(2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: field_type.rho(so2().element(a)), angle)


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
        assert f"got {shape}" in message and repr(field_type) in message
        assert message.endswith("a single sample is field[None]") == (len(shape) == 3)
        assert message.endswith("#your-grid-in-ten-lines") == (shape[:2] == (2, 4))
    for dtype in (torch.complex64, torch.int32, torch.bool):
        with pytest.raises(TypeError, match=f"^x: expected a real floating tensor, got {dtype}"):
            field_type.check(torch.zeros(2, 4, 10, 10, dtype=dtype))


def test_sizes_are_counts():
    fields = Plane("C4").fields("2x trivial")
    assert fields.shape(0, 3, 0) == (0, 2, 3, 0)
    for bad in ((-1, 3, 3), (2, 3, -3)):
        with pytest.raises(ValueError, match="^(batch|sizes): expected integers >= 0, got -"):
            fields.shape(*bad)
    for bad in ((2.0, 3, 3), (True, 3, 3), (1, 3.0, 3), (1, "3", 3), (None, 3, 3)):
        with pytest.raises(TypeError, match="^(batch|sizes): expected integers >= 0, got "):
            fields.shape(*bad)


def test_what_is_no_feature_map_is_named():
    fields = Plane("C4").fields("2x trivial + 1x vector")
    x = torch.ones(2, 4, 3, 3)
    fields.check(torch.nn.Parameter(x))
    fields.check(x.to("meta"))
    for bad in (None, [1.0], x.numpy(), x.to_sparse(), x.to(torch.complex64), x.long()):
        with pytest.raises(TypeError, match="^x: expected a .* tensor, got "):
            fields.check(bad)
    for bad in (None, [1.0], x.numpy()):
        with pytest.raises(TypeError, match="^x: expected a tensor, got "):
            fields.split(bad)
    for bad in (x[:, :3], x[0, 0, 0]):
        with pytest.raises(ValueError, match=r"^x: expected \(batch, 4, \.\.\.\) for .*, got \("):
            fields.split(bad)
    with pytest.raises(TypeError, match="^g: expected a tensor of elements, got list"):
        fields.rho([[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="^g: expected elements of C4"):
        fields.rho(2 * torch.eye(2))
    for bad in (3, None, fields.blocks):
        with pytest.raises(TypeError, match="unsupported operand"):
            fields + bad
    with pytest.raises(TypeError, match="^space: expected one such as Plane.*, got 'C4'"):
        FieldType.over("C4", "1x trivial")
    with pytest.raises(TypeError, match=r"^blocks: expected pairs .*, got 3"):
        FieldType(Plane("C4"), 3)


def test_the_old_name_still_works():
    functions = SPHERE.fields("2x regular")
    for value in (functions, functions.blocks[0][1]):
        with pytest.warns(DeprecationWarning, match="^is_regular: deprecated, use is_sampled"):
            assert value.is_regular is value.is_sampled is True
