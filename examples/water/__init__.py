"""Liquid water: forces, dynamics, dipoles and polarisabilities.

Reading order: data, artificial, dynamics, runs, figures, __main__.
"""
