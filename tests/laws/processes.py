"""What each of several processes does in ``test_module_processes``."""

import copy
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from equinet import nn
from tests.laws.module_case import ModuleCase
from tests.laws.module_cases import MODULES

# One for each way in which parameters enter; the last is a network with a batch norm.
KINDS = "SphereConv Conv2d ConvTranspose1d Linear TensorProduct NormActivation GroupNorm _plane"
PARTS = ((3, 2), (5, 0), (0, 5))  # of a batch of five samples, that each of two processes has


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


def meanings(case: ModuleCase) -> dict[str, torch.Tensor]:
    """The words in the state of a module."""
    return {name: t for name, t in case().state_dict().items() if name.endswith("_extra_state")}


def batch_norms() -> list[ModuleCase]:
    return [case for case in MODULES if case.name.startswith("BatchNorm")]


def norm_cases() -> list[tuple[ModuleCase, tuple[int, int], bool]]:
    """Batch norms, parts of a batch, and whether some points are missing."""
    cases = batch_norms()
    found = [(case, sizes, False) for case in cases for sizes in PARTS]
    plain = next(case for case in cases if case.name.startswith("BatchNorm(Plane"))
    return found + [(plain, sizes, True) for sizes in PARTS]


def normalized(
    case: ModuleCase, part: slice, sync: bool, masked: bool = False
) -> dict[str, torch.Tensor]:
    """What two steps of a batch norm make of a part of a batch, the same one in each process."""
    module = case().double()
    module = nn.convert_sync_batchnorm(module) if sync else module
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        (x,) = case.arguments(module, generator, 5, torch.float64)
        x = (1 + 3 * x)[part].requires_grad_()
        w = torch.rand(5, *x.shape[2:], generator=generator, dtype=torch.float64) - 0.4
        y = module(x, weights=w.clamp(min=0)[part]) if masked else module(x)
    weights = torch.randn((5, *y.shape[1:]), generator=generator, dtype=torch.float64)
    (y * weights[part]).sum().backward()
    found = {f"gradient of {name}": p.grad for name, p in module.named_parameters()}
    found |= {name: statistic for name, statistic in module.state_dict().items() if "run" in name}
    return {**copy.deepcopy(found), "y": y.detach(), "gradient of x": x.grad}


def other(_: int, folder: str) -> None:
    """What the process beside this one does."""
    torch.set_num_threads(1)
    work(1, 2, folder)


def work(rank: int, count: int, folder: str) -> None:
    options = dict(init_method=f"file://{Path(folder) / 'store'}", timeout=timedelta(minutes=2))
    dist.init_process_group("gloo", rank=rank, world_size=count, **options)
    cases = trained_cases()
    found = {
        "gradients": [gradients(case, rank, count, parallel=True) for case in cases],
        "meanings": [meanings(case) for case in cases],
        "normalized": [
            normalized(case, slice(sum(sizes[:rank]), sum(sizes[: rank + 1])), True, masked)
            for case, sizes, masked in norm_cases()
        ],
        "apart": normalized(batch_norms()[0], slice(rank, None, count), sync=False),
    }
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
