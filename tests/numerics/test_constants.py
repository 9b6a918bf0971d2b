"""Constant buffers: exact in the dtype of the module, and never in a checkpoint."""

import copy
import pickle

import pytest
import torch
from torch import nn

from equinet.numerics import Constants


class Thirds(Constants):
    """A constant that no binary fraction holds, an index, a parameter and a statistic."""

    def __init__(self, dtype=None):
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), 0.1))
        self.register_buffer("statistic", torch.full((2,), 0.1))
        self.set_constants(dtype)

    def constants(self, dtype):
        return {"third": torch.arange(3, dtype=torch.float64) / 3, "index": torch.arange(3)}


class Plain(nn.Module):
    """The negative control: a buffer that is cast with the module."""

    def __init__(self):
        super().__init__()
        self.register_buffer("third", (torch.arange(3, dtype=torch.float64) / 3).float())


EXACT = torch.arange(3, dtype=torch.float64) / 3


def test_born_in_the_default_dtype_or_the_one_asked_for(default_dtype):
    assert Thirds().third.dtype == torch.float32
    assert torch.equal(Thirds(torch.float64).third, EXACT)
    default_dtype(torch.float64)
    assert torch.equal(Thirds().third, EXACT)


@pytest.mark.parametrize(
    "path",
    [
        (torch.float64,),
        (torch.float32, torch.float64),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float16),
        (torch.bfloat16, torch.float64, torch.float32),
    ],
    ids=lambda path: " ".join(str(dtype)[6:] for dtype in path),
)
def test_exact_in_any_dtype_on_any_path(path):
    module = nn.Sequential(nn.Sequential(Thirds()))
    for dtype in path:
        module.to(dtype)
    assert torch.equal(module[0][0].third, EXACT.to(path[-1]))
    assert module[0][0].index.dtype == torch.int64


def test_a_plain_buffer_would_keep_the_digits_of_float32():
    assert not torch.equal(Plain().double().third, EXACT)


def test_parameters_and_statistics_are_cast_as_in_torch():
    module = Thirds().double()
    for value in (module.weight.detach(), module.statistic):
        assert torch.equal(value, torch.full((2,), 0.1).double())


def test_no_constant_in_the_state_dict():
    module = Thirds()
    assert set(module.state_dict()) == {"weight", "statistic"}
    assert set(module.double().eval().state_dict()) == {"weight", "statistic"}
    Thirds().load_state_dict(module.state_dict(), strict=True)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_and_independent(copied):
    module = Thirds(torch.float64)
    other = copied(module)
    assert torch.equal(other.third, EXACT) and torch.equal(other.index, module.index)
    other.third.zero_()
    assert torch.equal(module.third, EXACT)
    assert torch.equal(other.float().double().third, EXACT)


def test_meta_device():
    """A module made without memory has its constants once it is given memory and widened."""
    with torch.device("meta"):
        module = Thirds()
    module.to_empty(device="cpu").double()
    assert torch.equal(module.third, EXACT)


class Listed(Constants):
    """Lists of constants, one with a gap."""

    def __init__(self):
        super().__init__()
        self.set_constants()

    def constants(self, dtype):
        thirds = [torch.arange(n, dtype=torch.float64) / 3 for n in (2, 3)]
        return {"whole": thirds, "holed": [None, *thirds, None], "single": torch.arange(2)}


def test_lists_of_constants():
    module = nn.Sequential(Listed().half().double())
    assert not module.state_dict()
    for twin in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        own = twin[0]
        assert torch.equal(own.listed("whole")[1], EXACT) and len(own.listed("whole")) == 2
        holed = own.listed("holed", gaps=True)
        assert holed[0] is holed[3] is None and torch.equal(holed[2], EXACT)
        assert [len(tensor) for tensor in own.listed("holed")] == [2, 3]
    assert module[0].listed("whole")[1].data_ptr() != module[0].listed("holed")[1].data_ptr()
    assert module.to(torch.float32)[0].listed("whole")[0].dtype == torch.float32
    assert module.to("meta")[0].listed("holed")[0].is_meta
    with pytest.raises(KeyError):
        module[0].listed("single")  # which is no list
