"""What the examples have trained, as files of weights."""

import torch

from equinet.models import load_weights, pretrained
from examples.common import checkpoint
from examples.pretrained import main
from examples.qm7.data import SMALL, Split, composition, load


def test_a_checkpoint_becomes_a_file(tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "digits.pt"
    run.mkdir()
    trained, other = pretrained("digits", weights=False), pretrained("digits", weights=False)
    checkpoint.save(run, 3, {"network": trained.state_dict()})
    main(["digits", "--run", str(run), "--out", str(out), "--about", "digits"])
    assert "digits.pt: " in capsys.readouterr().out
    weights = trained[-1].weight
    assert not torch.equal(other[-1].weight, weights)
    assert load_weights(other, out) == "digits" and torch.equal(other[-1].weight, weights)


def test_energies_are_written_in_their_units(tmp_path):
    run, out = tmp_path / "run", tmp_path / "molecules.pt"
    run.mkdir()
    network = pretrained("molecules", weights=False)
    torch.save(network.net.state_dict(), run / "weights.pt")
    data = ["--data", str(SMALL), "--size", "100"]
    main(["molecules", "--run", str(run), *data, "--out", str(out)])
    load_weights(network, out)
    molecules = load(None)
    shifts = composition(molecules, Split.of(len(molecules)).pool[:100])
    assert torch.allclose(network.shifts.double(), shifts) and 1 < network.scales.item() < 10


def test_what_is_asked_wrongly(tmp_path, refused):
    asked = ["--run", str(tmp_path), "--out", str(tmp_path / "net.pt")]
    with refused("run: expected the folder of a training"):
        main(["digits", *asked])
    torch.save({}, tmp_path / "weights.pt")
    with refused("data: expected --data and --size"):
        main(["water", *asked])
