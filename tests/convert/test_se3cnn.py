"""Convolutions of se3cnn, with what it gave for them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equinet.convert import from_se3cnn, standard_basis
from tests.over import over
from tests.tolerances import SYMMETRY, assert_close

with np.load(Path(__file__).parents[1] / "golden" / "se3cnn.npz") as arrays:
    STORED = {name: torch.from_numpy(array) for name, array in arrays.items()}
SINGLE = 1e-5  # float32, of the largest output


def layer_of(name, **options):
    """What the converter asks of a layer."""
    filter = STORED[f"{name}_filter"].clone()

    class Kernel:
        size, weight = filter.shape[-1], filter
        Rs_in, Rs_out = (
            [tuple(row) for row in STORED[f"{name}_{side}"].tolist()] for side in ("in", "out")
        )

        def __call__(self):
            return filter

    layer = type("SE3Convolution", (SimpleNamespace,), {})
    kwargs = {"padding": filter.shape[-1] // 2, **options}
    return layer(kernel=Kernel(), kwargs=kwargs, training=False)


@over("name", ["first", "middle"])
def test_outputs_are_equal(name):
    ours, y = from_se3cnn(layer_of(name)), STORED[f"{name}_y"]
    bound = SINGLE * float(y.abs().max())
    assert_close(ours(STORED[f"{name}_x"]), y, bound)
    assert ours.training is False and ours.weight.dtype == torch.float32
    standard, M = standard_basis(ours.out_type)
    assert "of" not in str(standard)
    g = ours.in_type.space.group.generators
    assert_close(standard.rho(g) @ M, M @ ours.out_type.rho(g), SYMMETRY)
    turned = STORED[f"{name}_x"].transpose(2, 4)
    assert (ours(turned).transpose(2, 4) - y).abs().max() > 100 * bound  # the negative control


def test_what_is_refused():
    with pytest.raises(TypeError, match="^layer: expected an SE3Convolution of se3cnn, got Conv3d"):
        from_se3cnn(torch.nn.Conv3d(1, 1, 3))
    with pytest.raises(ValueError, match="^layer: expected no options but .*, got bias, groups"):
        from_se3cnn(layer_of("first", bias=None, groups=2))
    layer = layer_of("first")
    layer.kernel()[0] += 1
    layer.kernel()[3, 0, 0, 0, 0] += 1
    with pytest.raises(
        ValueError, match=r"^layer: expected an equivariant filter, but the part 0\."
    ):
        from_se3cnn(layer)
