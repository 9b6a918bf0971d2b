"""What is compiled, what is in use, and how to get the rest."""

from dataclasses import dataclass
from typing import Any

import torch

from equinet.ops import edge_directions, edge_sums, irrep_products, legendre, s2, so3
from equinet.ops.block_products import OPERATOR as BLOCK_MATMUL
from equinet.ops.expansion import OPERATOR as EXPANSION
from equinet.ops.filter_spectra import OPERATOR as FILTER_SPECTRUM
from equinet.ops.masking import OPERATOR as ZERO_WHERE
from equinet.ops.native import compile, cuda, first_use, library
from equinet.ops.native.operator import Operator

OPERATORS: tuple[Operator[Any, Any], ...] = (
    *(BLOCK_MATMUL, EXPANSION, FILTER_SPECTRUM, s2.SYNTHESIS, s2.ANALYSIS),
    *(s2.WAVES, s2.COEFFICIENTS, legendre.SYNTHESIS, legendre.ANALYSIS),
    *(so3.SYNTHESIS, so3.RECTIFIED, so3.ANALYSIS, ZERO_WHERE),
    *(edge_sums.EDGE_SUM, edge_sums.GRADIENTS),
    *(edge_directions.HARMONICS, edge_directions.GRADIENT, edge_directions.TANGENT),
    *(irrep_products.PRODUCT, irrep_products.GRADIENTS),
)
ON_GPU = tuple(operator.gpu for operator in OPERATORS if operator.gpu)


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
        checks: what came of the check at the first use of each operator on a GPU: a line for each
            GPU and precision in which it was used, or that it was not.
    """

    cpu: str | None
    cpu_problem: str
    instruction_set: str | None
    threads: bool
    gpus: tuple[str, ...]
    gpu_problem: str
    checks: tuple[str, ...]

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
            lines.append("    compared with plain PyTorch at their first use:")
            lines += [f"        {check}" for check in self.checks]
        else:
            lines.append(f"GPU operators: plain PyTorch; {self.gpu_problem}")
        return "\n".join(lines)


def status(check: bool = False) -> Status:
    """Which compiled operators are in use, why, and how to get those that are not.

    Args:
        check: use every operator on every GPU in both precisions, so that all are compared with
            their references; else the status says what came of those that were used.

    Example:
        >>> str(status()).startswith("torch")
        True
    """
    gpus, gpu_problem = cuda.report()
    if check:
        check_on_gpus()
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
        checks=_checks(),
    )


def check_on_cpu() -> tuple[int, list[str]]:
    """Compare the operators that are compiled for the CPU with their references.

    Returns:
        How many have been compared, and what is wrong, nothing if all is well. None is where there
        is no compiled form in use.
    """
    tried, found = 0, []
    for operator in OPERATORS if library.CPU else ():
        if operator.cpu is None:
            continue
        tried += 1
        for dtype in library.TYPES:
            forms = operator.cpu, operator.reference, operator.examples
            wrong = first_use.compared(*forms, torch.device("cpu"), dtype, operator.exact)
            if wrong:
                found.append(f"{operator.name} on the CPU: {wrong}")
    return tried, found


def check_on_gpus() -> list[str]:
    """Compare every operator with its reference on every GPU that has code for it.

    Returns:
        What is wrong, nothing if all is well.
    """
    found = []
    for device in cuda.devices():
        for form in ON_GPU:
            for dtype in library.TYPES:
                if wrong := form.problem(device, dtype):
                    found.append(f"{form.name} on {device}: {wrong}")
    return found


def _checks() -> tuple[str, ...]:
    lines: list[str] = []
    for form in ON_GPU:
        if not form.verdicts:
            lines.append(f"{form.name}: not used yet")
        for (device, dtype), wrong in form.verdicts.copy().items():
            said = f"plain PyTorch serves; {wrong}" if wrong else "passed"
            lines.append(f"{form.name} on {device} in {dtype}: {said}")
    return tuple(lines)
