"""Whatever takes a rotation, or an element of a group, refuses a matrix that is none."""

import importlib
import inspect
import math

import pytest
import torch

from equinet import Point, Points, Sphere, Volume, o3, so2, so3
from equinet.field import HomogeneousSpace, Space, act, act_on_mackey, lift, random_field
from equinet.group import cosets, cyclic, dihedral, octahedral, symmetric
from equinet.harmonics import healpix, rotate_s2, rotate_so3
from equinet.nn import Linear
from equinet.numerics import matrix_to_angles, random_rotations, wigner_D
from equinet.numerics.rotation import angles_to_matrix, euler_angles
from equinet.rep import fourier_basis, irrep, regular, vector
from equinet.testing import equivariance_error
from equinet.transforms import StereographicProjection
from tests.test_api_surface import INVENTORY

SET = HomogeneousSpace.of(symmetric(3), torch.eye(3)).fields("1x trivial")
SPHERE, VOLUME = Sphere(2).fields("1x trivial + 1x1"), Volume("SO(3)").fields("1x1")
POINTS = Points("O(3)", dim=3)
SIGNAL, LIFTED = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4, 4)
IMAGES, POSITIONS = torch.rand(2, 1, 6, 6), torch.rand(2, 3)
LAYER = Linear(*[Point("SO(3)", dim=3).fields("1x1")] * 2)


def moved(field_type, *sizes):
    options = dict(sizes=sizes) if sizes else {}
    x = random_field(field_type, 2, dtype=torch.float32, **options)
    return lambda g: act(field_type, g, x)


# Each with the name of its argument, and the group it takes elements of.
TAKERS = {
    "wigner_D": (lambda g: wigner_D(2, g), "rotation", so3()),
    "matrix_to_angles": (lambda g: matrix_to_angles(g)[0], "rotation", so3()),
    "rotate_s2": (lambda g: rotate_s2(SIGNAL, g), "rotation", so3()),
    "rotate_so3": (lambda g: rotate_so3(LIFTED, g), "rotation", so3()),
    "project": (lambda g: StereographicProjection(6, 2)(IMAGES, g), "rotations", so3()),
    "act on a sphere": (moved(SPHERE), "g", so3()),
    "act on HEALPix": (moved(Sphere(2, healpix(1)).fields("1x1")), "g", so3()),
    "act on a volume": (moved(VOLUME, 3, 3, 3), "g", so3()),
    "act on points": (moved(POINTS.fields("1x1o")), "g", o3()),
    "act on a set": (moved(SET), "g", symmetric(3)),
    "act on Mackey functions": (
        lambda g: act_on_mackey(SET, g, lift(SET, torch.rand(2, 1, 3))),
        "g",
        symmetric(3),
    ),
    "move points": (lambda g: POINTS.move(g, POSITIONS), "g", o3()),
    "an irrep": (irrep(so3(), 2), "g", so3()),
    "a character": (irrep(so3(), 2).character, "g", so3()),
    "a representation": (vector(octahedral()), "g", octahedral()),
    "rho of a type": (VOLUME.rho, "g", so3()),
    "functions on a group": (lambda g: fourier_basis(so3(), g, 1), "g", so3()),
    "regular": (regular(cyclic(4)), "g", cyclic(4)),
    "the angles of SO(3)": (lambda g: so3().angles(g)[0], "rotation", so3()),
    "the angle of SO(2)": (so2().angle, "g", so2()),
    "cosets": (cosets(dihedral(4), cyclic(4)).number, "g", dihedral(4)),
    "equivariance_error": (
        lambda g: equivariance_error(LAYER, elements=g.view(-1, *g.shape[-2:])).errors,
        "(g|elements)",
        so3(),
    ),
}
every_taker = pytest.mark.parametrize(("take", "argument", "group"), TAKERS.values(), ids=TAKERS)
# Public, with an argument of such a name, and in the list by another name, or excepted.
NAMES = {"g", "rotation", "rotations"}
ELSEWHERE = {
    "Axial.parts": "Its argument is what its group checks.",
    "ProductGroup.parts": "Its argument is what its group checks.",
    "FiniteGroup.index": "It takes any matrix, and gives the nearest element.",
    "Irrep.of_checked": "It says so.",
    "Representation.character": "a representation",
    "Fibre.__call__": "a representation",
    "turn_fibres": "It serves the method ``act`` of a space, whose arguments were checked.",
    "act": "act on a sphere",
    "act_on_mackey": "act on Mackey functions",
    "fourier_basis": "functions on a group",
    "StereographicProjection.forward": "project",
    "Points.move": "move points",
    "FieldType.rho": "rho of a type",
    "Irrep.__call__": "an irrep",
    "Irrep.character": "a character",
    "Representation.__call__": "a representation",
    "SO2.angle": "the angle of SO(2)",
    "SO3.angles": "the angles of SO(3)",
    "Cosets.number": "cosets",
    "Section.moved_by": "It takes numbers of elements.",
    "Section.cocycle_of": "It takes numbers of elements.",
}
# These look up numbers of elements, or loop over them; torch's vmap of resampling warns.
NOT_MAPPED = ("act on a set", "act on Mackey functions", "cosets", "equivariance_error")
NOT_MAPPED += ("act on a volume",)


@every_taker
def test_what_is_no_element_is_refused(take, argument, group):
    g = group.generators[0].float()
    mirror = torch.eye(group.n)
    mirror[0, 0] = -1
    wrong = {
        "scaled": 1.01 * g,
        "NaN": g * math.nan,
        "infinite": g / 0,
        "wrong size": torch.eye(group.n + 1),
        "a vector": torch.ones(group.n),
        "integers": torch.eye(group.n).long(),
        "complex": g + 0j,
        "a list": g.tolist(),
        "nothing": None,
        "one of two": torch.stack([g, 2 * g]),
    }
    if not group.contains(mirror):
        wrong["a mirror"] = mirror
    take(g)
    for what, bad in wrong.items():
        if what in ("a list", "nothing") and argument == "(g|elements)":
            continue  # there None is left to the space
        if bad is None and argument == "rotations":
            continue  # no rotation
        with pytest.raises((ValueError, TypeError), match=f"^{argument}: expected"):
            take(bad)
            pytest.fail(f"took {what}")


@every_taker
def test_a_tensor_without_values(take, argument, group):
    """What is moved has values, so what moves it must; a function of ``g`` alone tells shapes."""
    if group.is_finite and argument == "g":
        pytest.skip("its elements are told apart by their values")
    g = group.generators[0].float()
    try:
        y = take(g.to("meta"))
    except ValueError as error:
        assert str(error).startswith(("g: expected a tensor on cpu", f"{argument}: expected a t"))
    else:
        assert y.is_meta and y.shape == take(g).shape


@every_taker
def test_values_are_not_read_where_they_cannot_be(take, argument, group, request):
    """Under vmap."""
    if request.node.callspec.id in NOT_MAPPED:
        pytest.skip("not for vmap")
    g = group.generators[0].float()
    assert torch.func.vmap(take)(torch.stack([g, g]))[1].allclose(take(g), atol=1e-6)


def _public_takers():
    """The name of every public function, and method of a public class, with such an argument."""
    for package, names in INVENTORY.items():
        if package == "equinet.plot":
            continue
        for name in names.split():
            value = getattr(importlib.import_module(package), name)
            functions = {name: value} if inspect.isfunction(inspect.unwrap(value)) else {}
            if inspect.isclass(value) and not issubclass(value, Space):
                functions = {f"{name}.{key}": one for key, one in vars(value).items()}
            for key, one in functions.items():
                if key.rpartition(".")[2][:1] == "_" and not key.endswith("__call__"):
                    continue
                if inspect.isfunction(one) and NAMES & set(inspect.signature(one).parameters):
                    yield key


def test_every_public_function_of_a_rotation_is_in_the_list():
    found = {name for name in _public_takers() if ELSEWHERE.get(name, name) not in TAKERS}
    excepted = {name for name, reason in ELSEWHERE.items() if reason not in TAKERS}
    assert found == found & excepted, sorted(found - excepted)
    assert found and {"rotate_s2", "wigner_D"} <= set(_public_takers())


def test_half_precision_is_coarse_not_wrong():
    g = random_rotations(5, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float16, torch.bfloat16):
        so3().check(g.to(dtype))
        with pytest.raises(ValueError, match="^g: expected"):
            so3().check((1.05 * g).to(dtype))


def test_a_mirror_once_came_back_as_a_rotation():
    """Negative control: without the check the formula takes a mirror of z for a rotation."""
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
    back = angles_to_matrix(*euler_angles(mirror))
    assert torch.linalg.det(back) > 0.99 and (back - mirror).abs().max() > 1
