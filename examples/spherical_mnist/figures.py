"""Pictures of digits on the sphere.

Conventions of the library: a point of the sphere is (sin b sin a, cos b, sin b cos a), the polar
axis is y, and a signal (2 band, 2 band) holds f(beta_j, alpha_k) on the SOFT grid.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.common.figures import save

# From where the sphere is seen, and which way is up there: above the north pole, where an upright
# digit sits with x upwards and z to the right, tilted a little so that it looks like a sphere.
EYE = np.array([-np.sin(0.45), np.cos(0.45), 0.0])
UP = np.array([np.cos(0.45), np.sin(0.45), 0.0])


def sphere_picture(signal: np.ndarray, size: int = 160, back: float = 0.3) -> np.ndarray:
    """Orthographic picture of a function on a sphere of glass.

    Args:
        signal: (2 band, 2 band), axes (beta, alpha).
        size: pixels along one side of the picture.
        back: how strongly the far side shines through, from 0 to 1.
    Returns:
        (size, size), row 0 on top; NaN outside of the disc.
    """
    u, v = np.meshgrid(np.linspace(-1, 1, size), np.linspace(1, -1, size))
    height = np.sqrt(np.clip(1 - u**2 - v**2, 0, None))
    right = np.cross(UP, EYE)
    flat = u[..., None] * right + v[..., None] * UP
    near = interpolate(signal, flat + height[..., None] * EYE)
    far = interpolate(signal, flat - height[..., None] * EYE)
    return np.where(u**2 + v**2 <= 1, np.maximum(near, back * far), np.nan)


def interpolate(signal: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bilinear values of a signal (2 band, 2 band) at unit vectors (..., 3)."""
    x, y, z = np.moveaxis(points, -1, 0)
    n = len(signal)
    j = np.clip(np.arccos(np.clip(y, -1, 1)) * n / np.pi - 0.5, 0, n - 1)  # beta_j = pi (2j+1) / 2n
    k = np.arctan2(x, z) % (2 * np.pi) * n / (2 * np.pi)  # alpha_k = 2 pi k / n
    j0, k0 = np.floor(j).astype(int), np.floor(k).astype(int) % n
    j1, k1 = np.minimum(j0 + 1, n - 1), (k0 + 1) % n
    s, t = j - j0, k - np.floor(k)
    return (1 - s) * ((1 - t) * signal[j0, k0] + t * signal[j0, k1]) + s * (
        (1 - t) * signal[j1, k0] + t * signal[j1, k1]
    )


def digits_figure(
    path: Path,
    images: np.ndarray,
    upright: np.ndarray,
    rotated: np.ndarray,
    captions: Sequence[str] | None = None,
) -> None:
    """One column per digit: the image, then sphere and (beta, alpha) array, upright and rotated.

    Args:
        path: of the picture to write.
        images: (n, 28, 28).
        upright: signals (n, 60, 60) of the upright digits.
        rotated: signals (n, 60, 60) of the rotated digits.
        captions: a line under each column.
    """
    rows = ["image", "on the sphere", "(beta, alpha)", "rotated", "(beta, alpha)"]
    n = len(images)
    figure = Figure(figsize=(1.5 * n + 0.6, 1.55 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), n, squeeze=False)
    for column in range(n):
        pictures = [
            images[column],
            sphere_picture(upright[column]),
            upright[column],
            sphere_picture(rotated[column]),
            rotated[column],
        ]
        for row, picture in enumerate(pictures):
            _picture(axes[row, column], picture)
    for row, name in enumerate(rows):
        axes[row, 0].set_ylabel(name, fontsize=9)
    for column, caption in enumerate(captions or []):
        axes[-1, column].set_xlabel(caption, fontsize=9)
    save(figure, path)


def _picture(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="magma", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
