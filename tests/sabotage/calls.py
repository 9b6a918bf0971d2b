"""One sound call of every public function and class, to be spoilt one argument at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import e3nn.nn
import e3nn.o3
import torch
import trimesh
from torch import Tensor

import equinet as eq
from equinet import (
    convert,
    field,
    group,
    harmonics,
    learning,
    models,
    nn,
    numerics,
    ops,
    rep,
    steerable,
    testing,
    transforms,
)
from tests.laws.module_cases import MODULES


@dataclass(frozen=True)
class Call:
    """A callable and sound arguments by name; those of a variable number are named ``*0``, ``*1``.

    Attributes:
        name: of the callable, and of the case where it has several.
        function: what is called.
        arguments: by name.
        names: what an error may call the argument that is to blame.
        optional: arguments that may be None.
    """

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    names: frozenset[str]
    optional: frozenset[str]

    def __str__(self) -> str:
        return self.name

    def __call__(self, **spoilt: Any) -> Any:
        """The result, with some arguments replaced."""
        given = self.arguments | spoilt
        last = max((i for i, name in enumerate(given) if name.startswith("*")), default=-1)
        by_place = list(given.values())[: last + 1]
        return self.function(*by_place, **dict(list(given.items())[last + 1 :]))


def call(function: Callable[..., Any], *args: Any, name: str = "", **options: Any) -> Call:
    """The call ``function(*args, **options)``, with defaults filled in."""
    signature = inspect.signature(function)
    bound = signature.bind(*args, **options)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        kind = signature.parameters[key].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            arguments |= {f"*{i}": item for i, item in enumerate(value)}
        elif kind is not inspect.Parameter.VAR_KEYWORD:
            arguments[key] = value
    optional = {
        key
        for key, parameter in signature.parameters.items()
        if parameter.default is None or "None" in str(parameter.annotation)
    }
    # A function that is told what its caller calls the argument names it so.
    known = {*signature.parameters, *filter(None, [arguments.get("argument")])}
    # A graph may be its edges alone, which is what layers call them.
    names = frozenset(known | ({"edges"} if isinstance(arguments.get("graph"), Tensor) else set()))
    return Call(name or function.__name__, function, arguments, names, frozenset(optional))


def calls() -> tuple[Call, ...]:
    """All of them."""
    return tuple(one for package in MAKERS for one in calls_of(package))


@cache
def calls_of(package: str) -> tuple[Call, ...]:
    """Made when asked for, since the modules take a while."""
    return tuple(MAKERS[package]())


def _random(*size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(0))


def _fields() -> Iterator[Call]:
    plane, sphere = eq.Plane("C4"), eq.Sphere(3)
    h = plane.fields("1x trivial + 1x regular")
    x, turn = _random(2, 5, 6, 6), eq.cyclic(4).elements[1].float()
    for kind, name in ((eq.Line, "O(1)"), (eq.Plane, "C4"), (eq.Volume, "O(3)")):
        yield call(kind, name, 0.5)
        yield call(kind(name).positions, *[4] * kind(name).n, name=f"{kind.__name__}.positions")
    for kind in (eq.Point, eq.Points):
        yield call(kind, "SO(3)", 3)
    yield call(eq.Points("SO(3)", 3).move, numerics.random_rotations(), _random(5, 3).double())
    yield call(eq.Sphere, 4, group="O(3)")
    yield call(sphere.at, 2, name="Sphere.at")
    for space in (plane, sphere, eq.Point("O(3)", 3)):
        name = {"Plane": "2x regular", "Sphere": "2x1", "Point": "2x1o"}[type(space).__name__]
        yield call(space.fields, name, name=f"{type(space).__name__}.fields")
    yield call(eq.FieldType, plane, h.blocks)
    yield call(h.shape, 2, 6, 6, name="FieldType.shape")
    yield call(h.rho, turn, name="FieldType.rho")
    yield call(h.split, x, name="FieldType.split")
    yield call(eq.act, h, turn, x)
    functions = sphere.fields("1x trivial")
    yield call(eq.act, functions, numerics.random_rotations().float(), _random(2, 1, 6, 6))
    yield call(field.random_field, h, 2, sizes=(5, 5), smoothness=1.0)
    yield call(field.random_field, functions, 2, band=2, name="random_field on a sphere")
    yield call(field.power_spectra, functions, _random(2, functions.channels, 6, 6))
    yield call(field.values_at, functions, _random(2, 1, 6, 6), torch.rand(5), _random(5))
    yield call(field.resample, x, _random(2, 4, 4, 2).double())
    yield call(field.sphere_of, functions)
    yield call(field.space_of, functions, eq.Sphere)
    yield call(field.Noise, torch.Generator(), 2, (3, 3), 1.0)
    yield call(field.FieldAnalysis, functions, 3)
    yield call(field.FieldSynthesis, functions, 3)
    yield call(field.torus, 3, "C4")
    g = eq.symmetric(4)
    corners = eq.HomogeneousSpace.of(g, torch.eye(4))
    yield call(eq.HomogeneousSpace, g, corners.fibre_group)
    yield call(eq.HomogeneousSpace.of, g, torch.eye(4), name="HomogeneousSpace.of")
    t = corners.fields("1x vector")
    f = _random(2, 4, 4).double()
    F = field.lift(t, f)
    yield call(field.lift, t, f)
    yield call(field.lower, t, F)
    yield call(field.mackey_projection, t, F)
    yield call(field.mackey_residual, t, F)
    yield call(field.act_on_mackey, t, g.elements[5], F)
    yield call(field.induced_matrices, t)


def _groups() -> Iterator[Call]:
    s4, d4 = eq.symmetric(4), eq.dihedral(4)
    c4, c2 = eq.cyclic(4), eq.cyclic(2)
    for function, n in (
        (eq.cyclic, 4), (eq.dihedral, 3), (eq.symmetric, 4), (group.alternating, 4),
        (group.inversion, 3), (group.trivial_group, 3),
    ):  # fmt: skip
        yield call(function, n)
    yield call(group.named_group, "C4", 2)
    yield call(eq.point_group, "m-3m")
    yield call(group.axial, "Cinf")
    yield call(group.generate, c4.elements[1:2])
    yield call(group.permutation_group, (1, 2, 0), name="permutation_group")
    yield call(group.automorphisms, torch.ones(4, 4) - torch.eye(4))
    yield call(group.subgroup, d4, d4.elements[1:2])
    for function in (group.conjugacy_classes, group.subgroup_classes):
        yield call(function, d4)
    yield call(group.cosets, d4, c4)
    yield call(group.double_cosets, d4, c2, c4)
    yield call(group.find_subgroup, d4, c4)
    yield call(group.is_subgroup, c4, d4)
    yield call(group.section, d4, c4)
    yield call(group.orbit_section, s4, torch.eye(4))
    yield call(group.direct_product, c4, c2, name="direct_product")
    yield call(group.semidirect_product, c4, c2)
    for one in (d4, eq.so3(), eq.o2()):
        kind = type(one).__name__
        yield call(one.sample, 3, name=f"{kind}.sample")
        yield call(one.haar, 4, name=f"{kind}.haar")
        yield call(one.grid, 4, name=f"{kind}.grid")
        yield call(one.check, one.sample(2), name=f"{kind}.check")
        yield call(one.conjugate, torch.eye(one.n).double(), name=f"{kind}.conjugate")


def _harmonics() -> Iterator[Call]:
    points, so3 = _random(7, 3), eq.so3()
    yield call(harmonics.spherical_harmonics, 2, points)
    yield call(harmonics.circular_harmonics, 2, points[:, :2])
    yield call(harmonics.angular_harmonics, 2, points)
    yield call(harmonics.angular_coefficients, so3, 2)
    yield call(harmonics.harmonics_representation, so3, 2)
    sphere, rotations = _random(2, 3, 6, 6), _random(2, 3, 6, 6, 6)
    R = numerics.random_rotations().float()
    yield call(harmonics.rotate_s2, sphere, R)
    yield call(harmonics.rotate_so3, rotations, R)
    yield call(harmonics.s2_fft, sphere, 3, 1)
    yield call(harmonics.s2_rfft, sphere, 3)
    yield call(harmonics.s2_ifft, torch.complex(_random(2, 9), _random(2, 9)), 3, 3)
    yield call(harmonics.s2_irfft, _random(2, 9), 3, 3)
    yield call(harmonics.power_spectrum, harmonics.s2_rfft(sphere, 3), _random(2, 3, 9))
    yield call(harmonics.so3_fft, rotations, 3)
    yield call(harmonics.so3_rfft, rotations, 3)
    yield call(harmonics.so3_ifft, torch.complex(_random(2, 35), _random(2, 35)), 3, 3)
    yield call(harmonics.so3_irfft, _random(2, 35), 3, 3)
    rings = harmonics.gauss(4)
    yield call(harmonics.Rings, rings.beta, rings.weight, rings.counts, rings.starts, 4)
    yield call(harmonics.soft, 3)
    yield call(harmonics.equiangular, 5, 8, False)
    yield call(harmonics.gauss, 4, 8)
    yield call(harmonics.healpix, 2)
    yield call(harmonics.healpix_nested, 2)
    yield call(harmonics.octahedral, 2)
    yield call(harmonics.Analysis, 3, 3, None)
    yield call(harmonics.Synthesis, 3, 3, None)
    grid = harmonics.filter_grid(5, 3)
    yield call(harmonics.filter_grid, 5, 3)
    yield call(harmonics.FilterGrid, (5, 5), (1.0, 1.0))
    yield call(harmonics.shell_harmonics, so3, grid)
    yield call(harmonics.gaussian_shells, 2.0)
    yield call(harmonics.Pixels, eq.cyclic(4), harmonics.filter_grid(3, 2))
    yield call(harmonics.Orbits, eq.so3(), grid, lmax=1)
    yield call(harmonics.ConstantFunction, so3)
    yield call(harmonics.Harmonics, so3, harmonics.Angular(2))
    yield call(harmonics.Angular, 2)
    yield call(harmonics.BSpline, 2.0, 4, 2)
    yield call(harmonics.Bessel, 2.0, 3, lmax=2)
    yield call(harmonics.GaussianShells, (0.0, 1.0), lmax=2)
    yield call(harmonics.Zernike, 2.0, 3, 3)


def _numerics() -> Iterator[Call]:
    angle, R = _random(4).double(), numerics.random_rotations(4)
    yield call(numerics.angles_to_matrix, angle, angle, angle)
    yield call(numerics.matrix_to_angles, R)
    yield call(numerics.points_to_angles, _random(4, 3))
    yield call(numerics.random_rotations, 4, name="random_rotations")
    yield call(numerics.wigner_D, 2, R)
    yield call(numerics.wigner_d, 2, angle)
    yield call(numerics.wigner_d_real, 3, 1, angle)
    yield call(numerics.legendre, 3, angle.cos())
    yield call(numerics.solid_harmonics, 2, _random(4, 3))
    yield call(numerics.soft_angles, 3)
    yield call(numerics.soft_weights, 3)
    yield call(numerics.real_from_complex, 2)
    yield call(numerics.rotation_generators, 2)
    yield call(numerics.generic_symmetric, 3)
    yield call(numerics.eigenprojectors, torch.diag(torch.tensor([1.0, 1.0, 2.0])).double())
    yield call(numerics.range_basis, torch.diag(torch.tensor([1.0, 1.0, 0.0])).double())


def _reps() -> Iterator[Call]:
    so3, d4, c4 = eq.so3(), eq.dihedral(4), eq.cyclic(4)
    one, two = rep.irreps(so3, 2)[1:]
    v = rep.vector(d4)
    yield call(rep.Irrep, so3, "1")
    yield call(rep.irrep, so3, "1")
    yield call(rep.irreps, so3, 2)
    yield call(rep.named, d4, "regular")
    for function in (rep.trivial, rep.vector):
        yield call(function, d4)
    yield call(rep.regular, so3, 2)
    yield call(rep.quotient, d4, c4)
    yield call(rep.clebsch_gordan, one, one, two)
    yield call(rep.couple, one, two)
    yield call(rep.wigner_3j, 1, 1, 2)
    yield call(rep.character_table, d4)
    yield call(rep.correlation_table, d4, c4)
    yield call(rep.CartesianTensor, so3, "ij=ji")
    yield call(rep.Fibre, ((2, v),))
    yield call(rep.fibre, ((2, v),))
    yield call(rep.Representation, so3, "1+1", (one, one))
    yield call(rep.decompose, d4, rep.vector(d4))
    yield call(rep.direct_sum, v, v, name="direct_sum")
    yield call(rep.tensor_product, v, v)
    yield call(rep.symmetric_power, v, 2)
    yield call(rep.exterior_power, v, 2)
    yield call(rep.dual, v)
    yield call(rep.restrict, v, c4)
    yield call(rep.induce, rep.vector(c4), d4)
    yield call(rep.hom, v, rep.regular(d4))
    yield call(rep.fourier_basis, so3, numerics.random_rotations(3), 2)
    yield call(v, d4.elements, name="Representation.__call__")


def _steerable() -> Iterator[Call]:
    c4 = eq.cyclic(4)
    functions = harmonics.shell_harmonics(c4, harmonics.filter_grid(3, 2))
    v = rep.vector(c4)
    yield call(steerable.kernel_basis, v, v, functions)
    yield call(steerable.KernelBasis, rep.fibre(v), rep.fibre(v), functions)
    basis = steerable.kernel_basis(v, v, functions)
    yield call(basis.on, harmonics.filter_grid(3, 2), name="KernelBasis.on")
    yield call(steerable.near_identity)
    yield call(steerable.blurred)
    yield call(steerable.equatorial, n_alpha=8)
    yield call(steerable.smooth)
    yield call(steerable.sphere_basis, steerable.smooth(), 3, (0,), (0, 1))
    s4 = eq.symmetric(4)
    corners = group.orbit_section(s4, torch.eye(4))
    fibre = rep.fibre(rep.vector(corners.subgroup))
    yield call(steerable.homogeneous_kernels, corners, corners, fibre, fibre)
    psi = rep.irreps(corners.subgroup)[0]
    yield call(steerable.kernels_between, corners, corners, psi, psi)


def _checks() -> Iterator[Call]:
    h = eq.Plane("C4").fields("1x regular")
    relu = nn.ReLU(h)
    yield call(testing.equivariance_error, relu, sizes=(5, 5), count=2)
    yield call(testing.assert_equivariant, relu, sizes=(5, 5), count=2)
    yield call(testing.report, relu, sizes=(5, 5), count=1)
    yield call(testing.certificate, relu)
    yield call(nn.summary, relu, sizes=(5, 5))
    yield call(relu.check, _random(2, 4, 5, 5), name="EquivariantModule.check")


def _others() -> Iterator[Call]:
    positions = _random(6, 3)
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    cell = 3 * torch.eye(3)
    yield call(transforms.radius_graph, positions, 1.5, batch, cell=cell, pbc=(True, True, False))
    yield call(transforms.knn_graph, positions, 2, batch, cell=cell)
    yield call(transforms.farthest_points, positions, 2, batch)
    yield call(transforms.voxel_points, positions, 0.7, batch)
    levels = dict(source_batch=batch, target_batch=batch[2:])
    yield call(
        transforms.neighbour_graph, positions, positions[2:], 1.5, cell=cell, **levels, pbc=True
    )
    yield call(
        transforms.neighbour_graph, positions, positions[2:], count=2, name="neighbour_graph, count"
    )
    graph = transforms.radius_graph(positions, 1.5, batch, cell=cell)
    assert graph.cells is not None and graph.cell is not None
    yield call(transforms.Graph, graph.edges, 6, graph.cells, graph.cell)
    yield call(graph.pair, positions, name="Graph.pair")
    yield call(graph.vectors, positions, name="Graph.vectors")
    yield call(graph.with_cell, graph.cell, name="Graph.with_cell")
    kinds = torch.tensor([0, 1, 1, 0, 1, 1])
    potential = nn.Potential(
        eq.nn.DepthwisePointConv(*_energy_types(), nn.RadialNetwork(1.5), neighbours=2.0)
    )
    yield call(nn.Potential, potential.net, shifts=(1.0, 2.0), scales=(1.0, 0.5))
    yield call(potential.forward, _random(6, 2), positions, graph, name="Potential.forward")
    yield call(potential.energies, _random(6, 2), positions, graph, name="Potential.energies")
    yield call(nn.species_energies, _random(2), kinds, graph, 2)
    yield call(transforms.calculator, potential, [1, 8], 1.5)
    wire = {"positions": positions, "numbers": [1] * 6, "cell": cell, "pbc": [False, False, True]}
    yield call(transforms.from_atoms, SimpleNamespace(**wire), 1.5)
    volume = eq.Volume("SO(3)")
    yield call(transforms.voxelize, positions, _random(6, 2), volume, (4, 4, 4), 0.6, batch=batch)
    sphere, numbers = eq.Sphere(3), torch.tensor([1, 6, 6, 1, 6, 6])
    yield call(transforms.potentials, positions, numbers, (1, 6), sphere, 0.5, batch=batch)
    yield call(transforms.rays, trimesh.creation.box((1, 1, 1)), sphere, radius=1.0)
    yield call(transforms.rotate_randomly, _random(2, 1, 6, 6))
    for function in (transforms.from_winds, transforms.from_polarisation):
        yield call(function, _random(2, 3, 5), _random(2, 3, 5))
    for function in (transforms.to_winds, transforms.to_polarisation):
        yield call(function, _random(2, 6, 5))
    order = "xx yy zz yz xz xy"
    yield call(transforms.from_voigt, _random(2, 6), shear="strain", pairs=1, order=order)
    yield call(transforms.to_voigt, _random(2, 3, 3), shear="strain", pairs=1, order=order)
    heights = eq.Sphere(3).fields("1x0")
    yield call(transforms.Sample, harmonics.gauss(4), heights, north_first=False, steps=0)
    sample = transforms.Sample(harmonics.gauss(4), heights)
    yield call(sample.forward, _random(2, 1, 4, 8), name="Sample.forward")
    yield call(sample.inverse, _random(2, 1, 6, 6), name="Sample.inverse")
    yield call(sample.nearest, _random(2, 1, 4, 8), name="Sample.nearest")
    yield call(sample.nearest_inverse, _random(2, 1, 6, 6), name="Sample.nearest_inverse")
    yield call(transforms.StereographicProjection, 8, 3)
    project = transforms.StereographicProjection(8, 3)
    R = numerics.random_rotations(2).float()
    yield call(project.forward, _random(2, 1, 8, 8), R, name="StereographicProjection.forward")
    yield call(nn.gated, volume.fields("1x0 + 1x1"))
    yield call(nn.gated_layer, nn.Linear, *[volume.fields("1x0 + 1x1")] * 2, norm=nn.LayerNorm)
    yield call(nn.squash, _random(4).abs())
    vectors = eq.Point("O(3)", dim=3).fields("2x1o")
    axial = eq.Point("O(3)", dim=3).fields("2x1e")
    yield call(nn.Product, vectors, vectors, axial, "channelwise")
    product = nn.Product(vectors, vectors, axial)
    yield call(product.forward, _random(3, 6), _random(3, 6), name="Product.forward")
    linear = nn.Linear(vectors, vectors, kinds=2)
    kinds = torch.tensor([0, 1, 1])
    yield call(linear.forward, _random(3, 6), kinds, name="Linear.forward, kinds")
    yield call(nn.RadialNetwork, 2.0, 4, (8,), "bessel", 4, attributes=2)


def _converted() -> Iterator[Call]:
    points = eq.Points("O(3)", 3)
    linear = e3nn.o3.Linear("2x0e + 1x1o", "1x0e + 1x1o")
    yield call(convert.from_e3nn, linear, points)
    y = "0e + 1o"
    product = e3nn.o3.TensorProduct(
        *(y, y, "0e + 1o + 1o + 0e"),
        [(0, 0, 0, "uvu", True), (0, 1, 1, "uvu", True), (1, 0, 2, "uvu", True),
         (1, 1, 3, "uvu", True)],
        shared_weights=False,
    )  # fmt: skip
    layers = product, e3nn.nn.FullyConnectedNet([2, 3, 4], torch.relu), None
    options = dict(basis=_two_functions, space=points)
    yield call(convert.from_e3nn_convolution, *layers, **options)

    a, c = _complex(2, 2, 10), _complex(2, 2, 4, 4).tril()
    a[..., :4], c[..., 0] = a[..., :4].real + 0j, c[..., 0].real + 0j  # m = 0
    cilm = c.real.contiguous()
    cilm[:, 1, :, 0] = 0
    yield call(convert.from_healpy, a, 1)
    yield call(convert.to_healpy, convert.from_healpy(a, 1), 1)
    yield call(convert.from_torch_harmonics, c, True)
    yield call(convert.to_torch_harmonics, convert.from_torch_harmonics(c, True), True)
    yield call(convert.from_pyshtools, cilm)
    yield call(convert.to_pyshtools, convert.from_pyshtools(cilm))
    yield call(convert.from_s2cnn, S2Convolution())
    yield call(convert.from_groupy, _random(2, 1, 4, 3, 3), "p4", padding=1)
    yield call(convert.lie_learn_basis, 2, order="block")
    matrices = [_complex(2, 2 * l + 1, 2 * l + 1) for l in range(2)]
    yield call(convert.from_lie_learn, _random(2, 4))
    yield call(convert.to_lie_learn, convert.from_lie_learn(_random(2, 4)))
    yield call(convert.from_lie_learn_so3, matrices)
    yield call(convert.to_lie_learn_so3, convert.from_lie_learn_so3(matrices))
    h = eq.Plane("C4").fields("2x regular")
    layer = nn.Conv2d(h, h, 3)
    yield call(convert.standard_basis, h)
    yield call(convert.project_filter, layer, layer.dense().detach())
    yield call(convert.relax, layer, "C2")
    yield call(convert.ResidualPathway, layer, "C2", share=0.1)
    plain = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
    ends = dict(in_fields="2x trivial", out_fields="1x vector")
    yield call(convert.from_torch, plain, _random(1, 2, 7, 7), "C4", fields="1x regular", **ends)


class S2Convolution(torch.nn.Module):
    """What a layer of s2cnn has."""

    nfeature_in, nfeature_out, b_in, b_out, scaling = 1, 2, 3, 3, 0.5
    grid = ((0.3, 0.0), (0.3, 2.0))

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.bias = torch.ones(1, 2, 2), torch.zeros(1, 2, 1, 1, 1)


def _two_functions(r: Tensor) -> Tensor:
    return torch.stack([r, r * r], 1)


def _complex(*size: int) -> Tensor:
    return torch.complex(_random(*size), _random(*size))


def _energy_types() -> tuple[eq.FieldType, eq.FieldType]:
    space = eq.Points("O(3)", dim=3)
    return space.fields("2x0e"), space.fields("1x0e")


def _networks() -> Iterator[Call]:
    x, ball = eq.Plane("C2").fields("1x trivial"), eq.Sphere(2).fields("1x0")
    small = {"blocks": 0, "generator": torch.Generator()}
    grid = {"sizes": 6, "strides": [2], "kernel_size": 3, **small}
    yield call(models.resnet, x, ["1x regular", "1x trivial"], 2, **grid)
    yield call(models.unet, x, ["1x regular", "1x trivial"], "1x0", **grid)
    yield call(models.spherical_resnet, ball, ["2x0", "1x0"], 2, **small)
    yield call(models.spherical_unet, ball, ["2x0", "1x0"], "1x0", **small)
    yield call(models.spherical_operator, ball, "2x0", "1x0", blocks=1)
    sizes = {"channels": 2, "layers": 1}
    yield call(models.NequIP, 2, 1.5, 2.0, lmax=1, outputs=0, **sizes)
    yield call(models.MACE, 2, 1.5, 2.0, lmax=1, order=2, hidden=1, **sizes)
    yield call(models.potential, 2, 1.5, 2.0, shifts=(1.0, 2.0), scales=(1.0, 0.5), **sizes)
    yield call(models.pretrained, "digits", weights=False)


def _modules() -> Iterator[Call]:
    """The constructor and the call of the first module of each class in the laws."""
    generator, kinds = torch.Generator().manual_seed(0), set()
    for case in MODULES:
        kind = case.name.partition("(")[0]
        if kind in kinds:
            continue
        kinds.add(kind)
        module = case()
        if case.bound is not None:
            function, args, options = case.bound()
            yield call(function, *args, name=f"{case}", **options)
        arguments = case.arguments(module, generator)
        yield call(module.forward, *arguments, name=f"{case}.forward")


def _operators() -> Iterator[Call]:
    """The functions that call the compiled operators."""
    yield call(ops.relu, _random(4))
    yield call(ops.zero_where, _random(4), torch.tensor([True, False, True, False]))
    edges, plan = torch.tensor([[0, 2, 1], [1, 1, 0]]), ops.EdgePlan(((2, 3),), ((0, 1), (0, 3)))
    order = ops.edge_order(edges, 3, 2)
    x, kernels, hidden, weights = (_random(*n) for n in ((3, 6), (3, 12), (3, 5), (5, 4)))
    yield call(ops.edge_sum, plan, x, kernels, hidden, weights, order)


def _learning() -> Iterator[Call]:
    net, x, y = torch.nn.Linear(3, 1).double(), _random(4, 3).double(), torch.ones(4)
    kernel, margins = learning.Laplace(1.0), _random(2, 4).double()
    ensemble = learning.Ensemble(_network, range(2))
    yield call(learning.Ensemble, _network, range(2), 1)
    yield call(ensemble.mean_error, x, y, name="Ensemble.mean_error")
    yield call(ensemble.ensemble_error, x, y, name="Ensemble.ensemble_error")
    yield call(ensemble.variance, x, name="Ensemble.variance")
    yield call(learning.gradient_flow, ensemble, x, y, alpha=1.0, steps=3)
    for loss in (learning.hinge, learning.soft_hinge, learning.square, learning.satisfied):
        yield call(loss, margins)
    yield call(learning.violations, margins)
    yield call(learning.hessian_split, net, x, y)
    yield call(learning.Linearized, net)
    yield call(learning.tangent_kernel, net, x, x, chunk=2)
    yield call(learning.tangent_product, net, x, x[:, :1], x)
    yield call(learning.ntk_parametrize, net)
    yield call(learning.Matern, 1.5)
    yield call(learning.Laplace)
    yield call(learning.Gaussian)
    yield call(kernel, x, x, name="Laplace.__call__")
    yield call(learning.averaged, kernel, torch.eye(3).double()[None])
    yield call(learning.exponent, kernel, kernel, 2)
    yield call(learning.expected_error, kernel, kernel, x, x + 1)
    regression = learning.KernelRegression(kernel, x)
    yield call(learning.KernelRegression, kernel, x)
    yield call(regression, y.double(), x, name="KernelRegression.__call__")
    yield call(regression.first, 2, name="KernelRegression.first")
    yield call(regression.weights, x, name="KernelRegression.weights")
    yield call(regression.expected_error, kernel, x, name="KernelRegression.expected_error")
    yield call(learning.lattice_error, kernel, kernel, 1, 4)
    yield call(learning.power_law, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.5]))


def _network(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 1).double()


MAKERS: dict[str, Callable[[], Iterator[Call]]] = {
    "convert": _converted,
    "field": _fields,
    "group": _groups,
    "harmonics": _harmonics,
    "learning": _learning,
    "models": _networks,
    "numerics": _numerics,
    "ops": _operators,
    "rep": _reps,
    "steerable": _steerable,
    "testing": _checks,
    "transforms": _others,
    "nn": _modules,
}
