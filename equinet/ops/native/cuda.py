"""Code for the GPU: found or compiled at first use, and launched on torch's current stream.

In: ``csrc/cuda``. Out: ``available`` and ``launch``.

The driver runs the kernels: with it, code is loaded that knows neither torch nor the CUDA runtime,
made by nvcc when the package was installed or by the compiler that comes with torch, NVRTC.

Code is loaded at the first call, which must not be recorded: run a network once, forwards and
backwards, before ``torch.cuda.graph``. ``torch.compile(mode="reduce-overhead")`` does it by itself.
"""

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from equinet.ops.native import cache, compile, library, nvrtc

MARKER = r"EQ_KERNEL\((\w+)\)\(([^)]*)\)"  # a kernel's name and arguments, in its source
# What a kernel takes: a tensor for a pointer, None for a null pointer, a number, a structure.
Argument = Tensor | int | float | ctypes.Array[ctypes.c_longlong] | None
Number = ctypes.c_longlong | ctypes.c_int | ctypes.c_double | ctypes.c_float
Placed = Number | ctypes.c_void_p | ctypes.Array[ctypes.c_longlong]  # as it lies for the driver
NUMBERS: dict[str, Callable[..., Number]] = {
    "i64": ctypes.c_longlong,
    "int": ctypes.c_int,
    "double": ctypes.c_double,
}
POINTERS = {"i64*": torch.int64, "unsigned char*": torch.bool}


class CudaError(RuntimeError):
    """The driver refused something."""


class Gpu:
    """The kernels, loaded on one GPU.

    Attributes:
        origin: where the code comes from.
        name: of the GPU, and the version of CUDA that its driver is for.
    """

    def __init__(self, index: int | None) -> None:
        self.index = index
        folder = compile.source_folder()
        self.signatures = library.signatures(folder / "cuda", "*.cu", MARKER)
        self.driver, self.context = driver(), ctypes.c_void_p()
        handle, version = ctypes.c_int(), ctypes.c_int()
        self._do("cuInit", 0)
        self._do("cuDriverGetVersion", ctypes.byref(version))
        major, minor = version.value // 1000, version.value % 1000 // 10
        self.name = f"{torch.cuda.get_device_name(index)}, driver for CUDA {major}.{minor}"
        self._do("cuDeviceGet", ctypes.byref(handle), index)
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), handle)
        self._do("cuCtxSetCurrent", self.context)
        self.module, self.origin = self._load(folder)
        self._functions: dict[str, ctypes.c_void_p] = {}

    def _load(self, folder: Path) -> tuple[ctypes.c_void_p, str]:
        architecture = "{}{}".format(*torch.cuda.get_device_capability(self.index))
        reasons: list[str] = []
        for make in (compiled_at_installation, compiled_at_first_use):
            module = ctypes.c_void_p()
            try:
                code, origin = make(folder, architecture)
                self._do("cuModuleLoadData", ctypes.byref(module), code)
            except (CudaError, compile.BuildError, OSError) as error:
                reasons.append(str(error))  # such as a fatbin without code for this GPU
                continue
            return module, origin
        raise CudaError("; ".join(reasons))

    def launch(
        self,
        name: str,
        dtype: torch.dtype,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[Argument],
        shared: int = 0,
    ) -> None:
        """Run a kernel on this GPU, on the current stream.

        Args:
            name: as declared by EQ_KERNEL.
            dtype: of T.
            grid: blocks.
            block: threads.
            arguments: those of the kernel.
            shared: bytes of shared memory.
        Raises:
            TypeError: for other arguments than those that are declared.
            CudaError: if the grid is too large, or the launch fails.
        """
        declared, (suffix, real) = self.signatures[name], library.TYPES[dtype]
        if len(arguments) != len(declared):
            raise TypeError(f"{name}: expected {len(declared)} arguments, got {len(arguments)}")
        if not fits(*grid):  # ctypes would cut off what is too large
            raise CudaError(f"{name}: expected at most {GRID} blocks, got {tuple(grid)}")
        values = [
            _value(name, kind, value, dtype, real, self.index)
            for kind, value in zip(declared, arguments, strict=True)
        ]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        sizes = [*grid, *[1] * (3 - len(grid)), *block, *[1] * (3 - len(block))]
        with torch.cuda.device(self.index):
            self._do("cuCtxSetCurrent", self.context)  # a backward thread may have none
            function = self._function(f"{name}_{suffix}")
            stream = ctypes.c_void_p(torch.cuda.current_stream(self.index).cuda_stream)
            unsigned = [ctypes.c_uint(size) for size in (*sizes, shared)]
            self._do("cuLaunchKernel", function, *unsigned, stream, pointers, None)

    def _function(self, name: str) -> ctypes.c_void_p:
        if name not in self._functions:
            found = ctypes.c_void_p()
            self._do("cuModuleGetFunction", ctypes.byref(found), self.module, name.encode())
            self._functions[name] = found
        return self._functions[name]

    def _do(self, call: str, *arguments: object) -> None:
        if failure := getattr(self.driver, call)(*arguments):
            text = ctypes.c_char_p()
            self.driver.cuGetErrorString(failure, ctypes.byref(text))
            raise CudaError(f"{call}: {(text.value or b'error').decode()} ({failure})")


def _value(
    name: str,
    kind: str,
    value: Argument,
    dtype: torch.dtype,
    real: library.Real,
    index: int | None,
) -> Placed:
    """An argument as it lies in memory for the driver."""
    if isinstance(value, ctypes.Array):
        return value
    if value is None:
        return ctypes.c_void_p()
    if not isinstance(value, Tensor):
        return (real if kind == "T" else NUMBERS[kind])(value)
    wanted = dtype if "T*" in kind else POINTERS[kind.removeprefix("const ")]
    if value.device.index != index or value.dtype != wanted or not value.is_contiguous():
        raise TypeError(
            f"{name}: expected a contiguous tensor of {wanted} on GPU {index} for {kind}, got "
            f"{value.dtype} on {value.device} with strides {value.stride()}"
        )
    return ctypes.c_void_p(value.data_ptr())


@functools.cache
def driver() -> ctypes.CDLL:
    """The driver of the GPUs, which has no version of its own to be built against."""
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


# --- code -----------------------------------------------------------------------------------------


def compiled_at_installation(folder: Path, architecture: str) -> tuple[bytes, str]:
    """The file that nvcc made of these sources.

    Args:
        folder: ``csrc``.
        architecture: of the GPU; the file has code for several.
    Returns:
        The code, and the path of the file.
    Raises:
        BuildError: if there is no such file.
        OSError: if it is not to be trusted, or cannot be read.
    """
    name, sources = compile.fatbin_name(folder), compile.source_hash(folder)
    if (installed := compile.INSTALLED / name).exists():
        return installed.read_bytes(), str(installed)
    try:
        path, code = cache.read(cache.place(sources), name, sources)
    except FileNotFoundError as error:
        raise compile.BuildError("not compiled by nvcc from these sources") from error
    return code, str(path)


def compiled_at_first_use(folder: Path, architecture: str) -> tuple[bytes, str]:
    """Code by NVRTC for one architecture such as ``"90"``, and where it is kept.

    It is kept in the user's cache, keyed by the sources and the version of NVRTC; where that cannot
    be written or trusted, it is compiled anew in each process.

    Args:
        folder: ``csrc``.
        architecture: of the GPU.
    Returns:
        The code, and where it is kept.
    """
    compiler, sources = nvrtc.load(), compile.source_hash(folder)
    name = f"equinet_cuda_{architecture}_nvrtc_{nvrtc.version(compiler)}.cubin"
    try:
        path, code = cache.read(cache.place(sources), name, sources)
    except OSError:  # not there, or not to be trusted
        code = nvrtc.compile_kernels(compiler, folder, architecture)
        try:
            path = cache.keep(cache.place(sources), name, sources, code)
        except OSError as error:
            return code, f"compiled by NVRTC, not kept: {error}"
    return code, str(path)


# --- for the operators ----------------------------------------------------------------------------


@functools.cache
def _gpu(index: int) -> Gpu | str:
    """The kernels on a GPU, or why there are none."""
    wanted = compile.setting("EQUINET_CUDA")
    if wanted == "0" or compile.setting("EQUINET_BUILD") == "0":
        return "switched off by EQUINET_CUDA=0 or EQUINET_BUILD=0"
    refuse_capture("loaded")
    try:
        return Gpu(index)
    except (CudaError, compile.BuildError, OSError, AttributeError) as error:
        if wanted == "require":
            raise RuntimeError(f"EQUINET_CUDA=require, but on GPU {index}: {error}") from error
        return str(error)


def refuse_capture(done: str) -> None:
    """Nothing can be loaded, or compared, while a CUDA graph records what is called.

    Args:
        done: what was to be done with the operators, such as "loaded".
    Raises:
        RuntimeError: if the current stream is being recorded.
    """
    if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            f"the GPU operators of equinet cannot be {done} while a CUDA graph is recorded: run "
            f"the network once before, forwards and backwards if both are recorded, on the same "
            f"GPU and in the same precision"
        )


def available(index: int) -> bool:
    """Whether there are kernels for this GPU; compiles them where that is to be done."""
    return isinstance(_gpu(index), Gpu)


# Not to be traced. torch.compiler.assume_constant_result sets just this, and imports all of dynamo.
setattr(available, "_dynamo_marked_constant", True)  # noqa: B010


def described(index: int) -> str:
    """The name of a GPU and its driver, for messages."""
    gpu = _gpu(index)
    return f"GPU {index}" if isinstance(gpu, str) else gpu.name


def launch(
    name: str,
    dtype: torch.dtype,
    index: int,
    grid: Sequence[int],
    block: Sequence[int],
    *arguments: Argument,
    shared: int = 0,
) -> None:
    """Run a kernel on the current stream of a GPU.

    Args:
        name: as declared by EQ_KERNEL.
        dtype: of T, float32 or float64.
        index: of the GPU, on which all tensors lie.
        grid: blocks in up to three dimensions, none of them 0.
        block: threads.
        arguments: contiguous tensors for pointers, None for a null pointer, numbers, and ctypes
            arrays for structures.
        shared: bytes of shared memory for EQ_SHARED, at most ``SHARED``.
    Raises:
        RuntimeError: if there is no code for this GPU, or the launch fails.
    """
    gpu = _gpu(index)
    if isinstance(gpu, str):
        raise CudaError(f"equinet::{name}: no code for GPU {index}: {gpu}")
    gpu.launch(name, dtype, grid, block, arguments, shared)


# What a launch may ask for on every GPU: shared memory, and blocks in each dimension.
SHARED = 48 * 1024
GRID = 2**31 - 1, 65535, 65535
MAX_DEGREES = 128  # kMaxDegrees of csrc/common/device.h


def fits(*grid: int) -> bool:
    """Whether a grid can be launched; operators ask before, so that the reference can serve."""
    return all(blocks <= most for blocks, most in zip(grid, GRID, strict=False))


def degrees(rows: Sequence[int], columns: Sequence[int]) -> ctypes.Array[ctypes.c_longlong]:
    """The structure ``Degrees`` of csrc/common/device.h.

    Args:
        rows: of the matrix of each degree.
        columns: of the same.
    Returns:
        The structure, filled.
    Raises:
        ValueError: for more than ``MAX_DEGREES`` degrees.
    """
    if len(rows) > MAX_DEGREES:
        raise ValueError(f"rows: expected at most {MAX_DEGREES} degrees, got {len(rows)}")
    padding = [0] * (MAX_DEGREES - len(rows))
    values = [len(rows), *rows, *padding, *columns, *padding]
    return (ctypes.c_longlong * len(values))(*values)


def devices() -> list[torch.device]:
    """The GPUs for which there is code."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.device("cuda", index) for index in range(count) if available(index)]


def report() -> tuple[tuple[str, ...], str]:
    """For each GPU where its code comes from; and why there is none."""
    if not torch.cuda.is_available():
        return (), "this torch has no CUDA" if not torch.version.cuda else "no GPU can be used"
    lines: list[str] = []
    problem = ""
    for index in range(torch.cuda.device_count()):
        gpu = _gpu(index)
        if isinstance(gpu, str):
            problem = f"GPU {index}: {gpu}"
        else:
            lines.append(f"{gpu.name}: {gpu.origin}")
    return tuple(lines), problem
