"""The CUDA compiler that comes with torch: source to machine code, where there is no GPU too.

In: ``csrc``. Out: code for one architecture.
"""

import ctypes
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from equinet.ops.native import compile

ENTRY = "cuda/kernels.cu"


def load(folder: Path | None = None) -> ctypes.CDLL:
    """The library NVRTC.

    Args:
        folder: where it lies; beside torch by default, where its wheels for CUDA put it.
    Raises:
        BuildError: if there is none.
    """
    site = Path(torch.__file__).parent.parent
    folders = [folder] if folder else [site / "nvidia", site / "torch" / "lib"]
    pattern = "nvrtc64_*_0.dll" if sys.platform == "win32" else "libnvrtc.so.*"
    found = sorted(path for place in folders for path in place.rglob(pattern))
    for path in found:
        for part in path.parent.glob("*nvrtc-builtins*"):
            ctypes.CDLL(str(part))  # NVRTC looks for it by its bare name
        return ctypes.CDLL(str(path))
    raise compile.BuildError(f"no {pattern} in {', '.join(map(str, folders))}")


def version(nvrtc: ctypes.CDLL) -> str:
    """Such as ``13.0``."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _do(nvrtc, "nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def compile_kernels(nvrtc: ctypes.CDLL, folder: Path, architecture: str) -> bytes:
    """Machine code of all kernels.

    Args:
        nvrtc: from ``load``.
        folder: ``csrc``.
        architecture: such as ``"90"``.
    Returns:
        The code, as the driver loads it.
    Raises:
        BuildError: with what the compiler said.
    """
    files = {
        path.relative_to(folder).as_posix().encode(): path.read_bytes()
        for path in compile.sources(folder)
        if path.suffix in (".h", ".cu")
    }
    headers = {name: text for name, text in files.items() if name != ENTRY.encode()}
    program = ctypes.c_void_p()
    created = (ctypes.byref(program), files[ENTRY.encode()], ENTRY.encode(), len(headers))
    _do(nvrtc, "nvrtcCreateProgram", *created, _strings(headers.values()), _strings(headers))
    flags = _strings([f"--gpu-architecture=sm_{architecture}".encode(), b"--std=c++17"])
    try:
        failed = nvrtc.nvrtcCompileProgram(program, len(flags), flags)
        if failed:
            said = _read(nvrtc, program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
            raise compile.BuildError(f"NVRTC for sm_{architecture}: {said}")
        return _read(nvrtc, program, "CUBIN")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _strings(texts: Iterable[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    given = list(texts)
    return (ctypes.c_char_p * len(given))(*given)


def _read(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _do(nvrtc, f"nvrtcGet{what}Size", program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    _do(nvrtc, f"nvrtcGet{what}", program, text)
    return text.raw


def _do(nvrtc: ctypes.CDLL, call: str, *arguments: object) -> None:
    if failure := getattr(nvrtc, call)(*arguments):
        raise compile.BuildError(f"{call}: error {failure}")
