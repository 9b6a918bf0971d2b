"""Layers of s2cnn: outputs that ``tests/golden/make_peers.py`` kept, and the package itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import load_s2cnn
from equinet.convert import from_s2cnn
from tests.tolerances import SYMMETRY, assert_close


class _Layer(nn.Module):
    """The attributes of a layer of s2cnn."""

    def __init__(self, golden, name, bias):
        super().__init__()
        prefix = f"s2cnn_{name}_layer"
        kernel = golden[f"{prefix}_kernel"]
        self.nfeature_in, self.nfeature_out = kernel.shape[:2]
        self.b_in, self.b_out = 6, 4
        self.grid = tuple(map(tuple, golden[f"{prefix}_points"].tolist()))
        self.scaling = float(golden[f"{prefix}_scaling"])
        self.kernel = nn.Parameter(kernel)
        self.bias = nn.Parameter(bias.view(1, -1, 1, 1, 1))


class S2Convolution(_Layer):
    pass


class SO3Convolution(_Layer):
    pass


class SO3Shortcut:
    def __init__(self, conv):
        self.conv = conv


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "golden" / "peers.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("kind", [S2Convolution, SO3Convolution])
def test_outputs_are_equal(kind, golden):
    name = "s2" if kind is S2Convolution else "so3"
    bias = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    conv = from_s2cnn(kind(golden, name, bias))
    x, expected = (golden[f"s2cnn_{name}_layer_{part}"] for part in ("input", "output"))
    assert conv.weight.dtype == torch.float64
    assert_close(conv(x), expected + bias.view(-1, 1, 1, 1), SYMMETRY)
    single = from_s2cnn(kind(golden, name, bias).float())
    scale = float(expected.abs().max())
    assert_close(single(x.float()), expected + bias.view(-1, 1, 1, 1), 2e-6 * scale)
    with pytest.raises(AssertionError):  # of points in another order
        layer = kind(golden, name, bias)
        layer.grid = layer.grid[::-1]
        assert_close(from_s2cnn(layer)(x), expected + bias.view(-1, 1, 1, 1), 1e-3)


@pytest.mark.parametrize("kind", ["S2Convolution", "SO3Convolution"])
def test_s2cnn_itself(kind, generator):
    """As ``benchmarks.peers`` mends it, in float32."""
    peer, reason = load_s2cnn()
    if peer is None:
        pytest.skip(reason)
    grid = ((0.2, 0.1), (0.3, 2.0)) if kind == "S2Convolution" else ((0.2, 0.1, 0.4), (0.3, 2.0, 1))
    layer = getattr(peer.package, kind)(2, 3, b_in=5, b_out=4, grid=grid)
    x = torch.randn(2, 2, *[10] * len(grid[0]), generator=generator)
    expected = layer(x).detach()
    assert_close(from_s2cnn(layer)(x).detach(), expected, 2e-6 * float(expected.abs().max()))


def test_what_is_no_layer_of_s2cnn(golden):
    with pytest.raises(
        TypeError, match="^layer: expected an S2Convolution, SO3Convolution or SO3S"
    ):
        from_s2cnn(nn.Conv2d(1, 1, 3))
    layer = S2Convolution(golden, "s2", torch.zeros(3))
    layer.b_out = 7
    with pytest.raises(ValueError, match="^layer: expected b_out <= b_in, got b_in=6, b_out=7"):
        from_s2cnn(layer)


def test_a_shortcut_is_its_convolution(golden):
    conv = SO3Convolution(golden, "so3", torch.zeros(3, dtype=torch.float64))
    x, expected = (golden[f"s2cnn_so3_layer_{part}"] for part in ("input", "output"))
    assert_close(from_s2cnn(SO3Shortcut(conv))(x), expected, SYMMETRY)
    with pytest.raises(ValueError, match="^layer: expected an SO3Shortcut with a convolution, got"):
        from_s2cnn(SO3Shortcut(None))
