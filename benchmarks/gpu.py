"""Everything there is to know of the compiled operators on a GPU, in one run.

Builds them, checks each as at its first use and on the shapes of layers, runs the tests that need a
GPU, has compute-sanitizer watch them where it is installed, times them and whole training steps
beside plain PyTorch, and writes the table. Where there is no GPU it says so in a line and fails.

``python -m benchmarks.gpu`` checks only, which is what compute-sanitizer watches.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn
from tqdm import tqdm

from benchmarks.measure import Row, alternated
from benchmarks.operators import Work, works
from benchmarks.steerable import SHAPE_3D, conv3d, plain3d, training_step
from equinet import nn as enn
from equinet import ops
from equinet.field import Points
from equinet.ops.availability import check_on_gpus
from equinet.ops.native import cuda
from equinet.ops.native.first_use import TOLERANCES, error_of
from equinet.ops.native.operator import Operator
from examples.spherical_mnist.models import spherical_network
from tests.ops.operator_cases import LARGE, SMALL, first

OUT = Path(__file__).parent / "results"
SANITIZER_TOOLS = ("memcheck", "racecheck", "synccheck")


def run() -> list[Row]:
    """All rows.

    Raises:
        SystemExit: where there is no GPU, or no code for it.
        AssertionError: with all operators that are wrong.
    """
    if not torch.cuda.is_available():
        raise SystemExit(f"No GPU can be used ({cuda.report()[1]}): nothing was checked or timed.")
    subprocess.run([sys.executable, "-m", "equinet.build"], check=True)
    if not cuda.available(torch.cuda.current_device()):
        raise SystemExit(f"There is a GPU, but no code for it: {cuda.report()[1]}")
    wrong = check_on_gpus()
    print(ops.status())
    if wrong:
        raise AssertionError("\n".join(wrong))
    subprocess.run([sys.executable, "-m", "pytest", "tests/ops/test_gpu.py"], check=True)
    all_works = works()
    cases = odd_shapes() + all_works
    check("cuda", cases)
    print(f"{len(cases)} calls have the numbers of the reference in both precisions")
    print(_sanitized())
    jobs = [*(partial(_operator, work) for work in all_works), _sphere, _volume, _points]
    rows: list[Row] = []
    for job in tqdm(jobs, desc="gpu", unit="task"):
        rows += job("cuda")
    return [replace(row, note=torch.cuda.get_device_name()) for row in rows]


# ---- right -------------------------------------------------------------------------------------


def odd_shapes() -> list[Work]:
    """Those of the tests, with remainders and empty parts."""
    return [Work(f"test of {c.operator.name}", c.operator, c.arguments) for c in SMALL + LARGE]


def check(device: str, cases: Sequence[Work]) -> None:
    """Compare the operators with their references in float64 on the CPU.

    Raises:
        AssertionError: with all that are wrong.
    """
    wrong = []
    for case in cases:
        expected = first(case.operator.reference(*case.arguments))
        for dtype, tolerance in TOLERANCES.items():
            found = first(case.operator.overload(*case.on(device, dtype)))
            error = error_of(found, expected)
            if not error <= tolerance:  # a NaN is wrong
                wrong.append(f"{case.task}, {dtype}: wrong by {error:.1e}")
    if wrong:
        raise AssertionError("\n".join(wrong))


def _sanitized() -> str:
    """What compute-sanitizer says of the odd shapes."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        return "compute-sanitizer is not on the path: memory accesses were not watched"
    # Each tensor in memory of its own, as what lies in torch's pool may be overrun unseen.
    environment = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    for kind in SANITIZER_TOOLS:
        command = [tool, "--tool", kind, "--error-exitcode", "1", sys.executable, "-m", __name__]
        subprocess.run(command, check=True, env=environment)
    return f"compute-sanitizer found nothing: {', '.join(SANITIZER_TOOLS)}"


# ---- fast --------------------------------------------------------------------------------------


def _waits(call: Callable[[], Any]) -> Callable[[], None]:
    """The call until the GPU is done."""

    def wait() -> None:
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return wait


def _plain(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call with every operator in plain PyTorch."""

    def on_references() -> None:
        with mock.patch.object(Operator, "serves", lambda self, x: False):
            call()

    return on_references


def _beside(task: str, calls: dict[str, Callable[[], Any]], repeats: int = 30) -> list[Row]:
    return alternated(task, {by: _waits(call) for by, call in calls.items()}, repeats)


def _operator(work: Work, device: str) -> list[Row]:
    x, *rest = work.on(device, torch.float32)
    plan = work.operator.plan(*rest)

    def call() -> None:
        work.operator(x, plan)

    with torch.inference_mode():
        return _beside(work.task, {"equinet": call, "plain PyTorch": _plain(call)})


def _sphere(device: str, batch: int = 32) -> list[Row]:
    network = spherical_network().to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    x = torch.rand(batch, 1, 60, 60, device=device)
    y = torch.arange(batch, device=device) % 10

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    task = f"training step, spherical MNIST, batch {batch}"
    return _beside(task, {"equinet": step, "plain PyTorch": _plain(step)}, repeats=15)


def _volume(device: str, shape: tuple[int, ...] = SHAPE_3D) -> list[Row]:
    ours = training_step(conv3d().to(device), torch.randn(shape, device=device))
    plain = training_step(plain3d().to(device), torch.randn(shape, device=device))
    calls = {"equinet": ours, "plain PyTorch": _plain(ours), "torch.nn": plain}
    return _beside(f"training step, Conv3d 5^3, input {shape}", calls, repeats=15)


def _points(device: str, channels: int = 64, count: int = 6744, points: int = 300) -> list[Row]:
    """Gradients of weights, features and positions: those of the sum over edges by all it takes."""
    fields = Points("O(3)", dim=3).fields(f"{channels}x0e + {channels}x1o + {channels}x2e")
    radial, neighbours = enn.RadialNetwork(2.0, 32, hidden=(8,)), count / points
    layer = enn.DepthwisePointConv(fields, fields, radial, neighbours=neighbours, lmax=3).to(device)
    x = torch.randn(fields.shape(points), device=device, requires_grad=True)
    positions = torch.rand(points, 3, device=device, requires_grad=True)
    starts = torch.arange(count, device=device)
    edges = torch.stack([starts % points, (starts + 1 + starts // points) % points])

    def step() -> None:
        torch.autograd.grad(layer(x, positions, edges).sum(), [x, positions, *layer.parameters()])

    task = f"training step, DepthwisePointConv {channels}x (0e + 1o + 2e), lmax 3, {count} edges"
    return _beside(task, {"equinet": step, "plain PyTorch": _plain(step)}, repeats=15)


if __name__ == "__main__":
    check("cuda", odd_shapes())
