"""From HDF5 to batches, over a training: pictures a second against peers, and memory.

1500-pixel JPEG photographs (invented), read from the six HDF5 files and made 224 pixels, batches
of 32; all sides by turns in one process. Peers and bounds:

* the released code's way, one Python thread: bytes from HDF5, keras.utils.load_img,
  img_to_array, preprocess_input, stacked. Ours, scaled to [-1, 1] too, makes at least 4 times the
  pictures a second in one pass; over twenty shuffled epochs, pictures kept decoded from the first
  on, it takes at most a twentieth of the time. All passes of the released way are alike, so its
  twenty are twenty times one;
* a bare tf.data pipeline that only decodes, at the same quarter of the size, the same files from
  memory (no HDF5, no resizing, no batches): one pass of ours keeps at least 0.8 of its pictures a
  second;
* for information, that bare pipeline over the released code's way: no pipeline that decodes with
  TensorFlow is faster than this;
* tf.data that gathers the same batches from an array in memory: from the second epoch on ours
  makes at least 0.8 of its pictures a second;
* twenty epochs of ours, over one of its passes that decodes and keeps nothing: at most 1.6;
* peak memory of a shuffled pass over 20,000 pictures: at most 300 MB above that over 2,000, each
  in a fresh process; and of the process's own (without pages of mapped files) over two epochs of
  20,000, pictures kept decoded, at most 300 MB above the same without. These pictures are 400
  pixels wide; all of them held even as files would be 800 MB, decoded 3 GB, so keeping the
  collection in memory in any form breaks the bounds.

    python -m benchmarks.pipeline [--rounds 5] [--check | --quick]
"""

import functools
import io
import itertools
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from benchmarks import compare, photographs
from benchmarks.compare import Compared, option
from benchmarks.peak_memory import peak_memory
from models import backend
from models.command import exit_code
from transfer.store import PIXELS, epochs, untuned

SIZE = 224  # pixels, of most networks in models.zoo
BATCH = 32  # Sabatelli et al. 2018, section 2.3
RATIO = 4  # 1125 // 4 >= 224 > 1125 // 8: what transfer.pictures.decode chooses for these pictures
SMALL = (400, (300, 400))  # long side and range of the short one, for the collections of memory
EPOCHS = 20  # Gonthier et al. 2020, table 5
GB = 100.0  # that decoded pictures may take: no bound here
# shuffled epochs, as training has them; in a process of its own, without Keras
SOME_EPOCHS = """
import sys
from transfer.store import Store
store, size, batch, epochs = Store(sys.argv[1]), *map(int, sys.argv[2:5])
steps = -(-len(store.labels["train"]) // batch) * epochs
batches = store.dataset("train", size, batch, shuffle_seed=0, cache_gb=float(sys.argv[5]))
pictures = sum(len(y) for _, y in batches.take(steps))
assert pictures == epochs * len(store.labels["train"]), pictures
"""


@dataclass(frozen=True)
class Settings:
    """What is measured: `pictures` a pass for speed, two collections' sizes for memory."""

    pictures: int = option(512, "Pictures in a pass")
    distinct: int = option(128, "Files that they are copies of")
    memory_pictures: tuple = option((2000, 20000), "Few and many pictures, for memory")
    memory_rounds: int = option(2, "Rounds for memory")
    rounds: int = option(5, "Rounds of each side")


QUICK = {
    "pictures": 8,
    "distinct": 2,
    "memory_pictures": (20, 40),
    "memory_rounds": 1,
    "rounds": 1,
}


def released(store, size, batch):
    """Yield batches as the released code makes them: one picture after another in Python."""
    with h5py.File(store.folder / "training_images.hdf5", "r") as file:
        images = file["X_train"]
        for start in range(0, len(images), batch):
            pictures = []
            for number in range(start, min(start + batch, len(images))):
                encoded = io.BytesIO(images[number].tobytes())
                picture = keras.utils.load_img(encoded, target_size=(size, size))
                array = keras.utils.img_to_array(picture)
                pictures.append(keras.applications.mobilenet.preprocess_input(array))
            yield np.stack(pictures)


def scaled(batches):
    """The same batches in [-1, 1] (in the product that is a layer of the network)."""
    return batches.map(lambda pictures, labels: (tf.cast(pictures, "float32") / 127.5 - 1, labels))


def bare(store, ratio):
    """A tf.data.Dataset that decodes, at 1/ratio of the size, encoded pictures held in memory."""
    with h5py.File(store.folder / "training_images.hdf5", "r") as file:
        encoded = [picture.tobytes() for picture in file["X_train"]]
    pictures = tf.data.Dataset.from_tensor_slices(encoded)
    decoded = pictures.map(lambda x: tf.io.decode_jpeg(x, 3, ratio=ratio), backend.cores())
    return untuned(decoded)


def exhaust(batches):
    """Take everything from an iterable."""
    for _ in batches:
        pass


def speeds(store, size, batch, ratio, rounds):
    """Three Compared: ours over the released code's way, ours over bare decoding, bare over it."""
    batches, decoded = store.dataset("train", size, batch), bare(store, ratio)
    batches_scaled = scaled(batches)
    sides = {
        "ours": lambda: exhaust(batches),
        "ours, scaled": lambda: exhaust(batches_scaled),
        "released": lambda: exhaust(released(store, size, batch)),
        # counted inside TensorFlow: handing every picture to Python would slow this peer down
        "bare": lambda: decoded.reduce(np.int64(0), lambda count, _: count + 1),
    }
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    pictures = len(store.labels["train"])
    for name, taken in seconds.items():
        compare.say(f"{name}: {pictures / np.median(taken):.1f} pictures/s")
    faster = compare.ratios(seconds["released"], seconds["ours, scaled"])
    kept = compare.ratios(seconds["bare"], seconds["ours"])
    limit = compare.ratios(seconds["released"], seconds["bare"])
    return [
        Compared("pictures/s of ours over the released code's way", faster, 4),
        Compared("pictures/s of ours over bare tf.data decoding", kept, 0.8),
        Compared("pictures/s of bare tf.data decoding over the released code's way", limit, None),
    ]


def in_memory(store, size, batch):
    """Shuffled epochs of the batches that ours gives, gathered by tf.data from arrays in memory."""
    held = [pictures for pictures, _ in store.dataset("train", size, batch)]
    pictures, labels = tf.concat(held, 0), tf.constant(store.labels["train"])

    def gathered(numbers):
        return tf.gather(pictures, numbers), tf.gather(labels, numbers)

    def one_epoch(order, _, rows):
        numbers = tf.data.Dataset.from_tensor_slices(order).batch(rows)
        return numbers.map(gathered, backend.cores())

    return epochs(len(labels), batch, one_epoch, shuffle_seed=0)


def training(store, size, batch, count, rounds):
    """Three Compared: `count` epochs over the released way, later ones over tf.data, all over one.

    The later epochs of both sides come from iterators whose first has gone by in warming up.
    """
    steps = -(-len(store.labels["train"]) // batch)
    kept = functools.partial(store.dataset, "train", size, batch, 0, cache_gb=GB)

    def all_epochs(change=lambda batches: batches):
        shutil.rmtree(store.folder / PIXELS, ignore_errors=True)
        exhaust(change(kept()).take(count * steps))

    def later(source):
        return lambda: exhaust(itertools.islice(source, (count - 1) * steps))

    decoded = store.dataset("train", size, batch, 0).take(steps)
    sides = {
        "later epochs": later(iter(kept())),
        "tf.data": later(iter(in_memory(store, size, batch))),
        "epochs": all_epochs,
        "epochs, scaled": lambda: all_epochs(scaled),
        "one pass": lambda: exhaust(decoded),
        "released": lambda: exhaust(released(store, size, batch)),
    }
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    of_released = [count * taken for taken in seconds["released"]]
    faster = compare.ratios(of_released, seconds["epochs, scaled"])
    later_ones = compare.ratios(seconds["tf.data"], seconds["later epochs"])
    above = compare.ratios(seconds["epochs"], seconds["one pass"])
    return [
        Compared(f"speed of {count} epochs over the released code's way", faster, 20),
        Compared("pictures/s from the second epoch on over tf.data from memory", later_ones, 0.8),
        Compared(f"time of {count} epochs over one pass", above, 1.6, at_least=False),
    ]


def memory(few, many, size, batch, rounds):
    """One Compared: MB that a shuffled pass over the store `many` takes above one over `few`."""
    sides = {
        name: lambda store=store: peak_memory(SOME_EPOCHS, store.folder, size, batch, 1, 0)
        for name, store in {"few": few, "many": many}.items()
    }
    peaks = compare.by_turns(sides, rounds, warm_up=False)
    for store, found in zip((few, many), peaks.values(), strict=True):
        compare.say(f"{len(store.labels['train'])} pictures: {np.median(found):.0f} MB")
    more = tuple(b - a for a, b in zip(peaks["few"], peaks["many"], strict=True))
    claim = f"memory of {len(many.labels['train'])} pictures above {len(few.labels['train'])}"
    return Compared(claim, more, 300, at_least=False, unit=" MB")


def memory_of_the_cache(store, size, batch, rounds):
    """One Compared: MB of its own that a process takes above one that keeps nothing decoded."""

    def peak(gb):
        shutil.rmtree(store.folder / PIXELS, ignore_errors=True)
        return peak_memory(SOME_EPOCHS, store.folder, size, batch, 2, gb, own=True)

    sides = {"without": lambda: peak(0), "with": lambda: peak(GB)}
    peaks = compare.by_turns(sides, rounds, warm_up=False)
    more = tuple(b - a for a, b in zip(peaks["without"], peaks["with"], strict=True))
    claim = (
        f"own memory of two epochs of {len(store.labels['train'])} pictures, kept decoded, above"
    )
    return Compared(f"{claim} the same without", more, 300, at_least=False, unit=" MB")


def measure(settings):
    """Measure speeds, then memory: yields Compared."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = photographs.write_files(folder / "large", settings.distinct)
        small = photographs.write_files(folder / "small", settings.distinct, *SMALL)
        compare.say(f"1500 pixels: {photographs.kilobytes(folder / 'large')}")
        compare.say(f"for memory: {photographs.kilobytes(folder / 'small')}")
        store = photographs.write_store(
            folder / "store", folder / "large", large, train_only(settings.pictures)
        )
        yield from speeds(store, SIZE, BATCH, RATIO, settings.rounds)
        yield from training(store, SIZE, BATCH, EPOCHS, settings.rounds)
        few, many = (
            photographs.write_store(folder / str(n), folder / "small", small, train_only(n))
            for n in settings.memory_pictures
        )
        yield memory(few, many, SIZE, BATCH, settings.memory_rounds)
        yield memory_of_the_cache(many, SIZE, BATCH, settings.memory_rounds)


def train_only(pictures):
    """Counts for photographs.write_store: `pictures` for training, the other splits tiny."""
    return {"train": pictures, "val": 1, "test": 1}


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
