"""What each of several processes does in ``test_module_processes``."""

from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tests.laws.module_cases import MODULES, ModuleCase

# One for each way in which parameters enter; the last is a network with a batch norm.
KINDS = "SphereConv Conv2d ConvTranspose1d Linear TensorProduct NormActivation GroupNorm _plane"


def trained_cases() -> list[ModuleCase]:
    """The first traced case of each kind."""
    traced = [case for case in MODULES if case.traced]
    return [next(c for c in traced if c.name.startswith(kind)) for kind in KINDS.split()]


def gradients(case: ModuleCase, rank: int, count: int, parallel: bool) -> dict[str, torch.Tensor]:
    """Of the mean over the samples ``rank``, ``rank`` + ``count``, ... of the same batch of 4."""
    module = case().double()
    (x,) = case.arguments(module, torch.Generator().manual_seed(0), 4, torch.float64)
    net = DistributedDataParallel(module) if parallel else module
    y = net(x[rank::count])
    (y.square().sum() / len(y)).backward()
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def work(rank: int, count: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{Path(folder) / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    found = [gradients(case, rank, count, parallel=True) for case in trained_cases()]
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
