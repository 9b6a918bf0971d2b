"""What every module keeps: plain tensors, equivariance, and all that torch does with a module."""

import copy
import inspect
import pickle

import pytest
import torch

from equinet import FieldType, nn, testing
from equinet.field import act, random_field
from tests.laws.cases import MODULES
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

every_module = pytest.mark.parametrize("case", MODULES, ids=str)
exact_modules = pytest.mark.parametrize("case", [c for c in MODULES if c.exact], ids=str)
traced_modules = pytest.mark.parametrize("case", [c for c in MODULES if c.traced], ids=str)
other_modules = pytest.mark.parametrize("case", [c for c in MODULES if not c.exact], ids=str)


def _input(module, generator, batch=2, dtype=torch.float32):
    return random_field(module.in_type, batch, generator=generator, dtype=dtype)


def test_every_public_class_has_a_case():
    public = {getattr(nn, name) for name in nn.__all__}
    classes = {value for value in public if inspect.isclass(value)} - {nn.EquivariantModule}
    for cases in (MODULES, [case for case in MODULES if case.traced]):
        tried = {type(case()) for case in cases}
        assert classes <= tried, f"no case in tests/laws/cases.py: {classes - tried}"


@every_module
def test_plain_tensors_of_the_promised_shape(case, generator):
    module = case()
    x = _input(module, generator, batch=3)
    y = module(x)
    assert type(y) is torch.Tensor and y.dtype == torch.float32 and y.isfinite().all()
    if module.out_type is None:
        assert y.dim() == 2 and len(y) == 3
    else:
        assert tuple(y.shape) == module.out_type.shape(3)
        module.out_type.check(y)


@exact_modules
def test_equivariance_is_exact(case):
    """Through the module as users make it: born in float32, then widened."""
    module = case().double()
    error = testing.equivariance_error(module, band=case.band, count=5)
    assert error.max <= SYMMETRY, error


@other_modules
def test_equivariance_error_falls_under_refinement(case):
    """For one and the same input, on finer and finer grids."""
    errors = [
        testing.equivariance_error(case.make(band).double(), band=2, count=4, batch=2).mean
        for band in (3, 5, 8)
    ]
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2] > 0


@every_module
def test_the_law_can_fail(case, generator):
    """Negative control: a module that looks at the place of a value does not commute with G."""
    module = case().double()
    torch.nn.init.uniform_(ramp := torch.empty(module.in_type.shape(1)), generator=generator)

    class Placed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x * ramp)

    x = _input(module, generator, dtype=torch.float64)
    types = module.in_type, module.out_type
    assert testing.equivariance_error(Placed(), *types, band=case.band, count=1).max > 0.01
    assert module(x).norm() > 0


@every_module
def test_gradients_flow(case, generator):
    module = case()
    x = _input(module, generator).requires_grad_()
    y = module(x)
    (y * torch.randn(y.shape, generator=generator)).sum().backward()
    for name, tensor in [("x", x), *module.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all(), name
        assert tensor.grad.abs().max() > 0, name


@every_module
def test_double_is_exact(case, default_dtype, generator):
    """Widening gives the module that is made in float64, not one with the digits of float32."""
    module = case().double().eval()
    default_dtype(torch.float64)
    born = case().eval()
    born.load_state_dict(module.state_dict())
    x = _input(module, generator, dtype=torch.float64)
    assert_close(module(x), born(x), ROUNDING)


@every_module
def test_copies_compute_the_same(case, generator):
    module = case().eval()
    x = _input(module, generator)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert (twin.in_type, twin.out_type) == (module.in_type, module.out_type)
        assert torch.equal(twin(x), module(x))
        assert not {p.data_ptr() for p in twin.parameters()} & {
            p.data_ptr() for p in module.parameters()
        }


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
    module(_input(module, generator))
    assert set(module.eval().state_dict()) == learned | statistics


@every_module
def test_state_dict_round_trip(case, generator):
    module, other = case(), case().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator))
    x = _input(module, generator)
    module(x)  # statistics move
    module.eval()
    if module.state_dict():
        assert not torch.equal(other(x), module(x))
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(x), module(x))


def _without_memory(case) -> torch.nn.Module:
    with torch.device("meta"):
        module = case().eval()
    assert all(tensor.is_meta for tensor in [*module.parameters(), *module.buffers()])
    return module


@every_module
def test_made_on_the_meta_device(case, generator):
    """When memory is given to it, the constants are there as well."""
    module, late = case().eval(), _without_memory(case)
    late.to_empty(device="cpu").load_state_dict(module.state_dict())
    x = _input(module, generator)
    assert_close(late(x), module(x), SINGLE)


@every_module
def test_shapes_can_be_told_without_memory(case, generator):
    module = case().eval()
    x = _input(module, generator)
    y = _without_memory(case)(x.to("meta"))
    assert y.is_meta and y.shape == module(x).shape


@every_module
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_empty_batch(case, training, generator):
    module = case().train(training)
    state = copy.deepcopy(module.state_dict())
    full = _input(module, generator)
    x = full[:0].clone().requires_grad_()
    y = module(x)
    y.sum().backward()
    assert x.grad.shape == x.shape
    torch.testing.assert_close(module.state_dict(), state, rtol=0, atol=0)
    assert y.shape == (0, *module(full).shape[1:])


@every_module
def test_nan_passes_through(case, generator):
    """It is not swallowed, and it stays in its sample."""
    module = case().eval()
    x = _input(module, generator)
    clean = module(x)
    x[(0,) * x.dim()] = torch.nan
    y = module(x)
    assert y[0].isnan().any()
    assert_close(y[1], clean[1], SINGLE)


@every_module
def test_strides_do_not_matter(case, generator):
    module = case().double().eval()
    x = _input(module, generator, dtype=torch.float64)
    y = module(x)
    turned = x.permute(*reversed(range(x.dim()))).contiguous().permute(*reversed(range(x.dim())))
    spaced = torch.stack([x, x], -1)[..., 0]
    expanded = x[:1].expand(x.shape)
    for same in (turned, spaced):
        assert not same.is_contiguous() and torch.equal(same, x)
        assert_close(module(same), y, ROUNDING)
    assert_close(module(expanded), module(x[:1].repeat(2, *[1] * (x.dim() - 1))), ROUNDING)


@every_module
def test_sample_by_sample(case, generator):
    """In evaluation the samples of a batch know nothing of each other."""
    module = case().double().eval()
    x = _input(module, generator, batch=3, dtype=torch.float64)
    assert_close(torch.cat([module(x[i : i + 1]) for i in range(3)]), module(x), ROUNDING)


@every_module
def test_bad_input_is_refused(case, generator):
    module = case()
    x = _input(module, generator)
    named = r"^x: expected .*, got "
    wrong = {
        "channel count": torch.cat([x, x[:, :1]], 1),
        "band": x.repeat(1, 1, *[2] * (x.dim() - 2)),
        "odd grid": x[..., :-1],
        "no batch": x[0],
        "one axis more": x[..., None],
    }
    for what, tensor in wrong.items():
        with pytest.raises(ValueError, match=named) as caught:
            module(tensor)
        assert str(tuple(tensor.shape)) in str(caught.value), what
    for dtype in (torch.complex64, torch.int64, torch.bool):
        with pytest.raises(TypeError, match=named + str(dtype)):
            module(x.to(dtype))


@every_module
def test_autocast(case, generator):
    module = case()
    x = _input(module, generator)
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x.to(dtype))
        assert y.isfinite().all() and y.shape == module(x).shape
        y.float().sum().backward() if y.requires_grad else None


@pytest.mark.compile
@traced_modules
def test_compile(case, generator):
    module = case()
    x = _input(module, generator).requires_grad_()
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True, backend="aot_eager")
    for net in (module, compiled):
        net(x).square().sum().backward()
        x.grad, net.grad_of_x = None, x.grad
    assert_close(compiled.grad_of_x, module.grad_of_x, SINGLE * module.grad_of_x.abs().max())


@pytest.mark.compile
@traced_modules
def test_export(case, generator):
    module = case().eval()
    x = _input(module, generator)
    program = torch.export.export(module, (x,))
    y = program.module()(x)
    assert_close(y, module(x), SINGLE)


def test_the_types_know_the_action(generator):
    """The law for one module written out: Phi(g f) = g Phi(f)."""
    module = MODULES[0]().double()
    x = _input(module, generator, dtype=torch.float64)
    g = module.in_type.space.group.sample(generator=generator)
    assert isinstance(module.in_type, FieldType)
    moved = act(module.out_type, g, module(x))
    assert_close(module(act(module.in_type, g, x)), moved, SYMMETRY)
