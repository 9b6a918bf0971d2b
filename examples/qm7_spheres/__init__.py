"""Energies of molecules from what their atoms see on spheres about them.

Reading order: models, runs, __main__; the molecules are those of ``examples.qm7``.
"""
