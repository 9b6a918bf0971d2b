"""Pictures of the results. In: results. Out: pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from examples.common.figures import save

from .runs import drift

Results = Mapping[str, Mapping[str, Any]]


def forces_figure(path: Path, results: Results, atoms: int) -> None:
    """The errors of the forces along the trainings, and the energies along the trajectories.

    Args:
        path: of the picture to write.
        results: of ``runs.forces``, by name.
        atoms: of a frame.
    """
    moving = {name: result["motion"] for name, result in results.items() if "motion" in result}
    figure = Figure(figsize=(5 * (1 + bool(moving)), 3.6), layout="constrained")
    first, *others = figure.subplots(1, 1 + bool(moving), squeeze=False)[0]
    for name, result in results.items():
        steps = [line["step"] for line in result["history"]]
        first.semilogy(steps, [1000 * line["forces"] for line in result["history"]], label=name)
    first.set(xlabel="steps", ylabel="RMSE of the forces, meV / Å")
    first.grid(alpha=0.3, which="both")
    first.legend(fontsize=8)
    for panel in others:
        for number, (name, found) in enumerate(moving.items()):
            time = np.array(found["time"]) / 1000
            slope, _ = drift(found, atoms)
            words = {"total": f"total: {slope:.2g} meV / ps", "potential": "potential"}
            for (key, text), style in zip(words.items(), ("-", ":"), strict=True):
                energy = 1000 * (np.array(found[key]) - found[key][0]) / atoms
                panel.plot(time, energy, style, color=f"C{number}", label=f"{name}, {text}")
        panel.set(xlabel="time, ps", ylabel="energy of an atom, meV")
        panel.legend(fontsize=8)
    save(figure, path)


def tensors_figure(path: Path, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Errors over standard deviations: a group of bars for each target.

    Args:
        path: of the picture to write.
        rows: of each target, errors by part.
    """
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    panel = figure.subplots()
    place, ticks = 0, {}
    for number, (target, errors) in enumerate(rows.items()):
        for part, error in errors.items():
            panel.bar(place, error, color=f"C{number}")
            ticks[place] = f"{target}\n{part}"
            place += 1
    panel.axhline(1, color="0.6", linewidth=0.8)
    panel.set_xticks(list(ticks), list(ticks.values()), fontsize=7)
    panel.set(ylabel="RMSE / standard deviation")
    save(figure, path)
