"""One file per operator: the reference in plain PyTorch, its derivative, its compiled form.

Knows no group. How the compiled part is built and bound is in ``native``; it is never needed.
"""

from equinet.ops.availability import status
from equinet.ops.block_products import block_matmul
from equinet.ops.expansion import Plan, Side, expand
from equinet.ops.filter_spectra import SpectrumPlan, SpectrumSide, filter_spectrum
from equinet.ops.masking import relu, zero_where
from equinet.ops.precision import full_precision
from equinet.ops.s2 import FieldTables, s2_analysis, s2_synthesis
from equinet.ops.so3 import GroupTables, so3_analysis, so3_synthesis
from equinet.ops.wigner import chunks

__all__ = [
    "FieldTables",
    "GroupTables",
    "Plan",
    "Side",
    "SpectrumPlan",
    "SpectrumSide",
    "block_matmul",
    "chunks",
    "expand",
    "filter_spectrum",
    "full_precision",
    "relu",
    "s2_analysis",
    "s2_synthesis",
    "so3_analysis",
    "so3_synthesis",
    "status",
    "zero_where",
]
