"""ModelNet10: a steerable CNN learns upright objects and knows them in any orientation.

Reading order: solids, meshes, data, models, figure, __main__.
"""
