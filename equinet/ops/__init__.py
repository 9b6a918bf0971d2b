"""One file per operator: the reference in plain PyTorch and its autograd rule; knows no group."""

from equinet.ops.block_matmul import block_matmul
from equinet.ops.precision import full_precision
from equinet.ops.wigner import SphereTables, chunks, wigner_analysis, wigner_synthesis

__all__ = [
    "SphereTables",
    "block_matmul",
    "chunks",
    "full_precision",
    "wigner_analysis",
    "wigner_synthesis",
]
