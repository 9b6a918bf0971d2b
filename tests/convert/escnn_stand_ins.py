"""Objects with what the converter asks of escnn, made of the arrays that ``make_escnn`` kept.

Their irreps of continuous groups are written anew here: those of SO(2) and O(2) by their angles,
those of SO(3) by their action on y, z, x and on xy, yz, 3z^2 - 1, xz, x^2 - y^2.
"""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.linalg import block_diag

_ORDER = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=float)
_QUADRATIC = (
    np.array(
        [
            [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
            [[0, 0, 0], [0, 0, 1], [0, 1, 0]],
            [[-1, 0, 0], [0, -1, 0], [0, 0, 2]],
            [[0, 0, 1], [0, 0, 0], [1, 0, 0]],
            [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
        ]
    )
    / np.sqrt([2, 2, 6, 2, 2])[:, None, None]
)


def stored():
    """The arrays of each layer, by its name."""
    found = {}
    with np.load(Path(__file__).parents[1] / "golden" / "escnn.npz") as arrays:
        for key in arrays.files:
            name, _, part = key.partition("/")
            found.setdefault(name, {})[part] = arrays[key]
    return found


def as_peer(kind, base=object, **attributes):
    """An object of a class of that name, whose module is escnn's."""
    made = type(kind, (base,), {"__module__": "escnn.stand_in"})()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def types_of(arrays):
    """The field types of a layer."""
    kind = str(arrays["group"])
    is_continuous = "base" not in arrays
    if is_continuous:
        group = as_peer(kind, name=kind, continuous=True, elements=None, PARAM="radians")
        group.element = lambda value, param: SimpleNamespace(value=value)
        act = lambda e: _natural(kind, e.value)  # noqa: E731
    else:
        elements = list(range(len(arrays["base"])))
        group = as_peer(kind, name=kind, continuous=False, elements=elements)
        act = arrays["base"].__getitem__
    space = as_peer("GSpace", fibergroup=group, dimensionality=int(arrays["size"]))
    space.basespace_action = act
    reps = {name: _rep(arrays, kind, str(name)) for side in ("in", "out") for name in arrays[side]}
    return [
        as_peer("FieldType", gspace=space, representations=[reps[name] for name in arrays[side]])
        for side in ("in", "out")
    ]


class _Rep:
    def __init__(self, name, matrices, size):
        self.name, self.size, self._matrices = name, size, matrices

    def __call__(self, element):
        return self._matrices(element)


def _rep(arrays, kind, name):
    if f"rep {name}" in arrays:
        table = arrays[f"rep {name}"]
        return _Rep(name, table.__getitem__, table.shape[1])
    ids, basis = arrays[f"irreps {name}"], arrays[f"basis {name}"]

    def matrices(e):
        blocks = [irrep_matrix(kind, [int(k) for k in id], e.value) for id in ids]
        return basis @ block_diag(*blocks) @ np.linalg.inv(basis)

    return _Rep(name, matrices, len(basis))


def _turn(angle):
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _natural(kind, value):
    if kind == "O2":
        return _turn(value[1]) @ (np.diag([-1.0, 1.0]) if value[0] else np.eye(2))  # x to -x
    return value if kind == "SO3" else (-1) ** value[0] * value[1]


def irrep_matrix(kind, id, value):
    """An irrep of O(2), SO(3) or O(3) of low degree, by its numbers."""
    if kind == "O2":
        (j, k), (flip, angle) = id, value
        if k == 0:
            return np.array([[(-1.0) ** (j * flip)]])
        return _turn(k * angle) @ np.diag([1.0, (-1.0) ** flip])
    R, sign = (value, 1) if kind == "SO3" else (value[1], (-1) ** (id[0] * value[0]))
    if id[-1] == 0:
        return sign * np.eye(1)
    if id[-1] == 1:
        return sign * _ORDER @ R @ _ORDER.T
    return sign * np.einsum("mij,ik,nkl,jl->mn", _QUADRATIC, R, _QUADRATIC, R)
