"""Pooled features of every picture of a store, computed in one pass and kept as .npy files."""

import time
from pathlib import Path

import keras
import numpy as np

from models import backend
from models.errors import InputError
from models.machines import ALONE
from models.weights import fingerprint
from transfer import inference
from transfer.parts import WHOLE, part_of
from transfer.pictures import DECODING
from transfer.progress import Progress
from transfer.result_folder import MANIFEST, check_writable, file_sizes, result_folder, safe_name
from transfer.store import SPLITS, epochs

COUNTED = "counted"  # folder for what a pass needs to go on


def extractor(model):
    """The part of a classifier that ends at its pooled features (layer `features`)."""
    return keras.Model(model.inputs, model.get_layer("features").output, name="extractor")


def cache_name(network, size, pixels, store):
    """What tells the features of a network from those of others with the same weights.

    Args:
        network: models.zoo.Spec.
        size: side of the pictures in pixels.
        pixels: how they are scaled, as in Recipe.
        store: transfer.store.Store.
    """
    decoding = DECODING.replace(" ", "")
    return f"{network.architecture}-{size}-{pixels}-{decoding}-{store.key}"


def cached(network, store, batch_size, folder, name, spare=None, together=ALONE):
    """Compute the features of all three splits, or find them from an earlier run.

    Args:
        network: extractor(model).
        store: transfer.store.Store.
        batch_size: pictures per forward pass.
        folder: where caches lie, each in a folder of its own.
        name: cache_name of it.
        spare: where they lie instead if `folder` has none of this network and cannot be written,
            since the data set is on a read-only disk.
        together: models.machines.Together, of the processes that compute them.

    Returns:
        (dict split -> features, memory-mapped float32 (pictures, feature size) in the store's
        order; seconds that the pass took when it was made).

    Raises:
        InputError: a file of features is damaged.
    """
    path = Path(folder) / f"{safe_name(name)}-{fingerprint(network, trained=False)[:16]}"
    seconds = None
    if together.first:
        path = path if spare is None else _kept_or_writable(path, Path(spare))
        seconds = _find_or_make(network, store, batch_size, path, together)
    elif not together.hear():
        for split in SPLITS:
            _take_part(network, store, batch_size, split, together)
    path, seconds = together.tell(lambda: [str(path), seconds])
    path = Path(path)
    together.see(path, file_sizes)
    width = network.output.shape[-1]
    features = {s: _read(path / f"{s}.npy", (len(store.labels[s]), width)) for s in SPLITS}
    if not isinstance(seconds, float | int):
        raise InputError(f"{path / MANIFEST} says no seconds; {_remedy(path)}")
    return features, seconds


def _find_or_make(network, store, batch_size, path, together):
    """Process 0: find the features at a path, or make them; seconds that it took."""
    with result_folder(path, worth="*.npy", scratch=COUNTED) as result:
        together.tell(lambda: result.finished)
        if result.finished:
            print(f"features found in {path}", flush=True)
        else:
            (result.path / COUNTED).mkdir(exist_ok=True)
            seconds = [_make(network, store, batch_size, result.path, s, together) for s in SPLITS]
            result.about["seconds"] = round(sum(seconds), 3)
    return result.about.get("seconds")


def _kept_or_writable(path, spare):
    if (path / MANIFEST).exists():
        return path
    try:
        check_writable(path)
    except InputError as error:
        print(f"{error}; the features are kept in {spare}", flush=True)
        return spare / path.name
    return path


def _read(path, shape):
    """A file of features, memory-mapped; one that is cut off or of other pictures: InputError."""
    try:
        features = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); {_remedy(path.parent)}") from error
    if features.shape != shape:
        raise InputError(
            f"{path} is damaged: its shape is {features.shape}, expected {shape}; "
            f"{_remedy(path.parent)}"
        )
    return features


def _remedy(folder):
    return f"remove {folder}, and the features are computed again"


def _make(network, store, batch_size, folder, split, together):
    """Write one split's features, or what is missing of them; seconds that all of it took."""
    paths = (folder / f"{split}.npy", folder / COUNTED / f"{split}_seconds.npy")
    collector = inference.OnDisk(paths, folder / COUNTED / f"{split}_numbers.npy")
    progress = Progress(len(store.labels[split]), f"features of the {split} pictures")
    before, forward = time.monotonic(), backend.forward(network)

    def compute(pictures):
        nonlocal before
        features = forward(pictures).astype("<f4", copy=False)
        seconds, before = time.monotonic() - before, time.monotonic()
        return features, np.full(len(pictures), seconds / len(pictures))

    together.tell(lambda: collector.next)
    batches = _batches(network, store, split, batch_size, together)
    _, seconds = inference.collect(compute, batches, collector, progress)
    return float(seconds.sum())


def _take_part(network, store, batch_size, split, together):
    """Any other process: compute what it has of the features that process 0 keeps."""
    collector = inference.Passed(together.hear())
    batches = _batches(network, store, split, batch_size, together)
    inference.collect(backend.forward(network), batches, collector)


def _batches(network, store, split, batch_size, together):
    size = network.input_shape[1]
    return inference.stored(store, split, size, batch_size, part=part_of(together))


def batches(features, labels, batch_size, shuffle_seed=None, first_epoch=0, part=WHOLE):
    """Batches of (features, labels) in the order in which Store.dataset gives their pictures.

    Args:
        features: (n, feature size) float32, memory-mapped or not.
        labels: (n,) or (n, classes), whole numbers.
        batch_size, shuffle_seed, first_epoch, part: as for transfer.store.Store.dataset.
    """
    import tensorflow as tf

    def fetch(numbers):
        return np.asarray(features[numbers]), labels[numbers]

    def fetch_batch(numbers):
        rows, label = tf.numpy_function(fetch, [numbers], (tf.float32, labels.dtype))
        rows = tf.ensure_shape(rows, (None, features.shape[1]))
        return rows, tf.ensure_shape(label, (None, *labels.shape[1:]))

    def one_epoch(order, _, rows):
        return tf.data.Dataset.from_tensor_slices(order).batch(rows).map(fetch_batch)

    return epochs(len(labels), batch_size, one_epoch, shuffle_seed, first_epoch, part=part)
