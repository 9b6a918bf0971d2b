"""The finite groups of the line and of the plane; their laws are in tests/laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    conjugacy_classes,
    cyclic,
    dihedral,
    generate,
    inversion,
    is_subgroup,
    o2,
    so2,
    trivial_group,
)
from tests.tolerances import ROUNDING, assert_close

sizes = st.integers(1, 40)


@given(n=sizes)
def test_cyclic(n):
    """Element k is the rotation by 2 pi k / n, so i j is number i + j mod n."""
    group, k = cyclic(n), torch.arange(n)
    assert_close(group.elements, so2().element(2 * math.pi * k.double() / n), ROUNDING)
    assert torch.equal(group.table, (k[:, None] + k) % n)
    assert group.name == f"C{n}" and group.order == n
    assert conjugacy_classes(group) == tuple((i,) for i in range(n))


@given(n=sizes)
def test_dihedral(n):
    """Rotations k, then k after y -> -y; with s r s = r^-1 this gives the whole table."""
    group, k = dihedral(n), torch.arange(n)
    rotations = cyclic(n).elements
    assert_close(group.elements, torch.cat([rotations, rotations @ o2().mirror]), ROUNDING)
    plus, minus = (k[:, None] + k) % n, (k[:, None] - k) % n
    expected = torch.cat([torch.cat([plus, plus + n], 1), torch.cat([minus + n, minus], 1)])
    assert torch.equal(group.table, expected)
    assert group.name == f"D{n}" and group.order == 2 * n
    # n > 2: (n + 3) / 2 for odd n, n / 2 + 3 for even n; D1 and D2 are commutative.
    expected = 2 * n if n <= 2 else (n + 3) // 2 if n % 2 else n // 2 + 3
    assert len(conjugacy_classes(group)) == expected


@given(n=sizes, m=sizes)
def test_lattice(n, m):
    """C_m <= C_n and D_m <= D_n if and only if m divides n."""
    assert is_subgroup(cyclic(m), cyclic(n)) == (n % m == 0)
    assert is_subgroup(dihedral(m), dihedral(n)) == (n % m == 0)
    assert is_subgroup(cyclic(m), dihedral(n)) == (n % m == 0)
    assert not is_subgroup(dihedral(m), cyclic(n))


@given(n=sizes, a=st.integers(0, 60), b=st.integers(0, 60))
def test_two_mirrors_generate(n, a, b):
    """Mirrors at angles pi a / n and pi b / n: a dihedral group of order 2 n / gcd(a - b, n)."""
    angle = math.pi * torch.tensor([a, b], dtype=torch.float64) / n
    turn = so2().element(angle)
    group = generate(turn @ o2().mirror @ turn.mT)
    assert group.order == 2 * n // math.gcd(a - b, n)
    assert group == dihedral(group.order // 2).conjugate(turn[0])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_crystallographic_matrices_are_exact(n):
    """0, 1/2 and 1 are, so that integer grids are mapped to themselves without rounding."""
    entries = dihedral(n).elements.abs().unique()
    root = math.sqrt(0.75)
    assert all(e in (0, 0.5, 1) or abs(e - root) < 4e-16 for e in entries.tolist())


def test_inversion():
    for n, name in {1: "O(1)", 2: "C2", 3: "Ci", 4: "{1, -1} in O(4)"}.items():
        group = inversion(n)
        assert_close(group.elements, torch.stack([torch.eye(n), -torch.eye(n)]), 0)
        assert group.name == name
    assert inversion(2) == cyclic(2)


def test_trivial_group():
    assert torch.equal(trivial_group(4).elements, torch.eye(4, dtype=torch.float64)[None])
    assert trivial_group(2) == cyclic(1) and trivial_group(2).name == "C1"


@pytest.mark.parametrize("build", [cyclic, dihedral, trivial_group, inversion])
@pytest.mark.parametrize("n", [0, -3, 2.0, True, "4", None, 10**6, [4]])
def test_bad_sizes(build, n):
    with pytest.raises(ValueError, match="^n: expected an integer from 1 to 1.*,000, got "):
        build(n)
    for known in (1, 2):  # what is remembered of them does not answer for True and 2.0
        build(known)
    with pytest.raises(ValueError, match="^n: "):
        build(n)
