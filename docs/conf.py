"""Sphinx builds the pages; every cell of every page is executed, and none may raise."""

from importlib.metadata import version as version_of

project = "equinet"
author = "The equinet authors"
copyright = "The equinet authors"  # the name that Sphinx reads
version = release = version_of("equinet-torch")

extensions = ["myst_nb"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 2

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

html_theme = "furo"
html_title = f"equinet {version}"
html_copy_source = False
html_show_sphinx = False
