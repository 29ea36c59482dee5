"""Pictures like a picture, as networks see it: picture files -> features -> neighbours -> a sheet.

    found = find_neighbours(
        ["a.jpg"], files, {"genre": "results/.../genre/GoogLeNet/RUN", "ImageNet": "VGG19:imagenet"}
    )
    Path("neighbours.png").write_bytes(sheet(found, labels))

Cetinic et al. 2018, section 5.5: the features are what the classifier reads (fc7 of CaffeNet, the
pooled map of others), their distance is the cosine distance, exact (transfer.retrieval). Every
network sees the whole of a picture, also one that was trained on parts.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models.errors import InputError
from transfer import inference, plots, retrieval, seen_pictures
from transfer.pictures import DECODING
from transfer.progress import Progress
from transfer.result_folder import result_folder, safe_name, sha256, sha256_of_text
from transfer.run import named_network
from transfer.variants import read

BATCH = 32
DIGITS = 16  # of a digest in a folder's name
ROWS, NUMBERS = "features.npy", "numbers.npy"


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network makes of picture files.

    files: those that could be read, tuple of Path. features: float32 (files, feature size).
    """

    files: tuple
    features: np.ndarray

    @cached_property
    def rows(self):
        """The features, every row of length 1."""
        return retrieval.normalize(self.features)

    @cached_property
    def place(self):
        """Number of each file: dict."""
        return {file: number for number, file in enumerate(self.files)}

    def of(self, files):
        """The features of some of the files, in their order."""
        return self.features[[self.place[file] for file in files]]


def classifier_input(model):
    """The Keras tensor that a network's classifier reads; of a network without one its output.

    A map of features is averaged over its places.

    Args:
        model: keras.Model of pictures.
    """
    import keras

    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    last = dense[-1] if dense else None
    ends_in_it = last is not None and model.output_shape[-1] == last.units
    return _averaged(last.input if ends_in_it else model.outputs[0])


def _averaged(output):
    import keras

    return keras.layers.GlobalAveragePooling2D()(output) if len(output.shape) == 4 else output


def see(network, files, folder=None, size=None, layer=None, batch_size=BATCH, say=print):
    """Run a network over picture files up to what its classifier reads, or to another layer.

    Args:
        network: as transfer.run.named_network takes it: a network's string, or a run's folder.
        files: list of paths.
        folder: where the features are kept, whole or absent; an interrupted pass goes on from
            there. None to keep none.
        size: side of the pictures in pixels; None for the network's own.
        layer: name of a layer, as models.graph.find_layer takes it; None for the classifier's
            input.
        batch_size: pictures computed at once.
        say: called with a line for each picture that cannot be read.

    Returns:
        Seen.

    Raises:
        InputError: no such network, layer or file; none of the files can be read; features that
            are no finite numbers.
    """
    from models.network import check_takes_pictures, load
    from models.weights import fingerprint

    files = tuple(Path(file) for file in files)
    opened = load(named_network(str(network)), size)
    check_takes_pictures(opened)
    model = _cut(opened.model, layer)
    told = sha256_of_text("".join(_digest(file) for file in files))
    told += f" {opened.size} {DECODING} {fingerprint(model, trained=False)}"
    name = sha256_of_text(told)[:DIGITS]
    if folder is None:
        return _seen(model, files, opened.size, inference.InMemory(), batch_size, say)
    title = safe_name(opened.spec.partition(":")[0].rpartition("/")[2] or "network")
    path = Path(folder) / f"{title}-{name}"
    with result_folder(path, worth="*.npy", say=say) as result:
        paths = [result.path / file for file in (ROWS, NUMBERS)]
        if not result.finished:
            collector = inference.OnDisk((paths[0],), paths[1])
            return _seen(model, files, opened.size, collector, batch_size, say)
    rows, numbers = (np.load(path, mmap_mode="r") for path in paths)
    return Seen(tuple(files[number] for number in numbers), rows)


def _digest(file):
    try:
        return sha256(file)
    except OSError as error:
        raise InputError(f"picture {file}: {error.strerror}") from error


def _cut(model, layer):
    import keras

    from models.graph import cut

    if layer is not None:
        whole = cut(model, [layer], model.input_shape[1:3])
        return keras.Model(whole.inputs, _averaged(whole.outputs[0]))
    return keras.Model(model.inputs, classifier_input(model))


def _seen(model, files, size, collector, batch_size, say):
    from models import backend

    forward = backend.forward(model)

    def compute(pictures):
        rows = np.asarray(forward(pictures))
        if not np.isfinite(rows).all():
            raise InputError(f"{model.name} gives features that are not finite")
        return (rows.reshape(len(rows), -1).astype("<f4"),)

    batches = inference.files(list(files), lambda path: read(path, size), batch_size, say)
    with inference.explained(batch_size, size):
        progress = Progress(len(files), "pictures looked at")
        (rows,) = inference.collect(compute, batches, collector, progress)
    return Seen(tuple(files[number] for number in collector.numbers), np.array(rows))


def unseen(files, networks):
    """Those of the files that no network was trained or validated with, as the networks tell.

    Args:
        files: list of paths.
        networks: iterable of strings as for see.

    Raises:
        InputError: a network that was trained here and does not tell on what.
    """
    from models import zoo

    known = set()
    for network in networks:
        seen = seen_pictures.of_network(zoo.parse(named_network(str(network))))
        if seen is None:
            raise InputError(f"{network} does not tell which pictures it was trained on")
        known |= seen
    length = seen_pictures.LENGTH
    return [file for file in files if bytes.fromhex(_digest(file))[:length] not in known]


def find_neighbours(queries, files, networks, k=5, groups=None, **how):
    """The pictures nearest to each query among picture files, for each of several networks.

    Args:
        queries: list of paths; one that is among `files` is no neighbour of itself.
        files: list of paths that are searched.
        networks: dict name -> string as for see.
        k: neighbours.
        groups: dict file -> what it belongs to, such as its artist: files of a query's group are
            no neighbours of it; None where all are.
        how: folder, size, layer, batch_size and say, as for see.

    Returns:
        pandas DataFrame: query, network, rank (from 1), file, distance (cosine, from 0 to 2).

    Raises:
        InputError: see `see`; k below 1; a query that cannot be read.
    """
    import pandas as pd

    queries, files = [[Path(file) for file in some] for some in (queries, files)]
    every = list(dict.fromkeys([*files, *queries]))
    rows = []
    for name, network in networks.items():
        seen = see(network, every, **how)
        lost = [file for file in queries if file not in seen.place]
        if lost:
            raise InputError(f"picture {lost[0]} cannot be read, so nothing is like it")
        searched = [seen.place[file] for file in files if file in seen.place]
        asked = [seen.place[file] for file in queries]
        own = [_place(searched, number) for number in asked]
        found = _nearest(seen, searched, asked, own, k, groups)
        for query, numbers, distances in zip(queries, *found, strict=True):
            for rank, (number, distance) in enumerate(zip(numbers, distances, strict=True), 1):
                if number >= 0:
                    file = seen.files[searched[number]]
                    rows.append((query, name, rank, file, float(distance)))
    return pd.DataFrame(rows, columns=["query", "network", "rank", "file", "distance"])


def _place(searched, number):
    return searched.index(number) if number in searched else None


def _nearest(seen, searched, asked, own, k, groups):
    """As retrieval.nearest: queries one by one, since only some are among the searched."""
    names = groups and [groups.get(file, str(file)) for file in seen.files]
    gallery, parts = seen.rows[searched], []
    for number, place in zip(asked, own, strict=True):
        pair = (None, None)
        if names:
            pair = ([names[other] for other in searched], [names[number]])
        left = None if place is None else [place]
        parts.append(retrieval.nearest(gallery, seen.rows[[number]], k, left, *pair))
    return [np.concatenate(part) for part in zip(*parts, strict=True)] if parts else ([], [])


def sheet(found, labels=None, title="", say=print):
    """Each query and its neighbours, a row for each network, as the bytes of a PNG file.

    Args:
        found: DataFrame of find_neighbours.
        labels: dict file -> text under its picture; None for the files' names.
        title: above everything.
        say: as for plots.font_for.

    Source:
        Cetinic et al. 2018, figure 15.
    """
    tiles, headings = [], {}
    columns = 1 + int(found["rank"].max()) if len(found) else 1
    pairs = itertools.product(found["query"].unique(), found["network"].unique())
    for query, network in pairs:
        rows = found[(found["query"] == query) & (found["network"] == network)]
        headings[len(tiles)] = str(network)
        tiles.append((query, f"asked for\n{_told(query, labels)}"))
        for row in rows.itertuples():
            tiles.append((row.file, f"{row.rank}: {row.distance:.3f}\n{_told(row.file, labels)}"))
        tiles += [(None, "")] * (columns - 1 - len(rows))
    return plots.contact_sheet(tiles, columns, headings=headings, title=title, say=say)


def _told(file, labels):
    return file.stem if labels is None else labels.get(file, file.stem)
