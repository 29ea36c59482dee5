"""The toy collection: same seed, same pictures; whole or absent."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from toy.__main__ import main
from toy.artists import ARTISTS
from toy.collection import (
    COLUMNS,
    draw_contact_sheet,
    make_row,
    name_picture,
    paint_collection,
)
from toy.paintings import paint

COUNT = 12


def read_rows(folder):
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "collection"
    assert paint_collection(folder, COUNT, seed=5)
    return folder


def test_a_picture_does_not_depend_on_the_count(toy, tmp_path):
    paint_collection(tmp_path / "smaller", COUNT // 3, seed=5)
    for path in sorted((tmp_path / "smaller" / "jpg").iterdir()):
        assert path.read_bytes() == (toy / "jpg" / path.name).read_bytes()
    assert read_rows(tmp_path / "smaller") == read_rows(toy)[: COUNT // 3]


def test_csv_and_pictures_agree(toy):
    rows = read_rows(toy)
    assert tuple(rows[0]) == COLUMNS and len(rows) == COUNT
    assert [row[""] for row in rows] == [str(number) for number in range(COUNT)]
    assert sorted(row["ImageId"] + ".jpg" for row in rows) == sorted(os.listdir(toy / "jpg"))
    assert all(row[column].startswith(" ") for row in rows for column in COLUMNS[2:-1])
    assert {row["art_transfer_toy"] for row in rows} == {"1"}
    with Image.open(toy / "jpg" / f"{rows[0]['ImageId']}.jpg") as picture:
        assert picture.format == "JPEG" and picture.mode == "RGB"


def test_names_of_pictures_follow_the_museums():
    assert name_picture(0) == "0000001_TOY-A-0001"
    assert name_picture(719) == "0000720_TOY-A-0720"
    assert make_row(0, paint(0, 0))[:2] == (0, "0000001_TOY-A-0001")


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (10_000, 0), (1, -1)])
def test_impossible_collections_are_refused(tmp_path, count, seed):
    with pytest.raises(InputError, match=str(seed if seed else count)):
        paint_collection(tmp_path / "toy", count, seed)
    assert {path.name for path in tmp_path.iterdir()} <= {".toy.lock"}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files but no finished run"):
        paint_collection(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_killed_while_painting_leaves_nothing_and_a_rerun_succeeds(tmp_path):
    folder = tmp_path / "toy"
    command = [sys.executable, "-m", "toy", "paint", str(folder), "--count", "2000"]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 15
    while not list(tmp_path.glob(".toy.partial/jpg/*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(tmp_path.glob(".toy.partial/jpg/*.jpg")) and not folder.exists()
    assert paint_collection(folder, 2)
    assert len(list((folder / "jpg").iterdir())) == 2


def test_a_fault_while_painting_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("toy.collection.write_metadata", full_disk)
    assert main(["paint", str(tmp_path / "toy"), "--count", "2"]) == 2
    assert {path.name for path in tmp_path.iterdir()} <= {".toy.lock"}


def test_the_sheet_has_a_row_for_every_artist():
    sheet = draw_contact_sheet(seed=0, columns=1)
    assert sheet.size == (126 + 6, 126 * len(ARTISTS) + 6)
    rows = np.asarray(sheet)[6:].reshape(len(ARTISTS), 126, -1)
    assert (rows.std(axis=(1, 2)) > 5).all()
