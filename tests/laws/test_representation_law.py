"""rho(gh) = rho(g) rho(h), and Schur's orthogonality relations, for every representation."""

import copy
import pickle

import torch

from equinet.group import FiniteGroup
from tests.laws.cases import GROUPS, IRREPS, REPRESENTATIONS
from tests.over import over
from tests.tolerances import SYMMETRY, assert_close

every_group = over("group", GROUPS)


def maps(group):
    """All irreps and representations of the group that are tried."""
    return [rho for rho in (*IRREPS, *REPRESENTATIONS) if rho.group == group]


@every_group
def test_homomorphism(group, generator):
    g, h = group.sample(2, 5, generator=generator)
    for rho in maps(group):
        assert_close(rho(g @ h), rho(g) @ rho(h), SYMMETRY)
        assert_close(rho(group.identity()), torch.eye(rho.dim), SYMMETRY)


@every_group
def test_orthogonal(group, generator):
    """rho(g)^T rho(g) = 1; in a skew basis Q^-1 rho(g) Q is orthogonal."""
    g = group.sample(5, generator=generator)
    for rho in maps(group):
        value = rho(g)
        if rho.name == "skew":
            assert rho.is_orthogonal == all(psi.is_trivial for psi in rho.irreps)
            value = rho.inverse_Q @ value @ rho.Q
        assert_close(value @ value.mT, torch.eye(rho.dim).expand(5, -1, -1), SYMMETRY)


@every_group
def test_shape_and_dtype(group, generator):
    g = group.sample(2, 3, generator=generator)
    for rho in maps(group):
        assert rho(g).shape == (2, 3, rho.dim, rho.dim) and rho(g).dtype == torch.float64
        assert rho(g.float()).dtype == torch.float32
        assert rho(g[:0]).shape == (0, 3, rho.dim, rho.dim)


@every_group
def test_characters_are_traces(group, generator):
    g = group.sample(4, generator=generator)
    for rho in maps(group):
        assert_close(rho.character(g), rho(g).diagonal(dim1=-2, dim2=-1).sum(-1), SYMMETRY)


@every_group
def test_a_representation_is_a_value(group):
    for rho in maps(group):
        for same in (copy.deepcopy(rho), pickle.loads(pickle.dumps(rho))):
            assert same == rho and hash(same) == hash(rho)
            assert type(same) is type(rho) and same.name == rho.name


@every_group
def test_the_split_is_that_of_the_characters(group):
    """int chi_rho chi_psi = m dim End(psi) for each irrep in it, and int chi^2 their sum."""
    for rho in (rho for rho in REPRESENTATIONS if rho.group == group):
        g, weights = group.grid(2 * rho.degree)
        chi = rho.character(g)
        for psi, count in rho.multiplicities.items():
            assert_close(weights @ (chi * psi.character(g)), float(count * psi.ends), SYMMETRY)
        total = sum(count**2 * psi.ends for psi, count in rho.multiplicities.items())
        assert_close(weights @ chi.square(), float(total), SYMMETRY)


@every_group
def test_schur(group):
    """d int psi_ij psi'_kl = sum_e (E_e)_ik (E_e)_jl for equal irreps, 0 for different ones.

    The E_e are the basis of End(psi): 1, and for the complex and quaternionic types square roots
    of -1. Their number is dim End = int chi^2.
    """
    found = [psi for psi in IRREPS if psi.group == group]
    for i, psi in enumerate(found):
        for other in found[: i + 1]:
            g, weights = group.grid(psi.degree + other.degree)
            integral = torch.einsum("g,gij,gkl->ijkl", weights * psi.dim, psi(g), other(g))
            expected = torch.zeros_like(integral)
            if psi == other:
                ends = psi.endomorphisms
                assert len(ends) == psi.ends == {"real": 1, "complex": 2}.get(psi.kind, 4)
                expected = torch.einsum("eik,ejl->ijkl", ends, ends)
            assert_close(integral, expected, SYMMETRY)


@every_group
def test_the_irreps_are_complete(group):
    """sum of d^2 / dim End over all of them is the order of a finite group."""
    found = [psi for psi in IRREPS if psi.group == group]
    if isinstance(group, FiniteGroup):
        assert sum(psi.dim**2 / psi.ends for psi in found) == group.order
    assert len(set(found)) == len(found) and found[0].is_trivial


def test_the_law_can_fail(generator):
    """Negative control: transposition turns the product round."""
    tried = 0
    for rho in REPRESENTATIONS:
        g, h = rho.group.sample(2, 20, generator=generator)
        if (g @ h - h @ g).abs().max() > 0.1 and rho.name == "vector":
            tried += 1
            assert (rho((g @ h).mT) - rho(g.mT) @ rho(h.mT)).abs().max() > 0.1
    assert tried > 10
