"""Atomisation energies of small molecules: how the error falls with the number of molecules.

Reading order: data, bonds, runs, figure, __main__.
"""
