"""Spectra that are turned at once, beside the matrices of each degree."""

import pytest
import torch

from equinet.harmonics import rotate_s2
from equinet.numerics import random_rotations, wigner_D
from equinet.numerics.turn import turn_degrees
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64


def _special() -> torch.Tensor:
    """Rotations at and near the poles of the angles, where alpha and gamma are not determined."""
    tiny = 1e-9
    near = torch.linalg.matrix_exp(
        torch.tensor([[0, 0, tiny], [0, 0, -tiny], [-tiny, tiny, 0]], dtype=F64)
    )
    half = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=F64))  # the pole y goes to -y
    return torch.stack([torch.eye(3, dtype=F64), half, near, near @ half])


@pytest.mark.parametrize("columns", [[1] * 7, [2 * l + 1 for l in range(5)], [0, 3, 0, 2], []])
def test_the_matrices_of_each_degree(columns, generator):
    """One rotation for all samples, and one for each, the poles among them."""
    rows = sum((2 * l + 1) * k for l, k in enumerate(columns))
    x = torch.randn(rows, 2, 8, generator=generator, dtype=F64, requires_grad=True)
    own = torch.cat([random_rotations(4, generator=generator), _special()])
    for rotation in (own[0], own):
        expected, start = [], 0
        for l, k in enumerate(columns):
            block = x[start : start + (2 * l + 1) * k].view(2 * l + 1, k, 2, 8)
            D = wigner_D(l, rotation).expand(8, 2 * l + 1, 2 * l + 1)
            expected.append(torch.einsum("bmn,nkcb->mkcb", D, block).flatten(0, 1))
            start += (2 * l + 1) * k
        expected = torch.cat(expected) if expected else x
        turned = turn_degrees(x, columns, rotation)
        assert_close(turned, expected, ROUNDING)
        if not rows:
            continue
        # The matrices serve where a derivative by the rotation is wanted; that by x is the same.
        assert_close(
            turn_degrees(x, columns, rotation.clone().requires_grad_()), expected, ROUNDING
        )
        seed = torch.randn(x.shape, generator=generator, dtype=F64)
        (slope,) = torch.autograd.grad(turned, x, seed)
        (inverse,) = torch.autograd.grad(expected, x, seed)
        assert_close(slope, inverse, ROUNDING)
        # The control: another rotation.
        if any(columns[1:]):
            other = turn_degrees(x, columns, rotation @ own[1])
            assert (other - expected).abs().max() > 0.1


def test_functions_in_any_arrangement_turn_alike(generator):
    """One function, some, or a batch of channels, with one rotation or one for each sample."""
    x = torch.randn(2, 3, 8, 8, generator=generator, dtype=F64)
    R = random_rotations(2, generator=generator)
    expected = torch.stack([rotate_s2(part, r) for part, r in zip(x, R, strict=True)])
    assert_close(rotate_s2(x, R), expected, ROUNDING)
    assert_close(rotate_s2(x[0, 0], R[0]), expected[0, 0], ROUNDING)
    assert_close(rotate_s2(x[None, 0], R[0]), expected[None, 0], ROUNDING)
    assert_close(rotate_s2(x[:, 0], R), expected[:, 0], ROUNDING)
    assert_close(rotate_s2(x[:, :, None], R), expected[:, :, None], ROUNDING)
