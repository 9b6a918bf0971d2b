"""rho(gh) = rho(g) rho(h), and Schur's orthogonality relations, for every representation."""

import copy
import math
import pickle

import pytest
import torch

from equinet import so2, so3
from tests.laws.cases import GROUPS, IRREPS, REPRESENTATIONS
from tests.laws.direct import haar
from tests.tolerances import ROUNDING, assert_close

every_map = pytest.mark.parametrize("rho", [*IRREPS, *REPRESENTATIONS], ids=repr)


@every_map
def test_homomorphism(rho, generator):
    g, h = rho.group.sample(2, 5, generator=generator)
    assert_close(rho(g @ h), rho(g) @ rho(h), ROUNDING)
    assert_close(rho(rho.group.identity()), torch.eye(rho.dim), ROUNDING)


@every_map
def test_orthogonal(rho, generator):
    values = rho(rho.group.sample(5, generator=generator))
    assert_close(values @ values.mT, torch.eye(rho.dim).expand(5, -1, -1), ROUNDING)


@every_map
def test_shape_and_dtype(rho, generator):
    g = rho.group.sample(2, 3, generator=generator)
    assert rho(g).shape == (2, 3, rho.dim, rho.dim) and rho(g).dtype == torch.float64
    assert rho(g.float()).dtype == torch.float32
    assert rho(g[:0]).shape == (0, 3, rho.dim, rho.dim)


@every_map
def test_a_representation_is_a_value(rho):
    for same in (copy.deepcopy(rho), pickle.loads(pickle.dumps(rho))):
        assert same == rho and hash(same) == hash(rho)


def test_the_law_can_fail(generator):
    """Negative control: transposition turns the product round."""
    for rho in REPRESENTATIONS:
        if rho.group == so3() and rho.dim > 1:
            g, h = rho.group.sample(2, generator=generator)
            assert (rho((g @ h).mT) - rho(g.mT) @ rho(h.mT)).abs().max() > 0.1


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_schur(group):
    """int psi_ij psi'_kl vanishes for different irreps, and projects on End(psi) for equal ones.

    dim End is 1 for irreps of real type and 2 for those of complex type, which rotate a plane.
    """
    irreps = [psi for psi in IRREPS if psi.group == group]
    g, weights = _quadrature(group)
    values = [psi(g).flatten(1) for psi in irreps]
    for i, psi in enumerate(irreps):
        for j in range(len(irreps)):
            integral = torch.einsum("g,ga,gb->ab", weights, values[i], values[j])
            if i != j:
                assert_close(integral, torch.zeros_like(integral), ROUNDING)
                continue
            projector = integral * psi.dim
            planar = group == so2() and psi.frequency > 0
            kinds = 2 if planar else 1
            assert_close(projector @ projector, kinds * projector, ROUNDING)
            assert_close(projector.trace(), float(psi.dim**2), ROUNDING)
            if not planar:
                assert_close(projector, torch.eye(psi.dim**2), ROUNDING)


def _quadrature(group):
    """Exact for products of two of the irreps above."""
    if group == so3():
        return haar(5)
    angle = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    return group.element(angle), torch.full((16,), 1 / 16, dtype=torch.float64)
