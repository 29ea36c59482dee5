"""The data of one challenge: which labelled pictures, how split, and their data set on disk."""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from transfer import metadata, splits
from transfer.pictures import find_pictures
from transfer.progress import Progress
from transfer.result_folder import result_folder, safe_name, sha256


@dataclass(frozen=True)
class Data:
    """The labelled pictures of one challenge, checked as far as a look at the names goes.

    dataset_name: names the folders. challenge: a name in metadata.CHALLENGES or a column.
    datasets_path: where data sets lie, each in <dataset_name>/<challenge>. metadata_path,
    jpg_images_path: the collection, a CSV and a folder of pictures; without both, the six HDF5
    files as their authors released them are expected in <dataset_name>/<challenge>. id_column: of
    the CSV. split: a name in splits.PROTOCOLS, or `column=NAME` for a split that the CSV gives.
    split_seed: of a drawn split. min_pictures: classes with fewer are left out. drop_labels:
    labels that name no class. near_duplicates: `report` them, keep them `together` in a drawn split,
    or `ignore` them. val_percent, test_percent: how much of the train part becomes the val or test
    part that a given split lacks; 0 for none.

    Raises:
        InputError: a value that cannot be, or a CSV or folder that is not there.
    """

    dataset_name: str
    challenge: str
    datasets_path: Path
    metadata_path: Path | None = None
    jpg_images_path: Path | None = None
    id_column: str = "ImageId"
    split: str = "sabatelli2018"
    split_seed: int = 42
    min_pictures: int = 1
    drop_labels: tuple[str, ...] = metadata.ANONYMOUS
    near_duplicates: str = "report"
    val_percent: int = 0
    test_percent: int = 0

    def __post_init__(self):
        _ = self.folder  # its names are checked
        protocol, _, column = self.split.partition("=")
        if protocol not in splits.PROTOCOLS or (protocol == "column") != bool(column):
            drawn = [name for name in splits.PROTOCOLS if name != "column"]
            accepted = ", ".join([*drawn, "column=NAME"])
            raise InputError(f"split is {self.split!r}; accepted: {accepted}")
        for name in ("split_seed", "min_pictures"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.near_duplicates not in NEAR_DUPLICATES:
            raise InputError(
                f"near_duplicates is {self.near_duplicates!r}; accepted: "
                + ", ".join(NEAR_DUPLICATES)
            )
        percents = self.val_percent, self.test_percent
        if min(percents) < 0 or sum(percents) > 99:
            raise InputError(
                f"val_percent is {percents[0]} and test_percent {percents[1]}; accepted: 0 or more,"
                " together below 100"
            )
        if any(percents) and protocol != "column":
            raise InputError(
                f"val_percent and test_percent complete a split that is given (column=NAME); split"
                f" {self.split} draws every part"
            )
        if (self.metadata_path is None) != (self.jpg_images_path is None):
            raise InputError("metadata_path and jpg_images_path go together; one is missing")
        if self.metadata_path is not None and not Path(self.metadata_path).is_file():
            raise InputError(f"file {self.metadata_path} does not exist or is no file")
        if self.jpg_images_path is not None and not Path(self.jpg_images_path).is_dir():
            raise InputError(f"picture folder {self.jpg_images_path} is not a folder that exists")

    @property
    def folder(self):
        """Path of the folder that holds every data set of this challenge."""
        return Path(self.datasets_path, safe_name(self.dataset_name), safe_name(self.challenge))

    @property
    def settings(self):
        """Everything but the files that decides the data set's content, for digest and manifest."""
        settings = {
            "challenge": self.challenge,
            "split": self.split,
            "seed": self.split_seed,
            "min_pictures": self.min_pictures,
            "id_column": self.id_column,
            "drop_labels": list(self.drop_labels),
        }
        # named only where they are not the default: data sets made before keep their digest
        if self.near_duplicates != "report":
            settings["near_duplicates"] = self.near_duplicates
        for name in ("val_percent", "test_percent"):
            if getattr(self, name):
                settings[name] = getattr(self, name)
        return settings

    def open(self):
        """Find or make the data set.

        A made one is named by a digest of the CSV, the pictures and the settings, so a changed CSV
        never meets a stale split; whoever asks for the same digest shares it. It holds split.csv,
        report.csv, manifest.json and the six HDF5 files. Only making it imports TensorFlow.

        Returns:
            transfer.store.Store.

        Raises:
            InputError: see metadata.read, metadata.join, splits.assign, Store.
        """
        from transfer.store import Store

        if self.metadata_path is None:
            return Store(self.folder)
        # whatever is wrong with the CSV is told before a folder is made
        column = self.split.partition("=")[2]
        read = metadata.read(
            self.metadata_path, self.challenge, self.id_column, column, self.drop_labels
        )
        folder = self.folder / digest(self.metadata_path, self.jpg_images_path, self.settings)
        with result_folder(folder) as result:
            if result.finished:
                print(f"data set found in {folder}", flush=True)
            else:
                result.about = self._make(*read, result.path)
        return Store(folder)

    def _make(self, rows, findings, toy, candidates, folder):
        """Write the data set into a folder; what its manifest says."""
        from transfer import store

        dropped = findings["id"][findings["kind"] == "label dropped"]
        pictures, unjoined = metadata.join(
            rows, self.jpg_images_path, _report("pictures read"), left_out=dropped
        )
        chosen, left_out = self._split(pictures)
        findings = metadata.gather(findings, unjoined, left_out)
        print(f"{metadata.summary(findings)} (report.csv)", flush=True)
        splits.save(chosen, folder / "split.csv")
        metadata.write_report(findings, folder / "report.csv")
        store.write_groups(chosen, candidates, folder)
        store.write(chosen, self.jpg_images_path, folder, _report("pictures stored"))
        return {
            "csv": str(self.metadata_path),
            "csv_sha256": sha256(self.metadata_path),
            "split_sha256": sha256(folder / "split.csv"),
            "toy": toy,
            **self.settings,
        }

    def _split(self, joined):
        """(The pictures that are in, split, with group and near_duplicates; findings)."""
        near = None
        if self.near_duplicates != "ignore":
            near = duplicates.near(self.jpg_images_path, joined, _report("pictures compared"))
            numbers = dict(zip(joined["id"], near.groups, strict=True))
        together = self.near_duplicates == "together"
        marked = joined.assign(near_duplicates=joined["id"].map(numbers)) if together else joined


def digest(csv_path, folder, settings):
    """16 hex digits that change with the CSV's bytes, any picture's size or time, any setting.

    Data sets are stored and found under it, so that changed data never meet a stale split.

    Args:
        csv_path: of the CSV.
        folder: of the pictures.
        settings: dict that JSON can hold.
    """
    folder = Path(folder)
    files = []
    for name in find_pictures(folder):
        status = (folder / name).stat()
        files.append((name, status.st_size, status.st_mtime_ns))
    text = json.dumps([sha256(csv_path), files, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _report(what):
    """A report(done, total) that shows how far something is."""
    begin = functools.cache(lambda total: Progress(total, what))  # the first report tells the total
    return lambda done, total: begin(total).advance()
