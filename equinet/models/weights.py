"""Weights in a file, whole and of the network that they are for, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from errno import EISDIR, ENOENT
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor, nn

from equinet.nn.plain import uncompiled
from equinet.numerics.pages import explained

_FORMAT = "equinet weights"
_VERSION = 1
_PAGE = "guide/models.md#weights-in-a-file"


def save_weights(network: nn.Module, path: str | os.PathLike[str], about: str = "") -> None:
    """Write what a network has learned, with a digest that tells a damaged file.

    The file appears under its name when it is complete. It is an archive of torch with tensors and
    words only, which ``torch.load(path, weights_only=True)["state"]`` reads without this library.

    Args:
        network: any module whose ``state_dict`` holds tensors, as all of this library do; what
            ``torch.compile`` has made of one counts as the module itself.
        path: of the file.
        about: what they are: how they were learned, what goes in and what comes out.
    Raises:
        TypeError: if ``network`` is no module, ``about`` no text or ``path`` no name; if the
            ``state_dict`` has what is no dense tensor with values.
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> from equinet.field import Plane
        >>> from equinet.models import resnet
        >>> net = resnet(Plane("C4").fields("1x trivial"), ["2x regular"], classes=3)
        >>> path = Path(tempfile.mkdtemp()) / "net.pt"
        >>> save_weights(net, path, about="not trained")
        >>> load_weights(net, path)
        'not trained'
    """
    if not isinstance(about, str):
        raise TypeError(f"about: expected text, got {type(about).__name__}")
    state = {name: value.cpu() for name, value in _state(network).items()}
    content = {
        "format": _FORMAT, "version": _VERSION, "about": about, "digest": _digest(about, state),
        "state": state,
    }  # fmt: skip
    path = _file(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, "path: expected a folder that is there", str(path.parent))
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> str:
    """Read weights of ``save_weights`` into a network of the same types.

    Nothing in the file is executed. If anything is refused the network stays as it was.

    Args:
        network: built as the one that was saved; its device and dtype stay.
        path: of the file.
    Returns:
        What the file says about them.
    Raises:
        TypeError: if ``network`` is no module, or without values, or ``path`` no name.
        ValueError: for a file that is damaged, of another kind or of a newer version, and for
            weights of another network or another symmetry.
        OSError: if the file cannot be read.
    """
    before = _state(network)
    content = _content(path := _file(path))
    network = uncompiled(network)
    try:
        network.load_state_dict(content["state"])
    except RuntimeError as error:
        network.load_state_dict(before)
        raise ValueError(
            f"network: expected the one that {path} was saved of, got another one: {error}"
        ) from error
    return content["about"]


def _state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of what a network has learned.

    Raises:
        TypeError: if it is no module, or something of it no dense tensor with values.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network: expected a torch.nn.Module, got {type(network).__name__}")
    state = uncompiled(network).state_dict()
    for name, value in state.items():
        got = type(value).__name__
        if isinstance(value, Tensor):
            if value.layout == torch.strided and not value.is_meta:
                continue
            got = "one without values, on meta," if value.is_meta else str(value.layout)
        raise TypeError(
            f"network: expected dense tensors only in its state_dict, got {got} at {name}"
        )
    return {name: value.detach().clone() for name, value in state.items()}


def _file(path: object) -> Path:
    """Raises TypeError if it names nothing, IsADirectoryError if it names a folder."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: expected the name of a file, got {path!r}")
    if (found := Path(path)).is_dir():
        raise IsADirectoryError(EISDIR, "path: expected a file, got a folder", str(found))
    return found


def _content(path: Path) -> dict[str, Any]:
    """What is in a file, if it is what was written.

    Raises:
        ValueError: if it is not.
    """
    archive = io.BytesIO(path.read_bytes())
    try:
        content = torch.load(archive, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive fails in as many ways as it can be damaged
        raise _refused(path, "one that torch cannot read: damaged, or of another kind") from error
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        raise _refused(path, "another archive of torch; load_state_dict takes a bare state_dict")
    version = content.get("version")
    if version != _VERSION:
        raise _refused(path, f"version {version} of the format, of a newer equinet")
    about, state = content.get("about"), content.get("state")
    if (
        not isinstance(about, str)
        or not isinstance(state, Mapping)
        or not all(isinstance(value, Tensor) for value in state.values())
    ):
        raise _refused(path, "one without its numbers: it is damaged")
    if _digest(about, state) != content.get("digest"):
        raise _refused(path, "one with other numbers than were written: it is damaged")
    return dict(content)


def _refused(path: Path, got: str) -> ValueError:
    wanted = f"version {_VERSION} of the weights that models.save_weights writes"
    return ValueError(explained(f"path: expected {wanted} in {path}, got {got}", _PAGE))


def _digest(about: str, state: Mapping[str, Tensor]) -> str:
    """A hash of what is said, and of names, shapes and numbers."""
    found = hashlib.sha256(about.encode())
    for name, value in state.items():
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
