"""Character tables as data and as text; their numbers are compared with books elsewhere."""

import copy

import pytest
import torch

from equinet.group import (
    conjugacy_classes,
    cyclic,
    dihedral,
    icosahedral,
    o3,
    octahedral,
    point_group,
    symmetric,
    tetrahedral,
)
from equinet.rep import character_table, irreps
from tests.rep.families import FINITE, quaternion_group
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_rows_and_columns(group):
    """Characters of every member of a class; sizes sum to the order; rows are orthogonal."""
    table = character_table(group)
    assert table.irreps == irreps(group) and table.classes == conjugacy_classes(group)
    assert table.values.shape == (len(table.irreps), len(table.classes))
    for psi, row in zip(table.irreps, table.values, strict=True):
        chi = psi.character(group.elements)
        for members, value in zip(table.classes, row, strict=True):
            assert_close(chi[list(members)], value.expand(len(members)), SYMMETRY)
    assert int(table.sizes.sum()) == group.order
    gram = (table.values * table.sizes) @ table.values.mT / group.order
    ends = torch.diag(torch.tensor([float(psi.ends) for psi in table.irreps]))
    assert_close(gram, ends, SYMMETRY)
    assert len(set(table.labels)) == len(table.labels) == len(table.classes)
    assert table.labels[0] == "E"


def test_integers_are_integers():
    """No 0.9999999999999998 in the tables of groups with rational characters."""
    for group in (octahedral(), point_group("D6h"), symmetric(4), quaternion_group()):
        values = character_table(group).values
        assert torch.equal(values, values.round())


def test_as_text():
    assert str(character_table(point_group("C3v"))).splitlines() == [
        "C3v  E  2C3  3s",
        " A1  1    1   1",
        " A2  1    1  -1",
        "  E  2   -1   0",
    ]
    assert str(character_table(octahedral())).splitlines() == [
        " O  E  6C4  3C2  8C3  6C2",
        "A1  1    1    1    1    1",
        "A2  1   -1    1    1   -1",
        " E  2    0    2   -1    0",
        "T1  3    1   -1    0   -1",
        "T2  3   -1   -1    0    1",
    ]
    golden = character_table(icosahedral())
    assert {"1.618", "-0.618"} <= set(str(golden).split())
    assert "-0" not in str(character_table(dihedral(8))).split()
    widths = {len(line) for line in str(character_table(point_group("Ih"))).splitlines()}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("T", {"E", "3C2", "4C3", "4C3'"}),
        ("Th", {"E", "3C2", "4C3", "4C3'", "i", "3s", "4S6", "4S6'"}),
        ("Td", {"E", "3C2", "8C3", "6S4", "6s"}),
        ("D3h", {"E", "2C3", "3C2", "s", "2S3", "3s"}),
        ("D5", {"E", "2C5", "2C5^2", "5C2"}),
        ("Ih", {"E", "12C5", "12C5^2", "20C3", "15C2", "i", "12S10", "12S10^3", "20S6", "15s"}),
        ("S4", {"E", "C2", "S4", "S4'"}),
        ("Ci", {"E", "i"}),
    ],
)
def test_labels_of_operations(name, labels):
    """Schoenflies symbols, as in the head of a published table."""
    assert set(character_table(point_group(name)).labels) == labels


def test_labels_in_other_dimensions():
    assert character_table(cyclic(4)).labels == ("E", "g4", "g2", "g4'")
    assert set(character_table(symmetric(4)).labels) == {"E", "6g2", "3g2", "8g3", "6g4"}


def test_values():
    table = character_table(tetrahedral())
    table.values.zero_()
    assert character_table(tetrahedral()).values[0, 0] == 1
    assert torch.equal(copy.deepcopy(table).values, table.values)
    with pytest.raises(AttributeError):
        table.values = None
    with pytest.raises(TypeError, match=r"^group: expected a finite group, got O\(3\)"):
        character_table(o3())


def test_tables_can_be_compared():
    assert character_table(octahedral()) == character_table(octahedral())
    assert character_table(octahedral()) != character_table(tetrahedral())


def test_ambivalent_classes():
    """Real characters do not tell g from g^-1."""
    table = character_table(tetrahedral())
    a, b = (i for i, label in enumerate(table.labels) if "C3" in label)
    assert_close(table.values[:, a], table.values[:, b], ROUNDING)
