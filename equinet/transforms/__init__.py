"""Data into fields."""

from equinet.transforms.sphere import StereographicProjection, rotate_randomly

__all__ = ["StereographicProjection", "rotate_randomly"]
