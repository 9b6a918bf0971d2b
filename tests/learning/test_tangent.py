"""The tangent kernel is J J^T, whatever the chunk, and knows the symmetry of its network."""

import pytest
import torch
from torch import nn

from equinet import Plane
from equinet import nn as enn
from equinet.learning import Linearized, ntk_parametrize, tangent_kernel, tangent_product
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64

# torch's own forward mode still scripts its decompositions.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")


def _net(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


def _dense_jacobian(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(n * o, parameters), one backward pass for each output: no torch.func."""
    rows = []
    for value in net(x).flatten():
        grads = torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
        rows.append(torch.cat([g.flatten() for g in grads]))
    return torch.stack(rows)


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 100])
def test_kernel_is_the_product_of_jacobians(chunk, generator):
    net, x, x2 = _net(), *(torch.randn(n, 3, generator=generator, dtype=F64) for n in (5, 4))
    J, J2 = _dense_jacobian(net, x), _dense_jacobian(net, x2)
    blocks = (J @ J2.T).view(5, 2, 4, 2).transpose(1, 2)
    assert_close(tangent_kernel(net, x, x2, chunk=chunk), blocks, ROUNDING)
    own = (J @ J.T).view(5, 2, 5, 2).transpose(1, 2)
    assert_close(tangent_kernel(net, x, chunk=chunk), own, ROUNDING)
    trace = tangent_kernel(net, x, x2, outputs="trace", chunk=chunk)
    assert_close(trace, blocks.diagonal(dim1=2, dim2=3).sum(-1), ROUNDING)
    parts = tangent_kernel(net, x, x2, by_parameter=True, chunk=chunk)
    assert set(parts) == {name for name, _ in net.named_parameters()}
    assert_close(sum(parts.values()), blocks, ROUNDING)
    v = torch.randn(4, 2, generator=generator, dtype=F64)
    assert_close(tangent_product(net, x, v, x2), torch.einsum("ijab,jb->ia", blocks, v), ROUNDING)


def _images(net: nn.Module, generator) -> float:
    """How much Theta(x, g x') differs from Theta(x, x') for a quarter turn g."""
    x, x2 = (torch.randn(2, 1, 5, 5, generator=generator, dtype=F64) for _ in range(2))
    plain = tangent_kernel(net, x, x2)
    turned = tangent_kernel(net, x, torch.rot90(x2, 1, (2, 3)))
    return float((turned - plain).norm() / plain.norm())


def test_kernel_of_an_invariant_network_is_invariant(generator):
    """Exactly, at finite width; that of a plain network is not."""
    plane = Plane("C4")
    image, h, o = (plane.fields(t) for t in ("1x trivial", "3x regular", "3x trivial"))
    invariant = enn.Sequential(
        enn.Conv2d(image, h, 3, padding=1, generator=generator),
        enn.ReLU(h),
        enn.Conv2d(h, o, 3, padding=1, generator=generator),
        enn.GlobalAvgPool(o),
    ).double()
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 3, 3, padding=1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).double()  # fmt: skip
    assert _images(invariant, generator) < SYMMETRY
    assert _images(plain, generator) > 1e-3


def test_linearized(generator):
    """At the start the module itself; linear in its parameters, with the same kernel everywhere."""
    net, x = _net(), torch.randn(4, 3, generator=generator, dtype=F64)
    linear = Linearized(net)
    assert_close(linear(x), net(x), ROUNDING)
    start = {name: p.detach().clone() for name, p in linear.named_parameters()}
    step = {name: torch.randn(p.shape, generator=generator, dtype=F64) for name, p in start.items()}

    def at(scale: float) -> torch.Tensor:
        with torch.no_grad():
            for name, p in linear.named_parameters():
                p.copy_(start[name] + scale * step[name])
        return linear(x).detach()

    assert_close(at(2.0) - at(0.0), 2 * (at(1.0) - at(0.0)), ROUNDING)
    assert_close(tangent_kernel(linear, x), tangent_kernel(net, x), ROUNDING)
    J = _dense_jacobian(net, x)
    change = torch.cat([step[f"net.{name}"].flatten() for name, _ in net.named_parameters()])
    assert_close((at(1.0) - at(0.0)).flatten(), J @ change, ROUNDING)


def test_linearized_learns_what_its_kernel_predicts(generator):
    """Ridgeless regression on the square loss ends in f0 + k K^-1 (y - f0)."""
    net = _net(1)
    x, test = (torch.randn(n, 3, generator=generator, dtype=F64) for n in (4, 6))
    y = torch.randn(4, 1, generator=generator, dtype=F64)
    linear = Linearized(net)
    K, k = (tangent_kernel(net, a, x, outputs="trace") for a in (x, test))
    expected = net(test) + k @ torch.linalg.solve(K, y - net(x))
    # Its steps are sums of gradients, as those of the flow are, so they end in the same point.
    descent = torch.optim.LBFGS(
        linear.parameters(), max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> torch.Tensor:
        descent.zero_grad()
        value = (linear(x) - y).square().sum() / 2
        value.backward()
        return value

    descent.step(loss)
    assert_close(linear(test), expected, 1e-8)


def test_ntk_parametrization(generator):
    """Weights keep their deviation; every layer has a share of the kernel that does not vanish."""
    torch.manual_seed(0)
    width = 400
    net = nn.Sequential(nn.Linear(10, width), nn.ReLU(), nn.Linear(width, 1)).double()
    ours = ntk_parametrize(net, generator)
    x = torch.randn(5, 10, generator=generator, dtype=F64)
    first = net[0].weight.detach().square().mean().sqrt()
    assert abs(ours[0].weight.detach().square().mean().sqrt() / first - 1) < 0.05
    parts = tangent_kernel(ours, x, outputs="trace", by_parameter=True)
    J = {name: part.trace() for name, part in parts.items()}
    plain = tangent_kernel(net, x, outputs="trace", by_parameter=True)
    share = plain["2.weight"].trace() / sum(part.trace() for part in plain.values())
    assert share > 0.9  # of torch's own parametrisation almost all is in the last layer
    weights = [v for name, v in J.items() if ".weight." in name]
    assert min(weights) / max(weights) > 0.1
    again = ntk_parametrize(net, torch.Generator().manual_seed(1))
    assert not torch.equal(again[0].weight, ours[0].weight)
    assert torch.equal(net[0].weight.detach().square().mean().sqrt(), first)  # left as it was


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda: tangent_kernel(nn.BatchNorm1d(3), torch.ones(2, 3)), "net: .*net.eval"),
        (lambda: tangent_kernel(nn.Tanh(), torch.ones(2, 3)), "net: expected a module that learns"),
        (lambda: tangent_kernel(_net(), torch.ones(3)), r"x: expected a batch"),
        (lambda: tangent_kernel(_net(), torch.ones(2, 3), torch.ones(2, 4)), "x2: expected"),
        (lambda: tangent_kernel(_net(), torch.ones(2, 3).double(), chunk=0), "chunk: expected"),
        (lambda: tangent_kernel(_net(), torch.ones(2, 3), outputs="sum"), "outputs: expected"),
        (lambda: ntk_parametrize(_net(), constant=-1.0), "constant: expected"),
        (
            lambda: tangent_product(_net(), torch.ones(2, 3).double(), torch.ones(2, 3).double()),
            "v: expected the shape",
        ),
    ],
)
def test_bad_input(wrong, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        wrong()
