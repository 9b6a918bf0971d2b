"""Pools over windows and over the fibre."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from equinet import Line, Plane, Point, Sphere, Volume, so2, symmetric, testing
from equinet.group import cosets
from equinet.nn.centred import OffCentreWarning
from equinet.nn.downsample import Downsample
from equinet.nn.fibre_pool import GroupPool, NormPool
from equinet.nn.pool import AvgPool, MaxPool, NormMaxPool
from equinet.nn.structure import Restrict
from equinet.rep import direct_sum, regular
from tests.nn.symmetric import (
    F64,
    GRIDS,
    PERMUTED,
    TYPES,
    assert_equivariant,
    field,
    skew,
)
from tests.tolerances import ROUNDING, assert_close

every_grid = pytest.mark.parametrize("in_type", GRIDS, ids=repr)
every_permuted = pytest.mark.parametrize("in_type", PERMUTED, ids=repr)
every_type = pytest.mark.parametrize("in_type", TYPES, ids=repr)

# Window, stride and padding, and a size of which they keep the centre.
WINDOWS = [(2, None, 0, 6), (3, 2, 0, 7), (3, 2, 1, 5), (3, 1, 1, 4), (2, 2, 1, 6), (4, 3, 2, 6)]
every_window = pytest.mark.parametrize(("kernel_size", "stride", "padding", "size"), WINDOWS)


# --- windows --------------------------------------------------------------------------------------


@every_window
@every_grid
def test_means_and_longest_vectors_are_equivariant(
    in_type, kernel_size, stride, padding, size, generator
):
    x = field(in_type, size, generator=generator)
    for kind in (AvgPool, NormMaxPool):
        assert_equivariant(kind(in_type, kernel_size, stride, padding), x)


@every_window
@every_permuted
def test_maxima_are_equivariant(in_type, kernel_size, stride, padding, size, generator):
    x = field(in_type, size, generator=generator)
    assert_equivariant(MaxPool(in_type, kernel_size, stride, padding), x)


@pytest.mark.parametrize("kind", [AvgPool, NormMaxPool])
def test_a_grid_that_is_sampled_off_its_centre(kind, generator):
    """It warns once for each size, names one that works, and the law fails."""
    in_type = Plane("C4").fields("1x trivial + 1x vector")
    module = kind(in_type, 3, 2)
    x = field(in_type, 6, generator=generator)
    with pytest.warns(UserWarning, match=rf"^{kind.__name__}: a grid of size \(6, 6\) .*\(5, 5\)"):
        y = module(x)
    quarter = [torch.rot90(v[:, :1], 1, (-2, -1)) for v in (x, y)]
    turned = torch.cat([quarter[0], torch.zeros_like(x[:, 1:])], 1)
    assert (module(turned)[:, :1] - quarter[1]).abs().max() > 0.01
    assert module(x[..., :5, :5]).shape[-2:] == (2, 2)


@pytest.mark.parametrize("space", [Line("O(1)"), Plane("D4"), Volume("Oh")], ids=str)
@pytest.mark.parametrize("include", [True, False])
def test_they_are_torchs(space, include, generator):
    n = space.n
    in_type = space.fields("4x trivial")
    x = field(in_type, 7, generator=generator)
    average = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][n - 1]
    maximum = [F.max_pool1d, F.max_pool2d, F.max_pool3d][n - 1]
    ours = AvgPool(in_type, 3, 2, 1, count_include_pad=include)
    assert torch.equal(ours(x), average(x, 3, 2, 1, False, include))
    assert torch.equal(ours.export()(x), ours(x)) and type(ours.export()).__name__ == f"AvgPool{n}d"
    ours = MaxPool(in_type, 3, 1, 1, dilation=2)
    assert torch.equal(ours(x), maximum(x, 3, 1, 1, 2))
    assert torch.equal(ours.export()(x), ours(x)) and type(ours.export()).__name__ == f"MaxPool{n}d"
    longest = NormMaxPool(in_type, 3, 1, 1)(x)
    assert_close(longest.abs(), maximum(x.abs(), 3, 1, 1), ROUNDING)


WIDE = [(2, None, 0), (3, 2, 0), (3, 2, 1), (2, 3, 1), (3, 4, 1)]  # of window, stride and padding


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_window_over_the_end_is_torchs(n, generator):
    """Where the group is trivial no size is off the centre."""
    in_type = {1: Line, 2: Plane, 3: Volume}[n]("C1").fields("3x trivial")
    average, maximum = (getattr(torch.nn, f"{kind}Pool{n}d") for kind in ("Avg", "Max"))
    shapes = set()
    for (k, stride, padding), size in itertools.product(WIDE, (3, 5, 6, 8)):
        x = field(in_type, size, generator=generator)
        for ceil_mode in (True, False):
            for include in (True, False):
                options = dict(ceil_mode=ceil_mode, count_include_pad=include)
                ours = AvgPool(in_type, k, stride, padding, **options)
                expected = average(k, stride, padding, **options)(x)
                assert torch.equal(ours(x), expected) and torch.equal(ours.export()(x), expected)
            ours = MaxPool(in_type, k, stride, padding, ceil_mode=ceil_mode)
            expected = maximum(k, stride, padding, ceil_mode=ceil_mode)(x)
            assert torch.equal(ours(x), expected) and torch.equal(ours.export()(x), expected)
            longest = NormMaxPool(in_type, k, stride, padding, ceil_mode=ceil_mode)(x)
            expected = maximum(k, stride, padding, ceil_mode=ceil_mode)(x.abs())
            assert_close(longest.abs(), expected, ROUNDING)
            shapes.add((k, stride, padding, size, longest.shape[-1]))
            assert ours.ceil_mode == ceil_mode == ("ceil_mode=True" in repr(ours))
    assert len(shapes) > len(WIDE) * 4  # the two modes differ somewhere


@pytest.mark.parametrize("kind", [AvgPool, MaxPool, NormMaxPool])
def test_a_window_over_the_end_is_off_the_centre(kind, generator):
    """It warns, and the law fails; where the stride fits there is no such window."""
    in_type = Plane("C4").fields("2x trivial")
    module = kind(in_type, 3, 2, ceil_mode=True)
    x = field(in_type, 6, generator=generator)
    with pytest.warns(OffCentreWarning, match=r"\(6, 6\) is sampled off its centre.*\(5, 5\)"):
        y = module(x)
    assert y.shape[-2:] == (3, 3)
    turned = module(torch.rot90(x, 1, (-2, -1)))
    assert (turned - torch.rot90(y, 1, (-2, -1))).abs().max() > 0.01
    whole = x[..., :5, :5]
    assert torch.equal(module(whole), kind(in_type, 3, 2)(whole))
    assert_equivariant(module, whole)
    assert testing.input_sizes(module, sizes=range(3, 10)) == [3, 5, 7, 9]
    with pytest.raises(TypeError, match="^ceil_mode: expected True or False, got 1"):
        kind(in_type, 3, ceil_mode=1)


def test_the_shift_is_that_of_the_windows_of_torch():
    """From where the first and the last window of an indicator lie."""
    in_type = Line("C1").fields("1x trivial")
    for (k, stride, padding), size in itertools.product(WIDE, (5, 6, 7, 8)):
        pool = AvgPool(in_type, k, stride, padding, ceil_mode=True)
        count = pool(torch.zeros(in_type.shape(1, size))).shape[-1]
        step = pool.stride[0]
        first, last = -padding, -padding + step * (count - 1) + k - 1
        assert pool.centred.shift(0, size) == first + last - (size - 1)


def test_a_mean_with_another_divisor(generator):
    """As torch's, in two and three dimensions: the sum over the window is divisor 1."""
    for space, plain in ((Plane("C4"), torch.nn.AvgPool2d), (Volume("O"), torch.nn.AvgPool3d)):
        in_type = space.fields("1x trivial + 1x regular")
        x = field(in_type, 5, generator=generator)
        for divisor in (1, 7):
            ours = AvgPool(in_type, 3, 2, 1, divisor_override=divisor)
            expected = plain(3, 2, 1, divisor_override=divisor)(x)
            assert torch.equal(ours(x), expected) and torch.equal(ours.export()(x), expected)
            assert_equivariant(ours, x)
        whole = 3**space.n * AvgPool(in_type, 3)(x[(..., *[slice(3)] * space.n)])
        assert_close(
            AvgPool(in_type, 3, divisor_override=1)(x[(..., *[slice(3)] * space.n)]),
            whole,
            ROUNDING,
        )
        for wrong in (0, -1, 1.5, True, "2"):
            with pytest.raises(ValueError, match="^divisor_override: expected an integer >= 1"):
                AvgPool(in_type, 3, divisor_override=wrong)
    with pytest.raises(ValueError, match="^divisor_override: expected None on a line.*got 2"):
        AvgPool(Line("O(1)").fields("1x trivial"), 3, divisor_override=2)


def test_the_longest_vector_by_brute_force(generator):
    in_type = Volume("O").fields("2x vector")
    x = field(in_type, 5, generator=generator)
    y = in_type.split(NormMaxPool(in_type, 3, 2)(x))[0]
    vectors = in_type.split(x)[0]
    for o in [(0, 0, 0), (1, 0, 1), (0, 1, 1)]:
        a, b, c = (slice(2 * i, 2 * i + 3) for i in o)
        window = vectors[..., a, b, c].flatten(3)
        best = window.norm(dim=2).argmax(-1)
        for z in range(2):
            for m in range(2):
                assert torch.equal(y[z, m, :, *o], window[z, m, :, best[z, m]])


def test_gradients_go_where_the_values_come_from(generator):
    in_type = Plane("C4").fields("1x trivial + 1x vector")
    x = field(in_type, 4, generator=generator).requires_grad_()
    y = NormMaxPool(in_type, 2)(x)
    (y**2 / 2).sum().backward()
    chosen = x.grad != 0
    assert torch.equal(x.grad[chosen], x.detach()[chosen])
    assert chosen.sum() == y.numel()
    assert torch.autograd.gradcheck(NormMaxPool(in_type, 2), (x,))


def test_a_maximum_without_stride_and_then_a_low_pass(generator):
    """The antialiased maximum, on odd sizes."""
    in_type = Plane("D4").fields("1x trivial + 1x regular")
    x = field(in_type, 9, generator=generator)
    both = torch.nn.Sequential(MaxPool(in_type, 3, stride=1, padding=1), Downsample(in_type, 2))
    both.in_type = both.out_type = in_type
    assert both.double()(x).shape[-2:] == (5, 5)
    assert_equivariant(both, x)


def test_windows_that_break_the_symmetry_are_refused():
    plane = Plane("C4").fields("1x trivial")
    for make in (
        lambda: AvgPool(plane, (2, 3)),
        lambda: AvgPool(plane, 2, stride=(1, 2)),
        lambda: MaxPool(plane, 3, padding=(0, 1)),
    ):
        with pytest.raises(ValueError, match="expected the same along the axes y and x, which C4"):
            make()
    # Where the group leaves the axes apart, or the steps of the grid differ, it is the user's.
    AvgPool(Plane("C2").fields("1x trivial"), (2, 3))
    AvgPool(Volume("SO(3)", spacing=(1.0, 1.0, 3.0)).fields("1x1"), (3, 3, 1))
    with pytest.raises(ValueError, match="^kernel_size: expected the same along the axes x and y"):
        AvgPool(Volume("SO(3)", spacing=(1.0, 1.0, 3.0)).fields("1x1"), (3, 2, 1))


@pytest.mark.parametrize("kind", [AvgPool, MaxPool, NormMaxPool])
def test_bad_windows(kind):
    plane = Plane("C4").fields("1x trivial")
    for bad in (0, -1, 1.5, True, (2,), (2, 2, 2), "3"):
        with pytest.raises(ValueError, match="^kernel_size: expected 2 integers >= 1"):
            kind(plane, bad)
    with pytest.raises(ValueError, match="^stride: expected 2 integers >= 1"):
        kind(plane, 2, stride=0)
    with pytest.raises(
        ValueError, match=r"^padding: expected at most half of kernel_size \(2, 2\)"
    ):
        kind(plane, 2, padding=2)
    for in_type in (Sphere(2).fields("1x0"), Point("SO(3)", dim=3).fields("1x0")):
        if not (kind.on_spheres and in_type.has_points):
            with pytest.raises(ValueError, match="^in_type: expected fields over a Line, Plane"):
                kind(in_type, 2)


def test_fields_that_admit_no_maximum_are_refused():
    for text in ("1x vector", "1x trivial + 1x 1", "1x 2"):
        in_type = Plane("C4").fields(text)
        with pytest.raises(ValueError, match="^in_type: the maximum needs .*use enn.NormMaxPool"):
            MaxPool(in_type, 2)
        with pytest.raises(ValueError, match="^in_type: the pool over the group needs .*NormPool"):
            GroupPool(in_type)
    group = Plane("C4").group
    for make in (lambda t: NormMaxPool(t, 2), NormPool):
        with pytest.raises(ValueError, match="^in_type: norms are invariant only where"):
            make(Plane("C4").fields([(1, skew(group))]))


def test_a_maximum_of_components_is_not_equivariant(generator):
    """Why they are refused."""
    in_type = Plane("C4").fields("2x vector")
    module = torch.nn.MaxPool2d(2)
    module.in_type = module.out_type = in_type
    with pytest.raises(AssertionError):
        assert_equivariant(module, field(in_type, 6, generator=generator))


# --- the fibre ------------------------------------------------------------------------------------


@every_permuted
@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_pool_over_the_group(in_type, reduce, generator):
    module = GroupPool(in_type, reduce)
    x = field(in_type, generator=generator)
    y = module(x)
    assert y.shape[1] == module.out_type.channels == in_type.copies
    assert all(psi.is_trivial for _, rho in module.out_type.blocks for psi in rho.constituents)
    start = 0
    for (mul, _), dim in zip(in_type.blocks, in_type.dims, strict=True):
        for _ in range(mul):
            f, out = x[:, start : start + dim], y[:, [0]]
            y = y[:, 1:]
            expected = f.amax(1, keepdim=True) if reduce == "max" else f.mean(1, keepdim=True)
            assert torch.equal(out, expected)
            start += dim
    assert_equivariant(module, x)


SUBGROUPS = [
    (Plane("D4").fields("2x regular + 1x trivial + 2x quotient(C2)"), "D1"),
    (Plane("D4").fields("1x regular + 1x quotient(D2)"), "C4"),
    (Point("C8", 2).fields("3x regular"), "C8"),
    (Volume("O").fields("1x quotient(C3) + 1x regular"), "D3"),
    (Point(symmetric(4), dim=4).fields("1x vector + 1x regular"), symmetric(4)),
]


@pytest.mark.parametrize(("in_type", "name"), SUBGROUPS, ids=repr)
@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_pool_over_a_subgroup(in_type, name, reduce, generator):
    """Value by value from the functions on the group, f(h), that the fields stand for (P3)."""
    module, group = GroupPool(in_type, reduce, name), in_type.space.group
    x = field(in_type, generator=generator)
    y, whole = module(x), cosets(group, module.subgroup)
    parts = zip(in_type.split(x), module.out_type.split(y), in_type.blocks, strict=True)
    for part, pooled, (_, rho) in parts:
        if rho.is_trivial:
            assert torch.equal(part, pooled)
            continue
        f = part[:, :, [int(rho(g)[:, 0].argmax()) for g in group.elements]]
        for i, h in enumerate(whole.representatives):
            over = f[:, :, group.index(h @ module.subgroup.elements)]
            expected = over.amax(2) if reduce == "max" else over.mean(2)
            assert_close(pooled[:, :, i], expected, ROUNDING)
    assert module.out_type.copies == in_type.copies
    assert_equivariant(module, x)


def test_the_fibre_of_a_subgroup_that_is_left(generator):
    """Mirrored pairs of D8 leave regular fields of C8; over all of H it is the pool without K."""
    h = Plane("D8").fields("3x regular")
    pairs = GroupPool(h, subgroup="D1")
    assert Restrict(pairs.out_type, "C8").out_type == Plane("C8").fields("3x regular")
    x = field(h, generator=generator)
    assert torch.equal(GroupPool(h, subgroup="D8")(x), GroupPool(h)(x))
    assert GroupPool(h, subgroup="D8").out_type == GroupPool(h).out_type
    again = GroupPool(pairs.out_type, subgroup="D2")
    assert torch.equal(again(pairs(x)), GroupPool(h, subgroup="D2")(x))
    assert torch.equal(GroupPool(h, subgroup="C1")(x), x)


def test_the_cosets_on_the_other_side_are_not_equivariant(generator):
    """Negative control: the maximum over k of f(kh) in place of f(hk)."""
    in_type = Plane("D4").fields("1x regular")
    module = GroupPool(in_type, subgroup="D1")
    group, (rows,) = in_type.space.group, module.listed("members")
    rows.copy_(group.inverse[rows])
    with pytest.raises(AssertionError):
        assert_equivariant(module, field(in_type, generator=generator))


def test_what_is_no_subgroup_of_the_fibre():
    h = Plane("D4").fields("1x regular")
    for name in ("C3", "SO(2)", so2()):
        with pytest.raises(ValueError, match="^subgroup: expected a subgroup of D4"):
            GroupPool(h, subgroup=name)
    with pytest.raises(ValueError, match=r"^subgroup: expected None, since SO\(2\), which acts"):
        GroupPool(Sphere(2).fields("1x regular"), subgroup="C2")
    rho = direct_sum(regular(h.space.group), regular(h.space.group))
    with pytest.raises(ValueError, match="^in_type: expected fields whose first component is"):
        GroupPool(h.space.fields([(1, rho)]), subgroup="C2")


def test_ties_share_the_gradient():
    """As behind a ReLU; with one winner the layer would not commute with G in backward."""
    in_type = Point("C4", dim=2).fields("1x regular")
    x = torch.zeros(1, 4, requires_grad=True)
    GroupPool(in_type)(x).sum().backward()
    assert_close(x.grad, torch.full((1, 4), 0.25), ROUNDING)


@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_from_functions_on_so3_to_the_sphere(reduce, generator):
    in_type = Sphere(3).fields("2x regular")
    module = GroupPool(in_type, reduce)
    x = torch.randn(in_type.shape(2), generator=generator)
    assert module.out_type == Sphere(3).fields("2x trivial")
    assert torch.equal(module(x), x.amax(-1) if reduce == "max" else x.mean(-1))
    assert module.aliases == (reduce == "max")


@every_type
def test_norms(in_type, generator):
    module = NormPool(in_type)
    x = field(in_type, generator=generator)
    y, start = module(x), 0
    for (mul, _), dim in zip(in_type.blocks, in_type.dims, strict=True):
        for _ in range(mul):
            assert_close(y[:, 0], x[:, start : start + dim].square().sum(1).sqrt(), ROUNDING)
            y, start = y[:, 1:], start + dim
    assert_equivariant(module, x, generator)


def test_the_derivative_of_a_norm_at_zero_is_zero():
    in_type = Point("SO(3)", dim=3).fields("2x1")
    x = torch.zeros(1, 6, dtype=F64, requires_grad=True)
    NormPool(in_type)(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros(1, 6, dtype=F64))


def test_what_has_no_norm_or_mode():
    with pytest.raises(
        ValueError, match="^in_type: expected fields of finite dimension.*GroupPool"
    ):
        NormPool(Sphere(2).fields("1x regular"))
    with pytest.raises(ValueError, match="^reduce: expected 'max' or 'mean', got 'sum'"):
        GroupPool(PERMUTED[0], "sum")


@pytest.mark.parametrize(
    "make",
    [
        lambda t: AvgPool(t, 3),
        lambda t: MaxPool(t, 3),
        lambda t: NormMaxPool(t, 3),
        GroupPool,
        NormPool,
    ],
)
def test_nothing_nan_and_half(make, generator):
    in_type = PERMUTED[1]
    module = make(in_type)
    x = field(in_type, 6, generator=generator, dtype=torch.float32)
    empty = x[:0].clone().requires_grad_()
    module(empty).sum().backward()
    assert empty.grad.shape == empty.shape
    clean = module(x)
    assert module(x.bfloat16()).dtype == torch.bfloat16
    x[0, 0, 0, 0] = torch.nan
    y = module(x)
    assert y[0].isnan().any() and torch.equal(y[1], clean[1])
    assert not module.state_dict()
