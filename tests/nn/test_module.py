"""The noun Module; its laws are in tests/laws."""

import pytest

from equinet import Sphere
from equinet.nn import EquivariantModule

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
