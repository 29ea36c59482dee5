"""A contact sheet of the toy collection: artists in rows, their pictures side by side."""

import os
import uuid
from pathlib import Path

from PIL import Image

from models.errors import InputError
from transfer.toy.artists import ARTISTS, MATERIALS
from transfer.toy.paintings import painting

TILE, GAP = 120, 6  # pixels
WALL = (244, 242, 238)  # a gallery's off-white
COLUMNS = 8  # two pictures in each of the four materials


def _hung(picture):
    """Fit a picture into a tile on the wall, whole."""
    picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), WALL)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return tile


def contact_sheet(seed, columns=COLUMNS):
    """Draw the sheet: one row an artist, `columns` pictures each, the materials in turn.

    Returns a PIL RGB picture. The pictures are painted for the sheet, in the hands and materials
    of the collection of the same seed.
    """
    pitch = TILE + GAP
    size = columns * pitch + GAP, len(ARTISTS) * pitch + GAP
    sheet = Image.new("RGB", size, WALL)
    for row, artist in enumerate(ARTISTS):
        for column in range(columns):
            material = MATERIALS[column * len(MATERIALS) // columns]
            work = painting(row * columns + column, seed, artist, material)
            tile = _hung(Image.fromarray(work.pixels))
            sheet.paste(tile, (GAP + column * pitch, GAP + row * pitch))
    return sheet


def save_picture(picture, path):
    """Write a PIL picture to `path` in the format of its suffix, whole or not at all.

    Raises InputError for a suffix that names no picture format.
    """
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"{path}: the name of a picture must end in .png or the like")
    part = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        picture.save(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
