"""Some of the fields, in an order of their own."""

import pytest
import torch

from equinet import Plane, Points, Sphere, nn
from equinet.testing import assert_equivariant
from tests.over import over

H = Plane("D4").fields("2x trivial + 2x vector + 1x trivial")


@over("fields", [[0], [3, 0], [4, 1, 4], range(2, 4), (1, 2, 3, 4), [0, 1, 4]])
def test_channels_are_those_of_the_fields(fields, generator):
    x = torch.randn(2, H.channels, 5, 5, generator=generator)
    parts = x.split([1, 1, 2, 2, 1], 1)
    module = nn.Select(H, fields)
    assert torch.equal(module(x), torch.cat([parts[i] for i in fields], 1))
    assert torch.equal(module.export()(x), module(x))
    assert module.out_type.copies == len(list(fields))
    assert_equivariant(module)


def test_types_have_neighbours_together():
    assert nn.Select(H, [0, 4, 2, 3, 1]).out_type == Plane("D4").fields(
        "2x trivial + 2x vector + 1x trivial"
    )
    assert str(nn.Select(Points("O(3)", dim=3).fields("1x0e + 1x1o + 1x0e"), [2, 0]).out_type) == (
        "2x0e"
    )
    sampled = Sphere(3).fields("2x regular")
    x = torch.randn(sampled.shape(1))
    assert torch.equal(nn.Select(sampled, [1])(x), x[:, 1:])


def test_kinds_of_fields_go_their_own_ways(generator):
    scalars, vectors = nn.Select(H, [0, 1, 4]), nn.Select(H, [2, 3])
    module = nn.Concat(
        nn.Sequential(scalars, nn.ReLU(scalars.out_type)),
        nn.Sequential(vectors, nn.NormPool(vectors.out_type)),
    )
    x = torch.randn(2, H.channels, 5, 5, generator=generator)
    norms = x[:, 2:6].unflatten(1, (2, 2)).norm(dim=2)
    torch.testing.assert_close(module(x), torch.cat([x[:, [0, 1, 6]].relu(), norms], 1))
    assert_equivariant(module)


def test_what_is_no_field():
    for fields in ([], ()):
        with pytest.raises(ValueError, match="^fields: expected at least one of 0 to 4, got none"):
            nn.Select(H, fields)
    for fields in ([5], [-1], [0.0], [True], [None]):
        with pytest.raises(ValueError, match="^fields: expected an integer"):
            nn.Select(H, fields)
    for fields in (3, "01", None):
        with pytest.raises(TypeError, match="^fields: expected the numbers of fields, such as"):
            nn.Select(H, fields)
