"""The page's own files, put beside the data they show."""

import html
from importlib import resources

from transfer.result_folder import write_bytes, write_text

INDEX = "index.html"
SCRIPTS = ("store.js", "theme.js", "address.js", "pieces.js", "grid.js", "channel.js", "atlas.js")
PARTS = ("atlas.css", *SCRIPTS)
TITLE = "{{title}}"  # in index.html


def write_parts(folder):
    """Write the style sheet and the scripts into a folder."""
    for name in PARTS:
        write_bytes(folder / name, _part(name).read_bytes())


def write_index(title, folder):
    """Write index.html with its title, as text, into a folder."""
    text = _part(INDEX).read_text(encoding="utf-8")
    write_text(folder / INDEX, text.replace(TITLE, html.escape(title)))


def _part(name):
    return resources.files("visualization.atlas") / "page" / name
