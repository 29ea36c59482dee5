"""From HDF5 to batches: pictures a second against two peers, and memory against the number.

1500-pixel JPEG photographs (invented), read from the six HDF5 files and made 224 pixels, batches
of 32; all sides by turns in one process. Peers and bounds:

* the released code's way, one Python thread: bytes from HDF5, keras.utils.load_img,
  img_to_array, preprocess_input, stacked: ours, scaled to [-1, 1] too, makes at least 4 times the
  pictures a second;
* a bare tf.data pipeline that only decodes, at the same quarter of the size, the same files from
  memory (no HDF5, no resizing, no batches): ours keeps at least 0.8 of its pictures a second;
* for information, that bare pipeline over the released code's way: no pipeline that decodes with
  TensorFlow is faster than this;
* peak memory of a shuffled pass over 20,000 pictures: at most 300 MB above that over 2,000, each
  in a fresh process. These pictures are 400 pixels wide; all of them held even as files would be
  800 MB, so keeping the collection in memory in any form breaks the bound.

    python -m benchmarks.pipeline [--rounds 5] [--check | --quick]
"""

import io
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
from transfer.store import untuned

SIZE = 224  # pixels, of most networks in models.zoo
BATCH = 32  # Sabatelli et al. 2018, section 2.3
RATIO = 4  # 1125 // 4 >= 224 > 1125 // 8: what transfer.store.decode chooses for these pictures
SMALL = (400, (300, 400))  # long side and range of the short one, for the collections of memory
# a shuffled epoch, as training has it; in a process of its own, without Keras
ONE_EPOCH = """
import sys
from transfer.store import Store
store, size, batch = Store(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
steps = -(-len(store.labels["train"]) // batch)
pictures = sum(len(y) for _, y in store.dataset("train", size, batch, shuffle_seed=0).take(steps))
assert pictures == len(store.labels["train"]), pictures
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
    return batches.map(lambda pictures, labels: (pictures / 127.5 - 1, labels))


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


def memory(few, many, size, batch, rounds):
    """One Compared: MB that a shuffled pass over the store `many` takes above one over `few`."""
    sides = {
        name: lambda store=store: peak_memory(ONE_EPOCH, store.folder, size, batch)
        for name, store in {"few": few, "many": many}.items()
    }
    peaks = compare.by_turns(sides, rounds, warm_up=False)
    for store, found in zip((few, many), peaks.values(), strict=True):
        compare.say(f"{len(store.labels['train'])} pictures: {np.median(found):.0f} MB")
    more = tuple(b - a for a, b in zip(peaks["few"], peaks["many"], strict=True))
    claim = f"memory of {len(many.labels['train'])} pictures above {len(few.labels['train'])}"
    return Compared(claim, more, 300, at_least=False, unit=" MB")


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
        few, many = (
            photographs.write_store(folder / str(n), folder / "small", small, train_only(n))
            for n in settings.memory_pictures
        )
        yield memory(few, many, SIZE, BATCH, settings.memory_rounds)


def train_only(pictures):
    """Counts for photographs.write_store: `pictures` for training, the other splits tiny."""
    return {"train": pictures, "val": 1, "test": 1}


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
