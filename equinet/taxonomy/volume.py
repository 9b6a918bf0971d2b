"""Networks in space, on cubic lattices, between their points, and on points."""

from functools import partial

from equinet.field import Volume
from equinet.taxonomy.layers import continuum, lattice, points
from equinet.taxonomy.row import Publication, Row

_3D_G_CNN = Publication("3D G-CNN", "Winkels, Cohen", 2018, "MIDL 2018", "1804.04656")
_CUBENET = Publication("CubeNet", "Worrall, Brostow", 2018, "ECCV 2018", "1804.04458")


def _on_lattice(
    network: Publication, status: str, group: str, known_as: str = "", note: str = ""
) -> Row:
    name = known_as or group
    return Row(
        "cubic lattice",
        *(f"Z^3 x| {name}", name, "Z^3", "regular", (network,), status),
        partial(lattice, Volume, group, "1x regular -> 1x regular"),
        note=note,
    )


LATTICE = (
    *(_on_lattice(_3D_G_CNN, "recalled", group) for group in ("D4", "D4h", "O", "Oh")),
    _on_lattice(_CUBENET, "unsure", "D2", "V", "Klein's four-group: three half turns"),
    _on_lattice(_CUBENET, "unsure", "T", "T4", "the rotations of the tetrahedron"),
    _on_lattice(_CUBENET, "unsure", "O", "S4", "the rotations of the cube"),
)

SPACE = (
    Row(
        *("space", "SE(3)", "SO(3)", "R^3", "irreps"),
        (
            Publication(
                "3D Steerable CNN",
                "Weiler, Geiger, Welling, Boomsma, Cohen",
                *(2018, "NeurIPS 2018", "1807.02547"),
            ),
        ),
        "recalled",
        partial(continuum, Volume, "SO(3)", "1x0 + 1x1 -> 1x0 + 1x1 + 1x2", 1.5),
        *("shifts by voxels, rotations of the cube", "other rotations", (1, 2, 3)),
    ),
    Row(
        *("space", "SE(3)", "SO(3)", "R^3", "irreps"),
        (
            Publication("Tensor Field Network", "Thomas et al.", 2018, arxiv="1802.08219"),
            Publication("N-body network", "Kondor", 2018, arxiv="1803.01588"),
        ),
        "recalled",
        partial(points, "SO(3)", "2x0 + 1x1 -> 2x0 + 1x1 + 1x2"),
        note="on points; the linear layer of both",
    ),
    Row(
        *("space", "SE(3)", "SO(3)", "R^3", "trivial"),
        (Publication("SchNet", "Schütt et al.", 2017, "NIPS 2017", "1706.08566"),),
        "unsure",
        partial(points, "SO(3)", "4x0 -> 4x0"),
        note="on points; filters are functions of the distance",
    ),
    Row(
        *("space", "E(3)", "O(3)", "R^3", "irreps"),
        (Publication("NequIP", "Batzner et al.", 2022, "Nature Communications 13", "2101.03164"),),
        "added",
        partial(points, "O(3)", "1x0e + 1x0o + 1x1o -> 1x0e + 1x0o + 1x1e + 1x1o + 1x2e"),
        note="on points; the linear layer, with parity",
    ),
)
