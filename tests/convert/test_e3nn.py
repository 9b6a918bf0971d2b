"""Layers of e3nn and what they become: equal in outputs, derivatives, and what is learned."""

import copy
import importlib
import pickle
import pkgutil

import e3nn.nn
import e3nn.o3
import pytest
import torch
import torch.nn.functional as F

from equinet import Point, Points, Volume, nn
from equinet.convert import from_e3nn
from equinet.convert.block_gates import BlockGates
from equinet.convert.block_products import BlockProducts
from equinet.convert.sampled_pointwise import SampledPointwise
from equinet.testing import assert_equivariant
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

pytestmark = pytest.mark.filterwarnings("ignore:.*dead paths")  # of these layers of e3nn

F64 = torch.float64
X, Y = "2x0e + 3x1o + 1x0e + 2x2e", "1x0e + 2x1o + 1x2e"
SAME = "3x0e + 3x1o + 3x2e"


def _linear(*irreps, **options):
    return lambda: e3nn.o3.Linear(*irreps, **options)


def _full(*irreps, **options):
    return lambda: e3nn.o3.FullyConnectedTensorProduct(*irreps, **options)


def _product(irreps, instructions, **options):
    return lambda: e3nn.o3.TensorProduct(*irreps, instructions, **options)


def _every_path(first, second, out, mode):
    """The instructions of all paths between given blocks."""
    blocks = [list(e3nn.o3.Irreps(text)) for text in (first, second, out)]
    return [
        (i, j, k, mode, True)
        for i, (_, a) in enumerate(blocks[0])
        for j, (_, b) in enumerate(blocks[1])
        for k, (_, c) in enumerate(blocks[2])
        if c in a * b
    ]


def _side_by_side(first, second, keep):
    """All paths uvu, each with a block of its own in the output, as in NequIP."""
    first, second = e3nn.o3.Irreps(first), e3nn.o3.Irreps(second)
    out, instructions = [], []
    for i, (mul, a) in enumerate(first):
        for j, (_, b) in enumerate(second):
            for c in a * b:
                if str(c) in keep:
                    instructions.append((i, j, len(out), "uvu", True))
                    out.append((mul, c))
    out, order, _ = e3nn.o3.Irreps(out).sort()
    instructions = [(i, j, order[k], *rest) for i, j, k, *rest in instructions]
    return (first, second, out), instructions


def _batch_norm(irreps, **options):
    return lambda: e3nn.nn.BatchNorm(irreps, **options)


def _network(widths, act, **options):
    return lambda: e3nn.nn.FullyConnectedNet(widths, act, **options)


def _gate(scalars, act_scalars, gates, act_gates, gated):
    return lambda: e3nn.nn.Gate(scalars, act_scalars, gates, act_gates, gated)


UVU = "2x0e + 2x1o", "2x0e + 1x1o", "2x1o + 2x0e"
MIXED = "2x0e + 2x1o", "1x0e + 3x1o", "2x0e + 5x1o + 2x1o + 0x3o + 1x2e"
PATHS = [
    (0, 0, 0, "uvu", True, 2.0), (0, 1, 1, "uvw", True, 0.5), (1, 0, 2, "uvu", True),
    (1, 1, 0, "uvu", True), (1, 1, 4, "uvw", True), (1, 1, 0, "uvu", False),
]  # fmt: skip
# The layer of e3nn, its inputs, and the class that it becomes.
CASES = {
    "Linear": (_linear(X, "4x0e + 2x1o + 1x1o"), (X,), nn.Linear),
    "Linear, biases": (_linear(X, "0x1o + 2x0e + 1x1o + 1x0e", biases=True), (X,), nn.Linear),
    "Linear, by path": (_linear(X, "4x0e + 2x2e", path_normalization="path"), (X,), nn.Linear),
    "full": (_full(X, Y, "3x0e + 2x1o + 1x1e + 2x3o"), (X, Y), nn.Product),
    "full, norm": (_full(X, Y, "2x0e+1x2e", irrep_normalization="norm"), (X, Y), nn.Product),
    "full, path": (_full(X, Y, "2x1o+2x1e+1x1o", path_normalization="path"), (X, Y), nn.Product),
    "full, 0x": (_full("0x0o+2x1o", "0x2e+1x1o", "1x0e+0x1e+2x2e"), ("2x1o", "1o"), nn.Product),
    "uvw": (
        _product((X, Y, X), _every_path(X, Y, X, "uvw"), in1_var=[1, 2, 3, 4]), (X, Y), nn.Product
    ),
    "uvu": (_product((SAME, Y, SAME), _every_path(SAME, Y, SAME, "uvu")), (SAME, Y), nn.Product),
    "uvu, 2": (_product(UVU, _every_path(*UVU, "uvu"), out_var=[2, 3]), UVU[:2], nn.Product),
    "uvu, side by side": (
        _product(*_side_by_side(X, "0e + 1o + 2e", "0e 1o 1e 2e")), (X, "0e+1o+2e"), BlockProducts,
    ),
    "some": (_product(MIXED, PATHS), MIXED[:2], BlockProducts),
    "BatchNorm": (_batch_norm(X + "+2x0o"), (X + "+2x0o",), nn.BatchNorm),
    "BatchNorm, vectors": (_batch_norm("3x1o", normalization="norm"), ("3x1o",), nn.BatchNorm),
    "BatchNorm, plain": (_batch_norm(X, affine=False, eps=1e-3, momentum=0.3), (X,), nn.BatchNorm),
    "BatchNorm, no bias": (_batch_norm(X, include_bias=False), (X,), nn.BatchNorm),
    "gate": (
        _gate("4x0e", [F.silu], "5x0e", [torch.sigmoid], "3x1o + 2x2e"),
        ("4x0e + 5x0e + 3x1o + 2x2e",), BlockGates,
    ),
    "gate, parities": (
        _gate(
            "3x0o + 2x0e + 1x0o + 2x0o", [torch.tanh, F.silu, torch.abs, None],
            "2x0o + 3x0e", [torch.tanh, torch.tanh], "1x1o + 2x1e + 2x0o",
        ),
        ("5x0e + 10x0o + 1x1o + 2x1e",), BlockGates,
    ),
    "gate, scalars": (_gate("4x0e + 0x0e", [F.silu, None], "", [], ""), ("4x0e",), BlockGates),
    "gate, no scalars": (
        _gate("", [], "2x0e", [torch.nn.LeakyReLU(0.1)], "2x1o"), ("2x0e+2x1o",), BlockGates
    ),
    "Activation": (
        lambda: e3nn.nn.Activation("3x0e + 2x1o + 2x0o + 0x0e", [F.silu, None, torch.tanh, None]),
        ("3x0e + 2x1o + 2x0o",), BlockGates,
    ),
    "NormActivation": (
        lambda: e3nn.nn.NormActivation(e3nn.o3.Irreps(X), torch.sigmoid, bias=True), (X,),
        nn.NormActivation,
    ),
    "Norm": (lambda: e3nn.o3.Norm(X), (X,), nn.NormPool),
    "ExtractIr": (lambda: e3nn.nn.ExtractIr(X + "+ 2x1o", "1o"), (X + "+ 2x1o",), nn.Select),
    "Identity": (lambda: e3nn.nn.Identity(X, X), (X,), nn.Identity),
    "Dropout": (lambda: e3nn.nn.Dropout(X, 0.3), (X,), nn.FieldDropout),
    "S2Activation": (
        lambda: e3nn.nn.S2Activation(e3nn.o3.Irreps("0e + 1o + 2e"), torch.tanh, 12, lmax_out=1),
        ("0e + 1o + 2e",), SampledPointwise,
    ),
    "SO3Activation": (
        lambda: e3nn.nn.SO3Activation(1, 2, F.silu, 4), ("0e + 3x1e",), SampledPointwise
    ),
    "network": (_network([8, 16, 5], F.silu), ("8x0e",), torch.nn.Sequential),
    "network, one layer": (_network([3, 4], None), ("3x0e",), torch.nn.Sequential),
    "network, variances": (
        _network([8, 6, 6, 5], torch.tanh, variance_in=2.0, variance_out=3.0),
        ("8x0e",), torch.nn.Sequential,
    ),
    "network, to the end": (
        _network([4, 6, 5], torch.nn.functional.mish, variance_out=0.5, out_act=True),
        ("4x0e",), torch.nn.Sequential,
    ),
    "network, own function": (
        _network([4, 6, 5], torch.nn.LeakyReLU(0.1)), ("4x0e",), torch.nn.Sequential
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("name", CASES)
NORMS = [name for name in CASES if name.startswith("BatchNorm")]
FUNCTIONS = ["Activation", "NormActivation", "Norm", "ExtractIr"]
PRODUCTS = [name for name, (_, irreps, _) in CASES.items() if len(irreps) == 2]


def _pair(name, default_dtype, dtype=F64):
    """The layer of e3nn with weights away from the initial ones, ours, and inputs."""
    default_dtype(dtype)  # in which e3nn makes its constants
    make, irreps, kind = CASES[name]
    torch.manual_seed(0)
    theirs = make()
    learned = [*theirs.parameters(), *(b for n, b in theirs.named_buffers() if "running" in n)]
    with torch.no_grad():
        for value in learned:
            value += 0.3 * torch.rand(value.shape)
    ours = from_e3nn(theirs)
    assert type(ours) is kind
    return theirs, ours, [e3nn.o3.Irreps(one).randn(7, -1) for one in irreps]


@every_case
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=str)
def test_outputs_are_equal(name, dtype, default_dtype):
    theirs, ours, inputs = _pair(name, default_dtype, dtype)
    assert {p.dtype for p in ours.parameters()} <= {dtype} and ours.training
    tolerance = ROUNDING if dtype == F64 else 1e-5
    for module in (theirs, ours):
        module.eval()
    expected = theirs(*inputs)
    assert_close(
        ours(*inputs), expected, tolerance * max(1.0, float(expected.detach().abs().max()))
    )


@every_case
def test_derivatives_are_equal(name, default_dtype):
    """The first by the inputs, and the second through them."""
    theirs, ours, inputs = _pair(name, default_dtype)
    found = []
    for module in (theirs.eval(), ours.eval()):
        own = [x.clone().requires_grad_() for x in inputs]
        slopes = torch.autograd.grad(module(*own).sin().sum(), own, create_graph=True)
        second = torch.autograd.grad(sum(slope.square().sum() for slope in slopes), own)
        found.append([*slopes, *second])
    for theirs_one, ours_one in zip(*found, strict=True):
        assert_close(ours_one, theirs_one, SYMMETRY)


@every_case
def test_as_much_is_learned(name, default_dtype):
    """One number of ours for each of theirs, none of which is without effect."""
    theirs, ours, inputs = _pair(name, default_dtype)
    learned = [p for p in ours.parameters() if p.requires_grad]
    assert sum(p.numel() for p in learned) == sum(p.numel() for p in theirs.parameters())
    assert (from_e3nn(theirs.eval())).training is False
    if learned:
        expected = ours.eval()(*inputs)
        with torch.no_grad():
            learned[0].view(-1)[0] += 0.1
        assert (ours(*inputs) - expected).abs().max() > 1e-4  # the negative control
    again = pickle.loads(pickle.dumps(copy.deepcopy(ours)))
    assert_close(again.eval()(*inputs), ours.eval()(*inputs), 0.0)


@pytest.mark.parametrize(
    "name", PRODUCTS + ["Linear, biases", "gate", "gate, parities", *NORMS, *FUNCTIONS]
)
def test_what_comes_out_is_equivariant(name, default_dtype):
    _, ours, _ = _pair(name, default_dtype)
    assert assert_equivariant(ours.eval()).max < SYMMETRY


@pytest.mark.parametrize("name", NORMS)
def test_batch_norms_train_alike(name, default_dtype):
    """Outputs and running means; the variance is the unbiased one here, as torch has it."""
    theirs, ours, (x,) = _pair(name, default_dtype)
    before = ours.running_var.clone()
    assert_close(ours(x), theirs(x), ROUNDING)
    assert_close(ours.running_mean, theirs.running_mean, ROUNDING)
    dim = 3 if name == "BatchNorm, vectors" else 1
    scalar = torch.cat(
        [torch.full((mul,), psi.is_scalar()) for mul, psi in e3nn.o3.Irreps(CASES[name][1][0])]
    )
    moved = theirs.running_var / dim - (1 - ours.momentum) * before
    factor = torch.where(scalar, len(x) / (len(x) - 1), 1.0)
    assert_close(ours.running_var, (1 - ours.momentum) * before + factor * moved, ROUNDING)


def test_spaces(default_dtype):
    """Over others than points too, and not with another group."""
    default_dtype(F64)
    theirs = e3nn.o3.Linear("2x0e + 1x1o", "1x0e + 2x1o")
    at_a_point, volume = from_e3nn(theirs, Point("O(3)", 3)), from_e3nn(theirs, Volume("O(3)"))
    x = torch.randn(2, 5, 3, 4, 3)
    assert_close(volume(x), theirs(x.movedim(1, -1)).movedim(-1, 1), ROUNDING)
    assert at_a_point.in_type == Point("O(3)", 3).fields("2x0e+1x1o")
    assert from_e3nn(theirs).in_type == Points("O(3)", 3).fields(str(theirs.irreps_in))
    with pytest.raises(ValueError, match=r"^space: expected one with the group O\(3\)"):
        from_e3nn(theirs, Points("SO(3)", 3))
    with pytest.raises(TypeError, match="^space: expected a Space or None, got str"):
        from_e3nn(theirs, "O(3)")


@pytest.mark.parametrize("name", ["Linear, biases", "full", "some", "BatchNorm", "network"])
def test_modes_of_torch_do_not_matter(name, default_dtype):
    """Weights are copied as numbers, whatever the default device or mode is."""
    theirs, ours, inputs = _pair(name, default_dtype)
    for mode in (torch.device("meta"), torch.inference_mode(), torch.no_grad()):
        with mode:
            again = from_e3nn(theirs)
        x = inputs[0].clone().requires_grad_()
        y = again.eval()(x, *inputs[1:])
        assert_close(y, ours.eval()(*inputs), 0.0)
        y.sum().backward()
        assert all(p.grad is not None for p in again.parameters() if p.requires_grad)


REFUSED = {
    "own weights.*internal_weights=True": _linear(X, X, internal_weights=False),
    "no f_in and f_out": _linear(X, X, f_in=2, f_out=3),
    "one instruction for every pair": _linear(X, X, instructions=[(0, 0)]),
    "biases for all scalars or for none": _linear(X, "2x0e + 3x0e", biases=[True, False]),
    "at least one field": _linear("0x1o", "0x1o"),
    "weights of its own, the same for all.*from_e3nn_convolution": _full(
        X, Y, X, shared_weights=False
    ),
    "not uvv.*exchange the two inputs": _product(
        ("2x0e", "3x0e", "3x0e"), [(0, 0, 0, "uvv", True)]
    ),
    "not uuu": lambda: e3nn.o3.ElementwiseTensorProduct("2x1o", "2x1o"),
    "not uvuv": lambda: e3nn.o3.FullTensorProduct("2x1o", "2x1o"),
    "instance=False.*enn.InstanceNorm": _batch_norm(X, instance=True),
    "reduce='mean', and not 'max'": _batch_norm(X, reduce="max"),
    "normalization='component'": _batch_norm(X, normalization="norm"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_has_no_equal_is_refused(words):
    with pytest.raises(ValueError, match=f"^module: expected .*{words.removeprefix('own ')}"):
        from_e3nn(REFUSED[words]())


def test_a_gate_with_a_function_of_several_numbers_is_refused(default_dtype):
    default_dtype(F64)
    theirs = _gate("3x0e", [torch.nn.Softmax(-1)], "", [], "")()
    with pytest.raises(ValueError, match="^function: expected a function of each value alone"):
        from_e3nn(theirs)


def test_other_modules_are_refused():
    linear = e3nn.o3.Linear("2x0e", "2x0e")
    for module, got in {
        torch.nn.Linear(2, 2): "got Linear; see http",
        e3nn.o3.ToS2Grid(2, 6): "got ToS2Grid; harmonics.s2_irfft leads to a grid; see http",
        e3nn.o3.TensorSquare("2x1o"): "got TensorSquare; the nearest are enn.TensorProduct",
        torch.nn.Sequential(linear, linear): "got Sequential; hand over its layers one by one: 0",
        None: "got NoneType",
    }.items():
        with pytest.raises(TypeError, match=f"^module: expected a layer of e3nn that .*{got}"):
            from_e3nn(module)


def _classes():
    """All modules of e3nn that are defined in it, without those that need torch_scatter."""
    found = {}
    for info in pkgutil.walk_packages(e3nn.__path__, "e3nn."):
        if "v2103" not in info.name:
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, type) and issubclass(value, torch.nn.Module):
                    if value.__module__.startswith("e3nn"):
                        found[f"{value.__module__}.{value.__name__}"] = value
    return found


CLASSES = _classes()


@over("name", CLASSES)
def test_every_class_is_converted_or_refused_by_name(name):
    """One that is made without its arguments lacks what a converter asks for."""
    theirs = CLASSES[name].__new__(CLASSES[name])
    torch.nn.Module.__init__(theirs)
    words = name.rpartition(".")[2]
    if words == "FullyConnectedNet":  # an empty row of layers
        return
    with pytest.raises((TypeError, AttributeError)) as caught:
        from_e3nn(theirs)
    assert isinstance(caught.value, AttributeError) or f"got {words}; " in str(caught.value)
    assert "got Mine; see" in str(_refusal(type("Mine", (torch.nn.Module,), {})()))


def _refusal(module):
    with pytest.raises(TypeError) as caught:
        from_e3nn(module)
    return caught.value


def test_options_that_no_layer_here_has():
    irreps = e3nn.o3.Irreps("0e + 1o")
    longer = e3nn.nn.NormActivation(irreps, torch.tanh)
    longer.normalize = False
    for theirs, words in {
        longer: "normalize=True",
        e3nn.o3.Norm(X, squared=True): "squared=False",
        e3nn.nn.S2Activation(irreps, torch.tanh, 6, random_rot=True): "a grid that is not turned",
    }.items():
        with pytest.raises(ValueError, match=f"^module: expected {words}"):
            from_e3nn(theirs)
