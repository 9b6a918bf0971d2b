"""The programs that check and time the operators; nothing is timed here."""

import subprocess
from dataclasses import replace
from unittest import mock

import pytest
import torch

from benchmarks import gpu, roofline
from benchmarks.measure import Row
from benchmarks.operators import works
from equinet.ops.expansion_plan import plan_of
from tests.ops.operator_cases import DRAWN


@pytest.fixture(scope="module")
def all_works():
    return works()


def once(task, calls, repeats):
    """In place of ``alternated``: every call once, no time."""
    for call in calls.values():
        call()
    return [Row(task, by) for by in calls]


def test_every_operator_is_in_the_list(all_works):
    assert {work.operator.name for work in all_works} == set(DRAWN)


def test_operations_and_bytes_in_closed_form(all_works):
    """The filters of the convolution on the plane have one matrix, of 8 x 8, on each side."""
    work = next(work for work in all_works if "Conv2d" in work.task)
    plan = plan_of(work.arguments[4])
    pairs = sum(16 * 16 * k * i * j * 25 for _, _, k, i, j in plan.shapes)
    assert work.operations == 2 * (pairs + 2 * 16 * 8 * 8 * 128 * 25)
    assert work.bytes == 4 * (128 * 128 * 25 + sum(plan.sizes)) + 8 * plan.table_size


def test_a_limit_and_its_reason():
    roof = roofline.Roof("task", 10**9, 10**6, 20.0, 10.0, peak=1e12, bandwidth=1e10)
    assert roof.limit == 1.0 and roof.bound == "product"
    assert "| 1.000 | product | 0.10 |" in roofline.table([roof])
    assert replace(roof, bytes=10**8).limit == 10.0
    assert replace(roof, bytes=10**8).bound == "memory"


def test_the_operators_are_right_and_a_wrong_one_is_named(all_works):
    gpu.check("cpu", gpu.odd_shapes() + all_works)
    work = all_works[0]
    twisted = mock.Mock(wraps=work.operator, exact=work.operator.exact)
    twisted.overload = lambda *arguments: 1.001 * work.operator.overload(*arguments)
    with pytest.raises(AssertionError, match="band 32.* torch.float32: wrong by"):
        gpu.check("cpu", [replace(work, operator=twisted)])


def test_without_a_gpu_nothing_is_claimed():
    """One line, and a status that is not 0."""
    with (
        mock.patch.object(torch.cuda, "is_available", lambda: False),
        pytest.raises(
            SystemExit, match="No GPU can be used .*: nothing was checked or timed"
        ) as end,
    ):
        gpu.run()
    assert "\n" not in str(end.value)


def test_a_wrong_operator_ends_it_before_anything_is_timed():
    seen = []
    with (
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(torch.cuda, "current_device", lambda: 0),
        mock.patch.object(gpu.cuda, "available", lambda index: True),
        mock.patch.object(gpu.subprocess, "run", lambda command, **_: seen.append(command[-1])),
        mock.patch.object(gpu.ops, "status", lambda: ""),
        mock.patch.object(gpu, "check_on_gpus", lambda: ["expansion on cuda:0: wrong"]),
        pytest.raises(AssertionError, match="expansion on cuda:0: wrong"),
    ):
        gpu.run()
    assert seen == ["equinet.build"]


def test_the_tasks_run(all_works):
    """All but the GPU: on the CPU, once, small."""
    with mock.patch.object(gpu, "alternated", once):
        rows = [row for work in all_works for row in gpu._operator(work, "cpu")]
        rows += gpu._sphere("cpu", batch=2)
        rows += gpu._volume("cpu", shape=(1, 60, 3, 3, 3))
        rows += gpu._points("cpu", channels=2, count=20, points=7)
    assert {row.by for row in rows} == {"equinet", "plain PyTorch", "torch.nn"}


def test_the_sanitizer_watches_where_it_is_there():
    with mock.patch.object(gpu.shutil, "which", lambda name: None):
        assert "not watched" in gpu._sanitized()
    seen = []
    with (
        mock.patch.object(gpu.shutil, "which", lambda name: f"/opt/{name}"),
        mock.patch.object(subprocess, "run", lambda command, **more: seen.append((command, more))),
    ):
        assert "found nothing" in gpu._sanitized()
    assert [command[2] for command, _ in seen] == list(gpu.SANITIZER_TOOLS)
    assert all(command[-1] == "benchmarks.gpu" and more["check"] for command, more in seen)
