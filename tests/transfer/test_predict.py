"""New pictures named by small networks, from the command to the CSV."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models import network, released
from models.errors import InputError
from transfer import inference, pictures, predict

ROOT = Path(__file__).parents[2]
NAMES = ["rød", "绿", "=blue", "dark", "grey", "light"]
COUNT = 12


def tiny(outputs=6, activation="softmax", size=8):
    """A network of the mean colour: with three outputs and more the first are red, green, blue."""
    inputs = keras.Input((size, size, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    layer = keras.layers.Dense(outputs, activation, name="head")
    model = keras.Model(inputs, layer(pooled))
    kernel = np.zeros((3, outputs), "float32")
    kernel[:, :3] = 5 * np.eye(3)[:, :outputs]
    layer.set_weights([kernel, np.linspace(0, -1, outputs)])
    return model


def save(path, classes=NAMES, several=False, **how):
    model = tiny(**how)
    side = how.get("size", 8)
    saved = network.Network("MobileNet", model, classes, "own", side, several=several)
    network.save(saved, path)
    return path


@pytest.fixture
def model(tmp_path):
    return save(tmp_path / "tiny.keras")


@pytest.fixture
def folder(tmp_path):
    """COUNT plain pictures, red, green and blue in turn."""
    folder = tmp_path / "new pictures"
    folder.mkdir()
    for number in range(COUNT):
        colour = [0, 0, 0]
        colour[number % 3] = 255
        Image.new("RGB", (30, 20), tuple(colour)).save(folder / f"{number:02d} é.png")
    return folder


def run(*words):
    return predict.main([str(word) for word in words])


def rows_of(path):
    return list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))


def class_of(cell):
    return cell.removeprefix("'")  # of a spreadsheet's guard


def test_classes_and_probabilities_of_a_folder(model, folder, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert run(model, folder, "--out", out, "--batch_size", 5) == 0
    rows = rows_of(out)
    places = [f"{kind}_{n}" for n in range(1, 6) for kind in ("class", "probability")]
    assert list(rows[0]) == ["picture", *places, "problem"]
    assert [row["picture"] for row in rows] == [str(path) for path in sorted(folder.iterdir())]
    assert [class_of(row["class_1"]) for row in rows] == NAMES[:3] * (COUNT // 3)
    pixels = np.stack([pictures.read(row["picture"], 8) for row in rows])
    expected = np.sort(network.load(str(model)).model.predict(pixels, verbose=0))[:, ::-1]
    given = [[float(row[f"probability_{n}"]) for n in range(1, 6)] for row in rows]
    np.testing.assert_allclose(given, expected[:, :5], rtol=1e-5)
    printed = capsys.readouterr().out
    assert f"pictures named: 5 of {COUNT}" in printed and f"{COUNT} pictures named in" in printed
    assert json.loads((tmp_path / "out.csv.about" / "manifest.json").read_text())["model"] == str(
        model
    )


def test_found_again_and_written_again_where_it_was_removed(model, folder, tmp_path, capsys):
    out, words = tmp_path / "out.csv", (model, folder, "--out", tmp_path / "out.csv")
    assert run(*words) == 0
    content = out.read_bytes()
    out.write_bytes(content + b"\n")  # a user's own addition stays
    assert run(*words) == 0
    assert "already finished" in capsys.readouterr().out and out.read_bytes() != content
    out.unlink()
    assert run(*words) == 0
    assert out.read_bytes() == content
    Image.new("RGB", (9, 9)).save(folder / "another.png")
    assert run(*words) == 2
    assert "13 files" in capsys.readouterr().err and out.read_bytes() == content


def test_a_broken_picture_is_a_row_with_its_problem(model, folder, tmp_path, capsys):
    (folder / "03b.jpg").write_bytes(b"no picture")
    (folder / "zz.png").write_bytes((folder / "00 é.png").read_bytes()[:40])
    out, figure = tmp_path / "out.csv", tmp_path / "figures" / "new" / "sheet.png"
    assert run(model, folder, "--out", out, "--sheet", figure) == 0
    rows = rows_of(out)
    assert len(rows) == COUNT + 2
    problems = {Path(row["picture"]).name: row["problem"] for row in rows if row["problem"]}
    assert problems.keys() == {"03b.jpg", "zz.png"}
    assert problems["03b.jpg"].startswith("not a picture")
    (broken,) = (row for row in rows if row["picture"].endswith("03b.jpg"))
    assert broken["class_1"] == broken["probability_1"] == ""
    assert "2 could not be read" in capsys.readouterr().out
    with Image.open(figure) as sheet:  # 14 tiles, 5 in a row
        pixels = np.asarray(sheet.convert("RGB"))
    assert tuple(pixels[86, 86]) == (255, 0, 0) and tuple(pixels[86, 252]) == (0, 255, 0)
    assert tuple(pixels[86, 86 + 4 * 166]) == (40, 40, 40), "the fifth is crossed out"


def test_none_that_can_be_read_is_an_error(model, write_file, tmp_path, capsys):
    bad = write_file(b"no picture", "bad.jpg")
    assert run(model, bad, "--out", tmp_path / "out.csv") == 2
    assert "none of 1 pictures can be read" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_fewer_classes_and_scores(folder, tmp_path):
    svm = save(tmp_path / "svm.keras", NAMES[:2], outputs=2, activation="linear")
    assert run(svm, folder, "--out", tmp_path / "out.csv") == 0
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows[0]) == ["picture", "class_1", "score_1", "class_2", "score_2", "problem"]
    assert float(rows[0]["score_1"]) == pytest.approx(5)


def test_classes_that_are_not_known_are_numbers_once_said(folder, tmp_path, capsys):
    nameless = tmp_path / "nameless.keras"
    tiny().save(nameless)
    assert run(nameless, folder, "--out", tmp_path / "out.csv") == 0
    assert capsys.readouterr().out.count("names of the classes are not known") == 1
    assert {row["class_1"] for row in rows_of(tmp_path / "out.csv")} == {
        "class 0",
        "class 1",
        "class 2",
    }
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES), encoding="utf-8")
    words = (nameless, folder, "--classes", names)
    assert run(*words, "--out", tmp_path / "named.csv") == 0
    assert class_of(rows_of(tmp_path / "named.csv")[1]["class_1"]) == NAMES[1]
    assert "not known" not in capsys.readouterr().out
    names.write_text("one\ntwo\n")
    assert run(*words, "--out", tmp_path / "third.csv") == 2
    assert "2 class names for" in capsys.readouterr().err


def test_a_run_is_its_folder(folder, tmp_path, capsys):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "metrics.json").write_text('{"classifier": "random_forest"}')
    words = (run_folder, folder, "--out", tmp_path / "out.csv")
    assert run(*words) == 2
    assert "run of a random forest, which is not kept" in capsys.readouterr().err
    (run_folder / "metrics.json").write_text('{"classifier": "softmax"}')
    assert run(*words) == 2
    assert "a finished run whose model.keras is gone" in capsys.readouterr().err
    save(run_folder / "model.keras")
    assert run(*words) == 0
    assert class_of(rows_of(tmp_path / "out.csv")[2]["class_1"]) == "=blue"


def test_a_released_network_names_pictures_by_numbers(folder, tmp_path, monkeypatch, capsys):
    """The authors' files cannot be had here: a small network stands for what they open as."""
    monkeypatch.setattr(released, "load", lambda name, challenge: tiny())
    out = tmp_path / "out.csv"
    assert run("RijksVGG19Net:artist", folder, "--out", out) == 0
    assert [row["class_1"] for row in rows_of(out)] == ["class 0", "class 1", "class 2"] * 4
    assert "they are numbers, from 0" in capsys.readouterr().out


def test_a_network_of_any_size_is_told_its_size(folder, tmp_path, capsys):
    open_size = save(tmp_path / "open.keras", size=None)
    words = (open_size, folder, "--out", tmp_path / "out.csv")
    assert run(*words) == 2
    assert "give input_size" in capsys.readouterr().err
    assert run(*words, "--input_size", 16) == 0
    assert len(rows_of(tmp_path / "out.csv")) == COUNT


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"--out": "out.txt"}, "ends in .csv"),
        ({"--sheet": "sheet.gif"}, "ends in .png or .jpg"),
        ({"--batch_size": "0"}, "batch_size is 0"),
        ({"--classes": "absent.txt"}, "absent.txt cannot be read"),
        ({"model": "VGG91"}, "error: no network 'VGG91'"),
        ({"model": "results/VGG19/ran"}, "error: no folder results/VGG19/ran; no network"),
        ({"model": "VGG19:absent.h5"}, "no weights file absent.h5"),
        ({"pictures": "absent"}, "no picture or folder absent"),
        ({"--out": "mine.csv"}, "mine.csv exists and was not made by this command"),
    ],
)
def test_a_mistake_is_one_line_before_keras(changed, says, model, folder, tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    given = {"model": str(model), "pictures": str(folder), "--out": "out.csv"} | changed
    words = [
        given.pop("model"),
        given.pop("pictures"),
        *(w for pair in given.items() for w in pair),
    ]
    code = (
        "import sys\nfrom transfer import predict\ncode = predict.main(sys.argv[1:])\n"
        "large = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'pandas', 'scipy'}\n"
        "print(code, sorted(large & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2 []\n"
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert (tmp_path / "mine.csv").read_text() == "mine"


def test_a_network_without_classes_is_refused(folder, tmp_path, capsys):
    for name, model in (
        ("maps", keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])),
        ("one", tiny(outputs=1, activation="sigmoid")),
    ):
        model.save(tmp_path / f"{name}.keras")
        words = (tmp_path / f"{name}.keras", folder, "--out", tmp_path / "out.csv")
        assert run(*words) == 2
        assert "has no classes" in capsys.readouterr().err


def test_outputs_that_are_no_numbers_are_refused(folder, tmp_path, capsys):
    model = tiny()
    model.get_layer("head").set_weights([np.full((3, 6), np.nan), np.zeros(6)])
    model.save(tmp_path / "nan.keras")
    assert run(tmp_path / "nan.keras", folder, "--out", tmp_path / "out.csv") == 2
    error = capsys.readouterr().err
    assert "NaN" in error and error.count("\n") == 1


KILLED = """
import os, signal, sys
from transfer import inference, predict
add, batches = inference.OnDisk.add, 0

def add_some(self, numbers, outputs):
    global batches
    add(self, numbers, outputs)
    batches += 1
    if batches == 2:
        os.kill(os.getpid(), signal.SIGKILL)

inference.OnDisk.add = add_some
predict.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_after_kill_9_it_goes_on_where_it_was(model, folder, tmp_path, monkeypatch, capsys):
    (folder / "01b.jpg").write_bytes(b"no picture")  # among those done before the kill
    words = [str(model), str(folder), "--batch_size", "3"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words, "--out", str(tmp_path / "out.csv")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "out.csv").exists()
    asked, files = [], inference.files

    def counted(paths, read, batch_size, *say):
        return files(paths, lambda path: asked.append(path.name) or read(path), batch_size, *say)

    monkeypatch.setattr(inference, "files", counted)
    assert run(*words, "--out", tmp_path / "out.csv") == 0
    # two batches of three files were done, of which one was no picture
    assert len(asked) == COUNT - 5 and asked[0] == "05 é.png"
    assert "pictures named: 6 of 13" in capsys.readouterr().out
    monkeypatch.undo()
    assert run(*words, "--out", tmp_path / "whole.csv") == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert [row["problem"] != "" for row in rows_of(tmp_path / "out.csv")].count(True) == 1


def test_of_thousands_of_pictures_one_is_broken_and_few_are_held_at_once(
    model, tmp_path, monkeypatch, capsys
):
    """From the command to the CSV; what a file shows is made up, so that it takes no time."""
    count, broken, batch = 3000, 1234, 100
    folder, out = tmp_path / "many", tmp_path / "out.csv"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    for number in range(count):
        os.link(tmp_path / "one.png", folder / f"{number:04}.png")
    held, most = set(), 0

    def read(path, size, augmentation):
        nonlocal most
        number = int(path.stem)
        if number == broken:
            raise InputError(f"picture {path}: torn")
        pixels = np.zeros((size, size, 3), "float32")
        pixels[..., number % 3] = 255
        held.add(number)
        weakref.finalize(pixels, held.discard, number)
        most = max(most, len(held))
        return pixels

    monkeypatch.setattr(predict, "read", read)
    assert run(model, folder, "--out", out, "--batch_size", batch) == 0
    assert most <= 2 * batch
    rows = rows_of(out)
    assert [Path(row["picture"]).stem for row in rows] == [f"{n:04}" for n in range(count)]
    named = [class_of(row["class_1"]) for row in rows]
    assert named[:broken] + named[broken + 1 :] == [
        NAMES[number % 3] for number in range(count) if number != broken
    ]
    assert {row["picture"]: row["problem"] for row in rows if row["problem"]} == {
        str(folder / f"{broken:04}.png"): "torn"
    }
    printed = capsys.readouterr().out
    assert printed.count("left out: ") == 1 and "2999 pictures named in" in printed
    assert "1 could not be read" in printed


def test_a_hundred_thousand_pictures_make_their_table_soon(tmp_path):
    """The table of many, one broken: about a second, and no object for every cell."""
    count = 100_000
    paths = [Path(f"{number}.jpg") for number in range(count)]
    numbers = np.delete(np.arange(count), 500)
    opened = network.Network("tiny", tiny(), NAMES, "own", 8)
    classes = np.tile(np.arange(5, dtype="<i4"), (count - 1, 1))
    values = np.full((count - 1, 5), 0.2, "<f4")
    started = time.monotonic()
    table = predict.table(opened, paths, classes, values, numbers, {500: "broken"})
    assert time.monotonic() - started < 10
    assert len(table) == count and table["problem"].ne("").sum() == 1
    assert pd.isna(table["probability_1"][500]) and table["class_1"][501] == NAMES[0]


def test_of_several_labels_all_are_told(folder, tmp_path):
    names = ["lake", "tree", "=sun"]
    model = save(tmp_path / "several.keras", names, True, outputs=3, activation="sigmoid")
    (folder / "00 é.png").write_bytes(b"broken")
    out = tmp_path / "out.csv"
    assert run(model, folder, "--out", out, "--sheet", tmp_path / "sheet.png") == 0
    rows = rows_of(out)
    columns = [f"probability of {name}" for name in names]
    assert list(rows[0]) == ["picture", "labels", *columns, "problem"]
    assert rows[0]["labels"] == "" and rows[0]["problem"] and rows[0][columns[0]] == ""
    # the bias of the last is -1, of the second -0.5: black would have the first alone, at 0.5
    assert rows[1]["labels"] == "lake | tree" and rows[2]["labels"] == "lake | =sun"
    pixels = np.stack([pictures.read(row["picture"], 8) for row in rows[1:]])
    expected = network.load(str(model)).model.predict(pixels, verbose=0)
    given = [[float(row[column]) for column in columns] for row in rows[1:]]
    np.testing.assert_allclose(given, expected, rtol=1e-5)
    assert network.load(str(model)).several and (tmp_path / "sheet.png").exists()
    other = tmp_path / "names.txt"
    other.write_text("a\nb\nc\n")
    assert run(model, folder, "--out", tmp_path / "b.csv", "--classes", other) == 0
    assert rows_of(tmp_path / "b.csv")[1]["labels"] == "a | b"


def test_pictures_are_cut_as_the_network_was_tested(tmp_path):
    """Left red, middle blue, right red: the middle square is blue, the squeezed picture not."""
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[..., 0], wide[:, 15:33] = 255, (0, 0, 255)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for name, expected in (("none", "rød"), ("crop", NAMES[2])):
        path = tmp_path / f"{name}.keras"
        network.save(network.Network("MobileNet", tiny(), NAMES, augmentation=name), path)
        assert network.load(str(path)).augmentation == name
        out = tmp_path / f"{name}.csv"
        assert run(path, tmp_path / "wide.png", "--out", out) == 0
        assert class_of(rows_of(out)[0]["class_1"]) == expected
        told = json.loads((tmp_path / f"{name}.csv.about" / "manifest.json").read_text())
        assert told["identity"].get("augmentation") == (name if name == "crop" else None)
