r"""Given filters as those of a layer.

.. math:: w = \arg\min_w \Bigl\| F - \sum_k w_k K_k \Bigr\|^2, \qquad
          r = \| F - \textstyle\sum_k w_k K_k \| / \| F \|

In bases of irreps this falls apart into pairs of irreps, with one small problem for each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.nn.steerable import Steerable
from equinet.numerics.cached import on_cpu
from equinet.numerics.values import check_floating
from equinet.rep import Fibre, Irrep
from equinet.rep.fibres import change_blocks
from equinet.steerable import SampledKernels


@on_cpu
def project_filter(
    layer: Steerable, filter: Tensor, bias: Tensor | None = None, *, argument: str = "filter"
) -> float:
    """Give a layer the weights with which its filter is the nearest to a given one.

    Whatever computed the filter, a layer of another library or a plain network that was made
    equivariant by averaging, it is an equivariant one of this layer's kind if and only if the
    residual is 0 up to rounding. A residual r says that the part r of its norm is none: that it
    belongs to another group or other types, or that the functions of the layer do not span it
    (``functions=harmonics.Orbits`` spans all).

    Args:
        layer: a convolution, or ``enn.Linear``, whose weights are changed in place.
        filter: as ``layer.dense()``.
        bias: one number for each channel of the output, or None for none.
        argument: what an error calls the filter.
    Returns:
        The residual r of filter and bias together, 0 to 1.
    Raises:
        TypeError: if the layer has no such weights, or the filter is no real tensor.
        ValueError: for another shape, numbers that are not finite, or a bias where none is learned.

    Example:
        >>> from equinet import Plane, nn
        >>> x = Plane("C4").fields("2x regular")
        >>> given, layer = nn.Conv2d(x, x, 3), nn.Conv2d(x, x, 3)
        >>> project_filter(layer, given.dense()) < 1e-6
        True
    """
    if not isinstance(layer, Steerable):
        raise TypeError(
            f"layer: expected a convolution or Linear of this library, got {type(layer).__name__}"
        )
    given = check_floating(argument, filter).detach().double().cpu()
    shape = tuple(layer.dense().shape)
    if given.shape != shape or not given.isfinite().all():
        raise ValueError(
            f"{argument}: expected finite numbers of shape {shape}, got {tuple(given.shape)}"
            f"{'' if given.shape != shape else ' with some that are not finite'}"
        )
    weight = nearest_weights(layer, given)
    with torch.no_grad():
        layer.weight.copy_(weight)
        kernels = layer.basis()
        found = torch.cat([kernels.expand(_by_pair(kernels, row)) for row in weight])
        missed, whole = (found.view_as(given) - given).square().sum(), given.square().sum()
        if bias is not None:
            shift = check_floating("bias", bias).detach().double().cpu()
            missed = missed + (_set_bias(layer, shift) - shift).square().sum()
            whole = whole + shift.square().sum()
        elif layer.bias is not None:
            layer.bias.zero_()
    return float((missed / whole).sqrt()) if whole else 0.0


def nearest_weights(layer: Steerable, filter: Tensor) -> Tensor:
    """The weights with which the filter of a layer is the nearest to a given one.

    Args:
        layer: of these kernels.
        filter: as ``layer.dense()``, float64 on the CPU.
    Returns:
        As ``layer.weight``, float64.
    """
    kernels = layer.basis()
    rows = filter.reshape(len(layer.weight), -1, filter.shape[1], filter[0, 0].numel())
    return torch.stack([_coefficients(kernels, one) for one in rows])


def _set_bias(layer: Steerable, shift: Tensor) -> Tensor:
    """The nearest bias on the channels that the layer can have, which it has from now on."""
    fibre = layer.out_type.fibre
    if shift.shape != (layer.out_type.channels,) or not shift.isfinite().all():
        raise ValueError(
            f"bias: expected {layer.out_type.channels} finite numbers, got {tuple(shift.shape)}"
        )
    if layer.bias is None:
        if shift.any() and len(fibre.coefficients):
            raise ValueError("bias: expected None for a layer without one, got numbers")
        return torch.zeros_like(shift)
    coefficients = fibre.coefficients @ shift
    layer.bias.copy_(coefficients.expand_as(layer.bias))
    return fibre.invariants @ coefficients


def _coefficients(kernels: SampledKernels, filter: Tensor) -> Tensor:
    """The weights of the nearest filter to ``(dim out, dim in, points)``, in a row."""
    fibre_out, fibre_in = kernels.fibre_out, kernels.fibre_in
    x = _to_irreps(filter, 0, fibre_out, fibre_out.matrices(inverse=True))
    x = _to_irreps(x, 1, fibre_in, [m if m is None else m.mT for m in fibre_in.matrices()])
    rows, columns = _parts(fibre_out), _parts(fibre_in)
    found = []
    for (psi_out, psi_in), basis in kernels.pairs.items():
        block = x[rows[psi_out]][:, columns[psi_in]]
        block = block.unflatten(1, (-1, psi_in.dim)).unflatten(0, (-1, psi_out.dim))
        wanted = block.permute(0, 2, 1, 3, 4).flatten(2)  # (copies out, copies in, numbers)
        solution = torch.linalg.lstsq(basis.flatten(1).mT, wanted.flatten(0, 1).mT).solution
        found.append(solution.mT.flatten())
    return torch.cat(found)


def _to_irreps(x: Tensor, axis: int, fibre: Fibre, matrices: list[Tensor | None]) -> Tensor:
    """One axis in the bases of irreps, equal ones together."""
    x = change_blocks(x, axis, [(mul, rho.dim) for mul, rho in fibre.blocks], matrices)
    order = fibre.permutation
    return x if order is None else x.index_select(axis, order.argsort())


def _parts(fibre: Fibre) -> dict[Irrep, slice]:
    """Where all copies of each irrep are."""
    found, start = {}, 0
    for psi, count in fibre.counts.items():
        found[psi] = slice(start, start + count * psi.dim)
        start += count * psi.dim
    return found


def _by_pair(kernels: SampledKernels, row: Tensor) -> list[Tensor]:
    """Weights in a row as those of pairs of irreps."""
    shapes = list(kernels.weight_shapes.values())
    sizes = [a * b * c for a, b, c in shapes]
    return [part.view(shape) for part, shape in zip(row.split(sizes), shapes, strict=True)]
