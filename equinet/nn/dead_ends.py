"""Which fields of a layer no equivariant map reaches."""

import warnings
from collections.abc import Set

from equinet.field import FieldType
from equinet.nn.module import EquivariantModule
from equinet.rep import Irrep


def warn_of_dead_ends(
    module: EquivariantModule,
    out_type: FieldType,
    reached: Set[Irrep],
    read: Set[Irrep],
    what: str,
    calls_below: int,
) -> None:
    """Warn, once, of output fields that are always zero and of input fields that are ignored.

    A field is dead if all of its irreps are: one that is reached in part, such as a regular field
    through a small filter, is no mistake. Nor are fields that are left out on the way to scalars
    alone, as in the readout of an energy, where nothing else can be read.

    Args:
        module: the layer.
        out_type: of its output.
        reached: irreps of the output in which a map ends.
        read: irreps of the input in which a map starts.
        what: the maps are called, such as "kernel".
        calls_below: from the line of the user that makes the layer to the warning.
    """
    dead = [rho.name for _, rho in out_type.blocks if reached.isdisjoint(rho.constituents)]
    deaf = [rho.name for _, rho in module.in_type.blocks if read.isdisjoint(rho.constituents)]
    lines = []
    if dead:
        lines.append(f"no {what} ends in {', '.join(dead)} of {out_type!r}: zero but a bias")
    if deaf and not all(rho.is_trivial for _, rho in out_type.blocks):
        lines.append(f"no {what} starts in {', '.join(deaf)} of {module.in_type!r}: ignored")
    if lines:
        text = f"{type(module).__name__}: dead paths; {'; '.join(lines)}"
        warnings.warn(text, stacklevel=calls_below)
