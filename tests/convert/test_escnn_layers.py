"""Layers of escnn without filters, with what escnn gave for them, and every class of it by name."""

import copy
import pickle

import pytest
import torch

from equinet import nn
from equinet.convert import from_escnn
from equinet.convert.escnn import is_known
from equinet.testing import assert_equivariant
from tests.convert.escnn_restored import restored
from tests.convert.escnn_stand_ins import as_peer
from tests.over import over
from tests.peers.classes import CLASSES
from tests.peers.escnn_layers import EVALUATED
from tests.tolerances import assert_close

LAYERS = restored()
SINGLE = 1e-5  # float32, of the largest output


@over("name", LAYERS)
def test_outputs_are_equal(name):
    make, x, y = LAYERS[name]
    ours = from_escnn(make())
    bound = SINGLE * float(y.abs().max())
    assert_close(ours(x), y, bound)
    assert not ours.training and {p.dtype for p in ours.parameters()} <= {torch.float32}
    assert_close(pickle.loads(pickle.dumps(ours))(x), y, bound)
    learned = [p for p in ours.parameters() if p.requires_grad]
    if learned:  # the negative control
        with torch.no_grad():
            learned[0].view(-1)[0] += 1
        assert (ours(x) - y).abs().max() > bound
    elif "Identity" not in name and "Dropout" not in name and "Restriction" not in name:
        assert ours(x).shape != x.shape or (ours(x) - x).abs().max() > bound


OWN = ("Gated", "Induced", "NormNon", "GNorm", "Multiple", "Disentangle", "Reshuffle", "Mask")


@over("name", [n for n in LAYERS if n.startswith("D4") and any(part in n for part in OWN)])
def test_what_comes_out_is_equivariant(name):
    """For all of D4 on the grid, whose symmetries its are; types are those that escnn says."""
    theirs = LAYERS[name][0]()
    ours = from_escnn(theirs).double()
    assert_equivariant(ours, sizes=(7, 7))
    reps = theirs.out_type.representations
    assert [rho.size for rho in reps] == [
        rho.dim for mul, rho in ours.out_type.blocks for _ in range(mul)
    ]


@over("name", [name for name in LAYERS if name.split(": ")[1].startswith(EVALUATED)])
def test_what_differs_in_training_is_refused_there(name):
    theirs = LAYERS[name][0]()
    with pytest.raises(ValueError, match="^module: expected .* in evaluation mode, got one in tr"):
        from_escnn(theirs.train())
    assert from_escnn(theirs.eval()).train().training


def test_a_network_is_one_of_ours():
    """Types meet from layer to layer, and what is fixed stays so."""
    make, x, y = LAYERS["D4: SequentialModule"]
    ours = from_escnn(make())
    kinds = [type(part).__name__ for part in ours]
    assert kinds == ["Masked", "Conv2d", "BatchNorm", "ReLU", "Downsample", "Linear"]
    assert not any(p.requires_grad for p in ours[-1].parameters())
    twin = copy.deepcopy(ours).double()
    assert_close(twin(x.double()).float(), y, SINGLE * float(y.abs().max()))
    parts = from_escnn(LAYERS["D4: MultipleModule"][0]())
    assert isinstance(parts, nn.Concat)
    with pytest.raises(ValueError, match=r"^x: expected sizes \(7, 7\), those of the mask, got"):
        ours[0](torch.zeros(1, 1, 5, 5))


# --- every class ----------------------------------------------------------------------------------


@over("library", ["escnn", "e2cnn"])
def test_every_class_is_converted_or_refused_by_name(library):
    for name in CLASSES[library]:
        theirs = type(name, (torch.nn.Module,), {"__module__": f"{library}.nn"})()
        if is_known(name):
            continue
        with pytest.raises(TypeError, match=f"^module: expected a layer of .*, got {name}; ") as e:
            from_escnn(theirs)
        assert "guide/converters.md#what-has-no-equal" in str(e.value)
    assert sum(map(is_known, CLASSES[library])) > len(CLASSES[library]) - 12


def test_what_is_no_layer_of_theirs():
    for module in (torch.nn.ReLU(), None, "R2Conv"):
        with pytest.raises(TypeError, match=f"got {type(module).__name__}; see http"):
            from_escnn(module)
    own = as_peer("EquivariantModule", torch.nn.Module)
    mine = type("Mine", (type(own),), {"__module__": "mine"})()
    mine.first, mine.second = LAYERS["D4: ReLU"][0](), torch.nn.ReLU()
    with pytest.raises(TypeError, match="got Mine; hand over its layers one by one: first; see"):
        from_escnn(mine)


@over(
    "name, attributes, message",
    [
        ("D4: Upsampling", {"_scale_factor": 1.5}, "expected a scale_factor that is an integer"),
        ("D4: Upsampling", {"_align_corners": True}, "expected a scale_factor that is an integer"),
        ("D4: NormMaxPool", {"dilation": (2, 2)}, "expected dilation 1"),
        ("D4: NormNonLinearity, n_relu", {"_function": torch.cos}, "expected NormNonLinearity of"),
        ("D4: ReLU", {"__class__": "PointwiseNonLinearity", "_function": torch.cos}, "expected Po"),
        ("C8: IIDBatchNorm2d", {"track_running_stats": False}, "expected track_running_stats=Tr"),
    ],
)
def test_what_has_no_equal(name, attributes, message):
    theirs = LAYERS[name][0]()
    for key, value in attributes.items():
        if key == "__class__":
            theirs.__class__ = type(value, (torch.nn.Module,), {"__module__": "escnn"})
        else:
            setattr(theirs, key, value)
    with pytest.raises(ValueError, match=f"^module: {message}"):
        from_escnn(theirs)


def test_squash_has_no_bias():
    theirs = LAYERS["D4: NormNonLinearity, squash"][0]()
    theirs.log_bias = torch.zeros(1, 5, 1, 1)
    with pytest.raises(ValueError, match="^module: expected bias=False with the function 'squash'"):
        from_escnn(theirs)


def test_an_output_that_is_not_ours_is_refused():
    theirs = LAYERS["D4: ReLU"][0]()
    theirs.out_type = LAYERS["D4: NormPool"][0]().in_type
    with pytest.raises(ValueError, match="^module: expected fields .* to come out, as here, got"):
        from_escnn(theirs)
