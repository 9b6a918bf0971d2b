"""Names that have changed, and work for one version more."""

import warnings


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name has a successor.

    Args:
        old: what was used.
        new: what to use.
        stacklevel: calls from this function to the line that is warned of; 3 for the caller of the
            function with the old name.
    """
    warnings.warn(f"{old}: deprecated, use {new}", DeprecationWarning, stacklevel)
