"""How the benchmarks measure: medians of a call, peak memory of a fresh process, the machine."""

import itertools
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        task: what is done.
        by: who does it.
        median: milliseconds, or None if skipped.
        low, high: smallest and largest time, milliseconds.
        memory: peak memory above what the imports need, MiB, or None if not measured.
        note: why it was skipped, or what else there is to say.
    """

    task: str
    by: str
    median: float | None = None
    low: float | None = None
    high: float | None = None
    memory: float | None = None
    note: str = ""


def milliseconds(call: Callable[[], Any], repeats: int = 15, warmup: int = 3) -> list[float]:
    """Times of ``repeats`` calls after ``warmup`` calls that do not count."""
    for _ in range(warmup):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def timed(
    task: str,
    by: str,
    call: Callable[[], Any],
    repeats: int = 15,
    warmup: int = 3,
    note: str = "",
) -> Row:
    """A row with the median, minimum and maximum of a call."""
    times = milliseconds(call, repeats, warmup)
    return Row(task, by, statistics.median(times), min(times), max(times), note=note)


def alternated(
    task: str, calls: dict[str, Callable[[], Any]], repeats: int = 15, warmup: int = 3
) -> list[Row]:
    """A row for each call, by name; they take turns, so that the load of the machine hits all.

    Every round begins with another one.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(-warmup, repeats):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            [elapsed] = milliseconds(calls[name], 1, 0)
            if i >= 0:
                times[name].append(elapsed)
    return [Row(task, by, statistics.median(t), min(t), max(t)) for by, t in times.items()]


def fresh(build: Callable[[], Any], repeats: int = 5) -> list[tuple[float, Any]]:
    """Milliseconds that a call takes in new processes that have imported the libraries.

    Args:
        build: a module-level function; the clock starts when torch has multiplied two matrices.
        repeats: number of processes, one after the other.
    Returns:
        For each process the time and what the call gave.
    """
    return [_in_process(_time, build, torch.get_num_threads()) for _ in range(repeats)]


def _time(build: Callable[[], Any], threads: int, send: Any) -> None:
    torch.set_num_threads(threads)
    torch.mm(torch.eye(3), torch.eye(3))
    start = time.perf_counter()
    result = build()
    send.send((1e3 * (time.perf_counter() - start), result))


def _in_process(target: Callable[..., None], *args: Any) -> Any:
    """What ``target(*args, send)`` sends from a new process."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*args, send))
    process.start()
    send.close()
    try:
        return receive.recv()
    finally:
        process.join()


def _nothing() -> None:
    pass


def peak_memory(
    build: Callable[[], Callable[[], Any]], calls: int = 3, before: Callable[[], Any] = _nothing
) -> float:
    """Peak memory in MiB of a few calls in a fresh process, above that of its imports.

    Args:
        build: a module-level function that makes the call; building counts.
        calls: how often it is called.
        before: a module-level function that imports what is not yet imported.
    """
    return _in_process(_peak, build, calls, before, torch.get_num_threads())


def _peak(
    build: Callable[[], Callable[[], Any]],
    calls: int,
    before: Callable[[], Any],
    threads: int,
    send: Any,
) -> None:
    torch.set_num_threads(threads)
    before()
    # What torch loads when a first training step is taken is not the network's.
    layer = torch.nn.Linear(64, 64)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.randn(64, 64)).sum().backward()
    optimizer.step()
    _forget_peak()
    start = _max_rss()
    call = build()
    for _ in range(calls):
        call()
    send.send(_max_rss() - start)


def tensor_peak(layer: torch.nn.Module, call: Callable[[], Any]) -> float:
    """MiB of a layer's parameters and buffers, and of all tensors that a call has at one time.

    It knows nothing of what the allocator keeps in reserve, so it is the same in every run.
    """
    own = sum(t.nbytes for t in itertools.chain(layer.parameters(), layer.buffers()))
    call()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    # Allocations are positive and releases negative.
    assert recorded.profiler is not None and recorded.profiler.kineto_results is not None
    events: Any = recorded.profiler.kineto_results.events()  # torch's stubs know no nbytes
    changes = [event for event in events if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    held = itertools.accumulate(event.nbytes() for event in changes)
    return (own + max(held, default=0)) / 2**20


def _forget_peak() -> None:
    """A new process inherits the peak of its parent on Linux; this sets it to the present size."""
    if sys.platform == "linux":
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def _max_rss() -> float:
    """Peak of the resident memory in MiB."""
    if sys.platform == "linux":
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def machine() -> dict[str, Any]:
    """The machine and its measured peaks: matrix product (float32) and copy."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    x, y = torch.randn(5_000_000), torch.empty(5_000_000)
    product = statistics.median(milliseconds(lambda: a @ b, 7))
    copy = statistics.median(milliseconds(lambda: y.copy_(x), 15))
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "matrix product, GFLOP/s": round(2 * 2048**3 / product / 1e6),
        "copy, GB/s": round(2 * 4 * 5e6 / copy / 1e6, 1),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(rows: list[Row]) -> str:
    """The rows as Markdown; ratios are against equinet's row of the same task."""
    ours = {row.task: row for row in rows if row.by == "equinet"}
    lines = ["| task | by | median ms | min to max | peak MiB | times equinet | note |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        own = ours.get(row.task)
        ratio = f"{row.median / own.median:.2f}" if row.median and own and own.median else ""
        time_ = "skipped" if row.median is None else f"{row.median:.1f}"
        spread = "" if row.low is None else f"{row.low:.1f} to {row.high:.1f}"
        memory = "" if row.memory is None else f"{row.memory:.0f}"
        lines.append(
            f"| {row.task} | {row.by} | {time_} | {spread} | {memory} | {ratio} | {row.note} |"
        )
    return "\n".join(lines)


def as_json(rows: list[Row]) -> dict[str, Any]:
    """What is written to disk."""
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}
