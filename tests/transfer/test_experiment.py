import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import average_precision_score

from models import network
from models.errors import InputError
from transfer import evaluate, experiment, results, tables, train
from transfer import run as finished
from transfer.flags import read_data
from transfer.recipes import RECIPES
from transfer.result_folder import read_csv
from transfer.run import read_run, read_runs
from transfer.store import Store

ROOT = Path(__file__).parents[2]
RESULT_FILES = {"metrics.json", "history.csv", "predictions.csv", "confusion_matrix.csv"} | {
    "scores.npy",
    "learning_curve.png",
    "model.keras",
    "manifest.json",
    "per_class.csv",
    "confused_pairs.csv",
    "confused_pairs.png",
    "mistakes.png",
    "confusion_matrix.png",
    "class_distribution.png",
    "reliability.png",
    "groups_seen.csv",
}


def paint(folder, names=("warm", "cold"), per_class=15):
    """Two classes that colour tells apart, with noise, and their CSV."""
    rng = np.random.default_rng(0)
    (folder / "jpg").mkdir(parents=True)
    lines = [",ImageId,dc_creator"]
    for i in range(per_class * 2):
        colour = (220, 120, 60) if i % 2 else (60, 110, 210)
        noisy = rng.normal(colour, 25, (40, 48, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "jpg" / f"{i:07d}_X.jpg")
        lines.append(f'{i},{i:07d}_X," {names[i % 2]}"')
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def tiny_mobilenet(alpha=1.0, weights=None, input_tensor=None, include_top=True, classes=1000):
    """Two convolutions in MobileNet's place: what is tested here is the same for any network."""
    assert weights is None
    x = input_tensor
    for number, width in enumerate((16, 32)):
        name = f"conv_{number}"
        x = keras.layers.Conv2D(int(width * alpha), 3, 2, "same", use_bias=False, name=name)(x)
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dense(classes, "softmax", name="predictions")(x)
    return keras.Model(input_tensor, x, name="mobilenet")


@pytest.fixture(autouse=True)
def quick_network(request, monkeypatch):
    """What runs in this process trains the tiny network, but for tests marked `whole_network`."""
    if not request.node.get_closest_marker("whole_network"):
        monkeypatch.setattr(keras.applications, "MobileNet", tiny_mobilenet)


@pytest.fixture
def collection(tmp_path):
    return paint(tmp_path / "collection")


def command(collection, out, mode="off_the_shelf", **flags):
    given = {
        "dataset_name": "tiny",
        "metadata_path": collection / "metadata.csv",
        "jpg_images_path": collection / "jpg",
        "results_path": out / "results",
        "datasets_path": out / "datasets",
        "challenge": "artist",
        "ANN": "MobileNet(alpha=0.25)",
        "input_size": 32,
        "weights": "none" if mode != "random" else None,
        "tl_mode": mode,
        "batch_size": 8,
        "epochs": 2,
        **flags,
    }
    pairs = [(f"--{key}", str(value)) for key, value in given.items() if value is not None]
    return [word for pair in pairs for word in pair]


def run(*arguments, **flags):
    return experiment.main(command(*arguments, **flags))


def result(out, mode="off_the_shelf", challenge="artist", changed="batch_size=8,epochs=2"):
    """The folder of a run of `command`, which changes two settings of the recipe."""
    parent = out / "results" / "tiny" / challenge / "MobileNet(alpha=0.25)"
    return parent / ",".join(filter(None, [mode, changed]))


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_flags_of_a_recipe_are_its_fields():
    needed = ["--dataset_name", "a", "--challenge", "b", "--ANN", "VGG19", "--tl_mode", "random"]
    needed += ["--results_path", "r", "--datasets_path", "d"]
    parser = experiment.flags()

    def recipe(*given):
        arguments = parser.parse_args([*needed, *given])
        (run,) = experiment.runs_from(arguments, read_data(arguments))
        return run.recipe

    assert recipe() == RECIPES["random"]
    changed = recipe("--learning_rate", "0.1", "--nesterov", "false", "--epochs", "3")
    assert changed == replace(RECIPES["random"], learning_rate=0.1, nesterov=False, epochs=3)
    with pytest.raises(SystemExit):
        parser.parse_args([*needed, "--nesterov", "maybe"])


MISTYPED = [
    ["--tlmode", "random"],
    ["--ANN", "VGG91"],
    ["--weights", "nowhere.h5"],
    ["--results_path", str(ROOT / "setup.py" / "results")],
    ["--datasets_path", str(ROOT / "setup.py" / "datasets")],
    ["--metadata_path", "nowhere.csv", "--jpg_images_path", "."],
    ["--seeds", "1", "--seed", "2"],
]


@pytest.mark.parametrize("given", [["--help"], *MISTYPED])
def test_help_and_mistyped_words_answer_without_keras(tmp_path, given):
    """In a process of its own: nothing of the field's large packages may be imported."""
    whole = command(tmp_path, tmp_path, metadata_path=None, jpg_images_path=None) + given
    script = (
        "import sys\nfrom transfer import experiment\n"
        "try: code = experiment.main(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        "large = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'pandas', 'scipy'}\n"
        "print(code, sorted(large & set(sys.modules)))"
    )
    started = [sys.executable, "-c", script, *whole]
    done = subprocess.run(started, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{0 if given == ['--help'] else 2} []"


@pytest.mark.whole_network
@pytest.mark.parametrize("mode", ["off_the_shelf", "fine_tuning", "random"])
def test_each_mode_writes_a_whole_result(collection, tmp_path, mode, capsys):
    add_titles(collection / "metadata.csv")
    assert run(collection, tmp_path, mode) == 0
    folder = result(tmp_path, mode)
    # what was drawn is kept where training changes it
    drawn = set() if mode == "off_the_shelf" else {"start.keras"}
    assert {path.name for path in folder.iterdir()} == RESULT_FILES | drawn
    measured = metrics(folder)
    assert (measured["n_train"], measured["n_val"], measured["n_test"]) == (24, 3, 3)
    assert measured["n_classes"] == 2 and measured["feature_size"] == 256
    assert measured["head_parameters"] == 256 * 2 + 2
    assert measured["epochs_run"] == 2 and measured["best_epoch"] in (1, 2)
    assert not measured["toy"] and measured["seconds"] > 0 and measured["images_per_second"] > 0
    rows = list(csv.DictReader((folder / "predictions.csv").open(encoding="utf-8-sig")))
    split = list(
        csv.DictReader(next(tmp_path.glob("datasets/*/*/*/split.csv")).open(encoding="utf-8-sig"))
    )
    assert [row["id"] for row in rows] == [row["id"] for row in split if row["split"] == "test"]
    hits = np.mean([row["true"] == row["predicted"] for row in rows])
    assert measured["top1_accuracy"] == pytest.approx(hits)
    assert measured["top1_interval"] == pytest.approx(evaluate.wilson(3 * hits, 3))
    train = [row["label"] for row in split if row["split"] == "train"]
    commonest = max(sorted(set(train)), key=train.count)
    assert measured["chance_top1"] == pytest.approx(
        np.mean([row["true"] == commonest for row in rows])
    )
    printed = capsys.readouterr().out
    check_groups(folder, rows, split, printed)
    passed = "features of the train pictures: 8 of 24", "pictures tested: 3 of 3"
    for first in (
        "pictures read: 1 of 30",
        "pictures stored: 1 of 30",
        passed[mode != "off_the_shelf"],
    ):
        assert f"{first}\n" in printed  # every pass tells its first batch


def add_titles(path):
    """A title for every three rows, whatever their class."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    lines = [f"{line},title {number // 3}" for number, line in enumerate(lines)]
    path.write_text("\n".join([f"{header},title", *lines]) + "\n", encoding="utf-8")


def check_groups(folder, rows, split, printed):
    """How much rests on titles that were seen, in the file and in a line, against a count."""
    seen = {int(row["id"][:7]) // 3 for row in split if row["split"] != "test"}
    hits = [row["true"] == row["predicted"] for row in rows if int(row["id"][:7]) // 3 in seen]
    (told,) = csv.DictReader((folder / "groups_seen.csv").open(encoding="utf-8-sig"))
    assert (told["column"], int(told["seen_pictures"])) == ("title", len(hits))
    assert float(told["seen_accuracy"]) == pytest.approx(np.mean(hits)) and hits
    assert f"{len(hits)} of {len(rows)} test pictures ha" in printed
    assert (
        f"a title that a training or validation picture has too: top-1 {np.mean(hits):.1%} of"
        in (printed)
    )


@pytest.mark.slow  # two networks in two modes, and two processes
def test_several_networks_and_modes_are_as_in_processes_of_their_own(collection, tmp_path, capsys):
    modes, networks = ["random", "off_the_shelf"], ["MobileNet(alpha=0.25)", "MobileNet(alpha=0.5)"]
    several = command(collection, tmp_path, "off_the_shelf", weights="none")
    more = ["--tl_mode", "random", "--ANN", networks[1]]
    assert experiment.main(several + more) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("==")]
    assert len(printed) == 4 and printed[0].startswith(
        "== tiny, artist, MobileNet(alpha=0.25), off"
    )
    for mode in modes:
        alone = tmp_path / f"alone_{mode}"
        job = start(command(collection, alone, mode))
        assert job.wait(timeout=300) == 0
        one, other = metrics(result(tmp_path, mode)), metrics(result(alone, mode))
        for values in (one, other):
            del values["seconds"], values["images_per_second"]
        assert one == other
    folder = result(tmp_path, "random").parents[1] / networks[1]
    assert {path.name for path in folder.iterdir()} == {result(tmp_path, m).name for m in modes}


def test_a_setting_is_left_out_of_the_modes_in_which_it_does_nothing():
    needed = ["--dataset_name", "a", "--challenge", "b", "--ANN", "VGG19", "--tl_mode"]
    needed += ["off_the_shelf", "fine_tuning", "random", "--results_path", "r"]
    needed += ["--datasets_path", "d", "--trunk_rate", "0.1", "--rho", "0.5"]
    arguments = experiment.flags().parse_args(needed)
    runs = experiment.runs_from(arguments, read_data(arguments))
    names = ["off_the_shelf,rho=0.5", "fine_tuning,trunk_rate=0.1", "random,trunk_rate=0.1"]
    assert [run.folder.name for run in runs] == names


@pytest.mark.parametrize(
    ("mode", "ann", "given", "started"),
    [
        ("fine_tuning", "VGG19", [], "imagenet"),
        ("fine_tuning", "VGG19", ["--weights", "none"], "none"),
        ("fine_tuning", "VGG19:none", [], "none"),
        ("fine_tuning", "VGG19:imagenet", [], "imagenet"),
        ("random", "VGG19:imagenet", [], "none"),
        ("random", "VGG19:none", [], "none"),
    ],
)
def test_what_a_network_starts_from(mode, ann, given, started):
    needed = ["--dataset_name", "a", "--challenge", "b", "--results_path", "r"]
    needed += ["--datasets_path", "d", "--ANN", ann, "--tl_mode", mode]
    arguments = experiment.flags().parse_args(needed + given)
    (made,) = experiment.runs_from(arguments, read_data(arguments))
    assert made.weights == started


@pytest.mark.parametrize(
    ("ann", "says"),
    [
        ("a.keras", "no weights file a.keras"),
        ("RijksVGG19Net:artist", "no folder gone .for the released weights"),
    ],
)
def test_what_is_no_network_to_train_is_named(ann, says, monkeypatch):
    monkeypatch.setenv("RIJKS_WEIGHTS", "gone")
    needed = ["--dataset_name", "a", "--challenge", "b", "--results_path", "r"]
    needed += ["--datasets_path", "d", "--ANN", ann, "--tl_mode", "fine_tuning"]
    arguments = experiment.flags().parse_args(needed)
    with pytest.raises(InputError, match=says):
        experiment.runs_from(arguments, read_data(arguments))


@pytest.fixture
def own_network(tmp_path):
    """A small network of one's own, as a `.keras` file: scaling inside, a classifier at its end."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(8, 5, strides=2, activation="relu")]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, "softmax")]
    keras.Sequential(layers).save(tmp_path / "own.keras")
    return tmp_path / "own.keras"


@pytest.mark.slow  # three trainings
def test_a_file_of_ones_own_is_trained_on_in_every_mode(collection, tmp_path, own_network, capsys):
    given = {"ANN": own_network, "weights": None, "input_size": None, "epochs": 1}
    words = command(collection, tmp_path, "off_the_shelf", **given)
    assert experiment.main([*words, "--tl_mode", "fine_tuning", "random"]) == 0
    printed = capsys.readouterr().out
    assert "own.keras: features from global_average_pooling2d (8), dense cut off" in printed
    (folder,) = (tmp_path / "results/tiny/artist").iterdir()
    changed = "batch_size=8,epochs=1"
    assert re.fullmatch(r"own-[0-9a-f]{8}", folder.name)
    for mode, started in (("off_the_shelf", own_network), ("fine_tuning", own_network)):
        measured = metrics(folder / f"{mode},{changed}")
        assert measured["ANN"] == folder.name and measured["weights"] == str(started)
        assert measured["feature_size"] == 8 and measured["settings"]["input_size"] == 32
    assert metrics(folder / f"random,{changed}")["weights"] == "none"
    kernels = {
        mode: network.load(str(folder / f"{mode},{changed}" / "model.keras")).model.layers[2].kernel
        for mode in ("off_the_shelf", "fine_tuning", "random")
    }
    original = keras.models.load_model(own_network).layers[1].kernel
    np.testing.assert_array_equal(kernels["off_the_shelf"], original)
    assert 0 < np.abs(kernels["fine_tuning"] - original).max() < 0.1
    assert np.abs(kernels["random"] - original).max() > 0.1
    # the same network from another place is the same run, another under the same name is not
    moved = tmp_path / "moved" / "own.keras"
    moved.parent.mkdir()
    shutil.move(own_network, moved)
    again = {**given, "ANN": moved}
    assert run(collection, tmp_path, "fine_tuning", **again) == 0
    assert "already finished" in capsys.readouterr().out


def test_a_runs_own_file_is_trained_on(collection, tmp_path, own_network):
    given = {"weights": None, "input_size": None, "epochs": 1}
    assert run(collection, tmp_path, "fine_tuning", **given, ANN=own_network, pixels="tf") == 0
    (first,) = (tmp_path / "results/tiny/artist").glob("own-*/fine_tuning,*/model.keras")
    opened = network.load(str(first))
    assert opened.pixels == "tf" and opened.classes == ["cold", "warm"]
    assert run(collection, tmp_path, "off_the_shelf", **given, ANN=first) == 0
    (second,) = (tmp_path / "results/tiny/artist").glob("own-*-*/off_the_shelf,*")
    assert second.parent.name.startswith(first.parts[-3])
    assert network.load(str(second / "model.keras")).pixels == "tf"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"input_size": 64}, "input_size is 64; .*own.keras takes pictures of 32 pixels"),
        ({"weights": "imagenet"}, "give one"),
        ({"ANN": "gone.keras"}, "no weights file gone.keras"),
    ],
)
def test_what_does_not_fit_a_file_is_one_line(
    flags, says, collection, tmp_path, own_network, capsys
):
    given = {"ANN": own_network, "weights": None, "input_size": None, **flags}
    assert run(collection, tmp_path, "fine_tuning", **given) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: .*{says}", error) and error.count("\n") == 1


def test_a_recipe_of_another_paper_and_any_field_over_it(collection, tmp_path):
    """Mode B of Gonthier et al. 2020, but in bfloat16 and with its first layer left as it was."""
    changed = {"layers": "skip_first:1", "redrawn": "last:2", "precision": "mixed_bfloat16"}
    assert run(collection, tmp_path, "gonthier2020.mode_b", dropout=0.2, **changed) == 0
    parent = result(tmp_path).parent
    (folder,) = [path for path in parent.iterdir() if path.name.startswith("gonthier2020.mode_b,")]
    measured = metrics(folder)
    assert measured["tl_mode"] == "gonthier2020.mode_b" and measured["epochs_run"] == 2
    assert measured["settings"]["trunk_rate"] == 0.1 and measured["settings"]["dropout"] == 0.2
    opened = network.load(str(folder / "model.keras"))
    assert {layer.dtype_policy.name for layer in opened.model.layers} == {"float32"}
    for row in csv.DictReader((folder / "predictions.csv").open(encoding="utf-8-sig")):
        picture = Image.open(collection / "jpg" / f"{row['id']}.jpg").resize((32, 32))
        scores = opened.model.predict(np.asarray(picture, np.float32)[None], verbose=0)[0]
        assert scores.max() == pytest.approx(float(row["score"]), abs=0.1)


@pytest.mark.slow
def test_a_chain_goes_on_from_a_runs_folder_and_finds_its_stages(collection, tmp_path, capsys):
    """From a collection to itself with another seed, then its start named."""
    assert run(collection, tmp_path, "fine_tuning", weights="none") == 0
    first = result(tmp_path, "fine_tuning", changed="batch_size=8,epochs=2,batch_norm=train")
    first = first if first.exists() else result(tmp_path, "fine_tuning")
    more = {"weights": first, "seed": 7, "dataset_name": "second"}
    assert run(collection, tmp_path, "gonthier2020.mode_a", **more) == 0
    (second,) = tmp_path.glob("results/second/artist/*/gonthier2020.mode_a,*")
    assert metrics(second)["weights"] == str(first / "model.keras")
    capsys.readouterr()
    assert run(collection, tmp_path, "gonthier2020.mode_a", **more) == 0
    assert "already finished" in capsys.readouterr().out
    # what they started from: kept where it was drawn, else what was given
    drawn = network.load(finished.named_network(f"{first}@start"))
    kernel = network.load(str(first / "model.keras")).model.get_layer("conv_0").kernel
    assert np.abs(drawn.model.get_layer("conv_0").kernel - kernel).max() > 0
    assert finished.named_network(f"{second}@start") == str(first / "model.keras")
    with pytest.raises(InputError, match="nowhere is not the folder of a finished run"):
        finished.named_network("nowhere@start")


@pytest.fixture
def labelled(collection):
    """The same pictures, each with any of three labels; the test part lacks one."""
    lines = ["ImageId,part,dc_creator,warm,third,early"]
    for i in range(30):
        part = ("train", "train", "train", "val", "test")[i % 5]
        early = int(part != "test" and i % 2 == 0)
        name = ("warm", "cold")[i % 2]
        lines.append(f"{i:07d}_X,{part},{name},{i % 2},{int(i % 3 == 0)},{early}")
    (collection / "metadata.csv").write_text("\n".join(lines) + "\n")
    return collection


LABEL_FILES = {"metrics.json", "history.csv", "predictions.csv", "per_class.csv"} | {
    "learning_curve.png",
    "class_distribution.png",
    "model.keras",
    "manifest.json",
    "scores.npy",
}


def check_labels(folder, printed):
    """The files of a run of several labels, and its numbers, computed from its predictions."""
    assert {path.name for path in folder.iterdir()} - {"start.keras"} == LABEL_FILES
    found, rows = metrics(folder), read_csv(folder / "predictions.csv")
    assert rows["id"].tolist() == [f"{i:07d}_X" for i in range(4, 30, 5)]
    sets = [set(text.split(" | ")) - {"(none)"} for text in rows["true"]]
    tested = range(4, 30, 5)
    assert sets == [{*["warm"] * (i % 2), *["third"] * (i % 3 == 0)} for i in tested]
    scores = {n: rows[f"score of {n}"].astype(float) for n in ("early", "third", "warm")}
    said = [{n for n in scores if scores[n][row] >= 0.5} for row in rows.index]
    assert [set(text.split(" | ")) - {"(none)"} for text in rows["predicted"]] == said
    averages = [
        average_precision_score([name in one for one in sets], scores[name])
        for name in ("third", "warm")
    ]
    assert found["mean_average_precision"] == pytest.approx(np.mean(averages))
    assert found["chance_mean_average_precision"] == pytest.approx((2 / 6 + 3 / 6) / 2)
    assert found["classes_without_positive"] == {"test": ["early"]}
    assert (found["classes_counted"], found["n_classes"]) == (2, 3)
    assert "top1_accuracy" not in found and found["intervals_left_out"]
    assert "over 2 of 3 labels" in printed and "by chance it would be 41.7%" in printed
    assert "no test picture has them: early" in printed
    opened = network.load(str(folder / "model.keras"))
    assert opened.several and opened.classes == ["early", "third", "warm"]
    assert opened.output == "probability"
    return found


@pytest.mark.slow  # three trainings
def test_several_labels_after_one(labelled, tmp_path, capsys):
    """From one label to several, off the shelf and fine-tuned, to the tables; found again."""
    split = {"split": "column=part"}
    assert run(labelled, tmp_path, **split) == 0
    capsys.readouterr()
    first = result(tmp_path)
    more = split | {"challenge": "all", "weights": first}
    assert run(labelled, tmp_path, **more) == 0
    folder = result(tmp_path, challenge="all")
    check_labels(folder, capsys.readouterr().out)
    assert metrics(folder)["weights"] == str(first / "model.keras")
    assert run(labelled, tmp_path, **more) == 0
    assert "already finished" in capsys.readouterr().out
    more |= {"challenge": "early,third,warm", "augmentation": "flip_shift"}
    assert run(labelled, tmp_path, "fine_tuning", **more) == 0
    (folder,) = tmp_path.glob("results/tiny/early,third,warm/*/fine_tuning,*")
    check_labels(folder, capsys.readouterr().out)
    history = read_run(folder).history
    assert len(history) == 2 and history["val_accuracy"].between(0, 1).all()
    text = tables.collate(tmp_path / "results")["comparison.md"].decode()
    assert "shown is the mean average precision" in text and "by chance: 41.67 %" in text


def test_the_files_of_several_labels_need_no_csv(labelled, tmp_path, capsys):
    assert run(labelled, tmp_path, challenge="all", split="column=part") == 0
    check_labels(result(tmp_path, challenge="all"), capsys.readouterr().out)
    (stored,) = tmp_path.glob("datasets/tiny/all/*/testing_labels.hdf5")
    given = tmp_path / "datasets" / "tiny" / "given"
    given.mkdir()
    for path in stored.parent.glob("*.hdf5"):
        shutil.copy(path, given)
    flags = {"challenge": "given", "metadata_path": None, "jpg_images_path": None}
    assert run(labelled, tmp_path, class_weights="balanced", **flags) == 2
    assert "class_weights is 'balanced', for one label a picture" in capsys.readouterr().err
    path = given / "testing_labels.hdf5"
    kept = path.read_bytes()
    with h5py.File(path, "r+") as file:
        file["y_test"][:] = 0
    assert run(labelled, tmp_path, **flags) == 2
    error = capsys.readouterr().err
    assert "none of 3 labels has a picture in every part" in error and "test: early, th" in error
    path.write_bytes(kept)
    assert run(labelled, tmp_path, **flags) == 0
    first, second = (
        metrics(result(tmp_path, challenge="all")),
        metrics(result(tmp_path, challenge="given")),
    )
    assert first["mean_average_precision"] == second["mean_average_precision"]


def test_a_recipe_that_there_is_not_is_one_line_with_near_names(collection, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(collection, tmp_path, "gonthier2020.mod_a")
    assert "there is gonthier2020.mode_a" in capsys.readouterr().err


@pytest.mark.slow
def test_weights_are_for_the_modes_that_take_them(collection, tmp_path, capsys):
    assert run(collection, tmp_path) == 0
    weights = result(tmp_path) / "model.keras"
    assert run(collection, tmp_path / "b", "random", weights=weights) == 2
    error = capsys.readouterr().err
    assert "random starts from He-uniform" in error and str(weights) in error
    both = command(collection, tmp_path / "b", "off_the_shelf", weights=weights)
    assert experiment.main([*both, "--tl_mode", "random"]) == 0
    assert metrics(result(tmp_path / "b"))["weights"] == str(weights)
    assert metrics(result(tmp_path / "b", "random"))["weights"] == "none"
    named = f"MobileNet(alpha=0.25):{weights}"
    for mode, started in (("off_the_shelf", str(weights)), ("random", "none")):
        assert run(collection, tmp_path / "c", mode, weights=None, ANN=named) == 0
        assert metrics(result(tmp_path / "c", mode))["weights"] == started
    assert run(collection, tmp_path / "d", weights=weights, ANN=named) == 2
    assert "give one" in capsys.readouterr().err


def test_saved_model_gives_the_predictions_of_the_table(collection, tmp_path):
    """The file alone, on raw RGB pixels, repeats the test: preprocessing travels with it."""
    assert run(collection, tmp_path, "off_the_shelf", epochs=20) == 0
    folder = result(tmp_path, changed="batch_size=8,epochs=20")
    opened = network.load(str(folder / "model.keras"))
    model, about = opened.model, {"classes": opened.classes}
    assert about["classes"] == ["cold", "warm"]
    for row in csv.DictReader((folder / "predictions.csv").open(encoding="utf-8-sig")):
        picture = Image.open(collection / "jpg" / f"{row['id']}.jpg").resize((32, 32))
        scores = model.predict(np.asarray(picture, np.float32)[None], verbose=0)[0]
        assert about["classes"][scores.argmax()] == row["predicted"]
        assert scores.max() == pytest.approx(float(row["score"]), abs=0.1)


def test_hostile_names_come_through(tmp_path):
    names = ('Boëtius "the", younger', "line\nbreak | <b>")
    collection = paint(
        tmp_path / "a collection’s “é” ", names=[n.replace('"', '""') for n in names]
    )
    assert run(collection, tmp_path, dataset_name="Museo d'été, 1/2\n") == 0
    (folder,) = tmp_path.glob("results/*/artist/MobileNet(alpha=0.25)/off_the_shelf,*")
    rows = list(csv.DictReader((folder / "predictions.csv").open(encoding="utf-8-sig", newline="")))
    assert {row["true"] for row in rows} <= {names[0], "line break | <b>"}
    assert metrics(folder)["dataset"] == "Museo d'été, 1/2\n"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["off_the_shelf", "fine_tuning"])
def test_tensorboard_and_class_weights_on_request(collection, tmp_path, mode):
    assert run(collection, tmp_path, mode, tensorboard=tmp_path / "logs") == 0
    assert list(tmp_path.glob(f"logs/tiny/artist/*/{mode},*/train/events.*"))
    again = tmp_path / "again"
    assert run(collection, again, mode, class_weights="balanced", seed=42) == 0
    changed = "batch_size=8,epochs=2,class_weights=balanced"
    assert metrics(result(again, mode, changed=changed))["epochs_run"] == 2


def test_one_line_per_epoch_off_a_terminal(collection, tmp_path, capsys):
    assert run(collection, tmp_path) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert "the best so far" in lines[0]


@pytest.mark.slow
def test_colours_are_learnt(tmp_path):
    collection = paint(tmp_path / "collection", per_class=60)
    assert run(collection, tmp_path, "random", learning_rate=0.01, epochs=12) == 0
    changed = "learning_rate=0.01,batch_size=8,epochs=12"
    assert metrics(result(tmp_path, "random", changed=changed))["top1_accuracy"] == 1


@pytest.mark.parametrize("classifier", ["svm", "random_forest"])
def test_other_classifiers_on_the_same_features(collection, tmp_path, classifier, capsys):
    assert run(collection, tmp_path, "off_the_shelf") == 0
    assert run(collection, tmp_path, "off_the_shelf", classifier=classifier, epochs=3) == 2
    assert "error: epochs is 3 and would change nothing" in capsys.readouterr().err
    assert run(collection, tmp_path, "off_the_shelf", classifier=classifier, epochs=None) == 0
    assert "features found in" in capsys.readouterr().out
    folder = result(tmp_path, f"off_the_shelf_{classifier}", changed="batch_size=8")
    measured = metrics(folder)
    assert measured["classifier"] == classifier and measured["epochs_run"] == 0
    if classifier == "svm":
        assert measured["loss"] is None and (folder / "model.keras").exists()
    else:
        assert not (folder / "model.keras").exists()


def test_same_command_finds_its_result_and_others_go_beside_it(collection, tmp_path, capsys):
    assert run(collection, tmp_path) == 0
    before = (result(tmp_path) / "metrics.json").read_bytes()
    assert run(collection, tmp_path) == 0
    assert "already finished" in capsys.readouterr().out
    assert run(collection, tmp_path, learning_rate=0.5) == 0
    assert run(collection, tmp_path, input_size=48) == 0
    assert (result(tmp_path) / "metrics.json").read_bytes() == before
    made = {path.name for path in result(tmp_path).parent.iterdir()}
    mode = "off_the_shelf,batch_size=8,epochs=2"
    learning = "off_the_shelf,learning_rate=0.5,batch_size=8,epochs=2"
    assert made == {mode, learning, f"{mode},input_size=48"}
    capsys.readouterr()
    assert run(collection, tmp_path, input_size=48) == 0
    assert "already finished" in capsys.readouterr().out
    (result(tmp_path) / "manifest.json").unlink()
    assert run(collection, tmp_path) == 2
    assert "holds files but no finished run" in capsys.readouterr().err


@pytest.mark.slow  # three runs
def test_several_seeds_are_runs_of_one_cell(collection, tmp_path, capsys):
    several = command(collection, tmp_path, batch_size=None, epochs=2)
    assert experiment.main([*several, "--seeds", "1", "42", "--seeds", "3"]) == 0
    made = result(tmp_path).parent
    names = {"off_the_shelf,seed=1,epochs=2", "off_the_shelf,epochs=2"}
    assert {path.name for path in made.iterdir()} == names | {"off_the_shelf,seed=3,epochs=2"}
    assert {metrics(folder)["seed"] for folder in made.iterdir()} == {1, 42, 3}
    (comparison,) = results.compare(read_runs(tmp_path / "results"))
    ((_, runs),) = comparison.cells.items()
    assert len(runs) == 3
    assert "top-5" not in capsys.readouterr().out  # of two classes


@pytest.mark.slow  # two runs and their data sets
def test_several_split_seeds_are_runs_on_splits_of_their_own(tmp_path):
    collection = paint(tmp_path / "collection", per_class=40)
    words = command(collection, tmp_path, "off_the_shelf")
    assert experiment.main([*words, "--split_seed", "42", "2", "3"]) == 0
    usual = result(tmp_path)
    others = [usual.with_name(f"{usual.name},split_seed={seed}") for seed in (2, 3)]
    splits = {metrics(folder)["split_sha256"] for folder in (usual, *others)}
    assert len(splits) == 3
    assert metrics(others[0])["settings"]["split_seed"] == 2
    assert "split_seed" not in metrics(usual)["settings"]
    page = tables.collate(tmp_path / "results")["comparison.md"].decode()
    assert "3 splits, drawn with the seeds 2, 3, 42" in page


def test_a_run_of_another_version_is_found_under_its_name(collection, tmp_path, capsys):
    """Before, the folder of every run was named after its mode alone."""
    assert run(collection, tmp_path) == 0
    result(tmp_path).rename(result(tmp_path).with_name("off_the_shelf"))
    assert run(collection, tmp_path) == 0
    assert "already finished" in capsys.readouterr().out and not result(tmp_path).exists()


@pytest.mark.slow  # three trainings
def test_a_data_set_on_a_read_only_disk_serves_every_mode(collection, tmp_path, small_disk):
    assert run(collection, tmp_path, "fine_tuning", datasets_path=small_disk / "datasets") == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for mode in ("off_the_shelf", "random"):
        assert run(collection, tmp_path, mode, datasets_path=small_disk / "datasets") == 0
    kept = result(tmp_path).with_name("features")
    assert len(list(kept.glob("*/train.npy"))) == 1
    assert len(read_runs(tmp_path / "results")) == 3


@pytest.mark.slow
def test_interrupted_run_is_not_lost_to_other_settings(collection, tmp_path):
    partial = result(tmp_path).with_name(f".{result(tmp_path).name}.partial")

    def left(history):
        result(tmp_path).rename(partial)
        identity = json.loads((partial / "manifest.json").read_text())["identity"]
        (partial / "manifest.json").unlink()
        (partial / "identity.json").write_text(json.dumps(identity | {"input_size": 7}))
        (partial / "epochs").mkdir()
        if history:
            (partial / "epochs" / "history.csv").write_text("epoch\n1\n")

    assert run(collection, tmp_path) == 0
    left(history=False)
    assert run(collection, tmp_path) == 0  # no epoch was finished: nothing to lose
    left(history=True)
    assert run(collection, tmp_path) == 0
    beside = result(tmp_path).with_name(f"{result(tmp_path).name},input_size=32")
    assert (beside / "metrics.json").exists() and partial.exists()


def test_too_little_memory_is_one_line(collection, tmp_path, monkeypatch, capsys):
    def exhausted(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(train, "train", exhausted)
    assert run(collection, tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: out of memory with batch_size 8 and pictures of 32 pixels")


def test_a_diverged_training_leaves_its_folder_free(collection, tmp_path, capsys):
    assert run(collection, tmp_path, "fine_tuning", learning_rate=1e38) == 2
    assert "a learning_rate below 1e+38 may help" in capsys.readouterr().err
    assert run(collection, tmp_path, "fine_tuning") == 0


def test_new_pictures_in_the_released_files_are_no_old_run(collection, tmp_path):
    assert run(collection, tmp_path) == 0
    made = next(tmp_path.glob("datasets/tiny/artist/*/training_images.hdf5")).parent
    keys = []
    for path in made.glob("*.hdf5"):
        shutil.copy(path, tmp_path / path.name)
    keys.append(Store(tmp_path).key)
    os.utime(tmp_path / "testing_images.hdf5", (1, 1))
    keys.append(Store(tmp_path).key)
    assert keys[0] != keys[1]


@pytest.mark.slow
def test_damaged_picture_in_the_store_is_named_and_nothing_hangs(collection, tmp_path):
    assert run(collection, tmp_path) == 0
    path = next(tmp_path.glob("datasets/*/*/*/training_images.hdf5"))
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL") + 16
    content[heap : heap + 24] = b"\xff" * 24
    path.write_bytes(content)
    # not off the shelf, which would find the features kept from the whole file
    again = {"datasets_path": tmp_path / "datasets"}
    job = start(command(collection, tmp_path / "b", "fine_tuning", **again))
    printed = job.communicate(timeout=200)[0]
    assert job.returncode == 2, printed
    assert "cannot be decoded" in printed.splitlines()[-1], printed


def test_pixels_of_the_first_collection_stay(collection, tmp_path, capsys):
    assert run(collection, tmp_path, pixels="unit") == 0
    weights = result(tmp_path, changed="batch_size=8,epochs=2,pixels=unit") / "model.keras"
    assert run(collection, tmp_path / "b", weights=weights) == 2
    assert "pixels unit" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()  # known before the data set is made


def test_split_is_shared_by_modes_and_renewed_for_a_changed_csv(collection, tmp_path):
    split = {"split": "cetinic2018", "datasets_path": tmp_path / "datasets"}
    assert run(collection, tmp_path, **split) == 0
    assert run(collection, tmp_path, classifier="svm", epochs=None, **split) == 0
    one = metrics(result(tmp_path))
    two = metrics(result(tmp_path, "off_the_shelf_svm", changed="batch_size=8"))
    assert one["split_sha256"] == two["split_sha256"]
    path = collection / "metadata.csv"
    path.write_text(path.read_text().replace("28,0000028_X", "28,absent_X"))
    assert run(collection, tmp_path / "new", **split) == 0
    assert metrics(result(tmp_path / "new"))["split_sha256"] != one["split_sha256"]
    assert len(list(tmp_path.glob("datasets/tiny/artist/*/split.csv"))) == 2


def test_from_one_collection_to_another(collection, tmp_path):
    """Sabatelli et al. 2018, section 3.3: a network tuned on one collection starts the next."""
    assert run(collection, tmp_path) == 0
    weights = result(tmp_path) / "model.keras"
    assert run(collection, tmp_path / "b", "off_the_shelf", weights=weights) == 0
    assert metrics(result(tmp_path / "b", "off_the_shelf"))["weights"] == str(weights)


@pytest.mark.slow  # a chain of three
def test_a_stage_by_its_name_tells_what_it_saw(collection, tmp_path, capsys):
    """The next stage has smaller pictures, and some for its test that the first was trained on."""
    assert run(collection, tmp_path, "fine_tuning", epochs=1) == 0
    name = "tiny/artist/MobileNet(alpha=0.25)/fine_tuning,batch_size=8,epochs=1"
    seen = [row["id"] for row in split_rows(tmp_path) if row["split"] != "test"]
    capsys.readouterr()
    given = {"weights": name, "dataset_name": "next", "input_size": 16, "split": "cetinic2018"}
    assert run(collection, tmp_path, "fine_tuning", **given) == 0
    rows = [row for row in split_rows(tmp_path, "next") if row["split"] == "test"]
    shared = len([row for row in rows if row["id"] in seen])
    folder = (
        tmp_path / "results" / name.replace("tiny/", "next/", 1).replace("epochs=1", "epochs=2")
    )
    assert metrics(folder)["n_test_seen_before"] == shared > 0
    assert metrics(folder)["weights"] == str(tmp_path / "results" / name / "model.keras")
    printed = capsys.readouterr().out
    assert "model.keras is of pictures of 32 pixels; here they have 16\n" in printed
    assert f"was trained on {shared} of the {len(rows)} test pictures, so that" in printed
    # a third stage, off the shelf: what the first saw is known still
    name = folder.relative_to(tmp_path / "results")
    given = {"weights": name, "dataset_name": "third", "input_size": 16}
    assert run(collection, tmp_path, **given) == 0
    third = (
        tmp_path / "results/third/artist/MobileNet(alpha=0.25)/off_the_shelf,batch_size=8,epochs=2"
    )
    assert metrics(third)["n_test_seen_before"] > 0


def split_rows(out, dataset="tiny"):
    path = next(out.glob(f"datasets/{dataset}/*/*/split.csv"))
    return list(csv.DictReader(path.open(encoding="utf-8-sig")))


@pytest.mark.slow
def test_one_csv_serves_two_collections_and_from_one_to_the_other(collection, tmp_path):
    path = collection / "metadata.csv"
    header, *rows = path.read_text().splitlines()
    rows = [f"{row},{'AB'[i // 2 % 2]}" for i, row in enumerate(rows)]
    path.write_text("\n".join([f"{header},collection", *rows]))
    given = {"where": "collection=A", "split": "cetinic2018"}
    assert run(collection, tmp_path, **given) == 0
    weights = result(tmp_path) / "model.keras"
    given |= {"where": "collection=B", "dataset_name": "other", "weights": weights}
    assert run(collection, tmp_path, **given) == 0
    runs = {run.dataset: run for run in read_runs(tmp_path / "results")}
    assert {name: run.metrics["n_train"] for name, run in runs.items()} == {"tiny": 12, "other": 10}
    assert runs["other"].weights == str(weights)


@pytest.mark.whole_network
def test_weights_that_an_earlier_version_saved(collection, tmp_path):
    """The shipped network was tuned and saved by the code of 2026's first versions."""
    weights = next(ROOT.glob("*/**/mobilenet_0.25_64_toy_artist.keras"))
    assert run(collection, tmp_path, weights=weights) == 0
    assert metrics(result(tmp_path))["settings"]["weights_sha256"]


def test_released_files_without_a_csv(collection, tmp_path):
    assert run(collection, tmp_path) == 0
    made = next(tmp_path.glob("datasets/tiny/artist/*/training_images.hdf5")).parent
    released = tmp_path / "b" / "datasets" / "tiny" / "artist"
    released.mkdir(parents=True)
    for path in made.glob("*.hdf5"):
        path.rename(released / path.name)
    none = {"metadata_path": None, "jpg_images_path": None}
    assert run(collection, tmp_path / "b", **none) == 0
    assert metrics(result(tmp_path / "b"))["n_train"] == 24


def spoil(collection, how):
    """One user's mistake; returns the flags to change."""
    csv_path, jpg = collection / "metadata.csv", collection / "jpg"
    header, *rows = csv_path.read_text().splitlines()
    if how == "missing csv":
        csv_path.unlink()
    elif how == "empty csv":
        csv_path.write_text("")
    elif how == "no match":
        csv_path.write_text("\n".join([header] + [row.replace("_X", "_Y") for row in rows]))
    elif how == "one class":
        csv_path.write_text("\n".join([header, *rows]).replace("cold", "warm"))
    elif how == "conflict":
        csv_path.write_text("\n".join([header, *rows, '9,0000000_X,"other"']))
    elif how == "no pictures":
        for path in jpg.iterdir():
            path.unlink()
    elif how == "all broken":
        for path in jpg.iterdir():
            path.write_bytes(path.read_bytes()[:200])
    return {
        "column": {"challenge": "dc_maker"},
        "id column": {"id_column": "Id"},
        "network": {"ANN": "VGG91"},
        "weights": {"weights": "/nowhere.h5"},
        "weights that do not fit": {"weights": collection / "metadata.csv"},
        "split": {"split": "90/5/5"},
        "split column": {"split": "column=part"},
        "mode and weights": {"tl_mode": "random", "weights": "imagenet"},
        "classifier": {"classifier": "svm", "tl_mode": "fine_tuning"},
        "batch": {"batch_size": 0},
        "size": {"input_size": 8},
        "min pictures": {"min_pictures": 100},
        "dataset name": {"dataset_name": ".."},
        "half given": {"jpg_images_path": None},
        "split seed": {"split_seed": -1},
        "logs in a file": {"tensorboard": collection / "metadata.csv"},
        "negative min pictures": {"min_pictures": -3},
    }.get(how, {})


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("missing csv", "metadata.csv"),
        ("empty csv", "metadata.csv"),
        ("column", "dc_maker"),
        ("id column", "Id"),
        ("no match", "_Y"),
        ("one class", "warm"),
        ("conflict", "0000000_X"),
        ("no pictures", "jpg"),
        ("all broken", "jpg"),
        ("network", "VGG91"),
        ("weights", "/nowhere.h5"),
        ("weights that do not fit", "metadata.csv"),
        ("split", "90/5/5"),
        ("split column", "part"),
        ("mode and weights", "random"),
        ("classifier", "svm"),
        ("batch", "batch_size"),
        pytest.param("size", "MobileNet", marks=pytest.mark.whole_network),
        ("min pictures", "100"),
        ("dataset name", ".."),
        ("half given", "jpg_images_path"),
        ("split seed", "split_seed"),
        ("logs in a file", "metadata.csv/tiny/artist"),
        ("negative min pictures", "min_pictures is -3"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(collection, tmp_path, capsys, how, named):
    assert run(collection, tmp_path, **spoil(collection, how)) == 2
    error = capsys.readouterr().err
    assert named in error and error.startswith("error: ") and error.count("\n") == 1
    assert not list(tmp_path.rglob("metrics.json"))
    assert not [path for path in tmp_path.rglob("*.partial")]


def test_unreadable_pictures_are_reported_and_the_rest_done(collection, tmp_path):
    (collection / "jpg" / "0000003_X.jpg").write_bytes(b"")
    path = collection / "jpg" / "0000004_X.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    assert run(collection, tmp_path) == 0
    report = next(tmp_path.glob("datasets/*/*/*/report.csv")).read_text()
    assert "0000003_X" in report and "0000004_X" in report
    measured = metrics(result(tmp_path))
    assert measured["n_train"] + measured["n_val"] + measured["n_test"] == 28


def start(arguments, program=(__file__,)):
    """The command in a process of its own, with the tiny network: see the end of this file."""
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow  # several processes
def test_kill_9_and_the_same_command_goes_on(collection, tmp_path):
    arguments = command(collection, tmp_path, "fine_tuning", epochs=40, patience=40)
    process = start(arguments)
    folder = result(tmp_path, "fine_tuning", changed="batch_size=8,epochs=40,patience=40")
    history = folder.with_name(f".{folder.name}.partial") / "epochs" / "history.csv"
    deadline = time.monotonic() + 200
    while len(train.read_history(history)) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not folder.exists()
    done = train.read_history(history)
    again = start(arguments)
    printed = again.communicate(timeout=300)[0]
    assert again.returncode == 0, printed
    assert f"continuing after epoch {len(done)}" in printed
    assert train.read_history(folder / "history.csv")[: len(done)] == done
    assert metrics(folder)["epochs_run"] == 40


# two commands, one after another, killed at the nth call of a function
KILLED = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
import keras
import test_experiment
from transfer import experiment, pixel_cache, train
keras.applications.MobileNet = test_experiment.tiny_mobilenet
owner, name = {
    "cache": (pixel_cache.PixelCache, "keep"),
    "epoch": (train.KeptEpochs, "on_train_batch_end"),
}[sys.argv[2]]
original, left = getattr(owner, name), [int(sys.argv[3])]
def counted(*given, **named):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*given, **named)
setattr(owner, name, counted)
for words in json.loads(sys.argv[4]):
    assert experiment.main(words) == 0
"""


@pytest.mark.slow  # three processes that import TensorFlow
def test_a_chain_killed_in_its_caches_and_an_epoch_ends_as_one_that_was_not(collection, tmp_path):
    """Two stages; the second with crops and a schedule, from the first by its name."""
    other = paint(tmp_path / "other", ("light", "dark"), 14)
    first = "tiny/artist/MobileNet(alpha=0.25)/fine_tuning,batch_size=8,epochs=1"
    changed = {"augmentation": "crop", "schedule": "every", "schedule_epochs": 1}
    changed |= {"schedule_factor": 0.5, "decay": 0.01, "epochs": 4}

    def stages(out):
        return [
            command(collection, out, "fine_tuning", epochs=1),
            command(other, out, "fine_tuning", dataset_name="next", weights=first, **changed),
        ]

    def killed(place, call):
        words = [Path(__file__).parent, place, call, json.dumps(stages(tmp_path / "killed"))]
        job = start(list(map(str, words)), ("-c", KILLED))
        printed = job.communicate(timeout=300)[0]
        assert job.returncode == -signal.SIGKILL, printed
        runs = (tmp_path / "killed/results").glob("*/*/*/*/metrics.json")
        return [path.parts[-5] for path in runs if path.parts[-2][0] != "."]

    # each stage decodes 24 + 3 + 3, and 22 + 3 + 3 pictures once, and has 3 steps an epoch
    assert killed("cache", 5) == []
    assert list((tmp_path / "killed").rglob("*.pixels")) == []
    assert killed("cache", 30 + 10) == ["tiny"]
    assert killed("epoch", 3 + 3 + 2) == ["tiny"]
    (history,) = (tmp_path / "killed/results/next").rglob("history.csv")
    assert len(train.read_history(history)) == 2
    for out in ("killed", "whole"):
        for words in stages(tmp_path / out):
            assert experiment.main(words) == 0
    ended = []
    for out in ("killed", "whole"):
        (folder,) = (tmp_path / out / "results/next/artist").glob("*/fine_tuning,*")
        values = metrics(folder)
        for key in ("seconds", "images_per_second", "weights"):
            del values[key]
        del values["settings"]["weights_sha256"]  # a zip tells when it was packed
        history = train.read_history(folder / "history.csv")
        values["history"] = [{**row, "seconds": 0} for row in history]
        weights = network.load(str(folder / "model.keras")).model.get_weights()
        ended.append((values, [*weights, np.load(folder / "scores.npy")]))
    (one, arrays), (two, others) = ended
    assert one["epochs_run"] == 4 and one == two
    for ours, theirs in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_two_jobs_at_once_share_one_data_set(collection, tmp_path):
    jobs = [start(command(collection, tmp_path, m)) for m in ("off_the_shelf", "fine_tuning")]
    printed = [job.communicate(timeout=300)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], printed
    assert len(list(tmp_path.glob("datasets/tiny/artist/*/split.csv"))) == 1
    one, two = (metrics(result(tmp_path, m)) for m in ("off_the_shelf", "fine_tuning"))
    assert one["split_sha256"] == two["split_sha256"]


@pytest.mark.parametrize(
    ("what", "mode", "flag", "free"),
    [
        ("an epoch of 1.8 MB", "fine_tuning", "results_path", 1_000_000),
        pytest.param(
            *("a saved model of 0.9 MB", "off_the_shelf", "results_path", 300_000),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("features of 30 kB", "off_the_shelf", "datasets_path", 130_000),
            marks=pytest.mark.slow,
        ),
        ("pictures of 50 kB", "fine_tuning", "datasets_path", 30_000),
    ],
)
def test_full_disk_is_one_line(collection, tmp_path, small_disk, what, mode, flag, free):
    """In a process of its own, since a failed HDF5 write can end the process."""
    (small_disk / "other").write_bytes(bytes(2 * 1024**2 - free))
    arguments = command(collection, tmp_path, mode, **{flag: small_disk})
    job = start(arguments, ("-m", "transfer.experiment"))
    printed = job.communicate(timeout=300)[0]
    assert job.returncode == 2, f"{what}: {printed}"
    assert printed.splitlines()[-1].startswith("error: ") and "space left" in printed
    assert not [path for path in small_disk.glob("**/MobileNet*/*") if path.name[0] != "."]


def test_read_only_results_disk_is_one_line(collection, tmp_path, small_disk, capsys):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run(collection, tmp_path, results_path=small_disk / "results") == 2
    assert "Read-only file system" in capsys.readouterr().err


@pytest.mark.slow
def test_damaged_store_names_the_file(collection, tmp_path):
    assert run(collection, tmp_path) == 0
    path = next(tmp_path.glob("datasets/*/*/*/testing_images.hdf5"))
    os.truncate(path, path.stat().st_size // 2)
    # this process holds the file open: HDF5 would answer from its memory
    job = start(command(collection, tmp_path / "b", datasets_path=tmp_path / "datasets"))
    printed = job.communicate(timeout=300)[0]
    assert job.returncode == 2 and "testing_images.hdf5" in printed.splitlines()[-1], printed


if __name__ == "__main__":
    keras.applications.MobileNet = tiny_mobilenet
    sys.exit(experiment.main())
