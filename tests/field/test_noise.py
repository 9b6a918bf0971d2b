"""Random fields on grids and without space; ``test_transform`` has the sphere's."""

import math

import pytest
import torch

from equinet import Sphere, so2, so3
from equinet.field import Line, Plane, Point, Points, Volume, random_field
from tests.tolerances import STATISTICAL


def _draw(seed=0, smoothness=None, batch=3, sizes=(9, 6), **more):
    generator = torch.Generator().manual_seed(seed)
    field_type = Plane(so2()).fields("1x0 + 2x1")
    return random_field(
        field_type, batch, sizes=sizes, smoothness=smoothness, generator=generator, **more
    )


def test_shapes_and_seeds():
    assert _draw().shape == (3, 5, 9, 6) and _draw().dtype == torch.float32
    assert _draw(dtype=torch.float64).dtype == torch.float64
    assert torch.equal(_draw(1), _draw(1)) and not torch.equal(_draw(1), _draw(2))
    assert torch.equal(_draw(1), _draw(1, smoothness=2.0))
    assert _draw(batch=0).shape == (0, 5, 9, 6)
    line, volume = Line("O(1)").fields("1x trivial"), Volume(so3()).fields("1x2")
    assert random_field(line, 2, sizes=(7,)).shape == (2, 1, 7)
    assert random_field(volume, 2, sizes=(3, 4, 5)).shape == (2, 5, 3, 4, 5)


@pytest.mark.parametrize("smoothness", [0, 0.5, 2.0])
def test_unit_variance_up_to_the_border(smoothness):
    x = _draw(smoothness=smoothness, batch=2000, dtype=torch.float64)
    power = x.square().flatten(1)
    error = power.std(0) / math.sqrt(len(power))
    assert ((power.mean(0) - 1).abs() < STATISTICAL * error).all()


@pytest.mark.parametrize("smoothness", [0, 1.0, 1.5])
def test_correlation(smoothness):
    """Of values s apart: exp(-s^2 / 4 w^2), along every axis."""
    x = _draw(smoothness=smoothness, batch=4000, sizes=(5, 5), dtype=torch.float64)[:, 0]
    for step in (1, 2, 4):
        expected = math.exp(-(step**2) / (4 * smoothness**2)) if smoothness else 0.0
        for other in (x[:, step, 0], x[:, 0, step]):
            product = x[:, 0, 0] * other
            error = product.std() / math.sqrt(len(product))
            assert abs(product.mean() - expected) < STATISTICAL * error


def test_channels_are_independent():
    x = _draw(batch=4000, sizes=(1, 1), dtype=torch.float64).flatten(1)
    correlation = (x.mT @ x / len(x) - torch.eye(5)).abs().max()
    assert correlation < STATISTICAL * math.sqrt(2 / 4000)


@pytest.mark.parametrize("space", [Point(so3()), Points(so3())], ids=repr)
def test_without_a_grid(space, generator):
    field_type = space.fields("2x1 + 1x0")
    x = random_field(field_type, 5000, generator=generator, dtype=torch.float64)
    assert x.shape == (5000, 7)
    assert ((x.square().mean(0) - 1).abs() < STATISTICAL * math.sqrt(2 / 5000)).all()
    with pytest.raises(ValueError, match="^sizes: has no meaning for Point"):
        random_field(field_type, 2, sizes=(3,))


def test_bad_arguments():
    plane, sphere = Plane(so2()).fields("1x0"), Sphere(3).fields("1x0")
    for field_type, arguments, name in (
        (plane, {}, "sizes: expected the sizes"),
        (plane, {"sizes": (3,)}, "sizes: "),
        (plane, {"sizes": (3, 3), "band": 2}, "band: has no meaning"),
        (plane, {"sizes": (3, 3), "smoothness": -1.0}, "smoothness: expected"),
        (plane, {"sizes": (3, 3), "smoothness": math.nan}, "smoothness: expected"),
        (sphere, {"sizes": (3, 3)}, "sizes: has no meaning"),
        (sphere, {"smoothness": 1.0}, "smoothness: has no meaning"),
        (Point(so2()).fields("1x0"), {"smoothness": 1.0}, "smoothness: has no meaning"),
    ):
        with pytest.raises(ValueError, match=f"^{name}"):
            random_field(field_type, 2, **arguments)
