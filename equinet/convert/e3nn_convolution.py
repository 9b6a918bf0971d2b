r"""The convolution that networks of e3nn write out, as one layer.

.. math:: y_i = L \Bigl( \frac{1}{\sqrt{\bar N}} \sum_{j \in N(i)}
          T\bigl(f_j, Y(r / |r|); \mathrm{net}(b(|r|))\bigr) \Bigr), \qquad r = x_j - x_i

T is a ``TensorProduct`` of the mode "uvu" with weights for each edge, which a network makes of
functions b of the distance, and L an ``o3.Linear``. This is (V7): the last matrix of the network is
W there, and what comes before it phi.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from equinet.convert.e3nn import from_e3nn, has_bias, linear_matrix
from equinet.convert.e3nn_types import (
    LinearLayer,
    TensorProductLayer,
    check_kind,
    check_space,
    fields_of,
    name_of,
    numbers_of,
    refused,
)
from equinet.convert.weights import copies, set_matrix
from equinet.field import Space
from equinet.nn import DepthwisePointConv
from equinet.nn.point_conv import direction_kernels
from equinet.numerics.arguments import check_choice, check_flag, check_number
from equinet.numerics.cached import on_cpu
from equinet.rep import wigner_3j


@on_cpu
def from_e3nn_convolution(
    product: TensorProductLayer,
    network: nn.Module,
    linear: LinearLayer | None = None,
    *,
    basis: Callable[..., Tensor],
    neighbours: float = 1.0,
    normalization: str = "component",
    reverse: bool = False,
    space: Space | None = None,
) -> DepthwisePointConv:
    r"""The ``DepthwisePointConv`` that is equal to a convolution written with e3nn.

    That is, to these lines, in which an edge leads from ``source`` to ``target``::

        r = positions[source] - positions[target]
        y = o3.spherical_harmonics(product.irreps_in2, r, True, normalization)
        messages = product(x[source], y, network(basis(r.norm(dim=1))))
        sums = torch.zeros(len(x), messages.shape[1]).index_add(0, target, messages)
        out = linear(sums / math.sqrt(neighbours))

    Args:
        product: ``o3.TensorProduct`` of features and spherical harmonics, with paths of the mode
            "uvu" and weights that come with the call.
        network: ``nn.FullyConnectedNet``, which makes the weights.
        linear: ``o3.Linear`` after the sum; None if the sums are what comes out.
        basis: from distances ``(edges,)`` to what the network takes, ``(edges, ...)``, with the
            envelope; attributes of the edges are its second argument.
        neighbours: the sums are divided by the root of it.
        normalization: of the harmonics, "component", "norm" or "integral".
        reverse: r is ``positions[target] - positions[source]`` instead, as in MACE.
        space: ``Points`` with the group O(3); ``Points("O(3)", 3)`` if None.
    Returns:
        The layer; ``layer(x, positions, edges)`` is ``out``. What ``basis`` holds is copied.
    Raises:
        ValueError: if the product has other paths than the layer: other modes, not all, without
            weights; if its second input is something else than harmonics; and if the network or the
            linear map does not fit it.
        TypeError: if a layer is something else, or ``basis`` is no function.
    """
    space = check_space(space)
    check_number(neighbours, "neighbours", above=0)
    scale = _SCALES[check_choice(normalization, "normalization", tuple(_SCALES))]
    sign = -1 if check_flag(reverse, "reverse") else 1
    if not callable(basis):
        raise TypeError(f"basis: expected a function, got {type(basis).__name__}")
    check_kind(product, "TensorProduct", "product")
    check_kind(network, "FullyConnectedNet", "network")
    table = _table(product, lambda l: sign**l * scale(l))
    *hidden, last = from_e3nn(network).children()
    if not isinstance(last, nn.Linear) or last.out_features != product.weight_numel:
        expected = f"one with {product.weight_numel} outputs and out_act=False"
        raise refused(network, expected, _FIT, "network")
    matrix, bias = torch.eye(product.irreps_out.dim, dtype=torch.float64), None
    if linear is not None:
        check_kind(linear, "Linear", "linear")
        matrix = linear_matrix(linear, "linear")
        bias = linear.bias if has_bias(linear, "linear") else None
        if matrix.shape[1] != product.irreps_out.dim:
            raise refused(linear, f"a map from {product.irreps_out}", _FIT, "linear")
    layer = DepthwisePointConv(
        fields_of(product.irreps_in1, space),
        fields_of(product.irreps_out if linear is None else linear.irreps_out, space),
        EdgeFunctions(copy.deepcopy(basis), nn.Sequential(*hidden), last.in_features),
        neighbours=neighbours,
        lmax=max(l for _, l, _ in table),
        bias=bias is not None,
    )
    given = last.weight.detach().to("cpu", torch.float64).mT / math.sqrt(neighbours)
    weight = torch.zeros(layer.weight.shape, dtype=torch.float64)
    mixed = torch.zeros(len(matrix), layer.mix.in_type.channels, dtype=torch.float64)
    for ours in _paths(layer):
        if ours.key not in table:
            left, l, out = ours.key
            path = f"a path from {product.irreps_in1} [{left}] and l={l} to {out} too"
            raise refused(product, f"{path}, as the layer has it", _MISSING, "product")
        theirs = table[ours.key]
        weight[:, ours.columns] = ours.sign * theirs.factor * given[:, theirs.columns]
        mixed[:, ours.channels] = matrix[:, theirs.channels]
    with torch.no_grad():
        layer.weight.copy_(weight)
    set_matrix(layer.mix, mixed, bias)
    return layer.to(last.weight).train(network.training)


_FIT = "hand over the layers of one convolution"
_MISSING = "add it to the instructions, with weights that are 0"
_SCALES: dict[str, Callable[[int], float]] = {  # to harmonics of norm sqrt(2 l + 1)
    "component": lambda l: 1.0,
    "norm": lambda l: 1 / math.sqrt(2 * l + 1),
    "integral": lambda l: 1 / math.sqrt(4 * math.pi),
}


class EdgeFunctions(nn.Module):
    """Functions of the distance that go through a network.

    Args:
        basis: from distances ``(edges,)`` to ``(edges, ...)``.
        network: from these to ``(edges, features)``.
        features: how many there are.
    """

    def __init__(self, basis: Callable[..., Tensor], network: nn.Module, features: int) -> None:
        super().__init__()
        self.basis, self.network, self.features = basis, network, features

    def forward(self, r: Tensor, *attributes: Tensor) -> Tensor:
        """The functions.

        Args:
            r: distances, ``(edges,)``.
            *attributes: what ``basis`` takes besides.
        Returns:
            ``(edges, features)``.
        """
        return self.network(self.basis(r, *attributes))


Key = tuple[int, int, str]  # a path: number of the block on the left, degree, irrep of the output


class _Theirs(NamedTuple):
    """A path of e3nn: its weights among all, its factor, and its channels in the output."""

    columns: slice
    factor: float
    channels: slice


def _table(product: TensorProductLayer, scale: Callable[[int], float]) -> dict[Key, _Theirs]:
    """All paths; ``scale`` is that of the harmonics of a degree."""
    degrees = []
    for mul, psi in product.irreps_in2:
        if mul != 1 or psi.p != (-1) ** psi.l or psi.l in degrees:
            raise refused(
                product,
                f"one irrep 1x0e, 1x1o, ... of each degree on the right, not {product.irreps_in2}",
                "what an edge has besides its direction goes into the network, through basis",
                "product",
            )
        degrees.append(psi.l)
    found, start = {}, 0
    left, channels = numbers_of(product.irreps_in1), product.irreps_out.slices()
    for path in product.instructions:
        if path.connection_mode != "uvu" or not path.has_weight:
            raise refused(product, "paths of the mode uvu with weights", _FIT, "product")
        if 0 in path.path_shape:
            continue
        (mul, _), (_, psi) = product.irreps_in1[path.i_in1], product.irreps_out[path.i_out]
        key = left[path.i_in1], degrees[path.i_in2], name_of(psi)
        if key in found:
            advice = "leave out the others"
            raise refused(product, "one path from each block to an irrep", advice, "product")
        factor = path.path_weight * scale(key[1]) / math.sqrt(psi.dim)
        found[key] = _Theirs(slice(start, start + mul), factor, channels[path.i_out])
        start += mul
    if not found:
        raise refused(product, "at least one path", _FIT, "product")
    return found


class _Ours(NamedTuple):
    """A path of the layer: its sign against that of e3nn, its weights, its channels in ``mix``."""

    key: Key
    sign: float
    columns: slice
    channels: slice


def _paths(layer: DepthwisePointConv) -> Iterator[_Ours]:
    """The paths in the order of their weights, each for all blocks of its irrep."""
    in_type, out_type = layer.in_type, layer.out_type
    with torch.device("cpu"):
        pairs = direction_kernels(in_type.blocks, out_type.blocks, layer.lmax).pairs
    column = channel = 0
    for (psi_out, psi_in), kernels in pairs.items():
        dim, count = psi_out.dim, in_type.fibre.counts[psi_in]
        for kernel in kernels:
            # Its harmonics are of one degree, and stand at l^2 + m + l.
            l = math.isqrt(int(kernel.abs().amax((0, 1)).argmax()))
            theirs = wigner_3j(psi_in.degree, l, psi_out.degree).permute(2, 0, 1)
            sign = float((kernel[..., l * l : (l + 1) ** 2] * theirs).sum().sign())
            for number, (psi, part) in enumerate(copies(in_type)):
                if psi == psi_in:
                    columns = slice(column + part.start, column + part.stop)
                    channels = slice(channel + dim * part.start, channel + dim * part.stop)
                    yield _Ours((number, l, psi_out.name), sign, columns, channels)
            column += count
            channel += count * dim
