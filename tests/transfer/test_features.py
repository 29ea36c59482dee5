"""Features of a small store: computed once, found again, and gone on with after `kill -9`."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
from PIL import Image

from models import backend
from models.errors import InputError
from transfer import features
from transfer import store as stores

COUNTS = {"train": 14, "val": 3, "test": 4}
SIZE, BATCH = 8, 4
KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
import test_features
def passed(passes):
    if len(passes) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
test_features.count_passes(passed)
store = test_features.stores.Store(test_features.Path(sys.argv[1]))
test_features.compute(test_features.network(), store)
"""


def network():
    """Pooled colours of a picture, and their squares."""
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Concatenate(name="features")([pooled, keras.ops.square(pooled)])
    return keras.Model(inputs, outputs)


def count_passes(passed=lambda passes: None):
    """From now on pictures of each pass are counted, in the list that is given back."""
    passes, forward = [], backend.forward

    def counting(model):
        run = forward(model)

        def counted(pictures):
            passes.append(len(pictures))
            passed(passes)
            return run(pictures)

        return counted

    backend.forward = counting
    return passes


def compute(model, store):
    return features.cached(model, store, BATCH, store.folder / "features", "small")


@pytest.fixture
def store(tmp_path):
    rng, rows = np.random.default_rng(0), []
    for split, count in COUNTS.items():
        for number in range(count):
            path = f"{split}{number}.png"
            Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(tmp_path / path)
            rows.append((path, f"class {number % 2}", split, path))
    (tmp_path / "store").mkdir()
    frame = pandas.DataFrame(rows, columns=["id", "label", "split", "path"])
    stores.write(frame, tmp_path, tmp_path / "store")
    return stores.Store(tmp_path / "store")


def test_features_are_those_of_every_picture_and_found_again(store, capsys):
    model = network()
    pooled, seconds = compute(model, store)
    for split, count in COUNTS.items():
        pictures = np.concatenate([x for x, _ in store.dataset(split, SIZE, BATCH)])
        means = pictures.mean(axis=(1, 2))
        assert pooled[split].dtype == np.float32 and len(pooled[split]) == count
        np.testing.assert_allclose(pooled[split], np.hstack([means, means**2]), rtol=1e-5)
    (folder,) = (store.folder / "features").glob("small-*")
    assert {path.name for path in folder.iterdir()} == {f"{split}.npy" for split in COUNTS} | {
        "manifest.json"
    }
    capsys.readouterr()
    assert compute(model, store)[1] == seconds > 0
    assert "features found in" in capsys.readouterr().out


def test_features_are_found_on_a_read_only_disk_or_kept_elsewhere(store, small_disk, capsys):
    shutil.copytree(store.folder, small_disk / "store")
    moved, model, spare = stores.Store(small_disk / "store"), network(), store.folder / "spare"
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    pooled, _ = features.cached(model, moved, BATCH, moved.folder / "features", "small", spare)
    said = capsys.readouterr().out
    assert f"Read-only file system; the features are kept in {spare}" in said
    again, _ = features.cached(model, moved, BATCH, moved.folder / "features", "small", spare)
    assert f"features found in {spare}" in capsys.readouterr().out
    np.testing.assert_array_equal(again["test"], pooled["test"])
    subprocess.run([*remount[:2], "remount,rw", remount[-1]], check=True)
    compute(model, moved)
    subprocess.run(remount, check=True)
    features.cached(model, moved, BATCH, moved.folder / "features", "small", spare)
    assert f"features found in {moved.folder}" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut", "emptied", "removed", "of others", "no seconds"])
def test_damaged_features_are_named(store, damage):
    model = network()
    compute(model, store)
    (folder,) = (store.folder / "features").glob("small-*")
    path = folder / "train.npy"
    if damage in ("cut", "emptied"):
        os.truncate(path, path.stat().st_size // 2 if damage == "cut" else 0)
    elif damage == "removed":
        path.unlink()
    elif damage == "of others":
        shutil.copy(folder / "val.npy", path)
    else:
        (folder / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match=f"remove {re.escape(str(folder))}, and the features"):
        compute(model, store)


@pytest.mark.slow
def test_a_killed_pass_goes_on_where_it_was(store, monkeypatch):
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(store.folder), str(here), str(here.parents[1])]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    monkeypatch.setattr(backend, "forward", backend.forward)  # it is given back in the end
    model, passes = network(), count_passes()
    pooled, _ = compute(model, store)
    assert passes == [4, 2, 3, 4]  # two batches of the training pictures were there
    (folder,) = (store.folder / "features").glob("small-*")
    again = {split: np.load(folder / f"{split}.npy") for split in COUNTS}
    for split, values in again.items():
        np.testing.assert_array_equal(values, pooled[split])
        pictures = np.concatenate([x for x, _ in store.dataset(split, SIZE, BATCH)])
        np.testing.assert_allclose(values, model.predict_on_batch(pictures), rtol=1e-6)
