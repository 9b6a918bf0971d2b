"""Checkpoints that survive a kill at any moment.

In: a dictionary of tensors and plain values. Out: the same dictionary, or a clear refusal.

A checkpoint is the file ``step-00000125.ckpt``: one line of text with the length and the SHA-256
of what follows, then a torch archive. Saving writes a temporary file, forces it to the disk, and
only then gives it its name, which is one atomic step; the checkpoint before it is kept. Whenever
the process dies, the folder holds at least one complete checkpoint, once there has been one.
A folder serves one process at a time.
"""

import fcntl
import hashlib
import io
import os
import pickle
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .errors import InputError

_HEADER = re.compile(rb"equinet-checkpoint 1 bytes=(\d+) sha256=([0-9a-f]{64})\n")
_HEADER_LIMIT = 200


class DamagedCheckpointError(InputError):
    """A checkpoint that is not what was written."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder of a run and keep other processes from it, to the end of the block.

    The lock is one of the system: it goes with the process, however that ends.

    Raises:
        InputError: if it cannot be written, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise InputError(
            f"out: expected a folder to write to, got {folder}: {error.strerror}"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InputError(
                f"out: {folder} is in use by another run, process {file.read()}: wait for it, or "
                "take another --out"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the checkpoint of ``step``; keep the newest one before it and remove all others."""
    archive = io.BytesIO()
    torch.save(state, archive)
    payload = archive.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    path = folder / f"step-{step:08d}.ckpt"
    write_atomic(
        path, f"equinet-checkpoint 1 bytes={len(payload)} sha256={digest}\n".encode() + payload
    )
    # A later step than this one can only be a damaged file that was passed over.
    others = [other for other in _newest_first(folder) if other != path]
    before = [other for other in others if other.name < path.name]
    for other in set(others) - set(before[:1]):
        other.unlink()
    return path


def load(path: Path) -> dict[str, Any]:
    """Read one checkpoint.

    Raises:
        DamagedCheckpointError: if the file is cut short or a byte of it has changed.
    """
    with path.open("rb") as file:
        header = file.readline(_HEADER_LIMIT)
        payload = file.read()
    match = _HEADER.fullmatch(header)
    if match is None:
        raise DamagedCheckpointError(
            f"{path}: expected the header of a checkpoint, got {header[:40]!r}"
        )
    length = int(match[1])
    if len(payload) != length:
        raise DamagedCheckpointError(f"{path}: expected {length} bytes, got {len(payload)}")
    expected, got = match[2].decode(), hashlib.sha256(payload).hexdigest()
    if got != expected:
        raise DamagedCheckpointError(f"{path}: expected SHA-256 {expected}, got {got}")
    try:
        return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DamagedCheckpointError(f"{path}: expected tensors and plain values only") from error


def latest(folder: Path) -> dict[str, Any] | None:
    """The newest sound checkpoint in ``folder``, or None if there has never been one.

    A damaged checkpoint is passed over with a warning and the one before it is used.

    Raises:
        DamagedCheckpointError: if there are checkpoints and all of them are damaged.
    """
    damages = []
    for path in _newest_first(folder):
        try:
            state = load(path)
        except DamagedCheckpointError as damage:
            warnings.warn(
                f"damaged checkpoint refused, trying an earlier one: {damage}", stacklevel=2
            )
            damages.append(str(damage))
        else:
            return state
    if damages:
        raise DamagedCheckpointError(
            f"every checkpoint in {folder} is damaged; remove the folder to start again: "
            + "; ".join(damages)
        )
    return None


def clear(folder: Path) -> None:
    """Remove every checkpoint in ``folder``, the oldest first, so that none is seen after a kill
    but the newest."""
    for path in reversed(_newest_first(folder)):
        path.unlink()


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that ``path`` holds either all of its old content or all of the new."""
    temporary = path.with_name("unfinished.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    # The new name is an entry of the folder, which has to reach the disk as well.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.ckpt"), reverse=True)
