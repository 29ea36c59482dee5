"""Where a paper's items are made: whose pictures, which weights, what size, how many epochs.

A Place answers with Data and Stages, or with what is lacking, in words.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from models import zoo
from models.errors import InputError
from models.weights import ENDINGS, IMAGENET
from papers.published import require
from papers.stages import Stage
from transfer.collections import collection_data
from transfer.dataset import Data
from transfer.recipes import RECIPES

FIRST_SEED = 42  # the released code's; further ones follow it
# of the small collections, unless something else is asked for: on 2 cores a network of the paper
# sees about 10 pictures/s of this size while it is trained
SMALL_SIZE = 128
SMALL_EPOCHS = 6  # of runs that train the network; a head on features is quick, and has its own


@dataclass(frozen=True)
class Substitute:
    """A small collection in the place of a paper's.

    folder: below that of all small ones, with metadata.csv and images/. dataset_name: of its
    results. challenge, split, min_pictures: see transfer.dataset.Data. where: pairs of a column and
    a value of its rows. sample: of so many pictures only, unless all are asked for (Place.full).
    """

    folder: str
    dataset_name: str
    challenge: str
    where: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    min_pictures: int = 1
    sample: int | None = None

    @property
    def told(self):
        """What it is, in words."""
        chosen = "".join(f", {column}={value}" for column, value in self.where)
        some = f", {self.sample} pictures" if self.sample else ""
        return f"{self.folder}{chosen}, {self.challenge}{some}"


@dataclass(frozen=True)
class Paper:
    """A paper as its items see it.

    name: as in papers.published. title: for people. networks: that it trains. collections: dict of
    the paper's name of a data set -> its name in transfer.collections. small: dict (data set,
    challenge) -> Substitute. items: tuple of papers.items.Item. small_changes: dict of the Recipe's
    fields that runs on small collections which train layers have instead of the paper's.
    """

    name: str
    title: str
    networks: tuple[str, ...]
    collections: dict
    small: dict
    items: tuple
    small_changes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where the items of a paper are made.

    paper: Paper. results_path, datasets_path: folders of results and of stored pictures.
    collections: folder that holds each collection of the paper in a folder of its name; or small:
    the folder of the small ones. weights: dict network -> the string that names it with its weights
    (see read_weights). only: networks that count, () for all. input_size: None for each network's
    own. epochs: at most; None for the recipe's. trained_epochs: the same for runs that train the
    network. seeds: of every run. precision: of runs that train layers; None for the recipe's. full:
    whether small collections too are used whole, and trained on as in the paper.
    """

    paper: Paper
    results_path: Path
    datasets_path: Path
    collections: Path | None = None
    small: Path | None = None
    weights: dict = field(default_factory=dict)
    only: tuple[str, ...] = ()
    input_size: int | None = None
    epochs: int | None = None
    trained_epochs: int | None = None
    seeds: tuple[int, ...] = (FIRST_SEED,)
    precision: str | None = None
    full: bool = False
    known: dict = field(default_factory=dict, repr=False, compare=False)  # (data set, challenge)

    @property
    def settings(self):
        """What is asked for, but for which networks: a dict that JSON can hold."""
        samples = {
            ", ".join(key): one.sample for key, one in self._substitutes.items() if one.sample
        }
        told = {"samples": samples, "trained": self._trained_changes}
        return {
            "paper": self.paper.name,
            "pictures": "small" if self.small else "collections",
            "input_size": self.input_size,
            "epochs": self.epochs,
            "trained_epochs": self.trained_epochs,
            "seeds": list(self.seeds),
            **{name: value for name, value in told.items() if value},
        }

    @property
    def _substitutes(self):
        """What stands in the place of the paper's collections: dict as Paper.small."""
        if not self.small:
            return {}
        rows = self.paper.small.items()
        return {key: replace(one, sample=None) if self.full else one for key, one in rows}

    @property
    def _trained_changes(self):
        """Fields of the Recipe of every run that trains layers, that are not the paper's: dict."""
        changes = self.paper.small_changes if self.small and not self.full else {}
        return changes | ({"precision": self.precision} if self.precision else {})

    @property
    def told(self):
        """The settings in words."""
        whose = "the paper's collections"
        if self.small:
            whose = "SMALL collections in the place of the paper's"
        size = f"{self.input_size} pixels" if self.input_size else "each network's own picture size"
        epochs = f"at most {self.epochs} epochs" if self.epochs else "epochs as in the paper"
        if self.trained_epochs and not self.epochs:
            epochs = f"at most {self.trained_epochs} epochs where the network is trained"
        changes = [f"{name} {value}" for name, value in self._trained_changes.items()]
        trained = f"; where layers are trained {', '.join(changes)}" if changes else ""
        seeds = ", ".join(map(str, self.seeds))
        return f"{whose}; {size}; {epochs}{trained}; seeds {seeds}"

    def stands_for(self, dataset, challenge):
        """Whose pictures a data set's challenge has here, in words."""
        if not self.small:
            return dataset
        substitute = self._substitutes.get((dataset, challenge))
        return f"{substitute.told} (for {dataset})" if substitute else f"none (for {dataset})"

    def lacks_data(self, dataset, challenge):
        """Why there are no pictures of a data set's challenge; "" where there are."""
        if self.small:
            substitute = self._substitutes.get((dataset, challenge))
            if substitute is None:
                return f"no small collection stands for {dataset}, {challenge}"
            folder = self.small / substitute.folder
        elif self.collections:
            folder = self.collections / self.paper.collections[dataset]
        else:
            return "no pictures: neither collections nor small was given"
        return "" if folder.is_dir() else f"no folder {folder}"

    def data(self, dataset, challenge):
        """The Data of a data set's challenge, or text: what is lacking."""
        key = (dataset, challenge)
        if key not in self.known:
            try:
                self.known[key] = self.lacks_data(*key) or self._data(*key)
            except InputError as error:
                self.known[key] = str(error)
        return self.known[key]

    def _data(self, dataset, challenge):
        if self.collections:
            name = self.paper.collections[dataset]
            return collection_data(name, self.collections / name, challenge, self.datasets_path)
        small = self._substitutes[dataset, challenge]
        folder = self.small / small.folder
        return Data(
            *(small.dataset_name, small.challenge, self.datasets_path),
            *(folder / "metadata.csv", folder / "images"),
            where=small.where,
            split=small.split,
            min_pictures=small.min_pictures,
            sample=small.sample,
        )

    def stages(self, dataset, challenge, network, mode, before=None, **changes):
        """The Stages of a run, one for each seed; or text: what is lacking.

        Args:
            dataset, challenge, network: of the paper.
            mode: name of a recipe; one from scratch needs no weights.
            before: what stages() gave of the run whose network it starts from; None for the
                network's weights.
            changes: fields of the Recipe.
        """
        scratch = RECIPES[mode].initial_weights == "he_uniform"
        data = self.data(dataset, challenge)
        lacks = [data] if isinstance(data, str) else []
        if self.only and network not in self.only:
            lacks.append(f"{network} was not asked for")
        elif isinstance(before, str):
            lacks.append(f"to start from: {before}")
        elif not (before or scratch or network in self.weights):
            lacks.append(f"no weights file of {network}")
        if lacks:
            return "; ".join(lacks)
        start = network if scratch else self.weights.get(network)
        starts = before or (start,) * len(self.seeds)
        return tuple(
            Stage(data, of_seed, self._recipe(mode, seed, not scratch, changes), self.input_size)
            for of_seed, seed in zip(starts, self.seeds, strict=True)
        )

    def _recipe(self, mode, seed, pretrained, changes):
        recipe = RECIPES[mode].adapted(pretrained, seed=seed, **changes)
        if recipe.classifier != "softmax":
            return recipe  # not trained by epochs
        if not recipe.on_features:
            changes = self._trained_changes | changes
            recipe = RECIPES[mode].adapted(pretrained, seed=seed, **changes)
        trained = None if recipe.on_features else self.trained_epochs
        most = min(filter(None, (recipe.epochs, self.epochs, trained)))
        return recipe.adapted(pretrained, epochs=most)


def read_weights(given, networks):
    """Which weights each network starts from.

    Args:
        given: list of folders, in which files begin with a network's name, and of strings that
            name a network and its weights, e.g. `VGG19:imagenet` or `ResNet50:FILE`; empty for
            ImageNet's as Keras has them, of every network.
        networks: names of the paper's.

    Returns:
        dict network -> the string that names it with its weights; a network without is absent.

    Raises:
        InputError: no such folder or file, two files of one network, another network.
    """
    if not given:
        return {network: f"{network}:{IMAGENET}" for network in networks}
    found = {}
    for text in given:
        if Path(text).is_dir():
            found |= _files_of(Path(text), networks)
            continue
        if ":" not in text:
            raise InputError(f"weights are {text!r}: no folder, nor NETWORK:FILE")
        spec = zoo.parse(text)
        require("network", spec.architecture, networks, " in this paper")
        if not spec.weights:
            raise InputError(f"weights are {text!r}; accepted: a file, or {IMAGENET}")
        spec.check()
        found[spec.architecture] = spec.text
    return found


def _files_of(folder, networks):
    """dict network -> string of the weights files in a folder whose names begin with networks'."""
    found = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.lower().replace("_", "").replace("-", "")
        named = [name for name in zoo.NETWORKS if stem.startswith(name.lower())]
        network = max(named, key=len, default=None)
        if network in networks and path.suffix in ENDINGS:
            if network in found:
                other = zoo.parse(found[network]).weights
                raise InputError(
                    f"{other} and {path} may both be weights of {network}; give {network}:FILE"
                )
            found[network] = f"{network}:{path}"
    return found


def check_only(only, networks):
    """The networks asked for, as a tuple; InputError for one that the paper has not."""
    for name in only:
        require("network", name, networks, " in this paper")
    return tuple(dict.fromkeys(only))
