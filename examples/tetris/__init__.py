"""Tetris in space: eight pieces seen in one orientation each, known again in every other.

Reading order: data, models, train, figures, __main__; checkpoints, the training loop and teams of
processes are in ``examples.common``.
"""
