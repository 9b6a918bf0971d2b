"""Modules that arrange others: nothing, a smaller group, a sum."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.group import FiniteGroup, Group, named_group
from equinet.group.group import check_subgroup
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import exported
from equinet.nn.surroundings import handed, surroundings, takes, takes_of
from equinet.rep import Representation, irrep, regular, restrict

_Types = tuple[FieldType, FieldType | None]  # of input and output


class Identity(EquivariantModule):
    """The fields as they are, of a type that ``Sequential`` can compare.

    Args:
        in_type: fields over any space.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, in_type)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return x

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()


class Restrict(EquivariantModule):
    r"""The same fields with a smaller symmetry, that of a subgroup, where the task breaks the rest.

    The tensor stays as it is. The representations are those of the subgroup with the same matrices,
    rho(h) for h in the subgroup; fewer equations hold, so layers after it have more kernels.

    Args:
        in_type: fields over a grid, ``Point``, ``Points``, a ``Sphere`` on which O(3) acts, or
            another space with ``restrict``.
        subgroup: of the group of the space, or its name.
    Raises:
        ValueError: if it is not a subgroup (of the same matrices, not up to orientation), and for
            fields over a sphere if it has not all rotations.

    Example:
        >>> from equinet.field import Plane
        >>> Restrict(Plane("D4").fields("2x regular"), "C4").out_type.space
        Plane('C4')
    """

    def __init__(self, in_type: FieldType, subgroup: Group | str) -> None:
        super().__init__(in_type, in_type)
        space = in_type.space
        if isinstance(subgroup, str):
            subgroup = named_group(subgroup, space.group.n)
        with torch.device("cpu"):
            check_subgroup(subgroup, space.group)
            smaller = space.restrict(subgroup)
            blocks = [(mul, _restricted(rho, smaller.fibre_group)) for mul, rho in in_type.blocks]
        self.out_type = smaller.fields(blocks)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return x

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()


class Typed(EquivariantModule[FieldType | None]):
    r"""Any module, with the types that it is said to have: you vouch for its equivariance.

    So a module of yours, or of another library, can stand in ``Sequential``, ``Residual`` and
    ``Concat``. The shapes of input and output are checked; whether Phi(g f) = g Phi(f) holds,
    ``equinet.testing.assert_equivariant`` tells.

    Args:
        module: whose ``forward`` takes the fields first.
        in_type: type of the input.
        out_type: type of the output, or None for plain vectors that the group leaves unchanged.
    Raises:
        TypeError: if ``module`` is not a ``torch.nn.Module``.

    Example:
        >>> from equinet.field import Plane
        >>> h = Plane("C4").fields("4x trivial")
        >>> mixed = Typed(nn.Conv2d(4, 4, kernel_size=1), h, h)  # channels of scalars may mix
        >>> mixed(torch.zeros(h.shape(2, 5, 5))).shape
        torch.Size([2, 4, 5, 5])
    """

    is_vouched = True

    def __init__(self, module: nn.Module, in_type: FieldType, out_type: FieldType | None) -> None:
        super().__init__(in_type, out_type)
        if not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        self.module = module

    @property
    def takes(self) -> tuple[str, ...]:
        """What the module takes after the fields."""
        return takes(self.module)

    def forward(self, x: Tensor, *args: object, **kwargs: object) -> object:
        """What the module gives, with the shapes of both ends checked.

        Args:
            x: ``in_type.shape(batch, ...)``.
            *args: more arguments of the module.
            **kwargs: and those by name.
        Returns:
            ``out_type.shape(batch, ...)``; anything if ``out_type`` is None.
        """
        self.check(x)
        y = self.module(x, *args, **kwargs)
        if self.out_type is not None:
            self.out_type.check(y, "output of module")
        return y

    def export(self) -> nn.Module:
        """The module, exported if it can be, else copied."""
        return exported(self.module)


class _Branches(EquivariantModule[FieldType | None]):
    """Modules that take the same fields, and whose outputs are joined."""

    is_plain = True  # so ``exported`` makes the graph, and what branches share stays shared

    plain_forward = "alone"  # whose steps make the graph

    def __init__(
        self, in_type: FieldType, out_type: FieldType | None, **branches: nn.Module
    ) -> None:
        super().__init__(in_type, out_type)
        for name, branch in branches.items():
            self.add_module(name, branch)
        self._takes = {name: takes(branch) for name, branch in branches.items()}

    @property
    def takes(self) -> tuple[str, ...]:
        """What the branches take besides the fields."""
        return takes_of(self._modules.values())

    def forward(
        self,
        x: Tensor,
        positions: Tensor | None = None,
        graph: Graph | Tensor | None = None,
        **others: Any,  # noqa: ANN401 - what branches take by these names
    ) -> Tensor:
        """The outputs of the branches, joined.

        Args:
            x: ``in_type.shape(batch, ...)``.
            positions: of points, ``(points, n)``, for the branches that take them.
            graph: their ``transforms.Graph``, or its edges, likewise.
            **others: more arguments, likewise.
        Returns:
            ``out_type.shape(batch, ...)``.
        """
        self.check(x)
        given = surroundings(positions, graph, others)
        outputs = [
            branch(x, **handed(self._takes[name], given))
            for name, branch in self._modules.items()
            if branch is not None
        ]
        self.check_sizes(x, outputs)
        return self.join(outputs)

    def alone(self, x: Tensor) -> Tensor:
        """The same of the fields alone, as ``export`` records it."""
        return self.forward(x)

    def join(self, outputs: list[Tensor]) -> Tensor:
        """One tensor of those of the branches."""
        raise TypeError(f"{type(self).__name__} is not a concrete module")

    def check_sizes(self, x: Tensor, outputs: list[Tensor]) -> None:
        """Raise ValueError unless the outputs differ in nothing but their channels."""
        (_, lead), *branches = self._modules.items()
        first, *others = outputs
        for (name, branch), y in zip(branches, others, strict=True):
            if y.shape[:1] != first.shape[:1] or y.shape[2:] != first.shape[2:]:
                label = name if name.isalpha() else f"branches[{name}]"
                raise ValueError(
                    f"{label}: expected an output of shape (batch, channel, *sizes) = "
                    f"{(first.shape[0], y.shape[1], *first.shape[2:])}, the sizes of "
                    f"{type(lead).__name__}, got {tuple(y.shape)} from "
                    f"{type(branch).__name__}, for x of shape {tuple(x.shape)}; give both the same "
                    "strides and paddings, or end one in enn.Upsample(h, size=sizes), or let x "
                    "have sizes that the strides divide"
                )

    def export(self) -> nn.Module:
        """A graph of plain torch that holds the branches exported."""
        return exported(self).eval()


class Residual(_Branches):
    r"""The sum of two branches, x -> body(x) + shortcut(x).

    Args:
        body: a module with ``in_type`` and ``out_type``, such as ``Sequential``.
        shortcut: of the same types; by default the identity.
    Raises:
        TypeError: if a branch does not know its types.
        ValueError: if the types of the branches differ, and in ``forward`` if the sizes of their
            outputs do.

    Example:
        >>> from equinet.field import Plane
        >>> fields = Plane("C4").fields("2x regular")
        >>> Residual(Identity(fields))(torch.ones(fields.shape(1, 3, 3))).mean()
        tensor(2.)
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        in_type, out_type = _types(body, "body")
        shortcut = Identity(in_type) if shortcut is None else shortcut
        given = _types(shortcut, "shortcut")
        for name, ours, other in zip(
            ("in_type", "out_type"), (in_type, out_type), given, strict=True
        ):
            if ours != other:
                raise ValueError(
                    f"shortcut: expected {name} {ours!r}, that of the body, got {other!r} of "
                    f"{type(shortcut).__name__}; a convolution or Linear from {in_type!r} to "
                    f"{out_type!r} can be a shortcut"
                )
        super().__init__(in_type, out_type, body=body, shortcut=shortcut)

    def join(self, outputs: list[Tensor]) -> Tensor:
        y, z = outputs
        return y + z


class Concat(_Branches):
    r"""The channels of several branches, one after the other: the skip of a U-Net.

    .. math:: x \mapsto \Phi_1(x) \oplus \Phi_2(x) \oplus \dots

    ``out_type`` is the direct sum of the types of the branches. In a ``forward`` of your own,
    ``torch.cat([y, z], 1)`` is a field of the type ``y_type + z_type``.

    Args:
        branches: modules with ``in_type`` and ``out_type``, such as ``Sequential``; ``Identity``
            keeps x itself.
    Raises:
        TypeError: if a branch does not know its types.
        ValueError: if the branches take different types or lead to different spaces, and in
            ``forward`` if the sizes of their outputs differ.

    Example:
        >>> from equinet.field import Plane
        >>> h = Plane("C4").fields("2x regular")
        >>> Concat(Identity(h), Restrict(h, "C4")).out_type
        Plane('C4').fields('2x regular + 2x regular')
    """

    def __init__(self, *branches: nn.Module) -> None:
        if not branches:
            raise ValueError("branches: expected at least one module, got none")
        types = [_types(branch, f"branches[{i}]") for i, branch in enumerate(branches)]
        named = {str(i): branch for i, branch in enumerate(branches)}
        super().__init__(types[0][0], _sum(branches, types), **named)

    def join(self, outputs: list[Tensor]) -> Tensor:
        return torch.cat(outputs, 1)


def _sum(branches: Sequence[nn.Module], types: Sequence[_Types]) -> FieldType | None:
    """The direct sum of what the branches give."""
    first, total = types[0]
    for i, (branch, (in_type, out_type)) in enumerate(zip(branches, types, strict=True)):
        label, kind = f"branches[{i}]", type(branch).__name__
        if in_type != first:
            raise ValueError(
                f"{label}: expected in_type {first!r}, that of the first, got {in_type!r} of {kind}"
            )
        ours, other = ("plain vectors" if t is None else t.space for t in (total, out_type))
        if ours != other:
            raise ValueError(
                f"{label}: expected an output over {ours}, as of the first, got {other} of {kind}"
            )
        if i and total is not None and out_type is not None:
            total = total + out_type
    return total


def _types(module: nn.Module, argument: str) -> _Types:
    """Those of a module, which must know them."""
    in_type = getattr(module, "in_type", None)
    out_type = getattr(module, "out_type", None)
    if (
        not isinstance(module, nn.Module)
        or not isinstance(in_type, FieldType)
        or not isinstance(out_type, FieldType | None)
    ):
        raise TypeError(
            f"{argument}: expected a module with in_type and out_type, got {type(module).__name__}"
        )
    return in_type, out_type


def _restricted(rho: Representation, subgroup: Group) -> Representation:
    """The representation of the subgroup, under the name of an irrep or "regular" if it is one."""
    result = restrict(rho, subgroup)
    known = [irrep(subgroup, result.constituents[0].name)]
    if isinstance(subgroup, FiniteGroup) and subgroup.order == rho.dim:
        known.append(regular(subgroup))
    return next((named for named in known if named == result), result)
