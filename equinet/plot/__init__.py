"""Pictures of kernels, harmonics, fields, character tables and reports, with matplotlib.

``import equinet`` does not import this package: say ``from equinet import plot``. Every function
returns a matplotlib figure, which a notebook shows and ``savefig`` writes; given a ``figure`` of
your own it draws into that one. No function knows of pyplot.
"""

from equinet.plot.fields import field
from equinet.plot.globes import globe
from equinet.plot.kernel import kernels
from equinet.plot.lobes import harmonics
from equinet.plot.report_chart import report
from equinet.plot.table import character_table

__all__ = ["character_table", "field", "globe", "harmonics", "kernels", "report"]
