"""Programs that use equinet from end to end; each runs with ``python -m examples.<name>``."""
