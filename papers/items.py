"""What a table, a figure or a list of a paper is made of: cells, the runs of each, and its numbers.

An Item plans Cells in a Place; once their runs are finished, `measure` gives a DataFrame of the
form of the item's published CSV (papers.published), so that papers.findings decides on it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from models.errors import InputError
from papers.published import require
from transfer.dataset import Data

FINDINGS = "findings"  # the item of all statements
# metrics' headline -> its name behind "chance_"
CHANCES = {"top1_accuracy": "top1", "mean_average_precision": "mean_average_precision"}
# what the names of columns end in that tell what a number is worth, behind its own name
ENDS = ("low", "high", "lowest", "highest", "seeds", "chance", "pictures")


@dataclass(frozen=True)
class Cell:
    """A number of an item.

    keys: dict of what its row is called by, as in the published CSV. columns: of the numbers.
    stages: of the runs that it is the mean of, one for each seed; or those that it compares.
    lacks: why there are none, else "". data: the pictures, where it is about them alone. on: whose
    pictures, in words. also: lines, what takes long beside the runs. looks: of each seed
    what measure looks at beside them, papers.looks.Look or Mean. printed: whether its number is
    another work's, which statements compare and no column calls ours.
    """

    keys: dict
    columns: tuple[str, ...]
    stages: tuple = ()
    lacks: str = ""
    data: Data | None = None
    on: str = ""
    also: tuple[str, ...] = ()
    looks: tuple = ()
    printed: bool = False


@dataclass(frozen=True)
class Number:
    """A number of an item, and what it is worth.

    value: the mean over seeds, in the unit of its column; None without runs. low, high: its 95 %
    interval; None where there is none. of_each: the number of each seed. chance: what chance would
    give. pictures: that it was measured on.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    of_each: tuple[float, ...] = ()
    chance: float | None = None
    pictures: int | None = None

    def cells(self, column):
        """Its cells in a row of numbers: dict, of names that begin with its column's."""
        each = self.of_each
        ends = {"low": self.low, "high": self.high, "chance": self.chance}
        ends |= {"lowest": min(each, default=None), "highest": max(each, default=None)}
        ends |= {"seeds": len(each) or None, "pictures": self.pictures}
        return {column: self.value} | {f"{column}_{end}": ends[end] for end in ENDS}


def mean_number(each):
    """The Number of several seeds: the means of their values, ends and chances.

    Where no seed has an interval, it is Student's of the mean of two or more seeds.

    Args:
        each: list of Number of one seed.
    """
    if not each:
        return Number()
    values = [number.value for number in each]
    low, high = (_mean([getattr(number, end) for number in each]) for end in ("low", "high"))
    if low is None and len(values) > 1:
        low, high = student(values)
    chance = _mean([number.chance for number in each])
    return Number(_mean(values), low, high, tuple(values), chance, each[0].pictures)


def _mean(values):
    return None if None in values else float(np.mean(values))


def student(values):
    """Student's 95 % interval of the mean of values: (low, high); both None of fewer than two."""
    if len(values) < 2:
        return None, None
    middle = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return middle - half, middle + half


@dataclass(frozen=True)
class Item:
    """A table, figure or list of a paper.

    name: as it is asked for. kind: table, figure or classifiers. title: what it shows. published:
    name of its CSV in papers.published. needs: pairs of a data set and a challenge. plan: Place ->
    list of Cell. measure: (cells, runs: dict Stage -> FinishedRun) -> DataFrame of the form of the
    CSV, with C_low and C_high beside a column C, and the rest of Number; a column `lacks` tells why
    a row has no number. draw: (place, cells, runs) -> dict of file names
    -> bytes, or None for a table alone. runs: how many different ones it is made of, of each seed.
    chance: what the numbers' chance is, in words; interval: what their intervals are for, or over.
    notes: Place -> lines for the page, what was
    chosen and what is otherwise than in the paper.
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
    chance: str = "what the commonest class would give"
    notes: Callable | None = None
    interval: str = "for other test pictures like these"


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


def accuracy_cells(place, keys, column, stages, challenge=None):
    """One Cell of an accuracy: of the stages, or of the text that Place.stages gave instead.

    Args:
        place: papers.places.Place.
        keys: see Cell; with the data set, and with the challenge unless that is given.
        column: see Cell.
        stages: of Place.stages.
        challenge: of the data set.
    """
    lacks = stages if isinstance(stages, str) else ""
    on = place.stands_for(keys["dataset"], challenge or keys["challenge"])
    return Cell(keys, (column,), () if lacks else stages, lacks, on=on)


def measure_accuracies(cells, runs):
    """Cells of accuracies or mean average precisions -> a DataFrame.

    A row for all cells of the same keys. In percent where the column says (%), else from 0 to 1;
    of keys with a `k` the accuracy of the first k answers.
    """
    import pandas as pd

    from transfer import evaluate

    rows = {}
    for cell in cells:
        (column,) = cell.columns
        row = rows.setdefault(tuple(cell.keys.values()), dict(cell.keys))
        k, found = cell.keys.get("k", 1), runs_of(cell, runs)
        number = accuracy_number(found, column, k)
        if found and k > 1:
            labels = cell.stages[0].data.open().labels
            chance = unit(column) * evaluate.chance(labels["train"], labels["test"], k)
            number = replace(number, chance=chance)
        row |= number.cells(column)
    return as_numbers(pd.DataFrame(list(rows.values())), cells)


def accuracy_number(found, column, k=1):
    """The Number of a cell of accuracies, or of mean average precisions.

    Args:
        found: its FinishedRuns, or none.
        column: says the unit.
        k: how many answers count; of several the chance is not known here.
    """
    from transfer import results
    from transfer.evaluate import wilson
    from transfer.run import headline

    if not found:
        return Number()
    metrics = found[0].metrics
    of_each = [run.accuracy for run in found]
    interval, count = results.interval(found), metrics.get("n_test")
    chance = metrics.get("chance_" + CHANCES[headline(metrics)])
    if k > 1:
        of_each = [100 * run.metrics[f"top{k}_accuracy"] for run in found]
        # as results.interval: splits that differ have none
        ends = wilson(np.mean(of_each) * count / 100, count)
        interval, chance = interval and tuple(100 * float(end) for end in ends), None
    scale = unit(column)
    low, high = (scale * end / 100 for end in interval) if interval else (None, None)
    values = tuple(scale * value / 100 for value in of_each)
    chance = None if chance is None else scale * chance
    return Number(float(np.mean(values)), low, high, values, chance, count)


def unit(column):
    """What a column's numbers are of a share: 100 for percent, else 1."""
    return 100 if "(%)" in column else 1


def measure_curves(cells, runs):
    """Cells of learning curves -> a DataFrame, a row for each epoch, counted from 0.

    Validation accuracy is from 0 to 1, the mean over seeds, with Wilson's interval of that mean. Up
    to the last epoch of the longest run a shorter one stays at its own last value, so that the last
    row is the mean of what the runs end with, whose range stands in every row. Chance is that of
    the validation pictures.
    """
    import pandas as pd

    from transfer.evaluate import wilson

    frames, chance_of = [], functools.cache(_validation_chance)  # curves share their pictures
    for cell in cells:
        (column,) = cell.columns
        found = runs_of(cell, runs)
        if not found:
            frames.append(pd.DataFrame([cell.keys | {"epoch": 0, column: None}]))
            continue
        length = max(len(run.history) for run in found)
        own = [run.history["val_accuracy"].to_numpy() for run in found]
        curves = [np.pad(curve, (0, length - len(curve)), "edge") for curve in own]
        last = tuple(float(curve[-1]) for curve in own)
        values, count = np.mean(curves, axis=0), found[0].metrics["n_val"]
        low, high = wilson(values * count, count)
        chance = chance_of(cell.stages[0].data)
        ends = Number(values, low, high, last, chance, count).cells(column)
        frames.append(pd.DataFrame({**cell.keys, "epoch": range(length), **ends}))
    return as_numbers(pd.concat(frames, ignore_index=True), cells)


def _validation_chance(data):
    """What the commonest class of the training pictures gives on the validation pictures.

    From 0 to 1; None where pictures have several labels.
    """
    from transfer import evaluate

    store = data.open()
    return None if store.several else evaluate.chance(store.labels["train"], store.labels["val"])


def measure_nothing(cells, runs):
    """A row for each cell: a figure of pictures has no numbers."""
    import pandas as pd

    return pd.DataFrame([cell.keys for cell in cells])


def measured(rows_of, cells, runs):
    """A DataFrame of rows: those of each cell whose runs are there, and one of each other cell.

    Args:
        rows_of: (Cell, runs) -> list of dict, with the cells of Numbers; what it raises as
            InputError is told in the cell's row.
        cells, runs: see Item.measure.
    """
    import pandas as pd

    rows = []
    for cell in cells:
        found = []
        if not cell.lacks and all(stage in runs for stage in cell.stages):
            try:
                found = rows_of(cell, runs)
            except InputError as error:
                found = [{"lacks": str(error)}]
        rows += [{**cell.keys, "lacks": "", **row} for row in found or [{}]]
    return as_numbers(pd.DataFrame(rows), cells).fillna({"lacks": ""})


def runs_of(cell, runs):
    """The FinishedRuns of a cell, all of them or none: list."""
    found = [runs[stage] for stage in cell.stages if stage in runs]
    return found if len(found) == len(cell.stages) else []


def as_numbers(frame, cells):
    """The frame, every column of a number of the cells as floats, with its ends."""
    import pandas as pd

    for name in dict.fromkeys(column for cell in cells for column in cell.columns):
        for column in (name, *(f"{name}_{end}" for end in ENDS)):
            found = pd.to_numeric(frame[column]) if column in frame else float("nan")
            frame[column] = pd.Series(found, frame.index, dtype=float)
    return frame
