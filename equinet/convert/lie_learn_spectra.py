r"""Spectra of lie_learn, and those of this library.

With B = ``lie_learn_basis(l, ...)`` its Wigner matrices are B D B^{-1}, and its harmonics
Y_m = (-1)^m (B r)_m with the orthonormal real harmonics r of this library: they are those that its
matrices move, turned by pi about z. So with the real spectra of ``s2_rfft`` and ``so3_rfft``,
called f here,

.. math::
    \sum_l c_l^T Y_l = \sum_l (2l + 1) f_l^T D_{\cdot 0} \quad\Rightarrow\quad
    f_l = \frac{B^T (-1)^m c_l}{\sqrt{4\pi(2l + 1)}}

.. math::
    \sum_l (2l + 1) \operatorname{tr} F_l^T B D B^{-1} = \sum_l (2l + 1) \operatorname{tr} f_l^T D
    \quad\Rightarrow\quad f_l = B^T F_l\, B^{-T}
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from equinet.convert.coefficients import as_tensor, band_of
from equinet.convert.lie_learn import lie_learn_basis
from equinet.harmonics.basis_change import to_complex, to_real
from equinet.numerics.values import is_readable


def from_lie_learn(
    coefficients: Tensor,
    field: str = "real",
    normalization: str = "quantum",
    condon_shortley: str = "cs",
) -> Tensor:
    r"""The spectrum, as ``s2_fft`` has it, of functions given by coefficients of lie_learn.

    .. math:: f = \sum_{l, m} c_{lm} Y_{lm}

    as ``S2_FT_Naive.synthesize`` has it. Its ``analyze`` integrates with the area of the sphere,
    so it finds these coefficients where the harmonics are orthonormal; those of "geodesy" are
    larger by 4 pi, those of "nfft" by 4 pi / (2l + 1). ``sphere_fft`` finds those of the field
    "complex" and the normalization "seismology".

    Args:
        coefficients: ``(..., band^2)``, degree by degree; a tensor or an array, real for the field
            "real", complex for "complex".
        field: "real" or "complex", of the harmonics.
        normalization: "quantum", "seismology", "geodesy" or "nfft".
        condon_shortley: "cs" or "nocs".
    Returns:
        Complex ``(..., band^2)``.
    Raises:
        TypeError: if the coefficients are of the other field.
        ValueError: for another word, or another number of coefficients.

    Example:
        >>> import torch
        >>> from equinet.harmonics import s2_ifft
        >>> c = torch.tensor([0.0, 0.0, 1.0, 0.0])  # sqrt(3 / 4 pi) cos(beta)
        >>> s2_ifft(from_lie_learn(c), 2).real[0, 0]
        tensor(0.4514)
    """
    harmonics = functools.partial(
        _harmonics, field=field, normalization=normalization, condon_shortley=condon_shortley
    )
    harmonics(0)  # which checks the words
    c = as_tensor(coefficients, "coefficients", is_complex=field == "complex")
    band = _band(c, "coefficients")
    found = []
    for l, part in enumerate(_by_degree(c, band)):
        B = _like(harmonics(l), c)
        found.append(part @ B / math.sqrt(4 * math.pi * (2 * l + 1)))
    return to_complex(torch.cat(found, -1), band, (0,))


def to_lie_learn(
    spectrum: Tensor,
    field: str = "real",
    normalization: str = "quantum",
    condon_shortley: str = "cs",
) -> Tensor:
    """Coefficients of lie_learn from a spectrum; inverse of ``from_lie_learn``.

    Args:
        spectrum: complex ``(..., band^2)``, as ``s2_fft`` has it; for the field "real" that of a
            real function.
        field: of the harmonics.
        normalization: of the harmonics.
        condon_shortley: whether with the phase.
    Returns:
        ``(..., band^2)``, real for the field "real", else complex.
    Raises:
        TypeError: if ``spectrum`` is not complex.
        ValueError: for another word, another number of coefficients, or a complex function where
            the field is "real".
    """
    harmonics = functools.partial(
        _harmonics, field=field, normalization=normalization, condon_shortley=condon_shortley
    )
    harmonics(0)  # which checks the words
    f = as_tensor(spectrum, "spectrum", is_complex=True)
    band = band_of(f, 0)
    rows = _as_field(to_real(f, band, (0,)), field)
    found = []
    for l, part in enumerate(_by_degree(rows, band)):
        inverse = _like(torch.linalg.inv(harmonics(l)), rows)
        found.append(part @ inverse * math.sqrt(4 * math.pi * (2 * l + 1)))
    return torch.cat(found, -1)


def from_lie_learn_so3(
    matrices: Sequence[Tensor],
    field: str = "complex",
    normalization: str = "quantum",
    order: str = "centered",
    condon_shortley: str = "cs",
) -> Tensor:
    r"""The spectrum, as ``so3_fft`` has it, of functions on SO(3) given by matrices of lie_learn.

    .. math:: f = \sum_l (2l + 1) \sum_{mn} F^l_{mn} D^l_{mn}

    as ``SO3_FT_Naive.synthesize`` has it, with lie_learn's Wigner matrices. ``analyze_by_matmul``
    finds these; ``analyze`` does in a real basis, in a complex one it integrates with D itself, not
    its conjugate. Those of ``SO3_FFT_analyze`` are 2 pi / (2 band)^2 times these, and
    ``SO3_FFT_synthesize`` takes them times 2l + 1.

    Args:
        matrices: for each l below the band ``(..., 2l + 1, 2l + 1)``, tensors or arrays, real for
            the field "real", complex for "complex".
        field: "real" or "complex", of the matrices D.
        normalization: "quantum", "seismology", "geodesy" or "nfft", of the harmonics that D moves.
        order: of the orders m and n, "centered" or "block".
        condon_shortley: "cs" or "nocs".
    Returns:
        Complex ``(..., band (4 band^2 - 1) / 3)``.
    Raises:
        TypeError: if the matrices are no row of them, or of the other field.
        ValueError: for another word, or matrices of other sizes.
    """
    basis = field, normalization, order, condon_shortley
    lie_learn_basis(0, *basis)
    if isinstance(matrices, Tensor) or not isinstance(matrices, Sequence) or not len(matrices):
        raise TypeError(
            "matrices: expected a list of tensors, one for each degree, got "
            f"{type(matrices).__name__}"
        )
    found = []
    for l, matrix in enumerate(matrices):
        F = as_tensor(matrix, f"matrices[{l}]", is_complex=field == "complex")
        if F.dim() < 2 or F.shape[-2:] != (2 * l + 1, 2 * l + 1):
            raise ValueError(
                f"matrices[{l}]: expected (..., {2 * l + 1}, {2 * l + 1}), got {tuple(F.shape)}"
            )
        B = lie_learn_basis(l, *basis)
        f = _like(B.mT, F) @ F @ _like(torch.linalg.inv(B).mT, F)
        found.append(f.flatten(-2))
    band = len(matrices)
    return to_complex(torch.cat(found, -1), band, tuple(range(band)))


def to_lie_learn_so3(
    spectrum: Tensor,
    field: str = "complex",
    normalization: str = "quantum",
    order: str = "centered",
    condon_shortley: str = "cs",
) -> list[Tensor]:
    """Matrices of lie_learn from a spectrum on SO(3); inverse of ``from_lie_learn_so3``.

    Args:
        spectrum: complex ``(..., band (4 band^2 - 1) / 3)``, as ``so3_fft`` has it; for the field
            "real" that of a real function.
        field: of the matrices D.
        normalization: of the harmonics that D moves.
        order: of the orders m and n.
        condon_shortley: whether with the phase.
    Returns:
        For each l ``(..., 2l + 1, 2l + 1)``, real for the field "real", else complex.
    Raises:
        TypeError: if ``spectrum`` is not complex.
        ValueError: for another word, another number of coefficients, or a complex function where
            the field is "real".
    """
    basis = field, normalization, order, condon_shortley
    lie_learn_basis(0, *basis)
    f = as_tensor(spectrum, "spectrum", is_complex=True)
    rows = f.shape[-1] if f.dim() else 0
    band = round((0.75 * rows) ** (1 / 3))
    if not rows or band * (4 * band * band - 1) != 3 * rows:
        raise ValueError(
            "spectrum: expected a last axis of band (4 band^2 - 1) / 3 coefficients, got "
            f"{tuple(f.shape)}"
        )
    values = _as_field(to_real(f, band, tuple(range(band))), field)
    found = []
    for l, part in enumerate(values.split([(2 * l + 1) ** 2 for l in range(band)], -1)):
        B = lie_learn_basis(l, *basis)
        F = part.unflatten(-1, (2 * l + 1, 2 * l + 1))
        found.append(_like(torch.linalg.inv(B).mT, F) @ F @ _like(B.mT, F))
    return found


def _harmonics(l: int, field: str, normalization: str, condon_shortley: str) -> Tensor:
    """The matrix from the real harmonics of degree l here to those of lie_learn."""
    B = lie_learn_basis(l, field, normalization, "centered", condon_shortley)
    phase = 1.0 - 2.0 * (torch.arange(-l, l + 1) % 2)
    return phase[:, None].double() * B


def _band(c: Tensor, argument: str) -> int:
    rows = c.shape[-1] if c.dim() else 0
    if not rows or math.isqrt(rows) ** 2 != rows:
        raise ValueError(
            f"{argument}: expected a last axis of band^2 coefficients, got {tuple(c.shape)}"
        )
    return math.isqrt(rows)


def _by_degree(c: Tensor, band: int) -> Iterator[Tensor]:
    yield from c.split([2 * l + 1 for l in range(band)], -1)


def _like(B: Tensor, c: Tensor) -> Tensor:
    """A matrix in the dtype of coefficients, complex if either is."""
    if B.is_complex() and not c.is_complex():
        return B.to(c.device, torch.promote_types(c.dtype, torch.complex64))
    return B.to(c.device, c.dtype)


def _as_field(f: Tensor, field: str) -> Tensor:
    """Coefficients in a real basis, which are real ones for the field "real"."""
    if field == "complex":
        return f
    if is_readable(f) and f.numel():
        off, most = f.imag.abs().max(), f.abs().max()
        if off > torch.finfo(f.dtype).eps ** 0.5 * most:
            raise ValueError(
                "spectrum: expected that of a real function for the field 'real', got one whose "
                f"real coefficients have an imaginary part of {float(off):.2g}; take 'complex', or "
                "the spectra of its real and imaginary part"
            )
    return f.real
