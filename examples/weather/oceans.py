"""Which ocean is it? Learned from the Earth as it stands, read when it is turned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import equinet as eq
from equinet.field import act
from examples.atoms.training import Run, learn
from examples.common.streams import TEST_ROTATIONS, stream
from examples.common.sweep import Desk
from examples.common.training import parameter_count

from .data import Earth
from .models import NETWORKS


@dataclass(frozen=True)
class OceanRun(Run):
    """A network and the turns it is tested with.

    Attributes:
        band: of the sphere.
        turns: of the Earth in the test.
    """

    band: int = 32
    turns: int = 10


def train(earth: Earth, run: OceanRun, desk: Desk) -> dict[str, Any]:
    """Let a network learn the upright Earth, and test it on turned ones."""
    sphere = eq.Sphere(run.band)
    kind = sphere.fields(f"{earth.seen.shape[1]}x0")
    mean = earth.seen.mean((0, 2, 3), keepdim=True)
    x = (earth.seen - mean) / earth.seen.std((0, 2, 3), keepdim=True)
    area = sphere.weights[:, None].float().expand(sphere.rings.shape)
    torch.manual_seed(run.seed)
    network = NETWORKS[run.network](sphere, x.shape[1], len(earth.names))
    labels = earth.labels(sphere)

    def loss(network: nn.Module, indices: Tensor) -> Tensor:
        scores = network(x)
        each = nn.functional.cross_entropy(
            scores, labels.clamp_min(0)[None], reduction="none"
        )  # land, -1, has no weight
        return (each * area * (labels >= 0)).sum() / (area * (labels >= 0)).sum()

    def right(rotations: Sequence[Tensor | None]) -> float:
        network.eval()
        found = []
        for g in rotations:
            own = labels if g is None else earth.labels(sphere, g)
            with torch.no_grad():
                scores = network(x if g is None else act(kind, g.to(x), x))
            sea = area * (own >= 0)
            found.append(((scores[0].argmax(0) == own) * sea).sum() / sea.sum())
        network.train()
        return torch.stack(found).mean().item()

    turns = [*eq.so3().sample(run.turns, generator=stream(0, TEST_ROTATIONS))]
    history, seconds = learn(
        run, network, loss, lambda network: {"upright": right([None]), "turned": right(turns)}, desk
    )
    found = {"upright": right([None]), "turned": right(turns), "history": history}
    return found | {"seconds": seconds, "parameters": parameter_count(network)}
