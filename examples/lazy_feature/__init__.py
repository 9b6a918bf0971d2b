"""Lazy and feature learning in fully connected, convolutional and equivariant networks."""
