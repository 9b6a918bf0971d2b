"""Every layer of the smaller libraries is converted, or refused with what is nearest."""

import pytest
import torch

from equinet.convert import from_s2cnn, from_se3cnn, from_torch_harmonics
from tests.over import over
from tests.peers.classes import CLASSES

CONVERTERS = {
    "s2cnn": (from_s2cnn, {"S2Convolution", "SO3Convolution", "SO3Shortcut"}),
    "se3cnn": (from_se3cnn, {"SE3Convolution", "SE3ConvolutionTranspose"}),
    "torch_harmonics": (from_torch_harmonics, set()),
}


@over("library, name", [(library, name) for library in CONVERTERS for name in CLASSES[library]])
def test_every_class(library, name):
    """One that is converted lacks here what a converter asks for."""
    convert, converted = CONVERTERS[library]
    theirs = type(name, (torch.nn.Module,), {"__module__": f"{library}.layers"})()
    if name in converted:
        with pytest.raises(AttributeError):
            convert(theirs)
        return
    with pytest.raises(TypeError, match=f": expected .*, got {name}; ") as caught:
        convert(theirs)
    assert "guide/converters.md#what-has-no-equal" in str(caught.value)
    below = type("Mine", (type(theirs),), {"__module__": "mine"})()
    with pytest.raises(TypeError, match="got Mine; "):
        convert(below)


@over("library", CONVERTERS)
def test_what_is_of_no_library(library):
    """A network of layers names those that it has."""
    convert, converted = CONVERTERS[library]
    with pytest.raises(TypeError, match="got Linear; see http"):
        convert(torch.nn.Linear(1, 1))
    for name in converted:
        inside = type(name, (torch.nn.Module,), {"__module__": library})()
        with pytest.raises(TypeError, match="hand over its layers one by one: 0; see"):
            convert(torch.nn.Sequential(inside))
