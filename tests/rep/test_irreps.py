"""The irreps of every group: homomorphisms, orthogonal, complete, of the stated type."""

import math
import pickle
import subprocess
import sys

import pytest
import torch
from e3nn import o3 as e3nn_o3
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    Group,
    axial,
    conjugacy_classes,
    cyclic,
    direct_product,
    icosahedral,
    o2,
    o3,
    octahedral,
    so2,
    so3,
    symmetric,
)
from equinet.rep import Irrep, irrep, irreps, restrict
from tests.over import over
from tests.rep.families import (
    AXIAL,
    FINITE,
    LIE,
    binary_tetrahedral,
    frobenius,
    largest,
    quaternion_group,
)
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
GROUPS = [*FINITE, *LIE]
every_group = over("group", GROUPS)
every_finite_group = over("group", FINITE)

groups = st.sampled_from(GROUPS)
seeds = st.integers(0, 2**32)


def all_irreps(group):
    return irreps(group, largest(group))


# ------------------------------------------------------------------ the law


@given(groups, seeds)
def test_homomorphism_and_orthogonality(group, seed):
    """psi(gh) = psi(g) psi(h), psi(g)^T = psi(g^-1)."""
    g, h = group.sample(2, 8, generator=torch.Generator().manual_seed(seed))
    for psi in all_irreps(group):
        assert psi(g).shape == (8, psi.dim, psi.dim)
        assert_close(psi(g @ h), psi(g) @ psi(h), SYMMETRY)
        assert_close(psi(g) @ psi(g.mT), torch.eye(psi.dim).expand(8, -1, -1), SYMMETRY)
        assert_close(psi(g).mT, psi(g.mT), SYMMETRY)


@every_finite_group
def test_homomorphism_on_the_whole_multiplication_table(group):
    g = group.elements
    for psi in irreps(group):
        value = psi(g)
        i = torch.arange(group.order) if group.order <= 24 else torch.arange(0, group.order, 7)
        assert_close(value[group.table[i]], value[i, None] @ value, SYMMETRY)
        assert_close(value[0], torch.eye(psi.dim), ROUNDING)


@pytest.mark.parametrize("group", [so3(), o3(), o2(), *AXIAL], ids=str)
def test_continuous(group, generator):
    """psi is smooth: its differences are of the size of those of g times the degree."""
    g = group.sample(5, generator=generator)
    step = torch.eye(group.n, dtype=F64)
    angle = torch.tensor(1e-6, dtype=F64)
    turn = so2().element(angle)
    step[:2, :2] = turn
    for psi in irreps(group, 3):
        assert (psi(g @ step) - psi(g)).abs().max() < 4e-6


def test_the_law_can_fail(generator):
    """Negative control: an antihomomorphism."""
    psi = Irrep(octahedral(), "T1")
    g, h = octahedral().sample(2, 20, generator=generator)
    assert (psi((g @ h).mT) - psi(g.mT) @ psi(h.mT)).abs().max() > 0.5


# ------------------------------------------------------------------ Schur and completeness


@every_group
def test_schur_orthogonality(group):
    r"""int psi_ij psi_kl = (1/d) sum_e (E_e)_ik (E_e)_jl, and 0 for different irreps.

    E_e is the orthogonal basis of End(psi): 1 for the real type, two or four for the others.
    """
    found = all_irreps(group)
    g, weights = group.grid(2 * max(psi.degree for psi in found))
    entries = torch.cat([psi(g).flatten(1) for psi in found], 1)
    blocks = []
    for psi in found:
        ends = psi.endomorphisms
        expected = torch.einsum("eik,ejl->ijkl", ends, ends) / psi.dim
        blocks.append(expected.reshape(psi.dim**2, psi.dim**2))
    assert_close(entries.mT @ (weights[:, None] * entries), torch.block_diag(*blocks), SYMMETRY)


@every_group
def test_endomorphisms(group):
    """They commute with psi; all but the first, 1, square to -1 and anticommute: R, C or H."""
    g, _ = group.grid(2) if group.is_finite else (group.generators, None)
    for psi in all_irreps(group):
        ends, one = psi.endomorphisms, torch.eye(psi.dim, dtype=F64)
        assert ends.shape == (psi.ends, psi.dim, psi.dim)
        assert {1: "real", 2: "complex", 4: "quaternionic"}[psi.ends] == psi.kind
        assert_close(ends[:, None] @ psi(g), psi(g) @ ends[:, None], SYMMETRY)
        assert_close(ends[0], one, ROUNDING)
        for i, a in enumerate(ends[1:]):
            for j, b in enumerate(ends[1:]):
                assert_close(a @ b + b @ a, -2 * (i == j) * one, SYMMETRY)
        if psi.ends == 4:  # i j = k or -k
            assert_close((ends[1] @ ends[2] @ ends[3]) @ (ends[1] @ ends[2] @ ends[3]), one, 1e-10)


@every_group
def test_types_by_characters(group):
    """int chi(g)^2 = dim End; the Frobenius-Schur indicator int chi(g^2) is 1, 0 or -2.

    A real irrep of complex type is phi + conj(phi), one of quaternionic type phi + phi, and the
    indicator of phi is 0 or -1.
    """
    for psi in all_irreps(group):
        g, weights = group.grid(2 * psi.degree)
        assert_close(weights @ psi.character(g).square(), float(psi.ends), SYMMETRY)
        indicator = {"real": 1.0, "complex": 0.0, "quaternionic": -2.0}[psi.kind]
        assert_close(weights @ psi.character(g @ g), indicator, SYMMETRY)


def test_all_three_types_occur():
    assert Irrep(cyclic(3), "1").kind == "complex"
    assert [psi.kind for psi in irreps(quaternion_group())].count("quaternionic") == 1
    assert {psi.kind for psi in irreps(binary_tetrahedral())} == {"real", "complex", "quaternionic"}
    assert all(psi.kind == "real" for psi in irreps(icosahedral()))
    assert [(psi.dim, psi.kind) for psi in irreps(frobenius())] == [
        (1, "real"),
        (2, "complex"),
        (6, "complex"),
    ]


@every_finite_group
def test_complete(group):
    """sum d^2 / dim End = |H|, and as many irreps as classes of {g, g^-1}."""
    found = irreps(group)
    assert sum(psi.dim**2 / psi.ends for psi in found) == group.order
    number = {i: k for k, members in enumerate(conjugacy_classes(group)) for i in members}
    inverse = group.inverse.tolist()
    assert len(found) == len({frozenset((number[i], number[inverse[i]])) for i in number})
    assert len({psi.name for psi in found}) == len(found)


@every_finite_group
def test_columns_are_orthogonal(group):
    """sum over psi of chi(g) chi(h) / dim End = |centraliser| for h conjugate to g or g^-1.

    The sum is over real irreps; where g and g^-1 are not conjugate both classes share it by halves.
    """
    chi = torch.stack([psi.character(group.elements) for psi in irreps(group)])
    ends = torch.tensor([psi.ends for psi in irreps(group)], dtype=F64)
    found = torch.einsum("pg,p,ph->gh", chi, 1 / ends, chi)
    expected = torch.zeros(group.order, group.order, dtype=F64)
    inverse = group.inverse
    for members in conjugacy_classes(group):
        for image in (list(members), inverse[list(members)].tolist()):
            expected[torch.tensor(members)[:, None], image] += group.order / len(members) / 2
    assert_close(found, expected, SYMMETRY)


@pytest.mark.parametrize("group", AXIAL, ids=str)
def test_axial_irreps_are_all_there_is_in_space(group):
    """Those of degree up to 2 are the parts of the irreps of O(3) up to that degree."""
    parts = {
        psi for name in irreps(o3(), 2) for psi in restrict(irrep(o3(), name.name), group).irreps
    }
    assert parts == set(irreps(group, 2))


def test_trivial_comes_first():
    for group in GROUPS:
        first, *others = all_irreps(group)
        g = group.generators
        assert first.is_trivial and not any(psi.is_trivial for psi in others)
        assert_close(first(g), torch.ones(len(g), 1, 1), ROUNDING)


# ------------------------------------------------------------------ closed forms


@given(st.integers(0, 8), st.floats(-7, 7), st.booleans())
def test_so2_and_o2(k, angle, reflected):
    """Rotations by k times the angle; reflections (x, y) -> (x, -y) come first."""
    g = so2().element(torch.tensor(angle, dtype=F64))
    turn = so2().element(torch.tensor(k * angle, dtype=F64))
    assert_close(Irrep(so2(), str(k))(g), turn if k else torch.ones(1, 1), ROUNDING)
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=F64))
    g, turn = (g @ mirror, turn @ mirror) if reflected else (g, turn)
    if k:
        assert_close(Irrep(o2(), str(k))(g), turn, ROUNDING)
    else:
        assert_close(Irrep(o2(), "0e")(g), torch.ones(1, 1), 0)
        assert_close(Irrep(o2(), "0o")(g), -torch.ones(1, 1) if reflected else torch.ones(1, 1), 0)


@given(st.integers(1, 16), st.integers(0, 8))
def test_cyclic_groups_are_restrictions_of_so2(n, k):
    group = cyclic(n)
    found = restrict(irrep(so2(), k), group)
    t = 2 * math.pi * k * torch.arange(n, dtype=F64) / n
    dim = 2 if k else 1
    assert_close(
        sum(psi.character(group.elements) for psi in found.irreps), dim * t.cos(), SYMMETRY
    )
    assert {int(psi.name) for psi in found.irreps} == {min(k % n, -k % n)}


def test_o3_equals_e3nn(default_dtype, generator):
    """Improper elements too."""
    default_dtype(F64)
    g, r = o3().sample(20, generator=generator), so3().sample(5, generator=generator)
    assert (torch.linalg.det(g) < 0).any() and (torch.linalg.det(g) > 0).any()
    for l in range(7):
        for name in (f"{l}e", f"{l}o"):
            theirs = e3nn_o3.Irrep(name).D_from_matrix(g)
            assert_close(Irrep(o3(), name)(g), theirs, 1e-8)
        assert_close(Irrep(so3(), str(l))(r), e3nn_o3.Irrep(f"{l}e").D_from_matrix(r), 1e-8)


def test_parity_is_that_of_the_inversion():
    minus = -torch.eye(3, dtype=F64)
    for psi in irreps(o3(), 4):
        sign = 1 if psi.name.endswith("e") else -1
        assert_close(psi(minus), sign * torch.eye(psi.dim), ROUNDING)


def test_products_of_groups_are_products_of_characters(generator):
    """chi of all parts of psi_a x psi_b; a part of a product of complex ones has half of it."""
    group = direct_product(so3(), cyclic(3))
    g = group.sample(10, generator=generator)
    r, c = group.parts(g)
    for psi in irreps(group, 2):
        a, b = psi.name.split(";")
        expected = Irrep(so3(), a).character(r) * Irrep(cyclic(3), b).character(c)
        assert_close(psi.character(g), expected, SYMMETRY)
    group = direct_product(so2(), so2())
    g = group.sample(10, generator=generator)
    x, y = (so2().angle(part) for part in group.parts(g))
    characters = torch.stack([Irrep(group, f"2;1{part}").character(g) for part in "ab"])
    expected = torch.stack([2 * (2 * x + y).cos(), 2 * (2 * x - y).cos()])
    assert (
        min((characters - order).abs().max() for order in (expected, expected.flip(0))) < SYMMETRY
    )


def test_products_of_products():
    group = direct_product(direct_product(so2(), so2()), so2())
    flat = direct_product(so2(), so2(), so2())
    assert len(irreps(group, 1)) == len(irreps(flat, 1))


# ------------------------------------------------------------------ values, names, errors


def test_dtype_device_and_batch(generator):
    for group in (octahedral(), so2(), o3(), axial("Dinfh")):
        for psi in irreps(group, 2):
            g = group.sample(2, 3, generator=generator)
            assert psi(g.float()).dtype == torch.float32
            assert_close(psi(g.float()), psi(g), 1e-5)
            assert psi(g[:0]).shape == (0, 3, psi.dim, psi.dim)
            assert psi(g[0, 0]).shape == (psi.dim, psi.dim)


def test_irreps_are_values():
    psi = Irrep(octahedral(), "T1")
    assert psi == pickle.loads(pickle.dumps(psi)) and hash(psi) == hash(Irrep(octahedral(), "T1"))
    assert psi != Irrep(octahedral(), "T2") and psi != Irrep(o3(), "1o")
    with pytest.raises(AttributeError):
        psi.name = "T2"
    psi(octahedral().elements).zero_()  # whatever a caller does with it
    assert_close(psi(octahedral().identity()), torch.eye(3), ROUNDING)


def test_endomorphisms_cannot_be_spoiled():
    psi = Irrep(cyclic(7), "2")
    ends, before = psi.endomorphisms, psi.endomorphisms.clone()
    ends.zero_()
    after = psi.endomorphisms.clone()
    ends.copy_(before)  # other tests need it
    assert_close(after, before, 0)


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        (octahedral(), "T3", r"expected one of A1, A2, E, T1, T2 of O, got 'T3'; did you mean T"),
        (octahedral(), "t1", r"of O, got 't1'"),
        (
            so2(),
            "1e",
            r"expected one of 0, 1, 2, 3, 4, \.\.\. of SO\(2\), got '1e'; did you mean 1",
        ),
        (so2(), "-1", r"got '-1'"),
        (so3(), "1.0", r"got '1.0'"),
        (so3(), "²", r"got '²'"),
        (o3(), "1", r"expected one of 0e, 0o, 1e, .* of O\(3\), got '1'; did you mean 1"),
        (o2(), "0", r"of O\(2\), got '0'; did you mean 0"),
        (o2(), "1e", r"of O\(2\), got '1e'"),
        (axial("Cinfv"), "A", r"of Cinfv, got 'A'"),
        (axial("Dinfh"), "E1", r"of Dinfh, got 'E1'; did you mean E1"),
        (axial("Cinf"), "E0", r"of Cinf, got 'E0'"),
        (symmetric(4), "[4,1]", r"of S4, got '\[4,1\]'"),
        (direct_product(so2(), so2()), "1;1", r"got '1;1'; did you mean 1;1"),
        (direct_product(so2(), so2()), "1", r"of SO\(2\) x SO\(2\), got '1'"),
        (cyclic(4), "", r"of C4, got ''"),
    ],
)
def test_unknown_names(group, name, message):
    with pytest.raises(ValueError, match=r"^irrep: expected one of .*") as caught:
        Irrep(group, name)
    with pytest.raises(ValueError, match=message):
        Irrep(group, name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("group", "name"), [(so2(), "03"), (so3(), "03"), (o3(), "01e"), (o2(), "01"), (so3(), "٣")]
)
def test_one_name_for_one_irrep(group, name):
    with pytest.raises(ValueError, match="irrep: expected one of"):
        Irrep(group, name)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match=r"^group: expected a Group, got str"):
        Irrep("SO(2)", "1")
    with pytest.raises(TypeError, match=r"^name: expected a string, got int"):
        Irrep(so2(), 1)
    for lmax in (None, -1, True):
        with pytest.raises(ValueError, match="^lmax: expected (the largest degree|an integer)"):
            irreps(so3(), lmax)
    with pytest.raises(TypeError, match=r"Group is not a concrete group"):
        irreps(Group(2), 1)


# ------------------------------------------------------------------ determinism

_CHILD = """
import hashlib
from equinet.rep import irreps
from tests.rep.families import FINITE
digest = hashlib.sha256()
for group in reversed(FINITE):
    for psi in irreps(group):
        digest.update(psi.name.encode() + psi(group.elements).numpy().tobytes())
        digest.update(psi.endomorphisms.numpy().tobytes())
    print(group, digest.hexdigest())
"""


@pytest.mark.process
def test_a_new_process_finds_the_same_bits(default_dtype):
    """In whatever order; what equal groups that were made in another way have left is forgotten."""
    default_dtype(torch.get_default_dtype())
    for group in FINITE:
        irreps(group)
    code = f"import sys, torch\nsys.path[:0] = {sys.path!r}\ntorch.set_num_threads("
    code += f"{torch.get_num_threads()})\n"
    run = [sys.executable, "-c", code + _CHILD]
    here: list[str] = []
    exec(_CHILD, {"print": lambda *words: here.append(" ".join(map(str, words)))})
    there = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert there.splitlines() == here
