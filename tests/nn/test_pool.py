"""Pooling over the sphere and over SO(3); its invariance is in tests/laws."""

import pytest
import torch

from equinet import FieldType, Sphere, so2
from equinet.nn import GlobalMaxPool, Integrate
from equinet.rep import trivial
from tests.field.test_field_type import Ring
from tests.laws.direct import grid
from tests.tolerances import ROUNDING, assert_close

BAND = 4


def test_integrals_over_the_sphere():
    """Means of monomials: x^2 y^2 z^2 has 1/105, x^4 has 1/5, odd ones vanish."""
    x, y, z = grid(BAND, regular=False)[..., 1].unbind(-1)
    monomials = {1 / 105: x**2 * y**2 * z**2, 1 / 5: y**4, 1 / 3: z**2, 0: x * y**2, 1: x**0}
    field_type = Sphere(BAND).fields("5x0")
    pooled = Integrate(field_type).double()(torch.stack(list(monomials.values()))[None])
    assert_close(pooled, torch.tensor([list(monomials)], dtype=torch.float64), ROUNDING)


def test_integrals_over_so3():
    """int R_ij^2 = 1/3 and int R_ij^2 R_kl^2 = 2/15 for i != k, j != l."""
    R = grid(BAND, regular=True)
    square = R**2
    functions = {
        1 / 3: square[..., 0, 1],
        2 / 15: square[..., 0, 0] * square[..., 1, 2],
        0: R[..., 2, 0],
    }
    pooled = Integrate(Sphere(BAND).fields("3x regular")).double()(
        torch.stack(list(functions.values()))[None]
    )
    assert_close(pooled, torch.tensor([list(functions)], dtype=torch.float64), ROUNDING)


def test_the_mean_over_the_grid_is_another(generator):
    """Negative control: points crowd at the poles, so weights are needed."""
    y = grid(BAND, regular=False)[..., 1, 1]
    assert abs(float((y**2).mean()) - 1 / 3) > 0.1


@pytest.mark.parametrize("text", ["3x0", "1x0 + 2x0", "3x regular"])
def test_maximum(text, generator):
    field_type = Sphere(2).fields(text)
    x = torch.randn(field_type.shape(2), generator=generator)
    assert torch.equal(GlobalMaxPool(field_type)(x), x.flatten(2).max(-1).values)


@pytest.mark.parametrize("kind", [Integrate, GlobalMaxPool])
def test_types(kind):
    module = kind(Sphere(2).fields("3x0"))
    assert module.out_type is None and not module.state_dict()
    assert kind.aliases == (kind is GlobalMaxPool)
    for text in ("1x1", "2x0 + 1x3"):
        with pytest.raises(ValueError, match="^in_type: .* needs trivial or regular fields, got"):
            kind(Sphere(4).fields(text))


def test_another_space_is_refused():
    with pytest.raises(ValueError, match="^in_type: expected fields over a Sphere, got Ring"):
        Integrate(FieldType(Ring(), ((1, trivial(so2())),)))
