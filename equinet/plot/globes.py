"""Fields on a ball, tangent vectors as arrows.

The ball is projected here, in parallel, as the surfaces of ``lobes`` are, with the polar axis y up.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from matplotlib.patches import Circle
from torch import Tensor

from equinet.field import FieldAnalysis, FieldSynthesis, FieldType, Sphere, sphere_of
from equinet.harmonics import soft
from equinet.numerics import angles_to_matrix, soft_angles
from equinet.plot.canvas import (
    COLOURS,
    INK,
    STRENGTHS,
    WIDTH,
    array,
    bare,
    largest,
    new_axes,
)
from equinet.plot.fields import copies_of
from equinet.plot.lobes import VIEW

_BAND = 30  # of the grid that is drawn: 60 rings of 60 points
_RINGS = 12  # of arrows from pole to pole, on every fifth ring of the grid
_PIXELS = 300  # across the ball
_ROD = 1.2  # half the length of an axis
_SHADE = 0.28  # how much darker the rim is than the middle


def globe(
    field_type: FieldType,
    x: Tensor,
    *,
    axis: Tensor | None = None,
    figure: FigureBase | None = None,
) -> FigureBase:
    r"""Fields on the sphere, seen from outside: a column for each sample, a row for each field.

    A function is drawn in colours, a tangent field (the irrep 1) as arrows over their length, from
    its components along R e_z and R e_x with R = Y(alpha) X(beta). A field of spin s > 1 is drawn
    as s equal arms, for s = 2 a line: what comes back to itself after a turn by 2 pi / s. Every
    field has one scale throughout the batch.

    Between the points of the grid the field of the same spectrum is drawn, so degrees above the
    band, if there are any, do not appear.

    Args:
        field_type: over a ``Sphere``, made of irreps.
        x: ``field_type.shape(batch)``.
        axis: an axis of rotation to draw, ``(3,)``, of any length but zero.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if its shape is another one, or the fields are over another space, or sampled
            on SO(3), or the axis is none.

    Example:
        >>> import torch
        >>> winds = Sphere(4).fields("1x trivial + 1x1")
        >>> [ax.get_ylabel() for ax in globe(winds, torch.rand(1, 3, 8, 8)).axes]
        ['trivial', 'spin 1']
    """
    sphere = sphere_of(field_type, "field_type")
    if field_type.is_sampled:
        raise ValueError(f"field_type: expected fields of irreps over a Sphere, got {field_type!r}")
    field_type.check(x)
    if not len(x):
        raise ValueError("x: expected at least one sample, got an empty batch")
    rod = None if axis is None else _unit(axis)
    fields = list(copies_of(field_type))
    values, frames = _finely(field_type, sphere, x)
    side = min(2.4, WIDTH / len(x))
    figure, axes = new_axes(figure, len(fields), len(x), (side, side))
    for row, (title, rho, channels) in zip(axes, fields, strict=True):
        shown = values[:, channels]
        strength = np.linalg.norm(shown, axis=1)
        limit, spin = largest(strength), rho.constituents[0].degree
        for ax, sample, length in zip(row, shown, strength, strict=True):
            if rho.dim == 1:
                _ball(ax, (sample[0] / limit + 1) / 2, COLOURS)
            else:
                _ball(ax, length / (1.6 * limit), STRENGTHS)
                _arms(ax, frames, sample, spin, limit)
            if rod is not None:
                _rod(ax, rod)
            bare(ax)
            reach = 1.04 if rod is None else 1.04 * _ROD
            ax.set_xlim(-reach, reach)
            ax.set_ylim(-reach, reach)
        if rho.dim == 2:
            title = f"spin {spin}" + title.removeprefix(rho.name)
        row[0].set_ylabel(title, fontsize=9, labelpad=4)
    return figure


def _finely(field_type: FieldType, sphere: Sphere, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The field of the same spectrum on a fine grid, and the frames R there, ``(beta, alpha)``."""
    band = _BAND * math.ceil(sphere.band / _BAND)
    finer = sphere.at(band, soft(band)).fields(field_type.blocks)
    spectrum = FieldAnalysis(field_type, sphere.band).double()(x.detach().cpu().double())
    values = FieldSynthesis(finer, sphere.band).double()(spectrum, len(x))
    beta, alpha = soft_angles(band)
    return array(values), array(angles_to_matrix(alpha, beta[:, None], torch.zeros_like(alpha)))


def _ball(ax: Axes, values: np.ndarray, colours: str) -> None:
    """Colours of ``values`` in [0, 1] on the grid, ``(beta, alpha)``, darker at the rim."""
    side = (2 * np.arange(_PIXELS) + 1) / _PIXELS - 1
    right, up = np.meshgrid(side, side)
    eye = np.sqrt(np.clip(1 - right**2 - up**2, 0, 1))
    x, y, z = np.moveaxis(np.stack([right, up, eye], -1) @ VIEW, -1, 0)
    size = len(values)
    # Between the four points of the grid around; beyond a pole comes the other side of its ring.
    rings = np.roll(values[[0, -1]], size // 2, axis=1)
    values = np.concatenate([rings[:1], values, rings[1:]])
    row = np.arccos(np.clip(y, -1, 1)) * size / math.pi + 0.5
    column = np.arctan2(x, z) % (2 * math.pi) * size / (2 * math.pi)
    i, j = row.astype(int), column.astype(int) % size
    down, along = row - i, column - column.astype(int)
    upper, lower = ((1 - along) * values[k, j] + along * values[k, (j + 1) % size]
                    for k in (i, i + 1))  # fmt: skip
    rgb = colormaps[colours]((1 - down) * upper + down * lower)[..., :3]
    rgb *= (1 - _SHADE * (1 - eye) ** 2)[..., None]
    picture = ax.imshow(rgb, extent=(-1, 1, -1, 1), origin="lower", zorder=2)
    picture.set_clip_path(Circle((0, 0), 1, transform=ax.transData))
    ax.add_patch(Circle((0, 0), 1, fill=False, ec="0.45", lw=0.8, zorder=3))


def _arms(ax: Axes, frames: np.ndarray, values: np.ndarray, spin: int, limit: float) -> None:
    """Arrows, or ``spin`` arms, that stand evenly over the half of the ball that faces the eye."""
    at, v = _evenly(frames), np.moveaxis(values, 0, -1)
    frame, v = frames[at], v[at] / limit
    points = frame[..., 1] @ VIEW.T
    seen = points[:, 2] > 0.12
    length = np.linalg.norm(v, axis=1)
    phase = np.arctan2(v[:, 1], v[:, 0])
    reach = 1.55 * math.pi / _RINGS  # of the longest
    arms = []
    for k in range(spin):
        angle = (phase + 2 * math.pi * k) / spin
        tangent = np.cos(angle)[:, None] * frame[..., 2] + np.sin(angle)[:, None] * frame[..., 0]
        arms.append((reach * length[:, None] * tangent) @ VIEW[:2].T)
    points = points[seen, :2]
    if spin == 1:
        u, w = arms[0][seen].T
        width = 0.065 * reach
        ax.quiver(
            *points.T, u, w, color=INK, angles="xy", scale_units="xy", scale=1, pivot="mid",
            units="xy", width=width, headwidth=3.4, headlength=4, headaxislength=3.5,
            minlength=0.5, zorder=4,
        )  # fmt: skip
        return
    ends = np.concatenate([points + 0.45 * arm[seen] for arm in arms])
    lines = np.stack([np.tile(points, (spin, 1)), ends], 1)
    ax.add_collection(LineCollection(list(lines), colors=INK, linewidths=0.9, zorder=4))


def _evenly(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the grid: evenly spaced rings, with as many points as their length."""
    size = len(frames)
    step = size // _RINGS
    divisors = np.array([d for d in range(1, size + 1) if size % d == 0])
    rows, columns = [], []
    for ring in range(_RINGS):
        row = step // 2 + step * ring
        wanted = 2 * _RINGS * math.sin(math.pi * (row + 0.5) / size)
        count = divisors[np.abs(np.log(divisors / wanted)).argmin()]
        column = np.arange(count) * (size // count) + (ring % 2) * (size // count // 2)
        rows.append(np.full(count, row))
        columns.append(column)
    return np.concatenate(rows), np.concatenate(columns)


def _rod(ax: Axes, axis: np.ndarray) -> None:
    """The axis through the ball, hidden where the ball is before it."""
    right, up, depth = VIEW @ axis
    for sign in (1, -1):
        front = sign * depth > 0
        start = 1.0 if front else 0.0
        ax.plot(
            [sign * start * right, sign * _ROD * right], [sign * start * up, sign * _ROD * up],
            color="0.35", lw=1.6, solid_capstyle="round", zorder=5 if front else 1,
        )  # fmt: skip


def _unit(axis: Tensor) -> np.ndarray:
    found = array(torch.as_tensor(axis))
    if found.shape != (3,) or not np.linalg.norm(found) > 0:
        raise ValueError(f"axis: expected three numbers, not all zero, got {axis}")
    return found / np.linalg.norm(found)
