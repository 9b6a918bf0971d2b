"""Gates: fields that are multiplied by functions of scalars."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_elementwise
from equinet.nn.batch_norm import BatchNorm
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph
from equinet.nn.sequential import Sequential
from equinet.ops import relu
from equinet.rep import trivial


class Gate(EquivariantModule):
    r"""Scalars pass through a function, and every other field is multiplied by a gate.

    .. math:: s \mapsto \text{function}(s), \qquad (t, f) \mapsto \text{gate}(t)\, f

    t is a scalar of its own for each field f, so this commutes with G for every representation.
    Scalars are the fields that H leaves alone; a field that changes its sign is gated like the
    others. The gates t are the first channels of the input, which ``gated`` makes room for.

    Unlike every other layer it takes the type of its output: that is the one at hand, as in
    ``Conv2d(x, gated(h), 3), Gate(h)``, for which ``gated_layer(Conv2d, x, h, 3)`` is short. It
    cannot be had from the input's, since the scalars of "2x trivial + 2x1" may be fields of their
    own or the gates of the others.

    Over the sphere the result has degrees above the band, so the equivariance is approximate there.

    Args:
        out_type: the fields without their gates; ``in_type`` is ``gated(out_type)``.
        function: of the scalars, elementwise.
        gate: of the gates, elementwise.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        ValueError: for fields sampled on the whole group, which are functions: use ``ReLU``; if a
            function is not elementwise.
        TypeError: if it is no function.

    Example:
        >>> from equinet.field import Volume
        >>> gate = Gate(Volume("SO(3)").fields("16x0 + 8x1 + 4x2"))
        >>> gate.in_type
        Volume('SO(3)').fields('12x trivial + 16x0 + 8x1 + 4x2')
    """

    def __init__(
        self,
        out_type: FieldType,
        function: Callable[[Tensor], Tensor] = relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    ) -> None:
        super().__init__(_gated(out_type, "out_type"), out_type)
        self.aliases = out_type.space.is_band_limited
        self.function, self.gate = function, gate
        self.gates = [0 if rho.is_trivial else mul for mul, rho in out_type.blocks]
        self.shapes = [
            (mul, dim) for (mul, _), dim in zip(out_type.blocks, out_type.dims, strict=True)
        ]
        axes = len(out_type.space.axes(out_type.blocks))
        check_elementwise(gate, "gate", [1] * max(1, sum(self.gates)), axes)
        scalars = zip(self.shapes, self.gates, strict=True)
        for count in {mul * dim for (mul, dim), gates in scalars if not gates} or {1}:
            check_elementwise(function, "function", [1] * count, axes)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        # One split, so that the backward pass writes its gradient once.
        first, *parts = x.split([sum(self.gates), *(mul * dim for mul, dim in self.shapes)], 1)
        gates = self.gate(first).unsqueeze(2).split(self.gates, 1)
        # A gate acts on all components of its field alike: axes (batch, field, component, ...).
        parts = [
            (part.unflatten(1, shape) * t).flatten(1, 2) if used else self.function(part)
            for part, shape, t, used in zip(parts, self.shapes, gates, self.gates, strict=True)
        ]
        return laid_out(torch.cat(parts, 1), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)


def gated(field_type: FieldType) -> FieldType:
    """The input of ``Gate(field_type)``: one scalar for each field that is none, then all fields.

    Raises:
        ValueError: for fields sampled on the whole group.

    Example:
        >>> from equinet.field import Plane
        >>> gated(Plane("D4").fields("4x trivial + 2x vector"))
        Plane('D4').fields('2x trivial + 4x trivial + 2x vector')
    """
    return _gated(field_type, "field_type")


def gated_layer(
    layer: Callable[..., nn.Module],
    in_type: FieldType,
    out_type: FieldType,
    *args: object,
    norm: Callable[[FieldType], nn.Module] | None = BatchNorm,
    function: Callable[[Tensor], Tensor] = relu,
    gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    **options: object,
) -> Sequential:
    r"""A layer, a norm and a ``Gate`` between two types, with the gates in between.

    .. math:: \text{in\_type} \xrightarrow{\text{layer}} \text{gated(out\_type)}
              \xrightarrow{\text{norm}} \text{gated(out\_type)} \xrightarrow{\text{Gate}}
              \text{out\_type}

    Args:
        layer: a class such as ``Conv2d``, ``Linear`` or ``PointConv``, or a function that makes a
            module from two types.
        in_type: of the input.
        out_type: of the output, without gates; ``layer`` is given ``gated(out_type)``.
        *args: more arguments of ``layer``, such as the size of a filter.
        norm: of its output, made from its type, such as ``LayerNorm`` or ``functools.partial`` of
            another one; None for none.
        function: of the scalars, as in ``Gate``.
        gate: of the gates, likewise.
        **options: more arguments of ``layer`` by name.
    Returns:
        The modules in a row.
    Raises:
        TypeError: if ``layer`` or ``norm`` cannot be called, or a type is none.
        ValueError: for fields sampled on the whole group, and as ``layer``.

    Example:
        >>> from equinet.field import Plane
        >>> from equinet.nn.conv import Conv2d
        >>> x, h = (Plane("SO(2)").fields(text) for text in ("1x0", "4x0 + 4x1"))
        >>> net = gated_layer(Conv2d, x, h, 3, padding=1, bias=False)
        >>> net[0].out_type, net.out_type
        (Plane('SO(2)').fields('4x trivial + 4x0 + 4x1'), Plane('SO(2)').fields('4x0 + 4x1'))
    """
    for name, value in (("layer", layer), ("norm", norm)):
        if not (callable(value) or name == "norm" and value is None):
            raise TypeError(f"{name}: expected a class of modules, got {value!r}")
    inner = _gated(out_type, "out_type")
    found = layer(in_type, inner, *args, **options)
    # A stride that differs between the axes leads to another grid.
    inner = getattr(found, "out_type", inner)
    last = FieldType(inner.space, out_type.blocks)
    norms = [] if norm is None else [norm(inner)]
    return Sequential(found, *norms, Gate(last, function, gate))


def _gated(field_type: FieldType, name: str) -> FieldType:
    if not isinstance(field_type, FieldType):
        raise TypeError(f"{name}: expected a FieldType, got {type(field_type).__name__}")
    for _, rho in field_type.blocks:
        if rho.is_sampled:
            raise ValueError(
                f"{name}: expected fields of finite dimension, got {rho!r} in {field_type!r}; "
                "these are sampled functions, for which enn.ReLU serves"
            )
    count = sum(mul for mul, rho in field_type.blocks if not rho.is_trivial)
    if not count:
        return field_type
    gates = FieldType(field_type.space, ((count, trivial(field_type.space.fibre_group)),))
    return gates + field_type
