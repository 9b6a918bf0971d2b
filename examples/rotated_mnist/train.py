"""Learning and testing. In: settings and a data set. Out: a result, ready for JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from examples.common import settings as common
from examples.common.digits import Dataset, Digits
from examples.common.parallel import Team
from examples.common.training import fit

from .data import samples
from .models import NETWORKS

WATCHED = 1_000  # test digits that are read after each epoch, to draw the curve


@dataclass(frozen=True)
class Settings(common.Settings):
    """All that decides the result.

    ``augment``: turn every training digit by one more angle, drawn afresh in every epoch.
    """

    augment: bool = False

    choices: ClassVar = {**common.Settings.choices, "network": tuple(NETWORKS)}


def train(
    settings: Settings,
    dataset: Dataset,
    out: Path,
    team: Team,
    *,
    checkpoint_every: int = 100,
    fresh: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], nn.Module]:
    """Train to the end, see ``examples.common.training.fit``.

    Raises:
        ValueError: if the fingerprint of ``dataset`` is not that of the settings.
    """
    if settings.data != dataset.fingerprint():
        raise ValueError(f"dataset: expected {settings.data!r}, got {dataset.fingerprint()!r}")
    watched = Digits(*(tensor[:WATCHED] for tensor in dataset.test))
    return fit(
        settings,
        NETWORKS[settings.network],
        samples(dataset.train, settings.seed if settings.augment else None),
        {"test": samples(dataset.test)},
        out,
        team,
        watch={"test": samples(watched)},
        checkpoint_every=checkpoint_every,
        fresh=fresh,
        quiet=quiet,
    )
