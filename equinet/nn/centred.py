r"""Does a strided layer keep the centre of the grid?

A group turns a feature map about the centre of its grid. A layer that samples it at the points
o s - p + d (k - 1) / 2, o = 0, 1, ..., with stride s, padding p, dilation d and size k, commutes
with the turn only if these points lie about the same centre, so along each axis of n points

.. math:: (n + 2 p - d (k - 1) - 1) \bmod s = 0 \quad (S1)
"""

import warnings
from collections.abc import Sequence

import torch

from equinet.field import FieldType
from equinet.nn.requirements import check_sizes, grid_of
from equinet.numerics.cached import on_cpu
from equinet.numerics.pages import explained


class OffCentreWarning(UserWarning):
    """A layer samples a grid off its centre, which breaks the symmetry of the grid (S1)."""


class Centred:
    """Watches the sizes of the grids that a layer on a grid is given.

    Args:
        in_type: of the input; axes that its group leaves alone may be sampled in any way.
        name: of the layer, for the warning.
        kernel_size: k along each axis.
        stride: s.
        padding: p at both ends of each axis, or (before, after).
        dilation: d.
        least: the points along each axis that the padding needs.
        ceil_mode: whether a last window may reach over the end, as in pools of ``torch.nn``; it
            does only where (S1) fails.
    """

    def __init__(
        self,
        in_type: FieldType,
        name: str,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int | tuple[int, int]],
        dilation: Sequence[int] | None = None,
        least: Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        self.name, self.ceil_mode = name, ceil_mode
        self.moves = moved_axes(in_type)
        steps = dilation or (1,) * len(kernel_size)
        self.spans = [d * (k - 1) for k, d in zip(kernel_size, steps, strict=True)]
        self.stride = tuple(stride)
        self.padding = [p if isinstance(p, tuple) else (p, p) for p in padding]
        covered = zip(self.spans, self.padding, least or (1,) * len(self.spans), strict=True)
        self.least = [max(few, span + 1 - before - after) for span, (before, after), few in covered]
        self.warned: set[tuple[int, ...]] = set()

    def shift(self, axis: int, size: int) -> int:
        """How far the samples lie off the centre of the grid.

        Args:
            axis: along which.
            size: of the grid along it.
        Returns:
            Twice the distance between the centres of the grid and of the samples, in its points.
        """
        before, after = self.padding[axis]
        rest = size + before + after - self.spans[axis] - 1
        last = rest - rest % self.stride[axis]
        if self.ceil_mode and last < rest and last + self.stride[axis] < size + before:
            last += self.stride[axis]
        return last + self.spans[axis] - 2 * before - (size - 1)

    def wrong_axes(self, sizes: Sequence[int]) -> list[int]:
        """The axes along which the samples of a grid of these sizes have another centre."""
        return [i for i, size in enumerate(sizes) if self.moves[i] and self.shift(i, size)]

    def check(self, sizes: Sequence[int]) -> None:
        """Warn, once for each size, if the layer does not keep the centre (S1).

        Raises:
            ValueError: if the grid is smaller than the window.
        """
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():
            return
        sizes = tuple(sizes)
        check_sizes(sizes, self.least, self.name)
        wrong = self.wrong_axes(sizes)
        if not wrong or sizes in self.warned:
            return
        self.warned.add(sizes)
        mended = [self._nearest(i, size) if i in wrong else size for i, size in enumerate(sizes)]
        if all(size is not None for size in mended):
            mend = f"inputs of size {tuple(mended)} keep it in this layer"
            page = "guide/pitfalls.md#stride"
        else:
            mend = "no size keeps it with this kernel size and padding"
            page = "guide/pitfalls.md#even-kernels"
        text = (
            f"{self.name}: a grid of size {sizes} is sampled off its centre, so the symmetry of "
            f"the grid is broken; {mend}, and equinet.input_sizes(network, near=...) says those of "
            "a whole network"
        )
        # Of the stack: forward, two of torch, the caller.
        warnings.warn(explained(text, page), OffCentreWarning, stacklevel=5)

    def _nearest(self, axis: int, size: int) -> int | None:
        """The nearest size that works, the smaller of two."""
        near = range(self.stride[axis] + 1)
        for candidate in (size + sign * step for step in near for sign in (-1, 1)):
            if candidate >= self.least[axis] and not self.shift(axis, candidate):
                return candidate
        return None


@on_cpu
def moved_axes(field_type: FieldType) -> list[bool]:
    """Whether the group moves each axis of the grid."""
    space = grid_of(field_type, "field_type")
    generators = space.fibre_group.generators
    one = torch.eye(generators.shape[-1], dtype=generators.dtype)
    moved = ((generators - one).abs() > 1e-9).any(0).any(0)
    return [bool(moved[k]) for k in space.coordinates]
