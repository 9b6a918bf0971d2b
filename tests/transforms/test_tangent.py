"""Winds and polarisation by name: their frames, told by fields of space that everybody knows."""

import pytest
import torch

from equinet import Sphere, act
from equinet.field import random_field
from equinet.numerics import random_rotations, soft_angles
from equinet.transforms import from_polarisation, from_winds, to_polarisation, to_winds
from tests.tolerances import CONDITION, assert_close

F64 = torch.float64
BAND = 5


def axes():
    """Normal, south and east, from the angles: d x / d beta and d x / d alpha."""
    beta, alpha = torch.meshgrid(*soft_angles(BAND), indexing="ij")
    (sb, cb), (sa, ca) = (beta.sin(), beta.cos()), (alpha.sin(), alpha.cos())
    normal = torch.stack([sb * sa, cb, sb * ca], -1)
    south = torch.stack([cb * sa, -sb, cb * ca], -1)
    east = torch.stack([ca, torch.zeros_like(ca), -sa], -1)
    return normal, south, east


def wind(omega):
    """(u, v) of the rigid rotation omega x point."""
    normal, south, east = axes()
    velocity = torch.linalg.cross(omega.expand_as(normal), normal)
    return (velocity * east).sum(-1)[None, None], (velocity * -south).sum(-1)[None, None]


def polarisation(tensor):
    """(Q, U) of a symmetric tensor of space, in the frame (south, east): Q + iU = T(m, m)."""
    _, south, east = axes()

    def component(a, b):
        return torch.einsum("jai,ik,jak->ja", a, tensor, b)[None, None]

    return component(south, south) - component(east, east), 2 * component(south, east)


@pytest.fixture
def rotation(generator):
    return random_rotations(generator=generator)


def test_winds_turn_as_vectors_of_space(rotation, generator):
    """The rigid rotation about omega becomes the one about R omega."""
    fields = Sphere(BAND).fields("1x1")
    omega = torch.randn(3, generator=generator, dtype=F64)
    (u, v), turned = wind(omega), from_winds(*wind(rotation @ omega))
    assert_close(act(fields, rotation, from_winds(u, v)), turned, CONDITION)
    for x, y in zip(to_winds(turned), wind(rotation @ omega), strict=True):
        assert torch.equal(x, y)
    with pytest.raises(AssertionError):  # with u and v exchanged it is none
        swapped = from_winds(*wind(rotation @ omega)[::-1])
        assert_close(act(fields, rotation, from_winds(v, u)), swapped, 1e-3)


def test_a_wind_from_the_west_blows_along_the_second_channel():
    """The rotation about the pole y, and what moves to the north along the meridian of z."""
    u, v = wind(torch.tensor([0.0, 1.0, 0.0], dtype=F64))
    assert (u > 0).all()
    assert_close(v, torch.zeros_like(v), CONDITION)
    assert torch.equal(from_winds(u, v)[:, 1], u[:, 0])
    _, v = wind(torch.tensor([-1.0, 0.0, 0.0], dtype=F64))
    assert (v[..., 0] > 0).all()  # at alpha = 0, where the normal goes from y to z
    assert torch.equal(from_winds(u, v)[:, 0], -v[:, 0])


def test_polarisation_turns_as_a_tensor_of_space(rotation, generator):
    fields = Sphere(BAND).fields("1x2")
    tensor = torch.randn(3, 3, generator=generator, dtype=F64)
    tensor = tensor + tensor.T
    turned = rotation @ tensor @ rotation.T
    q, u = polarisation(tensor)
    found = act(fields, rotation, from_polarisation(q, u))
    assert_close(found, from_polarisation(*polarisation(turned)), CONDITION)
    iau = act(fields, rotation, from_polarisation(q, -u, "iau"))
    assert torch.equal(iau, found)
    assert torch.equal(to_polarisation(iau, "iau")[1], -to_polarisation(iau)[1])
    with pytest.raises(AssertionError):  # in the other convention it is none
        wrong = act(fields, rotation, from_polarisation(q, u, "iau"))
        assert_close(wrong, from_polarisation(*polarisation(turned), "iau"), 1e-3)


def test_fields_one_behind_the_other(generator):
    """Channels are (field, component), on any axes of points."""
    u, v = torch.randn(2, 2, 3, 7, generator=generator)
    x = from_winds(u, v)
    assert x.shape == (2, 6, 7) and torch.equal(x[:, 4], -v[:, 2]) and torch.equal(x[:, 5], u[:, 2])
    x = random_field(Sphere(BAND).fields("3x1"), 2, generator=generator)
    assert torch.equal(from_winds(*to_winds(x)), x)
    x = random_field(Sphere(BAND).fields("3x2"), 2, generator=generator)
    assert torch.equal(from_polarisation(*to_polarisation(x, "iau"), "iau"), x)


def test_what_is_no_wind():
    u = torch.zeros(2, 1, 6, 6)
    for function, first, second in ((from_winds, "u", "v"), (from_polarisation, "q", "u")):
        with pytest.raises(ValueError, match=rf"^{second}: expected \(2, 1, 6, 6\), as {first}"):
            function(u, u[..., :-1])
        with pytest.raises(ValueError, match=rf"^{first}: expected .*{first}\[None, None\]"):
            function(u[0, 0], u[0, 0])
        with pytest.raises(TypeError, match=f"^{second}: expected torch.float32"):
            function(u, u.double())
        gap = u.clone()
        gap[0, 0, 2] = torch.nan
        with pytest.raises(ValueError, match=f"^{second}: expected finite .* 6 .*nan_to_num"):
            function(u, gap)
    with pytest.raises(ValueError, match=r"^x: expected \(batch, 2 \* fields"):
        to_winds(u)
    with pytest.raises(ValueError, match="^convention: expected 'cosmo' or 'iau'"):
        from_polarisation(u, u, "healpix")
