"""The data of one challenge: which labelled pictures, how split, and their data set on disk."""

import functools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from models.errors import InputError
from transfer import duplicates, folders, label_sets, metadata, splits
from transfer.pictures import find_pictures
from transfer.progress import Progress
from transfer.result_folder import (
    csv_sha256,
    result_folder,
    safe_name,
    sha256,
    sha256_of_text,
    short_name,
)

DEFAULT_SPLIT = "sabatelli2018"
LAYOUTS = ("csv", "folders")  # where labels stand
NEAR_DUPLICATES = ("report", "together", "ignore")  # what is done about them
REPORT = "report.csv"  # all that is left out, and why
# fields of Data that say which pictures are in and how they are split
OF_PICTURES = (
    *("pictures_glob", "sample", "id_column", "split", "split_seed", "min_pictures"),
    *("drop_labels", "near_duplicates", "val_percent", "test_percent"),
)
DRAWN = (80, 10, 10)  # percent of the parts of a split that is given, where they are not told


class Chosen(NamedTuple):
    """The pictures of a challenge that are in, and what became of the others.

    rows: DataFrame with id, label, split, path (in the folder), sha256, group, near_duplicates.
    findings: DataFrame of metadata.FINDINGS. toy: whether it is the toy collection. candidates:
    DataFrame of text indexed by id, see metadata.Collection.
    """

    rows: Any
    findings: Any
    toy: bool
    candidates: Any


@dataclass(frozen=True)
class Data:
    """The labelled pictures of one challenge, checked as far as a look at the names goes.

        data = Data("rijks", "artist", Path("datasets"), Path("rijks.csv"), Path("rijks/jpg"))
        store = data.open()

    dataset_name: names the folders. challenge: a name in metadata.CHALLENGES or a column; for
    several labels a picture columns of 0 and 1, see transfer.label_sets.
    datasets_path: where data sets lie, each in <dataset_name>/<challenge>. metadata_path,
    jpg_images_path: the collection, a CSV and a folder of pictures; without a CSV the pictures'
    folders are their labels (transfer.folders); without both, the six HDF5 files as their authors
    released them are expected in <dataset_name>/<challenge>. id_column: of the CSV. split: a name
    in splits.PROTOCOLS, or `column=NAME` for a split that the CSV gives; None for the split that
    folders give, else DEFAULT_SPLIT. split_seed: of a drawn split, or of the parts that val_percent
    and test_percent draw. min_pictures: classes with fewer are left out. drop_labels: labels that
    name no class. layout: one of LAYOUTS; None for what is given. where: pairs of a column and a
    value that a row of the CSV must have, of several values of one column any. group_column: of the
    CSV, names what a drawn split keeps together. pictures_glob: pattern of the pictures that count,
    see pictures.search. near_duplicates: `report` them, keep them `together` in a drawn split, or
    `ignore` them. val_percent, test_percent: how much of the train part becomes the val or test
    part that a given split lacks; 0 for none. sample: only so many of the pictures, those whose ids
    have the smallest SHA-256 digests, drawn before min_pictures and splits see them; None for all.

    Raises:
        InputError: a value that cannot be, or a CSV, column or folder that is not there.
    """

    dataset_name: str
    challenge: str
    datasets_path: Path
    metadata_path: Path | None = None
    jpg_images_path: Path | None = None
    id_column: str = "ImageId"
    split: str | None = None
    split_seed: int = 42
    min_pictures: int = 1
    drop_labels: tuple[str, ...] = metadata.ANONYMOUS
    layout: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    group_column: str | None = None
    pictures_glob: str | None = None
    near_duplicates: str = "report"
    val_percent: int = 0
    test_percent: int = 0
    sample: int | None = None

    def __post_init__(self):
        _ = self.folder  # its names are checked
        protocol, _, column = (self.split or DEFAULT_SPLIT).partition("=")
        if protocol not in splits.PROTOCOLS or (protocol == "column") != bool(column):
            drawn = [name for name in splits.PROTOCOLS if name != "column"]
            accepted = ", ".join([*drawn, "column=NAME"])
            raise InputError(f"split is {self.split!r}; accepted: {accepted}")
        for name in ("split_seed", "min_pictures"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        self._check_layout()
        if self.metadata_path is not None:
            metadata.check(
                self.metadata_path,
                self.challenge,
                self.id_column,
                self._split_column,
                self.where,
                self.group_column,
            )
            self._spell_challenge()
        if self.jpg_images_path is not None and not Path(self.jpg_images_path).is_dir():
            raise InputError(f"picture folder {self.jpg_images_path} is not a folder that exists")
        if self.by_folders and label_sets.asked(self.challenge):
            raise InputError(
                f"challenge is {self.challenge!r}, of several labels, which need a CSV; a folder "
                "is one label: accepted is a word for what the folders are, e.g. genre"
            )
        if self.by_folders:
            folders.check(self.jpg_images_path, self.pictures_glob)
        elif self.pictures_glob is not None:
            find_pictures(self.jpg_images_path, self.pictures_glob)
        self._check_numbers()

    def _spell_challenge(self):
        """Write the names of several labels in one way: `lake, tree` is the data set `lake,tree`.

        Their order stays, so that what was made under it is found.
        """
        names = label_sets.named(self.challenge) if self.several else None
        if names:
            object.__setattr__(self, "challenge", ",".join(names))  # frozen but for this

    def _check_numbers(self):
        """InputError where what is wanted of near-duplicates and missing parts cannot be."""
        if self.near_duplicates not in NEAR_DUPLICATES:
            raise InputError(
                f"near_duplicates is {self.near_duplicates!r}; accepted: "
                + ", ".join(NEAR_DUPLICATES)
            )
        if self.sample is not None and self.sample < 1:
            raise InputError(f"sample is {self.sample}; it must be above 0, a number of pictures")
        percents = self.val_percent, self.test_percent
        if min(percents) < 0 or sum(percents) > 99:
            raise InputError(
                f"val_percent is {percents[0]} and test_percent {percents[1]}; accepted: 0 or more,"
                " together below 100"
            )
        if any(percents) and self.protocol != "column":
            raise InputError(
                "val_percent and test_percent complete a split that is given (column=NAME, or "
                f"folders); split {self.split or DEFAULT_SPLIT} draws every part"
            )
        if not any(percents) and self.split_seed != Data.split_seed and self.protocol == "column":
            raise InputError(
                f"split_seed is {self.split_seed}, and split {self.split or 'of the folders'} is "
                "given, not drawn: with another seed it would be the same; leave split_seed out"
            )

    def _check_layout(self):
        """InputError where parts of the collection are missing or do not go together."""
        if self.layout not in (None, *LAYOUTS):
            raise InputError(f"layout is {self.layout!r}; accepted: {', '.join(LAYOUTS)}")
        if self.metadata_path is not None and self.jpg_images_path is None:
            raise InputError("metadata_path needs jpg_images_path, the folder of its pictures")
        if self.by_folders and self.metadata_path is not None:
            raise InputError("layout folders reads no CSV; leave metadata_path out")
        if self.layout is not None and self.jpg_images_path is None:
            raise InputError(f"layout {self.layout} needs jpg_images_path, a folder of pictures")
        if self.layout == "csv" and self.metadata_path is None:
            raise InputError("layout csv needs metadata_path")
        if self.metadata_path is None:
            given = {
                "split": self._split_column,
                "where": self.where,
                "group_column": self.group_column,
            }
            for name, value in given.items():
                if value:
                    raise InputError(f"{name} names a CSV's column, and there is no metadata_path")
        self._check_choices()

    def _check_choices(self):
        """InputError where pictures are to be chosen or split and there is no folder of them."""
        if self.jpg_images_path is not None:
            return
        for name in OF_PICTURES:
            if (value := getattr(self, name)) != getattr(Data, name):
                raise InputError(
                    f"{name} needs jpg_images_path, a folder of pictures: it is {value!r}, and six "
                    "HDF5 files are read as they are, their pictures chosen and split"
                )

    @property
    def folder(self):
        """Path of the folder that holds every data set of this challenge."""
        return Path(self.datasets_path, safe_name(self.dataset_name), short_name(self.challenge))

    @cached_property
    def several(self):
        """Whether its CSV gives pictures several labels; six files tell it when they are opened."""
        path = self.metadata_path
        return path is not None and metadata.has_several_labels(path, self.challenge)

    @property
    def by_folders(self):
        """Whether the folders of the pictures are their labels."""
        has_folder_alone = self.jpg_images_path is not None and self.metadata_path is None
        return self.layout == "folders" or (self.layout is None and has_folder_alone)

    @property
    def protocol(self):
        """Name in splits.PROTOCOLS: `column` where the CSV or the folders give the split."""
        if self.split is None and self.by_folders and folders.find_parts(self.jpg_images_path):
            return "column"
        return (self.split or DEFAULT_SPLIT).partition("=")[0]

    @property
    def _split_column(self):
        return (self.split or "").partition("=")[2]

    @property
    def settings(self):
        """Everything but the files that decides the data set's content, for digest and manifest."""
        settings = {
            "challenge": self.challenge,
            "split": self.split or ("folders" if self.by_folders else DEFAULT_SPLIT),
            "seed": self.split_seed,
            "min_pictures": self.min_pictures,
            "id_column": self.id_column,
            "drop_labels": list(self.drop_labels),
        }
        if self.by_folders:
            settings["layout"] = "folders"
        # named only where they are given: data sets made before there were any keep their digest
        if self.where:
            settings["where"] = [list(pair) for pair in sorted(set(self.where))]
        if self.near_duplicates != "report":
            settings["near_duplicates"] = self.near_duplicates
        for name in ("group_column", "pictures_glob", "val_percent", "test_percent", "sample"):
            if getattr(self, name):
                settings[name] = getattr(self, name)
        return settings

    def check_one_label(self):
        """InputError where pictures have several labels."""
        if self.several:
            raise InputError(
                f"challenge is {self.challenge!r}, of several labels; accepted here: one column, "
                "whose values are the classes"
            )

    def open(self):
        """Find or make the data set.

        A made one is named by a digest of the CSV, the pictures and the settings, so a changed CSV
        never meets a stale split; whoever asks for the same digest shares it. It holds split.csv,
        report.csv, manifest.json and the six HDF5 files. Where too few rows stay, report.csv is
        written beside the data sets. Only making it imports TensorFlow.

        Returns:
            transfer.store.Store.

        Raises:
            InputError: see metadata.read, folders.read, metadata.join, splits.assign, Store.
        """
        from transfer.store import Store

        if self.jpg_images_path is None:
            return Store(self.folder)
        # whatever is wrong with the CSV is told before a folder is made
        collection = self._read()
        folder = self.folder / self.key
        with result_folder(folder) as result:
            if result.finished:
                print(f"data set found in {folder}", flush=True)
            else:
                result.about = self._make(collection, result.path)
        return Store(folder)

    @property
    def key(self):
        """What a data set made of these pictures is called: see digest."""
        return digest(self.metadata_path, self.jpg_images_path, self.settings, self.pictures_glob)

    def choose(self, report, least_classes=2):
        """Which pictures are in, and in which part, as open() has them; nothing is stored.

        Args:
            report: path of a CSV, written where the pictures cannot be used: what is left out.
            least_classes: fewer of them cannot be used.

        Returns:
            Chosen.

        Raises:
            InputError: see open.
        """
        self.check_one_label()
        collection = self._read()
        rows, findings, _ = self._choose(collection, Path(report), least_classes)
        return Chosen(rows, findings, collection.toy, collection.candidates)

    def count(self):
        """Pictures of each part at most, by the CSV or the folders alone: dict part -> int.

        Raises:
            InputError: see metadata.read, folders.read.
        """
        rows = self._read().rows
        if self.sample is not None:
            rows, _ = metadata.draw_sample(rows.assign(path=""), self.sample)
        of_class = rows["label"].value_counts()
        rows = rows[rows["label"].map(of_class) >= self.min_pictures]
        told = rows["split"].str.casefold().map(splits.COLUMN_VALUES)
        if told.notna().any():
            return {part: int((told == part).sum()) for part in splits.SPLITS}
        drawn = splits.PROTOCOLS[self.protocol]
        parts = drawn.percents if drawn else DRAWN
        val, test = (len(rows) * percent // 100 for percent in parts[1:])
        return {"train": len(rows) - val - test, "val": val, "test": test}

    def _read(self):
        if self.by_folders:
            return folders.read(self.jpg_images_path, self.drop_labels, self.pictures_glob)
        return metadata.read(
            self.metadata_path,
            self.challenge,
            self.id_column,
            self._split_column,
            self.drop_labels,
            self.where,
            self.group_column,
        )

    def _make(self, collection, folder):
        """Write the data set into a folder; what its manifest says."""
        from transfer import store

        report = self.folder / REPORT  # beside the data sets
        chosen, findings, classes = self._choose(collection, report)
        if classes is not None:
            print(f"{len(classes)} labels: {', '.join(classes)}", flush=True)
        print(f"{metadata.summary(findings)} (report.csv)", flush=True)
        for line in metadata.explain(findings):
            print(line, flush=True)
        splits.save(chosen, folder / "split.csv")
        metadata.write_report(findings, folder / REPORT)
        store.write_groups(chosen, collection.candidates, folder)
        stored = _report("pictures stored")
        store.write(chosen, self.jpg_images_path, folder, stored, classes)
        report.unlink(missing_ok=True)
        source = {"folders": str(self.jpg_images_path)}
        if self.metadata_path is not None:
            source = {"csv": str(self.metadata_path), "csv_sha256": sha256(self.metadata_path)}
        return {
            **source,
            "split_sha256": csv_sha256(folder / "split.csv"),
            "toy": collection.toy,
            **self.settings,
        }

    def _choose(self, collection, report, least_classes=2):
        """(The pictures that are in, split; all findings; classes of several labels, or None).

        InputError where too few stay.
        """
        rows, findings = collection.rows, collection.findings
        try:
            joined, unjoined = metadata.join(
                rows,
                self.jpg_images_path,
                _report("pictures read"),
                findings["id"][findings["kind"].isin(metadata.ON_PURPOSE)],
                self.pictures_glob,
            )
        except metadata.UnjoinedError as error:
            raise _refused(error, metadata.gather(findings, error.findings), report) from error
        drawn, beyond = joined, unjoined[:0]
        if self.sample is not None:
            drawn, beyond = metadata.draw_sample(joined, self.sample)
        findings = metadata.gather(findings, unjoined, beyond)
        try:
            drawn, classes, rare = self._without_rare(drawn, collection.classes)
            chosen, left_out = self._split(drawn, least_classes)
        except InputError as error:
            if len(drawn) < len(joined):
                error = InputError(f"of {len(joined)} pictures, sample {self.sample}: {error}")
            told = findings[~findings["kind"].isin(metadata.ON_PURPOSE)]
            if told.empty:
                raise error from None
            lost, count = len(rows) - len(joined), len(rows)
            why = f"{lost} of {count} rows are left out" if lost else "what else was found"
            why = f"{why} ({metadata.summary(told)})"
            suffices = functools.partial(_suffices, several=self.several)
            if 2 * lost > count or (suffices(rows) and not suffices(joined)):
                message = f"{why}, and the rest is too little to learn from: {error}"
            else:
                message = f"{error}; {why}"
            raise _refused(message, findings, report) from error
        if classes is not None:
            rare = metadata.gather(rare, _absent(chosen, classes))
        return chosen, metadata.gather(findings, rare, left_out), classes

    def _without_rare(self, joined, classes):
        """(The pictures without labels of fewer than min_pictures, the other labels, findings)."""
        counts = label_sets.counts(joined.drop_duplicates("sha256")["label"]) if classes else {}
        rare = [name for name in classes or () if counts[name] < self.min_pictures]
        details = [f"{n}: {counts[n]} of {self.min_pictures} distinct pictures" for n in rare]
        findings = metadata.findings_of("label too rare", detail=details)
        if classes is None:
            return joined, None, findings
        kept = [name for name in classes if name not in rare]
        if len(kept) < 2:
            raise InputError(
                f"a classifier of several labels needs two; {len(kept)} of {len(classes)} have "
                f"{self.min_pictures} pictures or more ({label_sets.told(details)})"
            )
        return joined.assign(label=label_sets.without(joined["label"], rare)), kept, findings

    def _split(self, joined, least_classes):
        """(The pictures that are in, with split and near_duplicates; findings)."""
        near, numbers = None, [""] * len(joined)
        if self.near_duplicates != "ignore":
            report = _report("pictures compared")
            near = duplicates.near(self.jpg_images_path, joined["path"], report)
            numbers = [str(number) if number else "" for number in near.groups]
        marked = joined.assign(near_duplicates=numbers)
        chosen, findings = splits.assign(
            marked if self.near_duplicates == "together" else joined,
            self.protocol,
            self.split_seed,
            self.min_pictures,
            self.val_percent,
            self.test_percent,
            least_classes,
            self.several,
        )
        # at the places of the pictures that were compared
        places = {id: place for place, id in enumerate(joined["id"])}
        chosen = chosen.set_axis(chosen["id"].map(places))
        chosen["near_duplicates"] = [numbers[place] for place in chosen.index]
        if near is not None:
            findings = metadata.gather(findings, duplicates.findings(near, chosen))
        return chosen.reset_index(drop=True), findings


def _refused(message, findings, report):
    """Write the report on pictures that cannot be used; the InputError that names it."""
    report.parent.mkdir(parents=True, exist_ok=True)
    metadata.write_report(findings, report)
    return InputError(f"{message}; all that is left out is named in {report}")


def _absent(rows, classes):
    """A finding for every label that no picture of a part has."""
    parts = {split: rows["label"][rows["split"] == split] for split in splits.SPLITS}
    labels = {split: label_sets.rows_of(texts, classes) for split, texts in parts.items()}
    lacking = label_sets.absent(labels, classes)
    details = [f"{name}: none in {split}" for split, names in lacking.items() for name in names]
    return metadata.findings_of("label without a picture", detail=details)


def _suffices(rows, several):
    """Whether two classes have a picture for every part of a split; of several labels any."""
    if several:
        return len(rows) >= len(splits.SPLITS)
    return (rows["label"].value_counts() >= len(splits.SPLITS)).sum() >= 2


def digest(csv_path, folder, settings, pictures_glob=None):
    """16 hex digits that change with the CSV's bytes, any picture's size or time, any setting.

    Data sets are stored and found under it, so that changed data never meet a stale split.

    Args:
        csv_path: of the CSV; None where there is none.
        folder: of the pictures.
        settings: dict that JSON can hold.
        pictures_glob: pattern of the pictures that count, see pictures.search.
    """
    folder = Path(folder)
    files = []
    for name in find_pictures(folder, pictures_glob):
        status = (folder / name).stat()
        files.append((name, status.st_size, status.st_mtime_ns))
    content = csv_path and sha256(csv_path)
    text = json.dumps([content, files, settings], sort_keys=True)
    return sha256_of_text(text)[:16]


def _report(what):
    """A report(done, total) that shows how far something is."""
    begin = functools.cache(lambda total: Progress(total, what))  # the first report tells the total
    return lambda done, total: begin(total).advance()
