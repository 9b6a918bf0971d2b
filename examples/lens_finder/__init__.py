"""Finding strong gravitational lenses in simulated images: a set that does not leak, and who wins.

Reading order: lensing, surveys, galaxies, images, features, metrics, models, runs, table, figures.
"""
