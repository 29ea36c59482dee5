"""A CSV and a folder of pictures -> labelled pictures, and a report of all that does not fit.

Tables are pandas DataFrames of nothing but text: "007" and "NA" stay as a museum wrote them.
"""

import codecs
import contextlib
import csv
import difflib
import hashlib
import io
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.errors import InputError
from transfer import label_sets, pictures
from transfer.result_folder import UNPRINTABLE, unguarded, write_csv

# The columns of the Rijksmuseum's metadata (Dublin Core in Dutch; Sabatelli et al. 2018).
CHALLENGES = {"material": "dc_materiaal", "type": "dc_type", "artist": "dc_creator"}
ANONYMOUS = ("anoniem", "anonymous", "onbekend", "unknown")
TOY_COLUMN = "art_transfer_toy"  # holds 1 in every row of a collection that this project painted

# a usable line of the CSV; split and group are "" unless a column was asked for
ROWS = ["id", "label", "split", "group"]
PICTURES = [*ROWS, "path", "sha256"]  # path: posix, in the folder; sha256: of the file's bytes
# Columns (any case) whose values may tell what belongs together though nobody named one of them.
GROUP_COLUMNS = (
    "title",
    "artist",
    "object",
    "object_id",
    "creator",
    "dc_creator",
    "dc_title",
    "series",
)
# what did not fit; id, picture and detail are "" where they do not apply
FINDINGS = ["kind", "id", "picture", "detail"]


class Kind(NamedTuple):
    """What a kind of finding means for the data set, what may be done, whether it names examples.

    Of what was asked for there are no examples on the terminal.
    """

    meaning: str
    remedy: str = ""
    has_examples: bool = True


KINDS = {
    "row without id": Kind(
        "The row names no picture and is not used.", "Fill the id in, or name another id_column."
    ),
    "label dropped": Kind(
        "The row's label is empty or one of drop_labels, so the row is not used.",
        "Fill the label in, or give other drop_labels.",
    ),
    "row not selected": Kind("The row is not one that where asks for.", has_examples=False),
    "label not filled in": Kind(
        "A label of the row is empty, so the row is not used.", "Write 0 or 1 into every cell."
    ),
    "duplicate id": Kind("A second row of one picture, with the same label; the first is used."),
    "row without picture": Kind(
        "No picture file has the row's id for a name, so the row is not used.",
        "Compare the ids with the names of the files; id_column names another column.",
    ),
    "picture format that cannot be read": Kind(
        "The file is not used.", f"Convert it to one of {', '.join(pictures.EXTENSIONS)}."
    ),
    "several pictures": Kind(
        "More than one file has this id for a name; the largest is used.",
        "pictures_glob says which files count.",
    ),
    "id in other letters": Kind(
        "The id and the file's name differ in capitals; they are taken for the same.",
        "If they are not, correct the id.",
    ),
    "byte-identical pictures": Kind(
        "One picture under two names: of one row the first is used; of two rows both are, in one "
        "part of the split."
    ),
    "unreadable picture": Kind(
        "The file cannot be read as one picture, for the reason given, and is not used.",
        "Replace it if it is damaged; if it is too large, animated or has several pages, save one "
        "picture of fewer pixels; if its name is not UTF-8, rename it.",
    ),
    "picture without row": Kind(
        "No row names the picture, so it is not used.", "Add a row, or compare the ids."
    ),
    "picture not chosen": Kind("The file is not one that pictures_glob asks for.", "", False),
    "picture not in the sample": Kind(
        "The picture is not one of the sample that was asked for.", "", False
    ),
    "fewer pictures than the sample": Kind("All pictures are used, which are fewer than that."),
    "control characters": Kind(
        "Characters that nothing shows were taken out of an id or label.",
        "Remove them from the CSV, or from the file's name.",
    ),
    "labels that look alike": Kind(
        "They differ only in capitals, accents, forms of one letter or invisible characters, and "
        "are different classes.",
        "If they are one class, write them alike.",
    ),
    "empty class folder": Kind(
        "The folder holds no picture, so there is no such class.",
        "Remove the folder, or put its pictures in.",
    ),
    "picture outside class folders": Kind(
        "The picture lies beside the folders of the classes and is not used.",
        "Move it into the folder of its class.",
    ),
    "class too small": Kind(
        "The class has fewer than min_pictures distinct pictures; none of them is used.",
        "A smaller min_pictures keeps it.",
    ),
    "label too rare": Kind(
        "Fewer than min_pictures distinct pictures have the label; it is no class, its pictures "
        "stay.",
        "A smaller min_pictures keeps it.",
    ),
    "label always the same": Kind(
        "The column holds one value in every row, so there is nothing to learn; it is no class.",
        has_examples=True,
    ),
    "label without a picture": Kind(
        "A part of the split has no picture with the label: it is a class, and is not counted in "
        "the mean of the test.",
        "Another split_seed may help, or min_pictures leaves it out.",
    ),
    "class in too few groups": Kind(
        "Groups stay whole, and the class has fewer groups than the split has parts; none of its "
        "pictures is used.",
        "Another group_column, or none, keeps it.",
    ),
    "class dropped": Kind(
        "The class has no picture in a part of the split, so none of its pictures is used.",
        "The split cetinic2018 puts every class of three pictures or more in every part; in a "
        "split of your own, give the class pictures in the part named.",
    ),
    "group in several parts": Kind(
        "Your own split has pictures of one group in several parts; it is left as it is.",
        "A drawn split (cetinic2018, sabatelli2018) keeps groups whole.",
    ),
    "byte-identical pictures across splits": Kind(
        "One picture stands in two parts of your split; it is kept in the part named.",
        "Keep one of each in your split.",
    ),
    "byte-identical pictures with different labels": Kind(
        "Nothing tells the right label, so none of them is used.",
        "Correct the labels, or remove one of them.",
    ),
    "near-duplicate pictures": Kind(
        "The pictures look the same (perceptual hash); all of them are used.",
        "near_duplicates together keeps them in one part of the split.",
    ),
}
# of rows and pictures that are left out on purpose: not reported a second time
ON_PURPOSE = (
    "label dropped",
    "label not filled in",
    "row not selected",
    "picture outside class folders",
    "picture not in the sample",
    "fewer pictures than the sample",
)

_DELIMITERS = ",;\t|"  # semicolon: what Excel writes in countries with a decimal comma
_DECLARED = re.compile(r'"?sep=(.)"?[ \t]*(?=[\r\n])', re.IGNORECASE)  # Excel's own first line
_HEADER_BYTES = 1 << 20  # more than any header has
_EXAMPLES = 5  # how many faults a message names: enough to see the pattern, short enough to read
_NAMED = 10  # findings of a kind, or values of a column, that the terminal names
_ACCENTS = re.compile("[\u0300-\u036f]")  # Unicode's block of marks on Latin and Greek letters
# UTF-8 sequences of two to four bytes written out as \xNN (RFC 3629, section 4).
_ESCAPED = re.compile(
    r"\\x[cd][0-9a-f](?:\\x[89ab][0-9a-f])"
    r"|\\xe[0-9a-f](?:\\x[89ab][0-9a-f]){2}"
    r"|\\xf[0-7](?:\\x[89ab][0-9a-f]){3}",
    re.IGNORECASE,
)


class Collection(NamedTuple):
    """What a CSV or a folder says of its pictures.

    rows: DataFrame of ROWS, ids unique; of folders with path. findings: DataFrame of FINDINGS. toy:
    whether every row says that it is of a toy collection. candidates: DataFrame of text indexed by
    id, the columns among GROUP_COLUMNS. classes: where pictures have several labels their names,
    sorted, and a row's label is a set (transfer.label_sets); None for one label a picture.
    """

    rows: Any
    findings: Any
    toy: bool
    candidates: Any
    classes: Any = None


class UnjoinedError(InputError):
    """No row has a picture that can be used; `findings` tell why."""

    def __init__(self, message, findings):
        super().__init__(message)
        self.findings = findings


def label_column(challenge, columns=()):
    """Name the CSV column of a challenge: that very column if there is one, else CHALLENGES'."""
    return challenge if challenge in columns else CHALLENGES.get(challenge, challenge)


def clean_label(text):
    r"""Trim, decode written-out UTF-8 bytes (`Bo\xc3\xabtius`), join lines, compose to NFC.

    Control characters are taken out. Byte sequences that are not UTF-8 stay as they are written.
    """
    words = " ".join(UNPRINTABLE.sub("", _one_line(text)).split())
    return unicodedata.normalize("NFC", words)


def check(csv_path, challenge, id_column="ImageId", split_column=None, where=(), group_column=None):
    """Refuse a CSV without these columns, or without a row that `where` asks for, at once.

    Without pandas; of the file no more than the header is read where there is no `where`.

    Args:
        csv_path, ...: see read.

    Raises:
        InputError: see read_csv; no row is as where says.
    """
    columns = _columns(challenge, id_column, split_column, where, group_column)
    with _records(csv_path, columns, -1 if where else _HEADER_BYTES) as (header, records):
        if label_sets.asked(challenge, header):
            for name in label_sets.named(challenge) or ():
                _check_column(csv_path, header, name)
        else:
            _check_column(csv_path, header, label_column(challenge, header))
        if where:
            records = [fields for _, fields in records]
            names = [label_column(column, header) for column, _ in where]
            cells = {name: [fields[header.index(name)] for fields in records] for name in names}
            _select(cells, where, csv_path)


def has_several_labels(csv_path, challenge):
    """Whether a challenge is of columns of 0 and 1; of the CSV no more than its header is read.

    Raises:
        InputError: see read_csv.
    """
    if not label_sets.asked(challenge):
        return False
    with _records(csv_path, [], _HEADER_BYTES) as (header, _):
        return label_sets.asked(challenge, header)


def read_csv(path, *required):
    """Read a CSV file that has a header line, strictly.

    UTF-8 (with or without byte order mark) or UTF-16 with one. The delimiter (comma, semicolon, tab
    or |) is the one that finds most of the required names in the header, or the one of a first line
    `sep=;`. The apostrophe that keeps a spreadsheet from computing a cell is taken off.

    Args:
        path: of the file.
        required: columns that must be there once, each a tuple of names: of the first of them that
            is there, else of the last.

    Returns:
        DataFrame of text: the header's names, trimmed; every row that is not blank, under the
        number of its first line.

    Raises:
        InputError: the file is missing, empty or in another encoding, a column is not there, a row
            has another length than the header or a broken quote.
    """
    with _records(path, required) as (header, records):
        lines = dict(records)
    import pandas  # a slip is answered without it

    return pandas.DataFrame(list(lines.values()), index=list(lines), columns=header, dtype=object)


def read(
    csv_path,
    challenge,
    id_column="ImageId",
    split_column=None,
    drop_labels=ANONYMOUS,
    where=(),
    group_column=None,
):
    """Read the ids and labels of a challenge from a CSV file.

    Rows whose label is empty or in `drop_labels` (any case) are left out; these words name no group
    either. Of several labels a row is left out if one of its cells is empty; one with nothing but 0
    is a picture without labels, and is in.

    Args:
        csv_path: of the file.
        challenge: a name in CHALLENGES or a column, as is group_column; or for several labels a
            picture columns of 0 and 1, see transfer.label_sets.
        id_column, split_column, group_column: of the CSV.
        drop_labels: labels that name no class.
        where: pairs of a column and a value that a row must have; of several values of one column,
            any.

    Returns:
        Collection, its rows in the file's order; findings "row without id", "row not selected",
        "label dropped", "label not filled in", "label always the same", "duplicate id", "control
        characters", "labels that look alike".

    Raises:
        InputError: see read_csv; no rows left; an id with two labels or splits; of several labels a
            value other than 0 and 1.
    """
    columns = _columns(challenge, id_column, split_column, where, group_column)
    table = read_csv(csv_path, *columns)
    group = label_column(group_column or "", table.columns)
    unwanted = {"", *(clean_label(text).casefold() for text in drop_labels)}
    labels = _labels(table, challenge, id_column, {split_column, group}, where, csv_path)
    rows = _cleaned(table, id_column, labels.texts, split_column, group, unwanted)
    rows, findings = _wanted(rows, table, where, unwanted, csv_path, labels.missing)
    controls = _controls(table.loc[rows.index], id_column, labels.columns, rows["id"])
    if rows.empty:
        raise InputError(
            f"{csv_path} has no row with an id and a label in column"
            f" {' and '.join(map(repr, labels.columns))} ({summary(findings)})"
        )
    kept = rows.drop_duplicates("id")
    # an id both anonymous and named is a contradiction, not an anonymous row to leave out
    dropped = findings[findings["kind"] == "label dropped"]
    claims = dropped[(dropped["detail"] != "") & dropped["id"].isin(kept["id"])]
    claims = claims[["id"]].assign(
        label=claims["detail"], split=claims["id"].map(kept.set_index("id")["split"])
    )
    _refuse_contradictions(gather(rows, claims), "id", csv_path)
    findings = gather(findings, _doubled(rows), controls, labels.findings)
    findings = gather(findings, look_alikes(kept if labels.classes is None else _each_label(kept)))
    toy = TOY_COLUMN in table and bool((table[[TOY_COLUMN]].map(str.strip) == "1").all(axis=None))
    others = {id_column, *labels.columns, split_column, group}
    candidates = _group_columns(table, kept, others, unwanted)
    return Collection(kept.reset_index(drop=True), findings, toy, candidates, labels.classes)


def _each_label(rows):
    """A row for each label of each picture."""
    return rows.assign(label=rows["label"].map(label_sets.members)).explode("label")


def look_alikes(rows):
    """A finding for every set of labels that a reader takes for one.

    Args:
        rows: DataFrame with label.
    """
    spellings = {}
    for label, count in sorted(rows["label"].value_counts().items()):
        spellings.setdefault(_folded_label(label), []).append(f"{_visible(label)} ({count})")
    details = [" | ".join(alike) for alike in spellings.values() if len(alike) > 1]
    return findings_of("labels that look alike", detail=details)


def join(rows, folder, report=None, left_out=(), pictures_glob=None):
    """Find the picture of every row by its id, or the path it has, and check every picture found.

    An id may carry a picture's extension; with a "/" it is a path relative to `folder`, without one
    a file name in any subfolder. Where no picture is named as the id is written, backslashes count
    as slashes, and capitals as small letters. Of several pictures of a row the largest is taken.

    Args:
        rows: DataFrame of ROWS, as read() gives it; or with path too, as transfer.folders does.
        folder: of pictures.
        report: called as report(done, total) after each picture.
        left_out: ids of rows dropped on purpose; their pictures are no finding.
        pictures_glob: pattern of the pictures that count, see pictures.search.

    Returns:
        (DataFrame of PICTURES sorted by id; DataFrame of FINDINGS "row without picture", "picture
        without row", "picture not chosen", "picture format that cannot be read", "unreadable
        picture", "several pictures", "byte-identical pictures", "id in other letters",
        "duplicate id").

    Raises:
        UnjoinedError: no row has a readable picture.
        InputError: two rows of one picture disagree; no pictures in the folder.
    """
    import pandas

    found = pictures.search(folder, pictures_glob)
    names, unnameable = _nameable(found.names)
    ways = _ways(names)
    rows = rows.sort_values("id", kind="stable", ignore_index=True)
    has_paths = "path" in rows  # then its id, which may be written otherwise, need not be its name
    candidates = rows[rows["path"].isin(names)] if has_paths else _candidates(rows, ways)
    unusable = _unusable(rows[~rows["id"].isin(candidates["id"])], found.unusable)
    passed_over = findings_of("picture not chosen", picture=_writable(found.passed_over))
    findings = gather(unnameable, unusable, passed_over)
    if candidates.empty:
        message = (
            f"no row has a picture in {folder}: an id is {rows['id'][0]!r},"
            f" a picture {[*names, *unnameable['picture']][0]!r}"
        )
        raise UnjoinedError(message, gather(findings, _without_picture(rows, unusable)))
    candidates = _inspected(candidates, folder, report)
    missing = _without_picture(rows[~rows["id"].isin(candidates["id"])], unusable)
    joined, remarks = _one_per_row(candidates, folder)
    findings = gather(findings, missing, remarks)
    if joined.empty:
        problem = candidates.sort_values("path")["problem"].iloc[0]
        message = f"no row has one readable picture in {folder}; the first: {problem}"
        raise UnjoinedError(message, findings)
    _refuse_contradictions(joined, "path", folder)
    joined, doubled = _unique_paths(joined)
    left_out = pandas.DataFrame({"id": list(left_out)}, dtype=object)
    expected = {*candidates["path"], *_candidates(left_out, ways)["path"]}
    unasked = [name for name in names if name not in expected]
    unasked = findings_of("picture without row", picture=unasked)
    respelled = _respelled(joined[:0] if has_paths else joined)
    return joined, gather(findings, doubled, _copies(joined), respelled, unasked)


def draw_sample(joined, count):
    """The pictures whose ids have the smallest SHA-256 digests, `count` of them.

    So a sample is the same on every machine, and lies in every larger one.

    Args:
        joined: DataFrame of PICTURES, as join() gives it.
        count: above 0; of fewer pictures all are in.

    Returns:
        (rows of `joined`, in its order; DataFrame of FINDINGS "picture not in the sample", "fewer
        pictures than the sample").
    """
    ids = joined["id"].map(lambda id: id.encode("utf-8", "backslashreplace"))
    order = ids.map(lambda id: hashlib.sha256(id).hexdigest()).sort_values(kind="stable").index
    inside = joined.index.isin(order[:count])
    others = joined[~inside]
    few = [f"{len(joined)} of {count}"] if len(joined) < count else []
    findings = gather(
        findings_of("picture not in the sample", others["id"], others["path"]),
        findings_of("fewer pictures than the sample", detail=few),
    )
    return joined[inside].reset_index(drop=True), findings


def labels_of(files, rows):
    """The label of each picture file, found by the ids as join() finds pictures by them.

    An id with a "/" is the end of a file's path.

    Args:
        files: list of Path.
        rows: DataFrame of ROWS, as read() gives it.

    Returns:
        dict file -> label; "" where no row names the file, or rows of several labels do.
    """
    ends = {}
    for file in files:
        parts = [part for part in Path(file).parts if part != "/"]
        for start in range(len(parts)):
            ends.setdefault("/".join(parts[start:]), []).append(file)
    found = _candidates(rows, _ways(list(ends)))
    claims = {file: set() for file in files}
    for end, label in zip(found["path"], found["label"], strict=True):
        for file in ends[end]:
            claims[file].add(label)
    return {file: min(labels) if len(labels) == 1 else "" for file, labels in claims.items()}


def findings_of(kind, id="", picture="", detail=""):
    """A DataFrame of FINDINGS of one kind: columns of one length, "" for one that says nothing."""
    import pandas

    columns = {"kind": kind, "id": id, "picture": picture, "detail": detail}
    return pandas.DataFrame(columns, dtype=object)


def gather(*tables):
    """One DataFrame of the rows of several."""
    import pandas

    return pandas.concat(tables, ignore_index=True)


def summary(findings):
    """Count the findings per kind, on one line."""
    counts = findings["kind"].value_counts().sort_index()
    return ", ".join(f"{kind}: {count}" for kind, count in counts.items()) or "no findings"


def explain(findings):
    """Say what did not fit: every kind with its count, what it means, its remedy and the first ten.

    Returns:
        list of lines.
    """
    lines = []
    for kind, rows in findings.sort_values(FINDINGS).groupby("kind"):
        about = KINDS.get(kind, Kind(""))
        lines.append(f"{kind}: {len(rows)}. {about.meaning} {about.remedy}".strip())
        if not about.has_examples:
            continue
        for _, row in rows[:_NAMED].iterrows():
            what = ", ".join(dict.fromkeys(filter(None, (row["id"], row["picture"]))))
            lines.append("    " + ": ".join(filter(None, (what, row["detail"]))))
        if len(rows) > _NAMED:
            lines.append(f"    and {len(rows) - _NAMED} more, in report.csv")
    return lines


def write_report(findings, path):
    """Write findings as CSV (RFC 4180), sorted, one line each, whole or not at all.

    A last column, meaning, says what each kind means and what may be done.
    """
    abouts = [KINDS.get(kind, Kind("")) for kind in findings["kind"]]
    meanings = [f"{about.meaning} {about.remedy}".strip() for about in abouts]
    write_csv(path, findings.assign(meaning=meanings).sort_values(FINDINGS))


def _columns(challenge, id_column, split_column, where, group_column):
    """The columns needed, each a tuple of the names it may have."""
    # of several labels the columns are looked for in the header itself
    alone = [] if label_sets.asked(challenge) else [challenge]
    named = [*alone, *(column for column, _ in where), *filter(None, [group_column])]
    columns = [(id_column,), *((name, label_column(name)) for name in named)]
    return [*columns, (split_column,)] if split_column else columns


def _text(path, size=-1):
    """The text of a CSV file, of its first `size` bytes; InputError when missing or not UTF-8."""
    if not Path(path).is_file():
        raise InputError(f"file {path} does not exist or is not a file")
    with open(path, "rb") as file:
        data = file.read(size)
    # Excel's "Unicode text" is UTF-16
    has_mark = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if has_mark else "utf-8-sig")()
    try:
        text = decoder.decode(data, final=len(data) != size)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)"
        ) from error
    if 4 * text.count("\0") > len(text):  # every second byte of Latin letters in UTF-16
        raise InputError(
            f"{path} is UTF-16 or UTF-32 without a byte order mark; save the file as UTF-8"
        )
    # csv of Python 3.10 refuses a NUL; any other control character is taken out later
    return text.replace("\0", "\1")


def _delimiter(text, wanted):
    """The delimiter whose header line holds most of the wanted columns, then most columns."""
    first_line = re.split("[\r\n]", text.lstrip("\r\n "), maxsplit=1)[0]

    def score(delimiter):
        header = [name.strip(' "') for name in first_line.split(delimiter)]
        return len(set(wanted).intersection(header)), len(header)

    return max(_DELIMITERS, key=score)


@contextlib.contextmanager
def _records(path, required, size=-1):
    """Open a CSV file for its header and an iterator over the records after it.

    Yields:
        (names of columns; iterator of (number of its first line, fields), of records not blank).
    """
    text = _text(path, size)
    declared = _DECLARED.match(text)
    delimiter = declared[1] if declared else _delimiter(text, set().union(*required))
    text = text[declared.end() :] if declared else text
    limit = csv.field_size_limit()
    try:
        csv.field_size_limit(max(limit, len(text)))  # a column may hold a description of any length
        records = _parsed(path, text, delimiter)
        _, header = next(records, (0, None))
        if header is None:
            raise InputError(f"file {path} is empty")
        header = [name.strip() for name in header]
        for names in required:
            _check_column(path, header, next((n for n in names if n in header), names[-1]))
        yield header, records
    finally:
        csv.field_size_limit(limit)


def _parsed(path, text, delimiter):
    """Yield (number of its first line, fields) of every record that is not blank."""
    # strict: an unclosed quote would silently swallow the rows after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, width = 1, None
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                width = width or len(fields)
                if len(fields) != width:
                    raise InputError(
                        f"{path}, line {line}: {len(fields)} fields, but the header has {width}"
                        f" (a field that holds {delimiter!r} stands in double quotes)"
                    )
                yield line, [unguarded(field) for field in fields]
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, the row at line {line} is not CSV: {error} (a double quote within a quoted"
            " field is written twice)"
        ) from error


def _check_column(path, header, name):
    """InputError unless a column is there once, with those there are, of a like name first."""
    if header.count(name) == 1:
        return
    if name in header:
        raise InputError(f"{path} has {header.count(name)} columns named {name!r}")

    def unlikeness(other):
        return -difflib.SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    names = ", ".join(other or "(unnamed)" for other in sorted(header, key=unlikeness))
    alone = "; columns are separated by , ; | or a tab" if len(header) == 1 else ""
    raise InputError(f"{path} has no column {name!r}; it has {names}{alone}")


class _Labels(NamedTuple):
    """What the rows of a CSV are labelled with.

    columns: that say it. texts: of every row, "" for none. classes: of several labels, else None.
    missing: of several labels the names of each row's empty cells, else None. findings.
    """

    columns: list
    texts: list
    classes: list | None
    missing: Any
    findings: Any


def _labels(table, challenge, id_column, others, where, csv_path):
    """The _Labels of all rows; of several labels those that `where` does not ask for have none.

    others: columns that are no labels, if they are columns.
    """
    import pandas

    nothing = findings_of("label always the same", detail=[])
    if not label_sets.asked(challenge, table.columns):
        column = label_column(challenge, table.columns)
        _check_column(csv_path, list(table.columns), column)
        texts = [clean_label(text) for text in table[column]]
        return _Labels([column], texts, None, None, nothing)
    conditions = {label_column(column, table.columns) for column, _ in where}
    chosen = _asked_for(table, where, csv_path)
    others = {*others, *conditions, id_column, TOY_COLUMN}
    columns, constant = label_sets.of_columns(table, challenge, others, chosen)
    for name in columns:
        _check_column(csv_path, list(table.columns), name)
    asked = table[chosen]
    texts, missing = label_sets.of_rows(asked, columns, table[id_column][chosen], csv_path)
    found = findings_of("label always the same", detail=constant)
    texts, missing = (
        pandas.Series(values, asked.index, dtype=object).reindex(table.index, fill_value="")
        for values in (texts, missing)
    )
    return _Labels(columns, list(texts), columns, missing, found)


def _cleaned(table, id_column, labels, split_column, group_column, unwanted):
    """DataFrame of ROWS, one for every row of the CSV; labels: their texts."""
    import pandas

    columns = {
        "id": [clean_id(text) for text in table[id_column]],
        "label": labels,
        "split": [text.strip() for text in table[split_column]] if split_column else "",
        "group": _named(table[group_column], unwanted) if group_column else "",
    }
    return pandas.DataFrame(columns, index=table.index, dtype=object)


def clean_id(text):
    """An id as tables hold it: trimmed, composed to NFC, without characters that nothing shows."""
    return unicodedata.normalize("NFC", UNPRINTABLE.sub("", text).strip())


def _named(texts, unwanted):
    """Cleaned texts, "" for those that name nobody."""
    texts = map(clean_label, texts)
    return ["" if text.casefold() in unwanted else text for text in texts]


def _wanted(rows, table, where, unwanted, csv_path, missing=None):
    """(The rows that have an id and a label and are asked for; findings for the others).

    missing: of several labels the names of each row's empty cells.
    """
    nameless = rows.index[rows["id"] == ""]
    chosen = _asked_for(table, where, csv_path)
    asked = rows[chosen]
    unwanted = unwanted if missing is None else {""}  # a set may well be called as these
    anonymous = asked["label"].str.casefold().isin(unwanted)
    named = asked["id"] != ""
    dropped = asked[named & anonymous]
    others = rows[~chosen]
    others = others[others["id"] != ""]
    findings = gather(
        findings_of("row without id", detail=[f"line {line}" for line in nameless]),
        findings_of("row not selected", id=others["id"], detail=others["label"]),
        findings_of("label dropped", id=dropped["id"], detail=dropped["label"])
        if missing is None
        else findings_of("label not filled in", id=dropped["id"], detail=missing[dropped.index]),
    )
    return asked[named & ~anonymous], findings


def _asked_for(table, where, csv_path):
    """Bool array over the rows of a table: those that have what `where` asks for."""
    names = {label_column(column, table.columns) for column, _ in where}
    cells = {name: table[name] for name in names}
    return np.array(_select(cells, where, csv_path) if where else [True] * len(table), bool)


def _select(cells, where, csv_path):
    """Whether each row is as `where` says, a list; InputError where none is.

    Args:
        cells: column -> texts of all rows.
        where: pairs of a column, as the user names it, and a value.
        csv_path: for the message.
    """
    asked = {}
    for column, value in where:
        asked.setdefault(label_column(column, cells), set()).add(clean_label(value))
    chosen = None
    for column, values in asked.items():
        texts = [clean_label(text) for text in cells[column]]
        before = chosen or [True] * len(texts)
        chosen = [one and text in values for one, text in zip(before, texts, strict=True)]
        if not any(chosen):
            counts = Counter(t for t, one in zip(texts, before, strict=True) if one).most_common()
            there = ", ".join(f"{text!r} ({count})" for text, count in counts[:_NAMED])
            more = f" and {len(counts) - _NAMED} more values" if len(counts) > _NAMED else ""
            told = " and ".join(f"{c}={v}" for c, vs in asked.items() for v in sorted(vs))
            raise InputError(
                f"{csv_path} has no row where {told}; column {column!r}"
                f"{' of the rows that fit so far' if not all(before) else ''} holds {there}{more}"
            )
    return chosen


def _controls(table, id_column, label_columns, ids):
    """A finding for every row whose id or labels had characters that nothing shows."""
    found = table[id_column].str.strip().map(UNPRINTABLE.search).astype(bool).to_numpy()
    for name in label_columns:
        texts = table[name].map(_one_line)
        found = found | texts.map(UNPRINTABLE.search).astype(bool).to_numpy()
    return findings_of("control characters", id=ids[found])


def _doubled(rows):
    """A finding for every row whose id an earlier row has."""
    import pandas

    first = pandas.Series(rows.index, rows.index).groupby(rows["id"]).transform("first")
    again = rows[rows.duplicated("id")]
    lines = zip(again.index, again["label"], first[again.index], strict=True)
    details = [f"line {line}, {label}; line {used} is used" for line, label, used in lines]
    return findings_of("duplicate id", id=again["id"], detail=details)


def _group_columns(table, rows, others, unwanted):
    """DataFrame, indexed by id, of the columns whose names are in GROUP_COLUMNS.

    One that repeats the labels, under another name, tells nothing of what belongs together.
    """
    import pandas

    header = list(table.columns)
    names = [
        name
        for name in header
        if name.casefold() in GROUP_COLUMNS and name not in others and header.count(name) == 1
    ]
    texts = {name: _named(table.loc[rows.index, name], unwanted) for name in names}
    texts = {name: column for name, column in texts.items() if column != list(rows["label"])}
    return pandas.DataFrame(texts, index=pandas.Index(rows["id"], name="id"), dtype=object)


def _folded_label(label):
    """A label without what a reader does not see or mind, nor the accents that typists leave out.

    The marks of other scripts are letters to their readers and stay.
    """
    seen = "".join(c for c in label if unicodedata.category(c) != "Cf")
    parted = _ACCENTS.sub("", unicodedata.normalize("NFKD", seen))
    return " ".join(unicodedata.normalize("NFKC", parted).casefold().split())


def _visible(label):
    """A label with its invisible characters written out."""
    shown = (c if unicodedata.category(c) != "Cf" else f"\\u{ord(c):04x}" for c in label)
    return "".join(shown)


def _one_line(text):
    return " ".join(_ESCAPED.sub(_unescaped, text).split())


def _unescaped(match):
    try:
        return bytes.fromhex(match[0].replace("\\x", "").replace("\\X", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def _writable(names):
    return [name.encode("utf-8", "backslashreplace").decode() for name in names]


def _nameable(names):
    """The names that can be written as UTF-8, and a finding for every other one."""
    good = [name for name in names if name.encode("utf-8", "ignore").decode() == name]
    bad = sorted(set(names).difference(good))
    return good, findings_of("unreadable picture", picture=bad, detail="its name is not UTF-8")


def _parted(name):
    """(stem, lower-case picture extension with its dot); stems may hold dots of their own."""
    name = clean_id(name)  # macOS writes NFD file names
    stem, _, extension = name.rpartition(".")
    if stem and extension.lower() in (*pictures.EXTENSIONS, *pictures.FOREIGN):
        return stem, "." + extension.lower()
    return name, ""


def _folded(name):
    """A path as Windows compares them: either slash, any capitals."""
    return name.replace("\\", "/").removeprefix("./").lstrip("/").casefold()


def _id_keys(name):
    """What an id is looked up by, the strictest first; as many as _ways has tables."""
    stem, extension = _parted(name)
    return name, stem + extension, stem, _folded(stem + extension), _folded(stem)


def _ways(names):
    """Every way an id may name a picture: a DataFrame of key and path for each of _id_keys."""
    import pandas

    written, parted, folded = {}, {}, {}
    for name in names:
        for key in (name, name.rpartition("/")[2]):
            stem, extension = _parted(key)
            written[clean_id(key), name] = None
            for key in (stem + extension, stem):
                parted[key, name] = None
                folded[_folded(key), name] = None
    tables = [
        pandas.DataFrame(list(ways), columns=["key", "path"], dtype=object)
        for ways in (written, parted, folded)
    ]
    return [tables[0], tables[1], tables[1], tables[2], tables[2]]


def _candidates(rows, ways):
    """Rows with the path of every picture that their id may mean, sorted by id and path.

    A picture that an id names more strictly comes before any other; one that another id names as it
    is written is nobody's who would have to change letters for it.
    """
    rows = rows.drop(columns="path", errors="ignore")
    found, claimed = [rows[:0].assign(path=[])], set()
    keys = [_id_keys(name.removeprefix("./")) for name in rows["id"]]
    for strictness, table in enumerate(ways):
        some = rows.assign(key=[key[strictness] for key in keys]).merge(table, on="key")
        some = some[~some["id"].isin(gather(*found)["id"])]
        if strictness > 2:
            some = some[~some["path"].isin(claimed)]
        found.append(some.drop(columns="key"))
        claimed |= {*some["path"]} if strictness < 3 else set()
    return gather(*found).sort_values(["id", "path"], ignore_index=True)


def _unusable(missing, unusable):
    """Findings for files that nothing reads, with the id of the row without picture they mean."""
    meant = _candidates(missing, _ways(_writable(unusable))) if unusable else missing[:0]
    ids = dict(zip(meant.get("path", ()), meant["id"], strict=True))
    names = dict(zip(_writable(unusable), unusable.values(), strict=True))
    kinds = [
        "picture format that cannot be read" if reason in pictures.FOREIGN else "unreadable picture"
        for reason in names.values()
    ]
    details = [f".{one}" if one in pictures.FOREIGN else one for one in names.values()]
    table = findings_of(kinds, [ids.get(name, "") for name in names], list(names), details)
    return table


def _without_picture(rows, unusable):
    """Findings for rows that have no picture, but for those whose file is named already."""
    return findings_of("row without picture", id=rows["id"][~rows["id"].isin(unusable["id"])])


def _inspected(candidates, folder, report):
    """Candidates with the sha256 of their files, and what is wrong with them or ""."""
    import pandas

    paths = sorted(set(candidates["path"]))
    inspections = pictures.inspect_all(folder, paths, report)
    columns = pictures.Inspection._fields
    inspections = pandas.DataFrame(inspections, index=paths, columns=columns, dtype=object)
    return candidates.join(inspections.fillna({"problem": ""}), on="path")


def _one_per_row(candidates, folder):
    """(DataFrame of PICTURES, findings); of several pictures of a row the largest is taken.

    One that no other row means comes before one that is also another row's.
    """
    bad = candidates[candidates["problem"] != ""]
    good = candidates[candidates["problem"] == ""]
    sizes = [_size(folder, path) for path in good["path"]]
    good = good.assign(size=sizes, shared=good.groupby("path")["id"].transform("nunique") > 1)
    good = good.sort_values(
        ["id", "shared", "size", "path"], ascending=[True, True, False, True], ignore_index=True
    )
    firsts = good.groupby("id")[["path", "sha256", "size"]].transform("first")
    rest = good["path"] != firsts["path"]
    copies = rest & (good["sha256"] == firsts["sha256"])
    others = rest & ~copies
    details = [
        f"{path} is used: {most:,} bytes, this one {size:,}"
        for path, most, size in zip(
            firsts["path"][others], firsts["size"][others], good["size"][others], strict=True
        )
    ]
    findings = gather(
        findings_of("unreadable picture", bad["id"], bad["path"], bad["problem"]),
        findings_of("several pictures", good["id"][others], good["path"][others], details),
        findings_of(
            "byte-identical pictures",
            good["id"][copies],
            good["path"][copies],
            "same bytes as " + firsts["path"][copies] + ", which is used",
        ),
    )
    return good.drop_duplicates("id", ignore_index=True)[PICTURES], findings


def _size(folder, path):
    try:
        return Path(folder, path).stat().st_size
    except OSError:
        return 0


def _unique_paths(joined):
    """(The first row of every picture; a finding for every other row)."""
    firsts = joined.groupby("path")["id"].transform("first")
    again = joined[joined.duplicated("path")]
    details = [
        f"{label}; id {first} is used"
        for label, first in zip(again["label"], firsts[again.index], strict=True)
    ]
    doubled = findings_of("duplicate id", again["id"], again["path"], details)
    return joined.drop_duplicates("path", ignore_index=True), doubled


def _respelled(joined):
    """A finding for every picture whose name has other capitals than the id."""
    names = [_parted(name.replace("\\", "/").removeprefix("./"))[0] for name in joined["id"]]
    stems = [_parted(path)[0] for path in joined["path"]]
    pairs = zip(names, stems, strict=True)
    other = [not f"/{stem}".endswith("/" + name.lstrip("/")) for name, stem in pairs]
    other = np.array(other, bool)
    return findings_of("id in other letters", joined["id"][other], joined["path"][other])


def _refuse_contradictions(rows, key, where):
    """InputError where rows of one key have different labels or splits."""
    claims = rows.drop_duplicates([key, "label", "split"])
    torn = claims[claims.duplicated(key, keep=False)]
    if torn.empty:
        return
    groups = [group for _, group in torn.groupby(key, sort=False)]
    examples = []
    for group in groups[:_EXAMPLES]:
        pairs = zip(group["label"], group["split"], strict=True)
        told = sorted({" in ".join(filter(None, pair)) for pair in pairs})
        examples.append(f"{group['id'].iloc[0]!r} ({' | '.join(told)})")
    raise InputError(
        f"{where}: {len(groups)} ids have rows that disagree, keep one row of each:"
        f" {', '.join(examples)}"
    )


def _copies(joined):
    """A finding for every picture whose bytes an earlier picture has."""
    twins = joined.groupby("sha256")[["path", "label"]].transform("first")
    where = joined["path"] != twins["path"]
    copies, twins = joined[where], twins[where]
    details = [
        f"same bytes as {path}" + ("" if label == own else f", which is {label}")
        for path, label, own in zip(twins["path"], twins["label"], copies["label"], strict=True)
    ]
    return findings_of("byte-identical pictures", copies["id"], copies["path"], details)
