"""Finished runs read back from their folders and arranged as the cells of comparison tables."""

import csv
import json
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import fmean, stdev

from models.errors import InputError

# The columns of a table stand in this order: Sabatelli et al. 2018, tables 2 and 3, then scratch.
MODES = {
    "off_the_shelf": "off the shelf",
    "fine_tuning": "fine tuning",
    "random": "random (scratch)",
}
# The paper's own classifier is the softmax layer and goes unnamed; the others are its footnote 7.
CLASSIFIERS = {"softmax": "", "svm": "SVM", "random_forest": "random forest"}
# The rows of Sabatelli et al. 2018, table 2; other networks follow by name.
PAPER_NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
# what the tables need of metrics.json, and what each value must be
REQUIRED = {
    "dataset": str,
    "challenge": str,
    "ANN": str,
    "tl_mode": tuple(MODES),
    "classifier": tuple(CLASSIFIERS),
    "weights": str,
    "toy": bool,
    "split_sha256": str,
}

Column = namedtuple("Column", "tl_mode weights classifier")


@dataclass(frozen=True)
class Run:
    """One finished run.

    folder: where it lies. metrics: the content of metrics.json (accuracies are fractions 0..1).
    history: name of a column of history.csv -> one float per epoch, or None for a classifier
    that is not trained by epochs.
    """

    folder: Path
    metrics: dict
    history: dict | None


@dataclass(frozen=True)
class Comparison:
    """One table: the runs of one challenge of one dataset.

    networks: its rows. columns: its Columns, in order. cells: (network, Column) -> list of runs,
    several where a run was repeated; a pair that was never run is absent.
    """

    dataset: str
    challenge: str
    toy: bool
    networks: list
    columns: list
    cells: dict

    @property
    def runs(self):
        """Every run of the table, row by row."""
        order = ((network, column) for network in self.networks for column in self.columns)
        return [run for key in order for run in self.cells.get(key, [])]

    @property
    def title(self):
        """`dataset: challenge`, marked where the pictures are the built-in toy collection."""
        return f"{self.dataset}: {self.challenge}" + (" (toy collection)" if self.toy else "")


def read_run(folder):
    """Read one run's metrics.json and history.csv.

    folder: a path. Raises InputError naming the file when one of them is damaged, or when a
    softmax run, which is trained by epochs, has no history.
    """
    folder = Path(folder)
    metrics = _read_metrics(folder / "metrics.json")
    history = _read_history(folder / "history.csv")
    if history is None and metrics["classifier"] == "softmax":
        raise InputError(f"{folder / 'history.csv'}: absent or empty, a softmax run has one")
    return Run(folder, metrics, history)


def collect(results_dir):
    """Read every finished run at or below a folder, sorted by path.

    A run is a folder that holds metrics.json; folders whose name starts with "." are unfinished
    and skipped. Raises InputError when a run is damaged or none is found.
    """
    results_dir = Path(results_dir)
    if not results_dir.is_dir():
        raise InputError(f"{results_dir}: no such folder; expected a folder of results")
    inside = (path.relative_to(results_dir) for path in results_dir.rglob("metrics.json"))
    found = sorted(path for path in inside if not any(part[0] == "." for part in path.parts))
    if not found:
        raise InputError(
            f"{results_dir}: no finished run found; looked for"
            " <dataset>/<challenge>/<ANN>/<tl_mode>/metrics.json at any depth"
        )
    return [read_run((results_dir / path).parent) for path in found]


def compare(runs):
    """Arrange runs as one Comparison per (dataset, challenge), toy collections apart."""
    groups = {}
    for run in runs:
        key = (run.metrics["dataset"], run.metrics["challenge"], run.metrics["toy"])
        groups.setdefault(key, []).append(run)
    return [_arrange(*key, group) for key, group in sorted(groups.items())]


def column_of(run):
    """The table column of a run.

    A network started at random has no starting weights whatever was asked for. A path that
    contains the network's own name has it replaced by "*", so that VGG19 and ResNet50, each
    started from its own weights of one earlier experiment, share a column as in table 3.
    """
    mode, weights = run.metrics["tl_mode"], run.metrics["weights"]
    if mode == "random":
        weights = "none"
    elif weights not in ("imagenet", "none"):
        weights = str(PurePath(weights)).replace(run.metrics["ANN"], "*")
    return Column(mode, weights, run.metrics["classifier"])


def short_weights(columns):
    """Map the starting weights of the columns to short names that still differ.

    The short name is the file's name, with as many parent folders as it takes. A scratch column
    has no starting weights and is left out.
    """
    paths = {c.weights: PurePath(c.weights).parts for c in columns if c.tl_mode != "random"}
    for depth in range(1, 1 + max(map(len, paths.values()), default=0)):
        short = {name: str(PurePath(*parts[-depth:])) for name, parts in paths.items()}
        if len(set(short.values())) == len(short):
            return short
    return {}


def column_label(column, short):
    """Name a column: the mode, after the starting weights unless all of the table is ImageNet.

    short: what `short_weights` gave for the whole table.
    """
    label = MODES[column.tl_mode]
    if column.tl_mode != "random" and list(short) != ["imagenet"]:
        label = f"{short[column.weights]} + {label}"
    classifier = CLASSIFIERS[column.classifier]
    return f"{label}, {classifier}" if classifier else label


def accuracy(runs):
    """Mean and sample standard deviation (None for one run) of the top-1 accuracy, in percent."""
    values = [100 * run.metrics["top1_accuracy"] for run in runs]
    return fmean(values), stdev(values) if len(values) > 1 else None


def splits(runs):
    """The distinct sha256 of the splits of some runs, sorted."""
    return sorted({run.metrics["split_sha256"] for run in runs})


def network_order(names):
    """The networks of the paper's table 2 that are among the names, then the others by name."""
    known = [name for name in PAPER_NETWORKS if name in names]
    return known + sorted(set(names) - set(known))


def _arrange(dataset, challenge, toy, runs):
    cells = {}
    for run in runs:
        cells.setdefault((run.metrics["ANN"], column_of(run)), []).append(run)
    cells = dict(item for cell in cells.items() for item in _by_settings(*cell))
    networks = network_order({network for network, _ in cells})
    columns = sorted({column for _, column in cells}, key=_column_rank)
    return Comparison(dataset, challenge, toy, networks, columns, cells)


def _by_settings(key, runs):
    """Split a cell whose runs differ in more than the seed: they are no repeats of each other.

    Yields ((network, column), runs), the network marked with the settings in which they differ.
    """
    settings = [run.metrics.get("settings") or {} for run in runs]
    names = sorted({name for found in settings for name in found})
    differing = [n for n in names if len({json.dumps(s.get(n)) for s in settings}) > 1]
    parts = {}
    for run, found in zip(runs, settings, strict=True):
        mark = ", ".join(f"{name}={found.get(name)}" for name in differing)
        parts.setdefault(f"{key[0]} [{mark}]" if mark else key[0], []).append(run)
    yield from (((network, key[1]), part) for network, part in parts.items())


def _column_rank(column):
    # ImageNet first, as theta stands before theta-hat in table 3.
    return (
        list(MODES).index(column.tl_mode),
        column.weights != "imagenet",
        column.weights,
        list(CLASSIFIERS).index(column.classifier),
    )


def _read_metrics(path):
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(metrics, dict):
        raise InputError(f"{path}: holds a {type(metrics).__name__}, expected an object")
    for key, accepted in REQUIRED.items():
        value = metrics.get(key)
        if isinstance(accepted, tuple):
            sound, expected = value in accepted, " or ".join(accepted)
        else:
            sound = isinstance(value, accepted)
            expected = "text" if accepted is str else "true or false"
        if not sound:
            raise InputError(f"{path}: {key} is {value!r}, expected {expected}")
    top1 = metrics.get("top1_accuracy")
    if isinstance(top1, bool) or not isinstance(top1, int | float) or not 0 <= top1 <= 1:
        raise InputError(f"{path}: top1_accuracy is {top1!r}, expected a fraction from 0 to 1")
    return metrics


def _read_history(path):
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = list(csv.DictReader(file))
        except (ValueError, csv.Error) as error:
            raise InputError(f"{path}: not a CSV file ({error})") from None
    history = {}
    for column in HISTORY_COLUMNS if rows else ():
        try:
            history[column] = [float(row[column]) for row in rows]
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: column {column}: expected a number per epoch") from None
    return history or None
