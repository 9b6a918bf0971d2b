"""Fields of the Earth: winds and what they make, and the oceans by a spherical U-Net.

Reading order: data, winds, models, oceans, __main__.
"""
