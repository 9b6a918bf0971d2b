r"""Kernels on finite homogeneous spaces: the three kernel spaces and the correlation.

In: two sections of one finite group and two fibres. Out: the noun HomogeneousKernels.

A linear map between functions on G is equivariant if and only if its kernel obeys

.. math:: \kappa(ug, ug') = \kappa(g, g'), \quad \text{that is} \quad
          [\kappa \cdot f](g) = \sum_{g'} \kappa(g^{-1} g')\, f(g') \quad (T1)

Between Mackey functions f(g h) = rho(h)^-1 f(g) all of these maps come from the kernels of each of
three spaces, which are one space seen in three ways, with less and less said twice:

.. math:: K_G = \{\kappa: G \to \mathrm{Hom}(V_1, V_2) \mid
          \kappa(h_2 g h_1) = \rho_2(h_2)\, \kappa(g)\, \rho_1(h_1)\} \quad (T2)

.. math:: K_C = \{\kappa: G/H_1 \to \mathrm{Hom}(V_1, V_2) \mid
          \kappa(h_2 x) = \rho_2(h_2)\, \kappa(x)\, \rho_1(h_1(x, h_2))^{-1}\} \quad (T3)

.. math:: K_D = \{\kappa: H_2 \backslash G / H_1 \to \mathrm{Hom}(V_1, V_2) \mid
          \rho_2(h)\, \kappa(\gamma) = \kappa(\gamma)\, \rho_1(\gamma^{-1} h \gamma), \;
          h \in H_2 \cap \gamma H_1 \gamma^{-1}\} \quad (T4)

and the maps themselves are, on the points,

.. math:: [\kappa \star f](x) = \sum_{y \in G/H_1} \kappa(s_2(x)^{-1} y)\,
          \rho_1(h_1(s_2(x)^{-1} s_1(y)))\, f(y) \quad (T5)

Only K_D is free of repetition: one small linear system for each double coset, which gives Mackey's
formula for the number of all kernels, and the basis that the layers use.

References:
    Cohen, Geiger and Weiler 2018, Intertwiners between Induced Representations.
    Cohen, Geiger and Weiler 2019, A General Theory of Equivariant CNNs on Homogeneous Spaces.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Section
from equinet.group.double_coset import DoubleCosets, double_cosets
from equinet.numerics import range_basis
from equinet.numerics.cached import cached
from equinet.numerics.frozen import constant
from equinet.numerics.values import came
from equinet.rep import Fibre, Irrep, Representation

Action = Irrep | Representation | Fibre  # how H acts: ``group``, ``dim`` and values


@dataclass(frozen=True)
class HomogeneousKernels:
    r"""The equivariant kernels from a fibre over G/H1 to a fibre over G/H2.

    Kernels are float64 tensors ``(..., points, d2, d1)``, with ``|G|`` points in K_G, ``|G/H1|`` in
    K_C and one for each double coset in K_D. Elements and points are numbered as in the sections.

    Attributes:
        section_in: s1 of G over G/H1.
        section_out: s2 of the same G over G/H2.
        fibre_in: rho1, an irrep, a representation or a fibre of H1.
        fibre_out: rho2, of H2.

    Example:
        >>> from equinet.group import octahedral, point_group, section
        >>> from equinet.rep import irrep
        >>> O, C4 = octahedral(), point_group("C4")
        >>> faces = section(O, C4)  # of a cube
        >>> vectors = irrep(C4, "E")
        >>> kernels = HomogeneousKernels(faces, faces, vectors, vectors)
        >>> kernels.dim, kernels.on_group.shape, kernels.on_points.shape
        (8, torch.Size([8, 24, 2, 2]), torch.Size([8, 6, 2, 2]))
    """

    section_in: Section
    section_out: Section
    fibre_in: Action
    fibre_out: Action

    def __post_init__(self) -> None:
        for side, section in (("in", self.section_in), ("out", self.section_out)):
            if not isinstance(section, Section):
                raise TypeError(
                    f"section_{side}: expected a Section of a finite group, got {section!r}"
                )
        for side, fibre in (("in", self.fibre_in), ("out", self.fibre_out)):
            if not isinstance(fibre, Action):
                raise TypeError(
                    f"fibre_{side}: expected an irrep, a representation or a fibre, got {fibre!r}"
                )
        if self.section_in.group != self.section_out.group:
            raise ValueError(
                f"section_out: expected a section of {self.section_in.group}, as section_in, got "
                f"{self.section_out!r}"
            )
        for side, section, fibre in (
            ("in", self.section_in, self.fibre_in),
            ("out", self.section_out, self.fibre_out),
        ):
            if fibre.group != section.subgroup:
                raise ValueError(
                    f"fibre_{side}: expected a representation of {section.subgroup}, the subgroup "
                    f"of section_{side}, got one of {fibre.group}"
                )

    @property
    def group(self) -> FiniteGroup:
        """G."""
        return self.section_in.group

    @constant
    def double_cosets(self) -> DoubleCosets:
        r"""H2\G/H1."""
        return double_cosets(self.group, self.section_out.subgroup, self.section_in.subgroup)

    @property
    def values_in(self) -> Tensor:
        """rho1 of all elements of H1, ``(|H1|, d1, d1)``."""
        return _values(self.section_in.subgroup, self.fibre_in).clone()

    @property
    def values_out(self) -> Tensor:
        """rho2 of all elements of H2, ``(|H2|, d2, d2)``."""
        return _values(self.section_out.subgroup, self.fibre_out).clone()

    # The number of kernels and bases of the three spaces.

    @constant
    def dim(self) -> int:
        r"""The number of kernels, by Mackey's formula, from characters alone.

        .. math:: \dim \mathrm{Hom}_G(\mathrm{Ind}\, \rho_1, \mathrm{Ind}\, \rho_2)
            = \sum_\gamma \frac1{|S_\gamma|} \sum_{h \in S_\gamma} \chi_2(h)\,
            \chi_1(\gamma^{-1} h \gamma), \qquad S_\gamma = H_2 \cap \gamma H_1 \gamma^{-1}
            \quad (T6)
        """
        chi_in = self.values_in.diagonal(dim1=1, dim2=2).sum(1)
        chi_out = self.values_out.diagonal(dim1=1, dim2=2).sum(1)
        return sum(
            round(float((chi_out[h] * chi_in[partner]).mean()))
            for h, partner in self.double_cosets.stabilisers
        )

    @constant
    def on_double_cosets(self) -> Tensor:
        """A basis of K_D (T4), each kernel on one double coset, ``(dim, double cosets, d2, d1)``.

        The matrices on one double coset are orthonormal.
        """
        found = []
        for i, (h, partner) in enumerate(self.double_cosets.stabilisers):
            matrices = _intertwiners(self.values_in[partner], self.values_out[h])
            kernels = matrices.new_zeros(
                len(matrices), len(self.double_cosets), *matrices.shape[1:]
            )
            kernels[:, i] = matrices
            found.append(kernels)
        return torch.cat(found)

    @constant
    def on_group(self) -> Tensor:
        """A basis of K_G (T2), ``(dim, |G|, d2, d1)``."""
        return self.lift_double_cosets(self.on_double_cosets)

    @constant
    def on_points(self) -> Tensor:
        """A basis of K_C (T3), ``(dim, |G/H1|, d2, d1)``."""
        return self.restrict_to_points(self.on_group)

    # The isomorphisms between them.

    def lift_double_cosets(self, kernel: Tensor) -> Tensor:
        """K_D -> K_G: kappa_G(h_2 gamma h_1) = rho_2(h_2) kappa_D(gamma) rho_1(h_1) (T4)."""
        self._check(kernel, len(self.double_cosets), "double cosets")
        where = self.double_cosets
        left, right = self.values_out[where.lefts], self.values_in[where.rights]
        return left.to(kernel) @ kernel[..., where.number, :, :] @ right.to(kernel)

    def restrict_to_double_cosets(self, kernel: Tensor) -> Tensor:
        """K_G -> K_D: kappa_D(H_2 gamma H_1) = kappa_G(gamma) (T4)."""
        self._check(kernel, self.group.order, "elements")
        return kernel[..., self.double_cosets.representatives, :, :]

    def lift_points(self, kernel: Tensor) -> Tensor:
        """K_C -> K_G: kappa_G(g) = kappa_C(g H_1) rho_1(h_1(g)) (T3)."""
        self._check(kernel, len(self.section_in), "points")
        twist = self.values_in[self.section_in.remainder].to(kernel)
        return kernel[..., self.section_in.coset, :, :] @ twist

    def restrict_to_points(self, kernel: Tensor) -> Tensor:
        """K_G -> K_C: kappa_C(x) = kappa_G(s_1(x)) (T3)."""
        self._check(kernel, self.group.order, "elements")
        return kernel[..., list(self.section_in.numbers), :, :]

    def project(self, kernel: Tensor) -> Tensor:
        r"""The part of any function on G that lies in K_G: the mean over both subgroups (T2).

        .. math:: [P \kappa](g) = \frac{1}{|H_1| |H_2|} \sum_{h_1, h_2}
            \rho_2(h_2)^{-1}\, \kappa(h_2 g h_1)\, \rho_1(h_1)^{-1}
        """
        self._check(kernel, self.group.order, "elements")
        every, products = torch.arange(self.group.order), self.group.products
        left = self.values_out[self.section_out.subgroup.inverse].to(kernel)
        numbers = products(self.section_out.inclusion[:, None], every)
        moved = kernel[..., numbers, :, :]  # (..., |H2|, |G|, d2, d1)
        kernel = torch.einsum("hij,...hgjk->...gik", left, moved) / len(left)
        right = self.values_in[self.section_in.subgroup.inverse].to(kernel)
        numbers = products(every[:, None], self.section_in.inclusion)
        moved = kernel[..., numbers, :, :]  # (..., |G|, |H1|, d2, d1)
        return torch.einsum("...ghij,hjk->...gik", moved, right) / len(right)

    # What kernels do.

    def two_arguments(self, kernel: Tensor) -> Tensor:
        """kappa(g, g') = kappa(g^-1 g') (T1), ``(..., |G|, |G|, d2, d1)``."""
        self._check(kernel, self.group.order, "elements")
        return kernel[..., self.group.table[self.group.inverse], :, :]

    @constant
    def steps(self) -> Tensor:
        """The elements s2(x)^-1 s1(y) at which (T5) reads a kernel, int64 ``(|G/H2|, |G/H1|)``."""
        from_x = self.group.inverse[list(self.section_out.numbers)]
        return self.group.products(from_x[:, None], torch.tensor(self.section_in.numbers))

    def matrix(self, kernel: Tensor) -> Tensor:
        """The correlation (T5) with a kernel on G, ``(..., |G/H2| d2, |G/H1| d1)``, point by point.

        Since kappa_G(s2(x)^-1 s1(y)) has the twist by rho1 in it, it is only read at these steps.
        """
        self._check(kernel, self.group.order, "elements")
        return kernel[..., self.steps, :, :].transpose(-3, -2).flatten(-2).flatten(-3, -2)

    def correlate(self, kernel: Tensor, f: Tensor) -> Tensor:
        """The correlation (T5) of a kernel with fields.

        Args:
            kernel: on G.
            f: fields, ``(..., d1, |G/H1|)``.
        Returns:
            Fields ``(..., d2, |G/H2|)``; leading axes of the kernel and of f are broadcast.
        """
        fields = self.matrix(kernel) @ f.mT.flatten(-2)[..., None]
        return fields.squeeze(-1).unflatten(-1, (len(self.section_out), -1)).mT

    def kernel_of(self, matrix: Tensor) -> Tensor:
        """The kernel on G whose correlation is an equivariant map: its row at the point H2 (T5).

        Args:
            matrix: ``(..., |G/H2| d2, |G/H1| d1)``, equivariant; of another map the result is the
                kernel of the correlation that agrees with it at that point.
        """
        points, d1 = len(self.section_in), self.fibre_in.dim
        rows = matrix.unflatten(-2, (len(self.section_out), self.fibre_out.dim))
        row = rows[..., self.section_out.base, :, :].unflatten(-1, (points, d1))
        return self.lift_points(row.transpose(-3, -2))

    def _check(self, kernel: Tensor, points: int, of: str) -> None:
        if not isinstance(kernel, Tensor):
            raise TypeError(f"kernel: expected a tensor, got {came(kernel)}")
        expected = (points, self.fibre_out.dim, self.fibre_in.dim)
        if kernel.shape[-3:] != expected:
            raise ValueError(
                f"kernel: expected shape (..., {expected[0]} {of}, {expected[1]}, {expected[2]}), "
                f"got {tuple(kernel.shape)}"
            )


@cached(128)
def _values(group: FiniteGroup, rho: Action) -> Tensor:
    return rho(group.elements)


def _intertwiners(values_in: Tensor, values_out: Tensor) -> Tensor:
    """An orthonormal basis of the A with out(h) A = A in(h), ``(count, d2, d1)``, from all values.

    The mean of out(h) A in(h)^-1 over the group projects on these.
    """
    d2, d1 = values_out.shape[-1], values_in.shape[-1]
    if len(values_in) == 1:  # of the trivial group all matrices are
        return torch.eye(d2 * d1, dtype=torch.float64).unflatten(1, (d2, d1))
    inverse = torch.linalg.inv(values_in)
    mean = torch.einsum("hij,hkl->iljk", values_out, inverse).reshape(d2 * d1, d2 * d1)
    mean = mean / len(values_in)
    orthogonal = mean @ torch.linalg.pinv(mean, atol=0.5, rtol=0.0)  # on the same space
    return range_basis((orthogonal + orthogonal.mT) / 2).mT.unflatten(1, (d2, d1))
