"""Steerable layers on grids: training steps, memory, building; beside torch.nn, escnn and se3cnn.

A training step of a layer is a forward pass and the gradients of weights and input, without a step
of an optimiser: that would favour layers with few weights. Layers that do the same work take turns
in one process, call by call.
"""

import functools
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks import networks
from benchmarks.escnn_peer import C8_5, CONV3D, Kernels, Report, load_escnn
from benchmarks.measure import Row, alternated, fresh, peak_memory, tensor_peak
from benchmarks.peers import load_se3cnn
from equinet import nn as enn
from equinet.field import Plane, Volume
from examples.tetris.models import SCALES, plain_network, steerable_network

FIELDS_3D, SHAPE_3D = "16x0 + 8x1 + 4x2", (4, 60, 16, 16, 16)
FIELDS_2D, SHAPE_2D = "16x regular", (16, 128, 48, 48)

Build = Callable[[], nn.Module]


def run() -> list[Row]:
    """All rows, with a progress bar."""
    jobs: list[Callable[[], list[Row]]] = [
        *(_conv3d, _conv2d, _exported, _built, _networks_built, _layers, _network)
    ]
    rows = []
    for job in tqdm(jobs, desc="steerable", unit="task"):
        rows += job()
    return rows


# ---- layers that do the same work --------------------------------------------------------------


def conv3d() -> nn.Module:
    fields = Volume("SO(3)").fields(FIELDS_3D)
    return enn.Conv3d(fields, fields, 5, padding=2)


def conv2d() -> nn.Module:
    fields = Plane("C8").fields(FIELDS_2D)
    return enn.Conv2d(fields, fields, 5, padding=2)


def plain3d() -> nn.Module:
    return nn.Conv3d(60, 60, 5, padding=2)


def plain2d() -> nn.Module:
    return nn.Conv2d(128, 128, 5, padding=2)


def escnn_layer(task: Kernels) -> nn.Module:
    peer, reason = load_escnn()
    if peer is None:
        raise RuntimeError(reason)
    return peer.layer(task)


def se3cnn_layer() -> nn.Module:
    peer, reason = load_se3cnn()
    if peer is None:
        raise RuntimeError(reason)
    return peer.layer((16, 8, 4), 5)


def training_step(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward, and backward to the weights and the input, from a random gradient of the output."""
    with torch.no_grad():
        gradient = torch.randn_like(layer(x))

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(gradient)

    x.requires_grad_()
    return step


def step_of(build: Build, shape: tuple[int, ...]) -> Callable[[], None]:
    return training_step(build(), torch.randn(shape))


def _conv3d() -> list[Row]:
    task = f"training step, Conv3d SO(3) {FIELDS_3D}, 5^3, batch 4 of 16^3"
    builds: dict[str, Build] = {"equinet": conv3d, "torch.nn": plain3d}
    skipped = []
    escnn, reason = load_escnn()
    if escnn is None:
        skipped.append(Row(task, "escnn", note=f"skipped: {reason}"))
    else:
        builds[f"escnn {escnn.version}"] = functools.partial(escnn_layer, CONV3D)
    se3cnn, reason = load_se3cnn()
    if se3cnn is None:
        skipped.append(Row(task, "se3cnn", note=f"skipped: {reason}"))
    else:
        builds[f"se3cnn {se3cnn.version}"] = se3cnn_layer
    return _steps(task, builds, SHAPE_3D, 1.10) + skipped


def _conv2d() -> list[Row]:
    task = "training step, Conv2d C8 16x regular, 5^2, batch 16 of 48^2"
    builds: dict[str, Build] = {"equinet": conv2d, "torch.nn": plain2d}
    escnn, reason = load_escnn()
    if escnn is None:
        skipped = [Row(task, "escnn", note=f"skipped: {reason}")]
    else:
        builds[f"escnn {escnn.version}"] = functools.partial(escnn_layer, C8_5)
        skipped = []
    return _steps(task, builds, SHAPE_2D, 1.05) + skipped


def _steps(task: str, builds: dict[str, Build], shape: tuple[int, ...], bar: float) -> list[Row]:
    """Times and memory of the training steps of layers."""
    layers = {by: build() for by, build in builds.items()}
    steps = {by: training_step(layer, torch.randn(shape)) for by, layer in layers.items()}
    rows = []
    for row in alternated(task, dict(steps)):
        build = functools.partial(step_of, builds[row.by], shape)
        # One step of a small layer of a peer imports it.
        memory = peak_memory(build, before=functools.partial(_imported, row.by.split()[0]))
        tensors = tensor_peak(layers[row.by], steps[row.by])
        rows.append(replace(row, memory=memory, note=f"tensors {tensors:.0f} MiB"))
    return _beside_torch(rows, bar)


def _imported(by: str) -> None:
    if by == "escnn":
        escnn_layer(Kernels("C8", count=1, size=3))
    if by == "se3cnn":
        load_se3cnn()


def _beside_torch(rows: list[Row], bar: float | None = None) -> list[Row]:
    """The rows, with equinet's time in units of torch's in its note."""
    plain = next((row.median for row in rows if row.by.startswith("torch.nn")), None)
    found = []
    for row in rows:
        if row.by.startswith("equinet") and row.median and plain:
            note = f"{row.median / plain:.2f} times torch.nn"
            note += "" if bar is None else f" (at most {bar:.2f} wanted)"
            row = replace(row, note=f"{note}; {row.note}" if row.note else note)
        found.append(row)
    return found


def _exported() -> list[Row]:
    """After ``export()`` a convolution is one of torch's."""
    rows = []
    cases = (("Conv3d", conv3d, plain3d, SHAPE_3D), ("Conv2d", conv2d, plain2d, SHAPE_2D))
    for name, ours, plain, shape in cases:
        exported: Any = ours()
        layers = {"equinet": exported.export(), "torch.nn": plain()}
        x = torch.randn(shape)
        calls = {by: functools.partial(_infer, layer, x) for by, layer in layers.items()}
        rows += _beside_torch(alternated(f"{name} after export(), inference", dict(calls)), 1.0)
        steps = {by: training_step(layer, torch.randn(shape)) for by, layer in layers.items()}
        rows += _beside_torch(alternated(f"{name} after export(), training step", dict(steps)), 1.0)
    return rows


def _infer(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return layer(x)


# ---- building ----------------------------------------------------------------------------------


def _built() -> list[Row]:
    """Building the convolution in space, in fresh processes, from after the imports."""
    task = f"build Conv3d SO(3) {FIELDS_3D}, 5^3"
    rows = [_row(task, "equinet", [t for t, _ in fresh(_weights)], "fresh process, at most 200")]
    escnn, reason = load_escnn()
    if escnn is None:
        rows.append(Row(task, "escnn", note=f"skipped: {reason}"))
    else:
        by = f"escnn {escnn.version}"
        cold = [_milliseconds(escnn.cold(CONV3D)) for _ in range(3)]
        warm = [_milliseconds(escnn.warm(CONV3D)) for _ in range(3)]
        rows.append(_row(task, by, cold, "fresh process, no files"))
        rows.append(_row(task, f"{by}, its files on disk", warm, "fresh process"))
    se3cnn, reason = load_se3cnn()
    if se3cnn is None:
        return [*rows, Row(task, "se3cnn", note=f"skipped: {reason}")]
    [(once, _)] = fresh(_se3cnn_weights, repeats=1)
    return [*rows, _row(task, f"se3cnn {se3cnn.version}", [once], "fresh process, import included")]


def _weights() -> int:
    return _count(conv3d())


def _se3cnn_weights() -> int:
    return _count(se3cnn_layer())


def _count(module: nn.Module) -> int:
    return sum(math.prod(p.shape) for p in module.parameters())


def _milliseconds(report: Report) -> float:
    """Without the filter, which a layer expands when it is called."""
    return 1e3 * (report.seconds - report.stages["filter"])


def _row(task: str, by: str, times: list[float], note: str) -> Row:
    return Row(task, by, statistics.median(times), min(times), max(times), note=note)


def _networks_built() -> list[Row]:
    """Networks of the size of a wide ResNet-16-8, in fresh processes."""
    rows = []
    for name, build in (
        ("octahedral, regular fields", _octahedral_weights),
        ("SO(3), degrees 0 to 2", _so3_weights),
    ):
        times = fresh(build, repeats=3)
        note = f"fresh process, at most 10000; {times[0][1]:,} parameters"
        task = f"build a 3D wide ResNet-16-8, {name}"
        rows.append(_row(task, "equinet", [t for t, _ in times], note))
    return rows


def _octahedral_weights() -> int:
    return _count(networks.octahedral())


def _so3_weights() -> int:
    return _count(networks.so3())


# ---- other layers, and a whole network ---------------------------------------------------------


def _layers() -> list[Row]:
    """Layers other than convolutions, beside those of torch.nn nearest to them."""
    space = Volume("SO(3)")
    fields = space.fields("16x0 + 8x1 + 4x2")
    gated = enn.gated(fields)
    blur = nn.Conv3d(60, 60, 5, stride=2, padding=2, groups=60, bias=False)
    cases: list[tuple[Any, nn.Module]] = [
        (enn.BatchNorm(fields), nn.BatchNorm3d(60)),
        (enn.GroupNorm(fields, 4), nn.GroupNorm(4, 60)),
        (enn.Gate(fields), nn.GLU(1)),
        (enn.NormActivation(fields), nn.ReLU()),
        (enn.AvgPool(fields, 3, stride=2, padding=1), nn.AvgPool3d(3, stride=2, padding=1)),
        (enn.Downsample(fields, 2), blur),
        (enn.Linear(gated, gated), nn.Conv3d(gated.channels, gated.channels, 1)),
    ]
    rows = []
    for ours, plain in cases:
        task = f"training step, {type(ours).__name__} {FIELDS_3D}, batch 4 of 17^3"
        # The gate of torch has one for each channel.
        channels = 120 if isinstance(plain, nn.GLU) else ours.in_type.channels
        calls = {
            "equinet": training_step(ours, torch.randn(ours.in_type.shape(4, 17, 17, 17))),
            f"torch.nn.{type(plain).__name__}": training_step(
                plain, torch.randn(4, channels, 17, 17, 17)
            ),
        }
        rows += _beside_torch(alternated(task, dict(calls)))
    return rows


def _network() -> list[Row]:
    """The network of the example Tetris beside the plain one, and where its time goes."""
    task = "training step, gated network of examples/tetris, batch 2 of 21^3"
    x = torch.randn(2, 1, 21, 21, 21)
    network = steerable_network(SCALES["small"], low_pass=True)
    plain = plain_network(SCALES["small"], low_pass=True)
    calls = {
        "equinet": training_step(network, x.clone()),
        "torch.nn, as many channels": training_step(plain, x.clone()),
    }
    rows = _beside_torch(alternated(task, dict(calls), repeats=7, warmup=2))
    shares = _shares(network, x)
    total = sum(shares.values())
    for name, time in sorted(shares.items(), key=lambda item: -item[1]):
        note = f"{100 * time / total:.1f} % of the layers' time"
        rows.append(Row(f"{task}: all {name}", "equinet", time, note=note))
    return rows


def _shares(network: nn.Module, x: Tensor) -> dict[str, float]:
    """Milliseconds of the training steps of the layers, each by itself, by kind of layer."""
    found: dict[str, float] = {}
    for layer in network.children():
        name = type(layer).__name__
        step = training_step(layer, x.clone())
        [row] = alternated(name, {name: step}, repeats=3, warmup=1)
        found[name] = found.get(name, 0.0) + (row.median or 0.0)
        with torch.no_grad():
            x = layer(x)
    return found
