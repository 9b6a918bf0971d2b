"""The check itself: it is zero where it must be, it can fail, and it leaves no trace."""

import pytest
import torch

from equinet import Sphere, nn, so3
from equinet.field import FieldAnalysis, FieldSynthesis, act, random_field
from equinet.testing import EquivarianceError, assert_equivariant, equivariance_error
from tests.tolerances import ROUNDING, assert_close

X = Sphere(4).fields("1x trivial")
V = Sphere(4).fields("1x1")
H = Sphere(4).fields("2x regular")


def _conv(in_type=X, out_type=H):
    return nn.SphereConv(in_type, out_type, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("field_type", [X, V, H], ids=str)
def test_the_identity_has_no_error(field_type):
    error = equivariance_error(torch.nn.Identity(), field_type, field_type)
    assert error.errors.shape == (5,) and error.max < 1e-6
    assert equivariance_error(torch.nn.Identity().double(), field_type, field_type).mean < 1e-6


def test_a_planar_convolution_is_not_equivariant():
    """Negative control: Conv2d on the array of beta and alpha knows nothing of the sphere."""
    planar = torch.nn.Conv2d(1, 1, 3, padding=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        planar.reset_parameters()
    for module in (planar, planar.double()):
        with pytest.raises(AssertionError, match="Conv2d is not equivariant within .*: relative"):
            assert_equivariant(module, X, X)
    assert equivariance_error(planar, X, X).mean > 0.1


def test_the_error_is_its_definition():
    """||Phi(g f) - g Phi(f)|| / ||Phi(f)||, for elements that are given."""
    g = so3().sample(2, generator=torch.Generator().manual_seed(5))
    module = torch.nn.Hardtanh(-0.5, 0.5).double()
    module.register_buffer("any", torch.zeros(1, dtype=torch.float64))  # tells its dtype
    error = equivariance_error(module, V, V, elements=g, batch=3, seed=1)
    f = random_field(V, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = module(f)
    expected = [(module(act(V, e, f)) - act(V, e, y)).norm() / y.norm() for e in g]
    assert_close(error.errors, torch.stack(expected), ROUNDING)
    assert torch.equal(error.elements, g)
    assert error.max == float(error.errors.max()) and error.mean == float(error.errors.mean())


def test_elements_are_generic():
    """No axis is the pole, none lies on the grid, and the seed draws them."""
    first, same, other = (equivariance_error(_conv(), seed=seed).elements for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
    axis = torch.stack([first[:, 2, 1], first[:, 0, 2], first[:, 1, 0]], 1) - torch.stack(
        [first[:, 1, 2], first[:, 2, 0], first[:, 0, 1]], 1
    )
    assert (axis / axis.norm(dim=1, keepdim=True))[:, 1].abs().max() < 0.99
    assert equivariance_error(_conv(), count=3).errors.shape == (3,)


def test_types_come_from_the_module_or_the_user():
    assert equivariance_error(_conv().double()).max < 1e-10
    assert equivariance_error(_conv().double(), X, H).max < 1e-10
    assert equivariance_error(_conv().double(), X).max < 1e-10  # the rest the module knows
    pooled = nn.Sequential(_conv(), nn.Integrate(H)).double()
    assert equivariance_error(pooled).max < 1e-10


def test_a_users_own_network():
    """Any torch.nn.Module: a function of the integral is invariant, of one pixel it is not."""

    class Own(torch.nn.Module):
        def __init__(self, integrate):
            super().__init__()
            self.pool = nn.Integrate(X)
            self.head = torch.nn.Linear(1, 3)
            self.integrate = integrate

        def forward(self, x):
            return self.head(self.pool(x) if self.integrate else x[:, :, 2, 3]).tanh()

    assert_equivariant(Own(True).double(), X, tolerance=1e-10)
    with pytest.raises(AssertionError, match="Own is not equivariant"):
        assert_equivariant(Own(False), X)


def test_wrong_types_show():
    """Components that are said to be functions do not turn as functions do."""
    twisted = Sphere(4).fields("2x0")
    assert equivariance_error(_conv(X, V), X, V).max < 1e-4
    assert equivariance_error(_conv(X, V), X, twisted).max > 0.1


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_left_as_it_was(fails):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = nn.BatchNorm(X), torch.nn.Dropout(0.5)

        def forward(self, x):
            assert not self.norm.training and not self.drop.training and not torch.is_grad_enabled()
            if fails:
                raise RuntimeError("on purpose")
            return self.drop(self.norm(x))

    net = Net().train()
    net.norm.eval()  # as users do who freeze it
    before = {name: value.clone() for name, value in net.state_dict().items()}
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            equivariance_error(net, X, X)
    else:
        assert equivariance_error(net, X, X).max < 1e-4  # no dropout
    assert net.training and net.drop.training and not net.norm.training
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_the_random_state_is_left_as_it_was():
    state = torch.random.get_rng_state()
    equivariance_error(_conv())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_output_that_vanishes_is_refused():
    class Zero(torch.nn.Module):
        def forward(self, x):
            return 0 * x

    with pytest.raises(ValueError, match="^module: its output vanishes"):
        equivariance_error(Zero(), X, X)


def test_nan_is_no_pass():
    class Broken(torch.nn.Module):
        def forward(self, x):
            return torch.where(x > 0, x, torch.nan)

    with pytest.raises((AssertionError, ValueError)):
        assert_equivariant(Broken(), X, X)


def test_without_a_type():
    for given in (None, "1x0"):
        with pytest.raises(ValueError, match="^in_type: expected a FieldType.* Identity .*got"):
            equivariance_error(torch.nn.Identity(), given)


def test_elements_that_are_none():
    with pytest.raises(ValueError, match="expected elements of SO"):
        equivariance_error(_conv(), elements=-torch.eye(3)[None])


class Bent(torch.nn.Module):
    """The identity and a little that does not commute; a parameter or a buffer has its dtype."""

    def __init__(self, size, kind):
        super().__init__()
        one = torch.ones(1, dtype=torch.float64)
        if kind == "parameter":
            self.one = torch.nn.Parameter(one)
        else:
            self.register_buffer("one", one)
        self.register_buffer("ramp", size * torch.linspace(-1, 1, 8, dtype=torch.float64)[:, None])

    def forward(self, x):
        return x * self.one + x * self.ramp


@pytest.mark.parametrize("kind", ["parameter", "buffer"])
@pytest.mark.parametrize(
    ("dtype", "passes", "fails"),
    [(torch.float64, 1e-11, 1e-8), (torch.float32, 1e-6, 1e-2), (torch.bfloat16, 1e-6, 0.5)],
    ids=str,
)
def test_the_tolerance_follows_the_dtype(kind, dtype, passes, fails):
    assert_equivariant(Bent(passes, kind).to(dtype), X, X)
    with pytest.raises(AssertionError, match="Bent is not equivariant within"):
        assert_equivariant(Bent(fails, kind).to(dtype), X, X)


def test_a_tolerance_of_ones_own():
    assert_equivariant(Bent(0.01, "buffer"), X, X, tolerance=0.1)
    with pytest.raises(AssertionError, match="within 0.0001"):
        assert_equivariant(Bent(0.01, "buffer"), X, X, tolerance=1e-4)


def test_nonlinear_modules_get_room():
    """Below the band for the degrees of products, and in the tolerance for the rest."""
    net = nn.Sequential(_conv(), nn.ReLU(H)).double()
    assert 1e-3 < assert_equivariant(net).max < 0.3
    assert equivariance_error(net, band=4).max > equivariance_error(net, band=2).max


def test_band_of_the_fields():
    """A fault that shows on degrees l >= 2 only is not seen by fields of lower band."""

    class Faulty(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.analysis, self.synthesis = FieldAnalysis(X, 2), FieldSynthesis(X, 2)

        def forward(self, x):
            low = self.synthesis(self.analysis(x), len(x))
            return low + (x - low).abs() * torch.arange(8)

    assert equivariance_error(Faulty().double(), X, X, band=2).max < 1e-10
    assert equivariance_error(Faulty().double(), X, X).max > 0.1


def test_it_says_what_it_found():
    error = assert_equivariant(_conv())
    assert isinstance(error, EquivarianceError)
    text = str(error)
    assert "max" in text and "mean" in text and "over 5 group elements" in text
    assert f"{error.max:.2e}" in text
