"""Which rows of a batch a process reads; and trainings of several processes, one of them killed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models import machines
from models.machines import free_port
from transfer.parts import WHOLE, Part
from transfer.run import read_run
from transfer.store import epochs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("part", "count", "rows"),
    [
        (Part(0, 2, 2), 6, [0, 1, 2]),
        (Part(1, 2, 2), 6, [3, 4, 5]),
        (Part(1, 2, 4), 8, [4, 5, 6, 7]),
        (Part(1, 2, 4), 6, [0, 1, 2, 3, 4, 5]),  # four devices do not divide six: each has all
        (Part(1, 2, 2), 3, [0, 1, 2]),
        (Part(1, 2, 2, filled=True), 3, [2, 2]),
        (Part(2, 3, 3, filled=True), 4, [3, 3]),
        (WHOLE, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_rows_by_hand(part, count, rows):
    assert part.rows(count).tolist() == rows


@given(
    processes=st.integers(1, 5),
    devices_of_each=st.integers(1, 3),
    count=st.integers(1, 40),
    batch_size=st.integers(1, 12),
)
def test_processes_together_read_every_batch(processes, devices_of_each, count, batch_size):
    devices = processes * devices_of_each
    order = np.random.default_rng(0).permutation(count)
    parts = [Part(process, processes, devices) for process in range(processes)]
    read = [[piece for piece, _ in part.cut(tf.constant(order), batch_size)] for part in parts]
    sizes = [[size for _, size in part.cut(tf.constant(order), batch_size)] for part in parts]
    for first in range(0, count, batch_size):
        batch, number = order[first : first + batch_size], int(first + batch_size > count)
        own = []
        for process in range(processes):
            at = min(number, len(read[process]) - 1)
            size = sizes[process][at]
            begin = 0 if number else first // batch_size * size
            own.append(np.asarray(read[process][at])[begin : begin + size])
        if len(batch) % devices:
            assert all(np.array_equal(rows, batch) for rows in own)
        else:
            assert np.array_equal(np.concatenate(own), batch)


def test_a_part_of_shuffled_epochs_goes_on_in_the_next_one():
    def one_epoch(order, _, rows):
        return tf.data.Dataset.from_tensor_slices(order).batch(rows)

    def taken(part, first_epoch=0):
        batches = epochs(7, 4, one_epoch, 3, first_epoch, part=part)
        return [batch.numpy().tolist() for batch in batches.take(4)]

    whole, first, second = (taken(part) for part in (WHOLE, Part(0, 2, 2), Part(1, 2, 2)))
    for number, batch in enumerate(whole):
        # two epochs of a batch of 4 that is divided and one of 3 that is not
        expected = batch if number % 2 else first[number] + second[number]
        assert batch == expected
        if number % 2:
            assert first[number] == second[number] == batch
    assert taken(Part(1, 2, 2), 1)[:2] == second[2:]


# a process that kills itself when it has heard or told of the second or third epoch
DYING = """
import os, signal, sys
from models import machines
from transfer.experiment import main

name, epoch = sys.argv[1], int(sys.argv[2])
former = getattr(machines.Together, name)

def dying(*given):
    value = former(*given)
    if isinstance(value, dict) and value.get("epoch") == epoch:
        os.kill(os.getpid(), signal.SIGKILL)
    return value

setattr(machines.Together, name, dying)
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture
def collection(tmp_path):
    """21 pictures that train, 3 that validate, 3 that test, and a network that normalises."""
    rng = np.random.default_rng(0)
    (tmp_path / "jpg").mkdir()
    lines = ["ImageId,artist,part"]
    for number in range(27):
        colour = (220, 120, 60) if number % 2 else (60, 110, 210)
        noisy = rng.normal(colour, 60, (12, 12, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(tmp_path / "jpg" / f"{number}.png")
        part = {7: "val", 8: "test"}.get(number % 9, "train")
        lines.append(f"{number},{'warm' if number % 2 else 'cold'},{part}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, "softmax")]
    keras.Sequential(layers).save(tmp_path / "own.keras")
    return tmp_path


def start(collection, out, *words, before=()):
    """A process of its own that trains, in two ways, with JAX on one CPU device."""
    given = {
        "dataset_name": "tiny",
        "metadata_path": collection / "metadata.csv",
        "jpg_images_path": collection / "jpg",
        "results_path": out / "results",
        "datasets_path": out / "datasets",
        "challenge": "artist",
        "split": "column=part",
        "ANN": collection / "own.keras",
        "batch_size": 6,
        "epochs": 5,
    }
    pairs = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    pairs += ["--tl_mode", "random", "off_the_shelf", *words]
    return subprocess.Popen(
        [sys.executable, *(before or ["-m", "transfer.experiment"]), *pairs],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train_together(collection, out, count, dying=None, how=()):
    """(Exit codes, standard outputs, standard errors) of so many processes that train together."""
    where = ["--coordinator", f"localhost:{free_port()}", "--processes", str(count)]
    started = []
    for number in range(count):
        before = ["-c", DYING, *how] if number == dying else ()
        started.append(start(collection, out, *where, "--process", str(number), before=before))
    told = [process.communicate(timeout=300) for process in started]
    return [process.returncode for process in started], *zip(*told, strict=True)


def trained(out):
    """What the two runs below a folder say: history, scores, weights; lists of arrays."""
    arrays = []
    for mode in ("random", "off_the_shelf"):
        (folder,) = (out / "results").glob(f"tiny/artist/own-*/{mode},*")
        history = read_run(folder).history.drop(columns="seconds", errors="ignore")
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        arrays += [history.to_numpy(float), np.load(folder / "scores.npy"), *model.get_weights()]
    return arrays


@pytest.mark.slow
def test_processes_train_as_one_whatever_kills_them(collection, tmp_path):
    alone = start(collection, tmp_path / "one")
    assert alone.communicate(timeout=300)[1] == "" and alone.returncode == 0
    expected = trained(tmp_path / "one")
    codes, _, errors = train_together(collection, tmp_path / "two", 2, 1, ("hear", "2"))
    assert codes == [machines.GONE, -9]
    assert "error: process 1 of 2" in errors[0] and "ended without a word" in errors[0]
    assert errors[0].count("\n") == 1
    codes, printed, errors = train_together(collection, tmp_path / "two", 2, 0, ("tell", "4"))
    assert codes == [-9, machines.GONE]
    assert re.search("continuing after epoch [12]\n", printed[0])
    assert "error: process 0 of 2" in errors[1] and errors[1].count("\n") == 1
    codes, printed, errors = train_together(collection, tmp_path / "two", 2)
    assert codes == [0, 0] and errors == ("", "")
    assert "continuing after epoch 3\n" in printed[0]
    assert printed[1] == ""
    codes, printed, errors = train_together(collection, tmp_path / "three", 3)
    assert codes == [0, 0, 0] and errors == ("", "", "")
    for folder in ("two", "three"):
        for ours, theirs in zip(trained(tmp_path / folder), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
