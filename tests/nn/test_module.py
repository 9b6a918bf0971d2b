"""The noun Module; its laws are in tests/laws."""

import functools

import pytest
import torch

from equinet import Plane, Points, Sphere
from equinet.harmonics import Pixels, shell_harmonics
from equinet.nn import (
    BatchNorm,
    Conv2d,
    EquivariantModule,
    PointConv,
    RadialNetwork,
    ReLU,
    Sequential,
    SphereConv,
)
from equinet.steerable import smooth
from tests.tolerances import SINGLE, assert_close

X = Sphere(3).fields("2x0 + 1x1")
Y = Sphere(3).fields("1x regular")


def test_types():
    module = EquivariantModule(X, Y)
    assert module.in_type == X and module.out_type == Y and not module.aliases
    assert EquivariantModule(X, None).out_type is None
    assert not list(module.parameters()) and not module.state_dict()


def test_repr_tells_the_types():
    assert "Sphere(band=3).fields('2x0 + 1x1') -> Sphere(band=3).fields('1x regular')" in repr(
        EquivariantModule(X, Y)
    )
    assert repr(EquivariantModule(X, X)).count("fields") == 1
    assert repr(EquivariantModule(X, None)).count("fields") == 1


@pytest.mark.parametrize("bad", [None, "1x0", Sphere(3), X.blocks])
def test_bad_types(bad):
    with pytest.raises(
        TypeError, match=f"^in_type: expected a FieldType, got {type(bad).__name__}"
    ):
        EquivariantModule(bad, X)
    if bad is not None:
        with pytest.raises(TypeError, match="^out_type: expected a FieldType, got"):
            EquivariantModule(X, bad)


def _conv(size=3, spacing=1.0, **options):
    fields = Plane("C4", spacing).fields("2x trivial")
    return Conv2d(fields, fields, size, generator=torch.Generator().manual_seed(0), **options)


def test_what_belongs_to_the_meaning_of_a_weight():
    """What makes another filter of it, and nothing else."""
    word = _conv().meaning()
    for same in (
        _conv(stride=2, padding=1, padding_mode="reflect", bias=False),
        _conv(spacing=2.5),
        _conv().double(),
    ):
        assert same.meaning() == word
        assert torch.allclose(same.dense().float(), _conv().dense(), atol=1e-6)
    wide = functools.partial(shell_harmonics, sigma=0.9)
    others = [_conv(functions=wide), _conv(functions=Pixels), _conv(5), _conv(spacing=(1.0, 2.0))]
    assert len({word, *(other.meaning() for other in others)}) == 1 + len(others)
    points = PointConv, Points("SO(3)", dim=3).fields("2x0 + 1x1")
    words = {
        points[0](points[1], points[1], RadialNetwork(c, features=2), neighbours=4.0).meaning()
        for c in (2.0, 3.0)
    }
    assert len(words) == 2  # the cutoff of learned functions of the distance

    class Mine:  # says nothing of itself that is the same in every process
        def matrices(self, band, orders_out, orders_in):
            return smooth().matrices(band, orders_out, orders_in)

    assert SphereConv(Y, Y, Mine()).meaning().partition(";")[0].endswith("Mine")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # the checks become constants
def test_roads_to_deployment():
    """``jit.trace`` gives the same numbers (for ``torch.export`` see the laws); ``jit.script`` and
    ``fx.symbolic_trace`` do not run the program, and do not know what a field type is."""
    fields = Plane("C4").fields("2x regular")
    module = Sequential(Conv2d(fields, fields, 3), BatchNorm(fields), ReLU(fields)).eval()
    x = torch.ones(2, 8, 6, 6)
    assert_close(torch.jit.trace(module, x)(x + 1), module(x + 1), SINGLE)
    with pytest.raises(Exception, match="Unknown type"):
        torch.jit.script(module)
    with pytest.raises(TypeError, match="^x: expected a real floating tensor, got Proxy"):
        torch.fx.symbolic_trace(module[0])
    with pytest.raises(Exception, match="^Proxy object cannot be iterated"):
        torch.fx.symbolic_trace(module)


def test_one_sample_is_no_batch():
    module = _conv()
    with pytest.raises(ValueError, match=r"got \(2, 5, 5\); a single sample is x\[None\]$"):
        module(torch.ones(2, 5, 5))
