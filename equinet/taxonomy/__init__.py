"""The classification of equivariant networks, as data that builds and measures itself.

References:
    Cohen, Geiger, Weiler, A General Theory of Equivariant CNNs on Homogeneous Spaces, NeurIPS 2019,
    arXiv 1811.02017. Its table classifies networks by G, H, G/H and the fields. The rows here are
    this library's own; the status of each says whether it is known to stand in that table. Wavelet
    scattering is left out: its filters are given, not a basis of equivariant kernels.
"""

from equinet.taxonomy.measure import Measured
from equinet.taxonomy.row import Publication, Row
from equinet.taxonomy.rows import catalogue

__all__ = ["Measured", "Publication", "Row", "catalogue"]
