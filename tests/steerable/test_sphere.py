"""Filters on the sphere: their points, their matrices W^l, and that none is missing."""

import copy
import itertools
import math
import pickle

import pytest
import torch

from equinet.harmonics.grid import degree_columns, signed_orders
from equinet.numerics import (
    angles_to_matrix,
    random_rotations,
    soft_angles,
    soft_weights,
    wigner_D,
    wigner_d_real,
)
from equinet.steerable import (
    BlurredFilter,
    EquatorialFilter,
    NearIdentityFilter,
    SmoothFilter,
    blurred,
    equatorial,
    near_identity,
    smooth,
    sphere_basis,
)
from equinet.steerable.sphere import wigner_D_rows
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

BAND = 4
ALL = tuple(range(BAND))  # the orders of a regular field; (s,) are those of the irrep s
ORDERS = [(0,), (1,), (2,), (3,), ALL]
FILTERS = [
    near_identity(),
    near_identity(max_beta=1.0, n_alpha=5, n_beta=2, max_gamma=math.pi, n_gamma=4),
    equatorial(n_alpha=8),
    equatorial(n_alpha=5, n_beta=3, max_beta=0.4, n_gamma=2, max_gamma=1.0),
    blurred(near_identity(n_beta=2), 1.0),
    smooth(),
    smooth(knots=2, max_order=1),
]
every_filter = pytest.mark.parametrize("kernel", FILTERS, ids=repr)
every_pair = over("outs, ins", itertools.product(ORDERS, repeat=2))


@every_filter
@every_pair
def test_shapes(kernel, outs, ins):
    matrices = kernel.matrices(BAND, outs, ins)
    assert len(matrices) == BAND
    for l, w in enumerate(matrices):
        assert w.shape[:2] == (degree_columns(l, outs), degree_columns(l, ins))
        assert w.shape[2] == matrices[0].shape[2] and w.dtype == torch.float64


@pytest.mark.parametrize(
    "kernel", [f for f in FILTERS if isinstance(f, NearIdentityFilter | EquatorialFilter)], ids=repr
)
@every_pair
def test_point_filters_are_wigner_matrices_at_their_points(kernel, outs, ins):
    """W^l_{n'n} = D^l_{n'n}(Q_p) for each weight (K2)."""
    rotations = angles_to_matrix(*kernel.points(outs, ins).unbind(-1))
    for l, w in enumerate(kernel.matrices(BAND, outs, ins)):
        rows = torch.tensor([n + l for n in signed_orders(l, outs)], dtype=torch.int64)
        cols = torch.tensor([n + l for n in signed_orders(l, ins)], dtype=torch.int64)
        expected = wigner_D(l, rotations)[:, rows][:, :, cols]
        assert_close(w.permute(2, 0, 1), expected, 10 * ROUNDING)


def test_near_identity_points_of_the_paper():
    """beta in three rings up to pi/8, eight alphas, gamma + alpha in -pi/8, 0, pi/8."""
    step = math.pi / 4
    rings = [math.pi / 24, math.pi / 12, math.pi / 8]
    so3 = near_identity().points(ALL, ALL)
    expected = [
        (a * step, b, c * math.pi / 8 - a * step)
        for a in range(8)
        for b in rings
        for c in (-1, 0, 1)
    ]
    assert_close(so3, torch.tensor(expected, dtype=torch.float64), ROUNDING)
    s2 = near_identity().points(ALL, (0,))
    expected = [(a * step, b, 0) for a in range(8) for b in rings]
    assert_close(s2, torch.tensor(expected, dtype=torch.float64), ROUNDING)
    trace = angles_to_matrix(*so3.unbind(-1)).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert ((trace - 1) / 2).acos().max() < 0.6  # close to the identity, in radians


@every_pair
def test_points_are_no_more_than_the_orders_can_tell_apart(outs, ins):
    """A function of order 0 needs one angle, an irrep two, a regular field a ring."""
    counts = {(0,): 1, ALL: 8}
    n_out, n_in = counts.get(outs, 2), counts.get(ins, 2)
    assert len(equatorial(n_alpha=8).points(outs, ins)) == (
        8 if outs == ins == ALL or (min(len(outs), len(ins)) > 1) else n_out * n_in
    )
    if outs != ALL or ins != ALL:
        assert len(near_identity().points(outs, ins)) == n_out * 3 * n_in


def test_equatorial_points():
    points = equatorial(n_alpha=4, n_beta=3, max_beta=0.2, n_gamma=2, max_gamma=1.0).points(
        ALL, ALL
    )
    assert len(points) == 4 * 3 * 2
    beta = math.pi / 2 + torch.tensor([-0.2, 0.0, 0.2], dtype=torch.float64)
    assert_close(points[:, 1].unique(), beta, ROUNDING)
    assert_close(points[:, 2].unique(), [-1.0, 1.0], ROUNDING)
    ring = equatorial(n_alpha=4).points(ALL, (0,))
    turn = math.pi / 2
    expected = [(a * turn, math.pi / 2, 0) for a in range(4)]
    assert_close(ring, torch.tensor(expected, dtype=torch.float64), ROUNDING)


def _rank(matrices: torch.Tensor) -> int:
    """Number of independent matrices among ``(n', n, weights)``."""
    flat = matrices.flatten(0, 1)
    return int(torch.linalg.matrix_rank(flat, rtol=1e-9)) if flat.numel() else 0


@every_pair
def test_completeness(outs, ins):
    """By Schur's lemma every matrix W^l is allowed, and the smooth filter has them all."""
    complete = smooth(knots=BAND, max_order=BAND - 1).matrices(BAND, outs, ins)
    for l, w in enumerate(complete):
        assert _rank(w) == degree_columns(l, outs) * degree_columns(l, ins)
    # and degrees are independent of one another
    whole = torch.cat([w.flatten(0, 1) for w in complete])
    assert int(torch.linalg.matrix_rank(whole)) == len(whole)


@pytest.mark.parametrize("l", range(BAND))
@pytest.mark.parametrize(("columns_out", "columns_in"), [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_schur_by_brute_force(l, columns_out, columns_in, generator):
    """The real matrices that commute with D^l on copies of it: one for each pair of copies."""
    act = list(wigner_D(l, random_rotations(3, generator=generator)))
    copies_in, copies_out = torch.eye(columns_in).double(), torch.eye(columns_out).double()
    act_in = [torch.kron(d, copies_in) for d in act]
    act_out = [torch.kron(d, copies_out) for d in act]
    assert _commutant(act_in, act_out) == columns_out * columns_in


def test_brute_force_sees_no_map_between_degrees(generator):
    rotations = random_rotations(3, generator=generator)
    assert _commutant(list(wigner_D(1, rotations)), list(wigner_D(2, rotations))) == 0


def test_one_rotation_is_not_enough(generator):
    """Negative control: matrices that commute with a single rotation are more."""
    one = list(wigner_D(2, random_rotations(1, generator=generator)))
    assert _commutant(one, one) == 5


def _commutant(act_in, act_out) -> int:
    """Dimension of {X: X act_in = act_out X}, from the singular values of the constraint."""
    size_in, size_out = len(act_in[0]), len(act_out[0])
    one_in, one_out = torch.eye(size_in).double(), torch.eye(size_out).double()
    constraint = torch.cat(
        [
            torch.kron(one_out, a.T.contiguous()) - torch.kron(b, one_in)
            for a, b in zip(act_in, act_out, strict=True)
        ]
    )
    return size_in * size_out - int(torch.linalg.matrix_rank(constraint, rtol=1e-9))


def test_smooth_filters_interpolate():
    """Linear in l between the knots, up to the gain of each degree."""
    band = 9
    matrices = smooth(knots=3, max_order=0).matrices(band, (0,), (0,))
    for l, w in enumerate(matrices):
        weights = w.flatten()
        expected = torch.tensor([max(0.0, 1 - abs(l - knot) / 4) for knot in (0, 4, 8)]).double()
        assert_close(weights / weights.norm(), expected / expected.norm(), ROUNDING)


def test_smooth_filters_drop_high_orders():
    for l, w in enumerate(smooth(max_order=1).matrices(BAND, ALL, ALL)):
        high = torch.tensor([abs(n) > 1 for n in signed_orders(l, ALL)])
        assert not w[high].any() and not w[:, high].any()
        assert (w[~high][:, ~high].flatten(0, 1).norm(dim=1) > 0).all()
    assert smooth(max_order=1).matrices(BAND, (3,), (3,))[3].any()  # the order of an irrep stays


def test_smooth_filters_with_more_knots_than_degrees():
    assert smooth(knots=20, max_order=0).matrices(3, (0,), (0,))[0].shape == (1, 1, 3)
    (only,) = smooth(knots=20, max_order=0).matrices(1, (0,), (0,))
    assert only.shape == (1, 1, 1)
    for w in smooth(knots=1, max_order=0).matrices(3, (0,), (0,)):
        assert_close(w, torch.ones(1, 1, 1), ROUNDING)


@every_filter
@every_pair
def test_gain(kernel, outs, ins):
    """(K3): the largest gain of variance over the degrees, for weights of variance one."""
    basis, gain = sphere_basis(kernel, BAND, outs, ins)
    matrices = kernel.matrices(BAND, outs, ins)
    assert_close(basis, torch.cat([w.flatten(0, 1) for w in matrices]), 0)
    largest = 0.0
    for w in matrices:
        acted_on = int((w != 0).any(2).any(0).sum())
        if acted_on:
            largest = max(largest, float((w**2).sum()) / acted_on)
    assert gain == pytest.approx(math.sqrt(largest), rel=1e-9)
    possible = any(degree_columns(l, outs) and degree_columns(l, ins) for l in range(BAND))
    assert (gain > 0) == possible


def test_no_map_has_no_gain():
    assert sphere_basis(near_identity(), 3, (3,), (0,))[1] == 0


@every_filter
def test_a_filter_is_a_value(kernel):
    for same in (copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel))):
        assert same == kernel and hash(same) == hash(kernel)
    assert sum(other == kernel for other in FILTERS) == 1
    with pytest.raises(AttributeError):
        kernel.anything = 1


def test_functions_and_classes_say_the_same():
    assert near_identity() == NearIdentityFilter(None, 8, 3, None, 3)
    assert near_identity().at(24) == NearIdentityFilter(math.pi / 8, 8, 3, math.pi / 8, 3)
    assert blurred(smooth(), 2.0) == BlurredFilter(smooth(), 2.0)
    assert equatorial(n_alpha=60) == EquatorialFilter(60, 1, 0.0, 1, 0.0)
    assert smooth() == SmoothFilter(8, 2)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (near_identity, {"n_alpha": 0}, "n_alpha: expected an integer >= 1, got 0"),
        (near_identity, {"n_beta": 2.0}, "n_beta: expected an integer >= 1, got 2.0"),
        (near_identity, {"n_gamma": -1}, "n_gamma: expected an integer >= 1, got -1"),
        (near_identity, {"max_beta": 0.0}, "max_beta: expected an angle in radians in (0, 3.1416)"),
        (near_identity, {"max_beta": 22.5}, "max_beta: expected an angle in radians"),
        (near_identity, {"max_beta": math.nan}, "max_beta: expected a finite number >= 0, got nan"),
        (near_identity, {"max_beta": "1"}, "max_beta: expected a finite number >= 0, got '1'"),
        (near_identity, {"max_beta": True}, "max_beta: expected a finite number >= 0, got True"),
        (near_identity, {"max_gamma": -1.0}, "max_gamma: expected a finite number >= 0"),
        (near_identity, {"max_beta": math.pi}, "max_beta: expected an angle in radians in (0, 3.1"),
        (near_identity, {"max_gamma": 4.0}, "max_gamma: expected an angle in radians"),
        (blurred, {"sigma": -1.0}, "sigma: expected a finite number >= 0, got -1.0"),
        (equatorial, {"n_alpha": 8, "max_beta": -1}, "max_beta: expected a finite number >= 0"),
        (equatorial, {"n_alpha": 8, "max_gamma": math.nan}, "max_gamma: expected a finite number"),
        (
            equatorial,
            {"n_alpha": 8, "n_beta": 2, "max_beta": math.pi / 2},
            "max_beta: expected an angle in radians in (0, 1.5708), where the pole is, got 1.57",
        ),
        (smooth, {"knots": True}, "knots: expected an integer >= 1, got True"),
        (
            near_identity,
            {"max_gamma": 7.0},
            "max_gamma: expected an angle in radians in (0, 3.1416], got 7.0",
        ),
        (equatorial, {"n_alpha": 0}, "n_alpha: expected an integer >= 1, got 0"),
        (equatorial, {"n_alpha": 8, "n_beta": 3}, "max_beta: expected an angle in radians"),
        (equatorial, {"n_alpha": 8, "n_gamma": 3}, "max_gamma: expected an angle in radians"),
        (smooth, {"knots": 0}, "knots: expected an integer >= 1, got 0"),
        (smooth, {"max_order": -1}, "max_order: expected an integer >= 0, got -1"),
        (smooth, {"max_order": 1.0}, "max_order: expected an integer >= 0, got 1.0"),
    ],
)
def test_bad_arguments(make, arguments, message):
    with pytest.raises(ValueError) as caught:
        make(**arguments)
    assert str(caught.value).startswith(message)


EDGES = [
    *FILTERS,
    near_identity(n_alpha=1, n_beta=1, n_gamma=1),
    near_identity(max_gamma=math.pi, n_gamma=6),
    near_identity(max_beta=3.0, n_beta=2, max_gamma=math.pi, n_gamma=2, n_alpha=4),
    near_identity(max_gamma=2 * math.pi, n_gamma=6),
    equatorial(n_alpha=4, n_beta=2, max_beta=1.5, n_gamma=6, max_gamma=math.pi),
    equatorial(n_alpha=4, n_beta=2, max_beta=1.5, n_gamma=6, max_gamma=2 * math.pi),
    smooth(knots=1, max_order=0),
    smooth(knots=30, max_order=9),
]


@pytest.mark.parametrize("kernel", EDGES, ids=repr)
def test_no_weight_is_dead(kernel):
    """The rank of the basis is the number of weights, also where the ends of a ring meet."""
    band = 8
    for outs, ins in itertools.product([(0,), (1,), (3,), tuple(range(band))], repeat=2):
        basis, _ = sphere_basis(kernel, band, outs, ins)
        rank = torch.linalg.matrix_rank(basis, rtol=1e-9)
        assert rank == min(basis.shape), (outs, ins)


def test_two_masses_on_one_point_lower_the_rank():
    """Negative control: with both ends of the ring of gamma the basis of 36 weights has rank 30."""
    kernel = near_identity(max_gamma=math.pi, n_gamma=6, n_alpha=6, n_beta=1)
    points = kernel.points(ALL, ALL)
    assert len(points) == 36
    twice = points.clone()
    last = points[:, 0] + points[:, 2]  # gamma + alpha, which is pi for one of six
    twice[:, 2] = torch.linspace(-math.pi, math.pi, 6, dtype=torch.float64).repeat(6) - points[:, 0]
    assert last.max() == pytest.approx(math.pi)
    for angles, rank in ((points, 36), (twice, 30)):
        rows = torch.cat(
            [w.flatten(0, 1) for w in wigner_D_rows(8, tuple(range(8)), tuple(range(8)), angles)]
        )
        assert torch.linalg.matrix_rank(rows, rtol=1e-9) == rank


# --- in steps of the grid -------------------------------------------------------------------------


def _spread(kernel, band: int, order: int) -> torch.Tensor:
    """Root mean square distance from the pole of each kernel that makes a function of a field."""
    beta, _ = soft_angles(2 * band)
    w = torch.stack([w[0] for w in kernel.matrices(band, (0,), (order,))[order:]])  # (l, n, weight)
    w = w.gather(1, w.abs().sum(0).argmax(0)[None, None].expand(len(w), 1, -1))[:, 0]
    d = wigner_d_real(band, order, beta)[0, :, 0]  # (l, beta): the profile of the order
    l = torch.arange(order, band, dtype=torch.float64)
    profile = torch.einsum("l,lp,lj->pj", 2 * l + 1, w, d)
    energy = profile**2 * soft_weights(2 * band)
    return ((energy * beta**2).sum(1) / energy.sum(1)).sqrt()


def test_the_default_follows_the_band():
    """Up to band 24 it is that of the paper; above it reaches six steps of the grid."""
    assert near_identity().at(24).max_beta == math.pi / 8
    for band in (48, 256):
        kernel = near_identity().at(band)
        assert kernel.max_beta == kernel.max_gamma == pytest.approx(6 * math.pi / (2 * band))
        assert near_identity(max_beta=0.5).at(band).max_beta == 0.5
    both = (f.matrices(32, (1,), (2,)) for f in (near_identity().at(32), near_identity()))
    assert all(torch.equal(a, b) for a, b in zip(*both, strict=True))


@pytest.mark.parametrize("order", [0, 1])
def test_blurred_kernels_are_local(order):
    """As far in steps of the grid at any band; without the Gaussian the ripples do not end."""
    grown = [
        [_spread(kernel, band, order) / (math.pi / (2 * band)) for band in (32, 64)]
        for kernel in (blurred(), near_identity())
    ]
    assert (grown[0][1] - grown[0][0]).abs().max() < 0.1 and grown[0][1].max() < 6.5
    assert (grown[1][1] - grown[1][0]).min() > 1


def test_a_blurred_filter_is_the_filter_and_a_gaussian():
    kernel, band, sigma = near_identity(n_beta=2), 6, 1.3
    pairs = zip(
        *(f.matrices(band, (2,), (1,)) for f in (blurred(kernel, sigma), kernel)), strict=True
    )
    for l, (w, before) in enumerate(pairs):
        factor = math.exp(-(l * (l + 1) - 4) * (sigma * math.pi / 12) ** 2 / 2)
        assert_close(w, factor * before, ROUNDING)
    with pytest.raises(TypeError, match="^functions: expected a SphereFilter, got int"):
        blurred(3)
