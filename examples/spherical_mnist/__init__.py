"""Spherical MNIST: a spherical CNN learns upright digits and reads rotated ones.

Reading order: data, models, checkpoint, parallel, train, figures, table, demo, __main__.
"""
