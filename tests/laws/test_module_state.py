"""What torch promises of a module, for every module: copies, state, dtypes, devices, seeds."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from equinet import nn
from equinet.harmonics import rotate_s2
from tests.laws.module_cases import MODULES
from tests.tolerances import ROUNDING, SINGLE, assert_close

every_module = pytest.mark.parametrize("case", MODULES, ids=str)
plain_modules = pytest.mark.parametrize("case", [c for c in MODULES if c.plain], ids=str)

F64 = torch.float64


def test_double_is_exact(default_dtype, generator):
    """Widening gives the module that is made in float64, not one with the digits of float32.

    All modules in one test, since for the second half all cached constants are made anew.
    """
    cases = [(case, case().double().eval()) for case in MODULES]
    default_dtype(F64)
    for case, module in cases:
        born = case().eval()
        born.load_state_dict(module.state_dict())
        arguments = case.arguments(module, generator, dtype=F64)
        error = (module(*arguments) - born(*arguments)).abs().max()
        assert error <= ROUNDING, case


@every_module
def test_copies_compute_the_same(case, generator):
    module = case().eval()
    arguments = case.arguments(module, generator)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert (twin.in_type, twin.out_type) == (module.in_type, module.out_type)
        assert torch.equal(twin(*arguments), module(*arguments))
        assert not {p.data_ptr() for p in twin.parameters()} & {
            p.data_ptr() for p in module.parameters()
        }


@every_module
def test_export_computes_the_same(case, generator):
    """As it is given, in the numbers of evaluation; and the module is left as it was."""
    module = case().train()
    module(*(arguments := case.arguments(module, generator)))  # statistics move
    state = copy.deepcopy(module.state_dict())
    exported = module.export()
    assert module.training
    torch.testing.assert_close(module.state_dict(), state, rtol=0, atol=0)
    assert_close(exported(*arguments), module.eval()(*arguments), SINGLE)
    own = {p.data_ptr() for p in module.parameters()}
    assert not own & {p.data_ptr() for p in exported.parameters()}


@plain_modules
def test_export_leaves_nothing_of_this_library(case):
    for part in case().export().modules():
        assert not type(part).__module__.startswith("equinet"), part


def test_exports_load_without_this_library(tmp_path, generator):
    """In a process that cannot import it, they compute the same."""
    saved = []
    for case in (case for case in MODULES if case.plain):
        module = case().eval()
        arguments = case.arguments(module, generator)
        saved.append((str(case), module.export(), arguments, module(*arguments).detach()))
    torch.save(saved, tmp_path / "exports.pt")
    program = """
import sys, torch
sys.modules["equinet"] = None
for name, module, arguments, y in torch.load("exports.pt", weights_only=False):
    torch.testing.assert_close(module(*arguments), y, rtol=0, atol=2e-5, msg=name)
    wide = module.double()(arguments[0].double())
    torch.testing.assert_close(wide, y.double(), rtol=0, atol=2e-5, msg=name)
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)


# --- state ----------------------------------------------------------------------------------------


@every_module
def test_state_dict_is_what_was_learned(case, generator):
    """Parameters and the statistics of batch norm, by the same names in both modes."""
    module = case()
    learned = {name for name, _ in module.named_parameters()}
    statistics = {
        f"{name}.{statistic}" if name else statistic
        for name, part in module.named_modules()
        if isinstance(part, nn.BatchNorm)
        for statistic in ("running_mean", "running_var")
    }
    assert set(module.train().state_dict()) == learned | statistics
    module(*case.arguments(module, generator))
    assert set(module.eval().state_dict()) == learned | statistics


@every_module
def test_state_dict_round_trip(case, generator):
    module, other = case(), case().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator))
    arguments = case.arguments(module, generator)
    module(*arguments)  # statistics move
    module.eval()
    if module.state_dict():
        assert not torch.equal(other(*arguments), module(*arguments))
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(*arguments), module(*arguments))


@every_module
def test_initial_weights_are_seeded(case):
    """By the generator alone where a module takes one, and the same each time."""
    before = torch.get_rng_state()
    module, again, other = case(seed=0), case(seed=0), case(seed=1)
    assert torch.equal(torch.get_rng_state(), before), "drew from torch's own generator"
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        if parameter.unique().numel() > 1:  # else a constant: a bias, a weight of a norm
            assert not torch.equal(parameter, other.get_parameter(name)), name


# --- devices and dtypes ---------------------------------------------------------------------------


@every_module
def test_made_on_the_meta_device(case, generator):
    """There it tells shapes; when memory is given to it, the constants are there as well."""
    module = case().eval()
    with torch.device("meta"):
        late = case().eval()
    assert all(tensor.is_meta for tensor in [*late.parameters(), *late.buffers()])
    arguments = case.arguments(module, generator)
    expected = module(*arguments)
    y = late(*tree_map_only(Tensor, lambda argument: argument.to("meta"), arguments))
    assert y.is_meta and y.shape == expected.shape
    assigned = copy.deepcopy(late)
    assigned.load_state_dict(module.state_dict(), assign=True)  # the constants follow
    late.to_empty(device="cpu").load_state_dict(module.state_dict())
    for filled in (assigned, late):
        assert_close(filled(*arguments), expected, SINGLE)


def test_a_module_without_numbers_says_how_to_give_it_some():
    """``torch.set_default_device`` is another way to get there."""
    case = next(case for case in MODULES if case.name.startswith("Conv3d"))
    torch.set_default_device("meta")
    try:
        late = case()
    finally:
        torch.set_default_device(None)
    with pytest.raises(ValueError, match="^x: expected a tensor on meta.*to_empty.*load_state"):
        late(torch.zeros(late.in_type.shape(1, *case.sizes)))


def _in_a_transform(make):
    torch.func.grad(lambda x: (make(), x.sum())[1])(torch.zeros(2))


def _with_inference_mode(make):
    with torch.inference_mode():
        make()


def _with_meta_device(make):
    with torch.device("meta"):
        make()


_MADE_OF_CACHES = ("SphereConv(SmoothFilter", "SphereConv(2x regular", "Sequential(a spher")
_MADE_OF_CACHES += ("Conv3d(Volume('SO(3)')", "TensorProduct(Volume", "HomogeneousConv", "InducedN")


@pytest.mark.parametrize("mode", [_in_a_transform, _with_inference_mode, _with_meta_device])
def test_modes_leave_no_trace(mode, generator, default_dtype):
    """A network made under a mode does not spoil those that are made later in the process."""
    default_dtype(torch.float32)  # forgets all cached constants
    cases = [case for case in MODULES if case.name.startswith(_MADE_OF_CACHES)]
    for case in cases:
        mode(case)
    mode(lambda: rotate_s2(torch.ones(1, 1, 4, 4), torch.eye(3)))
    for case in cases:
        module = case()
        y = module(*case.arguments(module, generator))
        y.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in module.parameters())
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    rotate_s2(x, torch.eye(3)).sum().backward()
    assert_close(x.grad.sum(), 16.0, SINGLE)


@every_module
def test_autocast(case, generator):
    """In bfloat16 the numbers are those of float32 to two digits, most of them: where two values
    are alike, which one is the larger may change."""
    module = case()
    x, *others = case.arguments(module, generator)
    torch.manual_seed(0)  # of a dropout
    expected = module(x, *others)
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x.to(dtype), *others)
        assert y.shape == expected.shape and y.isfinite().all()
        assert (y.float() - expected).abs().median() < 0.02 * expected.square().mean().sqrt()
        if y.requires_grad:
            y.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)


@every_module
def test_single_precision(case, generator):
    """The error of float32 is that of rounding, no digit is lost in between."""
    module = case().eval()
    arguments = case.arguments(module, generator)
    y = module(*arguments)
    wide = tree_map_only(Tensor, lambda a: a.double() if a.is_floating_point() else a, arguments)
    exact = copy.deepcopy(module).double()(*wide)
    assert (y - exact).norm() < SINGLE * exact.norm()
