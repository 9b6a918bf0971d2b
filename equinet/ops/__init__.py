"""One file per operator: the reference in plain PyTorch, its derivative, its compiled form.

Knows no group. How the compiled part is built and bound is in ``native``; it is never needed.
"""

from equinet.ops.availability import status
from equinet.ops.block_products import block_matmul
from equinet.ops.edge_directions import edge_harmonics
from equinet.ops.edge_plan import EdgeOrder, EdgePlan, edge_order
from equinet.ops.edge_sums import edge_sum
from equinet.ops.expansion import expand
from equinet.ops.expansion_plan import Plan, Side
from equinet.ops.filter_spectra import filter_spectrum
from equinet.ops.irrep_products import IrrepMap, irrep_product
from equinet.ops.legendre import legendre_analysis, legendre_synthesis
from equinet.ops.legendre_plan import LegendrePlan
from equinet.ops.masking import relu, zero_where
from equinet.ops.precision import full_precision
from equinet.ops.s2 import s2_analysis, s2_coefficients, s2_synthesis, s2_waves
from equinet.ops.s2_plan import FieldTables
from equinet.ops.so3 import so3_analysis, so3_synthesis
from equinet.ops.so3_plan import GroupTables
from equinet.ops.spectrum_plan import SpectrumPlan, SpectrumSide
from equinet.ops.wigner import chunks

__all__ = [
    "EdgeOrder",
    "EdgePlan",
    "FieldTables",
    "GroupTables",
    "IrrepMap",
    "LegendrePlan",
    "Plan",
    "Side",
    "SpectrumPlan",
    "SpectrumSide",
    "block_matmul",
    "chunks",
    "edge_harmonics",
    "edge_order",
    "edge_sum",
    "expand",
    "filter_spectrum",
    "full_precision",
    "irrep_product",
    "legendre_analysis",
    "legendre_synthesis",
    "relu",
    "s2_analysis",
    "s2_coefficients",
    "s2_synthesis",
    "s2_waves",
    "so3_analysis",
    "so3_synthesis",
    "status",
    "zero_where",
]
