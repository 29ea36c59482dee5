"""What a table, a figure or a list of a paper is made of: cells, the runs of each, and its numbers.

An Item plans Cells in a Place; once their runs are finished, `measure` gives a DataFrame of the
form of the item's published CSV (papers.published), so that papers.findings decides on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.errors import InputError
from papers.published import require
from transfer.dataset import Data

FINDINGS = "findings"  # the item of all statements


@dataclass(frozen=True)
class Cell:
    """A number of an item.

    keys: dict of what its row is called by, as in the published CSV. columns: of the numbers.
    stages: of the runs that it is the mean of, one for each seed; or those that it compares.
    lacks: why there are none, else "". data: the pictures, where it is about them alone. on: whose
    pictures, in words.
    """

    keys: dict
    columns: tuple[str, ...]
    stages: tuple = ()
    lacks: str = ""
    data: Data | None = None
    on: str = ""


@dataclass(frozen=True)
class Item:
    """A table, figure or list of a paper.

    name: as it is asked for. kind: table, figure or classifiers. title: what it shows. published:
    name of its CSV in papers.published. needs: pairs of a data set and a challenge. plan: Place ->
    list of Cell. measure: (cells, runs: dict Stage -> FinishedRun) -> DataFrame of the form of the
    CSV, with C_low and C_high beside a column C. draw: (place, cells, runs) -> dict of file names
    -> bytes, or None for a table alone. runs: how many different ones it is made of, of each seed.
    """

    name: str
    kind: str
    title: str
    published: str
    needs: tuple[tuple[str, str], ...]
    plan: Callable
    measure: Callable
    draw: Callable | None = None
    runs: int = 0


@dataclass(frozen=True)
class Asked:
    """What of a paper is asked for: items by name, and which statements are to be decided."""

    items: tuple[Item, ...]
    statements: tuple = ()  # of papers.decisions.Finding


def choose(paper, name=None):
    """The items that a name asks for.

    Args:
        paper: papers.places.Paper.
        name: of an item, of a finding, FINDINGS for all of them, or None for everything.

    Returns:
        Asked.

    Raises:
        InputError: no such item or finding; near names are told.
    """
    by_name = {item.name: item for item in paper.items}
    if name in by_name:
        return Asked((by_name[name],))
    from papers.findings import FINDINGS as STATEMENTS

    statements = STATEMENTS[paper.name]
    if name in (None, FINDINGS):
        return Asked(paper.items, tuple(statements.values()))
    require("item", name, [*by_name, FINDINGS, *statements], f" of {paper.name}")
    statement = statements[name]
    needed = [item for item in paper.items if item.published in statement.question.items]
    return Asked(tuple(needed), (statement,))


def lacking(pairs):
    """Lines: what is lacking, and of which rows, told once for all rows that lack it.

    Args:
        pairs: of a row's keys, a dict, and what it lacks, text.
    """
    of_each = {}
    for keys, lacks in pairs:
        if lacks:
            of_each.setdefault(lacks, {})[", ".join(map(str, keys.values()))] = None
    return [f"{lacks}: {'; '.join(rows)}" for lacks, rows in of_each.items()]


def opened(cells):
    """The cells, those about pictures that cannot be used with what is wrong with these: list."""
    found = []
    for cell in cells:
        try:
            if cell.data:
                cell.data.open()
        except InputError as error:
            cell = replace(cell, data=None, lacks=str(error))
        found.append(cell)
    return found


def accuracy_cells(place, keys, column, stages):
    """One Cell of an accuracy: of the stages, or of the text that Place.stages gave instead."""
    lacks = stages if isinstance(stages, str) else ""
    on = place.stands_for(keys["dataset"], keys["challenge"])
    return Cell(keys, (column,), () if lacks else stages, lacks, on=on)


def measure_accuracies(cells, runs):
    """Cells of top-1 accuracies in percent -> a DataFrame, a row for all cells of the same keys."""
    import pandas as pd

    from transfer import results

    rows = {}
    for cell in cells:
        (column,) = cell.columns
        row = rows.setdefault(tuple(cell.keys.values()), dict(cell.keys))
        found = runs_of(cell, runs)
        mean, interval = None, None
        if found:
            mean, interval = results.accuracy(found)[0], results.interval(found)
        low, high = interval or (None, None)
        row |= {column: mean, f"{column}_low": low, f"{column}_high": high}
    return _numbers(pd.DataFrame(list(rows.values())), cells)


def measure_curves(cells, runs):
    """Cells of learning curves -> a DataFrame, a row for each epoch, counted from 0.

    Validation accuracy is from 0 to 1, the mean over seeds up to the epoch that all of them have,
    with Wilson's interval of that mean.
    """
    import pandas as pd

    from transfer.evaluate import wilson

    frames = []
    for cell in cells:
        (column,) = cell.columns
        found = runs_of(cell, runs)
        if not found:
            frames.append(pd.DataFrame([cell.keys | {"epoch": 0, column: None}]))
            continue
        length = min(len(run.history) for run in found)
        values = sum(run.history["val_accuracy"].to_numpy()[:length] for run in found) / len(found)
        count = found[0].metrics["n_val"]
        low, high = wilson(values * count, count)
        ends = {f"{column}_low": low, f"{column}_high": high}
        frames.append(pd.DataFrame({**cell.keys, "epoch": range(length), column: values, **ends}))
    return _numbers(pd.concat(frames, ignore_index=True), cells)


def runs_of(cell, runs):
    """The FinishedRuns of a cell, all of them or none: list."""
    found = [runs[stage] for stage in cell.stages if stage in runs]
    return found if len(found) == len(cell.stages) else []


def _numbers(frame, cells):
    """The frame, every column of a number as floats, with its ends."""
    import pandas as pd

    for name in dict.fromkeys(column for cell in cells for column in cell.columns):
        for column in (name, f"{name}_low", f"{name}_high"):
            frame[column] = pd.to_numeric(frame.get(column)) if column in frame else float("nan")
    return frame
