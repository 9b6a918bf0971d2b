"""Make ``groupy.npz``: filters of GrouPy, and what they are when they are transformed.

GrouPy is on no package index: with a clone of ``tscohen/GrouPy`` (its layers need Chainer or an old
TensorFlow, the indices of its filters NumPy only), from the root of the repository::

    PYTHONPATH=.:path/to/GrouPy python -m tests.golden.make_groupy

Made with GrouPy at commit c6f40f2 and numpy 1.26, where it misses ``np.int``. Of each layer, NAME:

``NAME_weight``     W, int64 ``(2, 2, nti, k, k)``, all different
``NAME_filter``     what is made of it, ``(2, nto, 2, nti, k, k)``: W[o, i, T, U, V] with the
                    indices T, U, V that GrouPy has for it
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

LAYERS = {  # from the name to that of the indices, how many elements there are, and the size
    "P4ConvZ2": ("make_c4_z2_indices", 1, 3),
    "P4ConvZ2_even": ("make_c4_z2_indices", 1, 2),
    "P4ConvP4": ("make_c4_p4_indices", 4, 3),
    "P4ConvP4_even": ("make_c4_p4_indices", 4, 2),
    "P4MConvZ2": ("make_d4_z2_indices", 1, 3),
    "P4MConvP4M": ("make_d4_p4m_indices", 8, 5),
}


def transformed() -> dict[str, np.ndarray]:
    """The filters of all layers."""
    setattr(np, "int", int)  # noqa: B010
    indices: Any = importlib.import_module("groupy.gconv.make_gconv_indices")
    found = {}
    for name, (make, count, size) in LAYERS.items():
        T, U, V = np.moveaxis(getattr(indices, make)(size), -1, 0)
        weight = np.arange(4 * count * size**2).reshape(2, 2, count, size, size)
        found[f"{name}_weight"] = weight
        found[f"{name}_filter"] = weight[:, :, T, U, V].transpose(0, 2, 1, 3, 4, 5)
    return found


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("groupy.npz"), **transformed())
