"""The examples of compiled operators, by which these are compared, find what is wrong."""

import pytest
import torch

from equinet.ops.availability import OPERATORS, check_on_cpu
from equinet.ops.native import first_use, library
from equinet.ops.native.library import TYPES
from tests.over import over

CPU = torch.device("cpu")


def _compared(operator, form, dtype):
    return first_use.compared(
        form, operator.reference, operator.examples, CPU, dtype, operator.exact
    )


def _wrong(form, output: int, place: int):
    """The form, with one number of one of its results, or one bit of a mask, that is wrong."""

    def called(*arguments):
        found = form(*arguments)
        parts = list(found) if isinstance(found, tuple) else [found]
        if parts[output].numel():
            flat = parts[output].flatten().clone()
            flat[place] = ~flat[place] if flat.dtype == torch.bool else flat[place] + 1
            parts[output] = flat.view(parts[output].shape)
        return tuple(parts) if isinstance(found, tuple) else parts[0]

    return called


@over("operator", OPERATORS)
def test_one_wrong_number_is_found(operator):
    """At either end of every result, in both precisions; what is right passes."""
    arguments = operator.examples()[0]
    found = operator.reference(*arguments)
    outputs = len(found) if isinstance(found, tuple) else 1
    for dtype in TYPES:
        assert _compared(operator, operator.reference, dtype) == ""
        for output in range(outputs):
            for place in (0, -1):
                wrong = _compared(operator, _wrong(operator.reference, output, place), dtype)
                assert "is wrong by" in wrong, (output, place)


def test_what_is_exact_keeps_its_digits():
    """Angles are in float64 for a transform in float32, and refused otherwise."""
    (operator,) = (one for one in OPERATORS if one.name == "legendre_synthesis")
    assert operator.exact == (1,)
    forms = operator.reference, operator.reference, operator.examples
    with pytest.raises(TypeError, match="angles: expected"):
        first_use.compared(*forms, CPU, torch.float32)


@pytest.mark.native
@pytest.mark.skipif(library.CPU is None, reason="no compiled operators")
def test_all_that_are_compiled_are_compared(monkeypatch):
    assert check_on_cpu() == (len(OPERATORS), [])
    for operator in OPERATORS:
        monkeypatch.setattr(operator, "cpu", _wrong(operator.cpu, 0, -1))
    tried, wrong = check_on_cpu()
    assert tried == len(OPERATORS) and len(wrong) == len(OPERATORS) * len(TYPES)
