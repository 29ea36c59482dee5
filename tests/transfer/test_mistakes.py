"""What a run gets wrong, of made-up test pictures."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from PIL import Image

from transfer import mistakes

FILES = {
    "per_class.csv",
    "confused_pairs.csv",
    "confused_pairs.png",
    "mistakes.png",
    "confusion_matrix.png",
    "class_distribution.png",
    "reliability.png",
}


class Store:
    """Test pictures of one colour for each class, wider than high."""

    def __init__(self, classes, labels):
        self.classes = classes
        labels = np.asarray(labels)
        self.labels = {"train": np.repeat(labels, 3), "val": labels, "test": labels}

    def ids(self, split):
        return [f"id {number}" for number in range(len(self.labels[split]))]

    def encoded(self, split, number):
        file = io.BytesIO()
        Image.new("RGB", (60, 40), colour(self.labels[split][number])).save(file, "PNG")
        return file.getvalue()


def colour(number):
    return (10 + 80 * int(number) % 240, 200, 90)


def write(folder, store, predicted, probabilities=True, say=print):
    scores = 0.1 + 0.8 * np.eye(len(store.classes))[predicted]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of matplotlib, of missing glyphs
        mistakes.write(store, scores, probabilities, folder, say)
    assert {path.name for path in folder.iterdir()} == FILES - {
        "reliability.png" for _ in range(not probabilities)
    }
    return {path.stem: Image.open(path) for path in folder.glob("*.png")}


def test_files_show_the_mistakes(tmp_path, capfd):
    store = Store(["铜器", "costs $a, $b", "x" * 200 + "\n2"], [0, 0, 0, 1, 1, 2])
    images = write(tmp_path, store, [0, 1, 1, 1, 0, 2], say=lambda line: None)
    rows = pd.read_csv(tmp_path / "per_class.csv")
    assert rows["pictures"].tolist() == [3, 2, 1]
    assert rows["recall"].tolist() == pytest.approx([1 / 3, 1 / 2, 1])
    pairs = pd.read_csv(tmp_path / "confused_pairs.csv")
    assert pairs[["a_as_b", "b_as_a"]].values.tolist() == [[2, 1]]
    # three mistakes in the first row of the sheet, the places after them are empty
    middles = [tile_colour(images["mistakes"], number) for number in range(4)]
    assert middles == [colour(0), colour(0), colour(1), (255, 255, 255)]
    # the pair: three pictures of the first class and an empty place, then two of the other
    middles = [tile_colour(images["confused_pairs"], number) for number in range(8)]
    empty = (255, 255, 255)
    assert middles == [colour(0)] * 3 + [empty] + [colour(1)] * 2 + [empty] * 2
    tested = mistakes.Tested(
        store, 0.1 + 0.8 * np.eye(3)[[0, 1, 1, 1, 0, 2]], True, ["a", "b", "c"]
    )
    assert tested.tile(1)[1] == "a\nas b, 0.90\nid 1"  # true class, predicted class, id
    assert capfd.readouterr() == ("", "")


def tile_colour(sheet, number):
    return sheet.convert("RGB").getpixel((6 + 166 * number + 80, 34 + 80))


def test_a_run_without_a_mistake(tmp_path):
    images = write(tmp_path, Store(["a", "b"], [0, 0, 1]), [0, 0, 1])
    assert images["mistakes"].height < 60 and images["confused_pairs"].height < 60
    assert (tmp_path / "confused_pairs.csv").read_bytes().count(b"\n") == 1


def test_hundreds_of_classes_and_classes_without_a_test_picture(tmp_path):
    labels = np.random.default_rng(0).integers(0, 300, 400)
    store = Store([f"class {n}" for n in range(500)], labels)
    images = write(tmp_path, store, (labels + (labels % 3 == 0)) % 500, probabilities=False)
    assert max(max(image.size) for image in images.values()) < 3000


def test_without_a_font_classes_are_numbers_and_one_line_says_so(tmp_path, monkeypatch, capfd):
    fonts = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [])
    said = []
    write(tmp_path, Store(["铜", "器", "plain"], [0, 1, 2]), [1, 0, 2], say=said.append)
    (line,) = said
    assert "2 characters" in line and "fonts-noto-cjk" in line and "pip install mplfonts" in line
    assert "their number in per_class.csv" in line
    tested = mistakes.Tested(Store(["铜"], [0]), np.ones((1, 1)), False, ["class 0"])
    assert tested.tile(0)[1] == "class 0\nright, score 1.00\nid 0"
    assert capfd.readouterr() == ("", "")


def test_several_labels_are_told_label_by_label(tmp_path):
    store = Store(["tree", "铜器", "never"], [0])
    rows = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    store.labels = {"train": np.repeat(rows, 2, axis=0), "val": rows[:1], "test": rows}
    scores = np.array([[0.9, 0.1, 0.2], [0.4, 0.6, 0.7], [0.5, 0.2, 0.1]])
    counted = np.array([True, False, False])
    mistakes.write_labels(store, scores, counted, tmp_path, lambda line: None)
    assert {path.name for path in tmp_path.iterdir()} == {"per_class.csv", "class_distribution.png"}
    table = pd.read_csv(tmp_path / "per_class.csv")
    assert table["class"].tolist() == ["tree", "铜器", "never"]
    assert table["pictures"].tolist() == [2, 1, 0]
    assert table["train_pictures"].tolist() == [4, 2, 0]
    assert table["val_pictures"].tolist() == [1, 0, 0]
    assert table["counted"].tolist() == ["yes", "no", "no"]
    assert table["average_precision"].tolist()[:2] == [pytest.approx(5 / 6), 1.0]
