"""One experiment for all who read it: with and without hooks, on all kinds of elements."""

import math

import pytest
import torch

from equinet import Plane, nn
from equinet.testing import equivariance_error, report
from equinet.testing.draws import Draw
from equinet.testing.elements import grid_elements, grid_symmetries
from equinet.testing.experiments import Experiment
from equinet.testing.outcomes import Part, outcome
from equinet.testing.trials import trials
from tests.tolerances import SYMMETRY

X, H = Plane("C8").fields("1x trivial"), Plane("C8").fields("1x regular")


def _network():
    conv = nn.Conv2d(X, H, 3, padding=1, generator=torch.Generator().manual_seed(0))
    return nn.Sequential(conv, nn.ReLU(H)).double()


def test_hooks_change_nothing():
    """And the last layer's errors are those of the whole, the first one's those of its part."""
    net = _network()
    experiment = Experiment.of(net, None, None, Draw(2))
    layers = tuple(Part(str(i), part, part.in_type, part.out_type) for i, part in enumerate(net))
    for trial in trials(experiment, by_kind=True):
        alone, followed = outcome(experiment, trial), outcome(experiment, trial, layers)
        assert torch.equal(alone.error.errors, followed.error.errors) and not alone.calls
        assert torch.equal(followed.layers[:, 1], followed.error.errors)
        first = equivariance_error(net[0], count=2, exact=not trial.between, sizes=(17, 17))
        torch.testing.assert_close(followed.layers[:, 0], first.errors, rtol=0, atol=0)
        assert [call.sizes for call in followed.calls] == [(17, 17), (17, 17)]
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("group", "mixed", "kinds"),
    [
        ("C8", [False, True], [False, True]),
        ("C4", [False], [False]),
        ("C3", [True], [True]),
        ("SO(2)", [True], [False, True]),
        ("trivial", [False], [False]),
    ],
)
def test_kinds_of_elements(group, mixed, kinds):
    """Those that keep the grid, and others, each where there are any."""
    plane = Plane(group)
    draw, grids = Draw(7), [plane]
    found = grid_elements(plane.group, grids, (5, 5), draw)
    assert [one.between for one in found] == mixed
    found = grid_elements(plane.group, grids, (5, 5), draw, by_kind=True)
    assert [one.between for one in found] == kinds
    every = [torch.eye(2, dtype=torch.float64), *grid_symmetries(plane.group, grids, (5, 5))]
    for one in found:
        kept = [min(float((g - e).abs().max()) for e in every) < 1e-9 for g in one.elements]
        assert one.between != all(kept) and one.between != any(kept)


def test_a_grid_of_two_sizes_is_refined():
    """A quarter turn does not keep it; it is tried between the points, on a finer square too."""
    x = Plane("C4").fields("1x trivial")
    conv = nn.Conv2d(x, x, 3, generator=torch.Generator().manual_seed(0)).double()
    found = report(conv, sizes=(9, 17), scales=(1, 2), count=2)
    assert [scale for scale, _ in found.refinement] == [1, 2]
    assert max(error for _, error in found.refinement) < SYMMETRY


def test_maps_of_no_type_are_reported():
    """A module that says nothing of its output is taken for invariant, which maps are not."""
    found = report(torch.nn.Identity(), Plane("C4").fields("1x trivial"), scales=())
    assert found.exact > 0.5 and math.isfinite(found.layers[0].sources.alone)
