"""The toy collection: a folder of JPEG pictures with a museum's CSV beside it; a contact sheet.

The CSV has the columns of the Rijksmuseum file of Sabatelli et al. (2018), faults included
(leading spaces, commas in names, written-out bytes, unknown hands), and two more: `school`, and
`art_transfer_toy`, by which everything that reads the file knows that nothing in it is real art.
"""

import csv
import io
from pathlib import Path

from PIL import Image

from models.errors import InputError
from toy.artists import ARTISTS, MATERIALS
from toy.paintings import paint
from transfer.result_folder import result_folder, write_bytes

VERSION = 2  # raised whenever the same seed makes other files
COLUMNS = ("", "ImageId", "dc_creator", "dc_materiaal", "dc_type", "school", "art_transfer_toy")
QUALITY = 90  # JPEG: a museum's web picture; brush marks survive it
MAXIMUM = 9999  # four digits in a picture's name
TILE, GAP = 120, 6  # pixels
WALL = (244, 242, 238)  # a gallery's off-white
A_ROW = 8  # two pictures in each of the four materials


def name_picture(index):
    """Name picture `index` (from 0) as the Rijksmuseum's file does: 0000001_TOY-A-0001."""
    return f"{index + 1:07d}_TOY-A-{index + 1:04d}"


def make_row(index, work):
    """Build the CSV row of a Painting: values carry a leading space, as in the museum's file."""
    labels = (work.creator, work.material, work.type, work.school)
    return (index, name_picture(index), *(" " + label for label in labels), 1)


def write_metadata(path, rows):
    """Write rows of COLUMNS as a UTF-8 CSV file with its header."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _paint_into(folder, count, seed):
    (folder / "jpg").mkdir()
    rows = []
    for index in range(count):
        work = paint(index, seed)
        picture = Image.fromarray(work.pixels)
        picture.save(folder / "jpg" / f"{name_picture(index)}.jpg", quality=QUALITY)
        rows.append(make_row(index, work))
    write_metadata(folder / "metadata.csv", rows)


def paint_collection(folder, count=720, seed=0):
    """Paint `folder`/jpg/*.jpg, metadata.csv and manifest.json, whole or not at all.

    Args:
        folder: to make.
        count: 1 to 9999 pictures.
        seed: not negative.

    Returns:
        True when painted, False when the folder holds this very collection already.

    Raises:
        InputError: another count or seed than these; a folder that holds something else.
    """
    if not 1 <= count <= MAXIMUM:
        raise InputError(f"count {count}: a toy collection has 1 to {MAXIMUM} pictures")
    if seed < 0:
        raise InputError(f"seed {seed}: a seed is 0 or more")
    identity = {"collection": "toy", "version": VERSION, "seed": seed, "count": count}
    with result_folder(folder, identity) as result:
        if result.finished:
            return False
        _paint_into(result.path, count, seed)
    return True


def _hang(picture):
    """Fit a picture into a tile on the wall, whole."""
    picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), WALL)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return tile


def draw_contact_sheet(seed, columns=A_ROW):
    """Draw a contact sheet: one row an artist, `columns` pictures each, the materials in turn.

    The pictures are painted for the sheet, in the hands and materials of the collection of the
    same seed.

    Returns:
        PIL RGB picture.
    """
    pitch = TILE + GAP
    size = columns * pitch + GAP, len(ARTISTS) * pitch + GAP
    sheet = Image.new("RGB", size, WALL)
    for row, artist in enumerate(ARTISTS):
        for column in range(columns):
            material = MATERIALS[column * len(MATERIALS) // columns]
            work = paint(row * columns + column, seed, artist, material)
            tile = _hang(Image.fromarray(work.pixels))
            sheet.paste(tile, (GAP + column * pitch, GAP + row * pitch))
    return sheet


def save_picture(picture, path):
    """Write a PIL picture to `path` in the format of its suffix, whole or not at all.

    Raises:
        InputError: a suffix that names no picture format.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: the name of a picture must end in .png or the like")
    encoded = io.BytesIO()
    picture.save(encoded, kind)
    write_bytes(path, encoded.getvalue())
