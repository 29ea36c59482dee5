"""What fine-tuning changed: networks, a collection, settings -> a folder of all that follows.

Gonthier et al. 2020, sections 3.1 to 3.5. One pass of the pictures through the networks; numbers of
channels and layers from its scores; optimized images where they are asked for; tables, figures, a
summary and the atlas.

Keras is imported where networks are opened: settings are checked without it.
"""

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import weights, zoo
from models.errors import InputError
from transfer import variants
from transfer.dataset import REPORT, Data
from transfer.pictures import DECODING, find_pictures
from transfer.progress import Progress
from transfer.result_folder import check_writable, is_finished, named, result_folder, sha256
from transfer.splits import SPLITS
from visualization import shards
from visualization.channel_images import PRECISIONS, Settings

STATISTICS = ("mean_after_relu", "mean", "max")  # as activations.STATISTICS, known without Keras
PARTS = (*SPLITS, "all")
# section 3.4 of the paper: 100, and 1000 for comparison
DEFAULT_K = (100, 1000)
KEYS = ("a", "b", "c")  # of the networks: before, after, yardstick
# in the result folder
SCORES, IMAGES, CHANNELS, SCRATCH = "scores", "images", "channels.csv", "scratch"
WORTH = f"{SCORES}/*"  # what an interrupted comparison goes on from


@dataclass(frozen=True)
class Images:
    """Which optimized images are wanted, and how they are made and judged.

    choices: channel_choice.Choices. steps, size: as visualization.channel_images.Settings; the
    defaults are the paper's. dtype: precision of the ascent. judge: the network, as models.load
    takes it, in which the distance of two images is measured, None for the first one. judge_layer:
    its layer, None for the middle one. optimized_a, optimized_b: folders of images of the first and
    the second network that were made elsewhere, None for none.

    Raises:
        InputError: a number that cannot be.
    """

    choices: tuple = ()
    steps: int = 2048
    size: int = 224
    dtype: str = "float32"
    judge: str | None = None
    judge_layer: str | None = None
    optimized_a: Path | None = None
    optimized_b: Path | None = None

    def __post_init__(self):
        for name, value in (("steps", self.steps), ("size_of_images", self.size)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be above 0")
        if self.dtype not in PRECISIONS:
            raise InputError(f"dtype is {self.dtype!r}; accepted: {', '.join(PRECISIONS)}")
        for key in ("a", "b"):
            folder = getattr(self, f"optimized_{key}")
            if folder is not None and not Path(folder).is_dir():
                raise InputError(f"optimized_{key} is {folder}; accepted: a folder that exists")
        if len(self.given) == 1 and not self.choices:
            (key,) = self.given
            raise InputError(
                f"optimized_{key} is {self.given[key]}, and a channel needs an image in both "
                "networks; accepted: the other network's folder too, or optimize, which makes them"
            )

    @property
    def given(self):
        """Network's key -> folder of images that were made elsewhere."""
        folders = {"a": self.optimized_a, "b": self.optimized_b}
        return {key: folder for key, folder in folders.items() if folder is not None}


@dataclass(frozen=True)
class Comparison:
    """What is compared, on what, and how.

        comparison = Comparison("GoogLeNet:FILE.caffemodel", "results/.../model.keras", data)
        differences.compare(comparison, "results/changed")

    before, after, yardstick: networks as models.load takes them; the last None for none. data: the
    labelled pictures. statistic: one of STATISTICS. part: one of PARTS that everything is computed
    on; None for top sets on train and CKA on test, as in the paper. ks: sizes of top sets, () for
    those of DEFAULT_K that are smaller than the number of pictures. layers: names in the first
    network, () for all. layer_map: path of a CSV, see layer_pairs.read_map; None to match names.
    input_size: side of the pictures in pixels, None for the networks' own. batch_size: pictures at
    once. seed: of draws and images. images: Images. names: what the networks are called in tables
    and figures, in the order of the networks; () for the ends of their paths.

    Raises:
        InputError: a value that cannot be.
    """

    before: str
    after: str
    data: Data
    yardstick: str | None = None
    statistic: str = STATISTICS[0]
    part: str | None = None
    ks: tuple = ()
    layers: tuple = ()
    layer_map: Path | None = None
    input_size: int | None = None
    batch_size: int = 32
    seed: int = 0
    images: Images = Images()
    names: tuple = ()

    def __post_init__(self):
        self.data.check_one_label()
        if self.names and len(self.names) != len(self.networks):
            raise InputError(
                f"names are {', '.join(self.names)}; accepted: one for each of the "
                f"{len(self.networks)} networks"
            )
        for name, accepted in (("statistic", STATISTICS), ("part", (None, *PARTS))):
            if getattr(self, name) not in accepted:
                names = ", ".join(filter(None, accepted))
                raise InputError(f"{name} is {getattr(self, name)!r}; accepted: {names}")
        for name in ("input_size", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it must be above 0")
        for k in self.ks:
            if k < 1:
                raise InputError(f"k is {k}; it must be above 0")
        if self.data.jpg_images_path is None:
            raise InputError("images are needed: a folder of pictures")
        if self.layer_map is not None and not Path(self.layer_map).is_file():
            raise InputError(f"layer_map is {self.layer_map}; accepted: a CSV file")
        # the ascent's settings are checked before Keras starts
        Settings(self.before, "", steps=self.images.steps, size=self.images.size, seed=self.seed)

    @property
    def networks(self):
        """Key -> what names the network."""
        named = zip(KEYS, (self.before, self.after, self.yardstick), strict=True)
        return {key: text for key, text in named if text}

    @property
    def parts(self):
        """Which parts of the split the top sets come from, and which CKA is computed on."""
        if self.part is None:
            return {"top": ("train",), "cka": ("test",)}
        parts = SPLITS if self.part == "all" else (self.part,)
        return {"top": parts, "cka": parts}


@dataclass(frozen=True)
class Opened:
    """A Comparison with what it names opened.

    networks: key -> models.network.Network. size: side of the pictures in pixels. layers: key ->
    tuple of layer_pairs.Layer, those that are looked at. matches: layer_pairs.Matches.
    """

    comparison: Comparison
    networks: dict
    size: int
    layers: dict
    matches: Any

    @property
    def models(self):
        """Key -> keras.Model."""
        return {key: network.model for key, network in self.networks.items()}

    @property
    def scored(self):
        """Key -> names of the layers that pictures are scored at, tuple of str."""
        return {
            key: tuple(layer.name for layer in layers if not layer.is_joined)
            for key, layers in self.layers.items()
        }

    @property
    def names(self):
        """Key -> what the network is called where people read it."""
        given = self.comparison.names or [network.title for network in self.networks.values()]
        titles = zip(self.networks, given, strict=True)
        return {key: f"{key.upper()}: {' '.join(title.split())}" for key, title in titles}

    @property
    def told(self):
        """What is not compared, and why: list of lines."""
        matches, names = self.matches, self.names
        if not matches.layers:
            return [
                "the networks have no layer in common, by name or by layer_map: entropy is told of "
                "each by itself, and CKA of every layer with every other; overlap, CKA layer by "
                "layer, kernel distances and the atlas need a match"
            ]
        told = [
            f"layers that {names[key]} has alone: {', '.join(alone)}"
            for key, alone in matches.alone.items()
            if alone
        ]
        single = [match for match in matches.layers if not match.is_joined]
        wide = [match.name for match in single if not match.has_same_channels(*KEYS[:2])]
        if wide:
            told.append(
                "not compared channel by channel, since they have other numbers of them: "
                + ", ".join(wide)
            )
        return told

    def identity(self, collection):
        """Everything that decides the numbers, but those of images, for JSON.

        Args:
            collection: key of the pictures, see picture_list.collection_key.
        """
        asked = self.comparison
        return {
            "networks": {k: weights.fingerprint(model) for k, model in self.models.items()},
            "input_size": self.size,
            "statistic": asked.statistic,
            "parts": asked.parts,
            "k": list(asked.ks or DEFAULT_K),
            "layers": list(asked.layers),
            "layer_map_sha256": asked.layer_map and sha256(asked.layer_map),
            "seed": asked.seed,
            "data": collection,
            "decoding": DECODING,
        }


def check(comparison, out):
    """Refuse what can be known to be wrong without Keras.

    Args:
        comparison: Comparison.
        out: path of the result folder.

    Raises:
        InputError: naming it.
    """
    for text in filter(None, (*comparison.networks.values(), comparison.images.judge)):
        zoo.parse(text).check()
    spec = zoo.parse(comparison.before)
    for name in comparison.layers if spec.file else ():
        weights.check_layer(spec.file, name)
    if not Path(out).exists():
        check_writable(out)


def compare(comparison, out, say=print, joining=False):
    """Compute all that is asked for into a folder, or find it finished.

    The same comparison finds its result; interrupted, it goes on. Images that are asked for later
    are added to a finished one without a new pass. Of parts of the pass that lie there (see
    score_part) the scores are taken.

    Args:
        comparison: Comparison.
        out: path of the result folder.
        say: called with lines of text.
        joining: to score no picture that no part has, but to say which parts are missing.

    Raises:
        InputError: what cannot be compared, told before the pass where it can be known then; parts
            of another comparison; a part that is missing.
        OSError: a full disk.
    """
    from visualization import change_images, change_numbers, picture_list, picture_pass

    out = named(out)
    compared = open_compared(comparison, say)
    collection = picture_list.collection_key(comparison.data, out, say)
    identity = compared.identity(collection)
    with result_folder(out, identity, WORTH, SCRATCH, say) as result:
        if result.finished:
            channels = change_numbers.read_channels(result.path / CHANNELS)
            if not change_images.missing(compared, channels, result.path / IMAGES):
                say(f"already finished: {out}")
                shards.remove(out)
                return
            say("the numbers are finished: adding images, no new pass")
            result.reopen()
        picture_pass.take_list(out, collection, result.path)

        def gather(files, folder):
            picture_pass.join_parts(compared, out, identity, files, folder, joining, say)

        _fill(compared, result, _refused(out), gather, say)
    shards.remove(out)
    say(f"results in {out}")


def compare_part(comparison, out, shard, say=print):
    """Score one part of a comparison's pictures, for `compare` to join; or find it finished.

    Args:
        comparison, out, say: as for compare.
        shard: shards.Shard.

    Raises:
        InputError: as compare.
        OSError: a full disk.
    """
    from visualization import picture_list, picture_pass

    out = named(out)
    compared = open_compared(comparison, say)
    collection = picture_list.collection_key(comparison.data, out, say)
    identity = compared.identity(collection)
    if is_finished(out, identity):
        say(f"already finished: {out}")
        return
    everything = picture_pass.list_pictures(compared, out, collection, _refused(out), say)
    _refused(out).unlink(missing_ok=True)
    pictures = _chosen(compared, everything, say)[0]
    picture_pass.score_part(compared, out, identity, pictures.files, shard, say)


def usual_parts(comparison):
    """How many parts the pass has by default: of at most shards.PICTURES_IN_PART pictures."""
    data = comparison.data
    count = len(find_pictures(data.jpg_images_path, data.pictures_glob))
    return shards.usual_count(count, shards.PICTURES_IN_PART)


def _refused(out):
    """Where it stands what is left out, if the pictures cannot be used."""
    return out.with_name(f"{out.name}.{REPORT}")


def open_compared(comparison, say=print):
    """Open the networks of a comparison and find what they have in common.

    Raises:
        InputError: no such network, one without convolutions or that takes no square RGB pictures,
            sizes that differ, layers that are not there; images that cannot be made or judged.
    """
    from models.network import check_takes_pictures, load
    from visualization import change_images

    networks = {key: load(text) for key, text in comparison.networks.items()}
    for line in variants.lines_on_whole(networks.values()):
        say(line)
    size = common_size(networks, comparison.input_size)
    for network in networks.values():
        check_takes_pictures(replace(network, size=size))
    compared = Opened(comparison, networks, size, *_looked_at(comparison, networks))
    for line in compared.told:
        say(line)
    change_images.check(compared)  # now: a pass may take days, and a finished result stays whole
    return compared


def _looked_at(comparison, networks):
    """(Layers that are looked at, layer_pairs.Matches), as in Opened; see open_compared."""
    from visualization import layer_pairs

    layers = {key: layer_pairs.layers_of(network.model) for key, network in networks.items()}
    pairs = layer_pairs.read_map(comparison.layer_map) if comparison.layer_map else None
    matches = layer_pairs.match(layers, pairs)  # of all layers, that a map may name
    if not comparison.layers:
        return layers, matches
    layers["a"] = layer_pairs.chosen(layers["a"], comparison.layers, comparison.before)
    if pairs is not None:
        names = {layer.name for layer in layers["a"]}
        pairs = {before: after for before, after in pairs.items() if before in names}
    matches = layer_pairs.match(layers, pairs)
    if not matches.layers:
        return layers, matches
    for key in list(layers)[1:]:
        names = {match.of[key].name for match in matches.layers if key in match.of}
        layers[key] = tuple(layer for layer in layers[key] if layer.name in names)
    return layers, replace(matches, alone={**matches.alone, "b": ()})


def common_size(networks, asked=None):
    """The side of the pictures that all networks are fed, in pixels.

    Args:
        networks: key -> models.network.Network.
        asked: pixels, or None for the networks' own.

    Raises:
        InputError: they have different sizes, or leave it open, and none is asked for.
    """
    sizes = {network.spec: network.size for network in networks.values()}
    known = {size for size in sizes.values() if size}
    if asked or len(known) == 1:
        return asked or known.pop()
    if not known:
        raise InputError("the networks take pictures of any size; give input_size")
    told = ", ".join(f"{name} {size or 'any'}" for name, size in sizes.items())
    raise InputError(
        f"the networks take pictures of different sizes ({told} pixels), and what another size "
        "changes could not be told from what training changed; give input_size, at which all are "
        "run up to their last convolution"
    )


@dataclass(frozen=True)
class Made:
    """What a comparison came to, for tables, figures, the summary and the atlas.

    compared: Opened. everything: picture_list.Pictures of all parts. pictures: those of the parts
    that count. views: change_numbers.Views. numbers: change_numbers.Numbers. judged: of
    change_images.make, None without images. seconds: what was done -> how long it took.
    """

    compared: Opened
    everything: Any
    pictures: Any
    views: Any
    numbers: Any
    judged: Any
    seconds: dict


class Clock:
    """Notes how long things take, in whole seconds; `seconds`: what they took before."""

    def __init__(self, seconds=None):
        self.seconds = dict(seconds or {})

    @contextlib.contextmanager
    def of(self, what):
        """Time a block."""
        started = time.monotonic()
        yield
        before = self.seconds.get(what, 0)
        self.seconds[what] = before + round(time.monotonic() - started)


def _fill(compared, result, refused, gather, say):
    """Compute and write what a result folder holds.

    refused: see picture_list.open_pictures. gather: see score.
    """
    from models import backend
    from visualization import change_images, change_numbers, change_pages, change_report
    from visualization.picture_list import open_pictures

    folder, clock = result.path, Clock(result.about.get("seconds"))
    everything = open_pictures(compared.comparison.data, folder, refused, say)
    refused.unlink(missing_ok=True)
    with clock.of("pass of the pictures"):
        pictures, views = score(compared, everything, folder / SCORES, say, gather)
    with clock.of("numbers"):
        progress = Progress(change_numbers.steps(views), "layers compared")
        numbers = change_numbers.compute(
            views, compared.models, folder / SCORES / "cka.json", progress
        )
    with clock.of("images"), backend.one_device():
        scratch = folder / SCRATCH
        judged = change_images.make(compared, views, numbers, folder / IMAGES, scratch, say)
    made = Made(compared, everything, pictures, views, numbers, judged, clock.seconds)
    change_report.write_tables(made, folder)
    with clock.of("figures and atlas"):
        change_pages.write(made, folder, say)
    change_report.write_summary(made, folder)
    result.about["seconds"] = clock.seconds


def score(compared, everything, folder, say=print, gather=None):
    """Score the pictures of the parts that count in one pass, or go on with one.

    Args:
        compared: Opened.
        everything: picture_list.Pictures of all parts.
        folder: Path where the scores lie.
        say: called with lines of text.
        gather: function (picture files, folder) that puts scores there which were made elsewhere;
            None for none.

    Returns:
        (picture_list.Pictures of these parts, change_numbers.Views).

    Raises:
        InputError: a part that is too small, a K too large; NaN in a network.
    """
    from visualization import picture_pass

    pictures, top, cka, ks = _chosen(compared, everything, say)
    folder.mkdir(exist_ok=True)
    if gather:
        gather(pictures.files, folder)
    scores = picture_pass.score_all(compared, pictures.files, folder, say)
    views = _views(compared, scores, pictures, top, cka, ks)
    if not views.tells_classes:
        say(f"all pictures are of one class, {pictures.classes[0]}: entropy cannot be told")
    return pictures, views


def _chosen(compared, everything, say):
    """(Pictures of the parts that count, which are for top sets, which for CKA, sizes of top sets).

    Raises:
        InputError: a part that is too small, a K too large.
    """
    from visualization.similarity import FEWEST_PICTURES

    asked = compared.comparison
    pictures = everything.only({*asked.parts["top"], *asked.parts["cka"]})
    top, cka = pictures.of(asked.parts["top"]), pictures.of(asked.parts["cka"])
    ks = top_sizes(asked.ks, int(top.sum()), say)
    if cka.sum() < FEWEST_PICTURES:
        raise InputError(
            f"the part {' and '.join(asked.parts['cka'])} has {cka.sum()} pictures; CKA needs "
            f"{FEWEST_PICTURES} or more"
        )
    return pictures, top, cka, ks


def _views(compared, scores, pictures, top, cka, ks):
    """change_numbers.Views of scores; top, cka: which pictures count for these, bool."""
    from visualization.change_numbers import Views

    numbers = np.asarray(next(iter(scores.values())).numbers)  # of those that could be read
    rows = np.flatnonzero(top[numbers])
    return Views(
        scores,
        compared.matches,
        compared.layers,
        rows,
        np.flatnonzero(cka[numbers]),
        pictures.labels[numbers[rows]],
        pictures.classes,
        ks,
        compared.comparison.seed,
    )


def top_sizes(asked, count, say=print):
    """The sizes of top sets: those that are asked for, or the defaults that fit.

    A top set of all pictures would be the same in every network: K must be below their number.

    Args:
        asked: numbers, () for DEFAULT_K.
        count: of pictures that top sets come from.
        say: called with a line where a default is left out.

    Raises:
        InputError: one that is too large, or no default fits.
    """
    fitting = tuple(k for k in asked or DEFAULT_K if k < count)
    large = [k for k in asked or DEFAULT_K if k >= count]
    if large and (asked or not fitting):
        raise InputError(
            f"k is {large[0]}, and top sets come from {count} pictures; accepted: below {count}, "
            "as a top set of all of them would be the same in every network"
        )
    if large:
        say(f"no top {large[0]}: top sets come from {count} pictures")
    return fitting
