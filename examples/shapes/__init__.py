"""Shapes on the sphere: what a shape is, learned upright and read in any orientation.

Reading order: meshes, data, models, __main__.
"""
