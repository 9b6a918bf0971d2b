"""The layers of ``torch.nn`` that a skeleton knows, and what is nearest to the others.

In: a step of a plain network. Out: the module that it is, or an error that names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from equinet.convert.skeleton.code import Call, quoted
from equinet.convert.skeleton.operations import PAGE, Operand, Operation
from equinet.nn.untyped import POINTWISE
from equinet.numerics.pages import explained

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
LAST_NORMS = (nn.LayerNorm, nn.RMSNorm)
ACTIVATIONS = tuple(kind for kind in POINTWISE if kind is not nn.RReLU)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
ADAPTIVE_AVERAGES = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
ADAPTIVE_MAXIMA = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
UPSAMPLES = (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
SHARES = (nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Softmin)
PADS = (
    nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad1d, nn.ConstantPad2d,
    nn.ConstantPad3d, nn.ReflectionPad1d, nn.ReflectionPad2d,
    nn.ReflectionPad3d, nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d,
    nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d,
)  # fmt: skip
KNOWN = (
    *CONVOLUTIONS, *TRANSPOSED, *BATCH_NORMS, *INSTANCE_NORMS, *LAST_NORMS, nn.GroupNorm,
    *ACTIVATIONS, *DROPOUTS, *AVERAGES, *MAXIMA, *ADAPTIVE_AVERAGES, *ADAPTIVE_MAXIMA, *UPSAMPLES,
    *SHARES, *PADS, nn.Linear, nn.Flatten, nn.Identity, nn.PixelShuffle,
)  # fmt: skip

NORMS = (*BATCH_NORMS, *INSTANCE_NORMS, *LAST_NORMS, nn.GroupNorm)
KEEPING = (
    *NORMS, *ACTIVATIONS, *DROPOUTS, *SHARES, nn.Identity,
)  # fmt: skip

# Functions that are modules, with the names of their arguments after the first.
_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
_MEAN = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_FUNCTIONS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "relu": (nn.ReLU, ()), "relu6": (nn.ReLU6, ()),
    "leaky_relu": (nn.LeakyReLU, ("negative_slope",)),
    "elu": (nn.ELU, ("alpha",)), "celu": (nn.CELU, ("alpha",)), "selu": (nn.SELU, ()),
    "gelu": (nn.GELU, ("approximate",)), "silu": (nn.SiLU, ()), "mish": (nn.Mish, ()),
    "sigmoid": (nn.Sigmoid, ()), "tanh": (nn.Tanh, ()), "hardswish": (nn.Hardswish, ()),
    "hardsigmoid": (nn.Hardsigmoid, ()), "hardtanh": (nn.Hardtanh, ("min_val", "max_val")),
    "softplus": (nn.Softplus, ("beta", "threshold")), "softsign": (nn.Softsign, ()),
    "tanhshrink": (nn.Tanhshrink, ()), "logsigmoid": (nn.LogSigmoid, ()),
    "softmax": (nn.Softmax, ("dim",)), "log_softmax": (nn.LogSoftmax, ("dim",)),
    "softmin": (nn.Softmin, ("dim",)), "dropout": (nn.Dropout, ("p",)),
    "dropout1d": (nn.Dropout1d, ("p",)), "dropout2d": (nn.Dropout2d, ("p",)),
    "dropout3d": (nn.Dropout3d, ("p",)), "max_pool1d": (nn.MaxPool1d, _POOL),
    "max_pool2d": (nn.MaxPool2d, _POOL), "max_pool3d": (nn.MaxPool3d, _POOL),
    "avg_pool1d": (nn.AvgPool1d, _MEAN[:-1]), "avg_pool2d": (nn.AvgPool2d, _MEAN),
    "avg_pool3d": (nn.AvgPool3d, _MEAN),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d, ("output_size",)),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d, ("output_size",)),
    "adaptive_avg_pool3d": (nn.AdaptiveAvgPool3d, ("output_size",)),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d, ("output_size",)),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d, ("output_size",)),
    "adaptive_max_pool3d": (nn.AdaptiveMaxPool3d, ("output_size",)),
    "pixel_shuffle": (nn.PixelShuffle, ("upscale_factor",)),
    "interpolate": (nn.Upsample, ("size", "scale_factor", "mode", "align_corners")),
    "upsample": (nn.Upsample, ("size", "scale_factor", "mode", "align_corners")),
}  # fmt: skip
_TO_THE_POINT = {"training", "inplace", "return_indices", "_stacklevel", "dtype"}

# Why the others have no equal, and what is nearest, by the start of a name.
_ATTENTION = (
    "it compares positions by products of their channels",
    "enn.SqueezeExcite, which weighs whole fields, or enn.PointAttention over eq.Points",
)
_REFUSED: dict[str, tuple[str, str]] = {
    "MultiheadAttention": _ATTENTION, "Transformer": _ATTENTION, "scaled_dot_product": _ATTENTION,
    "matmul": _ATTENTION, "bmm": _ATTENTION, "einsum": _ATTENTION, "baddbmm": _ATTENTION,
    "LSTM": ("a sequence is no grid that a group turns", "it, behind enn.GlobalAvgPool"),
    "GRU": ("a sequence is no grid that a group turns", "it, behind enn.GlobalAvgPool"),
    "RNN": ("a sequence is no grid that a group turns", "it, behind enn.GlobalAvgPool"),
    "Embedding": ("its input are numbers of things", "it, before a network of trivial fields"),
    "PixelUnshuffle": ("it makes channels of the pixels of a block", "a convolution with a stride"),
    "ChannelShuffle": ("it tears fields apart", "enn.Linear, which mixes them"),
    "channel_shuffle": ("it tears fields apart", "enn.Linear, which mixes them"),
    "chunk": ("it may tear fields apart", "a convolution for each part"),
    "split": ("it may tear fields apart", "a convolution for each part"),
    "unbind": ("it may tear fields apart", "a convolution for each part"),
    "GLU": ("it may tear fields apart", "enn.Gate"),
    "glu": ("it may tear fields apart", "enn.Gate"),
    "Unflatten": ("vectors of invariants do not become a map", "a fully convolutional network"),
    "Fold": ("it makes maps of columns of channels", "enn.ConvTranspose2d"),
    "Unfold": ("it makes columns of channels of a map", "enn.Conv2d"),
    "LocalResponseNorm": ("it looks at channels by their numbers", "enn.GroupNorm or enn.RMSNorm"),
    "CrossMapLRN": ("it looks at channels by their numbers", "enn.GroupNorm or enn.RMSNorm"),
    "RReLU": ("it is random for each value", "enn.LeakyReLU"),
    "AlphaDropout": ("its noise has a mean", "enn.Dropout"),
    "FeatureAlphaDropout": ("its noise has a mean", "enn.Dropout"),
    "LPPool": ("there is no such pool", "enn.AvgPool"),
    "FractionalMaxPool": ("its windows are random", "enn.MaxPool or enn.Downsample"),
    "MaxUnpool": ("the place of a maximum moves with the fields", "enn.Upsample"),
    "Bilinear": ("products of fields are fields of other types", "enn.Product"),
    "conv": ("it is a function with weights of its own", "a module, nn.Conv2d, in its place"),
    "linear": ("it is a function with weights of its own", "a module, nn.Linear, in its place"),
    "batch_norm": ("it is a function with weights of its own", "a module, nn.BatchNorm2d"),
    "group_norm": ("it is a function with weights of its own", "a module, nn.GroupNorm"),
    "getitem": ("a part of a map, or of its channels, is no map", "a padding or a stride"),
    "Lazy": ("its sizes are not known yet", "the model after a first call"),
}  # fmt: skip
_NONE = ("this library does not know it", "enn.Typed(module, in_type, out_type), by hand")


def refused(where: str, what: str, why: str, nearest: str) -> ValueError:
    """The error that says of a step that it has no equal.

    Args:
        where: path of the module, or the name of the function.
        what: its class.
        why: the reason.
        nearest: what may serve.
    Returns:
        The error.
    """
    label = what if where in ("", what) else f"{where}, {what},"
    text = f"model: {label} has no equal here: {why}; nearest is {nearest}"
    return ValueError(explained(text, PAGE))


def no_equal(operation: Operation, why: str = "", nearest: str = "") -> ValueError:
    """The same, of a step that may be in the table of those that have none.

    Args:
        operation: the step.
        why: the reason, where it is none of the table.
        nearest: what may serve, likewise.
    Returns:
        The error.
    """
    what = operation.kind
    name = what if isinstance(what, str) else type(what).__name__
    starts = sorted((start for start in _REFUSED if name.startswith(start)), key=len)
    found = _REFUSED[starts[-1]] if starts else _NONE
    return refused(operation.name, name, why or found[0], nearest or found[1])


def layer(operation: Operation) -> nn.Module | None:
    """The module that a step is, also where it is a function; None for one that is none.

    Args:
        operation: the step.
    Returns:
        A module of ``KNOWN``, or one with the name of a drop path.
    """
    if isinstance(operation.kind, nn.Module):
        return operation.kind
    if operation.kind == "layer_norm":  # in layer norms that people write for maps
        return _layer_norm(*operation.args[1:], **operation.kwargs)
    if operation.kind not in _FUNCTIONS:
        return None
    kind, names = _FUNCTIONS[operation.kind]
    given = dict(zip(names, operation.args[1:], strict=False)) | operation.kwargs
    given = {name: value for name, value in given.items() if name not in _TO_THE_POINT}
    if kind is nn.Upsample:
        antialias = given.pop("antialias", False)
        given.pop("recompute_scale_factor", None)
        if antialias:
            raise no_equal(operation, "it smooths before it samples", "enn.Downsample")
    return kind(**given)


def _layer_norm(
    normalized_shape: Sequence[int],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
) -> nn.Module:
    learns = weight is not None
    return nn.LayerNorm(list(normalized_shape), eps, learns, bias is not None, device="meta")


def arguments(kind: Callable[..., Any], values: dict[str, object]) -> list[str]:
    """The arguments of a call, by name where they have defaults, which are left out.

    Args:
        kind: a class or a function.
        values: of its arguments, in their order.
    Returns:
        Each as text.
    """
    signature = inspect.signature(kind).parameters
    found = []
    for name, value in values.items():
        default = signature[name].default
        if default is inspect.Parameter.empty:
            found.append(_text(value))
        elif value != default:
            found.append(f"{name}={_text(value)}")
    return found


def _text(value: object) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def options(module: nn.Module, kind: type | None = None) -> dict[str, Any]:
    """What a module was made with, as far as its attributes say it.

    Args:
        module: of ``torch.nn``.
        kind: the class whose arguments are looked for; its own if None.
    Returns:
        By name.
    """
    found: dict[str, Any] = {}
    for name in inspect.signature(kind or type(module)).parameters:
        if hasattr(module, name) and name not in ("inplace", "device", "dtype", "init"):
            value = getattr(module, name)
            is_flag = value is None or isinstance(value, nn.Parameter)
            found[name] = value is not None if name == "bias" and is_flag else value
    return found


def plain(module: nn.Module, **changes: str) -> Call:
    """The call that makes a module of ``torch.nn``.

    Args:
        module: which is looked at.
        changes: arguments, as text, in place of its own.
    Returns:
        Such as ``nn.Linear(48, 10)``.
    """
    kind = type(module)
    parts = []
    for name, value in options(module).items():
        if name in changes:
            parts.append(changes[name])
        else:
            parts += arguments(kind, {name: value})
    return Call(f"nn.{kind.__name__}", tuple(parts))
