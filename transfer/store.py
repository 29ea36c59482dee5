"""The six HDF5 files of encoded pictures of Sabatelli et al. 2018, and data sets read from them.

`training_images.hdf5` (X_train), `training_labels.hdf5` (y_train), and likewise validation
(X_val, y_val) and testing (X_test, y_test). A picture is its encoded file as a variable-length
uint8 array; a label is a one-hot row. Files made by the authors' code are read as they are, and
theirs reads ours; ours add the class names (attribute) and the picture ids (data set `ids`).
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from models.errors import InputError
from transfer import folders, pictures
from transfer.decoding import decode

# split -> (word in the file names, word in the data set names), as released
SPLITS = {"train": ("training", "train"), "val": ("validation", "val"), "test": ("testing", "test")}
READ_AHEAD = 32  # pictures fetched from HDF5 per call: one call costs more than one small picture
MAX_CLASSES = 4000  # an HDF5 attribute holds 64 KiB, 16 bytes for each variable-length name


def write(rows, picture_folder, folder, report=None):
    """Write the six files.

    Args:
        rows: transfer.splits.SplitRow, each with id, label, split and path.
        picture_folder: where the rows' paths lead from.
        folder: an empty folder to write into.
        report: called as report(done, total) after each picture.
    """
    classes = sorted({row.label for row in rows})
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f"{len(classes)} classes; a store holds {MAX_CLASSES}: leave rare ones out with "
            "--min_pictures N"
        )
    done = 0
    for split in SPLITS:
        part = [row for row in rows if row.split == split]
        with h5py.File(_file(folder, split, "images"), "w") as file:
            encoded = file.create_dataset(
                f"X_{SPLITS[split][1]}", (len(part),), h5py.vlen_dtype(np.uint8)
            )
            for number, row in enumerate(part):
                content = pictures.encoded(Path(picture_folder) / row.path)
                encoded[number] = np.frombuffer(content, np.uint8)
                done += 1
                if report:
                    report(done, len(rows))
            file.create_dataset("ids", data=[row.id for row in part], dtype=h5py.string_dtype())
        _write_labels(_file(folder, split, "labels"), split, part, classes)


def _write_labels(path, split, part, classes):
    number = {label: i for i, label in enumerate(classes)}
    with h5py.File(path, "w") as file:
        # one row a chunk row, compressed: 1196 classes one-hot would else be 110 MB for 90,000
        one_hot = file.create_dataset(
            f"y_{SPLITS[split][1]}",
            (len(part), len(classes)),
            np.uint8,
            chunks=(min(256, len(part)), len(classes)),
            compression="gzip",
        )
        one_hot.attrs.create("class_names", classes, dtype=h5py.string_dtype())
        for start in range(0, len(part), 256):
            block = [number[row.label] for row in part[start : start + 256]]
            one_hot[start : start + 256] = np.eye(len(classes), dtype=np.uint8)[block]


def _file(folder, split, kind):
    return Path(folder) / f"{SPLITS[split][0]}_{kind}.hdf5"


@dataclass(frozen=True)
class Store:
    """Six HDF5 files in a folder, checked when opened; missing or foreign ones: InputError."""

    folder: Path

    def __post_init__(self):
        for split, (_, name) in SPLITS.items():
            n_pictures = self._shape(split, "images", f"X_{name}", 1)[0]
            n_labels = self._shape(split, "labels", f"y_{name}", 2)[0]
            if n_pictures != n_labels or not n_pictures:
                raise InputError(
                    f"{_file(self.folder, split, 'images')} holds {n_pictures} pictures and its "
                    f"labels file {n_labels} rows; they must be equal and not 0"
                )

    def _shape(self, split, kind, name, rank):
        path = _file(self.folder, split, kind)
        try:
            with h5py.File(path, "r") as file:
                shape = file[name].shape
        except FileNotFoundError as error:
            raise InputError(f"no file {path}") from error
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(
                f"{path} is damaged or no HDF5 file with a data set {name!r}: {error}"
            ) from error
        if len(shape) != rank:
            raise InputError(f"{name} in {path} has shape {shape}; {rank} dimension(s) expected")
        return shape

    @cached_property
    def classes(self):
        """Class names in the order of the one-hot columns; numbered where the file has none."""
        with h5py.File(_file(self.folder, "train", "labels"), "r") as file:
            one_hot = file["y_train"]
            names = one_hot.attrs.get("class_names")
            if names is None:
                return [f"class {i}" for i in range(one_hot.shape[1])]
            return [n if isinstance(n, str) else n.decode() for n in names]

    @cached_property
    def labels(self):
        """Class numbers: split -> int32 array of one label per picture."""
        found = {}
        for split, (_, name) in SPLITS.items():
            with h5py.File(_file(self.folder, split, "labels"), "r") as file:
                one_hot = file[f"y_{name}"]
                blocks = range(0, len(one_hot), 4096)
                numbers = [np.argmax(one_hot[i : i + 4096], axis=1) for i in blocks]
                found[split] = np.concatenate(numbers).astype(np.int32)
        return found

    @cached_property
    def split_sha256(self):
        """SHA-256 of split.csv; of the label files where there is none (the authors' own files)."""
        path = Path(self.folder) / "split.csv"
        if path.exists():
            return folders.sha256(path)
        digests = [folders.sha256(_file(self.folder, split, "labels")) for split in SPLITS]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @cached_property
    def toy(self):
        """Whether the pictures are the project's own toy collection."""
        path = Path(self.folder) / "manifest.json"
        return path.exists() and folders.read_json(path)["toy"]

    def ids(self, split):
        """Picture ids of a split in stored order; their numbers where the file has none."""
        with h5py.File(_file(self.folder, split, "images"), "r") as file:
            if "ids" not in file:
                return [str(i) for i in range(len(self.labels[split]))]
            return file["ids"].asstr()[:].tolist()

    def dataset(self, split, size, batch_size, shuffle_seed=None, first_epoch=0):
        """Batches of a split as a tf.data.Dataset; memory does not grow with the collection.

        Args:
            size: side in pixels that pictures are resized to (the aspect ratio is not kept:
                Sabatelli et al. 2018, section 2.3).
            shuffle_seed: None for one pass in stored order; a number for endless epochs, each
                in an order of its own that (shuffle_seed, epoch) alone decides, so that a resumed
                training sees what an uninterrupted one would have.
            first_epoch: the epoch to begin with when shuffled.

        Returns:
            (pictures float32 (n, size, size, 3) RGB in [0, 255], labels int32 (n,)), n at most
            batch_size; the last, partial batch of an epoch is kept.
        """
        count = len(self.labels[split])

        def one_epoch(order):
            return self._epoch(order, split, size, batch_size)

        return epochs(count, batch_size, one_epoch, shuffle_seed, first_epoch)

    def _epoch(self, order, split, size, batch_size):
        import tensorflow as tf

        images = h5py.File(_file(self.folder, split, "images"), "r")[f"X_{SPLITS[split][1]}"]
        labels = self.labels[split]

        def fetch(numbers):
            encoded = [images[number].tobytes() for number in numbers]
            return np.array(encoded, dtype=object), labels[numbers]

        def fetch_some(numbers):
            encoded, label = tf.numpy_function(fetch, [numbers], (tf.string, tf.int32))
            encoded.set_shape([None])
            label.set_shape([None])
            return encoded, label

        rows = tf.data.Dataset.from_tensor_slices(order).batch(READ_AHEAD).map(fetch_some)
        # fetched while the ones before are decoded
        decoded = rows.prefetch(1).unbatch().map(
            lambda encoded, label: (decode(encoded, size), label), tf.data.AUTOTUNE
        )
        return decoded.batch(batch_size)


def epochs(count, batch_size, one_epoch, shuffle_seed=None, first_epoch=0):
    """One pass, or endless shuffled epochs, of one_epoch(order of 0..count-1) -> batches.

    See Store.dataset for shuffle_seed and first_epoch.
    """
    import tensorflow as tf

    if shuffle_seed is None:
        batches = tf.data.experimental.assert_cardinality(-(-count // batch_size))
        return one_epoch(tf.range(count)).apply(batches).prefetch(2)

    def shuffled(epoch):
        seed = tf.stack([tf.constant(shuffle_seed, tf.int64), epoch])
        return one_epoch(tf.random.experimental.stateless_shuffle(tf.range(count), seed))

    endless = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(shuffled)
    return endless.prefetch(2)
