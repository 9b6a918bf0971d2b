"""The user's cache of compiled code: where it is, what is put there, and what of it is trusted.

In: code, as bytes. Out: files that only this user or root can have put there.

To load a library is to run it, before it can be asked what it is. So a file serves only if

- it is a regular file that belongs to this user or to root, and so does every folder from it to the
  root of the file system, and nobody else may write any of them. Then nobody else has made the
  file, and nobody else can put another in its place between the check and the load. Links on the
  way to the folder are followed first, and what they lead to is checked. A folder further up may be
  open to all if it has the sticky bit, as /tmp has: what lies in it stays its owner's.
- the file ``digests`` beside it has its SHA-256, with the hash of the sources. This finds what is
  cut, changed or made from other sources. It is no signature: who may write the file may write the
  digests too, which is what the first rule is for.

Windows says neither owner nor mode in this way; there the digests are compared, and that nobody
else may write the cache is left to the user's profile. What lies in the installation is not
checked: who may write there may write the package itself.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from equinet.ops.native import compile

DIGESTS = "digests"


class CacheError(OSError):
    """There is no cache, or what it holds is not to be trusted."""


def place(sources: str) -> Path:
    """The folder for code of this state of the sources and this platform; it may not exist.

    It is in $EQUINET_CACHE, or in ``equinet`` in the user's cache.

    Args:
        sources: their hash, from ``compile.source_hash``.
    Raises:
        CacheError: if this user has no home.
    """
    root = os.environ.get("EQUINET_CACHE")
    if not root:
        try:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError as error:
            raise CacheError(
                "no cache: this user has no home folder; EQUINET_CACHE can name another"
            ) from error
        root = home / "equinet"
    return Path(root) / f"{sources}-{compile.machine()}"


def read(folder: Path, name: str, sources: str) -> tuple[Path, bytes]:
    """A file of the cache that is to be trusted.

    Args:
        folder: of the cache, from ``place``.
        name: of the file.
        sources: the hash of the sources that it must have been made from.
    Returns:
        Its path without links, and what it holds.
    Raises:
        FileNotFoundError: if it is not there.
        CacheError: if it is not to be trusted, with the reason.
        OSError: if it cannot be read.
    """
    path = _trusted_folder(folder) / name
    content, digests = _read_own(path), path.with_name(DIGESTS)
    if not digests.exists():
        raise CacheError(f"{digests} is missing, so nothing beside it serves: build it again")
    if _digest(name, sources, content).encode() not in _read_own(digests).splitlines():
        raise CacheError(f"{path} is not what was compiled from these sources: build it again")
    return path, content


def holds(folder: Path, name: str, sources: str) -> bool:
    """Whether ``read`` would give a file.

    Args:
        folder: of the cache, from ``place``.
        name: of the file.
        sources: the hash of the sources that it must have been made from.
    Returns:
        False too for what is there and not to be trusted.
    """
    try:
        read(folder, name, sources)
    except OSError:
        return False
    return True


def keep(folder: Path, name: str, sources: str, content: bytes) -> Path:
    """Put a file into the cache, so that at any moment it is there as a whole or not at all.

    Args:
        folder: of the cache, from ``place``.
        name: of the file.
        sources: the hash of the sources that it was made from.
        content: what it holds.
    Returns:
        Its path without links.
    Raises:
        CacheError: if others may write where it would be.
        OSError: if it cannot be written.
    """
    path = make(folder) / name
    # One short line at the end, before the file: whoever builds at the same time does no harm.
    with open(path.with_name(DIGESTS), "a", encoding="utf-8", opener=_open_own) as file:
        file.write(_digest(name, sources, content) + "\n")
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    return path


def make(folder: Path) -> Path:
    """Make the folder, whatever the umask writable by this user only; its path without links.

    Raises:
        CacheError: if it cannot be made or written, or others may write it or a folder above it.
    """
    try:
        for new in reversed([folder, *folder.parents]):
            if not os.path.lexists(new):
                new.mkdir(mode=0o755, exist_ok=True)
        found = _trusted_folder(folder)
        with tempfile.TemporaryFile(dir=found):  # refused here, before anything is compiled
            return found
    except CacheError:
        raise
    except OSError as error:
        raise CacheError(
            f"no cache in {folder}: {error}; EQUINET_CACHE can name another place"
        ) from error


# --- trust ----------------------------------------------------------------------------------------


def _digest(name: str, sources: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()} {sources} {name}"


def _trusted_folder(folder: Path) -> Path:
    folder = Path(os.path.realpath(folder, strict=True))
    _check(folder, folder.stat())
    for above in folder.parents:
        _check(above, above.stat(), sticky=True)
    return folder


def _read_own(path: Path) -> bytes:
    with open(path, "rb", opener=_open_own) as file:
        _check(path, os.fstat(file.fileno()))
        return file.read()


def _open_own(path: str, flags: int) -> int:
    """Open a file that is no link, pipe or the like."""
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise CacheError(f"{path} is no regular file")
    return os.open(path, flags, 0o644)


def _check(path: Path, found: os.stat_result, sticky: bool = False) -> None:
    """Refuse what somebody else has made or may write."""
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise CacheError(f"{path} belongs to another user (number {found.st_uid})")
    open_to_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if open_to_others and not (sticky and found.st_mode & stat.S_ISVTX):
        raise CacheError(f"{path} may be written by other users: chmod go-w {path}")
