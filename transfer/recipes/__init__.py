"""One file per paper, each stating only what differs from transfer.recipe.Recipe; a row here.

RECIPES maps tl_mode to a Recipe, in the order of the columns of tables. PUBLISHED maps the name of
a published table to its CSV file.
"""

from pathlib import Path

from transfer.recipes import sabatelli2018

RECIPES = {recipe.name: recipe for recipe in (*sabatelli2018.RECIPES,)}
PUBLISHED = {path.stem: path for path in sorted(Path(__file__).parent.glob("published/*.csv"))}
