"""The modules that the contract is tried on: a new class adds a line and inherits the suite."""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from equinet import (
    FieldType,
    Line,
    Plane,
    Point,
    Points,
    Sphere,
    Volume,
    icosahedral,
    nn,
    symmetric,
)
from equinet.convert.block_products import BlockProducts
from equinet.field import HomogeneousSpace, random_field
from equinet.field.grid import Grid
from equinet.steerable import smooth


def axes(fold: int) -> Tensor:
    """Where the axes of this order meet the sphere round an icosahedron."""
    g = icosahedral().elements
    trace = g.diagonal(dim1=1, dim2=2).sum(1)
    R = g[(trace - 1 - 2 * math.cos(2 * math.pi / fold)).abs() < 1e-6][0]
    axis = torch.stack([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    return (g @ axis).round(decimals=9).unique(dim=0)


LINE = Line("O(1)")
C4, C8, D4, SO2, O2 = (Plane(name) for name in ("C4", "C8", "D4", "SO(2)", "O(2)"))
SO3, O3, OCTAHEDRAL = (Volume(name) for name in ("SO(3)", "O(3)", "O"))
POINT, POINTS = Point("O(3)", dim=3), Points("O(3)", dim=3)
PLANE_POINTS = Points("C4", dim=2)
# Finite spaces: vertices, faces and centre of an icosahedron, and the members of a set.
VERTICES, FACES = (HomogeneousSpace.of(icosahedral(), axes(fold)) for fold in (5, 3))
CENTRE = HomogeneousSpace(icosahedral(), icosahedral())
SET = HomogeneousSpace.of(symmetric(4), torch.eye(4))
# Over the sphere: functions, functions on SO(3), and spin-weighted fields.
FUNCTIONS = ("2x trivial", "2x regular")
FIELDS = (*FUNCTIONS, "2x0 + 1x1 + 1x2", "2x1", "1x3")

Others = Callable[[int, Generator, torch.dtype], tuple[Any, ...]]


@dataclass(frozen=True)
class ModuleCase:
    """A module of ``equinet.nn`` and what it promises.

    Attributes:
        make: the module at a level of refinement, with the generator of its initial weights.
        exact: whether it commutes to rounding with the elements that act exactly (all of them over
            a sphere or a point, on a grid those that map it to itself). Else the error falls with
            the level.
        level: the refinement at which it is tried; over a sphere its band.
        sizes: of the grid, if there is one.
        traced: whether it goes through torch.compile, torch.export and ONNX too, which takes
            seconds; a case whose graph is like that of another one need not.
        plain: whether ``export()`` leaves nothing of this library.
        others: makes the arguments after the fields, for a number of points.
        levels: three for a case that is not exact.
        bound: the class, its arguments and options, of a case that is a single call.
    """

    name: str
    make: Callable[[int, Generator], torch.nn.Module]
    exact: bool = True
    level: int = 1
    sizes: tuple[int, ...] = ()
    traced: bool = False
    plain: bool = False
    others: Others | None = None
    levels: tuple[int, ...] = (3, 5, 8)
    bound: Callable[[], tuple[Callable, tuple, dict]] | None = None

    def __str__(self) -> str:
        return self.name

    def __call__(self, seed: int = 0) -> torch.nn.Module:
        """The module at its level."""
        return self.make(self.level, Generator().manual_seed(seed))

    def arguments(
        self,
        module: torch.nn.Module,
        generator: Generator,
        batch: int = 2,
        dtype: torch.dtype = torch.float32,
        more: int = 0,
    ) -> tuple[Tensor, ...]:
        """Noise, which has no symmetry, and what else the module takes; ``more`` adds to a grid."""
        sizes = tuple(size + more for size in self.sizes)
        options = dict(sizes=sizes, smoothness=0.0) if sizes else {}
        x = random_field(module.in_type, batch, generator=generator, dtype=dtype, **options)
        return (x,) if self.others is None else (x, *self.others(batch, generator, dtype))

    def smooth(self, module: torch.nn.Module, generator: Generator) -> Tensor:
        """The same fields at every level, in float64; over a sphere those of low degree."""
        low = dict(band=2) if isinstance(module.in_type.space, Sphere) else {}
        return random_field(module.in_type, 2, generator=generator, dtype=torch.float64, **low)


def _case(
    kind: Callable[..., torch.nn.Module],
    space: object,
    text: str,
    *args: object,
    sizes: tuple[int, ...] | None = None,
    exact: bool = True,
    traced: bool = False,
    plain: bool = False,
    others: Others | None = None,
    **options: object,
) -> ModuleCase:
    """A module between the types of a text such as "2x0 -> 1x1", with further arguments.

    The space may be a pair, of the input and of the output.
    """
    seeded = "generator" in inspect.signature(kind).parameters
    spaces = space if isinstance(space, tuple) else (space, space)

    def bound() -> tuple[Callable, tuple, dict]:
        with torch.device("cpu"):  # types are values, wherever the module is to be
            types = [
                over.fields(part) for over, part in zip(spaces, text.split(" -> "), strict=False)
            ]
        return kind, (*types, *args), options

    def make(level: int, generator: Generator) -> torch.nn.Module:
        own = dict(generator=generator) if seeded else {}
        return kind(*bound()[1], **options, **own)

    if sizes is None and isinstance(space, Grid):
        sizes = {1: (8,), 2: (6, 6), 3: (4, 4, 4)}[space.n]
    said = [getattr(arg, "__name__", repr(arg)) for arg in args]
    said += [f"{key}={value}" for key, value in options.items()]
    name = ", ".join([f"{kind.__name__}({space}: {text}", *said]) + ")"
    own = bound if inspect.isclass(kind) else None
    return ModuleCase(name, make, exact, 1, sizes or (), traced, plain, others, bound=own)


# --- over the sphere, where the level is the band -------------------------------------------------


def _fields(text: str, band: int) -> FieldType:
    return Sphere(band).fields(text)


def _small_band(*texts: str) -> int:
    return 1 + max(int(order) for text in texts for order in re.findall(r"x(\d)", f"{text} x1"))


def _sphere_conv(
    text_in: str,
    text_out: str,
    filter=None,
    up: int = 0,
    traced: bool = False,
    relu: bool = False,
) -> ModuleCase:
    def make(band: int, generator: Generator) -> torch.nn.Module:
        types = _fields(text_in, band), _fields(text_out, band + up)
        return nn.SphereConv(*types, filter, generator=generator, relu=relu)

    kind = "" if filter is None else f"{type(filter).__name__}, "
    band = _small_band(text_in, text_out) - min(up, 0)
    name = f"SphereConv({kind}{text_in} -> {text_out}{', relu' if relu else ''})"
    return ModuleCase(name, make, not relu, band, traced=traced)


def _on_sphere(
    kind: Callable[..., torch.nn.Module], text: str, exact: bool, *args, traced: bool = False
) -> ModuleCase:
    seeded = "generator" in inspect.signature(kind).parameters

    def make(band: int, generator: Generator) -> torch.nn.Module:
        return kind(_fields(text, band), *args, **dict(generator=generator) if seeded else {})

    return ModuleCase(
        f"{kind.__name__}(Sphere: {text})",
        make,
        exact,
        _small_band(text),
        traced=traced,
    )


def _sphere_network(band: int, generator: Generator) -> torch.nn.Module:
    x, h = _fields("2x trivial", band), _fields("3x regular", band - 1)
    return nn.Sequential(
        nn.SphereConv(x, h, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.SphereConv(h, h, smooth(), generator=generator),
        nn.Integrate(h),
        torch.nn.LayerNorm(3),
    )


SPHERE: list[ModuleCase] = [
    _sphere_conv("2x trivial", "2x regular"),
    _sphere_conv("2x regular", "2x regular", up=-1),
    _sphere_conv("2x trivial", "2x trivial"),
    _sphere_conv("2x1", "2x0 + 1x1 + 1x2", smooth()),
    _sphere_conv("2x0 + 1x1 + 1x2", "2x1", up=1),
    _sphere_conv("2x1", "1x3"),
    _sphere_conv("1x3", "2x trivial"),
    _sphere_conv("2x regular", "2x1"),
    # Between them, both transforms of both kinds of fields, with one block and with several.
    _sphere_conv("1x0 + 1x1", "1x regular", traced=True),
    _sphere_conv("1x regular", "1x0 + 1x1", traced=True),
    _sphere_conv("2x trivial", "2x regular", traced=True, relu=True),
    _sphere_conv("2x regular", "2x trivial", relu=True),
    *[_on_sphere(nn.BatchNorm, text, True, traced=text == FIELDS[2]) for text in FIELDS],
    *[_on_sphere(nn.InstanceNorm, text, True) for text in FIELDS[1:3]],
    *[_on_sphere(nn.GroupNorm, text, True, 2) for text in FIELDS[1:3]],
    _on_sphere(nn.LayerNorm, "1x0 + 1x1", False),
    _on_sphere(nn.RMSNorm, FIELDS[3], False),
    _on_sphere(nn.FieldDropout, FIELDS[2], True),
    *[_on_sphere(nn.Pointwise, text, False, torch.tanh) for text in FUNCTIONS],
    *[_on_sphere(nn.ReLU, text, False) for text in FUNCTIONS],
    _on_sphere(nn.SiLU, FUNCTIONS[0], False),
    _on_sphere(nn.Gate, "1x0 + 2x1", False),
    _on_sphere(nn.NormActivation, "1x0 + 2x1", False, nn.squash),
    _on_sphere(nn.InducedNormActivation, FIELDS[3], False, 2, nn.squash),
    _on_sphere(nn.DropPath, FIELDS[1], True, 0.2),
    _on_sphere(nn.LayerScale, FIELDS[2], True),
    *[_on_sphere(nn.SqueezeExcite, text, True, 1, torch.tanh) for text in FIELDS[:3]],
    *[_on_sphere(nn.Integrate, text, True, traced=text == FUNCTIONS[1]) for text in FUNCTIONS],
    *[_on_sphere(nn.GlobalMaxPool, text, False) for text in FUNCTIONS],
    ModuleCase("Sequential(a spherical network)", _sphere_network, False, 3),
]

# --- over grids -----------------------------------------------------------------------------------

CONVOLUTIONS: list[ModuleCase] = [
    _case(nn.Conv1d, LINE, "1x regular -> 1x trivial + 1x vector", 3, plain=True, traced=True),
    _case(nn.Conv1d, LINE, "1x vector -> 2x regular", 4, stride=2, padding=1, plain=True),
    _case(nn.Conv2d, C4, "2x trivial -> 2x regular", 3, padding=1, plain=True),
    _case(nn.Conv2d, C8, "2x regular -> 2x regular", 5, padding="same", plain=True),
    _case(nn.Conv2d, D4, "1x regular + 1x vector -> 1x vector + 1x regular", 4, plain=True),
    _case(
        *(nn.Conv2d, SO2, "2x0 + 1x1 -> 2x0 + 2x1 + 1x2", 3),
        **dict(stride=2, padding=1, bias=True, padding_mode="circular"),
        **dict(sizes=(7, 7), plain=True, traced=True),
    ),
    _case(nn.Conv2d, O2, "2x0e + 2x1 -> 2x0o + 2x1", 3, dilation=2, groups=2, plain=True),
    _case(nn.Conv2d, SO2, "2x0 + 1x1 -> 2x1", 3, padding=1, sizes=(4, 6), plain=True),
    _case(nn.Conv3d, SO3, "2x0 + 2x1 -> 2x0 + 1x1 + 1x2", 3, padding=1, plain=True, traced=True),
    _case(nn.Conv3d, O3, "1x0e + 1x1o -> 1x0e + 1x1e + 1x1o", 3, sizes=(4, 4, 3), plain=True),
    _case(
        *(nn.Conv3d, OCTAHEDRAL, "1x quotient(C4) -> 1x T1 + 1x A1", 3),
        **dict(stride=2, padding=1, padding_mode="reflect", sizes=(5, 5, 5), plain=True),
    ),
    _case(nn.ConvTranspose1d, LINE, "1x regular -> 1x vector", 4, 2, 1, plain=True, traced=True),
    _case(nn.ConvTranspose2d, C4, "1x regular -> 2x regular", 3, plain=True),
    _case(
        *(nn.ConvTranspose2d, O2, "2x0e + 2x1 -> 2x0e + 2x2", 4),
        **dict(stride=2, padding=1, groups=2, sizes=(3, 3), plain=True, traced=True),
    ),
    _case(
        *(nn.ConvTranspose3d, SO3, "1x0 + 1x1 -> 1x0 + 1x1", 3),
        **dict(stride=2, sizes=(3, 3, 3), plain=True, traced=True),
    ),
    _case(nn.Linear, POINT, "2x0e + 2x1o -> 3x0e + 1x1o", plain=True, traced=True),
    _case(nn.Linear, C8, "1x regular + 1x1 -> 2x regular", plain=True),
    _case(nn.Linear, SO3, "2x0 + 2x1 -> 3x0 + 1x1", bias=False, plain=True),
    _case(nn.Linear, VERTICES, "1xA + 1xE1 + 1xE2 -> 2xA + 1x regular", plain=True),
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
    _case(
        *(_point_conv, POINTS, "1x0e + 1x1o -> 2x0e + 1x1o"),
        **dict(traced=True, others=_neighbours),
    ),
    _case(
        *(_point_network, POINTS, "1x0e + 1x1o -> 2x0e + 1x1o"),
        **dict(others=_neighbours, traced=True),
    ),
    _case(
        *(_conv_depthwise, POINTS, "2x0e + 1x1o -> 2x0e + 1x1o + 1x2e"),
        **dict(traced=True, others=_neighbours),
    ),
    _case(
        *(_conv_depthwise, Points("O", dim=3), "1x T1 + 1x regular -> 1x regular + 1x A1"),
        **dict(others=_neighbours),
    ),
    _case(
        *(_attention, POINTS, "2x0e + 1x1o -> 2x0e + 1x1o + 1x2e"),
        **dict(traced=True, others=_neighbours),
    ),
    _case(_attention, Points("SO(3)", dim=3), "2x0 + 1x1 -> 1x0 + 1x1", others=_neighbours),
    _case(_attention, Points("O", dim=3), "1x T1 + 1x E -> 1x T2 + 1x A1", others=_neighbours),
    _case(_attention, Points("SO(2)", dim=2), "1x0 + 1x1 -> 1x0 + 1x2", others=_plane_neighbours),
    _case(_attention, PLANE_POINTS, "1x regular -> 1x regular", others=_plane_neighbours),
    _case(
        *(nn.PointPool, POINTS, "2x0e + 1x1o + 1x2e", "inverse", 4.0),
        **dict(traced=True, others=_neighbours),
    ),
    _case(nn.PointPool, PLANE_POINTS, "1x regular", cutoff=4.0, others=_plane_neighbours),
    _case(nn.PointUnpool, POINTS, "2x0e + 1x1o", "inverse", traced=True, others=_neighbours),
    _case(
        *(nn.Linear, POINTS, "2x0e + 2x1o -> 3x0e + 1x1o"),
        **dict(kinds=2, others=_kinds, traced=True),
    ),
    _case(nn.Linear, VERTICES, "1xA + 1xE1 -> 2xA + 1xE1", kinds=2, others=_kinds),
    _case(nn.Pointwise, C4, "1x trivial + 2x regular", torch.tanh, plain=True, traced=True),
    _case(nn.Pointwise, O2, "1x0e + 2x0o", torch.tanh, plain=True),
    _case(nn.ReLU, OCTAHEDRAL, "1x A1 + 1x regular", plain=True, traced=True),
    _case(nn.Gate, SO3, "2x0 + 2x1 + 1x2", plain=True, traced=True),
    _case(nn.Gate, D4, "1x trivial + 1x vector + 1x regular", plain=True),
    _case(nn.Gate, POINTS, "1x0e + 1x0o + 2x1o"),
    _case(nn.NormActivation, SO3, "2x0 + 2x1", plain=True, traced=True),
    _case(nn.NormActivation, POINT, "1x0e + 1x0o + 2x1o", nn.squash, plain=True),
    _case(nn.FourierPointwise, SO2, "2x regular(2)", torch.relu, plain=True, traced=True),
    _case(nn.FourierPointwise, SO3, "1x quotient(Cinf,2)", torch.tanh, 2, subgroup="Cinf"),
    ModuleCase("FourierPointwise(Point)", _fourier, False, level=2, levels=(2, 4, 6)),
    _case(nn.TensorProduct, SO3, "2x0 + 2x1 -> 1x0 + 1x1 + 1x2", traced=True),
    _case(nn.TensorProduct, C8, "2x1 -> 1x0 + 1x2"),
    _case(nn.TensorProduct, POINT, "2x0o + 2x1o -> 1x0e + 1x1e"),
    _case(
        *(_product, POINTS, "2x0e + 2x1o -> 2x0e + 1x1e + 2x1o"),
        **dict(others=_vectors, traced=True),
    ),
    _case(_channelwise, POINTS, "2x0e + 2x1o -> 2x1o + 2x1e", others=_vectors),
    _case(_product, Points("SO(3)", dim=3), "2x0 + 2x1 -> 1x1 + 1x2", others=_vectors),
    _case(_product, Points("O", dim=3), "1x T1 + 1x E -> 1x regular", others=_vectors),
    _case(_channelwise, PLANE_POINTS, "1x regular -> 1x regular", others=_plane_vectors),
    _case(_block_products, POINTS, "2x0e + 2x1o -> 2x1e + 3x1o", others=_vectors),
    _case(nn.SymmetricPower, POINTS, "2x0e + 2x1o -> 2x0e + 2x1o", 3, traced=True),
    _case(nn.SymmetricPower, SO3, "1x0 + 1x1 -> 1x1 + 1x2", 2),
    _case(nn.SymmetricPower, OCTAHEDRAL, "1x T1 + 1x A1 -> 1x E + 1x T1", 3),
    _case(nn.SymmetricPower, C4, "1x regular -> 1x regular", 2),
    _case(nn.SymmetricPower, POINTS, "2x0e + 2x1o -> 2x1o", 2, kinds=2, others=_kinds),
    _case(nn.InducedNormActivation, D4, "2x induced(C4,1)", 2, plain=True, traced=True),
    _case(nn.VectorFieldPool, C8, "2x regular", traced=True),
    _case(nn.VectorFieldPool, OCTAHEDRAL, "1x regular"),
    _case(nn.BatchNorm, SO3, "2x0 + 2x1", plain=True, traced=True),
    _case(nn.BatchNorm, C4, "1x regular + 1x1", plain=True),
    _case(nn.BatchNorm, SO3, "2x0 + 2x1", centre=False, plain=True, traced=True),
    _case(nn.BatchNorm, POINTS, "2x0e + 2x1o", plain=True),
    _case(nn.InstanceNorm, SO2, "2x0 + 2x1", traced=True),
    _case(nn.GroupNorm, SO3, "2x0 + 2x1", num_groups=2, traced=True),
    _case(nn.InstanceNorm, POINTS, "2x0e + 2x1o", others=_clouds, traced=True),
    _case(nn.GroupNorm, POINTS, "2x0e + 2x1o", num_groups=2, others=_clouds),
    _case(nn.LayerNorm, D4, "1x regular + 2x vector", traced=True),
    _case(nn.LayerNorm, POINT, "2x0e + 2x1o", bias=False),
    _case(nn.RMSNorm, POINTS, "2x0e + 2x1o", traced=True),
    _case(nn.FieldDropout, SO3, "2x0 + 2x1", plain=True, traced=True),
    _case(nn.Pointwise, Points("C4", dim=2), "1x regular + 2x1", torch.tanh, plain=True),
    _case(nn.LeakyReLU, C4, "1x trivial + 2x regular", 0.2, plain=True),
    _case(nn.ELU, D4, "1x quotient(C2)", plain=True),
    _case(nn.GELU, OCTAHEDRAL, "1x A1 + 1x regular", "tanh", plain=True),
    _case(nn.Sigmoid, LINE, "1x regular", plain=True),
    _case(nn.Softplus, Point("C4", dim=2), "2x regular", plain=True),
    _case(nn.Tanh, Points("O", dim=3), "1x T1 + 1x A2", plain=True),
    _case(nn.NormActivation, POINTS, "1x0e + 1x0o + 2x1o", nn.squash),
    _case(nn.InducedNormActivation, POINTS, "1x0o + 2x1o", (1, 3), nn.squash),
    _case(nn.VectorFieldPool, Points("O", dim=3), "2x regular"),
    _case(nn.FieldDropout, POINTS, "2x0e + 2x1o", plain=True),
    _case(nn.DropPath, SO3, "2x0 + 2x1", 0.2, plain=True, traced=True),
    _case(nn.DropPath, POINTS, "2x0e + 2x1o", 0.001, plain=True),
    _case(nn.LayerScale, SO3, "2x0 + 2x1", plain=True, traced=True),
    _case(nn.LayerScale, POINTS, "2x0e + 2x1o", 0.1, plain=True),
    _case(nn.SqueezeExcite, SO3, "2x0 + 2x1", 2, traced=True),
    _case(nn.SqueezeExcite, D4, "1x trivial + 2x regular + 1x vector + 1x quotient(C2)", 1),
    _case(nn.SqueezeExcite, POINT, "2x0e + 1x0o + 2x1o", 2),
    _case(nn.SqueezeExcite, POINTS, "2x0e + 1x0o + 2x1o", 2, others=_clouds),
    _case(nn.Identity, C4, "1x regular + 1x vector", plain=True, traced=True),
    _case(nn.Restrict, O2, "2x0o + 1x2", "C4", plain=True, traced=True),
    _case(nn.Restrict, POINT, "1x1o", "SO(3)", plain=True),
    _case(_skip, C4, "1x trivial + 1x vector", sizes=(5, 5), plain=True, traced=True),
    _case(_vouched, C4, "2x trivial + 1x regular", plain=True, traced=True),
    _case(_residual, C4, "1x trivial + 1x vector", plain=True, traced=True),
    _case(_plane_network, C4, "1x trivial -> 2x regular", plain=True, traced=True),
]

POOLS: list[ModuleCase] = [
    _case(
        *(nn.AvgPool, D4, "1x regular + 1x vector", 2),
        **dict(ceil_mode=True, divisor_override=3, plain=True, traced=True),
    ),
    _case(
        *(nn.AvgPool, SO3, "2x0 + 1x1", 3),
        **dict(stride=2, padding=1, count_include_pad=False, sizes=(5, 5, 5), plain=True),
    ),
    _case(nn.MaxPool, C4, "1x trivial + 1x regular", 2, ceil_mode=True, plain=True, traced=True),
    _case(nn.NormMaxPool, SO3, "1x0 + 2x1", 2, traced=True),
    _case(nn.GroupPool, C8, "1x trivial + 2x regular", plain=True, traced=True),
    _case(nn.GroupPool, OCTAHEDRAL, "2x quotient(C4)", "mean", plain=True),
    _case(nn.NormPool, SO2, "1x0 + 1x1 + 1x2", plain=True, traced=True),
    _case(nn.NormPool, POINTS, "1x0o + 2x1o", plain=True),
    _case(nn.GlobalAvgPool, C4, "2x trivial", plain=True, traced=True),
    _case(nn.GlobalAvgPool, SO3, "1x0 + 1x1", plain=True),
    _case(nn.GlobalMaxPool, D4, "1x trivial + 1x regular", plain=True, traced=True),
    _case(nn.GlobalAvgPool, POINTS, "2x0e + 1x1o", others=_clouds, traced=True),
    _case(
        *(nn.GlobalMaxPool, Points("C4", dim=2), "1x trivial + 1x regular"),
        **dict(others=_clouds, traced=True),
    ),
    _case(nn.SumPool, POINTS, "2x0e + 1x1o", others=_clouds, traced=True),
    _case(nn.SumPool, C4, "2x trivial + 1x vector"),
    _case(nn.SumPool, VERTICES, "2xA + 1x regular"),
    _case(nn.Downsample, C4, "1x regular", 2, sizes=(7, 7), plain=True, traced=True),
    _case(nn.Downsample, SO3, "1x0 + 1x1", 2, kernel_size=4, padding=1, plain=True),
    _case(nn.Upsample, D4, "1x regular + 1x vector", 2, mode="nearest", plain=True, traced=True),
    _case(nn.Upsample, SO3, "1x0 + 1x1", 2, plain=True),
    _case(nn.Upsample, O2, "1x0o + 1x1", 3, align_corners=True, plain=True),
    _case(nn.AdaptiveAvgPool, C8, "1x regular + 1x1", 4, plain=True, traced=True),
    _case(nn.AdaptiveAvgPool, SO3, "1x0 + 1x1", 3, plain=True),
    _case(nn.PixelShuffle, LINE, "1x trivial + 1x vector", 3),
    _case(nn.PixelShuffle, D4, "2x vector + 1x regular", 2, plain=True, traced=True),
    _case(nn.PixelShuffle, C4, "1x regular + 1x trivial", 3, plain=True),
    _case(nn.PixelShuffle, OCTAHEDRAL, "1x T1 + 1x A1", 2),
    _case(
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
    _case(
        *(nn.HomogeneousConv, VERTICES, "1xA + 1xE1 -> 2xA + 1xE2"),
        **dict(plain=True, traced=True),
    ),
    _case(nn.HomogeneousConv, SET, "2x trivial + 1x vector -> 1xA1 + 1xE", plain=True),
    _case(nn.HomogeneousConv, (VERTICES, FACES), "1x regular -> 1xA + 2xE", plain=True),
    _case(nn.HomogeneousConv, (FACES, CENTRE), "1xE + 1xA -> 1xT1", bias=False, plain=True),
    _case(nn.ReLU, VERTICES, "1xA + 1x regular", plain=True),
    _case(nn.FourierPointwise, VERTICES, "1xA + 1x regular", torch.tanh, plain=True),
    _case(nn.Gate, VERTICES, "1xA + 2xE1", plain=True),
    _case(nn.NormActivation, SET, "1xA2 + 1xE", plain=True),
    _case(nn.InducedNormActivation, VERTICES, "2xE1", 2, plain=True),
    _case(nn.VectorFieldPool, VERTICES, "2x regular"),
    _case(nn.TensorProduct, SET, "1xA1 + 1xE -> 2xA1 + 1xE"),
    _case(nn.BatchNorm, VERTICES, "2xA + 1xE1 + 1x regular", plain=True),
    _case(nn.InstanceNorm, SET, "2xA1 + 1x vector"),
    _case(nn.GroupNorm, VERTICES, "2xA + 2xE1", num_groups=2),
    _case(nn.LayerNorm, SET, "2xA1 + 1xE"),
    _case(nn.RMSNorm, VERTICES, "2xA + 1xE1"),
    _case(nn.FieldDropout, VERTICES, "2xA + 1xE1", plain=True),
    _case(nn.Pointwise, SET, "1xA2 + 1xA1", torch.tanh, plain=True),
    _case(nn.DropPath, VERTICES, "2xA + 1xE1", 0.2, plain=True),
    _case(nn.LayerScale, VERTICES, "2xA + 1xE1", plain=True),
    _case(nn.SqueezeExcite, VERTICES, "2xA + 2xE1 + 1x regular", 2),
    _case(nn.Identity, VERTICES, "2xA + 1xE1", plain=True),
    _case(nn.GroupPool, VERTICES, "1xA + 2x regular", plain=True),
    _case(nn.NormPool, SET, "1xA2 + 2xE", plain=True),
    _case(nn.GlobalAvgPool, VERTICES, "2xA + 1x regular", plain=True, traced=True),
    _case(nn.GlobalMaxPool, VERTICES, "2xA + 1x regular", traced=True),
    _case(_vertex_network, VERTICES, "1xA -> 2x regular", plain=True),
]

MODULES: list[ModuleCase] = [*SPHERE, *CONVOLUTIONS, *FIBREWISE, *POOLS, *FINITE]
