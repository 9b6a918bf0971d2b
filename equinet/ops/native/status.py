"""What is compiled, what is in use, and how to get the rest. Before: ``operator``."""

from dataclasses import dataclass

import torch

from equinet.ops.native import compile, cuda, library


@dataclass(frozen=True)
class Status:
    """What the operators run on; ``str()`` says it in words.

    Attributes:
        cpu: the file of compiled operators for the CPU in use, None if there is none.
        cpu_problem: why there is none, or why others were refused.
        instruction_set: that of the file.
        threads: whether the operators share torch's threads.
        gpus: for each GPU where the code for it comes from.
        gpu_problem: why there is none.
    """

    cpu: str | None
    cpu_problem: str
    instruction_set: str | None
    threads: bool
    gpus: tuple[str, ...]
    gpu_problem: str

    def __str__(self) -> str:
        lines = [f"torch {torch.__version__}"]
        if self.cpu:
            threads = "torch's threads" if self.threads else "one thread"
            lines.append(f"CPU operators: compiled for {self.instruction_set}, {threads}")
            lines.append(f"    {self.cpu}")
            if self.cpu_problem:
                lines.append(f"    refused before it: {self.cpu_problem}")
        else:
            lines.append(f"CPU operators: plain PyTorch; {self.cpu_problem}")
            lines.append("    to compile them, with GCC or Clang: python -m equinet.build")
        if self.gpus:
            lines.append("GPU operators:")
            lines += [f"    {gpu}" for gpu in self.gpus]
        else:
            lines.append(f"GPU operators: plain PyTorch; {self.gpu_problem}")
        return "\n".join(lines)


def status() -> Status:
    """Which compiled operators are in use, why, and how to get those that are not.

    Example:
        >>> str(status()).startswith("torch")
        True
    """
    gpus, gpu_problem = cuda.report()
    problem = library.CPU_PROBLEM
    log = compile.INSTALLED / compile.LOG
    if library.CPU is None and problem == "not compiled" and log.exists():
        said = log.read_text(encoding="utf-8").strip().splitlines() or [""]
        problem += f"; {log} begins with: {said[0]}"
    return Status(
        cpu=str(library.CPU.path) if library.CPU else None,
        cpu_problem=problem,
        instruction_set=library.CPU.instruction_set if library.CPU else None,
        threads=bool(library.CPU and library.CPU.threads),
        gpus=gpus,
        gpu_problem=gpu_problem,
    )
