"""Spaces of a user's own unlike those of the library: with weights, open sizes, other fibres."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from equinet import act, nn, so2, symmetric
from equinet.field import FieldType, Space, random_field, turn_fibres
from equinet.group import FiniteGroup, Group, alternating, cyclic, generate
from equinet.testing import assert_equivariant, certificate, equivariance_error, report
from tests.field.test_own_space import Ring
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

FLIPS = generate(torch.tensor([[[-1.0]]]), "flips")
SIGNS = generate(-torch.eye(2)[None], "signs")


@dataclass(frozen=True)
class Zones(Space):
    """What is the same along circles of latitude: one axis, whose points weigh their areas."""

    count: int

    is_parallel = True

    @property
    def group(self) -> Group:
        return so2()

    @property
    def fibre_group(self) -> Group:
        return so2()

    @property
    def weights(self) -> Tensor:
        areas = (
            (torch.arange(self.count, dtype=torch.float64) + 0.5) * torch.pi / self.count
        ).sin()
        return areas / areas.sum()

    def axes(self, blocks) -> dict[str, int | None]:
        return {"zone": self.count}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        return turn_fibres(field_type, g, x)


@dataclass(frozen=True)
class Loop(Space):
    """A periodic line of any length, which may be read backwards."""

    is_parallel = True

    @property
    def group(self) -> FiniteGroup:
        return FLIPS

    @property
    def fibre_group(self) -> FiniteGroup:
        return FLIPS

    def axes(self, blocks) -> dict[str, int | None]:
        return {"x": None}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        backwards = (g if g.dim() == 3 else g[None])[:, 0, 0, None, None] < 0
        return turn_fibres(field_type, g, torch.where(backwards, x.flip(-1), x))


@dataclass(frozen=True)
class Nodes(Space):
    """Four nodes that are permuted; an odd permutation turns the sign of what has one."""

    permutations: FiniteGroup

    @property
    def group(self) -> FiniteGroup:
        return self.permutations

    @property
    def fibre_group(self) -> FiniteGroup:
        odd = torch.linalg.det(self.permutations.elements).min() < 0
        return SIGNS if odd else generate(torch.eye(2)[None], "one")

    def axes(self, blocks) -> dict[str, int | None]:
        return {"node": 4}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        sign = torch.linalg.det(g.double())[..., None, None] * torch.eye(2, dtype=torch.float64)
        return turn_fibres(field_type, sign, x @ g.mT.to(x))

    def restrict(self, subgroup: Group) -> Space:
        assert isinstance(subgroup, FiniteGroup)
        return replace(self, permutations=subgroup)


class CoarseRing(Ring):
    """A ring that the group may turn between its points, where fields are not moved exactly."""

    def keeps(self, elements: Tensor, sizes: tuple[int, ...]) -> Tensor:
        steps = torch.atan2(elements[:, 1, 0], elements[:, 0, 0]) * self.points / (2 * torch.pi)
        return (steps - steps.round()).abs() < ROUNDING


ZONES = Zones(5).fields("2x trivial + 1x vector")
LOOP = Loop().fields("2x trivial + 2x regular")
NODES = Nodes(symmetric(4)).fields("2x trivial + 2x regular")


@pytest.mark.parametrize("fields", [ZONES, LOOP, NODES], ids=["zones", "loop", "nodes"])
def test_a_network_over_it_is_checked_and_counted(fields):
    net = nn.Sequential(
        nn.Linear(fields, fields), nn.BatchNorm(fields), nn.InstanceNorm(fields, affine=True),
        nn.GroupNorm(fields, 1), nn.LayerNorm(fields), nn.SqueezeExcite(fields),
        nn.Residual(nn.Linear(fields, fields)), nn.NormActivation(fields), nn.GlobalAvgPool(fields),
    ).double()  # fmt: skip
    assert_equivariant(net)
    found = report(net)
    assert found.error < SYMMETRY and found.layers[0].kind == "Linear"
    assert certificate(net).is_equivariant


def test_points_along_a_single_axis_have_their_weights(generator):
    scalars, w = Zones(5).fields("2x trivial"), Zones(5).weights
    x = random_field(scalars, 3, generator=generator, dtype=torch.float64)
    assert_close(nn.GlobalAvgPool(scalars).double()(x), x @ w, ROUNDING)
    assert nn.GlobalAvgPool(scalars).double()(x[:0]).shape == (0, 2)
    # Of each norm the axes, besides that of space, over which it takes its statistics.
    for norm, axes in (
        (nn.InstanceNorm(scalars), ()), (nn.GroupNorm(scalars, 1), (1,)),
        (nn.BatchNorm(scalars), (0,)),
    ):  # fmt: skip
        mean = _over(axes, x, w)
        expected = (x - mean) / (_over(axes, (x - mean) ** 2, w) + norm.eps).sqrt()
        assert_close(norm.double()(x), expected, ROUNDING)
    # Negative control: the plain mean is another number.
    assert (x.mean(2) - x @ w).abs().max() > 0.01


def _over(axes: tuple[int, ...], x: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean over space, and the plain one over other axes."""
    mean = (x @ weights)[..., None]
    return mean.mean(axes, keepdim=True) if axes else mean


def test_an_axis_of_any_size_is_said_or_found(generator):
    assert LOOP.open_axes == ("x",) and ZONES.open_axes == ()
    x = random_field(LOOP, 2, sizes=(8,), generator=generator, dtype=torch.float64)
    assert x.shape == (2, 6, 8)
    with pytest.raises(ValueError, match="^sizes: .* one for each axis .x., got "):
        random_field(LOOP, 2)
    with pytest.raises(ValueError, match="^sizes: has no meaning for Zones"):
        random_field(ZONES, 2, sizes=(8,))
    assert equivariance_error(nn.ReLU(LOOP), sizes=(8,)).sizes == (8,)
    # A window that must divide the size: the default is one that the module takes.
    sizes = equivariance_error(nn.Typed(_Halves(), LOOP, None)).sizes
    assert sizes is not None and sizes[0] % 2 == 0
    shifted = torch.nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular", bias=False).double()
    scalars = Loop().fields("2x trivial")
    with pytest.raises(AssertionError, match="is not equivariant"):
        assert_equivariant(nn.Typed(shifted, scalars, scalars))


class _Halves(torch.nn.Module):
    """The mean of scalars over lines of an even size."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :2].unflatten(2, (2, -1)).mean((2, 3))


def test_a_subgroup_may_have_smaller_fibres():
    smaller = nn.Restrict(NODES, alternating(4)).out_type
    assert smaller.space.fibre_group.order == 1 and smaller.channels == NODES.channels
    assert_equivariant(nn.Sequential(nn.Restrict(NODES, alternating(4)), nn.ReLU(smaller)).double())


def test_only_elements_that_it_keeps_are_tried():
    module = nn.ReLU(CoarseRing(cyclic(8), 12).fields("1x regular"))
    tried = assert_equivariant(module).elements
    assert len(tried) and cyclic(4).mask(tried).all()
    whole = equivariance_error(nn.ReLU(Ring(cyclic(8), 12).fields("1x regular"))).elements
    assert not cyclic(4).mask(whole).all()
    none = nn.ReLU(CoarseRing(cyclic(7), 12).fields("1x regular"))
    with pytest.raises(
        ValueError, match="^elements: expected some that move fields over CoarseRing"
    ):
        assert_equivariant(none)


class Clock(Ring):
    """A ring that makes its group whenever it is asked."""

    @property
    def fibre_group(self) -> FiniteGroup:
        return cyclic(self.points)


@pytest.mark.compile
def test_no_layer_asks_for_the_group_while_it_runs():
    pool = nn.VectorFieldPool(Clock(cyclic(6), 6).fields("1x regular"))
    x = torch.ones(1, 6, 6)
    compiled = torch.compile(pool, backend="eager", fullgraph=True)
    assert_close(compiled(x), pool(x), ROUNDING)


@dataclass(frozen=True)
class Mistaken(Zones):
    """Zones of which something is wrong."""

    what: str = ""

    @property
    def group(self):
        return "SO(2)" if self.what == "group" else so2()

    def axes(self, blocks):
        return ["zone"] if self.what == "axes" else super().axes(blocks)

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        return x[..., 1:]


def test_a_space_with_a_mistake_is_refused_by_name():
    with pytest.raises(TypeError, match="^group: expected a Group, got str"):
        Mistaken(5, "group").fields("1x trivial")
    with pytest.raises(TypeError, match="^space: expected axes as a dict of names and sizes, got "):
        Mistaken(5, "axes").fields("1x trivial")
    scalar = Mistaken(5).fields("1x trivial")
    with pytest.raises(ValueError, match="^Mistaken.act: expected .batch, channel, zone. = "):
        act(scalar, torch.eye(2), torch.ones(1, 1, 5))

    class Changing(Zones):
        __hash__ = None

    with pytest.raises(TypeError, match="^space: expected a value that can be hashed"):
        Changing(5).fields("1x trivial")
