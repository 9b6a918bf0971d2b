"""Functions of torch that look for batch norms find ours: converters, averages of weights."""

import copy

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, update_bn

from equinet import Plane
from equinet.nn import BatchNorm, Conv2d, Sequential, convert_sync_batchnorm
from tests.tolerances import ROUNDING, assert_close

X, H = (Plane("C4").fields(text) for text in ("1x trivial", "2x regular"))


def network(**options):
    return Sequential(Conv2d(X, H, 3), BatchNorm(H, **options), torch.nn.Identity())


@pytest.mark.parametrize(
    "convert", [torch.nn.SyncBatchNorm.convert_sync_batchnorm, convert_sync_batchnorm]
)
def test_both_converters_synchronise_it(convert):
    """It stays the module that it is; torch's own beside it becomes another one, as ever."""
    net = torch.nn.ModuleList([network(), torch.nn.BatchNorm2d(3)])
    layer = net[0][1]
    state = layer.state_dict()
    converted = convert(net)
    assert converted is net and net[0][1] is layer and layer.sync and layer.process_group is None
    assert isinstance(net[1], torch.nn.SyncBatchNorm)
    # torch's data parallel refuses a SyncBatchNorm on a CPU, and there is none in ours.
    assert not any(isinstance(part, torch.nn.SyncBatchNorm) for part in net[0].modules())
    assert convert(BatchNorm(H)).sync
    assert layer.state_dict().keys() == state.keys()
    assert copy.deepcopy(layer).sync and "sync=True" in repr(layer)
    assert not BatchNorm(H).sync  # negative control


@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_of_averaged_weights(momentum, generator):
    """``update_bn``: the mean of the moments over all batches, whatever was there before."""
    net = AveragedModel(network(momentum=momentum).double())
    conv, layer = net.module[0], net.module[1]
    batches = [torch.randn(2, 1, 8, 8, generator=generator).double() + i for i in range(3)]
    net(batches[-1])
    keys, before = layer.state_dict().keys(), layer.running_mean.clone()
    update_bn([[x] for x in batches], net)
    with torch.no_grad():
        outputs = [conv(x).unflatten(1, (2, 4)) for x in batches]
    means = torch.stack([y.mean((0, 2, 3, 4)) for y in outputs])
    variances = torch.stack([y.transpose(0, 1).flatten(1).var(1) for y in outputs])
    assert_close(layer.running_mean, means.mean(0), ROUNDING)
    assert_close(layer.running_var, variances.mean(0), ROUNDING)
    assert (layer.running_mean - before).abs().max() > 0.1
    assert layer.momentum == momentum and layer.state_dict().keys() == keys


def test_a_momentum_that_changes():
    """As in torch it may be set at any time; the mean then begins with the next batch."""
    layer, x = BatchNorm(X).double(), torch.arange(6.0).double().view(3, 1, 1, 2)
    layer(x)
    layer.momentum = None
    layer(x)
    assert_close(layer.running_mean, x.mean().view(1), ROUNDING)
    layer.momentum = 0.5
    layer(x + 2)
    assert_close(layer.running_mean, x.mean().view(1) + 1, ROUNDING)
    with pytest.raises(ValueError, match="^momentum: expected None or a number from 0 to 1, got 2"):
        layer.momentum = 2
