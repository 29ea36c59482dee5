"""One file per paper, each stating only what differs from transfer.recipe.Recipe; a row here.

RECIPES maps tl_mode to a Recipe, in the order of the columns of tables. PUBLISHED maps the name of
a published table to its CSV file.
"""

from pathlib import Path

from models.errors import InputError
from transfer.recipes import sabatelli2018

RECIPES = {recipe.name: recipe for recipe in (*sabatelli2018.RECIPES,)}
PUBLISHED = {path.stem: path for path in sorted(Path(__file__).parent.glob("published/*.csv"))}


def published_file(name):
    """Path of the CSV file of a published table; InputError for a name that PUBLISHED lacks."""
    if name not in PUBLISHED:
        raise InputError(f"no published table {name!r}; there is " + ", ".join(PUBLISHED))
    return PUBLISHED[name]
