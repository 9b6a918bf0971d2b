"""Networks on the sphere."""

from functools import partial

from equinet.taxonomy.layers import localised, products, spectral
from equinet.taxonomy.row import Publication, Row

_S2 = ("sphere", "SO(3)", "SO(2)", "S^2")
_BELOW = "all of G, on fields below the band"

SPHERE = (
    Row(
        *(*_S2, "regular"),
        (
            Publication(
                "Spherical CNN",
                "Cohen, Geiger, Köhler, Welling",
                *(2018, "ICLR 2018", "1801.10130"),
            ),
        ),
        "read",
        partial(localised, "2x regular -> 2x regular"),
        _BELOW,
        note="functions on SO(3), which a first layer makes of functions on the sphere",
    ),
    Row(
        *(*_S2, "trivial"),
        (Publication("Zonal spherical CNN", "Esteves et al.", 2018, "ECCV 2018", "1711.06721"),),
        "read",
        partial(spectral, "2x trivial -> 2x trivial"),
        _BELOW,
        note="zonal filters, one number a degree",
    ),
    Row(
        *(*_S2, "trivial"),
        (
            Publication(
                "DeepSphere",
                "Perraudin, Defferrard, Kacprzak, Sgier",
                *(2019, "Astronomy and Computing 27", "1810.12186"),
            ),
        ),
        "unsure",
        partial(spectral, "1x trivial -> 1x trivial"),
        _BELOW,
        note="zonal filters; the published ones, made on a graph, are only nearly equivariant",
    ),
    Row(
        *(*_S2, "irreps"),
        (
            Publication(
                "Clebsch-Gordan Nets", "Kondor, Lin, Trivedi", 2018, "NeurIPS 2018", "1806.09231"
            ),
        ),
        "unsure",
        partial(products, "1x0 + 1x1 + 1x2 -> 1x0 + 1x1 + 1x2"),
        note="its nonlinearity, on spectra: degree l of a field is a vector in irrep l of SO(3)",
    ),
    Row(
        *(*_S2, "irreps"),
        (
            Publication(
                "Spin-weighted CNN",
                "Esteves, Makadia, Daniilidis",
                *(2020, "NeurIPS 2020", "2006.10731"),
            ),
        ),
        "added",
        partial(spectral, "1x0 + 1x1 + 1x2 -> 1x0 + 1x1 + 1x2"),
        _BELOW,
    ),
)
