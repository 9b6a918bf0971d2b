"""What torch promises of a module, for every module: copies, state, dtypes, devices, seeds."""

import copy
import inspect
import itertools
import pickle
import re
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from equinet import Plane, nn
from equinet.convert.block_products import BlockProducts
from equinet.group import cyclic, generate
from equinet.harmonics import rotate_s2
from equinet.nn.steerable import Steerable
from tests.laws.module_cases import MODULES
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, assert_close

every_module = over("case", MODULES)
# Of each class over each kind of space.
_KINDS = {re.match(r"\w+\(?\w*", str(case))[0]: case for case in MODULES}
one_of_each_kind = over("case", _KINDS.values())
plain_modules = over("case", [c for c in MODULES if c.plain])

F64 = torch.float64
OWN = (nn.EquivariantModule, nn.RadialNetwork)


def test_double_is_exact(default_dtype, generator):
    """Widening gives the module that is made in float64, not one with the digits of float32.

    All modules in one test, since for the second half all cached constants are made anew.
    """
    cases = [(case, case().double().eval()) for case in MODULES]
    default_dtype(F64)
    for case, module in cases:
        born = case.anew().eval()
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


@pytest.mark.process
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
    """Parameters and the statistics of batch norm, by the same names in both modes; and for each
    module that has some of its own, what they mean."""
    module = case()
    learned = {name for name, _ in module.named_parameters()}
    statistics = {
        f"{name}.{statistic}" if name else statistic
        for name, part in module.named_modules()
        if isinstance(part, nn.BatchNorm)
        for statistic in ("running_mean", "running_var")
    }
    owners = {re.sub(r"(^|[.])(mixers|weights)?[.]?[^.]+$", "", n) for n in learned | statistics}
    words = {
        f"{name}._extra_state" if name else "_extra_state"
        for name in owners
        if isinstance(module.get_submodule(name), nn.EquivariantModule)
    }
    assert set(module.train().state_dict()) == learned | statistics | words
    module(*case.arguments(module, generator))
    assert set(module.eval().state_dict()) == learned | statistics | words


def _learned_parts():
    """Every module of every case that has learned numbers of its own."""
    for case in MODULES:
        for part in case().modules():
            if isinstance(part, nn.EquivariantModule) and part.get_extra_state() is not None:
                yield part


def _mean_the_same(a, b, generator) -> bool:
    """Whether weights of one module are right for the other, from what they make of them."""
    for fields, others in ((a.in_type, b.in_type), (a.out_type, b.out_type)):
        if fields.blocks != others.blocks:
            return False
    if isinstance(a, Steerable) and isinstance(b, Steerable):
        weight = torch.randn(a.weight.shape, generator=generator)
        matrices = a.dense(weight), b.dense(weight)
        return matrices[0].shape == matrices[1].shape and torch.allclose(*matrices, atol=1e-5)
    return getattr(a, "functions", None) == getattr(b, "functions", None)


def test_words_tell_meanings_apart(generator):
    """Among weights of equal shapes, words are equal if and only if the maps are."""
    alike = {}
    for part in _learned_parts():
        shapes = {n: t.shape for n, t in part.state_dict().items() if n != "_extra_state"}
        alike.setdefault(repr(sorted(shapes.items())), []).append(part)
    found = []
    for parts in alike.values():
        for a, b in itertools.combinations(parts, 2):
            same = _mean_the_same(a, b, generator)
            assert (a.meaning() == b.meaning()) == same, (a, b)
            found.append(same)
    assert any(found) and found.count(False) > 10


def test_a_checkpoint_of_another_symmetry_is_refused(tmp_path):
    """Weights of C4 and of C5 have one shape; groups that are equal are, whatever their names."""
    made = {}
    equal = generate(cyclic(4).elements[1:2], "another name")
    for name, group in (("C4", "C4"), ("C5", "C5"), ("equal", equal)):
        fields = Plane(group).fields("2x1")
        made[name] = torch.nn.Sequential(nn.Conv2d(fields, fields, 3), nn.BatchNorm(fields))
    torch.save(made["C4"].state_dict(), tmp_path / "C4.pt")
    state = torch.load(tmp_path / "C4.pt", weights_only=True)
    wrong, right = made["C5"], made["equal"]
    assert {n: t.shape for n, t in wrong.state_dict().items()} == {
        n: t.shape for n, t in state.items()
    }
    for strict in (True, False):
        with pytest.raises(RuntimeError, match="0.weight: expected .*order 5 in .*order 4 in") as e:
            wrong.load_state_dict(state, strict=strict)
        assert "1.weight: expected numbers that belong to '2x1 (order 5 in R^2" in str(e.value)
    x = torch.ones(2, 4, 5, 5)
    averaged = torch.optim.swa_utils.AveragedModel(made["C4"])
    averaged.load_state_dict(averaged.state_dict())
    for assign in (False, True):
        right.load_state_dict({name: t.clone() for name, t in state.items()}, assign=assign)
        assert_close(right.eval()(x), made["C4"].eval()(x), SINGLE)
    assert_close(torch.func.functional_call(right, state, x), made["C4"](x), SINGLE)
    # Without words, as before there were any, there is nothing to compare.
    wrong.load_state_dict({n: t for n, t in state.items() if not n.endswith("_extra_state")})


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
    module, again, other = case.anew(), case(), case.anew(seed=1)
    assert torch.equal(torch.get_rng_state(), before), "drew from torch's own generator"
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        if parameter.unique().numel() > 1:  # else a constant: a bias, a weight of a norm
            assert not torch.equal(parameter, other.get_parameter(name)), name


def _layers(module):
    """Those of a row and of its branches, in order."""
    holds = isinstance(module, nn.Sequential | nn.Residual)
    return [part for child in module.children() for part in _layers(child)] if holds else [module]


@every_module
def test_weights_are_drawn_anew(case):
    """``reset_parameters`` draws what the constructor draws, and the same from the same seed."""
    module, twin = case(), case()
    owners = [m for m in module.modules() if type(m).__module__.startswith("equinet")]
    drawn = [part for part in owners if hasattr(part, "reset_parameters")]
    inner = {id(m) for part in drawn for m in part.modules() if not isinstance(m, OWN)}
    resets = [m for m in module.modules() if hasattr(m, "reset_parameters")]
    parts = [m for m in resets if id(m) not in inner]  # what draws does so for its plain parts
    if case.others:  # PointConv: its radial comes first
        parts = [p for layer in _layers(module) for p in reversed([*layer.modules()]) if p in parts]
    for part in owners:  # what has parameters can be reset
        assert hasattr(part, "reset_parameters") or not part._parameters, part
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.add_(1)
    for seed in (0, 0, 1):
        generator = torch.Generator().manual_seed(seed)
        for part in parts:
            part.reset_parameters(*[generator] * isinstance(part, OWN))
        for name, tensor in module.named_parameters():
            same = torch.equal(tensor, other := twin.get_parameter(name))
            assert same if seed == 0 else not same or other.unique().numel() < 2, name
    for name, buffer in module.named_buffers():
        assert torch.equal(buffer, twin.get_buffer(name)), name


# --- devices and dtypes ---------------------------------------------------------------------------


@every_module
def test_made_on_the_meta_device(case, generator):
    """There it tells shapes; when memory is given to it, the constants are there as well."""
    module = case().eval()
    with torch.device("meta"):
        late = case.anew().eval()
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
        late = case.anew()
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
        mode(case.anew)
    mode(lambda: rotate_s2(torch.ones(1, 1, 4, 4), torch.eye(3)))
    for case in cases:
        module = case.anew()
        y = module(*case.arguments(module, generator))
        y.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in module.parameters())
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    rotate_s2(x, torch.eye(3)).sum().backward()
    assert_close(x.grad.sum(), 16.0, SINGLE)


@one_of_each_kind
def test_device_and_dtype_are_arguments(case, monkeypatch):
    """Of all that has learned numbers, and what they give is what ``to`` gives."""
    module = case()
    kind = type(module)
    if "device" not in inspect.signature(kind).parameters:
        assert module.get_extra_state() is None if isinstance(module, OWN) else True
        assert (
            issubclass(kind, torch.nn.Sequential)
            or not list(module.state_dict())
            or kind in (nn.Residual, nn.Concat, nn.Pointwise, nn.Canonicaliser, BlockProducts)
        )
        return
    init = kind.__init__
    assert {"device", "dtype"} <= set(inspect.signature(kind).parameters)

    def made(**factory):
        def start(self, *args, **options):
            init(self, *args, **options, **factory)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "__init__", start)
            return case.anew()

    assert all(t.is_meta for t in itertools.chain(*_tensors(made(device="meta"))))
    for ours, moved in zip(_tensors(made(dtype=F64)), _tensors(module.to(F64)), strict=True):
        for one, other in zip(ours, moved, strict=True):
            assert one.dtype == other.dtype and torch.equal(one, other)
    with pytest.raises(TypeError, match="^dtype: expected a real floating dtype, got"):
        made(dtype=torch.complex64)


def _tensors(module):
    return module.parameters(), module.buffers()


@every_module
def test_autocast(case, generator):
    """In bfloat16 the numbers are those of float32 to two digits, most of them: where two values
    are alike, which one is the larger may change."""
    module = case()
    x, *others = case.arguments(module, generator)
    torch.default_generator.manual_seed(0)  # of a dropout
    expected = module(x, *others)
    for dtype in (torch.float32, torch.bfloat16):
        torch.default_generator.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x.to(dtype), *others)
        assert y.shape == expected.shape and y.isfinite().all()
        assert (y.float() - expected).abs().median() < 0.02 * expected.square().mean().sqrt()
        if y.requires_grad:
            y.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)


POOLS = ("GlobalAvgPool", "GlobalMaxPool", "SumPool", "Integrate")


@over("case", [c for c in MODULES if c.name.partition("(")[0].endswith((*POOLS, "Norm"))])
def test_statistics_keep_their_digits_under_autocast(case, generator):
    """Means over many points and what is divided by them, in float32; pools return it."""
    module = case()
    pools = type(module).__name__ in POOLS
    x, *others = case.arguments(module, generator)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    for given in (x, x.bfloat16()) if pools else (x,):
        module.load_state_dict(state)
        expected = module(given.float(), *others)
        module.load_state_dict(state)
        with torch.autocast("cpu", torch.bfloat16):
            y = module(given, *others)
        assert y.dtype == torch.float32
        assert_close(y, expected, SINGLE)


@every_module
def test_single_precision(case, generator):
    """The error of float32 is that of rounding, no digit is lost in between."""
    module = case().eval()
    arguments = case.arguments(module, generator)
    y = module(*arguments)
    wide = tree_map_only(Tensor, lambda a: a.double() if a.is_floating_point() else a, arguments)
    exact = copy.deepcopy(module).double()(*wide)
    assert (y - exact).norm() < SINGLE * exact.norm()
