"""How far stacks of SO(3) correlations are from commuting with rotations: figure 3 of the paper."""
