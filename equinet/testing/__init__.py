"""Equivariance checks, for users' networks too."""

from equinet.testing.equivariance import (
    EquivarianceError,
    assert_equivariant,
    equivariance_error,
)
from equinet.testing.report import Layer, Report, report
from equinet.testing.sources import Sources

__all__ = [
    "EquivarianceError",
    "Layer",
    "Report",
    "Sources",
    "assert_equivariant",
    "equivariance_error",
    "report",
]
