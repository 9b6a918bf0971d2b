"""Equivariance checks, for users' networks too."""

from equinet.testing.certificates import Certificate, LayerCertificate, certificate
from equinet.testing.equivariance import assert_equivariant, equivariance_error
from equinet.testing.outcomes import EquivarianceError
from equinet.testing.reports import LayerReport, Report, report
from equinet.testing.sizes import input_sizes
from equinet.testing.sources import Sources

__all__ = [
    "Certificate",
    "EquivarianceError",
    "LayerCertificate",
    "LayerReport",
    "Report",
    "Sources",
    "assert_equivariant",
    "certificate",
    "equivariance_error",
    "input_sizes",
    "report",
]
