"""Spaces and field types, and how G moves a field."""

from equinet.field.field_type import FieldType
from equinet.field.space import Sphere, sphere_of
from equinet.field.transform import FieldAnalysis, FieldSynthesis, act, random_field

__all__ = [
    "FieldAnalysis",
    "FieldSynthesis",
    "FieldType",
    "Sphere",
    "act",
    "random_field",
    "sphere_of",
]
