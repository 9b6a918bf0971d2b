r"""From the points of one grid to those of another, where some points weigh more or are missing.

A linear map Phi of functions, such as the mean over a window, is applied to what is there:

.. math:: w' = \frac{\Phi(w)}{\Phi(1)}, \qquad y = \frac{\Phi(w f)}{w'} \quad (N3)

The weights w' are those of the new points. With w = 1 it is Phi f, what Phi makes of constants,
at the border of a grid say, it makes of them here too, and a factor of w changes nothing. Where
w' = 0 nothing is there and y = 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.nn.bands import BandChange, Gains
from equinet.nn.centred import Centred
from equinet.nn.layout import laid_out
from equinet.nn.masks import point_weights, read
from equinet.nn.module import EquivariantModule
from equinet.nn.requirements import check_sizes
from equinet.ops import full_precision
from equinet.rep import trivial


class Resampling(EquivariantModule):
    """A module that leads to other points, and takes weights of its points.

    Attributes:
        centred: watches the sizes of grids, or None.
    """

    plain_forward = "_resampled"
    centred: Centred | None = None

    def forward(self, x: Tensor, *, weights: Tensor | None = None) -> Tensor:
        """The fields at the new points.

        Args:
            x: ``in_type.shape(batch, *sizes)``.
            weights: of the points, areas or a mask, as in ``GlobalAvgPool``: >= 0, for the points,
                ``(*sizes)``, or for those of each sample, ``(batch, *sizes)``. Where they are 0 the
                input is not read, so that it may be NaN there. Where nothing is left the output is
                0; ``out_weights`` says where.
        Returns:
            ``out_type.shape(batch, *sizes)``.
        Raises:
            TypeError: if ``weights`` is no real tensor.
            ValueError: if its shape is another one, or a number in it is negative or not finite.
        """
        self.check(x)
        if self.centred is not None:
            self.centred.check(x.shape[2:])
        w = point_weights(self.in_type, x, weights)
        return self._resampled(x) if w is None else self._of_weighted(x, w)

    def out_weights(self, weights: Tensor) -> Tensor:
        """The weights of the points of the output, for the layers behind.

        Args:
            weights: of the points of the input, as ``forward`` takes them.
        Returns:
            In single precision at least, with or without a batch as ``weights``: 0 where nothing
            is left.
        Raises:
            TypeError, ValueError: as ``forward``.
        """
        axes = len(self.in_type.axes) - self.in_type.is_sampled
        is_batch = isinstance(weights, Tensor) and weights.dim() > axes
        w = point_weights(self.in_type, self._like(weights, axes), weights)
        assert w is not None
        if self.centred is not None:
            check_sizes(w.shape[2:], self.centred.least, self.centred.name)
        left = self._left(w[..., 0] if self.in_type.is_sampled else w)[:, 0]
        return left if is_batch else left[0]

    def _like(self, weights: Tensor, axes: int) -> Tensor:
        """A tensor of fields for these weights, without numbers of its own."""
        if not isinstance(weights, Tensor) or weights.dim() < axes:
            return torch.empty(self.in_type.shape(1, *[1] * len(self.in_type.open_axes)))
        dtype = weights.dtype if weights.is_floating_point() else torch.get_default_dtype()
        sizes = weights.shape[weights.dim() - axes :] if self.in_type.open_axes else ()
        shape = self.in_type.shape(weights.shape[0] if weights.dim() > axes else 1, *sizes)
        return weights.new_empty(1, dtype=dtype).expand(shape)

    def _resampled(self, x: Tensor) -> Tensor:
        """The fields at the new points, where all points are there and weigh the same."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def _left(self, w: Tensor) -> Tensor:
        """The weights of the new points, ``(batch, 1, *new sizes)``, 0 where nothing is left."""
        raise TypeError(f"{type(self).__name__} does not say what is left")

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        """The fields at the new points of fields that may be anything where w is 0."""
        raise TypeError(f"{type(self).__name__} does not say what is left")


class Averaging(Resampling):
    """A linear map Phi, the same for all channels, applied to what is there (N3).

    Attributes:
        bands: Phi over a sphere, or None.
        shares: Phi of functions over it, or None.
        least: over a sphere the share of what Phi reads at a point that must be there. A function
            below the band is not 0 where a mask is, and a quotient of two small ones says nothing.
    """

    bands: BandChange | None
    shares: BandChange | None
    least = 0.5

    def _set_bands(self, gains: Gains | None = None) -> None:
        """Let Phi be a change of band, with these factors; ones if None."""
        self.bands = BandChange(self.in_type, self.out_type, gains)
        spaces = self.in_type.space, self.out_type.space
        before, after = (space.fields([(1, trivial(space.fibre_group))]) for space in spaces)
        self.shares = BandChange(before, after, gains)

    def _on_grid(self, x: Tensor) -> Tensor:
        """Phi of values on a grid, ``(batch, channel, *sizes)``."""
        raise TypeError(f"{type(self).__name__} does not say what it does on a grid")

    def _resampled(self, x: Tensor) -> Tensor:
        return laid_out(self._on_grid(x), x) if self.bands is None else self.bands(x)

    def _left(self, w: Tensor) -> Tensor:
        if self.shares is None:
            found, whole = self._on_grid(w), self._on_grid(torch.ones_like(w[:1]))
            return found / whole.where(whole > 0, 1.0)
        found, there = self.shares(w), self.shares((w > 0).to(w.dtype))
        largest = w.flatten(1).amax(1).view(-1, *[1] * (found.dim() - 1))
        return found.where((there >= self.least) & (found > 0.01 * largest), 0.0)

    def _of_weighted(self, x: Tensor, w: Tensor) -> Tensor:
        sampled = self.in_type.is_sampled
        with full_precision(x):
            share = self._left(w[..., 0] if sampled else w)
            share = share[..., None] if sampled else share
            values = read(x, w) * w
            y = self._on_grid(values) if self.bands is None else self.bands(values)
            y = (y / share.where(share > 0, 1.0)).where(share > 0, 0.0).to(x.dtype)
        return laid_out(y, x) if self.bands is None else y
