"""Run every operator under the address sanitizer: ``python sanitized.py <library> <driver>``.

A process of its own, as the sanitizer must be loaded before Python. With a third argument the
result is made too short, which the sanitizer must not let pass.
"""

import sys
from pathlib import Path
from unittest import mock

import torch

from equinet.ops.native import compile, library
from tests.ops.emulation.gpu import SANITIZERS, emulated_gpu
from tests.ops.operator_cases import LARGE, SMALL


def main(path: str, driver: str, *broken: str) -> None:
    torch.set_num_threads(1)
    with mock.patch.object(compile, "FLAGS", (*compile.FLAGS, *SANITIZERS)):
        library.CPU = library.Library(Path(path), compile.source_folder())
    if broken:
        x, out = torch.ones(600), torch.zeros(599)
        library.CPU.call("block_matmul", torch.float32, 0, x[:1], x, None, out, (1,), (1,), 1, 600)
    for case in SMALL + LARGE:
        if case.operator.cpu:
            case.operator.cpu(*case.arguments)
        if case.operator.gpu:
            with emulated_gpu(Path(driver)):
                case.operator.gpu.compiled(*case.arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.write("all operators ran\n")
