"""A CSV and a folder of pictures -> labelled pictures, and a report of all that does not fit."""

import re
import unicodedata
from collections import Counter, defaultdict
from typing import NamedTuple

from models.errors import InputError
from transfer import delimited, pictures

# The columns of the Rijksmuseum's metadata (Dublin Core in Dutch; Sabatelli et al. 2018).
CHALLENGES = {"material": "dc_materiaal", "type": "dc_type", "artist": "dc_creator"}
ANONYMOUS = ("anoniem", "anonymous", "onbekend", "unknown")

_EXAMPLES = 5  # how many faults a message names: enough to see the pattern, short enough to read
# UTF-8 sequences of two to four bytes written out as \xNN (RFC 3629, section 4).
_ESCAPED = re.compile(
    r"\\x[cd][0-9a-f](?:\\x[89ab][0-9a-f])"
    r"|\\xe[0-9a-f](?:\\x[89ab][0-9a-f]){2}"
    r"|\\xf[0-7](?:\\x[89ab][0-9a-f]){3}",
    re.IGNORECASE,
)


class Row(NamedTuple):
    """One usable line of the CSV; split is None unless a split column was asked for."""

    id: str
    label: str
    split: str | None


class Picture(NamedTuple):
    """One row with its picture: posix path relative to the folder, sha256 of the file's bytes."""

    id: str
    label: str
    split: str | None
    path: str
    sha256: str


class Finding(NamedTuple):
    """One thing that did not fit; id, picture and detail are "" where they do not apply."""

    kind: str
    id: str
    picture: str
    detail: str


def label_column(challenge, columns=()):
    """Name the CSV column of a challenge: that very column if there is one, else CHALLENGES'."""
    return challenge if challenge in columns else CHALLENGES.get(challenge, challenge)


def clean_label(text):
    r"""Trim, decode written-out UTF-8 bytes (`Bo\xc3\xabtius`), join lines, compose to NFC.

    Byte sequences that are not UTF-8 stay as they are written.
    """
    words = " ".join(_ESCAPED.sub(_unescaped, text).split())
    return unicodedata.normalize("NFC", words)


def read(csv_path, challenge, id_column="ImageId", split_column=None, drop_labels=ANONYMOUS):
    """Read the ids and labels of a challenge from a CSV file.

    UTF-8 with or without byte order mark; comma, semicolon or tab. Returns (rows in the file's
    order, findings "label dropped", "row without id", "duplicate id"). Rows whose label is empty or
    in `drop_labels` (any case) are left out. InputError for a missing, empty or non-UTF-8 file, a
    missing column, a row of the wrong length, no rows left, an id with two labels or splits.
    """
    wanted = {id_column, challenge, label_column(challenge), split_column}
    header, records = delimited.read(csv_path, wanted)
    column = label_column(challenge, header)
    at_id = delimited.position(csv_path, header, id_column)
    at_label = delimited.position(csv_path, header, column)
    at_split = delimited.position(csv_path, header, split_column) if split_column else None
    dropped = {"", *(clean_label(label).casefold() for label in drop_labels)}
    rows, unnamed, findings = [], [], []
    for line, fields in records:
        name = unicodedata.normalize("NFC", fields[at_id].strip())
        label = clean_label(fields[at_label])
        if not name:
            findings.append(Finding("row without id", "", "", f"line {line}"))
        elif label.casefold() in dropped:
            findings.append(Finding("label dropped", name, "", label))
            unnamed += [Row(name, label, None)] if label else []
        else:
            split = None if at_split is None else fields[at_split].strip()
            rows.append(Row(name, label, split))
    if not rows:
        raise InputError(
            f"{csv_path} has no row with an id and a label in column {column!r}"
            f" ({summary(findings)})"
        )
    kept, doubled = _one_each(rows, lambda row: row.id, csv_path)
    # an id both anonymous and named is a contradiction, not an anonymous row to leave out
    named = {row.id: row for row in kept}
    claims = [Row(r.id, r.label, named[r.id].split) for r in unnamed if r.id in named]
    _one_each([*kept, *claims], lambda row: row.id, csv_path)
    return kept, findings + doubled


def join(rows, folder, report=None, left_out=()):
    """Find the picture of every row by its id, and check every picture found.

    An id may carry a picture's extension; with a "/" it is a path relative to `folder`, without one
    a file name in any subfolder. Returns (Pictures sorted by id, findings "row without picture",
    "picture without row", "unreadable picture", "several pictures", "byte-identical pictures",
    "duplicate id"). Pictures of the ids in `left_out` (rows dropped on purpose) are no finding.
    `report(done, total)` is called after each picture. InputError when no row has a picture.
    """
    names, findings = _nameable(pictures.find_pictures(folder))
    index = _index(names)
    rows = sorted(rows, key=lambda row: row.id)
    matches = [_candidates(index, row.id) for row in rows]
    matched = sorted(set().union(*matches))
    if not matched:
        raise InputError(
            f"no row has a picture in {folder}: an id is {rows[0].id!r},"
            f" a picture {names[0] if names else findings[0].picture!r}"
        )
    inspected = dict(zip(matched, pictures.inspect_all(folder, matched, report), strict=True))
    found = []
    for row, candidates in zip(rows, matches, strict=True):
        picture, remarks = _chosen(row, candidates, inspected)
        found += [picture] if picture else []
        findings += remarks
    if not found:
        problem = next((i.problem for i in inspected.values() if i.problem), summary(findings))
        raise InputError(f"no row has one readable picture in {folder}; the first: {problem}")
    kept, doubled = _one_each(found, lambda picture: picture.path, folder)
    expected = set(matched).union(*(_candidates(index, name) for name in left_out))
    unasked = [Finding("picture without row", "", n, "") for n in names if n not in expected]
    return kept, findings + doubled + _identical(kept) + unasked


def summary(findings):
    """Count the findings per kind, on one line."""
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)) or "no findings"


def write_report(findings, path):
    """Write findings as CSV, sorted, one line each."""
    delimited.write(path, Finding._fields, sorted(findings))


def _unescaped(match):
    try:
        return bytes.fromhex(match[0].replace("\\x", "").replace("\\X", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def _nameable(names):
    """The names that can be written as UTF-8, and a finding for every other one."""
    good, findings = [], []
    for name in names:
        try:
            name.encode()
            good.append(name)
        except UnicodeEncodeError:
            findings.append(Finding("unreadable picture", "", name, "its name is not UTF-8"))
    return good, findings


def _parted(name):
    """(stem, lower-case picture extension with its dot); stems may hold dots of their own."""
    name = unicodedata.normalize("NFC", name)  # macOS writes NFD file names
    stem, _, extension = name.rpartition(".")
    if stem and extension.lower() in pictures.EXTENSIONS:
        return stem, "." + extension.lower()
    return name, ""


def _index(names):
    """Every way an id may name a picture -> the set of names it fits."""
    index = defaultdict(set)
    for name in names:
        for key in (name, name.rpartition("/")[2]):
            stem, extension = _parted(key)
            index[stem + extension].add(name)
            index[stem].add(name)
    return index


def _candidates(index, name):
    """Pictures an id may mean: those with its extension, where it has one, before any other."""
    stem, extension = _parted(name.removeprefix("./"))
    return sorted(index.get(stem + extension) or index.get(stem) or ())


def _chosen(row, candidates, inspected):
    """(Picture or None, findings) of one row; of byte-identical candidates the first is taken."""
    if not candidates:
        return None, [Finding("row without picture", row.id, "", "")]
    bad = [(name, inspected[name].problem) for name in candidates if inspected[name].problem]
    findings = [Finding("unreadable picture", row.id, name, problem) for name, problem in bad]
    good = [name for name in candidates if not inspected[name].problem]
    if len({inspected[name].sha256 for name in good}) > 1:
        return None, [*findings, Finding("several pictures", row.id, "", "; ".join(good))]
    for copy in good[1:]:
        detail = f"same bytes as {good[0]}"
        findings.append(Finding("byte-identical pictures", row.id, copy, detail))
    return (Picture(*row, good[0], inspected[good[0]].sha256) if good else None), findings


def _one_each(items, key, where):
    """(First item of every key, findings for the rest); InputError where they disagree."""
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    torn = []
    for group in groups.values():
        claims = sorted({" in ".join(filter(None, (i.label, i.split))) for i in group})
        if any((i.label, i.split) != (group[0].label, group[0].split) for i in group):
            torn.append(f"{group[0].id!r} ({' | '.join(claims)})")
    if torn:
        raise InputError(
            f"{where}: {len(torn)} ids have rows that disagree, keep one row of each:"
            f" {', '.join(torn[:_EXAMPLES])}"
        )
    rest = [item for group in groups.values() for item in group[1:]]
    findings = [Finding("duplicate id", item.id, "", item.label) for item in rest]
    return [group[0] for group in groups.values()], findings


def _identical(found):
    """A finding for every picture whose bytes an earlier picture has."""
    first, findings = {}, []
    for picture in found:
        twin = first.setdefault(picture.sha256, picture)
        if twin is not picture:
            labels = "" if twin.label == picture.label else f", which is {twin.label}"
            detail = f"same bytes as {twin.path}{labels}"
            findings.append(Finding("byte-identical pictures", picture.id, picture.path, detail))
    return findings
