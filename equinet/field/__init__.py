"""Spaces and field types, and how G moves a field."""

from equinet.field.action import act
from equinet.field.fibre_action import turn_fibres
from equinet.field.field_type import FieldType
from equinet.field.grid import Line, Plane, Volume
from equinet.field.homogeneous import HomogeneousSpace
from equinet.field.mackey import (
    act_on_mackey,
    induced_matrices,
    lift,
    lower,
    mackey_projection,
    mackey_residual,
)
from equinet.field.noise import random_field
from equinet.field.periodic import torus
from equinet.field.points import Point, Points
from equinet.field.power import power_spectra
from equinet.field.resampling import resample
from equinet.field.scattered import values_at
from equinet.field.space import Noise, Space, space_of
from equinet.field.sphere import Sphere, sphere_of
from equinet.field.transform import FieldAnalysis, FieldSynthesis

__all__ = [
    "FieldAnalysis",
    "FieldSynthesis",
    "FieldType",
    "HomogeneousSpace",
    "Line",
    "Noise",
    "Plane",
    "Point",
    "Points",
    "Space",
    "Sphere",
    "Volume",
    "act",
    "act_on_mackey",
    "induced_matrices",
    "lift",
    "lower",
    "mackey_projection",
    "mackey_residual",
    "power_spectra",
    "random_field",
    "resample",
    "space_of",
    "sphere_of",
    "torus",
    "turn_fibres",
    "values_at",
]
