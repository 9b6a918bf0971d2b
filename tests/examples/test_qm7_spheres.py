"""Energies from spheres about atoms: they do not change with a turn, and the program runs."""

import torch

from equinet.numerics import random_rotations
from examples.qm7.data import load
from examples.qm7_spheres import __main__ as program
from examples.qm7_spheres.models import SphereNetwork, spin_trunk
from examples.qm7_spheres.runs import take


def test_energies_of_turned_molecules(generator):
    """Equal but for what gates put above the band, and different for other molecules."""
    torch.manual_seed(0)
    network = SphereNetwork(*spin_trunk(6, 4, 1), radius=1.0, band=6)
    atoms = take(load(None), torch.arange(4))
    network.set_scale(atoms)
    with torch.no_grad():
        network(atoms)  # so that norms know their scale
        network.eval()
        found = network(atoms)
        g = random_rotations(1, generator=generator)[0].float()
        turned = network(atoms._replace(positions=atoms.positions @ g.mT))
        alone = network(take(load(None), torch.arange(1)))
    assert found.shape == (4,) and (found[:1] - alone).abs() < 1e-5
    assert (found - turned).abs().max() < 0.02 * found.std()


def test_command_line(tmp_path, capsys):
    options = ["--size", "20", "--steps", "2", "--channels", "2", "--band", "5", "--spin", "1"]
    program.main([*options, "--network", "spin", "regular", "--out", str(tmp_path)])
    assert "spin-20-0" in capsys.readouterr().out
