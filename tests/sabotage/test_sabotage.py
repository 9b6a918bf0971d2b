"""Wrong arguments are refused by name, or lead to a right result: of every public callable."""

import importlib
import time

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equinet.group import cyclic
from tests.sabotage.calls import MAKERS, call, calls, calls_of
from tests.sabotage.wrong import GOOD, outcome, spoilt
from tests.test_api_surface import INVENTORY

# torch's own, where its forward derivatives are first asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

SLOW = settings(max_examples=4000, suppress_health_check=list(HealthCheck))


def _check(case):
    call, argument, wrong = case
    kind, text = outcome(call, argument, wrong.value, wrong.kind)
    assert kind in GOOD, f"{call}: {argument} = {wrong.value!r}: {kind}: {text}"


@pytest.mark.parametrize("package", sorted(MAKERS))
@settings(max_examples=100)
@given(data=st.data())
def test_wrong_arguments(package, data):
    _check(data.draw(spoilt(calls_of(package))))


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(MAKERS))
@SLOW
@given(data=st.data())
def test_many_wrong_arguments(package, data):
    _check(data.draw(spoilt(calls_of(package))))


# Public, and without a call of their own: by the name, or of all of a package.
EXCEPTED = {
    "equinet.nn": "They are in the cases of the laws, which are drawn from.",
    "equinet.plot": "Pictures need matplotlib, and their tests spoil their arguments.",
    "equinet.taxonomy": "It is data, and takes no arguments but rows of its own.",
    **dict.fromkeys(
        "o2 o3 so2 so3 icosahedral octahedral tetrahedral catalogue status".split(),
        "It takes no arguments.",
    ),
    **dict.fromkeys(
        "Axial Cosets DoubleCosets FiniteGroup Group O2 O3 ProductGroup SO2 SO3 Section "
        "CharacterTable DirectionKernels EquatorialFilter HomogeneousKernels Intertwiners "
        "BlurredFilter NearIdentityFilter SampledKernels SmoothFilter SphereKernels TapKernels "
        "Flow HessianSplit Inertia PowerLaw Certificate EquivarianceError LayerCertificate Report "
        "LayerReport Skeleton".split(),
        "It is the result of a function or a layer that has a call; nobody makes one by hand.",
    ),
    **dict.fromkeys(
        "KernelSpace Radial SteeredFunctions SphereFilter Sources".split(), "It is a protocol."
    ),
    "Block": "It is a type of pairs.",
    "Constants": "It is a base class, for those who write modules.",
    "Space": "It is a base class, for those who write spaces.",
    "turn_fibres": "It serves the method ``act`` of a space, whose arguments were checked.",
    **dict.fromkeys(
        "EdgeOrder EdgePlan FieldTables GroupTables IrrepMap LegendrePlan Plan Side SpectrumPlan "
        "SpectrumSide block_matmul chunks edge_harmonics edge_order expand filter_spectrum "
        "irrep_product legendre_analysis legendre_synthesis "
        "s2_analysis s2_coefficients s2_synthesis s2_waves so3_analysis so3_synthesis".split(),
        "Their own tests spoil the tables and the arguments of operators.",
    ),
    **dict.fromkeys(
        "from_data to_atoms to_data".split(),
        "They hand on the tensors of a value, and their own tests spoil their arguments.",
    ),
    **dict.fromkeys(
        "from_escnn from_escnn_type from_se3cnn".split(),
        "They read objects of other libraries, which their own tests spoil.",
    ),
    **dict.fromkeys(
        "load_weights save_weights".split(),
        "They read and write files, which their own tests damage.",
    ),
    "full_precision": "It takes tensors for their device, and is a context.",
    "input_sizes": "It is drawn with the checks that call it.",
}


def _plain(function):
    """The function without what remembers its results."""
    return getattr(function, "__wrapped__", function)


def _missing(found):
    return {
        name
        for package, names in INVENTORY.items()
        for name in names.split()
        if callable(value := getattr(importlib.import_module(package), name))
        and not (isinstance(value, type) and issubclass(value, Exception))
        and _plain(value) not in found
        and name not in EXCEPTED
        and package not in EXCEPTED
    }


def test_every_public_callable_has_a_call():
    found = {_plain(one.function) for one in calls()}
    assert not _missing(found)
    assert _missing(found - {_plain(cyclic)}) == {"cyclic"}


# Constants, which are made float64 whatever they come as, and what other libraries have as arrays.
TAKES_ARRAYS = frozenset(
    "adjacency alm by cilm coefficients error generators n points spectrum weight".split()
)


@pytest.mark.parametrize("package", sorted(MAKERS))
def test_arrays_of_numpy_are_refused_with_the_way_out(package):
    """Data are tensors everywhere; constants may be arrays, which then mean the same."""
    tried = 0
    for one in calls_of(package):
        for name, value in one.arguments.items():
            if type(value) is not torch.Tensor or value.layout != torch.strided:
                continue
            kind, text = outcome(one, name, value.detach().numpy(), "alike")
            wanted = kind == "refused" and "; torch.from_numpy makes a tensor of it" in text
            assert wanted or (kind == "the same" and name in TAKES_ARRAYS), (str(one), name, text)
            tried += 1
    assert tried or package in ("models", "steerable")


# --- what must be found ---------------------------------------------------------------------------


def _silent(x):
    return torch.nan_to_num(x)


def _raw(x):
    return x + torch.ones(5)


def _nameless(x):
    raise ValueError("this is wrong")


def _hanging(x):
    time.sleep(5)


def _greedy(x):
    return torch.empty(5 * 2**30, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (_silent, "taken silently"),
        (_raw, "raw error"),
        (_nameless, "without a name"),
        (_hanging, "hangs"),
        (_greedy, "raw error"),
    ],
)
def test_what_is_wrong_is_found(function, bad):
    x = torch.full((3,), torch.nan)
    assert outcome(call(function, torch.ones(3)), "x", x, seconds=0.1)[0] == bad not in GOOD
