"""A script as users write it: pyright finds no error in it, and it runs.

``make lint`` checks the types, ``tests/test_typing.py`` runs it; ``wrong.py`` is the control.
"""

from typing import assert_type

import torch
from torch import Tensor

import equinet as eq
from equinet import learning, testing, transforms
from equinet import nn as enn
from equinet.field import FieldType, random_field, sphere_of, torus
from equinet.group import FiniteGroup, Group
from equinet.harmonics import Pixels, gaussian_shells, spherical_harmonics
from equinet.rep import Representation, irreps, regular
from equinet.steerable import KernelBasis, kernel_basis, near_identity


def spaces() -> list[FieldType]:
    """A type over every kind of space."""
    plane, sphere = eq.Plane("C4", spacing=0.5), eq.Sphere(band=4)
    assert_type(plane.group, Group)
    assert_type(plane.group.elements, Tensor)
    assert_type(eq.cyclic(4).elements, Tensor)
    assert_type(sphere.at(band=2).band, int)
    types = [
        eq.Line("C1").fields("1x trivial"),
        plane.fields("1x0 + 1x1"),
        eq.Volume("O").fields("1xT1"),
        eq.Point("SO(3)", dim=3).fields("1x0 + 1x1"),
        eq.Points("O(3)", dim=3).fields("1x0e + 1x1o"),
        sphere.fields("1x trivial"),
        torus(4, "C4").fields("1x regular"),
        eq.HomogeneousSpace.of(eq.symmetric(4), torch.eye(4)).fields("1x trivial"),
    ]
    for x in types:
        assert_type(x.space.fibre_group, Group)
        assert_type(x.space.group, Group)
        assert_type(x.channels, int)
        assert_type([rho for _, rho in x.blocks], list[Representation])
    assert_type(sphere_of(types[5]), eq.Sphere)
    return types


def on_the_plane() -> Tensor:
    """Convolutions and what stands between them."""
    plane = eq.Plane("C4")
    x, h = plane.fields("1x0 + 1x1"), plane.fields("4x regular")
    first = enn.Conv2d(x, h, kernel_size=5, padding=2, generator=torch.Generator().manual_seed(0))
    exact = enn.Conv2d(h, h, 3, padding="same", functions=Pixels)
    relu = enn.ReLU(h)
    assert_type(relu.out_type.channels, int)
    assert_type(first.out_type, FieldType)
    net = enn.Sequential(first, enn.BatchNorm(h), relu, exact, enn.AvgPool(h, 2), enn.GroupPool(h))
    fields = random_field(x, 2, sizes=(8, 8))
    assert_type(fields, Tensor)
    assert_type(eq.act(x, x.space.group.elements[1], fields), Tensor)
    assert_type(testing.equivariance_error(enn.ReLU(h)).mean, float)
    assert_type(str(testing.report(relu)), str)
    assert_type(eq.summary(net, sizes=(8, 8)), enn.Summary)
    return net(fields.float())


def on_the_sphere() -> Tensor:
    """Images, correlations on the sphere and on rotations, and an integral."""
    sphere = eq.Sphere(band=4)
    x, h = sphere.fields("1x trivial"), sphere.at(band=3).fields("2x regular")
    images = transforms.StereographicProjection(image_size=8, band=4)
    turned, rotations = transforms.rotate_randomly(images(torch.rand(2, 1, 8, 8)))
    assert_type(rotations, Tensor)
    lifting = enn.SphereConv(x, h, near_identity())
    assert_type(lifting.out_type, FieldType)
    return enn.Sequential(lifting, enn.ReLU(h), enn.Integrate(h))(turned)


def on_points() -> Tensor:
    """Clouds of points and their edges."""
    points = eq.Points("O(3)", dim=3)
    x, y = points.fields("2x0e"), points.fields("1x0e + 1x1o")
    radial = enn.RadialNetwork(cutoff=2.0, features=4)
    positions = torch.rand(5, 3)
    graph = transforms.radius_graph(positions, 2.0)
    assert_type(graph, transforms.Graph)
    assert_type(graph.shifts, Tensor | None)
    convolution = enn.PointConv(x, y, radial, neighbours=4.0)
    edges, shifts = graph
    return convolution(torch.rand(5, 2), positions, graph) + convolution(
        torch.rand(5, 2), positions, edges, shifts
    )


def mathematics() -> KernelBasis:
    """Groups, representations, and the kernels between them."""
    group = eq.so2()
    assert_type(eq.octahedral(), FiniteGroup)
    assert_type(eq.octahedral().order, int)
    assert_type(irreps(eq.octahedral())[0](eq.octahedral().elements), Tensor)
    assert_type(spherical_harmonics(2, torch.eye(3)), Tensor)
    rho = regular(eq.cyclic(4))
    assert_type(rho, Representation)
    assert_type(rho.dim, int)
    basis = kernel_basis(rho, rho, eq.harmonics.Harmonics(eq.cyclic(4), gaussian_shells(2)))
    assert_type(group.n, int)
    return basis


def learns() -> Tensor:
    """The tangent kernel, whole and by parameter."""
    net, x = torch.nn.Linear(3, 1), torch.rand(4, 3)
    by_parameter = learning.tangent_kernel(net, x, by_parameter=True)
    assert_type(by_parameter, dict[str, Tensor])
    return learning.tangent_kernel(net, x, outputs="trace")


def main() -> None:
    """Run all of it."""
    spaces()
    mathematics()
    assert on_the_plane().shape == (2, 4, 4, 4)
    assert on_the_sphere().shape == (2, 2)
    assert on_points().shape == (5, 4)
    assert learns().shape == (4, 4)


if __name__ == "__main__":
    main()
