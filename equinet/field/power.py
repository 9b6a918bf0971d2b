"""The power of fields over a sphere in each degree."""

import math

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.sphere import sphere_of
from equinet.field.transform import field_analysis
from equinet.ops import full_precision


def power_spectra(field_type: FieldType, x: Tensor, other: Tensor | None = None) -> Tensor:
    r"""C_l of every field, or what each has in common with one of another feature map.

    .. math:: C_l = 4\pi \sum_m \operatorname{Re} \hat f^l_m \overline{\hat g^l_m}, \qquad
              \sum_l \frac{2l + 1}{4\pi} C_l = \frac{1}{4\pi} \int \operatorname{Re} f \bar g

    as ``harmonics.power_spectrum`` has it of a spectrum, and healpy's ``anafast`` of a map. Of a
    field of spin s > 0 it is the power of E and B together; ``enn.EBModes`` parts them.

    Args:
        field_type: of irreps over a sphere.
        x: ``field_type.shape(batch)``.
        other: feature maps of the same shape; by default ``x`` itself.
    Returns:
        ``(batch, fields, band)``, 0 for degrees below the spin, with a number for each copy of
        each block. Differentiable in both.
    Raises:
        TypeError: if a feature map is not real floating, or ``other`` is of another dtype.
        ValueError: for other spaces, regular fields, or another shape.

    Example:
        >>> from equinet.field import Sphere
        >>> winds = Sphere(8).fields("1x0 + 2x1")
        >>> power_spectra(winds, torch.randn(5, 5, 16, 16)).shape
        torch.Size([5, 3, 8])
    """
    sphere = sphere_of(field_type, "field_type")
    if field_type.is_sampled:
        raise ValueError(f"field_type: expected fields of irreps, got {field_type!r}")
    field_type.check(x)
    if other is not None:
        field_type.check(other, "other")
        for name in ("shape", "dtype"):
            ours, theirs = getattr(x, name), getattr(other, name)
            if theirs != ours:
                kind = TypeError if name == "dtype" else ValueError
                raise kind(f"other: expected the {name} of x, {ours}, got {theirs}")
    batch, band = len(x), sphere.band
    found = []
    parts = field_analysis(field_type, band, x.dtype, x.device).parts
    for (mul, rho), channels, analysis in zip(
        field_type.blocks, field_type.slices, parts, strict=True
    ):
        spin = rho.constituents[0].degree
        with full_precision(x):
            f = analysis(x[:, channels])  # rows (l, m, +-s), columns (copy, batch)
            power = f * (f if other is None else analysis(other[:, channels]))
        degree = torch.arange(spin, band, device=x.device)
        l = degree.repeat_interleave((2 * degree + 1) * (2 if spin else 1))
        # A pair of real numbers of spin s stands for half of what complex coefficients count.
        total = power.new_zeros(band, mul * batch).index_add(0, l, power)
        found.append(4 * math.pi * (2 if spin else 1) * total.view(band, mul, batch))
    return torch.cat(found, 1).permute(2, 1, 0)
