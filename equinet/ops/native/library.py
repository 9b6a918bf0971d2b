"""Finds and loads the library of operators for the CPU, or keeps the reason why there is none.

In: what ``compile`` made. Out: ``CPU``.
"""

import ctypes
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from equinet.ops.native import cache, compile

# What compiled code takes: a tensor or integers for a pointer, None for a null pointer, a number.
Argument = Tensor | Sequence[int] | int | float | None
Real = type[ctypes.c_float] | type[ctypes.c_double]
TYPES: dict[torch.dtype, tuple[str, Real]] = {
    torch.float32: ("f32", ctypes.c_float),
    torch.float64: ("f64", ctypes.c_double),
}
INTEGERS = {"int64_t": ctypes.c_int64, "int32_t": ctypes.c_int32, "double": ctypes.c_double}
POINTERS = {"int64_t*": torch.int64, "uint8_t*": torch.bool, "double*": torch.float64}
FAILURES = {1: "out of memory"}
BAD_EDGES = 2  # as in csrc/common/api.h
TORCH_LIBRARIES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}


def signatures(folder: Path, pattern: str, marker: str) -> dict[str, list[str]]:
    """The declared arguments of each operator, read from the sources.

    Args:
        folder: ``csrc/cpu`` or ``csrc/cuda``.
        pattern: the files, ``*.cpp`` or ``*.cu``.
        marker: what stands before the name: ``EQ_OPERATOR name(const T* x, int64_t n)``.
    Returns:
        Their types by the operator's name, such as ``["const T*", "int64_t"]``.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob(pattern)):
        for name, arguments in re.findall(marker, path.read_text(encoding="utf-8")):
            found[name] = [re.sub(r"\s*\w+\s*$", "", part).strip() for part in arguments.split(",")]
    return found


class Library:
    """The operators compiled for this CPU.

    Attributes:
        path: the file that was loaded, None if there is none.
        problem: why there is none, or what was refused before one was found.
        instruction_set: that of the file.
        threads: whether it works on torch's threads.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.problem = path, ""
        handle = ctypes.CDLL(str(path))
        self.instruction_set = _text(handle, "eq_instruction_set")
        if (made_from := _text(handle, "eq_sources")) != (expected := compile.source_hash(folder)):
            raise OSError(f"{path}: compiled from other sources ({made_from}, not {expected})")
        self.signatures = signatures(folder / "cpu", "*.cpp", r"EQ_OPERATOR (\w+)\(([^)]*)\)")
        self._functions = {
            (name, dtype): _function(handle, f"eq_{name}_{suffix}", arguments, real)
            for name, arguments in self.signatures.items()
            for dtype, (suffix, real) in TYPES.items()
        }
        self.threads = _use_torch_threads(handle)

    def call(self, name: str, dtype: torch.dtype, *arguments: Argument) -> None:
        """Run an operator on tensors that lie on the CPU and are contiguous.

        Args:
            name: as declared by EQ_OPERATOR.
            dtype: of T, float32 or float64.
            arguments: tensors for pointers, tuples of ints for ``const int64_t*``, None for a null
                pointer, numbers. The tensors must have the dtype that is declared.
        Raises:
            TypeError: for other arguments than those that are declared.
            ValueError: if edges are no numbers of points, or in no order.
            RuntimeError: if the operator fails.
        """
        declared = self.signatures[name]
        if len(arguments) != len(declared):
            raise TypeError(f"{name}: expected {len(declared)} arguments, got {len(arguments)}")
        values = [
            _pointer(name, kind, value, dtype) if kind.endswith("*") else value
            for kind, value in zip(declared, arguments, strict=True)
        ]
        failure = self._functions[name, dtype](*values)
        if failure == BAD_EDGES:
            raise ValueError(
                f"{name}: edges: expected numbers of points and the order that edge_order finds, "
                "got others"
            )
        if failure:
            raise RuntimeError(f"equinet::{name}: {FAILURES.get(failure, f'error {failure}')}")


def memory_of(x: Tensor) -> Tensor:
    """All that lies between the first and the last number of ``x``, in a row."""
    reach = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True)) + 1
    return x.as_strided((reach if x.numel() else 0,), (1,))


def _pointer(
    name: str, kind: str, value: Argument, dtype: torch.dtype
) -> int | ctypes.Array[ctypes.c_int64] | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        return (ctypes.c_int64 * len(value))(*value)
    wanted = dtype if "T*" in kind else POINTERS[kind.removeprefix("const ")]
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor for {kind}, got {type(value).__name__}")
    if value.device.type != "cpu" or value.dtype != wanted or not value.is_contiguous():
        raise TypeError(
            f"{name}: expected a contiguous tensor of {wanted} on the CPU for {kind}, got "
            f"{value.dtype} on {value.device} with strides {value.stride()}"
        )
    return value.data_ptr()


def _text(handle: ctypes.CDLL, name: str) -> str:
    function = getattr(handle, name)
    function.restype = ctypes.c_char_p
    return function().decode()


def _function(
    handle: ctypes.CDLL, name: str, arguments: list[str], real: Real
) -> Callable[..., int]:
    """The function that the exported pointer ``name`` points to."""
    types = [ctypes.c_void_p if a.endswith("*") else (INTEGERS | {"T": real})[a] for a in arguments]
    return ctypes.CFUNCTYPE(ctypes.c_int, *types)(ctypes.c_void_p.in_dll(handle, name).value or 0)


def _use_torch_threads(handle: ctypes.CDLL) -> bool:
    """Hand over ``torch_parallel_for``, which torch exports since 2.10."""
    name = TORCH_LIBRARIES.get(sys.platform, "torch_cpu.dll")
    try:
        pool = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name)).torch_parallel_for
    except (OSError, AttributeError):
        return False  # the operators then run on the thread that calls them
    handle.eq_set_pool.argtypes = [ctypes.c_void_p]
    handle.eq_set_pool(ctypes.cast(pool, ctypes.c_void_p))
    return True


# --- which file -----------------------------------------------------------------------------------


def preferred() -> list[str]:
    """The instruction sets that this processor has, the most able first."""
    able = torch.backends.cpu.get_cpu_capability().lower()
    known = list(compile.instruction_sets())
    return known[: known.index(able) + 1 if able in known else 1][::-1]


def _places(sources: str) -> Iterator[Path]:
    """Where to look. There may be no cache, which is found only if there is nothing before it."""
    yield compile.INSTALLED
    yield cache.place(sources)


def _find(place: Path, name: str, sources: str) -> Path | None:
    """The file of the installation, or of a cache if it is to be trusted; None if it is not there.

    Raises:
        OSError: if a file of a cache is not to be trusted, or cannot be read.
    """
    if place == compile.INSTALLED:
        return path if (path := place / name).exists() else None
    try:
        return cache.read(place, name, sources)[0]
    except FileNotFoundError:
        return None


def load(folders: Iterable[Path] | None = None) -> tuple[Library | None, str]:
    """The first library that can be used, and the reasons against those before it.

    Args:
        folders: where to look; the installation and then the user's cache by default.
    Returns:
        The library, or None, and the reasons in one line.
    """
    if compile.setting("EQUINET_BUILD") == "0":
        return None, "switched off by EQUINET_BUILD=0"
    refused: dict[str, None] = {}  # in order, each once
    try:
        folder = compile.source_folder()
        sources = compile.source_hash(folder)
        for place in folders or _places(sources):
            for name in map(compile.library_name, preferred()):
                try:
                    if path := _find(place, name, sources):
                        return Library(path, folder), "; ".join(refused)
                except (OSError, AttributeError, ValueError) as error:
                    refused[str(error)] = None
    except (compile.BuildError, OSError) as error:
        refused[str(error)] = None
    return None, "; ".join(refused) or "not compiled"


CPU, CPU_PROBLEM = load()
REQUIRED = compile.setting("EQUINET_BUILD") == "require"


def available() -> bool:
    """Whether there is a library.

    Raises:
        RuntimeError: if there is none and EQUINET_BUILD is ``require``. At the first use, not at
            the import, so that ``python -m equinet.build`` can still compile it.
    """
    if CPU is None and REQUIRED:
        raise RuntimeError(
            f"EQUINET_BUILD=require, but no compiled operators can be loaded: {CPU_PROBLEM}"
        )
    return CPU is not None


def call(name: str, dtype: torch.dtype, *arguments: Argument) -> None:
    """``Library.call`` of the library that is loaded.

    Args:
        name: as declared by EQ_OPERATOR.
        dtype: of T, float32 or float64.
        arguments: as ``Library.call`` takes them.
    Raises:
        ValueError: if edges are no numbers of points, or in no order.
        RuntimeError: if there is no library, or the operator fails.
    """
    if CPU is None:
        raise RuntimeError(f"equinet::{name}: there are no compiled operators: {CPU_PROBLEM}")
    CPU.call(name, dtype, *arguments)
