"""Measurements of speed and memory, beside whichever peers are installed."""
