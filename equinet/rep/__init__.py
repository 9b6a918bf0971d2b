"""How groups act: representations and their irreducible parts."""

from equinet.rep.cartesian import CartesianTensor
from equinet.rep.characters import CharacterTable, character_table, correlation_table
from equinet.rep.construct import (
    direct_sum,
    dual,
    exterior_power,
    induce,
    irrep,
    symmetric_power,
    tensor_product,
    trivial,
    vector,
)
from equinet.rep.coupling import clebsch_gordan, couple, wigner_3j
from equinet.rep.decomposition import decompose, hom, restrict
from equinet.rep.fibres import Block, Fibre, fibre
from equinet.rep.functions import fourier_basis, quotient, regular
from equinet.rep.irreducible import Irrep, irreps
from equinet.rep.named_reps import named
from equinet.rep.representation import Representation

__all__ = [
    "Block",
    "CartesianTensor",
    "CharacterTable",
    "Fibre",
    "Irrep",
    "Representation",
    "character_table",
    "clebsch_gordan",
    "correlation_table",
    "couple",
    "decompose",
    "direct_sum",
    "dual",
    "exterior_power",
    "fibre",
    "fourier_basis",
    "hom",
    "induce",
    "irrep",
    "irreps",
    "named",
    "quotient",
    "regular",
    "restrict",
    "symmetric_power",
    "tensor_product",
    "trivial",
    "vector",
    "wigner_3j",
]
