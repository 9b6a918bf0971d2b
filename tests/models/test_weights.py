"""Weights in a file: what was written, or an error."""

import random
import re

import pytest
import torch

import equinet as eq
from equinet.models import load_weights, resnet, save_weights


def _network(group="C4", seed=0, **options):
    x = eq.Plane(group).fields("1x trivial")
    generator = torch.Generator().manual_seed(seed)
    return resnet(x, ["2x regular"], 3, blocks=0, kernel_size=3, generator=generator, **options)


def _same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def path(tmp_path):
    save_weights(_network(), tmp_path / "net.pt", "of a test")
    return tmp_path / "net.pt"


def test_what_is_read_is_what_was_written(path):
    other = _network(seed=1)
    assert not _same(other, _network())
    assert load_weights(other, path) == "of a test"
    torch.nn.init.zeros_(other[-1].weight)
    load_weights(other, path)
    assert load_weights(other.double(), str(path)) == "of a test"
    assert other[0][0].weight.dtype == torch.float64
    # Without this library it is an archive of torch.
    state = torch.load(path, weights_only=True)["state"]
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert list(path.parent.iterdir()) == [path]  # nothing is left of the writing


def test_a_damaged_file_is_refused_and_the_network_stays(path):
    whole = path.read_bytes()
    draw = random.Random(0)
    refused = 0
    for trial in range(120):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged if trial % 4 else whole[: draw.randrange(len(whole))])
        network = _network(seed=1)
        try:
            load_weights(network, path)
        except ValueError as error:
            assert str(error).startswith("path: expected version 1 of the weights")
            assert _same(network, _network(seed=1))
            refused += 1
        else:  # a byte that says nothing, between two records
            assert _same(network, _network())
    assert refused > 60


def test_what_is_refused(path, tmp_path):
    network = _network("C4", seed=1)
    other = _network("D4")
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match="(?s)network: expected the one that .*pitfalls"):
        load_weights(other, path)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    bare = tmp_path / "bare.pt"
    torch.save(network.state_dict(), bare)
    with pytest.raises(ValueError, match="load_state_dict takes a bare state_dict; see http"):
        load_weights(network, bare)
    content = torch.load(path, weights_only=True)
    for change, message in (
        ({"version": 2}, "version 2 of the format, of a newer equinet"),
        ({"about": "of something else"}, "other numbers than were written"),
        ({"state": None}, "one without its numbers"),
    ):
        torch.save(content | change, bare)
        with pytest.raises(ValueError, match=re.escape(message)):
            load_weights(network, bare)
    bare.write_text("no archive")
    with pytest.raises(ValueError, match="one that torch cannot read"):
        load_weights(network, bare)
    torch.save(content | {"state": {"0.weight": 3}}, bare)
    with pytest.raises(ValueError, match="one without its numbers"):
        load_weights(network, bare)
    with pytest.raises(FileNotFoundError, match="nothing.pt"):
        load_weights(network, tmp_path / "nothing.pt")
    with pytest.raises(FileNotFoundError, match="path: expected a folder that is there.*no'$"):
        save_weights(network, tmp_path / "no" / "net.pt")
    for call in (load_weights, save_weights):
        with pytest.raises(IsADirectoryError, match="path: expected a file, got a folder"):
            call(network, tmp_path)
        with pytest.raises(TypeError, match="path: expected the name of a file, got None"):
            call(network, None)
    with pytest.raises(TypeError, match="network: expected a torch.nn.Module"):
        save_weights(network.state_dict(), bare)
    with pytest.raises(TypeError, match="about: expected text"):
        save_weights(network, bare, about=3)


def test_a_compiled_network_is_the_network_itself(path):
    compiled = torch.compile(_network(seed=1), backend="eager")
    assert load_weights(compiled, path) == "of a test"
    save_weights(compiled, path)
    load_weights(other := _network(seed=2), path)
    assert _same(other, _network())


def test_what_has_no_numbers_is_no_network(path):
    class Counts(torch.nn.Linear):
        def get_extra_state(self):
            return 3

        def set_extra_state(self, state):
            pass

    sparse = torch.nn.Linear(2, 2)
    sparse.register_buffer("few", torch.eye(2).to_sparse())
    for network, got in (
        (Counts(2, 2), "int at _extra_state"),
        (torch.nn.Linear(2, 2, device="meta"), "one without values, on meta, at weight"),
        (sparse, "torch.sparse_coo at few"),
    ):
        message = f"network: expected dense tensors only in its state_dict, got {got}"
        with pytest.raises(TypeError, match=message):
            save_weights(network, path)
        with pytest.raises(TypeError, match=message):
            load_weights(network, path)


def test_a_write_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    before = path.read_bytes()

    def fails(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(OSError, match="the disk is full"):
        save_weights(_network(seed=1), path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
