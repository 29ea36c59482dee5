"""Which picture trains, which validates and which tests: drawn from a seed, saved, reused."""

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from transfer import delimited
from transfer.metadata import Finding
from transfer.pictures import find_pictures

SPLITS = ("train", "val", "test")


class Draw(NamedTuple):
    """Whole percents of the pictures for train, val and test; stratified: of every class."""

    percents: tuple[int, int, int]
    stratified: bool


PROTOCOLS = {
    # Section 3.1: 80 % train, "2 x 10 %" validation and test; the released code does not stratify.
    "sabatelli2018": Draw((80, 10, 10), stratified=False),
    # Section 4: 70, 10 and 20 %, the same within all classes.
    "cetinic2018": Draw((70, 10, 20), stratified=True),
    "column": None,  # the collection's own splits, from a column of its CSV
}
# What a split column may say (any case), and the split meant.
COLUMN_VALUES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_EXAMPLES = 5  # how many classes or values a message names


class SplitRow(NamedTuple):
    """One labelled picture and its split: train, val or test."""

    id: str
    label: str
    split: str
    path: str
    sha256: str


def assign(pictures, protocol, seed=42, min_pictures=1):
    """Give every picture a split by a protocol of PROTOCOLS.

    Byte-identical pictures count as one and never land in two splits; where their labels differ,
    nothing tells the right one and all are left out. Classes of fewer than `min_pictures` distinct
    pictures are left out before drawing, classes absent from a split after it (Sabatelli et al.
    2018, section 3.1). Returns (SplitRows sorted by id, findings); the same pictures in any order
    and the same seed (default: the released code's) give the same rows. InputError for an unknown
    protocol or split value, too few pictures of a class to stratify, fewer than two classes left.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    groups, findings = _distinct(pictures)
    groups, too_small = _without_small_classes(groups, min_pictures)
    draw = PROTOCOLS[protocol]
    if draw is None:
        rows, torn = _from_column(groups)
        findings += torn
    else:
        rows = _drawn(groups, draw, protocol, np.random.default_rng(seed))
    kept, dropped = _in_all_splits(rows)
    counts = Counter(row.label for row in kept)
    if len(counts) < 2:
        had = Counter(picture.label for picture in pictures)
        raise InputError(
            f"a classifier needs two classes that occur in train, val and test;"
            f" {len(counts)} left of {len(had)} ({_counted(had)}; --min_pictures {min_pictures})"
        )
    return sorted(kept), findings + too_small + dropped


def write_csv(rows, path):
    """Write SplitRows as a UTF-8 CSV with a header, whole or not at all."""
    delimited.write(path, SplitRow._fields, rows)


def read_csv(path):
    """Read the SplitRows that `write_csv` wrote; InputError where the file is anything else."""
    header, records = delimited.read(path, SplitRow._fields)
    if tuple(header) != SplitRow._fields:
        raise InputError(f"{path}: columns {header} are not those of a split file")
    rows = []
    for line, fields in records:
        row = SplitRow(*fields)
        if row.split not in SPLITS:
            raise InputError(f"{path}, line {line}: split {row.split!r} is none of {SPLITS}")
        rows.append(row)
    return rows


def key(csv_path, folder, **settings):
    """16 hex digits that change with the CSV's bytes, any picture's size or time, any setting.

    Splits are stored and found under it, so that changed data never meet a stale split. Settings
    are anything JSON can hold.
    """
    folder = Path(folder)
    files = []
    for name in find_pictures(folder):
        status = (folder / name).stat()
        files.append((name, status.st_size, status.st_mtime_ns))
    csv_digest = hashlib.sha256(Path(csv_path).read_bytes()).hexdigest()
    text = json.dumps([csv_digest, files, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _counted(counts):
    """The classes or values that occur least, with how often, for a message."""
    least = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    more = f" and {len(least) - _EXAMPLES} more" if len(least) > _EXAMPLES else ""
    return ", ".join(f"{name!r}: {count}" for name, count in least[:_EXAMPLES]) + more


def _distinct(pictures):
    """Group byte-identical pictures, sorted by id; leave out groups with more than one label."""
    by_bytes = defaultdict(list)
    for picture in sorted(pictures, key=lambda picture: (picture.id, picture.path)):
        by_bytes[picture.sha256].append(picture)
    groups, findings = [], []
    for group in by_bytes.values():
        labels = sorted({picture.label for picture in group})
        if len(labels) == 1:
            groups.append(group)
            continue
        kind = "byte-identical pictures with different labels"
        findings += [Finding(kind, p.id, p.path, " | ".join(labels)) for p in group]
    return groups, findings


def _without_small_classes(groups, min_pictures):
    """Leave out the groups of classes that have fewer than min_pictures groups."""
    counts = Counter(group[0].label for group in groups)
    findings = [
        Finding("class too small", "", "", f"{label}: {count} of {min_pictures} distinct pictures")
        for label, count in counts.items()
        if count < min_pictures
    ]
    return [group for group in groups if counts[group[0].label] >= min_pictures], findings


def _drawn(groups, draw, protocol, random):
    """SplitRows of randomly drawn groups; stratified draws go through the classes by name."""
    pools = defaultdict(list)
    for group in groups:
        pools[group[0].label if draw.stratified else ""].append(group)
    small = {label: len(pool) for label, pool in pools.items() if len(pool) < len(SPLITS)}
    if draw.stratified and small:
        raise InputError(
            f"protocol {protocol} puts a distinct picture of every class in train, val and test,"
            f" but {len(small)} classes have fewer than {len(SPLITS)} ({_counted(small)});"
            f" --min_pictures {len(SPLITS)} leaves such classes out"
        )
    rows = []
    for label in sorted(pools):
        pool = pools[label]
        sizes = _sizes(len(pool), draw.percents, least=int(draw.stratified))
        for index, split in zip(
            random.permutation(len(pool)), np.repeat(SPLITS, sizes), strict=True
        ):
            rows += [SplitRow(**p._replace(split=str(split))._asdict()) for p in pool[index]]
    return rows


def _sizes(count, percents, least):
    """Share out `count` by percents (largest remainder; ties to the earlier), `least` to each."""
    sizes = [count * percent // 100 for percent in percents]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * percents[i] % 100))
    for i in by_remainder[: count - sum(sizes)]:
        sizes[i] += 1
    for i, size in enumerate(sizes):
        if size < least:
            sizes[sizes.index(max(sizes))] -= least - size
            sizes[i] = least
    return sizes


def _from_column(groups):
    """SplitRows by the pictures' own split values, and findings for copies in a second split.

    Of a group in two splits the pictures in train stay (else those in val): leaving a copy out of
    a test changes the test by one picture, leaving it out of train would change every model.
    """
    values = Counter(str(picture.split or "") for group in groups for picture in group)
    unknown = {value: n for value, n in values.items() if value.lower() not in COLUMN_VALUES}
    if unknown:
        raise InputError(
            f"the split column holds {_counted(unknown)}; accepted are {', '.join(COLUMN_VALUES)}"
        )
    rows, findings = [], []
    for group in groups:
        splits = [COLUMN_VALUES[picture.split.lower()] for picture in group]
        first = min(splits, key=SPLITS.index)
        for picture, split in zip(group, splits, strict=True):
            if split == first:
                rows.append(SplitRow(**picture._replace(split=split)._asdict()))
                continue
            kind = "byte-identical pictures across splits"
            findings.append(Finding(kind, picture.id, picture.path, f"{split}; kept in {first}"))
    return rows, findings


def _in_all_splits(rows):
    """Keep the rows of classes that occur in every split; a finding for every other class."""
    present = defaultdict(Counter)
    for row in rows:
        present[row.label][row.split] += 1
    kept = [row for row in rows if len(present[row.label]) == len(SPLITS)]
    findings = []
    for label, counts in present.items():
        missing = [split for split in SPLITS if split not in counts]
        if missing:
            detail = f"{label}: {counts.total()} pictures, none in {' or '.join(missing)}"
            findings.append(Finding("class dropped", "", "", detail))
    return kept, findings
