"""What the compiled operators are timed on. A new operator adds lines to ``works``."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.steerable import conv2d, conv3d
from equinet.field import Sphere
from equinet.harmonics import Analysis, Synthesis, gauss
from equinet.nn.edge_paths import EdgeHarmonics
from equinet.nn.sphere_conv import SphereConv
from equinet.nn.steerable import Steerable
from equinet.ops import (
    EdgePlan,
    IrrepMap,
    LegendrePlan,
    block_products,
    edge_directions,
    edge_order,
    edge_sums,
    expansion,
    filter_spectra,
    irrep_products,
    legendre,
    masking,
    s2,
    so3,
)
from equinet.ops.native.first_use import moved
from equinet.ops.native.operator import Operator


@dataclass(frozen=True)
class Work:
    """One call of an operator, of the size that it has in a layer.

    Attributes:
        task: what is done, for people.
        operator: what is called.
        arguments: as torch calls it, with real tensors in float64 on the CPU.
    """

    task: str
    operator: Operator[Any, Any]
    arguments: tuple[Any, ...]

    def on(self, device: str, dtype: torch.dtype) -> list[Any]:
        """The arguments there, in that precision."""
        return moved(self.arguments, device, dtype, self.operator.exact)

    @property
    def operations(self) -> int:
        """Multiplications and additions of the products in the reference."""
        with FlopCounterMode(display=False) as counter:
            self.operator.reference(*self.on("meta", torch.float32))
        return counter.get_total_flops()

    @property
    def bytes(self) -> int:
        """Of the arguments and of the result in float32, each moved once."""
        arguments = self.on("meta", torch.float32)
        results = self.operator.reference(*arguments)
        moved = (*arguments, *((results,) if isinstance(results, Tensor) else results))
        return sum(a.numel() * a.element_size() for a in moved if isinstance(a, Tensor))


def works() -> list[Work]:
    """Transforms, parts of the layers of spherical MNIST, filters of two convolutions."""
    return [
        *_transforms("functions on SO(3), band 32, batch 8", 32, 1, 8),
        *_transforms("functions on SO(3), band 10, 20 x 32", 10, 20, 32),
        *_transforms("functions on SO(3), band 6, 40 x 32", 6, 40, 32),
        *_sphere_transforms("functions on S^2, band 128, batch 32", 128, 0, 1, 32),
        *_sphere_transforms("tangent fields on S^2, band 16, 4 x 32", 16, 1, 4, 32),
        *_waves("functions on S^2, band 64, batch 8", 64, 8),
        *_products("SphereConv 20x -> 40x regular, band 6, batch 32", 20, 40, 6, 32),
        *_spectra("filter of SphereConv 20x -> 40x regular, band 6", 10, 20, 6, 40),
        *_filters("filter of Conv3d SO(3) 16x0 + 8x1 + 4x2, 5^3", conv3d()),
        *_filters("filter of Conv2d C8 16x regular, 5^2", conv2d()),
        _masked("gradient of ReLU on SO(3), band 10, 20 x 32", 10, 20, 32),
        *_edges("32x (0e + 1o + 2e) along 6744 edges of 300 points", 32, 2),
        *_directions("harmonics to l = 3 along 6744 edges", 3, 6744),
        *_irreps("64x (0e + 1o + 2e), 1000 points", 64, 2, 1000),
    ]


def _transforms(task: str, band: int, channels: int, batch: int) -> list[Work]:
    """The transforms between signals and spectra, as fields of this batch lie in memory."""
    synthesis = Synthesis(band, band, None, torch.float64).group_tables()
    analysis = Analysis(band, band, None, torch.float64).group_tables()
    rows = band * (4 * band * band - 1) // 3
    outer, inner = (channels, batch) if batch >= so3.WIDE else (1, channels * batch)
    signal = _random(outer, *[2 * band] * 3, inner)
    spectrum = _random(rows, outer * inner)
    return [
        Work(f"{task}, analysis", so3.ANALYSIS, (signal, None, *analysis)),
        Work(f"{task}, synthesis", so3.SYNTHESIS, (spectrum, None, *synthesis, outer)),
        Work(f"{task}, synthesis and ReLU", so3.RECTIFIED, (spectrum, *synthesis, outer)),
    ]


def _sphere_transforms(task: str, band: int, order: int, channels: int, batch: int) -> list[Work]:
    """The same of fields of an irrep; the operations are those of the sums over beta or l."""
    synthesis = Synthesis(band, band, order, torch.float64).field_tables()
    analysis = Analysis(band, band, order, torch.float64).field_tables()
    signal = _random(batch, channels * (2 if order else 1), 2 * band, 2 * band)
    spectrum = _random(synthesis.size, channels, batch)
    return [
        Work(f"{task}, analysis", s2.ANALYSIS, (signal, *analysis)),
        Work(f"{task}, synthesis", s2.SYNTHESIS, (spectrum, *synthesis)),
    ]


def _waves(task: str, band: int, batch: int) -> list[Work]:
    """The sums over degrees alone, by a table and by recursion."""
    rings = gauss(band)
    tables = Synthesis(rings, band, 0, torch.float64).field_tables()
    angles = torch.tensor(rings.beta, dtype=torch.float64)
    plan = LegendrePlan(angles, tables.by_degree, tables.by_ring, band, 0, 0)
    spectrum, waves = _random(band * band, 1, batch), _random(batch, 1, band, band, 2)
    return [
        Work(f"{task}, coefficients", s2.COEFFICIENTS, (waves, *tables)),
        Work(f"{task}, waves", s2.WAVES, (spectrum, *tables)),
        Work(f"{task}, coefficients by recursion", legendre.ANALYSIS, (waves, *plan)),
        Work(f"{task}, waves by recursion", legendre.SYNTHESIS, (spectrum, *plan)),
    ]


def _products(task: str, inputs: int, outputs: int, band: int, batch: int) -> list[Work]:
    """The three products between functions on SO(3)."""
    rows, columns = ([n * (2 * l + 1) for l in range(band)] for n in (outputs, inputs))
    w, x, z = block_products.sizes_of(rows, columns, batch)
    return [
        Work(
            f"{task}, {name}",
            block_products.OPERATOR,
            (_random(left), _random(right), None, rows, columns, batch, mode),
        )
        for mode, (name, left, right) in enumerate(
            [("forward", w, x), ("gradient of the input", w, z), ("of the weights", z, x)]
        )
    ]


def _spectra(task: str, band_in: int, inputs: int, band_out: int, outputs: int) -> list[Work]:
    """Spectra of filters between functions on SO(3), and the gradient of the weights."""
    into = Sphere(band_in).fields(f"{inputs}x regular")
    layer = SphereConv(into, Sphere(band_out).fields(f"{outputs}x regular"))
    constants = layer.constants(torch.float64)
    rest = constants["basis"], constants["table"], layer._plan.numbers()
    weights, _, entries = layer._plan.sizes
    left = [("forward", weights), ("gradient of the weights", entries)]
    return [
        Work(f"{task}, {name}", filter_spectra.OPERATOR, (_random(size), *rest, mode))
        for mode, (name, size) in enumerate(left)
    ]


def _filters(task: str, layer: Any) -> list[Work]:
    """Filters from weights, and the gradient of the weights."""
    assert isinstance(layer, Steerable)
    plan, constants = layer._plan, layer.constants(torch.float64)
    rest = *(constants[name] for name in ("kernels", "matrices", "table")), plan.numbers()
    filter = _random(1, plan.out.dim, plan.into.dim, plan.numbers()[0])
    left = [("forward", _random(*layer.weight.shape)), ("gradient of the weights", filter)]
    return [
        Work(f"{task}, {name}", expansion.OPERATOR, (tensor, *rest, mode))
        for mode, (name, tensor) in enumerate(left)
    ]


def _masked(task: str, band: int, channels: int, batch: int) -> Work:
    """What ReLU does on the way back through functions on SO(3)."""
    signal = _random(channels, *[2 * band] * 3, batch)
    return Work(task, masking.OPERATOR, (signal, signal <= 0))


def _edges(task: str, channels: int, lmax: int) -> list[Work]:
    """All paths between irreps of O(3) with the parity of a sphere's, and all gradients."""
    points, count, features, degrees = 300, 6744, 32, range(lmax + 1)
    paths = tuple(
        (into, 2 * out + 1)
        for out in degrees
        for into in degrees
        for l in degrees
        if abs(into - out) <= l <= into + out and (into + l + out) % 2 == 0
    )
    plan = EdgePlan(tuple((channels, 2 * l + 1) for l in degrees), paths)
    x, kernels, weights, out = plan.sizes
    ends = torch.randint(points, (2, count), generator=torch.Generator().manual_seed(0))
    given = (
        *(_random(points, x), _random(count, kernels)),
        *(_random(count, features), _random(features, weights)),
        *(*edge_order(ends, points), plan.numbers()),
    )
    return [
        Work(f"{task}, sum", edge_sums.EDGE_SUM, given),
        Work(
            f"{task}, gradients",
            edge_sums.GRADIENTS,
            (_random(points, out), *given, [0, 1, 2, 3]),
        ),
    ]


def _directions(task: str, lmax: int, count: int) -> list[Work]:
    """Lengths and harmonics, and their first and second derivatives."""
    module = EdgeHarmonics(lmax, 3).double()
    dims = [2 * l + 1 for l in range(lmax + 1)]
    r, v, a, b = (_random(count, *shape) for shape in ((3,), (3,), (), (sum(dims),)))
    rest = module.steps, dims
    return [
        Work(task, edge_directions.HARMONICS, (r, *rest)),
        Work(f"{task}, gradient", edge_directions.GRADIENT, (r, a, b, *rest)),
        Work(f"{task}, tangent", edge_directions.TANGENT, (r, v, a, b, *rest)),
    ]


def _irreps(task: str, channels: int, lmax: int, points: int) -> list[Work]:
    """A square matrix for each irrep, and the gradients of features and matrices."""
    maps, at = [], 0
    for l in range(lmax + 1):
        maps.append(IrrepMap(2 * l + 1, channels, channels, 1, at, 0, at))
        at += channels * (2 * l + 1)
    numbers = [number for own in maps for number in own]
    x, weights = _random(points, at), _random(len(maps) * channels**2)
    return [
        Work(task, irrep_products.PRODUCT, (x, weights, numbers, at)),
        Work(
            f"{task}, gradients",
            irrep_products.GRADIENTS,
            (_random(points, at), x, weights, numbers, [0, 1]),
        ),
    ]


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
