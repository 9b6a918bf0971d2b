"""Every row of the classification: it is there, it is built, and it commutes with its group."""

import dataclasses
import itertools
import re

import pytest
import torch
from torch.testing import assert_close

from equinet import Plane
from equinet.field import act
from equinet.taxonomy import Measured, Publication, Row, catalogue
from equinet.taxonomy.measure import BAR, measure
from equinet.taxonomy.row import STATUSES

ROWS = catalogue()


def _identity(row: Row) -> str:
    return f"{row.published[0].name}, {row.H}, {row.fields}"


def _row(name: str, H: str | None = None) -> Row:
    """The only row of this network, or the only one with this H."""
    (row,) = (r for r in ROWS if name in r.name.split("; ") and H in (None, r.H))
    return row


every_row = pytest.mark.parametrize("row", ROWS, ids=_identity)

# What the classification must have: the network, G and H.
REQUIRED = """
    CNN | Z^2 | {1}
    G-CNN | p4 | C4
    G-CNN | p4m | D4
    HexaConv | p6 | C6
    HexaConv | p6m | D6
    Steerable CNN | p4m | D4
    SFCNN | R^2 x| C_N | C_N
    ORN | R^2 x| C_N | C_N
    SE(2) CNN | R^2 x| C_N | C_N
    RotEqNet | R^2 x| C_N | C_N
    Harmonic Networks | SE(2) | SO(2)
    E(2)-CNN | E(2) | O(2)
    3D G-CNN | Z^3 x| D4 | D4
    3D G-CNN | Z^3 x| D4h | D4h
    3D G-CNN | Z^3 x| O | O
    3D G-CNN | Z^3 x| Oh | Oh
    CubeNet | Z^3 x| V | V
    CubeNet | Z^3 x| T4 | T4
    CubeNet | Z^3 x| S4 | S4
    3D Steerable CNN | SE(3) | SO(3)
    Tensor Field Network | SE(3) | SO(3)
    SchNet | SE(3) | SO(3)
    Spherical CNN | SO(3) | SO(2)
    Zonal spherical CNN | SO(3) | SO(2)
    Clebsch-Gordan Nets | SO(3) | SO(2)
    Spin-weighted CNN | SO(3) | SO(2)
    Kondor-Trivedi | G | H
    Deep Sets | S_n | S_(n-1)
    Invariant Graph Network | S_n | S_(n-1)
    Icosahedral CNN | I | C5
"""


@pytest.mark.parametrize("line", REQUIRED.strip().splitlines(), ids=str.strip)
def test_the_required_rows_are_there(line):
    name, G, H = (part.strip() for part in line.split(" | "))
    assert any(name in r.name.split("; ") and (r.G, r.H) == (G, H) for r in ROWS)


@every_row
def test_a_layer_commutes_with_the_group(row):
    """Exactly in float32, or with an error that falls as the grid becomes finer."""
    measured = row.measure()
    assert measured.exact < BAR
    assert len(measured.refined) == len(row.refinements)
    assert bool(measured.refined) == bool(row.falling)
    assert measured.holds, measured


@every_row
def test_a_layer_takes_the_inputs_of_its_row(row):
    layer, inputs = row.build(), row.inputs(batch=3)
    assert all(x.dtype in (torch.float32, torch.int64) for x in inputs)
    y = layer(*inputs)
    layer.in_type.check(inputs[0])
    layer.out_type.check(y)
    assert len(y) == 3 and y.isfinite().all() and y.abs().max() > 0


@pytest.mark.parametrize("name", ["CNN", "Tensor Field Network", "Deep Sets"])
def test_a_row_builds_the_same_layer_again(name):
    row = _row(name)
    assert row.space == row.build().in_type.space
    assert torch.equal(row.build()(*row.inputs()), row.build()(*row.inputs()))


def test_families_stand_together():
    families = [row.family for row in ROWS]
    assert len(list(itertools.groupby(families))) == len(set(families))


@every_row
def test_a_row_says_what_it_is(row):
    assert row.status in STATUSES and row.published
    for publication in row.published:
        assert 1989 <= publication.year <= 2026
        assert publication.venue or publication.arxiv
        assert re.fullmatch(r"(\d{4}\.\d{4,5})?", publication.arxiv)
    assert str(row).startswith(row.name)


def test_few_rows_claim_to_have_been_read():
    """The published table was not at hand: all else in it is said to be remembered."""
    read = {row.name for row in ROWS if row.status == "read"}
    assert read == {"CNN", "Spherical CNN", "Zonal spherical CNN"}
    later = [row for row in ROWS if all(p.year > 2018 for p in row.published)]
    assert {row.status for row in later} <= {"added", "recalled", "unsure"}


def test_the_catalogue_is_one_value():
    assert catalogue() is catalogue()


# --- how many kernels the theory allows -----------------------------------------------------------

# Products of degrees i <= j that have a part of degree k; a square has none of odd degree.
_PRODUCTS = sum(
    i < j or i == j and k % 2 == 0
    for i, j, k in itertools.product(range(3), repeat=3)
    if abs(i - j) <= k <= i + j
)

COUNTS = [
    ("CNN", "{1}", 9),  # a pixel each
    ("G-CNN", "C4", 4 * 9),  # |H| k^2 between regular fields
    ("G-CNN", "D4", 8 * 9),
    *[("3D G-CNN", H, order * 27) for H, order in (("D4", 8), ("D4h", 16), ("O", 24), ("Oh", 48))],
    *[("CubeNet", H, order * 27) for H, order in (("V", 4), ("T4", 12), ("S4", 24))],
    ("HexaConv", "C6", 6 * 16),  # |G|, on a lattice of 4 x 4 points
    ("HexaConv", "D6", 12 * 16),
    # 2 min(l, j) + 1 for irreps l and j and each of 4 functions of the distance.
    ("Tensor Field Network", "SO(3)", 4 * (2 * 2 + 2 + 2 + 2 + 3 + 3)),
    ("SchNet", "SO(3)", 4 * 4 * 4),
    ("Zonal spherical CNN", "SO(2)", 2 * 2 * 4),  # one a degree, for each pair of fields
    ("Clebsch-Gordan Nets", "SO(2)", _PRODUCTS),
    ("Kondor-Trivedi", "H", 2),  # double cosets: a corner is on a face or it is not
    ("Deep Sets", "S_(n-1)", 2),  # the identity and the mean
    ("Invariant Graph Network", "S_(n-1)", 15),  # partitions of four indices
    ("Icosahedral CNN", "C5", 60),  # |G| between regular fields
]


@pytest.mark.parametrize("name,H,count", COUNTS)
def test_number_of_kernels(name, H, count):
    """The weights of the kernels, without bias and radial functions, in closed form."""
    layer = _row(name, H).build()
    named = dict(layer.named_parameters())
    kernels = [p for key, p in named.items() if re.fullmatch(r"weights?(\.\d+)?", key)]
    assert sum(p.numel() for p in kernels) == count


def test_deep_sets_are_the_identity_and_the_mean():
    matrix = _row("Deep Sets").build().dense().detach()
    off = matrix[0, 1]
    assert_close(matrix, (matrix[0, 0] - off) * torch.eye(5) + off * torch.ones(5, 5))


def test_vectors_over_a_set_are_matrices_whose_rows_and_columns_are_permuted(generator):
    """A_i = s(i) f(i) are the rows of a matrix that g takes to g A g^T."""
    in_type = _row("Invariant Graph Network").build().in_type
    section = in_type.space.section
    frames = section.group.elements[list(section.numbers)]

    def matrix(f):
        return torch.einsum("xij,zjx->zxi", frames, f)

    f = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    for g in section.group.elements[[1, 7, 50, 100]]:
        assert_close(matrix(act(in_type, g, f)), g @ matrix(f) @ g.mT)


# --- negative controls ----------------------------------------------------------------------------


class _Broken(torch.nn.Module):
    """A layer whose output is multiplied by something that G does not leave alone."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer, self.in_type, self.out_type = layer, layer.in_type, layer.out_type

    def forward(self, x, positions=None, edges=None):
        y = self.layer(x) if positions is None else self.layer(x, positions, edges)
        mask = torch.randn(y.shape[1:], generator=torch.Generator().manual_seed(1))
        return y * (1 + mask.to(y))


# One of each kind of space: the last one listed.
BROKEN = list({row.family: row for row in ROWS}.values())


@pytest.mark.parametrize("row", [*BROKEN, _row("Tensor Field Network")], ids=_identity)
def test_a_layer_that_is_not_equivariant_fails(row):
    broken = dataclasses.replace(
        row,
        make=lambda refinement, generator: _Broken(row.make(refinement, generator)),
        **dict(falling="", refinements=()),
    )
    measured = broken.measure()
    assert measured.exact > 1e-2 and not measured.holds


def test_a_filter_that_knows_the_axes_fails_between_the_grid_points():
    """A harmonic of degree 4 has the symmetries of the square and no others, however fine."""

    def build(scale: int) -> torch.nn.Module:
        plane = Plane("SO(2)", spacing=1 / scale)
        x, y = plane.positions(4 * scale + 1, 4 * scale + 1).unbind(-1)
        layer = torch.nn.Conv2d(1, 1, len(x), padding="same", bias=False)
        layer.weight.data[:] = (x**4 - 6 * x**2 * y**2 + y**4) * torch.exp(-2 * (x**2 + y**2))
        layer.in_type = layer.out_type = plane.fields("1x0")
        return layer

    measured = measure(build, (1, 2))
    assert measured.exact < BAR
    assert not measured.holds, measured


@pytest.mark.parametrize("exact,refined,holds", [
    (1e-7, (), True),
    (1e-7, (0.3, 0.1), True),
    (2e-5, (), False),
    (float("nan"), (), False),
    (1e-7, (0.1, 0.1), False),
    (1e-7, (0.3, 0.1, 0.2), False),
    (1e-7, (0.3, float("nan")), False),
])  # fmt: skip
def test_what_holds(exact, refined, holds):
    assert Measured(exact, refined).holds is holds


def test_rows_that_contradict_themselves_are_refused():
    row = ROWS[0]
    with pytest.raises(ValueError, match="status: expected one of .*'read'.*got 'certain'"):
        dataclasses.replace(row, status="certain")
    with pytest.raises(ValueError, match="refinements: expected two or more"):
        dataclasses.replace(row, falling="rotations")
    with pytest.raises(ValueError, match="refinements: expected two or more"):
        dataclasses.replace(row, refinements=(1, 2))


def test_a_publication_is_cited_by_its_first_author():
    assert str(Publication("A net", "Noether, Klein", 1918)) == "A net (Noether 1918)"
