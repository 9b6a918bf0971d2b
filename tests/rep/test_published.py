"""Irreps, restrictions and products against the published tables of ``tests/golden``.

The tables are typed in from books and know nothing of the library: names, characters at named
operations, types, functions, correlation tables and products must come out as they stand there.
"""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from equinet.group import o3, point_group, so3, symmetric
from equinet.numerics import random_rotations
from equinet.rep import Irrep, irrep, irreps, restrict, tensor_product, vector
from tests.golden.character_tables import (
    CORRELATION_TABLES,
    CRYSTAL_TABLES,
    PRODUCT_TABLES,
    ROTATION_TABLES,
    SYMMETRIC_TABLES,
    TABLES,
    Table,
    axial_table,
)
from tests.over import over
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
EVERY = sorted(TABLES)


def character(psi, g):
    return psi(g).diagonal(dim1=-2, dim2=-1).sum(-1)


def operations(table: Table) -> torch.Tensor:
    return torch.tensor(np.stack([op.matrix for op in table.operations]), dtype=F64)


def differences(table: Table, found) -> list[str]:
    """The names of the irreps that are not as published."""
    g = operations(table)
    by_name = {psi.name: psi for psi in found}
    wrong = sorted(set(by_name) ^ {row.name for row in table.rows})
    for row in table.rows:
        if row.name in by_name:
            psi = by_name[row.name]
            expected = torch.tensor(row.characters, dtype=F64)
            close = (character(psi, g) - expected).abs().max() < SYMMETRY
            if not close or psi.kind != row.kind or psi.dim != row.characters[0]:
                wrong.append(row.name)
    return sorted(wrong)


def identified(table: Table, found, frame) -> Counter[str]:
    """Counted names in the table of irreps of a turned group, told by their characters."""
    frame = torch.tensor(frame, dtype=F64)
    g = frame @ operations(table) @ frame.mT
    counted = Counter()
    for psi in found:
        values = character(psi, g)
        names = [
            row.name
            for row in table.rows
            if (values - torch.tensor(row.characters, dtype=F64)).abs().max() < SYMMETRY
        ]
        assert len(names) == 1, (table.name, psi, values)
        counted[names[0]] += 1
    return counted


# ------------------------------------------------------------------ point groups


@over("name", EVERY)
def test_names_characters_and_types_of_the_irreps(name):
    table, group = TABLES[name], point_group(name)
    assert group.order == table.order
    found = irreps(group)
    assert len(found) == len(table.rows)
    assert differences(table, found) == []


def test_a_table_with_two_names_exchanged_is_noticed():
    table = TABLES["D4"]
    exchange = {"B1": "B2", "B2": "B1"}
    rows = tuple(replace(row, name=exchange.get(row.name, row.name)) for row in table.rows)
    assert differences(replace(table, rows=rows), irreps(point_group("D4"))) == ["B1", "B2"]
    real = tuple(replace(row, kind="real") for row in TABLES["T"].rows)
    assert differences(replace(TABLES["T"], rows=real), irreps(point_group("T"))) == ["E"]


@over("name", sorted(CRYSTAL_TABLES))
def test_hermann_mauguin_names(name):
    group = point_group(CRYSTAL_TABLES[name].hermann_mauguin)
    assert group == point_group(name)
    assert differences(TABLES[name], irreps(group)) == []


@pytest.mark.parametrize(("name", "standard"), [("-6m2", "-62m"), ("T_d", "Td"), ("S_8", "S8")])
def test_other_spellings(name, standard):
    """-6m2 is the other setting of -62m: the same group, turned about z."""
    found, other = point_group(name), point_group(standard)
    assert found.order == other.order
    assert {psi.name for psi in irreps(found)} == {psi.name for psi in irreps(other)}


@over("name", EVERY)
def test_names_do_not_depend_on_the_orientation(name, generator):
    """But for the subscripts of B, which say which of two like axes or planes is the first."""
    table, frame = TABLES[name], random_rotations(1, generator=generator)[0]
    g = frame @ operations(table) @ frame.mT
    found = [(psi.name, character(psi, g)) for psi in irreps(point_group(name).conjugate(frame))]
    published = [(row.name, torch.tensor(row.characters, dtype=F64)) for row in table.rows]
    assert {name for name, _ in found} == {name for name, _ in published}
    for label, values in published:
        same = [
            x for other, x in found if re.sub(r"^B\d", "B", other) == re.sub(r"^B\d", "B", label)
        ]
        assert any((x - values).abs().max() < SYMMETRY for x in same), label


@over("name", EVERY)
def test_vectors_and_rank_two_tensors_split_as_the_functions_do(name):
    """x, y, z; and the nine products, which are the six quadratic functions and Rx, Ry, Rz."""
    group = point_group(name)
    linear, products = Counter(), Counter()
    for row in TABLES[name].rows:
        for functions in row.functions:
            kind = linear if functions[0] in ("x", "y", "z") else products
            kind[row.name] += 1
    v = vector(group)
    assert Counter(psi.name for psi in v.irreps) == linear
    assert Counter(psi.name for psi in tensor_product(v, v).irreps) == products


@pytest.mark.parametrize("name", ["Cinfv", "Dinfh"])
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.7, torch.pi])
def test_axial_continuous_groups(name, angle):
    table = axial_table(name, angle)
    found = irreps(point_group(name), 3)
    values = torch.stack([character(psi, operations(table)) for psi in found])
    expected = torch.tensor([row.characters for row in table.rows], dtype=F64)
    if 0 < angle < torch.pi:  # else some irreps agree at these few operations
        near = (values[:, None] - expected).abs().amax(-1) < SYMMETRY
        assert len(found) == len(table.rows)
        assert (near.sum(0) == 1).all()
        assert (near.sum(1) == 1).all()
    by_name = {psi.name: value for psi, value in zip(found, values, strict=True)}
    for row, value in zip(table.rows, expected, strict=True):
        assert_close(by_name[row.name], value, SYMMETRY)


# ------------------------------------------------------------------ correlations and products


@over("correlation", CORRELATION_TABLES)
def test_restrictions(correlation):
    group, table = point_group(correlation.group), TABLES[correlation.subgroup]
    subgroup = point_group(correlation.subgroup)
    standard = np.array_equal(correlation.frame, np.eye(3))
    if not standard:
        subgroup = subgroup.conjugate(torch.tensor(correlation.frame, dtype=F64))
    for name, expected in correlation.table.items():
        found = restrict(irrep(group, name), subgroup).irreps
        assert identified(table, found, correlation.frame) == expected, name
        if standard:
            assert Counter(psi.name for psi in found) == expected, name


@over("correlation", ROTATION_TABLES)
def test_restrictions_of_rotations(correlation):
    group = so3() if correlation.group == "SO(3)" else o3()
    subgroup = point_group(correlation.subgroup)
    for name, expected in correlation.table.items():
        found = restrict(irrep(group, name), subgroup).irreps
        assert Counter(psi.name for psi in found) == expected, name


@over("name", sorted(PRODUCT_TABLES))
def test_products(name):
    group = point_group(name)
    for (first, second), expected in PRODUCT_TABLES[name].items():
        for pair in ((first, second), (second, first)):
            found = tensor_product(*(irrep(group, factor) for factor in pair)).irreps
            assert Counter(psi.name for psi in found) == expected, pair


# ------------------------------------------------------------------ symmetric groups


def permutation_of(kind: str) -> torch.Tensor:
    """The matrix of a permutation with the cycle type "[2,1]"."""
    image, start = [], 0
    for length in map(int, kind.strip("[]").split(",")):
        image += [start + (k + 1) % length for k in range(length)]
        start += length
    return torch.eye(len(image), dtype=F64)[:, image]


@pytest.mark.parametrize("n", sorted(SYMMETRIC_TABLES))
def test_symmetric_groups(n):
    sizes, rows = SYMMETRIC_TABLES[n]
    g = torch.stack([permutation_of(kind) for kind in sizes])
    found = {name: Irrep(symmetric(n), name) for name in rows}
    assert set(found.values()) == set(irreps(symmetric(n)))
    for name, expected in rows.items():
        assert found[name].kind == "real"
        assert_close(character(found[name], g), torch.tensor(expected, dtype=F64), SYMMETRY)


def test_permutation_matrices_split_into_the_trivial_and_the_standard_irrep():
    for n in SYMMETRIC_TABLES:
        expected = [Irrep(symmetric(n), name) for name in (f"[{n}]", f"[{n - 1},1]")]
        assert Counter(vector(symmetric(n)).irreps) == Counter(expected)
