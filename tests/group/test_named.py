"""Groups by name on the line, in the plane and in space."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    Group,
    axial,
    cyclic,
    dihedral,
    inversion,
    named_group,
    o2,
    o3,
    point_group,
    so2,
    so3,
    trivial_group,
)

KNOWN: list[tuple[str, int, Group]] = [
    ("trivial", 1, trivial_group(1)),
    ("C1", 1, trivial_group(1)),
    ("O(1)", 1, inversion(1)),
    ("O1", 1, inversion(1)),
    ("trivial", 2, trivial_group(2)),
    ("C1", 2, trivial_group(2)),
    ("SO(2)", 2, so2()),
    ("SO2", 2, so2()),
    ("O(2)", 2, o2()),
    ("C_8", 2, cyclic(8)),
    ("D1", 2, dihedral(1)),
    ("trivial", 3, trivial_group(3)),
    ("1", 3, trivial_group(3)),
    ("SO(3)", 3, so3()),
    ("O3", 3, o3()),
    ("C8", 3, point_group("C8")),
    ("D3", 3, point_group("32")),
    ("m-3m", 3, point_group("Oh")),
    ("D_inf_h", 3, axial("Dinfh")),
    ("I", 3, point_group("I")),
]


@pytest.mark.parametrize(("name", "n", "group"), KNOWN, ids=str)
def test_names(name, n, group):
    assert named_group(name, n) == group and named_group(name, n).n == n


@given(n=st.integers(1, 99))
def test_planar_names_of_any_order(n):
    assert named_group(f"C{n}", 2) == cyclic(n) and named_group(f"D{n}", 2) == dihedral(n)


@pytest.mark.parametrize("group", [group for _, _, group in KNOWN], ids=str)
def test_the_name_of_a_group_names_it(group):
    assert named_group(group.name, group.n) == group


@pytest.mark.parametrize(
    ("wrong", "n", "near"),
    [
        ("O(2)", 1, "O(1)"),
        ("C2", 1, None),
        ("SO(3)", 2, "SO(2)"),
        ("C4", 1, "trivial, O(1)"),
        ("C0", 2, "C8"),
        ("C-4", 2, "C4"),
        ("C4v", 2, "C4"),
        ("d4", 2, "D4"),
        ("SO(2)", 3, "SO(3)"),
        ("m-3n", 3, "m-3m"),
        ("octahedral", 3, None),
        ("D1", 3, "D6"),
        ("", 3, None),
    ],
)
def test_unknown_names(wrong, n, near):
    with pytest.raises(ValueError) as caught:
        named_group(wrong, n)
    message = str(caught.value)
    assert message.startswith(f"group: expected the name of a group, got {wrong!r}")
    if near:
        where = {1: "on the line", 2: "in the plane", 3: "in space"}[n]
        assert re.search(f"; the nearest {where} are .*{re.escape(near)}", message)


@pytest.mark.parametrize("n", [0, 4, -1, "3", None])
def test_other_dimensions(n):
    with pytest.raises(ValueError, match="^n: expected an integer from 1 to 3, got "):
        named_group("C3", n)


@pytest.mark.parametrize("wrong", [3, None, so3(), torch.eye(3)])
def test_names_that_are_no_strings(wrong):
    with pytest.raises(TypeError, match="^group: expected a Group or its name, got "):
        named_group(wrong, 3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_names_are_read_whole_and_in_ascii(n):
    """A name with something before, behind or in it, or with digits of another script, is none."""
    digits = str.maketrans(
        "0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"
    )
    for name in (
        "C3",
        "D4",
        "O(1)",
        "O(2)",
        "SO(2)",
        "O(3)",
        "SO(3)",
        "C4v",
        "D6d",
        "S8",
        "Td",
        "-42m",
        "432",
    ):
        wrong = [
            name + "\n",
            f" {name}",
            f"{name})",
            f"({name}",
            f"{name}_",
            f"_{name}",
            name + "0" * 30,
        ]
        wrong += [
            name.translate(digits),
            name.replace("4", "04"),
            name.replace(")", ""),
        ]
        for text in {*wrong} - {name, "23"}:
            with pytest.raises(ValueError, match="^(group|name|n): expected"):
                named_group(text, n)
    for text in ("C9999999", "D" + "9" * 5000):
        with pytest.raises(ValueError, match="^(group|name|n): expected"):
            named_group(text, n)
