"""Scores of pictures at the channels of layers: every picture of a collection in one pass, kept.

    networks, layers = {"a": before, "b": after}, {"a": names, "b": names}
    scores = score_pictures(networks, layers, batches, folder, 224)
    scores["b"].score("mixed4d_3x3_pre_relu")  # (pictures, channels)

For every channel of a layer, on every picture: a statistic of its map, the map's maximum and where
that lies. The map of a convolution is its output, after a batch normalisation that directly and
alone follows it; of a convolution with an activation of its own it is the output as it is, and so
of any other layer. Networks share the pass, so that each picture is read and decoded once.

The numbers go into part files, each whole or absent, so that a killed pass goes on behind the last
of them; at the end they are joined into one file, scores.h5, layer by layer. In both a group for
each network holds one for each layer, in order, with the data sets `score`, `maximum` and `place`,
(pictures, channels); `numbers` beside the networks are the pictures' places in their source.

A pass may be made in pieces, by processes of their own: `score_piece` leaves the part files of some
pictures in a folder, `join_pieces` makes of several folders the scores.h5 that one pass makes, to
the byte.
"""

import contextlib
import functools
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import keras
import numpy as np
from keras import ops

from models import backend, graph
from models.errors import InputError
from models.graph import cut
from models.inception_v1 import JoinedBranches
from models.network import as_network, warn_of_unit_range
from transfer import inference, pictures
from transfer.progress import Progress
from transfer.result_folder import TEMPORARY, open_whole
from visualization.saliency.visual_backprop import ACTIVATIONS, CONVOLUTIONS

AT_A_TIME = 8  # pictures
# mean of max(0, map), Gonthier et al. 2020, section 3.1; mean and maximum as their code offers them
STATISTICS = ("mean_after_relu", "mean", "max")
SCORES = "scores.h5"
PART = "part-{}.h5"
PART_PICTURES = 256  # in a part, or fewer where they take PART_BYTES: what a killed pass loses
PART_BYTES = 2**25
KINDS = ("score", "maximum", "place")  # the data sets of a layer, float32 and int32
# of the chunks: fast, and what every HDF5 library reads
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
# what changes values one by one (softmax does not), beside layers of activations
ELEMENTWISE = (
    *ACTIVATIONS,
    keras.layers.BatchNormalization,
    keras.layers.Rescaling,
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
)


def convolutions(model):
    """Name every convolution of a network, in the order of its graph.

    Args:
        model: keras.Model or models.network.Network. Convolutions are Conv2D, also in groups,
            DepthwiseConv2D and SeparableConv2D; those of networks inside it count.

    Returns:
        Tuple of str, as models.graph.find_layer takes them; () where there is none.

    Raises:
        InputError: no graph of layers.
    """
    model = as_network(model).model
    paths = _paths(model)
    called = [call.operation for call in graph.trace(model).calls]
    found = [paths[id(layer)] for layer in called if isinstance(layer, CONVOLUTIONS)]
    return tuple(dict.fromkeys(found))


def concatenations(model):
    """Find the layers that join whole convolutions, such as the end of an Inception module.

    A concatenation over channels counts where every branch is a convolution's channels and nothing
    else, after layers that change values one by one (batch normalisation, activations, dropout), or
    such a concatenation itself. Of several that join the same convolutions the last is named:
    `mixed4d`, not `mixed4d_pre_relu`.

    Args:
        model: keras.Model or models.network.Network.

    Returns:
        dict name -> tuple of convolutions' names, in the order of the channels; both as
        models.graph.find_layer takes them, in the order of the graph.

    Raises:
        InputError: no graph of layers.
    """
    model = as_network(model).model
    calls, paths = graph.trace(model).calls, _paths(model)
    held, found = {}, {}  # id of a tensor -> convolutions whose channels it is; these -> layer
    for call in calls:
        names = _held_by(call, calls, paths, held)
        if names:
            held[id(call.output)] = names
        if names and _branches(call) and id(call.operation) in paths:
            found[names] = paths[id(call.operation)]
    return {layer: names for names, layer in found.items()}


def _held_by(call, calls, paths, held):
    """Names of the convolutions whose channels a call gives, or None."""
    layer, branches = call.operation, _branches(call)
    if isinstance(layer, CONVOLUTIONS):
        return (paths[id(layer)],) if _called_once(layer, calls) else None
    if branches:
        parts = [held.get(id(branch)) for branch in branches]
        return sum(parts, ()) if all(parts) else None
    if len(call.inputs) == 1 and _is_elementwise(layer):
        return held.get(id(call.inputs[0]))
    return None


def _called_once(layer, calls):
    """Whether a layer has one output; of several, models.graph.cut would take one."""
    return sum(call.operation is layer for call in calls) == 1


def _branches(call):
    """The tensors that a call joins along channels; () for another call."""
    if isinstance(call.operation, JoinedBranches):
        return call.inputs[1:]
    joins = type(call.operation).__name__ == "Concatenate"  # the layer, or that of keras.ops
    rank = len(call.inputs[0].shape) if call.inputs else 0
    return call.inputs if joins and call.operation.axis in (-1, rank - 1) else ()


def _is_elementwise(operation):
    kept = graph.activation_name(operation) in graph.ACTIVATIONS  # also those of keras.ops
    kept = kept and not isinstance(operation, CONVOLUTIONS)
    softmax = graph.activation_name(operation) == "softmax"
    return (kept or isinstance(operation, ELEMENTWISE)) and not softmax


def _paths(model):
    """Names as find_layer takes them, by the id of the layer; the first of each."""
    paths = {}
    for path in graph.layer_names(model):
        paths.setdefault(id(graph.find_layer(model, path)), path)
    return paths


def score_pictures(
    networks, layers, batches, folder, size, statistic="mean_after_relu", progress=None, batch=0
):
    """Score every picture at every channel of some layers of some networks, in one pass.

    Args:
        networks: dict name -> keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        layers: dict name of a network -> names of its layers, as models.graph.find_layer takes
            them. A layer gives (N, H, W, C) or, without places, (N, C).
        batches: a source of transfer.inference, with pictures (n, size, size, 3) in [0, 255].
        folder: of scores.h5 and, before it, the parts; it exists. Scores found there are not
            computed again, and a killed pass goes on, so it belongs to one set of networks and
            pictures, and to one batch size (transfer.result_folder tells these apart).
        size: side of the pictures in pixels.
        statistic: what the score is: `mean_after_relu`, the mean of max(0, map), whatever
            activation follows; `mean`, that of the map as it is; `max`, its maximum.
        progress: transfer.progress.Progress over all of the source's pictures, or None.
        batch: pictures that are computed at once, to which smaller batches are filled up; 0 for as
            many as there are in the largest so far.

    Returns:
        dict name of a network -> Scores.

    Raises:
        InputError: a layer or size that a network does not have or take; another statistic; a
            score that is NaN or infinite; no pictures, or none that can be read; a folder with
            scores of other layers, statistic or size, or with a damaged scores.h5.
        OSError: a full disk; the parts that are whole stay, and the same call goes on.
    """
    folder = Path(folder)
    asked = _asked(networks, layers, size, statistic)
    if not (folder / SCORES).exists():
        _collect(networks, asked, batches, folder, progress, batch)
        _join(_rows_in([Piece(folder)]), asked, folder / SCORES)
    with _opened(folder / SCORES) as file:
        _check_held(file, asked)
    for path in folder.glob(PART.format("*")):
        path.unlink()
    return {name: Scores(folder / SCORES, name) for name in networks}


def score_piece(networks, layers, batches, folder, size, statistic, progress, batch):
    """Score some of the pictures that `score_pictures` would score in one pass; part files alone.

    Args:
        As for score_pictures. batches: a source of these pictures, whose first one is the first of
        a batch of the whole; none may be readable. batch: the same as of the whole.

    Raises:
        As score_pictures.
    """
    asked = _asked(networks, layers, size, statistic)
    _collect(networks, asked, batches, Path(folder), progress, batch)


@dataclass(frozen=True)
class Piece:
    """Part files in a folder.

    start: place of their source's first picture in the source of the whole. first: place of the
    first picture that is taken from here.
    """

    folder: Path
    start: int = 0
    first: int = 0


def join_pieces(pieces, networks, layers, folder, size, statistic="mean_after_relu"):
    """Make the scores.h5 that one pass makes of the pieces of it.

    Args:
        pieces: list of Piece, in the order of their pictures, each picture in one.
        networks, layers, folder, size, statistic: as for score_pictures.

    Raises:
        InputError: scores of other layers, statistic or size; pieces without any picture.
        OSError: a full disk.
    """
    asked = _asked(networks, layers, size, statistic)
    _join(_rows_in(pieces), asked, Path(folder) / SCORES)


@dataclass(frozen=True)
class Scores:
    """A network's scores of every picture, read from the file when they are asked for.

    path: of scores.h5. network: its name there. A layer that is not there is an InputError.
    """

    path: Path
    network: str

    @functools.cached_property
    def layers(self):
        """Names of the layers, as they were given: tuple of str."""
        with _opened(self.path) as file:
            return tuple(_held(file)["layers"][self.network])

    @functools.cached_property
    def numbers(self):
        """Places of the pictures in their source, growing: int64 (pictures,)."""
        with _opened(self.path) as file:
            return file["numbers"][:]

    def score(self, layer):
        """The statistic of every channel's map: float32 (pictures, channels)."""
        return self._read(layer, "score")

    def maximum(self, layer):
        """The maximum of every channel's map: float32 (pictures, channels)."""
        return self._read(layer, "maximum")

    def place(self, layer):
        """Where the maximum lies, the row times the map's width plus the column.

        int32 (pictures, channels); of several maxima the first in this order.
        """
        return self._read(layer, "place")

    def map_size(self, layer):
        """(height, width) of the layer's maps; (1, 1) of a layer without places."""
        with self._group(layer) as group:
            return tuple(group.attrs["map_size"].tolist())

    def _read(self, layer, kind):
        with self._group(layer) as group:
            return group[kind][:]

    @contextlib.contextmanager
    def _group(self, layer):
        if layer not in self.layers:
            raise InputError(
                f"{self.path} has no scores of {self.network} at layer {layer!r}; accepted: "
                f"{', '.join(self.layers)}"
            )
        with _opened(self.path) as file:
            yield file[_group_name(self.network, layer)]


class _Scorer:
    """One network, compiled: pictures -> [scores, maxima, places] at all channels of its layers.

    columns: dict layer -> slice, its channels in them. map_sizes: dict layer -> (height, width).
    """

    def __init__(self, network, layers, size, statistic):
        self.given = as_network(network)
        _check_weights(self.given)
        targets = map_layers(self.given.model, layers)
        trunk = cut(self.given.model, list(dict.fromkeys(targets)), (size, size))
        maps = [trunk.output[target] for target in targets]
        for layer, tensor in zip(layers, maps, strict=True):
            if len(tensor.shape) not in (2, 4):
                raise InputError(
                    f"layer {layer!r} of {self.given.spec} gives {tuple(tensor.shape)}; accepted: "
                    "maps (N, height, width, channels), or (N, features)"
                )
        ends = np.cumsum([0, *(tensor.shape[-1] for tensor in maps)]).tolist()
        self.columns = dict(zip(layers, map(slice, ends, ends[1:]), strict=True))
        sizes = [tensor.shape[1:-1] or (1, 1) for tensor in maps]
        self.map_sizes = dict(zip(layers, sizes, strict=True))
        model = keras.Model(trunk.input, _Reduced(statistic)(maps))
        self.forward = inference.halved(backend.forward(model))  # the batch itself stays as it is

    def check(self, numbers, outputs):
        """Refuse scores and maxima that are NaN or infinite: InputError."""
        wrong = ~np.isfinite(outputs[0]) | ~np.isfinite(outputs[1])
        if not wrong.any():
            return
        layer = next(name for name, columns in self.columns.items() if wrong[:, columns].any())
        row = wrong[:, self.columns[layer]].any(axis=1).argmax()
        raise InputError(
            f"{self.given.spec} gives NaN or infinity at layer {layer!r}, first for picture number "
            f"{numbers[row]}; accepted: networks of finite weights"
        )


def _check_weights(network):
    """Refuse weights that are NaN or infinite, which a ReLU may hide: InputError."""
    for path in network.layers:
        layer = graph.find_layer(network.model, path)
        weights = () if isinstance(layer, keras.Model) else layer.get_weights()
        if not all(np.isfinite(values).all() for values in weights):
            raise InputError(
                f"{network.spec} has weights that are NaN or infinite in layer {path!r}; accepted: "
                "finite ones"
            )


def map_layers(model, names):
    """Names of the layers that give the maps of layers: batch normalisations, or these layers."""
    traced, paths = graph.trace(model), _paths(model)
    readers = {}  # id of a tensor -> calls that read it
    for call in traced.calls:
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(call)

    def target(name):
        layer = graph.find_layer(model, name)
        if not isinstance(layer, CONVOLUTIONS) or graph.activation_name(layer) != "linear":
            return name
        following = readers.get(id(traced.output_of(layer)), [])
        after = following[0].operation if len(following) == 1 else None
        counts = isinstance(after, keras.layers.BatchNormalization)
        counts = counts and _called_once(after, traced.calls)
        return paths[id(after)] if counts else name

    return [target(name) for name in names]


class _Reduced(keras.layers.Layer):
    """Maps of several layers -> [scores, maxima, places], each (N, channels of all layers)."""

    def __init__(self, statistic):
        super().__init__()
        self._reduce = _reduction(statistic)

    def call(self, maps):
        found = [self._reduce(each) for each in maps]
        return [ops.concatenate(kind, axis=1) for kind in zip(*found, strict=True)]


@functools.cache  # compiled once for each shape of map, however many networks there are
def _reduction(statistic):
    """Compile the reduction of a layer's maps, (N, H, W, C) or (N, C), to three (N, C).

    The place is found by a second look for the maximum, which takes half the time of an argmax:
    that one goes through channels one by one.
    """

    def reduce(maps):
        places = math.prod(maps.shape[1:-1])
        flat = ops.cast(ops.reshape(maps, (-1, places, maps.shape[-1])), "float32")
        maximum = ops.max(flat, axis=1)
        # counted down, so that the first is the greatest; as float32, exact up to 2**24, since a
        # maximum of whole numbers takes twice as long
        left = ops.cast(places - ops.arange(places), "float32")[:, None]
        first = ops.max(ops.where(ops.equal(flat, maximum[:, None]), left, 0.0), axis=1)
        if statistic == "max":
            score = maximum
        else:
            score = ops.mean(flat if statistic == "mean" else ops.relu(flat), axis=1)
        return score, maximum, places - ops.cast(first, "int32")

    return backend.fused(reduce)


def _collect(networks, asked, batches, folder, progress, batch):
    """Leave part files of all pictures of a source in a folder."""
    size, layers = asked["size"], asked["layers"]
    scorers = {
        name: _Scorer(networks[name], layers[name], size, asked["statistic"]) for name in networks
    }
    parts = _Parts(folder, asked, scorers, batch)
    inference.collect(_in_turn(scorers, parts, size), batches, parts, progress)


def one_step(networks, layers, size, statistic, batch):
    """A function that scores a batch of black pictures, as score_pictures does.

    Args:
        networks, layers, size, statistic: as for score_pictures.
        batch: pictures.
    """
    scorers = [_Scorer(networks[name], layers[name], size, statistic) for name in networks]
    black = np.zeros((batch, size, size, 3), "float32")
    return lambda: [scorer.forward(black) for scorer in scorers]


def _in_turn(scorers, parts, size):
    """The function from a batch to the outputs of all networks, run on it one after another."""

    def score(batch):
        batch = np.asarray(batch, "float32")
        for scorer in scorers.values():
            _check_pictures(batch, size, scorer.given)
        # filled up: one compiled shape serves all batches, and a pass that goes on with a small
        # one gives the digits that it would have given
        parts.batch = max(parts.batch, len(batch))
        filled = batch[np.minimum(np.arange(parts.batch), len(batch) - 1)]
        return {name: scorer.forward(filled) for name, scorer in scorers.items()}

    return score


def _check_pictures(batch, size, network):
    if tuple(batch.shape[1:]) != (size, size, 3):
        raise InputError(f"pictures {tuple(batch.shape)}; accepted: (N, {size}, {size}, 3)")
    warn_of_unit_range(batch, network.spec)


class _Parts:
    """Collects scores in part files, each whole or absent.

    next: the first place that it has nothing of. batch: pictures computed at once, 0 before any.
    """

    def __init__(self, folder, asked, scorers, batch=0):
        self.next, self.batch = 0, batch
        self._folder, self._asked, self._scorers = folder, asked, scorers
        self._count = 0
        self._forget()
        for path in folder.glob(".*"):  # left by a process killed within open_whole
            if TEMPORARY.fullmatch(path.name):
                path.unlink()
        while self._find(self._path()):
            self._count += 1
        for path in set(folder.glob(PART.format("*"))).difference(_part_files(folder, self._count)):
            path.unlink()  # damaged, or behind one that is

    def _path(self):
        """Path of the next part file."""
        return self._folder / PART.format(f"{self._count:06d}")

    def _find(self, path):
        """Keep a part if it is there and whole; whether it is."""
        try:
            with h5py.File(path) as file:
                _check_held(file, self._asked)
                self.next, self.batch = int(file["numbers"][-1]) + 1, int(file.attrs["batch"])
        except (OSError, KeyError):
            return False
        return True

    def _forget(self):
        self._numbers, self._outputs, self._bytes = [], [], 0

    def add(self, numbers, outputs):
        """Keep the outputs of a batch, in memory until they make a part."""
        for name, scorer in self._scorers.items():
            scorer.check(numbers, outputs[name])
        self._numbers.append(np.asarray(numbers, "int64"))
        self._outputs.append(outputs)
        self._bytes += sum(rows.nbytes for rows in keras.tree.flatten(outputs))
        self.next = int(numbers[-1]) + 1
        # a part ends with a batch, so that a pass that goes on has the same ones
        if sum(map(len, self._numbers)) >= PART_PICTURES or self._bytes >= PART_BYTES:
            self._write()

    def _write(self):
        sizes = {name: scorer.map_sizes for name, scorer in self._scorers.items()}
        with _written(self._path(), self._asked, sizes) as (file, disk):
            file.attrs["batch"] = self.batch
            file["numbers"] = np.concatenate(self._numbers)
            for name, scorer in self._scorers.items():
                batches = zip(*(outputs[name] for outputs in self._outputs), strict=True)
                for kind, rows in zip(KINDS, map(np.concatenate, batches), strict=True):
                    for layer, columns in scorer.columns.items():
                        file[_group_name(name, layer)][kind] = rows[:, columns]
                        disk.check()
        self._count += 1
        self._forget()

    def result(self):
        """Write what is in memory."""
        if self._numbers:
            self._write()


def _part_files(folder, count):
    return [folder / PART.format(f"{number:06d}") for number in range(count)]


@dataclass(frozen=True)
class _Rows:
    """Rows of a part file. numbers: pictures' places in the whole; kept: bool, what counts."""

    path: Path
    numbers: Any
    kept: Any


def _rows_in(pieces):
    """The rows of pieces that count, in order: list of _Rows."""
    found = []
    for piece in pieces:
        for path in sorted(piece.folder.glob(PART.format("*"))):
            with _opened(path) as part:
                numbers = part["numbers"][:] + piece.start
            found.append(_Rows(path, numbers, numbers >= piece.first))
    if not sum(rows.kept.sum() for rows in found):
        raise InputError("no pictures to score")
    return found


def _join(found, asked, path):
    """Join _Rows in a file of scores, with one layer of one part in memory."""
    numbers = np.concatenate([rows.numbers[rows.kept] for rows in found])
    with _opened(found[0].path) as part:
        _check_held(part, asked)
        sizes = {
            name: {
                layer: tuple(part[_group_name(name, layer)].attrs["map_size"]) for layer in layers
            }
            for name, layers in asked["layers"].items()
        }
        chunk = min(len(numbers), _chunk(part, asked))
    with _written(path, asked, sizes) as (file, disk):
        file["numbers"] = numbers
        for name, layers in asked["layers"].items():
            for layer in layers:
                for kind in KINDS:
                    _join_rows(found, file, f"{_group_name(name, layer)}/{kind}", chunk)
                disk.check()


def _chunk(part, asked):
    """Pictures in a chunk of scores.h5: as many as a part file has where all can be read."""
    batch = int(part.attrs["batch"])
    groups = (
        part[_group_name(name, one)] for name, some in asked["layers"].items() for one in some
    )
    picture = sum(group[kind][0].nbytes for group in groups for kind in KINDS)
    return batch * min(-(-PART_PICTURES // batch), -(-PART_BYTES // (batch * picture)))


def _join_rows(found, file, name, chunk):
    """Write a data set of _Rows chunk by chunk, each packed once."""
    left, start, target = [], 0, None
    for number, rows in enumerate(found):
        with _opened(rows.path) as part:
            left.append(part[name][:][rows.kept])
        if target is None:
            count, width = sum(rows.kept.sum() for rows in found), left[0].shape[1]
            shape = (int(count), width)
            target = file.create_dataset(
                name, shape, left[0].dtype, chunks=(chunk, width), **PACKED
            )
        ready = np.concatenate(left)
        whole = len(ready) if number == len(found) - 1 else len(ready) // chunk * chunk
        for first in range(0, whole, chunk):
            some = ready[first : min(first + chunk, whole)]
            target[start : start + len(some)] = some
            start += len(some)
        left = [ready[whole:]]


# ---- files


def _asked(networks, layers, size, statistic):
    """What a file of scores says of itself, and _held reads."""
    if statistic not in STATISTICS:
        raise InputError(f"statistic {statistic!r}; accepted: {', '.join(STATISTICS)}")
    for name in networks:
        if not layers[name] or len(set(layers[name])) < len(layers[name]):
            listed = ", ".join(layers[name]) or "none"
            raise InputError(f"layers of {name}: {listed}; accepted: at least one, each once")
    listed = {name: list(layers[name]) for name in networks}
    return {"statistic": statistic, "size": size, "layers": listed}


def _held(file):
    """Statistic, size and, for each network, the layers of a file of scores."""
    layers = {}
    for name, group in file["networks"].items():
        layers[unquote(name)] = [*map(unquote, group)]
    return {"statistic": file.attrs["statistic"], "size": int(file.attrs["size"]), "layers": layers}


def _check_held(file, asked):
    held = _held(file)
    for what, value in asked.items():
        if held[what] != value:
            raise InputError(
                f"{file.filename} holds scores of {what} {held[what]}, not {value}; give another "
                "folder, or remove it"
            )


def _group_name(network, layer):
    """Where a layer's data sets lie; a `/` in a name, which would be a group, is escaped."""
    return f"networks/{quote(network, safe='')}/{quote(layer, safe='')}"


@contextlib.contextmanager
def _opened(path):
    """A file of scores, to read; a damaged one is an InputError."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} is damaged ({error}); remove it, it is made again") from error
    with file:
        yield file


@contextlib.contextmanager
def _written(path, asked, map_sizes):
    """A new file of scores, whole or absent, with its groups; yields (h5py.File, its _Disk).

    map_sizes: name of a network -> layer -> (height, width).
    """
    with open_whole(path) as whole, _Disk(whole.name, "r+") as disk:
        with h5py.File(disk, "w") as file:
            file.attrs.update({"statistic": asked["statistic"], "size": asked["size"]})
            networks = _new_group(file, "networks")
            for name, sizes in map_sizes.items():
                network = _new_group(networks, quote(name, safe=""), ordered=True)
                for layer, size in sizes.items():
                    _new_group(network, quote(layer, safe="")).attrs["map_size"] = size
            yield file, disk
        disk.check()


def _new_group(parent, name, ordered=False):
    """A group whose time is not noted, so that the same scores are the same bytes."""
    made = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    made.set_obj_track_times(False)
    if ordered:
        made.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=made))


class _Disk(io.FileIO):
    """A file for HDF5 that may be on a full disk.

    Where a write fails, HDF5 cannot close its file any more, and in the end it crashes the process.
    So none fails here, and `check` raises the OSError of the first that should have.
    """

    _error = None

    def write(self, data):
        left = memoryview(data).cast("B")
        count = len(left)
        try:
            while len(left) and self._error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self._error = error
        return count

    def check(self):
        if self._error is not None:
            raise self._error


@dataclass(frozen=True)
class BestPicture:
    """The picture with a channel's highest score."""

    score: float
    file: str


def channel_scorer(model, layer, size, dtype="float32"):
    """Make the function from pictures to scores: the spatial mean of every channel's map.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        layer: name, as models.graph.find_layer takes it.
        size: side of the pictures in pixels.
        dtype: precision of the network.

    Returns:
        Function: pictures (N, size, size, 3) uint8 or float, RGB in [0, 255] -> (N, C) float32,
        for transfer.inference.collect.

    Raises:
        InputError: a layer or size that the network does not have or take; from the function
            pictures of another size.
    """
    given = as_network(model)
    network = cut(given.model, [layer], (size, size), dtype)
    maps = ops.cast(network.output[layer], "float32")
    axes = tuple(range(1, len(maps.shape) - 1))
    mean = ops.mean(maps, axis=axes) if axes else maps
    forward = backend.forward(keras.Model(network.input, mean))

    def scores(batch):
        _check_pictures(np.asarray(batch), size, given)
        return forward(np.asarray(batch, "float32"))

    return scores


def best_pictures(model, layer, channels, files, size, dtype="float32", say=print):
    """Find each channel's highest score over pictures, and whose it is.

    Args:
        model, layer, size, dtype: as in channel_scorer.
        channels: list of int.
        files: list of Path.
        say: called with a line on pictures that cannot be read or have no finite score.

    Returns:
        dict channel -> BestPicture, without channels where no picture's score is finite.

    Raises:
        InputError: no pictures, or none that can be read.
    """
    if not files:
        raise InputError(f"no pictures to score at {layer}")

    collected = inference.InMemory()
    read = functools.partial(pictures.read, size=size)
    batches = inference.files(files, read, AT_A_TIME, say)
    progress = Progress(len(files), "pictures scored")
    scorer = channel_scorer(model, layer, size, dtype)
    scores = inference.collect(scorer, batches, collected, progress)
    scores = scores[:, channels]
    finite = np.isfinite(scores)
    beyond = int((~finite.all(axis=1)).sum())
    if beyond:
        say(f"left out at channels where their score is no number: {beyond} of {len(scores)}")
    best = np.where(finite, scores, -np.inf).argmax(axis=0)
    return {
        channel: BestPicture(float(scores[row, column]), str(files[collected.numbers[row]]))
        for column, (channel, row) in enumerate(zip(channels, best, strict=True))
        if finite[row, column]
    }
