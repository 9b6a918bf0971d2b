"""Training all arms on the same new images, and scoring the test set. In: tasks. Out: scores.

The networks of one survey and one seed see the same images in the same order, drawn anew in every
epoch, so an image is made once for all of them and their differences are paired. The cost of a step
is set by the width of the networks; the steps are the same for all.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from examples.common.errors import InputError
from examples.common.streams import epoch_order, stream
from examples.common.sweep import Desk
from examples.common.training import parameter_count

from .features import FEATURES, Logistic
from .galaxies import Pool, pool, read_galaxies
from .images import Catalogue, linear, make
from .metrics import auroc, purity_curve
from .models import LEARNING_RATE, NETWORKS, build, cost, d4_each, d4_product, logits, set_dropout
from .surveys import SURVEYS, Survey

WARM_UP = 50  # steps over which the learning rate rises
POSES, WEIGHTS, DROPPED = 14, 15, 16  # purposes of streams
TEST_SEED = 2**40  # of the test images, the same for all; no training has it
GATE_SEED = 2**41
BASELINES = ("radial", "gradients")
BASELINE_EPOCHS = 2  # of new images, to fit the hand-made features to
GATE_BARS = {"fluxes": 0.60, "radial": 0.75}


@dataclass(frozen=True)
class Task:
    """All that decides the result of one training of all arms.

    ``galaxies`` names the content of the file of real galaxies; ``synthetic`` counts the others, in
    training and test each. ``images`` are those of an epoch, half of them lenses.
    """

    survey: str
    seed: int
    galaxies: str
    arms: tuple[str, ...] = tuple(NETWORKS)
    epochs: int = 8
    images: int = 4000
    batch: int = 32
    synthetic: int = 800
    negatives: int = 10_000
    lenses: int = 2_000

    def __post_init__(self) -> None:
        for name, allowed in (("survey", (self.survey,)), ("arms", self.arms)):
            known = tuple(SURVEYS if name == "survey" else NETWORKS)
            if not set(allowed) <= set(known):
                raise InputError(f"{name}: expected one of {known}, got {getattr(self, name)!r}")
        for name, least in (("images", self.batch), ("batch", 2), ("negatives", 10), ("lenses", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected {least} or more, got {getattr(self, name)}")

    @property
    def setting(self) -> Survey:
        return SURVEYS[self.survey]


@dataclass(frozen=True)
class GateTask:
    """Whether a set of images leaks; ``leaking`` leaves the second light out of the negatives."""

    survey: str
    galaxies: str
    images: int = 4000
    synthetic: int = 800
    leaking: bool = False


@lru_cache(maxsize=2)
def pools(survey: str, path: Path | None, count: int) -> tuple[Pool, Pool]:
    """The galaxies to learn from and those to test on."""
    real, _ = read_galaxies(path)
    return (
        pool(SURVEYS[survey], real, count, "train"),
        pool(SURVEYS[survey], real, count, "test"),
    )


@lru_cache(maxsize=1)
def test_images(
    survey: str, path: Path | None, synthetic: int, lenses: int, negatives: int
) -> tuple[Tensor, Catalogue]:
    """The test set: the lenses first."""
    labels = torch.arange(lenses + negatives) < lenses
    return make(SURVEYS[survey], pools(survey, path, synthetic)[1], labels, TEST_SEED, 0)


def tests_of(task: Task, path: Path | None) -> tuple[Tensor, Catalogue]:
    """The test set of a task."""
    return test_images(task.survey, path, task.synthetic, task.lenses, task.negatives)


def epoch_images(task: Task, path: Path | None, epoch: int) -> tuple[Tensor, Tensor]:
    """New images of an epoch, and which of them are lenses: every other one."""
    galaxies = pools(task.survey, path, task.synthetic)[0]
    labels = torch.arange(task.images) % 2 == 0
    return make(task.setting, galaxies, labels, task.seed, epoch)[0], labels


def gate(path: Path | None, task: GateTask, desk: Desk) -> dict[str, float]:
    """AUROC of logistic regression on simple features, on galaxies it was not fitted to."""
    made = []
    for half, galaxies in enumerate(pools(task.survey, path, task.synthetic)):
        labels = torch.arange(task.images) % 2 == 0
        survey = SURVEYS[task.survey]
        images, _ = make(survey, galaxies, labels, GATE_SEED, half, leaking=task.leaking)
        made.append((linear(images), labels))
        desk.tell((1 + half) / 3)
    found = {}
    for name in GATE_BARS:
        (images, labels), (others, truth) = made
        model = Logistic(FEATURES[name](images), labels)
        scores = model.scores(FEATURES[name](others)).numpy()
        found[name] = float(auroc(purity_curve(scores, truth.numpy())))
    return found


def passes(found: Mapping[str, float]) -> bool:
    """Whether neither fluxes nor radial profiles tell lenses from the rest."""
    return all(found[name] <= bar for name, bar in GATE_BARS.items())


class Arm:
    """One network, its optimiser, and what it has cost."""

    def __init__(self, name: str, task: Task) -> None:
        self.name, self.task = name, task
        # The arms start from numbers of their own, whichever other arms there are.
        torch.manual_seed(stream(task.seed, WEIGHTS, list(NETWORKS).index(name)).initial_seed())
        self.network = build(name, len(task.setting.bands))
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.step, self.seconds, self.loss = 0, 0.0, 0.0

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """One step of Adam."""
        started = time.process_time()
        steps = self.task.epochs * (self.task.images // self.task.batch)
        warm = min(1.0, (self.step + 1) / WARM_UP)
        rate = LEARNING_RATE[self.name] * warm * 0.5 * (1 + math.cos(math.pi * self.step / steps))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        set_dropout(self.network, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss = binary_cross_entropy_with_logits(self.network(images)[:, 0], labels)
        loss.backward()
        self.optimizer.step()
        self.loss += 0.01 * (float(loss.detach()) - self.loss)
        self.step += 1
        self.seconds += time.process_time() - started

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "numbers": [self.step, self.seconds, self.loss],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.loss = state["numbers"]


def train(path: Path | None, task: Task, desk: Desk) -> dict[str, Any]:
    """Train all arms of a task and score the test set.

    Args:
        path: the file of real galaxies, or None.
        task: all that decides the result.
        desk: keeps a checkpoint after every epoch and every arm that has been scored.
    Returns:
        For every arm its cost and its scores, and what is in the test set.
    """
    arms = [Arm(name, task) for name in task.arms]
    scored: dict[str, Any] = {}
    done = 0
    if (saved := desk.resume()) is not None:
        if saved["task"] != repr(task):
            raise InputError(f"out: {desk.folder} holds another training; take --fresh")
        for arm in arms:
            arm.restore(saved["arms"][arm.name])
        done, scored = saved["epochs"], saved["scored"]

    def save() -> None:
        states = {arm.name: arm.state() for arm in arms}
        state = {"task": repr(task), "epochs": done, "arms": states, "scored": scored}
        desk.save(done + len(scored), state)
        desk.tell((done + len(scored)) / (task.epochs + len(arms) + 1))

    while done < task.epochs:
        learn_epoch(arms, task, path, done)
        done += 1
        save()
    for arm in arms:
        if arm.name not in scored:
            scored[arm.name] = score(arm, tests_of(task, path)[0])
            save()
    catalogue = tests_of(task, path)[1]
    return {
        "arms": scored,
        "baselines": {name: baseline(name, task, path) for name in BASELINES},
        "test": {
            "kind": catalogue.kind.tolist(),
            "galaxy": catalogue.galaxy.tolist(),
            "theta_e": rounded(catalogue.lens.theta_e),
        },
    }


def learn_epoch(arms: list[Arm], task: Task, path: Path | None, epoch: int) -> None:
    """An epoch of new images, each of which all arms see under the same element of D4."""
    images, labels = epoch_images(task, path, epoch)
    poses = stream(task.seed, POSES, epoch)
    torch.manual_seed(stream(task.seed, DROPPED, epoch).initial_seed())  # of the dropout
    order = epoch_order(task.images, task.seed, epoch)
    for index in order.split(task.batch)[: task.images // task.batch]:
        batch = d4_each(images[index].float(), poses)
        for arm in arms:
            arm.learn(batch, labels[index].float())


def score(arm: Arm, images: Tensor) -> dict[str, Any]:
    """Scores of the test set, and the cost of the arm."""
    bands = len(arm.task.setting.bands)
    arm.network.eval()
    if arm.name == "invariant":  # its product over D4 is the score itself
        single = logits(arm.network, images)
        product = torch.nn.functional.logsigmoid(single.double())
    else:
        single, product = d4_product(arm.network, images)
    return {
        "parameters": parameter_count(arm.network),
        "mflop": round(cost(arm.network, bands), 2),
        "milliseconds": round(1e3 * arm.seconds / (arm.step * arm.task.batch), 3),
        "loss": round(arm.loss, 4),
        "single": rounded(single),
        "product": rounded(product),
    }


def baseline(name: str, task: Task, path: Path | None) -> list[float]:
    """Scores of logistic regression on hand-made features, fitted to the first epochs."""
    made = [epoch_images(task, path, epoch) for epoch in range(min(BASELINE_EPOCHS, task.epochs))]
    features = torch.cat([FEATURES[name](linear(images)) for images, _ in made])
    model = Logistic(features, torch.cat([labels for _, labels in made]))
    images, _ = tests_of(task, path)
    return rounded(
        torch.cat([model.scores(FEATURES[name](linear(part))) for part in images.split(1000)])
    )


def rounded(values: Tensor) -> list[float]:
    """Six digits of each: scores near each other, and near 0, stay apart."""
    return [float(f"{value:.6g}") for value in values.tolist()]
