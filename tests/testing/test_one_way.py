"""On the way of ``assert_equivariant`` each file of ``equinet.testing`` is read once.

What is measured: every call of a Python function that is written in ``equinet/testing``, in the
order of the calls; of calls one after the other into the same file one is kept. A file that occurs
twice is one to which control came back after it had gone on to another. Calls of what a trial
holds, its functions that move fields and arguments, are left out, with what they call: they are
values, handed on to be called for each group element, so that not all moved fields are in memory.
"""

import sys
from pathlib import Path

import pytest
import torch

import equinet.testing
from equinet import Plane, Points, Sphere, nn
from equinet.testing import assert_equivariant, equivariance_error, report

FOLDER = Path(equinet.testing.__file__).parent


def files(function, *arguments):
    """The files of ``equinet.testing`` that a call enters, in order."""
    found = []

    def file_of(frame):
        path = Path(frame.f_code.co_filename) if frame is not None else Path()
        return path.stem if path.parent == FOLDER else None

    def is_handed_on(frame):
        """Whether it is below a call from ``outcomes`` of what a trial holds."""
        while frame is not None and file_of(frame) in ("trials", "smooth"):
            if file_of(frame.f_back) == "outcomes":
                return True
            frame = frame.f_back
        return False

    def profile(frame, event, _):
        if event == "call" and file_of(frame) and not is_handed_on(frame):
            found.extend([file_of(frame)] if found[-1:] != [file_of(frame)] else [])

    sys.setprofile(profile)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return found


def _conv(group):
    x = Plane(group).fields("1x trivial")
    return nn.Conv2d(x, x, 3, generator=torch.Generator().manual_seed(0)).double()


def _module(name):
    if name == "sphere":
        return nn.Identity(Sphere(4).fields("1x regular"))
    if name == "points":
        return nn.Linear(*[Points("O(3)", dim=3).fields("1x0e + 1x1o")] * 2)
    return _conv(name)


FIRST = ["equivariance", "draws", "experiments", "sizes", "verdicts", "trials", "elements"]
WAYS = {"C4": FIRST, "C8": [*FIRST, "smooth"], "SO(2)": [*FIRST, "smooth"], "sphere": FIRST,
        "points": FIRST}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_no_file_is_returned_to(name):
    """Elements that keep a grid, others too, fields on the sphere, and points."""
    module = _module(name)
    assert files(assert_equivariant, module) == [*WAYS[name], "outcomes"]
    assert len(set(WAYS[name])) == len(WAYS[name])


def test_the_error_goes_the_same_way():
    way = [name for name in FIRST if name != "verdicts"]
    assert files(equivariance_error, _conv("C4")) == [*way, "outcomes"]


def test_a_way_back_shows():
    """Negative control: a report tries every layer alone, so it does all of this several times."""
    found = files(report, _conv("C4"))
    assert len(found) > len(set(found))
    # And a file is seen again although the call came from another folder.
    again = files(lambda: [assert_equivariant(_conv("C4")), assert_equivariant(_conv("C4"))])
    assert again == 2 * [*FIRST, "outcomes"]
