"""Steerable convolutions on grids."""

import functools
import itertools
import warnings

import pytest
import torch
import torch.nn.functional as F

from equinet import Line, Plane, Volume, dihedral
from equinet.field import act
from equinet.group import FiniteGroup
from equinet.harmonics import Pixels, filter_grid, shell_harmonics
from equinet.nn import Conv1d, Conv2d, Conv3d, ReLU, Sequential
from equinet.rep import regular
from equinet.steerable import kernel_basis
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

DOUBLE = torch.float64

# Layers, spaces and types, with the sizes of a grid that the layer samples about its centre.
CASES = {
    "O(1)": (Conv1d, Line("O(1)"), "2x trivial + 1x0o", "1x regular + 2x0o", (9,)),
    "C4": (Conv2d, Plane("C4"), "2x trivial + 1x1", "2x regular", (9, 9)),
    "C8": (Conv2d, Plane("C8"), "1x regular", "1x regular + 1x1", (8, 8)),
    "D4": (Conv2d, Plane("D4"), "1x regular + 1x vector", "2x vector", (7, 9)),
    "SO(2)": (Conv2d, Plane("SO(2)"), "2x0 + 1x1 + 1x2", "1x0 + 2x1 + 1x3", (9, 9)),
    "O(2)": (Conv2d, Plane("O(2)"), "2x0e + 1x1", "1x0o + 1x1 + 1x2", (8, 8)),
    "SO(3)": (Conv3d, Volume("SO(3)"), "2x0 + 1x1 + 1x2", "1x0 + 2x1 + 1x2", (7, 7, 7)),
    "O(3)": (Conv3d, Volume("O(3)"), "2x0e + 1x1o", "1x0e + 1x1e + 1x2e", (6, 6, 6)),
    "m-3m": (Conv3d, Volume("m-3m"), "1x trivial + 1x vector", "1x T2g + 1x Eg", (7, 7, 7)),
    "Cinfv": (Conv3d, Volume("Cinfv"), "1x A1 + 1x E1", "1x A1 + 1x E1 + 1x E2", (7, 7, 5)),
}
every_case = pytest.mark.parametrize("name", CASES)


def _layer(name, generator, *args, **kwargs):
    kind, space, text_in, text_out, sizes = CASES[name]
    types = space.fields(text_in), space.fields(text_out)
    layer = kind(*types, *args, generator=generator, **kwargs).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=generator)
    x = torch.randn(layer.in_type.shape(2, *sizes), generator=generator, dtype=DOUBLE)
    return layer, x


@functools.cache
def grid_symmetries(group, kept=None):
    """Elements of a group of matrices that permute the axes of a grid, up to signs: generators and
    one more, of all of them or of those that keep the sizes of the coordinates."""
    n, found = group.n, []
    for order in itertools.permutations(range(n)):
        for signs in itertools.product((1.0, -1.0), repeat=n):
            g = torch.zeros(n, n, dtype=DOUBLE)
            g[range(n), order] = torch.tensor(signs, dtype=DOUBLE)
            if group.contains(g) and (kept is None or [kept[i] for i in order] == list(kept)):
                found.append(g)
    group = FiniteGroup(n, torch.stack(found), "of the grid")
    return [*group.generators, group.elements[-1]]


def _error(layer, x):
    """The largest error over the symmetries of the grid that keep its sizes' shape."""
    y, errors = layer(x), []
    space = layer.in_type.space
    sizes = tuple(x.shape[2 + space.coordinates.index(i)] for i in range(space.n))
    for g in grid_symmetries(space.group, sizes):
        moved = layer(act(layer.in_type, g, x))
        errors.append((moved - act(layer.out_type, g, y)).abs().max())
    assert len(errors) > 1
    return max(errors)


@every_case
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 5, "padding": 1, "bias": False},
        {"kernel_size": 4, "padding": 2},
        {"kernel_size": 3, "padding": "same", "dilation": 2},
        {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
        {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    ],
    ids=str,
)
def test_grid_symmetries_are_exact(name, options, generator):
    layer, x = _layer(name, generator, **options)
    assert _error(layer, x) < SYMMETRY


@every_case
def test_with_stride(name, generator):
    """Sizes n with (n - 1) mod 2 = 0 for size 3 and padding 1, and (n - 2) mod 2 = 0 for size 4."""
    odd = all(size % 2 for size in CASES[name][-1])
    layer, x = _layer(name, generator, kernel_size=3 if odd else 4, stride=2, padding=1)
    assert _error(layer, x) < SYMMETRY
    # Negative control: off the centre the symmetry is broken, and a warning says so.
    layer, x = _layer(name, generator, kernel_size=4 if odd else 3, stride=2, padding=1)
    with pytest.warns(UserWarning, match="sampled off its centre.* keep it"):
        layer(x)
    assert _error(layer, x) > 0.01


@every_case
def test_a_wrong_filter_is_noticed(name, generator):
    """Negative control: a filter of plain noise does not commute with the group."""
    layer, x = _layer(name, generator, kernel_size=3, padding=1)
    noise = torch.randn(layer.dense().shape, generator=generator, dtype=DOUBLE)
    layer.dense = lambda: noise
    assert _error(layer, x) > 0.1


def test_generic_rotations_converge():
    """The error for a rotation by 30 degrees falls with the grid, for one and the same picture."""
    plane = Plane("SO(2)")
    layer = Conv2d(plane.fields("1x0"), plane.fields("2x1"), 7, generator=_seeded()).double()
    angle = torch.tensor(torch.pi / 6, dtype=DOUBLE)
    g = plane.group.element(angle)
    errors = []
    for scale in (1.0, 2.0, 4.0):
        size = int(24 * scale) + 1
        r2 = ((plane.positions(size, size) - torch.tensor([2.0, 1.0]) * scale) / scale) ** 2
        x = torch.exp(-(r2 * torch.tensor([0.08, 0.2])).sum(-1))[None, None]
        y = layer(x)
        moved = act(layer.out_type, g, y, order=3)
        errors.append((layer(act(layer.in_type, g, x, order=3)) - moved).norm() / y.norm())
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def _seeded():
    return torch.Generator().manual_seed(0)


@every_case
def test_the_filter_is_made_of_the_basis(name, generator):
    """As many weights as kernels, and the filter in their span."""
    layer, _ = _layer(name, generator, kernel_size=3)
    group = layer.in_type.space.group
    grid = filter_grid(3, group.n)
    basis = kernel_basis(layer.in_type.blocks, layer.out_type.blocks, shell_harmonics(group, grid))
    dense = basis.on(grid).dense().flatten(1)
    assert layer.weight.numel() == len(dense)
    filters = layer.dense().flatten()[:, None]
    assert_close(dense.mT @ torch.linalg.lstsq(dense.mT, filters).solution, filters, SYMMETRY)


def test_no_symmetry_is_torch(generator):
    """For the trivial group and all functions of the pixels, every filter is allowed."""
    plane = Plane("C1")
    x, y = plane.fields("2x trivial"), plane.fields("3x trivial")
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}
    layer = Conv2d(x, y, **options, functions=Pixels, generator=generator).double()
    plain = torch.nn.Conv2d(2, 3, **options).double()
    assert layer.weight.numel() == plain.weight.numel()
    assert layer.bias.shape == plain.bias.shape
    image = torch.randn(2, 2, 11, 10, generator=generator, dtype=DOUBLE)
    assert_close(layer.dense().norm(), (layer.weight.norm() * 18**-0.5), ROUNDING)
    assert_close(layer(image), F.conv2d(image, layer.dense(), layer.bias, 2, 1, 2), ROUNDING)


def test_the_first_group_convolution(generator):
    """p4 (Cohen and Welling 2016): the filters of a stack are turned copies of each other.

    Lifting: W_r = R^r W_0. Between regular fields the turned copies are shifted in the group axis
    as well.
    """
    plane = Plane("C4")
    one, four = plane.fields("1x trivial"), plane.fields("1x regular")
    elements = plane.group.elements
    turns = (torch.atan2(elements[:, 1, 0], elements[:, 0, 0]) / (torch.pi / 2)).round().int() % 4
    assert turns.tolist() == [0, 1, 2, 3]
    lift = Conv2d(one, four, 3, functions=Pixels, generator=generator).double().dense()
    mix = Conv2d(four, four, 3, functions=Pixels, generator=generator).double()
    for r in range(4):
        assert_close(lift[r], torch.rot90(lift[0], r, (-2, -1)), ROUNDING)
        turned = torch.rot90(mix.dense()[0], r, (-2, -1)).roll(r, 0)
        assert_close(mix.dense()[r], turned, ROUNDING)
    assert mix.weight.numel() == 4 * 9


def test_groups_do_not_see_each_other(generator):
    plane = Plane("D4")
    x, y = plane.fields("4x trivial + 2x vector"), plane.fields("2x regular + 4x vector")
    layer = Conv2d(x, y, 3, groups=2, generator=generator).double()
    torch.nn.init.normal_(layer.bias, generator=generator)
    half_in, half_out = (
        plane.fields("2x trivial + 1x vector"),
        plane.fields("1x regular + 2x vector"),
    )
    image = torch.randn(x.shape(2, 5, 5), generator=generator, dtype=DOUBLE)
    whole = layer(image)
    for i in range(2):
        part = Conv2d(half_in, half_out, 3, bias=False).double()
        with torch.no_grad():
            part.weight.copy_(layer.weight[i : i + 1])
        scalars, vectors = image[:, :4].chunk(2, 1)[i], image[:, 4:].chunk(2, 1)[i]
        expected = part(torch.cat([scalars, vectors], 1))
        found = torch.cat([whole[:, :16].chunk(2, 1)[i], whole[:, 16:].chunk(2, 1)[i]], 1)
        bias = torch.zeros(12, dtype=DOUBLE)
        bias[:8] = layer.bias[i]  # of the one regular field
        assert_close(found, expected + bias.view(1, -1, 1, 1), ROUNDING)
    with pytest.raises(ValueError, match="^groups: expected a divisor of every multiplicity of in"):
        Conv2d(x, y, 3, groups=4)


@every_case
def test_variance_is_kept(name, generator):
    """White noise of variance 1 comes out with variance 1, in the mean over seeds."""
    kind, space, text_in, text_out, _ = CASES[name]
    types = space.fields(text_in), space.fields(text_out)
    power = torch.stack(
        [
            (kind(*types, 3, generator=generator).dense() ** 2).sum(tuple(range(1, 2 + space.n)))
            for _ in range(30)
        ]
    ).mean(1)  # the variance of the output in the mean over its components, for each seed
    error = power.std() / len(power) ** 0.5
    assert abs(power.mean() - 1) < STATISTICAL * error
    assert error < 0.2


def test_the_seed_decides():
    h = Volume("SO(3)").fields("2x0 + 1x1")
    first, same = (Conv3d(h, h, 3, generator=_seeded()).weight for _ in range(2))
    other = Conv3d(h, h, 3, generator=torch.Generator().manual_seed(1)).weight
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_bias_is_on_invariant_channels(generator):
    """One for every trivial irrep, also inside a regular field, where it is the same constant."""
    plane = Plane("C4")
    x = plane.fields("1x trivial")
    y = plane.fields("2x trivial + 1x vector + 2x regular")
    layer = Conv2d(x, y, 3, generator=generator)
    assert layer.bias.shape == (4,)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    at_zero = layer(torch.zeros(x.shape(1, 3, 3))).flatten()
    assert at_zero.tolist() == [1, 2, 0, 0, *[3] * 4, *[4] * 4]
    assert Conv2d(x, plane.fields("1x vector"), 3).bias is None
    assert Conv2d(x, y, 3, bias=False).bias is None


def test_unequal_spacing(generator):
    """Voxels that are longer than wide: the symmetry that is left is kept."""
    space = Volume("SO(3)", spacing=(1.0, 1.0, 3.0))
    layer = Conv3d(space.fields("1x0 + 1x1"), space.fields("1x0 + 1x2"), 5, generator=generator)
    layer = layer.double()
    x = torch.randn(layer.in_type.shape(1, 7, 7, 5), generator=generator, dtype=DOUBLE)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=DOUBLE)
    half = torch.diag(torch.tensor([1.0, -1, -1], dtype=DOUBLE))
    y = layer(x)
    for g in (quarter, half, quarter @ half):
        assert_close(layer(act(layer.in_type, g, x)), act(layer.out_type, g, y), SYMMETRY)


def test_rectangular_kernels(generator):
    plane = Plane("D2")
    layer = Conv2d(
        plane.fields("1x regular"), plane.fields("2x vector"), (3, 5), generator=generator
    )
    layer = layer.double()
    assert layer.dense().shape == (4, 4, 3, 5)
    x = torch.randn(layer.in_type.shape(1, 6, 8), generator=generator, dtype=DOUBLE)
    assert _error(layer, x) < SYMMETRY


@every_case
@pytest.mark.parametrize(
    "options",
    [
        {"padding": 1, "stride": 2},
        {"padding": "same", "dilation": 2, "bias": False},
        {"padding": 1, "padding_mode": "circular"},
    ],
    ids=str,
)
def test_export(name, options, generator):
    """A layer of torch.nn with the same output, which knows nothing of equinet."""
    layer, x = _layer(name, generator, kernel_size=3, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = layer(x)
    plain = layer.export()
    assert type(plain) is getattr(torch.nn, type(layer).__name__) and not plain.training
    assert_close(plain(x), expected, ROUNDING)
    grouped = {k: v for k, v in plain.named_parameters()}
    assert set(grouped) <= {"weight", "bias"}


def test_export_of_groups(generator):
    volume = Volume("SO(3)")
    for text in ("4x1", "4x0 + 2x1"):
        h = volume.fields(text)
        layer = Conv3d(h, h, 3, groups=2, generator=generator).double()
        if layer.bias is not None:
            torch.nn.init.normal_(layer.bias, generator=generator)
        x = torch.randn(h.shape(1, 4, 4, 4), generator=generator, dtype=DOUBLE)
        plain = layer.export()
        assert plain.groups == (2 if text == "4x1" else 1)
        assert_close(plain(x), layer(x), ROUNDING)


def test_other_kernels(generator):
    """A cap of the degree, other shells, or the pixels themselves."""
    volume = Volume("SO(3)")
    h = volume.fields("1x0 + 1x1 + 1x2")
    few, many = (
        Conv3d(h, h, 5, functions=functools.partial(shell_harmonics, **options))
        for options in ({"lmax": 1}, {"cutoff": "sfcnn"})
    )
    assert few.weight.numel() < Conv3d(h, h, 5).weight.numel() < many.weight.numel()
    with pytest.raises(TypeError, match="finite"):
        Conv3d(h, h, 5, functions=Pixels)


def test_dead_paths_are_named():
    plane = Plane("SO(2)")
    x, y = plane.fields("2x0"), plane.fields("1x0 + 3x1")
    with pytest.warns(UserWarning, match=r"dead paths; no kernel ends in 1 of .*'1x0 \+ 3x1'"):
        layer = Conv2d(x, y, 1)
    assert layer.dead_paths() == [("0", "1")]
    assert Conv2d(y, x, 1).dead_paths() == [("1", "0")]  # an output of scalars may ignore the rest
    with pytest.warns(UserWarning, match="no kernel starts in 1 of .*: ignored; see "):
        Conv2d(y, plane.fields("1x0 + 1x2"), 1)
    assert Conv2d(x, y, 3).dead_paths() == []


def test_warnings_come_once_and_help(generator):
    plane = Plane("C4")
    h = plane.fields("1x regular")
    layer = Conv2d(h, h, 3, stride=2, padding=1, generator=generator)
    with pytest.warns(UserWarning, match=r"size \(8, 9\).*inputs of size \(7, 9\)") as caught:
        layer(torch.zeros(h.shape(1, 8, 9)))
        layer(torch.zeros(h.shape(1, 8, 9)))
    assert len(caught) == 1 and caught[0].filename == __file__
    layer(torch.zeros(h.shape(1, 9, 9)))
    with pytest.warns(UserWarning, match="no size keeps it"):
        Conv2d(h, h, 4, padding="same")(torch.zeros(h.shape(1, 9, 9)))
    # Where the group leaves an axis alone, it may be sampled in any way.
    flat = Volume("Cinf").fields("1x A + 1x E1")
    Conv3d(flat, flat, 3, stride=(1, 1, 2), padding=1)(torch.zeros(flat.shape(1, 5, 5, 8)))
    free = Plane("C1").fields("1x trivial")
    Conv2d(free, free, 3, stride=2, padding=1)(torch.zeros(free.shape(1, 8, 8)))


def test_bad_input():
    plane, volume = Plane("C4"), Volume("SO(3)")
    h, v = plane.fields("2x regular"), volume.fields("1x0 + 1x1")
    for make, error, message in (
        (lambda: Conv2d(v, v, 3), ValueError, "^in_type: expected fields over a Plane, got Volume"),
        (lambda: Conv2d(h, v, 3), ValueError, "^out_type: expected fields over a Plane"),
        (lambda: Conv2d(h, "2x regular", 3), TypeError, "^out_type: expected a FieldType, got str"),
        (lambda: Conv2d(h, Plane("C8").fields("1x0"), 3), ValueError, "^out_type: expected fields"),
        (lambda: Conv2d(h, h, 0), ValueError, "^kernel_size: expected 2 integers >= 1"),
        (lambda: Conv2d(h, h, (3, 3, 3)), ValueError, "^kernel_size: expected 2 integers"),
        (lambda: Conv2d(h, h, 3, stride=0), ValueError, "^stride: expected 2 integers >= 1"),
        (lambda: Conv2d(h, h, 3, padding=-1), ValueError, "^padding: expected 2 integers >= 0"),
        (lambda: Conv2d(h, h, 3, padding="full"), ValueError, "^padding: expected integers, 'val"),
        (
            lambda: Conv2d(h, h, 3, 2, "same"),
            ValueError,
            "^padding: expected integers, 'valid', or",
        ),
        (lambda: Conv2d(h, h, 3, dilation=0), ValueError, "^dilation: expected 2 integers >= 1"),
        (lambda: Conv2d(h, h, 3, groups=0), ValueError, "^groups: expected an integer >= 1"),
        (
            lambda: Conv2d(h, h, 3, padding_mode="wrap"),
            ValueError,
            "^padding_mode: expected 'zeros', 'reflect', 'replicate' or 'circular', got 'wrap'",
        ),
        (
            lambda: Conv3d(volume.fields("1x0"), volume.fields("1x1"), 1),
            ValueError,
            r"^grid: there is no kernel but zero from 1x 0 to 1x 1 on a filter of size \(1, 1, 1\)",
        ),
    ):
        with pytest.raises(error, match=message):
            make()
    layer = Conv2d(h, h, 3)
    x = torch.zeros(h.shape(1, 5, 5))
    with pytest.raises(
        TypeError, match="^x: expected torch.float32 as this Conv2d, got torch.float64"
    ):
        layer(x.double())
    with pytest.raises(ValueError, match="^x: expected a tensor on cpu, where this Conv2d is, got"):
        layer(x.to("meta"))
    with pytest.raises(ValueError, match=r"^x: expected \(batch, channel, y, x\)"):
        layer(torch.zeros(1, 7, 5, 5))


def test_a_whole_network_with_strides(generator):
    """Grid symmetries hold through a deep network, for a group with reflections."""
    plane = Plane(dihedral(4))
    x, h = plane.fields("1x trivial"), plane.fields([(3, regular(dihedral(4)))])
    net = Sequential(
        Conv2d(x, h, 5, padding=2, generator=generator),
        ReLU(h),
        Conv2d(h, h, 3, stride=2, padding=1, generator=generator),
        ReLU(h),
        Conv2d(h, h, 5, stride=3, generator=generator),
    ).double()
    image = torch.randn(x.shape(2, 21, 21), generator=generator, dtype=DOUBLE)
    y = net(image)
    assert y.shape == h.shape(2, 3, 3)
    for g in plane.group.elements:
        assert_close(net(act(x, g, image)), act(h, g, y), SYMMETRY)
