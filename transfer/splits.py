"""Which picture trains, which validates and which tests: drawn from a seed or told by the CSV.

What belongs together (byte-identical pictures, a group of the CSV, near-duplicates where asked for)
stays whole, in a drawn split and in folds.
"""

from typing import NamedTuple

import numpy as np

from models.errors import InputError
from transfer.metadata import findings_of, gather
from transfer.result_folder import write_csv

SPLITS = ("train", "val", "test")
FILE = ["id", "label", "split", "path", "sha256"]  # the columns of split.csv
# Pictures with one text in one of these columns belong together; "" belongs to nothing. A table
# that lacks a column says nothing by it.
TOGETHER = ("sha256", "group", "near_duplicates")


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


class Folds(NamedTuple):
    """fold: int array, the fold of every picture; few: class -> groups, of classes with under k."""

    fold: np.ndarray
    few: dict[str, int]


def assign(
    pictures,
    protocol,
    seed=42,
    min_pictures=1,
    val_percent=0,
    test_percent=0,
    least_classes=2,
    several=False,
):
    """Give every picture a split by a protocol of PROTOCOLS.

    Byte-identical pictures count as one and never land in two splits; where their labels differ,
    nothing tells the right one and all are left out. Classes of fewer than `min_pictures` distinct
    pictures are left out before drawing, classes absent from a split after it (Sabatelli et al.
    2018, section 3.1). The same pictures in any order and the same seed give the same rows.

    A drawn split keeps together what belongs together (TOGETHER) and stays as close to its
    percents as the groups allow; without groups it is the same as before there were any. A split
    of the collection's own is left as it is, and what it tears apart is a finding.

    Where pictures have several labels no class decides anything: no picture is left out for its
    labels, and no draw is stratified by them.

    Args:
        pictures: DataFrame of metadata.PICTURES, ids unique; split is what the CSV says or "". A
            column near_duplicates, where there is one, is a group as well.
        protocol: a name in PROTOCOLS.
        seed: of a draw; the default is the released code's.
        min_pictures: of a class.
        val_percent: how much of the train part of a given split without a val part becomes one;
            0 for none.
        test_percent: the same for a test part.
        least_classes: fewer left are an error; a classifier needs two.
        several: whether labels are sets, see transfer.label_sets.

    Returns:
        (the pictures that are in, sorted by id, split one of SPLITS; DataFrame of findings).

    Raises:
        InputError: an unknown protocol or split value, a part that is missing, too few pictures of
            a class to stratify, fewer classes left than least_classes.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    rows = pictures.sort_values(["id", "path"], ignore_index=True)
    rows, contradicting = _without_contradictions(rows)
    labels, had = rows["label"], pictures
    if several:
        rows, min_pictures, least_classes = rows.assign(label="pictures"), 0, 1
        had = rows
    rows, too_small = _without_small_classes(rows, min_pictures)
    rows, found = _parted(rows, protocol, seed, {"val": val_percent, "test": test_percent})
    rows, dropped = _in_all_splits(rows)
    if rows["label"].nunique() < least_classes:
        raise InputError(_too_few(had, rows, protocol, min_pictures, least_classes))
    rows = rows.assign(label=labels[rows.index])
    return rows.reset_index(drop=True), gather(contradicting, too_small, found, dropped)


def _parted(rows, protocol, seed, percents):
    """(The pictures with their splits, findings); percents: of val and test to make of train."""
    draw = PROTOCOLS[protocol]
    if draw is None:
        rows, found = _from_column(rows)
        rows = _completed(rows, percents, seed)
        return rows, gather(found, _torn_groups(rows))
    if any(percents.values()):
        raise InputError(
            f"protocol {protocol} draws every part; val_percent {percents['val']} and test_percent"
            f" {percents['test']} are for a split that is given and lacks one"
        )
    return _drawn(rows, draw, protocol, seed)


def _too_few(had, left, protocol, min_pictures, least_classes):
    """What to say of too few classes; had: all pictures, left: those that are in, DataFrames."""
    sizes = had["label"].value_counts()
    needed = "a classifier needs two classes" if least_classes == 2 else "needed is a class"
    return (
        f"{needed} that occur{'s' * (least_classes == 1)} in train, val and test;"
        f" {left['label'].nunique()} left of {len(sizes)} ({_counted(sizes)}; min_pictures"
        f" {min_pictures}){_remedy(had, protocol, min_pictures, least_classes)}"
    )


def _remedy(had, protocol, min_pictures, least_classes):
    """What would leave enough classes, as the end of a message; "" where nothing would.

    had: DataFrame of all pictures.
    """
    parts = len(SPLITS)
    sizes = had["label"].value_counts()
    if (sizes >= parts).sum() < least_classes:
        return ""
    if (sizes >= min_pictures).sum() < least_classes:
        return "; a smaller min_pictures keeps more"
    if protocol == "column":
        return "; give classes pictures in every part of your split, or draw one (cetinic2018)"
    groups = components(had).groupby(had["label"]).nunique()
    distinct = had.groupby("label")["sha256"].nunique()
    if (groups >= parts).sum() < least_classes <= (distinct >= parts).sum():
        few = groups[(groups < parts) & (distinct >= parts)]
        return f"; in fewer than {parts} groups are {_counted(few)}; {_apart(had)} keeps more"
    if not PROTOCOLS[protocol].stratified:
        return f"; split cetinic2018 with min_pictures {parts} keeps classes of {parts} or more"
    return ""


def _apart(pictures):
    """What would put fewer pictures together."""
    remedies = {
        "group": "another group_column, or none,",
        "near_duplicates": "near_duplicates report",
    }
    used = [name for name in remedies if name in pictures and (pictures[name] != "").any()]
    return " or ".join(remedies[name] for name in used)


def components(pictures):
    """Name what every picture belongs to: whatever is linked by TOGETHER, over any chain, is one.

    Args:
        pictures: DataFrame with id (unique) and columns of TOGETHER.

    Returns:
        Series with the index of `pictures`: the first id, in the order of text, of the component.
    """
    import pandas
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = nodes = len(pictures)
    members, keys = [], []
    for column in filter(pictures.__contains__, TOGETHER):
        rows = np.flatnonzero(pictures[column] != "")
        codes, names = pandas.factorize(pictures[column].to_numpy()[rows])
        members.append(rows)
        keys.append(codes + nodes)
        nodes += len(names)
    edges = np.concatenate(members), np.concatenate(keys)
    graph = coo_array((np.ones(len(edges[0]), bool), edges), (nodes, nodes))
    numbers = connected_components(graph, directed=False)[1][:count]
    return pictures["id"].groupby(numbers).transform("min")


def folds(labels, groups, k, seed=42):
    """Share pictures out among k folds, groups whole, classes as evenly as the groups allow.

    Args:
        labels: class of every picture.
        groups: what every picture belongs to, as components() names it; a picture alone has a name
            of its own, its id. Names and seed decide, the order of the pictures does not.
        k: 2 or more.
        seed: of the draw.

    Returns:
        Folds, none of them empty. Who holds a fold out has not seen any picture of its groups. A
        class of one group is unknown to who has to judge it.

    Raises:
        InputError: k below 2, or fewer groups than folds.
    """
    units, unit = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if k < 2 or k > len(units):
        raise InputError(
            f"folds is {k}; it must be 2 or more, and at most the number of groups, {len(units)}"
        )
    classes, number = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    counts = _counts(unit, number)
    targets = np.zeros((k, len(classes)), int)
    for i, size in enumerate(np.bincount(number)):
        share = np.full(k, size // k)
        share[np.argsort(targets.sum(axis=1), kind="stable")[: size % k]] += 1
        targets[:, i] = share
    dealt = _dealt(counts, targets, np.random.default_rng(seed))
    fold = _filled(dealt, counts.sum(axis=1), k)[unit]
    of_class = np.bincount(counts.indices, minlength=len(classes))
    few = {str(classes[i]): int(n) for i, n in enumerate(of_class) if n < k}
    return Folds(fold, few)


def save(rows, path):
    """Write the rows of assign() as a UTF-8 CSV (RFC 4180), whole or not at all."""
    write_csv(path, rows[FILE])


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
    """(The pictures with randomly drawn splits, findings)."""
    distinct = pictures.drop_duplicates("sha256")
    sizes = distinct["label"].value_counts()
    small = sizes[sizes < len(SPLITS)].to_dict()
    if draw.stratified and small:
        raise InputError(
            f"protocol {protocol} puts a distinct picture of every class in train, val and test,"
            f" but {len(small)} classes have fewer than {len(SPLITS)} ({_counted(small)});"
            f" min_pictures {len(SPLITS)} leaves such classes out"
        )
    units = components(pictures)
    few = findings_of("class in too few groups", detail=[])
    if units.nunique() == len(distinct):  # nothing belongs together but copies
        split_of = _shuffled(distinct, draw, seed)
        return pictures.assign(split=pictures["sha256"].map(split_of).astype(object)), few
    if draw.stratified:
        pictures, few = _without_few_groups(pictures, units)
        if pictures.empty:  # what to do about it is said with all that was left out
            return pictures, few
    return pictures.assign(split=_grouped(pictures, units[pictures.index], draw, seed)), few


def _shuffled(distinct, draw, seed):
    """sha256 -> split, every picture by itself; stratified draws go through the classes by name."""
    pools = dict(iter(distinct.groupby("label"))) if draw.stratified else {"": distinct}
    random = np.random.default_rng(seed)
    split_of = {}
    for label in sorted(pools):
        pool = pools[label]["sha256"].to_numpy()
        sizes = _sizes(len(pool), draw.percents, least=int(draw.stratified))
        splits = np.repeat(SPLITS, sizes).tolist()
        split_of |= zip(pool[random.permutation(len(pool))], splits, strict=True)
    return split_of


def _without_few_groups(pictures, units):
    """Leave out the classes that have fewer groups than there are parts."""
    groups = units.groupby(pictures["label"]).nunique()
    few = groups[groups < len(SPLITS)]
    sizes = pictures["label"].value_counts()
    details = [f"{label}: {sizes[label]} pictures in {n} of 3 groups" for label, n in few.items()]
    kept = pictures[~pictures["label"].isin(few.index)]
    return kept, findings_of("class in too few groups", detail=details)


def _grouped(pictures, units, draw, seed):
    """The split of every picture, drawn so that no unit is torn; a Series. Copies count as one."""
    import pandas

    names, unit = np.unique(units.to_numpy(dtype=str), return_inverse=True)
    kinds = pictures["label"] if draw.stratified else pictures["label"].map(lambda _: "")
    classes, number = np.unique(kinds.to_numpy(dtype=str), return_inverse=True)
    distinct = ~pictures["sha256"].duplicated().to_numpy()
    counts = _counts(unit[distinct], number[distinct])
    groups = np.bincount(counts.indices, minlength=len(classes))
    parts = np.count_nonzero(draw.percents)
    targets = np.transpose(
        [
            _sizes(size, draw.percents, least=int(draw.stratified and groups[i] >= parts))
            for i, size in enumerate(counts.sum(axis=0))
        ]
    )
    part = _dealt(counts, targets, np.random.default_rng(seed))[unit]
    return pandas.Series(np.array(SPLITS, object)[part], pictures.index, dtype=object)


def _counts(unit, number):
    """How many pictures of every class every unit has: sparse (units, classes)."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(unit), int), (unit, number)))  # what falls together is added


def _dealt(counts, targets, random):
    """Deal units to parts, each whole, so that the parts come close to their targets.

    The largest units first, each to a part drawn in proportion to the room it still has among
    those that the unit fits into (so a large group is not always in train); where it fits into
    none, to the one with most room. Then no part of a single class has more than its target and
    one unit. When as many units of a class are left as parts without the class, these get them.
    (A split must stay the same with any release of any library, and its parts are not equal folds:
    hence no StratifiedGroupKFold.)

    Args:
        counts: csr_array (units, classes) of pictures.
        targets: (parts, classes) of pictures, summing to those of `counts` over the parts.
        random: numpy Generator.

    Returns:
        int array, the part of every unit.
    """
    room, total = targets.astype(float), targets.sum(axis=0)
    lacks = targets > 0
    left = np.bincount(counts.indices, minlength=targets.shape[1])
    order = random.permutation(counts.shape[0])
    order = order[np.argsort(-counts.sum(axis=1)[order], kind="stable")]
    part = np.empty(len(order), int)
    for unit in order:
        inside = slice(counts.indptr[unit], counts.indptr[unit + 1])
        of, sizes = counts.indices[inside], counts.data[inside]
        lacking = lacks[:, of]
        urgent = (lacking & (left[of] <= lacking.sum(axis=0))).any(axis=1)
        open_to = urgent if urgent.any() else (sizes <= room[:, of]).all(axis=1)
        weight = (room[:, of] * sizes / total[of]).sum(axis=1)
        if open_to.any():
            chances = np.where(open_to, np.maximum(weight, 1e-9), 0).cumsum()
            chosen = np.searchsorted(chances, random.random() * chances[-1], side="right")
        else:
            chosen = np.argmax(weight)
        part[unit] = chosen
        room[chosen, of] -= sizes
        lacks[chosen, of] = False
        left[of] -= 1
    return part


def _filled(part, sizes, k):
    """Give every part of k that got no unit the smallest one of the fullest part that has several.

    Units are drawn into parts, so that of few and large ones a part may get none.

    Args:
        part: int array, the part of every unit; there are k units or more.
        sizes: pictures of every unit.

    Returns:
        int array, the part of every unit.
    """
    part = part.copy()
    for empty in np.setdiff1d(np.arange(k), part):
        units = np.bincount(part, minlength=k)
        pictures = np.bincount(part, sizes, minlength=k)
        fullest = np.argmax(np.where(units > 1, pictures, 0))
        inside = np.flatnonzero(part == fullest)
        part[inside[np.argmin(sizes[inside])]] = empty
    return part


def _sizes(count, percents, least):
    """Share out `count` by percents (largest remainder; ties to the earlier), `least` to each."""
    sizes = [count * percent // 100 for percent in percents]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * percents[i] % 100))
    for i in by_remainder[: count - sum(sizes)]:
        sizes[i] += 1
    for i, size in enumerate(sizes):
        if size < least and percents[i]:
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


def _completed(rows, percents, seed):
    """Rows of a given split, a missing val or test part drawn from train, as the percents say.

    Every class by itself, groups whole; a class of too few groups stays in train.
    """
    counts = rows["split"].value_counts()
    holds = ", ".join(f"{split}: {counts[split]}" for split in SPLITS if split in counts)
    missing = [split for split in SPLITS if split not in counts]
    if "train" in missing:
        raise InputError(f"your split has no train part (it holds {holds})")
    unmade = [split for split in missing if not percents[split]]
    if unmade:
        made = " and ".join(f"{split}_percent 10" for split in unmade)
        raise InputError(
            f"your split has no {' and no '.join(unmade)} part: {made} would make it of 10 % of"
            f" the train part (your split holds {holds})"
        )
    for split, percent in percents.items():
        if percent and split not in missing:
            raise InputError(
                f"{split}_percent is {percent}, but your split has a {split} part ({holds})"
            )
    if not missing:
        return rows
    train = rows[rows["split"] == "train"]
    units = components(train)
    groups = units.groupby(train["label"]).nunique()
    enough = train["label"].map(groups) > len(missing)
    train = train[enough]
    if train.empty:
        return rows
    val, test = percents["val"], percents["test"]
    drawn = _grouped(train, units[train.index], Draw((100 - val - test, val, test), True), seed)
    return rows.assign(split=drawn.reindex(rows.index).fillna(rows["split"]))


def _torn_groups(rows):
    """A finding for every group of which a given split has pictures in several parts."""
    if "group" not in rows:
        return findings_of("group in several parts", detail=[])
    rows = rows[rows["group"] != ""]
    torn = rows[rows.groupby("group")["split"].transform("nunique") > 1]
    details = []
    for group, splits in torn.groupby("group")["split"]:
        counts = splits.value_counts()
        where = ", ".join(f"{split}: {counts[split]}" for split in SPLITS if split in counts)
        details.append(f"{group} ({where})")
    return findings_of("group in several parts", detail=details)


def _in_all_splits(rows):
    """Keep the rows of classes that occur in every split; a finding for every other class."""
    whole = rows.groupby("label")["split"].transform("nunique") == len(SPLITS)
    details = []
    for label, splits in rows[~whole].groupby("label")["split"]:
        missing = " or ".join(split for split in SPLITS if split not in set(splits))
        details.append(f"{label}: {len(splits)} pictures, none in {missing}")
    return rows[whole], findings_of("class dropped", detail=details)
