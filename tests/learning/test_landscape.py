"""The Hessian of the hinge loss in two parts, on a toy of known inertia and on networks."""

import pytest
import torch
from torch import nn

from equinet.learning import hessian_split, violations
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64

# torch's own forward mode still scripts its decompositions.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")


class Quadratic(nn.Module):
    """f(x) = x (w^T A w / 2 + b^T w), whose second derivative is A."""

    def __init__(self, A: torch.Tensor, b: torch.Tensor, w: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("A", A)
        self.register_buffer("b", b)
        self.w = nn.Parameter(w)

    def forward(self, x):
        return x[:, :1] * (self.w @ self.A @ self.w / 2 + self.b @ self.w)


def test_a_toy_of_known_inertia(generator):
    """H_p = -(mean of y Delta x) A: with one violated sample the signs are those of -A."""
    A = torch.diag(torch.tensor([3.0, 2.0, -1.0, 0.0], dtype=F64))
    b, w = (torch.randn(4, generator=generator, dtype=F64) for _ in range(2))
    x, y = torch.tensor([[1.0], [1e-3]], dtype=F64), torch.tensor([1.0, 1.0])
    net = Quadratic(A, b, 0.01 * w)
    found = hessian_split(net, x, y)
    f = net(x).detach()[:, 0]
    push = -(y * (1 - f)).double() / 2
    assert found.violated == 2 and found.rank == 1
    assert_close(found.hp, (push * x[:, 0]).sum() * A, ROUNDING)
    assert (found.inertia_p.positive, found.inertia_p.negative, found.inertia_p.zero) == (1, 2, 1)
    gradient = A @ net.w.detach() + b
    assert_close(found.h0, (x**2).mean() * torch.outer(gradient, gradient), ROUNDING)
    assert found.negative_share == pytest.approx(2 / 3)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_split_of_a_network(activation, generator):
    """The parts sum to the whole; Weyl's inequality holds at a point that is no minimum too."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), activation(), nn.Linear(4, 1)).double()
    x = torch.randn(40, 3, generator=generator, dtype=F64)
    y = torch.where(torch.rand(40, generator=generator) > 0.5, 1.0, -1.0)
    found = hessian_split(net, x, y)
    assert_close(found.h0 + found.hp, found.whole, ROUNDING)
    margins = net(x).detach()[:, 0] * y
    assert found.violated == int(violations(margins, 0.0))
    assert found.obeys_weyl and 0 < found.rank <= min(found.violated, len(found.whole))
    loss = (1 - margins).clamp_min(0).square().mean() / 2
    assert found.loss == pytest.approx(float(loss))
    net.zero_grad()
    ((1 - net(x)[:, 0] * y).clamp_min(0).square().mean() / 2).backward()
    norm = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
    assert found.gradient == pytest.approx(float(norm))
    assert "N_Delta" in str(found)
    # The control: another share of the samples gives another split.
    other = hessian_split(net, x[:30], y[:30])
    assert (other.h0 - found.h0).abs().max() > 1e-3


def test_without_matrices(generator):
    """Lanczos sees the spectrum that the matrices have; with as many steps as needed, exactly."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    nn.init.constant_(net[2].bias, 1.0)
    x = torch.randn(60, 4, generator=generator, dtype=F64)
    y = torch.where(torch.rand(60, generator=generator) > 0.5, 1.0, -1.0)
    exact = hessian_split(net, x, y)
    told = []
    found = hessian_split(
        net, x, y, dense=0, steps=49, probes=10, generator=generator,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert found.h0 is found.hp is found.whole is None and "by Lanczos" in str(found)
    assert found.split_error < 1e-10 and exact.split_error < 1e-10
    assert told[-1][0] == told[-1][1] == 2 * 10 * 49
    for name in ("violated", "rank", "loss", "gradient"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name)), name
    for name in ("spectrum", "spectrum_p"):
        full, seen = getattr(exact, name), getattr(found, name)
        weights = getattr(found, name.replace("spectrum", "weights"))
        assert weights.sum().item() == pytest.approx(49)
        ends = seen[weights > 1e-8][[0, -1]]
        assert_close(ends, full[[0, -1]], 1e-8)
        # (S1) for the square: its variance over random vectors is 2 |A|_F^2 / probes at most.
        second, spread = full.square().sum(), (2 * full.pow(4).sum() / 10).sqrt()
        assert abs((weights * seen.square()).sum() - second) < 4 * spread
    assert abs(found.negative_share - exact.negative_share) < 4 * found.deviation / 49 + 0.02
    assert found.obeys_weyl and found.deviation > 0
    # The control: the spectrum of another point is another one.
    nn.init.constant_(net[2].bias, -1.0)
    assert (hessian_split(net, x, y).spectrum - exact.spectrum).abs().max() > 1e-3


def test_violations():
    margins = torch.tensor([[2.0, 1.0, 0.5], [1 - 1e-12, 1 - 1e-6, -3.0]], dtype=F64)
    assert violations(margins).tolist() == [1, 2]
    assert violations(margins, 1e-3).tolist() == [1, 1]


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda: violations(torch.ones(3), -1.0), "tolerance: expected"),
        (lambda: violations(torch.ones(3).long()), "margins: expected real"),
        (
            lambda: hessian_split(nn.Linear(2, 1), torch.ones(3, 2), torch.ones(3) * 2),
            "y: expected labels 1 and -1",
        ),
        (
            lambda: hessian_split(nn.Linear(2, 2), torch.ones(3, 2), torch.ones(3)),
            "net: expected one output",
        ),
        (
            lambda: hessian_split(
                nn.Linear(8000, 1), torch.ones(3, 8000), torch.ones(3), dense=10**4
            ),
            "net: expected what fits into 1 GiB, got 8,001 parameters",
        ),
        (
            lambda: hessian_split(nn.Linear(2, 1), torch.ones(3, 2), torch.ones(3), probes=1),
            "probes: expected",
        ),
    ],
)
def test_bad_input(wrong, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        wrong()
