"""The networks of the paper: their numbers of parameters, and that they run."""

import pytest
import torch

import equinet as eq
from equinet.field import act
from examples.amino_acids.paper import (
    MOMENTUM,
    VOLUME,
    Bias,
    cath_network,
    cath_resnet34,
    convolution,
    fields,
    shrec17_network,
)
from examples.common.training import parameter_count
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
ONE = VOLUME.fields("1x0")


def test_fields():
    assert fields((8, 0, 2)) == VOLUME.fields("8x0 + 2x2")


@pytest.mark.parametrize(("cutoff", "count"), [("compromise", 143_560), ("sfcnn", 156_760)])
def test_cath(cutoff, count):
    assert parameter_count(cath_network(cutoff=cutoff)) == count


def test_cath_with_the_least_detail_ignores_degree_3_at_its_end():
    """A filter of 3 voxels has harmonics of degree 2 at most then, and 3 to 0 needs degree 3."""
    network = cath_network(cutoff="conservative")
    dead = [path for layer in network.modules() for path in getattr(layer, "dead_paths", list)()]
    assert ("3", "0") in dead
    assert parameter_count(network) == 110_186


def test_cath_runs_and_does_not_see_the_orientation(generator):
    """On 17^3 voxels, which the strides halve about the centre: 17, 9, 5, 3."""
    network = cath_network().double().eval()
    x = torch.randn(1, 1, 17, 17, 17, generator=generator, dtype=F64)
    with torch.no_grad():
        scores = network(x)
        turned = network(act(ONE, eq.octahedral().elements[7], x))
    assert scores.shape == (1, 10)
    scale = scores.abs().max()  # large: nothing has been normalised yet
    assert_close(turned / scale, scores / scale, SYMMETRY)


def test_plain_cath():
    with torch.device("meta"):
        network = cath_resnet34()
        assert network(torch.empty(2, 1, 50, 50, 50)).shape == (2, 10)
    assert parameter_count(network) == 15_878_764


def test_shrec17(generator):
    network = shrec17_network()
    assert parameter_count(network) == 142_617
    assert network.eval()(torch.randn(1, 1, 13, 13, 13, generator=generator)).shape == (1, 55)


def test_bias_after_the_norm(generator):
    """Scalars and gates have one each; what they hold reaches the output."""
    layers = torch.nn.Sequential(*convolution((1,), (2, 1), 3, momentum=MOMENTUM))
    bias = next(layer for layer in layers if isinstance(layer, Bias))
    assert bias.bias.shape == (3,)
    x = torch.randn(1, 1, 5, 5, 5, generator=generator)
    before = layers(x)
    with torch.no_grad():
        bias.bias += 1.0
    assert (layers(x) - before).abs().amax((0, 2, 3, 4)).min() > 1e-3
    assert bias.state_dict().keys() == {"bias", "_extra_state"}
