"""Learning and testing on the sphere.

In: settings and a data set. Out: a result, ready for JSON, with the accuracy on upright and on
rotated digits. One training serves two columns of the paper's table: a network that learned
upright digits gives NR/NR on upright and NR/R on rotated test digits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from examples.common import settings as common
from examples.common.digits import Dataset, Digits
from examples.common.parallel import Team
from examples.common.training import Samples, fit

from .data import fixed_rotations, samples, train_rotations
from .models import NETWORKS, parameter_groups


@dataclass(frozen=True)
class Settings(common.Settings):
    """All that decides the result; ``learning_rate`` is that of the filters, see
    ``parameter_groups``."""

    train_on: str = "upright"

    choices: ClassVar = {
        **common.Settings.choices,
        "network": tuple(NETWORKS),
        "train_on": ("upright", "rotated"),
    }


def views(
    digits: Digits, device: torch.device, dtype: torch.dtype, seed: int = 0
) -> dict[str, Samples]:
    """The two ways to show the test digits: upright, and each turned by its own rotation."""
    turns = fixed_rotations(len(digits.labels), seed)
    return {
        "upright": samples(digits, device, dtype, lambda epoch: None),
        "rotated": samples(digits, device, dtype, lambda epoch: turns),
    }


def train(
    settings: Settings,
    dataset: Dataset,
    out: Path,
    team: Team,
    *,
    checkpoint_every: int = 100,
    fresh: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], torch.nn.Module]:
    """Train to the end, from the newest checkpoint in ``out`` if there is one.

    Args:
        settings: what decides the result.
        dataset: the digits; its fingerprint must be that of the settings.
        out: folder of the run; gets checkpoints and ``result.json``.
        team: the processes that share the work.
        checkpoint_every: steps from one checkpoint to the next; there is one after each epoch too.
        fresh: forget the checkpoints in ``out``.
        quiet: no progress bar.
    Returns:
        The content of ``result.json`` and the trained network.
    """
    if settings.data != dataset.fingerprint():
        raise ValueError(f"dataset: expected {settings.data!r}, got {dataset.fingerprint()!r}")
    dtype, n = getattr(torch, settings.dtype), len(dataset.train.labels)

    def rotations(epoch: int):
        return train_rotations(n, settings.seed, epoch) if settings.train_on == "rotated" else None

    return fit(
        settings,
        NETWORKS[settings.network],
        samples(dataset.train, team.device, dtype, rotations),
        views(dataset.test, team.device, dtype),
        out,
        team,
        groups=parameter_groups,
        checkpoint_every=checkpoint_every,
        fresh=fresh,
        quiet=quiet,
    )
