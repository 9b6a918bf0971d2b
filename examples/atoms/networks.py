"""The networks that the examples of atoms choose from, by name."""

from equinet.models import MACE, NequIP

NETWORKS = {"nequip": NequIP, "mace": MACE}
