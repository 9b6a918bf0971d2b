"""Differential operators on the sphere: closed forms by SymPy, and what holds between them."""

import math

import pytest
import sympy
import torch

from equinet import Plane, Sphere
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import equiangular, gauss, octahedral, s2_fft, s2_ifft, soft
from equinet.numerics import soft_angles
from equinet.transforms import from_winds, to_winds
from tests.harmonics.direct import textbook_D
from tests.over import over
from tests.tolerances import CONDITION, DERIVATIVE, ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
BAND, RADIUS = 6, 2.5
BETA, ALPHA = sympy.symbols("beta alpha")
SPHERE = Sphere(BAND)
FUNCTIONS, VECTORS = SPHERE.fields("1x0"), SPHERE.fields("1x1")

# Real functions with degrees up to 4, and none of them alone.
PHI = sympy.cos(BETA) ** 3 + sympy.sin(BETA) ** 2 * sympy.cos(2 * ALPHA) * sympy.cos(BETA)
PSI = sympy.sin(BETA) * sympy.sin(ALPHA) + sympy.sin(BETA) ** 4 * sympy.cos(4 * ALPHA - 1) / 3


def sampled(*expressions):
    """As the channels of one field, ``(1, channels, 2b, 2b)``."""
    beta, alpha = torch.meshgrid(*soft_angles(BAND), indexing="ij")
    values = [
        sympy.lambdify((BETA, ALPHA), f, "numpy")(beta.numpy(), alpha.numpy()) for f in expressions
    ]
    return torch.stack([torch.as_tensor(x).expand(beta.shape) for x in values])[None]


def gradient(f):
    """Its components to the south and to the east."""
    return [f.diff(BETA) / RADIUS, f.diff(ALPHA) / sympy.sin(BETA) / RADIUS]


def laplacian(f):
    s = sympy.sin(BETA)
    return ((s * f.diff(BETA)).diff(BETA) / s + f.diff(ALPHA, 2) / s**2) / RADIUS**2


def divergence(a, b):
    s = sympy.sin(BETA)
    return ((s * a).diff(BETA) + b.diff(ALPHA)) / s / RADIUS


def curl(a, b):
    s = sympy.sin(BETA)
    return ((s * b).diff(BETA) - a.diff(ALPHA)) / s / RADIUS


(_A, _B), (_C, _D) = gradient(PHI), gradient(PSI)
WIND = (_A - _D, _B + _C)  # grad PHI + n x grad PSI

CLOSED = {
    "Gradient": (enn.Gradient, [PHI], gradient(PHI)),
    "SkewGradient": (enn.SkewGradient, [PSI], [-_D, _C]),
    "Divergence": (enn.Divergence, WIND, [divergence(*WIND)]),
    "Curl": (enn.Curl, WIND, [curl(*WIND)]),
    "Laplacian": (enn.Laplacian, [PHI], [laplacian(PHI)]),
    "InverseLaplacian": (enn.InverseLaplacian, [laplacian(PHI)], [PHI]),
    "Helmholtz": (enn.Helmholtz, WIND, [PHI, PSI]),
    "Eth": (enn.Eth, [PHI], [-f for f in gradient(PHI)]),
    "EthBar": (enn.EthBar, WIND, [-divergence(*WIND), -curl(*WIND)]),
}


@over("name", CLOSED)
def test_closed_forms(name):
    """With u and v, or the two functions, exchanged the values are others."""
    kind, given, expected = CLOSED[name]
    operator = kind(VECTORS if len(given) == 2 else FUNCTIONS, radius=RADIUS).double()
    assert_close(operator(sampled(*given)), sampled(*expected), CONDITION)
    unit = kind(operator.in_type).double()
    with pytest.raises(AssertionError):
        assert_close(unit(sampled(*given)), sampled(*expected), 1e-3)
    if len(given) == 2:
        with pytest.raises(AssertionError):
            assert_close(operator(sampled(*given[::-1])), sampled(*expected), 1e-3)


def test_closed_forms_in_the_names_of_meteorology(generator):
    """The vorticity of (u, v), and the wind of a stream function, by latitude and longitude."""
    south, east = WIND
    u, v = sampled(east), sampled(-south)
    x = from_winds(u, v)
    vorticity = enn.Curl(VECTORS, radius=RADIUS).double()(x)
    assert_close(vorticity, sampled(laplacian(PSI)), CONDITION)
    u, v = to_winds(enn.SkewGradient(FUNCTIONS).double()(sampled(PSI)))
    assert_close(u, sampled(PSI.diff(BETA)), CONDITION)  # -d psi / d latitude
    assert_close(v, sampled(PSI.diff(ALPHA) / sympy.sin(BETA)), CONDITION)


GRIDS = [
    soft(BAND),
    gauss(BAND),
    equiangular(2 * BAND - 1, 2 * BAND - 1, poles=True),
    equiangular(2 * BAND, 4 * BAND, poles=False),
    octahedral(8),
]


@over("rings", GRIDS)
def test_on_any_grid(rings, generator):
    """The gradient of a . x is what of a lies along the sphere; the curl of a x x is 2 a . x."""
    sphere = Sphere(3, rings)
    beta, alpha = sphere.angles()
    zero = torch.zeros_like(beta)
    normal = sphere.positions()
    south = torch.stack([beta.cos() * alpha.sin(), -beta.sin(), beta.cos() * alpha.cos()], -1)
    east = torch.stack([alpha.cos(), zero, -alpha.sin()], -1)
    a = torch.randn(3, generator=generator, dtype=F64)
    wind = torch.stack([south @ a, east @ a])[None]
    functions, vectors = sphere.fields("1x0"), sphere.fields("1x1")
    found = enn.Gradient(functions).double()((normal @ a)[None, None])
    assert_close(found, wind, ROUNDING)
    velocity = torch.linalg.cross(a.expand_as(normal), normal)
    u, v = ((velocity * axis).sum(-1)[None, None] for axis in (east, -south))
    wind = from_winds(u, v)
    curl, divergence = (kind(vectors).double()(wind) for kind in (enn.Curl, enn.Divergence))
    assert_close(curl[0, 0], 2 * normal @ a, ROUNDING)
    assert_close(divergence[0, 0], zero, ROUNDING)


@pytest.mark.parametrize("spin", [0, 1, 2, 3])
def test_eth_by_finite_differences(spin, generator):
    """-(d/d beta +- i / sin beta d/d alpha -+ s cot beta) of a series at a point."""
    band, h = 5, 1e-5
    rows = band**2 - spin**2
    spectrum = torch.randn(2, rows, generator=generator, dtype=F64)
    f = torch.complex(*spectrum)
    if spin == 0:  # of a real function
        f = s2_fft(s2_ifft(f, band).real)
    beta, alpha = soft_angles(band)
    j, k = 3, 4

    def series(db=0.0, da=0.0):
        b, a = beta[j] + db, alpha[k] + da
        columns = [
            (2 * l + 1) * textbook_D(l, a, b, torch.zeros((), dtype=F64))[..., l + spin]
            for l in range(spin, band)
        ]
        return (torch.cat(columns) * f).sum()

    along_beta = (series(db=h) - series(db=-h)) / (2 * h)
    along_alpha = (series(da=h) - series(da=-h)) / (2 * h) / beta[j].sin()
    cot = series() * spin / beta[j].tan()
    signal = s2_ifft(f, band, spin=spin)
    x = torch.stack([signal.real, signal.imag][: 2 if spin else 1])[None]
    fields = Sphere(band).fields(f"1x{spin}")
    raised = enn.Eth(fields).double()(x)[0, :, j, k]
    expected = -(along_beta + 1j * along_alpha - cot)
    assert_close(torch.complex(*raised), expected, 10 * DERIVATIVE)
    if spin:
        lowered = enn.EthBar(fields).double()(x)[0, :, j, k]
        assert_close(
            torch.complex(*lowered), -(along_beta - 1j * along_alpha + cot), 10 * DERIVATIVE
        )


@pytest.mark.parametrize("spin", [0, 1, 2])
def test_what_holds_between_them(spin, generator):
    fields = SPHERE.fields(f"2x{spin}")
    x = random_field(fields, 2, generator=generator, dtype=F64)

    def of(kind, *args):
        return kind(*args, radius=RADIUS).double()

    laplacian, up = of(enn.Laplacian, fields), of(enn.Eth, fields)
    down_up = of(enn.EthBar, up.out_type)(up(x))
    if spin == 0:
        real, imaginary = down_up[:, ::2], down_up[:, 1::2]
        assert_close(real, laplacian(x), SYMMETRY)
        assert_close(imaginary, torch.zeros_like(x), SYMMETRY)
        found = of(enn.InverseLaplacian, fields)(laplacian(x))
        assert_close(found, x - enn.GlobalAvgPool(fields).double()(x)[..., None, None], SYMMETRY)
        return
    assert_close(of(enn.InverseLaplacian, fields)(laplacian(x)), x, SYMMETRY)
    modes = enn.EBModes(fields).double()
    assert_close(enn.FromEBModes(modes.out_type, spin).double()(modes(x)), x, SYMMETRY)
    if spin == 1:
        parts = of(enn.Helmholtz, fields)(x).unflatten(1, (2, 2)).unbind(2)
        functions = SPHERE.fields("2x0")
        whole = of(enn.Gradient, functions)(parts[0]) + of(enn.SkewGradient, functions)(parts[1])
        assert_close(whole, x, SYMMETRY)
        # The rough Laplacian of vectors: w / r^2 more than grad div w + n x grad curl w.
        div, curl = of(enn.Divergence, fields)(x), of(enn.Curl, fields)(x)
        hodge = of(enn.Gradient, functions)(div) + of(enn.SkewGradient, functions)(curl)
        assert_close(laplacian(x), hodge + x / RADIUS**2, SYMMETRY)
        return
    down = of(enn.EthBar, fields)
    up_down = of(enn.Eth, down.out_type)(down(x))
    assert_close((down_up + up_down) / 2, laplacian(x), SYMMETRY)


def test_blocks_of_one_spin_may_be_apart(generator):
    apart, together = SPHERE.fields("1x1 + 2x1"), SPHERE.fields("3x1")
    x = random_field(together, 2, generator=generator)
    assert torch.equal(enn.Curl(apart)(x), enn.Curl(together)(x))
    assert enn.Laplacian(apart).out_type == apart


def test_modes_keep_the_power(generator):
    """Of E and B together the mean of the squares is that of the field."""
    fields = SPHERE.fields("1x2")
    x = random_field(fields, 1, generator=generator, dtype=F64)
    modes = enn.EBModes(fields).double()(x)
    weights = SPHERE.weights[:, None]
    assert_close((modes**2 * weights).sum(), (x**2 * weights).sum(), SYMMETRY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: enn.Gradient(VECTORS), "^in_type: expected functions, such as 4x0"),
        (lambda: enn.Curl(FUNCTIONS), "^in_type: expected tangent vectors, such as 4x1"),
        (lambda: enn.EthBar(FUNCTIONS), "^in_type: expected fields of a spin >= 1"),
        (lambda: enn.EBModes(SPHERE.fields("1x regular")), "^in_type: expected fields of one spin"),
        (
            lambda: enn.Laplacian(SPHERE.fields("1x0 + 1x1")),
            "^in_type: expected fields of one spin",
        ),
        (
            lambda: enn.Laplacian(Plane("C4").fields("1x0")),
            "^in_type: expected fields over a Sphere",
        ),
        (lambda: enn.FromEBModes(FUNCTIONS), "^in_type: expected pairs of functions"),
        (lambda: enn.FromEBModes(SPHERE.fields("2x0"), 0), "^spin: expected"),
        (lambda: enn.Gradient(FUNCTIONS, radius=0.0), "^radius: expected"),
        (lambda: enn.Eth(Sphere(2).fields("1x1")), "^in_type: expected a band above 2, since Eth"),
    ],
)
def test_what_has_no_derivative(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_earth(generator):
    """Radii as they are: the numbers stay in the range of float32."""
    x = random_field(FUNCTIONS, 1, generator=generator)
    earth = enn.Laplacian(FUNCTIONS, radius=6.371e6)(x) * 6.371e6**2
    assert math.isfinite(float(earth.sum()))
    assert_close(earth, enn.Laplacian(FUNCTIONS)(x), 1e-3)
