"""A CSV and a folder of pictures -> a trained, tested classifier: see docs/design.md.

`models` is imported first of all: with it, an interrupt of what follows is one line.
"""

import models  # noqa: F401
