"""A plain network, made equivariant by one that finds how its input stands."""

import pytest
import torch

from equinet import Plane, Volume, act
from equinet import nn as enn
from equinet.field import random_field
from equinet.testing import equivariance_error
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64


def made(space, text, out=None, *, kept, generator, kind=enn.Conv2d):
    x, scores = space.fields(text), space.fields("1x regular")
    find = kind(x, scores, 3, padding=1, generator=generator)
    plain = torch.nn.Conv2d if kind is enn.Conv2d else torch.nn.Conv3d
    network = torch.nn.Sequential(plain(x.channels, 4, 3, padding=1), torch.nn.Tanh())
    if out is None:
        network.extend([torch.nn.Flatten(), torch.nn.LazyLinear(5)])
    else:
        network.append(plain(4, out.channels, 3, padding=1))
    return enn.Canonicaliser(find, network, out, kept=kept).double()


def test_it_is_the_sum_over_the_group(generator):
    """Written out: every element by itself, with its share; and the largest alone."""
    plane = Plane("D4")
    fields = plane.fields("1x trivial + 1x vector")
    x = random_field(fields, 3, sizes=(7, 7), generator=generator, dtype=F64)
    net = made(plane, "1x trivial + 1x vector", fields, kept=8, generator=generator)
    scores = net.find(x).mean((2, 3)).softmax(1)
    each = torch.stack(
        [act(fields, g, net.network(act(fields, g.mT, x))) for g in plane.group.elements], 1
    )
    assert_close(net(x), (scores[:, :, None, None, None] * each).sum(1), ROUNDING)
    net.kept = 1
    assert_close(net(x), each[torch.arange(3), scores.argmax(1)], ROUNDING)


@pytest.mark.parametrize("kept", [1, 3])
def test_any_network_is_equivariant(kept, generator):
    plane, volume = Plane("C4"), Volume("O")
    fields = plane.fields("2x vector")
    for net, sizes in (
        (made(plane, "2x vector", fields, kept=kept, generator=generator), (9, 9)),
        (made(plane, "2x vector", kept=kept, generator=generator), (8, 8)),
        (made(volume, "1x trivial", kept=kept, generator=generator, kind=enn.Conv3d), (5, 5, 5)),
    ):
        net(torch.zeros(net.in_type.shape(1, *sizes), dtype=F64))  # of the lazy layer
        assert equivariance_error(net, sizes=sizes).max < 1e-10
    plain = made(plane, "2x vector", fields, kept=1, generator=generator).network
    vouched = enn.Typed(plain, fields, fields)
    assert equivariance_error(vouched, sizes=(9, 9)).max > 0.1  # the control


def test_scores_learn_where_two_are_kept(generator):
    plane = Plane("C4")
    x = torch.randn(4, 1, 7, 7, generator=generator, dtype=F64)
    for kept in (1, 2):
        net = made(plane, "1x trivial", kept=kept, generator=generator)
        net(x).square().mean().backward()
        assert (net.find.weight.grad.norm() > 1e-8) == (kept == 2)


def test_bad_input():
    plane = Plane("C4")
    x, scores = plane.fields("1x trivial"), plane.fields("1x regular")
    find, plain = enn.Conv2d(x, scores, 3), torch.nn.Identity()
    so2 = Plane("SO(2)").fields("1x0")
    for call, error, message in (
        (lambda: enn.Canonicaliser(plain, plain), TypeError, "^find: expected an equivariant"),
        (
            lambda: enn.Canonicaliser(enn.Conv2d(x, x, 3), plain),
            ValueError,
            "^find: expected one regular field",
        ),
        (
            lambda: enn.Canonicaliser(enn.Conv2d(so2, so2, 3), plain),
            ValueError,
            "^find: expected fields of a finite group",
        ),
        (lambda: enn.Canonicaliser(find, len), TypeError, "^network: expected a torch.nn.Module"),
        (lambda: enn.Canonicaliser(find, plain, so2), ValueError, "^out_type: expected fields"),
        (lambda: enn.Canonicaliser(find, plain, kept=5), ValueError, "^kept: expected an integer"),
    ):
        with pytest.raises(error, match=message):
            call()
