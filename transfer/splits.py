"""Which picture trains, which validates and which tests: drawn from a seed or told by the CSV."""

from typing import NamedTuple

import numpy as np

from models.errors import InputError
from transfer.metadata import PICTURES, findings_of, gather
from transfer.result_folder import write_csv

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


def assign(pictures, protocol, seed=42, min_pictures=1):
    """Give every picture a split by a protocol of PROTOCOLS.

    Byte-identical pictures count as one and never land in two splits; where their labels differ,
    nothing tells the right one and all are left out. Classes of fewer than `min_pictures` distinct
    pictures are left out before drawing, classes absent from a split after it (Sabatelli et al.
    2018, section 3.1). The same pictures in any order and the same seed give the same rows.

    Args:
        pictures: DataFrame of metadata.PICTURES, ids unique; split is what the CSV says or "".
        protocol: a name in PROTOCOLS.
        seed: of a draw; the default is the released code's.
        min_pictures: of a class.

    Returns:
        (the pictures that are in, sorted by id, split one of SPLITS; DataFrame of findings).

    Raises:
        InputError: an unknown protocol or split value, too few pictures of a class to stratify,
            fewer than two classes left.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    rows = pictures.sort_values(["id", "path"], ignore_index=True)
    rows, contradicting = _without_contradictions(rows)
    rows, too_small = _without_small_classes(rows, min_pictures)
    findings = [contradicting, too_small]
    draw = PROTOCOLS[protocol]
    if draw is None:
        rows, torn = _from_column(rows)
        findings.append(torn)
    else:
        rows = _drawn(rows, draw, protocol, seed)
    rows, dropped = _in_all_splits(rows)
    left = rows["label"].nunique()
    if left < 2:
        had = pictures["label"].value_counts()
        raise InputError(
            f"a classifier needs two classes that occur in train, val and test;"
            f" {left} left of {len(had)} ({_counted(had)}; min_pictures {min_pictures})"
        )
    return rows.reset_index(drop=True), gather(*findings, dropped)


def save(rows, path):
    """Write the rows of assign() as a UTF-8 CSV (RFC 4180), whole or not at all."""
    # a data set without groups has the file that it had before there were any
    grouped = "group" in rows and (rows["group"] != "").any()
    write_csv(path, rows[[name for name in PICTURES if name != "group" or grouped]])


def _counted(counts):
    """The classes or values that occur least, with how often, for a message."""
    least = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    more = f" and {len(least) - _EXAMPLES} more" if len(least) > _EXAMPLES else ""
    return ", ".join(f"{name!r}: {count}" for name, count in least[:_EXAMPLES]) + more


def _without_contradictions(pictures):
    """Leave out byte-identical pictures that have more than one label."""
    torn = pictures.groupby("sha256")["label"].transform("nunique") > 1
    rows = pictures[torn]
    labels = rows.groupby("sha256")["label"].agg(lambda labels: " | ".join(sorted(set(labels))))
    kind = "byte-identical pictures with different labels"
    return pictures[~torn], findings_of(kind, rows["id"], rows["path"], rows["sha256"].map(labels))


def _without_small_classes(pictures, min_pictures):
    """Leave out the classes that have fewer than min_pictures distinct pictures."""
    counts = pictures.drop_duplicates("sha256")["label"].value_counts().sort_index()
    small = counts[counts < min_pictures]
    details = [f"{label}: {n} of {min_pictures} distinct pictures" for label, n in small.items()]
    kept = pictures[~pictures["label"].isin(small.index)]
    return kept, findings_of("class too small", detail=details)


def _drawn(pictures, draw, protocol, seed):
    """The pictures with randomly drawn splits; stratified draws go through the classes by name."""
    distinct = pictures.drop_duplicates("sha256")
    pools = {"": distinct}
    if draw.stratified:
        pools = dict(iter(distinct.groupby("label")))
    small = {label: len(pool) for label, pool in pools.items() if len(pool) < len(SPLITS)}
    if draw.stratified and small:
        raise InputError(
            f"protocol {protocol} puts a distinct picture of every class in train, val and test,"
            f" but {len(small)} classes have fewer than {len(SPLITS)} ({_counted(small)});"
            f" min_pictures {len(SPLITS)} leaves such classes out"
        )
    random = np.random.default_rng(seed)
    split_of = {}
    for label in sorted(pools):
        pool = pools[label]["sha256"].to_numpy()
        sizes = _sizes(len(pool), draw.percents, least=int(draw.stratified))
        splits = np.repeat(SPLITS, sizes).tolist()
        split_of |= zip(pool[random.permutation(len(pool))], splits, strict=True)
    return pictures.assign(split=pictures["sha256"].map(split_of).astype(object))


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


def _from_column(pictures):
    """The pictures with the splits that they say, and findings for copies in a second split.

    Of a group in two splits the pictures in train stay (else those in val): leaving a copy out of
    a test changes the test by one picture, leaving it out of train would change every model.
    """
    values = pictures["split"].str.lower()
    unknown = pictures["split"][~values.isin(list(COLUMN_VALUES))]
    if len(unknown):
        raise InputError(
            f"the split column holds {_counted(unknown.value_counts())};"
            f" accepted are {', '.join(COLUMN_VALUES)}"
        )
    rows = pictures.assign(split=values.map(COLUMN_VALUES).astype(object))
    place = rows["split"].map(SPLITS.index)
    first = place.groupby(rows["sha256"]).transform("min")
    torn = rows[place != first]
    details = [
        f"{split}; kept in {SPLITS[kept]}"
        for split, kept in zip(torn["split"], first[torn.index], strict=True)
    ]
    kind = "byte-identical pictures across splits"
    return rows[place == first], findings_of(kind, torn["id"], torn["path"], details)


def _in_all_splits(rows):
    """Keep the rows of classes that occur in every split; a finding for every other class."""
    whole = rows.groupby("label")["split"].transform("nunique") == len(SPLITS)
    details = []
    for label, splits in rows[~whole].groupby("label")["split"]:
        missing = " or ".join(split for split in SPLITS if split not in set(splits))
        details.append(f"{label}: {len(splits)} pictures, none in {missing}")
    return rows[whole], findings_of("class dropped", detail=details)
