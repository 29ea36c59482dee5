"""One file per paper, each stating only what differs from transfer.recipe.Recipe; a row here.

RECIPES maps tl_mode to a Recipe, in the order of the columns of tables.
"""

import difflib

from models.errors import InputError
from transfer.recipes import cetinic2018, gonthier2020, sabatelli2018

PAPERS = (sabatelli2018, gonthier2020, cetinic2018)
RECIPES = {recipe.name: recipe for paper in PAPERS for recipe in paper.RECIPES}


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
