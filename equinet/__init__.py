"""equinet: deep learning on fields with symmetry.

Name a space and a symmetry, type a field, and compose ``torch.nn`` modules that are equivariant by
construction::

    import equinet as eq
    from equinet import nn as enn

    sphere = eq.Sphere(band=30)
    x, h = sphere.fields("1x trivial"), sphere.at(band=10).fields("20x regular")
    net = enn.Sequential(enn.SphereConv(x, h), enn.ReLU(h), enn.Integrate(h))
"""

import importlib
from typing import TYPE_CHECKING

from equinet import field, group, harmonics, nn, ops, rep, steerable
from equinet.field import (
    FieldType,
    HomogeneousSpace,
    Line,
    Plane,
    Point,
    Points,
    Sphere,
    Volume,
    act,
)
from equinet.group import (
    cyclic,
    dihedral,
    icosahedral,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    symmetric,
    tetrahedral,
)
from equinet.nn import summary

if TYPE_CHECKING:
    from equinet import convert, learning, models, taxonomy, testing, transforms
    from equinet.taxonomy import catalogue
    from equinet.testing import input_sizes
else:  # a checker of types knows them from above, and finds no others

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(_LATER[name])
        return module if _LATER[name].endswith(f".{name}") else getattr(module, name)


__version__ = "0.1.0"

__all__ = [
    "FieldType",
    "HomogeneousSpace",
    "Line",
    "Plane",
    "Point",
    "Points",
    "Sphere",
    "Volume",
    "act",
    "catalogue",
    "convert",
    "cyclic",
    "dihedral",
    "field",
    "group",
    "harmonics",
    "icosahedral",
    "input_sizes",
    "learning",
    "models",
    "nn",
    "o2",
    "o3",
    "octahedral",
    "ops",
    "point_group",
    "rep",
    "so2",
    "so3",
    "steerable",
    "summary",
    "symmetric",
    "taxonomy",
    "testing",
    "tetrahedral",
    "transforms",
]

# What no network needs comes when it is asked for: a quarter of what there is to import.
_LATER = {
    "catalogue": "equinet.taxonomy",
    "convert": "equinet.convert",
    "input_sizes": "equinet.testing",
    "learning": "equinet.learning",
    "models": "equinet.models",
    "taxonomy": "equinet.taxonomy",
    "testing": "equinet.testing",
    "transforms": "equinet.transforms",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
