"""Rotated MNIST: digits in every orientation, read by networks of several symmetries.

Reading order: data, models, train, figures, __main__; checkpoints, the training loop and teams of
processes are in ``examples.common``.
"""
