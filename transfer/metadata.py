"""A CSV and a folder of pictures -> labelled pictures, and a report of all that does not fit.

Tables are pandas DataFrames of nothing but text: "007" and "NA" stay as a museum wrote them.
"""

import csv
import difflib
import io
import re
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

from models.errors import InputError
from transfer import pictures
from transfer.result_folder import write_csv

# The columns of the Rijksmuseum's metadata (Dublin Core in Dutch; Sabatelli et al. 2018).
CHALLENGES = {"material": "dc_materiaal", "type": "dc_type", "artist": "dc_creator"}
ANONYMOUS = ("anoniem", "anonymous", "onbekend", "unknown")
TOY_COLUMN = "art_transfer_toy"  # holds 1 in every row of a collection that this project painted

# a usable line of the CSV; split and group are "" unless a column was asked for
ROWS = ["id", "label", "split", "group"]
PICTURES = [*ROWS, "path", "sha256"]  # path: posix, in the folder; sha256: of the file's bytes
# Columns (any case) whose values may tell what belongs together though nobody named one of them.
GROUP_COLUMNS = (
    "title", "artist", "object", "object_id", "creator", "dc_creator", "dc_title", "series"
)
# what did not fit; id, picture and detail are "" where they do not apply
FINDINGS = ["kind", "id", "picture", "detail"]

_DELIMITERS = ",;\t"  # semicolon: what Excel writes in countries with a decimal comma
_EXAMPLES = 5  # how many faults a message names: enough to see the pattern, short enough to read
# UTF-8 sequences of two to four bytes written out as \xNN (RFC 3629, section 4).
_ESCAPED = re.compile(
    r"\\x[cd][0-9a-f](?:\\x[89ab][0-9a-f])"
    r"|\\xe[0-9a-f](?:\\x[89ab][0-9a-f]){2}"
    r"|\\xf[0-7](?:\\x[89ab][0-9a-f]){3}",
    re.IGNORECASE,
)


class Collection(NamedTuple):
    """What a CSV or a folder says of its pictures.

    rows: DataFrame of ROWS, ids unique. findings: DataFrame of FINDINGS. toy: whether every row
    says that it is of a toy collection. candidates: DataFrame of text indexed by id, the columns
    among GROUP_COLUMNS.
    """

    rows: Any
    findings: Any
    toy: bool
    candidates: Any


def label_column(challenge, columns=()):
    """Name the CSV column of a challenge: that very column if there is one, else CHALLENGES'."""
    return challenge if challenge in columns else CHALLENGES.get(challenge, challenge)


def clean_label(text):
    r"""Trim, decode written-out UTF-8 bytes (`Bo\xc3\xabtius`), join lines, compose to NFC.

    Byte sequences that are not UTF-8 stay as they are written.
    """
    words = " ".join(_ESCAPED.sub(_unescaped, text).split())
    return unicodedata.normalize("NFC", words)


def read_csv(path, *required):
    """Read a UTF-8 CSV (with or without byte order mark) that has a header line, strictly.

    The delimiter (comma, semicolon or tab) is the one that finds most of the required names in the
    header.

    Args:
        path: of the file.
        required: columns that must be there once, each a tuple of names: of the first of them that
            is there, else of the last.

    Returns:
        DataFrame of text: the header's names, trimmed; every row that is not blank, under the
        number of its first line.

    Raises:
        InputError: the file is missing, empty or not UTF-8, a column is not there, a row has
            another length than the header or a broken quote.
    """
    import pandas

    text = _text(path)
    records = _records(path, text, _delimiter(text, set().union(*required)))
    _, header = next(records, (0, None))
    if header is None:
        raise InputError(f"file {path} is empty")
    header = [name.strip() for name in header]
    for names in required:
        _check_column(path, header, next((n for n in names if n in header), names[-1]))
    lines = dict(records)
    return pandas.DataFrame(list(lines.values()), index=list(lines), columns=header, dtype=object)


def read(csv_path, challenge, id_column="ImageId", split_column=None, drop_labels=ANONYMOUS):
    """Read the ids and labels of a challenge from a CSV file.

    Rows whose label is empty or in `drop_labels` (any case) are left out.

    Returns:
        (DataFrame of ROWS in the file's order, ids unique; DataFrame of FINDINGS "label dropped",
        "row without id", "duplicate id"; whether every row says that it is of a toy collection).

    Raises:
        InputError: see read_csv; no rows left; an id with two labels or splits.
    """
    split = [(split_column,)] if split_column else []
    table = read_csv(csv_path, (id_column,), (challenge, label_column(challenge)), *split)
    column = label_column(challenge, table.columns)
    rows = _cleaned(table, id_column, column, split_column)
    named = rows["id"] != ""
    unwanted = {"", *(clean_label(label).casefold() for label in drop_labels)}
    anonymous = rows["label"].str.casefold().isin(unwanted)
    dropped, rows = rows[named & anonymous], rows[named & ~anonymous]
    nameless = [f"line {line}" for line in table.index[~named]]
    findings = gather(
        findings_of("row without id", detail=nameless),
        findings_of("label dropped", id=dropped["id"], detail=dropped["label"]),
    )
    if rows.empty:
        raise InputError(
            f"{csv_path} has no row with an id and a label in column {column!r}"
            f" ({summary(findings)})"
        )
    kept = rows.drop_duplicates("id", ignore_index=True)
    # an id both anonymous and named is a contradiction, not an anonymous row to leave out
    claims = dropped[(dropped["label"] != "") & dropped["id"].isin(kept["id"])]
    claims = claims.assign(split=claims["id"].map(kept.set_index("id")["split"]))
    _refuse_contradictions(gather(rows, claims), "id", csv_path)
    doubled = rows[rows.duplicated("id")]
    doubled = findings_of("duplicate id", id=doubled["id"], detail=doubled["label"])
    toy = TOY_COLUMN in table and bool((table[[TOY_COLUMN]].map(str.strip) == "1").all(axis=None))
    return kept, gather(findings, doubled), toy


def join(rows, folder, report=None, left_out=()):
    """Find the picture of every row by its id, and check every picture found.

    An id may carry a picture's extension; with a "/" it is a path relative to `folder`, without one
    a file name in any subfolder.

    Args:
        rows: DataFrame of ROWS, as read() gives it.
        folder: of pictures.
        report: called as report(done, total) after each picture.
        left_out: ids of rows dropped on purpose; their pictures are no finding.

    Returns:
        (DataFrame of PICTURES sorted by id; DataFrame of FINDINGS "row without picture", "picture
        without row", "unreadable picture", "several pictures", "byte-identical pictures",
        "duplicate id").

    Raises:
        InputError: no row has a readable picture; two rows of one picture disagree.
    """
    import pandas

    names, unnameable = _nameable(pictures.find_pictures(folder))
    ways = _ways(names)
    rows = rows.sort_values("id", kind="stable", ignore_index=True)
    candidates = _candidates(rows, ways)
    if candidates.empty:
        raise InputError(
            f"no row has a picture in {folder}: an id is {rows['id'][0]!r},"
            f" a picture {[*names, *unnameable['picture']][0]!r}"
        )
    candidates = _inspected(candidates, folder, report)
    missing = rows[~rows["id"].isin(candidates["id"])]
    joined, remarks = _one_per_row(candidates)
    findings = gather(unnameable, findings_of("row without picture", id=missing["id"]), remarks)
    if joined.empty:
        problems = candidates.sort_values("path")["problem"]
        problem = next(filter(None, problems), summary(findings))
        raise InputError(f"no row has one readable picture in {folder}; the first: {problem}")
    _refuse_contradictions(joined, "path", folder)
    again = joined[joined.duplicated("path")]
    doubled = findings_of("duplicate id", id=again["id"], detail=again["label"])
    joined = joined.drop_duplicates("path", ignore_index=True)
    left_out = pandas.DataFrame({"id": list(left_out)}, dtype=object)
    expected = {*candidates["path"], *_candidates(left_out, ways)["path"]}
    unasked = [name for name in names if name not in expected]
    unasked = findings_of("picture without row", picture=unasked)
    return joined, gather(findings, doubled, _copies(joined), unasked)


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


def write_report(findings, path):
    """Write findings as CSV (RFC 4180), sorted, one line each, whole or not at all."""
    write_csv(path, findings.sort_values(FINDINGS))


def _text(path):
    """The text of a CSV file; InputError when missing or not UTF-8."""
    if not Path(path).is_file():
        raise InputError(f"file {path} does not exist or is no file")
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from error


def _delimiter(text, wanted):
    """The delimiter whose header line holds most of the wanted columns, then most columns."""
    first_line = text.lstrip().partition("\n")[0]

    def score(delimiter):
        header = [name.strip(' "\r') for name in first_line.split(delimiter)]
        return len(set(wanted).intersection(header)), len(header)

    return max(_DELIMITERS, key=score)


def _records(path, text, delimiter):
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
                    )
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, the row at line {line} is no CSV: {error}") from error


def _check_column(path, header, name):
    """InputError unless a column is there once, with those there are, of a like name first."""
    if header.count(name) == 1:
        return
    if name in header:
        raise InputError(f"{path} has {header.count(name)} columns named {name!r}")

    def unlikeness(other):
        return -difflib.SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    names = ", ".join(other or "(unnamed)" for other in sorted(header, key=unlikeness))
    raise InputError(f"{path} has no column {name!r}; it has {names}")


def _cleaned(table, id_column, label_column, split_column):
    """DataFrame of ROWS, one for every row of the CSV."""
    import pandas

    columns = {
        "id": [unicodedata.normalize("NFC", text.strip()) for text in table[id_column]],
        "label": [clean_label(text) for text in table[label_column]],
        "split": [text.strip() for text in table[split_column]] if split_column else "",
    }
    return pandas.DataFrame(columns, index=table.index, dtype=object)


def _unescaped(match):
    try:
        return bytes.fromhex(match[0].replace("\\x", "").replace("\\X", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def _nameable(names):
    """The names that can be written as UTF-8, and a finding for every other one."""
    good = [name for name in names if name.encode("utf-8", "ignore").decode() == name]
    bad = sorted(set(names).difference(good))
    return good, findings_of("unreadable picture", picture=bad, detail="its name is not UTF-8")


def _parted(name):
    """(stem, lower-case picture extension with its dot); stems may hold dots of their own."""
    name = unicodedata.normalize("NFC", name)  # macOS writes NFD file names
    stem, _, extension = name.rpartition(".")
    if stem and extension.lower() in pictures.EXTENSIONS:
        return stem, "." + extension.lower()
    return name, ""


def _ways(names):
    """Every way an id may name a picture: DataFrame of key and path."""
    import pandas

    ways = {}
    for name in names:
        for key in (name, name.rpartition("/")[2]):
            stem, extension = _parted(key)
            ways |= {(stem + extension, name): None, (stem, name): None}
    return pandas.DataFrame(list(ways), columns=["key", "path"], dtype=object)


def _candidates(rows, ways):
    """Rows with the path of every picture that their id may mean, sorted by id and path.

    Pictures with the id's extension, where it has one, come before any other.
    """
    parts = [_parted(name.removeprefix("./")) for name in rows["id"]]
    exact = rows.assign(key=[stem + extension for stem, extension in parts]).merge(ways, on="key")
    loose = rows.assign(key=[stem for stem, _ in parts]).merge(ways, on="key")
    loose = loose[~loose["id"].isin(exact["id"])]
    return gather(exact, loose).drop(columns="key").sort_values(["id", "path"], ignore_index=True)


def _inspected(candidates, folder, report):
    """Candidates with the sha256 of their files, and what is wrong with them or ""."""
    import pandas

    paths = sorted(set(candidates["path"]))
    inspections = pictures.inspect_all(folder, paths, report)
    columns = pictures.Inspection._fields
    inspections = pandas.DataFrame(inspections, index=paths, columns=columns, dtype=object)
    return candidates.join(inspections.fillna({"problem": ""}), on="path")


def _one_per_row(candidates):
    """(DataFrame of PICTURES, findings); of byte-identical candidates the first is taken."""
    bad = candidates[candidates["problem"] != ""]
    good = candidates[candidates["problem"] == ""]
    several = good.groupby("id")["sha256"].transform("nunique") > 1
    paths = good[several].groupby("id")["path"].agg(list)
    good = good[~several]
    first = good.groupby("id")["path"].transform("first")
    copies, first = good[good["path"] != first], first[good["path"] != first]
    findings = gather(
        findings_of("unreadable picture", bad["id"], bad["path"], bad["problem"]),
        findings_of("several pictures", paths.index, detail=[*map("; ".join, paths)]),
        findings_of(
            "byte-identical pictures", copies["id"], copies["path"], "same bytes as " + first
        ),
    )
    return good.drop_duplicates("id", ignore_index=True)[PICTURES], findings


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
