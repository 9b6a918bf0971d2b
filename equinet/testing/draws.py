"""What is to be drawn.

In: the options of a check. Out: ``Draw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from equinet.nn.arguments import check_keywords
from equinet.numerics.arguments import check_integer, check_number

_MOST = 10**6  # elements, fields or points


@dataclass(frozen=True)
class Draw:
    """The options of a check; None leaves it to the space.

    Attributes:
        count: number of group elements.
        seed: of all random numbers.
        batch: number of fields, or points.
        elements: use these, ``(count, n, n)``.
        band: over the sphere.
        sizes: over a grid.
        smoothness: over a grid, of the fields that are moved between its points.
        exact: over a grid, only elements that keep it (True), or only others (False).
        arguments: of the module; "positions" and "shifts" move with the points.
    """

    count: int
    seed: int = 0
    batch: int | None = None
    elements: Tensor | None = None
    band: int | None = None
    sizes: tuple[int, ...] | None = None
    smoothness: float | None = None
    exact: bool | None = None
    arguments: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_integer(self.count, "count", most=_MOST)
        check_integer(self.seed, "seed", 0, most=2**63 - 1)
        if self.batch is not None:
            check_integer(self.batch, "batch", most=_MOST)
        if self.smoothness is not None:
            check_number(self.smoothness, "smoothness", 0)
        if self.exact is not None and not isinstance(self.exact, bool):
            raise TypeError(f"exact: expected True, False or None, got {self.exact!r}")
        check_keywords(self.arguments)
        if self.elements is not None and (
            not isinstance(self.elements, Tensor)
            or self.elements.dim() != 3
            or not len(self.elements)
        ):
            got = getattr(self.elements, "shape", type(self.elements).__name__)
            raise ValueError(f"elements: expected (count, n, n) with count >= 1, got {got}")
