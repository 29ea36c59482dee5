"""One file per paper, each stating only what differs from transfer.recipe.Recipe; a row here.

RECIPES maps tl_mode to a Recipe, in the order of the columns of tables.
"""

from transfer.recipes import sabatelli2018

RECIPES = {recipe.name: recipe for recipe in (*sabatelli2018.RECIPES,)}
