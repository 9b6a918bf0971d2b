"""Equivariance checks, for users' networks too."""

from equinet.testing.certificates import Certificate, LayerCertificate, certificate
from equinet.testing.equivariance import (
    EquivarianceError,
    assert_equivariant,
    equivariance_error,
)
from equinet.testing.reports import Layer, Report, report
from equinet.testing.sizes import input_sizes
from equinet.testing.sources import Sources

__all__ = [
    "Certificate",
    "EquivarianceError",
    "Layer",
    "LayerCertificate",
    "Report",
    "Sources",
    "assert_equivariant",
    "certificate",
    "equivariance_error",
    "input_sizes",
    "report",
]
