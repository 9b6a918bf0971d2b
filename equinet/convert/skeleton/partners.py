"""The equivariant partner of each layer of a plain network: what is written, and what it costs.

In: a step and the types of its widths. Out: ``Piece``, a call and its cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from equinet import nn as enn
from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.code import Call
from equinet.convert.skeleton.costs import invariants
from equinet.convert.skeleton.kernels import Kernels
from equinet.convert.skeleton.operations import DROP_PATHS
from equinet.convert.skeleton.pieces import Piece, is_permuted, short
from equinet.convert.skeleton.squeeze import Squeeze
from equinet.convert.skeleton.steps import Step, Value
from equinet.convert.skeleton.widths import Types, together
from equinet.field import FieldType

_POINTWISE: dict[type[nn.Module], type] = {
    kind: getattr(enn, kind.__name__)
    for kind in (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Tanh)
}


SIZE = "the size of the example"


def partner(step: Step, types: Types, name: Callable[[FieldType], str]) -> list[Piece]:
    """What stands for a step, one layer or two; nothing for a join.

    Args:
        step: of the plain network.
        types: of the widths.
        name: what a type is called in the code.
    Returns:
        The layers in a row.
    Raises:
        ValueError: for a layer that the group does not admit.
    """
    return _Partner(step, types, name).pieces()


class _Partner(Kernels):
    """A step and what stands for it."""

    def pieces(self) -> list[Piece]:
        step, kind = self.step, self.step.kind
        words: dict[object, Callable[[], list[Piece]]] = {
            "head": self._head, "squeeze": self._squeeze, "layer_scale": self._layer_scale,
            "mul": self._product,
        }  # fmt: skip
        if isinstance(kind, str):
            return words.get(kind, list)()
        if not self.x.sizes:
            return self.of_vectors(kind)
        kinds: list[tuple[Any, Callable[[Any], list[Piece]]]] = [
            ((*known.CONVOLUTIONS, *known.TRANSPOSED), self.convolution),
            (nn.Linear, self.linear),
            (known.BATCH_NORMS, self._batch_norm),
            ((*known.INSTANCE_NORMS, nn.GroupNorm, *known.LAST_NORMS), self._norm),
            (known.ACTIVATIONS, self._activation),
            ((*known.AVERAGES, *known.MAXIMA), self._window),
            (known.ADAPTIVE_AVERAGES, self._adaptive),
            (known.UPSAMPLES, self._upsample),
            (known.SHARES, self._shares),
            (nn.PixelShuffle, self._pixel_shuffle),
        ]
        try:
            found = next((road for k, road in kinds if isinstance(kind, k)), self._dropout)
            return found(kind)
        except ValueError as error:
            if str(error).startswith("model: "):
                raise
            why = f"{str(error).partition(':')[2].strip()}"
            raise known.refused(
                step.name, type(kind).__name__, f"it {why}", "sizes that are the same along axes"
            ) from error

    def _batch_norm(self, module: Any) -> list[Piece]:  # noqa: ANN401 - one of four classes
        given = known.options(module)
        values = {key: given[key] for key in ("eps", "momentum", "affine", "track_running_stats")}
        values["sync"] = isinstance(module, nn.SyncBatchNorm)
        return [Piece(self.made(enn.BatchNorm, **values), self._scales(module.affine, True))]

    def _norm(self, module: Any) -> list[Piece]:  # noqa: ANN401 - one of six classes
        fields = self.fields(self.x)
        given = known.options(module)
        learns = given.get("affine", given.get("elementwise_affine"))
        values = {"eps": given["eps"], "affine": learns}
        if values["eps"] is None:
            del values["eps"]
        parts: tuple[str, ...] = ()
        if isinstance(module, nn.GroupNorm):
            kind, parts = enn.GroupNorm, (repr(module.num_groups),)
            if fields.copies % module.num_groups:
                raise known.refused(
                    self.step.name, "GroupNorm",
                    f"{module.num_groups} groups do not divide the fields {fields}",
                    "enn.InstanceNorm or enn.LayerNorm",
                )  # fmt: skip
        elif isinstance(module, nn.LayerNorm):
            kind, values["bias"] = enn.LayerNorm, not learns or module.bias is not None
        else:
            kind = enn.RMSNorm if isinstance(module, nn.RMSNorm) else enn.InstanceNorm
        bias = kind is not enn.RMSNorm and values.get("bias", True)
        return [Piece(self.made(kind, *parts, **values), self._scales(bool(learns), bool(bias)))]

    def _scales(self, learns: bool, bias: bool) -> int:
        fields = self.fields(self.x)
        return learns * (fields.copies + bias * invariants(fields))

    def _activation(self, module: nn.Module) -> list[Piece]:
        fields = together(self.x.row, self.types)
        text, kind = self.name(fields), _POINTWISE.get(type(module))
        many = isinstance(module, nn.PReLU) and module.num_parameters > 1
        # The components of a field, and the scalars of all gates, have one function.
        function = known.plain(module, **({"num_parameters": "1"} if many else {}))
        learned = int(isinstance(module, nn.PReLU))
        if is_permuted(fields):
            if kind is not None:
                return [Piece(self.made(kind, **known.options(module, kind)))]
            return [Piece(Call("enn.Pointwise", (text, function)), learned)]
        parts = (text,) if isinstance(module, nn.ReLU) else (text, function)
        gate = Piece(Call("enn.Gate", parts), learned)
        if self.has_gates(self.x):
            return [gate]
        with_gates = Value(0, self.x.row, self.x.sizes, gates=True)
        return [self.mixing(fields, with_gates), gate]

    def _dropout(self, module: Any) -> list[Piece]:  # noqa: ANN401 - a dropout or a drop path
        if type(module).__name__ in DROP_PATHS:
            chance = getattr(module, "drop_prob", getattr(module, "p", 0.0))
            return [Piece(Call("enn.DropPath", (self.called(self.x), repr(chance))))]
        parts = (self.called(self.x), *known.arguments(enn.Dropout, {"p": module.p}))
        return [Piece(Call("enn.Dropout", parts))]

    def _window(self, module: Any) -> list[Piece]:  # noqa: ANN401 - one of six classes
        given = known.options(module)
        self.check_alike(given, ("kernel_size", "stride", "padding", "dilation"))
        kind: type = enn.AvgPool
        names = ["stride", "padding", "count_include_pad", "ceil_mode", "divisor_override"]
        if isinstance(module, known.MAXIMA):
            kind, names = enn.MaxPool, ["stride", "padding", "dilation", "ceil_mode"]
            if not is_permuted(self.fields(self.x)):
                kind, names = enn.NormMaxPool, ["stride", "padding", "ceil_mode"]
                if short(module.dilation) != 1:
                    raise known.refused(
                        self.step.name, type(module).__name__,
                        f"of vectors there is no maximum with dilation {module.dilation}",
                        "enn.NormMaxPool without it",
                    )  # fmt: skip
        if given["stride"] is None:
            given["stride"] = given["kernel_size"]
        comment = self.off_centre(module, given)
        values = {name: short(given[name]) for name in names if name in given}
        size = short(given["kernel_size"])
        if values["stride"] == size:
            values["stride"] = None
        return [Piece(self.made(kind, repr(size), comment=comment, **values))]

    def _adaptive(self, module: Any) -> list[Piece]:  # noqa: ANN401 - one of three classes
        sizes = self.step.out.sizes
        return [Piece(self.made(enn.AdaptiveAvgPool, output_size=short(sizes)))]

    def _upsample(self, module: nn.Upsample) -> list[Piece]:
        factor, nearest = self.step.extra["factor"], self.step.extra["nearest"]
        values: dict[str, Any] = {
            "mode": "nearest" if nearest else "linear",
            "align_corners": bool(module.align_corners),
        }
        if factor is not None:
            return [Piece(self.made(enn.Upsample, repr(factor), **values))]
        old, new = self.x.sizes, self.step.out.sizes
        steps = {(m - 1) / max(n - 1, 1) for n, m in zip(old, new, strict=True)}
        if module.align_corners and len(steps) == 1 and (step := steps.pop()) == int(step):
            return [Piece(self.made(enn.Upsample, repr(int(step)), **values))]
        return [Piece(self.made(enn.Upsample, comment=SIZE, size=short(new), **values))]

    def _pixel_shuffle(self, module: nn.PixelShuffle) -> list[Piece]:
        parts = (self.called(self.step.out), repr(module.upscale_factor))
        return [Piece(Call("enn.PixelShuffle", parts))]

    def _shares(self, module: nn.Module) -> list[Piece]:
        text = self.called(self.x)
        return [Piece(Call("enn.Typed", (known.plain(module), text, text)))]

    # --- words -------------------------------------------------------------------------------

    def _head(self) -> list[Piece]:
        """Invariants of a map."""
        fields, text = self.fields(self.x), self.called(self.x)
        kind = "enn.GlobalAvgPool" if self.step.extra["how"] == "avg" else "enn.GlobalMaxPool"
        note = ""
        if self.step.out.positions > 1:
            note = f"the mean of {self.step.out.positions} positions"
        if all(rho.is_trivial for _, rho in fields.blocks):
            return [Piece(Call(kind, (text,), note))]
        pool = "enn.GroupPool" if is_permuted(fields) else "enn.NormPool"
        inner = Call(pool, (text,))
        return [Piece(inner), Piece(Call(kind, (f"{pool}({text}).out_type",), note))]

    def _squeeze(self) -> list[Piece]:
        found: Squeeze = self.step.extra["squeeze"]
        fields = self.fields(self.x)
        squeeze, _ = found.layers
        reduction = max(1, squeeze.weight.shape[1] // squeeze.weight.shape[0])
        parts = known.arguments(enn.SqueezeExcite, {"reduction": reduction})
        if not isinstance(found.function, nn.ReLU):
            parts.append(f"function={known.plain(found.function).flat()}")
        if not isinstance(found.gate, nn.Sigmoid):
            parts.append(f"gate={known.plain(found.gate).flat()}")
        copies = fields.copies
        inner = max(1, copies // reduction)
        call = Call("enn.SqueezeExcite", (self.called(self.x), *parts), found.name)
        return [Piece(call, 2 * copies * inner + copies + inner, 4 * copies * inner)]

    def _product(self) -> list[Piece]:
        """A join, if there is one."""
        if self.x.sizes and "mask" not in self.step.extra and not is_permuted(self.fields(self.x)):
            raise known.refused(
                self.step.name, "mul", "vectors times vectors are fields of other types",
                "enn.Product, or regular fields",
            )  # fmt: skip
        return []

    def _layer_scale(self) -> list[Piece]:
        start = repr(self.step.extra["init"])
        call = Call("enn.LayerScale", (self.called(self.x), start), self.step.name)
        return [Piece(call, self.fields(self.x).copies)]
