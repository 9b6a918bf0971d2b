"""Draws the pictures of the first page into docs/static: ``python docs/pictures.py``.

Each shows one thing that the library does, with nothing but its public names.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from PIL import Image
from scipy.spatial.transform import Rotation
from torch import Tensor

import equinet as eq
from equinet import nn as enn
from equinet import plot
from equinet.harmonics import Harmonics, gaussian_shells
from equinet.rep import irrep, trivial, vector
from equinet.steerable import kernel_basis

FOLDER = Path(__file__).parent / "static"
WIDTH = 8.4  # inches


def kernels() -> FigureBase:
    """All kernels from a scalar to a vector in the plane; some between vectors in space."""
    figure = Figure((WIDTH, 2.3), layout="constrained")
    plane, space = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    so2, so3 = eq.so2(), eq.so3()
    basis = kernel_basis(trivial(so2), vector(so2), Harmonics(so2, gaussian_shells(2)))
    plot.kernels(basis, style="arrows", figure=plane)
    basis = kernel_basis(irrep(so3, 1), irrep(so3, 1), Harmonics(so3, gaussian_shells(2)))
    plot.kernels(basis, which=[1, 3, 5], figure=space)
    plane.suptitle("scalar to vector in the plane, all 4", fontsize=10)
    space.suptitle("vector to vector in space, 3 of 7", fontsize=10)
    return figure


def winds() -> FigureBase:
    """A tangent field and its vorticity, and both when the field is turned about a tilted axis."""
    sphere = eq.Sphere(band=12)
    wind, both = sphere.fields("1x1"), sphere.fields("1x trivial + 1x1")
    x = eq.field.random_field(wind, 1, band=7, generator=torch.Generator().manual_seed(11))
    axis, degrees = np.array([1.0, 1.3, -0.4]), (0, 30, 60, 90)
    vectors = np.radians(degrees)[:, None] * axis / np.linalg.norm(axis)
    turned = torch.cat([eq.act(wind, R, x) for R in turns(vectors)])
    found = torch.cat([enn.Curl(wind)(turned), turned], 1)
    figure = Figure((WIDTH, 4.3), layout="constrained")
    plot.globe(both, found, axis=torch.tensor(axis), figure=figure)
    for ax, name in zip(figure.axes[:: len(degrees)], ("vorticity", "wind"), strict=True):
        ax.set_ylabel(name, fontsize=9)
    for ax, angle in zip(figure.axes, degrees, strict=False):
        ax.set_title(f"{angle}°", fontsize=9)
    return figure


def networks() -> FigureBase:
    """Vectors that networks make of an image, turned back, and how far they move with its angle."""
    torch.manual_seed(0)
    plane = eq.Plane("SO(2)")
    image, arrows = plane.fields("1x0"), plane.fields("1x1")
    x = blobs(65)
    nets = {"plain CNN": plain(), "C8": regular(), "SO(2)": irreps()}

    def turned_back(net: torch.nn.Module, degrees: float) -> Tensor:
        there, back = turns(np.radians([[0, 0, degrees], [0, 0, -degrees]]))[:, :2, :2]
        return eq.act(arrows, back, net(eq.act(image, there, x)))

    figure = Figure((WIDTH, 3.9), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.35, 1))
    axes, shown = left.subplots(len(nets) + 1, 4), (0, 45, 75, 200)
    for ax, degrees in zip(axes[0], shown, strict=True):
        [there] = turns(np.radians([[0, 0, degrees]]))[:, :2, :2]
        ax.imshow(middle(eq.act(image, there, x)[0, 0]).numpy(), cmap="Greys")
        ax.set_title(f"{degrees}°", fontsize=9)
    for row, net in zip(axes[1:], nets.values(), strict=True):
        for ax, degrees in zip(row, shown, strict=True):
            draw_arrows(ax, turned_back(net, degrees))
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    for ax, name in zip(axes[:, 0], ("given", *nets), strict=True):
        ax.set_ylabel(name, fontsize=9)
    ax, angles = right.subplots(), np.arange(0, 361, 5)
    for name, net in nets.items():
        y = turned_back(net, 0)
        errors = [float((turned_back(net, a) - y).norm() / y.norm()) for a in angles]
        ax.semilogy(angles, np.clip(errors, 1e-7, None), label=name)
    ax.set_xticks(range(0, 361, 45))
    ax.set_xlabel("the image is turned by, degrees", fontsize=9)
    ax.set_title("how far the output, turned back, has moved", fontsize=9)
    ax.legend(fontsize=8, ncols=3, loc="center", bbox_to_anchor=(0.5, 0.82))
    ax.tick_params(labelsize=8)
    return figure


def save(figure: FigureBase, path: Path) -> None:
    """Sharp on a screen of small pixels too; 256 colours, with which a file is a third as large."""
    canvas = BytesIO()
    figure.savefig(canvas, dpi=165)
    picture = Image.open(canvas).convert("RGB")
    picture.quantize(256, kmeans=4, dither=Image.Dither.NONE).save(path, optimize=True)


def turns(vectors: np.ndarray) -> Tensor:
    """Rotations about some axes, by angles that are the lengths of the vectors."""
    return torch.tensor(Rotation.from_rotvec(vectors).as_matrix(), dtype=torch.float32)


def blobs(size: int) -> Tensor:
    """A smooth image that no turn leaves alone, dark away from the edge."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    at = ((0.05, 0.28, 0.16, 1.0), (-0.22, -0.1, 0.12, 0.8), (0.25, -0.28, 0.1, 0.6))
    found = [h * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * w * w)) for u, v, w, h in at]
    return torch.tensor(sum(found), dtype=torch.float32)[None, None]


def plain() -> torch.nn.Module:
    """A CNN of torch."""
    options = {"kernel_size": 7, "padding": 3, "bias": False}
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 24, **options),
        torch.nn.ReLU(),
        torch.nn.Conv2d(24, 24, **options),
        torch.nn.ReLU(),
        torch.nn.Conv2d(24, 2, **options),
    ).requires_grad_(False)


def regular() -> torch.nn.Module:
    """The same number of channels, which eight rotations permute."""
    plane = eq.Plane("C8")
    x, h, y = plane.fields("1x0"), plane.fields("3x regular"), plane.fields("1x1")
    return enn.Sequential(
        enn.Conv2d(x, h, 7, padding=3),
        enn.ReLU(h),
        enn.Conv2d(h, h, 7, padding=3),
        enn.ReLU(h),
        enn.Conv2d(h, y, 7, padding=3),
    ).requires_grad_(False)


def irreps() -> torch.nn.Module:
    """The same number again, of scalars and vectors, for all rotations."""
    plane = eq.Plane("SO(2)")
    x, h, y = plane.fields("1x0"), plane.fields("8x0 + 4x1 + 4x2"), plane.fields("1x1")
    return enn.Sequential(
        enn.Conv2d(x, enn.gated(h), 7, padding=3),
        enn.Gate(h),
        enn.Conv2d(h, enn.gated(h), 7, padding=3),
        enn.Gate(h),
        enn.Conv2d(h, y, 7, padding=3),
    ).requires_grad_(False)


def middle(image: Tensor) -> Tensor:
    """The part of an image where something is."""
    cut = image.shape[-1] // 6
    return image[..., cut:-cut, cut:-cut]


def draw_arrows(ax: Axes, field: Tensor) -> None:
    """Vectors, (x, y) with y up, over their length."""
    u, v = middle(field[0]).numpy()
    some = slice(2, None, 4)
    at = np.arange(len(u))[some]
    ax.imshow(np.hypot(u, v), cmap="Blues")
    limit = 7 * np.hypot(u, v).max()
    ax.quiver(at, at, u[some, some], v[some, some], scale=limit, width=0.012, headwidth=4)


if __name__ == "__main__":
    for draw in (kernels, winds, networks):
        save(draw(), FOLDER / f"{draw.__name__}.png")
