"""Images onto the sphere, and sphere signals turned at random."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from equinet.harmonics import rotate_s2
from equinet.numerics import Constants, angles_to_matrix, random_rotations, soft_angles
from equinet.numerics.arguments import check_generator, check_integer, check_memory
from equinet.numerics.membership import check_rotations
from equinet.numerics.values import check_floating, check_measured

_FILL = "fill what is missing, as nan_to_num(0) does"


class StereographicProjection(Constants):
    r"""Put a square image on the northern hemisphere, sampled on the SOFT grid of the transforms.

    .. math:: f(x) = I\!\left(\frac{z}{1 + y}, \frac{x}{1 + y}\right), \qquad (x, y, z) \in S^2

    Projection from the south pole: the centre of the image goes to the north pole (0, 1, 0), its
    inscribed circle to the equator; the polar angle in the image is alpha. Values between pixels
    are bilinear, outside the image zero.

    Args:
        image_size: pixels along a side.
        band: b of the grid, 2b points per angle.
    Shape:
        ``(batch, channel, image_size, image_size)`` to ``(batch, channel, 2b, 2b)``.
    Raises:
        ValueError: if a number is no integer >= 1, or the grid would not fit into memory.

    Example:
        >>> StereographicProjection(image_size=28, band=8)(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 1, 16, 16])
    """

    points: Tensor

    def __init__(self, image_size: int, band: int) -> None:
        super().__init__()
        self.image_size = check_integer(image_size, "image_size")
        self.band = check_integer(band, "band")
        check_memory(9 * (2 * band) ** 2, "band", f"matrices at {2 * band} x {2 * band} points")
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        beta, alpha = torch.meshgrid(*soft_angles(self.band), indexing="ij")
        pole = angles_to_matrix(alpha, beta, torch.zeros_like(alpha))[..., 1]
        return {"points": pole}

    def forward(self, images: Tensor, rotations: Tensor | None = None) -> Tensor:
        r"""Project, and rotate the result: f(R^-1 x), evaluated exactly, without resampling.

        Args:
            images: real, ``(batch, channel, image_size, image_size)``.
            rotations: R, ``(3, 3)`` or one for each image, ``(batch, 3, 3)``.
        Returns:
            ``(batch, channel, 2 * band, 2 * band)``, axes beta and alpha.
        Raises:
            TypeError: if the images are not real floating.
            ValueError: if they have another shape or a number is not finite, or ``rotations`` are
                no rotation matrices.
        """
        size = self.image_size
        check_floating("images", images)
        if images.dim() != 4 or images.shape[2:] != (size, size):
            raise ValueError(
                f"images: expected (batch, channel, {size}, {size}), got {tuple(images.shape)}"
            )
        check_measured("images", images, _FILL)
        points = self.points.to(images).expand(len(images), -1, -1, -1)
        if rotations is not None:
            check_rotations(rotations, "rotations", images)
            # R^-1 x, and x is a row vector here
            r = rotations.to(images).expand(len(images), 3, 3)
            points = (points.flatten(1, 2) @ r).view_as(points)
        x, y, z = points.unbind(-1)
        scale = 1 / (1 + y).clamp_min(1e-6)  # the south pole goes far outside the image
        where = torch.stack([z * scale, -x * scale], -1)  # grid_sample counts y downwards
        return grid_sample(images, where, padding_mode="zeros", align_corners=False)


def rotate_randomly(
    signal: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Turn every function on the sphere by a rotation of its own, drawn from Haar measure.

    Args:
        signal: real, ``(batch, channel, 2b, 2b)``; degrees above the band b are lost.
        generator: for the rotations.
    Returns:
        The turned signals and the rotations ``(batch, 3, 3)``.
    Raises:
        TypeError: if the signal is not real floating.
        ValueError: if it has another shape, or a number is not finite: a gap would be everywhere.

    Example:
        >>> turned, rotations = rotate_randomly(torch.rand(5, 1, 8, 8))
        >>> turned.shape, rotations.shape
        (torch.Size([5, 1, 8, 8]), torch.Size([5, 3, 3]))
    """
    check_floating("signal", signal)
    if signal.dim() != 4:
        single = "; a single sample is signal[None]" if signal.dim() == 3 else ""
        raise ValueError(
            f"signal: expected (batch, channel, 2b, 2b), got {tuple(signal.shape)}{single}"
        )
    check_measured("signal", signal, _FILL)
    check_generator(generator)
    rotations = random_rotations(len(signal), generator=generator).to(signal)
    return rotate_s2(signal, rotations), rotations
