"""Where a paper's items are made: whose pictures, which weights, what size, how many epochs.

A Place answers with Data and Stages, or with what is lacking, in words.
"""

import re
import shutil
import zipfile
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
from transfer.result_folder import result_folder, sha256

FIRST_SEED = 42  # the released code's; further ones follow it
# of the small collections, unless something else is asked for: on 2 cores a network of the paper
# sees about 10 pictures/s of this size while it is trained
SMALL_SIZE = 128
SMALL_EPOCHS = 6  # of runs that train the network; a head on features is quick, and has its own
UNPACKED = "unpacked"  # folder beside the data sets, for small collections that come as a zip file
RANDOM = "random"  # the start of a network without weights
NAMED = re.compile(r"([a-z][a-z0-9_]*)=(.+)", re.ASCII | re.DOTALL)  # NAME=NETWORK:FILE
CAFFE_PREFIX = re.compile("^bvlc(reference)?")  # of the files in Caffe's model zoo


@dataclass(frozen=True)
class Substitute:
    """A small collection in the place of a paper's.

    folder: below that of all small ones, with metadata.csv and images/; or a zip file of that name
    that holds it. dataset_name: of its results. challenge, split, min_pictures: see
    transfer.dataset.Data. where: pairs of a column and a value of its rows. sample: of so many
    pictures only, unless all are asked for (Place.full). collection: name in transfer.collections
    of what reads the folder, where that tells more than its CSV (a timeframe from the year).
    """

    folder: str
    dataset_name: str
    challenge: str
    where: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    min_pictures: int = 1
    sample: int | None = None
    collection: str | None = None

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
    fields that runs on small collections which train layers have instead of the paper's. starts:
    dict of the name of a start, of several that one network has -> (network, what the names of its
    published weights files begin with). stand_ins: of networks, those that are used only while
    nothing is there of the ones before them. own_size: networks that take pictures of their own
    size alone.
    """

    name: str
    title: str
    networks: tuple[str, ...]
    collections: dict
    small: dict
    items: tuple
    small_changes: dict = field(default_factory=dict)
    starts: dict = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    own_size: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where the items of a paper are made.

    paper: Paper. results_path, datasets_path: folders of results and of stored pictures.
    collections: folder that holds each collection of the paper in a folder of its name; or small:
    the folder of the small ones. weights: dict network -> the string that names it with its weights
    (see read_weights). starts: dict network -> dict name -> the same of its further starts (see
    read_starts). only: networks that count, () for all. input_size: None for each network's own.
    epochs: at most; None for the recipe's. trained_epochs: the same for runs that train the
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
    starts: dict = field(default_factory=dict)
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
        epochs = f"at most {self.epochs} epochs" if self.epochs else "epochs as in the paper"
        if self.trained_epochs and not self.epochs:
            epochs = f"at most {self.trained_epochs} epochs where the network is trained"
        changes = [f"{name} {value}" for name, value in self._trained_changes.items()]
        trained = f"; where layers are trained {', '.join(changes)}" if changes else ""
        seeds = ", ".join(map(str, self.seeds))
        return f"{whose}; {self._told_size}; {epochs}{trained}; seeds {seeds}{self._told_stand_in}"

    @property
    def network(self):
        """The first of the paper's networks of which there are weights; of none the first."""
        there = [name for name in self._asked if name in self.weights or self.starts.get(name)]
        return (there or self._asked)[0]

    @property
    def _asked(self):
        """Names of the paper's networks that count: list."""
        return [name for name in self.paper.networks if not self.only or name in self.only]

    @property
    def stands_in(self):
        """Whether `network` is one that stands in another's place."""
        return self.network in self.paper.stand_ins

    @property
    def _told_stand_in(self):
        first = self.paper.networks[0]
        excluded = self.only and first not in self.only
        why = "which was not asked for" if excluded else "of which no weights are there"
        return f"; {self.network} in the place of {first}, {why}" * self.stands_in

    @property
    def _told_size(self):
        """The side of the pictures in words; of networks that take their own size alone, theirs."""
        used = [name for name in self._asked if name not in self.paper.stand_ins]
        used = [self.network] if self.stands_in else used
        own = [name for name in used if name in self.paper.own_size]
        if not self.input_size or own == used:
            return "each network's own picture size"
        size = f"{self.input_size} pixels"
        return size + f" (each its own picture size: {', '.join(own)})" * bool(own)

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
            if folder.with_suffix(".zip").is_file():
                return ""
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
        if not folder.is_dir():
            folder = unpack(folder.with_suffix(".zip"), self.datasets_path / UNPACKED)
        named = ("where", "split", "min_pictures", "sample")
        fields = {name: getattr(small, name) for name in named}
        if small.collection:
            return collection_data(
                *(small.collection, folder, small.challenge, self.datasets_path),
                dataset_name=small.dataset_name,
                **fields,
            )
        return Data(
            *(small.dataset_name, small.challenge, self.datasets_path),
            *(folder / "metadata.csv", folder / "images"),
            **fields,
        )

    def start_of(self, network, name=None):
        """The string that names a network with the weights of a start; None where there are none.

        Args:
            network: of the paper.
            name: of one of its further starts, RANDOM, or None for the network's own weights.
        """
        if name is None:
            return self.weights.get(network)
        return network if name == RANDOM else self.starts.get(network, {}).get(name)

    def stages(self, dataset, challenge, network, mode, before=None, start=None, **changes):
        """The Stages of a run, one for each seed; or text: what is lacking.

        Args:
            dataset, challenge, network: of the paper.
            mode: name of a recipe; one from scratch needs no weights.
            before: what stages() gave of the run whose network it starts from; None for the
                network's weights.
            start: as for start_of.
            changes: fields of the Recipe.
        """
        scratch = RECIPES[mode].initial_weights == "he_uniform"
        random = scratch or start == RANDOM
        weights = network if scratch else self.start_of(network, start)
        data = self.data(dataset, challenge)
        lacks = [data] if isinstance(data, str) else []
        if self.only and network not in self.only:
            lacks.append(f"{network} was not asked for")
        elif isinstance(before, str):
            lacks.append(f"to start from: {before}")
        elif not (before or weights):
            lacks.append(f"no weights file of {network}" + (f", start {start}" if start else ""))
        if lacks:
            return "; ".join(lacks)
        size = None if network in self.paper.own_size else self.input_size
        starts = before or (weights,) * len(self.seeds)
        return tuple(
            Stage(data, of_seed, self._recipe(mode, seed, not random, changes), size)
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


def unpack(path, folder):
    """Where the collection in a zip file lies unpacked; it is unpacked there if need be.

    Args:
        path: of the file, NAME.zip; what is in it may lie in a folder of that name.
        folder: Path that unpacked collections lie in.

    Returns:
        Path of a folder, named by the file's content.

    Raises:
        InputError: it is no zip file.
    """
    digits = 16  # of the digest, as data sets have them
    with result_folder(folder / f"{path.stem}-{sha256(path)[:digits]}") as result:
        if not result.finished:
            try:
                with zipfile.ZipFile(path) as file:
                    file.extractall(result.path)  # never outside of it
            except zipfile.BadZipFile as error:
                shutil.rmtree(result.path, ignore_errors=True)
                raise InputError(f"{path} is damaged or no zip file: {error}") from error
    inner = result.final / path.stem
    return inner if inner.is_dir() else result.final


def read_weights(given, networks):
    """Which weights each network starts from.

    Args:
        given: list of folders, in which files begin with a network's name (those of Caffe's model
            zoo with bvlc_ before it), and of strings that name a network and its weights, e.g.
            `VGG19:imagenet` or `ResNet50:FILE`; empty for ImageNet's as Keras has them. Those that
            name a start too (see read_starts) are passed over.
        networks: names of the paper's.

    Returns:
        dict network -> the string that names it with its weights; a network without is absent.

    Raises:
        InputError: no such folder or file, two files of one network, another network.
    """
    if not given:
        # of our own networks Keras has no weights
        return {name: f"{name}:{IMAGENET}" for name in networks if name not in zoo.OWN}
    found = {}
    for text in given:
        if Path(text).is_dir():
            found |= _files_of(Path(text), networks)
        elif not NAMED.fullmatch(text):
            network, string = _with_weights(text, networks)
            found[network] = string
    return found


def read_starts(given, networks, published):
    """Which further starts networks have: several weights files of one network, each by a name.

    Args:
        given: as for read_weights; `hybrid=CaffeNet:FILE` names a start, and in folders files that
            begin as published ones do.
        networks: names of the paper's.
        published: dict as Paper.starts.

    Returns:
        dict network -> dict name -> the string that names the network with these weights.

    Raises:
        InputError: no such file, another network, two files of one start, the name RANDOM.
    """
    found = {}

    def add(name, network, string):
        other = found.setdefault(network, {}).setdefault(name, string)
        if other != string:
            raise InputError(f"{other} and {string} may both be the start {name}; give one")

    for text in given:
        named = NAMED.fullmatch(text)
        if named and not Path(text).is_dir():
            name, string = named.groups()
            if name == RANDOM:
                raise InputError(f"weights are {text!r}; a {RANDOM} start has none: give another")
            add(name, *_with_weights(string, networks))
    given_by_name = {(network, name) for network, of in found.items() for name in of}
    for folder in [Path(text) for text in given if Path(text).is_dir()]:
        for path in sorted(folder.iterdir()):
            for name, (network, start) in published.items():
                fits = network in networks and _stem(path).startswith(start)
                if fits and path.suffix in ENDINGS and (network, name) not in given_by_name:
                    add(name, network, f"{network}:{path}")
    return found


def _with_weights(text, networks):
    """(network, the string) of a text that names a network of the paper with weights."""
    if ":" not in text:
        raise InputError(f"weights are {text!r}: no folder, nor NETWORK:FILE")
    spec = zoo.parse(text)
    require("network", spec.architecture, networks, " in this paper")
    if not spec.weights:
        raise InputError(f"weights are {text!r}; accepted: a file, or {IMAGENET}")
    spec.check()
    return spec.architecture, spec.text


def _stem(path):
    """The name of a weights file, by which it is known: small letters and digits."""
    return path.name.lower().replace("_", "").replace("-", "")


def _files_of(folder, networks):
    """dict network -> string of the weights files in a folder whose names begin with networks'."""
    found = {}
    for path in sorted(folder.iterdir()):
        stem = CAFFE_PREFIX.sub("", _stem(path))
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
