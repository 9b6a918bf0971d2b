"""Groups and fields on which modules that act fibre by fibre are tried."""

import pytest
import torch

from equinet.field import Line, Plane, Point, Points, Volume, act, random_field

# Of every group scalars, other irreps, several copies and functions on the group.
FIBRES = {
    "SO(2)": (2, "2x0 + 3x1 + 1x2 + 1x regular(3)"),
    "O(2)": (2, "2x0e + 1x0o + 3x1 + 1x regular(1)"),
    "C8": (2, "1x0 + 3x1 + 1x4 + 2x regular"),
    "D4": (2, "1x0e + 2x regular + 1x vector + 1x0o"),
    "SO(3)": (3, "3x0 + 2x1 + 1x2"),
    "O(3)": (3, "3x0e + 1x0o + 2x1o + 1x2e"),
    "O": (3, "1x A1 + 1x A2 + 2x T1 + 1x E + 1x regular"),
    "I": (3, "1x A + 2x T1 + 1x G"),
}

every_group = pytest.mark.parametrize("group", FIBRES)


def fibres(group):
    """The fields of ``FIBRES`` over a point."""
    n, text = FIBRES[group]
    return Point(group, n).fields(text)


def on_grids():
    """Fields over every kind of space but the sphere, with the sizes of a small grid."""
    return [
        (Line("O(1)").fields("2x0e + 1x0o"), (5,)),
        (Plane("C4").fields("1x0 + 2x1 + 1x regular"), (4, 4)),
        (Plane("D4").fields("1x0e + 2x1 + 1x regular"), (5, 5)),
        (Volume("Oh").fields("1x A1g + 1x T1u + 2x Eg"), (3, 3, 3)),
        (Points("O(3)", 3).fields("1x0e + 2x1o"), ()),
    ]


def law_error(module, generator, sizes=(), batch=3):
    """The largest error of Phi(g f) = g Phi(f) in float64, relative to the largest output.

    The learned parameters are moved first, so that none stands at a value where it does nothing.
    """
    module = module.double()
    space = module.in_type.space
    options = {"sizes": sizes, "smoothness": 0.0} if sizes else {}
    x = random_field(module.in_type, batch, generator=generator, dtype=torch.float64, **options)
    g = space.group.sample(batch, generator=generator)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
        y = module(x)
        module.out_type.check(y)
        error = module(act(module.in_type, g, x)) - act(module.out_type, g, y)
    return float(error.abs().max() / y.abs().max())


def derivatives_at_zero_are_finite(module, batch=2, sizes=()):
    """Gradient and second derivatives where fields vanish and have no direction."""
    module = module.double()
    x = torch.zeros(module.in_type.shape(batch, *sizes), dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(module(x).square().sum() + module(x).sum(), x, create_graph=True)
    assert first.isfinite().all()
    second = torch.autograd.grad(first.sum(), [x, *module.parameters()], allow_unused=True)
    assert all(grad is None or grad.isfinite().all() for grad in second)
