"""Many independent runs, in one process or several, which survive a kill at any moment.

In: a function and what it is to be called with, by name. Out: its results by the same names.

The result of a run is the file ``<name>.json``, written at once when it is there, with what it was
asked for. The same command again does only what is missing; a run that takes long keeps checkpoints
in a folder of its own and goes on from the newest.
"""

import json
import math
import multiprocessing
import os
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from . import checkpoint
from .errors import InputError

T = TypeVar("T")  # a frozen dataclass of plain values: all that decides the result
_told: Any = None  # in a worker: where progress goes


@dataclass(frozen=True)
class Desk:
    """Where a run works.

    Attributes:
        folder: for its checkpoints; made when first used.
        tell: called with the share of the run that is done, 0 to 1.
    """

    folder: Path
    tell: Callable[[float], None]

    def resume(self) -> dict[str, Any] | None:
        """The newest checkpoint, or None."""
        return checkpoint.latest(self.folder) if self.folder.exists() else None

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Keep tensors and plain values."""
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.folder, step, state)


Work = Callable[[T, Desk], dict[str, Any]]


def sweep(
    work: Work[T],
    tasks: Mapping[str, T],
    out: Path,
    *,
    jobs: int = 1,
    fresh: bool = False,
    title: str = "runs",
) -> dict[str, dict[str, Any]]:
    """Call ``work(task, desk)`` for every task that has no result yet.

    Args:
        work: a function of a module, whose result is ready for JSON; it must not depend on what
            runs beside it.
        tasks: what to call it with, by a name that can be a file's.
        out: the folder of all results.
        jobs: processes, of one thread each.
        fresh: forget results and checkpoints.
        title: of the progress bar.
    Returns:
        All results, in the order of the tasks.
    Raises:
        InputError: if the folder cannot be written, is in use, or has results of other settings.
    """
    for name, task in tasks.items():
        if not re.fullmatch(r"\w[\w.+-]*", name) or name == "lock":
            raise ValueError(f"tasks: expected names that can be a file's, got {name!r}")
        _plain(task)  # before hours of work, not after
    with checkpoint.locked(out):
        if fresh:
            for name in tasks:
                (out / f"{name}.json").unlink(missing_ok=True)
                checkpoint.clear(out / name)
        missing = {name: task for name, task in tasks.items() if not _is_done(out, name, task)}
        done = len(tasks) - len(missing)
        with tqdm(
            total=len(tasks), initial=done, desc=title, bar_format="{l_bar}{bar}| {elapsed}"
        ) as bar:
            progress = _Progress(bar, done)
            if jobs == 1:
                with _one_thread():
                    for name, task in missing.items():
                        _finish(out, name, task, work(task, _desk(out, name, progress)))
                        progress(name, 1.0)
            else:
                _in_processes(work, missing, out, jobs, progress)
    return read(out, tasks)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in the processes of ``jobs``, so that their number changes no bit of a result."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def read(out: Path, tasks: Mapping[str, T]) -> dict[str, dict[str, Any]]:
    """The results of tasks that have been done.

    Raises:
        InputError: if one is missing, or is of other settings.
    """
    found = {}
    for name, task in tasks.items():
        if not _is_done(out, name, task):
            raise InputError(f"runs: no result {name}.json in {out}: run it first")
        found[name] = json.loads((out / f"{name}.json").read_text())["result"]
    return found


class _Progress:
    """The sum of the shares of all runs."""

    def __init__(self, bar: tqdm, done: int) -> None:
        self.bar, self.done, self.shares = bar, done, dict[str, float]()

    def __call__(self, name: str, share: float) -> None:
        self.shares[name] = min(1.0, share)
        self.bar.n = round(self.done + math.fsum(self.shares.values()), 3)
        self.bar.refresh()


def _desk(out: Path, name: str, progress: Callable[[str, float], None]) -> Desk:
    return Desk(out / name, lambda share: progress(name, share))


def _in_processes(
    work: Work[T], tasks: Mapping[str, T], out: Path, jobs: int, progress: _Progress
) -> None:
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    with ProcessPoolExecutor(jobs, context, _begin, (told,)) as pool:
        running = {name: pool.submit(_work, work, task, out, name) for name, task in tasks.items()}
        failed: BaseException | None = None
        try:
            while running:
                for name, share in _heard(told):
                    progress(name, share)
                for name in [name for name, future in running.items() if future.done()]:
                    future = running.pop(name)
                    error = future.exception()
                    if error is None:
                        _finish(out, name, tasks[name], future.result())
                        progress(name, 1.0)
                    elif failed is None:  # what runs beside it is waited for, and kept
                        failed = error
                        error.add_note(f"in the run {name!r}")
                        running = {n: f for n, f in running.items() if not f.cancel()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if isinstance(failed, BrokenProcessPool):
        raise ChildProcessError("the process of a run has ended: killed, or out of memory")
    if failed is not None:
        raise failed


def _begin(told: Any) -> None:
    global _told
    _told = told
    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """A process whose parent is killed must not go on: a new one may already do its work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Work[T], task: T, out: Path, name: str) -> dict[str, Any]:
    return work(task, _desk(out, name, lambda name, share: _told.put((name, share))))


def _heard(told: Any) -> Iterator[tuple[str, float]]:
    """What has been told within half a second."""
    try:
        yield told.get(timeout=0.5)
        while True:
            yield told.get_nowait()
    except queue.Empty:
        return


def _plain(task: Any) -> dict[str, Any]:
    return asdict(task)


def _finish(out: Path, name: str, task: Any, result: dict[str, Any]) -> None:
    content = json.dumps({"settings": _plain(task), "result": result}, indent=1)
    checkpoint.write_atomic(out / f"{name}.json", content.encode())
    if (out / name).is_dir():
        checkpoint.clear(out / name)


def _is_done(out: Path, name: str, task: Any) -> bool:
    path = out / f"{name}.json"
    try:
        content = json.loads(path.read_text())
        saved = dict(content["settings"])
        content["result"]
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"runs: expected the result of a run, got {path}; take --fresh to replace it"
        ) from error
    asked = json.loads(json.dumps(_plain(task)))
    if saved != asked:
        other = sorted(key for key in {*saved, *asked} if saved.get(key) != asked.get(key))
        raise InputError(
            f"out: {path} was made with other settings ({', '.join(other)}); take --fresh to "
            "replace it, or another --out"
        )
    return True
