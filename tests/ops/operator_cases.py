"""Calls of each compiled operator, for test_operator: a new operator adds a line to both lists."""

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st

from equinet.harmonics import Analysis, Rings, Synthesis, gauss, octahedral, soft
from equinet.ops import (
    EdgePlan,
    LegendrePlan,
    Plan,
    Side,
    SpectrumPlan,
    SpectrumSide,
    block_products,
    edge_directions,
    edge_order,
    edge_sums,
    expansion,
    filter_spectra,
    irrep_products,
    legendre,
    masking,
    s2,
)
from equinet.ops.native.operator import Operator
from equinet.ops.so3 import ANALYSIS, RECTIFIED, SYNTHESIS
from equinet.ops.so3_plan import mask_shape

F64 = torch.float64
HARMONICS = edge_directions.HARMONICS, edge_directions.GRADIENT, edge_directions.TANGENT


@dataclass(frozen=True)
class Case:
    """One call of an operator.

    Attributes:
        operator: what is called.
        arguments: as torch calls it, with real tensors in float64.
        constants: places of those that have no derivative.
        linear: in the first of the arguments.
    """

    operator: Operator[Any, Any]
    arguments: tuple[Any, ...]
    constants: tuple[int, ...] = ()
    linear: bool = True

    def with_tensors(self, change) -> tuple[Any, ...]:
        changed = [
            change(a)
            if isinstance(a, torch.Tensor)
            and a.is_floating_point()
            and i not in self.operator.exact
            else a
            for i, a in enumerate(self.arguments)
        ]
        return tuple(a.detach() if i in self.constants else a for i, a in enumerate(changed))

    @property
    def x(self) -> torch.Tensor:
        """What the operator acts on."""
        return self.arguments[0]

    @property
    def plan(self) -> Any:
        """The other arguments, as equinet calls the operator."""
        return self.operator.plan(*self.arguments[1:])

    def __str__(self) -> str:
        return self.operator.name


def first(result: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Of several results the one that is continuous, which stands first."""
    return result if isinstance(result, torch.Tensor) else result[0]


def block_product(sizes, batch: int, mode: int, with_bias: bool) -> Case:
    rows, columns = ([pair[i] for pair in sizes] for i in range(2))
    w, x, z = block_products.sizes_of(rows, columns, batch)
    left, right = {0: (w, x), 1: (w, z), 2: (z, x)}[mode]
    generator = torch.Generator().manual_seed(mode)
    tensors = [torch.randn(n, dtype=F64, generator=generator) for n in (left, right, rows[0])]
    tensors[2] = tensors[2] if with_bias and mode == 0 else None
    return Case(block_products.OPERATOR, (*tensors, rows, columns, batch, mode))


@st.composite
def drawn_products(draw) -> Case:
    size = st.one_of(st.integers(0, 4), st.sampled_from([0, 1, 6, 17, 33]))
    sizes = draw(st.lists(st.tuples(size, size), min_size=1, max_size=4))
    batch = draw(st.sampled_from([0, 1, 2, 5, 16, 19]))
    return block_product(sizes, batch, draw(st.integers(0, 2)), draw(st.booleans()))


def so3_transform(
    operator: Operator, grid_band: int, band: int, outer: int, inner: int, masked: bool = False
) -> Case:
    generator = torch.Generator().manual_seed(band)
    inverse = operator is not ANALYSIS
    tables = (Synthesis if inverse else Analysis)(grid_band, band, None, F64).group_tables()
    shape = (outer, *[2 * grid_band] * 3, inner)
    zero = torch.rand(mask_shape(outer, shape[1], inner), generator=generator) < 0.4
    rows = (band * (4 * band * band - 1) // 3, outer * inner)
    x = torch.randn(rows if inverse else shape, dtype=F64, generator=generator)
    if operator is ANALYSIS:
        return Case(ANALYSIS, (x, zero if masked else None, *tables), (2, 3, 4))
    if operator is SYNTHESIS:
        return Case(SYNTHESIS, (x, zero if masked else None, *tables, outer), (2, 3, 4))
    return Case(RECTIFIED, (x, *tables, outer), (1, 2, 3), linear=False)


@st.composite
def so3_transforms(draw, operator: Operator) -> Case:
    band = draw(st.sampled_from([1, 2, 3, 5, 7, 17, 18]))  # also beyond a chunk of orders
    most, outer, inner = (4, 3, [0, 1, 3, 8, 17, 33]) if band < 10 else (0, 1, [0, 1, 3])
    outer, inner = draw(st.integers(1, outer)), draw(st.sampled_from(inner))
    sizes = (band + draw(st.integers(0, most)), band, outer, inner)
    return so3_transform(operator, *sizes, masked=draw(st.booleans()))


def s2_transform(
    grid: Rings | int, band: int, order: int, channels: int, batch: int, inverse: bool
) -> Case:
    generator = torch.Generator().manual_seed(band)
    transform = (Synthesis if inverse else Analysis)(grid, band, order, F64)
    tables, waves = transform.field_tables(), not transform.is_even
    shape = (tables.size, channels, batch)
    if not inverse:
        sizes = (band, 2) if waves else (tables.longitudes,)
        shape = (batch, tables.parts * channels, tables.rings, *sizes)
    x = torch.randn(shape, dtype=F64, generator=generator)
    pairs = ((s2.ANALYSIS, s2.SYNTHESIS), (s2.COEFFICIENTS, s2.WAVES))
    return Case(pairs[waves][inverse], (x, *tables), (1, 2, 3))


@st.composite
def s2_transforms(draw, inverse: bool, even: bool = True) -> Case:
    """``even``: rings of one length from longitude 0 on, whose Fourier transform is one."""
    band = draw(st.sampled_from([1, 2, 3, 5, 9, 17, 33]))
    order = draw(st.integers(0, min(band - 1, 3)))
    channels, batch = draw(st.integers(0, 3)), draw(st.sampled_from([0, 1, 3, 8, 17, 33]))
    more = band + draw(st.integers(0, 4))
    start = 0.0 if even else 0.1  # and with an equator, or odd longitudes
    grids = [gauss(more, band + more - 1, start), gauss(more, band + more, start)]
    grid = draw(st.sampled_from([*grids, soft(more) if even else octahedral(more)]))
    return s2_transform(grid, band, order, channels, batch, inverse)


def legendre_transform(
    rings: int,
    band: int,
    order: int,
    channels: int,
    batch: int,
    inverse: bool,
    longitudes: int = 0,
) -> Case:
    """On rings that are symmetric to the equator, and of no rule; by default to and from waves."""
    generator = torch.Generator().manual_seed(rings)
    steps = torch.rand(rings + 1, dtype=F64, generator=generator)
    steps = (steps + steps.flip(0)).cumsum(0)
    factors = (torch.rand(n, dtype=F64, generator=generator) + 0.5 for n in (band, rings))
    plan = LegendrePlan(torch.pi * steps[:-1] / steps[-1], *factors, band, longitudes, order)
    shape = (plan.rows, channels, batch)
    if not inverse:
        shape = (batch, plan.parts * channels, rings, *plan.axes)
    x = torch.randn(shape, dtype=F64, generator=generator)
    operator = legendre.SYNTHESIS if inverse else legendre.ANALYSIS
    return Case(operator, (x, *plan), (1, 2, 3))


@st.composite
def legendre_transforms(draw, inverse: bool) -> Case:
    band = draw(st.sampled_from([1, 2, 3, 5, 9, 17, 33]))  # also beyond a vector of orders
    order = draw(st.integers(0, band - 1))
    rings = draw(st.sampled_from([0, 1, 2, 5, 8, 33]))
    columns = draw(st.integers(0, 3)), draw(st.sampled_from([0, 1, 2, 5, 11]))
    longitudes = draw(st.sampled_from([0, 2 * band - 1, 2 * band, 2 * band + 3]))
    return legendre_transform(rings, band, order, *columns, inverse, longitudes)


def filters(plan: Plan, count: int, mode: int) -> Case:
    weights, kernels, matrices = plan.sizes
    shape = (weights,), (plan.out.dim, plan.into.dim, *plan.points)
    generator = torch.Generator().manual_seed(mode)
    tensors = [
        torch.randn(size, dtype=F64, generator=generator)
        for size in ((count, *shape[mode]), kernels, matrices)
    ]
    return Case(expansion.OPERATOR, (*tensors, plan.table(), plan.numbers(), mode))


@st.composite
def sides(draw, dims: tuple[int, ...]) -> Side:
    kinds = range(len(dims))
    rows = draw(st.lists(st.sets(st.sampled_from(kinds), min_size=1), min_size=1, max_size=3))
    rows[0] |= set(kinds).difference(*rows)  # no kind is without a vector
    count = st.integers(1, 2)
    copies = tuple(tuple(draw(count) if r in row else 0 for r in kinds) for row in rows)
    muls = tuple(draw(st.sampled_from([1, 2, 5])) for _ in copies)
    return Side(dims, muls, copies, tuple(draw(st.booleans()) for _ in copies))


@st.composite
def plans(draw) -> Plan:
    dims = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    out, into = draw(sides(draw(dims))), draw(sides(draw(dims)))
    count = st.sampled_from([0, 1, 2, 5])
    kernels = tuple(tuple(draw(count) for _ in into.dims) for _ in out.dims)
    return Plan(out, into, kernels, (draw(st.sampled_from([0, 1, 3, 9, 17, 33])),))


@st.composite
def drawn_filters(draw) -> Case:
    return filters(draw(plans()), draw(st.integers(0, 3)), draw(st.integers(0, 1)))


def local_filter(plan: SpectrumPlan, mode: int) -> Case:
    weights, basis, entries = plan.sizes
    generator = torch.Generator().manual_seed(mode)
    left, right = (
        torch.randn(size, dtype=F64, generator=generator)
        for size in ((weights, entries)[mode], basis)
    )
    return Case(filter_spectra.OPERATOR, (left, right, plan.table(), plan.numbers(), mode), (1,))


@st.composite
def spectrum_sides(draw, degrees: int) -> SpectrumSide:
    muls = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 5, 17]), min_size=1, max_size=3)))
    counts = st.lists(st.integers(0, 4), min_size=degrees, max_size=degrees).map(tuple)
    return SpectrumSide(muls, tuple(draw(counts) for _ in muls))


@st.composite
def spectrum_plans(draw) -> SpectrumPlan:
    degrees = draw(st.integers(1, 4))
    out, into = draw(spectrum_sides(degrees)), draw(spectrum_sides(degrees))
    pairs = range(len(out.muls) * len(into.muls))
    points = tuple(draw(st.sampled_from([0, 1, 3, 9, 17, 33])) for _ in pairs)
    return SpectrumPlan(out, into, points)


@st.composite
def drawn_local_filters(draw) -> Case:
    return local_filter(draw(spectrum_plans()), draw(st.integers(0, 1)))


def masked(shape, expanded: tuple[int, ...] = (), order: tuple[int, ...] | None = None) -> Case:
    """x is one number along the axes ``expanded``; the mask lies in memory in the order of axes."""
    generator = torch.Generator().manual_seed(len(shape))
    x = torch.randn([1 if i in expanded else n for i, n in enumerate(shape)], generator=generator)
    order = order or tuple(range(len(shape)))
    where = torch.rand([shape[i] for i in order], generator=generator) < 0.4
    where = where.permute([order.index(i) for i in range(len(shape))])
    return Case(masking.OPERATOR, (x.double().expand(shape), where))


@st.composite
def drawn_masked(draw) -> Case:
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 7, 33]), max_size=4).map(tuple))
    axes = st.sets(st.sampled_from(range(len(shape)))) if shape else st.just(set())
    return masked(shape, tuple(draw(axes)))


def edges_of(count: int, sources: int, targets: int) -> torch.Tensor:
    """In no order, some of them twice."""
    generator = torch.Generator().manual_seed(count)
    sizes = max(sources, 1), max(targets, 1)  # there may be no point where there is no edge
    ends = [torch.randint(size, (count,), generator=generator) for size in sizes]
    return torch.stack(ends)


def sum_over_edges(
    plan: EdgePlan,
    edges: torch.Tensor,
    sources: int,
    targets: int,
    features: int,
    *,
    weighted: bool = True,
) -> Case:
    x, kernels, weights, _ = plan.sizes
    count = edges.shape[1]
    sizes = (sources, x), (count, kernels), (count, features), (features, weights)
    generator = torch.Generator().manual_seed(count)
    *tensors, w = (torch.randn(size, dtype=F64, generator=generator) for size in sizes)
    order = edge_order(edges, sources, targets)
    arguments = (*tensors, w if weighted else None, *order, plan.numbers())
    return Case(edge_sums.EDGE_SUM, arguments)


def gradients_over_edges(case: Case, wanted: list[int]) -> Case:
    """The other operator, of the same graph."""
    width = edge_sums.edge_plan_of(case.plan.numbers).sizes[3] * case.plan.copies
    generator = torch.Generator().manual_seed(width)
    v = torch.randn(case.plan.targets, width, dtype=F64, generator=generator)
    return Case(edge_sums.GRADIENTS, (v, *case.arguments, wanted))


@st.composite
def edge_plans(draw) -> EdgePlan:
    dim = st.sampled_from([1, 2, 3, 5, 8, 13])  # also beyond the columns of a kernel at a time
    block = st.tuples(st.sampled_from([1, 2, 5, 16, 17, 33]), dim)
    blocks = tuple(draw(st.lists(block, min_size=1, max_size=3)))
    path = st.tuples(st.sampled_from(range(len(blocks))), dim)
    return EdgePlan(blocks, tuple(draw(st.lists(path, min_size=1, max_size=4))))


@st.composite
def sums_over_edges(draw) -> Case:
    count = draw(st.sampled_from([0, 1, 7, 50]))  # also beyond a block
    sources, targets = (draw(st.integers(1 if count else 0, 5)) for _ in range(2))
    features = draw(st.sampled_from([0, 1, 3, 18]))
    sizes = edges_of(count, sources, targets), sources, targets, features
    return sum_over_edges(draw(edge_plans()), *sizes, weighted=draw(st.booleans()))


@st.composite
def gradients_over_drawn_edges(draw) -> Case:
    case = draw(sums_over_edges())
    wanted = sorted(draw(st.sets(st.integers(1, 2 if case.plan.weights is None else 3))))
    return gradients_over_edges(case, [0, *wanted])


def harmonics_of(operator: Operator, count: int, dims: tuple[int, ...], n: int) -> Case:
    """The steps are any matrices."""
    generator = torch.Generator().manual_seed(count)
    entries = sum(a * b * n for a, b in itertools.pairwise(dims))
    sizes = (count, n), (count, n), (count,), (count, sum(dims)), (entries,)
    r, v, a, b, steps = (torch.randn(size, dtype=F64, generator=generator) for size in sizes)
    own = {"direction": v, "to_length": a, "to_harmonics": b}
    given = r, *(own[name] for name in operator.plan._fields[:-2])
    return Case(operator, (*given, steps, list(dims)), (len(given),), linear=False)


@st.composite
def drawn_harmonics(draw, operator: Operator) -> Case:
    dims = draw(st.lists(st.sampled_from([1, 2, 3, 5]), max_size=4).map(tuple))
    count = draw(st.sampled_from([0, 1, 7, 8, 33]))  # also beyond a register
    return harmonics_of(operator, count, (1, *dims), draw(st.integers(1, 3)))


def irreps_of(sizes, rows: int, wanted: list[int] | None = None) -> Case:
    """Of (dim, copies, channels, groups), in both orders, with gaps; a sum, or its gradients."""
    maps, into, out = [], 0, 0
    for i, (dim, copies, channels, groups) in enumerate(sizes):
        run = channels + i % 3 if i % 2 or groups > 1 else 0
        maps.append(irrep_products.IrrepMap(dim, copies, channels, groups, into + 1, run, out + 1))
        into, out = into + 1 + max(run, channels) * dim * groups, out + 1 + copies * dim
    numbers = [n for own in maps for n in own]
    generator = torch.Generator().manual_seed(rows)
    shapes = (rows, into + 1), (sum(own.copies * own.columns for own in maps),), (rows, out + 1)
    x, weights, v = (torch.randn(shape, dtype=F64, generator=generator) for shape in shapes)
    if wanted is None:
        return Case(irrep_products.PRODUCT, (x, weights, numbers, out + 1))
    return Case(irrep_products.GRADIENTS, (v, x, weights, numbers, wanted))


@st.composite
def drawn_irreps(draw, gradients: bool) -> Case:
    size, few = st.sampled_from([1, 2, 5, 17, 33]), st.integers(1, 4)
    sizes = draw(st.lists(st.tuples(few, size, size, few), min_size=1, max_size=3))
    rows, wanted = draw(st.sampled_from([0, 1, 7, 25, 50])), st.sampled_from([[0], [0, 1]])
    return irreps_of(sizes, rows, draw(wanted) if gradients else None)


SCALARS_AND_MIXED = Side((1, 2), (3, 1), ((1, 0), (2, 1)), (False, True))
FILTER = Plan(
    SCALARS_AND_MIXED,
    Side((2, 1), (2, 1), ((1, 1), (1, 0)), (True, False)),
    ((2, 1), (3, 0)),
    (3,),
)
WIDE_FILTER = Plan(
    SCALARS_AND_MIXED,
    Side((1, 3), (9, 7), ((1, 0), (0, 2)), (False, False)),
    ((3, 2), (0, 7)),
    (125,),
)
# From functions on S^2 and fields of spin 1 to functions on SO(3), spin 2 and functions on S^2.
LOCAL_FILTER = SpectrumPlan(
    SpectrumSide((2, 1, 2), ((1, 3, 5), (0, 0, 2), (1, 1, 1))),
    SpectrumSide((1, 3), ((1, 1, 1), (0, 2, 2))),
    (3, 4, 1, 2, 5, 3),
)
WIDE_LOCAL_FILTER = SpectrumPlan(
    SpectrumSide((17, 3), ((1, 3, 5, 7), (1, 1, 1, 1))),
    SpectrumSide((13, 5), ((1, 3, 5, 7), (0, 2, 2, 2))),
    (270, 31, 3, 12),
)
# Scalars, vectors and tensors, to vectors, scalars and tensors.
EDGES = EdgePlan(((2, 1), (3, 3), (1, 4)), ((0, 3), (1, 2), (1, 1), (2, 2)))
WIDE_EDGES = EdgePlan(((33, 1), (17, 9)), ((0, 3), (1, 13), (1, 1)))

# Any shapes, for values.
DRAWN = {
    "block_matmul": drawn_products(),
    "s2_synthesis": s2_transforms(inverse=True),
    "s2_analysis": s2_transforms(inverse=False),
    "legendre_synthesis": legendre_transforms(inverse=True),
    "legendre_analysis": legendre_transforms(inverse=False),
    "s2_waves": s2_transforms(inverse=True, even=False),
    "s2_coefficients": s2_transforms(inverse=False, even=False),
    "so3_synthesis": so3_transforms(SYNTHESIS),
    "so3_rectified": so3_transforms(RECTIFIED),
    "so3_analysis": so3_transforms(ANALYSIS),
    "expansion": drawn_filters(),
    "filter_spectrum": drawn_local_filters(),
    "edge_sum": sums_over_edges(),
    "edge_sum_gradients": gradients_over_drawn_edges(),
    **{operator.name: drawn_harmonics(operator) for operator in HARMONICS},
    "irrep_product": drawn_irreps(gradients=False),
    "irrep_product_gradients": drawn_irreps(gradients=True),
    "zero_where": drawn_masked(),
}

# A few small ones, for what takes long.
SMALL = [block_product([(3, 2), (2, 0), (0, 2), (2, 3)], 2, mode, True) for mode in range(3)]
SMALL += [so3_transform(o, 3, 2, 2, 1) for o in (SYNTHESIS, RECTIFIED, ANALYSIS)]
SMALL += [so3_transform(o, 3, 2, 1, 3, masked=True) for o in (SYNTHESIS, ANALYSIS)]
SMALL += [s2_transform(3, 2, n, 2, 1, inverse) for n in (0, 1) for inverse in (True, False)]
SMALL += [legendre_transform(3, 2, n, 2, 1, i) for n in (0, 1) for i in (True, False)]
SMALL += [legendre_transform(2, 2, 1, 1, 1, inverse, 4) for inverse in (True, False)]
SMALL += [s2_transform(gauss(3, 5, 0.1), 2, 1, 2, 1, inverse) for inverse in (True, False)]
SMALL += [filters(FILTER, 2, mode) for mode in range(2)]
SMALL += [local_filter(LOCAL_FILTER, mode) for mode in range(2)]
SMALL += [sum_over_edges(EDGES, edges_of(4, 3, 2), 3, 2, 2)]
SMALL += [gradients_over_edges(SMALL[-1], wanted) for wanted in ([0, 1, 2, 3], [0, 2])]
SMALL += [sum_over_edges(EDGES, edges_of(4, 3, 2), 3, 2, 2, weighted=False)]
SMALL += [gradients_over_edges(SMALL[-1], wanted) for wanted in ([0, 1, 2], [0, 2])]
SMALL += [harmonics_of(operator, 3, (1, 2), 2) for operator in HARMONICS]
SMALL += [irreps_of([(2, 3, 2, 1), (3, 1, 2, 2)], 3, wanted) for wanted in (None, [0, 1], [0])]
SMALL += [masked((3, 2, 4)), masked((2, 5), order=(1, 0))]

# Some beyond a block of the CPU and the GPU, with remainders.
LARGE = [block_product([(130, 3), (2, 66), (65, 17)], 23, mode, True) for mode in range(3)]
LARGE += [filters(WIDE_FILTER, 2, mode) for mode in range(2)]
LARGE += [local_filter(WIDE_LOCAL_FILTER, mode) for mode in range(2)]
LARGE += [sum_over_edges(WIDE_EDGES, edges_of(1100, 9, 50), 9, 50, 19)]
LARGE += [gradients_over_edges(LARGE[-1], [0, 1, 2, 3])]
LARGE += [sum_over_edges(WIDE_EDGES, edges_of(1100, 9, 50), 9, 50, 19, weighted=False)]
LARGE += [gradients_over_edges(LARGE[-1], [0, 1, 2])]
LARGE += [harmonics_of(operator, 2100, (1, 3, 5), 3) for operator in HARMONICS]
LARGE += [irreps_of([(3, 33, 17, 2), (1, 5, 40, 1)], 300, wanted) for wanted in (None, [0, 1])]
LARGE += [so3_transform(o, 16, 15, 2, 5, True) for o in (SYNTHESIS, RECTIFIED, ANALYSIS)]
LARGE += [s2_transform(70, 20, n, 3, 7, inverse) for n in (0, 2) for inverse in (True, False)]
LARGE += [s2_transform(70, 70, 0, 1, 1, inverse) for inverse in (True, False)]
LARGE += [legendre_transform(75, 70, n, 3, 3, inverse) for n in (0, 2) for inverse in (True, False)]
