"""What reading a plain network needs throughout: the step at hand, its input, and a place to write.

In: operations. Out: ``Reading``.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn
from torch.nn.utils import parametrize

from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.operations import Operand, Operation
from equinet.convert.skeleton.squeeze import squeezes
from equinet.convert.skeleton.steps import Step, Value
from equinet.convert.skeleton.widths import Width
from equinet.field import FieldType


class Reading:
    """The operations of a plain network, one of which is read, and the steps that were written.

    Args:
        model: the network.
        operations: what it computes.
        in_type: of its input.
    """

    def __init__(self, model: nn.Module, operations: list[Operation], in_type: FieldType) -> None:
        self.model, self.operations = model, operations
        self.space = in_type.space
        batch, channels, *sizes = operations[0].shape or (0, 0)
        self.batch = batch
        self.values = {0: Value(0, (Width(channels, in_type),), tuple(sizes))}
        self.steps: list[Step] = []
        self.users: dict[int, list[int]] = {i: [] for i in range(len(operations))}
        for i, operation in enumerate(operations):
            for j in dict.fromkeys(operation.operands):
                self.users[j].append(i)
        self.squeezes = squeezes(operations, self.users)
        self.absorbed = {i for found in self.squeezes.values() for i in found.absorbed}
        self.learned: set[int] = set()
        self.number = 0  # of the operation that is read
        self.operation = operations[0]

    def refusal(self, why: str, nearest: str) -> ValueError:
        """The error that says of the operation that it has no equal."""
        return known.no_equal(self.operation, why, nearest)

    def check(self, module: nn.Module) -> None:
        """Raise ValueError unless the module does what its class does, and once."""
        if parametrize.is_parametrized(module) or module._forward_pre_hooks:
            raise self.refusal(
                "a parametrization or a hook changes its weights",
                "the layer without it, or with enn.spectral_norm",
            )
        if any(True for _ in module.parameters()):
            if id(module) in self.learned:
                raise self.refusal("it is called twice", "a module of its own for each call")
            self.learned.add(id(module))

    def add(
        self,
        kind: nn.Module | str,
        inputs: tuple[Value, ...],
        out: Value,
        *,
        layers: tuple[nn.Module, ...] = (),
        name: str = "",
        **extra: object,
    ) -> Value:
        """Write a step down; the value that it gives."""
        out = replace(out, number=len(self.steps) + 1)
        layers = (kind,) if isinstance(kind, nn.Module) else layers
        self.steps.append(Step(name or self.operation.name, kind, inputs, out, layers, extra))
        return out

    def input(self) -> Value:
        """What the operation takes first."""
        arg = self.operation.args[0] if self.operation.args else None
        if not isinstance(arg, Operand):
            raise self.refusal("its input is no result of a layer", "the input by its place")
        if self.values[arg.number].number < 0:
            raise self.refusal("its input is a tensor of the model", "a layer that holds it")
        return self.values[arg.number]

    def map(self, x: Value | None = None) -> Value:
        """What the operation takes, which has to be fields on the grid as they are."""
        x = self.input() if x is None else x
        if not x.sizes:
            raise self.refusal("its input are invariants, which have no map", "nn.Linear")
        if x.pooled == "avg":  # a map of one point, which goes on
            x = replace(x, pooled="")
            one = (1,) * len(x.sizes)
            return self.add(nn.AdaptiveAvgPool2d(1), (x,), replace(x, sizes=one), name="mean")
        if x.pooled or x.padding:
            raise self.refusal("what comes before has no equal", "a convolution with a padding")
        return x

    def outer(self) -> tuple[int, ...]:
        """The sizes of the result."""
        shape = self.operation.shape or ()
        return tuple(shape[2:])

    def is_activated(self) -> bool:
        """Whether an activation comes next, with norms and pools at most before it."""
        passing = (*known.NORMS, *known.AVERAGES, *known.MAXIMA, *known.DROPOUTS, nn.Identity)
        return isinstance(self._next(passing), known.ACTIVATIONS)

    def shuffle(self) -> int:
        """The factor of a pixel shuffle that comes next, or 0."""
        module = self._next((*known.NORMS, nn.Identity))
        return module.upscale_factor if isinstance(module, nn.PixelShuffle) else 0

    def _next(self, passing: tuple[type[nn.Module], ...]) -> nn.Module | None:
        """The first layer behind this one that is none of these, where the way does not branch."""
        number = self.number
        while len(self.users[number]) == 1:
            (number,) = self.users[number]
            module = known.layer(self.operations[number])
            if not isinstance(module, passing):
                return module
        return None
