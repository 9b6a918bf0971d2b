r"""The kernels that layers on finite homogeneous spaces learn, irrep by irrep.

In: two sections of one finite group and two fibres. Out: SampledKernels on the group. Before:
``homogeneous``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.group import Section
from equinet.numerics.cached import cached
from equinet.rep import Fibre, Irrep, Representation
from equinet.rep.representation import check_irrep
from equinet.steerable.homogeneous import HomogeneousKernels
from equinet.steerable.kernel_bases import SampledKernels, names


def kernels_between(
    section_in: Section,
    section_out: Section,
    psi_in: Irrep | Representation,
    psi_out: Irrep | Representation,
) -> Tensor:
    """A basis of the kernels on G (T2) between irreps, each on one double coset.

    Returns:
        float64 ``(count, |G|, d2, d1)``, orthogonal; a double coset has dim Hom of the stabiliser,
        which for irreps of complex and of quaternionic type counts real solutions.
    """
    psi_in, psi_out = check_irrep(psi_in, "psi_in"), check_irrep(psi_out, "psi_out")
    return _on_group(HomogeneousKernels(section_in, section_out, psi_in, psi_out)).clone()


@cached(1024)
def _on_group(kernels: HomogeneousKernels) -> Tensor:
    return kernels.on_group


def homogeneous_kernels(
    section_in: Section, section_out: Section, fibre_in: Fibre, fibre_out: Fibre
) -> SampledKernels:
    r"""All equivariant kernels on G between two fibres, irrep by irrep, scaled for initialisation.

    With independent weights of variance 1, the correlation (T5) of a field with independent entries
    of variance 1 has variance 1 in every component, if Q_out and Q_in are orthogonal. (T5) reads a
    kernel at one element of each coset of H1, where its entries have the same squares as at the
    others, so each kernel has the norm

    .. math:: \frac1{|H_1|} \sum_{g,o,i} \kappa(g)_{oi}^2 = d_{out} / N_{out} \quad (T7)

    where N_out is the number of kernels that end in one copy of psi_out, as in (K6).

    Raises:
        ValueError: if the sections, or the fibres, are of other groups, or if there is no kernel
            but zero.
    """
    for name, fibre in (("fibre_in", fibre_in), ("fibre_out", fibre_out)):
        if not isinstance(fibre, Fibre):
            raise TypeError(f"{name}: expected a Fibre, got {type(fibre).__name__}")
    kernels = HomogeneousKernels(section_in, section_out, fibre_in, fibre_out)
    pairs = {}
    for psi_out in fibre_out.counts:
        for psi_in in fibre_in.counts:
            found = kernels_between(section_in, section_out, psi_in, psi_out)
            if len(found):
                pairs[psi_out, psi_in] = found.permute(0, 2, 3, 1)
    if not pairs:
        raise ValueError(
            f"fibre_in: there is no kernel but zero from {names(fibre_in)} over "
            f"{section_in.group}/{section_in.subgroup} to {names(fibre_out)} over "
            f"{section_out.group}/{section_out.subgroup}"
        )
    points = torch.Size((kernels.group.order,))
    scaled = SampledKernels(fibre_in, fibre_out, points, pairs).scaled()
    factor = math.sqrt(section_in.subgroup.order)
    pairs = {pair: kernel * factor for pair, kernel in scaled.pairs.items()}
    return SampledKernels(fibre_in, fibre_out, points, pairs)
