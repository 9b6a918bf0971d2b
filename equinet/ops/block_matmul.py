r"""Product of a spectrum with one matrix per degree.

In: a spectrum and filter blocks. Out: a spectrum. Before: ``wigner``.

.. math:: z^l_m = W^l x^l_m, \qquad m = -l, \dots, l                                  \quad (B1)

By Schur's lemma these are all the linear maps between spectra that commute with SO(3).
"""

import torch
from torch import Tensor


def block_matmul(
    spectrum: Tensor, blocks: list[Tensor], batch: int, bias: Tensor | None = None
) -> Tensor:
    """Apply ``blocks[l]`` to the columns of every order m of degree l.

    Args:
        spectrum: flat: for each degree ``(2l + 1, k_in, batch)``, concatenated.
        blocks: for each degree a matrix ``(k_out, k_in)``; k may be zero.
        batch: number of samples.
        bias: ``(k_out at l = 0,)``, added to the coefficients of degree 0, that is, to the
            constants.
    Returns:
        The new spectrum, flat: for each degree ``(2l + 1, k_out, batch)``, concatenated.
    """
    sizes = [(2 * l + 1) * block.shape[1] * batch for l, block in enumerate(blocks)]
    out = []
    for l, (block, part) in enumerate(zip(blocks, spectrum.split(sizes), strict=True)):
        x = part.view(2 * l + 1, block.shape[1], batch)
        z = torch.bmm(block.expand(2 * l + 1, -1, -1), x)  # (B1)
        if l == 0 and bias is not None:
            z = z + bias[:, None]
        out.append(z.view(-1))
    return torch.cat(out)
