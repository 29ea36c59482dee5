"""The text of the comparison tables: Markdown and CSV rows, of runs or of a published CSV.

Accuracies are shown in percent with two decimals, as in Sabatelli et al. 2018, tables 2 and 3;
runs.csv keeps every value of metrics.json as it was written.
"""

import csv
import io
import itertools
import json
import re
from pathlib import Path

from models.errors import InputError
from transfer.runs import accuracy, column_label, short_weights, splits

PUBLISHED = Path(__file__).parent / "recipes" / "published"
METRICS = [
    "dataset",
    "challenge",
    "ANN",
    "tl_mode",
    "classifier",
    "weights",
    "toy",
    "top1_accuracy",
    "top3_accuracy",
    "top5_accuracy",
    "macro_f1",
    "loss",
    "n_train",
    "n_val",
    "n_test",
    "n_classes",
    "head_parameters",
    "feature_size",
    "epochs_run",
    "best_epoch",
    "seconds",
    "images_per_second",
    "device",
    "backend",
    "seed",
    "split_sha256",
    "versions",
]
COMPARISON_COLUMNS = [
    "dataset",
    "challenge",
    "toy",
    "network",
    "tl_mode",
    "weights",
    "classifier",
    "top1_accuracy_percent",
    "sample_sd_percent",
    "n_runs",
    "head_parameters",
    "feature_size",
    "split_sha256",
]
SHORT_SHA = 12  # digits of a sha256 that are shown: enough to tell a project's splits apart
NO_RUN = "–"


def page(sections):
    """Join the sections of all comparisons into one document."""
    intro = (
        "# Comparison of runs\n\nTop-1 accuracy on the test pictures in %; the best of a"
        " challenge is bold. Repeated runs: mean ± sample standard deviation (number of runs).\n"
    )
    return "\n".join([intro, *sections])


def every_run(runs, results_dir):
    """Every metric of every run as Markdown: a row per metric, a column per run."""
    columns = [[escape(cell) for cell in row] for row in run_rows(runs, results_dir)]
    header, *rows = zip(*columns, strict=True)
    intro = "# Every run\n\nAs measured: accuracies and F1 are fractions from 0 to 1.\n"
    return "\n".join([intro, markdown_table(header, rows)])


def section(comparison, figure):
    """One comparison as Markdown: title, table, notes, figure.

    figure: address of its learning curves as a URL path, or None where no run has any.
    """
    short = short_weights(comparison.columns)
    labels = [column_label(column, short) for column in comparison.columns]
    header = ["network", *labels, "head parameters", "feature size"]
    best = _best(comparison)
    rows = []
    for network in comparison.networks:
        cells = [comparison.cells.get((network, column), []) for column in comparison.columns]
        runs = [run for cell in cells for run in cell]
        sizes = [_distinct(runs, key) for key in ("head_parameters", "feature_size")]
        rows.append([escape(network), *(_cell(cell, best) for cell in cells), *sizes])
    title = escape(comparison.title)
    parts = [f"## {title}\n", markdown_table([escape(name) for name in header], rows)]
    parts += _list(_notes(comparison, short))
    if figure:
        parts.append(f"![learning curves, {title}]({figure})\n")
    return "\n".join(parts)


def comparison_rows(comparisons):
    """Header and one row per cell of every comparison, for comparison.csv."""
    rows = [COMPARISON_COLUMNS]
    for table in comparisons:
        for network, column in itertools.product(table.networks, table.columns):
            runs = table.cells.get((network, column))
            if not runs:
                continue
            mean, deviation = accuracy(runs)
            start = [table.dataset, table.challenge, _text(table.toy), network, *column]
            numbers = [f"{mean:.2f}", "" if deviation is None else f"{deviation:.2f}", len(runs)]
            sizes = [_distinct(runs, key) for key in ("head_parameters", "feature_size")]
            rows.append([*start, *numbers, *sizes, " / ".join(splits(runs))])
    return rows


def run_rows(runs, results_dir):
    """Header and one row per run with every key of its metrics.json, for runs.csv.

    The first column is the run's folder relative to results_dir; keys we do not know come last.
    """
    extra = sorted({key for run in runs for key in run.metrics} - set(METRICS))
    keys = [*METRICS, *extra]
    rows = [[_text(run.metrics.get(key)) for key in keys] for run in runs]
    folders = [run.folder.relative_to(results_dir).as_posix() for run in runs]
    return [["run", *keys], *([folder, *row] for folder, row in zip(folders, rows, strict=True))]


def csv_text(rows):
    """Rows as the text of a CSV file, cells quoted where they need it, lines ended by CR LF."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def published_names():
    """Names of the published tables that come with the package, sorted."""
    return sorted(path.stem for path in PUBLISHED.glob("*.csv"))


def published_page(name):
    """One published table as Markdown, with the notes on cells that are lost or doubtful.

    name: one of `published_names()`; anything else raises InputError.
    """
    if name not in published_names():
        raise InputError(f"no published table {name!r}; there is " + ", ".join(published_names()))
    with (PUBLISHED / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = [key for key in rows[0] if key not in ("source", "dataset", "note")]
    best = {}
    for row, key in itertools.product(rows, shown):
        if key.endswith("(%)") and row[key]:
            best[row["challenge"]] = max(best.get(row["challenge"], 0), float(row[key]))
    table = [[_published_cell(row, key, best) for key in shown] for row in rows]
    noted = [row for row in rows if row["note"]]
    notes = [f"{row['challenge']}, {row['network']}: {row['note']}" for row in noted]
    title = f"# Published figures: {escape(rows[0]['source'])}, {escape(rows[0]['dataset'])}\n"
    intro = "Typed from the paper, not measured here; the best of a challenge is bold.\n"
    parts = [title, intro, markdown_table([escape(key) for key in shown], table)]
    return "\n".join(parts + _list(notes))


def markdown_table(header, rows):
    """A Markdown table of cells that are Markdown already (see `escape`)."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def escape(text):
    """Any text as one line of Markdown that shows as itself."""
    text = re.sub(r"([\\`*|<>\[\]~$&#])", r"\\\1", one_line(text))
    # An underscore inside a word is plain in Markdown; at its edge it starts emphasis.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def one_line(text):
    """The text with line breaks, control characters and runs of space as single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _list(notes):
    text = "".join(f"- Note: {escape(note)}\n" for note in notes)
    return [text] if text else []


def _cell(runs, best):
    if not runs:
        return NO_RUN
    mean, deviation = accuracy(runs)
    text = f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f} ({len(runs)})"
    return f"**{text}**" if f"{mean:.2f}" == best else text


def _best(comparison):
    # Equal as shown is equally good. No best among cells tested on different pictures.
    if len({tuple(splits(runs)) for runs in comparison.cells.values()}) > 1:
        return None
    return f"{max(accuracy(runs)[0] for runs in comparison.cells.values()):.2f}"


def _notes(comparison, short):
    cells = {
        f"{network} {column_label(column, short)}": comparison.cells[network, column]
        for network, column in itertools.product(comparison.networks, comparison.columns)
        if (network, column) in comparison.cells
    }
    found = splits(comparison.runs)
    if len(found) > 1:
        yield "these runs used different splits, so their accuracies cannot be compared as they are"
    for sha in found if len(found) > 1 else ():
        names = [name for name, runs in cells.items() if sha in splits(runs)]
        yield f"split {sha[:SHORT_SHA]}: {'; '.join(names)}"
    if _best(comparison) is None:
        yield "no best is marked, because not every cell was tested on the same pictures"
    for name, runs in cells.items():
        if len({_text(run.metrics.get("seed")) for run in runs}) < len(runs):
            yield f"{name}: some of its {len(runs)} runs have the same seed"
    for weights, name in short.items():
        if name != weights:
            yield f"{name} is {weights}" + ", * being the network" * ("*" in weights)
    if not all(run.history for run in comparison.runs):
        yield "SVMs and random forests are not trained by epochs and have no learning curve"


def _distinct(runs, key):
    values = dict.fromkeys(_text(run.metrics.get(key)) for run in runs)
    return " / ".join(value for value in values if value)


def _published_cell(row, key, best):
    if not row[key]:
        return "lost" if key.endswith("(%)") else ""
    if key.endswith("(%)") and float(row[key]) == best[row["challenge"]]:
        return f"**{row[key]}**"
    return escape(row[key])


def _text(value):
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
