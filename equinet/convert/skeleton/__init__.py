"""Plain networks of ``torch.nn`` as the nearest equivariant ones.

trace -> reader -> widths -> partners -> flow: what ``forward`` computes, as steps between fields
whose widths are open, which are chosen by the cost of the partners of all layers, which are written
as a program.
"""

from equinet.convert.skeleton.result import Pair, Skeleton
from equinet.convert.skeleton.sketch import from_torch

__all__ = ["Pair", "Skeleton", "from_torch"]
