"""What every module keeps: plain tensors in and out, equivariance, and care for its samples.

What torch promises of a module is in ``test_module_state`` and, where it goes through a compiler,
in ``test_module_trace``.
"""

import copy
import inspect

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from equinet import FieldType, nn
from equinet.field import act, random_field
from tests.laws.module_cases import MODULES
from tests.laws.symmetry import elements, equivariance_error
from tests.over import over
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

every_module = over("case", MODULES)
exact_modules = over("case", [c for c in MODULES if c.exact])
other_modules = over("case", [c for c in MODULES if not c.exact])
# Points have neighbours; elsewhere the samples of a batch know nothing of each other.
separate_modules = over("case", [c for c in MODULES if not c.others])
grid_modules = over("case", [c for c in MODULES if len(c.sizes) in (2, 3)])

F64 = torch.float64


def test_every_public_class_has_a_case():
    public = {getattr(nn, name) for name in nn.__all__}
    kinds = [value for value in public if inspect.isclass(value)]
    classes = {kind for kind in kinds if issubclass(kind, torch.nn.Module)}
    classes -= {nn.EquivariantModule, nn.KernelLayer}  # which are bases
    classes -= {nn.RadialNetwork}  # a part of PointConv
    classes -= {nn.Potential}  # from networks to derivatives: its laws are in test_potential
    classes -= {nn.FieldLoss, nn.SobolevLoss}  # from two fields to a number: in test_losses
    tried = {case: type(case()) for case in MODULES}
    missing = sorted(kind.__name__ for kind in classes - set(tried.values()))
    assert not missing, f"no case in tests/laws/module_cases.py: {missing}"
    traced = {kind.forward for case, kind in tried.items() if case.traced}
    missing = sorted(kind.__name__ for kind in classes if kind.forward not in traced)
    assert not missing, f"no traced case in tests/laws/module_cases.py: {missing}"


@every_module
def test_plain_tensors_of_the_promised_shape(case, generator):
    module = case()
    y = module(*case.arguments(module, generator, batch=3))
    assert type(y) is torch.Tensor and y.dtype == torch.float32 and y.isfinite().all()
    if module.out_type is None:
        assert y.dim() == 2 and len(y) == 3
    else:
        module.out_type.check(y)
        assert len(y) == 3


# --- equivariance ---------------------------------------------------------------------------------


@exact_modules
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_equivariance_is_exact(case, training, generator):
    """Through the module as users make it: born in float32, then widened."""
    module = case().double().train(training)
    arguments = case.arguments(module, generator, dtype=F64)
    tried = elements(module, case.sizes, generator)
    assert len(tried) > 1
    for g in tried[-1:] if training else tried:
        assert equivariance_error(module, g, arguments) <= SYMMETRY, g


@other_modules
def test_equivariance_error_falls_under_refinement(case, generator):
    """For one and the same input, at finer and finer levels."""
    errors, seed = [], generator.get_state()
    for level in case.levels:
        module = case.make(level, torch.Generator().manual_seed(0)).double().eval()
        generator.set_state(seed)
        x = case.smooth(module, generator)
        tried = elements(module, case.sizes, generator)
        errors.append(sum(equivariance_error(module, g, (x,)) for g in tried) / len(tried))
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2] > 0


@every_module
def test_the_law_can_fail(case, generator):
    """Negative control: a module that looks at the place of a value does not commute with G."""
    module = case().double().eval()
    x, *others = case.arguments(module, generator, dtype=F64)
    ramp = torch.rand(x.shape[1:], generator=generator, dtype=F64)

    class Placed(torch.nn.Module):
        def forward(self, x, *others):
            return module(x * ramp, *others)

    types = module.in_type, module.out_type
    tried = elements(module, case.sizes, generator)[-2:]
    assert max(equivariance_error(Placed(), g, (x, *others), types) for g in tried) > 0.01
    assert module(x, *others).norm() > 0


def test_the_law_written_out(generator):
    """Phi(g f) = g Phi(f) for one module."""
    module = MODULES[0]().double()
    x = random_field(module.in_type, 2, generator=generator, dtype=F64)
    g = module.in_type.space.group.sample(generator=generator)
    assert isinstance(module.in_type, FieldType)
    moved = act(module.out_type, g, module(x))
    assert_close(module(act(module.in_type, g, x)), moved, SYMMETRY)


# --- gradients and samples ------------------------------------------------------------------------


@every_module
def test_gradients_flow(case, generator):
    module = case()
    x, *others = case.arguments(module, generator)
    torch.default_generator.manual_seed(0)  # of a dropout
    y = module(x.requires_grad_(), *others)
    (y * torch.randn(y.shape, generator=generator)).sum().backward()
    for name, tensor in [("x", x), *module.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all(), name
        assert tensor.grad.abs().max() > 0, name


@every_module
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_empty_batch(case, training, generator):
    module = case().train(training)
    state = copy.deepcopy(module.state_dict())
    full = case.arguments(module, generator)
    x = full[0][:0].clone().requires_grad_()
    others = case.others(0, generator, torch.float32) if case.others else ()
    y = module(x, *others)
    y.sum().backward()
    assert x.grad.shape == x.shape
    torch.testing.assert_close(module.state_dict(), state, rtol=0, atol=0)
    assert y.shape == (0, *module(*full).shape[1:])


@separate_modules
def test_nan_passes_through(case, generator):
    """It is not swallowed, and it stays in its sample."""
    module = case().eval()
    (x,) = case.arguments(module, generator)
    clean = module(x)
    x[(0,) * x.dim()] = torch.nan
    y = module(x)
    assert y[0].isnan().any()
    assert_close(y[1], clean[1], SINGLE)


@separate_modules
def test_strides_do_not_matter(case, generator):
    module = case().double().eval()
    (x,) = case.arguments(module, generator, dtype=F64)
    y = module(x)
    turned = x.permute(*reversed(range(x.dim()))).contiguous().permute(*reversed(range(x.dim())))
    spaced = torch.stack([x, x], -1)[..., 0]
    expanded = x[:1].expand(x.shape)
    for same in (turned, spaced):
        assert not same.is_contiguous() and torch.equal(same, x)
        assert_close(module(same), y, ROUNDING)
    assert_close(module(expanded), module(x[:1].repeat(2, *[1] * (x.dim() - 1))), ROUNDING)


@grid_modules
def test_memory_format_is_kept(case, generator):
    """Channels that lie side by side in memory do so in the output, with the same values."""
    module = case().eval()
    (x,) = case.arguments(module, generator)
    y = module(x)
    if y.dim() != x.dim():
        return
    layout = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    last = module(x.contiguous(memory_format=layout))
    assert y.is_contiguous() and last.is_contiguous(memory_format=layout)
    assert_close(last, y, SINGLE)


@separate_modules
def test_sample_by_sample(case, generator):
    """In evaluation the samples of a batch know nothing of each other."""
    module = case().double().eval()
    (x,) = case.arguments(module, generator, batch=3, dtype=F64)
    assert_close(torch.cat([module(x[i : i + 1]) for i in range(3)]), module(x), ROUNDING)


# --- bad input ------------------------------------------------------------------------------------


@every_module
def test_bad_input_is_refused(case, generator):
    module = case()
    x, *others = case.arguments(module, generator)
    named = r"^x: expected .*, got "
    wrong = {
        "channel count": torch.cat([x, x[:, :1]], 1),
        "no batch": x[0],
        "one axis more": x[..., None],
    }
    if not case.sizes and x.dim() > 2:
        wrong["band"] = x.repeat(1, 1, *[2] * (x.dim() - 2))
        wrong["odd grid"] = x[..., :-1]
    for what, tensor in wrong.items():
        with pytest.raises(ValueError, match=named) as caught:
            module(tensor, *others)
        assert str(tuple(tensor.shape)) in str(caught.value), what
    for dtype in (torch.complex64, torch.int64, torch.bool):
        with pytest.raises(TypeError, match=named + str(dtype)):
            module(x.to(dtype), *others)


@every_module
def test_another_dtype_or_device_is_refused(case, generator):
    """Of a module that has numbers of its own; else there is nothing to mix."""
    module = case()
    x, *others = case.arguments(module, generator)
    tensors = [*module.parameters(), *module.buffers()]
    if not any(tensor.is_floating_point() for tensor in tensors):
        wide = tree_map_only(Tensor, lambda y: y.double() if y.is_floating_point() else y, others)
        assert module(x.double(), *wide).dtype == F64
        return
    with pytest.raises(TypeError, match=r"^x: expected torch.float32 .*, got torch.float64"):
        module(x.double(), *others)
    with pytest.raises(ValueError, match=r"^x: expected a tensor on cpu, .*, got one on meta"):
        module(x.to("meta"), *others)
