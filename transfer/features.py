"""Pooled features of every picture of a store, computed in one pass and kept as .npy files."""

import hashlib
import sys
import time
from pathlib import Path

import keras
import numpy as np

from transfer import folders
from transfer.store import SPLITS, epochs


def extractor(model):
    """The part of a classifier that ends at its pooled features (layer `features`)."""
    return keras.Model(model.inputs, model.get_layer("features").output, name="extractor")


def fingerprint(model):
    """SHA-256 of a model's weights, in hexadecimal."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def cached(network, store, batch_size, folder, name):
    """Compute the features of all three splits, or find them from an earlier run.

    Args:
        network: extractor(model).
        store: transfer.store.Store.
        batch_size: pictures per forward pass.
        folder: where caches lie, each in a folder of its own.
        name: what tells this network from others with the same weights (its name, input size and
            preprocessing).

    Returns:
        (dict split -> features, memory-mapped float32 (pictures, feature size) in the store's
        order; seconds that the pass took when it was made).
    """
    path = Path(folder) / f"{folders.safe_name(name)}-{fingerprint(network)[:16]}"
    with folders.locked(path):
        if path.exists():
            print(f"features found in {path}", flush=True)
        else:
            with folders.whole(path) as partial:
                _make(network, store, batch_size, partial)
    seconds = folders.read_json(path / "manifest.json")["seconds"]
    return {split: np.load(path / f"{split}.npy", mmap_mode="r") for split in SPLITS}, seconds


def _make(network, store, batch_size, folder):
    started = time.monotonic()
    size = network.input_shape[1]
    for split in SPLITS:
        print(f"features of the {split} pictures", flush=True)
        pictures = store.dataset(split, size, batch_size)
        write(network, pictures, len(store.labels[split]), folder / f"{split}.npy")
    seconds = round(time.monotonic() - started, 3)
    folders.write_json(folder / "manifest.json", folders.manifest(seconds=seconds))


def write(network, pictures, count, path):
    """Write the outputs of a network over all batches of (inputs, labels) to a .npy file.

    They are written batch by batch, so memory does not grow with the number of pictures; not
    through a memory map, since a full disk would end the process (SIGBUS) instead of raising.
    """
    bar = keras.utils.Progbar(count, verbose=1 if sys.stdout.isatty() else 2, unit_name="picture")
    shape = (count, network.output_shape[-1])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    done = 0
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for inputs, _ in pictures:
            values = np.asarray(network.predict_on_batch(np.asarray(inputs)), "<f4")
            file.write(values.tobytes())
            done += len(values)
            bar.update(done)
    if done != count:
        raise RuntimeError(f"{done} of {count} pictures came through the pipeline")


def batches(features, labels, batch_size, shuffle_seed=None, first_epoch=0):
    """Batches of (features, labels) in the order in which Store.dataset gives their pictures.

    Args:
        features: (n, feature size) float32, memory-mapped or not.
        labels: (n,) int32.
        batch_size, shuffle_seed, first_epoch: as for transfer.store.Store.dataset.
    """
    import tensorflow as tf

    def fetch(numbers):
        return np.asarray(features[numbers]), labels[numbers]

    def fetch_batch(numbers):
        rows, label = tf.numpy_function(fetch, [numbers], (tf.float32, tf.int32))
        return tf.ensure_shape(rows, (None, features.shape[1])), tf.ensure_shape(label, (None,))

    def one_epoch(order):
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size).map(fetch_batch)

    return epochs(len(labels), batch_size, one_epoch, shuffle_seed, first_epoch)
