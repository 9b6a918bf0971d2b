"""What no caller should hand over: a ValueError or TypeError that names it, and no crash."""

import random

import pytest
import torch

from equinet import ops
from equinet.harmonics import Analysis, Synthesis
from tests.ops.operator_cases import (
    EDGES,
    FILTER,
    LOCAL_FILTER,
    SMALL,
    edges_of,
    sum_over_edges,
)

SIZES = [0, -1, 1, 2, 7, 10**6, 2**31, 2**40, 2**62, -(2**62)]
F64 = torch.float64


def twisted_tensor(x: torch.Tensor, kind: int) -> torch.Tensor | None:
    """Of another shape, dtype, device, layout, or one number that counts as many."""
    other = torch.int64 if x.is_floating_point() else torch.float64
    return [
        lambda: None,
        lambda: x.new_empty(0),
        lambda: x[None],
        lambda: x[..., 1:],
        lambda: x.to(other),
        lambda: x.to("meta"),
        lambda: x.new_zeros(()),
        lambda: x.new_zeros(1).expand(x.shape),
        lambda: x.new_zeros(1).expand(2**31),
        lambda: x.to(torch.float64).to_sparse(),
        lambda: torch.stack([x, x], -1)[..., 0],
    ][kind % 11]()


def twisted_list(numbers: list[int], draw: random.Random) -> list[int]:
    numbers = list(numbers)
    kind = draw.randrange(3)
    if kind == 0:
        return numbers[: draw.randrange(len(numbers))]
    if kind == 1:
        return [*numbers, draw.choice(SIZES)]
    for _ in range(draw.randint(1, 3)):
        numbers[draw.randrange(len(numbers))] = draw.choice(SIZES)
    return numbers


def twisted(value, draw: random.Random):
    if isinstance(value, torch.Tensor):
        return twisted_tensor(value, draw.randrange(11))
    if isinstance(value, list):
        return twisted_list(value, draw)
    return torch.zeros(3, dtype=F64) if value is None else draw.choice(SIZES)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_operators_as_torch_calls_them(case):
    """Compiled code is reached by what it can read only; torch itself says what has no memory."""
    draw = random.Random(str(case))
    for _ in range(60):
        arguments = list(case.arguments)
        for i in draw.sample(range(len(arguments)), draw.choice([1, 1, 2])):
            arguments[i] = twisted(arguments[i], draw)
        try:
            case.operator.overload(*arguments)
        except (TypeError, ValueError) as error:
            assert str(error).startswith(f"{case.operator.name}: ")
        except RuntimeError as error:
            assert "alloc" in str(error) or "Storage size" in str(error)


SYNTHESIS = Synthesis(3, 2, None, F64).group_tables()
ANALYSIS = Analysis(3, 2, None, F64).group_tables()
FIELD = Synthesis(3, 2, 0, F64).field_tables()
W, K, Q = (torch.zeros(n, dtype=F64) for n in FILTER.sizes)
V, B = (torch.zeros(n, dtype=F64) for n in LOCAL_FILTER.sizes[:2])
X = torch.zeros(2, 3, dtype=F64)
EDGE_SUM = sum_over_edges(EDGES, edges_of(4, 3, 3), 3, 3, 2)
EDGE_ORDER = ops.EdgeOrder(*EDGE_SUM.arguments[4:8])
CALLS = [  # each function of its arguments, with what is right
    (ops.block_matmul, (V[:6], V[:6], [3], [2], 3, V[:3])),
    (ops.expand, (FILTER, W[None], K, Q, FILTER.table())),
    (ops.filter_spectrum, (LOCAL_FILTER, V, B, LOCAL_FILTER.table())),
    (ops.s2_synthesis, (torch.zeros(4, 6, dtype=F64), FIELD, 2)),
    (ops.s2_analysis, (torch.zeros(1, 1, 6, 6, dtype=F64), FIELD)),
    (ops.s2_waves, (torch.zeros(4, 6, dtype=F64), FIELD, 2)),
    (ops.s2_coefficients, (torch.zeros(1, 1, 6, 2, 2, dtype=F64), FIELD)),
    (ops.so3_synthesis, (torch.zeros(10, 6, dtype=F64), SYNTHESIS, 2)),
    (ops.so3_analysis, (torch.zeros(1, 1, 6, 6, 6, dtype=F64), ANALYSIS)),
    (ops.zero_where, (X, X > 0)),
    (ops.edge_order, (EDGE_ORDER.edges, 3)),
    (ops.edge_sum, (EDGES, *EDGE_SUM.arguments[:4], EDGE_ORDER)),
    (ops.relu, (X,)),
]
MAY_BE_NONE = {(ops.edge_sum, 4)}


@pytest.mark.parametrize("call, arguments", CALLS, ids=lambda x: getattr(x, "__name__", ""))
def test_public_functions_name_what_is_wrong(call, arguments):
    call(*arguments)
    for i in range(min(len(arguments), 5)):
        for wrong in (object(), [1, 2], "text", None, -1, torch.zeros(7, 7, 7).long()):
            if wrong is None and (call, i) in MAY_BE_NONE:
                continue
            given = [*arguments[:i], wrong, *arguments[i + 1 :]]
            with pytest.raises((TypeError, ValueError), match=r"^\w+: \w+: expected"):
                call(*given)


@pytest.mark.parametrize("channels", [0, -2, 4, 1.5, True])
@pytest.mark.parametrize("i", [3, 5])
def test_channels_divide_the_columns(i, channels):
    call, (spectrum, tables, _) = CALLS[i]
    with pytest.raises((TypeError, ValueError), match=r"(channels|spectrum): expected"):
        call(spectrum, tables, channels)


def test_negative_sizes_whose_products_are_right():
    """-1 rows of -1 columns have one entry, and x and z two negative signs."""
    one = torch.ones(1)
    with pytest.raises(ValueError, match=r"block_matmul: rows: expected integers, 0 or more"):
        ops.block_matmul(one, one, [-1], [-1], -1)
    with pytest.raises(ValueError, match=r"block_matmul: rows: expected integers, 0 or more"):
        torch.ops.equinet.block_matmul(one, one, None, [-1], [-1], -1, 0)


def test_numbers_of_no_plan_never_reach_compiled_code():
    """Also where the sizes that stand first are right."""
    numbers = FILTER.numbers()
    numbers[12], numbers[13] = numbers[13], numbers[12]
    with pytest.raises(ValueError, match="expansion: numbers, mode: expected those of a Plan"):
        torch.ops.equinet.expansion(W[None], K, Q, FILTER.table(), numbers, 0)
    numbers = LOCAL_FILTER.numbers()
    numbers[6] += 1
    with pytest.raises(ValueError, match="filter_spectrum: numbers, mode: expected those of a Sp"):
        torch.ops.equinet.filter_spectrum(V, B, LOCAL_FILTER.table(), numbers, 0)
