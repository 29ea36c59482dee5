"""Pictures with any number of labels: columns of 0 and 1 of a CSV, and sets of labels as text.

A set travels as one text, its labels sorted, `lake | tree`; that of a picture that has none of them
is NONE, so that a proper picture without labels is no row that lacks one.
"""

from collections import Counter

import numpy as np

from models.errors import InputError

ALL = "all"  # the challenge of every column of 0 and 1
SEPARATOR = " | "
NONE = "(none)"
VALUES = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
ACCEPTED = "0 or 1 (or 0.0, 1.0, false, true)"
PRESENT = 0.5  # the probability from which on a label is said to be present
_NAMED = 5  # columns that a message names


def asked(challenge, columns=()):
    """Whether a challenge names columns of 0 and 1, instead of one column of classes.

    Args:
        challenge: as a user writes it; `tree,lake`, or ALL.
        columns: of the CSV; one that is called so is one column.
    """
    return challenge not in columns and (challenge == ALL or "," in challenge)


def named(challenge):
    """The columns that a challenge names, list without repeats; None for ALL.

    Raises:
        InputError: fewer than two.
    """
    if challenge == ALL:
        return None
    names = list(dict.fromkeys(filter(None, map(str.strip, challenge.split(",")))))
    if len(names) < 2:
        raise InputError(
            f"challenge is {challenge!r}; accepted: a column of classes, two or more columns of 0 "
            f"and 1 with commas between them, or {ALL} for all columns of 0 and 1"
        )
    return names


def of_columns(table, challenge, others, used):
    """The columns of a CSV that are labels, sorted; those that ALL means are the ones that vary.

    Args:
        table: DataFrame of text.
        challenge: that `asked` takes for several labels.
        others: columns that mean something else.
        used: bool array, the rows that are used.

    Returns:
        (list of columns, list of columns that ALL passes over because every row has one value).

    Raises:
        InputError: fewer than two columns, or a name that a set cannot have.
    """
    names, constant = named(challenge), []
    if names is None:
        names = []
        for place, name in enumerate(table.columns):
            if name and name not in others:
                cells = table.iloc[:, place][used].str.strip().str.casefold()
                if set(cells) <= {"", *VALUES} and set(cells) != {""}:
                    values = {VALUES[text] for text in cells if text}
                    (names if len(values) == 2 else constant).append(name)
        if len(names) < 2:
            told = f"has {', '.join(names) or 'none'}"
            told += f"; always the same: {', '.join(constant)}" * bool(constant)
            raise InputError(
                f"challenge {ALL} needs two or more columns that hold {ACCEPTED}; the CSV {told}"
            )
    for name in names:
        if SEPARATOR.strip() in name or name == NONE:
            raise InputError(f"column {name!r} cannot be a label: its name holds | or is {NONE}")
    return sorted(names), sorted(constant)


def of_rows(table, columns, ids, path):
    """The set of every row as text, and which cells are empty.

    Args:
        table: DataFrame of text, its index the lines of the CSV.
        columns: of labels, sorted.
        ids: Series of the rows' ids, for the message.
        path: of the CSV, for the message.

    Returns:
        (texts, "" for a row with an empty cell; the names of each row's empty columns), lists.

    Raises:
        InputError: a cell holds something else than 0 or 1.
    """
    cells = table[columns].map(lambda text: VALUES.get(text.strip().casefold(), text.strip()))
    wrong = cells.map(lambda value: isinstance(value, str) and value != "").to_numpy(bool)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{path}, line {table.index[row]}, id {ids.iloc[row]!r}: column {columns[column]!r} "
            f"holds {cells.iloc[row, column]!r}; accepted: {ACCEPTED}"
        )
    has, empty = (cells == True).to_numpy(bool), (cells == "").to_numpy(bool)  # noqa: E712
    missing = [", ".join(np.compress(row, columns)) for row in empty]
    texts = [text(row, columns) for row in has]
    return ["" if gaps else one for one, gaps in zip(texts, missing, strict=True)], missing


def text(row, classes):
    """A set as text; row: (classes,) of 0 and 1."""
    return SEPARATOR.join(name for name, has in zip(classes, row, strict=True) if has) or NONE


def present(probabilities, classes):
    """The set of the labels that are likely, as text; both (classes,)."""
    return text(np.asarray(probabilities) >= PRESENT, classes)


def members(text):
    """The labels of a set as text, a list."""
    return [] if text == NONE else text.split(SEPARATOR)


def rows_of(texts, classes):
    """Sets as text -> uint8 (pictures, classes) of 0 and 1."""
    number = {name: place for place, name in enumerate(classes)}
    rows = np.zeros((len(texts), len(classes)), np.uint8)
    for row, one in zip(rows, texts, strict=True):
        row[[number[name] for name in members(one)]] = 1
    return rows


def counts(texts):
    """How many of some sets each label is in: Counter."""
    return Counter(name for one in texts for name in members(one))


def without(texts, left_out):
    """The sets less some labels, as a list of texts."""
    kept = ([name for name in members(one) if name not in left_out] for one in texts)
    return [SEPARATOR.join(names) or NONE for names in kept]


def absent(labels, classes):
    """Which classes no picture of a part has.

    Args:
        labels: dict part -> (pictures, classes) of 0 and 1.
        classes: names.

    Returns:
        dict part -> list of names, of the parts that lack some.
    """
    lacking = {part: [n for n, has in zip(classes, rows.any(axis=0), strict=True) if not has]
               for part, rows in labels.items()}  # fmt: skip
    return {part: names for part, names in lacking.items() if names}


def told(names):
    """Some names for a message, the first few of them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
