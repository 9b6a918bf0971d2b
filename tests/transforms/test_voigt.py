"""Voigt's notation, told by the energy, by rotations in Bond's way, and by the full tensors."""

import itertools
import math

import pytest
import torch

from equinet import o3, so2
from equinet.rep import CartesianTensor
from equinet.transforms import from_voigt, to_voigt
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
WEIGHTS = {"stress": 1, "strain": 2, "mandel": math.sqrt(2)}
ORDERS = {"ASE": None, "LAMMPS": "xx yy zz xy xz yz", "VASP": "xx yy zz xy yz zx"}
VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


def symmetric(generator, *batch, n=3):
    t = torch.randn(*batch, n, n, generator=generator, dtype=F64)
    return t + t.mT


@pytest.mark.parametrize("name", ORDERS)
def test_entry_by_entry(name, generator):
    """Row by row as (V11) is written, in the orders of three programs."""
    t, order = symmetric(generator, 4), ORDERS[name]
    names = (order or "xx yy zz yz xz xy").split()
    for shear, w in WEIGHTS.items():
        rows = [t[:, "xyz".index(a), "xyz".index(b)] * (1 if a == b else w) for a, b in names]
        found = to_voigt(t, shear=shear, order=order)
        assert_close(found, torch.stack(rows, 1), ROUNDING)
        assert_close(from_voigt(found, shear=shear, order=order), t, ROUNDING)
    assert (to_voigt(t, shear="stress", order=order) != found).any()  # negative control


def test_the_energy_does_not_depend_on_the_notation(generator):
    """sigma : epsilon is the product of the rows of a stress and a strain, and Mandel's of both;
    likewise sigma = C : epsilon with a stiffness, and epsilon = S : sigma with a compliance."""
    stress, strain = symmetric(generator), symmetric(generator)
    energy = (stress * strain).sum()
    assert_close(to_voigt(stress, shear="stress") @ to_voigt(strain, shear="strain"), energy, 1e-12)
    assert_close(to_voigt(stress, shear="mandel") @ to_voigt(strain, shear="mandel"), energy, 1e-12)
    assert_close(to_voigt(strain, shear="mandel").norm(), strain.norm(), 1e-12)
    kind = CartesianTensor(o3(), "ijkl=jikl=klij")
    components = torch.randn(21, generator=generator, dtype=F64)
    C = kind.to_tensor(components)
    answer = torch.einsum("ijkl,kl->ij", C, strain)
    rows = to_voigt(C, shear="stress", pairs=2) @ to_voigt(strain, shear="strain")
    assert_close(rows, to_voigt(answer, shear="stress"), SYMMETRY)
    rows = to_voigt(C, shear="strain", pairs=2) @ to_voigt(strain, shear="stress")
    assert_close(rows, to_voigt(answer, shear="strain"), SYMMETRY)
    for shear in WEIGHTS:
        rows = to_voigt(C, shear=shear, pairs=2)
        assert_close(from_voigt(rows, shear=shear, pairs=2), C, ROUNDING)
    # Compliance and stiffness are inverse matrices in their notations, and no others are.
    one, S = torch.eye(6, dtype=F64), torch.linalg.inv(to_voigt(C, shear="stress", pairs=2))
    again = from_voigt(S, shear="strain", pairs=2)
    assert_close(torch.einsum("ijkl,kl->ij", again, answer), strain, 1e-8)
    wrong = from_voigt(S, shear="stress", pairs=2)
    assert (torch.einsum("ijkl,kl->ij", wrong, answer) - strain).abs().max() > 1e-3
    mandel = to_voigt(C, shear="mandel", pairs=2) @ to_voigt(again, shear="mandel", pairs=2)
    assert_close(mandel, one, 1e-8)


def test_mandels_rows_turn_by_orthogonal_matrices(generator):
    """Bond's matrix, written out: M_IJ of g, so that v(g T g^T) = M v(T), for every w."""
    (g,) = o3().sample(1, generator=generator)
    for shear, w in WEIGHTS.items():
        M = torch.zeros(6, 6, dtype=F64)
        for (I, (i, j)), (J, (k, l)) in itertools.product(enumerate(VOIGT), enumerate(VOIGT)):
            M[I, J] = (g[i, k] * g[j, l] + (g[i, l] * g[j, k] if k != l else 0)) * (
                (w if i != j else 1) / (w if k != l else 1)
            )
        t = symmetric(generator)
        assert_close(to_voigt(g @ t @ g.T, shear=shear), M @ to_voigt(t, shear=shear), SYMMETRY)
        orthogonal = (M @ M.T - torch.eye(6)).abs().max() < 1e-10
        assert orthogonal == (shear == "mandel")


def test_the_plane_and_what_is_antisymmetric(generator):
    t = symmetric(generator, 2, n=2)
    v = to_voigt(t, shear="strain")
    assert_close(v, torch.stack([t[:, 0, 0], t[:, 1, 1], 2 * t[:, 0, 1]], 1), ROUNDING)
    assert CartesianTensor(so2(), "ij=ji").to_irreps(from_voigt(v, shear="strain")).shape == (2, 3)
    skew = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=F64)
    assert_close(to_voigt(t + skew, shear="strain"), v, ROUNDING)
    piezo = torch.randn(3, 6, generator=generator, requires_grad=True)
    from_voigt(piezo, shear="strain").square().sum().backward()
    assert from_voigt(piezo, shear="strain").shape == (3, 3, 3) and piezo.grad.isfinite().all()


def test_bad_input():
    v, t = torch.zeros(6), torch.zeros(3, 3)
    for function, x in ((from_voigt, v), (to_voigt, t)):
        with pytest.raises(ValueError, match="^shear: expected 'stress', 'strain' or 'mandel'"):
            function(x, shear="engineering")
        with pytest.raises(TypeError, match="shear"):
            function(x)
        for order in ("xx yy zz yz xz", "xx yy zz yz xz xx", "xx yy zz yz xz xw"):
            with pytest.raises(ValueError, match="^order: expected the pairs 'xx yy zz yz xz xy'"):
                function(x, shear="stress", order=order)
        with pytest.raises(ValueError, match=r"^(values|tensor): expected .* for each of 2 pairs"):
            function(x, shear="stress", pairs=2)
        with pytest.raises(TypeError, match="^(values|tensor): expected a real floating tensor"):
            function(x.long(), shear="stress")
    with pytest.raises(ValueError, match=r"^values: expected \(..., 6\) of space"):
        from_voigt(torch.zeros(5), shear="stress")
    with pytest.raises(ValueError, match=r"^tensor: expected \(..., n, n\)"):
        to_voigt(torch.zeros(3, 2), shear="stress")
