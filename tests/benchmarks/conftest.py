"""A tiny network, a small store, and the code of a peer's driver."""

import keras
import pytest

from benchmarks import photographs

SIZE, LAYER = 16, "maps"
FAKE = """
import sys, time
from benchmarks.peers import serving
def prepare(size, batch):
    print("not an answer", size)
    if batch == 13:
        raise ValueError("thirteen is refused")
    return lambda steps: time.sleep(0.01 * steps * batch)
serving.serve(prepare)
"""


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A store of 10 pictures, 96 pixels wide: 6 for training, 2 and 2."""
    folder = tmp_path_factory.mktemp("small")
    names = photographs.write_files(folder / "files", 3, 96, (72, 96))
    counts = {"train": 6, "val": 2, "test": 2}
    return photographs.write_store(folder / "store", folder / "files", names, counts)


@pytest.fixture(scope="session")
def tiny():
    """A network of one convolution, 4 channels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(4, 3, name=LAYER)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))


@pytest.fixture(scope="session")
def driver_code():
    """A driver of a few lines of Python, 10 ms an image-step; it refuses a batch of 13."""
    return FAKE
