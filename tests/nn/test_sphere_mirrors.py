"""The sphere as O(3)/O(2): mirrors of fields, moved by hand in space, and maps that commute."""

import itertools
import math

import pytest
import torch

from equinet import Sphere, act, o3
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import equiangular, gauss
from equinet.harmonics.grid import mirror_signs
from equinet.nn import SphereConv
from equinet.steerable import blurred, equatorial, near_identity, smooth, sphere_basis
from equinet.steerable.sphere import wigner_D_rows
from equinet.testing import equivariance_error
from equinet.transforms import Sample, from_winds
from tests.over import over
from tests.tolerances import DERIVATIVE, SYMMETRY, assert_close

F64 = torch.float64
BAND = 7
SPHERE = Sphere(BAND, group="O(3)")
KINDS = SPHERE.fields("1x0e + 1x0o + 1x1 + 1x2")
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=F64))  # alpha to -alpha


def _mixed(count, generator):
    """Elements of O(3), every other one no rotation."""
    g = o3().sample(count, generator=generator)
    signs = torch.linalg.det(g) * torch.tensor([1.0, -1.0], dtype=F64).repeat(count // 2)
    return g * signs[:, None, None]


# --- the action -----------------------------------------------------------------------------------


class _Formulas:
    """A function, a pseudoscalar, a vector field and a tensor field, polynomials in space."""

    def __init__(self, generator):
        self.a, self.b = torch.randn(2, 3, 3, 3, generator=generator, dtype=F64)

    def moved(self, g):
        """Values at the points of the sphere: those at g^-1 x, turned by g as its elements say."""
        beta, alpha = SPHERE.angles()
        east = torch.stack([alpha.cos(), torch.zeros_like(alpha), -alpha.sin()], -1)
        x = SPHERE.positions()
        south = torch.linalg.cross(east, x)
        y = x @ g
        f = (y @ self.a[0, 0]) ** 3 + (y @ self.a[1, 0]) * (y @ self.a[2, 0])
        v = torch.einsum("ijk,...j,...k->...i", self.b, y, y) + y @ self.a[0]
        w = y @ self.a[1]
        t = v[..., :, None] * w[..., None, :]
        v, t = v @ g.mT, g @ (t + t.mT) @ g.mT
        along = torch.stack([south, east], -1)
        t = along.mT @ t @ along  # of the tensor its part without trace is the field of spin 2
        spin = [(t[..., 0, 0] - t[..., 1, 1]) / 2, t[..., 0, 1]]
        tangent = (along.mT @ v[..., None])[..., 0].unbind(-1)
        return torch.stack([f, torch.linalg.det(g) * f, *tangent, *spin])


def test_fields_move_as_they_do_in_space(generator):
    """[g f](x) of formulas in R^3: no spectrum, no convention of this library but the frames."""
    formulas, g = _Formulas(generator), _mixed(4, generator)
    x = formulas.moved(torch.eye(3, dtype=F64))[None].repeat(4, 1, 1, 1)
    expected = torch.stack([formulas.moved(each) for each in g])
    assert_close(act(KINDS, g, x), expected, SYMMETRY)
    assert_close(act(KINDS, g[1], x)[0], expected[1], SYMMETRY)
    assert_close(act(KINDS, g[0], x)[0], expected[0], SYMMETRY)
    wrong = act(SPHERE.fields("2x0e + 1x1 + 1x2"), g, x)  # as if a pseudoscalar were a function
    assert (wrong - expected).abs().amax((0, 2, 3))[1] > 0.1


def test_elements_act_one_after_the_other(generator):
    g, h = _mixed(4, generator), _mixed(4, generator).flip(0)
    x = random_field(KINDS, 4, generator=generator, dtype=F64)
    assert_close(act(KINDS, g, act(KINDS, h, x)), act(KINDS, g @ h, x), SYMMETRY)


def test_the_derivative_by_an_element_that_is_no_rotation(generator):
    g, skew = _mixed(2, generator), torch.randn(3, 3, generator=generator, dtype=F64)
    x = random_field(KINDS, 2, generator=generator, dtype=F64)

    def moved(t):
        return act(KINDS, torch.linalg.matrix_exp(t * (skew - skew.mT)) @ g, x)[..., 3, 4]

    at = torch.zeros((), dtype=F64)
    slope = torch.autograd.functional.jacobian(moved, at)
    h = 1e-5
    assert_close(slope, (moved(at + h) - moved(at - h)) / (2 * h), DERIVATIVE)


def test_rotations_do_as_without_mirrors(generator):
    plain = Sphere(BAND).fields("2x0 + 1x1 + 1x2")
    x = random_field(KINDS, 2, generator=generator, dtype=F64)
    g = _mixed(2, generator)[:1].repeat(2, 1, 1)
    assert torch.equal(act(KINDS, g, x), act(plain, g, x))


# --- maps that commute ----------------------------------------------------------------------------


class _Crooked:
    """Points in no plane of a mirror, and with them their images in the mirror M."""

    def matrices(self, band, orders_out, orders_in):
        points = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
        images = points * torch.tensor([-1.0, 1.0, -1.0], dtype=F64)
        return wigner_D_rows(band, orders_out, orders_in, torch.cat([points, images]))


FILTERS = (near_identity(), equatorial(n_alpha=6), smooth(knots=3), blurred(), _Crooked())


def _rank(columns):
    return int(torch.linalg.matrix_rank(columns, rtol=1e-9)) if columns.numel() else 0


@over("kernel, outs, ins", itertools.product(FILTERS, (0, 1, 2), (0, 1, 2)))
def test_the_even_part_of_every_filter_is_whole(kernel, outs, ins):
    """What is left spans what (O2) allows, and no column depends on others where none did."""
    band = 8
    whole, _ = sphere_basis(kernel, band, (outs,), (ins,))
    signs = torch.cat(
        [
            torch.outer(mirror_signs(l, (outs,)), mirror_signs(l, (ins,))).flatten()
            for l in range(band)
        ]
    )
    ranks = []
    for parity in (1, -1):
        part, gain = sphere_basis(kernel, band, (outs,), (ins,), parity)
        allowed = whole * (signs == parity)[:, None]
        assert not part[signs != parity].any()
        rank = _rank(allowed)
        assert _rank(part) == _rank(torch.cat([part, allowed], 1)) == rank
        assert part.shape[1] == rank or _rank(whole) < whole.shape[1]
        assert (gain > 0) == (rank > 0)
        ranks.append(rank)
    assert sum(ranks) == _rank(whole)  # every family is closed under the mirror
    assert outs or ins or ranks[1] == 0  # no map from functions to pseudoscalars


def test_functions_and_pseudoscalars_do_not_mix():
    functions, pseudoscalars = (Sphere(3, group="O(3)").fields(text) for text in ("1x0e", "2x0o"))
    with pytest.raises(ValueError, match="^out_type: there is no equivariant map but zero"):
        SphereConv(functions, pseudoscalars)
    with pytest.warns(UserWarning, match="no kernel ends in 0o"):
        conv = SphereConv(functions, functions + pseudoscalars)
    assert conv.bias.shape == (1,) and SphereConv(pseudoscalars, pseudoscalars).bias is None


class _Without(torch.nn.Module):
    """A layer of SO(3), said to commute with O(3)."""

    def __init__(self, x, y, generator):
        super().__init__()
        plain = (Sphere(4).fields(str(t).replace("e", "").replace("0o", "0")) for t in (x, y))
        self.call = SphereConv(*plain, generator=generator).double().forward
        self.in_type, self.out_type = x, y

    def forward(self, x):
        return self.call(x)


def test_a_layer_without_mirrors_fails(generator):
    """Negative control: what commutes with rotations need not commute with mirrors."""
    sphere = Sphere(4, group="O(3)")
    for text_in, text_out in (("1x1", "1x1"), ("1x0e", "1x1"), ("1x0o + 1x0e", "1x0e")):
        wrong = _Without(sphere.fields(text_in), sphere.fields(text_out), generator)
        elements = _mixed(2, generator)
        errors = [equivariance_error(wrong, elements=g[None]).max for g in elements]
        assert errors[0] < SYMMETRY and errors[1] > 0.1


def test_a_constant_goes_to_functions_only(generator):
    x, y = (Sphere(4, group="O(3)").fields(text) for text in ("1x1", "1x0o + 2x0e + 1x0o"))
    conv = SphereConv(x, y, generator=generator).double()
    torch.nn.init.constant_(conv.bias, 3.0)
    made = conv(torch.zeros(x.shape(1), dtype=F64))
    expected = torch.tensor([0.0, 3.0, 3.0, 0.0], dtype=F64)[:, None, None].expand(made.shape)
    assert_close(made, expected, SYMMETRY)
    assert equivariance_error(conv, elements=_mixed(2, generator)).max < SYMMETRY


# --- fields with names ----------------------------------------------------------------------------

NAMED = {
    "Gradient": ("2x0e", "2x1"),
    "SkewGradient": ("2x0o", "2x1"),
    "Divergence": ("2x1", "2x0e"),
    "Curl": ("2x1", "2x0o"),
    "Laplacian": ("1x0o + 1x0e", "1x0o + 1x0e"),
    "InverseLaplacian": ("2x2", "2x2"),
    "Helmholtz": ("2x1", "2x0e + 2x0o"),
    "Eth": ("2x0e", "2x1"),
    "EthBar": ("2x1", "2x0e + 2x0o"),
    "EBModes": ("2x2", "2x0e + 2x0o"),
    "FromEBModes": ("2x0e + 2x0o", "2x2"),
}


@over("name", NAMED)
def test_operators_know_what_is_odd(name, generator):
    """They are the operators of SO(3); of pairs all functions come first, then the others."""
    given, expected = (SPHERE.fields(text) for text in NAMED[name])
    kind = getattr(enn, name)
    operator = kind(given).double()
    assert operator.out_type == expected
    x = random_field(given, 1, generator=generator, dtype=F64)
    paired = torch.tensor([0, 2, 1, 3])  # between (f, f, g, g) and (f, g, f, g)
    plain = kind(Sphere(BAND).fields(str(given).replace("0e", "0").replace("0o", "0"))).double()
    if name == "FromEBModes":
        assert torch.equal(operator(x), plain(x[:, paired]))
    elif expected == SPHERE.fields("2x0e + 2x0o"):
        assert torch.equal(operator(x), plain(x)[:, paired])
    else:
        assert torch.equal(operator(x), plain(x))
    assert equivariance_error(operator, elements=_mixed(2, generator)).max < SYMMETRY


@over(
    "name, text, message",
    [
        ("Gradient", "2x0o", "functions, such as 4x0e"),
        ("Gradient", "2x1", "functions, such as 4x0e"),
        ("SkewGradient", "1x0e", "pseudoscalars, such as 4x0o"),
        ("Eth", "1x0e + 1x0o", "functions, such as 4x0e"),
        ("FromEBModes", "2x0e", "functions and as many pseudoscalars, such as 4x0e"),
        ("FromEBModes", "1x0o + 1x0e", "functions and as many pseudoscalars"),
    ],
)
def test_operators_refuse_the_other_parity(name, text, message):
    with pytest.raises(ValueError, match=f"^in_type: expected {message}"):
        getattr(enn, name)(SPHERE.fields(text))


def test_winds_in_a_looking_glass(generator):
    """The array with its longitudes backwards and u of the other sign is the mirrored wind."""
    rings = equiangular(13, 24, poles=True)
    sample = Sample(rings, Sphere(6, gauss(8), group="O(3)").fields("1x1")).double()
    u, v = torch.randn(2, 1, 1, 13, 24, generator=generator, dtype=F64)
    u[:, :, [0, -1]] = v[:, :, [0, -1]] = 0
    backwards = -torch.arange(24) % 24
    wind, other = (
        sample(from_winds(*pair)) for pair in ((u, v), (-u[..., backwards], v[..., backwards]))
    )
    assert_close(act(sample.out_type, MIRROR, wind), other, SYMMETRY)
    curl = enn.Curl(sample.out_type).double()
    assert_close(act(curl.out_type, MIRROR, curl(wind)), curl(other), SYMMETRY)


# --- a network, and what is refused ---------------------------------------------------------------


def test_a_network_that_mirrors_leave_in_the_middle(generator):
    """All of O(3) in front; of the whole, with functions on SO(3) behind, SO(3) is left."""
    sphere = Sphere(5, gauss(10), group="O(3)")
    x, h = sphere.fields("1x0e + 1x1"), sphere.fields("3x0e + 2x0o + 2x1")
    wide, norms = enn.gated(h), enn.NormPool(h)
    front = enn.Sequential(
        enn.SphereConv(x, wide, generator=generator),
        enn.BatchNorm(wide),
        enn.Gate(h),
        enn.SphereConv(h, h, generator=generator),
        norms,
        enn.Integrate(norms.out_type),
    ).eval()
    assert equivariance_error(front.double(), elements=_mixed(2, generator), band=2).max < 0.01
    down = enn.Restrict(h, "SO(3)")
    assert down.out_type == Sphere(5, gauss(10)).fields("3x0 + 2x0 + 2x1")
    lift = enn.SphereConv(down.out_type, Sphere(4).fields("2x regular"), generator=generator)
    whole = enn.Sequential(enn.SphereConv(x, h, generator=generator), down, lift).double()
    assert equivariance_error(whole).max < SYMMETRY


@over(
    "make, message",
    [
        (
            lambda: Sphere(3, group="C4"),
            r"^group: expected SO\(3\) or O\(3\) over a sphere, got C4",
        ),
        (lambda: SPHERE.fields("1x regular"), "^blocks: expected irreps, such as 4x0e"),
        (lambda: SPHERE.fields("1x0"), "got '0'; did you mean 0e or 0o"),
        (lambda: SphereConv(KINDS, Sphere(3).fields("1x0")), "^out_type: expected a sphere on wh"),
        (lambda: enn.Downsample(KINDS, sphere=Sphere(3)), "^sphere: expected a sphere on which O"),
        (lambda: enn.Restrict(KINDS, "C4"), r"^subgroup: expected SO\(3\) over Sphere"),
        (lambda: enn.Integrate(SPHERE.fields("1x0o")), "needs fields with an invariant vector"),
        (lambda: enn.ReLU(SPHERE.fields("1x0o")), "change their sign, so they need an odd"),
        (
            lambda: SphereConv(KINDS, SPHERE.fields("1x0o"), relu=True),
            "^out_type: relu needs trivial, regular",
        ),
        (
            lambda: enn.SphereAttention(KINDS, SPHERE.fields("2x0e + 1x1 + 1x2")),
            "^out_type: expected fields of the spins of in_type, .0e, 0o, 1, 2",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_value():
    sphere = Sphere(4, gauss(6), group=o3())
    assert sphere != Sphere(4, gauss(6)) and hash(sphere) == hash(Sphere(4, gauss(6), "O(3)"))
    assert sphere.at(3, gauss(3)).group == o3() and sphere.restrict(Sphere(2).group) == Sphere(
        4, gauss(6)
    )
    assert eval(repr(sphere), {"Sphere": Sphere, "gauss": gauss}) == sphere
    assert math.prod(sphere.fields("1x0o + 1x1").shape(2)) == 2 * 3 * 6 * 12
