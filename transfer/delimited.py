"""CSV files: read strictly, written whole or not at all."""

import csv
import difflib
import io
from pathlib import Path

from models.errors import InputError
from transfer import folders

_DELIMITERS = ",;\t"  # semicolon: what Excel writes in countries with a decimal comma


def read(path, wanted):
    """Read a UTF-8 CSV (with or without byte order mark) that has a header line.

    The delimiter (comma, semicolon or tab) is the one that finds most of the `wanted` column names
    in the header. Returns (trimmed column names, iterator over (line number, fields) of every row
    that is not blank). InputError for a missing, empty or non-UTF-8 file at once; for a row of
    another length than the header or with a broken quote when the iterator gets there.
    """
    text = _text(path)
    records = _records(path, text, _delimiter(text, wanted))
    first = next(records, None)
    if first is None:
        raise InputError(f"file {path} is empty")
    return [name.strip() for name in first[1]], records


def position(path, header, name):
    """Where a column is; InputError with the columns there are, those of a like name first."""
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        raise InputError(f"{path} has {header.count(name)} columns named {name!r}")

    def unlikeness(other):
        return -difflib.SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    names = ", ".join(other or "(unnamed)" for other in sorted(header, key=unlikeness))
    raise InputError(f"{path} has no column {name!r}; it has {names}")


def write(path, header, rows):
    """Write a UTF-8 CSV (RFC 4180) whole or not at all; names that are not UTF-8 are escaped."""
    text = io.StringIO(newline="")
    # RFC 4180's line ends: csv quotes a lone carriage return only where they hold one.
    csv.writer(text).writerows([header, *rows])
    folders.write_text(path, text.getvalue())


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
