"""One file per paper, each stating only what differs from transfer.recipe.Recipe; a row here.

RECIPES maps tl_mode to a Recipe, in the order of the columns of tables. PUBLISHED maps the name of
a published table to its CSV file.
"""

import difflib
from pathlib import Path

from models.errors import InputError
from transfer.recipes import cetinic2018, gonthier2020, sabatelli2018

PAPERS = (sabatelli2018, gonthier2020, cetinic2018)
RECIPES = {recipe.name: recipe for paper in PAPERS for recipe in paper.RECIPES}
PUBLISHED = {path.stem: path for path in sorted(Path(__file__).parent.glob("published/*.csv"))}


def find_recipe(text):
    """The Recipe of a name, with or without that of its paper.

    Args:
        text: e.g. `fine_tuning`, `sabatelli2018.fine_tuning` or `gonthier2020.mode_a`.

    Raises:
        InputError: there is none; near names are told.
    """
    name = text.removeprefix("sabatelli2018.")
    if name not in RECIPES:
        near = difflib.get_close_matches(text, RECIPES, 3, 0.5) or RECIPES
        raise InputError(f"no recipe {text!r}; there is {', '.join(near)}")
    return RECIPES[name]


def published_file(name):
    """Path of the CSV file of a published table; InputError for a name that PUBLISHED lacks."""
    if name not in PUBLISHED:
        raise InputError(f"no published table {name!r}; there is " + ", ".join(PUBLISHED))
    return PUBLISHED[name]
