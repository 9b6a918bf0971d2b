"""The modules that the contract is tried on: a new class adds a line and inherits the suite."""

import torch
from torch import Generator, Tensor

from equinet import FieldType, Point, Points, Volume, nn
from equinet.convert.block_gates import BlockGates
from equinet.convert.block_products import BlockProducts
from equinet.convert.channel_gates import ChannelGates
from equinet.convert.masked import Masked
from equinet.convert.sampled_pointwise import SampledPointwise
from equinet.convert.signed_pairs import SignedPairs
from tests.laws.module_case import (
    C4,
    C8,
    CENTRE,
    D4,
    FACES,
    LINE,
    O2,
    O3,
    OCTAHEDRAL,
    PLANE_POINTS,
    POINT,
    POINTS,
    SET,
    SO2,
    SO3,
    VERTICES,
    ModuleCase,
    case,
)
from tests.laws.sphere_cases import SPHERE

# --- over grids -----------------------------------------------------------------------------------

CONVOLUTIONS: list[ModuleCase] = [
    case(nn.Conv1d, LINE, "1x regular -> 1x trivial + 1x vector", 3, plain=True, traced=True),
    case(nn.Conv1d, LINE, "1x vector -> 2x regular", 4, stride=2, padding=1, plain=True),
    case(nn.Conv2d, C4, "2x trivial -> 2x regular", 3, padding=1, plain=True),
    case(nn.Conv2d, C8, "2x regular -> 2x regular", 5, padding="same", plain=True),
    case(nn.Conv2d, D4, "1x regular + 1x vector -> 1x vector + 1x regular", 4, plain=True),
    case(
        *(nn.Conv2d, SO2, "2x0 + 1x1 -> 2x0 + 2x1 + 1x2", 3),
        **dict(stride=2, padding=1, bias=True, padding_mode="circular"),
        **dict(sizes=(7, 7), plain=True, traced=True),
    ),
    case(nn.Conv2d, O2, "2x0e + 2x1 -> 2x0o + 2x1", 3, dilation=2, groups=2, plain=True),
    case(nn.Conv2d, SO2, "2x0 + 1x1 -> 2x1", 3, padding=1, sizes=(4, 6), plain=True),
    case(nn.Conv3d, SO3, "2x0 + 2x1 -> 2x0 + 1x1 + 1x2", 3, padding=1, plain=True, traced=True),
    case(nn.Conv3d, O3, "1x0e + 1x1o -> 1x0e + 1x1e + 1x1o", 3, sizes=(4, 4, 3), plain=True),
    case(
        *(nn.Conv3d, OCTAHEDRAL, "1x quotient(C4) -> 1x T1 + 1x A1", 3),
        **dict(stride=2, padding=1, padding_mode="reflect", sizes=(5, 5, 5), plain=True),
    ),
    case(nn.ConvTranspose1d, LINE, "1x regular -> 1x vector", 4, 2, 1, plain=True, traced=True),
    case(nn.ConvTranspose2d, C4, "1x regular -> 2x regular", 3, plain=True),
    case(
        *(nn.ConvTranspose2d, O2, "2x0e + 2x1 -> 2x0e + 2x2", 4),
        **dict(stride=2, padding=1, groups=2, sizes=(3, 3), plain=True, traced=True),
    ),
    case(
        *(nn.ConvTranspose3d, SO3, "1x0 + 1x1 -> 1x0 + 1x1", 3),
        **dict(stride=2, sizes=(3, 3, 3), plain=True, traced=True),
    ),
    case(nn.Linear, POINT, "2x0e + 2x1o -> 3x0e + 1x1o", plain=True, traced=True),
    case(nn.Linear, C8, "1x regular + 1x1 -> 2x regular", plain=True),
    case(nn.Linear, SO3, "2x0 + 2x1 -> 3x0 + 1x1", bias=False, plain=True),
    case(nn.Linear, VERTICES, "1xA + 1xE1 + 1xE2 -> 2xA + 1x regular", plain=True),
]

# --- over any space -------------------------------------------------------------------------------


def _neighbours(points: int, generator: Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Positions, and edges between all of the points."""
    positions = torch.randn(points, 3, generator=generator, dtype=torch.float64)
    edges = (1 - torch.eye(points)).nonzero().T.contiguous()
    return positions.to(dtype), edges


def _plane_neighbours(points: int, generator: Generator, dtype: torch.dtype):
    positions, edges = _neighbours(points, generator, dtype)
    return positions[:, :2].contiguous(), edges


def _clouds(points: int, _: Generator, __: torch.dtype) -> tuple[Tensor, int]:
    """The number of the cloud of each point, and of clouds: of 3 points none, one and two."""
    return torch.arange(points) ** 2 % 3, points


def _kinds(points: int, _: Generator, __: torch.dtype) -> tuple[Tensor]:
    """One of two kinds for each point."""
    return (torch.arange(points) % 2,)


def _point_conv(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    radial = nn.RadialNetwork(4.0, features=3, hidden=(4,), num_basis=3, generator=generator)
    return nn.PointConv(in_type, out_type, radial, neighbours=2.0, generator=generator)


def _vectors(points: int, generator: Generator, dtype: torch.dtype) -> tuple[Tensor]:
    """One vector at each point."""
    return (torch.randn(points, 3, generator=generator, dtype=torch.float64).to(dtype),)


def _plane_vectors(points: int, generator: Generator, dtype: torch.dtype) -> tuple[Tensor]:
    return (torch.randn(points, 2, generator=generator, dtype=torch.float64).to(dtype),)


def _product(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    """With a vector at every point."""
    vectors = in_type.space.fields("1x vector")
    return nn.Product(in_type, vectors, out_type, generator=generator)


def _channelwise(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    vectors = in_type.space.fields("1x vector")
    return nn.Product(in_type, vectors, out_type, "channelwise", generator=generator)


def _block_products(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    """What a tensor product of e3nn becomes; here it has one path, and some fields have none."""
    space = in_type.space
    left, out = space.fields([in_type.blocks[1]]), space.fields([out_type.blocks[0]])
    y = space.fields("1x vector")
    product = nn.Product(left, y, out, "channelwise", generator=generator)
    return BlockProducts(in_type, y, out_type, [((1, 0, 0), product)])


def _block_gates(in_type: FieldType, out_type: FieldType):
    """What a gate of e3nn becomes: an odd scalar, and vectors with gates of both parities."""
    odd, even = torch.nn.Tanh(), torch.nn.SiLU()
    gates = [(2, 1, odd), (0, 1, even)]
    return BlockGates(in_type, out_type, [(3, 1, odd)], gates, [(4, 1, 3), (7, 1, 3)])


def _channel_gates(in_type: FieldType, out_type: FieldType, **options):
    """What a gated nonlinearity of escnn becomes, whose gates come out too."""
    places = dict(gates=[0, 1], biases=[0, 1], fields=[4, 2, 3], numbers=[0, 1, 1])
    return ChannelGates(in_type, out_type, torch.nn.Sigmoid(), **places, order=range(5), **options)


def _sampled(in_type: FieldType):
    """What a Fourier nonlinearity of escnn becomes: of values that are read in a circle."""
    turn = torch.eye(8, device="cpu").roll(1, 0)
    return SampledPointwise(in_type, in_type, torch.nn.ReLU(), turn, turn.mT)


def _signed_pairs(in_type: FieldType, out_type: FieldType):
    return SignedPairs(in_type, out_type, torch.nn.ReLU())


def _masked(in_type: FieldType):
    mask = [[1.0, 2, 1], [2, 3, 2], [1, 2, 1]]
    return Masked(in_type, torch.tensor(mask, device="cpu"))


def _conv_depthwise(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    radial = nn.RadialNetwork(4.0, features=3, hidden=(4,), num_basis=3, generator=generator)
    return nn.DepthwisePointConv(in_type, out_type, radial, neighbours=2.0, generator=generator)


def _attention(in_type: FieldType, out_type: FieldType, *, generator: Generator):
    radial = nn.RadialNetwork(4.0, features=3, hidden=(4,), num_basis=3, generator=generator)
    options = dict(neighbours=2.0, heads=2, key_copies=1, generator=generator)
    return nn.PointAttention(in_type, out_type, radial, **options)


def _point_network(x: FieldType, h: FieldType, *, generator: Generator):
    """Convolutions, one of them in a branch, that a row hands positions and edges to."""
    return nn.Sequential(
        _point_conv(x, nn.gated(h), generator=generator),
        nn.Gate(h),
        nn.Residual(nn.Sequential(_conv_depthwise(h, h, generator=generator))),
        nn.Linear(h, x, generator=generator),
    )


def _residual(in_type: FieldType, *, generator: Generator):
    # Without a bias, as everywhere before a batch norm: its gradient is 0 but for rounding.
    body = nn.Conv2d(in_type, in_type, 3, padding=1, bias=False, generator=generator)
    return nn.Residual(nn.Sequential(body, nn.BatchNorm(in_type)))


def _skip(in_type: FieldType, *, generator: Generator):
    """Down and up again, beside the fields as they are."""
    down = nn.Conv2d(in_type, in_type, 3, stride=2, padding=1, generator=generator)
    up = nn.Upsample(in_type, align_corners=True)
    return nn.Concat(nn.Identity(in_type), nn.Sequential(down, up))


def _vouched(in_type: FieldType):
    return nn.Typed(torch.nn.Tanh(), in_type, in_type)


class _Lean(torch.nn.Module):
    """Of no symmetry, and without weights."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 2 * x.roll(1, -1)).tanh()


def _canonical(in_type: FieldType, *, kept: int, generator: Generator):
    """A plain network, to fields of the type that came in."""
    scores = in_type.space.fields("1x regular")
    find = nn.Conv2d(in_type, scores, 3, bias=False, generator=generator)
    return nn.Canonicaliser(find, _Lean(), in_type, kept=kept)


def _plane_network(x: FieldType, h: FieldType, *, generator: Generator):
    return nn.Sequential(
        nn.Conv2d(x, h, 3, padding=1, bias=False, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.GroupPool(h),
        nn.GlobalAvgPool(nn.GroupPool(h).out_type),
    )


def _fourier(oversampling: int, _: Generator) -> torch.nn.Module:
    with torch.device("cpu"):
        fields = Point("SO(3)", dim=3).fields("2x regular(1)")
    return nn.FourierPointwise(fields, torch.tanh, oversampling)


FIBREWISE: list[ModuleCase] = [
    case(
        *(_point_conv, POINTS, "1x0e + 1x1o -> 2x0e + 1x1o"),
        **dict(traced=True, others=_neighbours),
    ),
    case(
        *(_point_network, POINTS, "1x0e + 1x1o -> 2x0e + 1x1o"),
        **dict(others=_neighbours, traced=True),
    ),
    case(
        *(_conv_depthwise, POINTS, "2x0e + 1x1o -> 2x0e + 1x1o + 1x2e"),
        **dict(traced=True, others=_neighbours),
    ),
    case(
        *(_conv_depthwise, Points("O", dim=3), "1x T1 + 1x regular -> 1x regular + 1x A1"),
        **dict(others=_neighbours),
    ),
    case(
        *(_attention, POINTS, "2x0e + 1x1o -> 2x0e + 1x1o + 1x2e"),
        **dict(traced=True, others=_neighbours),
    ),
    case(_attention, Points("SO(3)", dim=3), "2x0 + 1x1 -> 1x0 + 1x1", others=_neighbours),
    case(_attention, Points("O", dim=3), "1x T1 + 1x E -> 1x T2 + 1x A1", others=_neighbours),
    case(_attention, Points("SO(2)", dim=2), "1x0 + 1x1 -> 1x0 + 1x2", others=_plane_neighbours),
    case(_attention, PLANE_POINTS, "1x regular -> 1x regular", others=_plane_neighbours),
    case(
        *(nn.PointPool, POINTS, "2x0e + 1x1o + 1x2e", "inverse", 4.0),
        **dict(traced=True, others=_neighbours),
    ),
    case(nn.PointPool, PLANE_POINTS, "1x regular", cutoff=4.0, others=_plane_neighbours),
    case(nn.PointUnpool, POINTS, "2x0e + 1x1o", "inverse", traced=True, others=_neighbours),
    case(
        *(nn.Linear, POINTS, "2x0e + 2x1o -> 3x0e + 1x1o"),
        **dict(kinds=2, others=_kinds, traced=True),
    ),
    case(nn.Linear, VERTICES, "1xA + 1xE1 -> 2xA + 1xE1", kinds=2, others=_kinds),
    case(nn.Pointwise, C4, "1x trivial + 2x regular", torch.tanh, plain=True, traced=True),
    case(nn.Pointwise, O2, "1x0e + 2x0o", torch.tanh, plain=True),
    case(nn.ReLU, OCTAHEDRAL, "1x A1 + 1x regular", plain=True, traced=True),
    case(nn.Gate, SO3, "2x0 + 2x1 + 1x2", plain=True, traced=True),
    case(nn.Gate, D4, "1x trivial + 1x vector + 1x regular", plain=True),
    case(nn.Gate, POINTS, "1x0e + 1x0o + 2x1o"),
    case(nn.NormActivation, SO3, "2x0 + 2x1", plain=True, traced=True),
    case(nn.NormActivation, C4, "1x regular + 2x vector + 1x trivial", plain=True),
    case(nn.NormActivation, POINT, "1x0e + 1x0o + 2x1o", nn.squash, plain=True),
    case(nn.FourierPointwise, SO2, "2x regular(2)", torch.relu, plain=True, traced=True),
    case(nn.FourierPointwise, SO3, "1x quotient(Cinf,2)", torch.tanh, 2, subgroup="Cinf"),
    ModuleCase("FourierPointwise(Point)", _fourier, False, level=2, levels=(2, 4, 6)),
    case(nn.TensorProduct, SO3, "2x0 + 2x1 -> 1x0 + 1x1 + 1x2", traced=True),
    case(nn.TensorProduct, C8, "2x1 -> 1x0 + 1x2"),
    case(nn.TensorProduct, POINT, "2x0o + 2x1o -> 1x0e + 1x1e"),
    case(
        *(_product, POINTS, "2x0e + 2x1o -> 2x0e + 1x1e + 2x1o"),
        **dict(others=_vectors, traced=True),
    ),
    case(_channelwise, POINTS, "2x0e + 2x1o -> 2x1o + 2x1e", others=_vectors),
    case(_product, Points("SO(3)", dim=3), "2x0 + 2x1 -> 1x1 + 1x2", others=_vectors),
    case(_product, Points("O", dim=3), "1x T1 + 1x E -> 1x regular", others=_vectors),
    case(_channelwise, PLANE_POINTS, "1x regular -> 1x regular", others=_plane_vectors),
    case(_block_products, POINTS, "2x0e + 2x1o -> 2x1e + 3x1o", others=_vectors),
    case(_block_gates, POINTS, "2x0e + 2x0o + 2x1o -> 1x0o + 1x1e + 1x1o"),
    case(_channel_gates, D4, "2x trivial + 1x vector + 1x0o -> 2x trivial + 1x0o + 1x vector"),
    case(_sampled, C8, "2x regular"),
    case(_signed_pairs, D4, "1x0o + 1x trivial -> 1x quotient(C4) + 2x trivial"),
    case(_masked, C4, "1x trivial + 1x vector", sizes=(3, 3)),
    case(nn.SymmetricPower, POINTS, "2x0e + 2x1o -> 2x0e + 2x1o", 3, traced=True),
    case(nn.SymmetricPower, SO3, "1x0 + 1x1 -> 1x1 + 1x2", 2),
    case(nn.SymmetricPower, OCTAHEDRAL, "1x T1 + 1x A1 -> 1x E + 1x T1", 3),
    case(nn.SymmetricPower, C4, "1x regular -> 1x regular", 2),
    case(nn.SymmetricPower, POINTS, "2x0e + 2x1o -> 2x1o", 2, kinds=2, others=_kinds),
    case(nn.InducedNormActivation, D4, "2x induced(C4,1)", 2, plain=True, traced=True),
    case(nn.VectorFieldPool, C8, "2x regular", traced=True),
    case(nn.VectorFieldPool, OCTAHEDRAL, "1x regular"),
    case(nn.BatchNorm, SO3, "2x0 + 2x1", plain=True, traced=True),
    case(nn.BatchNorm, C4, "1x regular + 1x1", plain=True),
    case(nn.BatchNorm, SO3, "2x0 + 2x1", centre=False, plain=True, traced=True),
    case(nn.BatchNorm, POINTS, "2x0e + 2x1o", plain=True),
    case(nn.InstanceNorm, SO2, "2x0 + 2x1", traced=True),
    case(nn.GroupNorm, SO3, "2x0 + 2x1", num_groups=2, traced=True),
    case(nn.InstanceNorm, POINTS, "2x0e + 2x1o", others=_clouds, traced=True),
    case(nn.GroupNorm, POINTS, "2x0e + 2x1o", num_groups=2, others=_clouds),
    case(nn.LayerNorm, D4, "1x regular + 2x vector", traced=True),
    case(nn.LayerNorm, POINT, "2x0e + 2x1o", bias=False),
    case(nn.RMSNorm, POINTS, "2x0e + 2x1o", traced=True),
    case(nn.FieldDropout, SO3, "2x0 + 2x1", plain=True, traced=True),
    case(nn.Pointwise, Points("C4", dim=2), "1x regular + 2x1", torch.tanh, plain=True),
    case(nn.LeakyReLU, C4, "1x trivial + 2x regular", 0.2, plain=True),
    case(nn.ELU, D4, "1x quotient(C2)", plain=True),
    case(nn.GELU, OCTAHEDRAL, "1x A1 + 1x regular", "tanh", plain=True),
    case(nn.Sigmoid, LINE, "1x regular", plain=True),
    case(nn.Softplus, Point("C4", dim=2), "2x regular", plain=True),
    case(nn.Tanh, Points("O", dim=3), "1x T1 + 1x A2", plain=True),
    case(nn.NormActivation, POINTS, "1x0e + 1x0o + 2x1o", nn.squash),
    case(nn.InducedNormActivation, POINTS, "1x0o + 2x1o", (1, 3), nn.squash),
    case(nn.VectorFieldPool, Points("O", dim=3), "2x regular"),
    case(nn.FieldDropout, POINTS, "2x0e + 2x1o", plain=True),
    case(nn.DropPath, SO3, "2x0 + 2x1", 0.2, plain=True, traced=True),
    case(nn.DropPath, POINTS, "2x0e + 2x1o", 0.001, plain=True),
    case(nn.LayerScale, SO3, "2x0 + 2x1", plain=True, traced=True),
    case(nn.LayerScale, POINTS, "2x0e + 2x1o", 0.1, plain=True),
    case(nn.SqueezeExcite, SO3, "2x0 + 2x1", 2, traced=True),
    case(nn.SqueezeExcite, D4, "1x trivial + 2x regular + 1x vector + 1x quotient(C2)", 1),
    case(nn.SqueezeExcite, POINT, "2x0e + 1x0o + 2x1o", 2),
    case(nn.SqueezeExcite, POINTS, "2x0e + 1x0o + 2x1o", 2, others=_clouds),
    case(nn.Identity, C4, "1x regular + 1x vector", plain=True, traced=True),
    case(nn.Select, D4, "2x trivial + 1x regular + 1x vector", (3, 0), plain=True, traced=True),
    case(nn.Restrict, O2, "2x0o + 1x2", "C4", plain=True, traced=True),
    case(nn.Restrict, POINT, "1x1o", "SO(3)", plain=True),
    case(_skip, C4, "1x trivial + 1x vector", sizes=(5, 5), plain=True, traced=True),
    case(_canonical, D4, "1x trivial + 1x regular", kept=2, sizes=(7, 7), traced=True),
    case(_canonical, C8, "1x trivial", kept=3, sizes=(9, 9)),
    case(_vouched, C4, "2x trivial + 1x regular", plain=True, traced=True),
    case(_residual, C4, "1x trivial + 1x vector", plain=True, traced=True),
    case(_plane_network, C4, "1x trivial -> 2x regular", plain=True, traced=True),
]

POOLS: list[ModuleCase] = [
    case(
        *(nn.AvgPool, D4, "1x regular + 1x vector", 2),
        **dict(ceil_mode=True, divisor_override=3, plain=True, traced=True),
    ),
    case(
        *(nn.AvgPool, SO3, "2x0 + 1x1", 3),
        **dict(stride=2, padding=1, count_include_pad=False, sizes=(5, 5, 5), plain=True),
    ),
    case(nn.MaxPool, C4, "1x trivial + 1x regular", 2, ceil_mode=True, plain=True, traced=True),
    case(nn.NormMaxPool, SO3, "1x0 + 2x1", 2, traced=True),
    case(nn.GroupPool, C8, "1x trivial + 2x regular", plain=True, traced=True),
    case(nn.GroupPool, OCTAHEDRAL, "2x quotient(C4)", "mean", plain=True),
    case(
        *(nn.GroupPool, D4, "1x trivial + 2x regular + 1x quotient(C2)", "max", "D1"),
        **dict(plain=True, traced=True),
    ),
    case(nn.GroupPool, VERTICES, "2x regular", "mean", "C5", plain=True),
    case(nn.NormPool, SO2, "1x0 + 1x1 + 1x2", plain=True, traced=True),
    case(nn.NormPool, POINTS, "1x0o + 2x1o", plain=True),
    case(nn.GlobalAvgPool, C4, "2x trivial", plain=True, traced=True),
    case(nn.GlobalAvgPool, SO3, "1x0 + 1x1", plain=True),
    case(nn.GlobalMaxPool, D4, "1x trivial + 1x regular", plain=True, traced=True),
    case(nn.GlobalAvgPool, POINTS, "2x0e + 1x1o", others=_clouds, traced=True),
    case(
        *(nn.GlobalMaxPool, Points("C4", dim=2), "1x trivial + 1x regular"),
        **dict(others=_clouds, traced=True),
    ),
    case(nn.SumPool, POINTS, "2x0e + 1x1o", others=_clouds, traced=True),
    case(nn.SumPool, C4, "2x trivial + 1x vector"),
    case(nn.SumPool, VERTICES, "2xA + 1x regular"),
    case(nn.Downsample, C4, "1x regular", 2, sizes=(7, 7), plain=True, traced=True),
    case(nn.Downsample, SO3, "1x0 + 1x1", 2, kernel_size=4, padding=1, plain=True),
    case(nn.Upsample, D4, "1x regular + 1x vector", 2, mode="nearest", plain=True, traced=True),
    case(nn.Upsample, SO3, "1x0 + 1x1", 2, plain=True),
    case(nn.Upsample, O2, "1x0o + 1x1", 3, align_corners=True, plain=True),
    case(nn.AdaptiveAvgPool, C8, "1x regular + 1x1", 4, plain=True, traced=True),
    case(nn.AdaptiveAvgPool, SO3, "1x0 + 1x1", 3, plain=True),
    case(nn.AdaptiveMaxPool, C4, "1x trivial + 1x regular", 3, plain=True),
    case(nn.PixelShuffle, LINE, "1x trivial + 1x vector", 3),
    case(nn.PixelShuffle, D4, "2x vector + 1x regular", 2, plain=True, traced=True),
    case(nn.PixelShuffle, C4, "1x regular + 1x trivial", 3, plain=True),
    case(nn.PixelShuffle, OCTAHEDRAL, "1x T1 + 1x A1", 2),
    case(
        *(nn.Downsample, Volume("SO(3)", (1.0, 1.0, 2.0)), "1x0 + 1x1", (2, 2, 1)),
        **dict(sizes=(5, 5, 4), plain=True),
    ),
]

# --- over finite spaces ---------------------------------------------------------------------------


def _vertex_network(x: FieldType, h: FieldType, *, generator: Generator):
    return nn.Sequential(
        nn.HomogeneousConv(x, h, bias=False, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.Residual(nn.HomogeneousConv(h, h, generator=generator)),
        nn.GlobalAvgPool(h),
    )


FINITE: list[ModuleCase] = [
    case(
        *(nn.HomogeneousConv, VERTICES, "1xA + 1xE1 -> 2xA + 1xE2"),
        **dict(plain=True, traced=True),
    ),
    case(nn.HomogeneousConv, SET, "2x trivial + 1x vector -> 1xA1 + 1xE", plain=True),
    case(nn.HomogeneousConv, (VERTICES, FACES), "1x regular -> 1xA + 2xE", plain=True),
    case(nn.HomogeneousConv, (FACES, CENTRE), "1xE + 1xA -> 1xT1", bias=False, plain=True),
    case(nn.ReLU, VERTICES, "1xA + 1x regular", plain=True),
    case(nn.FourierPointwise, VERTICES, "1xA + 1x regular", torch.tanh, plain=True),
    case(nn.Gate, VERTICES, "1xA + 2xE1", plain=True),
    case(nn.NormActivation, SET, "1xA2 + 1xE", plain=True),
    case(nn.InducedNormActivation, VERTICES, "2xE1", 2, plain=True),
    case(nn.VectorFieldPool, VERTICES, "2x regular"),
    case(nn.TensorProduct, SET, "1xA1 + 1xE -> 2xA1 + 1xE"),
    case(nn.BatchNorm, VERTICES, "2xA + 1xE1 + 1x regular", plain=True),
    case(nn.InstanceNorm, SET, "2xA1 + 1x vector"),
    case(nn.GroupNorm, VERTICES, "2xA + 2xE1", num_groups=2),
    case(nn.LayerNorm, SET, "2xA1 + 1xE"),
    case(nn.RMSNorm, VERTICES, "2xA + 1xE1"),
    case(nn.FieldDropout, VERTICES, "2xA + 1xE1", plain=True),
    case(nn.Pointwise, SET, "1xA2 + 1xA1", torch.tanh, plain=True),
    case(nn.DropPath, VERTICES, "2xA + 1xE1", 0.2, plain=True),
    case(nn.LayerScale, VERTICES, "2xA + 1xE1", plain=True),
    case(nn.SqueezeExcite, VERTICES, "2xA + 2xE1 + 1x regular", 2),
    case(nn.Identity, VERTICES, "2xA + 1xE1", plain=True),
    case(nn.GroupPool, VERTICES, "1xA + 2x regular", plain=True),
    case(nn.NormPool, SET, "1xA2 + 2xE", plain=True),
    case(nn.GlobalAvgPool, VERTICES, "2xA + 1x regular", plain=True, traced=True),
    case(nn.GlobalMaxPool, VERTICES, "2xA + 1x regular", traced=True),
    case(_vertex_network, VERTICES, "1xA -> 2x regular", plain=True),
]

MODULES: list[ModuleCase] = [*SPHERE, *CONVOLUTIONS, *FIBREWISE, *POOLS, *FINITE]
