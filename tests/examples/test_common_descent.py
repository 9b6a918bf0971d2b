"""Many networks at once: against torch's own Adam, against each network alone, and over a stop."""

import math

import pytest
import torch
from torch import nn

from examples.common import descent
from examples.common.descent import Network, descend, forward, initial
from examples.common.errors import InputError
from examples.common.sweep import Desk

STEPS = 120


def data(networks: int, points: int, inputs: int):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(networks, points, inputs, generator=generator, dtype=torch.float64)
    y = torch.ones(points, dtype=torch.float64)
    y[1::2] = -1
    return x, y


def rate(step: int) -> float:
    return 3e-3 if step < STEPS // 2 else 1e-3


class Scaled(nn.Module):
    """The activations and factors written with torch's modules."""

    def __init__(self, network: Network, weights: list[torch.Tensor]) -> None:
        super().__init__()
        self.network = network
        self.matrices = nn.ParameterList(w[0].clone() for w in weights[::2])
        self.biases = nn.ParameterList(b[0].clone() for b in weights[1::2])

    def forward(self, a):
        act = {"relu": torch.relu, "softplus": nn.Softplus(beta=5, threshold=40)}
        gain = {"relu": math.sqrt(2), "softplus": 1.40438}[self.network.activation]
        ntk = self.network.scale == "ntk"
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            if k:
                a = act[self.network.activation](a) * (gain if ntk else 1)
            a = a @ matrix.T / (math.sqrt(a.shape[1]) if ntk else 1) + bias
        return a[:, 0]


@pytest.mark.parametrize("activation", ["relu", "softplus"])
@pytest.mark.parametrize("scale", ["standard", "ntk"])
def test_one_network_follows_adam_of_torch(scale, activation):
    network = Network(3, 7, 4, scale, activation)
    (x, y), weights = data(1, 40, 4), initial(network, [3])
    module = Scaled(network, weights)
    optimizer = torch.optim.Adam(module.parameters(), lr=1.0)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate(step)
        loss = 0.5 * (1 - y * module(x[0])).clamp_min(0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    end = descend(network, weights, x[0], y, rate=rate, steps=STEPS)
    expected = [w.detach() for w in [*module.matrices, *module.biases]]
    for found, one in zip([*end.weights[::2], *end.weights[1::2]], expected, strict=True):
        assert (found[0] - one).abs().max() < 1e-12
    assert (end.margins[0] - y * module(x[0])).abs().max() < 1e-12
    assert abs(float(end.loss[0]) - 0.5 * float((1 - end.margins).clamp_min(0).square().mean())) < (
        1e-15
    )
    assert (end.weights[0] - weights[0]).abs().max() > 1e-2  # it has moved


def test_what_is_learned_from_the_start_on_with_a_factor():
    """F = alpha (f - f_0) with torch's own Adam; f itself goes elsewhere."""
    network = Network(2, 7, 4, "ntk")
    (x, y), weights = data(1, 40, 4), initial(network, [3])
    module = Scaled(network, weights)
    start = module(x[0]).detach()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    for _ in range(STEPS):
        loss = 0.5 * (1 - 20 * y * (module(x[0]) - start)).clamp_min(0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    asked = {"rate": lambda step: 1e-4, "steps": STEPS}
    end = descend(network, weights, x[0], y, alpha=20.0, **asked)
    assert (end.margins[0] - 20 * y * (module(x[0]) - start)).abs().max() < 1e-8
    assert (forward(network, end.weights, x[0])[0] - module(x[0])).abs().max() < 1e-8
    other = descend(network, weights, x[0], y, **asked)
    assert (end.weights[0] - other.weights[0]).abs().max() > 1e-4


def test_counts_and_orthogonal_start():
    network = Network(3, 51, 51)
    assert network.weights == 7854  # the number printed in the paper
    weights = initial(network, [0, 1])
    assert sum(w[0].numel() for w in weights) == network.parameters
    for matrix in weights[::2]:
        short = matrix if matrix.shape[1] < matrix.shape[2] else matrix.mT
        assert (short @ short.mT - torch.eye(short.shape[1]).double()).abs().max() < 1e-12
    assert torch.equal(initial(network, [1])[0][0], weights[0][1])
    assert not torch.equal(weights[0][0], weights[0][1])
    assert all(bool((bias == 0).all()) for bias in weights[1::2])


def test_masks_and_leaving_change_nothing_for_the_others():
    """Networks of different P, of which easy ones stop early, each as if it were alone."""
    network = Network(2, 6, 3)
    (x, y), weights = data(4, 30, 3), initial(network, range(4))
    counts = [30, 4, 12, 2]
    mask = torch.arange(30) < torch.tensor(counts)[:, None]
    x = torch.where(mask[:, :, None], x, torch.full_like(x, 1e3))  # what is masked does not matter
    together = descend(network, weights, x, y, mask, rate=lambda step: 1e-2, steps=400)
    for k, count in enumerate(counts):
        alone = descend(
            network, [w[k : k + 1] for w in weights], x[k, :count], y[:count],
            rate=lambda step: 1e-2, steps=400,
        )  # fmt: skip
        assert together.steps[k] == alone.steps[0]
        assert (together.margins[k, :count] - alone.margins[0]).abs().max() < 1e-9
        assert abs(together.loss[k] - alone.loss[0]) < 1e-12
        assert bool(together.margins[k, count:].isinf().all())
    assert len(together.steps.unique()) >= 3 and together.steps.max() == 400
    done = together.steps < 400
    assert bool((together.margins[done] >= 1).all()) and bool((together.loss[~done] > 0).all())


class StopError(Exception):
    """Instead of a kill."""


def test_resumes_with_the_same_bits(tmp_path, monkeypatch):
    network = Network(2, 6, 3)
    (x, y), weights = data(3, 14, 3), initial(network, range(3))
    mask = torch.arange(14) < torch.tensor([14, 3, 9])[:, None]
    monkeypatch.setattr(descent, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(descent, "TELL_SECONDS", 0.0)

    def run(tell, folder="one", steps=300, **more):
        def watch(step, weights):
            return forward(network, weights, x[0])

        return descend(
            network, weights, x, y, mask, rate=lambda step: 1e-2, steps=steps, watch=watch,
            watch_at=[5, 100, 299], desk=Desk(tmp_path / folder, tell), **more,
        )  # fmt: skip

    def stop(share):
        if share > 0.6:
            raise StopError

    told = []
    whole = run(told.append, "whole")
    assert told == sorted(told) and 0.9 < told[-1] <= 1
    with pytest.raises(StopError):
        run(stop)
    with pytest.raises(InputError, match="other settings"):
        run(told.append, steps=200)
    told.clear()
    again = run(told.append)
    assert told[0] > 0.5  # it did not begin anew
    for one, other in zip(whole.weights, again.weights, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(whole.margins, again.margins) and torch.equal(whole.steps, again.steps)
    assert [*again.watched] == [5, 100, 299]
    for step, values in whole.watched.items():
        assert torch.equal(values, again.watched[step])
    stopped = int(whole.steps.argmin())
    final = forward(network, whole.weights, x[0])
    assert whole.steps[stopped] < 299 and torch.equal(again.watched[299][stopped], final[stopped])


def test_a_network_is_told_what_it_cannot_be():
    with pytest.raises(InputError, match="width: expected a positive number, got 0"):
        Network(2, 0, 3)
    with pytest.raises(InputError, match="activation: expected one of .* got 'tanh'"):
        Network(2, 3, 3, activation="tanh")
