"""The six HDF5 files of encoded pictures of Sabatelli et al. 2018, written and read.

`training_images.hdf5` (X_train), `training_labels.hdf5` (y_train), and likewise validation
(X_val, y_val) and testing (X_test, y_test). A picture is its encoded file as a variable-length
uint8 array; a label is a one-hot row. Files made by the authors' code are read as they are, and
theirs reads ours; ours add the class names (attribute) and the picture ids (data set `ids`). Where
pictures have several labels a row has a 1 for each, and an attribute says so.
"""

import functools
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from models.errors import InputError
from transfer import label_sets, parts, pictures, pixel_cache, result_folder, variants

# split -> (word in the file names, word in the data set names), as released
SPLITS = {"train": ("training", "train"), "val": ("validation", "val"), "test": ("testing", "test")}
MAX_CLASSES = 4000  # an HDF5 attribute holds 64 KiB, 16 bytes for each variable-length name
SEVERAL = "several_labels"  # attribute, true of rows with any number of ones
GROUPS = "groups.csv"  # what every picture belongs to, see Store.groups
PIXELS = "pixels"  # folder of decoded pictures, see transfer.pixel_cache
# how the pictures of an epoch come: from their files; from the cache, looked at and drawn from;
# from the cache as they are
DECODED, FOUND, MAPPED = range(3)
READ_AHEAD = 32  # pictures fetched from HDF5 per call: one call costs more than one small picture


def file_path(folder, split, kind):
    """Path of one of the six files: split a key of SPLITS, kind `images` or `labels`."""
    return Path(folder) / f"{SPLITS[split][0]}_{kind}.hdf5"


def write(rows, picture_folder, folder, report=None, classes=None):
    """Write the six files.

    Args:
        rows: DataFrame with id, label, split and path, as transfer.splits.assign() gives it.
        picture_folder: where the rows' paths lead from.
        folder: an empty folder to write into.
        report: called as report(done, total) after each picture.
        classes: of pictures with several labels, whose texts are sets (transfer.label_sets); None
            where a label is a class.
    """
    several = classes is not None
    classes = classes if several else sorted(set(rows["label"]))
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f"{len(classes)} classes; a store holds {MAX_CLASSES}: leave rare ones out with "
            "min_pictures"
        )
    done = 0
    for split in SPLITS:
        part = rows[rows["split"] == split]
        with h5py.File(file_path(folder, split, "images"), "w") as file:
            encoded = file.create_dataset(
                f"X_{SPLITS[split][1]}", (len(part),), h5py.vlen_dtype(np.uint8)
            )
            for number, path in enumerate(part["path"]):
                content = _accepted(Path(picture_folder) / path)
                encoded[number] = np.frombuffer(content, np.uint8)
                done += 1
                if report:
                    report(done, len(rows))
            file.create_dataset("ids", data=list(part["id"]), dtype=h5py.string_dtype())
        path = file_path(folder, split, "labels")
        _write_labels(path, split, list(part["label"]), classes, several)


def write_groups(rows, candidates, folder):
    """Write groups.csv: what every picture belongs to, or may belong to.

    Args:
        rows: DataFrame with id, group and near_duplicates.
        candidates: DataFrame, indexed by id, of the CSV's columns that may name groups.
        folder: of the data set.
    """
    rows = rows[["id", "group", "near_duplicates"]]
    others = candidates.drop(columns=rows.columns, errors="ignore").reindex(rows["id"])
    table = rows.assign(**{name: list(texts.fillna("")) for name, texts in others.items()})
    result_folder.write_csv(Path(folder) / GROUPS, table)


def _accepted(path):
    """The bytes of a picture that the pipeline's decoder takes too; Pillow takes a few more."""
    content = pictures.encoded(path)
    return content if pictures.is_decodable(content) else pictures.reencoded(path)


def _write_labels(path, split, labels, classes, several):
    number = {label: i for i, label in enumerate(classes)}
    with h5py.File(path, "w") as file:
        # one row a chunk row, compressed: 1196 classes one-hot would else be 110 MB for 90,000
        one_hot = file.create_dataset(
            f"y_{SPLITS[split][1]}",
            (len(labels), len(classes)),
            np.uint8,
            chunks=(min(256, len(labels)), len(classes)),
            compression="gzip",
        )
        one_hot.attrs.create("class_names", classes, dtype=h5py.string_dtype())
        if several:
            one_hot.attrs[SEVERAL] = True
            one_hot[:] = label_sets.rows_of(labels, classes)
            return
        for start in range(0, len(labels), 256):
            block = [number[label] for label in labels[start : start + 256]]
            one_hot[start : start + 256] = np.eye(len(classes), dtype=np.uint8)[block]


@dataclass(frozen=True)
class Store:
    """Six HDF5 files in a folder, checked when opened; missing or foreign ones: InputError."""

    folder: Path

    def __post_init__(self):
        for split, (_, name) in SPLITS.items():
            n_pictures = self._shape(split, "images", f"X_{name}", 1)[0]
            n_labels = self._shape(split, "labels", f"y_{name}", 2)[0]
            if n_pictures != n_labels or not n_pictures:
                path = file_path(self.folder, split, "images")
                raise InputError(
                    f"{path} holds {n_pictures} pictures and its labels file {n_labels} rows; "
                    "they must be equal and not 0"
                )
        _ = self.labels  # read, so checked
        self._check_split()

    def _check_split(self):
        """InputError where split.csv is not the one that the data set was made with."""
        made_with = self._manifest.get("split_sha256")
        path = Path(self.folder) / "split.csv"
        if made_with is None or (path.exists() and made_with == self.split_sha256):
            return
        lines = path.read_bytes().count(b"\n") if path.exists() else 0
        raise InputError(
            f"{path} is not the file that this data set was made with: it has {lines} lines, the "
            f"HDF5 files hold {sum(map(len, self.labels.values()))} pictures; remove {self.folder} "
            "and it is made again"
        )

    @cached_property
    def _manifest(self):
        """What made the data set, a dict; {} of files that have no manifest."""
        path = Path(self.folder) / result_folder.MANIFEST
        manifest = result_folder.read_json(path) if path.exists() else {}
        if not isinstance(manifest, dict):
            raise InputError(
                f"{path} holds no description of a data set; remove {self.folder} and it is made "
                "again"
            )
        return manifest

    def _shape(self, split, kind, name, rank):
        path = file_path(self.folder, split, kind)
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
        with h5py.File(file_path(self.folder, "train", "labels"), "r") as file:
            one_hot = file["y_train"]
            names = one_hot.attrs.get("class_names")
            if names is None or len(names) != one_hot.shape[1]:
                return [f"class {i}" for i in range(one_hot.shape[1])]
            return [n if isinstance(n, str) else n.decode() for n in names]

    @cached_property
    def several(self):
        """Whether a picture has any number of labels."""
        with h5py.File(file_path(self.folder, "train", "labels"), "r") as file:
            return bool(file["y_train"].attrs.get(SEVERAL, False))

    @cached_property
    def labels(self):
        """Split -> labels: class numbers, int32 (pictures,); or where a picture has several labels
        0 and 1, uint8 (pictures, classes).
        """
        read = self._label_rows if self.several else self._class_numbers
        return {split: read(split) for split in SPLITS}

    def _label_rows(self, split):
        path, name = file_path(self.folder, split, "labels"), f"y_{SPLITS[split][1]}"
        with h5py.File(path, "r") as file:
            rows = file[name][:]
            marked = file[name].attrs.get(SEVERAL, False)
        if not marked or rows.shape[1] != len(self.classes) or not np.isin(rows, (0, 1)).all():
            raise InputError(
                f"{name} in {path} must be rows of 0 and 1 over the {len(self.classes)} labels of "
                "y_train, and say that they are"
            )
        return rows.astype(np.uint8)

    def _class_numbers(self, split):
        path, name = file_path(self.folder, split, "labels"), f"y_{SPLITS[split][1]}"
        width, numbers = len(self.classes), []
        with h5py.File(path, "r") as file:
            one_hot = file[name]
            for start in range(0, len(one_hot), 4096):
                block = one_hot[start : start + 4096]
                is_one_hot = np.isin(block, (0, 1)).all() and (block.sum(axis=1) == 1).all()
                if block.shape[1] != width or not is_one_hot:
                    raise InputError(
                        f"{name} in {path} must be one-hot rows over the {width} classes of y_train"
                    )
                numbers.append(np.argmax(block, axis=1))
        return np.concatenate(numbers).astype(np.int32)

    @cached_property
    def split_sha256(self):
        """SHA-256 of split.csv; of the label files where there is none (the authors' own files)."""
        path = Path(self.folder) / "split.csv"
        if path.exists():
            return result_folder.csv_sha256(path)
        digests = [
            result_folder.sha256(file_path(self.folder, split, "labels")) for split in SPLITS
        ]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @cached_property
    def key(self):
        """What tells this data set from any other: 16 hex digits for caches and results.

        The folder's name where there is a split.csv; else of the six files' sizes and times.
        """
        if (Path(self.folder) / "split.csv").exists():
            return Path(self.folder).name
        files = [
            file_path(self.folder, split, kind) for split in SPLITS for kind in ("images", "labels")
        ]
        stats = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]

    @cached_property
    def toy(self):
        """Whether the pictures are the project's own toy collection."""
        return bool(self._manifest.get("toy"))

    def groups(self, split):
        """What the pictures of a split belong to, in stored order.

        Returns:
            DataFrame of text: id, group, near_duplicates (a number, "" for a picture alone) and the
            columns of the CSV that may name groups; None of a data set made before there was a
            groups.csv.

        Raises:
            InputError: groups.csv lacks a picture.
        """
        path = Path(self.folder) / GROUPS
        if not path.exists():
            return None
        table = result_folder.read_csv(path).set_index("id", drop=False)
        ids = self.ids(split)
        if not set(ids) <= set(table.index):
            raise InputError(f"{path} lacks pictures of the data set; remove {self.folder}")
        return table.loc[ids].reset_index(drop=True)

    def shared_groups(self):
        """Which test pictures have a group that was also trained or validated with.

        Returns:
            dict: column of groups.csv -> bool array over the test pictures; {} without the file,
            and without the columns that are empty for all test pictures.
        """
        if self.groups("test") is None:
            return {}
        test, *others = (self.groups(split) for split in ("test", "train", "val"))
        shared = {}
        for column in test.columns.drop("id"):
            named = test[column] != ""
            if named.any():
                seen = set().union(*(other[column] for other in others))
                shared[column] = (named & test[column].isin(seen)).to_numpy()
        return shared

    def damaged(self):
        """The first picture that cannot be decoded, as one line, or None: reads every picture."""
        for split, (_, name) in SPLITS.items():
            path = file_path(self.folder, split, "images")
            with h5py.File(path, "r") as file:
                images = file[f"X_{name}"]
                for number in range(len(images)):
                    if not pictures.is_decodable(_bytes(images, number)):
                        return f"picture {number} (from 0) of {path} cannot be decoded"
        return None

    def ids(self, split):
        """Picture ids of a split in stored order; their numbers where the file has none."""
        with h5py.File(file_path(self.folder, split, "images"), "r") as file:
            if "ids" not in file:
                return [str(i) for i in range(len(self.labels[split]))]
            return file["ids"].asstr()[:].tolist()

    def encoded(self, split, number):
        """The bytes of one picture of a split, JPEG or PNG, by its place in stored order."""
        with h5py.File(file_path(self.folder, split, "images"), "r") as file:
            return _bytes(file[f"X_{SPLITS[split][1]}"], number)

    def dataset(
        self,
        split,
        size,
        batch_size,
        shuffle_seed=None,
        first_epoch=0,
        first=0,
        augmentation="none",
        cache_gb=0.0,
        part=parts.WHOLE,
    ):
        """Batches of a split as a tf.data.Dataset; memory does not grow with the collection.

        Args:
            size: side in pixels that the network sees (the aspect ratio is not kept: Sabatelli et
                al. 2018, section 2.3; unless the augmentation keeps it).
            shuffle_seed: None for one pass in stored order; a number for endless epochs, each
                in an order of its own that (shuffle_seed, epoch) alone decides, so that a resumed
                training sees what an uninterrupted one would have.
            first_epoch: the epoch to begin with when shuffled.
            first: the picture to begin with in stored order.
            augmentation: a name in transfer.variants.AUGMENTATIONS. When shuffled, its variants,
                each decided by (shuffle_seed, epoch, picture); else what it says a test sees.
            cache_gb: GB that decoded pictures of this store may take beside it; from the second
                pass on they are read from there (transfer.pixel_cache). 0 for none: all are
                decoded in every pass, to the same pixels. A part of the rows finds them there, and
                keeps none.
            part: transfer.parts.Part, the rows of every batch that this process reads.

        Returns:
            (pictures uint8 (n, size, size, 3) RGB, labels int32 (n,)), n at most batch_size; the
            last, partial batch of an epoch is kept.

        Raises:
            InputError: no such augmentation.
        """
        augmentation = variants.named(augmentation)
        cache = self._cache(split, size, augmentation, cache_gb) if cache_gb else None
        source = _Source(self, split, size, augmentation, shuffle_seed, cache)

        def one_epoch(order, epoch, rows):
            return source.epoch(order, epoch, rows, whole=part.is_whole and not first)

        return epochs(source.count, batch_size, one_epoch, shuffle_seed, first_epoch, first, part)

    def _cache(self, split, size, augmentation, cache_gb):
        side = augmentation.stored_side(size)
        shape = "smaller_side" if augmentation.keeps_proportion else "square"
        stamp = f"{pictures.DECODING.replace(' ', '')}_{self.key}"
        name = f"{split}-{shape}-{side}-{stamp}{pixel_cache.ENDING}"
        return pixel_cache.PixelCache(
            Path(self.folder) / PIXELS / name,
            len(self.labels[split]),
            least=side * side * 3,
            most=cache_gb * pixel_cache.GB,
        )


class _Source:
    """Pictures of a split on their way into batches: decoded or found decoded, then drawn from."""

    def __init__(self, store, split, size, augmentation, seed, cache):
        self.labels = store.labels[split]
        self.count = len(self.labels)
        self._images = h5py.File(file_path(store.folder, split, "images"), "r")[
            f"X_{SPLITS[split][1]}"
        ]
        self._size, self._augmentation, self._seed, self._cache = size, augmentation, seed, cache
        self._side = augmentation.stored_side(size)
        self._draws_any = seed is not None and augmentation.changes
        self._drawn = (None, None)  # an epoch, and what is drawn in it
        self._table = None  # all pictures of the cache in one array

    def epoch(self, order, epoch, batch_size, whole):
        """A tf.data.Dataset of the batches of one epoch.

        Args:
            order: int tensor, numbers of the pictures in the order in which they come.
            epoch: int64 tensor.
            batch_size: of all batches but the last.
            whole: whether all pictures come.
        """
        import tensorflow as tf

        if self._cache is None:
            return self._decoded(order, epoch).batch(batch_size)
        # decided when the epoch begins, not when its graph is traced
        way = tf.numpy_function(lambda: self._way(whole), [], tf.int32)

        def ordered(number):
            return tf.cond(way == number, lambda: order, lambda: order[:0])

        decoded = self._decoded(ordered(DECODED), epoch).batch(batch_size)
        found = self._found(ordered(FOUND), epoch, batch_size)
        return decoded.concatenate(found).concatenate(self._mapped(ordered(MAPPED), batch_size))

    def _way(self, whole):
        """How the pictures of an epoch that begins come, int32."""
        if not self._cache.begin(whole):
            return np.int32(DECODED)
        self._table = None if self._draws_any or self._augmentation.cuts else self._cache.table()
        return np.int32(FOUND if self._table is None else MAPPED)

    def _decoded(self, order, epoch):
        """Pictures one by one, decoded."""
        import tensorflow as tf

        from models import backend

        def fetch(numbers):
            encoded = [_bytes(self._images, number) for number in numbers]
            return np.array(encoded, dtype=object), self.labels[numbers]

        def fetch_some(numbers):
            encoded, label = tf.numpy_function(fetch, [numbers], (tf.string, self.labels.dtype))
            encoded.set_shape([None])
            label.set_shape([None, *self.labels.shape[1:]])
            return numbers, encoded, label

        def decode(number, encoded, label):
            pixels = pictures.decode(encoded, self._side, self._augmentation.keeps_proportion)
            if self._cache is None and not self._augmentation.changes:
                return pixels, label
            given = [number, epoch, pixels]
            seen = tf.numpy_function(self._keep, given, tf.uint8)
            return tf.ensure_shape(seen, (self._size, self._size, 3)), label

        rows = tf.data.Dataset.from_tensor_slices(order).batch(READ_AHEAD).map(fetch_some)
        # fetched while the ones before are decoded
        return rows.prefetch(1).unbatch().map(decode, backend.cores())

    def _found(self, order, epoch, batch_size):
        """Batches of pictures that are in the cache."""
        import tensorflow as tf

        from models import backend

        def gather(numbers, epoch):
            stored = self._cache.stored(numbers, self._decode_now)
            return self._seen(numbers, epoch, stored), self.labels[numbers]

        def batch(numbers):
            types = (tf.uint8, self.labels.dtype)
            seen, label = tf.numpy_function(gather, [numbers, epoch], types)
            seen = tf.ensure_shape(seen, (None, self._size, self._size, 3))
            return seen, tf.ensure_shape(label, (None, *self.labels.shape[1:]))

        numbers = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return numbers.map(batch, backend.cores())

    def _mapped(self, order, batch_size):
        """Batches of pictures as they are in the cache, gathered without a copy in between."""
        import tensorflow as tf

        from models import backend

        def table():
            if self._table is None:
                return np.zeros((0, self._size, self._size, 3), np.uint8), np.zeros(0, np.int64)
            mapped, rows = self._table
            with tf.device("CPU"):  # the memory of the mapped file itself
                return tf.experimental.dlpack.from_dlpack(mapped.__dlpack__()), rows

        mapped, rows = tf.py_function(table, [], (tf.uint8, tf.int64))
        mapped.set_shape([None, self._size, self._size, 3])
        rows.set_shape([None])
        labels = tf.constant(self.labels)

        def batch(numbers):
            return tf.gather(mapped, tf.gather(rows, numbers)), tf.gather(labels, numbers)

        numbers = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return numbers.map(batch, backend.cores())

    def _keep(self, number, epoch, pixels):
        """What a network sees of a picture that was just decoded."""
        if self._cache is not None:
            self._cache.keep(number, pixels)
        return self._seen([number], epoch, [pixels])[0]

    def _seen(self, numbers, epoch, stored):
        """What a network sees of stored pictures, uint8 (n, size, size, 3)."""
        if not self._draws_any:
            return np.stack([variants.middle(picture, self._size) for picture in stored])
        drawn, seen = self._draws(epoch), np.empty((len(stored), self._size, self._size, 3), "u1")
        for variant, picture, number in zip(seen, stored, numbers, strict=True):
            variants.draw(variant, picture, self._augmentation, drawn[number])
        return seen

    def _draws(self, epoch):
        known, drawn = self._drawn  # read at once: the pipeline has several threads
        if known != epoch:
            drawn = variants.draws(self._seed, epoch, self.count)
            self._drawn = (epoch, drawn)
        return drawn

    def _decode_now(self, number):
        """The pixels of one picture, as the pipeline decodes it."""
        import tensorflow as tf

        with tf.device("CPU"):
            encoded = _bytes(self._images, number)
            keeps = self._augmentation.keeps_proportion
            return pictures.decode(encoded, self._side, keeps).numpy()


def _bytes(images, number):
    try:
        return images[number].tobytes()
    except (OSError, RuntimeError):
        # an error raised inside tf.data's Python call can hang the process when it ends; the
        # decoder refuses these bytes, and Store.damaged then names the picture
        return b"damaged"


def epochs(
    count,
    batch_size,
    one_epoch,
    shuffle_seed=None,
    first_epoch=0,
    first=0,
    part=parts.WHOLE,
):
    """One pass, or endless shuffled epochs, of batches.

    Args:
        one_epoch: (order of 0..count-1, epoch, rows of a batch) -> tf.data.Dataset of batches.
        shuffle_seed, first_epoch, first, part: as for Store.dataset.
    """
    import tensorflow as tf

    def of_part(order, epoch):
        if part.is_whole:
            return one_epoch(order, epoch, batch_size)
        pieces = [one_epoch(piece, epoch, rows) for piece, rows in part.cut(order, batch_size)]
        return functools.reduce(tf.data.Dataset.concatenate, pieces)

    if shuffle_seed is None:
        batches = tf.data.experimental.assert_cardinality(-(-(count - first) // batch_size))
        once = tf.data.Dataset.range(1).flat_map(lambda n: of_part(tf.range(first, count), n))
        return untuned(once.apply(batches).prefetch(2))

    def shuffled(epoch):
        seed = tf.stack([tf.constant(shuffle_seed, tf.int64), epoch])
        return of_part(tf.random.experimental.stateless_shuffle(tf.range(count), seed), epoch)

    endless = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(shuffled)
    return untuned(endless.prefetch(2))


def untuned(dataset):
    """A tf.data.Dataset whose passes end when their last batch is there.

    TensorFlow 2.21 tunes a pass in a thread that looks every 10, 20, 40, ... ms, and the end of the
    pass waits for its next look: passes of 0.7 s were measured to take 1.28 s, of 5.1 s 10.2 s.
    With parallel calls and prefetching given as numbers there is nothing to tune.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
