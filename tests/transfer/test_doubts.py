"""Doubtful labels of a collection of plain colours, from the command to the sheet."""

import io
import json
import shutil
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pandas
import pytest
from PIL import Image

from models import network
from transfer import doubts, experiment, seen_pictures
from transfer.confident_learning import find_doubts, predict_out_of_fold
from transfer.result_folder import read_csv

COLOURS = {"赤": (220, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 220)}
WRONG = "p00"  # red, labelled blue


@pytest.fixture
def collection(tmp_path):
    """Thirty pictures of three colours, two a group; one wrong label, one class of one group."""
    random = np.random.default_rng(0)
    folder = tmp_path / "jpg"
    folder.mkdir()
    lines = ["ImageId,colour,set"]
    for number in range(30):
        label = list(COLOURS)[number // 2 % 3]
        noisy = random.normal(COLOURS[label], 20, (16, 16, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"p{number:02}.png")
        told = "blue" if f"p{number:02}" == WRONG else label
        lines.append(f"p{number:02},{told},set {number // 2}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def save_network(path, trained_on=None, name=None):
    """A network whose features are the mean colour."""
    inputs = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    maps = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 1)(scaled))
    features = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(features))
    model.layers[2].set_weights([np.eye(3)[None, None], np.zeros(3)])
    model.layers[-1].set_weights([np.eye(3, 2), np.zeros(2)])
    if name is None:
        model.save(path)
    else:
        saved = network.Network(name, model, ["a", "b"], "none", 8, trained_on=trained_on)
        network.save(saved, path)
    return path


def collection_flags(collection):
    given = {
        "--dataset_name": "colours",
        "--challenge": "colour",
        "--metadata_path": collection / "metadata.csv",
        "--jpg_images_path": collection / "jpg",
        "--datasets_path": collection / "datasets",
        "--split": "cetinic2018",
        "--group_column": "set",
    }
    return [str(word) for pair in given.items() for word in pair]


def run(collection, *words, out="doubts", ann=None):
    network = ann or save_network(collection / "mean.keras")
    given = ("--ANN", network, "--out", collection / out, *words)
    return doubts.main([*collection_flags(collection), *map(str, given)])


def test_the_wrong_label_comes_first_with_its_right_class(collection, capsys):
    assert run(collection, "--folds", 3) == 0
    table = read_csv(collection / "doubts" / "doubts.csv")
    assert len(table) == 30 and sorted(table["id"]) == [f"p{i:02}" for i in range(30)]
    first = table.iloc[0]
    assert (first["id"], first["label"], first["suggested"]) == (WRONG, "blue", "赤")
    assert first["suspected"] == "yes" and first["rank"] == "1"
    sheet = Image.open(collection / "doubts" / "doubts.png")
    assert sheet.width > 6 * 100
    manifest = json.loads((collection / "doubts" / "manifest.json").read_text("utf-8"))
    assert manifest["pictures"] == 30 and manifest["suspected"] >= 1
    out, err = capsys.readouterr()
    assert "labels are suspected" in out and err == ""


def test_no_group_lies_in_two_folds(collection):
    run(collection, "--folds", 4, "--shown", 0)
    table = read_csv(collection / "doubts" / "doubts.csv")
    folds = table.groupby(table["id"].str[1:].astype(int) // 2)["fold"].nunique()
    assert (folds == 1).all() and table["fold"].nunique() == 4
    assert not (collection / "doubts" / "doubts.png").exists()


def test_no_near_duplicates_lie_in_two_folds(collection):
    """Five pictures saved again, smaller: of other groups, and not kept together in the split."""
    near = {}
    with (collection / "metadata.csv").open("a", encoding="utf-8") as lines:
        for number in range(5):
            drawn = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
            picture = Image.fromarray(drawn).resize((96, 96), Image.Resampling.BICUBIC)
            for name, side in ((f"q{number}", 96), (f"r{number}", 64)):
                picture.resize((side, side)).save(collection / "jpg" / f"{name}.png")
                lines.write(f"{name},green,set of {name}\n")
            near[f"q{number}"] = f"r{number}"
    assert run(collection, "--folds", 5, "--shown", 0) == 0
    (report,) = (collection / "datasets").rglob("report.csv")
    found = read_csv(report)
    assert (found["kind"] == "near-duplicate pictures").sum() == len(near)
    fold = read_csv(collection / "doubts" / "doubts.csv").set_index("id")["fold"]
    assert [fold[a] for a in near] == [fold[b] for b in near.values()]


def test_features_that_an_experiment_computed_are_found(collection, capsys):
    words = ("--tl_mode", "off_the_shelf", "--results_path", collection / "results")
    network = save_network(collection / "mean.keras")
    assert run(collection, "--folds", 3, "--shown", 0, ann=network) == 0
    capsys.readouterr()
    given = [str(word) for word in (*words, "--epochs", 1)]
    assert experiment.main([*collection_flags(collection), "--ANN", str(network), *given]) == 0
    assert "features found in" in capsys.readouterr().out


def test_swapped_labels_are_found_and_told_beside_chance(collection, capsys):
    assert run(collection, "--swapped", 0.1, "--folds", 3, "--shown", 2) == 0
    table = read_csv(collection / "doubts" / "doubts.csv")
    swapped = table[table["swapped"] == "True"]
    assert len(swapped) == 3 and (swapped["label"] != swapped["true"]).all()
    told = [line for line in capsys.readouterr().out.splitlines() if "had been swapped" in line]
    assert len(told) == 1 and "by chance 10.0%" in told[0] and "of the 3 most doubtful" in told[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # a collection of 30
        (("--swapped", 0.005), "swapped is 0.005, which is none of 30 labels; accepted: 0.0167 or"),
        (("--group_column", "colour"), "no label could be judged: of every class all pictures"),
        (("--group_column", "colour", "--swapped", 0.5), "no label could be judged: of every"),
    ],
)
def test_what_would_judge_nothing_is_refused_before_computing(
    collection, capsys, monkeypatch, words, said
):
    monkeypatch.setattr(doubts, "compute_features", None)  # reached, it would raise TypeError
    words = (*words, "--folds", 3, "--split", f"column={split_of(collection)}")
    assert run(collection, *words) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert not (collection / "doubts").exists()


def split_of(collection):
    """Add a column to the CSV that says of every picture a split; its name."""
    path = collection / "metadata.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    parts = ("train", "val", "test")
    lines = [f"{row},{parts[number // 6 % 3]}" for number, row in enumerate(rows)]
    path.write_text("\n".join([f"{header},part", *lines]) + "\n", encoding="utf-8")
    return "part"


def test_the_least_fraction_that_is_accepted_swaps_a_label(collection, capsys):
    assert run(collection, "--swapped", 0.0167, "--folds", 3, "--shown", 0) == 0
    assert "of the 1 most doubtful labels" in capsys.readouterr().out


def test_the_same_search_is_found_again(collection, capsys):
    run(collection, "--folds", 3, "--shown", 0)
    assert run(collection, "--folds", 3, "--shown", 0) == 0
    assert "already finished" in capsys.readouterr().out
    assert run(collection, "--folds", 2, "--shown", 0) == 2


def test_a_data_set_and_a_finished_search_on_a_read_only_disk_are_used(
    collection, small_disk, capsys
):
    words = ("--folds", 3, "--shown", 0, "--datasets_path", small_disk / "datasets")
    assert run(collection, *words, out=small_disk / "first") == 0
    (features,) = (small_disk / "datasets").rglob("features")
    shutil.rmtree(features)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    capsys.readouterr()
    assert run(collection, *words, out=small_disk / "first") == 0
    assert "already finished" in capsys.readouterr().out
    assert run(collection, *words, out="second") == 0
    kept = collection / "features"
    assert f"the features are kept in {kept}" in capsys.readouterr().out
    first, second = (
        read_csv(out / "doubts.csv") for out in (small_disk / "first", collection / "second")
    )
    assert first.equals(second) and len(list(kept.glob("*/train.npy"))) == 1


@pytest.mark.parametrize("flag", ["--out", "--datasets_path"])
def test_a_place_that_cannot_be_written_is_told_before_keras(flag, collection, capsys, monkeypatch):
    monkeypatch.setattr(doubts, "start_keras", None)  # reached, it would raise TypeError
    assert run(collection, flag, collection / "metadata.csv" / "below") == 2
    error = capsys.readouterr().err
    assert "cannot be a folder" in error and error.count("\n") == 1


def test_a_network_that_saw_these_pictures_is_refused(collection, capsys):
    run(collection, "--folds", 3, "--shown", 0, out="first")
    (split,) = (collection / "datasets").rglob("split.csv")
    digests = [bytes.fromhex(text)[:8] for text in read_csv(split)["sha256"]]
    text = seen_pictures.written(frozenset(digests[:5]))
    tuned = save_network(collection / "tuned.keras", text, "mean")
    assert run(collection, "--folds", 3, out="second", ann=tuned) == 2
    assert "was trained on 5 of the 30 pictures" in capsys.readouterr().err
    assert not (collection / "second").exists()


def test_a_class_of_one_group_is_said_and_not_judged(capsys):
    labels = np.array([0] * 6 + [1] * 6 + [2] * 3)
    names = ["a", "b", "c"]
    groups = [f"g{i}" for i in range(12)] + ["one"] * 3
    rows = pandas.DataFrame({"id": [f"p{i:02}" for i in range(15)], "split": "train"})
    rows = rows.assign(label=[names[i] for i in labels], group=groups)
    folds = doubts.make_folds(rows, SimpleNamespace(folds=3, seed=0))
    assert "classes with fewer groups than the 3 folds: c: 1;" in capsys.readouterr().out
    features = np.eye(3)[labels]
    probabilities = predict_out_of_fold(features, labels, folds, 3)
    found = find_doubts(probabilities, labels)
    table = doubts.tabulate(rows, labels, folds, probabilities, found, names)
    assert table["label"].tolist()[-3:] == ["c"] * 3
    assert (table["suspected"] == "not judged").tolist() == [False] * 12 + [True] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--folds", 1), "folds is 1; it must be 2 or more"),
        (("--swapped", 1.5), "swapped is 1.5; accepted: above 0 to below 1"),
        (("--input_size", 0), "size is 0; it must be above 0"),
        (("--ANN", "MobileNet:none"), "random weights"),
        (("--ANN", "RijksVGG19Net:artist"), "accepted: a network to take features of"),
        (("--ANN", "nothing.keras"), "nothing.keras"),
    ],
)
def test_mistakes_are_one_line(collection, capsys, words, said):
    assert run(collection, *words) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_more_folds_than_groups_are_refused(collection, capsys):
    assert run(collection, "--folds", 16) == 2
    assert "folds is 16" in capsys.readouterr().err


def test_the_sheet_shows_both_classes_and_never_a_picture_of_the_same_group(
    collection, monkeypatch
):
    shown = []
    original = doubts.find_neighbours

    def watch(rows, labels, features, doubts, *others):
        result = original(rows, labels, features, doubts, *others)
        for number, of_label, of_suggested in result:
            assert labels[of_label] == labels[number]
            assert labels[of_suggested] == doubts.suggested[number] != labels[number]
        shown.extend(
            (rows["group"].iloc[i], rows["group"].iloc[j]) for i, *js in result for j in js
        )
        return result

    monkeypatch.setattr(doubts, "find_neighbours", watch)
    run(collection, "--folds", 3, "--shown", 10)
    assert len(shown) == 20 and all(own != other for own, other in shown)


def test_encoded_sheet_is_a_picture(collection):
    run(collection, "--folds", 3, "--shown", 1)
    content = (collection / "doubts" / "doubts.png").read_bytes()
    assert Image.open(io.BytesIO(content)).format == "PNG"


def test_several_labels_are_refused(collection, capsys):
    path = collection / "metadata.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    lines = [f"{row},{number % 2},1" for number, row in enumerate(rows)]
    path.write_text("\n".join([f"{header},a,b", *lines]) + "\n", encoding="utf-8")
    assert run(collection, "--challenge", "a,b") == 2
    assert "challenge is 'a,b', of several labels" in capsys.readouterr().err
