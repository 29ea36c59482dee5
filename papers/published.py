"""What a paper printed: tables, figures and numbers of its text, each a CSV file.

`published/PAPER/ITEM.csv` holds facts alone. Its column `place` says where in the paper a row is,
`note` what is garbled or said otherwise elsewhere in the paper. A file with nothing but its header
is a figure, or a statement, whose numbers the paper does not print: the header says which columns
numbers of our own have. `text` holds the numbers of the running text and of captions,
`contradictions` those that a paper gives twice and differently. Columns in (%) are percentages;
accuracies without it are from 0 to 1.
"""

import difflib
from pathlib import Path

from models.errors import InputError

FOLDER = Path(__file__).parent / "published"
PAPERS = ("sabatelli2018", "gonthier2020", "cetinic2018")


def items(paper):
    """The names of a paper's items, sorted; InputError for a paper that is not in PAPERS."""
    require("paper", paper, PAPERS)
    return sorted(path.stem for path in (FOLDER / paper).glob("*.csv"))


def read_item(paper, item):
    """One item of a paper, as printed.

    Args:
        paper: one of PAPERS.
        item: one of `items(paper)`.

    Returns:
        pandas DataFrame, a row per row of the file; empty cells are NaN, but in `note` "".

    Raises:
        InputError: there is no such paper or item; near names are told.
    """
    import pandas as pd

    require("item", item, items(paper), f" of {paper}")
    return pd.read_csv(FOLDER / paper / f"{item}.csv", dtype={"note": object}).fillna({"note": ""})


def require(what, name, accepted, of=""):
    """InputError unless a name is one of those accepted; names those near it, or all."""
    if name not in accepted:
        near = difflib.get_close_matches(str(name), accepted, 3, 0.6) or accepted
        raise InputError(f"no {what} {name!r}{of}; there is {', '.join(near)}")
