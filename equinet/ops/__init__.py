"""One file per operator: the reference in plain PyTorch and its autograd rule; knows no group."""

from equinet.ops.block_matmul import block_matmul
from equinet.ops.wigner import SphereTables, chunks, wigner_analysis, wigner_synthesis

__all__ = ["SphereTables", "block_matmul", "chunks", "wigner_analysis", "wigner_synthesis"]
