"""Plain networks as skeletons: the code runs, and is the network that it says."""

import copy
import functools
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import equinet as eq
from equinet import nn as enn
from equinet.convert import from_torch, project_filter
from equinet.harmonics import Pixels
from equinet.nn.centred import OffCentreWarning
from equinet.nn.convolution import Convolution
from equinet.testing import equivariance_error
from tests.convert import plain_models as plain
from tests.tolerances import CONDITION, assert_close

F64 = torch.float64
SHAPES = {
    plain.vgg: (2, 3, 12, 12), plain.ResNet: (2, 3, 17, 17), plain.UNet: (2, 1, 8, 8),
    plain.UNet3d: (1, 1, 4, 4, 4), plain.Voxels: (1, 1, 6, 6, 6), plain.Signal: (2, 2, 17),
    plain.mobile: (2, 3, 7, 7), plain.ConvNext: (2, 3, 12, 12), plain.Dense: (2, 1, 7, 7),
    plain.Enhance: (2, 1, 9, 9), plain.SuperResolution: (2, 1, 5, 5), plain.Mixed: (2, 1, 9, 9),
    plain.Digits: (2, 1, 26, 26),
}  # fmt: skip
# How far the cost is from that of the plain network, where whole fields are few.
CASES = [
    (plain.vgg, "C4", 0.01), (plain.ResNet, "SO(2)", 0.01),
    (plain.UNet, "C4", 0.02), (plain.UNet3d, "O(3)", 0.01), (plain.Voxels, "SO(3)", 0.02),
    (plain.Signal, "O(1)", 0.03),
    (plain.mobile, "D4", 0.02), (plain.ConvNext, "SO(2)", 0.01),
    (plain.Enhance, "O(2)", 0.03), (plain.SuperResolution, "C4", 0.03),
    (plain.Mixed, "SO(2)", 0.03), (plain.Digits, "D4", 0.02),
]  # fmt: skip
OTHERS = [
    (kind, group, 0.1)
    for kind, shape in SHAPES.items()
    for group in {3: ["O(1)"], 4: ["C4", "C8", "D4", "SO(2)", "O(2)"], 5: ["O", "D2", "SO(3)"]}[
        len(shape)
    ]
    if (kind, group) not in [case[:2] for case in CASES]
    and (kind is not plain.SuperResolution or group in ("C4", "D4"))  # which keep a block of pixels
]


def made(kind, group, **options):
    """A plain network, an input, and the skeleton."""
    torch.manual_seed(0)
    model, x = kind(), torch.randn(SHAPES[kind])
    return model.eval(), x, from_torch(model, x, group, **options)


def error(skeleton, sizes, **options):
    """Of the symmetries of the grid, which are exact."""
    net = skeleton.network.double().eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    out = getattr(net, "out_type", None)
    return equivariance_error(net, net.in_type, out, sizes=sizes, exact=True, **options).max


def check(kind, group, near):
    model, x, skeleton = made(kind, group)
    net = skeleton.network
    assert isinstance(model(x), torch.Tensor) and net(x).shape == model(x).shape
    net(x).square().sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())
    assert error(skeleton, x.shape[2:]) < CONDITION
    theirs, ours = skeleton.parameters
    assert abs(ours / (theirs - skeleton.unread) - 1) < near
    # What is said of costs without making anything is what they are.
    found = eq.summary(net, net.in_type, sizes=x.shape[2:])
    name = "input" if isinstance(model, nn.Sequential) else "x"
    given = eq.summary(model, arguments={name: x[:1]})
    assert (found.parameters, given.parameters) == (ours, theirs)
    products = sum(row.flops for row in found.layers if "Norm" not in row.kind)  # which have some
    assert products == skeleton.flops[1]
    assert given.flops == skeleton.flops[0]
    assert max(map(len, skeleton.code.splitlines())) <= 100


@pytest.mark.parametrize("kind, group, near", CASES)
def test_a_skeleton_has_the_shape_the_symmetry_and_the_cost(kind, group, near):
    check(kind, group, near)


@pytest.mark.slow
@pytest.mark.parametrize("kind, group, near", OTHERS)
def test_others_too(kind, group, near):
    check(kind, group, near)


def test_a_plain_network_has_no_symmetry():
    """The control of the measure."""
    model, x, skeleton = made(plain.ResNet, "C4")
    image = skeleton.network.in_type
    assert equivariance_error(model.double(), image, sizes=(17, 17), exact=True).max > 1e-3


# --- of the trivial group, at the same compute, it is the plain network -------------------------


def in_order(net, x):
    """The modules that learn, as they are called."""
    found, handles = [], []
    for module in net.modules():
        if any(True for _ in module.parameters(recurse=False)):
            handles.append(module.register_forward_hook(lambda m, *_: found.append(m)))
    with torch.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    return found


def with_all_filters(skeleton):
    """The network of the code, whose layers have every filter on their taps."""
    code = re.sub(r"enn\.(Conv\w*\dd)\(", r"made(enn.\1)(", skeleton.code)
    names = {"made": lambda layer: functools.partial(layer, functions=Pixels)}
    exec(code, names)
    return names[skeleton.name]().double().eval()


def carry_over(old, new):
    """The weights of a plain layer into its partner."""
    if isinstance(new, Convolution | enn.Linear):
        weight = old.weight.detach()
        weight = weight.transpose(0, 1) if "Transpose" in type(old).__name__ else weight
        bias = None if old.bias is None else old.bias.detach()
        assert project_filter(new, weight.reshape(new.dense().shape), bias) < 1e-6
    elif not isinstance(new, enn.LayerScale):  # which has begun with what they have
        held = dict(new.named_parameters()) | dict(new.named_buffers())
        for name, value in old.state_dict().items():
            if name in held:
                held[name].data.copy_(value.reshape(-1)[: held[name].numel()].view_as(held[name]))


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if kind is not plain.Digits])
def test_of_the_trivial_group_it_is_the_plain_network(kind):
    """Every filter is a kernel then: with the plain weights it computes the same."""
    torch.manual_seed(0)
    model, x = kind().double(), torch.randn(SHAPES[kind], dtype=F64)
    for _ in range(3):
        model(torch.randn_like(x))  # for statistics of the norms
    model.eval()
    skeleton = from_torch(model, x, "C1", match="compute")
    assert skeleton.flops[0] == skeleton.flops[1]
    net = with_all_filters(skeleton)
    layers = in_order(model, x), in_order(net, x)
    for old, new in zip(*layers, strict=True):
        carry_over(old, new)
    with torch.no_grad():
        assert_close(net(x), model(x), CONDITION)
        first = next(iter(net.parameters()))
        first.add_(0.1 * torch.randn_like(first))
        assert not torch.allclose(net(x), model(x))


# --- the code --------------------------------------------------------------------------------


ROW = '''"""A network with the symmetry of C4, by equinet.convert.from_torch."""

from torch import nn

import equinet as eq
from equinet import nn as enn

plane = eq.Plane("C4")
x = plane.fields("3x trivial")
h1 = plane.fields("4x regular")
h2 = plane.fields("8x regular")


def network() -> enn.Sequential:
    return enn.Sequential(
        enn.Conv2d(x, h1, 3, padding=1),  # 0
        enn.BatchNorm(h1),
        enn.ReLU(h1),
        enn.MaxPool(h1, 2),
        enn.Conv2d(h1, h2, 3, padding=1),  # 4
        enn.GroupNorm(h2, 2),
        enn.GELU(h2),
        enn.AvgPool(h2, 2),
        enn.Conv2d(h2, h2, 5, padding=2, padding_mode="reflect"),  # 8
        enn.InstanceNorm(h2, affine=True),
        enn.LeakyReLU(h2, negative_slope=0.1),
        enn.Dropout(h2, p=0.1),
        enn.GroupPool(h2),
        enn.GlobalAvgPool(enn.GroupPool(h2).out_type),
        nn.Linear(h2.copies, 20),  # 14
        nn.BatchNorm1d(20),
        nn.Hardswish(),
        nn.Dropout(),
        nn.Linear(20, 7, bias=False),  # 18
    )
'''


def test_the_code_of_a_row():
    _, _, skeleton = made(plain.vgg, "C4", match="compute")
    assert str(skeleton) == skeleton.code == ROW


FORWARD = """(self, f):
        self.check(f)
        f1 = self.enc1(f)
        f2 = self.enc2(f1)
        f = self.middle(f2)
        f = torch.cat([f2, f], 1)
        f = self.dec2(f)
        f = torch.cat([f1, f], 1)
        return self.dec1(f)
"""


def test_the_code_of_a_graph():
    _, _, skeleton = made(plain.UNet, "SO(2)", match="compute")
    assert skeleton.name == "Network"
    program = skeleton.code.partition("class")[2]
    assert "enn.Conv2d(h2 + h2, enn.gated(h2), 3, padding=1),  # dec2.0" in program
    assert program.partition("def forward")[2] == FORWARD


def test_the_code_is_there_to_edit():
    """Names are types, and sizes follow from them: another group, or other fields."""
    _, x, skeleton = made(plain.ResNet, "C4")
    (first, *_) = re.findall(r'"\d+x regular"', skeleton.code)
    for old, new in (('"C4"', '"D8"'), (first, '"3x regular + 2x quotient(C2)"')):
        names = {}
        exec(skeleton.code.replace(old, new), names)
        net = names["network"]().double().eval()
        assert net(x.double()).shape == (2, 5)
        assert equivariance_error(net, sizes=(17, 17), exact=True).max < CONDITION


def test_two_builds_are_two_networks():
    _, x, skeleton = made(plain.Enhance, "D2")
    one, other = skeleton.build().eval(), skeleton.build().eval()
    twin = copy.deepcopy(other)
    assert torch.equal(twin(x), other(x)) and not torch.equal(one(x), other(x))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))
    plain_cost, own = skeleton.parameters
    assert repr(skeleton).endswith(f"parameters: {plain_cost:,} plain, {own:,} here)")
    compiled = torch.compile(plain.Enhance(), backend="eager")
    assert from_torch(compiled, x, "D2").code == skeleton.code


@pytest.mark.process
def test_the_code_is_laid_out_as_the_formatter_does_it(tmp_path):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        return
    cases = [(plain.vgg, "SO(2)"), (plain.UNet, "C4"), (plain.mobile, "D4"), (plain.Enhance, "C4")]
    for kind, group in cases:
        file = tmp_path / f"{kind.__name__}.py"
        file.write_text(made(kind, group)[2].code)
    options = ["--check", "--line-length", "100", "--isolated", str(tmp_path)]
    found = subprocess.run([ruff, "format", *options], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_table():
    _, _, skeleton = made(plain.Digits, "C4")
    text = str(skeleton.table())
    plain_cost, own = skeleton.parameters
    assert f"{plain_cost:,}" in text and f"{own:,}" in text
    assert re.search(r"^conv2 +Conv2d +4,640 .* Conv2d ", text, re.MULTILINE)
    assert skeleton.unread == 32 * 24 * 64 and f"{skeleton.unread:,} are for positions" in text
    assert "# the mean of 25 positions" in skeleton.code
    (wide,) = [pair for pair in skeleton.pairs if pair.name == "fc1"]
    assert wide.parameters == 32 * 25 * 64 + 64 and wide.partner == "nn.Linear"


# --- sizes -------------------------------------------------------------------------------------


def test_a_stride_off_the_centre_is_said_with_sizes_that_mend_it():
    torch.manual_seed(0)
    model = plain.ResNet()
    kept = from_torch(model, torch.randn(1, 3, 33, 33), "C4")
    assert "off the centre" not in kept.code
    skeleton = from_torch(model, torch.randn(1, 3, 32, 32), "C4")
    assert "  # conv1, off the centre of 32 x 32" in skeleton.code
    (size,) = map(int, re.findall(r"at\s+size\s+(\d+)\s+they\s+keep\s+it", skeleton.code))
    assert size == 33 and size in eq.input_sizes(skeleton.network, near=32)
    assert error(skeleton, (size, size)) < CONDITION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OffCentreWarning)
        assert error(skeleton, (32, 32)) > 1e-3


def test_lopsided_layers_are_said():
    rows = nn.Sequential(
        nn.Conv2d(1, 8, 2, padding="same"), nn.ReLU(),
        nn.ConvTranspose2d(8, 2, 3, stride=2, padding=1, output_padding=1),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = from_torch(rows, torch.zeros(1, 1, 8, 8), "C4").code
    assert "# 0, lopsided, with an even filter that keeps the size" in code
    assert "# 2, lopsided, with output_padding at one end" in code
    assert "Layers that are lopsided break it at every size." in code


# --- fields ------------------------------------------------------------------------------------


def test_fields_of_input_output_and_hidden_layers():
    """A flow in, a flow out: vectors that turn with the picture."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 2, 5, padding=2))
    x = torch.randn(1, 2, 9, 9)
    flow = dict(in_fields="1x vector", out_fields="1x vector")
    for group, fields in (("SO(2)", "1x0 + 1x1"), ("D4", None), ("D4", "1x quotient(C2)")):
        skeleton = from_torch(model, x, group, fields=fields, **flow)
        assert skeleton.network.out_type == skeleton.network.in_type
        assert error(skeleton, (9, 9)) < CONDITION
    scalars = from_torch(model, x, "D4").build().double()
    fields = eq.Plane("D4").fields("1x vector")
    assert equivariance_error(scalars, fields, fields, sizes=(9, 9), exact=True).max > 1e-2


def test_compute_is_matched_by_as_many_channels():
    """In closed form: 32 channels are 8 regular fields of C4, 4 of D4, and so on."""
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU())
    for group, order in (("C4", 4), ("D4", 8)):
        code = from_torch(
            nn.Sequential(*model, nn.Conv2d(64, 1, 3)), torch.zeros(1, 3, 9, 9), group,
            match="compute",
        ).code  # fmt: skip
        assert f'"{32 // order}x regular"' in code and f'"{64 // order}x regular"' in code


def test_parameters_are_matched_by_a_width_that_grows_with_the_root_of_the_order():
    r"""k c^2 = k m^2 \|G\| in the middle of a deep network, so c = m sqrt(\|G\|)."""
    c, depth = 64, 8
    rows = [part for _ in range(depth) for part in (nn.Conv2d(c, c, 1), nn.ReLU())]
    model = nn.Sequential(nn.Conv2d(1, c, 1), *rows, nn.Conv2d(c, 1, 1))
    code = from_torch(model, torch.zeros(1, 1, 5, 5), "C16").code
    found = {int(m) for m in re.findall(r'"(\d+)x regular"', code)}
    assert found and all(abs(m / (c / 16**0.5) - 1) < 0.1 for m in found)
