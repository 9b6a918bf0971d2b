"""Norms of fields: (N1) by brute force, torch's layers on scalars, statistics, equivariance."""

import copy
import math

import pytest
import torch
from e3nn import nn as e3nn_nn
from torch.func import functional_call, grad, jvp, vmap

from equinet import Line, Plane, Point, Points, Volume
from equinet.nn import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from equinet.nn.field_norm import moments
from equinet.rep import Representation, irreps, trivial
from tests.nn.symmetric import F64, GRIDS, TYPES, assert_equivariant, field, skew
from tests.tolerances import ROUNDING, SINGLE, SYMMETRY, assert_close

every_type = pytest.mark.parametrize("in_type", TYPES, ids=repr)
every_grid = pytest.mark.parametrize("in_type", GRIDS, ids=repr)


def make_group(in_type, **options):
    """Two groups or, where they are odd in number, one for each field."""
    return GroupNorm(in_type, in_type.copies if in_type.copies % 2 else 2, **options)


def _stir(module, generator):
    """Learned numbers and statistics away from where they start."""
    module = module.double()
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 2.0, generator=generator)
    if isinstance(module, BatchNorm):
        torch.nn.init.uniform_(module.running_mean, -1.0, 1.0, generator=generator)
        torch.nn.init.uniform_(module.running_var, 0.5, 2.0, generator=generator)
    return module


def _shifted(in_type, generator, batch=3, size=5):
    """A field with a mean where there can be one, and with a variance that is not one."""
    x = 3 * field(in_type, size, batch, generator=generator)
    mean = in_type.fibre.invariants.sum(1)
    return x + 2 * mean.view(-1, *[1] * (x.dim() - 2))


def _fields_of(in_type):
    """For each field its channels, and orthonormal invariant vectors in them."""
    start = 0
    for mul, rho in in_type.blocks:
        for _ in range(mul):
            q, _ = torch.linalg.qr(named_invariants(rho))
            yield slice(start, start + rho.dim), q
            start += rho.dim


def named_invariants(rho):
    """The projector on the invariants by averaging over H, its range."""
    g, w = rho.group.grid(2 * rho.degree)
    projector = torch.einsum("g,gij->ij", w, rho(g))
    values, vectors = torch.linalg.eigh((projector + projector.mT) / 2)
    return vectors[:, values > 0.5]


def brute_force(in_type, x, axes, weight, bias):
    """(N1) field by field, for E over ``axes`` of (batch, component, *space); no b within P."""
    out = torch.zeros_like(x)
    for i, (channels, q) in enumerate(_fields_of(in_type)):
        f = x[:, channels]
        mean = f.mean(axes, keepdim=True)
        mu = torch.einsum("ij,bj...->bi...", q @ q.mT, mean)
        sigma2 = ((f - mu) ** 2).mean((1, *axes), keepdim=True)
        out[:, channels] = weight[i] * (f - mu) / (sigma2 + 1e-5).sqrt()
    constant = in_type.fibre.invariants @ bias
    return out + constant.view(-1, *[1] * (x.dim() - 2))


# --- formulas -------------------------------------------------------------------------------------


@every_type
def test_batch_norm_is_the_formula(in_type, generator):
    x = _shifted(in_type, generator)
    module = _stir(BatchNorm(in_type), generator)
    expected = brute_force(
        in_type, x, (0, *range(2, x.dim())), module.weight.detach(), module.bias.detach()
    )
    assert_close(module(x), expected, SYMMETRY)


@every_type
def test_batch_norm_that_does_not_centre_only_scales(in_type, generator):
    """mu = b = 0 in (N1): zero stays zero, where the centred norm moves it."""
    x = _shifted(in_type, generator)
    x[0] = 0
    module = _stir(BatchNorm(in_type, centre=False, eps=0.0), generator)
    assert module.bias is None
    y = module(x)
    for i, (channels, _) in enumerate(_fields_of(in_type)):
        rms = (x[:, channels] ** 2).mean().sqrt()
        assert_close(y[:, channels], module.weight[i] * x[:, channels] / rms, SYMMETRY)
    assert not y[0].any()
    centred = BatchNorm(in_type).double()(x)
    assert centred[0].any() == (in_type.fibre.invariants.shape[1] > 0)
    once = BatchNorm(in_type, centre=False, eps=0.0, momentum=1.0, affine=False).double()
    trained = once(x)  # with n points for the n terms of the mean: nothing to correct
    assert_close(once.eval()(x), trained, ROUNDING)


@every_grid
def test_instance_norm_is_the_formula(in_type, generator):
    x = _shifted(in_type, generator)
    module = _stir(InstanceNorm(in_type, affine=True), generator)
    expected = brute_force(
        in_type, x, tuple(range(2, x.dim())), module.weight.detach(), module.bias.detach()
    )
    assert_close(module(x), expected, SYMMETRY)


@every_type
def test_layer_norm_makes_fields_alike(in_type, generator):
    """At each point the mean coefficient is 0 and the mean of |f|^2 / dim over fields is 1."""
    x = _shifted(in_type, generator)
    y = LayerNorm(in_type, eps=0.0, affine=False).double()(x)
    square = torch.stack([(y[:, c] ** 2).mean(1) for c, _ in _fields_of(in_type)]).mean(0)
    assert_close(square, torch.ones_like(square), SYMMETRY)
    dual = torch.linalg.pinv(in_type.fibre.invariants)
    coefficients = torch.einsum("nc,bc...->bn...", dual, y).mean(1)
    assert_close(coefficients, torch.zeros_like(coefficients), SYMMETRY)
    z = RMSNorm(in_type, eps=0.0, affine=False).double()(x)
    square = torch.stack([(z[:, c] ** 2).mean(1) for c, _ in _fields_of(in_type)]).mean(0)
    assert_close(square, torch.ones_like(square), SYMMETRY)
    ratio = z / x
    assert_close(ratio, ratio[:, :1].expand_as(ratio), 1e-8)  # one number for all channels


def test_group_norm_makes_groups_alike(generator):
    in_type = Volume("SO(3)").fields("4x0 + 4x1")
    x = _shifted(in_type, generator)
    y = GroupNorm(in_type, 4, eps=0.0, affine=False).double()(x)
    scalars, vectors = in_type.split(y)
    for group in (scalars[:, :2], scalars[:, 2:]):
        assert_close(group.flatten(1).mean(1), torch.zeros(3), ROUNDING)
        assert_close((group**2).flatten(1).mean(1), torch.ones(3), ROUNDING)
    for group in (vectors[:, :2], vectors[:, 2:]):
        assert_close((group**2).flatten(1).mean(1), torch.ones(3), ROUNDING)
    mixed = GroupNorm(in_type, 1, eps=0.0, affine=False).double()(x)
    scalars, vectors = in_type.split(mixed)
    assert_close(scalars.flatten(1).mean(1), torch.zeros(3), ROUNDING)
    total = (scalars**2).flatten(1).mean(1) + (vectors**2).flatten(1).mean(1)
    assert_close(total / 2, torch.ones(3), ROUNDING)  # each field counts the same


def test_a_field_with_several_invariant_vectors(generator):
    """In a basis that is not orthogonal, though rho is: P is the same projector."""
    group = Plane("C4").group
    psis = (irreps(group)[0], irreps(group)[0], irreps(group)[1])
    Q = torch.eye(4, dtype=F64)
    Q[0, 1], Q[1, 1] = 3.0, -2.0
    rho = Representation(group, "two", psis, Q)
    assert rho.is_orthogonal and not torch.equal(Q, Q.mT)
    in_type = Plane("C4").fields([(2, rho), (1, trivial(group))])
    x = 3 * field(in_type, generator=generator) + 1
    module = BatchNorm(in_type).double()
    assert module.bias.shape == (5,)
    expected = brute_force(in_type, x, (0, 2, 3), torch.ones(3), torch.zeros(5, dtype=F64))
    assert_close(module(x), expected, SYMMETRY)
    assert_equivariant(module, x)


# --- torch's layers -------------------------------------------------------------------------------

SCALARS = [
    (Line("O(1)"), torch.nn.BatchNorm1d, torch.nn.InstanceNorm1d),
    (Plane("D4"), torch.nn.BatchNorm2d, torch.nn.InstanceNorm2d),
    (Volume("Oh"), torch.nn.BatchNorm3d, torch.nn.InstanceNorm3d),
    (Point("SO(3)", dim=3), torch.nn.BatchNorm1d, None),
    (Points("SO(3)", dim=3), torch.nn.BatchNorm1d, None),
]
every_space = pytest.mark.parametrize(("space", "batch", "instance"), SCALARS, ids=str)


def twins(ours, torchs, generator):
    """Both with the same state."""
    ours, torchs = _stir(ours, generator), torchs.double()
    torchs.load_state_dict(ours.state_dict(), strict=False)
    return ours, torchs


@every_space
def test_on_scalars_batch_norm_is_torchs(space, batch, instance, generator):
    in_type = space.fields("6x trivial")
    ours, torchs = twins(BatchNorm(in_type, momentum=0.3), batch(6, momentum=0.3), generator)
    for _ in range(2):
        x = _shifted(in_type, generator)
        assert_close(ours(x), torchs(x), SYMMETRY)
    assert_close(ours.running_mean, torchs.running_mean, ROUNDING)
    assert_close(ours.running_var, torchs.running_var, SYMMETRY)
    assert_close(ours.eval()(x), torchs.eval()(x), SYMMETRY)
    assert_close(ours.export()(x), ours(x), SYMMETRY)


@every_space
def test_on_scalars_the_others_are_torchs(space, batch, instance, generator):
    in_type = space.fields("4x trivial + 2x trivial")
    x = _shifted(in_type, generator)
    if instance is not None:
        ours, torchs = twins(
            InstanceNorm(in_type, affine=True), instance(6, affine=True), generator
        )
        assert_close(ours(x), torchs(x), SYMMETRY)
        assert_close(ours.export()(x), torchs(x), SYMMETRY)
    if not isinstance(space, Points):
        ours, torchs = twins(GroupNorm(in_type, 3), torch.nn.GroupNorm(3, 6), generator)
        assert_close(ours(x), torchs(x), SYMMETRY)
        assert isinstance(ours.export(), torch.nn.GroupNorm)
        assert_close(ours.export()(x), torchs(x), SYMMETRY)
    for ours, torchs in (
        (LayerNorm(in_type), torch.nn.LayerNorm(6)),
        (RMSNorm(in_type), torch.nn.RMSNorm(6, eps=1e-5)),
    ):
        ours, torchs = twins(ours, torchs, generator)
        assert_close(ours(x), torchs(x.movedim(1, -1)).movedim(-1, 1), SYMMETRY)


@every_space
def test_without_a_bias_they_are_torchs(space, batch, instance, generator):
    """torch's own option is younger than the oldest torch for most: its bias is zero here."""
    in_type = space.fields("4x trivial + 2x trivial")
    x = _shifted(in_type, generator)
    pairs = [(BatchNorm(in_type, bias=False), batch(6))]
    if instance is not None:
        pairs.append((InstanceNorm(in_type, affine=True, bias=False), instance(6, affine=True)))
    if not isinstance(space, Points):
        pairs.append((GroupNorm(in_type, 3, bias=False), torch.nn.GroupNorm(3, 6)))
    for ours, torchs in pairs:
        ours, torchs = twins(ours, torchs, generator)
        assert_close(ours(x), torchs(x), SYMMETRY)
        assert_close(ours.eval().export()(x), torchs.eval()(x), SYMMETRY)
    ours, torchs = twins(
        LayerNorm(in_type, bias=False), torch.nn.LayerNorm(6, bias=False), generator
    )
    assert_close(ours(x), torchs(x.movedim(1, -1)).movedim(-1, 1), SYMMETRY)


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm, make_group, LayerNorm])
def test_a_bias_is_learned_or_not(kind):
    in_type = Plane("C4").fields("2x trivial + 1x vector + 1x regular")
    without, with_one = (kind(in_type, affine=True, bias=flag) for flag in (False, True))
    assert without.bias is None and without.weight is not None and "bias=False" in repr(without)
    assert with_one.state_dict().keys() - without.state_dict().keys() == {"bias"}
    assert "bias=False" not in repr(with_one)
    assert kind(in_type, affine=False, bias=True).bias is None
    for value in (1, None, "no"):
        with pytest.raises(TypeError, match="^bias: expected True or False, got"):
            kind(in_type, bias=value)


def test_regular_fields_are_normalised_as_a_group_convolution_does(generator):
    """escnn's InnerBatchNorm: torch's batch norm over batch, space and the group."""
    in_type = Plane("C4").fields("3x regular")
    x = field(in_type, 6, 2, generator=generator) + 1
    ours, torchs = BatchNorm(in_type).double(), torch.nn.BatchNorm3d(3).double()
    y = torchs(x.unflatten(1, (3, 4)))
    assert_close(ours(x), y.flatten(1, 2), SYMMETRY)
    assert_close(ours.running_var, torchs.running_var, ROUNDING)
    assert_close(ours.running_mean, torchs.running_mean, ROUNDING)


def test_e3nns_batch_norm(generator):
    """Its "component" normalisation of the same irreps; its running variance is biased."""
    in_type = Point("O(3)", dim=3).fields("4x0e + 3x1o + 2x2e")
    x = _shifted(in_type, generator, batch=50)
    theirs = e3nn_nn.BatchNorm("4x0e + 3x1o + 2x2e", normalization="component").double()
    ours = BatchNorm(in_type).double()
    assert_close(ours(x), theirs(x), SYMMETRY)
    assert_close(ours.running_mean, theirs.running_mean, ROUNDING)
    vectors = slice(4, None)  # without invariant vectors there is nothing to correct
    assert_close(ours.running_var[vectors], theirs.running_var[vectors], ROUNDING)
    assert_close(ours.running_var[:4] - 0.9, (theirs.running_var[:4] - 0.9) * 50 / 49, ROUNDING)


# --- equivariance ---------------------------------------------------------------------------------


@every_type
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_equivariance(in_type, training, generator):
    kinds = [BatchNorm, LayerNorm, RMSNorm, make_group]
    kinds += [InstanceNorm] if in_type in GRIDS else []
    for kind in kinds:
        for size in (4, 5):
            module = _stir(kind(in_type), generator).train(training)
            # Over a batch of points all are moved by one element.
            assert_equivariant(module, _shifted(in_type, generator, size=size), generator)


def test_torchs_layer_is_not_equivariant_on_vectors(generator):
    """Negative control: its weights are numbers of channels."""
    in_type = Plane("C4").fields("2x vector")
    x = _shifted(in_type, generator)
    module = _stir(torch.nn.BatchNorm2d(4), generator)
    module.in_type = module.out_type = in_type
    with pytest.raises(AssertionError):
        assert_equivariant(module, x)


def test_a_norm_that_is_not_invariant_is_refused():
    for kind in (BatchNorm, InstanceNorm, make_group, LayerNorm, RMSNorm):
        in_type = Plane("C4").fields([(1, skew(Plane("C4").group))])
        with pytest.raises(ValueError, match=r"^in_type: norms .* orthogonal, got skew of C4"):
            kind(in_type)


# --- statistics and learned numbers ---------------------------------------------------------------


@every_type
def test_evaluation_uses_running_statistics_and_leaves_them(in_type, generator):
    module = _stir(BatchNorm(in_type), generator).eval()
    before = copy.deepcopy(module.state_dict())
    x = _shifted(in_type, generator)
    y = module(x)
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    expected = torch.zeros_like(x)
    invariants = in_type.fibre.invariants
    view = (-1, *[1] * (x.dim() - 2))
    centred = x - (invariants @ module.running_mean).view(view)
    for i, (channels, _) in enumerate(_fields_of(in_type)):
        scale = module.weight[i] / (module.running_var[i] + module.eps).sqrt()
        expected[:, channels] = scale * centred[:, channels]
    expected = expected + (invariants @ module.bias).view(view)
    assert_close(y, expected, SYMMETRY)
    exported = module.export()
    assert type(exported).__module__ == "torch.nn.modules.batchnorm" and not exported.training
    assert_close(exported(x), y, SYMMETRY)


@every_type
def test_the_running_variance_is_unbiased(in_type, generator):
    """White noise of variance 1 in every channel, in samples of two points."""
    grid = in_type in GRIDS
    shape = (200, 2, in_type.channels, *[1] * (len(in_type.space.axes(in_type.blocks)) * grid))
    noise = torch.randn(*shape, generator=generator, dtype=F64)
    module = BatchNorm(in_type, momentum=1.0).double()
    found = []
    for x in noise:
        module(x)
        found.append(module.running_var.clone())
    found = torch.stack(found)
    error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - 1).abs() < 5 * error).all()
    biased = found * (1 - 0.5 * module.taken)
    assert ((biased.mean(0) - 1).abs() > 5 * error / 2)[module.taken == 1].all()


@every_type
def test_learned_numbers(in_type):
    count = in_type.fibre.invariants.shape[1]
    for kind in (BatchNorm, LayerNorm):
        module = kind(in_type)
        assert module.weight.shape == (in_type.copies,) and (module.weight == 1).all()
        assert module.bias.shape == (count,) and (module.bias == 0).all()
        assert not list(kind(in_type, affine=False).parameters())
    assert RMSNorm(in_type).bias is None
    if in_type in GRIDS:
        assert not list(InstanceNorm(in_type).parameters())  # as torch's
    vectors = Point("SO(3)", dim=3).fields("2x1")
    assert BatchNorm(vectors).bias is None and BatchNorm(vectors).running_mean.shape == (0,)


def test_the_state_is_the_same_in_both_modes(generator):
    in_type = Plane("C4").fields("2x trivial + 1x vector")
    module = BatchNorm(in_type)
    names = ["weight", "bias", "running_mean", "running_var", "_extra_state"]
    module(field(in_type, generator=generator, dtype=torch.float32))
    assert list(module.train().state_dict()) == list(module.eval().state_dict()) == names
    for kind in (LayerNorm, make_group):
        assert list(kind(in_type).state_dict()) == ["weight", "bias", "_extra_state"]
    assert list(RMSNorm(in_type).state_dict()) == ["weight", "_extra_state"]


def test_mean_over_all_batches(generator):
    """``momentum=None`` is that of torch, and starts again with the statistics."""
    in_type = Plane("C4").fields("3x trivial")
    ours, torchs = BatchNorm(in_type, momentum=None), torch.nn.BatchNorm2d(3, momentum=None)
    for start in range(2):
        for _ in range(3):
            x = field(in_type, generator=generator, dtype=torch.float32) + start
            assert_close(ours(x), torchs(x), SINGLE)
        assert ours.num_batches_tracked == 3
        for name in ("running_mean", "running_var"):
            assert_close(getattr(ours, name), getattr(torchs, name), SINGLE)
        ours.reset_running_stats()
        torchs.reset_running_stats()


def test_all_parameters_have_a_gradient_of_an_empty_batch():
    """Else data parallel training stops where a process has no samples."""
    module = BatchNorm(Plane("C4").fields("2x trivial + 1x vector"))
    module(torch.zeros(0, 4, 3, 3)).sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in module.parameters())


def test_without_running_statistics(generator):
    in_type = Plane("C4").fields("2x trivial + 1x vector")
    module = BatchNorm(in_type, track_running_stats=False).double()
    x = _shifted(in_type, generator)
    assert list(module.state_dict()) == ["weight", "bias", "_extra_state"]
    assert_close(module.train()(x), module.eval()(x), ROUNDING)
    assert_close(module(x), BatchNorm(in_type).double()(x), ROUNDING)
    assert isinstance(module.export(), BatchNorm)
    assert module(x[:0]).shape == (0, *x.shape[1:])


@every_type
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_nothing(in_type, training, generator):
    """An empty batch, which leaves the statistics as they are, and no grid points."""
    kinds = [BatchNorm, LayerNorm, RMSNorm]
    kinds += [InstanceNorm, make_group] if in_type in GRIDS else []
    for kind in kinds:
        module = _stir(kind(in_type), generator).train(training)
        before = copy.deepcopy(module.state_dict())
        full = field(in_type, generator=generator)
        for x in (full[:0], full[..., :0] if in_type in GRIDS else full[:0]):
            x = x.clone().requires_grad_()
            y = module(x)
            y.sum().backward()
            assert y.shape == x.shape == x.grad.shape
        torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)


def test_a_single_value_is_refused_in_training(generator):
    in_type = Point("SO(3)", dim=3).fields("1x0 + 1x1")
    module = BatchNorm(in_type)
    x = field(in_type, batch=1, generator=generator, dtype=torch.float32)
    with pytest.raises(ValueError, match="^x: expected more than one value of every scalar"):
        module(x)
    assert module.eval()(x).isfinite().all()
    vectors = Point("SO(3)", dim=3).fields("2x1")
    assert BatchNorm(vectors)(x[:, :1].repeat(1, 6)).isfinite().all()


def test_a_constant_field_does_no_harm():
    """Variance zero."""
    in_type = Plane("C4").fields("1x trivial + 1x vector")
    x = torch.zeros(in_type.shape(2, 3, 3), requires_grad=True)
    for kind in (BatchNorm, InstanceNorm, make_group, LayerNorm, RMSNorm):
        y = kind(in_type)(x + torch.tensor([5.0, 0, 0]).view(1, 3, 1, 1))
        y.square().sum().backward()
        assert y.isfinite().all() and x.grad.isfinite().all()
        assert kind in (LayerNorm, RMSNorm) or y.abs().max() < 1e-2


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm, make_group, LayerNorm, RMSNorm])
def test_nan_stays_in_its_sample(kind, generator):
    in_type = Plane("C4").fields("2x trivial + 2x vector")
    module = kind(in_type).double().eval()
    x = field(in_type, generator=generator)
    clean = module(x)
    x[0, 0, 0, 0] = torch.nan
    y = module(x)
    assert y[0].isnan().any()
    assert_close(y[1], clean[1], ROUNDING)


# --- precision ------------------------------------------------------------------------------------


def test_a_mean_far_above_the_deviation(generator):
    """In float32: to two units in the last place of the mean, which are 1.2e-4; so is torch's."""
    in_type = Volume("SO(3)").fields("8x0")
    x = torch.randn(in_type.shape(4, 6, 6, 6), generator=generator) + 1e3
    exact = BatchNorm(in_type).double()(x.double())
    assert_close(BatchNorm(in_type)(x), exact, 1.2e-4)
    assert_close(torch.nn.BatchNorm3d(8)(x), exact, 1.2e-4)
    naive = ((x**2).mean((0, 2, 3, 4)) - x.mean((0, 2, 3, 4)) ** 2).double()
    var = x.double().var((0, 2, 3, 4), correction=0)
    _, found = moments(x, [0, 2, 3, 4])
    assert_close(found.flatten(), var, 1e-5)
    assert (naive - var).abs().max() > 1e-3  # negative control: E x^2 - (E x)^2


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm, make_group, LayerNorm, RMSNorm])
def test_half_precision_is_normalised_in_single(kind, generator):
    in_type = Plane("C4").fields("2x trivial + 2x vector")
    module = kind(in_type)
    x = _shifted(in_type, generator).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x.bfloat16())
        assert_close(module(x), kind(in_type)(x), SINGLE)
    assert y.dtype == torch.bfloat16
    assert_close(y.double(), kind(in_type)(x.bfloat16().float()).double(), 0.02)
    half = kind(in_type).bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert_close(half.double(), y.double(), 0.05)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of torch.func.jvp
def test_derivatives(generator):
    """First and second ones, forward and backward, of the moments that are written by hand."""
    x = torch.randn(2, 3, 2, 2, generator=generator, dtype=F64, requires_grad=True)
    for dims in ([0, 2, 3], [2, 3], [0], [0, 3]):
        mean, var = moments(x, dims)
        assert_close(mean, x.mean(dims, keepdim=True), ROUNDING)
        assert_close(var, x.var(dims, correction=0, keepdim=True), ROUNDING)
        assert torch.autograd.gradcheck(lambda x, dims=dims: moments(x, dims), (x,))
        assert torch.autograd.gradgradcheck(lambda x, dims=dims: moments(x, dims), (x,))
        tangent = torch.randn(x.shape, generator=generator, dtype=F64)
        _, forward = jvp(lambda x, dims=dims: moments(x, dims)[1], (x.detach(),), (tangent,))
        step = 1e-6
        pair = [moments(x.detach() + s * step * tangent, dims)[1] for s in (1, -1)]
        assert_close(forward, (pair[0] - pair[1]) / (2 * step), 1e-7)


def test_functional_transforms(generator):
    """Gradients for each sample, where samples do not mix."""
    in_type = Plane("C4").fields("2x trivial + 1x vector")
    x = field(in_type, batch=3, generator=generator)
    for module in (InstanceNorm(in_type, affine=True), GroupNorm(in_type, 1), LayerNorm(in_type)):
        module = _stir(module, generator)
        parameters = {k: v.detach() for k, v in module.named_parameters()}

        def loss(parameters, sample, module=module):
            y = functional_call(module, parameters, (sample[None],))
            return (y**3).sum()

        together = vmap(grad(loss), (None, 0))(parameters, x)
        for i in range(3):
            alone = grad(loss)(parameters, x[i])
            for name, value in alone.items():
                assert_close(together[name][i], value, SYMMETRY)


# --- bad input ------------------------------------------------------------------------------------


def test_where_there_is_no_space():
    with pytest.raises(ValueError, match="^in_type: there is no space to average over"):
        InstanceNorm(Point("SO(3)", dim=3).fields("2x0"))


def test_bad_options():
    in_type = Plane("C4").fields("2x trivial + 1x vector")
    with pytest.raises(ValueError, match="^num_groups: .* 3 in .*got 2"):
        GroupNorm(in_type, 2)
    for groups in (0, -1, 1.0, True, "3"):
        with pytest.raises(ValueError, match="^num_groups: expected an integer >= 1, got"):
            GroupNorm(in_type, groups)
    with pytest.raises(
        ValueError, match="^momentum: expected None or a number from 0 to 1, got '0'"
    ):
        BatchNorm(in_type, momentum="0")
    with pytest.raises(ValueError, match="^eps: expected a finite number >= 0, got -1"):
        LayerNorm(in_type, eps=-1)
    with pytest.raises(TypeError, match="^in_type: expected a FieldType, got str"):
        BatchNorm("1x0")


def test_repr_tells_the_options():
    in_type = Plane("C4").fields("2x trivial")
    assert "eps=1e-05, affine=True, momentum=0.1" in repr(BatchNorm(in_type))
    assert "num_groups=2" in repr(GroupNorm(in_type, 2))


# --- clouds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [InstanceNorm, make_group])
@pytest.mark.parametrize("affine", [True, False])
def test_each_cloud_has_statistics_of_its_own(kind, affine, generator):
    """As if it were alone, and as a sample over a line of as many points."""
    in_type = Points("O(3)", dim=3).fields("2x0e + 1x0o + 1x1o")
    module = _stir(kind(in_type, affine=affine), generator)
    batch = torch.tensor([0, 2, 0, 3, 2, 2, 0])
    x = _shifted(in_type, generator, batch=7)
    y = module(x, batch, 5)
    assert_close(module(x, batch), y, ROUNDING)
    for number in (0, 2, 3):
        own = batch == number
        assert_close(y[own], module(x[own]), ROUNDING)
        assert_close(y[own], module(x[own], torch.zeros_like(batch[own])), ROUNDING)
    assert (y - module(x)).abs().max() > 0.1  # negative control: all as one cloud
    if not affine:
        own = y[batch == 2]
        for part in in_type.split(own)[:2]:
            if kind is InstanceNorm and part.shape[1] == 2:
                assert_close(part.mean(0), torch.zeros(2, 1), SYMMETRY)


def test_clouds_by_the_formula(generator):
    in_type = Points("O(3)", dim=3).fields("2x0e + 1x0o + 2x1o")
    module = _stir(InstanceNorm(in_type, affine=True), generator)
    batch = torch.tensor([1, 0, 1, 1, 0])
    x = _shifted(in_type, generator, batch=5)
    expected = torch.empty_like(x)
    for number in range(2):
        own = x[batch == number].mT[None]  # a sample, with the points along an axis of space
        row = brute_force(in_type, own, (2,), module.weight, module.bias)
        expected[batch == number] = row[0].mT
    assert_close(module(x, batch), expected, SYMMETRY)


def test_numbers_of_clouds_are_checked():
    in_type = Points("O(3)", dim=3).fields("2x0e")
    x = torch.zeros(3, 2)
    for kind in (InstanceNorm, make_group):
        for batch, count in ((torch.tensor([0, 1, 2]), 2), (torch.tensor([0, -1, 0]), None)):
            with pytest.raises(ValueError, match="^batch: expected"):
                kind(in_type)(x, batch, count)
        with pytest.raises(ValueError, match="^batch: expected .* for 2 clouds, got None"):
            kind(in_type)(x, None, 2)
    module = InstanceNorm(Plane("C4").fields("2x trivial"))
    with pytest.raises(ValueError, match="^batch: has a meaning over Points only"):
        module(torch.zeros(2, 2, 4, 4), torch.zeros(2, dtype=torch.int64))
