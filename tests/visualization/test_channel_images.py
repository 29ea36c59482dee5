"""Images of a layer's channels in a result folder: found again, compared, never a mixed table."""

import csv
import io
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.graph import PRECISIONS as CUT_PRECISIONS
from transfer import plots
from transfer.pictures import read_all
from visualization import channel_images, render
from visualization.channel_images import PRECISIONS, Record, Settings
from visualization.optvis import maco
from visualization.optvis import render as optvis_render

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
    rows = list(csv.DictReader(io.StringIO((out / "scores.csv").read_text("utf-8-sig"))))
    return found, rows, json.loads((out / "manifest.json").read_text())


def images(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("maps_*.png")}


def no_ascent(*given, **named):
    raise AssertionError("a new ascent")


def stops_after_one(*given, **named):
    """render_channels, interrupted by the user after its first image."""
    yield next(TRUE_RENDER_CHANNELS(*given, **named))
    raise KeyboardInterrupt


TRUE_RENDER_CHANNELS = optvis_render.render_channels


def test_pictures_given_later(words, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert render.main(words) == 0
    before, made, (plain, _, first) = images(out), out / "maps_0003.json", read(out)
    assert first["pictures"] is None and plain[0]["best_picture"] is None
    monkeypatch.setattr(optvis_render, "render_channels", no_ascent)
    captions = []

    def contact_sheet(tiles):
        captions.extend(text for _, text in tiles)
        return b"sheet"

    monkeypatch.setattr(plots, "contact_sheet", contact_sheet)
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
        patched.setattr(optvis_render, "render_channels", stops_after_one)
        assert render.main([*words, *before]) == 130
    assert (tmp_path / ".out.partial" / "maps_0000.json").exists()
    pictures = noise(tmp_path / "pictures", 0, 1)
    assert render.main([*words, "--pictures", str(pictures)]) == 0
    found, rows, _ = read(tmp_path / "out")
    assert all(r["best_picture"].startswith(str(pictures)) for r in found)
    assert all(row["best_picture"].startswith(str(pictures)) for row in rows)


def test_an_interrupted_run_goes_on_without_its_pictures(words, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(optvis_render, "render_channels", stops_after_one)
        given = ["--pictures", str(noise(tmp_path / "pictures", 0))]
        assert render.main([*words, *given]) == 130
    assert render.main(words) == 0
    found, _, manifest = read(tmp_path / "out")
    assert [r["best_picture"] for r in found] == [None] * 3 and manifest["pictures"] is None


def test_an_interrupted_comparison_goes_on(words, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert render.main(words) == 0
    monkeypatch.setattr(optvis_render, "render_channels", no_ascent)
    again = [*words, "--pictures", str(noise(tmp_path / "pictures", 0, 1))]

    def interrupted(tiles):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(plots, "contact_sheet", interrupted)
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


def test_no_pictures_to_compare_with(words, tmp_path):
    assert render.main(words) == 0
    records, _, manifest = read(tmp_path / "out")
    assert manifest["pictures"] is None
    assert [record["best_picture"] for record in records] == [None] * 3


def channel(number, score, picture, nan_step=None):
    return Record(number, score, picture, None, nan_step, ())


def test_summary_counts_what_stopped_as_failed():
    good = [channel(number, 2.0, 1.0) for number in range(3)]
    stopped = [channel(7, None, None, 0), channel(8, 5.0, 1.0, 4)]
    assert channel_images.summary(good) == "3 of 3 images beat the best picture"
    assert (
        channel_images.summary([*good, *stopped])
        == "3 of 5 images beat the best picture; 2 stopped: channels 7, 8"
    )
    low = [channel(4, 1.0, 1.0), channel(5, None, 1.0), channel(6, 1.0, None)]
    assert channel_images.summary([*good, *low]) == (
        "3 of 5 images beat the best picture; not channels 4, 5; no picture has a score at "
        "channel 6"
    )
    assert (
        channel_images.summary([channel(1, 2.0, None), stopped[0]])
        == "2 channels; 1 stopped: channel 7"
    )


SIDE = 16


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIDE, SIDE, 3))
    return keras.Model(pixels, keras.layers.Conv2D(4, 1, name="conv")(pixels))


@pytest.fixture
def job(model, tmp_path):
    """Return job(**settings): what is made of the settings for a model of one's own."""
    model.save(tmp_path / "own.keras")

    def opened(**settings):
        path = str(tmp_path / "own.keras")
        return channel_images.open_job(Settings(path, "conv", size=SIDE, **settings))

    return opened


def test_spectrum_of_the_pictures_content(job, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), "uint8")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for number, picture in enumerate(noise):
        Image.fromarray(picture).save(tmp_path / "a" / f"{number}.png")
        Image.fromarray(picture).save(tmp_path / "b" / f"{1 - number}.png")
    first, second = (job(param="maco", spectrum=(tmp_path / folder,)) for folder in "ab")
    assert first.identity == second.identity and first.identity["spectrum_sha256"]
    # brightness is not lost where a resized picture's pixels are no whole numbers
    files = sorted((tmp_path / "a").iterdir())
    exact = maco.magnitude([array / 255 for _, array in read_all(files, SIDE)], SIDE)
    np.testing.assert_allclose(first.magnitude, exact, rtol=1e-5, atol=1e-5)
    Image.fromarray(noise[0] // 2).save(tmp_path / "a" / "0.png")
    assert job(param="maco", spectrum=(tmp_path / "a",)).identity != first.identity


def dated(path, copy, year):
    """Write a copy of a zip archive whose members were saved in another year."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": f"{year}-01-01"})
            new.writestr(zipfile.ZipInfo(member.filename, (year, 1, 1, 0, 0, 0)), content)


def test_the_same_network_saved_at_another_time_finds_the_images(model, tmp_path, capsys):
    """A .keras file holds the time of saving; another path and date are no other network."""
    model.save(tmp_path / "saved.keras")
    files = [tmp_path / f"{year}.keras" for year in (1999, 2024)]
    for file in files:
        dated(tmp_path / "saved.keras", file, int(file.stem))
    assert files[0].read_bytes() != files[1].read_bytes()
    words = ["--layer", "conv", "--channels", "1", "--steps", "1", "--size", str(SIDE)]
    words += ["--out", str(tmp_path / "out")]
    assert render.main([str(files[0]), *words]) == 0
    capsys.readouterr()
    assert render.main([str(files[1]), *words]) == 0
    assert "already finished" in capsys.readouterr().out
    kernel, bias = model.get_weights()
    model.set_weights([kernel, bias + 1])
    model.save(files[1])
    assert render.main([str(files[1]), *words]) == 2
    assert "weights_sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": 0}, "steps is 0; it must be above 0"),
        ({"batch": -1}, "batch is -1; it must be above 0"),
        ({"seed": 2**31}, "accepted: 0 to 2147483647"),
        ({"param": "wavelets"}, "param is 'wavelets'; accepted: fft, pixels, maco"),
        ({"dtype": "int8"}, "dtype is 'int8'; accepted: float32, bfloat16, float16"),
        ({"spectrum": ("x.png",)}, "spectrum is for param maco"),
    ],
)
def test_settings_that_cannot_be_used(given, says):
    with pytest.raises(InputError, match=says):
        Settings("VGG19", "block1_conv1", **given)


def test_precisions_are_those_of_networks():
    assert PRECISIONS == CUT_PRECISIONS
