"""Data parallel training: the gradients of two processes are those of the whole batch."""

import torch

from equinet import nn
from tests.laws.processes import gradients, trained_cases, work
from tests.tolerances import ROUNDING, assert_close


def test_two_processes_have_the_gradients_of_the_whole_batch(tmp_path):
    """All modules in the same two processes. A batch norm has statistics of each half, as torch's
    has, so that of its gradients only the agreement of the two is known."""
    torch.multiprocessing.spawn(work, (2, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for case, ours, theirs in zip(trained_cases(), first, second, strict=True):
        whole = gradients(case, 0, 1, parallel=False)
        batch_norm = any(isinstance(part, nn.BatchNorm) for part in case().modules())
        for name, grad in whole.items():
            assert torch.equal(ours[name], theirs[name]), (case, name)
            if not batch_norm:
                scale = 1 + grad.abs().max()
                assert_close(ours[name] / scale, grad / scale, ROUNDING)
