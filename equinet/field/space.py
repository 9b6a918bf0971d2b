"""What a space is: the noun that says how its fields are sampled, moved, drawn and averaged.

In: groups, field types. Out: the noun Space.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import torch
from torch import Generator, Tensor

from equinet.field.field_type import FieldType, check_type
from equinet.group import Group, named_group
from equinet.numerics.arguments import check_generator, check_integer, check_number, is_row
from equinet.rep.fibres import Block

if TYPE_CHECKING:
    from equinet.field.grid import Grid


@dataclass(frozen=True)
class Noise:
    """What ``random_field`` is asked for; None leaves it to the space.

    Attributes:
        generator: of the random numbers.
        band: bound of the degrees, where a space is band-limited.
        sizes: of the axes, where a space leaves them open.
        smoothness: standard deviation of the Gaussian that smooths it, in steps of a grid.
    Raises:
        TypeError: if one is of another kind.
        ValueError: if one is out of range, or the generator is not on the CPU.
    """

    generator: Generator | None = None
    band: int | None = None
    sizes: tuple[int, ...] | None = None
    smoothness: float | None = None

    def __post_init__(self) -> None:
        if self.generator is not None:
            check_generator(self.generator)
            if self.generator.device.type != "cpu":
                raise ValueError(
                    f"generator: expected one on the CPU, got one on {self.generator.device}"
                )
        if self.band is not None:
            check_integer(self.band, "band")
        if self.sizes is not None:
            if not is_row(self.sizes):
                raise TypeError(f"sizes: expected one for each axis, got {self.sizes}")
            for size in self.sizes:
                check_integer(size, "sizes")
        if self.smoothness is not None:
            check_number(self.smoothness, "smoothness", 0)


class Space(ABC):
    r"""A homogeneous space G/H with a sampling of its points: where fields live.

    A subclass says four things, and all that works fibre by fibre works on it: nonlinearities,
    norms, ``enn.Linear``, dropout, pools over space, ``act``, ``random_field`` and the checks of
    equivariance. What else it knows of itself it says by overriding the rest, whose defaults hold
    on every space.

    - ``group``, G, whose elements ``act`` takes;
    - ``fibre_group``, H, which acts on the fibres;
    - ``axes``, names and sizes of the axes of a feature map;
    - ``act``, how an element moves a field.

    Two spaces are the same if they compare equal, so make a subclass a frozen dataclass.

    Attributes:
        is_parallel: whether an element turns all fibres alike, so that values at different points
            can be compared: [g f](x) = rho(g) f(g^-1 x), H = G but for translations. Elsewhere what
            they share is what H leaves alone.
        in_clouds: whether the batch axis lists the points of all clouds.
        is_band_limited: whether fields are functions of bounded degree, so that a product of two
            has degrees that the samples cannot hold.
        noise_options: which of band and smoothness mean something to ``noise``; sizes do where axes
            are open.
        maps: what maps fields over this space to other ones over it, as the end of a sentence.
        page: of the documentation, which explains what a tensor of such fields has to be; "" if
            no words are lost on it.

    Example:
        A ring of n points in the plane, which a cyclic or dihedral group turns:

        >>> from equinet.field import act, turn_fibres
        >>> from equinet.group import FiniteGroup, dihedral
        >>> @dataclass(frozen=True)
        ... class Ring(Space):
        ...     turns: FiniteGroup
        ...     n: int
        ...     is_parallel = True
        ...
        ...     @property
        ...     def group(self):
        ...         return self.turns
        ...
        ...     @property
        ...     def fibre_group(self):
        ...         return self.turns
        ...
        ...     def axes(self, blocks):
        ...         return {"point": self.n}
        ...
        ...     def act(self, field_type, g, x, order):
        ...         angle = torch.arange(self.n) * 2 * torch.pi / self.n
        ...         points = torch.stack([angle.cos(), angle.sin()], -1).to(g)
        ...         sources = torch.cdist(points @ g, points).argmin(-1)  # x goes to g x
        ...         return turn_fibres(field_type, g, x[..., sources])
        >>> winds = Ring(dihedral(4), 12).fields("1x vector")
        >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> act(winds, quarter, torch.randn(winds.shape(1))).shape
        torch.Size([1, 2, 12])
    """

    is_parallel: ClassVar[bool] = False
    in_clouds: ClassVar[bool] = False
    is_band_limited: ClassVar[bool] = False
    noise_options: ClassVar[tuple[str, ...]] = ()
    maps: ClassVar[str] = "enn.Linear"
    page: ClassVar[str] = ""

    @property
    @abstractmethod
    def group(self) -> Group:
        """G, whose elements are what ``act`` takes."""

    @property
    @abstractmethod
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""

    @abstractmethod
    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """Names and sizes of the axes after batch and channel; None is any size.

        Args:
            blocks: (multiplicity, representation) of the fields.
        Returns:
            Of each axis, in their order.
        Raises:
            ValueError: if the space cannot sample such blocks.
        """

    @abstractmethod
    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        r"""The moved feature maps, :math:`[g f](x) = \rho(g) f(g^{-1} x)`; see ``field.act``.

        Args:
            field_type: of ``x``, over this space.
            g: elements of G, checked, ``(n, n)`` or ``(batch, n, n)``.
            x: ``field_type.shape(batch, ...)``, checked.
            order: of the interpolation, where one is needed.
        Returns:
            In the shape and dtype and on the device of ``x``.
        """

    def fields(self, blocks: str | Iterable[Block]) -> FieldType:
        """The field type with these blocks.

        Args:
            blocks: a string such as "4x0 + 2x1", or a list of pairs (multiplicity, representation).
        Returns:
            The type of fields over this space.
        Raises:
            TypeError: if ``blocks`` is neither.
            ValueError: if the string does not parse or the blocks do not fit the space.
        """
        return FieldType.over(self, blocks)

    def noise(self, field_type: FieldType, batch: int, asked: Noise) -> Tensor:
        """Random fields with unit variance in every channel; here, independent normal numbers.

        Args:
            field_type: of the result, over this space.
            batch: number of feature maps.
            asked: the options that ``noise_options`` names, sizes of open axes, and the generator.
        Returns:
            float64, ``field_type.shape(batch, ...)``.
        Raises:
            ValueError: if an option is missing or out of range.
        """
        shape = field_type.shape(batch, *(asked.sizes or ()))
        return torch.randn(shape, generator=asked.generator, dtype=torch.float64)

    @property
    def room(self) -> int | None:
        """The band of random fields whose products still fit; None where nothing limits it."""
        return None

    @property
    def weights(self) -> Tensor | None:
        """Weights of the points along the first axis in a mean over space, float64, of sum 1.

        None if all points weigh the same; those along other axes always do.
        """
        return None

    @property
    def grid(self) -> Grid | None:
        """The grid of R^n between whose points an element may take them; None if it never does."""
        return None

    def keeps(self, elements: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Which elements move fields exactly, without interpolation; here all.

        Args:
            elements: of G, ``(count, n, n)``.
            sizes: of the axes that are open.
        Returns:
            bool ``(count,)``.
        """
        return torch.ones(len(elements), dtype=torch.bool)

    def restrict(self, subgroup: Group) -> Space:
        """The same points, of whose symmetries only a subgroup is kept.

        Args:
            subgroup: of G, which acts on the fibres alike.
        Returns:
            The space with this group.
        Raises:
            ValueError: if fields over the space are not fields of a subgroup.
        """
        raise ValueError(
            "in_type: expected fields over a grid, Point or Points, or another space that defines "
            f"restrict, whose group may be made smaller, got {self}"
        )

    def bridge(self, given: FieldType, wanted: FieldType) -> str:
        """What would let fields over this space serve over another one of its kind.

        Args:
            given: the fields over this space.
            wanted: the fields over the other.
        Returns:
            The end of a sentence; empty if the spaces do not differ in anything of their own.
        """
        return ""


S = TypeVar("S", bound=Space)


def space_of(field_type: FieldType, kind: type[S], argument: str = "in_type") -> S:
    """The space on which the fields live, which must be of a kind.

    Args:
        field_type: of the fields.
        kind: a class of spaces.
        argument: the name of ``field_type`` in an error.
    Returns:
        The space.
    Raises:
        TypeError: if it is no field type.
        ValueError: for fields over another space.
    """
    check_type(field_type, argument)
    _check_kind(kind)
    if not isinstance(field_type.space, kind):
        name = kind.__name__
        raise ValueError(f"{argument}: expected fields over a {name}, got {field_type!r}")
    return field_type.space


def _check_kind(kind: object) -> None:
    if not isinstance(kind, type) or not issubclass(kind, Space):
        raise TypeError(f"kind: expected a class of spaces, such as Sphere, got {kind!r}")


def acting_group(group: Group | str, n: int, space: str) -> Group:
    """The group, or the one of that name, which must act on R^n.

    Args:
        group: or its name.
        n: the dimension.
        space: what it is for, in an error.
    Returns:
        The group.
    Raises:
        TypeError: if ``group`` is neither a group nor a name.
        ValueError: if there is no such group, or its matrices have another size.
    """
    if isinstance(group, str):
        return named_group(group, n)
    if not isinstance(group, Group):
        raise TypeError(f"group: expected a Group or its name, got {type(group).__name__}")
    if group.n != n:
        raise ValueError(
            f"group: a {space} needs a group of {n} x {n} matrices, got {group} of "
            f"{group.n} x {group.n} matrices"
        )
    return group


def refuse_infinite(space: Space, blocks: tuple[Block, ...]) -> None:
    """Raise ValueError if a fibre has no finite dimension, which only the sphere can sample."""
    for _, rho in blocks:
        if rho.is_sampled:
            raise ValueError(
                f"blocks: fibres over {space} need a finite dimension, got {rho!r}, all functions "
                "on the group; use band-limited ones, such as 'regular(3)', or a finite subgroup"
            )
