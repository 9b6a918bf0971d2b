"""Layers without an equal are named, with what is nearest; all others have a partner."""

import functools
import re
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import equinet as eq
from equinet.convert import from_torch
from equinet.convert.skeleton.layers import KNOWN, no_equal
from equinet.convert.skeleton.operations import Operation
from equinet.convert.skeleton.widths import Width, leaves_of, unite
from equinet.nn.centred import OffCentreWarning
from tests.over import over

IMAGE = torch.zeros(2, 3, 8, 8)


class Net(nn.Module):
    """A convolution, and a forward of a test."""

    def __init__(self, rest, **modules):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        for name, module in modules.items():
            setattr(self, name, module)
        self.rest = rest

    def forward(self, x):
        return self.rest(self, self.conv(x))


def attend(net, f):
    q = f.flatten(2).transpose(1, 2)
    return net.attention(q, q, q)[0]


def shared(net, f):
    return net.again(net.again(f))


def lopsided(net, f):
    return net.conv(F.pad(f, [1, 0, 1, 0])[:, :3])


REFUSED = {
    "attention": (
        Net(attend, attention=nn.MultiheadAttention(8, 2)),
        "attention, MultiheadAttention.*products of their channels",
    ),
    "recurrence": (nn.Sequential(nn.Conv2d(3, 8, 3), nn.LSTM(6, 4)), "1, LSTM,.*a sequence"),
    "embedding": (nn.Sequential(nn.Embedding(4, 4)), "0, Embedding, has no equal.*trivial fields"),
    "shuffle": (
        Net(lambda net, f: F.pixel_shuffle(f * 2, 2)), "pixel_shuffle.*permutes the pix.*Upsample"
    ),
    "positions": (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(6, 6)), "1, Linear.*positions of a"),
    "back to a map": (
        nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, (8, 8))),
        "3, Unflatten.*do not become a map.*fully convolutional",
    ),
    "no map": (nn.Sequential(nn.Flatten(), nn.Linear(192, 9)), "0, Flatten.*a convolution before"),
    "view as a map": (
        Net(lambda net, f: net.fc(f.flatten(1)).view(2, 1, 4, 4), fc=nn.Linear(512, 16)),
        "view has no equal.*change places.*flatten at the end",
    ),
    "a part": (Net(lambda net, f: f[:, :4]), "getitem.*nearest"),
    "halves": (Net(lambda net, f: torch.cat(f.chunk(2, 1)[::-1], 1)), "chunk.*tear fields apart"),
    "products": (Net(lambda net, f: torch.matmul(f, f)), "matmul.*nearest is enn.SqueezeExcite"),
    "weights of a function": (
        Net(lambda net, f: F.conv2d(f, net.w), w=nn.Parameter(torch.zeros(8, 8, 3, 3))),
        "conv2d.*weights of its own.*nn.Conv2d",
    ),
    "a constant": (Net(lambda net, f: f + 1.0), "add.*a constant is added.*bias"),
    "positions learned": (
        Net(lambda net, f: f + net.where, where=nn.Parameter(torch.zeros(8, 8, 8))),
        "add.*a constant is added",
    ),
    "twice": (Net(shared, again=nn.Conv2d(8, 8, 1)), "again, Conv2d, .*called twice"),
    "strides": (nn.Sequential(nn.Conv2d(3, 8, 3, stride=(2, 1))), "0, Conv2d.*stride \\(2, 1\\)"),
    "long kernels": (nn.Sequential(nn.Conv2d(3, 8, (1, 7))), "0, Conv2d.*same along the axes.*C4"),
    "sizes": (Net(lambda net, f: f + F.max_pool2d(f, 8)), r"add.*sizes \(8, 8\) and \(1, 1\)"),
    "padding": (Net(lopsided), "pad.*one end of an axis"),
    "where a maximum is": (
        Net(lambda net, f: net.pool(f)[0], pool=nn.MaxPool2d(2, return_indices=True)),
        "pool, MaxPool2d.*the place of a maximum",
    ),
    "bicubic": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Upsample(scale_factor=2, mode="bicubic")),
        "1, Upsample.*bicubic.*enn.Upsample",
    ),
    "parametrized": (
        nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 8, 3))),
        "ParametrizedConv2d|parametrization",
    ),
    "statistics": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, track_running_stats=True)),
        "1, InstanceNorm2d.*enn.BatchNorm",
    ),
    "numbers of positions": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.LayerNorm([8, 6, 6])),
        "1, LayerNorm.*each position.*enn.GroupNorm",
    ),
    "more arguments": (
        Net(lambda net, f: net.up(f, output_size=(15, 15)), up=nn.ConvTranspose2d(8, 3, 3, 2, 1)),
        "up, ConvTranspose2d.*more than its input",
    ),
    "a condition on values": (
        Net(lambda net, f: f if f.sum() > 0 else -f),
        "forward that torch.fx can follow, got Net.*conditions on values",
    ),
    "two outputs": (Net(lambda net, f: (f, f)), "expected one tensor as its output"),
    "no input": (Net(lambda net, f: net.p, p=nn.Parameter(torch.zeros(1))), "depends on the input"),
    "axes": (Net(lambda net, f: f.transpose(2, 3)), "transpose.*axes of a map change places"),
    "means": (Net(lambda net, f: f.mean(1)), "mean.*over all of a map"),
    "positions come out": (Net(lambda net, f: f.flatten(1)), "positions of a map come out"),
}  # fmt: skip


@over("name", REFUSED)
def test_what_has_no_equal_is_named_with_the_nearest(name):
    model, pattern = REFUSED[name]
    with pytest.raises(ValueError, match=f"(?s)^model: .*({pattern})") as caught:
        from_torch(model, IMAGE, "C4")
    assert "from_torch.md#" in str(caught.value) or "output" in name or "input" in name


def test_pixels_that_a_group_does_not_permute():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.PixelShuffle(2))
    assert "enn.shuffled(" in from_torch(model, IMAGE, "C4").code
    with pytest.raises(ValueError, match="^model: 1, PixelShuffle.*block of points that C8 maps"):
        from_torch(model, IMAGE, "C8")


def test_vectors_times_vectors_have_no_equal_and_functions_times_functions_have():
    model = Net(lambda net, f: net.out(f * torch.sigmoid(net.other(f))),
                other=nn.Conv2d(8, 8, 1), out=nn.Conv2d(8, 1, 1))  # fmt: skip
    assert "f0 * f" in from_torch(model, IMAGE, "C4").code.replace("f1", "f0")
    with pytest.raises(ValueError, match="^model: mul .*enn.Product"):
        from_torch(model, IMAGE, "SO(2)")


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((nn.ReLU, IMAGE, "C4"), TypeError, "^model: expected a torch.nn.Module, got type"),
        ((nn.ReLU(), [1.0], "C4"), TypeError, "^example: "),
        ((nn.ReLU(), torch.zeros(3, 8), "C4"), ValueError, r"^example: .*\(batch, channels"),
        ((nn.Conv2d(4, 8, 3), IMAGE, "C4"), ValueError, "^example: expected an input that the mod"),
        ((nn.LazyConv2d(4, 3), IMAGE, "C4"), ValueError, "^model: .*lazy layers; call it once"),
        ((nn.Conv2d(3, 8, 3), IMAGE, "SO(3)"), ValueError, "^group: "),
        ((nn.Conv2d(3, 8, 3), IMAGE, eq.group.direct_product(eq.cyclic(2), eq.cyclic(2))),
         ValueError, "^group: "),
    ],
)  # fmt: skip
def test_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        from_torch(*arguments)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"match": "weights"}, ValueError, "^match: expected 'parameters' or 'compute'"),
        ({"fields": "1x nothing"}, ValueError, "^fields: "),
        ({"fields": 3}, TypeError, "^fields: expected a string"),
        ({"in_fields": "1x vector"}, ValueError, "^in_fields: expected 3 channels.*got 2"),
        ({"out_fields": "1x vector"}, ValueError, "^out_fields: expected 8 channels.*got 2"),
    ],
)
def test_options(options, error, message):
    with pytest.raises(error, match=message):
        from_torch(nn.Conv2d(3, 8, 3), IMAGE, "C4", **options)


def test_fields_of_an_output_that_is_no_map():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="^out_fields: expected None for invariants"):
        from_torch(model, IMAGE, "C4", out_fields="8x trivial")
    with pytest.raises(ValueError, match="^fields: expected those of hidden layers.*Cinfv"):
        from_torch(nn.Conv3d(1, 8, 3), torch.zeros(1, 1, 5, 5, 5), "Cinfv")


# --- each layer of torch.nn is known, or refused with a sentence of its own ---------------------

SIZES = {
    "BatchNorm": (8,), "InstanceNorm": (8,), "SyncBatchNorm": (8,), "GroupNorm": (2, 8),
    "ConvTranspose": (8, 8, 3), "Conv": (8, 8, 3, 1, 1), "AvgPool": (2,), "MaxPool": (2,),
    "AdaptiveAvgPool": (2,), "AdaptiveMaxPool": (1,), "Upsample": (None, 2),
    "Upsampling": (None, 2), "Softmax2d": (), "ConstantPad": (1, 0.0),
    "Threshold": (0.1, 0.0), "Softmax": (1,), "LogSoftmax": (1,), "Softmin": (1,),
    "ZeroPad": (1,), "ReflectionPad": (1,), "ReplicationPad": (1,), "CircularPad": (1,),
}  # fmt: skip
TYPES = [k for k in vars(nn).values() if isinstance(k, type) and issubclass(k, nn.Module)]
HOLDERS = (
    nn.Module, nn.Container, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList,
    nn.ParameterDict, nn.DataParallel,
)  # fmt: skip
DISTANCES = ("Loss", "CosineSimilarity", "PairwiseDistance")


def a_layer(kind, n):
    start = max((s for s in SIZES if kind.__name__.startswith(s)), key=len, default=None)
    made = kind(*SIZES.get(start, ()))
    pads = "Pad" in kind.__name__  # for the convolution behind it
    return [made, of_dimension("Conv", n)(8, 8, 3)] if pads else [made]


def of_dimension(name, n):
    return next(kind for kind in KNOWN if kind.__name__ == f"{name}{n}d")


@over("n, group", [(1, "O(1)"), (2, "C4"), (3, "Ci")])
def test_every_known_layer_has_a_partner(n, group):
    """All of one dimension in a row, and what mixes values or ends the map at its end."""
    mine = [kind for kind in KNOWN if re.search(r"([123])d$|$", kind.__name__)[1] in (None, str(n))]
    last = ("Adaptive", "Softm", "LogSoftmax", "Flatten", "Linear", "LayerNorm", "RMSNorm", "Pixel")
    row = [
        layer for kind in mine if not kind.__name__.startswith(last) for layer in a_layer(kind, n)
    ]
    row += [nn.Conv2d(8, 32, 1), nn.PixelShuffle(2)] * (n == 2)
    end = [*a_layer(of_dimension("AdaptiveAvgPool", n), n), of_dimension("AdaptiveMaxPool", n)(1)]
    end += [nn.Flatten(), nn.LayerNorm(8), nn.RMSNorm(8), nn.Linear(8, 3)]
    shares = [kind for kind in mine if kind.__name__.startswith(last[1:3])]
    shares = [layer for kind in shares for layer in a_layer(kind, n)]
    conv = of_dimension("Conv", n)
    x = torch.zeros(1, 1, *[8] * n)
    found = {nn.Identity.__name__}
    for model in (nn.Sequential(conv(1, 8, 3), *row, *end), nn.Sequential(conv(1, 8, 3), *shares)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OffCentreWarning)
            skeleton = from_torch(model, x, group)
            assert skeleton.network.eval()(x).shape == model.eval()(x).shape
        found |= {pair.kind for pair in skeleton.pairs}
    pools = {"Flatten"} | {kind.__name__ for kind in mine if "Pad" in kind.__name__}
    pools |= {
        f"AdaptiveMaxPool{n}d",
        *["PixelShuffle"] * (n != 2),
    }  # which are a part of what comes before or behind
    assert {kind.__name__ for kind in mine} <= found | pools


@over("kind", [kind for kind in TYPES if kind not in (*KNOWN, *HOLDERS)])
def test_every_other_layer_has_a_sentence(kind):
    name = kind.__name__
    if any(word in name for word in DISTANCES):
        return
    said = str(no_equal(Operation("layer", name, (), {}, None)))
    assert said.startswith(f"model: layer, {name}, has no equal here: ")
    assert "does not know it" not in said and "nearest is" in said


def test_a_layer_that_nobody_knows():
    assert "does not know it" in str(no_equal(Operation("mine", "Mine", (), {}, None)))


# --- what is written over its input, and widths that are one -----------------------------------


def test_what_is_written_in_place_is_taken_from_then_on():
    """``F.relu_(f)`` without a name for the result changes f for all that comes after."""

    def silent(net, f):
        F.relu_(f)
        return net.out(f)

    def late(net, f):
        g = net.act(f)
        return net.out(f + g)

    out = functools.partial(nn.Conv2d, 8, 1, 1)
    assert "enn.ReLU" in from_torch(Net(silent, out=out()), IMAGE, "C4").code
    written = from_torch(Net(late, out=out(), act=nn.ReLU(inplace=True)), IMAGE, "C4").code
    aside = from_torch(Net(late, out=out(), act=nn.ReLU()), IMAGE, "C4").code
    assert "enn.Residual(enn.ReLU" in aside and "enn.Residual" not in written


def test_rows_of_widths_are_united():
    """Of 12 channels and 5 + 7 of them: the first consists of the two; of 4 + 8, of three."""
    a, b, c = Width(12), Width(5), Width(7)
    assert unite((a,), (b, c)) and leaves_of((a,)) == leaves_of((b, c))
    assert [leaf.channels for leaf in leaves_of((a,))] == [5, 7]
    d, e = Width(4), Width(8)
    assert unite((a,), (d, e))
    assert [leaf.channels for leaf in leaves_of((a,))] == [4, 1, 7]
    assert leaves_of((a,)) == leaves_of((d, e)) == leaves_of((b, c))
    assert not unite((a,), (Width(11),))
    fixed = Width(3, eq.Plane("C4").fields("3x trivial"))
    assert unite((fixed,), (Width(3),)) and not unite((fixed,), (Width(2), Width(1)))
