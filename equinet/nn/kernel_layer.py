"""The contract of the layers with learned kernels."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor

from equinet.field import FieldType
from equinet.nn.module import EquivariantModule
from equinet.numerics.pages import explained
from equinet.rep import Irrep
from equinet.steerable import KernelSpace


class KernelLayer(EquivariantModule, abc.ABC):
    """A layer that is made of equivariant kernels with learned coefficients.

    Certificates, counts and summaries know of such a layer what is said here; a layer of yours is
    treated as those of this library are if it says the same. A constructor ends with
    ``set_paths``.

    Attributes:
        weight: the coefficients, one tensor, where the kernel is linear in them; ``TensorProduct``
            is not, and has ``weights`` and ``mixers``.
        paths: numbers of the blocks (in, out) that some kernel is between.
        lacking: why the coefficients may not reach every kernel, for certificates.
    """

    paths: frozenset[tuple[int, int]] = frozenset()
    lacking: ClassVar[str] = ""
    maps: ClassVar[str] = "kernel"  # what warnings call that of which a layer is made
    calls_below: ClassVar[int] = 4  # from the line of the user that makes a layer to its warning

    @abc.abstractmethod
    def dense(self) -> Tensor:
        """The kernel with the coefficients of now; its axes begin with those of the output."""

    @abc.abstractmethod
    def fields(self) -> Tensor:
        """The fields (out, in) that each number of ``dense()`` is between.

        Returns:
            int64 ``(numbers, 2)``; kernels that stand below each other count as other fields.
        """

    @abc.abstractmethod
    def kernel_space(self) -> KernelSpace | None:
        """All kernels that there are; None where the kernel is not linear in what is learned."""

    def dead_paths(self) -> list[tuple[str, str]]:
        """Names of the pairs of representations (in, out) without an equivariant map."""
        return [
            (rho_in.name, rho_out.name)
            for o, (_, rho_out) in enumerate(self.out_type.blocks)
            for i, (_, rho_in) in enumerate(self.in_type.blocks)
            if (i, o) not in self.paths
        ]

    def set_paths(self, paths: Iterable[tuple[int, int]]) -> None:
        """Say which blocks kernels are between, and warn, once, of fields that none is at.

        These are fields of the output that are always zero, and fields of the input that are
        ignored. A field that is reached in part, such as a regular field through a small filter, is
        no mistake. Nor are fields that are left out on the way to scalars alone, as in the readout
        of an energy, where nothing else can be read.

        Args:
            paths: numbers of the blocks (in, out).
        """
        self.paths = frozenset(paths)
        read, reached = ({path[side] for path in self.paths} for side in (0, 1))
        blocks_in, blocks_out = self.in_type.blocks, self.out_type.blocks
        dead = [rho.name for o, (_, rho) in enumerate(blocks_out) if o not in reached]
        deaf = [rho.name for i, (_, rho) in enumerate(blocks_in) if i not in read]
        lines = []
        if dead:
            ends = f"no {self.maps} ends in {', '.join(dead)} of {self.out_type!r}"
            lines.append(f"{ends}: zero but a bias")
        if deaf and not all(rho.is_trivial for _, rho in blocks_out):
            lines.append(f"no {self.maps} starts in {', '.join(deaf)} of {self.in_type!r}: ignored")
        if lines:
            text = f"{type(self).__name__}: dead paths; {'; '.join(lines)}"
            page = "guide/pitfalls.md#dead-paths"
            warnings.warn(explained(text, page), stacklevel=self.calls_below)


def irrep_paths(
    in_type: FieldType, out_type: FieldType, pairs: Iterable[tuple[Irrep, Irrep]]
) -> set[tuple[int, int]]:
    """The blocks (in, out) that hold some pair of irreps.

    Args:
        in_type: of the input.
        out_type: of the output.
        pairs: (psi_out, psi_in).
    Returns:
        Their numbers in the types.
    """
    live = set(pairs)
    return {
        (i, o)
        for o, (_, rho_out) in enumerate(out_type.blocks)
        for i, (_, rho_in) in enumerate(in_type.blocks)
        if any(
            (psi_out, psi_in) in live
            for psi_out in rho_out.multiplicities
            for psi_in in rho_in.multiplicities
        )
    }
