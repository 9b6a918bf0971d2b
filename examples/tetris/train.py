"""Learning and testing. In: settings. Out: a result, ready for JSON."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from examples.common import settings as common
from examples.common.parallel import Team
from examples.common.training import fit

from .data import TESTS, test_pieces, training_pieces
from .models import NETWORKS, SCALES, parameter_groups

LEARNING_RATE = {"steerable": 0.1, "parity": 0.01, "plain": 0.01}


@dataclass(frozen=True)
class Settings(common.Settings):
    """All that decides the result.

    ``low_pass``: whether a filter comes before each stride. ``tests``: how many orientations of
    each piece the network is tested in.
    """

    low_pass: str = "yes"
    scale: str = "small"
    tests: int = TESTS

    choices: ClassVar = {
        **common.Settings.choices,
        "network": tuple(NETWORKS),
        "low_pass": ("yes", "no"),
        "scale": tuple(SCALES),
    }


def build(settings: Settings) -> nn.Module:
    """The network of these settings."""
    return NETWORKS[settings.network](SCALES[settings.scale], settings.low_pass == "yes")


def train(
    settings: Settings,
    out: Path,
    team: Team,
    *,
    checkpoint_every: int = 100,
    fresh: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], nn.Module]:
    """Train to the end, see ``examples.common.training.fit``."""
    scale = SCALES[settings.scale]
    test = test_pieces(settings.tests, scale.size, scale.side)
    return fit(
        settings,
        partial(build, settings),
        training_pieces(settings.seed, scale.size, scale.side),
        {"rotated": test},
        out,
        team,
        watch={},
        groups=parameter_groups,
        checkpoint_every=checkpoint_every,
        fresh=fresh,
        quiet=quiet,
    )
