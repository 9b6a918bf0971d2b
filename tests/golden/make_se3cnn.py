"""Make ``se3cnn.npz``: filters of se3cnn, and what its layers give.

se3cnn is on no package index: with a clone of ``mariogeiger/se3cnn``, which ``benchmarks/peers.py``
mends, in the environment of ``make peers`` and from the root of the repository::

    PYTHONPATH=.:path/to/se3cnn python -m tests.golden.make_se3cnn

Made with se3cnn at commit afd027c, lie_learn 0.0.2, numpy 1.26, torch 2.13. Of each layer NAME, in
float32: ``NAME_in`` and ``NAME_out``, rows (multiplicity, degree); ``NAME_filter``; ``NAME_x``, an
input of 5^3 voxels, and ``NAME_y``, the output, padded to keep the size.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import load_se3cnn

LAYERS = {
    "first": ([(2, 0)], [(1, 0), (2, 1), (1, 2)], 5),
    "middle": ([(1, 0), (1, 1), (1, 2)], [(1, 2), (1, 0), (2, 1)], 3),
}


def layers() -> Iterator[tuple[str, Any, torch.Tensor]]:
    """Each layer with weights from a seed, and an input."""
    peer, reason = load_se3cnn()
    if peer is None:
        raise RuntimeError(reason)
    for name, (given, wanted, size) in LAYERS.items():
        torch.manual_seed(0)
        layer = peer.convolution(given, wanted, size, padding=size // 2)
        yield name, layer, torch.randn(1, sum(m * (2 * l + 1) for m, l in given), 5, 5, 5)


def main() -> None:
    """Write the file beside this one."""
    found = {}
    for name, layer, x in layers():
        found |= {
            f"{name}_in": np.array(layer.kernel.Rs_in),
            f"{name}_out": np.array(layer.kernel.Rs_out),
            f"{name}_filter": layer.kernel().detach().numpy(),
            f"{name}_x": x.numpy(),
            f"{name}_y": layer(x).detach().numpy(),
        }
    np.savez_compressed(Path(__file__).with_name("se3cnn.npz"), **found)


if __name__ == "__main__":
    main()
