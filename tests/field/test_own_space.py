"""A space that a user writes, and all of the library that works on it unchanged."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from equinet import Plane, act, cyclic, dihedral, nn, so2
from equinet.field import FieldType, Space, field_type, random_field, turn_fibres
from equinet.group import FiniteGroup, Group
from equinet.rep import trivial
from equinet.testing import assert_equivariant, equivariance_error, report
from tests.tolerances import ROUNDING, assert_close


@dataclass(frozen=True)
class Ring(Space):
    """Points on a circle of the plane, which a finite group turns into each other."""

    turns: FiniteGroup
    points: int

    is_parallel = True
    maps = "a ring convolution"

    @property
    def group(self) -> FiniteGroup:
        return self.turns

    @property
    def fibre_group(self) -> FiniteGroup:
        return self.turns

    def axes(self, blocks) -> dict[str, int | None]:
        return {"point": self.points}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        angle = 2 * torch.pi * torch.arange(self.points, dtype=torch.float64) / self.points
        places = torch.stack([angle.cos(), angle.sin()], -1)
        origins = places @ (g if g.dim() == 3 else g[None]).double()  # g^-1 x, as rows
        sources = torch.cdist(origins, places.expand_as(origins)).argmin(-1)
        index = sources[:, None].expand(len(x), x.shape[1], -1)
        return turn_fibres(field_type, g, x.gather(2, index))

    def restrict(self, subgroup: Group) -> Space:
        assert isinstance(subgroup, FiniteGroup)
        return replace(self, turns=subgroup)


RING = Ring(dihedral(4), 12)
REGULAR, SCALARS = RING.fields("2x regular"), RING.fields("4x trivial")
MIXED = RING.fields("3x trivial + 2x vector + 1x regular")
VECTORS = RING.fields("2x trivial + 2x vector")


def modules() -> list[torch.nn.Module]:
    """One of each class that works fibre by fibre, or over all of space."""
    return [
        nn.Identity(MIXED),
        nn.Linear(MIXED, VECTORS),
        nn.TensorProduct(VECTORS, VECTORS),
        nn.ReLU(REGULAR),
        nn.Pointwise(REGULAR, torch.tanh),
        nn.NormActivation(VECTORS),
        nn.Gate(VECTORS),
        nn.FourierPointwise(REGULAR, torch.relu),
        nn.FieldDropout(MIXED, 0.5),
        nn.BatchNorm(MIXED),
        nn.InstanceNorm(MIXED, affine=True),
        nn.GroupNorm(REGULAR, 2),
        nn.LayerNorm(MIXED),
        nn.RMSNorm(MIXED),
        nn.SqueezeExcite(MIXED),
        nn.GroupPool(REGULAR),
        nn.NormPool(VECTORS),
        nn.GlobalAvgPool(MIXED),
        nn.GlobalMaxPool(REGULAR),
        nn.Restrict(MIXED, "C4"),
        nn.Restrict(MIXED, dihedral(2)),
        nn.Residual(nn.Linear(REGULAR, REGULAR)),
        nn.Concat(nn.Identity(REGULAR), nn.ReLU(REGULAR)),
        nn.Typed(torch.nn.Identity(), MIXED, MIXED),
        nn.Sequential(
            nn.Linear(MIXED, REGULAR), nn.BatchNorm(REGULAR), nn.ReLU(REGULAR),
            nn.GroupPool(REGULAR),
            nn.GlobalAvgPool(RING.fields("2x trivial")), torch.nn.Linear(2, 3),
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("module", modules(), ids=lambda module: type(module).__name__)
def test_modules_commute_with_its_group(module):
    assert_equivariant(module.double())
    table = report(module)
    assert type(module).__name__ in str(table) and not table.error > 1e-10


def test_fields_are_drawn_moved_and_averaged(generator):
    x = random_field(MIXED, 3, generator=generator, dtype=torch.float64)
    assert x.shape == (3, 15, 12)
    g, h = RING.group.elements[[1, 6]]
    assert_close(act(MIXED, g, act(MIXED, h, x)), act(MIXED, g @ h, x), ROUNDING)
    one_each = RING.group.elements[[1, 6, 3]]
    assert_close(act(MIXED, one_each, x)[1:2], act(MIXED, h, x[1:2]), ROUNDING)
    mean = nn.GlobalAvgPool(MIXED)
    assert mean.out_type is not None and mean.out_type.rho(g).shape == (15, 15)
    assert_close(mean(x), x.mean(2), ROUNDING)
    # By hand, a quarter turn of a vector field: three steps along the ring, and the values turned.
    winds = RING.fields("1x vector")
    f = random_field(winds, 1, generator=generator, dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    expected = torch.einsum("ij,zjp->zip", quarter, f.roll(3, 2))
    assert_close(act(winds, quarter, f), expected, ROUNDING)


def test_what_breaks_the_symmetry_is_found():
    """Negative control: a convolution along the ring that tells left from right."""
    kernel = torch.nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular", bias=False).double()
    broken = nn.Typed(kernel, SCALARS, SCALARS)
    assert equivariance_error(broken).max > 0.1
    with pytest.raises(AssertionError, match="is not equivariant"):
        assert_equivariant(broken)
    with torch.no_grad():
        kernel.weight.copy_(kernel.weight + kernel.weight.flip(2))
    assert_equivariant(broken)


def test_neighbours_that_do_not_fit_are_told_what_would_help():
    other = Ring(cyclic(4), 12).fields("2x regular")
    for after, advice in ((SCALARS, "put a ring convolution from"), (other, "put enn.Restrict")):
        with pytest.raises(ValueError, match=advice):
            nn.Sequential(nn.ReLU(REGULAR), nn.ReLU(after))


def test_a_space_that_lacks_a_method_is_refused_where_it_is_made():
    @dataclass(frozen=True)
    class Still(Space):
        @property
        def group(self) -> Group:
            return so2()

        @property
        def fibre_group(self) -> Group:
            return so2()

        def axes(self, blocks) -> dict[str, int | None]:
            return {}

    with pytest.raises(TypeError, match="abstract method '?act"):
        Still()

    class Duck:
        group = fibre_group = so2()

        def axes(self, blocks):
            return {}

    message = "^space: expected a subclass of equinet.field.Space, got Duck without act"
    with pytest.raises(TypeError, match=message):
        FieldType(Duck(), ((1, trivial(so2())),))  # pyright: ignore[reportArgumentType]


def test_what_a_field_type_asks_for_is_what_a_space_says():
    assert {name for name in vars(Space) if not name.startswith("_")} == set(field_type._SPACE)


def test_defaults_are_refused_where_they_have_no_answer():
    fixed = nn.Identity(Plane("C4").fields("1x trivial")).in_type.space
    assert fixed.restrict(cyclic(2)) == Plane("C2")

    @dataclass(frozen=True)
    class Whole(Ring):
        def restrict(self, subgroup: Group) -> Space:
            return Space.restrict(self, subgroup)

    with pytest.raises(ValueError, match="^in_type: expected fields over a grid, Point or Points"):
        nn.Restrict(Whole(dihedral(4), 12).fields("1x regular"), "C4")
    with pytest.raises(ValueError, match="^sizes: has no meaning for Ring"):
        random_field(MIXED, 1, sizes=(3,))
