"""The embedded toy collection: painted by the project, never presented as real art.

`python -m toy` paints it and trains the toy network that transfers to it; `artists`, `scenes` and
`brushes` are who paints, what and how, `nature` the pictures that the network is trained on.
"""

import models  # noqa: F401 -- first of all: with it, an interrupt of what follows is one line
