"""Sphinx builds the pages; every cell of every page is executed, and none may raise."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the extensions that lie here

import inventories

project = "equinet"
author = "The equinet authors"
copyright = "The equinet authors"  # the name that Sphinx reads
version = release = version_of("equinet-torch")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # formulas without a network
    "sphinx_copybutton",
    "sphinx_codeautolink",  # names in the cells of the guide lead to the reference
    "sphinxcontrib.bibtex",
    "notebooks",
    "outputs",
    "reference",
    "equations",
    "check_pages",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 2

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

intersphinx_mapping = inventories.mapping(Path(__file__).parent / "_build" / "inventories")

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # a field that has a line of its own is not described twice
napoleon_custom_sections = [("Shape", "notes_style")]

codeautolink_custom_blocks = {"ipython3": "notebooks.python"}
suppress_warnings = ["config.cache"]  # codeautolink puts the function there, which no cache keeps
codeautolink_concat_default = True

bibtex_bibfiles = ["references.bib"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["equinet.css"]
html_title = f"equinet {version}"
html_copy_source = False
html_show_sphinx = False
