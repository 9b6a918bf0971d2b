"""Data parallel training: the numbers of two processes are those of the whole batch."""

import pytest
import torch

from equinet import nn
from tests.laws.processes import (
    gradients,
    meanings,
    norm_cases,
    normalized,
    other,
    trained_cases,
    work,
)
from tests.tolerances import ROUNDING, assert_close

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of all modules in the same two processes, of which this is the first."""
    folder = tmp_path_factory.mktemp("processes")
    beside = torch.multiprocessing.spawn(other, (str(folder),), nprocs=1, join=False)
    work(0, 2, str(folder))
    beside.join()
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_two_processes_have_the_gradients_of_the_whole_batch(results):
    """A batch norm has statistics of each half, as torch's has, so that of its gradients only the
    agreement of the two is known."""
    first, second = (found["gradients"] for found in results)
    for case, ours, theirs in zip(trained_cases(), first, second, strict=True):
        whole = gradients(case, 0, 1, parallel=False)
        batch_norm = any(isinstance(part, nn.BatchNorm) for part in case().modules())
        for name, grad in whole.items():
            assert torch.equal(ours[name], theirs[name]), (case, name)
            if not batch_norm:
                scale = 1 + grad.abs().max()
                assert_close(ours[name] / scale, grad / scale, ROUNDING)


def test_words_are_those_of_another_process(results):
    """Where hashes of strings are others."""
    for found in results:
        for case, words in zip(trained_cases(), found["meanings"], strict=True):
            torch.testing.assert_close(words, meanings(case), rtol=0, atol=0)


def test_synchronised_batch_norm_is_that_of_the_whole_batch(results):
    """Outputs, running statistics and gradients, for parts of any sizes."""
    pairs = zip(*(found["normalized"] for found in results), strict=True)
    for (case, sizes, masked), (first, second) in zip(norm_cases(), pairs, strict=True):
        whole = normalized(case, slice(None), False, masked)
        for name, expected in whole.items():
            if name in ("y", "gradient of x"):
                ours = torch.cat([first[name], second[name]])
            elif name.startswith("gradient"):
                ours = first[name] + second[name]
            else:
                ours = first[name]
                assert torch.equal(ours, second[name]), (case, sizes, name)
            scale = 1 + (expected.abs().max() if expected.numel() else 0)
            assert_close(ours / scale, expected / scale, ROUNDING)
    # Negative control: without it the statistics are those of each part.
    one, two = (found["apart"] for found in results)
    assert (one["running_mean"] - two["running_mean"]).abs().max() > 1e-3
