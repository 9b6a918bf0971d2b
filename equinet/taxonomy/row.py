r"""A row of the classification.

A layer of an equivariant network is a map between fields over G/H: to name it is to name G, H and
the representation of H on the fibres. The linear ones are then the convolutions with equivariant
kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from equinet.field.space import Space
from equinet.taxonomy.layers import Layer
from equinet.taxonomy.measure import Measured, inputs_of, measure

STATUSES = {
    "read": "the published table has the row",
    "recalled": "the published table is remembered to have the row",
    "unsure": "the same, with less certainty",
    "added": "the row is this library's own",
}


@dataclass(frozen=True)
class Publication:
    """Where a network was published.

    Attributes:
        name: of the network.
        authors: all of them, or the first "et al.".
        year: of the publication.
        venue: conference or journal, empty if there is none but arXiv.
        arxiv: the number on arXiv, empty if there is none.
    """

    name: str
    authors: str
    year: int
    venue: str = ""
    arxiv: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.authors.split(',')[0]} {self.year})"


@dataclass(frozen=True)
class Row:
    r"""A kind of layer, :math:`\Phi: Ind_H^G \rho_1 \to Ind_H^G \rho_2`, by what defines it.

    Attributes:
        family: the kind of space, under which the rows are listed.
        G: the group.
        H: the subgroup that acts on the fibres.
        base: the space G/H.
        fields: the representations rho of H.
        published: the networks made of such layers.
        status: how it is known that the row stands in the published table, one of
            ``STATUSES``.
        make: one layer, at a refinement of its grid, with the generator of its weights.
        exact: the elements of G with which the layer commutes to rounding.
        falling: the other elements, for which the error falls as the grid becomes finer; empty if
            there are none.
        refinements: how many times as fine the grids are, on which that is measured.
        note: where the layer here differs from the published one.
    """

    family: str
    G: str
    H: str
    base: str
    fields: str
    published: tuple[Publication, ...]
    status: str
    make: Callable[[int, Generator], Layer]
    exact: str = "all of G"
    falling: str = ""
    refinements: tuple[int, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status: expected one of {tuple(STATUSES)}, got {self.status!r}")
        if bool(self.falling) != (len(self.refinements) > 1):
            raise ValueError(
                "refinements: expected two or more where the error falls and none elsewhere, got "
                f"{self.refinements} with falling={self.falling!r}"
            )

    @property
    def name(self) -> str:
        """The names of the networks."""
        return "; ".join(publication.name for publication in self.published)

    @property
    def space(self) -> Space:
        """The space of the input's fields; ``space.group`` moves it, ``space.fibre_group`` is H."""
        return self.build().in_type.space

    def build(self, refinement: int = 1) -> Layer:
        """One layer, float32, with the same weights whenever it is built.

        Args:
            refinement: how many times as fine the grid is, 1 where there is none.
        Returns:
            A module with ``in_type`` and ``out_type``.
        """
        return self.make(refinement, torch.Generator().manual_seed(0)).to(torch.float32)

    def inputs(self, batch: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """What ``build()`` takes, float32: random fields, and over points positions and edges.

        Args:
            batch: how many fields, or points.
            seed: of the random numbers.
        Returns:
            The arguments of ``build()``, the fields first.

        Example:
            >>> from equinet.taxonomy import catalogue
            >>> row = catalogue()[0]
            >>> row.build()(*row.inputs()).shape
            torch.Size([2, 1, 17, 17])
        """
        return inputs_of(self.build(), batch, seed)

    def measure(self, seed: int = 0) -> Measured:
        """The equivariance error of the layer, on fields of noise.

        Args:
            seed: of fields and group elements.
        Returns:
            The errors, and whether they keep what the row promises.
        """
        return measure(self.build, self.refinements, seed)

    def __str__(self) -> str:
        return f"{self.name}: {self.fields} fields over {self.base}, G = {self.G}, H = {self.H}"
