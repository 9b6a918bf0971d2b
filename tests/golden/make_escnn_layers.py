"""Make ``escnn_layers.npz``: layers of escnn without filters, taken apart, and what they give.

In the environment of ``make peers``, from the root of the repository::

    python -m tests.golden.make_escnn_layers

Made with escnn 1.0.11, numpy 1.26, torch 2.13. ``all`` is JSON: ``layers``, under the name of each
its class, attributes, tensors and parts, an input x and the output y in evaluation; and ``spaces``,
the group of each, how its elements move (x, y, z), and of each representation its irreps and the
matrices of all elements, or of SO(3) the basis of irreps. A field type is the number of its space
and the names of its representations. An array is [kind, start, shape], in the array of this kind.
"""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.peers.escnn_cases import example, fill, load, output
from tests.peers.escnn_layers import layers

# One of each class; of space those that the plane does not have.
LEFT_OUT = (
    "nearest",
    "size",
    "dilation",
    "sigmoid",
    "tanh",
    "octahedral",
    "icosahedral",
    "SO(2)",
    "O(2)",
    "SO(3): Restriction",
    "SO(3): Disentangle",
    "SO(3): IIDBatchNorm3d",
    "R3ConvTransposed",
)
SIZE = {"MaskModule": 7, "SequentialModule": 7, "SO(3)": 3}
Node = dict[str, Any]
_FUNCTIONS = types.FunctionType | types.BuiltinFunctionType


class Archive:
    """Everything that is kept."""

    def __init__(self) -> None:
        self.spaces: list[Node] = []
        self._known: list[Any] = []
        self._kinds: dict[str, list[np.ndarray]] = {}

    def node(self, module: torch.nn.Module) -> Node:
        """A module and its parts."""
        plain = vars(torch.nn.Module()).keys()
        attributes = {
            name: self._value(value)
            for name, value in vars(module).items()
            if name not in plain and self._value(value) is not ...
        }
        tensors = {**module._parameters, **module._buffers}
        if hasattr(module, "expand_parameters"):  # a filter in place of what makes it
            filter, bias = module.expand_parameters()
            tensors = {"weights": filter, "bias": bias}
        kept = {
            name: self.array(value.detach().numpy())
            for name, value in tensors.items()
            if value is not None
        }
        parts = {
            name: self.node(part)
            for name, part in module.named_children()
            if not name.startswith("_")
        }
        return {
            "class": type(module).__name__, "attributes": attributes, "tensors": kept,
            "parts": parts,
        }  # fmt: skip

    def array(self, value: np.ndarray) -> list:
        """Keep the numbers, and say where."""
        kept = self._kinds.setdefault(value.dtype.name, [])
        start = sum(map(len, kept))
        kept.append(value.reshape(-1))
        return [value.dtype.name, start, list(value.shape)]

    def kinds(self) -> dict[str, np.ndarray]:
        """All numbers of each kind in a row."""
        return {name: np.concatenate(values) for name, values in self._kinds.items()}

    def _value(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if type(value).__name__ == "FieldType":
            reps = value.representations
            return {"fields": [self._space(value.gspace, reps), *[rho.name for rho in reps]]}
        if isinstance(value, list | tuple | set):
            items = [self._value(item) for item in value]
            return ... if ... in items else {"tuple": items}
        if isinstance(value, dict):
            items = [[self._value(k), self._value(v)] for k, v in value.items()]
            return ... if any(... in item for item in items) else {"dict": items}
        if type(value).__name__.endswith("Representation"):
            return {"rep": [self._space_of(value), value.name]}
        return {"function": value.__name__} if isinstance(value, _FUNCTIONS) else ...

    def _space_of(self, rho: Any) -> int:
        return next(i for i, space in enumerate(self._known) if space.fibergroup is rho.group)

    def _space(self, space: Any, reps: list) -> int:
        if space not in self._known:
            self._known.append(space)
            group = space.fibergroup
            node = {"group": type(group).__name__, "size": space.dimensionality, "reps": {}}
            self.spaces.append(node)
            if not group.continuous:
                base = [space.basespace_action(e) for e in group.elements]
                node["base"] = self.array(np.stack(base))
        number = self._known.index(space)
        for rho in reps:
            self._rep(number, rho)
        return number

    def _rep(self, number: int, rho: Any) -> None:
        kept = self.spaces[number]["reps"]
        if rho.name in kept:
            return
        group = rho.group
        psis = [group.irrep(*key) for key in rho.irreps]
        basis, group_elements = rho.change_of_basis, [] if group.continuous else group.elements
        matrices = [rho(e) for e in group_elements]
        kept[rho.name] = {
            "irreps": [list(key) for key in rho.irreps], "size": rho.size,
            "names": [psi.name for psi in psis], "basis": self.array(basis),
            "nonlinearities": sorted(rho.supported_nonlinearities),
            "matrices": self.array(np.stack(matrices)) if matrices else None,
        }  # fmt: skip
        for psi in psis:
            if psi is not rho:
                self._rep(number, psi)


def main() -> None:
    """Write the file beside this one."""
    escnn, archive, nodes = load("escnn"), Archive(), {}
    for name, make in layers(escnn).items():
        if not any(part in name for part in LEFT_OUT):
            layer = fill(make()).eval()
            size = next((size for part, size in SIZE.items() if part in name), 5)
            x = example(layer, size, 1)
            y = output(escnn, layer, x).detach()
            numbers = {"x": archive.array(x.numpy()), "y": archive.array(y.numpy())}
            nodes[name] = archive.node(layer) | numbers
    every = json.dumps({"layers": nodes, "spaces": archive.spaces})
    file = Path(__file__).with_name("escnn_layers.npz")
    np.savez_compressed(file, all=np.array(every), **archive.kinds())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
