"""What installed libraries give today beside the values that the tests of the gate keep of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equinet.convert import from_se3cnn

GOLDEN = Path(__file__).parents[1] / "golden"
Rows = Iterator[tuple[str, float]]


def _compared(file: str, found: Mapping[str, np.ndarray]) -> Rows:
    """The largest difference of arrays from the kept ones, in parts of their largest entries."""
    worst = 0.0
    with np.load(GOLDEN / file) as kept:
        for name, value in found.items():
            scale = max(1.0, float(np.abs(kept[name]).max()))
            worst = max(worst, float(np.abs(kept[name] - value).max()) / scale)
    yield f"{len(found)} arrays of tests/golden/{file}", worst


def _maker(name: str) -> Any:
    return importlib.import_module(f"tests.golden.{name}")


def lie_learn() -> Rows:
    """Bases, Wigner matrices and quadrature weights."""
    yield from _compared("lie_learn.npz", _maker("make_lie_learn").bases())
    peers = _maker("make_peers")
    peers.load_lie_learn()  # which mends it
    yield from _compared("peers.npz", peers.lie_learn_values(np.random.default_rng(1)))


def torch_harmonics() -> Rows:
    """Coefficients of functions."""
    package = importlib.import_module("torch_harmonics")
    values = _maker("make_peers").torch_harmonics_values(package, np.random.default_rng(2))
    yield from _compared("peers.npz", values)


def s2cnn() -> Rows:
    """Spectra and layers."""
    peers = _maker("make_peers")
    package, reason = peers.load_s2cnn()
    if package is None:
        raise RuntimeError(reason)
    peers.use_float64_tables()
    values = peers.s2cnn_transforms(package, np.random.default_rng(3))
    yield from _compared("peers.npz", values)
    yield from _compared("peers.npz", peers.s2cnn_layers(package.package, np.random.default_rng(4)))


def groupy() -> Rows:
    """Transformed filters."""
    yield from _compared("groupy.npz", _maker("make_groupy").transformed())


def e3nn() -> Rows:
    """Layers, each beside what it becomes, in float64."""
    cases = importlib.import_module("tests.convert.test_e3nn")
    before = torch.get_default_dtype()
    for name in cases.CASES:
        theirs, ours, inputs = cases._pair(name, torch.set_default_dtype)
        y = theirs.eval()(*inputs).detach()
        error = (ours.eval()(*inputs).detach() - y).abs().max() / y.abs().max()
        torch.set_default_dtype(before)
        yield name, float(error)


def se3cnn() -> Rows:
    """Layers, each beside what it becomes, in float32."""
    for name, layer, x in _maker("make_se3cnn").layers():
        y = layer(x).detach()
        yield (
            f"SE3Convolution, {name}",
            float((from_se3cnn(layer)(x) - y).detach().abs().max() / y.abs().max()),
        )
