"""Simple solids of random proportions, upright: data to try the program with."""

import numpy as np

SOLIDS = ("ball", "box", "cylinder", "cone", "table", "bracket")


def solid(name: str, side: int, generator: np.random.Generator) -> np.ndarray:
    """Voxels of one solid, (side, side, side) uint8, within 80 % of the grid."""
    axis = (2 * np.arange(side) + 1) / side - 1
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    a, b, c = generator.uniform(0.35, 0.75, 3)
    around = np.hypot(x / a, y / b)
    box = (abs(x) < a) & (abs(y) < b) & (abs(z) < c)
    inside = {
        "ball": around**2 + (z / c) ** 2 < 1,
        "box": box,
        "cylinder": (around < 1) & (abs(z) < c),
        "cone": (around < (c - z) / (2 * c)) & (abs(z) < c),
        "table": box & ((z > 0.6 * c) | ((abs(x) > 0.7 * a) & (abs(y) > 0.7 * b))),
        "bracket": box & ((z < -0.6 * c) | (x < -0.6 * a)),
    }[name]
    return inside.astype(np.uint8)
