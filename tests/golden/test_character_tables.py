"""The published tables against themselves, by brute force on 3 x 3 matrices; no library code."""

from collections import Counter
from dataclasses import replace
from functools import cache
from math import factorial

import numpy as np

from tests.golden.character_tables import (
    CORRELATION_TABLES,
    CRYSTAL_TABLES,
    PRODUCT_TABLES,
    ROTATION_TABLES,
    SYMMETRIC_TABLES,
    TABLES,
    Correlation,
    Row,
    Table,
    axial_table,
)
from tests.over import over
from tests.tolerances import ROUNDING

ANGLES = 2 * np.pi * np.arange(16) / 16  # integrates characters up to frequency 15 exactly
EVERY = sorted(TABLES)


# ------------------------------------------------------------------ groups by brute force


def positions(elements: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each matrix of ``wanted`` stands in ``elements``; trace(a^T b) = 3 only if a = b."""
    overlap = wanted.reshape(-1, 9) @ elements.reshape(-1, 9).T
    assert np.allclose(overlap.max(1), 3, rtol=0, atol=1e-9), "not an element"
    return overlap.argmax(1).reshape(wanted.shape[:-2])


def closure(generators: list[np.ndarray], bound: int = 200) -> np.ndarray:
    """All products of the generators."""
    elements = [np.eye(3)]
    for g in elements:  # the list grows while it is read
        for h in generators:
            if (np.abs(np.stack(elements) - g @ h).max((1, 2)) > 1e-9).all():
                elements.append(g @ h)
        assert len(elements) <= bound
    return np.stack(elements)


@cache
def group(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The elements of a group, and for each the number of the operation in whose class it is."""
    operations = TABLES[name].operations
    elements = closure([op.matrix for op in operations])
    kind = np.full(len(elements), -1)
    for number, op in enumerate(operations):
        conjugates = positions(elements, elements @ op.matrix @ elements.mT)
        inverses = positions(elements, elements @ op.matrix.T @ elements.mT)
        hit = np.union1d(conjugates, inverses)
        assert (kind[hit] == -1).all(), f"{name}: {op.symbol} stands twice"
        assert len(hit) == op.size, f"{name}: class of {op.symbol} has {len(hit)} elements"
        kind[hit] = number
    assert (kind >= 0).all(), f"{name}: a class is missing"
    return elements, kind


def on_group(name: str, row: Row) -> np.ndarray:
    """The character of a row at every element."""
    return np.array(row.characters)[group(name)[1]]


def split(name: str, character: np.ndarray) -> Counter[str]:
    """The multiplicities of the irreps of a group in a character at every element."""
    counted = Counter()
    for row in TABLES[name].rows:
        psi = on_group(name, row)
        multiplicity = float((psi @ character) / (psi @ psi))
        assert abs(multiplicity - round(multiplicity)) < ROUNDING
        counted[row.name] = round(multiplicity)
    return +counted


def is_orthogonal(table: Table) -> bool:
    """Rows: sum over g of psi(g) phi(g) = |G| times 1 (real type) or 2 (complex type), or 0."""
    chi = np.array([row.characters for row in table.rows])
    sizes = np.array([op.size for op in table.operations])
    norms = np.diag([2.0 if row.kind == "complex" else 1.0 for row in table.rows])
    return np.allclose(chi * sizes @ chi.T, table.order * norms, rtol=0, atol=1e-10)


# ------------------------------------------------------------------ the character tables


def test_every_crystallographic_group_is_there():
    assert len(CRYSTAL_TABLES) == 32
    assert len({table.hermann_mauguin for table in CRYSTAL_TABLES.values()}) == 32


@over("name", EVERY)
def test_operations_generate_the_group_and_hit_every_class_once(name):
    table = TABLES[name]
    elements, kind = group(name)
    assert len(elements) == table.order == sum(op.size for op in table.operations)
    assert len(table.rows) == len(table.operations)
    assert all(len(row.characters) == len(table.operations) for row in table.rows)


@over("name", EVERY)
def test_rows_and_columns_are_orthogonal(name):
    table = TABLES[name]
    assert is_orthogonal(table)
    chi = np.array([row.characters for row in table.rows])
    norm = np.array([2.0 if row.kind == "complex" else 1.0 for row in table.rows])
    sizes = np.array([op.size for op in table.operations])
    gram = chi.T / norm @ chi  # columns: |G| / size on the diagonal, 0 elsewhere
    np.testing.assert_allclose(gram, np.diag(table.order / sizes), rtol=0, atol=1e-10)
    assert (chi[:, 0] ** 2 / norm).sum() == table.order


def test_orthogonality_fails_for_a_misprint():
    table = TABLES["Td"]
    misprint = replace(table.rows[3], characters=(3, 0, -1, 1, 1))
    assert not is_orthogonal(replace(table, rows=(*table.rows[:3], misprint, table.rows[4])))
    real = tuple(replace(row, kind="real") for row in TABLES["T"].rows)
    assert not is_orthogonal(replace(TABLES["T"], rows=real))


@over("name", EVERY)
def test_frobenius_schur_indicator_is_that_of_the_kind(name):
    elements, _ = group(name)
    squares = positions(elements, elements @ elements)
    for row in TABLES[name].rows:
        indicator = on_group(name, row)[squares].mean()
        assert abs(indicator - {"real": 1, "complex": 0}[row.kind]) < ROUNDING, row.name


@over("name", EVERY)
def test_mulliken_names(name):
    """The letter is the dimension; A and B, g and u, primes and 1, 2, k are signs of operations."""
    table = TABLES[name]
    symbols = [op.symbol for op in table.operations]
    assert len({row.name for row in table.rows}) == len(table.rows)
    for row in table.rows:
        value = dict(zip(symbols, row.characters, strict=True))
        letter, dim = row.name[0], row.characters[0]
        assert dim == {"A": 1, "B": 1, "E": 2, "T": 3, "G": 4, "H": 5}[letter]
        if "i" in symbols:
            assert value["i"] == (dim if "g" in row.name else -dim)
        elif "'" in row.name:
            assert value["sh"] == (-dim if "''" in row.name else dim)
        generator = principal(symbols)
        if generator and letter in "AB":
            assert value[generator] == (1 if letter == "A" else -1)
        if generator and letter == "E" and row.name[1:2].isdigit():
            angle = 2 * np.pi * int(row.name[1]) / int(generator[1:])
            assert abs(value[generator] - 2 * np.cos(angle)) < ROUNDING
        mark = next((s for s in ("C2'", "sv") if s in symbols), None)
        if mark and letter in "AB":
            assert value[mark] == (1 if row.name[1] == "1" else -1)


def principal(symbols: list[str]) -> str | None:
    """The generator about z that names A, B and E_k: the rotation or improper rotation of largest
    order, improper only where it holds all rotations about z; None for D2 and the cubic groups."""
    if "(" in "".join(symbols[1:3]):
        return None
    found = {s: int(s[1:]) for s in symbols if s[0] in "CS" and s[1:].isdigit()}
    if "i" in symbols or "sh" in symbols:  # these tell g, u and primes apart
        found = {s: n for s, n in found.items() if s[0] == "C"}
    return max(found, key=found.__getitem__, default=None)


# ------------------------------------------------------------------ functions and rotations

QUADRATIC = ("x2", "y2", "z2", "xy", "xz", "yz")


def coefficients(function: str) -> np.ndarray:
    """x, y, z, then Rx, Ry, Rz, then the quadratic monomials: a vector of 12."""
    basis = ("x", "y", "z", "Rx", "Ry", "Rz", *QUADRATIC)
    signed = function.replace("-", "+-").split("+")
    out = np.zeros(12)
    for term in filter(None, signed):
        sign, term = (-1, term[1:]) if term.startswith("-") else (1, term)
        count, term = (2, term[1:]) if term.startswith("2") else (1, term)
        out[basis.index(term)] += sign * count
    return out


def action(g: np.ndarray) -> np.ndarray:
    """How g moves those 12: (g f)(x) = f(g^-1 x), and det(g) g on rotations."""
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    out = np.zeros((12, 12))
    out[:3, :3], out[3:6, 3:6] = g, np.linalg.det(g) * g
    for column, (a, b) in enumerate(pairs):
        square = np.outer(g[:, a], g[:, b])
        square = square + square.T
        out[6:, 6 + column] = [square[i, j] / (2 if i == j else 1) for i, j in pairs]
    return out


def check_functions(row: Row, actions: np.ndarray, character: np.ndarray) -> np.ndarray:
    """Each tuple spans an invariant space with the character of its row; returns the spans."""
    spans = [np.zeros((0, 12))]
    for names in row.functions:
        span = np.stack([coefficients(name) for name in names])
        moved = actions @ span.T
        inside = np.linalg.pinv(span.T) @ moved
        np.testing.assert_allclose(span.T @ inside, moved, rtol=0, atol=1e-12, err_msg=row.name)
        trace = inside.diagonal(axis1=-2, axis2=-1).sum(-1)
        np.testing.assert_allclose(trace, character, rtol=0, atol=1e-12, err_msg=row.name)
        spans.append(span)
    return np.concatenate(spans)


@over("name", EVERY)
def test_functions_span_the_irrep_beside_which_they_stand(name):
    actions = np.stack([action(g) for g in group(name)[0]])
    rows = TABLES[name].rows
    spans = np.concatenate([check_functions(row, actions, on_group(name, row)) for row in rows])
    assert spans.shape == (12, 12)
    assert np.linalg.matrix_rank(spans) == 12


# ------------------------------------------------------------------ axial continuous groups


@over("name", ["Cinfv", "Dinfh"])
def test_axial_tables(name):
    """Haar measure: each coset of the rotations weighs the same, and t is uniform."""
    tables = [axial_table(name, angle) for angle in ANGLES]
    symbols = [op.symbol for op in tables[0].operations]
    cosets = [k for k, symbol in enumerate(symbols) if symbol not in ("E", "i")]
    chi = np.array([[row.characters for row in table.rows] for table in tables])[..., cosets]
    gram = np.einsum("tac,tbc->ab", chi, chi) / (len(ANGLES) * len(cosets))
    np.testing.assert_allclose(gram, np.eye(len(gram)), rtol=0, atol=ROUNDING)
    assert len(cosets) == {"Cinfv": 2, "Dinfh": 4}[name]

    actions = np.stack([[action(op.matrix) for op in table.operations] for table in tables])
    values = np.array([[row.characters for row in table.rows] for table in tables])
    spans = [
        check_functions(row, actions, values[:, number])
        for number, row in enumerate(tables[0].rows)
    ]
    assert np.linalg.matrix_rank(np.concatenate(spans)) == 12


@over("name", ["Cinfv", "Dinfh"])
def test_axial_tables_are_class_functions_of_the_matrices(name):
    """E is C(0), i is S(pi), and at t = pi/3 a row is its namesake in C6v or D6h."""
    at_zero, at_pi = axial_table(name, 0.0), axial_table(name, np.pi)
    for row, other in zip(at_zero.rows, at_pi.rows, strict=True):
        assert row.characters[0] == row.characters[1]
        if name == "Dinfh":
            assert abs(other.characters[3] - other.characters[4]) < ROUNDING
    finite = "C6v" if name == "Cinfv" else "D6h"
    table = axial_table(name, np.pi / 3)
    elements, kind = group(finite)
    found = kind[positions(elements, np.stack([op.matrix for op in table.operations]))]
    for row in table.rows:
        if row.name[:2] != "E3":  # which splits into B1 and B2
            expected = np.array(TABLES[finite].row(row.name).characters)[found]
            np.testing.assert_allclose(row.characters, expected, rtol=0, atol=ROUNDING)


# ------------------------------------------------------------------ correlations and products


def check_correlation(correlation: Correlation, characters: dict[str, np.ndarray]) -> None:
    """``characters``: those of the large group at the embedded elements of the subgroup."""
    for name, expected in correlation.table.items():
        found = split(correlation.subgroup, characters[name])
        assert found == expected, (correlation.group, correlation.subgroup, name, found)


@over("correlation", CORRELATION_TABLES)
def test_correlations(correlation):
    large, frame = correlation.group, correlation.frame
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), rtol=0, atol=ROUNDING)
    embedded = positions(group(large)[0], frame @ group(correlation.subgroup)[0] @ frame.T)
    rows = TABLES[large].rows
    assert set(correlation.table) == {row.name for row in rows}
    check_correlation(correlation, {row.name: on_group(large, row)[embedded] for row in rows})


@over("correlation", ROTATION_TABLES)
def test_rotation_correlations(correlation):
    """chi_l = 1 + 2 sum_k cos(k angle), times the parity where det = -1."""
    elements = group(correlation.subgroup)[0]
    sign = np.sign(np.linalg.det(elements))
    trace = sign * elements.trace(axis1=-2, axis2=-1)
    angle = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    characters = {}
    for name in correlation.table:
        l = int(name.rstrip("eo"))
        chi = 1 + 2 * np.cos(np.arange(1, l + 1)[:, None] * angle).sum(0)
        characters[name] = chi * (sign if name.endswith("o") else 1)
        assert correlation.group == "O(3)" or (sign == 1).all()
    check_correlation(correlation, characters)


@over("name", sorted(PRODUCT_TABLES))
def test_products(name):
    rows = {row.name: on_group(name, row) for row in TABLES[name].rows}
    for (first, second), expected in PRODUCT_TABLES[name].items():
        assert split(name, rows[first] * rows[second]) == expected, (first, second)
    others = len(rows) - 1  # all but the trivial one
    assert len(PRODUCT_TABLES[name]) == others * (others + 1) // 2


# ------------------------------------------------------------------ symmetric groups


def parts(name: str) -> list[int]:
    return [int(part) for part in name.strip("[]").split(",")]


@over("n", sorted(SYMMETRIC_TABLES))
def test_symmetric_tables(n):
    sizes, rows = SYMMETRIC_TABLES[n]
    chi, size = np.array(list(rows.values())), np.array(list(sizes.values()))
    np.testing.assert_array_equal(chi * size @ chi.T, factorial(n) * np.eye(len(rows)))
    np.testing.assert_array_equal(chi.T @ chi, np.diag(factorial(n) // size))
    assert set(rows) == set(sizes)
    sign = np.array([(-1) ** (n - len(parts(kind))) for kind in sizes])
    fixed = np.array([parts(kind).count(1) for kind in sizes])
    for kind, count in sizes.items():
        lengths = Counter(parts(kind))
        assert sum(parts(kind)) == n
        centraliser = np.prod([k**m * factorial(m) for k, m in lengths.items()])
        assert count == factorial(n) // centraliser
    for name, values in rows.items():
        shape = parts(name)
        conjugate = [sum(part > k for part in shape) for k in range(shape[0])]
        key = "[" + ",".join(map(str, conjugate)) + "]"
        np.testing.assert_array_equal(rows[key], sign * values)
    np.testing.assert_array_equal(rows[f"[{n}]"], 1)
    np.testing.assert_array_equal(rows[f"[{n - 1},1]"], fixed - 1)


@over("n", sorted(SYMMETRIC_TABLES))
def test_permutations_of_pairs_fix_the_shapes_of_two_rows(n):
    """Unordered pairs, n >= 4: [n] + [n-1,1] + [n-2,2]: this tells [n-2,2] from its like."""
    sizes, rows = SYMMETRIC_TABLES[n]
    fixed = np.array([parts(kind).count(1) for kind in sizes])
    swapped = np.array([parts(kind).count(2) for kind in sizes])
    pairs = fixed * (fixed - 1) // 2 + swapped
    names = [f"[{n}]", f"[{n - 1},1]", f"[{n - 2},2]"][: 3 if n >= 4 else 2]
    np.testing.assert_array_equal(pairs, sum(np.array(rows[name]) for name in names))
