"""The toy collection: same seed, same pictures; whole or absent."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer.toy import brushes, hands
from transfer.toy.__main__ import main
from transfer.toy.artists import ANONYMOUS, ARTISTS, MATERIALS, SCHOOLS
from transfer.toy.collection import COLUMNS, image_id, metadata_row, paint_collection
from transfer.toy.paintings import painting, palette_colours
from transfer.toy.scenes import SCENES
from transfer.toy.sheet import contact_sheet

COUNT = 12


def read_rows(folder):
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "collection"
    assert paint_collection(folder, COUNT, seed=5)
    return folder


@pytest.mark.parametrize("material", MATERIALS)
def test_same_seed_same_pixels_other_seed_other_pixels(material):
    first, again, other = (painting(3, seed, None, material).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_a_picture_does_not_depend_on_the_count(toy, tmp_path):
    paint_collection(tmp_path / "smaller", COUNT // 3, seed=5)
    for path in sorted((tmp_path / "smaller" / "jpg").iterdir()):
        assert path.read_bytes() == (toy / "jpg" / path.name).read_bytes()
    assert read_rows(tmp_path / "smaller") == read_rows(toy)[: COUNT // 3]


@settings(max_examples=12, deadline=None)
@given(index=st.integers(0, 10_000), seed=st.integers(0, 2**32))
def test_every_painting_is_a_labelled_picture_of_moderate_size(index, seed):
    work = painting(index, seed)
    assert work.pixels.dtype == np.uint8 and work.pixels.shape[2] == 3
    assert min(work.pixels.shape[:2]) >= 96 and max(work.pixels.shape[:2]) <= 200
    assert work.pixels.std() > 5  # something is on it
    artist = next(hand for hand in ARTISTS if hand.name == work.artist)
    assert work.school == artist.school and work.material in MATERIALS
    assert work.creator in (artist.name, ANONYMOUS)


@pytest.mark.parametrize("artist", ARTISTS, ids=lambda artist: artist.name[:8])
def test_the_tables_of_artists_and_schools_fit_together(artist):
    assert palette_colours(artist.palette).shape == (7, 3)
    assert len(artist.materials) == len(MATERIALS) and sum(artist.materials) == pytest.approx(1)
    assert min(artist.materials) > 0  # or a material would rule an artist out
    assert set(SCHOOLS[artist.school]) <= set(SCENES)
    angles = hands.directions(np.random.default_rng(0), artist.direction, np.eye(64) * 255)
    assert angles.shape == (64, 64) and np.isfinite(angles).all()


def test_csv_and_pictures_agree(toy):
    rows = read_rows(toy)
    assert tuple(rows[0]) == COLUMNS and len(rows) == COUNT
    assert [row[""] for row in rows] == [str(number) for number in range(COUNT)]
    assert sorted(row["ImageId"] + ".jpg" for row in rows) == sorted(os.listdir(toy / "jpg"))
    assert all(row[column].startswith(" ") for row in rows for column in COLUMNS[2:])
    with Image.open(toy / "jpg" / f"{rows[0]['ImageId']}.jpg") as picture:
        assert picture.format == "JPEG" and picture.mode == "RGB"


def test_names_of_pictures_follow_the_museums():
    assert image_id(0) == "0000001_TOY-A-0001"
    assert image_id(719) == "0000720_TOY-A-0720"


def test_the_names_that_break_readers_are_there():
    names = [artist.name for artist in ARTISTS]
    assert any("," in name and '"' in name for name in names)
    assert any("\\xc3\\xab" in name for name in names)
    work = painting(0, 0)
    assert metadata_row(0, work)[:2] == (0, "0000001_TOY-A-0001")


def test_every_class_is_there_and_no_material_names_the_artist(monkeypatch):
    monkeypatch.setattr("transfer.toy.paintings._wanted_colours", lambda *_: np.zeros((96, 96, 3)))
    monkeypatch.setattr(
        "transfer.toy.paintings.MEDIA",
        {name: lambda *a: np.zeros((240, 240, 3)) for name in MATERIALS},
    )
    works = [painting(index, 0) for index in range(720)]
    artists = Counter(work.artist for work in works)
    assert len(artists) == len(ARTISTS) and min(artists.values()) >= 20
    assert {work.material for work in works} == set(MATERIALS)
    assert 10 <= sum(work.creator == ANONYMOUS for work in works) <= 60
    for material in MATERIALS:
        hands_of = Counter(work.artist for work in works if work.material == material)
        assert max(hands_of.values()) < 0.4 * sum(hands_of.values())


def test_painting_again_does_nothing_and_another_recipe_is_refused(toy, capsys):
    before = (toy / "metadata.csv").stat().st_mtime_ns
    command = ["paint", str(toy), "--count", str(COUNT), "--seed"]
    assert main([*command, "5"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (toy / "metadata.csv").stat().st_mtime_ns == before
    assert main([*command, "6"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (10_000, 0), (1, -1)])
def test_impossible_collections_are_refused(tmp_path, count, seed):
    with pytest.raises(InputError, match=str(seed if seed else count)):
        paint_collection(tmp_path / "toy", count, seed)
    assert {path.name for path in tmp_path.iterdir()} <= {".toy.lock"}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not a toy collection"):
        paint_collection(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_killed_while_painting_leaves_nothing_and_a_rerun_succeeds(tmp_path):
    folder = tmp_path / "toy"
    command = [sys.executable, "-m", "transfer.toy", "paint", str(folder), "--count", "2000"]
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

    monkeypatch.setattr("transfer.toy.collection.write_metadata", full_disk)
    assert main(["paint", str(tmp_path / "toy"), "--count", "2"]) == 2
    assert {path.name for path in tmp_path.iterdir()} <= {".toy.lock"}


def test_strokes_are_where_and_as_long_as_asked():
    one = np.ones(1)
    outline = brushes.stroke_outlines(np.array([[50.0, 40.0]]), 0 * one, 20 * one, 4 * one, 0 * one)
    np.testing.assert_allclose(outline[0].min(axis=0), [40, 38])
    np.testing.assert_allclose(outline[0].max(axis=0), [60, 42])


def test_bristles_vary_less_along_the_stroke_than_across():
    hairs = brushes.bristles(np.random.default_rng(0), np.zeros((64, 64)))
    along, across = np.diff(hairs[8:-8], axis=1).std(), np.diff(hairs[8:-8], axis=0).std()
    assert along < 0.8 * across
    assert hairs.std() == pytest.approx(1, abs=0.1)


def test_light_falls_on_a_step_from_the_upper_left():
    step = np.zeros((4, 4))
    step[2:, 2:] = 1
    light = brushes.relief_light(step)
    assert light[2, 2] == 1 and light[3, 3] == 0 and light[1, 1] == 0


def test_the_sheet_command_writes_a_picture_or_says_why_not(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("transfer.toy.sheet.contact_sheet", lambda seed: Image.new("RGB", (9, 7)))
    assert main(["sheet", str(tmp_path / "toy.png")]) == 0
    with Image.open(tmp_path / "toy.png") as picture:
        assert picture.size == (9, 7)
    for arguments in (["toy.nonsense"], ["toy.png", "--seed", "-1"], ["missing/toy.png"]):
        assert main(["sheet", str(tmp_path / arguments[0]), *arguments[1:]]) == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["toy.png"]


def test_the_sheet_has_a_row_for_every_artist():
    sheet = contact_sheet(seed=0, columns=1)
    assert sheet.size == (126 + 6, 126 * len(ARTISTS) + 6)
    rows = np.asarray(sheet)[6:].reshape(len(ARTISTS), 126, -1)
    assert (rows.std(axis=(1, 2)) > 5).all()
