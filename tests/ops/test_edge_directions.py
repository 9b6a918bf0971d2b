"""Lengths and harmonics along edges, against harmonics of the sphere and torch's derivatives."""

import itertools

import pytest
import torch

from equinet.harmonics import angular_harmonics
from equinet.nn.edge_paths import EdgeHarmonics
from equinet.ops import edge_harmonics
from equinet.ops.edge_directions import GRADIENT, TANGENT, Gradient, Tangent
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
CASES = [(n, lmax) for n in (1, 2, 3) for lmax in (0, 1, 4)]


def draw(n, lmax, generator):
    """The steps with their sizes, vectors, a direction, and what the gradients are of."""
    module = EdgeHarmonics(lmax, n).double()
    sizes = (19, n), (19, n), (19,), (19, sum(module.dims))
    tensors = [torch.randn(size, dtype=F64, generator=generator) for size in sizes]
    return (module.steps, module.dims), *tensors


def energy(r, a, b, lmax):
    """(H2) by other formulas."""
    return (a * r.norm(dim=1)).sum() + (b * torch.cat(angular_harmonics(lmax, r), -1)).sum()


@over("n, lmax", CASES)
def test_gradients_and_their_changes(n, lmax, generator):
    plan, r, v, a, b = draw(n, lmax, generator)

    def at(r):
        gradient = torch.func.grad(energy)(r, a, b, lmax)
        return r.norm(dim=1), torch.cat(angular_harmonics(lmax, r), -1), gradient

    assert_close(GRADIENT(r, Gradient(a, b, *plan)), at(r)[2], 100 * ROUNDING)
    changes = torch.autograd.functional.jvp(at, r, v)[1]
    for found, expected in zip(TANGENT(r, Tangent(v, a, b, *plan)), changes, strict=True):
        scale = 1 + expected.abs().max()
        assert_close(found / scale, expected / scale, 100 * ROUNDING)


def test_at_the_origin_and_where_there_is_no_number(generator):
    """Zero with all derivatives, and NaN."""
    plan, r, v, a, b = draw(3, 2, generator)
    r[0], r[1], r[2, 1] = 0, torch.nan, torch.nan
    length, harmonics = edge_harmonics(r, *plan)
    found = [length, harmonics[:, 1:], GRADIENT(r, Gradient(a, b, *plan))]
    found += TANGENT(r, Tangent(v, a, b, *plan))
    for one in found:
        assert not one[0].any() and one[3:].isfinite().all()
    for one in (length, harmonics[:, 1:].sum(1), found[2].sum(1)):
        assert one[1:3].isnan().all()


def test_a_part_of_the_gradient(generator):
    """None stands for zeros."""
    plan, r, v, a, b = draw(2, 3, generator)
    for given, whole in (((a, None), (a, 0 * b)), ((None, b), (0 * a, b))):
        assert_close(
            GRADIENT(r, Gradient(*given, *plan)), GRADIENT(r, Gradient(*whole, *plan)), ROUNDING
        )
        pairs = (TANGENT(r, Tangent(v, *some, *plan)) for some in (given, whole))
        for found, expected in zip(*pairs, strict=True):
            assert_close(found, expected, ROUNDING)


def test_bad_arguments(generator):
    (steps, dims), r, *_ = draw(3, 2, generator)
    for bad, name in (((r[0], steps, dims), "r"), ((r, steps[1:], dims), "steps")):
        with pytest.raises(ValueError, match=f"^edge_harmonics: {name}: expected"):
            edge_harmonics(*bad)
    for wrong in ([], [0], [2, 3]):
        with pytest.raises(ValueError, match="^edge_harmonics: dims: expected"):
            edge_harmonics(r, steps, wrong)
    wide = torch.zeros(2, 4, dtype=F64)
    entries = sum(a * b * 4 for a, b in itertools.pairwise(dims))
    with pytest.raises(ValueError, match="^edge_harmonics: r: expected vectors in 1 to 3"):
        edge_harmonics(wide, torch.zeros(entries, dtype=F64), dims)
    with pytest.raises(TypeError, match="^edge_harmonics: steps: expected"):
        edge_harmonics(r, steps.float(), dims)
