"""Kept for `python setup.py`-era tools; everything is stated in pyproject.toml."""

from setuptools import setup

setup()
