"""The toy collection on disk: a folder of JPEG pictures and a museum's CSV beside it.

The CSV has the columns of the Rijksmuseum file of Sabatelli et al. (2018), faults included
(leading spaces, commas in names, written-out bytes, unknown hands), and one more, `school`.
"""

import csv
import json
from pathlib import Path

from PIL import Image

from models.errors import InputError
from transfer import folders
from transfer.toy.paintings import painting

VERSION = 1  # of the recipe: raised whenever the same seed paints other pictures
COLUMNS = ("", "ImageId", "dc_creator", "dc_materiaal", "dc_type", "school")
QUALITY = 90  # JPEG: a museum's web picture; brush marks survive it
MAXIMUM = 9999  # four digits in a picture's name


def image_id(index):
    """Name picture `index` (from 0) as the Rijksmuseum's file does: 0000001_TOY-A-0001."""
    return f"{index + 1:07d}_TOY-A-{index + 1:04d}"


def metadata_row(index, work):
    """Build the CSV row of a Painting: values carry a leading space, as in the museum's file."""
    labels = (work.creator, work.material, work.type, work.school)
    return (index, image_id(index), *(" " + label for label in labels))


def write_metadata(path, rows):
    """Write rows of COLUMNS as a UTF-8 CSV file with its header."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _recipe(count, seed):
    return {"collection": "toy", "version": VERSION, "seed": seed, "count": count}


def _found(folder, recipe):
    """Tell whether the folder holds this recipe already; refuse anything else that is there."""
    if not folder.exists():
        return False
    try:
        there = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{folder} exists and is not a toy collection: name a new folder"
        ) from None
    if there != recipe:
        raise InputError(f"{folder} holds another toy collection, {there}: wanted {recipe}")
    return True


def _paint_into(folder, recipe):
    (folder / "jpg").mkdir()
    rows = []
    for index in range(recipe["count"]):
        work = painting(index, recipe["seed"])
        picture = Image.fromarray(work.pixels)
        picture.save(folder / "jpg" / f"{image_id(index)}.jpg", quality=QUALITY)
        rows.append(metadata_row(index, work))
    write_metadata(folder / "metadata.csv", rows)
    (folder / "manifest.json").write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")


def paint_collection(folder, count=720, seed=0):
    """Paint `folder`/jpg/*.jpg, metadata.csv and manifest.json, whole or not at all.

    count: 1 to 9999 pictures; seed: not negative. Returns True when painted, False when the
    folder holds this very collection already. Raises InputError for another count or seed than
    these and for a folder that holds something else.
    """
    folder = Path(folder)
    if not 1 <= count <= MAXIMUM:
        raise InputError(f"count {count}: a toy collection has 1 to {MAXIMUM} pictures")
    if seed < 0:
        raise InputError(f"seed {seed}: a seed is 0 or more")
    recipe = _recipe(count, seed)
    with folders.locked(folder):
        if _found(folder, recipe):
            return False
        with folders.whole(folder) as part:
            _paint_into(part, recipe)
    return True
