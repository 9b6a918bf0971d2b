r"""Filters on the sphere that multiply a spectrum by a number for each degree.

In: fields of one spin. Out: fields of another.

By Schur's lemma a map between fields of one spin that commutes with rotations multiplies the
complex spectrum by a number for each degree; between real spectra this is a matrix of at most 2 x 2
numbers, for the orders -s and s.

A mirror takes a complex spectrum to its conjugate, up to signs that all filters here leave alone.
So where mirrors act, a real part is a function, 0e, and an imaginary part a pseudoscalar, 0o.
"""

from typing import ClassVar

import torch
from torch import Tensor

from equinet.field import FieldAnalysis, FieldSynthesis, FieldType, Sphere, sphere_of
from equinet.field.mirror import block_parities
from equinet.nn.module import EquivariantModule
from equinet.numerics.arguments import check_number
from equinet.rep import trivial

Matrix = tuple[tuple[int, ...], ...]

# How the rows of a real spectrum at each (l, m) stand for a complex number: its real and imaginary
# part are two functions, or from the orders -s and s of a field of spin s the second is the real
# part and the first minus the imaginary one. Matrices from rows to parts, and from parts to rows.
BOTH = ((1, 0), (0, 1))
REAL_IN, IMAGINARY_IN, SPIN_IN = ((1,), (0,)), ((0,), (1,)), ((0, 1), (-1, 0))
REAL_OUT, IMAGINARY_OUT, SPIN_OUT = ((1, 0),), ((0, 1),), ((0, -1), (1, 0))


class DegreeFilter(EquivariantModule[FieldType]):
    r"""\hat f^l_m -> kappa_l \hat f^l_m, from fields of spin s to fields of spin t.

    Args:
        in_type: fields of spin s, or pairs of functions; where mirrors act all real parts and then
            all imaginary ones.
        spin: t.
        reads: from the rows of a field of the input to its real and imaginary part.
        writes: from these to the rows of a field of the output.
    Raises:
        TypeError: if ``in_type`` is no field type.
        ValueError: for fields over another space, of several spins, or of another parity.
    """

    matrices: Tensor

    def __init__(self, in_type: FieldType, spin: int, reads: Matrix, writes: Matrix) -> None:
        sphere, s = sphere_of(in_type), spin_of(in_type)
        has_mirrors = None not in block_parities(in_type)
        # Whether the two parts of a field are two functions beside each other: in, out.
        self.pairs = (
            not has_mirrors and s == 0 and len(reads[0]) == 2,
            not has_mirrors and spin == 0 and len(writes) == 2,
        )
        count = in_type.channels // len(reads[0])
        lowest = max(s, spin)
        if sphere.band <= lowest:
            raise ValueError(
                f"in_type: expected a band above {lowest}, since {type(self).__name__} takes "
                f"degrees below {lowest} to 0, got {in_type!r}"
            )
        if has_mirrors and s == 0 and spin != 0:
            _check_parities(in_type, [1 if real else -1 for real in reads[0]])
        parities = [1 if row[0] else -1 for row in writes] if has_mirrors else None
        out_type = in_type if s == spin else _fields(sphere, count, spin, len(writes), parities)
        super().__init__(in_type, out_type)
        self.spins, self.count, self.reads, self.writes = (s, spin), count, reads, writes
        # In one block each, into however many the fields are divided.
        self.analysis = FieldAnalysis(_block(in_type, s), sphere.band)
        self.synthesis = FieldSynthesis(_block(out_type, spin), sphere.band)

    def kappa(self, l: Tensor) -> Tensor:
        """The factors of the degrees.

        Args:
            l: the degrees, those below s and t left out, float64.
        Returns:
            As ``l``.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete operator")

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        l = torch.arange(max(self.spins), self.analysis.band, dtype=torch.float64)
        # In a real spectrum, rows of spin s > 0 have a factor (-1)^s / sqrt(2) against functions.
        into, out = ((-1) ** s * (0.5**0.5 if s else 1) for s in self.spins)
        reads, writes = (torch.tensor(x, dtype=torch.float64) for x in (self.reads, self.writes))
        factors = (out / into * self.kappa(l)).repeat_interleave(2 * l.long() + 1)
        return {"matrices": factors[:, None, None] * (writes @ reads)}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        batch, band, (s, t) = x.shape[0], self.analysis.band, self.spins
        lowest, rows = max(s, t), len(self.reads[0])
        if self.pairs[0]:
            parts = self.analysis(x).view(band**2, self.count, rows, batch).transpose(1, 2)
        else:
            parts = self.analysis(x).view(band**2 - s**2, rows, self.count, batch)
        parts = (self.matrices[..., None, None] * parts[lowest**2 - s**2 :, None]).sum(2)
        if self.pairs[1]:
            parts = parts.transpose(1, 2)
        none = parts.new_zeros(lowest**2 - t**2, *parts.shape[1:])
        return self.synthesis(torch.cat([none, parts]).flatten(), batch)


class Derivative(DegreeFilter):
    """An operator on a sphere of some radius.

    Attributes:
        power: of 1 / radius.
    """

    power: ClassVar[int] = 1

    def __init__(
        self, in_type: FieldType, spin: int, reads: Matrix, writes: Matrix, radius: float
    ) -> None:
        super().__init__(in_type, spin, reads, writes)
        self.radius = check_number(radius, "radius", above=0)
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {name: x / self.radius**self.power for name, x in super().constants(dtype).items()}


def spin_of(in_type: FieldType) -> int:
    """The spin of fields over a sphere, which must all have the same.

    Args:
        in_type: the fields.
    Returns:
        s, 0 for functions.
    Raises:
        TypeError: if it is no field type.
        ValueError: for fields over another space, regular ones, and of several spins.
    """
    sphere_of(in_type)
    spins = {None if rho.irreps is None else rho.irreps[0].degree for _, rho in in_type.blocks}
    if len(spins) > 1 or None in spins:
        raise ValueError(f"in_type: expected fields of one spin, such as 4x1, got {in_type!r}")
    (spin,) = spins
    assert spin is not None
    return spin


def _fields(
    sphere: Sphere, count: int, spin: int, rows: int, parities: list[int] | None
) -> FieldType:
    """Fields of a spin, of spin 0 for each row all of one parity, if there are any."""
    if spin:
        return sphere.fields(f"{count}x{spin}")
    if parities is None:
        return sphere.fields(f"{rows * count}x0")
    return sphere.fields(" + ".join(f"{count}x0{'e' if p == 1 else 'o'}" for p in parities))


def _block(field_type: FieldType, spin: int) -> FieldType:
    """Fields of one spin in one block, which the transforms take for any parity."""
    if spin == 0:
        return field_type.space.fields(f"{field_type.channels}x trivial")
    return field_type.space.fields(f"{field_type.channels // 2}x{spin}")


def _check_parities(in_type: FieldType, wanted: list[int]) -> None:
    """Raise ValueError unless functions have these parities, equally many of each, in order."""
    kinds = zip(in_type.blocks, block_parities(in_type), strict=True)
    found = [parity for (mul, _), parity in kinds for _ in range(mul)]
    count = len(found) // len(wanted)
    if found != [parity for parity in wanted for _ in range(count)]:
        names = ["functions, such as 4x0e", "pseudoscalars, such as 4x0o"]
        both = "functions and as many pseudoscalars, such as 4x0e + 4x0o"
        said = both if len(wanted) == 2 else names[wanted[0] == -1]
        raise ValueError(f"in_type: expected {said}, got {in_type!r}")


def check_spin(in_type: FieldType, least: int, most: int | None = None) -> int:
    """The spin of fields over a sphere, if it is in range; else ValueError.

    Args:
        in_type: the fields.
        least: the smallest spin that will do.
        most: the largest; None for any.
    Returns:
        s, 0 for functions.
    Raises:
        TypeError: if it is no field type.
        ValueError: for fields over another space, regular ones, of several or other spins.
    """
    spin = spin_of(in_type)
    if spin < least or (most is not None and spin > most):
        (zero,) = (psi.name for psi in trivial(in_type.space.fibre_group).constituents)
        name = {0: f"functions, such as 4x{zero}", 1: "tangent vectors, such as 4x1"}
        wanted = name[least] if most == least else f"fields of a spin >= {least}"
        raise ValueError(f"in_type: expected {wanted}, got {in_type!r}")
    return spin
