"""Layers of escnn and e2cnn, one for each pair of a group and a kind of layer that is converted.

It runs where these are installed, in the environment of ``make peers``.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from equinet.convert import from_escnn
from tests.peers import escnn_layers

Layer = Any
Space = Any
Make = Callable[[], Layer]


def load(name: str) -> Space:
    """The package, with what it keeps on disk under ``build``.

    It warns of itself, and decorates functions with ``joblib.Memory`` in its own folder.
    """
    joblib: Any = importlib.import_module("joblib")
    memory, folder = joblib.Memory, os.path.join("build", "peers", name)
    joblib.Memory = lambda location, **options: memory(folder, verbose=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in ("", ".group", ".gspaces", ".nn"):
                importlib.import_module(name + part)
    finally:
        joblib.Memory = memory
    return importlib.import_module(name)


def layers(package: Space) -> dict[str, Make]:
    """What makes each layer, by a name that says the group, the layer and its fields."""
    is_new = package.__name__ == "escnn"
    nn, found = package.nn, {}
    for name, make in (_new_spaces if is_new else _old_spaces)(package.gspaces).items():
        for kind, fields in _FIELDS.items():
            if not (kind == "regular" and name in _CONTINUOUS | _LARGE):
                found[f"{name}: conv, {kind}"] = _convolution(nn, make, fields)
        if name not in _CONTINUOUS | _LARGE:
            found[f"{name}: InnerBatchNorm"] = _batch_norm(nn, make)
    plane = (
        (lambda: package.gspaces.rot2dOnR2(8)) if is_new else lambda: package.gspaces.Rot2dOnR2(8)
    )
    found["C8: network"] = _network(nn, plane)
    if is_new:
        found |= _more(package)
    return found


_CONTINUOUS = {
    *("SO(2)", "O(2)", "SO(3)", "O(3)"),
    *("SO(2) about z", "Dinf", "cone", "cylinder", "full cylinder"),
}
_LARGE = {"icosahedral", "full octahedral", "full icosahedral", "cylinder D4"}


def _new_spaces(g: Space) -> dict[str, Callable[[], Space]]:
    return {
        "C1": g.trivialOnR2,
        "C4": lambda: g.rot2dOnR2(4),
        "C8": lambda: g.rot2dOnR2(8),
        "mirror": g.flip2dOnR2,
        "D3": lambda: g.flipRot2dOnR2(3),
        "D4": lambda: g.flipRot2dOnR2(4),
        "D8, axis 0.3": lambda: g.flipRot2dOnR2(8, axis=0.3),
        "SO(2)": lambda: g.rot2dOnR2(),
        "O(2)": lambda: g.flipRot2dOnR2(),
        "SO(3)": g.rot3dOnR3,
        "O(3)": g.flipRot3dOnR3,
        "octahedral": g.octaOnR3,
        "icosahedral": g.icoOnR3,
        "full octahedral": g.fullOctaOnR3,
        "full icosahedral": g.fullIcoOnR3,
        "C4 about z": lambda: g.rot2dOnR3(4),
        "D3 in space": lambda: g.dihedralOnR3(3),
        "cone C4": lambda: g.conicalOnR3(4),
        "mirror in space": g.mirOnR3,
        "inversion": g.invOnR3,
        "trivial in space": g.trivialOnR3,
        "cylinder D4": lambda: g.fullCylindricalOnR3(4),
        "cylinder C4": lambda: g.cylindricalOnR3(4),
        "SO(2) about z": g.rot2dOnR3,
        "Dinf": g.dihedralOnR3,
        "cone": g.conicalOnR3,
        "cylinder": lambda: g.cylindricalOnR3(maximum_frequency=6),
        "full cylinder": g.fullCylindricalOnR3,
    }


def _old_spaces(g: Space) -> dict[str, Callable[[], Space]]:
    return {
        "C1": g.TrivialOnR2,
        "C4": lambda: g.Rot2dOnR2(4),
        "C8": lambda: g.Rot2dOnR2(8),
        "mirror": g.Flip2dOnR2,
        "mirror, axis 0": lambda: g.Flip2dOnR2(axis=0.0),
        "D3": lambda: g.FlipRot2dOnR2(3),
        "D4": lambda: g.FlipRot2dOnR2(4),
        "D8, axis 0.3": lambda: g.FlipRot2dOnR2(8, axis=0.3),
        "SO(2)": lambda: g.Rot2dOnR2(-1, maximum_frequency=4),
        "O(2)": lambda: g.FlipRot2dOnR2(-1, maximum_frequency=4),
    }


def _irreps(space: Space) -> list[Any]:
    """Two trivial fields, and up to three others of low degree."""
    known = space.fibergroup.irreps
    psis = list(
        known.values() if isinstance(known, dict) else known() if callable(known) else known
    )
    few = 2 if "Cylindrical" == space.fibergroup.name else 4
    return [space.trivial_repr, *psis[:few]]


def _regular(space: Space) -> list[Any]:
    return [space.regular_repr, space.regular_repr, space.trivial_repr]


_FIELDS = {"irreps": _irreps, "regular": _regular}


def _convolution(nn: Space, make: Callable[[], Space], fields: Callable[[Space], list]) -> Make:
    def layer() -> Layer:
        space = make()
        given = fields(space)
        is_flat = getattr(space, "dimensionality", 2) == 2
        kind = nn.R2Conv if is_flat else nn.R3Conv
        types = nn.FieldType(space, given), nn.FieldType(space, given[::-1])
        return kind(*types, 5 if is_flat and fields is _irreps else 3, padding=1)

    return layer


def _batch_norm(nn: Space, make: Callable[[], Space]) -> Make:
    def layer() -> Layer:
        space = make()
        fields = [rho for rho in _regular(space) if "pointwise" in rho.supported_nonlinearities]
        return nn.InnerBatchNorm(nn.FieldType(space, fields))

    return layer


def _network(nn: Space, make: Callable[[], Space]) -> Make:
    def network() -> Layer:
        space = make()
        one = nn.FieldType(space, [space.trivial_repr])
        many = nn.FieldType(space, [space.regular_repr] * 3)
        parts = [
            nn.R2Conv(one, many, 5, padding=2), nn.InnerBatchNorm(many), nn.ReLU(many),
            nn.R2Conv(many, many, 3, padding=1, stride=2), nn.InnerBatchNorm(many), nn.ELU(many),
            nn.GroupPooling(many),
        ]  # fmt: skip
        return nn.SequentialModule(*parts)

    return network


def _more(escnn: Space) -> dict[str, Make]:
    """Fields of every other kind, and matrices over a point, of escnn."""
    g, nn, group = escnn.gspaces, escnn.nn, escnn.group

    def convolution(space: Space, given: list, size: int = 3, **options: Any) -> Layer:
        kind = nn.R2Conv if space.dimensionality == 2 else nn.R3Conv
        types = nn.FieldType(space, given), nn.FieldType(space, [space.trivial_repr, *given])
        return kind(*types, size, **options)

    def quotient() -> Layer:
        space = g.rot2dOnR2(8)
        return convolution(space, [space.quotient_repr(4), space.quotient_repr(2)], 5)

    def mirrors() -> Layer:
        space = g.flipRot2dOnR2(4)
        return convolution(space, [space.quotient_repr((0, 1)), space.quotient_repr((None, 2))])

    def induced() -> Layer:
        space = g.flipRot2dOnR2(4)
        sub, _, _ = space.fibergroup.subgroup((None, 4))
        return convolution(space, [space.induced_repr((None, 4), sub.irrep(1))])

    def turned() -> Layer:
        space = g.rot2dOnR2(6)
        parts = [space.irrep(1), space.irrep(1), space.trivial_repr]
        basis = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))[0]
        return convolution(space, [group.directsum(parts, basis.double().numpy(), "turned")], 5)

    def spectral() -> Layer:
        space = g.rot2dOnR2()
        one = space.fibergroup.spectral_regular_representation(*space.fibergroup.irreps()[:3])
        return convolution(space, [one], 5)

    def solid() -> Layer:
        space = g.rot3dOnR3()
        one = space.fibergroup.bl_regular_representation(1)
        return convolution(space, [one])

    def sphere() -> Layer:
        space = g.rot3dOnR3()
        one = space.fibergroup.bl_quotient_representation(2, (False, -1))
        return convolution(space, [one])

    def faces() -> Layer:
        space = g.octaOnR3()
        return convolution(
            space, [space.quotient_repr((False, 4)), space.quotient_repr((False, 3))]
        )

    def grouped() -> Layer:
        space = g.rot2dOnR2(4)
        type_ = nn.FieldType(space, [space.regular_repr] * 4)
        return nn.R2Conv(type_, type_, 3, groups=2, padding=1, padding_mode="circular")

    def strided() -> Layer:
        space = g.rot2dOnR2(4)
        return convolution(space, [space.regular_repr], 3, dilation=2, padding=2, bias=False)

    def linear(make: Callable[[], Any], count: int = 4) -> Make:
        def layer() -> Layer:
            space = g.no_base_space(make())
            psis = space.fibergroup.irreps()[:count]
            if not space.fibergroup.continuous:
                psis = [*psis, space.regular_repr]
            return nn.Linear(nn.FieldType(space, psis), nn.FieldType(space, psis[::-1]))

        return layer

    return {
        "C8: conv, quotients": quotient,
        "D4: conv, quotients": mirrors,
        "D4: conv, induced": induced,
        "C6: conv, direct sum in another basis": turned,
        "SO(2): conv, spectral": spectral,
        "SO(3): conv, spectral": solid,
        "SO(3): conv, functions on the sphere": sphere,
        "octahedral: conv, quotients": faces,
        "C4: conv, groups": grouped,
        "C4: conv, dilation": strided,
        "C8: Linear": linear(lambda: group.cyclic_group(8)),
        "D4: Linear": linear(lambda: group.dihedral_group(4)),
        "SO(2): Linear": linear(lambda: group.so2_group(4)),
        "O(2): Linear": linear(lambda: group.o2_group(4)),
        "SO(3): Linear": linear(lambda: group.so3_group(3)),
        "O(3): Linear": linear(lambda: group.o3_group(3)),
        "octahedral: Linear": linear(group.octa_group),
        "icosahedral: Linear": linear(group.ico_group),
        "full octahedral: Linear": linear(group.full_octa_group),
    }


def fill(layer: Layer, seed: int = 0) -> Layer:
    """Weights, biases and running statistics from a seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in layer.parameters():
            if value.requires_grad:
                value.copy_(torch.randn(value.shape, generator=generator))
        for name, value in layer.named_buffers():
            if "running" in name:
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        for name, matrix in layer.named_buffers():
            if name.endswith("_avg"):  # means are invariant
                mean = layer.get_buffer(f"{name.removesuffix('avg')}running_mean")
                mean.copy_(mean @ matrix.mT)
    return layer


def example(layer: Layer, size: int = 7, batch: int = 2) -> Tensor:
    """An input from a seed."""
    types = _types(layer)
    axes = getattr(types[0].gspace, "dimensionality", 2)
    generator = torch.Generator().manual_seed(1)
    channels = sum(fields.size for fields in types)
    return torch.randn(batch, channels, *[size] * axes, generator=generator)


def output(package: Space, layer: Layer, x: Tensor) -> Tensor:
    """What a layer gives; one that takes several types gets their channels one after the other."""
    types = _types(layer)
    parts = x.split([fields.size for fields in types], 1)
    given = [
        package.nn.GeometricTensor(part, fields) for part, fields in zip(parts, types, strict=True)
    ]
    return layer(*given).tensor


def errors(name: str) -> Iterator[tuple[str, float]]:
    """For each layer how far outputs are apart, in parts of the largest one, at worst of two modes.

    Args:
        name: of the package.
    Yields:
        The name of the layer, and the error.
    """
    package = load(name)
    for label, make in {**layers(package), **escnn_layers.layers(package)}.items():
        yield label, max(error(package, make()))


def error(package: Space, theirs: Layer) -> list[float]:
    """How far outputs and running variances are apart, in training and in evaluation.

    Args:
        package: theirs.
        theirs: the layer, which gets other numbers.
    Returns:
        A number for each mode; where a layer is refused in training, for evaluation only.
    """
    fill(theirs)
    is_evaluated = type(theirs).__name__.startswith(escnn_layers.EVALUATED)
    if is_evaluated:
        with pytest.raises(ValueError, match="in evaluation mode, got one in training mode"):
            from_escnn(theirs.train())
    x, found = example(theirs), []
    for training in (False,) if is_evaluated else (True, False):
        ours = from_escnn(theirs.train(training))
        y = output(package, theirs, x)
        z = ours(x)
        assert ours.training is training and z.shape == y.shape
        found.append(float((z - y).detach().abs().max() / y.detach().abs().max()))
        for one, other in zip(_statistics(ours), _statistics(theirs), strict=True):
            found.append(float((one.sum() - other.sum()).abs() / other.sum().abs()))
    return found


def _types(layer: Layer) -> Sequence[Any]:
    return layer.in_type if isinstance(layer.in_type, tuple) else [layer.in_type]


def _statistics(module: torch.nn.Module) -> list[Tensor]:
    """Running variances, of which the order of fields is not asked."""
    named = module.named_buffers()
    found = [value.flatten() for name, value in named if name.endswith("running_var")]
    return [torch.cat(found)] if found else []
