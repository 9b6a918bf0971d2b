"""Files of the network, and whether they are what they should be.

In: an address and a SHA-256. Out: a file.
"""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path

from .errors import InputError


def download(path: Path, url: str, sha256: str) -> Path:
    """Fetch ``url`` to ``path``, unless it is there already, and check its SHA-256.

    The file appears under its name only after the check, so ``path`` is never half a file.

    Raises:
        InputError: if the content has another SHA-256; nothing is left at ``path`` then, except
            a file that was there before.
        OSError: if it cannot be fetched.
    """
    if path.exists():
        check_sha256(path, sha256, hint=f"delete {path} to fetch it again")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        try:
            with urllib.request.urlopen(url, timeout=60) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f"{url} cannot be fetched: {error}") from error
        check_sha256(part, sha256, hint=f"fetched from {url}; nothing was kept")
        os.replace(part, path)
    return path


def check_sha256(path: Path, expected: str, hint: str) -> None:
    """Raise InputError unless the content of a file has this SHA-256."""
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise InputError(f"sha256 of {path.name}: expected {expected}, got {got} ({hint})")
