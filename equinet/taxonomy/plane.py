"""Networks in the plane, on square lattices and between their points."""

from functools import partial

from equinet.field import Plane
from equinet.taxonomy.layers import continuum, lattice, vectors
from equinet.taxonomy.row import Publication, Row

_G_CNN = Publication("G-CNN", "Cohen, Welling", 2016, "ICML 2016", "1602.07576")
_CYCLIC = Publication(
    "Cyclic symmetry", "Dieleman, De Fauw, Kavukcuoglu", 2016, "ICML 2016", "1602.02660"
)
_STEERABLE = Publication("Steerable CNN", "Cohen, Welling", 2017, "ICLR 2017", "1612.08498")

# What every filter on a grid obeys exactly, and what it obeys as its pixels become fine.
_QUARTERS = "shifts by pixels, quarter turns"
_MIRRORS = "shifts by pixels, quarter turns, mirrors"
_SCALES = (1, 2, 4)


def _on_lattice(name: str, H: str, order: str, fields: str, networks: tuple) -> Row:
    return Row(
        "square lattice",
        *(name, H, "Z^2", order, networks, "recalled"),
        partial(lattice, Plane, H, fields),
    )


LATTICE = (
    Row(
        *("square lattice", "Z^2", "{1}", "Z^2", "regular"),
        (Publication("CNN", "LeCun et al.", 1990, "NIPS 1989"),),
        "read",
        partial(lattice, Plane, "C1", "1x regular -> 1x regular"),
        note="the regular representation of {1} is the trivial one",
    ),
    _on_lattice("p4", "C4", "regular", "1x regular -> 1x regular", (_G_CNN, _CYCLIC)),
    _on_lattice("p4m", "D4", "regular", "1x regular -> 1x regular", (_G_CNN, _CYCLIC)),
    _on_lattice("p4", "C4", "any", "1x0 + 1x1 + 1x regular -> 1x1 + 1x regular", (_STEERABLE,)),
    _on_lattice(
        *("p4m", "D4", "any"),
        "1x trivial + 1x vector -> 1x vector + 1x regular + 1x quotient(C2)",
        (_STEERABLE,),
    ),
)

PLANE = (
    Row(
        *("plane", "R^2 x| C_N", "C_N", "R^2", "regular"),
        (
            Publication("SFCNN", "Weiler, Hamprecht, Storath", 2018, "CVPR 2018", "1711.07289"),
            Publication("ORN", "Zhou, Ye, Qiu, Jiao", 2017, "CVPR 2017", "1701.01833"),
            Publication("SE(2) CNN", "Bekkers et al.", 2018, "MICCAI 2018", "1804.03393"),
        ),
        "recalled",
        partial(continuum, Plane, "C8", "1x regular -> 1x regular", 2.5),
        *(_QUARTERS, "turns by 45 degrees", _SCALES),
        note="N = 8; the three differ in how filters are turned",
    ),
    Row(
        *("plane", "R^2 x| C_N", "C_N", "R^2", "vector"),
        (
            Publication(
                "RotEqNet", "Marcos, Volpi, Komodakis, Tuia", 2017, "ICCV 2017", "1612.09346"
            ),
        ),
        "unsure",
        partial(vectors, "C8", 2.5),
        *(_QUARTERS, "turns by 45 degrees", _SCALES),
        note="N = 8; the direction of the maximum jumps, so the error falls slowly",
    ),
    Row(
        *("plane", "SE(2)", "SO(2)", "R^2", "irreps"),
        (
            Publication(
                "Harmonic Networks",
                "Worrall, Garbin, Turmukhambetov, Brostow",
                *(2017, "CVPR 2017", "1612.04642"),
            ),
        ),
        "recalled",
        partial(continuum, Plane, "SO(2)", "1x0 + 1x1 -> 1x0 + 1x1 + 1x2", 2.5),
        *(_QUARTERS, "other rotations", _SCALES),
    ),
    Row(
        *("plane", "E(2)", "O(2)", "R^2", "any"),
        (Publication("E(2)-CNN", "Weiler, Cesa", 2019, "NeurIPS 2019", "1911.08251"),),
        "recalled",
        partial(continuum, Plane, "O(2)", "1x0e + 1x1 -> 1x0e + 1x0o + 1x1 + 1x2", 2.5),
        *(_MIRRORS, "other rotations and mirrors", _SCALES),
        note="irreps here; subgroups of O(2) and their representations are the rows above",
    ),
)
