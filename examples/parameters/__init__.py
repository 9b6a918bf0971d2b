"""How the number of parameters decides what a network has learned (arXiv 1901.01608, 1810.09665)."""
