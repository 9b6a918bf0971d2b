"""Spherical MNIST: a spherical CNN learns upright digits and reads rotated ones.

Reading order: data, models, train, figures, table, demo, __main__; checkpoints, the training loop
and teams of processes are in ``examples.common``.
"""
