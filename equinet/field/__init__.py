"""Spaces and field types, and how G moves a field."""

from equinet.field.action import act
from equinet.field.field_type import FieldType
from equinet.field.grid import Line, Plane, Volume
from equinet.field.noise import random_field
from equinet.field.points import Point, Points
from equinet.field.resample import resample
from equinet.field.sphere import Sphere, sphere_of
from equinet.field.transform import FieldAnalysis, FieldSynthesis

__all__ = [
    "FieldAnalysis",
    "FieldSynthesis",
    "FieldType",
    "Line",
    "Plane",
    "Point",
    "Points",
    "Sphere",
    "Volume",
    "act",
    "random_field",
    "resample",
    "sphere_of",
]
