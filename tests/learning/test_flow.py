"""Ensembles equal separate networks, and their flow goes where the equations say."""

import math
import pickle

import pytest
import torch
from torch import nn

from equinet import Sphere
from equinet import nn as enn
from equinet.learning import Ensemble, gradient_flow, satisfied, square, tangent_kernel
from tests.tolerances import ROUNDING, SINGLE, assert_close

F64 = torch.float64


def _build(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 1)).double()


def _sphere(seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    x, h = Sphere(3).fields("1x trivial"), Sphere(2).fields("2x regular")
    return enn.Sequential(enn.SphereConv(x, h, generator=generator), enn.ReLU(h), enn.Integrate(h))


def _data(n: int, generator):
    x = torch.randn(n, 3, generator=generator, dtype=F64)
    return x, torch.where(x[:, 0] * x[:, 1] > 0, 1.0, -1.0).double()


def test_ensemble_is_its_networks(generator):
    ensemble, x = Ensemble(_build, range(4)), torch.randn(5, 3, generator=generator, dtype=F64)
    outputs = torch.stack([_build(seed)(x) for seed in range(4)])
    assert_close(ensemble(x), outputs, ROUNDING)
    assert_close(Ensemble(_build, range(4), chunk=3)(x), outputs, ROUNDING)
    assert_close(pickle.loads(pickle.dumps(ensemble))(x), outputs, ROUNDING)
    y = torch.tensor([1.0, -1, 1, 1, -1])
    f = outputs[..., 0]
    assert ensemble.mean_error(x, y) == pytest.approx(float((f * y <= 0).double().mean()))
    assert ensemble.ensemble_error(x, y) == float((f.mean(0) * y <= 0).double().mean())
    assert ensemble.variance(x) == pytest.approx(float(f.detach().var(0).mean()))
    ensemble(x).sum().backward()
    for i, member in enumerate(map(_build, range(4))):
        member(x).sum().backward()
        for name, p in member.named_parameters():
            stacked = ensemble.weights[ensemble.names.index(name)]
            assert_close(stacked.grad[i], p.grad, ROUNDING)


def test_ensemble_of_networks_of_this_library(generator):
    """Their constants are shared, not stacked."""
    ensemble = Ensemble(_sphere, range(3))
    x = torch.randn(2, 1, 6, 6, generator=generator)
    assert_close(ensemble(x), torch.stack([_sphere(seed)(x) for seed in range(3)]), SINGLE)
    assert ensemble.fixed and not ensemble.varied


def test_lazy_flow_is_that_of_the_kernel(generator):
    """For a large alpha and the square loss, F(t) = (1 - exp(-K t / n)) y; as 1/alpha to it."""
    x, y = _data(6, generator)
    K = tangent_kernel(_build(0), x, outputs="trace")
    values, vectors = torch.linalg.eigh(K)
    errors = []
    for alpha in (3.0, 1e4):
        flow = gradient_flow(
            Ensemble(_build, [0]), x, y, alpha=alpha, loss=square, max_change=1e-2, max_turn=1e-4,
            until=lambda margin: ((1 - margin).square().mean(1) < 0.5), steps=4000, step=1e-3,
        )  # fmt: skip
        assert flow.reason == ("reached",) and flow.converged
        decay = (-values * float(flow.time) / len(x)).exp()
        expected = y - vectors @ (decay * (vectors.T @ y))
        errors.append(float((flow.output[0] - expected).norm() / expected.norm()))
    assert errors[1] < 5e-3  # of Euler's steps
    assert errors[0] > 5 * errors[1]  # the control: at a smaller alpha the kernel moves


def test_each_network_has_a_step_of_its_own(generator):
    """Together they go as far as alone, whatever the others' alpha."""
    x, y = _data(8, generator)
    alphas = [0.1, 1.0, 100.0]
    options = dict(steps=60, step=1e-3)
    seeds = [0, 0, 0]
    together = gradient_flow(Ensemble(_build, seeds), x, y, alpha=alphas, **options)
    for i, alpha in enumerate(alphas):
        alone = gradient_flow(Ensemble(_build, [0]), x, y, alpha=alpha, **options)
        assert_close(together.time[i] / alone.time[0], torch.ones(()), 1e-9)
        assert_close(together.output[i], alone.output[0], 1e-9)
    times = together.time
    assert times[0] != times[1] != times[2]
    assert "network" in str(together) and len(str(together).splitlines()) == 4
    assert torch.equal(pickle.loads(pickle.dumps(together)).time, times)


def test_a_flow_says_why_it_stopped(generator):
    x, y = _data(5, generator)
    ensemble = Ensemble(_build, [0, 1])
    before = {name: w.detach().clone() for name, w in ensemble.state().items()}
    short = gradient_flow(ensemble, x, y, alpha=1.0, steps=3)
    assert short.reason == ("steps", "steps") and not short.converged
    assert bool(short.half_time.isnan().all())
    long = gradient_flow(ensemble, x, y, alpha=1.0, steps=3000, step=1e-2)
    assert long.converged and bool(satisfied(long.output * y).all())
    assert bool((long.half_time <= long.time).all()) and bool((long.loss < short.loss).all())
    for name, w in ensemble.state().items():
        assert torch.equal(w, before[name])


def test_half_time_lies_between_two_steps(generator):
    """With l = 1 - F y a linear network has F y = |x|^2 t, whatever the steps."""
    x, y = torch.randn(1, 3, generator=generator, dtype=F64), torch.ones(1, dtype=F64)
    flow = gradient_flow(
        Ensemble(lambda seed: nn.Linear(3, 1, bias=False).double(), [0, 1]), x, y,
        alpha=[0.5, 2.0], loss=lambda margin: 1 - margin, max_change=0.6, step=1e-3,
    )  # fmt: skip
    assert flow.converged
    assert_close(flow.half_time, (0.5 / x.square().sum()).expand(2), ROUNDING)


def test_flow_where_no_gradients_are_kept(generator):
    """Also of networks with a weight that nothing depends on, which stays."""

    class Spare(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 1)
            self.spare = nn.Parameter(torch.ones(2))

    x, y = _data(4, generator)
    ensemble = Ensemble(lambda seed: Spare().double(), [0])
    expected = gradient_flow(ensemble, x, y, alpha=1.0, steps=20)
    with torch.no_grad():
        found = gradient_flow(ensemble, x, y, alpha=1.0, steps=20)
    assert torch.equal(found.output, expected.output) and float(expected.output.abs().max()) > 0
    assert torch.equal(found.weights["spare"], torch.ones(1, 2, dtype=F64))
    assert not any(w.requires_grad for w in found.weights.values())


def test_a_flow_in_float32_counts_its_time_in_float64(generator):
    """A step that is 1e-8 of the time before it still counts."""
    x, y = _data(4, generator)
    ensemble = Ensemble(lambda seed: _build(seed).float(), [0])
    flow = gradient_flow(ensemble, x.float(), y, alpha=1.0, steps=5)
    assert flow.time.dtype == flow.half_time.dtype == F64 and flow.output.dtype == torch.float32


def _wide(seed: int) -> nn.Module:
    return nn.Linear(3, 2 + seed)


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda x, y: Ensemble(_build, []), "seeds: expected at least one"),
        (lambda x, y: Ensemble(_wide, [0, 1]), "build: expected networks of one shape"),
        (lambda x, y: Ensemble(_build, [0]).variance(x), "seeds: expected at least two"),
        (lambda x, y: Ensemble(_build, [0]).mean_error(x, 2 * y), "y: expected labels 1 and -1"),
        (lambda x, y: gradient_flow(Ensemble(_build, [0]), x, y, alpha=0.0), "alpha: expected"),
        (
            lambda x, y: gradient_flow(Ensemble(_build, [0]), x, y, alpha=[1.0, 2.0]),
            "alpha: expected one",
        ),
        (
            lambda x, y: gradient_flow(Ensemble(_build, [0]), x, y, alpha=1.0, step=math.nan),
            "step: expected",
        ),
        (
            lambda x, y: gradient_flow(
                Ensemble(lambda s: nn.Linear(3, 2).double(), [0]), x, y, alpha=1.0
            ),
            "ensemble: expected networks with one output",
        ),
        (
            lambda x, y: gradient_flow(
                Ensemble(lambda s: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)), [0]),
                x,
                y,
                alpha=1.0,
            ),
            "ensemble: expected networks without batch",
        ),
    ],
)
def test_bad_input(wrong, text, generator):
    x, y = _data(4, generator)
    with pytest.raises(ValueError, match=f"^{text}"):
        wrong(x, y)
