r"""Layers of e3nn, with their weights, as layers of this library.

Irreps of O(3), the order of copies and components, spherical harmonics and the signs of products
are the same in both, so features stay as they are. What differs is how weights are scaled: a path
of e3nn has a factor of its own beside its weights, here the equivariant map has it,

.. math:: W = \frac{\alpha}{|C|}\, w, \qquad \alpha\, w\, C_{e3nn} = W\, C, \quad |C_{e3nn}| = 1

e3nn is not imported: its layers are told by their names, and asked for public attributes only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from equinet.convert import e3nn_functions
from equinet.convert.block_gates import BlockGates
from equinet.convert.block_products import BlockProducts, Ends
from equinet.convert.e3nn_functions import normalized, with_functions
from equinet.convert.e3nn_types import (
    BatchNormLayer,
    GateLayer,
    LinearLayer,
    NetworkLayer,
    TensorProductLayer,
    check_space,
    fields_of,
    kind_of,
    numbers_of,
    refused,
)
from equinet.convert.elementwise import Elementwise, plain
from equinet.convert.refusals import ONE_BY_ONE, refusal
from equinet.convert.weights import ProductPath, is_whole, set_matrix, set_products
from equinet.field import FieldType, Space
from equinet.nn import BatchNorm, Linear, Product
from equinet.numerics.cached import on_cpu

Maker = Callable[..., nn.Module]  # from a layer of e3nn and a space
_MODES = {"uvw": "full", "uvu": "channelwise"}


@on_cpu
def from_e3nn(module: nn.Module, space: Space | None = None) -> nn.Module:
    """The layer of this library that is equal to one of e3nn, with its weights.

    Features are what they were: the same tensor goes in and the same comes out, in training too.

    ==================================  ============================================================
    e3nn                                here
    ==================================  ============================================================
    ``o3.Linear``                       ``enn.Linear``
    ``o3.FullyConnectedTensorProduct``  ``enn.Product``
    ``o3.TensorProduct``                ``enn.Product`` if it has all paths from "uvw" or "uvu";
                                        else a sum of such products between blocks
    ``nn.BatchNorm``                    ``enn.BatchNorm``; of scalars the running variance is from
                                        now on that of ``torch.nn.BatchNorm1d``, n / (n - 1) of it
    ``nn.Gate``                         a layer of its own: scalars of both parities, each block
                                        with its function, times the constant that normalizes it
    ``nn.FullyConnectedNet``            ``torch.nn.Sequential`` of plain layers
    ``nn.Activation``                   the same layer as of ``nn.Gate``, without gates
    ``nn.NormActivation``, ``o3.Norm``  ``enn.NormActivation``, ``enn.NormPool``
    ``nn.S2Activation``,                a layer of its own, with their grid and their quadrature
    ``nn.SO3Activation``
    ``nn.ExtractIr``                    ``enn.Select``
    ``nn.Dropout``, ``nn.Identity``     ``enn.FieldDropout``, ``enn.Identity``
    ==================================  ============================================================

    Weights are copied, in the dtype and to the device of the module; a layer of e3nn whose weights
    come with each call has none to copy, see ``from_e3nn_convolution``.

    Args:
        module: of e3nn.
        space: over which its features are fields, whose fibres have the group O(3);
            ``Points("O(3)", 3)`` if None. Features of e3nn are ``(points, channels)``, as here over
            ``Point`` and ``Points``; over a grid the axis of channels is the second here.
    Returns:
        The equal module, in training or evaluation mode as ``module`` is.
    Raises:
        TypeError: if ``module`` is none of these, or ``space`` no space.
        ValueError: if it is one with a property that no layer here has; the text says which, and
            what to do.

    Example:
        >>> import e3nn.o3
        >>> layer = from_e3nn(e3nn.o3.Linear("4x0e + 2x1o", "2x0e + 2x1o"))
        >>> layer.in_type, layer(torch.ones(5, 10)).shape
        (Points('O(3)', dim=3).fields('4x0e + 2x1o'), torch.Size([5, 8]))
    """
    make = _maker(module)
    return make(module, check_space(space)).train(module.training)


# What is nearest to layers that have no equal, as the end of a sentence.
_NEAREST = {
    "TensorSquare": "the nearest are enn.TensorProduct and enn.SymmetricPower",
    "ElementwiseTensorProduct": "enn.Product(..., 'channelwise') has weights for each channel",
    "FullTensorProduct": "enn.Product has all products, with weights",
    "ReducedTensorProducts": "rep.CartesianTensor has the change of basis",
    "Extract": "enn.Select takes some of the fields, one for each output",
    "SphericalHarmonics": "harmonics.spherical_harmonics has them, in the same order",
    "SphericalHarmonicsAlphaBeta": "harmonics.spherical_harmonics takes points",
    "Legendre": "numerics.legendre has the polynomials",
    "ToS2Grid": "harmonics.s2_irfft leads to a grid",
    "FromS2Grid": "harmonics.s2_rfft leads to coefficients",
    "SO3Grid": "harmonics.so3_rfft and so3_irfft lead there and back",
    "normalize2mom": "use its function f, times its constant cst",
    "Convolution": "from_e3nn_convolution takes one of points apart; enn.Conv3d is one of volumes",
    "LowPassFilter": "the nearest is enn.Downsample",
    "MessagePassing": ONE_BY_ONE,
    "Network": ONE_BY_ONE,
    "NetworkForAGraphWithAttributes": ONE_BY_ONE,
    "SimpleNetwork": ONE_BY_ONE,
    "Compose": ONE_BY_ONE,
    "_Layer": "hand over the FullyConnectedNet that it is of",
    "_Sortcut": "hand over the Gate that it is of",
}


def _maker(module: nn.Module) -> Maker:
    """What makes the layer that is equal to one of e3nn; TypeError if there is none."""
    kind = kind_of(module, _MAKERS)
    if kind is not None and kind_of(module, ["TensorSquare"]) is None:
        return _MAKERS[kind]
    expected = "a layer of e3nn that has an equal here"
    raise refusal(module, expected, _NEAREST, _MAKERS, ("e3nn",))


# --- matrices -------------------------------------------------------------------------------------


def linear_matrix(theirs: LinearLayer, argument: str = "module") -> Tensor:
    """All of ``o3.Linear`` but its bias.

    Args:
        theirs: the layer.
        argument: its name in an error.
    Returns:
        float64 ``(channels out, channels in)``.
    Raises:
        ValueError: if it has no weights of its own, or more axes.
    """
    if not theirs.internal_weights:
        raise refused(
            theirs,
            "weights of its own",
            "make one with internal_weights=True and copy the weights into it",
            argument,
        )
    if theirs.weight.dim() > 1:
        advice = "put these channels into the multiplicities of the irreps"
        raise refused(theirs, "no f_in and f_out", advice, argument)
    rows, columns = theirs.irreps_out.slices(), theirs.irreps_in.slices()
    matrix = torch.zeros(theirs.irreps_out.dim, theirs.irreps_in.dim, dtype=torch.float64)
    for number, path in enumerate(theirs.instructions):
        if path.i_in >= 0 and 0 not in path.path_shape:
            weight = theirs.weight_view_for_instruction(number).detach().to(matrix)
            one = torch.eye(theirs.irreps_in[path.i_in][1].dim, dtype=torch.float64)
            block = torch.einsum("uw,ij->wiuj", path.path_weight * weight, one)
            matrix[rows[path.i_out], columns[path.i_in]] += block.flatten(2).flatten(0, 1)
    return matrix


def has_bias(theirs: LinearLayer, argument: str = "module") -> bool:
    """Whether ``o3.Linear`` has a bias.

    Args:
        theirs: the layer.
        argument: its name in an error.
    Returns:
        True if it has one on all scalars.
    Raises:
        ValueError: if on some of them only.
    """
    biased = {path.i_out for path in theirs.instructions if path.i_in < 0}
    scalars = {i for i, (mul, psi) in enumerate(theirs.irreps_out) if mul and psi.is_scalar()}
    if biased & scalars not in (set(), scalars):
        advice = "make one with biases=True, in which the others start at 0"
        raise refused(theirs, "biases for all scalars or for none", advice, argument)
    return bool(biased & scalars)


def _linear(theirs: LinearLayer, space: Space) -> Linear:
    matrix, bias = linear_matrix(theirs), has_bias(theirs)
    paths = [
        (p.i_in, p.i_out) for p in theirs.instructions if p.i_in >= 0 and 0 not in p.path_shape
    ]
    every = [
        (i, o)
        for i, (mul, psi) in enumerate(theirs.irreps_in)
        for o, (mul_out, psi_out) in enumerate(theirs.irreps_out)
        if mul and mul_out and psi == psi_out
    ]
    if sorted(paths) != every:
        raise refused(
            theirs,
            f"one instruction for every pair of equal irreps, {every}, and not {paths}",
            "make one without instructions= and set the weights of the other pairs to 0",
        )
    layer = Linear(fields_of(theirs.irreps_in, space), fields_of(theirs.irreps_out, space), bias)
    set_matrix(layer, matrix, theirs.bias if bias else None)
    return layer.to(theirs.weight)


# --- products -------------------------------------------------------------------------------------


def _check_modes(theirs: TensorProductLayer) -> None:
    """Raise ValueError if multiplicities are connected in a way that no product has here."""
    modes = sorted({path.connection_mode for path in theirs.instructions} - _MODES.keys())
    advice = {"uvv": "exchange the two inputs, which makes it uvu"}
    if modes:
        raise refused(
            theirs,
            f"paths of the modes uvw and uvu only, and not {', '.join(modes)}",
            advice.get(modes[0], "write it with x.unflatten and rep.clebsch_gordan"),
        )


def _tensor_product(theirs: TensorProductLayer, space: Space) -> Product | BlockProducts:
    _check_modes(theirs)
    if theirs.weight_numel and not theirs.internal_weights:
        raise refused(
            theirs,
            "weights of its own, the same for all samples",
            "a convolution whose weights are functions of the distance goes through "
            "from_e3nn_convolution; of others make one with internal_weights=True and copy the "
            "weights into it",
        )
    irreps = theirs.irreps_in1, theirs.irreps_in2, theirs.irreps_out
    left, right, out = (fields_of(own, space) for own in irreps)
    paths = list(_paths(theirs))
    modes = {_MODES[path.mode] for path in paths}
    if len(modes) == 1 and is_whole(left, right, out, paths):
        layer = Product(left, right, out, modes.pop())
        set_products(layer, paths)
    else:
        products = [_between(left, right, out, path) for path in paths]
        layer = BlockProducts(left, right, out, products)
    return layer.to(theirs.weight if theirs.weight_numel else theirs.output_mask)


def _between(
    left: FieldType, right: FieldType, out: FieldType, path: ProductPath
) -> tuple[Ends, Product]:
    """The blocks that a path is between, and its product."""
    ends = path.left, path.right, path.out
    types = zip((left, right, out), ends, strict=True)
    x, y, z = (fields.space.fields([fields.blocks[number]]) for fields, number in types)
    product = Product(x, y, z, _MODES[path.mode])
    set_products(product, [path._replace(left=0, right=0, out=0)])
    return ends, product.requires_grad_(path.learned)


def _paths(theirs: TensorProductLayer) -> Iterator[ProductPath]:
    """The paths between blocks that are there, with their weights."""
    views = {i: view for i, _, view in theirs.weight_views(yield_instruction=True)}
    irreps = theirs.irreps_in1, theirs.irreps_in2, theirs.irreps_out
    left, right, out = map(numbers_of, irreps)
    for i, path in enumerate(theirs.instructions):
        if 0 not in path.path_shape:
            one = torch.ones(path.path_shape, dtype=torch.float64)
            weight = views[i].detach().to(one) if path.has_weight else one
            yield ProductPath(
                left[path.i_in1],
                right[path.i_in2],
                out[path.i_out],
                path.connection_mode,
                path.path_weight * weight,
                path.has_weight,
            )


# --- norms and networks ---------------------------------------------------------------------------


def _batch_norm(theirs: BatchNormLayer, space: Space) -> BatchNorm:
    if theirs.instance:
        raise refused(theirs, "instance=False", "enn.InstanceNorm is of that kind")
    if theirs.reduce != "mean":
        raise refused(theirs, f"reduce='mean', and not {theirs.reduce!r}", "train one with it")
    fields, by_norm = fields_of(theirs.irreps, space), theirs.normalization == "norm"
    dims = {rho.dim for _, rho in fields.blocks}
    if by_norm and len(dims) > 1:
        raise refused(
            theirs,
            "normalization='component', since with 'norm' eps counts less in larger irreps",
            "take 'component', with weight / sqrt(2 l + 1) and running_var / (2 l + 1)",
        )
    dim = dims.pop() if by_norm else 1  # |f|^2 is so many times the mean square
    eps, momentum, affine = theirs.eps / dim, theirs.momentum, theirs.affine
    layer = BatchNorm(fields, eps, momentum, affine, bias=theirs.include_bias)
    layer = layer.to(theirs.running_var)
    given = {"running_mean": theirs.running_mean, "running_var": theirs.running_var / dim}
    if theirs.affine:
        given["weight"] = theirs.weight / math.sqrt(dim)
    if layer.bias is not None:
        given["bias"] = theirs.bias
    layer.load_state_dict(given)
    return layer


def _network(theirs: Iterable[NetworkLayer], space: Space) -> nn.Sequential:
    """Plain layers: what an activation is multiplied by goes into the matrix after it."""
    found, factor = [], 1.0
    for layer in theirs:
        factor /= math.sqrt(layer.h_in * layer.var_in)
        if layer.act is None:
            factor *= math.sqrt(layer.var_out)
        matrix = nn.Linear(*layer.weight.shape, bias=False).to(layer.weight)
        with torch.no_grad():
            matrix.weight.copy_(factor * layer.weight.mT)
        found.append(matrix)
        factor = 1.0
        if layer.act is not None:
            found.append(plain(layer.act.f))
            factor = normalized(layer.act).factor * math.sqrt(layer.var_out)
    if factor != 1:  # no matrix comes after
        found[-1] = Elementwise(found[-1], factor)
    return nn.Sequential(*found)


def _gate(theirs: GateLayer, space: Space) -> BlockGates:
    # Their input is sorted, and which of its channels is what only they can tell.
    channels = torch.arange(theirs.irreps_in.dim, dtype=torch.float64)
    scalars, gates, gated = (part.long().tolist() for part in theirs.sc(channels))
    irreps, at = theirs.irreps_gated, theirs.irreps_gated.slices()
    return BlockGates(
        fields_of(theirs.irreps_in, space),
        fields_of(theirs.irreps_out, space),
        with_functions(theirs.act_scalars, scalars),
        with_functions(theirs.act_gates, gates),
        [(gated[own.start], mul, psi.dim) for own, (mul, psi) in zip(at, irreps, strict=True)],
    )


_MAKERS: dict[str, Maker] = {
    "Linear": _linear,
    "TensorProduct": _tensor_product,
    "BatchNorm": _batch_norm,
    "Gate": _gate,
    "FullyConnectedNet": _network,
    **e3nn_functions.MAKERS,
}
