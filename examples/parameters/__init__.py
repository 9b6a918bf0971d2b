"""What a network learns as its parameters grow in number (arXiv 1901.01608, 1810.09665)."""
