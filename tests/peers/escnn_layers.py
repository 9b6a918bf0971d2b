"""Layers of escnn and e2cnn without filters, and what arranges layers, one of each kind.

Fields of several sizes stand in an order that is none, so that what is told by numbers shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Layer = Any
Space = Any
Make = Callable[[], Layer]

# Equal in evaluation mode; in training they are refused.
EVALUATED = (
    "IIDBatchNorm", "NormBatchNorm", "InducedNormBatchNorm", "GNormBatchNorm", "FieldDropout",
    "PointwiseDropout",
)  # fmt: skip


def layers(package: Space) -> dict[str, Make]:
    """What makes each layer, by a name that says the group and the class."""
    is_new = package.__name__ == "escnn"
    nn, g = package.nn, package.gspaces
    c8 = (lambda: g.rot2dOnR2(8)) if is_new else (lambda: g.Rot2dOnR2(8))
    d4 = (lambda: g.flipRot2dOnR2(4)) if is_new else (lambda: g.FlipRot2dOnR2(4))
    found = {
        **_nonlinearities(nn, c8, d4),
        **_norms(package, d4),
        **_pools(nn, d4, 2),
        **_structure(package, d4),
        "C8: R2ConvTransposed": lambda: _transposed(nn, c8()),
        "D4: R2ConvTransposed, groups": lambda: _transposed_groups(nn, d4()),
    }
    if is_new:
        return found | _of_escnn_only(package)
    return found | {
        "C8: R2Diffop": lambda: _differential(nn, c8()),
        "SO(2): R2Diffop": lambda: _differential(nn, g.Rot2dOnR2(-1, maximum_frequency=3)),
    }


def _irreps(space: Space, *numbers: Any) -> list:
    """Irreps by their numbers, in the notation of either library."""
    return [space.irrep(*n) if isinstance(n, tuple) else space.irrep(n) for n in numbers]


def _mixed(nn: Space, space: Space) -> Layer:
    """Regular and trivial fields among each other, of D4 and C8."""
    regular, one = space.regular_repr, space.trivial_repr
    return nn.FieldType(space, [one, regular, one, one, regular])


def _signs(nn: Space, space: Space) -> Layer:
    """Fields of D4 that change their sign, and regular ones."""
    sign, other = _irreps(space, (1, 0), (0, 2))
    return nn.FieldType(space, [sign, space.regular_repr, other, sign])


def _vectors(nn: Space, space: Space) -> Layer:
    """Irreps of D4 of dimensions 1 and 2, none trivial."""
    sign, other, vector = _irreps(space, (1, 0), (0, 2), (1, 1))
    return nn.FieldType(space, [vector, sign, vector, vector, other])


def _induced(nn: Space, space: Space) -> Layer:
    """Two kinds of fields of D4 that are induced from its rotations and mirrors."""
    parts = []
    for id, number in (((None, 4), 1), ((None, 4), 2), ((None, 4), 1)):
        sub, _, _ = space.fibergroup.subgroup(id)
        psi = sub.irrep(number) if hasattr(sub, "irrep") else sub.irreps[f"irrep_{number}"]
        parts.append(_named(space, id, psi))
    return nn.FieldType(space, parts)


def _named(space: Space, id: Any, psi: Any) -> Any:
    return space.induced_repr(id, psi)


def _nonlinearities(nn: Space, c8: Make, d4: Make) -> dict[str, Make]:
    def gates(drop: bool = True) -> Layer:
        space = d4()
        sign, vector = _irreps(space, (1, 0), (1, 1))
        one = space.trivial_repr
        fields = nn.FieldType(space, [one, vector, one, sign, one, one, one, vector])
        kinds = ["gate", "gated", "gate", "gated", "gate", "gate", "gated", "gated"]
        return nn.GatedNonLinearity1(fields, kinds, drop_gates=drop)

    def gates_beside() -> Layer:
        space = d4()
        fields = _vectors(nn, space)
        return nn.GatedNonLinearity2((nn.FieldType(space, [space.trivial_repr] * 5), fields))

    def induced_gates() -> Layer:
        space = d4()
        fields = _induced(nn, space)
        gate = space.quotient_repr((None, 4))
        kinds = ["gate"] * 3 + ["gated"] * 3
        gates = [gate] * 3
        return nn.InducedGatedNonLinearity1(
            nn.FieldType(space, [*gates, *fields.representations]), kinds
        )

    def vectors() -> Layer:
        space = c8()
        return nn.VectorFieldNonLinearity(nn.FieldType(space, [space.regular_repr] * 2))

    found = {
        "D4: ReLU": lambda: nn.ReLU(_mixed(nn, d4())),
        "D4: ELU": lambda: nn.ELU(_mixed(nn, d4()), alpha=0.7),
        "D4: GatedNonLinearity1": gates,
        "D4: GatedNonLinearity1, gates kept": lambda: gates(False),
        "D4: GatedNonLinearity2": gates_beside,
        "D4: InducedGatedNonLinearity1": induced_gates,
        "C8: VectorFieldNonLinearity": vectors,
        "D4: InducedNormNonLinearity": lambda: nn.InducedNormNonLinearity(_induced(nn, d4())),
    }
    for function in ("relu", "elu", "sigmoid", "tanh"):
        found[f"C8: PointwiseNonLinearity, {function}"] = lambda f=function: (
            nn.PointwiseNonLinearity(_mixed(nn, c8()), f"p_{f}")
        )
    for function, bias in (("n_relu", True), ("n_sigmoid", True), ("squash", False)):
        found[f"D4: NormNonLinearity, {function}"] = lambda f=function, b=bias: nn.NormNonLinearity(
            _vectors(nn, d4()), f, b
        )
    return found


def _norms(package: Space, d4: Make) -> dict[str, Make]:
    nn = package.nn

    def irreps() -> Layer:
        space = d4()
        psis = _irreps(space, (1, 1), (0, 0), (1, 0), (1, 1), (0, 0))
        return nn.GNormBatchNorm(nn.FieldType(space, psis))

    def sums() -> Layer:  # theirs fails where irreps are in another basis
        space = d4()
        one, sign, vector = _irreps(space, (0, 0), (1, 0), (1, 1))
        both = package.group.directsum([vector, one, sign, one])
        return nn.GNormBatchNorm(nn.FieldType(space, [both, vector, both]), momentum=None)

    return {
        "D4: NormBatchNorm": lambda: nn.NormBatchNorm(_vectors(nn, d4())),
        "D4: InducedNormBatchNorm": lambda: nn.InducedNormBatchNorm(_induced(nn, d4())),
        "D4: GNormBatchNorm, irreps": irreps,
        "D4: GNormBatchNorm, sums of irreps": sums,
    }


def _pools(nn: Space, make: Make, n: int) -> dict[str, Make]:
    """Pools over windows, of D4 in the plane or of a group of space."""
    end = "3D" if n == 3 else ""

    def pool(name: str, *args: Any, fields: Callable = _mixed, **options: Any) -> Make:
        return lambda: getattr(nn, name + end)(fields(nn, make()), *args, **options)

    upsampling = getattr(nn, f"R{n}Upsampling")
    found = {
        "PointwiseMaxPool": pool("PointwiseMaxPool", 3, 2, 1),
        "PointwiseMaxPool, dilation": pool("PointwiseMaxPool", 3, 1, dilation=2),
        "PointwiseMaxPoolAntialiased": pool("PointwiseMaxPoolAntialiased", 3, 2, 1),
        "PointwiseAvgPool": pool("PointwiseAvgPool", 3, 2, 1),
        "PointwiseAvgPoolAntialiased": pool("PointwiseAvgPoolAntialiased", 0.66, 2),
        "PointwiseAdaptiveAvgPool": pool("PointwiseAdaptiveAvgPool", 3),
        "PointwiseAdaptiveMaxPool": pool("PointwiseAdaptiveMaxPool", 3),
        "Upsampling": lambda: upsampling(_mixed(nn, make()), 2),
        "Upsampling, nearest": lambda: upsampling(_mixed(nn, make()), 3, mode="nearest"),
        "Upsampling, size": lambda: upsampling(
            _mixed(nn, make()), size=(13,) * n, align_corners=True
        ),
        "MaskModule": lambda: nn.MaskModule(_mixed(nn, make()), 7, margin=1.0),
        "FieldDropout": lambda: nn.FieldDropout(_mixed(nn, make()), 0.3),
        "PointwiseDropout": lambda: nn.PointwiseDropout(_mixed(nn, make()), 0.3),
    }
    if n == 2:
        found["NormMaxPool"] = lambda: nn.NormMaxPool(_vectors(nn, make()), 3, 2, 1)
    return {f"{'D4' if n == 2 else 'octahedral'}: {name}": made for name, made in found.items()}


def _structure(package: Space, d4: Make) -> dict[str, Make]:
    nn = package.nn

    def disentangled() -> Layer:
        space = d4()
        one, sign, vector = _irreps(space, (0, 0), (1, 0), (1, 1))
        order = [2, 0, 3, 1, 4]
        basis = np.eye(5)[order]
        both = package.group.directsum([one, vector, sign, one], basis, "mixed up")
        return nn.DisentangleModule(nn.FieldType(space, [both, vector, both]))

    def reshuffled() -> Layer:
        return nn.ReshuffleModule(_mixed(nn, d4()), [4, 0, 2, 1, 3])

    def multiple(reshuffle: int) -> Layer:
        space = d4()
        one, regular = space.trivial_repr, space.regular_repr
        (vector,) = _irreps(space, (1, 1))
        fields = nn.FieldType(space, [one, vector, regular, one, vector, one])
        labels = ["gate", "vector", "plain", "gate", "vector", "plain"]
        parts = nn.BranchingModule(fields, labels, reshuffle).out_type
        return nn.MultipleModule(
            fields,
            labels,
            [
                (nn.ReLU(parts["plain"]), "plain"),
                (nn.GatedNonLinearity2((parts["gate"], parts["vector"])), ["gate", "vector"]),
            ],
            reshuffle,
        )

    def network() -> Layer:
        space = d4()
        one = nn.FieldType(space, [space.trivial_repr])
        h = nn.FieldType(space, [space.regular_repr] * 2)
        parts = [
            nn.MaskModule(one, 7), nn.R2Conv(one, h, 3, padding=1), nn.InnerBatchNorm(h),
            nn.ReLU(h), nn.PointwiseAvgPoolAntialiased(h, 0.66, 2), nn.DisentangleModule(h),
        ]  # fmt: skip
        return nn.SequentialModule(*parts)

    return {
        "D4: GroupPooling": lambda: nn.GroupPooling(_mixed(nn, d4())),
        "D4: NormPool": lambda: nn.NormPool(_vectors(nn, d4())),
        "D4: IdentityModule": lambda: nn.IdentityModule(_mixed(nn, d4())),
        "D4: RestrictionModule, C4": lambda: nn.RestrictionModule(_mixed(nn, d4()), (None, 4)),
        "D4: RestrictionModule, D2": lambda: nn.RestrictionModule(_mixed(nn, d4()), (0, 2)),
        "D4: RestrictionModule, a mirror": lambda: nn.RestrictionModule(_mixed(nn, d4()), (1, 1)),
        "D4: DisentangleModule": disentangled,
        "D4: ReshuffleModule": reshuffled,
        "D4: MultipleModule": lambda: multiple(0),
        "D4: MultipleModule, reshuffled": lambda: multiple(2),
        "D4: SequentialModule": network,
    }


def _transposed(nn: Space, space: Space) -> Layer:
    fields = [space.regular_repr, space.trivial_repr, *_irreps(space, 1)]
    types = nn.FieldType(space, fields), nn.FieldType(space, fields[::-1])
    return nn.R2ConvTransposed(*types, 3, padding=1, output_padding=0, stride=2)


def _differential(nn: Space, space: Space) -> Layer:
    fields = [space.trivial_repr, *_irreps(space, 1, 2)]
    types = nn.FieldType(space, fields), nn.FieldType(space, fields[::-1])
    return nn.R2Diffop(*types, kernel_size=3, padding=1)


def _transposed_groups(nn: Space, space: Space) -> Layer:
    h = nn.FieldType(space, [space.regular_repr] * 2)
    return nn.R2ConvTransposed(h, h, 3, groups=2, bias=False)


def _of_escnn_only(escnn: Space) -> dict[str, Make]:
    """In space, on continuous groups, over a point, and what e2cnn does not have."""
    nn, g, group = escnn.nn, escnn.gspaces, escnn.group

    def octahedral(name: str, *args: Any, **options: Any) -> Make:
        return lambda: getattr(nn, name)(_mixed(nn, g.octaOnR3()), *args, **options)

    def iid(make: Make, kind: str, fields: Callable, **options: Any) -> Make:
        return lambda: getattr(nn, kind)(fields(nn, make()), **options)

    def scalars(nn: Space, space: Space) -> Layer:
        return nn.FieldType(space, [space.trivial_repr] * 3)

    def irreps(nn: Space, space: Space) -> Layer:
        psis = space.fibergroup.irreps()[:3]
        return nn.FieldType(space, [psis[1], psis[0], psis[2], psis[1]])

    def uniform() -> Layer:
        space = g.rot3dOnR3()
        psis = [space.irrep(0)] * 2 + [space.irrep(1), space.irrep(2)]
        return nn.GatedNonLinearityUniform(space.type(*[group.directsum(psis)] * 2))

    def fourier(kind: str, make: Make, *args: Any, **options: Any) -> Make:
        def layer() -> Layer:
            space = make()
            degrees = 2 if kind.startswith("Quotient") or "rot3d" in str(make) else 3
            psis = space.fibergroup.bl_irreps(degrees)
            return getattr(nn, kind)(space, *args, channels=2, irreps=psis, **options)

        return layer

    def fewer() -> Layer:
        space = g.rot2dOnR2()
        psis = space.fibergroup.bl_irreps
        return nn.FourierPointwise(
            space, 2, psis(3), type="regular", N=16, function="p_tanh", out_irreps=psis(1)
        )

    def convolution(kind: str, make: Make, fields: Callable, **options: Any) -> Make:
        def layer() -> Layer:
            h = fields(nn, make())
            return getattr(nn, kind)(h, h, 3, **options)

        return layer

    return {
        "D4: ConcatenatedNonLinearity": lambda: nn.ConcatenatedNonLinearity(  # e2cnn needs pymanopt
            _signs(nn, g.flipRot2dOnR2(4)), "c_tanh"
        ),
        "C8: LeakyReLU": lambda: nn.LeakyReLU(_mixed(nn, g.rot2dOnR2(8)), 0.2),
        "D4: NormNonLinearity, n_softplus": lambda: nn.NormNonLinearity(
            _vectors(nn, g.flipRot2dOnR2(4)), "n_softplus"
        ),
        "SO(3): GatedNonLinearityUniform": uniform,
        "SO(2): FourierPointwise": fourier(
            "FourierPointwise", lambda: g.rot2dOnR2(), function="p_relu", type="regular", N=12
        ),
        "SO(2): FourierPointwise, fewer irreps out": fewer,
        "SO(3): FourierELU": fourier("FourierELU", g.rot3dOnR3, type="thomson_cube", N=4),
        "SO(3): QuotientFourierELU": fourier(
            "QuotientFourierELU", g.rot3dOnR3, (False, -1), type="thomson_cube", N=4
        ),
        "SO(3): QuotientFourierPointwise": fourier(
            "QuotientFourierPointwise",
            g.rot3dOnR3,
            (False, -1),
            type="thomson_cube",
            N=4,
            function="p_sigmoid",
        ),
        "C4: IIDBatchNorm2d, scalars": iid(lambda: g.rot2dOnR2(4), "IIDBatchNorm2d", scalars),
        "C8: IIDBatchNorm2d": iid(lambda: g.rot2dOnR2(8), "IIDBatchNorm2d", _mixed),
        "SO(2): IIDBatchNorm2d": iid(lambda: g.rot2dOnR2(), "IIDBatchNorm2d", irreps),
        "SO(3): IIDBatchNorm3d": iid(g.rot3dOnR3, "IIDBatchNorm3d", irreps, affine=False),
        "SO(3): IIDBatchNorm1d": iid(
            lambda: g.no_base_space(group.so3_group(2)), "IIDBatchNorm1d", irreps
        ),
        **_pools(nn, g.octaOnR3, 3),
        "SO(3): R3ConvTransposed": convolution(
            "R3ConvTransposed", g.rot3dOnR3, irreps, stride=2, padding=1
        ),
        "icosahedral: R3IcoConv": convolution("R3IcoConv", g.icoOnR3, irreps, padding=1),
        "icosahedral: R3IcoConvTransposed": convolution(
            "R3IcoConvTransposed", g.icoOnR3, irreps, stride=2
        ),
        "O(2): RestrictionModule, C4": lambda: nn.RestrictionModule(
            irreps(nn, g.flipRot2dOnR2()), (None, 4)
        ),
        "SO(3): RestrictionModule, octahedral": lambda: nn.RestrictionModule(
            irreps(nn, g.rot3dOnR3()), "octa"
        ),
        "SO(3): DisentangleModule": lambda: nn.DisentangleModule(
            nn.FieldType(g.rot3dOnR3(), [group.so3_group().bl_regular_representation(1)] * 2)
        ),
    }
