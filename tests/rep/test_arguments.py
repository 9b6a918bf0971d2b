"""What is no group, no irrep, no representation is refused by name, by every function."""

import inspect
import itertools

import pytest
import torch

from equinet import group as group_package
from equinet import rep as rep_package
from equinet.group import cyclic, dihedral, o3, octahedral, section, so2, so3, symmetric
from equinet.harmonics import Harmonics, gaussian_shells
from equinet.rep import (
    Representation,
    clebsch_gordan,
    couple,
    direct_sum,
    exterior_power,
    irrep,
    irreps,
    named,
    quotient,
    regular,
    symmetric_power,
    tensor_product,
    vector,
)
from equinet.steerable import kernel_basis, kernels_between
from tests.tolerances import assert_close

WRONG = (None, "C4", 3, -1, True, 2.5, float("nan"), [], {}, torch.eye(3), torch.nan, object())
PARTS = {"multiplicity", "irrep", "group", "permutation", "representation"}  # of arguments


def test_an_irrep_and_its_representation_are_one():
    """Each way to name an irrep gives the coefficients of ``irreps``."""
    for group, name in ((so3(), 1), (octahedral(), "T1"), (dihedral(5), "1")):
        rho = irrep(group, name)
        (psi,) = rho.constituents
        expected = clebsch_gordan(psi, psi, psi)
        for three in itertools.product((psi, rho), repeat=3):
            assert_close(clebsch_gordan(*three), expected, 0)
        for pair in ((rho, rho), (psi, rho)):
            for (one, a), (other, b) in zip(couple(*pair), couple(psi, psi), strict=True):
                assert one == other and torch.equal(a, b)
    assert clebsch_gordan(*[irrep(so3(), 1)] * 3).shape == (1, 3, 3, 3)
    functions = Harmonics(so3(), gaussian_shells(2))
    psi = irreps(so3(), 1)[1]
    assert kernel_basis(psi, psi, functions) == kernel_basis(irrep(so3(), 1), [(1, psi)], functions)  # pyright: ignore
    faces, A = section(dihedral(4), cyclic(4)), irreps(cyclic(4))[0]
    rho = irrep(cyclic(4), "0")
    assert_close(kernels_between(faces, faces, rho, rho), kernels_between(faces, faces, A, A), 0)


@pytest.mark.parametrize(
    "other",
    [
        direct_sum(irrep(so3(), 0), irrep(so3(), 1)),
        Representation(so3(), "skew", (irreps(so3(), 1)[1],), torch.eye(3).double() + 0.1),
        regular(so3()),
        "1",
        1,
        None,
    ],
)
def test_what_is_no_irrep(other):
    psi = irreps(so3(), 1)[1]
    for i in range(3):
        three = [psi] * 3
        three[i] = other
        with pytest.raises(TypeError, match=f"^psi{i + 1}: expected an irrep, or a representation"):
            clebsch_gordan(*three)


def test_a_finite_group_has_no_degree():
    for build in (lambda: regular(cyclic(4), 2), lambda: quotient(dihedral(4), cyclic(4), 0)):
        with pytest.raises(ValueError, match="^lmax: expected None, since D?C?4 is finite, got "):
            build()
    for lmax in (-1, True, 1.0, "2"):
        for group in (cyclic(4), so2()):
            with pytest.raises(ValueError, match="^lmax: expected an integer"):
                irreps(group, lmax)  # pyright: ignore
            with pytest.raises(ValueError, match="^lmax: expected an integer"):
                regular(group, lmax)  # pyright: ignore


def _functions():
    for package in (group_package, rep_package):
        for name in sorted(package.__all__):
            value = getattr(package, name)
            if name in ("Block", "Group", "DoubleCosets", "Cosets", "CharacterTable"):
                continue
            parameters = list(inspect.signature(value).parameters.values())
            if parameters:
                yield pytest.param(value, parameters, id=name)


GOOD = {
    **{"group": so3(), "rho": irrep(so3(), 1), "rho1": irrep(so3(), 1), "rho2": irrep(so3(), 1)},
    **{"rho_in": irrep(so3(), 1), "rho_out": irrep(so3(), 1), "name": "1", "n": 3, "k": 2},
    **{"l1": 1, "l2": 1, "l3": 1, "psi1": irreps(so3(), 1)[1], "psi2": irreps(so3(), 1)[1]},
    **{"psi3": irreps(so3(), 1)[1], "subgroup": cyclic(4), "left": cyclic(4), "right": cyclic(4)},
    **{"like": cyclic(4), "normal": cyclic(3), "acting": dihedral(1), "formula": "ij=ji"},
    **{"elements": cyclic(4).elements, "label": "C4", "generators": cyclic(4).elements[1:2]},
    **{"adjacency": torch.eye(3), "points": torch.eye(3), "blocks": [(1, irrep(so3(), 1))]},
    **{"g": so3().identity(), "kind": "Cinf", "axis": (0.0, 0.0, 1.0), "numbers": (0,)},
    **{"irreps": irreps(so3(), 1)[:1], "factors": (so3(), cyclic(2))},
}


@pytest.mark.parametrize(("function", "parameters"), [*_functions()])
def test_wrong_kinds_of_argument_are_named(function, parameters):
    """Each argument in turn is what it cannot be; the error begins with the name of one."""
    names = {*(p.name for p in parameters), *PARTS}
    for parameter, wrong in itertools.product(parameters, WRONG):
        good = {
            p.name: GOOD[p.name]
            for p in parameters
            if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD and p.name in GOOD
        }
        many = (wrong,) if parameter.kind == parameter.VAR_POSITIONAL else ()
        if not many:
            good[parameter.name] = wrong
        try:
            function(*good.values(), *many) if many else function(**good)
        except (TypeError, ValueError) as error:
            first = str(error).partition(":")[0].partition("[")[0]
            assert first in names or "missing" in str(error), (parameter.name, wrong, error)


LARGE = [
    lambda: symmetric_power(vector(o3()), 30),
    lambda: exterior_power(regular(symmetric(5)), 10),
    lambda: tensor_product(regular(symmetric(5)), regular(symmetric(5))),
    lambda: regular(cyclic(50_000)),
    lambda: cyclic(10**9),
    lambda: named(so3(), "9" * 30),
    lambda: regular(so3(), 10**7),
    lambda: so3().grid(500),
    lambda: cyclic(50_000).table,
    lambda: group_package.direct_product(symmetric(7), symmetric(7)),
    lambda: group_package.semidirect_product(cyclic(2000), dihedral(1)),
]


@pytest.mark.parametrize("build", LARGE)
def test_what_is_too_large_is_refused_before_it_is_built(build):
    with pytest.raises(ValueError, match="GiB|an integer from|expected one of"):
        build()


FUNCTIONS = Harmonics(so3(), gaussian_shells(2))
METHODS = {
    "sample": lambda w: so3().sample(w),
    "sample of a finite group": lambda w: cyclic(4).sample(2, w),
    "haar": lambda w: o3().haar(w),
    "grid": lambda w: group_package.axial("Dinf").grid(w),
    "conjugate": lambda w: octahedral().conjugate(w),
    "index": lambda w: cyclic(4).index(w),
    "number": lambda w: group_package.cosets(dihedral(4), cyclic(4)).number(w),
    "Section": lambda w: group_package.Section(cyclic(4), cyclic(2), w),
    "representatives": lambda w: section(cyclic(4), cyclic(2), w),
    "rho(g)": lambda w: irrep(o3(), "1o")(w),
    "psi(g)": lambda w: irreps(octahedral())[4](w),
    "character": lambda w: irrep(so2(), 1).character(w),
    "to_irreps": lambda w: rep_package.CartesianTensor(so2(), "ij=ji").to_irreps(w),
    "to_tensor": lambda w: rep_package.CartesianTensor(so3(), "ij=ji").to_tensor(w),
    "kernel_basis": lambda w: kernel_basis(
        w, irrep(so3(), 1), Harmonics(so3(), gaussian_shells(2))
    ),
    "functions": lambda w: kernel_basis(irrep(so3(), 1), irrep(so3(), 1), w),
    "kernels_between": lambda w: kernels_between(w, w, w, w),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_wrong_arguments_of_methods_are_named(method):
    refused = 0
    for wrong in (*WRONG, 10**12):
        try:
            method(wrong)
        except (TypeError, ValueError) as error:
            refused += 1
            assert " " not in str(error).partition(":")[0], error
    assert refused > 8
