"""The tables of the GPU code are constants of layers, not of a cache that forgets them."""

import copy
import pickle
from unittest import mock

import pytest
import torch

from equinet.field import Plane, Sphere
from equinet.nn import Conv2d, SphereConv
from equinet.ops.native import cuda
from tests.ops.emulation.gpu import dispatched_to_gpu
from tests.tolerances import ROUNDING, assert_close


def conv(copies: int = 2) -> Conv2d:
    fields = Plane("C4").fields(f"{copies}x regular")
    return Conv2d(fields, fields, 3).double()


def sphere_conv(copies: int = 2) -> SphereConv:
    fields = Sphere(3).fields(f"{copies}x regular")
    return SphereConv(fields, fields).double()


def filters(layer) -> torch.Tensor:
    return layer.dense()


every_layer = pytest.mark.parametrize("make", [conv, sphere_conv], ids=["Conv2d", "SphereConv"])


@every_layer
def test_kernels_read_the_memory_of_the_layer(driver, make):
    """What a CUDA graph records is there as long as the layer, however many others there are."""
    layers = [make(copies) for copies in range(1, 4)]
    with dispatched_to_gpu(driver), mock.patch.object(cuda, "launch", wraps=cuda.launch) as launch:
        for layer in layers * 2:
            filters(layer)
            launch.reset_mock()
            filters(layer).sum().backward()  # both directions
            assert launch.call_count == 2
            for call in launch.call_args_list:
                given = [x.data_ptr() for x in call.args if isinstance(x, torch.Tensor)]
                assert layer.table.data_ptr() in given


@every_layer
def test_they_are_buffers_of_integers(make):
    layer = make()
    table, weights = layer.table, filters(layer)
    assert table.dtype == torch.int64 and "table" not in layer.state_dict()
    assert torch.equal(copy.deepcopy(layer).half().table, table)
    assert torch.equal(pickle.loads(pickle.dumps(layer)).table, table)
    there_and_back = copy.deepcopy(layer).to("meta").to_empty(device="cpu")
    assert torch.equal(there_and_back.table, table)
    assert torch.equal(filters(layer), weights)


@every_layer
def test_stacked_with_the_state_of_the_module(make):
    """torch.func stacks buffers too; the reference does not read them."""
    layers = [make(), make()]
    parameters, buffers = torch.func.stack_module_state(layers)

    def call(parameters, buffers):
        with torch.nn.utils.stateless._reparametrize_module(layers[0], {**parameters, **buffers}):
            return filters(layers[0])

    found = torch.vmap(call)(parameters, buffers)
    assert_close(found, torch.stack([filters(layer) for layer in layers]), ROUNDING)


@pytest.mark.parametrize("name", ["expansion", "filter_spectrum"])
def test_a_table_of_another_plan_is_refused(name):
    layer = conv() if name == "expansion" else sphere_conv()
    layer.table = layer.table[1:]
    with pytest.raises(ValueError, match=rf"{name}: table: expected the shape"):
        filters(layer)
    layer.table = torch.zeros(3)
    with pytest.raises(TypeError, match=rf"{name}: table: expected torch.int64 on cpu, got"):
        filters(layer)
