"""How numbers decide a statement: it holds, does not hold, or cannot be told.

A statement's question says which numbers it compares (`At`) and how (`above`, `close`, `below`, …).
Where a column C has intervals (columns C_low and C_high), numbers whose intervals overlap cannot
be told apart; without intervals numbers are taken as they stand. Equal numbers cannot be told
apart, a number that is missing and has no interval tells nothing, and a group of rows that lacks
one side is passed over: the verdict names the numbers that it rests on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from models.errors import InputError
from transfer.evaluate import Z
from transfer.uncertainty import SIGNIFICANT, holm

HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot be told"
LEAST_POINTS = 4  # of a rank correlation: its interval divides by points - 3


@dataclass(frozen=True)
class Verdict:
    """An answer, one of HOLDS, FAILS, UNTOLD, and the lines of numbers that it rests on."""

    answer: str
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """Names of items, and a function dict item -> DataFrame -> Verdict."""

    items: tuple[str, ...]
    decide: Callable


@dataclass(frozen=True)
class Finding:
    """What a paper says of its numbers.

    name: as it is asked for; statement: in our own words; place: where in the paper.
    """

    name: str
    statement: str
    place: str
    question: Question


@dataclass(frozen=True)
class Other:
    """Rows whose cell is none of these values."""

    values: tuple


@dataclass(frozen=True)
class Same:
    """Rows whose cell equals (or with equal=False differs from) that of another column."""

    column: str
    equal: bool = True


@dataclass(frozen=True)
class Last:
    """Rows with the largest cell among rows that are alike in some columns."""

    by: tuple[str, ...]


@dataclass(frozen=True)
class Gain:
    """One column minus another, of the same row."""

    column: str
    minus: str


@dataclass(frozen=True)
class Ratio:
    """One column over another, of the same row."""

    column: str
    over: str


@dataclass(frozen=True)
class At:
    """Numbers of an item: a column of the rows where other columns are as told.

    column is a name, a Gain or a Ratio. where maps a column to a value, a tuple of values, an
    Other, a Same or a Last.
    """

    item: str
    column: str | Gain | Ratio
    where: dict = field(default_factory=dict)

    @property
    def shown(self):
        """The column in words."""
        if isinstance(self.column, Gain):
            return f"{self.column.column} - {self.column.minus}"
        if isinstance(self.column, Ratio):
            return f"{self.column.column} / {self.column.over}"
        return self.column


def numbers_at(numbers, at):
    """The rows of an At, with columns value, low and high beside their own.

    Raises:
        InputError: the item or one of its columns is missing.
    """
    if at.item not in numbers:
        raise InputError(f"no numbers of {at.item}; there is {', '.join(numbers) or 'nothing'}")
    frame = numbers[at.item]
    named = [at.column] if isinstance(at.column, str) else list(vars(at.column).values())
    missing = [name for name in [*at.where, *named] if name not in frame]
    if missing:
        raise InputError(
            f"{at.item} has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    for column, wanted in at.where.items():
        frame = frame[_chosen(frame, column, wanted)]
    bounds = [_bounds(frame, name) for name in named]
    value, low, high = bounds[0]
    if isinstance(at.column, Gain):
        other, down, up = bounds[1]
        value, low, high = value - other, low - up, high - down
    elif isinstance(at.column, Ratio):
        other, down, up = bounds[1]
        value, low, high = value / other, low / up, high / down
    return frame.assign(value=value, low=low, high=high)


def _chosen(frame, column, wanted):
    cells = frame[column]
    if isinstance(wanted, Same):
        same = cells == frame[wanted.column]
        return same if wanted.equal else ~same
    if isinstance(wanted, Last):
        return cells == frame.groupby(list(wanted.by), dropna=False)[column].transform("max")
    if isinstance(wanted, Other):
        return ~cells.isin(wanted.values)
    return cells.isin(wanted if isinstance(wanted, tuple) else (wanted,))


def _bounds(frame, column):
    value = pd.to_numeric(frame[column])
    names = [f"{column}_{end}" for end in ("low", "high")]
    ends = [pd.to_numeric(frame[n]).fillna(value) if n in frame else value for n in names]
    return value, *ends


def every(answers):
    """HOLDS where all of one or more hold; FAILS where one fails."""
    answers = list(answers)
    if FAILS in answers:
        return FAILS
    return HOLDS if answers and UNTOLD not in answers else UNTOLD


def most(answers):
    """HOLDS where more than half hold; FAILS where no more than half can."""
    answers = list(answers)
    half, held = len(answers) / 2, answers.count(HOLDS)
    if held > half:
        return HOLDS
    return FAILS if answers and held + answers.count(UNTOLD) <= half else UNTOLD


def above(upper, lower, match=(), margin=0.0, times=1.0, rule=every):
    """Numbers are above others: upper > times * lower + margin.

    Args:
        upper, lower: At; every number of the one is compared with every number of the other.
        match: columns in which compared rows are alike; each of their values is a group.
        margin: in the unit of lower, may be negative.
        times: factor of lower.
        rule: `every` or `most`, over groups; within one all comparisons must hold.
    """

    def decide(numbers):
        top, bottom = numbers_at(numbers, upper), numbers_at(numbers, lower)
        answers, lines = [], []
        for key, first in _groups(top, match):
            second = _alike(bottom, match, key)
            pairs = [
                (_compare(a, b, margin, times), a, b)
                for _, a in first.iterrows()
                for _, b in second.iterrows()
            ]
            if pairs:
                answers.append(every(pair[0] for pair in pairs))
                worst = [pair for pair in pairs if pair[0] == answers[-1]]
                worst = min(worst, key=lambda pair: pair[1].value - times * pair[2].value)
                first, second = _two_names(worst[1], upper, worst[2], lower)
                lines.append(
                    f"{_key(key)}{first} {_number(worst[1])}, {second} {_number(worst[2])}: "
                    f"{answers[-1]}"
                )
        return Verdict(rule(answers), tuple(lines))

    return Question(tuple(dict.fromkeys((upper.item, lower.item))), decide)


def _compare(a, b, margin=0.0, times=1.0):
    """Whether a.value > times * b.value + margin."""
    if a.low > times * b.high + margin:
        return HOLDS
    return FAILS if a.high < times * b.low + margin else UNTOLD


def below(at, bound, rule=every):
    """Numbers are below a bound; rule is over numbers."""
    return _against(at, lambda row: _compare(_fixed(bound), row), f"below {bound}", rule)


def over(at, bound, rule=every):
    """Numbers are over a bound; rule is over numbers."""
    return _against(at, lambda row: _compare(row, _fixed(bound)), f"over {bound}", rule)


def _fixed(bound):
    return pd.Series({"low": bound, "high": bound})


def _against(at, compare, words, rule):
    def decide(numbers):
        rows = [row for _, row in numbers_at(numbers, at).iterrows()]
        answers = [compare(row) for row in rows]
        held = f"{answers.count(HOLDS)} of {len(answers)} numbers are {words}"
        lines = [f"{_name(row, at)} {_number(row)}" for row in rows[:12]]
        return Verdict(rule(answers), (held, *lines) if rows else ())

    return Question((at.item,), decide)


def close(at, within=0.0, match=(), relative=0.0):
    """The numbers of a group are close: largest - smallest <= within + relative * smallest.

    Args:
        at: At.
        within: in the unit of the numbers.
        match: columns; each of their values is a group, and all groups must hold.
        relative: a share of the smallest number, for numbers above 0 whose scale is not known.
    """
    told = [f"{within:g}"] * bool(within or not relative)
    told += [f"{100 * relative:g} % of the smallest"] * bool(relative)

    def decide(numbers):
        answers, lines = [], []
        for key, rows in _groups(numbers_at(numbers, at), match):
            if len(rows) < 2:
                continue
            answers.append(_near(rows, within, relative))
            lines.append(
                f"{_key(key)}{at.shown} from {rows.value.min():g} to {rows.value.max():g}, "
                f"allowed {' and '.join(told)} apart: {answers[-1]}"
            )
        return Verdict(every(answers), tuple(lines))

    return Question((at.item,), decide)


def _near(rows, within, relative):
    """Whether numbers are close wherever in their intervals they lie."""
    lowest, highest = rows.low.min(), rows.high.max()
    missing = rows.low.isna().any() or rows.high.isna().any()
    if highest - lowest <= within + relative * lowest and not missing:
        return HOLDS
    # nearest to each other where the largest is at its lower end, the smallest at its upper one
    smallest, largest = rows.high.min(), rows.low.max()
    return FAILS if largest - smallest > within + relative * smallest else UNTOLD


def related(x, y, on, by=(), falling=False):
    """y rises (or falls) with x: the sign of Spearman's rank correlation, by its 95 % interval.

    Args:
        x, y: At; their rows are joined on the columns `on` and `by`.
        by: columns whose every value is a group; all groups must hold.

    The interval is that of so many points; intervals of the numbers themselves are not used.

    Source:
        Bonett and Wright 2000 (Psychometrika 65, 23): the error of its Fisher's z.
    """

    def decide(numbers):
        keys = [*on, *by]
        first, second = (numbers_at(numbers, at)[[*keys, "value"]] for at in (x, y))
        joined = first.merge(second, on=keys).dropna()
        answers, lines = [], []
        for key, rows in _groups(joined, by):
            if len(rows) < LEAST_POINTS or min(rows.value_x.nunique(), rows.value_y.nunique()) < 2:
                answers.append(UNTOLD)
                lines.append(f"{_key(key)}{len(rows)} points, {LEAST_POINTS} are needed")
                continue
            rho = spearmanr(rows.value_x, rows.value_y).statistic
            error = np.sqrt((1 + rho**2 / 2) / (len(rows) - 3))
            z = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
            low, high = np.tanh([z - Z * error, z + Z * error])
            risen, fallen = low > 0, high < 0
            told = fallen if falling else risen
            answers.append(HOLDS if told else FAILS if risen or fallen else UNTOLD)
            lines.append(
                f"{_key(key)}{y.shown} against {x.shown}: rank correlation {rho:.3f} "
                f"[{low:.3f}, {high:.3f}] of {len(rows)}: {answers[-1]}"
            )
        return Verdict(every(answers), tuple(lines))

    return Question(tuple(dict.fromkeys((x.item, y.item))), decide)


def falls_step_by_step(at, along, by=()):
    """Each number is below the one before it along a column, in every group of `by`."""

    def decide(numbers):
        answers, lines = [], []
        for key, rows in _groups(numbers_at(numbers, at), by):
            rows = rows.sort_values(along, kind="stable")
            answers += [_compare(a, b) for a, b in pairwise(row for _, row in rows.iterrows())]
            values = ", ".join(f"{value:g}" for value in rows.value)
            lines.append(f"{_key(key)}{at.shown} by {along}: {values}")
        return Verdict(every(answers), tuple(lines))

    return Question((at.item,), decide)


def insignificant(at):
    """No p value is below 0.05 once all are corrected for their number (Holm)."""

    def decide(numbers):
        rows = numbers_at(numbers, at).dropna(subset="value")
        if rows.empty:
            return Verdict(UNTOLD, ())
        rows = rows.sort_values("value", kind="stable")  # what decides comes first
        corrected = holm(rows.value)
        lines = [
            f"{_name(row, at)} {row.value:g}, corrected {p:g}"
            for (_, row), p in zip(rows.iterrows(), corrected, strict=True)
        ]
        return Verdict(FAILS if (corrected < SIGNIFICANT).any() else HOLDS, tuple(lines))

    return Question((at.item,), decide)


def all_of(*questions):
    """The answer to several questions: all must hold."""

    def decide(numbers):
        found = [question.decide(numbers) for question in questions]
        lines = tuple(line for verdict in found for line in verdict.numbers)
        return Verdict(every(verdict.answer for verdict in found), lines)

    return Question(
        tuple(dict.fromkeys(item for question in questions for item in question.items)), decide
    )


def _groups(frame, columns):
    """(values of the columns, rows) in the order of the rows; one group without columns."""
    if not columns:
        return [((), frame)]
    return frame.groupby(list(columns), sort=False, dropna=False)


def _alike(frame, columns, key):
    for column, value in zip(columns, key, strict=True):
        frame = frame[frame[column].isna() if pd.isna(value) else frame[column] == value]
    return frame


def _key(key):
    return ", ".join(map(str, key)) + ": " if key else ""


def _words(row):
    """What a row is called by: its words, but for those that are about the paper."""
    left_out = ("source", "place", "note", "params as printed")
    return [v for k, v in row.items() if isinstance(v, str) and v and k not in left_out]


def _name(row, at):
    return " ".join([*dict.fromkeys(_words(row)), at.shown])


def _two_names(a, upper, b, lower):
    """What tells two rows apart: the words that only one has, and their columns if they differ."""
    names = []
    for row, other, at in ((a, b, upper), (b, a, lower)):
        words = [word for word in dict.fromkeys(_words(row)) if word not in _words(other)]
        column = [at.shown] if upper.column != lower.column or not words else []
        names.append(" ".join(words + column))
    return names


def _number(row):
    if pd.isna(row.value):
        return f"lost, from {row.low:g} to {row.high:g}" if row.low < row.high else "missing"
    return f"{row.value:g}" + (f" [{row.low:g}, {row.high:g}]" if row.low < row.high else "")
