"""A GPU that is emulated: the very kernels and their launching code, run on the CPU."""

import ctypes
import subprocess
import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch

from equinet.ops.availability import ON_GPU
from equinet.ops.native import compile, cuda, library

HERE = Path(__file__).parent
SANITIZERS = (
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    *("-fno-omit-frame-pointer", "-g", "-O1"),
)


def compile_driver(
    out: Path, flags: tuple[str, ...] = ("-O2",), folder: Path | None = None
) -> Path:
    """The emulated driver with all kernels in it, as a shared library in the folder ``out``."""
    folder = folder or compile.source_folder()
    kernels = library.signatures(folder / "cuda", "*.cu", cuda.MARKER)
    entries = " ".join(f"ENTRY({name})" for name in kernels)
    path = out / "emulated_driver.so"
    command = [compile.find_compiler(), "-std=c++17", "-fPIC", "-shared", "-x", "c++", *flags]
    command += [f"-I{folder}", f"-I{HERE}", f"-DEQ_ENTRIES={entries}", "-Wno-unknown-pragmas"]
    subprocess.run([*command, str(HERE / "driver.cpp"), "-o", str(path)], check=True)
    return path


@contextmanager
def emulated_gpu(driver: Path, descending: bool = False):
    """Within it, operators' GPU code takes tensors on the CPU."""
    handle = ctypes.CDLL(str(driver))
    handle.emulation_descending(int(descending))
    with (
        mock.patch.object(cuda, "driver", lambda: handle),
        mock.patch.object(cuda, "compiled_at_installation", lambda *_: (b"", "emulated")),
        mock.patch.object(torch.cuda, "get_device_capability", lambda index: (9, 0)),
        mock.patch.object(torch.cuda, "get_device_name", lambda index: "an emulated GPU"),
        mock.patch.object(torch.cuda, "device", lambda index: nullcontext()),
        mock.patch.object(torch.cuda, "current_stream", lambda _: SimpleNamespace(cuda_stream=0)),
    ):
        gpu = cuda.Gpu(None)
        with mock.patch.object(cuda, "_gpu", lambda index: gpu):
            yield gpu


@contextmanager
def dispatched_to_gpu(driver: Path):
    """Within it, a call with tensors on the CPU takes the road of one on a GPU, seen for the first
    time: through torch's dispatcher, with derivatives, to ``GpuForm.serve``."""
    with (
        emulated_gpu(driver) as gpu,
        torch.library._scoped_library("equinet", "IMPL") as overriding,
        mock.patch.object(cuda, "devices", lambda: [torch.device("cpu")]),
        mock.patch.object(library, "available", lambda: True),
        ExitStack() as stack,
    ):
        for form in ON_GPU:
            stack.enter_context(mock.patch.object(form, "verdicts", {}))
            with warnings.catch_warnings(action="ignore"):  # torch says that this is no accident
                overriding.impl(form.name, form.serve, "CPU", allow_override=True)
        yield gpu
