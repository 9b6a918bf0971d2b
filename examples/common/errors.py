"""What the user gave and cannot be used, as against what is wrong with the program."""


class InputError(ValueError):
    """An argument, or a file or folder that it names, is not what it should be.

    ``options.run`` tells it in one line; every other exception is a bug and keeps its traceback.
    """
