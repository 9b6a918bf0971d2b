"""Every module goes through torch.func, each kind and new graph through torch.compile and export.

The programs leave the batch open, and the sizes of a grid. In ``make slow`` every module goes
through everything.
"""

import copy
import functools
import itertools

import numpy as np
import pytest
import torch
from torch.export import Dim

from tests.laws.module_cases import MODULES
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

TRACED = [case for case in MODULES if case.traced]

traced_modules = pytest.mark.parametrize("case", TRACED, ids=str)
every_module = over("case", MODULES)
separate_modules = over("case", [c for c in MODULES if not c.others])

F64 = torch.float64


def _kind(case) -> str:
    return case.name.partition("(")[0]


def _slow_unless(quick: bool, *values):
    return pytest.param(*values, marks=[] if quick else pytest.mark.slow)


def _traced_first(case):
    return _kind(case), not case.traced


KINDS = [
    list(cases) for _, cases in itertools.groupby(sorted(MODULES, key=_traced_first), key=_kind)
]
# ``test_compile`` has every traced case. That several modules of a kind share a process, and that
# torch's default behaves as dynamic=True at the second size, a few kinds show.
SEVERAL = ("BatchNorm", "FourierPointwise", "Gate", "GlobalAvgPool", "SphereConv")
DEFAULT = ("BatchNorm", "Conv2d", "Linear", "_point_conv", "SphereConv")


def _ways():
    """Two of some kinds, one for torch's default; all of all kinds are slow."""
    for dynamic, cases in itertools.product((None, True), KINDS):
        if _kind(cases[0]) in (SEVERAL if dynamic else DEFAULT):
            yield _slow_unless(True, cases[: 2 if dynamic else 1], dynamic)
        yield _slow_unless(False, cases, dynamic)


def _way(value):
    return f"{len(value)} {_kind(value[0])}" if isinstance(value, list) else value


@pytest.mark.compile
@pytest.mark.parametrize("cases, dynamic", list(_ways()), ids=_way)
def test_networks_of_one_kind_in_one_process(cases, dynamic, generator):
    """Without a break in the graph, one after the other, and with sizes that change.

    ``None`` is torch's default: a size becomes symbolic when a second one is seen.
    """
    torch.compiler.reset()
    with torch._dynamo.config.patch(recompile_limit=8 * len(cases)):
        for case in cases:
            module = case().eval()
            options = dict(fullgraph=True, dynamic=dynamic, backend="eager")
            compiled = torch.compile(module, **options)
            for batch, more in ((2, 0), (3, 2)):
                arguments = case.arguments(module, generator, batch=batch, more=more)
                assert_close(compiled(*arguments), module(*arguments), SINGLE)


@pytest.mark.compile
@traced_modules
def test_compile(case, generator):
    """Forwards and backwards, without a break in the graph, and with sizes that change."""
    module = case()
    torch.compiler.reset()
    options = dict(fullgraph=True, dynamic=True, backend="aot_eager")
    compiled = torch.compile(copy.deepcopy(module), **options)
    for batch, more in ((2, 0), (3, 2)):
        x, *others = case.arguments(module, generator, batch=batch, more=more)
        weights = torch.randn(module(x, *others).shape, generator=generator)
        x.requires_grad_()
        values, grads = [], []
        for net in (module, compiled):
            torch.default_generator.manual_seed(0)  # of a dropout
            values.append(net(x, *others))
            grads += torch.autograd.grad((values[-1] * weights).sum(), x)
        assert_close(values[1], values[0], SINGLE)
        assert_close(grads[1], grads[0], SINGLE * grads[0].abs().max())


def _opened(y):
    """A count of clouds, the points, or the edges between them."""
    if isinstance(y, int):
        return Dim.DYNAMIC
    return {1: Dim("edges")} if y.shape[0] == 2 and y.dim() == 2 else {0: Dim("points")}


def _program(case, module, generator) -> torch.export.ExportedProgram:
    """The module, open in the axes whose size is not part of it: batch and grid, or points."""
    arguments = case.arguments(module, generator, batch=3, more=2)
    if case.others:
        opened = [_opened(y) for y in arguments]
    else:
        opened = [dict.fromkeys((0, *range(2, 2 + len(case.sizes))), Dim.DYNAMIC)]
    return torch.export.export(module, arguments, dynamic_shapes=tuple(opened))


@pytest.mark.compile
@pytest.mark.parametrize("case", [_slow_unless(c.traced, c) for c in MODULES], ids=str)
def test_export(case, generator):
    module = case().eval()
    program = _program(case, module, generator).module()
    for batch, more in ((3, 0), (5, 2)):
        arguments = case.arguments(module, generator, batch=batch, more=more)
        assert_close(program(*arguments), module(*arguments), SINGLE)


# Those that are like most others, and two that other runtimes have read wrongly.
BY_ONNX = ("Conv3d(Volume('SO(3)')", "Gate(Vol", "GlobalAvgPool(Points", "Linear(Point")
BY_ONNX += ("SphereConv(1x3",)


@pytest.mark.compile
@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec:FutureWarning")  # inside torch
@pytest.mark.parametrize(
    "case", [_slow_unless(c.name.startswith(BY_ONNX), c) for c in MODULES], ids=str
)
def test_onnx(case, generator):
    """Another runtime computes the same numbers, also where a transform is complex inside."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    module = case().eval()
    program = torch.onnx.export(_program(case, module, generator), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    arguments = case.arguments(module, generator, batch=5, more=2)
    names = [given.name for given in session.get_inputs()]
    feed = {name: np.asarray(y) for name, y in zip(names, arguments, strict=True)}
    (y,) = session.run(None, feed)
    assert_close(torch.from_numpy(y), module(*arguments).detach(), SINGLE)


class _OfTensors(torch.nn.Module):
    """A module with what it takes besides tensors, such as the number of clouds, filled in."""

    def __init__(self, module, arguments):
        super().__init__()
        self.module, self.arguments = module, arguments

    def forward(self, *tensors):
        given = iter(tensors)
        filled = [next(given) if isinstance(a, torch.Tensor) else a for a in self.arguments]
        return self.module(*filled)


def _recorded(case, generator):
    arguments = case.arguments(module := case().eval(), generator)
    program = torch.jit.trace(
        _OfTensors(module, arguments), tuple(filter(_is_tensor, arguments)), check_trace=False
    )
    for batch in (2, 3) if not case.others else (2,):
        arguments = case.arguments(module, generator, batch=batch)
        assert_close(program(*filter(_is_tensor, arguments)), module(*arguments), SINGLE)


def _by_jit(cases):
    """A law over these, without what jit says of itself and of checks that become constants."""
    ignored = ("ignore:.*torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
    marks = [pytest.mark.filterwarnings(text) for text in ignored]
    return lambda law: functools.reduce(lambda f, mark: mark(f), marks, over("case", cases)(law))


RECORDED = [cases[0] for cases in KINDS if _kind(cases[0]) in (*SEVERAL, *DEFAULT, "MaxPool")]


@_by_jit(RECORDED)
def test_jit_trace(case, generator):
    """A program that is recorded gives the same numbers, where it may for another batch too."""
    _recorded(case, generator)


@pytest.mark.slow
@_by_jit([case for case in MODULES if case not in RECORDED])
def test_jit_trace_of_all_others(case, generator):
    _recorded(case, generator)


def _is_tensor(value):
    return isinstance(value, torch.Tensor)


# --- torch.func -----------------------------------------------------------------------------------


def _loss(case, module, generator):
    """A linear function of the output, of parameters and fields; and their values."""
    x, *others = case.arguments(module, generator, dtype=F64)
    weights = torch.randn(module(x, *others).shape, generator=generator, dtype=F64)

    def loss(parameters, x):
        y = torch.func.functional_call(module, parameters, (x, *others))
        return (y * weights).sum()

    return loss, {name: p.detach() for name, p in module.named_parameters()}, x


@every_module
def test_gradients_of_functions(case, generator):
    """torch.func's gradients are those of autograd."""
    module = case().double().eval()
    loss, parameters, x = _loss(case, module, generator)
    grads, grad = torch.func.grad(loss, (0, 1))(parameters, x)
    x.requires_grad_()
    loss(dict(module.named_parameters()), x).backward()
    assert_close(grad, x.grad, ROUNDING * (1 + grad.abs().max()))
    for name, parameter in module.named_parameters():
        assert_close(grads[name], parameter.grad, ROUNDING * (1 + grads[name].abs().max()))


@every_module
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside torch's jvp
def test_slope_along_a_direction(case, generator):
    """Forward mode agrees with backward mode."""
    loss, parameters, x = _loss(case, case().double().eval(), generator)
    t = torch.randn(x.shape, generator=generator, dtype=F64)
    _, slope = torch.func.jvp(lambda x: loss(parameters, x), (x,), (t,))
    grad = torch.func.grad(loss, 1)(parameters, x)
    assert_close(slope, (grad * t).sum(), ROUNDING * (1 + grad.norm() * t.norm()))


@separate_modules
def test_one_gradient_for_each_sample(case, generator):
    """vmap over samples, alone and around a gradient."""
    module = case().double().eval()
    (x,) = case.arguments(module, generator, batch=3, dtype=F64)
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def one(parameters, sample):
        return torch.func.functional_call(module, parameters, (sample[None],))[0]

    def loss(parameters, sample):
        return one(parameters, sample).square().sum()

    assert_close(torch.func.vmap(one, (None, 0))(parameters, x), module(x), ROUNDING)
    grads = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    whole = torch.func.grad(lambda p: sum(loss(p, sample) for sample in x))(parameters)
    for name in parameters:
        assert_close(grads[name].sum(0), whole[name], ROUNDING * (1 + whole[name].abs().max()))


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_an_ensemble_is_the_loop_over_its_members(generator):
    """``stack_module_state`` stacks parameters and buffers; so do the values, and the gradients.

    The skeleton that is called with them lies on the meta device, as torch's tutorial has it.
    """
    tried = 0
    for case in [c for c in MODULES if c.traced or c.name.startswith("SphereConv")]:
        members = [case.anew(seed).double().eval() for seed in range(2)]
        state = torch.func.stack_module_state(members)
        if not state[0]:
            continue
        tried += 1
        arguments = case.arguments(members[0], generator, dtype=F64)
        skeleton = copy.deepcopy(members[0]).to("meta")

        def run(parameters, buffers, skeleton=skeleton, arguments=arguments):
            return torch.func.functional_call(skeleton, (parameters, buffers), arguments)

        together = torch.func.vmap(run)(*state)
        one_by_one = torch.stack([member(*arguments) for member in members])
        scale = 1 + one_by_one.abs().max()
        assert (together - one_by_one).abs().max() < ROUNDING * scale, case
        together.square().sum().backward()
        one_by_one.square().sum().backward()
        for name, parameter in state[0].items():
            grads = torch.stack([member.get_parameter(name).grad for member in members])
            assert (parameter.grad - grads).abs().max() < SYMMETRY * scale**2, (case, name)
    assert tried > 20
