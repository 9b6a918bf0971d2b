"""What a user does wrongly is told in one line and a status; what is wrong in a program is not."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.amino_acids.pdb import ELEMENTS, RESIDUES
from examples.common import checkpoint
from examples.common.errors import InputError
from examples.rotated_mnist.train import Settings as RotatedSettings
from tests.examples.conftest import ROOT, environment

DIGITS = ("rotated_mnist", "spherical_mnist")
ARCHIVES = (*DIGITS, "modelnet", "amino_acids")  # what reads an npz archive
TRAINED = (*ARCHIVES, "tetris", "tetris_points")
EXAMPLES = (*TRAINED, "equivariance_error", "qm7")
# A training that is over before it begins, if nothing is wrong.
QUICK = {
    "amino_acids": ["train", "--data", "strands", "--train-size", "4", "--test-size", "2"],
    "modelnet": ["train", "--data", "solids", "--limit", "2", "--limit-test", "2"],
    "rotated_mnist": ["train", "--data", "digits.npz", "--limit", "2"],
    "spherical_mnist": ["train", "--data", "digits.npz", "--limit", "2"],
    "tetris": ["train", "--tests", "1"],
    "tetris_points": ["train", "--tests", "1"],
    "qm7": ["--sizes", "20", "--lmax", "0", "--steps", "1"],
    "equivariance_error": ["--bands", "2", "--depth", "1", "--channels", "1", "--rotations", "1"],
}
ARRAYS = {
    "amino_acids": {
        **dict.fromkeys(("xyz", "atom_name", "atom_res", "res_type", "cluster"), np.zeros(0, int)),
        **dict.fromkeys(("atom_ptr", "res_ptr"), np.zeros(1, int)),
        "atom_names": np.array(["CA"]),
        "atom_element": np.zeros(1, int),
        "elements": np.array(ELEMENTS),
        "res_names": np.array(RESIDUES),
    },
    "modelnet": {
        **{f"x30_{part}": np.zeros((0, 3375), np.uint8) for part in ("train", "test")},
        **{f"y30_{part}": np.zeros(0, np.uint8) for part in ("train", "test")},
        "class_names": np.array(["bed"]),
    },
    **dict.fromkeys(
        DIGITS,
        {
            **{f"x_{part}": np.zeros((0, 28, 28), np.uint8) for part in ("train", "test")},
            **{f"y_{part}": np.zeros(0, np.uint8) for part in ("train", "test")},
        },
    ),
}


@pytest.fixture
def in_folder(digits_file, monkeypatch):
    """Within the folder that has digits.npz."""
    monkeypatch.chdir(digits_file.parent)


def told(capsys, example: str, *arguments: object, status: int = 2) -> str:
    """What an example says of a wrong command: its last line, which has no other beside usage."""
    main = import_module(f"examples.{example}.__main__").main
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, said = capsys.readouterr()
    *usage, line = said.splitlines()
    assert caught.value.code == status and out == "", said
    assert not usage or usage[0].startswith("usage: ")
    assert line.startswith(f"python -m examples.{example}") and ": error: " in line
    return line.split(": error: ")[1]


# --- data -----------------------------------------------------------------------------------------


def missing(path: Path, arrays: dict) -> None:
    pass


def folder(path: Path, arrays: dict) -> None:
    path.mkdir()


def cut(path: Path, arrays: dict) -> None:
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-30])


def garbage(path: Path, arrays: dict) -> None:
    path.write_bytes(b"\x80\x04 neither a pickle nor an archive")


def one_array(path: Path, arrays: dict) -> None:
    """That of ``np.save``."""
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def empty_file(path: Path, arrays: dict) -> None:
    path.touch()


def damaged(path: Path, arrays: dict) -> None:
    """A byte of an array has changed."""
    name = sorted(arrays)[0]
    np.savez(path, **(arrays | {name: np.arange(1000)}))
    content = bytearray(path.read_bytes())
    place = content.index(np.arange(500, 510).tobytes())
    content[place] ^= 1
    path.write_bytes(content)


def objects(path: Path, arrays: dict) -> None:
    """Python objects, which would have to be unpickled."""
    np.savez(path, **(arrays | {sorted(arrays)[0]: np.array([{}, 1], dtype=object)}))


def no_array(path: Path, arrays: dict) -> None:
    """A member that is no array."""
    name = sorted(arrays)[0]
    np.savez(path, **{key: value for key, value in arrays.items() if key != name})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{name}.npy", b"text")


def no_samples(path: Path, arrays: dict) -> None:
    np.savez(path, **arrays)


def other_arrays(path: Path, arrays: dict) -> None:
    np.savez(path, x=np.zeros(3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "cannot be read: No such file"),
        (folder, "cannot be read: Is a directory|data: expected"),
        (cut, "expected an npz archive, got .*: cut, or no archive"),
        (garbage, "expected an npz archive, got"),
        (one_array, "expected an npz archive, got"),
        (empty_file, "expected an npz archive, got"),
        (damaged, "is damaged"),
        (objects, "is damaged, or an array in it has no plain type"),
        (no_array, "is damaged|expected .* to be an array"),
        (no_samples, "expected (digits|objects|proteins)"),
        (other_arrays, "expected the arrays .* too"),
    ],
)
@pytest.mark.parametrize("example", ARCHIVES)
def test_data(example, make, words, tmp_path, capsys):
    path = tmp_path / "data.npz"
    make(path, ARRAYS[example])
    said = told(capsys, example, "train", "--data", path)
    assert said.startswith("data: ") and "allow_pickle" not in said
    assert re.search(words, said), said


def ints(*values: int) -> np.ndarray:
    return np.array(values)


@pytest.mark.parametrize(
    ("example", "change", "words"),
    [
        ("rotated_mnist", {"y_train": np.array(["a"])}, "whole numbers in y_train"),
        ("rotated_mnist", {"y_train": np.array(1)}, r"y_train \(n,\)"),
        ("modelnet", {"y30_train": ints(1)}, "numbers of the 1 class_names"),
        ("modelnet", {"y30_train": np.array([0.0])}, "got float64"),
        ("modelnet", {"y30_train": ints(0)}, "expected objects for the train part"),
        ("amino_acids", {"atom_ptr": ints(0, 9), "cluster": ints(0)}, "do not fit together"),
        ("amino_acids", {"res_type": ints(20)}, "do not fit together"),
        ("amino_acids", {"atom_res": ints(1)}, "do not fit together"),
        ("amino_acids", {"elements": np.array(["C"])}, r"expected elements \('C', 'N'"),
    ],
)
def test_arrays_that_do_not_fit(example, change, words, tmp_path, capsys):
    arrays = dict(ARRAYS[example])
    if example == "rotated_mnist":
        arrays["x_train"] = np.zeros((1, 28, 28), np.uint8)
    if example == "modelnet":
        arrays["x30_train"] = np.zeros((1, 3375), np.uint8)
    if example == "amino_acids":
        one = ints(0)
        arrays |= {"xyz": np.zeros((1, 3), int), "atom_name": one, "atom_res": one}
        arrays |= {"res_type": one, "cluster": one, "atom_ptr": ints(0, 1), "res_ptr": ints(0, 1)}
    np.savez(tmp_path / "data.npz", **(arrays | change))
    said = told(capsys, example, "train", "--data", tmp_path / "data.npz")
    assert re.search(words, said), said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bed/train/a.off", "OFF 3 1 0 0 0 0", "to be a mesh in the OFF format"),
        ("bed/train/a.off", "OFF 1 1 0 0 0 0 3 0 1 2", "corners and faces between them"),
        ("bed/train/a.off", "OFF 3 1 0 0 0 nan 1 1 1 0 1 0 3 0 1 2", "corners and faces between"),
        ("bed/train/a.off", "OFF 3 0 0 0 0 0 1 1 1 0 1 0", "corners and faces between them"),
        ("bed/train/a.off", "\x80\xff", "to begin with OFF"),
        ("a.pdb", "ATOM      1  CA  SER A   1      11.6x9   6.071  -5.147", "without a place"),
        ("a.pdb", "ATOM  ", "expected ATOM records of amino acids"),
        ("a.pdb", "\xff\xfe", "expected ATOM records of amino acids"),
        (
            "a.pdb",
            "ATOM      2  CA  SER A   1      11.639   6.071  -5.147  1.00  0.00           C",
            "got 1 in .*, and none is left for valid",
        ),
    ],
)
def test_files_in_a_folder(name, text, words, tmp_path, capsys):
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    example = "modelnet" if name.endswith("off") else "amino_acids"
    said = told(capsys, example, "train", "--data", tmp_path / "data")
    assert re.search(words, said), said


def test_download_without_a_network(tmp_path, monkeypatch, capsys):
    def offline(*_, **__):
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    said = told(capsys, "spherical_mnist", "train", "--download", status=1)
    assert re.search(r"https://.*mnist.npz cannot be fetched: .*name resolution", said)
    assert list(Path("runs/data").iterdir()) == []


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", TRAINED)
def test_options(example, in_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    command = [*QUICK[example], "--out", str(tmp_path / "run")]
    for option, value, words in (
        ("--device", "cuda", "argument --device: this torch can use 0 GPUs, got 'cuda'"),
        ("--device", "cuda:1", "this torch can use 0 GPUs, got 'cuda:1'"),
        ("--device", "gpu", "expected cpu or cuda, got 'gpu'"),
        ("--device", "meta", "expected cpu or cuda, got 'meta'"),
        ("--learning-rate", "nan", "learning_rate: expected a positive number, got nan"),
        ("--learning-rate", "inf", "learning_rate: expected a positive number, got inf"),
        ("--weight-decay", "-1", "weight_decay: expected 0 or more, got -1.0"),
        ("--seed", "-1", "argument --seed: expected 0 or more, got -1"),
        ("--seed", str(2**63), "seed: expected a number from 0 to 2^63 - 1"),
        ("--batch", "0", "argument --batch: expected a positive number, got 0"),
    ):
        assert words in told(capsys, example, *command, option, value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/equinet"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_folder_that_cannot_be_written(example, name, in_folder, tmp_path, capsys):
    """And nothing has been computed for nothing."""
    (tmp_path / "file").touch()
    out = tmp_path / name
    said = told(capsys, example, *QUICK[example], "--out", out)
    assert said.startswith(f"out: expected a folder to write to, got {out}: ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.xyz", "expected a picture, .*png"),
        ("a", "expected a picture"),
        ("f/a.png", "File exists: .*/f'"),
    ],
)
def test_a_picture_that_cannot_be_written(name, words, tmp_path, capsys):
    (tmp_path / "f").touch()
    command = ["picture", "--data", "solids", "--limit", "1", "--limit-test", "1"]
    said = told(capsys, "modelnet", *command, "--out", tmp_path / name)
    assert said.startswith("out: ") and re.search(words, said), said


# --- runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_folder_is_for_one_run_at_a_time(example, in_folder, tmp_path, capsys):
    tmp_path /= "run"
    with checkpoint.locked(tmp_path):
        said = told(capsys, example, *QUICK[example], "--out", tmp_path)
        assert said.startswith(f"out: {tmp_path} is in use by another run, process ")
        if example in TRAINED:
            told(capsys, example, *QUICK[example], "--out", tmp_path, "--fresh")
    with checkpoint.locked(tmp_path):  # the negative control
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_lock_goes_with_the_process(tmp_path):
    program = "import sys, time; from pathlib import Path; from examples.common import checkpoint\n"
    program += "with checkpoint.locked(Path(sys.argv[1])): print(flush=True), time.sleep(99)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "\n"
        with (
            pytest.raises(InputError, match=f"process {process.pid}:"),
            checkpoint.locked(tmp_path),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with checkpoint.locked(tmp_path):
        pass


@pytest.mark.parametrize("example", TRAINED)
def test_a_checkpoint_of_another_program(example, in_folder, tmp_path, capsys):
    for step, state in enumerate(({"weights": torch.ones(2)}, [1, 2], {"settings": {}})):
        checkpoint.save(tmp_path, step, state)
        said = told(capsys, example, *QUICK[example], "--out", tmp_path)
        assert said == f"{tmp_path} holds checkpoints of another program: take another folder"


@pytest.mark.parametrize("example", DIGITS)
def test_a_run_that_is_none(example, in_folder, tmp_path, capsys):
    """For the commands that read a trained network."""
    settings = RotatedSettings("plain", "digits 2+2 abc", 1.0)
    result = {"settings": asdict(settings), "parameters": 1, "history": []}
    result |= {"accuracy": {"test": 0.5}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    command = {"spherical_mnist": ["test"], "rotated_mnist": ["figure", tmp_path, "--run"]}[example]
    run = tmp_path / "run"
    data = ["--data", "digits.npz", "--limit", 2]
    main = import_module(f"examples.{example}.__main__").main

    def said() -> str:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in [*command, run, *data]])
        assert caught.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line.split(": error: ")[1]

    assert said() == f"run: expected the folder of a run, got {run}: no checkpoint in it"
    run.mkdir()
    checkpoint.save(run, 1, {"weights": torch.ones(2)})
    assert said() == f"{run} holds checkpoints of another program: take another folder"
    other = dict.fromkeys(
        ("step", "seconds", "history", "running", "network", "optimizer", "rng", "rng_cuda")
    )
    checkpoint.save(run, 2, other | {"settings": {"network": "parity", "low_pass": "yes"}})
    assert said() == f"run: {run} is of another program, or another version"


@pytest.mark.parametrize("command", ["table", "figure"])
@pytest.mark.parametrize("example", TRAINED)
def test_results_that_are_none(example, command, tmp_path, capsys):
    if command == "figure" and example not in ("rotated_mnist", "tetris"):
        pytest.skip("has no figure")
    if command == "table" or example != "tetris":  # the pieces can be drawn without runs
        assert "no result.json in" in told(capsys, example, command, tmp_path)
        assert "cannot be read: No such" in told(capsys, example, command, tmp_path / "nowhere")
    path = tmp_path / "result.json"
    for text in ("{", "[]", "{}", '{"settings": 1}', "\x80"):
        path.write_bytes(text.encode("latin-1"))
        said = told(capsys, example, command, tmp_path)
        assert said == f"runs: expected the result of a run, got {path}"
    foreign = {"settings": {"network": "other"}, "parameters": 1, "accuracy": {}, "history": []}
    path.write_text(json.dumps(foreign))
    said = told(capsys, example, command, tmp_path)
    assert said == f"run: {path} is of another program, or another version"
