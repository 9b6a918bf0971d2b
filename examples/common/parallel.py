"""Data-parallel training: one process, or many under ``torchrun``.

A team of processes shares every batch: process r of n takes the samples r, r + n, r + 2n, ... of
it. The batch, its order and its random choices do not depend on how many processes there are, so a
team computes the same training step as a single process, up to rounding. (Batch normalisation is
the exception: each process normalises by its own share.)
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Team:
    """This process among ``size`` processes."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """The part of a batch that is for this process; may be empty."""
        return batch[self.rank :: self.size]

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.size > 1:
            dist.barrier()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over all processes, the same in each of them."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def wrap(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network, with gradients averaged over all processes."""
        if self.size == 1:
            return network
        # Constants are computed alike by every process; for statistics see ``share_statistics``.
        return DistributedDataParallel(network, broadcast_buffers=False)

    def share_statistics(self, network: torch.nn.Module) -> None:
        """Give every process the mean of what batch normalisation has gathered in each."""
        if self.size > 1:
            parameters = {name for name, _ in network.named_parameters()}
            for name, tensor in network.state_dict().items():
                if name not in parameters and tensor.is_floating_point():
                    tensor.copy_(self.sum(tensor.clone()) / self.size)


@contextmanager
def join(device: str) -> Iterator[Team]:
    """Join the team that ``torchrun`` started, or be a team of one.

    Args:
        device: "cpu", or "cuda" for the GPU whose number is the local rank.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    here = torch.device(device)
    if here.type == "cuda" and here.index is None:
        here = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(here)
    if size == 1:
        yield Team(0, 1, here)
        return
    dist.init_process_group("nccl" if here.type == "cuda" else "gloo")
    try:
        yield Team(rank, size, here)
    finally:
        dist.destroy_process_group()
