"""What the examples of atoms share: two networks, structures with their graphs, and a training.

Reading order: structures, models, energies, training.
"""
