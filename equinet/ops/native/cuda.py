"""Code for the GPU (to come)."""


def available(device: int | None) -> bool:
    """Whether there is code for a GPU."""
    return False


def report() -> tuple[tuple[str, ...], str]:
    """For each GPU where its code comes from; and why there is none."""
    return (), "not yet"
