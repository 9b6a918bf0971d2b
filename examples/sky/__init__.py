"""The microwave sky: temperature and polarisation on HEALPix, and their E and B.

Reading order: data, __main__.
"""
