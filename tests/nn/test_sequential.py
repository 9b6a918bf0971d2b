"""Modules in a row."""

from collections import OrderedDict

import pytest
import torch

from equinet import FieldType, Sphere, so2
from equinet.nn import BatchNorm, Integrate, ReLU, Sequential, SphereConv
from equinet.rep import trivial
from tests.field.test_field_type import Ring

SPHERE = Sphere(4)
X = SPHERE.fields("1x trivial")
H = SPHERE.at(3).fields("2x regular")


def test_types_are_those_of_the_ends():
    net = Sequential(SphereConv(X, H), ReLU(H), Integrate(H), torch.nn.Linear(2, 3))
    assert net.in_type == X and net.out_type is None
    assert Sequential(SphereConv(X, H), torch.nn.Identity()).out_type == H
    assert Sequential(torch.nn.Identity(), ReLU(H)).in_type == H
    plain = Sequential(torch.nn.Linear(2, 3))
    assert plain.in_type is None and plain.out_type is None
    assert Sequential().in_type is None and Sequential().out_type is None


def test_it_computes_what_torchs_does(generator):
    parts = SphereConv(X, H), BatchNorm(H), ReLU(H), Integrate(H), torch.nn.Linear(2, 3)
    net = Sequential(*parts).eval()
    x = torch.randn(X.shape(2), generator=generator)
    assert torch.equal(net(x), torch.nn.Sequential(*parts)(x))
    assert list(net.state_dict()) == list(torch.nn.Sequential(*parts).state_dict())
    assert isinstance(net, torch.nn.Sequential) and len(net) == 5


def test_named_nested_and_sliced():
    inner = Sequential(OrderedDict(conv=SphereConv(X, H), relu=ReLU(H)))
    assert inner.conv is inner[0]
    outer = Sequential(inner, BatchNorm(H), Integrate(H))
    assert outer.in_type == X and outer.out_type is None
    assert outer[1:].in_type == H and outer[:2].out_type == H
    with pytest.raises(
        ValueError, match=r"^module 1 \(Sequential\): expected .*1x trivial.* got .*regular"
    ):
        Sequential(BatchNorm(H), inner).forward  # noqa: B018
    with pytest.raises(ValueError, match=r"^module second \(ReLU\)"):
        Sequential(OrderedDict(first=SphereConv(X, H), second=ReLU(X)))


def test_plain_parts_are_no_ends():
    """A nested row without types of its own is passed over."""
    plain = Sequential(torch.nn.Identity())
    net = Sequential(plain, ReLU(H), plain)
    assert net.in_type == H and net.out_type == H
    with pytest.raises(ValueError, match="^module 2"):
        Sequential(ReLU(H), plain, ReLU(X))


def test_other_fields_are_refused():
    """The message says what would mend it."""
    with pytest.raises(ValueError) as caught:
        Sequential(SphereConv(X, H), ReLU(SPHERE.at(3).fields("3x regular")))
    assert str(caught.value) == (
        "module 1 (ReLU): expected Sphere(band=3).fields('3x regular'), got "
        "Sphere(band=3).fields('2x regular') from SphereConv; put a convolution from "
        "Sphere(band=3).fields('2x regular') to Sphere(band=3).fields('3x regular') between them"
    )


def test_another_band_is_refused():
    with pytest.raises(ValueError) as caught:
        Sequential(SphereConv(X, H), torch.nn.Identity(), ReLU(SPHERE.fields("2x regular")))
    message = str(caught.value)
    assert message.startswith("module 2 (ReLU): expected Sphere(band=4)")
    assert message.endswith("let both be sampled at one band, Sphere(band=3) or Sphere(band=4)")


def test_fields_after_the_pooling_are_refused():
    with pytest.raises(ValueError, match=r"got plain vectors from Integrate.*before the pooling"):
        Sequential(ReLU(H), Integrate(H), torch.nn.Linear(2, 2), ReLU(H))


def test_fields_over_another_space_are_refused():
    ring = FieldType(Ring(), ((2, trivial(so2())),))
    with pytest.raises(ValueError, match=r"expected Ring\(size=8\).* got Sphere\(band=4\)"):
        Sequential(ReLU(X), ReLU(ring))


def test_what_is_added_later_is_compared_too():
    for add in (
        lambda net: net.append(ReLU(X)),
        lambda net: net.extend([ReLU(X)]),
        lambda net: net.insert(0, ReLU(H)),
    ):
        with pytest.raises(ValueError, match="expected Sphere"):
            add(Sequential(SphereConv(X, H), ReLU(H)))
    net = Sequential(SphereConv(X, H))
    assert net.append(ReLU(H)).out_type == H


def test_a_module_that_is_refused_stays_outside():
    net = Sequential(SphereConv(X, H), ReLU(H))
    before = list(net.named_children())
    for change in (
        lambda: net.append(BatchNorm(X)),
        lambda: net.insert(0, Integrate(H)),
        lambda: net.__setitem__(1, BatchNorm(X)),
    ):
        with pytest.raises(ValueError, match="^module"):
            change()
        assert list(net.named_children()) == before and net.out_type == H
