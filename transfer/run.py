"""Run: a network trained by a recipe on data; what decides its numbers; finished ones read back."""

import difflib
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from models import own, released, weights, zoo
from models.errors import InputError
from models.zoo import Spec
from transfer import pictures
from transfer.dataset import Data
from transfer.recipe import CHOICES, SETTINGS, Recipe
from transfer.recipes import RECIPES
from transfer.result_folder import (
    WEIGHTS,
    check_writable,
    read_csv,
    read_json,
    safe_name,
    sha256,
    short_name,
    unfinished,
)

NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
SEVERAL = "mean_average_precision"  # in metrics.json where pictures have several labels
SHORT_KEY = 8  # digits of a data set's or a file's digest that a name shows
AT_START = "@start"  # behind a run's folder: the network before its first step
START = "start.keras"  # that network, kept where it was drawn
MODEL = "model.keras"  # the trained network
SCORES = "scores.npy"  # what a run's test gave: float32 (pictures, classes), in stored order
ENSEMBLE = "ensemble"  # the mode that is no recipe: a mean of runs (transfer.ensemble)
MEAN = "mean"  # its classifier
# of a Recipe, that the first version had
FIRST_SETTINGS = {"optimizer", "learning_rate", "momentum", "nesterov", "rho", "epsilon", "pixels"}
FIRST_SETTINGS |= {"batch_size", "epochs", "patience", "batch_norm", "classifier", "class_weights"}
FIRST_SETTINGS |= {"seed"}
NEVER_CHOSEN = asdict(Recipe())
HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
# what is needed of metrics.json, and what each value must be
REQUIRED = {
    "dataset": str,
    "challenge": str,
    "ANN": str,
    "tl_mode": (*RECIPES, ENSEMBLE),
    "classifier": (*CHOICES["classifier"], MEAN),
    "weights": str,
    "toy": bool,
    "split_sha256": str,
}


@dataclass(frozen=True)
class Run:
    """One training: of a network, by a recipe, on data.

    network: with the weights that it starts from (`imagenet`, a file's path, or None for
    He-uniform ones); it may be a `.keras` file of one's own. input_size: side of the pictures in
    pixels; None for the network's own. A released network (`RijksVGG19Net:artist`) becomes its
    architecture, started from the released file.

        run = Run(data, zoo.parse("VGG19:imagenet"), RECIPES["fine_tuning"])
        folder = transfer.train.train_and_test(run, "results")

    Raises:
        InputError: parts that do not go together, or a file that is not there.
    """

    data: Data
    network: Spec
    recipe: Recipe
    input_size: int | None = None

    def __post_init__(self):
        if self.network.of_released:
            object.__setattr__(self, "network", released.as_start(self.network))
        if self.input_size is not None and self.input_size < 1:
            raise InputError(f"input_size is {self.input_size}; it must be above 0")
        if self.network.weights and self.recipe.initial_weights == "he_uniform":
            raise InputError(
                f"{self.recipe.name} starts from He-uniform; weights {self.network.weights} are "
                "for others"
            )
        if self.data.several:
            self.recipe.refuse_several_labels()
        self.network.check()
        self.network.side(self.input_size)
        zoo.scaling_for(self.network, self.recipe.pixels)

    @property
    def size(self):
        """Side of the pictures in pixels."""
        return self.network.side(self.input_size)

    @property
    def weights(self):
        """What the network starts from: `imagenet`, `none`, or a file's path."""
        return self.network.weights or weights.NONE

    @property
    def start_size(self):
        """Side of the pictures of the saved network that it starts from; None of other weights."""
        source = self.network.weights
        return own.side(source) if weights.is_keras(source) else None

    @property
    def folder(self):
        """Where its results lie below the folder of all results, as a relative Path.

        The last name is the recipe's with what differs from it, e.g. `fine_tuning,seed=2,epochs=3`.
        """
        return self._folder(self._changes)

    def folder_beside(self, differing, data_key):
        """Where its results lie if another run has `folder` already.

        Args:
            differing: names of what differs between the identities of the two; of the input size,
                the weights and the data those among them are added to the folder's name.
            data_key: of the data set (transfer.store.Store.key).
        """
        source = weights.check_source(self.network.weights)
        start = self.weights
        if isinstance(source, Path):
            start = f"{source.stem}-{weights.identify(source)[:SHORT_KEY]}"
        told = {"input_size": self.size, "weights": start, "data": data_key[:SHORT_KEY]}
        same = {"weights": set(WEIGHTS), "data": {"data", "split_sha256"}}
        added = {n: v for n, v in told.items() if same.get(n, {n}) & set(differing)}
        return self._folder(self._changes | added)

    def _folder(self, changes):
        names = (self.data.dataset_name, self.data.challenge, self.network.architecture)
        classifier = self.recipe.classifier
        name = self.recipe.name + (f"_{classifier}" if classifier != "softmax" else "")
        name = ",".join([name, *(f"{key}={value}" for key, value in changes.items())])
        name = NOT_ON_WINDOWS.sub("_", safe_name(name)).rstrip(". ")
        return Path(*map(short_name, names), short_name(name))

    @property
    def _changes(self):
        """What differs from the recipe of its name, but the classifier: dict, the seed first."""
        own = RECIPES.get(self.recipe.name, self.recipe).adapted(bool(self.network.weights))
        names = [name for name in ("seed", *SETTINGS) if name != "classifier"]
        values = {name: getattr(self.recipe, name) for name in names}
        changes = {name: value for name, value in values.items() if value != getattr(own, name)}
        return changes | self._split_seed

    @property
    def _split_seed(self):
        """The seed of its split if it is not the usual one, as a dict."""
        seed = self.data.split_seed
        return {} if seed == Data.split_seed else {"split_seed": seed}

    @property
    def described(self):
        """What was run, as metrics.json says it."""
        return {
            "dataset": self.data.dataset_name,
            "challenge": self.data.challenge,
            "ANN": self.network.architecture,
            "tl_mode": self.recipe.name,
            "weights": self.weights,
        }

    @cached_property
    def settings(self):
        """Everything else that decides its numbers, but the data and what repeats may change."""
        recipe = self.recipe
        chosen, own = asdict(recipe), asdict(RECIPES.get(recipe.name, recipe))
        # what earlier versions could not choose is told where it is chosen: their runs are found
        told = {"classifier", "seed"}
        told |= {n for n in SETTINGS if n not in FIRST_SETTINGS and chosen[n] == NEVER_CHOSEN[n]}
        told |= {"layers"} if chosen["layers"] == own["layers"] else set()
        source = weights.check_source(self.network.weights)
        return {
            "weights_sha256": sha256(source) if isinstance(source, Path) else None,
            "input_size": self.size,
            "decoding": pictures.DECODING,
            **{name: chosen[name] for name in SETTINGS if name not in told},
            # runs of versions in which this dropout did nothing are other runs
            **({"features_dropout": True} if recipe.dropout and recipe.on_features else {}),
            **self._split_seed,
        }

    def identity(self, store):
        """Everything that decides its numbers, for JSON: two runs alike in it are one.

        Args:
            store: transfer.store.Store of its data.
        """
        return {
            **self.described,
            "weights_identity": weights.identify(self.network.weights),
            **self.settings,
            "classifier": self.recipe.classifier,
            "seed": self.recipe.seed,
            "split_sha256": store.split_sha256,
            "data": store.key,
        }


def check_paths(run, results_path, tensorboard=None):
    """Refuse, before anything is read, a folder of results or logs that cannot be made.

    A run that is finished may lie on a read-only disk.

    Raises:
        InputError: naming the folder.
    """
    folder = Path(results_path) / run.folder
    if not folder.exists():
        check_writable(folder)
        if tensorboard:
            check_writable(Path(tensorboard) / run.folder)


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run that was finished, as its files tell it.

    folder: where it lies. network, mode: the ANN and tl_mode of metrics.json. accuracy: top-1 on
    the test pictures, in percent; of several labels the mean average precision. metrics: all of
    metrics.json. history: pandas DataFrame of HISTORY_COLUMNS, a row per epoch, or None for a
    classifier that is not trained by epochs. An ensemble has the networks of its members, and its
    weights name these.
    """

    folder: Path
    dataset: str
    challenge: str
    network: str
    mode: str
    classifier: str
    weights: str
    toy: bool
    split_sha256: str
    accuracy: float
    metrics: dict
    history: Any = None

    @property
    def title(self):
        """`dataset: challenge`, marked where the pictures are the built-in toy collection."""
        return f"{self.dataset}: {self.challenge}" + (" (toy collection)" if self.toy else "")

    @cached_property
    def settings(self):
        """Its settings in metrics.json, with those that Run.settings leaves out: a dict.

        {} of a run that tells none; an ensemble's are what it tells.
        """
        told = self.metrics.get("settings") or {}
        if not told or self.mode not in RECIPES:
            return told
        left_out = {name: NEVER_CHOSEN[name] for name in SETTINGS if name not in FIRST_SETTINGS}
        own = {"layers": RECIPES[self.mode].layers, "split_seed": Data.split_seed}
        return left_out | own | told


def finished_run(folder, metrics, history=None):
    """A FinishedRun of what metrics.json holds, which has what REQUIRED says."""
    named = {"network": "ANN", "mode": "tl_mode"}
    fields = ("dataset", "challenge", "network", "mode", "classifier", "weights", "toy")
    values = {name: metrics[named.get(name, name)] for name in (*fields, "split_sha256")}
    accuracy = 100 * metrics[headline(metrics)]
    return FinishedRun(Path(folder), **values, accuracy=accuracy, metrics=metrics, history=history)


def headline(metrics):
    """The key of metrics.json that tells how good a run is: several labels have no top-1."""
    return SEVERAL if SEVERAL in metrics else "top1_accuracy"


def read_run(folder):
    """Read one run's metrics.json and history.csv; those of earlier versions read too.

    Raises:
        InputError: naming the file that is damaged, or absent where a softmax run, which is
            trained by epochs, has one.
    """
    folder = Path(folder)
    metrics = _read_metrics(folder / "metrics.json")
    history = _read_history(folder / "history.csv")
    if history is None and metrics["classifier"] == "softmax":
        raise InputError(f"{folder / 'history.csv'}: absent or empty, a softmax run has one")
    return finished_run(folder, metrics, history)


def read_runs(results_dir):
    """Read every finished run at or below a folder, sorted by path (see find_runs).

    Raises:
        InputError: a run is damaged or none is there.
    """
    return [read_run(folder) for folder in find_runs(results_dir)]


def find_runs(results_dir):
    """The folders of every finished run at or below a folder, sorted.

    A run is a folder that holds metrics.json; folders whose name starts with "." are unfinished
    and skipped.

    Raises:
        InputError: none is there.
    """
    results_dir = Path(results_dir)
    if not results_dir.is_dir():
        raise InputError(f"{results_dir}: no such folder; expected a folder of results")
    inside = (path.relative_to(results_dir) for path in results_dir.rglob("metrics.json"))
    finished = sorted(path for path in inside if not any(part[0] == "." for part in path.parts))
    if not finished:
        raise InputError(
            f"{results_dir}: no finished run found; looked for"
            " <dataset>/<challenge>/<ANN>/<tl_mode>/metrics.json at any depth"
        )
    return [(results_dir / path).parent for path in finished]


def named_network(text):
    """What models.load takes, of that or the folder of a finished run: the network in it.

    Args:
        text: as models.load takes it, or the folder RUN of a finished run, or `RUN@start`, the
            network before the run's first step.

    Raises:
        InputError: a folder without a model.keras, or no such network or file.
    """
    if text.endswith(AT_START):
        return _start(Path(text.removesuffix(AT_START)))
    folder = Path(text)
    if folder.is_dir():
        if (folder / MODEL).is_file():
            return str(folder / MODEL)
        raise InputError(_why_no_network(folder))
    try:
        zoo.parse(text).check()
    except InputError as error:
        if folder.name == text or ":" in text or text.endswith(tuple(weights.ENDINGS)):
            raise
        raise InputError(f"no folder {folder}; {error}") from error
    return text


def _why_no_network(folder):
    """What is wrong with a folder without a model.keras."""
    if not (folder / "metrics.json").exists():
        return f"{folder} holds no {MODEL}; accepted: the folder of a finished run"
    told = read_json(folder / "metrics.json")
    if told.get("tl_mode") == ENSEMBLE:
        return f"{folder} is an ensemble, no network; accepted: one of its runs, {told['weights']}"
    if told.get("classifier") == "random_forest":
        return (
            f"{folder} is the run of a random forest, which is not kept; accepted: a run with "
            f"another classifier, which has a {MODEL}"
        )
    return (
        f"{folder} is a finished run whose {MODEL} is gone; put it back, or remove the folder and "
        "run its command again"
    )


def named_stage(text, results_path):
    """What a training starts from, as Run takes it, of what a user calls it.

    Args:
        text: `imagenet`, `none`, a weights file, a released network such as
            `RijksVGG19Net:artist`, whose file is found or downloaded, or a finished run: its
            folder, or what stands below the folder of all results, e.g.
            `wikiart/style/GoogLeNet/fine_tuning`.
        results_path: the folder of all results.

    Raises:
        InputError: a run that is not finished, has no network, or is not there.
    """
    if text in (weights.IMAGENET, weights.NONE) or Path(text).is_file():
        return text
    if Path(text).is_dir():
        return named_network(text)
    folder = Path(results_path) / text
    if folder.is_dir():
        return named_network(str(folder))
    if folder.name and unfinished(folder).is_dir():
        raise InputError(f"{folder} is not finished: run its command again, it goes on from there")
    if text.endswith((".keras", *weights.ENDINGS)):
        return text
    if text.partition(":")[0] in zoo.RIJKS:
        return released.as_start(zoo.parse(text)).weights
    runs = [path.parent for path in Path(results_path).rglob(MODEL)]
    names = [path.relative_to(results_path).as_posix() for path in runs if path.name[0] != "."]
    near = difflib.get_close_matches(text, sorted(names), 3, 0.5)
    raise InputError(
        f"weights are {text!r}: no file, and no run below {results_path}; accepted: imagenet, "
        "none, a weights file, RijksVGG19Net:artist or a finished run"
        f"{', such as ' * bool(near)}{', '.join(near)}"
    )


def _start(folder):
    """What a finished run started from, as models.load takes it; its head apart."""
    if (folder / START).is_file():
        return str(folder / START)
    told = _read_metrics(folder / "metrics.json") if (folder / "metrics.json").exists() else None
    if told is None:
        raise InputError(f"{folder} is not the folder of a finished run, so it has no start")
    if told["weights"] == weights.NONE:
        raise InputError(
            f"{folder} started from weights that were drawn, and was made by a version that did "
            f"not keep them; accepted: a run that has a {START}"
        )
    if zoo.is_keras(told["weights"]):
        return named_network(told["weights"])
    return named_network(f"{told['ANN']}:{told['weights']}")


def _read_metrics(path):
    metrics = read_json(path)
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
    value = metrics.get(headline(metrics))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(
            f"{path}: {headline(metrics)} is {value!r}, expected a fraction from 0 to 1"
        )
    return metrics


def _read_history(path):
    import pandas as pd

    if not path.exists():
        return None
    text = read_csv(path)
    if text.empty:
        return None
    history = {}
    for column in HISTORY_COLUMNS:
        try:
            history[column] = [float(value or "missing") for value in text[column]]
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: column {column}: expected a number per epoch") from None
    return pd.DataFrame(history)
