"""The pictures of a comparison: chosen once, kept, and known again when some are gone."""

import csv

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer.dataset import Data
from transfer.result_folder import unfinished
from visualization.picture_list import Pictures, collection_key, open_pictures


def paint(folder, rows, column="style"):
    """Pictures and a CSV with id, label, split, artist and title."""
    (folder / "jpg").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, *_ in rows:
        pixels = random.integers(0, 255, (24, 24, 3), "uint8")
        Image.fromarray(pixels).save(folder / "jpg" / f"{name}.png")
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", column, "split", "Artist", "title"])
        writer.writerows(rows)


ROWS = [
    ("e", "red", "test", "", "<b>"),
    ("a", "red", "train", "Ann", "One"),
    ("b", "blue", "train", "", "Two"),
    ("c", "", "train", "Bo", ""),
    ("d", "blue", "val", "", ""),
    ("f", "blue", "test", "Bo", ""),
    ("g", "red", "val", "", ""),
]


@pytest.fixture
def data(tmp_path):
    paint(tmp_path / "museum", ROWS)
    return read(tmp_path)


def read(tmp_path, **changes):
    given = {"split": "column=split", "near_duplicates": "ignore", **changes}
    museum = tmp_path / "museum"
    return Data("museum", "style", tmp_path, museum / "table.csv", museum / "jpg", **given)


def opened(data, tmp_path, said=None):
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    say = (said if said is not None else []).append
    return open_pictures(data, folder, tmp_path / "refused.csv", say)


def test_pictures_come_by_part_with_titles(data, tmp_path):
    said = []
    pictures = opened(data, tmp_path, said)
    assert list(pictures.table["id"]) == ["a", "b", "d", "g", "e", "f"]
    assert list(pictures.table["title"]) == ["Ann: One", "Two", "", "", "<b>", "Bo"]
    assert pictures.classes == ("blue", "red")
    assert pictures.labels.tolist() == [1, 0, 0, 1, 1, 0]
    assert pictures.files[0] == tmp_path / "museum" / "jpg" / "a.png"
    assert pictures.of(("train", "test")).tolist() == [True, True, False, False, True, True]
    assert list(pictures.only(("val",)).table["id"]) == ["d", "g"]
    # a picture without a label is in no part, and said
    assert pictures.found == {"label dropped": 1}
    assert any("label dropped: 1" in line for line in said)
    assert (tmp_path / "out" / "report.csv").exists()


def test_the_list_is_kept(data, tmp_path, monkeypatch):
    pictures = opened(data, tmp_path)
    monkeypatch.setattr(Data, "choose", None)
    again = opened(data, tmp_path)
    assert again.table.equals(pictures.table) and again.found == pictures.found


def test_one_class_will_do(tmp_path):
    paint(tmp_path / "museum", [(name, "red", part, "", "") for name, _, part, *_ in ROWS])
    assert opened(read(tmp_path), tmp_path).classes == ("red",)


def test_pictures_that_cannot_be_used_leave_a_report(tmp_path):
    paint(tmp_path / "museum", [(*row[:2], "train", "", "") for row in ROWS])
    with pytest.raises(InputError, match="your split has no val and no test part"):
        opened(read(tmp_path), tmp_path)
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("place", [lambda out: out, unfinished])
def test_a_picture_taken_away_leaves_the_same_collection(data, tmp_path, place):
    said, out = [], tmp_path / "out"
    key = collection_key(data, out, said.append)
    opened(data, tmp_path)
    if place(out) != out:
        out.rename(place(out))
    assert collection_key(data, out, said.append) == key and not said
    (tmp_path / "museum" / "jpg" / "b.png").unlink()
    assert collection_key(data, out, said.append) == key
    assert "1 pictures of the collection have been taken away" in said[0] and "b.png" in said[0]


def test_a_new_or_changed_picture_is_another_collection(data, tmp_path):
    out, jpg = tmp_path / "out", tmp_path / "museum" / "jpg"
    key = collection_key(data, out)
    opened(data, tmp_path)
    Image.new("RGB", (5, 5)).save(jpg / "b.png")
    assert collection_key(data, out) != key
    (jpg / "b.png").unlink()
    Image.new("RGB", (5, 5)).save(jpg / "z.png")
    assert collection_key(data, out) != key
    (jpg / "z.png").unlink()
    assert collection_key(data, out) == key
    assert collection_key(read(tmp_path, min_pictures=2), out) != key
    assert collection_key(read(tmp_path), tmp_path / "other") != key


def test_pictures_that_a_network_was_trained_on(data, tmp_path, monkeypatch):
    pictures = opened(data, tmp_path)
    digests = frozenset(bytes.fromhex(text)[:8] for text in pictures.table["sha256"][:2])
    monkeypatch.setattr("transfer.seen_pictures.of_network", lambda spec: digests)
    assert pictures.seen_by(None).tolist() == [True, True, False, False, False, False]
    monkeypatch.setattr("transfer.seen_pictures.of_network", lambda spec: None)
    assert Pictures(pictures.folder, pictures.table, {}, False).seen_by(None) is None
