"""Make ``escnn.npz``: what layers of escnn are, and what they give, for the tests of its converter.

In the environment of ``make peers``, from the root of the repository::

    python -m tests.golden.make_escnn

Made with escnn 1.0.11, numpy 1.26, torch 2.13. Under the name of each layer:

==================  ==============  ================================================================
``group``           string          the class of its group
``size``            ()              dimension of the space; 0 for a point
``base``            (order, n, n)   of a finite group, how each element moves (x, y[, z])
``in``, ``out``     strings         the representation of each field
``rep NAME``        (order, d, d)   of a finite group, its matrix for each element
``irreps NAME``     (count, ids)    of a continuous one, the numbers of its irreps
``basis NAME``      (d, d)          and its change of basis
``filter``          (o, i, ...)     the expanded filter
``bias``            (o,)            the expanded bias
``x``, ``y``        (1, i, ...)     an input, and the output
==================  ==============  ================================================================

Instead of a filter a batch norm has ``weight NUMBER``, ``bias NUMBER``, ``mean NUMBER`` and
``var NUMBER`` of the fields of that size, and ``y`` is its output in evaluation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.peers.escnn_cases import example, fill, layers, load

LAYERS = (
    "C8: conv, quotients",
    "D3: conv, irreps",
    "O(2): conv, irreps",
    "SO(3): conv, irreps",
    "O(3): conv, irreps",
    "octahedral: conv, irreps",
    "icosahedral: conv, irreps",
    "octahedral: Linear",
    "D4: InnerBatchNorm",
)
Arrays = dict[str, Any]


def main() -> None:
    """Write the file beside this one."""
    escnn, found = load("escnn"), {}
    made = layers(escnn)
    for name in LAYERS:
        layer = fill(made[name]()).eval()
        x = example(layer, size=5, batch=1)
        y = layer(escnn.nn.GeometricTensor(x, layer.in_type)).tensor
        parts = {**_types(layer), **_weights(layer), "x": x.numpy(), "y": y.detach().numpy()}
        found |= {f"{name}/{key}": value for key, value in parts.items()}
    np.savez_compressed(Path(__file__).with_name("escnn.npz"), **found)


def _types(layer: Any) -> Arrays:
    space = layer.in_type.gspace
    group = space.fibergroup
    found: Arrays = {"group": type(group).__name__, "size": space.dimensionality}
    if not group.continuous and space.dimensionality:
        found["base"] = np.stack([space.basespace_action(e) for e in group.elements])
    elif not group.continuous:
        found["base"] = np.stack([e.to("MAT") for e in group.elements])
    for side in ("in", "out"):
        reps = getattr(layer, f"{side}_type").representations
        found[side] = np.array([rho.name for rho in reps])
        for rho in reps:
            if group.continuous:
                found[f"irreps {rho.name}"] = np.array(rho.irreps)
                found[f"basis {rho.name}"] = rho.change_of_basis
            else:
                found[f"rep {rho.name}"] = np.stack([rho(e) for e in group.elements])
    return found


def _weights(layer: Any) -> Arrays:
    if not hasattr(layer, "expand_parameters"):
        found = {}
        for name, norm in layer.named_children():
            size = name.removeprefix("batch_norm_[").removesuffix("]")
            state = norm.state_dict()
            for key in ("weight", "bias", "running_mean", "running_var"):
                found[f"{key.removeprefix('running_')} {size}"] = state[key].numpy()
        return found
    filter, bias = (value.detach().numpy() for value in layer.expand_parameters())
    return {"filter": filter, "bias": bias}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
