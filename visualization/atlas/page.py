"""The page's own files, put beside the data they show."""

import html
from importlib import resources

from transfer.result_folder import write_bytes, write_text

INDEX = "index.html"
SCRIPT = "atlas.js"  # the one that every atlas has
TITLE = "{{title}}"  # in index.html


def write_parts(folder):
    """Write the style sheet and the scripts into a folder."""
    for part in _parts().iterdir():
        if part.name != INDEX:
            write_bytes(folder / part.name, part.read_bytes())


def write_index(title, folder):
    """Write index.html with its title, as text, into a folder."""
    text = (_parts() / INDEX).read_text(encoding="utf-8")
    write_text(folder / INDEX, text.replace(TITLE, html.escape(title)))


def _parts():
    return resources.files("visualization.atlas") / "web"
