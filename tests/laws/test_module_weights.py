"""What every module promises that takes weights of the points: masks, areas, missing data."""

import inspect

import pytest
import torch

from equinet import Sphere, nn
from equinet.field import act
from equinet.rep import trivial
from tests.laws.module_cases import MODULES
from tests.laws.symmetry import elements, move
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
SUMS = (nn.SumPool, nn.PointUnpool)  # which weights multiply; all others are means


def _weighted():
    """The cases of modules whose forward takes weights."""
    return [c for c in MODULES if "weights" in inspect.signature(c().forward).parameters]


WEIGHTED = _weighted()
every_module = over("case", WEIGHTED)


def _drawn(case, generator):
    """The module, what it takes, and weights of the points, some of which are 0."""
    module = case().double()
    arguments = case.arguments(module, generator, batch=3, dtype=F64)
    sizes = arguments[0].shape[2:]
    sizes = sizes[:-1] if module.in_type.is_sampled else sizes
    w = torch.rand(len(arguments[0]), *sizes, generator=generator, dtype=F64)
    return module, arguments, w.where(w > 0.3, 0)


def _over(x, w):
    """W with the axes of the fields."""
    return w.view(len(x), 1, *w.shape[1:], *[1] * (x.dim() - w.dim() - 1)).expand_as(x)


def test_modules_over_space_take_weights():
    """Whoever has statistics over points or reads more than one point without learned kernels."""
    kinds = {type(case()).__name__ for case in WEIGHTED}
    pools = {name for name in nn.__all__ if name.endswith(("Pool", "Norm", "sample", "Integrate"))}
    assert pools - kinds == {"GroupPool", "NormPool", "VectorFieldPool"}  # of the fibre alone


@every_module
def test_weights_of_one_change_nothing(case, generator):
    module, (x, *others), w = _drawn(case, generator)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    plain = module(x, *others)
    module.load_state_dict(state)
    of_samples = isinstance(module, nn.AvgPool) and module.radius is not None
    if not of_samples:  # that one has its own test, as without weights it is no mean of samples
        assert_close(module(x, *others, weights=w < 2), plain, 100 * ROUNDING)
    if not isinstance(module, SUMS):
        one, two = (module.eval()(x, *others, weights=c * w) for c in (1, 8))
        assert_close(one, two, 100 * ROUNDING)


@every_module
def test_what_is_not_there_is_not_read(case, generator):
    """Anything where w = 0 changes no number and has no gradient; elsewhere NaN is not hidden."""
    module, (x, *others), w = _drawn(case, generator)
    hidden = _over(x, w) == 0
    found = []
    for value in (0.0, 1e6, torch.nan):
        given = x.masked_fill(hidden, value).requires_grad_()
        y = module(given, *others, weights=w)
        y = y.where(y.isfinite(), 0)  # the largest of nothing is minus infinity
        (gradient,) = torch.autograd.grad(y.square().sum(), given)
        assert gradient.isfinite().all() and not gradient[hidden].any()
        found.append((y.detach(), gradient))
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))
    assert module(x.masked_fill(~hidden, torch.nan), *others, weights=w).isnan().any()


@every_module
def test_nothing_is_left_of_nothing(case, generator):
    """Zeros, or of a maximum minus infinity; at the same points zeros where the weight is 0."""
    module, (x, *others), w = _drawn(case, generator)
    y = module(x * torch.nan, *others, weights=torch.zeros_like(w))
    assert not y.where(y > -torch.inf, 0).any()
    if module.out_type is not None and module.out_type.space == module.in_type.space:
        y = module(x, *others, weights=w)
        left = getattr(module, "out_weights", lambda w, *_: w)(w, *others)
        assert not y[_over(y, left) == 0].any() and y.any()


@over("case", [case for case in WEIGHTED if hasattr(case(), "out_weights")])
def test_the_weights_of_the_output(case, generator):
    """0 where the output is, as nothing is left there; 1 where all weights are 1."""
    module, (x, *others), w = _drawn(case, generator)
    of_grid = w.dim() > 1
    w = w if of_grid else torch.tensor([0.0, 0, 1], dtype=F64)
    w[0] = 0
    left, y = module.out_weights(w, *others), module(x, *others, weights=w)
    there = _over(y, left) > 0
    assert (left >= 0).all() and there.any() and not there.all()
    assert not y[~there].any() and y[there].ne(0).double().mean() > 0.9
    if of_grid:
        assert_close(module.out_weights(w[1]), left[1], ROUNDING)
        whole = module.out_weights(w < 2)
        assert_close(whole, torch.ones_like(whole), 1e-6)
        for wrong in (3, w[0, 0], w.cfloat()):
            with pytest.raises((TypeError, ValueError), match="^weights: expected .*, got"):
                module.out_weights(wrong)


def _exact(case):
    """Whether moved weights are exact: over grids, clouds and finite spaces."""
    return case.exact and not isinstance(case().in_type.space, Sphere)


@over("case", [case for case in WEIGHTED if _exact(case)])
def test_equivariance_with_weights_that_move_too(case, generator):
    module, arguments, w = _drawn(case, generator)
    module.eval()
    space = module.in_type.space
    scalar = space.fields([(1, trivial(space.fibre_group))])
    y = module(*arguments, weights=w)
    y = y.where(y.isfinite(), 0)
    for g in elements(module, case.sizes, generator)[-2:]:
        turned = w if w.dim() == 1 else act(scalar, g, w[:, None])[:, 0]
        again = module(*move(module.in_type, g, arguments), weights=turned)
        again = again.where(again.isfinite(), 0)
        moved = y if module.out_type is None else act(module.out_type, g, y)
        assert_close(again, moved, SYMMETRY)


def test_weights_that_stay_break_the_symmetry(generator):
    """Negative control: the mask is part of the data, and turns with them."""
    case = next(case for case in WEIGHTED if case.name.startswith("MaxPool(Plane"))
    module, arguments, w = _drawn(case, generator)
    g = elements(module, case.sizes, generator)[-1]
    again = module(*move(module.in_type, g, arguments), weights=w)
    moved = act(module.out_type, g, module(*arguments, weights=w))
    assert (again - moved).abs().max() > 0.1
