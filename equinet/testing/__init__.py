"""Equivariance checks, for users' networks too."""

from equinet.testing.equivariance import (
    EquivarianceError,
    assert_equivariant,
    equivariance_error,
)

__all__ = ["EquivarianceError", "assert_equivariant", "equivariance_error"]
