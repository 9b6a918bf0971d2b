"""Layers of escnn and what they become, with what escnn gave for them.

``make peers`` compares with escnn itself, and e2cnn, for every group and kind of field.
"""

import copy
import functools

import pytest
import torch

from equinet import Plane, Sphere, nn
from equinet.convert import from_escnn, from_escnn_type, project_filter, standard_basis
from equinet.testing import assert_equivariant
from tests.convert.escnn_stand_ins import as_peer, stored, types_of
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

STORED = stored()
KINDS = {"O(2)": "O(2)", "SO(3)": "SO(3)", "O(3)": "O(3)", "octahedral": "O", "icosahedral": "I"}
SINGLE = 1e-5  # float32, of the largest output


def layer_of(name, **changes):
    """A layer of escnn by what is stored of it."""
    arrays = STORED[name]
    in_type, out_type = types_of(arrays)
    given = {"in_type": in_type, "out_type": out_type, **changes}
    if name.endswith("Norm"):
        layer = as_peer("InnerBatchNorm", torch.nn.Module, eps=1e-5, momentum=0.1, affine=True)
        layer.track_running_stats, layer.in_type = True, in_type
        for size in {rho.size for rho in in_type.representations}:
            norm = torch.nn.BatchNorm3d(len(arrays[f"mean {size}"]))
            for key in ("weight", "bias", "running_mean", "running_var"):
                value = arrays[f"{key.removeprefix('running_')} {size}"]
                getattr(norm, key).data.copy_(torch.from_numpy(value))
            setattr(layer, f"batch_norm_[{size}]", norm)
        return layer.eval()
    filter, bias = (torch.from_numpy(arrays[key]) for key in ("filter", "bias"))
    if name.endswith("Linear"):
        layer = as_peer("Linear", torch.nn.Module)
    else:
        layer = as_peer("R2Conv" if filter.dim() == 4 else "R3Conv", torch.nn.Module)
        padding = 0 if "quotients" in name else 1
        given = {
            **dict(kernel_size=filter.shape[-1], stride=1, padding=padding, dilation=1),
            **dict(groups=1, padding_mode="zeros"),
            **given,
        }
    layer.weights = torch.nn.Parameter(filter)
    for key, value in {"bias": bias, **given}.items():
        setattr(layer, key, value)
    layer.expand_parameters = lambda: (given.get("filter", filter), bias)
    return layer.eval()


@functools.cache
def converted(name):
    return from_escnn(layer_of(name))


@over("name", STORED)
def test_outputs_are_equal(name):
    x, y = (torch.from_numpy(STORED[name][key]) for key in ("x", "y"))
    ours = copy.deepcopy(converted(name))
    assert ours.training is False and {p.dtype for p in ours.parameters()} == {torch.float32}
    bound = SINGLE * float(y.abs().max())
    assert_close(ours(x), y, bound)
    group = name.split(":")[0]
    assert ours.in_type.space.group.name == KINDS.get(group, group)
    with torch.no_grad():
        next(ours.parameters()).view(-1)[0] += 1
    assert (ours(x) - y).abs().max() > bound  # the negative control


@over("name", [name for name in STORED if "Norm" not in name and "icosahedral" not in name])
def test_representations_are_theirs(name):
    """The converted types move tensors as theirs do: rho(g) K(x) rho(g)^-1 = K(g x)."""
    ours = converted(name)
    theirs, rho_in, rho_out = (
        torch.from_numpy(STORED[name]["filter"]).double(), ours.in_type.rho, ours.out_type.rho,
    )  # fmt: skip
    if ours.in_type.axes:
        centre = theirs[(..., *[theirs.shape[-1] // 2] * (theirs.dim() - 2))]
    else:
        centre = theirs
    for g in ours.in_type.space.group.generators:
        assert_close(rho_out(g) @ centre, centre @ rho_in(g), 1e-5)
    assert centre.abs().max() > 0.1


def test_what_comes_out_is_equivariant():
    """Exactly over a point; over a grid as far as the taps go, here for the quarter turns."""
    linear = copy.deepcopy(converted("octahedral: Linear")).double()
    assert assert_equivariant(linear).max < SYMMETRY


def test_batch_norms_train_alike():
    theirs = layer_of("D4: InnerBatchNorm").train()
    ours = from_escnn(theirs)
    x = torch.from_numpy(STORED["D4: InnerBatchNorm"]["x"])
    y = ours(x)
    eights = getattr(theirs, "batch_norm_[8]")(x[:, :16].unflatten(1, (2, 8))).flatten(1, 2)
    ones = getattr(theirs, "batch_norm_[1]")(x[:, 16:, None]).flatten(1, 2)
    assert_close(y, torch.cat([eights, ones], 1), SINGLE)
    variances = [getattr(theirs, f"batch_norm_[{n}]").running_var for n in (8, 1)]
    assert_close(ours.running_var, torch.cat(variances), SINGLE)


def test_types():
    """Those with a name here have it; the others have the matrices that they have there."""
    regular, _ = types_of(STORED["D4: InnerBatchNorm"])
    fields = from_escnn_type(regular)
    assert str(fields) == "2x <regular> + 1x trivial" and fields.space == Plane("D4")
    assert all(rho.is_permutation for _, rho in fields.blocks)
    solid, _ = types_of(STORED["SO(3): conv, irreps"])
    assert [rho.dim for _, rho in from_escnn_type(solid).blocks] == [1, 3, 5]
    with pytest.raises(TypeError, match="^fields: expected a FieldType of escnn or e2cnn, got str"):
        from_escnn_type("2x regular")


@over("name", ["D4: InnerBatchNorm", "C8: conv, quotients", "SO(3): conv, irreps"])
def test_standard_bases(name, generator):
    """rho' M = M rho, with M a permutation of functions on cosets, and there and back again."""
    fields = from_escnn_type(types_of(STORED[name])[0])
    standard, M = standard_basis(fields)
    for g in fields.space.group.sample(3, generator=generator).double():
        assert_close(standard.rho(g) @ M, M @ fields.rho(g), SYMMETRY)
    assert_close(M @ M.mT, torch.eye(len(M)), SYMMETRY)
    if "conv, irreps" not in name:
        assert ((M == 0) | (M == 1)).all() and "<" not in str(standard).replace("<quotient", "")
    else:
        assert str(standard) == "2x trivial + 1x1 + 1x2"
    again, one = standard_basis(standard)
    assert again == standard
    assert_close(one, torch.eye(len(one)), 0 if "irreps" in name else ROUNDING)


def test_sampled_functions_have_no_other_basis():
    with pytest.raises(
        ValueError, match="^fields: expected fields of finite dimension, got Sphere"
    ):
        standard_basis(Sphere(3).fields("1x regular"))


def test_a_filter_that_is_not_equivariant_is_refused():
    name = "C8: conv, quotients"
    theirs = layer_of(name)
    noise = torch.from_numpy(STORED[name]["filter"]).clone()
    noise[0, 0] += 1
    theirs.expand_parameters = lambda: (noise, theirs.bias)
    with pytest.raises(
        ValueError,
        match=r"^module: expected weights .* but the part 0\.\d+ of its .*#a-filter-is-pro",
    ):
        from_escnn(theirs)
    ours = copy.deepcopy(converted(name))
    residual = project_filter(ours, noise, theirs.bias)
    found = (ours.dense() - noise).norm() / torch.cat([noise.flatten(), theirs.bias]).norm()
    assert_close(residual, float(found.detach()), SINGLE)
    noise[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="^filter: expected finite numbers"):
        project_filter(ours, noise)
    with pytest.raises(ValueError, match="^filter: expected finite numbers of shape"):
        project_filter(ours, noise[:1])
    with pytest.raises(TypeError, match="^layer: expected a convolution or Linear of this library"):
        project_filter(torch.nn.Conv2d(1, 1, 3), noise)


def test_the_nearest_filter_is_a_projection(generator):
    """What is left is orthogonal to every kernel, and groups of channels are apart."""
    x = Plane("C4").fields("4x regular")
    for options in ({}, {"groups": 2}):
        layer = nn.Conv2d(x, x, 3, **options).double()
        given = torch.randn(layer.dense().shape, generator=generator, dtype=torch.float64)
        project_filter(layer, given)
        weight = torch.zeros_like(layer.weight, requires_grad=True)
        left = ((given - layer.dense().detach()) * layer.dense(weight)).sum()
        (slope,) = torch.autograd.grad(left, weight)
        assert_close(slope, torch.zeros_like(slope), SYMMETRY)
        assert project_filter(copy.deepcopy(layer), layer.dense()) < ROUNDING
        assert (given - layer.dense()).norm() > 1


def test_what_has_no_equal_is_refused():
    name = "C8: conv, quotients"
    with pytest.raises(ValueError, match=r"^module: expected groups=1, or fields of one kind"):
        from_escnn(layer_of(name, groups=2))
    group = as_peer("DirectProductGroup", name="C3xC3", continuous=False, elements=[0])
    space = as_peer("GSpace0D", fibergroup=group, dimensionality=0, basespace_action=None)
    with pytest.raises(ValueError, match="^module: expected a group of the plane or of space"):
        from_escnn_type(as_peer("FieldType", gspace=space, representations=[]))


def test_a_network_is_converted_layer_by_layer():
    parts = [layer_of("C8: conv, quotients")]
    fields = parts[0].out_type
    parts.append(as_peer("IdentityModule", torch.nn.Module, in_type=fields))
    parts.append(as_peer("ReLU", torch.nn.Module, in_type=fields))
    parts.append(as_peer("ELU", torch.nn.Module, in_type=fields, alpha=0.5))
    parts.append(as_peer("GroupPooling", torch.nn.Module, in_type=fields))
    network = as_peer("SequentialModule", torch.nn.Sequential)
    for i, part in enumerate(parts):
        network.add_module(str(i), part)
    ours = from_escnn(network)
    assert [type(part) for part in ours] == [
        nn.Conv2d, nn.Identity, nn.ReLU, nn.ELU, nn.GroupPool,
    ]  # fmt: skip
    x, y = (torch.from_numpy(STORED["C8: conv, quotients"][key]) for key in ("x", "y"))
    pooled = torch.stack([part.amax(1) for part in y.relu().split([1, 2, 4], 1)], 1)
    assert_close(ours(x), pooled, SINGLE * float(y.abs().max()))
    assert copy.deepcopy(ours)(x).shape == pooled.shape
