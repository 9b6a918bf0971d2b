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
            lambda: hessian_split(nn.Linear(100, 100), torch.ones(3, 100), torch.ones(3)),
            "net: expected 1 to 5000 parameters, got 10100, .* bytes",
        ),
    ],
)
def test_bad_input(wrong, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        wrong()
