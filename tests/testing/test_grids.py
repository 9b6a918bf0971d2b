"""The check over grids: exact where the grid is kept, by refinement between its points."""

import itertools

import pytest
import torch

import equinet
from equinet import Line, Plane, Volume, act, dihedral, nn, point_group
from equinet.group import generate
from equinet.nn.centred import OffCentreWarning
from equinet.testing import assert_equivariant, equivariance_error, input_sizes
from equinet.testing.elements import grid_symmetries
from equinet.testing.sizes import fitting_sizes
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

X = Plane("C4").fields("1x trivial")


def _conv(kind, space, into, out, **options):
    generator = torch.Generator().manual_seed(0)
    return kind(space.fields(into), space.fields(out), 3, generator=generator, **options).double()


def _plain(kind, *arguments, **options):
    """A layer of torch.nn with weights of a seed."""
    layer = kind(*arguments, **options).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layer


CONVOLUTIONS = {
    "line": lambda: _conv(nn.Conv1d, Line("O(1)"), "1x trivial", "2x regular", padding=1),
    "C4": lambda: _conv(nn.Conv2d, Plane("C4"), "1x trivial", "2x regular", stride=2),
    "C8": lambda: _conv(nn.Conv2d, Plane("C8"), "1x regular", "1x regular", padding=1),
    "C3": lambda: _conv(nn.Conv2d, Plane("C3"), "1x trivial", "1x regular", padding=1),
    "O(2)": lambda: _conv(nn.Conv2d, Plane("O(2)"), "1x0e", "1x0e + 1x1", padding=1),
    "O": lambda: _conv(nn.Conv3d, Volume("O"), "1x T1", "1x A1 + 1x T1", padding=1, stride=2),
    "SO(3)": lambda: _conv(nn.Conv3d, Volume("SO(3)"), "1x0", "1x0 + 1x1", padding=1),
    "across": lambda: _conv(nn.ConvTranspose2d, Plane("D4"), "1x regular", "1x vector", stride=2),
    "one element": lambda: _conv(nn.Conv2d, Plane("trivial"), "1x trivial", "2x trivial"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_pass(name):
    assert_equivariant(CONVOLUTIONS[name](), count=2, batch=1)


class Placed(torch.nn.Module):
    """A module that sees the place of a value, a little."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x * torch.linspace(1, 1 + 1e-6, x.shape[-1], dtype=x.dtype))


@pytest.mark.parametrize("name", [n for n in CONVOLUTIONS if n not in ("C3", "one element")])
def test_they_fail_when_they_see_the_place(name):
    """Negative control."""
    conv = CONVOLUTIONS[name]()
    with pytest.raises(AssertionError, match="Placed is not equivariant within 1e-10"):
        assert_equivariant(Placed(conv), conv.in_type, conv.out_type, batch=1)


def test_a_plain_convolution_fails():
    conv = _plain(torch.nn.Conv2d, 1, 1, 3, padding=1)
    with pytest.raises(AssertionError, match="Conv2d is not equivariant within .*17 x 17"):
        assert_equivariant(conv, X, X)
    with pytest.raises(AssertionError, match="Conv2d is not equivariant within"):
        assert_equivariant(conv.float(), X, X)


def test_a_round_filter_passes_for_every_angle():
    """And what remains of its error falls as the grid becomes finer."""
    conv = torch.nn.Conv2d(1, 1, 5, padding=2, bias=False).double()
    weights = torch.exp(-(torch.arange(-2, 3, dtype=torch.float64) ** 2) / 2)
    conv.weight.data = (weights[:, None] * weights)[None, None]
    scalar = Plane("O(2)").fields("1x0e")
    assert_equivariant(conv, scalar, scalar)
    errors = [
        equivariance_error(conv, scalar, scalar, exact=False, smoothness=s, sizes=(n, n)).mean
        for s, n in [(2, 21), (4, 41)]
    ]
    assert errors[1] < errors[0] / 4 < 0.01


def test_a_wrong_frequency_shows_between_the_grid_points():
    """For quarter turns the frequencies 0 and 4 are alike; for others they are not."""
    plane = Plane("SO(2)")
    pool = torch.nn.AvgPool2d(3, 1, 1)
    one, wrong = plane.fields("2x0"), plane.fields("1x4")
    assert_equivariant(pool, one, one)
    assert_equivariant(pool, one, wrong, exact=True)
    with pytest.raises(AssertionError, match="between the grid points: the mean error"):
        assert_equivariant(pool, one, wrong)
    with pytest.raises(AssertionError, match="AvgPool2d is not equivariant within 0.1"):
        assert_equivariant(pool, one, wrong, exact=False, tolerance=0.1)


def test_strides_get_sizes_that_keep_the_centre():
    """Even ones for windows of two, and what the module may say to the user stays to be said."""
    pool = torch.nn.AvgPool2d(2)
    assert assert_equivariant(pool, X, X).sizes == (18, 18)
    with pytest.raises(AssertionError, match="17 x 17"):
        assert_equivariant(pool, X, X, sizes=(17, 17))
    conv = CONVOLUTIONS["C4"]()
    conv.centred.warned.clear()
    assert fitting_sizes(conv, conv.in_type, least=16) == (17, 17)
    with pytest.warns(OffCentreWarning, match="off its centre"):
        assert equivariance_error(conv, sizes=(18, 18)).max > 0.01
    twice = torch.nn.Sequential(torch.nn.MaxPool2d(2), torch.nn.MaxPool2d(2))
    assert fitting_sizes(twice, X) == (20, 20)


def test_a_module_that_accepts_one_size():
    """The size is found, or the user says it."""

    class Picky(torch.nn.Module):
        def forward(self, x):
            if x.shape[-1] != 29:
                raise RuntimeError("29, please")
            return x

    assert assert_equivariant(Picky(), X, X).sizes == (29, 29)
    with pytest.raises(RuntimeError, match="29, please") as caught:
        equivariance_error(Picky(), X, X, sizes=(5, 5))
    with pytest.raises(RuntimeError, match="29, please") as caught:
        fitting_sizes(Picky(), X, least=31)
    assert "say sizes=" in caught.value.__notes__[0]


def test_the_error_is_its_definition():
    """||Phi(g f) - g Phi(f)|| / ||Phi(f)|| for white noise, everywhere on the grid."""
    conv = _plain(torch.nn.Conv2d, 1, 1, 3, padding=1)
    g = dihedral(4).elements[[1, 5]]
    plane = Plane("D4").fields("1x trivial")
    error = equivariance_error(conv, plane, plane, elements=g, batch=3, sizes=(6, 6), seed=1)
    generator = torch.Generator().manual_seed(1)
    f = torch.randn(plane.shape(3, 6, 6), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        y = conv(f)
        expected = [(conv(act(plane, e, f)) - act(plane, e, y)).norm() / y.norm() for e in g]
    assert_close(error.errors, torch.stack(expected), ROUNDING)
    assert torch.equal(error.elements, g) and not error.interpolation.any()


def test_interpolation_is_told_apart():
    """All the error of the identity is interpolation, and it is measured to a factor of two."""
    scalar = Plane("SO(2)").fields("1x0")
    for smoothness in (1.0, 2.0, 4.0):
        error = equivariance_error(
            torch.nn.Identity(), scalar, scalar, smoothness=smoothness, sizes=(41, 41), count=3
        )
        ratio = error.errors / error.interpolation
        assert (ratio > 0.5).all() and (ratio < 2).all()
    assert error.mean < 2e-3 and "interpolation alone" in str(error)


def test_both_kinds_of_elements():
    plane = Plane("C8").fields("1x regular")
    identity = torch.nn.Identity().double()
    both = equivariance_error(identity, plane, plane, count=7)
    assert len(both.elements) == 7
    turned = both.interpolation > 0
    assert turned.sum() == 4 and both.errors[~turned].max() == 0
    assert len(equivariance_error(identity, plane, plane, exact=True, count=7).elements) == 3
    assert len(equivariance_error(identity, plane, plane, exact=False, count=2).elements) == 2


@pytest.mark.parametrize("group", ["C4", "D4", "C8", "O(2)"])
def test_generators_are_among_the_elements(group):
    """What commutes with generators commutes with all, however few are drawn."""
    plane = Plane(group).fields("1x trivial")
    error = equivariance_error(torch.nn.Identity(), plane, plane, exact=True, count=1)
    reached = generate(error.elements).order
    assert reached == 1 + len(grid_symmetries(plane.space.group, [plane.space], (5, 5)))


def test_both_components_are_among_the_elements():
    volume = Volume("O(3)").fields("1x0e")
    for seed in range(5):
        error = equivariance_error(
            torch.nn.Identity(), volume, volume, exact=False, count=2, seed=seed, sizes=(5, 5, 5)
        )
        assert set(torch.linalg.det(error.elements).sign().tolist()) == {-1.0, 1.0}


def test_which_elements_keep_a_grid():
    """Those of the cube that do not swap axes of other sizes or spacings."""
    for spacing, sizes in itertools.product([1.0, (1.0, 1.0, 3.0)], [(5, 5, 5), (5, 5, 4)]):
        space = Volume("O(3)", spacing=spacing)
        square = spacing == 1.0 and sizes[2] == 5
        found = grid_symmetries(space.group, [space], sizes)
        expected = point_group("m-3m" if square else "4/mmm").elements[1:]
        assert len(found) == len(expected)
        assert_close(
            (found[:, None] - expected).abs().amax((2, 3)).amin(1), [0] * len(found), 1e-12
        )
    tall = Plane("D4")  # sizes are those of y and x
    assert len(grid_symmetries(tall.group, [tall], (4, 6))) == 3
    assert len(grid_symmetries(Plane("C3").group, [Plane("C3")], (5, 5))) == 0


def test_what_a_group_does_not_have_is_refused():
    identity = torch.nn.Identity()
    hexagonal = Plane("C3").fields("1x trivial")
    with pytest.raises(ValueError, match="^exact: no element of C3 but the identity keeps"):
        equivariance_error(identity, hexagonal, hexagonal, exact=True)
    with pytest.raises(ValueError, match="^exact: every element of C4 keeps the grid"):
        equivariance_error(identity, X, X, exact=False)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="^band: has no meaning for Plane"):
        equivariance_error(torch.nn.Identity(), X, X, band=3)
    with pytest.raises(ValueError, match="^arguments: has no meaning for Plane"):
        equivariance_error(torch.nn.Identity(), X, X, arguments={"edges": None})


def test_a_network_that_ends_in_scores():
    """Invariants are compared as they are; the mean over the grid turns with it, one pixel not."""

    class Scores(torch.nn.Module):
        def __init__(self, pooled):
            super().__init__()
            self.conv = _conv(nn.Conv2d, Plane("C4"), "1x trivial", "2x trivial", padding=1)
            self.head = _plain(torch.nn.Linear, 2, 3)
            self.pooled = pooled

        def forward(self, x):
            y = self.conv(x)
            return self.head(y.mean((2, 3)) if self.pooled else y[..., 0, 0])

    assert assert_equivariant(Scores(True), X).max < SYMMETRY
    with pytest.raises(AssertionError, match="Scores is not equivariant"):
        assert_equivariant(Scores(False), X)


def test_sizes_of_the_input_of_a_network(generator):
    """By hand: two strides of size 3 and padding 1 want n = 1 mod 4, of size 4 n = 0 mod 4."""
    h = Plane("C4").fields("1x regular")
    for size, rest in ((3, 1), (4, 0)):
        options = {"stride": 2, "padding": 1, "generator": generator}
        net = nn.Sequential(nn.Conv2d(h, h, size, **options), nn.Conv2d(h, h, size, **options))
        with pytest.warns(
            UserWarning, match=r"in this layer, and equinet.input_sizes\(network, near="
        ):
            net(torch.zeros(h.shape(1, 18, 18)))
        # What it has warned of already is no better for that.
        assert input_sizes(net, sizes=range(9, 22)) == [n for n in range(9, 22) if n % 4 == rest]
    assert input_sizes(nn.Conv2d(h, h, 15), sizes=range(13, 18)) == [15, 16, 17]
    with pytest.raises(ValueError, match="^in_type: expected fields over a Line, Plane or Volume"):
        input_sizes(torch.nn.Identity())


def test_the_sizes_beside_a_size():
    """Those of the whole list that lie next to it."""
    h = Plane("C4").fields("1x regular")
    down = nn.Conv2d(h, h, 3, stride=2, padding=1)
    net = nn.Sequential(down, nn.ReLU(h), nn.Downsample(h, 2))
    every = input_sizes(net, sizes=range(1, 60))
    for near in (3, 20, 33, 35):
        below = [n for n in every if n <= near][-1:]
        above = [n for n in every if n >= near][:1]
        assert equinet.input_sizes(net, near=near) == sorted({*below, *above}), near
    assert input_sizes(net, near=91) == [89, 93]
    never = nn.Conv2d(h, h, 2, stride=2, padding=1)  # on even sizes only
    assert input_sizes(never, near=9) == [8, 10]
    with pytest.raises(ValueError, match="^near: expected an integer >= 1, got 0"):
        input_sizes(net, near=0)
