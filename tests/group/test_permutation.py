"""Groups of permutations; their laws are in tests/laws."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    alternating,
    automorphisms,
    conjugacy_classes,
    cyclic,
    dihedral,
    direct_product,
    generate,
    icosahedral,
    orbit_section,
    permutation_group,
    symmetric,
)
from equinet.group.permutation import permutation_matrix

PARTITIONS = {1: 1, 2: 2, 3: 3, 4: 5, 5: 7}  # of n; the classes of S_n are cycle types
CLASSES_OF_A = {1: 1, 2: 1, 3: 3, 4: 4, 5: 5}


@given(p=st.permutations(range(5)), q=st.permutations(range(5)))
def test_permutation_matrices_multiply_like_permutations(p, q):
    """P e_i = e_p(i), so P Q belongs to i -> p(q(i))."""
    product = permutation_matrix(p) @ permutation_matrix(q)
    assert torch.equal(product, permutation_matrix([p[i] for i in q]))
    assert torch.equal(permutation_matrix(p)[:, 2], torch.eye(5, dtype=torch.float64)[p[2]])


@pytest.mark.parametrize("n", PARTITIONS)
def test_symmetric(n):
    group = symmetric(n)
    assert group.order == math.factorial(n) and group.name == f"S{n}" and group.n == n
    assert group.contains(torch.stack([permutation_matrix(p) for p in _permutations(n)]))
    assert len(conjugacy_classes(group)) == PARTITIONS[n]


@pytest.mark.parametrize("n", CLASSES_OF_A)
def test_alternating(n):
    group = alternating(n)
    assert group.order == max(1, math.factorial(n) // 2) and group.name == f"A{n}"
    even = [p for p in _permutations(n) if _inversions(p) % 2 == 0]
    assert group.contains(torch.stack([permutation_matrix(p) for p in even]))
    assert len(conjugacy_classes(group)) == CLASSES_OF_A[n]


def test_permutation_group():
    """The affine maps x -> a x + b of Z_7, and Klein's group."""
    affine = permutation_group([1, 2, 3, 4, 5, 6, 0], [0, 3, 6, 2, 5, 1, 4], name="AGL(1, 7)")
    assert affine.order == 42 and affine.name == "AGL(1, 7)"
    klein = permutation_group((1, 0, 3, 2), (3, 2, 1, 0))
    assert klein.order == 4 and klein.name == "a group of order 4"
    assert permutation_group([0, 1]).order == 1
    with pytest.raises(ValueError, match="at most bound = 41 elements"):
        permutation_group([1, 2, 3, 4, 5, 6, 0], [0, 3, 6, 2, 5, 1, 4], bound=41)


@pytest.mark.parametrize("wrong", [[0, 0], [1, 2], [0, 2, 1, 4], [-1, 0]])
def test_no_permutations(wrong):
    with pytest.raises(
        ValueError, match="^permutation: expected (the numbers 0 to . in|an integer >= 0)"
    ):
        permutation_group(wrong)
    with pytest.raises(
        ValueError, match=r"^permutations: expected at least one, of equally many things, got \[\]$"
    ):
        permutation_group()


@pytest.mark.parametrize("wrong", [([1, 0], [1, 2, 0]), ([],)])
def test_permutations_of_different_sets(wrong):
    with pytest.raises(ValueError, match="^permutations: expected"):
        permutation_group(*wrong)


@pytest.mark.parametrize("build", [symmetric, alternating])
@pytest.mark.parametrize("n", [0, 8, 100, 2.0, True, "4"])
def test_bad_sizes(build, n):
    with pytest.raises(ValueError, match=f"^n: expected an integer from 1 to 7, got {n!r}$"):
        build(n)


def _kneser(n: int, k: int) -> torch.Tensor:
    """Subsets of k of n things, joined where they are disjoint; (5, 2) is Petersen's graph."""
    sets = [set(c) for c in itertools.combinations(range(n), k)]
    return torch.tensor([[int(not a & b) for b in sets] for a in sets])


def _circulant(n: int, *steps: int) -> torch.Tensor:
    return torch.tensor([[int((j - i) % n in steps) for j in range(n)] for i in range(n)])


def _hypercube(n: int) -> torch.Tensor:
    return torch.tensor([[int((a ^ b).bit_count() == 1) for b in range(2**n)] for a in range(2**n)])


# Orders from the literature; the last is the whole group of the icosahedron.
GRAPHS = {
    "square": (_circulant(4, 1, 3), 8),
    "directed heptagon": (_circulant(7, 1), 7),
    "Paley 13": (_circulant(13, 1, 3, 4, 9, 10, 12), 78),
    "Petersen": (_kneser(5, 2), 120),
    "cube": (_hypercube(3), 48),
    "complete": (1 - torch.eye(5), 120),
    "one vertex": (torch.zeros(1, 1), 1),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_automorphisms_of_known_graphs(name):
    A, order = GRAPHS[name]
    group = automorphisms(A, name)
    A = A.double()
    assert group.order == order and group.name == name and group.n == len(A)
    assert torch.equal(group.elements @ A @ group.elements.mT, A.expand(order, -1, -1))
    assert generate(group.generators) == group
    assert len(orbit_section(group, torch.eye(len(A)))) == len(A)


@given(
    n=st.integers(1, 5),
    entries=st.lists(st.integers(0, 2), min_size=25, max_size=25),
    undirected=st.booleans(),
)
def test_automorphisms_are_all_that_there_are(n, entries, undirected):
    """Of any matrix of labels, against every permutation tried."""
    A = torch.tensor(entries).view(5, 5)[:n, :n].double()
    A = A.maximum(A.mT) if undirected else A
    every = torch.stack([permutation_matrix(p) for p in _permutations(n)])
    keeps = (every @ A @ every.mT == A).all(-1).all(-1)
    group = automorphisms(A)
    assert group.order == int(keeps.sum()) and group.contains(every[keeps])
    # Labels have no size: only which of them are equal matters.
    assert automorphisms(torch.tensor([0.0, -3.5, 1e9], dtype=torch.float64)[A.long()]) == group


def test_labels_break_symmetry():
    """Of the square: an edge, a direction, a vertex."""
    square = _circulant(4, 1, 3)
    edge, vertex = square.clone(), square.clone()
    edge[0, 1] = edge[1, 0] = 2
    vertex[0, 0] = 1
    assert [automorphisms(A).order for A in (edge, vertex, square.triu())] == [2, 2, 1]


def test_icosahedron_as_a_graph():
    """Twelve vertices at distance 2 from five others: the automorphisms are I_h."""
    whole = icosahedral()
    trace = whole.elements.diagonal(dim1=1, dim2=2).sum(1)
    turn = whole.elements[int((trace - 1 - 2 * math.cos(2 * math.pi / 5)).abs().argmin())]
    axis = torch.linalg.svd(turn - torch.eye(3, dtype=torch.float64))[2][-1]
    vertices = (whole.elements @ axis).round(decimals=9).unique(dim=0)
    distances = torch.cdist(vertices, vertices).round(decimals=6)
    nearest = distances[distances > 0].min()
    graph = automorphisms((distances == nearest).int())
    assert graph.order == 120 and graph == automorphisms(distances)
    assert orbit_section(graph, torch.eye(12)).subgroup.order == 10


def test_products_of_cycles():
    """Two directed cycles of 3 and 4 vertices: Z_3 x Z_4."""
    A = torch.block_diag(_circulant(3, 1), _circulant(4, 1))
    parts = [permutation_group([1, 2, 0]), permutation_group([1, 2, 3, 0])]
    assert automorphisms(A) == direct_product(*parts)
    assert len(conjugacy_classes(automorphisms(A))) == cyclic(3).order * cyclic(4).order
    assert automorphisms(_circulant(5, 1, 4)).order == dihedral(5).order


def test_a_graph_that_is_not_vertex_transitive():
    path = torch.diag(torch.ones(4), 1)
    group = automorphisms(path + path.mT)
    with pytest.raises(
        ValueError, match="^points: .* in 3 orbits, of 1, 2, 2 points .*not vertex-transitive"
    ):
        orbit_section(group, torch.eye(5))


def test_bad_graphs():
    for wrong in (torch.zeros(2, 3), torch.zeros(4), torch.zeros(0, 0), [[0, math.nan], [1, 0]]):
        with pytest.raises(ValueError, match=r"^adjacency: expected a matrix \(n, n\) of finite"):
            automorphisms(wrong)  # pyright: ignore
    with pytest.raises(ValueError, match="^adjacency: .* at most bound = 100 automorphisms"):
        automorphisms(torch.zeros(5, 5), bound=100)


def _permutations(n: int) -> list[tuple[int, ...]]:
    return [*itertools.permutations(range(n))]


def _inversions(p: tuple[int, ...]) -> int:
    return sum(a > b for a, b in itertools.combinations(p, 2))
