"""What is asked of the values and layers of e3nn, and its irreps as field types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from torch import Tensor

from equinet.field import FieldType, Points, Space
from equinet.group import o3
from equinet.rep import irrep


class IrrepOfO3(Protocol):
    """``o3.Irrep``."""

    l: int
    p: int
    dim: int

    def is_scalar(self) -> bool: ...


class Irreps(Protocol):
    """``o3.Irreps``: pairs (multiplicity, irrep)."""

    dim: int

    def __iter__(self) -> Iterator[tuple[int, IrrepOfO3]]: ...
    def __getitem__(self, index: int) -> tuple[int, IrrepOfO3]: ...
    def slices(self) -> list[slice]: ...


class LinearInstruction(Protocol):
    """A path of ``o3.Linear``; one with ``i_in`` -1 is a bias."""

    i_in: int
    i_out: int
    path_shape: tuple[int, ...]
    path_weight: float


class LinearLayer(Protocol):
    """``o3.Linear``."""

    irreps_in: Irreps
    irreps_out: Irreps
    instructions: Sequence[LinearInstruction]
    internal_weights: bool
    weight: Tensor
    bias: Tensor

    def weight_view_for_instruction(self, instruction: int) -> Tensor: ...


class ProductInstruction(Protocol):
    """A path of ``o3.TensorProduct``."""

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool
    path_weight: float
    path_shape: tuple[int, ...]


class TensorProductLayer(Protocol):
    """``o3.TensorProduct``."""

    irreps_in1: Irreps
    irreps_in2: Irreps
    irreps_out: Irreps
    instructions: Sequence[ProductInstruction]
    internal_weights: bool
    weight_numel: int
    weight: Tensor
    output_mask: Tensor

    def weight_views(
        self, weight: None = None, yield_instruction: bool = False
    ) -> Iterator[tuple[int, ProductInstruction, Tensor]]: ...


class BatchNormLayer(Protocol):
    """``nn.BatchNorm``."""

    irreps: Irreps
    eps: float
    momentum: float
    affine: bool
    instance: bool
    reduce: str
    normalization: str
    include_bias: bool
    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor


class Normalized(Protocol):
    """An activation f, times a constant that makes its second moment 1."""

    f: Callable[[Tensor], Tensor]
    cst: float


class Signal(Protocol):
    """``nn.S2Activation``, ``nn.SO3Activation``: a function of the values of a signal."""

    act: Normalized

    def buffers(self) -> Iterator[Tensor]: ...


class ActivationLayer(Protocol):
    """``nn.Activation``: a function, or None, for each block of scalars."""

    irreps_in: Irreps
    acts: Iterable[Normalized | None]


class GateLayer(Protocol):
    """``nn.Gate``; ``sc`` takes an input apart into scalars, gates and what is gated."""

    irreps_in: Irreps
    irreps_gated: Irreps
    irreps_out: Irreps
    act_scalars: ActivationLayer
    act_gates: ActivationLayer

    def sc(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]: ...


class NetworkLayer(Protocol):
    """A layer of ``nn.FullyConnectedNet``."""

    weight: Tensor
    act: Normalized | None
    h_in: float
    var_in: float
    var_out: float


def kind_of(module: object, kinds: Iterable[str]) -> str | None:
    """Which of these classes of e3nn an object is of; None if of none.

    Args:
        module: anything.
        kinds: names of classes.
    Returns:
        The name.
    """
    own = {k.__name__ for k in type(module).__mro__ if k.__module__.partition(".")[0] == "e3nn"}
    return next((kind for kind in kinds if kind in own), None)


def check_kind(module: object, kind: str, argument: str) -> None:
    """Raise TypeError unless an object is of a class of e3nn.

    Args:
        module: anything.
        kind: the name of the class.
        argument: the name of the object in an error.
    """
    if kind_of(module, [kind]) is None:
        raise TypeError(f"{argument}: expected a {kind} of e3nn, got {type(module).__name__}")


def refused(module: object, expected: str, advice: str, argument: str = "module") -> ValueError:
    """The error for a layer with a property that none has here.

    Args:
        module: of e3nn.
        expected: in place of what it has.
        advice: what to do.
        argument: the name of the layer in the error.
    Returns:
        To be raised.
    """
    return ValueError(f"{argument}: expected {expected}, got {module}; {advice}")


def check_space(space: Space | None) -> Space:
    """The space, by default that of points.

    Args:
        space: or None.
    Returns:
        One with fibres of O(3).
    Raises:
        TypeError: if it is no space.
        ValueError: if the group of its fibres is another one.
    """
    if space is None:
        return Points(o3())
    if not isinstance(space, Space):
        raise TypeError(f"space: expected a Space or None, got {type(space).__name__}")
    if space.fibre_group != o3():
        raise ValueError(f"space: expected one with the group O(3), as e3nn has it, got {space}")
    return space


def name_of(psi: IrrepOfO3) -> str:
    """As it is written: "1o"."""
    return f"{psi.l}{'e' if psi.p == 1 else 'o'}"


def fields_of(irreps: Irreps, space: Space) -> FieldType:
    """The fields of irreps, without those of multiplicity 0, which have no channels.

    Args:
        irreps: of e3nn.
        space: over which the fields are.
    Returns:
        Their type.
    Raises:
        ValueError: if nothing is left.
    """
    group = space.fibre_group
    blocks = [(mul, irrep(group, name_of(psi))) for mul, psi in irreps if mul]
    if not blocks:
        raise ValueError(f"module: expected at least one field on each side, got {irreps!r}")
    return space.fields(blocks)


def numbers_of(irreps: Irreps) -> dict[int, int]:
    """From the number of a block of e3nn to that of the block of ``fields_of``."""
    live = [i for i, (mul, _) in enumerate(irreps) if mul]
    return {i: k for k, i in enumerate(live)}
