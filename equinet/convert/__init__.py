"""Layers of other libraries, with their weights, as layers of this one."""

from equinet.convert.e3nn import from_e3nn
from equinet.convert.e3nn_convolution import from_e3nn_convolution

__all__ = ["from_e3nn", "from_e3nn_convolution"]
