"""The data of one challenge: checked at once, found or made, named by what decides them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer.dataset import Data, digest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path):
    """Data of a collection of 60 pictures of two artists."""
    (tmp_path / "jpg").mkdir()
    lines = ["ImageId,dc_creator,fold"]
    for i in range(60):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 9, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "jpg" / f"{i:03}.png")
        lines.append(f"{i:03},{'NA' if i % 2 else '007'},{('train', 'val', 'test')[i % 3]}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    return Data(
        "a museum/1",
        "artist",
        tmp_path / "datasets",
        tmp_path / "metadata.csv",
        tmp_path / "jpg",
    )


def test_made_once_and_found_again(data, capsys):
    store = data.open()
    said = capsys.readouterr().out
    assert "no findings" in said and "pictures read: 60 of 60" in said
    assert "pictures stored: 60 of 60" in said
    assert store.folder.parent == data.datasets_path / "a museum_1" / "artist"
    assert store.classes == ["007", "NA"] and not store.toy
    assert {split: len(labels) for split, labels in store.labels.items()} == {
        "train": 48,
        "val": 6,
        "test": 6,
    }
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["split_sha256"] == store.split_sha256
    assert data.settings.items() <= manifest.items()
    again = data.open()
    assert again == store and capsys.readouterr().out == f"data set found in {store.folder}\n"


def test_another_setting_or_csv_is_another_data_set(data):
    folders = {data.open().folder, replace(data, split_seed=43).open().folder}
    folders.add(replace(data, split="column=fold").open().folder)
    data.metadata_path.write_text(data.metadata_path.read_text() + "060,x,train\n")
    folders.add(data.open().folder)
    assert len(folders) == 4


def test_nothing_is_left_of_a_data_set_that_could_not_be_made(data):
    with pytest.raises(InputError, match="two classes"):
        replace(data, min_pictures=31).open()
    left = [path.name for path in data.datasets_path.rglob("*") if path.is_dir()]
    assert left == ["a museum_1", "artist"]


def test_released_files_are_opened_where_they_lie(data, tmp_path):
    made = data.open().folder
    place = tmp_path / "released" / "theirs" / "artist"
    place.mkdir(parents=True)
    for path in made.glob("*.hdf5"):
        (place / path.name).write_bytes(path.read_bytes())
    assert Data("theirs", "artist", tmp_path / "released").open().folder == place
    with pytest.raises(InputError, match="no file .*training_images.hdf5"):
        Data("nobody's", "artist", tmp_path / "released").open()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "90/5/5"}, "split is '90/5/5'; accepted: sabatelli2018, cetinic2018, column="),
        ({"split": "column"}, "split is 'column'"),
        ({"split": "column="}, "split is 'column='"),
        ({"split_seed": -1}, "split_seed is -1; it must be 0 or more"),
        ({"jpg_images_path": None}, "^metadata_path and jpg_images_path go together"),
        ({"metadata_path": None}, "^metadata_path and jpg_images_path go together"),
        ({"metadata_path": Path("nowhere.csv")}, "nowhere.csv does not exist"),
        ({"jpg_images_path": Path("nowhere")}, "nowhere is not a folder"),
        ({"dataset_name": ".."}, "cannot name a folder"),
        ({"challenge": "../x"}, "cannot name a folder"),
    ],
)
def test_what_cannot_be_is_an_error_at_once(data, wrong, message):
    with pytest.raises(InputError, match=message):
        replace(data, **wrong)


def imported_by(code, *arguments):
    code = f"import sys; from transfer.dataset import Data; {code}; print(*sys.modules)"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_quick_answers_import_nothing_slow(data):
    """Checks without pandas; a data set that is there without TensorFlow."""
    check = "Data('a', 'b', 'c')"
    assert not {"tensorflow", "keras", "pandas", "h5py", "sklearn"} & imported_by(check)
    data.open()
    names = data.dataset_name, data.datasets_path, data.metadata_path, data.jpg_images_path
    find = "n, *paths = sys.argv[1:]; assert Data(n, 'artist', *paths).open().classes"
    assert not {"tensorflow", "keras"} & imported_by(find, *names)


def test_the_key_changes_with_data_and_settings_and_with_nothing_else(write_file, tmp_path):
    table = write_file(b"ImageId,a\n", "table.csv")
    one = write_file(b"one", "pictures/one.jpg")
    write_file(b"x", "pictures/note.txt")

    def key(**settings):
        return digest(table, tmp_path / "pictures", settings)

    keys = [key(seed=42, protocol="column")]
    assert re.fullmatch("[0-9a-f]{16}", keys[0])
    write_file(b"y", "pictures/note.txt")
    assert key(protocol="column", seed=42) == keys[0]
    keys.append(key(seed=43, protocol="column"))
    times = one.stat().st_atime_ns, one.stat().st_mtime_ns
    changes = (
        lambda: os.utime(one, ns=(times[0], times[1] + 1_000_000_000)),
        lambda: (one.write_bytes(b"longer"), os.utime(one, ns=times)),
        lambda: one.rename(one.with_name("three.jpg")),
        lambda: table.write_bytes(b"ImageId,b\n"),
    )
    for change in changes:
        change()
        keys.append(key(seed=42, protocol="column"))
    assert len(set(keys)) == 6
