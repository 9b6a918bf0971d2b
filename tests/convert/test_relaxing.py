"""Networks of a group as networks of a subgroup, and layers with a share of less symmetry."""

import copy

import pytest
import torch

import equinet as eq
from equinet import nn as enn
from equinet.convert import ResidualPathway, relax
from equinet.group import FiniteGroup
from equinet.testing import equivariance_error
from tests.tolerances import CONDITION, assert_close

F64 = torch.float64
ODD = {1: (9,), 2: (9, 9), 3: (5, 5, 5)}


def plane_net(generator):
    x, h = eq.Plane("D8").fields("1x trivial"), eq.Plane("D8").fields("2x regular + 1x trivial")
    return enn.Sequential(
        enn.Conv2d(x, h, 5, padding=2, generator=generator),
        enn.BatchNorm(h),
        enn.ReLU(h),
        enn.Residual(enn.Conv2d(h, h, 3, padding=1, padding_mode="circular", generator=generator)),
        enn.Concat(enn.Identity(h), enn.Linear(h, h, generator=generator)),
    )


def made(kind, space, into, out, *args, generator, **options):
    return kind(space.fields(into), space.fields(out), *args, generator=generator, **options)


CASES = {
    "D8 to C4": (plane_net, "C4"),
    "O(2) to SO(2)": (
        lambda g: made(enn.Conv2d, eq.Plane("O(2)"), "2x0e + 1x1", "1x0e + 2x2", 5, generator=g),
        "SO(2)",
    ),
    "SO(2) to C3": (
        lambda g: made(enn.Conv2d, eq.Plane("SO(2)"), "2x0 + 1x1", "1x0 + 2x2", 5, generator=g),
        "C3",
    ),
    "SO(3) to O": (
        lambda g: made(enn.Conv3d, eq.Volume("SO(3)"), "1x0 + 1x1", "1x1 + 1x2", 3, generator=g),
        "O",
    ),
    "line": (
        lambda g: made(
            enn.Conv1d, eq.Line("O(1)"), "2x regular", "1x regular", 3, dilation=2, generator=g
        ),
        "C1",
    ),
    "transposed, in groups": (
        lambda g: made(
            enn.ConvTranspose2d, eq.Plane("D4"), "2x regular", "2x trivial", 4, 2, 1, 0, 2,
            generator=g,
        ),
        "C2",
    ),
    "linear": (
        lambda g: made(enn.Linear, eq.Point("O(3)", dim=3), "2x1o", "3x1o", generator=g),
        "D2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_same_function_with_more_weights(name, generator):
    make, subgroup = CASES[name]
    net = make(generator).double()
    with torch.no_grad():
        for name_of, weight in net.named_parameters():
            if name_of.endswith("bias"):
                weight.normal_(generator=generator)
    freer = relax(net, subgroup)
    n = len(net.in_type.axes)
    x = torch.randn(net.in_type.shape(2, *ODD.get(n, ())), generator=generator, dtype=F64)
    assert_close(freer(x), net(x), CONDITION)
    assert_close(freer.eval()(x), net.eval()(x), CONDITION)
    before, after = (sum(w.numel() for w in m.parameters()) for m in (net, freer))
    assert after > before
    assert freer.in_type.space.group.is_finite or freer.in_type.space.group == eq.so2()


def test_training_takes_symmetry_away(generator):
    """Away from the weights that it begins with, what is left is the subgroup."""
    net = plane_net(generator).double().eval()
    freer = relax(net, "C4")
    with torch.no_grad():
        for weight in freer.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator, dtype=F64))
    group = net.in_type.space.group
    assert isinstance(group, FiniteGroup)
    quarter = group.elements[2]
    mirror = next(g for g in group.elements if torch.linalg.det(g) < 0 and g.abs().max() > 0.999)
    as_before = enn.Typed(freer, net.in_type, net.out_type)
    sizes = (9, 9)
    assert equivariance_error(as_before, elements=quarter[None], sizes=sizes).max < 1e-10
    assert equivariance_error(net, elements=mirror[None], sizes=sizes).max < 1e-10
    assert equivariance_error(as_before, elements=mirror[None], sizes=sizes).max > 1e-3


def test_a_share_of_less_symmetry(generator):
    """Data without the symmetry raise the share; without a share there is none."""
    x = eq.Plane("C4").fields("2x regular")
    exact = enn.Conv2d(x, x, 3, padding=1, generator=generator).double()
    nearly = ResidualPathway(copy.deepcopy(exact), generator=generator, share=0.1)
    errors = []
    for share in (0.0, 0.01, 0.1):
        with torch.no_grad():
            nearly.share.fill_(share)
        errors.append(equivariance_error(nearly, sizes=(9, 9)).max)
    assert errors[0] < 1e-10 and 5 < errors[2] / errors[1] < 20
    signal = torch.randn(4, 8, 9, 9, generator=generator, dtype=F64)
    loss = (nearly(signal) - signal.roll(1, -1)).square().mean()  # a shift has a direction
    loss.backward()
    assert nearly.share.grad is not None and nearly.share.grad != 0
    with pytest.raises(TypeError, match="^layer: expected a convolution on a grid or Linear"):
        ResidualPathway(enn.ReLU(x))


def test_what_cannot_be_relaxed():
    sphere = eq.Sphere(4).fields("1x0")
    with pytest.raises(TypeError, match="^module: expected convolutions on grids, .*SphereConv"):
        relax(enn.SphereConv(sphere, sphere), "C4")
    h = eq.Plane("C4").fields("1x regular")
    layer = enn.Conv2d(h, h, 3)
    text = "^subgroup: expected a subgroup of C4, got C8, whose order 8 does not divide 4$"
    with pytest.raises(ValueError, match=text):
        relax(layer, "C8")
    with pytest.raises(ValueError, match="got D1, whose elements are not all in C4 .a conjugate"):
        relax(layer, "D1")
    with pytest.raises(ValueError, match=r"got SO\(2\), whose elements are not all in C4"):
        relax(layer, eq.so2())
