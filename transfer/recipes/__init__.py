"""One file per paper, each stating only what differs from transfer.recipe.Recipe."""
