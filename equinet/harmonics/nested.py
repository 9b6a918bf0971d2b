r"""The nested order of HEALPix, in which the points of a part of the sphere stand together.

In: nside. Out: a permutation.
"""

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached_untraced
from equinet.numerics.frozen import copied


def healpix_nested(nside: int) -> Tensor:
    r"""For each point in nested order its number in the order of rings, that of ``healpix``.

    The sphere has twelve faces f, four around each pole and four at the equator, each a square of
    N x N points. Point k of a face is at (x, y), whose bits are the even and the odd ones of k, on
    ring i and at longitude alpha,

    .. math:: i = (2 + \lfloor f / 4 \rfloor) N - x - y - 1, \qquad
              \alpha = \frac{\pi}{4} \Bigl( c_f + \frac{x - y}{n_i} \Bigr)

    with c_f = 1, 3, 5, 7 for faces at a pole and 0, 2, 4, 6 for those at the equator, and n_i = N
    or, near a pole, the number of the ring from there.

    Args:
        nside: N, a power of two.
    Returns:
        int64 ``(12 nside^2,)``: ``nested = rings[..., healpix_nested(nside)]``, and the other way
        round by ``healpix_nested(nside).argsort()``.
    Raises:
        ValueError: if ``nside`` is no power of two, or too large to fit into memory.

    References:
        Górski et al. 2005, HEALPix, section 4.

    Example:
        >>> healpix_nested(1)
        tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11])
        >>> healpix_nested(2)[:4]
        tensor([13,  5,  4,  0])
    """
    check_integer(nside, "nside")
    if nside & (nside - 1):
        raise ValueError(f"nside: expected a power of two for the nested order, got {nside}")
    check_memory(12 * nside**2, "nside", f"{12 * nside**2} points")
    return copied(_ring_numbers(nside))


@cached_untraced(8)
def _ring_numbers(nside: int) -> Tensor:
    """Those of all points in nested order."""
    k, faces = torch.arange(nside**2), torch.arange(12)[:, None]
    bits = torch.arange(nside.bit_length())
    x, y = (((k[:, None] >> (2 * bits + odd) & 1) << bits).sum(1) for odd in (0, 1))
    ring = (2 + faces // 4) * nside - x - y - 1  # from 1 on
    near = torch.minimum(ring, 4 * nside - ring).clamp_max(nside)
    column = 2 * (faces % 4) + (faces // 4 != 1).long()
    # The first point of a ring is half a step from longitude 0, or at it on every second one
    # between the polar caps.
    at_zero = (near == nside) & ((ring - nside) % 2 == 1)
    steps = column * near + x - y  # alpha in eighths of a turn over n_i: in half steps of the ring
    place = ((steps - 1 + at_zero) // 2) % (4 * near)
    counts = 4 * torch.cat(
        [
            torch.arange(1, nside),
            torch.full((2 * nside + 1,), nside),
            torch.arange(nside - 1, 0, -1),
        ]
    )
    first = counts.cumsum(0) - counts
    return (first[ring - 1] + place).flatten()
