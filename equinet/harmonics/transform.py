r"""The Fourier transforms of real fields on the sphere and on SO(3), as modules with constants.

In: signals on the SOFT grid or real spectra. Out: the other. Before: ``grid``. Next: ``so3_fft``.

A user sees signals as ``(batch, channel, beta, alpha[, gamma])`` in any strides. On SO(3) the axes
lie in memory the other way round, with the batch innermost: ``Synthesis`` returns tensors with
those strides and ``Analysis`` takes them without a copy; as with torch's channels_last, only the
strides differ.
Fields on S^2 are in the usual order and go through a fast Fourier transform over alpha.

A spectrum is a real tensor ``(rows, channel * batch)`` in the basis of e3nn,

.. math::
    \hat f^l_{mn} = \int f D^l_{mn}, \qquad
    f = \sum_l (2l + 1) \sum_{mn} \hat f^l_{mn} D^l_{mn}

with rows (l, m, n) as in ``grid`` and Haar measure of total mass 1.
"""

import torch
from torch import Tensor

from equinet.harmonics.grid import gamma_waves, sphere_tables
from equinet.numerics import Constants
from equinet.ops import (
    GroupTables,
    SphereTables,
    so3_analysis,
    so3_synthesis,
    wigner_analysis,
    wigner_synthesis,
)
from equinet.ops import relu as rectify


class _Transform(Constants):
    """Constants of a transform between the grid of ``grid_band`` and degrees l < ``band``.

    Args:
        grid_band: b of the grid.
        band: exclusive bound of the degree, at most ``grid_band``.
        order: s for fields of the irrep s of SO(2), or None for functions on SO(3).
        dtype: of the constants, torch's default dtype if None.
    """

    inverse: bool
    d: Tensor
    scatter: Tensor
    gather: Tensor
    alpha: Tensor
    gamma: Tensor

    def __init__(
        self, grid_band: int, band: int, order: int | None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        if not 0 < band <= grid_band:
            raise ValueError(f"band: expected 1 to {grid_band} (the grid's band), got {band}")
        self.grid_band, self.band, self.order = grid_band, band, order
        self.on_group = order is None
        if order is None:
            self.orders = tuple(range(band))
        else:
            self.orders = (order,) if order < band else ()
        self.set_constants(dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        tables = sphere_tables(
            self.grid_band, self.band, self.orders, self.on_group, self.inverse, dtype
        )
        out = {"d": tables.d, "scatter": tables.scatter, "gather": tables.gather}
        if tables.alpha is not None:
            gamma = gamma_waves(self.band, 2 * self.grid_band)
            out["alpha"] = tables.alpha
            out["gamma"] = gamma if self.inverse else gamma / (2 * self.grid_band)
        return out

    def tables(self) -> SphereTables:
        alpha = self.alpha if self.on_group else None
        size = 2 * self.grid_band
        return SphereTables(self.orders, self.band, size, self.d, alpha, self.scatter, self.gather)

    def group_tables(self) -> GroupTables:
        return GroupTables(self.d, self.alpha, self.gamma, self.scatter, self.gather, self.band)

    def extra_repr(self) -> str:
        return f"grid_band={self.grid_band}, band={self.band}, order={self.order}"


class Analysis(_Transform):
    """Signal to spectrum. ``forward(signal)`` returns ``(rows, channel * batch)``.

    For ``order`` = s > 0 the channels of the signal are (channel, component), two components each.
    """

    inverse = False

    def forward(self, signal: Tensor) -> Tensor:
        signal = signal.to(self.d.dtype)
        if self.on_group:
            return so3_analysis(signal, self.group_tables())
        parts = 2 if self.order else 1
        x = signal.unflatten(1, (signal.shape[1] // parts, parts))
        columns = x.shape[0] * x.shape[1]
        if not self.orders or not columns:  # no degree below the band, or no sample
            return signal.new_zeros(self.gather.shape[0], columns) + 0 * signal.sum()
        # int f cos and -int f sin, index (batch, channel, part, beta, m, c or s)
        waves = torch.view_as_real(torch.fft.rfft(x)[..., : self.band])
        return wigner_analysis(waves.permute(2, 5, 4, 3, 1, 0).flatten(-2), self.tables())


class Synthesis(_Transform):
    """Spectrum to signal: ``forward(spectrum, channels)``, the inverse of ``Analysis``.

    With ``relu`` the numbers below 0 become 0.
    For ``order`` = s > 0 the channels of the signal are (channel, component), two components each.
    """

    inverse = True

    def forward(self, spectrum: Tensor, channels: int, relu: bool = False) -> Tensor:
        if self.on_group:
            return so3_synthesis(spectrum, self.group_tables(), channels, relu)
        signal = self._on_sphere(spectrum, channels)
        return rectify(signal) if relu else signal

    def _on_sphere(self, spectrum: Tensor, channels: int) -> Tensor:
        size, batch = 2 * self.grid_band, spectrum.shape[1] // channels
        parts = 2 if self.order else 1
        if not self.orders or not batch:
            zeros = spectrum.new_zeros(batch, parts * channels, size, size)
            return zeros + 0 * spectrum.sum()  # keeps the graph
        waves = wigner_synthesis(spectrum, self.tables())
        # Re sum_m (U + i V') e^{i m alpha}, axes (batch, channel, part, beta, m). The orders that
        # are missing are added while the numbers are real, as ONNX pads no complex ones.
        missing = self.grid_band + 1 - waves.shape[2]
        waves = torch.cat([waves, waves.new_zeros(*waves.shape[:2], missing, *waves.shape[3:])], 2)
        x = torch.complex(waves[:, 0], waves[:, 1]).unflatten(-1, (channels, batch))
        x = torch.fft.irfft(x.permute(4, 3, 0, 2, 1), n=size, norm="forward")
        return x.flatten(1, 2)
