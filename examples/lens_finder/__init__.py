"""Finding strong gravitational lenses in simulated images: a set that does not leak, and who wins.

Reading order: lensing, galaxies, images, features, metrics, models, runs, gate, table, figures.
"""
