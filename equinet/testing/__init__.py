"""Equivariance checks, for users' networks too."""

from typing import TYPE_CHECKING

from equinet.numerics.deprecation import warn_renamed
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

if not TYPE_CHECKING:  # to which any name would be one of this module

    def __getattr__(name: str) -> object:
        if name == "Layer":
            warn_renamed("equinet.testing.Layer", "equinet.testing.LayerReport")
            return LayerReport
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
