"""Comparison tables of finished runs, and published ones: pandas frames, and their Markdown.

Accuracies are shown in percent with two decimals, as in Sabatelli et al. 2018, tables 2 and 3;
the table of all runs keeps every value of metrics.json as it was written.
"""

import json
import math
import re
from collections import namedtuple
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import PurePath

import pandas as pd

from models.errors import InputError
from transfer.evaluate import wilson
from transfer.recipes import RECIPES
from transfer.run import ENSEMBLE, MEAN, SEVERAL, headline
from transfer.splits import SPLITS
from transfer.uncertainty import LEAST

# The paper's own classifier is the softmax layer and goes unnamed; the others are its footnote 7.
CLASSIFIERS = {"softmax": "", "svm": "SVM", "random_forest": "random forest", MEAN: ""}
TITLES = {name: recipe.title for name, recipe in RECIPES.items()} | {ENSEMBLE: "ensemble"}
# The rows of Sabatelli et al. 2018, table 2; other networks follow by name.
PAPER_NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
OF_SPLIT = ("split_sha256", "split_seed")  # settings that repeated splits differ in
# the columns of runs.csv, in order
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
SHORT_SHA = 12  # digits of a sha256 that are shown: enough to tell a project's splits apart
NO_RUN = "–"


Row = namedtuple("Row", "network size")
Column = namedtuple("Column", "tl_mode weights classifier")


@dataclass(frozen=True, eq=False)
class Comparison:
    """One table: the runs of one challenge of one dataset.

    rows: DataFrame with a row per run: `run` (FinishedRun), and the fields of its Row and Column.
    Several runs of one row and column are repeats.
    """

    rows: pd.DataFrame

    @property
    def title(self):
        """`dataset: challenge`, marked where the pictures are the built-in toy collection."""
        return self.rows["run"].iloc[0].title

    @cached_property
    def cells(self):
        """(Row, Column) -> list of runs, row by row; a pair that was never run is absent."""
        groups = self.rows.groupby([*Row._fields, *Column._fields])["run"]
        cells = {(Row(*key[:2]), Column(*key[2:])): list(runs) for key, runs in groups}
        place = {row: index for index, row in enumerate(self.lines)}
        order = sorted(cells, key=lambda cell: (place[cell[0]], _column_rank(cell[1])))
        return {cell: cells[cell] for cell in order}

    @cached_property
    def lines(self):
        """The table's Rows, in order."""
        rows = {Row(*row) for row in self.rows[list(Row._fields)].itertuples(index=False)}
        place = {name: index for index, name in enumerate(order_networks(self.rows["network"]))}
        return sorted(rows, key=lambda row: (place[row.network], row.size))

    @cached_property
    def columns(self):
        """The table's Columns, in order."""
        return sorted({column for _, column in self.cells}, key=_column_rank)

    @property
    def runs(self):
        """Every run of the table, row by row."""
        return [run for cell in self.cells.values() for run in cell]

    @property
    def curves(self):
        """Every run as a figure is to name it: by what tells it from others in the table."""
        named = []
        for (row, column), runs in self.cells.items():
            network = f"{row.network}, {row.size} pixels" if row.size else row.network
            named += [replace(run, network=network, weights=column.weights) for run in runs]
        return named


def compare(runs):
    """Arrange FinishedRuns as a Comparison per (dataset, challenge), toy collections apart.

    Weights that a network starts from are columns only where some network was run from several,
    and the pictures' size makes rows only where it differs.
    """
    rows = pd.DataFrame([_fields_of(run) for run in runs], dtype=object)
    tables = []
    for _, table in rows.groupby(["dataset", "challenge", "toy"]):
        several_weights = table.groupby(["network", "size", "tl_mode", "classifier"])["weights"]
        changes = {}
        if several_weights.nunique().max() == 1:
            changes["weights"] = ""
        if table["size"].nunique() == 1:
            changes["size"] = 0
        table = table.assign(**changes)
        # runs that differ in more than the seed are no repeats of each other
        cells = table.groupby([*Row._fields, *Column._fields])["run"]
        table["network"] += cells.transform(_differing_settings)
        tables.append(Comparison(table))
    return tables


def _fields_of(run):
    collection = {"dataset": run.dataset, "challenge": run.challenge, "toy": run.toy}
    size = (run.metrics.get("settings") or {}).get("input_size") or 0  # 0: it does not say
    row = Row(run.network, size)._asdict()
    return {"run": run, **collection, **row, **column_of(run)._asdict()}


def _differing_settings(runs):
    """For each run of a cell the settings in which its runs differ, as a mark; or nothing.

    A setting that is the recipe's own goes unnamed, and so does one that a run does not tell.
    """
    settings = _deciding(runs)
    names = sorted({name for of_run in settings for name in of_run})
    differing = [n for n in names if len({json.dumps(s.get(n)) for s in settings}) > 1]
    marks = []
    for run, of_run in zip(runs, settings, strict=True):
        recipe = RECIPES.get(run.mode)
        own = asdict(recipe.adapted(run.weights != "none")) if recipe else {}
        told = [n for n in differing if n in of_run and (n not in own or own[n] != of_run[n])]
        marks.append(", ".join(f"{name}={_shortened(name, of_run[name])}" for name in told))
    return pd.Series([mark and f" [{mark}]" for mark in marks], runs.index, dtype=object)


def _deciding(runs):
    """The settings of every run; instead of a split's digest what decides its draw but the seed.

    Repeated splits are then repeats. Where a run does not tell how its split was drawn, or one
    draw gave two splits (of other pictures), the digests stay.
    """
    settings = [run.settings for run in runs]
    draws = [run.metrics.get("split") for run in runs]
    if not all(isinstance(draw, dict) for draw in draws) or _seeds_of_splits(runs) is None:
        return settings
    return [
        {name: of_run[name] for name in of_run if name not in OF_SPLIT}
        | {name: draw[name] for name in draw if name != "seed"}
        for of_run, draw in zip(settings, draws, strict=True)
    ]


def _seeds_of_splits(runs):
    """Digest of a split -> seed that it was drawn with; None where two draws were alike or unknown.

    Draws are told apart by all that decides them.
    """
    draws = {}
    for run in runs:
        draw = run.metrics.get("split")
        if not isinstance(draw, dict) or "seed" not in draw:
            return None
        draws.setdefault(_text(draw), set()).add(run.split_sha256)
    if any(len(digests) > 1 for digests in draws.values()):
        return None
    return {run.split_sha256: run.metrics["split"]["seed"] for run in runs}


def _shortened(name, value):
    return str(value)[:SHORT_SHA] if name.endswith("sha256") else value


def column_of(run):
    """The table column of a run.

    A network started at random has no starting weights whatever was asked for. A path that
    contains the network's own name has it replaced by "*", so that VGG19 and ResNet50, each
    started from its own weights of one earlier experiment, share a column as in table 3. An
    ensemble's are its members.
    """
    weights = run.weights
    if _is_scratch(run.mode):
        weights = "none"
    elif run.mode != ENSEMBLE and weights not in ("", "imagenet", "none"):
        weights = str(PurePath(weights)).replace(run.network, "*")
    return Column(run.mode, weights, run.classifier)


def short_weights(columns):
    """Map the starting weights of the columns to short names that still differ.

    The short name is the file's name, with as many parent folders as it takes. A scratch column
    has no starting weights and is left out, as are ensembles and those whose weights are not told
    apart.
    """
    told = [c.weights for c in columns if c.weights and _starts_somewhere(c.tl_mode)]
    paths = {weights: PurePath(weights).parts for weights in told}
    for depth in range(1, 1 + max(map(len, paths.values()), default=0)):
        short = {name: str(PurePath(*parts[-depth:])) for name, parts in paths.items()}
        if len(set(short.values())) == len(short):
            return short
    return {}


def label_column(column, short):
    """Name a column: the mode, after the starting weights where the table tells them apart.

    short: what `short_weights` gave for the whole table.
    """
    label = TITLES[column.tl_mode]
    if column.weights and column.tl_mode == ENSEMBLE:
        label = f"{label} of {column.weights}"
    elif column.weights and _starts_somewhere(column.tl_mode) and list(short) != ["imagenet"]:
        label = f"{short[column.weights]} + {label}"
    classifier = CLASSIFIERS[column.classifier]
    return f"{label}, {classifier}" if classifier else label


def _is_scratch(mode):
    return mode in RECIPES and RECIPES[mode].initial_weights == "he_uniform"


def _starts_somewhere(mode):
    """Whether runs of a mode are told by the weights that they started from."""
    return mode != ENSEMBLE and not _is_scratch(mode)


def _column_rank(column):
    # ImageNet first, as theta stands before theta-hat in table 3.
    return (
        list(TITLES).index(column.tl_mode),
        column.weights != "imagenet",
        column.weights,
        list(CLASSIFIERS).index(column.classifier),
    )


def order_networks(names):
    """The networks of the paper's table 2 that are among the names, then the others by name."""
    known = [name for name in PAPER_NETWORKS if name in set(names)]
    return known + sorted(set(names) - set(known))


def accuracy(runs):
    """Mean, least, greatest and sample standard deviation of the top-1 accuracy, in percent.

    Of one run the standard deviation is NaN.
    """
    values = pd.Series([run.accuracy for run in runs], dtype=float)
    return values.mean(), values.min(), values.max(), values.std()


def interval(runs):
    """The 95 % interval of the accuracy of a cell's runs in percent, (low, high), or None.

    Of one run its own: Wilson's, or of pictures that belong together the bootstrap over groups. Of
    several seeds on one split Wilson's of their mean, as if it were one network's: a little wide.
    Of several splits there is none, nor of runs of a version that measured none.
    """
    if len(splits(runs)) > 1:
        return None
    measured = runs[0].metrics
    found = (measured.get("intervals") or {}).get(headline(measured))
    if len(runs) == 1 and found:
        return tuple(100 * bound for bound in found)
    if any(map(_is_resampled, runs)) or any("top1_interval" not in run.metrics for run in runs):
        return None
    if len(runs) == 1:
        return tuple(100 * bound for bound in measured["top1_interval"])
    count = measured.get("n_test")
    return count and tuple(100 * bound for bound in wilson(accuracy(runs)[0] * count / 100, count))


def why_no_interval(metrics):
    """Why a run has no interval of its accuracy though one was to be measured; None if it has.

    Args:
        metrics: as in metrics.json.
    """
    found, name = metrics.get("intervals") or {}, headline(metrics)
    if found.get(name, True) is not None:
        return None
    if name == SEVERAL:
        return metrics["intervals_left_out"]
    return (
        f"{metrics['intervals_over']}, fewer than {LEAST}, where the bootstrap over groups gives "
        "too narrow an interval"
    )


def splits(runs):
    """The distinct sha256 of the splits of some runs, sorted."""
    return sorted({run.split_sha256 for run in runs})


def comparison_frame(comparisons):
    """A row per cell of every comparison, for comparison.csv."""
    cells = [cell for table in comparisons for cell in table.cells.items()]
    rows = [_cell_row(runs, row, column) for (row, column), runs in cells]
    return pd.DataFrame(rows, dtype=object).fillna("")


def _cell_row(runs, row, column):
    several = headline(runs[0].metrics) == SEVERAL
    mean, least, greatest, deviation = accuracy(runs)
    weights = dict.fromkeys(column_of(run).weights for run in runs)
    return {
        "dataset": runs[0].dataset,
        "challenge": runs[0].challenge,
        "toy": _text(runs[0].toy),
        "network": row.network,
        "input_size": str(_fields_of(runs[0])["size"] or ""),
        **column._asdict() | {"weights": " / ".join(weights)},
        "top1_accuracy_percent": "" if several else f"{mean:.2f}",
        "sample_sd_percent": "" if len(runs) == 1 else f"{deviation:.2f}",
        "lowest_percent": f"{least:.2f}",
        "highest_percent": f"{greatest:.2f}",
        "n_runs": len(runs),
        **{key: _distinct(runs, key) for key in ("head_parameters", "feature_size")},
        "split_sha256": " / ".join(splits(runs)),
        **_interval_columns(runs),
        **({f"{SEVERAL}_percent": f"{mean:.2f}"} if several else {}),
    }


def _interval_columns(runs):
    """Columns that only tables with an interval have."""
    found = interval(runs)
    if not found:
        return {}
    return {"low95_percent": f"{found[0]:.2f}", "high95_percent": f"{found[1]:.2f}"}


def runs_frame(runs, results_dir):
    """A row per run with every key of its metrics.json as text, for runs.csv.

    The first column is the run's folder relative to results_dir; keys we do not know come last.
    """
    extra = sorted({key for run in runs for key in run.metrics} - set(METRICS))
    keys = [*METRICS, *extra]
    rows = [[_text(_told(run.metrics, key)) for key in keys] for run in runs]
    frame = pd.DataFrame(rows, columns=keys, dtype=object)
    places = [run.folder.relative_to(results_dir).as_posix() for run in runs]
    frame.insert(0, "run", places)
    return frame


def _told(metrics, key):
    """A value of metrics.json; None for the accuracy of k guesses among k classes or fewer."""
    guesses = re.fullmatch(r"top(\d+)_accuracy", key)
    if guesses and metrics.get("n_classes", math.inf) <= int(guesses[1]):
        return None
    return metrics.get(key)


def page(comparisons, sections):
    """Join the sections of all comparisons into one document."""
    cells = [runs for comparison in comparisons for runs in comparison.cells.values()]
    brackets = any(map(interval, cells)) * (
        " In square brackets: the 95 % interval, for other test pictures like these."
    )
    several = any(headline(run.metrics) == SEVERAL for runs in cells for run in runs) * (
        " (where they have several labels the mean average precision)"
    )
    intro = (
        f"# Comparison of runs\n\nTop-1 accuracy on the test pictures{several} in %; the best of a"
        " challenge is bold. Runs repeated with other seeds: their mean (least–greatest, number of"
        f" runs).{brackets}\n"
    )
    return "\n".join([intro, *sections])


def every_run(runs, results_dir):
    """Every metric of every run as Markdown: a row per metric, a column per run."""
    header, *rows = runs_frame(runs, results_dir).T.reset_index().map(escape).values.tolist()
    intro = "# Every run\n\nAs measured: accuracies and F1 are fractions from 0 to 1.\n"
    return "\n".join([intro, markdown_table(header, rows)])


def section(comparison, figure):
    """One comparison as Markdown: title, table, notes, figure.

    figure: address of its learning curves as a URL path, or None where no run has any.
    """
    short = short_weights(comparison.columns)
    labels = [label_column(column, short) for column in comparison.columns]
    sized = any(row.size for row in comparison.lines)
    names = ["network", "picture size"] if sized else ["network"]
    header = [*names, *labels, "head parameters", "feature size"]
    best = _best(comparison)
    rows = []
    for row in comparison.lines:
        cells = [comparison.cells.get((row, column), []) for column in comparison.columns]
        runs = [run for cell in cells for run in cell]
        sizes = [_distinct(runs, key) for key in ("head_parameters", "feature_size")]
        name = [escape(row.network), str(row.size or NO_RUN)][: len(names)]
        rows.append([*name, *(_cell(cell, best) for cell in cells), *sizes])
    title = escape(comparison.title)
    parts = [f"## {title}\n", markdown_table([escape(name) for name in header], rows)]
    parts += _list(_notes(comparison, short))
    if figure:
        parts.append(f"![learning curves, {title}]({figure})\n")
    return "\n".join(parts)


def published_page(path):
    """One published table as Markdown, with the notes on cells that are lost or doubtful.

    path: of a CSV file, a row per network and challenge, such as
        papers/published/sabatelli2018/table2.csv.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = table.to_dict("records")
    if not rows:
        raise InputError(f"{path}: no row; accepted: a published table with one or more")
    apart = ("source", "dataset", "place", "note")
    shown = [key for key in rows[0] if key not in apart and not key.endswith(("_low", "_high"))]
    accuracies = table[shown].filter(like="(%)").apply(pd.to_numeric)
    best = accuracies.max(axis=1).groupby(table["challenge"]).max()
    cells = [[_published_cell(row, key, best) for key in shown] for row in rows]
    noted = [row for row in rows if row["note"]]
    notes = [f"{row['challenge']}, {row['network']}: {row['note']}" for row in noted]
    title = f"# Published figures: {escape(rows[0]['source'])}, {escape(rows[0]['dataset'])}\n"
    intro = "Typed from the paper, not measured here; the best of a challenge is bold.\n"
    parts = [title, intro, markdown_table([escape(key) for key in shown], cells)]
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
    text = cell_text(runs)
    return f"**{text}**" if f"{accuracy(runs)[0]:.2f}" == best else text


def cell_text(runs):
    """The accuracy of repeats as text: mean, interval, range, how many."""
    mean, least, greatest, _ = accuracy(runs)
    text = f"{mean:.2f}"
    if found := interval(runs):
        text += f" [{found[0]:.1f}, {found[1]:.1f}]"
    if len(runs) > 1:
        count = f"{len(runs)} runs"
        if len(splits(runs)) > 1 and _seeds_of_splits(runs):
            count = f"{len(splits(runs))} splits" + (len(splits(runs)) < len(runs)) * f", {count}"
        text += f" ({least:.2f}–{greatest:.2f}, {count})"
    return text


def _best(comparison):
    # Equal as shown is equally good. No best among cells tested on different pictures, nor of one.
    if _is_torn(comparison) or len(comparison.cells) == 1:
        return None
    return f"{max(accuracy(runs)[0] for runs in comparison.cells.values()):.2f}"


def _is_torn(comparison):
    """Whether its cells were tested on different pictures."""
    return len({tuple(splits(runs)) for runs in comparison.cells.values()}) > 1


def named_cells(comparison):
    """A text that names each cell of a comparison within it -> its runs."""
    short = short_weights(comparison.columns)
    return {
        " ".join(
            [
                row.network,
                *([f"{row.size} pixels"] if row.size else []),
                label_column(column, short),
            ]
        ): runs
        for (row, column), runs in comparison.cells.items()
    }


def _notes(comparison, short):
    cells = named_cells(comparison)
    yield from _chance(comparison.runs)
    yield from _several_labels(comparison.runs)
    yield from _different_splits(comparison, cells)
    yield from _without_interval(cells)
    yield from _seeds(cells)
    for name, runs in cells.items():
        if len({_text([run.metrics.get("seed"), run.split_sha256]) for run in runs}) < len(runs):
            yield f"{name}: some of its {len(runs)} runs have the same seed"
    yield from _starts(comparison, short)
    yield from _ensembles(comparison, short)
    yield from _seen_before(cells)
    if any(run.history is None and run.mode != ENSEMBLE for run in comparison.runs):
        yield "SVMs and random forests are not trained by epochs and have no learning curve"


def _several_labels(runs):
    """What stands in the cells where it is no top-1 accuracy."""
    if any(headline(run.metrics) != "top1_accuracy" for run in runs):
        yield "pictures have several labels: shown is the mean average precision, in %"
    for part in SPLITS:
        absent = [(run.metrics.get("classes_without_positive") or {}).get(part, ()) for run in runs]
        names = dict.fromkeys(name for of_run in absent for name in of_run)
        if names:
            yield f"not counted, because no {part} picture has them: {', '.join(names)}"


def _different_splits(comparison, cells):
    """Which splits were used where there is more than one."""
    used = splits(comparison.runs)
    if len(used) == 1:
        return
    seeds = _seeds_of_splits(comparison.runs)
    repeated = seeds and any(len(splits(runs)) > 1 for runs in cells.values())
    if repeated:
        told = ", ".join(map(str, sorted(seeds.values())))
        yield (
            f"{len(used)} splits, drawn with the seeds {told}: their test sets overlap, so that "
            "the range over them is no interval and their spread no standard error"
        )
    if not repeated or _is_torn(comparison):
        yield "these runs used different splits, so their accuracies cannot be compared as they are"
        for sha in used:
            names = [name for name, runs in cells.items() if sha in splits(runs)]
            yield f"split {sha[:SHORT_SHA]}: {'; '.join(names)}"
    if _is_torn(comparison):
        yield "no best is marked, because not every cell was tested on the same pictures"


def _without_interval(cells):
    """Why cells of one split have no interval, where their runs were to have one of the bootstrap.

    That draws pictures that belong together as one, of which Wilson's, of several seeds' mean,
    knows nothing.
    """
    reasons = {}
    for name, runs in cells.items():
        over = [run.metrics.get("intervals_over") for run in runs if _is_resampled(run)]
        if interval(runs) or not over or len(splits(runs)) > 1:
            continue
        reason = why_no_interval(runs[0].metrics)
        if len(runs) > 1 and not reason:
            reason = (
                f"the bootstrap over {over[0]} is of one run, not of the mean of several seeds; "
                "each run's own is in its metrics.json"
            )
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        yield f"without an interval: {', '.join(names)} ({reason})"


def _is_resampled(run):
    """Whether its accuracy is one of what metrics.json has bootstrap intervals of."""
    return headline(run.metrics) in (run.metrics.get("intervals") or {})


def _seeds(cells):
    """How far seeds differ on one split, beside how far methods do."""
    apart = {}
    for name, runs in cells.items():
        for sha in splits(runs):
            _, least, greatest, _ = accuracy([run for run in runs if run.split_sha256 == sha])
            apart[name] = max(apart.get(name, 0), greatest - least)
    repeated = [name for name, runs in cells.items() if len(splits(runs)) < len(runs)]
    if not repeated:
        return
    most = max(repeated, key=apart.get)
    note = f"seeds of one method differ by up to {apart[most]:.2f} points ({most})"
    means = [accuracy(runs)[0] for runs in cells.values()]
    if len(means) > 1:
        note += f", the means of methods by up to {max(means) - min(means):.2f}"
    yield note


def _chance(runs):
    """What an answer by chance would score, as measured with each run; older runs do not say."""
    keys = {"top1_accuracy": "chance_top1", SEVERAL: f"chance_{SEVERAL}"}
    known = [run.metrics.get(keys[headline(run.metrics)]) for run in runs]
    shown = dict.fromkeys(f"{100 * value:.2f} %" for value in known if value is not None)
    if shown:
        yield f"by chance: {' / '.join(shown)}"


def _starts(comparison, short):
    """Which weights the networks started from, where the table's head does not say it all."""
    starts = {}
    for run in comparison.runs:
        if _starts_somewhere(run.mode):
            networks = starts.setdefault(column_of(run).weights, {})
            networks.setdefault(run.network, {})[TITLES[run.mode]] = None
    if list(starts) == ["imagenet"]:
        return
    for weights, networks in starts.items():
        star = ", * being the network" * ("*" in weights)
        if weights in short:  # a column
            if short[weights] != weights:
                yield f"{short[weights]} is {weights}{star}"
        else:
            started = {"imagenet": "ImageNet's weights", "none": "no weights"}.get(weights, weights)
            named = [f"{network} ({', '.join(modes)})" for network, modes in networks.items()]
            yield f"started from {started}{star}: {', '.join(named)}"


def _seen_before(cells):
    """Which runs were tested on pictures that the network they started from was trained on."""
    for name, runs in cells.items():
        counts = [run.metrics.get("n_test_seen_before") or 0 for run in runs]
        if any(counts):
            yield (
                f"{name}: of its test pictures, the network that it started from was trained on up "
                f"to {max(counts)}; its accuracy may be too high"
            )


def _ensembles(comparison, short):
    """What ensembles are the means of, where the table's head does not say it."""
    for (row, column), runs in comparison.cells.items():
        if column.tl_mode == ENSEMBLE and not column.weights:
            label = f"{row.network} {label_column(column, short)}"
            for members in dict.fromkeys(run.weights for run in runs):
                yield f"{label}: the mean of the probabilities of {members}"


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
