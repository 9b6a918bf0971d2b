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


def layer_of(name, kind="SE3Convolution", **options):
    """What the converter asks of a layer."""
    filter = STORED[f"{name}_filter"].clone()

    class Kernel:
        size, weight = filter.shape[-1], filter
        Rs_in, Rs_out = (
            [tuple(row) for row in STORED[f"{name}_{side}"].tolist()] for side in ("in", "out")
        )

        def __call__(self):
            return filter

    layer = type(kind, (SimpleNamespace,), {"__module__": "se3cnn"})
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
    for kind, near in {"SE3BatchNorm": "; the nearest is enn.BatchNorm", "Other": "; see"}.items():
        text = f"^layer: expected an SE3Convolution or SE3ConvolutionTranspose .*, got {kind}{near}"
        with pytest.raises(TypeError, match=text):
            from_se3cnn(layer_of("first", kind))
    with pytest.raises(ValueError, match="^layer: expected no options but .*, got bias, groups"):
        from_se3cnn(layer_of("first", bias=None, groups=2))
    layer = layer_of("first")
    layer.kernel()[0] += 1
    layer.kernel()[3, 0, 0, 0, 0] += 1
    with pytest.raises(
        ValueError, match=r"^layer: expected an equivariant filter, but the part 0\."
    ):
        from_se3cnn(layer)


@over("name", ["first", "middle"])
def test_transposed_convolutions(name):
    """The adjoint: <y, K x> = <K^T y, x>, with the filter that the convolution has."""
    direct = from_se3cnn(layer_of(name))
    ours = from_se3cnn(layer_of(name, "SE3ConvolutionTranspose"))
    x, y = STORED[f"{name}_x"], STORED[f"{name}_y"]
    assert ours.in_type == direct.out_type and ours.out_type == direct.in_type
    with torch.no_grad():
        left, right = (y * direct(x)).sum(), (ours(y) * x).sum()
        assert_close(right, left, 1e-4 * float(left.abs()))
        turned = (ours(y.flip(2)) * x).sum()
    assert (turned - left).abs() > 1e-2 * left.abs()  # the negative control
