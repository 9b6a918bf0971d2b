"""Where the documentation explains what an error or a warning is about."""

DOCS = "https://github.com/equinet/equinet/blob/HEAD/docs"


def explained(message: str, page: str) -> str:
    """A message that ends with the page that explains it.

    For what newcomers meet and one sentence cannot tell; most messages need no page.

    Args:
        message: what was expected and what came.
        page: in ``docs/``, with the heading: ``"guide/pitfalls.md#stride"``.
    Returns:
        The message and the address.
    """
    return f"{message}; see {DOCS}/{page}"
