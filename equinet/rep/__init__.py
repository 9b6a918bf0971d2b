"""How groups act: representations and their irreducible parts."""

from equinet.rep.construct import irrep, named, regular, trivial, vector
from equinet.rep.representation import Irrep, Representation

__all__ = ["Irrep", "Representation", "irrep", "named", "regular", "trivial", "vector"]
