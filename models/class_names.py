"""Class names in a file, one a line, for networks whose own are not known."""

import re
from pathlib import Path

from models.errors import InputError

WORDNET = re.compile(r"n\d{8}\s+([^,]+)")  # a line of ImageNet's synset_words.txt


def read(path):
    """Read class names, one a line; of a WordNet line (`n01440764 tench, Tinca tinca`) the first.

    Raises:
        InputError: no such file, no text in UTF-8, or no name in it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"class names {path} cannot be read: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"class names {path}: the file is empty")
    return [match[1].strip() if (match := WORDNET.match(name)) else name for name in names]
