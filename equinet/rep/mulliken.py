"""Names of irreps: Mulliken's for the point groups, frequencies in the plane.

In: groups and characters. Out: names.

A and B are one-dimensional, even and odd under the generator c of the main axis; E is
two-dimensional or a pair of complex conjugate ones, E_k has the character 2 cos(2 pi k / M) at c of
order M; T, G, H have three, four and five dimensions. g and u are even and odd under the inversion;
where there is none, ' and '' are even and odd under the mirror across the axis. The subscripts 1
and 2 of A and B are even and odd under the first half turn across the axis, if there is none under
the first mirror through it.
"""

import math
from collections import Counter

import torch
from torch import Tensor

from equinet.group import FiniteGroup

_LETTERS = {1: "A", 2: "E", 3: "T", 4: "G", 5: "H", 6: "I"}


def irrep_names(group: FiniteGroup, characters: Tensor, dims: list[int]) -> list[str]:
    """A name for each irrep, given its real characters ``(irreps, order)`` and dimension.

    Args:
        group: H.
        characters: of its irreps.
        dims: their dimensions.
    Returns:
        The names, in this order.
    """
    if group.n == 1:
        return [("0" if group.order == 1 else "0e") if x[-1] > 0 else "0o" for x in characters]
    if group.n == 2:
        return [_planar(group, x, d) for x, d in zip(characters, dims, strict=True)]
    names = _mulliken(group, characters, dims) if group.n == 3 else None
    return names or _numbered([_letter(d) for d in dims])


def sort_key(name: str) -> tuple:
    """Puts names in the order of the published tables."""
    bare = name.rstrip("'gu")
    second = name.endswith(("u", "''"))
    letters = bare.rstrip("0123456789")
    digits = bare[len(letters) :]
    return second, "ABETGHIX".find(letters[:1]), int(digits or 0), letters


def _letter(dim: int) -> str:
    return _LETTERS.get(dim, f"X{dim}_")


def _numbered(stems: list[str]) -> list[str]:
    """The stems, with running numbers where one occurs more than once."""
    count, seen, names = Counter(stems), Counter(), []
    for stem in stems:
        seen[stem] += 1
        names.append(f"{stem}{seen[stem]}" if count[stem] > 1 else stem.rstrip("_"))
    return names


def _planar(group: FiniteGroup, x: Tensor, dim: int) -> str:
    """Frequency, and for one-dimensional irreps of groups with reflections the parity."""
    proper = torch.linalg.det(group.elements) > 0
    rotations = int(proper.sum())
    cosine = float(x[1] / dim) if rotations > 1 else 1.0  # element 1 turns by 2 pi / rotations
    frequency = round(math.acos(max(-1.0, min(1.0, cosine))) * rotations / (2 * math.pi))
    if dim > 1 or rotations == group.order:
        return str(frequency)
    return f"{frequency}{'e' if x[rotations] > 0 else 'o'}"


def _mulliken(group: FiniteGroup, x: Tensor, dims: list[int]) -> list[str]:
    elements, det = group.elements, torch.linalg.det(group.elements).sign()
    # det(g) g is a rotation by the angle of this cosine.
    trace = elements.diagonal(dim1=-2, dim2=-1).sum(-1) * det
    angle = ((trace - 1) / 2).clamp(-1, 1).acos()
    proper = det > 0
    inversion = _first(~proper & (angle < 1e-4))
    suffixes = [""] * len(x)
    if inversion is not None:
        suffixes = ["g" if v > 0 else "u" for v in x[:, inversion]]
    if _is_cubic(proper, angle):
        stems = _cubic(x, dims, proper, angle)
    else:
        c, order, axis = _main_generator(group, proper, angle)
        flips = (elements @ axis + axis).norm(dim=-1) < 1e-4
        keeps = (elements @ axis - axis).norm(dim=-1) < 1e-4
        across = _first(~proper & flips & _half(angle))
        if inversion is None and across is not None:
            suffixes = ["'" if v > 0 else "''" for v in x[:, across]]
        second = _first(proper & flips & _half(angle))
        if second is None:
            second = _first_mirror(group, ~proper & keeps & _half(angle), proper & keeps)
        stems = [_axial(v, d, c, order, second) for v, d in zip(x, dims, strict=True)]
        half_turns = proper & _half(angle)
        if order == 2 and int(half_turns.sum()) == 3:
            stems = [_orthorhombic(v, half_turns) for v in x]
        single = {s for s in stems if s.startswith("E")} == {"E1"}
        stems = ["E" if single and s == "E1" else s for s in stems]
    return [stem + suffix for stem, suffix in zip(stems, suffixes, strict=True)]


def _first(members: Tensor) -> int | None:
    """Number of the first element that is a member."""
    return int(members.to(torch.int8).argmax()) if members.any() else None


def _half(angle: Tensor) -> Tensor:
    """Half turns, and with an improper element mirrors."""
    return (angle - math.pi).abs() < 1e-4


def _is_cubic(proper: Tensor, angle: Tensor) -> bool:
    """T, O and I and their kin have more than one threefold axis, so 8 or 20 such rotations."""
    return int((proper & ((angle - 2 * math.pi / 3).abs() < 1e-4)).sum()) > 2


def _cubic(x: Tensor, dims: list[int], proper: Tensor, angle: Tensor) -> list[str]:
    # The element that tells subscripts 1 and 2 apart: C5, C4, or S4 in T_d; none in T and T_h.
    fifth = _first(proper & ((angle - 2 * math.pi / 5).abs() < 1e-4))
    quarter = _first((angle - math.pi / 2).abs() < 1e-4)
    stems = []
    for v, d in zip(x, dims, strict=True):
        stem = _LETTERS[d]
        if fifth is not None and d == 3:
            stem += "1" if v[fifth].abs() > 1 else "2"
        elif fifth is None and quarter is not None and d != 2:
            stem += "1" if v[quarter] > 0 else "2"
        stems.append(stem)
    return stems


def _main_generator(group: FiniteGroup, proper: Tensor, angle: Tensor) -> tuple[int, int, Tensor]:
    """The element c that generates the rotations about the main axis, its order, and the axis.

    It is the rotation by the smallest angle, or a rotoreflection by half of that where there is
    one and no inversion that would make it redundant.
    """
    turns = angle > 1e-4
    mirrors = ~proper & _half(angle)
    has_inversion = bool((~proper & ~turns).any())
    # The axis is that of a rotoreflection if there are any, else of the smallest rotation.
    roto = ~proper & turns & ~mirrors
    first = _smallest(proper & turns, angle)
    if bool(roto.any()):
        axis = _axis(group.elements[_first(roto)])
        keeps = (group.elements @ axis - axis).norm(dim=-1) < 1e-4
        first = _smallest(proper & turns & keeps, angle)
    if first is None:
        first = _first(mirrors)
        axis = _axis(group.elements[first or 0])
        return 0, 1, axis
    axis, smallest = _axis(group.elements[first]), float(angle[first])
    # det(g) g turns by pi less than the rotoreflection g itself.
    half = roto & _about(group, axis) & ((math.pi - angle - smallest / 2).abs() < 1e-4)
    generator = None if has_inversion else _first(half)
    if generator is not None:
        return generator, round(4 * math.pi / smallest), axis
    return first, round(2 * math.pi / smallest), axis


def _smallest(members: Tensor, angle: Tensor) -> int | None:
    """The first of the members with the smallest angle."""
    return _first(members & (angle < angle[members].min() + 1e-4)) if members.any() else None


def _about(group: FiniteGroup, axis: Tensor) -> Tensor:
    """Which elements map a line to itself."""
    image = group.elements @ axis
    return torch.minimum((image - axis).norm(dim=-1), (image + axis).norm(dim=-1)) < 1e-4


def _first_mirror(group: FiniteGroup, mirrors: Tensor, rotations: Tensor) -> int | None:
    """The mirror through the main axis that is xz in standard orientation."""
    first = _first(mirrors)
    if first is None:
        return None
    # As minus a half turn about x the mirror yz comes first; with a half turn about z it is xz.
    trace = group.elements.diagonal(dim1=-2, dim2=-1).sum(-1)
    half_turn = _first(rotations & ((trace + 1).abs() < 1e-4))
    if half_turn is None:
        return first
    return int(group.index(group.elements[first] @ group.elements[half_turn]))


def _axis(element: Tensor) -> Tensor:
    """A unit vector along the axis of a rotation, or of minus an improper element; not of +-1."""
    symmetric = torch.linalg.det(element).sign() * (element + element.mT) / 2
    values, vectors = torch.linalg.eigh(symmetric)
    return vectors[:, int((values - 1).abs().argmin())]


def _axial(x: Tensor, dim: int, c: int, order: int, second: int | None) -> str:
    cosine = float(x[c]) / dim
    if dim == 2:
        k = round(math.acos(max(-1.0, min(1.0, cosine))) * order / (2 * math.pi))
        return f"E{k}"
    letter = "A" if cosine > 0 else "B"
    if second is None:
        return letter
    return letter + ("1" if x[second] > 0 else "2")


def _orthorhombic(x: Tensor, half_turns: Tensor) -> str:
    """D_2 and D_2h: B_1, B_2, B_3 are even under the half turn about z, y, x."""
    # In canonical order the half turn about z comes first, then those across it from x on.
    z, x_axis, y_axis = half_turns.nonzero()[:, 0].tolist()
    even = [bool(x[i] > 0) for i in (z, y_axis, x_axis)]
    return "A" if all(even) else f"B{even.index(True) + 1}"
