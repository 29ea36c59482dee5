"""Optimized images beside the user's pictures: never a mixed table, whenever those are given."""

import csv
import io
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from visualization import comparison, figures, records, render, rendering

CHANNELS = (0, 1, 3)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A convolution of the logarithm: no finite score for a picture with a black pixel."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(4, 3, name="maps")(keras.ops.log(pixels))
    path = tmp_path_factory.mktemp("network") / "logarithm.keras"
    keras.Model(pixels, maps).save(path)
    return path


def noise(folder, *seeds):
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(1, 256, (16, 16, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def words(network, tmp_path):
    given = ["--layer", "maps", "--channels", "0-1,3", "--steps", "2", "--size", "16"]
    return [str(network), *given, "--batch", "1", "--out", str(tmp_path / "out")]


def read(out):
    """Records, rows of the table, and what the manifest says of the pictures."""
    found = [json.loads((out / f"maps_000{c}.json").read_text()) for c in CHANNELS]
    rows = list(csv.DictReader(io.StringIO((out / "scores.csv").read_text())))
    return found, rows, json.loads((out / "manifest.json").read_text())


def images(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("maps_*.png")}


def no_ascent(*given, **named):
    raise AssertionError("a new ascent")


def stops_after_one(*given, **named):
    """render_channels, interrupted by the user after its first image."""
    yield next(TRUE_RENDER_CHANNELS(*given, **named))
    raise KeyboardInterrupt


TRUE_RENDER_CHANNELS = rendering.render_channels


def test_pictures_given_later(words, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert render.main(words) == 0
    before, made, (plain, _, first) = images(out), out / "maps_0003.json", read(out)
    assert first["pictures"] is None and plain[0]["best_picture"] is None
    monkeypatch.setattr(rendering, "render_channels", no_ascent)
    captions = []

    def contact_sheet(tiles):
        captions.extend(text for _, text in tiles)
        return b"sheet"

    monkeypatch.setattr(figures, "contact_sheet", contact_sheet)
    pictures = noise(tmp_path / "pictures", 0, 1, 2)
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    printed = capsys.readouterr().out
    assert "no new ascent" in printed and "of 3 images beat the best picture" in printed
    found, rows, manifest = read(out)
    for record, row, caption, old in zip(found, rows, captions, plain, strict=True):
        assert record["best_picture"].startswith(str(pictures))
        assert float(row["best_picture_score"]) == record["best_picture_score"]
        assert f"(picture {record['best_picture_score']:.4g})" in caption
        assert record["scores"] == old["scores"] and record["score"] == old["score"]
    assert (out / "contact_sheet.png").read_bytes() == b"sheet" and images(out) == before
    assert manifest["pictures"]["count"] == 3
    assert {**manifest, "pictures": None} == first, "how the images were made stays"
    assert not (out / "identity.json").exists() and not (tmp_path / ".out.partial").exists()

    written = made.stat().st_mtime_ns
    shutil.copytree(pictures, tmp_path / "copies")
    for given in ([], ["--pictures", str(pictures)], ["--pictures", str(tmp_path / "copies")]):
        assert render.main([*words, *given]) == 0
        assert "already finished" in capsys.readouterr().out
    assert made.stat().st_mtime_ns == written

    noise(pictures, 3)
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    assert "scoring 4 pictures" in capsys.readouterr().out
    assert read(out)[2]["pictures"]["count"] == 4


@pytest.mark.parametrize("first", ["none", "other"])
def test_an_interrupted_run_goes_on_with_other_pictures(first, words, tmp_path, monkeypatch):
    before = ["--pictures", str(noise(tmp_path / "other", 5))] if first == "other" else []
    with monkeypatch.context() as patched:
        patched.setattr(rendering, "render_channels", stops_after_one)
        assert render.main([*words, *before]) == 130
    assert (tmp_path / ".out.partial" / "maps_0000.json").exists()
    pictures = noise(tmp_path / "pictures", 0, 1)
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    found, rows, _ = read(tmp_path / "out")
    assert all(r["best_picture"].startswith(str(pictures)) for r in found)
    assert all(row["best_picture"].startswith(str(pictures)) for row in rows)


def test_an_interrupted_run_goes_on_without_its_pictures(words, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(rendering, "render_channels", stops_after_one)
        given = ["--pictures", str(noise(tmp_path / "pictures", 0))]
        assert render.main([*words, *given]) == 130
    assert render.main(words) == 0
    found, _, manifest = read(tmp_path / "out")
    assert [r["best_picture"] for r in found] == [None] * 3 and manifest["pictures"] is None


def test_an_interrupted_comparison_goes_on(words, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert render.main(words) == 0
    monkeypatch.setattr(rendering, "render_channels", no_ascent)
    again = [*words, "--pictures", str(noise(tmp_path / "pictures", 0, 1))]

    def interrupted(tiles):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(figures, "contact_sheet", interrupted)
        assert render.main(again) == 130
    assert not out.exists(), "some channels compared, others not: no folder to be read"
    assert render.main(again) == 0
    assert "going on: 3 of 3" in capsys.readouterr().out
    assert all(row["best_picture"] for row in read(out)[1])


def test_a_picture_without_a_number_hides_no_other(words, tmp_path, capsys):
    pictures = noise(tmp_path / "pictures", 0, 1)
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    alone = read(tmp_path / "out")[0]
    Image.new("RGB", (16, 16)).save(pictures / "a_black.png")
    capsys.readouterr()
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    printed = capsys.readouterr().out
    assert "left out at channels where their score is no number: 1 of 3" in printed
    assert "3 images beat the best picture" in printed
    for before, after in zip(alone, read(tmp_path / "out")[0], strict=True):
        assert after == before


def test_only_pictures_without_a_number(words, tmp_path, capsys):
    (tmp_path / "black").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "black" / "a.png")
    assert render.main([*words, "--pictures", str(tmp_path / "black")]) == 0
    printed = capsys.readouterr().out
    assert "no number: 1 of 1" in printed and printed.splitlines()[-2] == "3 channels"
    assert [r["best_picture_score"] for r in read(tmp_path / "out")[0]] == [None] * 3


def test_pictures_that_are_not_there_leave_nothing(words, tmp_path, capsys):
    assert render.main([*words, "--pictures", str(tmp_path / "absent")]) == 2
    assert "no picture or folder" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_given():
    assert comparison.given([]) is None


def channel(number, score, picture, nan_step=None):
    return {
        "channel": number,
        "score": score,
        "best_picture_score": picture,
        "best_picture": None,
        "not_finite_from_step": nan_step,
    }


def test_summary_counts_what_stopped_as_failed():
    good = [channel(number, 2.0, 1.0) for number in range(3)]
    stopped = [channel(7, None, None, 0), channel(8, 5.0, 1.0, 4)]
    assert records.summary(good) == "3 of 3 images beat the best picture"
    assert (
        records.summary([*good, *stopped])
        == "3 of 5 images beat the best picture; 2 stopped: channels 7, 8"
    )
    low = [channel(4, 1.0, 1.0), channel(5, None, 1.0), channel(6, 1.0, None)]
    assert records.summary([*good, *low]) == (
        "3 of 5 images beat the best picture; not channels 4, 5; no picture has a score at "
        "channel 6"
    )
    assert (
        records.summary([channel(1, 2.0, None), stopped[0]]) == "2 channels; 1 stopped: channel 7"
    )
