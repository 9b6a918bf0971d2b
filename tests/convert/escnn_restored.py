"""Layers of escnn that ``make_escnn_layers`` took apart, put together again without it."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from scipy.linalg import block_diag

from tests.convert.escnn_stand_ins import as_peer, irrep_matrix

_FUNCTIONS = {
    "relu": torch.relu,
    "relu_": torch.relu,
    "elu": torch.nn.functional.elu,
    "elu_": torch.nn.functional.elu,
    "sigmoid": torch.sigmoid,
    "sigmoid_": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "tanh": torch.tanh,
    "<lambda>": lambda t: t / (1 + t),
}


@functools.cache
def restored():
    """For each layer, by its name, what makes it, an input and the output."""
    with np.load(Path(__file__).parents[1] / "golden" / "escnn_layers.npz") as arrays:
        every = json.loads(str(arrays["all"]))
        numbers = {name: arrays[name] for name in arrays.files if name != "all"}

    def array(place):
        kind, start, shape = place
        return numbers[kind][start : start + int(np.prod(shape))].reshape(shape)

    spaces = [_space(node, array) for node in every["spaces"]]
    return {
        name: (
            functools.partial(_module, node, spaces, array),
            *(torch.from_numpy(array(node[key])) for key in "xy"),
        )
        for name, node in every["layers"].items()
    }


class _Rep:
    def __init__(self, name, group, node, array):
        self.name, self.group, self.size = name, group, node["size"]
        self.irreps = [tuple(key) for key in node["irreps"]]
        self.supported_nonlinearities = set(node["nonlinearities"])
        self.change_of_basis = array(node["basis"])
        self._matrices = None if node["matrices"] is None else array(node["matrices"])

    def __call__(self, element):
        if self._matrices is not None:
            return self._matrices[element]
        blocks = block_diag(*[irrep_matrix("SO3", key, element.value) for key in self.irreps])
        return self.change_of_basis @ blocks @ np.linalg.inv(self.change_of_basis)

    def is_trivial(self):
        if self._matrices is None:
            return self.irreps == [(0,)]
        return self.size == 1 and bool((self._matrices == 1).all())


def _space(node, array):
    is_finite = "base" in node
    base = array(node["base"]) if is_finite else None
    group = as_peer(node["group"], name=node["group"], continuous=not is_finite, elements=None)
    if is_finite:
        group.elements = list(range(len(base)))
    else:
        group.PARAM = "MAT"
        group.element = lambda value, param: SimpleNamespace(value=value)
    reps = {name: _Rep(name, group, rep, array) for name, rep in node["reps"].items()}
    names = {
        tuple(key): name
        for rep in node["reps"].values()
        for key, name in zip(rep["irreps"], rep["names"], strict=True)
    }
    group.irrep = lambda *key: reps[names[key]]
    space = as_peer("GSpace", fibergroup=group, dimensionality=node["size"], reps=reps)
    space.basespace_action = base.__getitem__ if is_finite else lambda element: element.value
    return space


def _value(value, spaces):
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "function":
        return _FUNCTIONS[content]
    if kind == "tuple":
        return tuple(_value(item, spaces) for item in content)
    if kind == "dict":
        return {_value(k, spaces): _value(v, spaces) for k, v in content}
    number, *names = content
    reps = [spaces[number].reps[name] for name in names]
    if kind == "rep":
        return reps[0]
    size = sum(rho.size for rho in reps)
    return as_peer("FieldType", gspace=spaces[number], representations=reps, size=size)


def _module(node, spaces, array):
    name = node["class"]
    if hasattr(torch.nn, name) and "in_type" not in node["attributes"]:
        module = getattr(torch.nn, name)(node["attributes"]["num_features"])
    else:
        module = as_peer(name, torch.nn.Module)
        for key, value in node["attributes"].items():
            setattr(module, key, _value(value, spaces))
    for key, place in node["tensors"].items():
        value = torch.from_numpy(array(place).copy())
        if key in module._parameters:
            module._parameters[key] = torch.nn.Parameter(value)
        else:
            module.register_buffer(key, value)
    for key, part in node["parts"].items():
        module.add_module(key, _module(part, spaces, array))
    if "weights" in node["tensors"]:
        module.expand_parameters = lambda: (module.weights, module.bias)
    return module.eval()
