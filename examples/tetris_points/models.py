"""A network that knows mirror images apart, and one that cannot.

Both have three convolutions on points and a sum over the points of a piece. What is left are seven
scalars that no mirror changes, one for the two chiral pieces together and one for each of the
others; the network ``odd`` has an eighth, which a mirror gives another sign. It is added to the
score of one chiral piece and taken from that of the other, so that for the mirror image of any
cloud the network says the same with these two names exchanged.
"""

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from equinet.transforms import radius_graph

SPACE = eq.Points("O(3)", dim=3)
CUTOFF = 3.5  # in sides of a cube: all four points see each other
NEIGHBOURS = 3.0
# The first layer makes 1o and 2e of ones, the second 1e of these, the third 0o of 1o and 1e.
HIDDEN = ("8x0e + 8x1o + 8x2e", "16x0e + 8x1o + 8x1e + 8x2e + 8x2o")
OUT = {"odd": "7x0e + 1x0o", "even": "7x0e"}


class Reader(nn.Module):
    """Scores of the eight pieces, ``(batch, points, 3)`` to ``(batch, 8)``."""

    def __init__(self, network: str) -> None:
        super().__init__()
        here, out = SPACE.fields("1x0e"), SPACE.fields(OUT[network])
        self.convolutions, self.gates = nn.ModuleList(), nn.ModuleList()
        for h in map(SPACE.fields, HIDDEN):
            self.convolutions.append(_convolution(here, enn.gated(h)))
            self.gates.append(enn.Gate(h))
            here = h
        self.last, self.pool = _convolution(here, out), enn.SumPool(out)

    def invariants(self, pieces: Tensor) -> Tensor:
        """The seven even scalars, and the odd one if the network has it, ``(batch, 7 or 8)``."""
        count, points, n = pieces.shape
        positions = pieces.reshape(-1, n)
        batch = torch.arange(count, device=pieces.device).repeat_interleave(points)
        graph = radius_graph(positions, CUTOFF, batch)
        x = torch.ones_like(positions[:, :1])
        for convolution, gate in zip(self.convolutions, self.gates, strict=True):
            x = gate(convolution(x, positions, graph))
        return self.pool(self.last(x, positions, graph), batch, count)

    def forward(self, pieces: Tensor) -> Tensor:
        pair, others, odd = self.invariants(pieces).tensor_split([1, 7], 1)
        odd = odd.sum(1, keepdim=True)  # 0 if there is none
        return torch.cat([pair + odd, pair - odd, others], 1)


def _convolution(in_type: eq.FieldType, out_type: eq.FieldType) -> enn.PointConv:
    radial = enn.RadialNetwork(CUTOFF, features=8)
    return enn.PointConv(in_type, out_type, radial, neighbours=NEIGHBOURS, lmax=2)
