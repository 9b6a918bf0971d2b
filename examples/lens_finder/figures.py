"""Pictures: the purity curves, what is in the images, and the worst mistakes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from examples.common.figures import save

from .images import KINDS, Catalogue
from .metrics import purity_curve
from .models import NAMES
from .runs import Task, tests_of
from .table import TOOLS, Results, Scores, scores_of

EXAMPLES = 6  # of each kind
MISTAKES = 8  # of lenses, and as many of the others
COLOURS = {"invariant": "C3", "compute": "C0", "parameters": "C9", "lastro": "C2"}


def purity_figure(path: Path, tasks: Mapping[str, Task], results: Results) -> None:
    """The share of lenses found against the false positives, all arms, a line for every seed."""
    surveys = scores_of(tasks, results)
    figure = Figure(figsize=(4.6 * len(surveys), 4.2), layout="constrained")
    panels = figure.subplots(1, len(surveys), squeeze=False, sharey=True)[0]
    for panel, scores in zip(panels, surveys.values(), strict=True):
        for arm in (*TOOLS, *scores.arms):
            _curves(panel, scores, arm)
        panel.axvline(9.5, color="0.6", linewidth=0.8)
        panel.text(9, 0.6, "TPR10", ha="right", va="center", rotation=90, fontsize=8, color="0.4")
        others = int((~scores.labels).sum())
        panel.plot(np.arange(1, others), np.arange(1, others) / others, color="0.8", linewidth=0.8)
        panel.set(xscale="log", xlim=(0.9, others), ylim=(0, 1), title=scores.survey)
        panel.set_xlabel(f"false positives, of {others:,}")
    panels[0].set_ylabel("share of the lenses found")
    panels[0].legend(fontsize=7.5, loc="upper left")
    save(figure, path)


def _curves(panel: Axes, scores: Scores, arm: str) -> None:
    style = {"color": COLOURS.get(arm, "0.45"), "linewidth": 1.0}
    style["linestyle"] = {"radial": ":", "gradients": "--"}.get(arm, "-")
    for number, one in enumerate(scores.of(arm)):
        curve = purity_curve(one, scores.labels)
        name = TOOLS.get(arm) or NAMES[arm]
        panel.plot(
            np.maximum(curve.false, 0.9),
            curve.true / curve.true[-1],
            label=None if number else name,
            **style,
        )


def examples_figure(path: Path, tasks: Mapping[str, Task], galaxies: Path | None) -> None:
    """The same lenses, sources, rings, spirals and satellites in each survey of its own colours."""
    kinds = KINDS[:-1]
    chosen = _shown(tasks)
    figure = Figure(figsize=(EXAMPLES * len(chosen), len(kinds) + 0.5), layout="constrained")
    parts = figure.subfigures(1, len(chosen), squeeze=False)[0]
    for part, (survey, task) in zip(parts, chosen.items(), strict=True):
        images, catalogue = tests_of(task, galaxies)
        panels = part.subplots(len(kinds), EXAMPLES)
        for number, (row, kind) in enumerate(zip(panels, kinds, strict=True)):
            # The brighter half, in which something is to be seen.
            members = torch.nonzero(catalogue.kind == number)[:, 0]
            members = members[catalogue.flux[members] >= catalogue.flux.median()]
            for panel in row:
                panel.set_axis_off()
            for panel, index in zip(row, members.tolist(), strict=False):
                show(panel, images[index])
            row[0].set_title(kind, fontsize=9, loc="left")
        part.suptitle(survey, fontsize=10)
    save(figure, path)


def mistakes_figure(
    path: Path, tasks: Mapping[str, Task], results: Results, galaxies: Path | None
) -> None:
    """The lenses with the lowest scores and the others with the highest, by the invariant arm."""
    chosen = _shown(tasks)
    figure = Figure(figsize=(MISTAKES, 2.6 * len(chosen)), layout="constrained")
    parts = figure.subfigures(len(chosen), 1, squeeze=False)[:, 0]
    surveys = scores_of(tasks, results)
    for part, (survey, task) in zip(parts, chosen.items(), strict=True):
        images, catalogue = tests_of(task, galaxies)
        mean = surveys[survey].of(task.arms[0]).mean(0)
        labels = surveys[survey].labels
        order = np.argsort(mean)
        rows = (order[labels[order]][:MISTAKES], order[~labels[order]][::-1][:MISTAKES])
        panels = part.subplots(2, MISTAKES)
        for row, indices in zip(panels, rows, strict=True):
            for panel, index in zip(row, indices, strict=True):
                show(panel, images[index])
                panel.set_title(_words(catalogue, int(index)), fontsize=7)
        part.suptitle(f"{survey}: lenses missed, and what was taken for a lens", fontsize=9)
    save(figure, path)


def _shown(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """A task of each survey that has all arms, or of all surveys if none has."""
    every = {task.survey: task for task in tasks.values()}
    return {name: task for name, task in every.items() if len(task.arms) > 1} or every


def _words(catalogue: Catalogue, index: int) -> str:
    kind = KINDS[int(catalogue.kind[index])]
    return f"{kind} {float(catalogue.lens.theta_e[index]):.2f}″"


def show(panel: Axes, image: Tensor) -> None:
    """One image; three of four bands as blue, green and red."""
    shown = ((image.float() + 1) / 5).clamp(0, 1)
    if len(shown) == 1:
        panel.imshow(shown[0].numpy(), cmap="gray", vmin=0, vmax=1)
    else:
        panel.imshow(shown[[2, 1, 0]].movedim(0, -1).numpy())
    panel.set_axis_off()
