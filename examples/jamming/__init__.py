"""Jamming: from where on a network of a given size cannot fit its data any more."""
