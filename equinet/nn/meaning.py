r"""What learned numbers mean, in a word that a checkpoint carries.

Weights of one shape may belong to different maps: ``2x1 -> 2x1`` has two of C4 and two of C5. So
a word says what they are the coordinates of. It is made of content, not of labels: equal groups and
representations have equal words, however they were made and whatever they are called.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import is_dataclass

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.numerics.cached import cached, on_cpu
from equinet.rep import Representation

# Two words are equal if the projections agree to four digits. This is no round number, so that
# no quotient of small integers lies between two steps, where rounding errors would decide.
_DIGITS = 31415.926


@on_cpu
def fingerprint(tensors: Iterable[Tensor]) -> str:
    """Eight digits that tell lists of tensors apart, the same on every machine.

    Each tensor gives one number, its direction's projection on a fixed one, which hardly feels the
    rounding errors of the entries.
    """
    found = []
    for tensor in tensors:
        row = tensor.detach().double().flatten()
        fixed = torch.cos(1 + torch.arange(len(row), dtype=torch.float64).square())
        size = row.norm()
        found.append([*tensor.shape, round(_DIGITS * float(row @ fixed / size)) if size else 0])
    return f"{zlib.crc32(repr(found).encode()):08x}"


@cached(256)
def described(field_type: FieldType) -> str:
    """The blocks and the group H of a field type, by content."""
    group = field_type.space.fibre_group
    kind = f"order {len(group.components)} in R^{group.n}" if group.is_finite else group.name
    blocks = " + ".join(f"{mul}x{_irreps(rho)}" for mul, rho in field_type.blocks)
    generators = group.generators
    kinds = dict.fromkeys(rho for _, rho in field_type.blocks if not rho.is_sampled)
    values = [rho(generators) for rho in kinds]
    return f"{blocks} ({kind}, {fingerprint([generators, *values])})"


def said(value: object) -> str:
    """A value in words that are the same in every process: of an object its class alone."""
    return repr(value) if is_dataclass(value) else type(value).__qualname__


def _irreps(rho: Representation) -> str:
    """Its irreps and how often they occur, by their names."""
    if rho.is_sampled:
        return "regular"
    counts = Counter(psi.name for psi in rho.constituents)
    names = [name if n == 1 else f"{n}*{name}" for name, n in counts.items()]
    return names[0] if len(rho.constituents) == 1 else f"({'+'.join(names)})"


def to_tensor(word: str) -> Tensor:
    """The word as bytes: what keeps or moves a checkpoint expects tensors."""
    return torch.tensor(list(word.encode()), dtype=torch.uint8, device="cpu")


def from_tensor(state: Tensor | str) -> str:
    """The word of a checkpoint."""
    if isinstance(state, str):
        return state
    # A whole state_dict may have been cast or averaged: equal bytes stay what they were.
    found = state.flatten().double().round().clamp(0, 255).long().tolist()
    return bytes(found).decode(errors="replace")
