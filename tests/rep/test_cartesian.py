"""Cartesian tensors with index symmetries against e3nn, brute force and characters."""

import itertools
import math
from collections import Counter

import pytest
import torch
from e3nn.io import CartesianTensor as E3nnTensor
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import axial, cyclic, dihedral, o3, octahedral, point_group, so2, so3
from equinet.rep import CartesianTensor, irrep, symmetric_power, tensor_product, vector
from equinet.rep.cartesian import _symmetries
from tests.rep.families import FINITE
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
FORMULAS = ["i", "ij", "ij=ji", "ij=-ji", "ijk", "ijk=jik", "ijk=-jik=-ikj"]
GROUPS = [so3(), o3(), octahedral(), point_group("D3d"), axial("Dinfh"), so2(), dihedral(4)]


def rotate(g, tensor):
    """g on every index of ``(n, n, ...)``."""
    for axis in range(tensor.dim()):
        tensor = torch.tensordot(g, tensor, dims=([1], [axis])).movedim(0, axis)
    return tensor


def symmetrise(tensor, formula):
    """The mean over all index permutations that the formula implies, by brute force."""
    indices, *terms = formula.split("=")
    found, new = {indices: 1}, [indices]
    while new:
        word = new.pop()
        for term in terms:
            sign, bare = (-1, term[1:]) if term[0] == "-" else (1, term)
            image = "".join(word[indices.index(c)] for c in bare)
            if image not in found:
                found[image] = sign * found[word]
                new.append(image)
    moved = [s * tensor.permute(*(indices.index(c) for c in w)) for w, s in found.items()]
    return torch.stack(moved).mean(0)


@pytest.mark.parametrize(
    "formula", [*FORMULAS, "ijkl=jikl=klij", "ijkl=-jikl=-ijlk=klij", "ijk=kij"]
)
def test_irreps_equal_those_of_e3nn(formula):
    """Also those of elasticity and of the Riemann tensor; e3nn's are counted by dimension."""
    ours = Counter(psi.name for psi in CartesianTensor(o3(), formula).representation.irreps)
    theirs = Counter({str(ir): mul for mul, ir in E3nnTensor(formula)})
    assert ours == theirs
    assert CartesianTensor(o3(), formula).representation.dim == E3nnTensor(formula).dim


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_action(group, formula, generator):
    """To rotate the tensor is to move its components by the representation."""
    try:
        kind = CartesianTensor(group, formula)
    except ValueError:  # ijk antisymmetric in the plane
        assert group.n == 2 and formula == "ijk=-jik=-ikj"
        return
    rho = kind.representation
    t = torch.randn([group.n] * kind.rank, generator=generator, dtype=F64)
    t = symmetrise(t, formula)
    components = kind.to_irreps(t)
    assert components.shape == (rho.dim,)
    assert_close(kind.to_tensor(components), t, SYMMETRY)
    for g in group.sample(3, generator=generator):
        assert_close(kind.to_irreps(rotate(g, t)), rho(g) @ components, SYMMETRY)
    assert rho.Q is None and rho.is_orthogonal
    assert_close(components.norm(), t.norm(), SYMMETRY)


@given(
    st.sampled_from([g for g in FINITE if 1 < g.n <= 3]), st.sampled_from(["ij", "ij=ji", "ijk"])
)
def test_multiplicities(group, formula):
    """As in the tensor product, or the symmetric square, of vectors."""
    v = vector(group)
    expected = {
        "ij": lambda: tensor_product(v, v),
        "ij=ji": lambda: symmetric_power(v, 2),
        "ijk": lambda: tensor_product(tensor_product(v, v), v),
    }[formula]()
    found = CartesianTensor(group, formula).representation
    assert found.multiplicities == expected.multiplicities


def test_other_symmetries_are_lost(generator):
    """to_tensor after to_irreps is the projector on the symmetric tensors."""
    kind = CartesianTensor(so3(), "ij=-ji")
    t = torch.randn(4, 3, 3, generator=generator, dtype=F64)
    assert_close(kind.to_tensor(kind.to_irreps(t)), (t - t.mT) / 2, SYMMETRY)
    kind = CartesianTensor(so3(), "ijk=jik=ikj")
    t = torch.randn(3, 3, 3, generator=generator, dtype=F64)
    permutations = list(itertools.permutations(range(3)))
    expected = sum(t.permute(*p) for p in permutations) / len(permutations)
    assert_close(kind.to_tensor(kind.to_irreps(t)), expected, SYMMETRY)


def test_known_tensors():
    """The unit matrix is the scalar; the antisymmetric matrix of v is v up to its norm."""
    stress = CartesianTensor(o3(), "ij=ji")
    assert stress.representation.name == "1x0e + 1x2e" and stress.rank == 2
    components = stress.to_irreps(torch.eye(3, dtype=F64))
    assert_close(components.abs(), [math.sqrt(3), 0, 0, 0, 0, 0], ROUNDING)
    spin = CartesianTensor(o3(), "ij=-ji")
    v = torch.tensor([0.3, -0.2, 0.9], dtype=F64)
    hat = torch.linalg.cross(v.expand(3, 3), torch.eye(3, dtype=F64)).mT  # hat @ x = v x x
    found = spin.to_irreps(hat) / math.sqrt(2)
    assert spin.representation.name == "1x1e"
    assert min((found - v).abs().max(), (found + v).abs().max()) < ROUNDING
    dims = {"ijkl=jikl=klij": 21, "ijkl=-jikl=-ijlk=klij": 6, "ijkl=jikl=ijlk": 36}
    for formula, dim in dims.items():
        assert CartesianTensor(octahedral(), formula).representation.dim == dim
    cubic = CartesianTensor(octahedral(), "ijkl=jikl=klij").representation
    one = irrep(octahedral(), "A1").irreps[0]
    assert cubic.multiplicities[one] == 3  # the elastic constants of a cubic crystal


def test_piezoelectricity():
    """Independent constants of a symmetric third-rank tensor: a crystal with inversion has none."""
    for name, count in {"m-3m": 0, "-43m": 1, "432": 0, "4mm": 3, "-42m": 2, "1": 18}.items():
        group = point_group(name)
        rho = CartesianTensor(group, "ijk=ikj").representation
        g = group.elements
        assert_close(rho.character(g).mean(), float(count), SYMMETRY)


def test_change_of_basis():
    kind = CartesianTensor(so3(), "ij=ji")
    basis = kind.change_of_basis
    assert basis.shape == (6, 3, 3) and basis.dtype == F64
    assert_close(torch.einsum("aij,bij->ab", basis, basis), torch.eye(6), ROUNDING)
    assert_close(basis, basis.mT, ROUNDING)
    basis.zero_()
    assert kind.change_of_basis.norm() > 1


def test_dtypes_and_batches(generator):
    kind = CartesianTensor(so3(), "ij=ji")
    t = torch.randn(2, 5, 3, 3, generator=generator)
    assert kind.to_irreps(t).shape == (2, 5, 6) and kind.to_irreps(t).dtype == torch.float32
    assert kind.to_tensor(kind.to_irreps(t)).shape == (2, 5, 3, 3)


def test_values():
    assert CartesianTensor(so3(), "ij") == CartesianTensor(so3(), "ij")
    assert hash(CartesianTensor(so3(), "ij")) == hash(CartesianTensor(so3(), "ij"))
    assert CartesianTensor(so3(), "ij") != CartesianTensor(o3(), "ij")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "different lower-case letters at position 0"),
        ("iI", "different lower-case letters at position 0"),
        ("ii", "different lower-case letters at position 0"),
        ("=ij", "different lower-case letters at position 0"),
        ("ij=", "a permutation of 'ij' at position 3 of 'ij=', got ''"),
        ("ij=ik", "a permutation of 'ij' at position 3 of 'ij=ik', got 'ik'"),
        ("ij=ji=jk", "a permutation of 'ij' at position 6 of 'ij=ji=jk', got 'jk'"),
        ("ij=--ji", "a permutation of 'ij' at position 3"),
        ("ij=+ji", "a permutation of 'ij' at position 3"),
        ("ijk=ji", "a permutation of 'ijk' at position 4"),
        ("abcdefg", "at most 6 indices, got 'abcdefg'"),
        ("ij=-ij", "tensors other than zero, got 'ij=-ij'"),
        ("ij=ji=-ji", "tensors other than zero"),
        ("ijk=jik=-jki", "tensors other than zero"),
        ("ijk=jik=-ikj", "tensors other than zero"),
    ],
)
def test_bad_formulas(formula, message):
    with pytest.raises(ValueError, match=r"^formula: expected") as caught:
        CartesianTensor(so3(), formula)
    assert message in str(caught.value)


def test_what_vanishes_in_few_dimensions():
    with pytest.raises(ValueError, match=r"^formula: expected tensors other than zero"):
        CartesianTensor(cyclic(4), "ijk=-jik=-ikj")
    assert CartesianTensor(so3(), "ijk=-jik=-ikj").representation.name == "1x0"


def test_bad_tensors():
    kind = CartesianTensor(so3(), "ij=ji")
    with pytest.raises(ValueError, match=r"^tensor: expected \(\.\.\., 3, 3\), got \(3, 2\)"):
        kind.to_irreps(torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"^tensor: expected \(\.\.\., 3, 3\), got \(3,\)"):
        kind.to_irreps(torch.ones(3))
    with pytest.raises(ValueError, match=r"^components: expected \(\.\.\., 6\), got \(5,\)"):
        kind.to_tensor(torch.ones(5))


def test_signs_of_permutations_are_followed_to_the_end():
    """All formulas of three indices with up to two symmetries, against a search that keeps both
    signs: a conflict anywhere leaves only zero."""
    words = ["".join(p) for p in itertools.permutations("ijk")]
    terms = [sign + word for word in words for sign in ("", "-")]
    for count in (1, 2):
        for chosen in itertools.product(terms, repeat=count):
            found = {("ijk", 1)}
            new = list(found)
            while new:
                word, s = new.pop()
                for term in chosen:
                    bare = term.lstrip("-")
                    image = "".join(word["ijk".index(c)] for c in bare)
                    state = (image, -s if term != bare else s)
                    if state not in found:
                        found.add(state)
                        new.append(state)
            signs = _symmetries("=".join(("ijk", *chosen)))
            conflict = len({word for word, _ in found}) < len(found)
            expected = {tuple("ijk".index(c) for c in w): s for w, s in found}
            assert all(s == 0 for s in signs.values()) if conflict else signs == expected
