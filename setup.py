"""Build script. The metadata is in pyproject.toml; the compiled operators will be built here."""

from setuptools import setup

setup()
