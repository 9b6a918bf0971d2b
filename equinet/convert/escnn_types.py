"""Field types of escnn and e2cnn as those of this library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from equinet.convert.escnn_groups import Correspondence, Element, PeerSpace, correspondence
from equinet.field import FieldType, Plane, Point, Space, Volume
from equinet.group import FiniteGroup
from equinet.nn.select import blocks_of
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation, decompose, regular, trivial, vector

_EQUAL = 1e-9
_SPACES: dict[int, Callable[..., Space]] = {2: Plane, 3: Volume}


class PeerRepresentation(Protocol):
    """A representation: a matrix for each element."""

    name: str
    size: int

    def __call__(self, element: Element) -> Element: ...


class PeerType(Protocol):
    """``nn.FieldType``: a representation for each field, in order."""

    @property
    def gspace(self) -> PeerSpace: ...

    @property
    def representations(self) -> Sequence[PeerRepresentation]: ...


@on_cpu
def from_escnn_type(fields: PeerType) -> FieldType:
    """The fields of a type of escnn or e2cnn: the same tensors, moved in the same way.

    Each representation has the matrices that it has there, whatever it is: irreps, regular,
    quotient, induced, spectral, direct sums with any change of basis. So features stay as they are,
    ``(batch, channel, ...)``, of images and of volumes; the group is written in the coordinates
    that the axes of a tensor have here, in which the x, y, z of escnn are those of (z, -y, -x).
    ``standard_basis`` leads on to the bases of this library.

    Args:
        fields: ``escnn.nn.FieldType`` or ``e2cnn.nn.FieldType``.
    Returns:
        Fields over a ``Plane``, a ``Volume`` or, for ``no_base_space``, a ``Point``.
    Raises:
        TypeError: if it is no field type.
        ValueError: for a group that is none of the plane or of space.
    """
    return TypeReader().fields(fields)


class TypeReader:
    """Reads types, each gspace and each representation once."""

    def __init__(self) -> None:
        self._groups: dict[int, Correspondence] = {}
        self._reps: dict[tuple[int, str], Representation] = {}

    def fields(self, fields: PeerType) -> FieldType:
        for name in ("gspace", "representations"):
            if not hasattr(fields, name):
                raise TypeError(
                    f"fields: expected a FieldType of escnn or e2cnn, got {type(fields).__name__}"
                )
        gspace = fields.gspace
        if id(gspace) not in self._groups:
            self._groups[id(gspace)] = correspondence(gspace)
        same = self._groups[id(gspace)]
        each: list[Representation] = []
        for theirs in fields.representations:
            key = id(gspace), theirs.name
            if key not in self._reps:
                self._reps[key] = representation(theirs, same)
            each.append(self._reps[key])
        space = _SPACES.get(getattr(gspace, "dimensionality", 2))  # in e2cnn all are of the plane
        group = same.group
        return (Point(group, group.n) if space is None else space(group)).fields(blocks_of(each))


Theirs = Any  # a layer of escnn or e2cnn
Maker = Callable[[Theirs, TypeReader], nn.Module]


def tensors_of(theirs: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a layer by name, without those of its parts, on the CPU.

    Args:
        theirs: the layer.
    Returns:
        Those of floating numbers in float64.
    """
    named = {**theirs._parameters, **theirs._buffers}
    given = {name: value.detach().cpu() for name, value in named.items() if value is not None}
    return {
        name: value.double() if value.is_floating_point() else value
        for name, value in given.items()
    }


class GivenType(NamedTuple):
    """Fields that have no type of theirs, with what is asked of one."""

    gspace: Any
    representations: Sequence[Any]


def beside(*types: PeerType) -> GivenType:
    """The fields of several types over one gspace, one after the other."""
    reps = [rho for fields in types for rho in fields.representations]
    return GivenType(types[0].gspace, reps)


def irreps_of(fields: PeerType) -> tuple[GivenType, Tensor]:
    """The irreps of all fields in a row, as fields of their own, and the matrix to the fields.

    Args:
        fields: of theirs.
    Returns:
        The type of the irreps, and Q, float64 ``(channels, channels)``, with fields = Q irreps.
    """
    psis, matrices = [], []
    for rho in fields.representations:
        known: Any = rho
        group = known.group
        for key in known.irreps:  # names in e2cnn, tuples in escnn
            psis.append(group.irreps[key] if isinstance(key, str) else group.irrep(*key))
        matrices.append(torch.as_tensor(known.change_of_basis, dtype=torch.float64))
    return GivenType(fields.gspace, psis), torch.block_diag(*matrices)


def representation(theirs: PeerRepresentation, same: Correspondence) -> Representation:
    """The representation with the same matrices.

    Args:
        theirs: of their group.
        same: which elements are the same.
    Returns:
        That which has a name here, if it is one.
    """
    group = same.group
    found = decompose(group, same.matrices(theirs), name=theirs.name)
    candidates = [trivial(group), vector(group)]
    candidates += [Representation(group, psi.name, (psi,)) for psi in found.constituents[:1]]
    if isinstance(group, FiniteGroup) and found.dim == group.order:
        candidates.append(regular(group))
    g = group.generators
    for one in candidates:
        if one.dim == found.dim and (one(g) - found(g)).abs().max() < _EQUAL:
            return one
    return found
