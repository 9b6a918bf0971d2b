"""Networks on finite spaces: every one of them is a ``HomogeneousConv``."""

from functools import partial

from equinet.taxonomy.layers import corners, faces_to_corners, hexagonal, sets
from equinet.taxonomy.row import Publication, Row

_HEXACONV = (
    Publication("HexaConv", "Hoogeboom, Peters, Cohen, Welling", 2018, "ICLR 2018", "1803.02108"),
)
_PERIODIC = "on a periodic lattice, with filters as large as that"

TRIANGULAR = tuple(
    Row(
        *("triangular lattice", G, H, "Z^2", "regular", _HEXACONV, "recalled"),
        partial(hexagonal, H, "1x regular -> 1x regular"),
        note=_PERIODIC,
    )
    for G, H in (("p6", "C6"), ("p6m", "D6"))
)

FINITE = (
    Row(
        *("finite spaces", "G", "H", "G/H", "trivial"),
        (Publication("Kondor-Trivedi", "Kondor, Trivedi", 2018, "ICML 2018", "1802.03690"),),
        "recalled",
        partial(faces_to_corners, "1x trivial -> 1x trivial"),
        note="any compact group; here from the faces of the cube to its corners, O/C4 -> O/C3",
    ),
    Row(
        *("finite spaces", "S_n", "S_(n-1)", "a set", "trivial"),
        (Publication("Deep Sets", "Zaheer et al.", 2017, "NIPS 2017", "1703.06114"),),
        "added",
        partial(sets, 5, "1x trivial -> 1x trivial"),
        note="n = 5",
    ),
    Row(
        *("finite spaces", "S_n", "S_(n-1)", "a set", "vector"),
        (
            Publication(
                "Invariant Graph Network",
                "Maron, Ben-Hamu, Shamir, Lipman",
                *(2019, "ICLR 2019", "1812.09902"),
            ),
        ),
        "added",
        partial(sets, 5, "1x vector -> 1x vector"),
        note="n = 5; pairs: the fibre over i has a value for each j, which S_(n-1) permutes",
    ),
    Row(
        *("finite spaces", "I", "C5", "I/C5", "regular"),
        (
            Publication(
                "Icosahedral CNN",
                "Cohen, Weiler, Kicanaoglu, Welling",
                *(2019, "ICML 2019", "1902.04615"),
            ),
        ),
        "added",
        partial(corners, "1x regular -> 1x regular"),
        note="the 12 corners only: its finer grids have gauge symmetry, and no more than that of G",
    ),
)
