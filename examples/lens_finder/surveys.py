"""What a telescope sees: bands, pixel, point spread function and depth."""

from dataclasses import dataclass

SIZE = 49  # pixels a side; odd, so that strides of two keep the centre
BANDS = ("g", "r", "i", "z")


@dataclass(frozen=True)
class Survey:
    """One kind of image.

    Attributes:
        bands: numbers of its bands among :data:`BANDS`.
        pixel: its side, in arcseconds.
        fwhm: of the point spread function, in arcseconds.
        depth: fluxes in units of the noise in a pixel, relative to "space".
    """

    bands: tuple[int, ...]
    pixel: float
    fwhm: float
    depth: float

    @property
    def psf(self) -> float:
        """The full width at half maximum in pixels."""
        return self.fwhm / self.pixel

    @property
    def reference(self) -> int:
        """The place of the band i among those of this survey: fluxes are given in it."""
        return self.bands.index(2)

    @property
    def real_bands(self) -> tuple[int, ...]:
        """The places of the bands in a file with g r i z Y."""
        return self.bands


SURVEYS = {
    "space": Survey((2,), 0.1, 0.18, 1.0),
    "ground": Survey((0, 1, 2, 3), 0.2, 0.7, 0.6),
    "ground-i": Survey((2,), 0.2, 0.7, 0.6),
}
