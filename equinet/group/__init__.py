"""Who acts: compact groups whose elements are orthogonal matrices."""

from equinet.group.group import Group
from equinet.group.so2 import SO2, so2
from equinet.group.so3 import SO3, so3

__all__ = ["SO2", "SO3", "Group", "so2", "so3"]
