"""Compiles ``csrc`` into shared libraries, one for each instruction set, and into GPU code.

In: C++ and CUDA sources. Out: files.

The libraries have a plain C interface: they know neither torch nor Python, so that one file serves
every version of both. Standard library only, since ``setup.py`` runs this file where there is no
torch.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
INSTALLED = PACKAGE / "_compiled"  # where an installation puts what it compiled
LOG = "build.log"
COMPILED, THERE = "compiled", "there already"  # what the log says of a file that serves

# Not -ffast-math: with GCC it turns off denormal numbers in the whole process. Products may be
# fused with sums (fma), as in every BLAS.
FLAGS = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-exceptions"),
    *("-fno-rtti", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
    *("-Wall", "-Wextra", "-Wno-psabi"),
)
X86 = {  # names as in torch.backends.cpu.get_cpu_capability, in lower case
    "default": (),
    "avx2": ("-mavx2", "-mfma"),
    "avx512": (
        *("-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
        "-mprefer-vector-width=512",
    ),
}
CUDA_FLAGS = ("-std=c++17", "-O3", "-fatbin", "--Werror=all-warnings")
CUDA_ARCHITECTURES = ("80", "90")  # machine code; newer GPUs take the PTX of the last


class BuildError(RuntimeError):
    """A compiler is missing or refused a source."""


def setting(name: str) -> str:
    """``auto``, ``0`` or ``require``: the environment variable EQUINET_BUILD or EQUINET_CUDA.

    Raises:
        ValueError: if it is set to something else.
    """
    value = os.environ.get(name, "").strip().lower() or "auto"
    value = {"1": "require", "off": "0"}.get(value, value)
    if value not in ("auto", "0", "require"):
        raise ValueError(f"{name}: expected auto, 0 or require, got {value!r}")
    return value


# --- sources and places ---------------------------------------------------------------------------


def source_folder() -> Path:
    """``csrc``: within the installed package, or beside it in a checkout.

    Raises:
        BuildError: if it is in neither place.
    """
    for folder in (PACKAGE / "_csrc", PACKAGE.parent / "csrc"):
        if folder.is_dir():
            return folder
    raise BuildError(f"the sources are missing: neither {PACKAGE / '_csrc'} nor csrc beside it")


def sources(folder: Path) -> list[Path]:
    """Every source in ``folder``, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix in (".h", ".cpp", ".cu"))


def source_hash(folder: Path) -> str:
    """Changes with every change of a source or a flag; compiled into each library."""
    found = hashlib.sha256(repr((FLAGS, X86, CUDA_FLAGS, CUDA_ARCHITECTURES)).encode())
    for path in sources(folder):
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def machine() -> str:
    """The platform that compiled files are for, such as ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine()}".lower()


def instruction_sets() -> dict[str, tuple[str, ...]]:
    """The flags of each instruction set of this processor's family, from least to most able."""
    return X86 if platform.machine().lower() in ("x86_64", "amd64") else {"default": ()}


def library_name(instruction_set: str) -> str:
    """The file name of the library for one instruction set."""
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return f"equinet_cpu_{instruction_set}{suffix}"


def fatbin_name(folder: Path) -> str:
    """The file name of the GPU code; it has no other way to say what it was compiled from."""
    return f"equinet_cuda_{source_hash(folder)}.fatbin"


# --- compilers ------------------------------------------------------------------------------------


def find_compiler() -> str:
    """$CXX, or the first of c++, g++ and clang++ on the path.

    Raises:
        BuildError: if there is none.
    """
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    for name in candidates:
        if path := shutil.which(name):
            return path
    raise BuildError(f"no C++ compiler: looked for {', '.join(candidates)} (GCC or Clang)")


def find_nvcc() -> str:
    """$EQUINET_NVCC, or nvcc of $CUDA_HOME, on the path or in /usr/local/cuda.

    Raises:
        BuildError: if there is none.
    """
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    candidates = [os.environ.get("EQUINET_NVCC"), home and os.path.join(home, "bin", "nvcc")]
    for name in (*candidates, "nvcc", "/usr/local/cuda/bin/nvcc"):
        if name and (path := shutil.which(name)):
            return path
    raise BuildError("no CUDA compiler: looked for nvcc on the path and in $CUDA_HOME")


def _run(command: list[str], out: Path) -> None:
    """Run a compiler whose last arguments name a file, and move that file to ``out``."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        made = Path(folder) / out.name
        command = [*command, "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"{' '.join(command)}\n{done.stderr.strip() or done.stdout.strip()}")
        os.replace(made, out)


def compile_cpu(folder: Path, out: Path, instruction_set: str) -> Path:
    """Compile ``csrc/cpu`` for one instruction set.

    Args:
        folder: ``csrc``.
        out: the folder for the library.
        instruction_set: one of ``instruction_sets``.
    Returns:
        The library.
    Raises:
        BuildError: with the command and what the compiler said.
    """
    flags = [*FLAGS, *instruction_sets()[instruction_set], f"-I{folder}"]
    flags.append(f'-DEQ_SOURCES="{source_hash(folder)}"')
    flags.append(f'-DEQ_INSTRUCTION_SET="{instruction_set}"')
    units = [str(path) for path in sources(folder / "cpu") if path.suffix == ".cpp"]
    links = ["-Wl,--as-needed"] if sys.platform == "linux" else []
    path = out / library_name(instruction_set)
    _run([find_compiler(), *flags, *units, *links], path)
    return path


def compile_cuda(folder: Path, out: Path) -> Path:
    """Compile ``csrc/cuda`` with nvcc into one file for all architectures.

    $EQUINET_CUDA_ARCHITECTURES, such as ``"80;90"``, names others.

    Args:
        folder: ``csrc``.
        out: the folder for the file.
    Returns:
        The file.
    Raises:
        BuildError: with the command and what the compiler said.
    """
    nvcc = find_nvcc()
    named = re.findall(r"\w+", os.environ.get("EQUINET_CUDA_ARCHITECTURES", ""))
    targets = named or list(CUDA_ARCHITECTURES)
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in targets]
    codes.append(f"-gencode=arch=compute_{targets[-1]},code=compute_{targets[-1]}")
    path = out / fatbin_name(folder)
    _run([nvcc, *CUDA_FLAGS, *codes, f"-I{folder}", str(folder / "cuda" / "kernels.cu")], path)
    return path


def manylinux(libraries: list[bytes]) -> str | None:
    """The oldest GNU system that libraries run on, in the words of PEP 600: ``manylinux_2_17``.

    It is the newest version of glibc that a symbol asks for, but none older than 2.17, the oldest
    that Python is built for. None if they need other libraries than those of C.

    Args:
        libraries: the content of each, in the ELF format.
    """
    needed: set[bytes] = set()
    versions = {17}
    for content in libraries:
        needed.update(re.findall(rb"(?<=\0)lib[\w+-]+\.so[.\d]*(?=\0)", content))
        versions.update(map(int, re.findall(rb"(?<=\0)GLIBC_2\.(\d+)[.\d]*(?=\0)", content)))
    return f"manylinux_2_{max(versions)}" if needed <= {b"libc.so.6", b"libm.so.6"} else None


# --- all of it ------------------------------------------------------------------------------------


def build(
    folder: Path,
    out: Path,
    cpu: str = "auto",
    cuda: str = "auto",
    is_there: Callable[[str], bool] = lambda name: False,
) -> str:
    """Compile what can be compiled, and keep in ``out`` a log of what could not, and why.

    Args:
        folder: ``csrc``.
        out: the folder for the results.
        cpu: ``auto``, ``0`` to leave out or ``require`` to fail where it cannot be compiled.
        cuda: the same for GPU code.
        is_there: whether there is a file of this name already, so that it need not be compiled.
    Returns:
        The log: a line, or a compiler's message, for each file.
    Raises:
        BuildError: if what is required cannot be compiled.
    """
    jobs: list[tuple[str, str, Callable[[], Path]]] = []
    if cpu != "0":
        jobs += [
            (library_name(name), cpu, lambda name=name: compile_cpu(folder, out, name))
            for name in instruction_sets()
        ]
    if cuda != "0":
        jobs.append((fatbin_name(folder), cuda, lambda: compile_cuda(folder, out)))
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda job: THERE if is_there(job[0]) else _attempt(job[2]), jobs))
    lines = [f"{name}: {outcome}" for (name, _, _), outcome in zip(jobs, outcomes, strict=True)]
    log = "\n".join(lines) or "nothing was asked for (EQUINET_BUILD=0, EQUINET_CUDA=0)"
    out.mkdir(parents=True, exist_ok=True)
    (out / LOG).write_text(log + "\n", encoding="utf-8")
    for (name, wanted, _), outcome in zip(jobs, outcomes, strict=True):
        if wanted == "require" and outcome not in (COMPILED, THERE):
            raise BuildError(f"{name} is required, but: {outcome}")
    return log


def _attempt(job: Callable[[], object]) -> str:
    try:
        job()
    except (BuildError, OSError) as error:
        return str(error)
    return COMPILED
