"""Checkpoints: complete or refused, whenever the process dies."""

import os

import pytest
import torch

from examples.common import checkpoint


def state(step: int) -> dict:
    return {"step": step, "weights": torch.arange(1000.0) + step, "history": [{"loss": 0.5}]}


def test_round_trip_and_the_two_newest_are_kept(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    for step in (1, 2, 10, 100):
        checkpoint.save(tmp_path, step, state(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-00000010.ckpt",
        "step-00000100.ckpt",
    ]
    loaded = checkpoint.latest(tmp_path)
    assert loaded is not None
    assert loaded["step"] == 100
    assert torch.equal(loaded["weights"], state(100)["weights"])
    assert loaded["history"] == [{"loss": 0.5}]
    checkpoint.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def cut(content: bytes) -> bytes:
    return content[:-1]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def empty(content: bytes) -> bytes:
    return b""


def beheaded(content: bytes) -> bytes:
    return content[content.index(b"\n") + 1 :]


def longer(content: bytes) -> bytes:
    return content + b"\0"


@pytest.mark.parametrize("damage", [cut, flip, empty, beheaded, longer])
def test_damaged_checkpoint_is_refused_and_the_earlier_one_used(tmp_path, damage):
    checkpoint.save(tmp_path, 1, state(1))
    newest = checkpoint.save(tmp_path, 2, state(2))
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.raises(checkpoint.DamagedCheckpointError, match=r"step-00000002\.ckpt: expected"):
        checkpoint.load(newest)
    with pytest.warns(UserWarning, match="damaged checkpoint refused, trying an earlier one"):
        loaded = checkpoint.latest(tmp_path)
    assert loaded is not None
    assert loaded["step"] == 1
    # A training that goes on from step 1 leaves no damaged later step behind.
    checkpoint.save(tmp_path, 1, state(1))
    assert not newest.exists()


def test_nothing_but_damaged_checkpoints_is_an_error(tmp_path):
    for step in (1, 2):
        path = checkpoint.save(tmp_path, step, state(step))
        path.write_bytes(b"damaged")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(checkpoint.DamagedCheckpointError, match="every checkpoint"),
    ):
        checkpoint.latest(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "unlink"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_death_at_any_system_call_leaves_a_sound_checkpoint(tmp_path, monkeypatch, call, when):
    class Death(BaseException):
        pass

    real = getattr(os, call)

    def die(*arguments, **options):
        if when == "after":
            real(*arguments, **options)
        raise Death

    checkpoint.save(tmp_path, 1, state(1))
    checkpoint.save(tmp_path, 2, state(2))
    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr(os, call, die)
        checkpoint.save(tmp_path, 3, state(3))
    loaded = checkpoint.latest(tmp_path)
    assert loaded is not None
    assert loaded["step"] in (2, 3)
    assert torch.equal(loaded["weights"], state(loaded["step"])["weights"])
