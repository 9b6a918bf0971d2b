"""What is remembered cannot be changed: every tensor that a value hands out is a copy.

``eq.cyclic(4).elements[1] *= -1`` must leave the group as it is, for the whole process.
"""

import copy
import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equinet import Plane
from equinet import nn as enn
from equinet.group import (
    FiniteGroup,
    Group,
    cosets,
    cyclic,
    dihedral,
    double_cosets,
    octahedral,
    section,
    so3,
    trivial_group,
)
from equinet.harmonics import ConstantFunction, Pixels, filter_grid, shell_harmonics
from equinet.numerics.frozen import copied
from equinet.numerics.shared_constants import SharedConstants
from equinet.rep import (
    CartesianTensor,
    Fibre,
    Irrep,
    Representation,
    character_table,
    fibre,
    regular,
    vector,
)
from equinet.steerable import HomogeneousKernels, kernel_basis
from equinet.transforms import Graph
from tests.field.coset_cases import every_kind, random_space
from tests.laws.cases import GROUPS, IRREPS, REPRESENTATIONS
from tests.laws.module_cases import MODULES
from tests.sabotage.calls import Call, calls_of

FINITE = [group for group in GROUPS if isinstance(group, FiniteGroup)]
D4, C4, O = dihedral(4), cyclic(4), octahedral()
SKEW = [rho for rho in REPRESENTATIONS if rho.name == "skew"]  # those with a Q of every group


def generators(value: Any) -> Tensor:
    return value.group.generators


# What a kind of value hands out when it is asked with arguments.
ASKED: dict[type, Callable[[Any], Any]] = {
    Group: lambda group: (group.identity(), group.haar(2), group.grid(2)),
    Irrep: lambda psi: (psi(generators(psi)), psi.character(generators(psi))),
    Representation: lambda rho: None if rho.is_sampled else rho(generators(rho)),
    Fibre: lambda space: [space.matrices(inverse=a, grouped=b) for a in (0, 1) for b in (0, 1)],
}


def tensors(value: Any, path: str = "", seen: set | None = None) -> Iterator[tuple[str, Tensor]]:
    """All tensors that can be had from a value: in containers, as attributes, of what it holds."""
    seen = set() if seen is None else seen
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, tuple | list):
        for i, one in enumerate(value):
            yield from tensors(one, f"{path}[{i}]", seen)
    elif isinstance(value, dict):
        for i, one in enumerate(value.values()):
            yield from tensors(one, f"{path}[{i}]", seen)
    elif is_value(value) and value not in seen:
        seen.add(value)
        for name in sorted({*dir(type(value)), *vars(value)}):
            if not name.startswith("_") and not callable(getattr(type(value), name, None)):
                yield from tensors(attribute(value, name), f"{path}.{name}", seen)
        for kind, ask in ASKED.items():
            if isinstance(value, kind):
                yield from tensors(ask(value), f"{path}()", seen)


def is_value(value: Any) -> bool:
    kind = type(value)
    ours = kind.__module__.startswith(("equinet.", __name__))
    return ours and not isinstance(value, nn.Module) and kind.__hash__ is not None


def attribute(value: Any, name: str) -> Any:
    """None where there is none, such as the dimension of all functions on SO(3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # former names of others
            return getattr(value, name)
    except (TypeError, ValueError):
        return None


@contextmanager
def overwritten(found: list[tuple[str, Tensor]]) -> Iterator[None]:
    """All memory of the tensors holds other numbers for a while."""
    storages = [tensor.untyped_storage() for _, tensor in found]
    kept = [storage.clone() for storage in storages]
    for storage in storages:
        storage.fill_(7)
    yield
    for storage, old in zip(storages, kept, strict=True):
        storage.copy_(old)


def changed(make: Callable[[], Any]) -> list[str]:
    """What is no longer the same after all tensors that were handed out were overwritten."""
    found = list(tensors(make()))
    before = [(path, tensor.clone()) for path, tensor in found]
    with overwritten(found):
        after = dict(tensors(make()))
        return [
            path
            for path, tensor in before
            if path not in after or not torch.equal(tensor, after[path])
        ]


def sections() -> list[Any]:
    spaces = [random_space(D4, C4, 1), random_space(O, trivial_group(3), 0)]
    return [section(D4, C4), *(space.section for space in spaces)]


def kernels() -> list[Any]:
    grid = filter_grid(3, 2)
    rho = regular(C4)
    bases = [kernel_basis(rho, rho, f) for f in (Pixels(C4, grid), shell_harmonics(C4, grid))]
    s = section(D4, C4)
    return [*bases, HomogeneousKernels(s, s, rho, rho)]


VALUES: dict[str, Callable[[], Any]] = {
    "groups": lambda: GROUPS,
    "irreps": lambda: IRREPS,
    "representations": lambda: REPRESENTATIONS,
    "fibres": lambda: [fibre([(2, rho), (1, vector(rho.group))]) for rho in SKEW],
    "sections": sections,
    "double cosets": lambda: [double_cosets(D4, cyclic(2), C4), double_cosets(O, O, O)],
    "cosets": lambda: [cosets(D4, C4), cosets(so3(), so3())],
    "character tables": lambda: [character_table(group) for group in FINITE],
    "tensors": lambda: [CartesianTensor(group, "ij=ji") for group in (so3(), O)],
    "field types": lambda: [every_kind(random_space(D4, cyclic(2), 0))],
    "kernels": kernels,
    "functions": lambda: [ConstantFunction(C4), Pixels(C4, filter_grid(3, 2))],
}


@pytest.mark.parametrize("kind", VALUES)
def test_no_tensor_of_a_value_is_its_own_memory(kind):
    """And it stays equal to what it was, with the same hash."""
    values = VALUES[kind]()
    twins, hashes = copy.deepcopy(values), [hash(value) for value in values]
    assert list(tensors(values))
    assert not changed(lambda: values)
    assert values == twins and hashes == [hash(value) for value in values]


@dataclass(frozen=True)
class Leaky:
    """A value that hands out what it holds."""

    held: Any

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return self is other


@functools.cache
def leak() -> tuple[Tensor, Tensor]:
    return torch.zeros(3), torch.ones(1).expand(2)


def test_what_hands_out_its_own_memory_is_found():
    """Negative control: a tensor, one in a list, a view; and a function that remembers."""
    value = Leaky((torch.zeros(2), {"a": [torch.ones(3)[:2]]}))
    assert changed(lambda: value) == [".held[0]", ".held[1][0][0]"]
    assert changed(leak) == ["[0]", "[1]"]
    assert not changed(lambda: copied(leak()))
    assert not leak()[0].any()  # and nothing is left of it


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_the_tensor_that_a_group_was_made_of_is_not_the_group(group):
    given = group.elements
    made = FiniteGroup(group.n, given, group.name)
    table, inverse = made.table, made.inverse
    given.zero_()
    assert made == group and hash(made) == hash(group)
    assert torch.equal(made.table, table) and torch.equal(made.inverse, inverse)
    g = group.generators
    assert made.contains(g) and torch.equal(made.index(g), group.index(g))


def test_the_basis_that_a_representation_was_made_in_is_not_its_own():
    Q = torch.eye(2, dtype=torch.float64).flip(0)
    psi = Irrep(cyclic(4), "1")
    rho, twin = Representation(C4, "a", (psi,), Q), Representation(C4, "b", (psi,), Q.clone())
    Q.zero_()
    assert rho == twin and rho.Q is not None and torch.equal(rho.Q, torch.eye(2).flip(0).double())


PACKAGES = ("field", "group", "harmonics", "numerics", "rep", "steerable", "transforms")


def results(one: Call) -> Callable[[], Any]:
    """The call, on copies of its arguments: some functions hand on what they are given.

    So does a graph, which holds tensors and remembers nothing: its methods are called on copies.
    """
    owner = getattr(one.function, "__self__", None)
    if isinstance(owner, Graph):
        method = one.function.__name__
        return lambda: getattr(copy.deepcopy(owner), method)(**copied(one.arguments))
    return lambda: one(**copied(one.arguments))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_hands_out_what_it_remembers(package):
    found, count = {}, 0
    for one in calls_of(package):
        make = results(one)
        first, again = (list(tensors(make())) for _ in range(2))
        if [path for path, _ in first] != [path for path, _ in again] or not all(
            torch.equal(a, b) for (_, a), (_, b) in zip(first, again, strict=True)
        ):
            continue  # drawn at random
        count += bool(first)
        found[one.name] = changed(make)
    assert count and not {name: paths for name, paths in found.items() if paths}


def own_buffers(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Those that a module does not share with others on purpose."""
    shared = {
        f"{path}.{name}".lstrip(".")
        for path, part in module.named_modules()
        if isinstance(part, SharedConstants)
        for name in part._held
    }
    return {name: value for name, value in module.named_buffers() if name not in shared}


def test_no_module_holds_what_is_remembered(default_dtype):
    """In float64, where nothing is copied by a cast; but tables that are in memory once."""
    default_dtype(torch.float64)
    kinds = {case.name.partition("(")[0]: case for case in reversed(MODULES)}

    found = {
        name: changed(lambda case=case: own_buffers(case.anew())) for name, case in kinds.items()
    }
    assert not {name: paths for name, paths in found.items() if paths}


def test_a_value_has_its_numbers_in_a_mode_that_makes_none():
    """As long as nothing is computed with them, a layer can be made without memory."""
    fields = Plane(dihedral(4)).fields("1x regular + 1x vector")
    before = D4.elements
    with pytest.importorskip("torch._subclasses").FakeTensorMode():
        held, layer = D4.elements, enn.BatchNorm(fields)
    assert torch.equal(held, before) and held is not before
    assert all(type(buffer) is not Tensor for buffer in layer.buffers())
