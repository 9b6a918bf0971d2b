# pyright: reportUnnecessaryTypeIgnoreComment=error
"""What a checker of types must find: each line has the error that is named behind it.

An error that is not found any more makes the comment needless, and that is an error of its own.
"""

import torch

import equinet as eq
from equinet import learning, testing
from equinet import nn as enn

plane = eq.Plane("C4")
x = plane.fields("1x0 + 1x1")
net = torch.nn.Linear(3, 1)


def mistakes() -> None:
    """None of these lines runs."""
    _ = eq.nothing  # pyright: ignore[reportAttributeAccessIssue]
    eq.Plane(4)  # pyright: ignore[reportArgumentType]
    eq.Sphere("4")  # pyright: ignore[reportArgumentType]
    eq.Sphere(band=4).at("3")  # pyright: ignore[reportArgumentType]
    plane.field("1x0")  # pyright: ignore[reportAttributeAccessIssue]
    enn.ReLU("1x0")  # pyright: ignore[reportArgumentType]
    enn.Conv2d(x, x)  # pyright: ignore[reportCallIssue]
    enn.Conv2d(x, 16, 3)  # pyright: ignore[reportArgumentType]
    enn.Conv2d(x, x, 3, functions="pixels")  # pyright: ignore[reportArgumentType]
    enn.SphereConv(x, x, filter="smooth")  # pyright: ignore[reportArgumentType]
    enn.PointConv(x, x, enn.RadialNetwork(2.0))  # pyright: ignore[reportCallIssue]
    eq.act(x, "quarter turn", torch.rand(1, 3, 4, 4))  # pyright: ignore[reportArgumentType]
    testing.report(enn.ReLU)  # pyright: ignore[reportArgumentType]
    _ = testing.equivariance_error(enn.ReLU(x)).maximum  # pyright: ignore[reportAttributeAccessIssue]
    _ = learning.tangent_kernel(net, torch.eye(3), by_parameter=True).shape  # pyright: ignore[reportAttributeAccessIssue]
    learning.tangent_kernel(net, torch.eye(3), outputs="sum")  # pyright: ignore[reportArgumentType]
