"""The pages of a paper's items: its numbers, ours, their difference, chance; statements."""

import shlex

import pandas as pd

from models.errors import InputError
from papers.decisions import UNTOLD
from papers.findings import decide, decide_published
from papers.items import ENDS, lacking
from papers.published import items as published_items
from papers.published import read_item
from papers.stages import folder_of, in_order, words
from transfer.result_folder import (
    OtherRunError,
    csv_bytes,
    is_finished,
    result_folder,
    sha256,
    sha256_of_text,
    write_bytes,
)
from transfer.results import NO_RUN, escape, markdown_table

# digits behind the point of a column's numbers; percentages and others have two
DIGITS = {"p": 3} | dict.fromkeys(("pictures", "labels", "classes", "epochs at most"), 0)
DIGITS |= dict.fromkeys(("accuracy", "validation accuracy", "entropy", "entropy before"), 3)
DIGITS |= dict.fromkeys(("CKA", "mean CKA", "image change", "image change by chance"), 3)
DIGITS |= dict.fromkeys(("cosine distance", "precision", "mean average precision"), 3)
DIGITS |= dict.fromkeys(("precision at 10", "distance of neighbour 1000", "hours"), 3)
DIGITS |= {"distance at the rank of 1000 of 96014": 3}
DIGITS |= dict.fromkeys(("learning rate of the last layer", "learning rate of other layers"), 4)
MOST_DIGITS = 6
CURVE = "validation accuracy"  # a number of every epoch
ALONG = ("epoch", "query")  # columns along which a cell has many rows
# columns whose rows are compared with each other: which is best
RANKED = ("network", "method", "initialization", "scenario")
SHOWN_NUMBERS = 4  # lines of numbers that a statement's row shows; findings.csv has all


def compare(item, cells, runs, place, refused):
    """A row for each cell and column: paper, ours, difference, chance, runs, command, lacks.

    Of a learning curve both sides are the last epoch.

    Args:
        item: papers.items.Item.
        cells: of its plan.
        runs: dict Stage -> FinishedRun.
        place: papers.places.Place.
        refused: dict Stage -> why there is no run.

    Returns:
        (comparison, numbers): DataFrames; numbers are ours in the published CSV's form.
    """
    numbers = item.measure(cells, runs)
    there = item.published in published_items(place.paper.name)
    paper = read_item(place.paper.name, item.published) if there else pd.DataFrame()
    folders = {stage: run.folder for stage, run in runs.items()}
    more = _more_keys(numbers, cells)
    rows = []
    for cell in cells:
        made = _made_by(cell, place, folders)
        for _, ours in _matching(numbers, cell.keys).iterrows():
            keys = cell.keys | {name: ours[name] for name in more}
            (_, theirs), *_ = [*_matching(paper, keys)[-1:].iterrows(), (None, None)]
            lacks = "; ".join(filter(None, (_lacks(cell, runs, refused), ours.get("lacks"))))
            for column in cell.columns or ("",):  # a figure of pictures has no number
                number, printed = _value(ours, column), _value(theirs, column)
                number = float("nan") if cell.printed else number
                spread, beside = _worth(ours, column)
                row = {**keys, "on": cell.on, "number": column, "paper": printed}
                row |= {"ours": number, **spread, "difference": number - printed, **beside}
                rows.append(row | made | {"lacks": lacks})
    return pd.DataFrame(rows), numbers.drop(columns="lacks", errors="ignore")


def _matching(frame, keys):
    """The rows of a frame with these cells; of those along a curve or of queries the last."""
    if not set(keys) <= set(frame):
        return frame[:0]
    rows = frame[(frame[list(keys)] == list(keys.values())).all(axis=1)]
    return rows[-1:] if any(name in frame for name in ALONG) else rows


def _more_keys(frame, cells):
    """Names of the columns that tell rows of one cell apart: neither keys nor numbers."""
    numbers = {column for cell in cells for column in cell.columns}
    known = {name for cell in cells for name in cell.keys} | {*ALONG, "lacks"} | numbers
    known |= {f"{column}_{end}" for column in numbers for end in ENDS}
    return [name for name in frame if name not in known]


def _value(row, column):
    value = None if row is None else row.get(column)
    return float("nan") if value is None else float(value)


def _worth(row, column):
    """The interval of a number, its range over seeds, what chance gives, on how many pictures."""
    low, high, lowest, highest, seeds, chance, pictures = (
        _value(row, f"{column}_{end}") for end in ENDS
    )
    spread = {"lowest": lowest, "highest": highest, "seeds": 0 if pd.isna(seeds) else int(seeds)}
    return spread | {"low95": low, "high95": high}, {"chance": chance, "pictures": pictures}


def _made_by(cell, place, folders):
    """The folders of a cell's runs, and the commands that make them and what they start from."""
    results = place.results_path
    at = [str(folder_of(stage, results, folders)) for stage in cell.stages]
    lines = [command(words(stage, results, folders)) for stage in in_order(cell.stages)]
    return {"runs": "\n".join(at), "commands": "\n".join(lines)}


def command(flags):
    """The line of transfer.experiment of these flags: dict name -> text or list of texts."""
    line = ["python", "-m", "transfer.experiment"]
    for name, value in flags.items():
        line += [f"--{name}", *([value] if isinstance(value, str) else value)]
    return shlex.join(line)


def _lacks(cell, runs, refused):
    told = [cell.lacks, *(refused.get(stage, "") for stage in cell.stages)]
    missing = [stage for stage in cell.stages if stage not in runs and stage not in refused]
    told += ["its run is not made"] if missing else []
    return "; ".join(dict.fromkeys(filter(None, told)))


def orderings(comparison):
    """Whether what is best in the paper is best here: of rows, and of columns of a row.

    Args:
        comparison: DataFrame of compare.

    Returns:
        DataFrame: of what, paper, ours (names, best first), best (same, other, or why not told).
    """
    keys = _keys(comparison) if len(comparison) else []
    ranked = next((name for name in RANKED if name in keys), None)
    if ranked is None:
        return pd.DataFrame(columns=["of", "paper", "ours", "best"])
    told = [name for name in keys if name != ranked]
    both = comparison.dropna(subset=["paper", "ours"])
    of_rows = _ordered(both, [*told, "number"], ranked)
    return pd.DataFrame([*of_rows, *_ordered(both, [*told, ranked], "number")])


def _ordered(rows, by, what):
    for key, group in rows.groupby(by, sort=False, dropna=False):
        if len(group) > 1:
            theirs, ours = (
                list(group.sort_values(side, ascending=False, kind="stable")[what])
                for side in ("paper", "ours")
            )
            tie = (group["ours"] == group["ours"].max()).sum() > 1
            best = "tied" if tie else "same" if theirs[0] == ours[0] else "other"
            names = {"paper": " > ".join(theirs), "ours": " > ".join(ours), "best": best}
            yield {"of": ", ".join(map(str, key))} | names


def item_page(item, place, comparison, figures=()):
    """An item as Markdown: a table in the paper's layout, orderings, what is missing, commands."""
    parts = [f"# {escape(place.paper.title)}: {item.name}, {escape(item.title)}{_small(place)}\n"]
    parts.append(f"Ours on {escape(place.told)}.\n")
    parts += [f"{escape(line)}\n" for line in (item.notes(place) if item.notes else ())]
    if comparison["number"].any():
        parts += [_explained(item, comparison), _table(comparison), *_orders(orderings(comparison))]
    parts += [f"{'!' * name.endswith('.png')}[{name}]({name})\n" for name in figures]
    missing = comparison[comparison["lacks"] != ""]
    if len(missing):
        parts.append("## Missing\n")
        parts.append("".join(f"- {escape(line)}\n" for line in _missing(missing)))
    commands = [line for text in comparison["commands"] for line in text.split("\n")]
    if any(commands):
        lines = "".join(f"    {line}\n" for line in dict.fromkeys(filter(None, commands)))
        parts.append(f"## Commands\n\n{lines}")
    return "\n".join(parts)


def _small(place):
    return ", on SMALL collections in the place of the paper's" * bool(place.small)


def _explained(item, comparison):
    chance = f"; {item.chance} (chance)" * bool(comparison["chance"].notna().any())
    interval = f" [95 % interval, {item.interval}]" * bool(comparison["low95"].notna().any())
    is_curve = set(comparison["number"]) == {CURVE}
    curves = " Curves are compared at their last epoch." * is_curve
    return (
        f"Of each number: the paper's; ours, the mean over seeds{interval} (range over seeds); "
        f"ours less the paper's{chance}.{curves}\n"
    )


def _keys(comparison):
    """The columns that name a row, in order."""
    names = comparison.columns[: comparison.columns.get_loc("number")]
    return [name for name in names if name != "on"]


def _table(comparison):
    keys, numbers = _keys(comparison), list(dict.fromkeys(comparison["number"]))
    chance = comparison["chance"].notna().any()
    header = [*keys, "ours on"]
    for number in numbers:
        header += [f"{number}: paper", "ours", "difference"]
    header += ["chance", "pictures"] if chance else []
    rows = []
    for key, group in comparison.groupby(keys, sort=False, dropna=False):
        row = [*map(_key_text, key), group["on"].iloc[0]]
        of_number = {cell.number: cell for cell in group.itertuples()}
        for number in numbers:
            row += _three(of_number.get(number), number)
        if chance:
            row += _beside(group)
        rows.append([escape(text) for text in row])
    return markdown_table([escape(name) for name in header], rows)


def _key_text(part):
    """What a row is called by, as text; rows without a number make whole numbers floats."""
    if pd.isna(part):
        return NO_RUN
    return f"{part:.0f}" if isinstance(part, float) else str(part)


def _beside(group):
    """The texts of a row's chance and tested pictures, where one of its cells has them."""
    tested = group.dropna(subset=["chance"])
    if tested.empty:
        return [NO_RUN, NO_RUN]
    texts = [f"{chance:.4g}" for chance in tested["chance"]]
    if len(set(texts)) > 1:  # numbers of several kinds
        texts = [f"{name} {text}" for name, text in zip(tested["number"], texts, strict=True)]
    pictures = tested["pictures"].dropna()
    count = f"{pictures.iloc[0]:.0f}" if len(pictures) else NO_RUN
    return ["; ".join(dict.fromkeys(texts)), count]


def _three(cell, number):
    """The texts of a cell: the paper's number, ours, the difference."""
    if cell is None:
        return [NO_RUN] * 3
    digits = DIGITS.get(number, 2)
    ends, digits = _digits_of_ends(cell, digits)
    ours = _told(cell.ours, digits)
    if cell.low95 < cell.high95:  # neither NaN nor of no width, as what others are compared with
        ours += f" [{cell.low95:.{ends}f}, {cell.high95:.{ends}f}]"
    if cell.seeds > 1:
        ours += f" ({cell.lowest:.{digits}f}–{cell.highest:.{digits}f}, {cell.seeds} seeds)"
    signed = f"{cell.difference:+.{digits}f}" if pd.notna(cell.difference) else NO_RUN
    return [_told(cell.paper, digits), ours, signed]


def _digits_of_ends(cell, digits):
    """Digits behind the point of an interval's ends, and of its number: more where it is narrow."""
    if cell.low95 < cell.high95:
        for ends in range(max(digits - 1, 1), MOST_DIGITS + 1):
            if cell.high95 - cell.low95 >= 5 * 10**-ends:  # of the last digit: rounding is a tenth
                return ends, max(ends, digits)
    return digits, digits  # no interval, or one of no width


def _told(value, digits):
    if pd.isna(value):
        return NO_RUN
    text = f"{value:.{digits}f}"
    return text if float(text) or not value else f"{value:.1e}"  # a p value is not 0


def _orders(orders):
    if not len(orders):
        return []
    rows = [[escape(str(cell)) for cell in row] for row in orders.itertuples(index=False)]
    same = (orders["best"] == "same").sum()
    intro = (
        f"## Order\n\nThe best stays the best in {same} of {len(orders)} comparisons, of what both "
        "have; whether a difference is more than chance is what the intervals tell.\n"
    )
    return [intro, markdown_table(["of", "paper", "ours", "best"], rows)]


def _missing(rows):
    keys = _keys(rows)
    return lacking(
        ({key: row[key] for key in keys if row[key] != ""}, row["lacks"])
        for row in rows.to_dict("records")
    )


def decide_all(statements, numbers, place, on):
    """Whether statements hold: in the paper's own numbers, and in ours.

    Args:
        statements: of papers.decisions.Finding.
        numbers: dict published name -> DataFrame of ours.
        place: papers.places.Place.
        on: dict published name -> dict whose keys tell whose pictures, in words.

    Returns:
        DataFrame: finding, statement, place, paper, ours, on, without (rows that have no number
        and are passed over), numbers.
    """
    rows = []
    told = {item: _with_numbers(frame) for item, frame in numbers.items()}
    for finding in statements:
        items = finding.question.items
        known = all(item in numbers for item in items)
        answer, lines = UNTOLD, (f"no numbers of {', '.join(set(items) - set(numbers))}",)
        if known:
            verdict = decide(finding, {item: told[item][0] for item in items})
            answer, lines = verdict.answer, verdict.numbers
        rows.append(
            {
                "finding": finding.name,
                "statement": finding.statement,
                "place": finding.place,
                "paper": decide_published(place.paper.name, finding.name).answer,
                "ours": answer,
                "on": _joined(text.split("; ") for item in items for text in on.get(item, ())),
                "without": _joined(told[item][1] for item in items if item in told),
                "numbers": "\n".join(lines),
            }
        )
    return pd.DataFrame(rows)


def _joined(lists):
    return "; ".join(dict.fromkeys(text for texts in lists for text in texts))


def _with_numbers(frame):
    """(The rows that have a number, names of the others: of a network once where it has none)."""
    worth = {f"{name}_{end}" for name in frame for end in ENDS}  # of a number, as its seeds
    columns = [name for name in frame if name not in worth]
    values = [name for name in columns if pd.api.types.is_float_dtype(frame[name])]
    empty = frame[values].isna().all(axis=1) if values else pd.Series(False, frame.index)
    names = [name for name in columns if name not in (*values, *ALONG)]
    if "network" in frame:
        there = set(frame["network"][~empty])
        lost = [n if n not in there else None for n in frame["network"][empty]]
    else:
        lost = [None] * empty.sum()
    rows = [", ".join(map(_key_text, row)) for row in frame[empty][names].to_numpy(object)]
    without = [network or row for network, row in zip(lost, rows, strict=True)]
    return frame[~empty], without


def findings_page(decided, place):
    """The statements as Markdown, each with its verdicts and the numbers that they rest on."""
    held = decided["ours"].value_counts().to_dict()
    parts = [f"# {escape(place.paper.title)}: statements{_small(place)}\n"]
    parts.append(f"Ours on {escape(place.told)}.\n")
    parts.append("; ".join(f"{name}: {count}" for name, count in held.items()) + ".\n")
    rows = []
    for row in decided.itertuples():
        lines = row.numbers.split("\n")
        more = [f"and {len(lines) - SHOWN_NUMBERS} more"] * (len(lines) > SHOWN_NUMBERS)
        shown = "<br>".join(escape(line) for line in [*lines[:SHOWN_NUMBERS], *more])
        plain = [f"{row.statement} ({row.place})", row.paper, row.ours, row.on + _left_out(row)]
        rows.append([row.finding, *map(escape, plain), shown])
    header = ["finding", "statement", "the paper's numbers", "ours", "ours on", "our numbers"]
    return "\n".join([*parts, markdown_table(header, rows)])


def _left_out(row):
    names = row.without.split("; ") if row.without else []
    if len(names) > SHOWN_NUMBERS:
        return f" (without {len(names)} rows that lack numbers, see findings.csv)"
    return f" (without {row.without})" if names else ""


def check_folder(folder, place):
    """Refuse a page that was written with other settings, before runs are made for it.

    Args:
        folder: of an item, or of statements.
        place: papers.places.Place.

    Raises:
        InputError: it holds another page; or it is no folder of a page.
    """
    try:
        is_finished(folder, place.settings)
    except OtherRunError as error:
        told, _, _ = str(error).rpartition("; ")  # what differs, without the advice for a run
        raise InputError(
            f"{told}; remove or rename that folder first: it is a page, the runs stay"
        ) from None


def write(folder, place, files, made_of, say=print):
    """Write the files of an item into its folder, whole; one that is there is made new if need be.

    Args:
        folder: of the item.
        place: papers.places.Place, whose settings are the folder's identity.
        files: function () -> dict name -> bytes.
        made_of: what else decides the files, that JSON can hold: runs may have come since.
        say: see transfer.result_folder.

    Returns:
        Path of the folder.

    Raises:
        InputError: the folder holds this item with other settings.
    """
    with result_folder(folder, place.settings, say=say) as result:
        if result.finished and result.about.get("made_of") != made_of:
            result.reopen()
        if not result.finished:
            for name, content in files().items():
                write_bytes(result.path / name, content)
            result.about["made_of"] = made_of
        return result.final


def write_item(item, cells, runs, place, refused, folder):
    """Measure an item and write its page, table and figures.

    Returns:
        (numbers, Path): ours in the published CSV's form, and the folder.
    """
    comparison, numbers = compare(item, cells, runs, place, refused)

    def files():
        figures = item.draw(place, cells, runs) if item.draw else {}
        page = item_page(item, place, comparison, list(figures))
        return {
            f"{item.name}.md": page.encode(),
            f"{item.name}.csv": csv_bytes(_told_once(comparison)),
            "order.csv": csv_bytes(orderings(comparison)),
            **figures,
        }

    # pictures may have changed where no run has, and what a page says with a later version
    told = (
        sha256_of_text(item_page(item, place, comparison)),
        sha256_of_text(csv_bytes(comparison).decode()),
    )
    made_of = [[_id(runs[stage]) if stage in runs else None for stage in c.stages] for c in cells]
    return numbers, write(folder, place, files, [made_of, *told])


def _told_once(comparison):
    """The rows; runs and commands are empty where they are those of the row above."""
    columns = ["runs", "commands"]
    above = comparison[columns].shift()
    return comparison.assign(**comparison[columns].mask(comparison[columns] == above, ""))


def _id(run):
    """What a finished run is: its folder, and a digest of its numbers."""
    return [str(run.folder), sha256(run.folder / "metrics.json")]


def write_findings(statements, numbers, place, on, folder):
    """Decide statements and write findings.md and findings.csv; the DataFrame of decide_all."""
    decided = decide_all(statements, numbers, place, on)
    files = {
        "findings.md": findings_page(decided, place).encode(),
        "findings.csv": csv_bytes(decided),
    }
    write(folder, place, lambda: files, decided.to_dict("records"))
    return decided
