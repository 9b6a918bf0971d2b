"""Write networks that the examples have trained as files of weights, for ``models.pretrained``.

    python -m examples.pretrained digits --run runs/rotated_mnist/resnet-augmented-0 --out digits.pt

What learned in units of its own is written in those of the data, for which molecules and water are
asked for again.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from equinet import nn as enn
from equinet.models import pretrained, save_weights
from examples.common import checkpoint
from examples.common.errors import InputError
from examples.common.options import run
from examples.qm7.data import Split, composition
from examples.qm7.data import load as load_molecules
from examples.qm7.runs import scale_of_an_atom
from examples.water.data import load as load_water


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The names and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.pretrained", description=__doc__)
    top.add_argument("name", choices=("digits", "spherical_digits", "oceans", *UNITS))
    top.add_argument("--run", type=Path, required=True, help="folder of the training")
    top.add_argument("--data", type=Path, help="of molecules and water: what was learned from")
    top.add_argument("--size", type=int, help="of molecules and water: how many were")
    top.add_argument("--about", default="", help="a sentence that the file keeps")
    top.add_argument("--out", type=Path, required=True, help="the file")
    top.set_defaults(command=_write)
    return top


def _write(options: argparse.Namespace) -> None:
    network = pretrained(options.name, weights=False)
    state = _state(options.run)
    if options.name in UNITS:
        if options.data is None or options.size is None:
            raise InputError(
                f"data: expected --data and --size, of which {options.name} were learned"
            )
        assert isinstance(network, enn.Potential)
        network.net.load_state_dict(state)
        shifts, scale = UNITS[options.name](options.data, options.size)
        _fill(network, shifts, scale)
    else:
        network.load_state_dict(state)
    save_weights(network, options.out, options.about)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


def _state(folder: Path) -> dict[str, Tensor]:
    """What a training has learned."""
    if (folder / "weights.pt").exists():
        return torch.load(folder / "weights.pt", weights_only=True)
    saved = checkpoint.latest(folder)
    if saved is None:
        raise InputError(f"run: expected the folder of a training, got {folder}")
    return saved["network"]


def _fill(network: enn.Potential, shifts: Tensor, scale: float) -> None:
    assert network.shifts is not None and network.scales is not None
    network.shifts.copy_(shifts)
    network.scales.fill_(scale)


def _molecules(data: Path, size: int) -> tuple[Tensor, float]:
    """Energies of the elements, and the scale of what is beside them, in kcal/mol."""
    molecules = load_molecules(data)
    train = Split.of(len(molecules)).pool[:size]
    return composition(molecules, train), scale_of_an_atom(molecules, train)


def _water(data: Path, size: int) -> tuple[Tensor, float]:
    """The mean energy of an atom in eV, and the scale of the forces in eV per angstrom."""
    train = load_water(data)["forces"].train.take(slice(size))
    mean = train.energies.mean() / len(train.kinds)
    return mean.expand(2), train.values.std().item()


UNITS: dict[str, Callable[[Path, int], tuple[Tensor, float]]] = {
    "molecules": _molecules,
    "water": _water,
}

if __name__ == "__main__":
    main()
