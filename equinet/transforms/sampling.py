"""Data on latitudes and longitudes, or any other rings, onto the grid of a sphere and back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from equinet.field import FieldAnalysis, FieldSynthesis, FieldType, sphere_of
from equinet.harmonics import Rings, healpix, healpix_nested
from equinet.harmonics.ring_numbers import check_longitude
from equinet.numerics.arguments import check_flag, check_integer, check_number, real_tensor
from equinet.numerics.pages import explained
from equinet.numerics.values import came, check_floating, check_measured, is_missing, is_readable
from equinet.transforms.coordinates import coordinates
from equinet.transforms.data_rings import full_degree, halved, needed_steps, shifted, south_first
from equinet.transforms.nearest import nearest_points

_MOST_STEPS = 1000
_NEAR = 1e-3  # degrees, between latitudes that are meant to be the same
_SAME = 1e-5  # of the largest value, between a meridian and the same meridian


class Sample(nn.Module):
    r"""Values on any rings into feature maps of a field type, through the spectrum.

    .. math:: x = S \hat f, \qquad \hat f = A y

    with the analysis A on the rings of the data and the synthesis S on the grid of the sphere, for
    degrees below the lower of their bands. What is below is kept exactly, what is above is left
    out: from a fine grid to a coarse one nothing aliases.

    Latitudes in equal steps determine as many degrees as there are steps, as a meridian goes on
    behind the poles: 181 x 360 values hold band 180, for which the steps are halved first. On rings
    whose quadrature is not exact, such as HEALPix, the error is corrected until the coefficients
    are those of the data,

    .. math:: \hat f \leftarrow \hat f + A (y - S_{data} \hat f).

    Masks, classes and other values between which nothing lies go through no spectrum: ``nearest``
    takes them from the nearest point, and ``nearest_inverse`` goes back.

    How data lie in a file is said by name, as a picture does not tell which way up it is, or read
    from the coordinates of the file by ``from_degrees``.

    Args:
        rings: of the data, from north to south.
        field_type: of the result, over a sphere. A field of spin s has two components for each
            copy, those of the field type.
        north_first: whether the first row of the data is the northernmost; many files have False.
        longitude_start: where each row begins, in *radians*, beside the starts of the rings; -pi
            for data from 180 degrees west on.
        repeats_meridian: whether the first meridian is given again at the end of each row, as 0 and
            360 degrees; the last is then left out, and repeated in what ``inverse`` returns.
        latitudes: those of the rows in degrees as the file has them, if they shall be checked.
        nested: whether the points of a HEALPix are in nested order, as in many files.
        missing: what stands in for NaN, and for numbers from 1e30 on, which files write for what
            is missing (healpy -1.6e30, netCDF 9.9e36); None refuses them.
        steps: how often the coefficients are corrected; as needed for the rings and the dtype if
            None.
    Shape:
        ``(batch, channel, *rings.shape)``, one longitude more with ``repeats_meridian``, to
        ``field_type.shape(batch)``, in the dtype of the module.
    Raises:
        TypeError: if an argument is of another kind.
        ValueError: for a field type over another space, or of regular fields, latitudes that are
            not those of the rings, or a number out of range.
    Warns:
        UserWarning: if the latitudes run the other way than ``north_first`` says.

    Example:
        >>> import math
        >>> from equinet import Sphere
        >>> from equinet.harmonics import equiangular
        >>> degrees = equiangular(19, 36, poles=True)
        >>> heights = Sphere(8).fields("1x0")
        >>> sample = Sample(degrees, heights, longitude_start=-math.pi)
        >>> x = sample(torch.randn(2, 1, 19, 36))
        >>> x.shape, sample.inverse(x).shape
        (torch.Size([2, 1, 16, 16]), torch.Size([2, 1, 19, 36]))
    """

    order: Tensor
    back: Tensor
    signs: Tensor

    def __init__(
        self,
        rings: Rings,
        field_type: FieldType,
        *,
        north_first: bool = True,
        longitude_start: float = 0.0,
        repeats_meridian: bool = False,
        nested: bool = False,
        latitudes: Tensor | None = None,
        missing: float | None = None,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(rings, Rings):
            raise TypeError(f"rings: expected Rings, such as gauss(32), got {rings!r}")
        sphere = sphere_of(field_type, "field_type")
        if any(rho.is_sampled for _, rho in field_type.blocks):
            raise ValueError(f"field_type: expected irreps, got {field_type!r}")
        self.rings, self.out_type = rings, field_type
        self.north_first = check_flag(north_first, "north_first")
        self.repeats_meridian = check_flag(repeats_meridian, "repeats_meridian")
        if repeats_meridian and not rings.is_uniform:
            raise ValueError(f"repeats_meridian: expected rows of one length, got {rings!r}")
        self.nested = check_flag(nested, "nested")
        self.missing = None if missing is None else check_number(missing, "missing")
        if latitudes is not None:
            self._check_latitudes(real_tensor(latitudes, "latitudes"))
        start = check_longitude(longitude_start, "longitude_start")
        self.band = min(sphere.band, full_degree(rings))
        self.is_refined = self.band > rings.degree
        turned = shifted(rings, start, self.band)
        self.data_type = sphere.at(self.band, turned).fields(field_type.blocks)
        self.steps = None if steps is None else check_integer(steps, "steps", 0, _MOST_STEPS)
        signs = [
            torch.full((mul * rho.dim, 1, 1), (-1.0) ** rho.constituents[0].degree)
            for mul, rho in field_type.blocks
        ]
        self.register_buffer("signs", torch.cat(signs), persistent=False)
        order = self._order()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)
        analysed = sphere.at(self.band, halved(turned) if self.is_refined else turned)
        self.from_data = FieldAnalysis(analysed.fields(field_type.blocks), self.band)
        self.to_data = FieldSynthesis(self.data_type, self.band)
        self.from_field = FieldAnalysis(field_type, self.band)
        self.to_field = FieldSynthesis(field_type, self.band)

    @classmethod
    def from_degrees(
        cls,
        latitudes: Tensor,
        longitudes: Tensor,
        field_type: FieldType,
        *,
        missing: float | None = None,
        steps: int | None = None,
    ) -> Self:
        """The samples of a file, whose grid is known by its coordinates.

        They are those of ``equiangular`` or ``gauss``, up to the rounding of a file, from north to
        south or the other way; the first meridian may stand at the end again.

        Args:
            latitudes: of the rows in degrees, from north to south or the other way.
            longitudes: of the columns in degrees, to the east.
            field_type: of the result.
            missing: as above.
            steps: as above.
        Returns:
            The module.
        Raises:
            ValueError: if the coordinates are those of no grid that is known.

        Example:
            >>> from equinet import Sphere
            >>> latitudes, longitudes = torch.linspace(90, -90, 19), torch.arange(0, 370, 10)
            >>> sample = Sample.from_degrees(latitudes, longitudes, Sphere(8).fields("1x0"))
            >>> sample.rings, sample.repeats_meridian
            (equiangular(19, 36, poles=True), True)
        """
        rings, north_first, start, repeats = coordinates(latitudes, longitudes)
        return cls(
            rings,
            field_type,
            north_first=north_first,
            longitude_start=start,
            repeats_meridian=repeats,
            missing=missing,
            steps=steps,
        )

    def _check_latitudes(self, latitudes: Tensor) -> None:
        own = 90 - torch.tensor(self.rings.beta, dtype=torch.float64).rad2deg()
        if latitudes.shape != own.shape or not (
            _close(latitudes, own) or _close(latitudes, own.flip(0))
        ):
            raise ValueError(
                explained(
                    f"latitudes: expected those of {self.rings!r} in degrees, {len(own)} from "
                    f"{own[0]:.2f} to {own[-1]:.2f} or back, to {_NEAR:g} degrees, got "
                    f"{len(latitudes)} from {latitudes[0]:.2f} to {latitudes[-1]:.2f}",
                    "guide/sphere_data.md#your-grid-in-ten-lines",
                )
            )
        if len(own) > 1 and _close(latitudes, own) != self.north_first:
            warnings.warn(
                f"latitudes run from {latitudes[0]:.2f} to {latitudes[-1]:.2f} degrees, but "
                f"north_first is {self.north_first}: is the field upside down?",
                stacklevel=4,
            )

    def _order(self) -> Tensor:
        """Where in the data each point of the rings is, from north to south."""
        if not self.nested:
            count = torch.arange(self.rings.count)
            return count if self.north_first else south_first(self.rings)
        nside = (len(self.rings.beta) + 1) // 4
        if not nside or nside & (nside - 1) or self.rings != healpix(nside) or not self.north_first:
            raise ValueError(
                "nested: expected a HEALPix of a power of two, with north_first, got "
                f"{self.rings!r}, north_first={self.north_first}"
            )
        return healpix_nested(nside).argsort()

    def _shape(self) -> tuple[int, ...]:
        *rest, last = self.rings.shape
        return (*rest, last + self.repeats_meridian)

    def forward(self, values: Tensor) -> Tensor:
        """Feature maps of ``field_type``, as the class describes."""
        self._check_dtype("values", values)
        shape, channels = self._shape(), self.data_type.shape(1)[1]
        if values.dim() != 2 + len(shape) or values.shape[1:] != (channels, *shape):
            axes, got = ", ".join(map(str, shape)), tuple(values.shape)
            hint = ""
            if values.shape[2:] == (*shape[:-1], shape[-1] + 1):
                hint = "; with 0 and 360 degrees both given say repeats_meridian=True"
            raise ValueError(
                f"values: expected (batch, {channels}, {axes}) on {self.rings!r}, got {got}{hint}"
            )
        if self.missing is not None:
            values = values.masked_fill(is_missing(values), self.missing)
        check_measured("values", values, "say missing=0.0, or what else stands for them")
        if self.repeats_meridian:
            values = self._once(values)
        y = self._permuted(values, self.order)
        steps = needed_steps(self.rings, self.band, y.dtype) if self.steps is None else self.steps
        spectrum = _corrected(self._spectrum, self.to_data, y, steps)
        return self.to_field(spectrum, len(values))

    def _check_dtype(self, name: str, x: Tensor) -> None:
        check_floating(name, x)
        if x.dtype != self.signs.dtype:
            raise TypeError(
                f"{name}: expected {self.signs.dtype} as this Sample, got {x.dtype}; use "
                f"sample.to(x.dtype), for float32 and float64, or x.to({self.signs.dtype})"
            )

    def _once(self, values: Tensor) -> Tensor:
        """The values without the last meridian, which must be the first."""
        first, last = values[..., 0], values[..., -1]
        if is_readable(values) and values.numel():
            off, most = float((last - first).abs().max()), float(values.abs().max())
            if off > _SAME * most:
                raise ValueError(
                    "values: expected the first meridian at the end of each row again, as "
                    f"repeats_meridian says, got one that differs by {off:g}"
                )
        return values[..., :-1]

    def _spectrum(self, y: Tensor) -> Tensor:
        """One analysis, on latitudes in steps of half the size if these do not hold the band."""
        if not self.is_refined:
            return self.from_data(y)
        has_poles = self.rings.beta[0] == 0
        # Behind the poles: f(-beta, alpha + pi) = (-1)^s f(beta, alpha).
        behind = self.signs.to(y) * y.flip(-2).roll(y.shape[-1] // 2, -1)
        meridians = torch.cat([y, behind[..., 1:-1, :] if has_poles else behind], -2)
        size = meridians.shape[-2]
        fine = 2 * torch.fft.irfft(torch.fft.rfft(meridians, dim=-2), n=2 * size, dim=-2)
        fine = fine if has_poles else fine.roll(1, -2)
        return self.from_data(fine[..., : size + 1, :])

    def inverse(self, x: Tensor) -> Tensor:
        """Values on the rings, in the order of the data, of the degrees that they hold.

        Args:
            x: feature maps of ``field_type``.
        Returns:
            ``(batch, channel, *rings.shape)``, one longitude more with ``repeats_meridian``.
        Raises:
            ValueError: if ``x`` has another shape.
        """
        self._check_dtype("x", x)
        if x.shape[1:] != self.out_type.shape(1)[1:]:
            expected = ", ".join(map(str, self.out_type.shape(1)[1:]))
            raise ValueError(f"x: expected (batch, {expected}), got {tuple(x.shape)}")
        check_measured("x", x, "fields have numbers everywhere")
        steps = needed_steps(sphere_of(self.out_type).rings, self.band, x.dtype)
        spectrum = _corrected(self.from_field, self.to_field, x, steps)
        y = self.to_data(spectrum, len(x))
        return self._in_file(y)

    def _permuted(self, values: Tensor, order: Tensor) -> Tensor:
        if self.north_first and not self.nested:
            return values
        return values.flatten(2).index_select(-1, order).view(values.shape)

    def _in_file(self, y: Tensor) -> Tensor:
        y = self._permuted(y, self.back)
        return torch.cat([y, y[..., :1]], -1) if self.repeats_meridian else y

    def nearest(self, values: Tensor) -> Tensor:
        """Values of any kind on the grid of the sphere, each that of the nearest point of the data.

        Args:
            values: ``(batch, channel, *rings.shape)``, of any dtype and any number of channels, one
                longitude more with ``repeats_meridian``.
        Returns:
            ``(batch, channel, *grid.shape)``; of equally near points that to the south, then that
            to the east.
        Raises:
            TypeError: if ``values`` is no tensor.
            ValueError: if its last axes are others.
        """
        self._check_axes("values", values, self._shape())
        values = values[..., :-1] if self.repeats_meridian else values
        target = sphere_of(self.out_type).rings
        return _at_nearest(
            self._permuted(values, self.order), sphere_of(self.data_type).rings, target
        )

    def nearest_inverse(self, x: Tensor) -> Tensor:
        """The same from the grid of the sphere to the points of the data, in their order.

        Args:
            x: ``(batch, channel, *grid.shape)``, of any dtype and any number of channels.
        Returns:
            ``(batch, channel, *rings.shape)``, one longitude more with ``repeats_meridian``.
        Raises:
            TypeError: if ``x`` is no tensor.
            ValueError: if its last axes are others.
        """
        grid = sphere_of(self.out_type).rings
        self._check_axes("x", x, grid.shape)
        return self._in_file(_at_nearest(x, grid, sphere_of(self.data_type).rings))

    def _check_axes(self, name: str, x: Tensor, shape: tuple[int, ...]) -> None:
        if not isinstance(x, Tensor) or x.layout != torch.strided:
            got = x.layout if isinstance(x, Tensor) else came(x)
            raise TypeError(f"{name}: expected a dense tensor, got {got}")
        if x.dim() != 2 + len(shape) or x.shape[2:] != shape:
            axes = ", ".join(map(str, shape))
            raise ValueError(f"{name}: expected (batch, channel, {axes}), got {tuple(x.shape)}")

    def extra_repr(self) -> str:
        return f"rings={self.rings!r}, field_type={self.out_type!r}, band={self.band}"


def _corrected(
    analysis: Callable[[Tensor], Tensor], synthesis: FieldSynthesis, y: Tensor, steps: int
) -> Tensor:
    """The spectrum of y, corrected until its synthesis is what y has below the band."""
    spectrum = analysis(y)
    for _ in range(steps):
        spectrum = spectrum + analysis(y - synthesis(spectrum, len(y)))
    return spectrum


def _at_nearest(values: Tensor, sources: Rings, targets: Rings) -> Tensor:
    numbers = nearest_points(sources, targets).to(values.device)
    return values.flatten(2).index_select(-1, numbers).unflatten(-1, targets.shape)


def _close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() < _NEAR)
