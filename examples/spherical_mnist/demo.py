"""A few minutes on two cores: learn upright digits, read rotated ones never seen before."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from examples.common import checkpoint
from examples.common.digits import Dataset
from examples.common.figures import curves_figure
from examples.common.parallel import Team

from .figures import digits_figure
from .models import LEARNING_RATE
from .train import Settings, train, views

CURVES = {"train_accuracy": "training", "upright": "test, upright", "rotated": "test, rotated"}

SHOWN = 8


def demo(
    dataset: Dataset, out: Path, team: Team, *, epochs: int, planar_epochs: int
) -> dict[str, Any]:
    """Train both networks on upright digits and compare them on rotated ones.

    Args:
        dataset: the digits.
        out: folder for pictures, ``demo.json`` and the checkpoints of both runs.
        team: a team of one.
        epochs: of the spherical network.
        planar_epochs: of the planar network.
    Returns:
        The results of both trainings, by name of the network.
    """
    n_train, n_test = len(dataset.train.labels), len(dataset.test.labels)
    print(f"{n_train} upright digits of {dataset.name} to learn from, {n_test} others to test on")
    results, networks = {}, {}
    for name, length in (("spherical", epochs), ("planar", planar_epochs)):
        settings = Settings(
            network=name,
            train_on="upright",
            data=dataset.fingerprint(),
            epochs=length,
            learning_rate=LEARNING_RATE[name],
        )
        results[name], networks[name] = train(settings, dataset, out / name, team, fresh=True)
        print(
            f"\n{name} network, {results[name]['parameters']:,} parameters, accuracy on test digits"
        )
        print("  epoch  upright  rotated")
        for line in results[name]["history"]:
            print(f"  {line['epoch']:5d}  {line['upright']:7.1%}  {line['rotated']:7.1%}")
    print("\n                 upright   rotated    (trained on upright digits only)")
    for name, result in results.items():
        cells = result["accuracy"]
        print(f"  {name:12s}  {cells['upright']:8.1%}  {cells['rotated']:8.1%}")
    _pictures(dataset, out, team, results, networks)
    checkpoint.write_atomic(out / "demo.json", json.dumps(results).encode())
    print(
        f"\npictures: {out / 'digits.png'} and {out / 'curves.png'}; figures in {out / 'demo.json'}"
    )
    return results


@torch.no_grad()
def _pictures(
    dataset: Dataset,
    out: Path,
    team: Team,
    results: dict[str, dict[str, Any]],
    networks: dict[str, torch.nn.Module],
) -> None:
    curves_figure(
        out / "curves.png",
        {f"{name}, trained upright": result["history"] for name, result in results.items()},
        CURVES,
        chance=0.1,
    )
    shown = torch.arange(min(SHOWN, len(dataset.test.labels)))
    tests = views(dataset.test, team.device, torch.float32)
    signals: dict[str, Tensor] = {view: test.make(shown, 0)[0] for view, test in tests.items()}
    read = {
        name: network(signals["rotated"]).argmax(1).tolist() for name, network in networks.items()
    }
    digits_figure(
        out / "digits.png",
        dataset.test.images[shown].numpy(),
        *(signals[view][:, 0].cpu().numpy() for view in ("upright", "rotated")),
        captions=[
            f"spherical reads {s}\nplanar reads {p}"
            for s, p in zip(read["spherical"], read["planar"], strict=True)
        ],
    )
