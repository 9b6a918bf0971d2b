"""Arrays of an npz archive, or a clear word why there are none. In: a path. Out: arrays."""

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from .errors import InputError


def read_arrays(
    path: Path, needed: Collection[str], optional: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The named arrays of an archive, with those of the optional ones that are there.

    Raises:
        InputError: if it cannot be read, is no archive, is damaged, or an array is missing.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(f"data: expected an npz archive, got {path}: cut, or no archive")
            with np.load(file, allow_pickle=False) as arrays:
                if missing := set(needed) - set(arrays.files):
                    raise InputError(f"data: expected the arrays {sorted(missing)} in {path} too")
                names = [name for name in arrays.files if name in {*needed, *optional}]
                found = {name: arrays[name] for name in names}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"data: {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"data: {path} is damaged, or an array in it has no plain type") from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"data: expected {name} in {path} to be an array, got other bytes")
    return found
