"""The pictures that networks are compared on: which, in which part, how labelled; kept in a folder.

A picture may be taken away later: what was computed from it stays, and the list still names it.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InputError
from transfer import metadata, seen_pictures
from transfer.dataset import REPORT
from transfer.pictures import find_pictures
from transfer.result_folder import read_csv, read_json, unfinished, write_csv, write_json
from transfer.splits import SPLITS

FILE = "pictures.csv"
ABOUT = "collection.json"  # what else is known of them; written last
COLUMNS = ["id", "label", "split", "path", "sha256", "title"]
TITLES = ("title", "dc_title")  # columns, in any case, that say what a picture is called
PAINTERS = ("artist", "creator", "dc_creator")  # and by whom it is


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures of a collection, in the order of its parts and their ids.

    folder: Path that the paths of `table` lead from. table: DataFrame of text, COLUMNS. found:
    kind of finding (transfer.metadata.KINDS) -> how many. toy: whether it is the toy collection.
    """

    folder: Path
    table: Any
    found: dict
    toy: bool

    @functools.cached_property
    def classes(self):
        """Names of the classes, sorted."""
        return tuple(sorted(set(self.table["label"])))

    @functools.cached_property
    def labels(self):
        """The class of every picture, int (pictures,)."""
        number = {name: place for place, name in enumerate(self.classes)}
        return np.array([number[label] for label in self.table["label"]], int)

    @property
    def files(self):
        """The picture files, list of Path."""
        return [self.folder / path for path in self.table["path"]]

    def of(self, parts):
        """Whether each picture is in one of these parts, bool (pictures,)."""
        return self.table["split"].isin(parts).to_numpy()

    def only(self, parts):
        """The pictures of these parts alone."""
        table = self.table[self.of(parts)].reset_index(drop=True)
        return Pictures(self.folder, table, self.found, self.toy)

    def seen_by(self, spec):
        """Which of the pictures a network was trained on, as its own file says.

        Args:
            spec: models.zoo.Spec.

        Returns:
            bool (pictures,); None where the file does not tell.
        """
        seen = seen_pictures.of_network(spec)
        if seen is None:
            return None
        length = seen_pictures.LENGTH
        digests = [bytes.fromhex(text)[:length] for text in self.table["sha256"]]
        return np.array([digest in seen for digest in digests], bool)


def collection_key(data, out, say=print):
    """What tells this collection from another: the key of its CSV, pictures and settings.

    Where a result in `out` was made of the same and of pictures that have been taken away since,
    it is that one's key, and it is said.

    Args:
        data: transfer.dataset.Data.
        out: path of the result folder.
        say: called with a line.
    """
    kept = _recorded(Path(out))
    if kept is None or data.key == kept["key"] or kept["settings"] != _settings(data):
        return data.key
    before, now = ({tuple(file) for file in files} for files in (kept["files"], _files(data)))
    if not now < before:
        return data.key
    gone = sorted(name for name, _, _ in before - now)
    say(
        f"{len(gone)} pictures of the collection have been taken away since they were scored, the "
        f"first is {gone[0]}; what was computed from them stays"
    )
    return kept["key"]


def _recorded(out):
    """What a result folder, finished or not, says of its collection; None without one."""
    for folder in (out, unfinished(out)):
        if (folder / ABOUT).exists():
            return read_json(folder / ABOUT)
    return None


def _settings(data):
    """What of a collection is no picture file, for JSON: the settings and the CSV's content."""
    from transfer.result_folder import sha256

    csv = sha256(data.metadata_path) if data.metadata_path else None
    return {**data.settings, "csv_sha256": csv}


def _files(data):
    """(name, bytes, time) of every picture file of a collection, as Data.key reads them."""
    folder = Path(data.jpg_images_path)
    try:
        names = find_pictures(folder, data.pictures_glob)
    except InputError:  # all have been taken away
        return []
    status = {name: (folder / name).stat() for name in names}
    return [[name, one.st_size, one.st_mtime_ns] for name, one in status.items()]


def open_pictures(data, folder, report, say=print):
    """Read the list of pictures that a folder keeps, or choose them and keep it.

    Pictures without a label are left out, and said: their part is not known either.

    Args:
        data: transfer.dataset.Data.
        folder: Path of the unfinished or finished result.
        report: path of the CSV of what is left out, where the pictures cannot be used.
        say: called with lines of text.

    Returns:
        Pictures, of all parts.

    Raises:
        InputError: as Data.choose.
    """
    if not (folder / ABOUT).exists():
        files, settings, key = _files(data), _settings(data), data.key
        chosen = data.choose(report, least_classes=1)
        say(metadata.summary(chosen.findings) + f" ({REPORT})")
        for line in metadata.explain(chosen.findings):
            say(line)
        metadata.write_report(chosen.findings, folder / REPORT)
        write_csv(folder / FILE, _table(chosen))
        found = chosen.findings["kind"].value_counts().to_dict()
        about = {"key": key, "settings": settings, "found": found, "toy": chosen.toy}
        write_json(folder / ABOUT, {**about, "files": files})
    about, table = read_json(folder / ABOUT), read_csv(folder / FILE)
    return Pictures(Path(data.jpg_images_path), table, about["found"], about["toy"])


def _table(chosen):
    """The rows that are in, with titles, in the order of the parts."""
    rows = chosen.rows
    rows = rows.assign(title=_titles(chosen.candidates, rows["id"]))
    place = rows["split"].map(SPLITS.index)
    rows = rows.assign(place=place).sort_values(["place", "id"], kind="stable")
    return rows[COLUMNS].reset_index(drop=True)


def _titles(candidates, ids):
    """Painter and title of pictures as far as the CSV has columns of such names."""
    columns = {name.casefold(): name for name in candidates.columns}
    texts = []
    for names in (PAINTERS, TITLES):
        column = next((columns[name] for name in names if name in columns), None)
        found = candidates[column].to_dict() if column else {}
        texts.append([found.get(id) or "" for id in ids])
    return [": ".join(filter(None, pair)) for pair in zip(*texts, strict=True)]
