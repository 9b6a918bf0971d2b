"""What the transforms on SO(3) need besides a spectrum or a signal.

In: constants made by ``harmonics.grid``. Out: the plans of three operators.
"""

from typing import NamedTuple

from torch import Tensor

from equinet.ops.wigner import SphereTables

GROUP = 16  # columns of a mask that lie together, kGroup of csrc/cpu/so3_block.h


class GroupTables(NamedTuple):
    """The constants of one transform on SO(3), made by ``harmonics.grid``.

    Attributes:
        d: as in ``SphereTables``, for all orders n < band.
        alpha: ``(size, 2 * band)``, as in ``SphereTables``.
        gamma: ``(size, 2 * band - 1)``, the columns 1, cos gamma, sin gamma, cos 2 gamma and so on,
            with a factor if any.
        scatter, gather: as in ``SphereTables``.
        band: degrees l < band.
    """

    d: Tensor
    alpha: Tensor
    gamma: Tensor
    scatter: Tensor
    gather: Tensor
    band: int

    @property
    def size(self) -> int:
        """The number of angles alpha, as of beta and of gamma."""
        return self.alpha.shape[0]

    @property
    def rows(self) -> int:
        """The number of coefficients of a spectrum."""
        return self.band * (4 * self.band * self.band - 1) // 3

    @property
    def on_sphere(self) -> SphereTables:
        """The constants of what is done for each angle gamma."""
        d, alpha, _, *rows, band = self
        return SphereTables(tuple(range(band)), band, self.size, d, alpha, *rows)


class SynthesisPlan(NamedTuple):
    """Tables, and how a signal is written.

    Attributes:
        zero: a mask where the signal counts as 0, or None.
        d, alpha, gamma, scatter, gather, band: as in ``GroupTables``.
        outer: channels that lie apart in memory.
    """

    zero: Tensor | None
    d: Tensor
    alpha: Tensor
    gamma: Tensor
    scatter: Tensor
    gather: Tensor
    band: int
    outer: int

    @property
    def tables(self) -> GroupTables:
        """The constants of the transform."""
        return GroupTables(*self[1:7])


class RectifiedPlan(NamedTuple):
    """The same for what ReLU makes of a signal, which reads no mask.

    Attributes:
        d, alpha, gamma, scatter, gather, band, outer: as in ``SynthesisPlan``.
    """

    d: Tensor
    alpha: Tensor
    gamma: Tensor
    scatter: Tensor
    gather: Tensor
    band: int
    outer: int

    @property
    def tables(self) -> GroupTables:
        """The constants of the transform."""
        return GroupTables(*self[:6])

    @property
    def synthesis(self) -> SynthesisPlan:
        """The plan of the signal itself."""
        return SynthesisPlan(None, *self)


class AnalysisPlan(NamedTuple):
    """Tables, and how a signal is read.

    Attributes:
        zero: a mask where the signal counts as 0, or None.
        d, alpha, gamma, scatter, gather, band: as in ``GroupTables``.
    """

    zero: Tensor | None
    d: Tensor
    alpha: Tensor
    gamma: Tensor
    scatter: Tensor
    gather: Tensor
    band: int

    @property
    def tables(self) -> GroupTables:
        """The constants of the transform."""
        return GroupTables(*self[1:])


def mask_shape(outer: int, size: int, inner: int) -> tuple[int, int, int, int, int, int]:
    """The shape of a mask.

    Args:
        outer: channels that lie apart in memory.
        size: points of each angle.
        inner: columns of each of them.
    Returns:
        (outer, groups, beta, alpha, gamma, columns of a group).
    """
    return outer, -(inner // -GROUP), size, size, size, GROUP
