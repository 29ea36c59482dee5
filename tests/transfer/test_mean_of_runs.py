"""The mean of made-up runs against NumPy's, what is refused, and its place in the tables."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from models.errors import InputError
from transfer import ensemble, evaluate, mean_of_runs, store, tables
from transfer.result_folder import read_csv, write_csv
from transfer.run import read_run

CLASSES = ["bowl", "cup", "题"]
PARTS = ("train",) * 6 + ("val",) * 3 + ("test",) * 6
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Where the data set of `runs` lies: fifteen small pictures of three classes."""
    folder = tmp_path_factory.mktemp("datasets")
    made, pictures = folder / "rijks" / "dc_type", folder / "pictures"
    made.mkdir(parents=True)
    pictures.mkdir()
    rows = []
    for number, part in enumerate(PARTS):
        Image.new("RGB", (8, 8), (17 * number, 90, 20)).save(pictures / f"{number}.png")
        rows.append((f"p{number}", CLASSES[number % 3], part, f"{number}.png"))
    store.write(pd.DataFrame(rows, columns=["id", "label", "split", "path"]), pictures, made)
    return folder


@pytest.fixture
def runs(tmp_path, datasets, write_run):
    """Return made(names, **metrics): folders of runs with scores of their own."""
    data = store.Store(datasets / "rijks" / "dc_type")
    labels = data.labels["test"]

    def make(*names, **metrics):
        folders = []
        for name in names:
            folder = tmp_path / "results/rijks/dc_type/VGG19" / name
            scores = RNG.dirichlet(np.ones(3), len(labels)).astype("f4")
            right = float(np.mean(scores.argmax(axis=1) == labels))
            told = {"split_sha256": data.split_sha256, "top1_accuracy": right, "parameters": 7}
            write_run(folder, **{**told, "settings": {"input_size": 8}, **metrics})
            identity = {"identity": {"name": name, "data": data.key}}
            (folder / "manifest.json").write_text(json.dumps(identity))
            np.save(folder / "scores.npy", scores)
            rows = evaluate.predictions(data.ids("test"), labels, scores, CLASSES)
            write_csv(folder / "predictions.csv", rows)
            write_csv(folder / "per_class.csv", evaluate.per_class(labels, scores, CLASSES))
            folders.append(folder)
        return folders

    return make


@pytest.fixture
def command(tmp_path, datasets):
    def run(*folders, out=tmp_path / "results"):
        words = [*folders, "--results_path", out, "--datasets_path", datasets]
        return ensemble.main(list(map(str, words)))

    return run


def made_by(folder):
    return [path for path in folder.glob("results/rijks/dc_type/*/ensemble,*")]


def test_the_mean_is_numpys_and_is_found_again(runs, command, tmp_path, datasets, capsys):
    folders = runs("fine_tuning", "fine_tuning,seed=2", "fine_tuning,seed=3,split_seed=7")
    assert command(*folders) == 0
    (made,) = made_by(tmp_path)
    mean = np.mean([np.load(folder / "scores.npy") for folder in folders], axis=0, dtype="f8")
    np.testing.assert_array_equal(np.load(made / "scores.npy"), mean.astype("f4"))
    labels = store.Store(datasets / "rijks" / "dc_type").labels["test"]
    run = read_run(made)
    assert run.history is None and (run.network, run.mode) == ("VGG19", "ensemble")
    assert run.metrics["top1_accuracy"] == np.mean(mean.argmax(axis=1) == labels)
    assert run.metrics["loss"] == pytest.approx(-np.log(mean[np.arange(6), labels]).mean())
    assert run.weights == "fine_tuning + fine_tuning,seed=2 + fine_tuning,seed=3"
    assert {member["run"] for member in run.metrics["members"]} == set(map(str, folders))
    assert run.metrics["parameters"] == 21 and run.metrics["n_train"] == 6
    predicted = read_csv(made / "predictions.csv")["predicted"].tolist()
    assert predicted == [CLASSES[number] for number in mean.argmax(axis=1)]
    names = {path.name for path in made.iterdir()}
    assert {"confusion_matrix.csv", "mistakes.png", "reliability.png", "manifest.json"} < names
    assert not {"history.csv", "model.keras", "learning_curve.png"} & names
    # in any order; and other members are another run
    assert command(*folders[::-1]) == 0
    assert "already finished" in capsys.readouterr().out
    assert command(*folders[:2]) == 0 and len(made_by(tmp_path)) == 2


def test_it_stands_in_the_tables(runs, command, tmp_path):
    folders = runs("fine_tuning", "fine_tuning,seed=2")
    folders += runs("random", tl_mode="random", weights="none")
    assert command(*folders[1:]) == 0
    files = tables.collate(tmp_path / "results")
    page = files["comparison.md"].decode()
    assert "| VGG19 |" in page and " ensemble |" in page
    note = "VGG19 ensemble: the mean of the probabilities of fine\\_tuning,seed=2 + random"
    assert note.replace("\\", "") in page
    assert "no learning curve" not in page
    assert "2. VGG19" in page and "4. VGG19" in page and "ensemble" in files["pairs.csv"].decode()
    assert command(*folders) == 0
    page = tables.collate(tmp_path / "results")["comparison.md"].decode()
    assert "| ensemble of fine_tuning + fine_tuning,seed=2 + random |" in page


def test_of_several_networks_it_is_a_row_of_its_own(runs, command, tmp_path):
    folders = runs("a,split_seed=1") + runs("b", ANN="ResNet50")
    assert command(*folders) == 0
    (made,) = made_by(tmp_path)
    assert made.parent.name == "ResNet50 + VGG19"
    assert read_run(made).weights == "ResNet50 b + VGG19 a"


def drop(folder, name):
    (folder / name).unlink()


def spoil(folders, how):
    """One mistake; returns the folders to give."""
    first, second = folders
    if how == "twice":
        return [first, first / ".." / first.name]
    if how == "copied":
        shutil.copytree(first, first.with_name("copy"))
        return [first, first.with_name("copy")]
    if how == "no run":
        return [first, first.parent]
    if how == "damaged":
        (first / "scores.npy").write_bytes((first / "scores.npy").read_bytes()[:-5])
    elif how == "objects":
        np.save(first / "scores.npy", np.array([None]), allow_pickle=True)
    elif how == "width":
        np.save(first / "scores.npy", np.full((6, 2), 0.5, "f4"))
    elif how == "decisions":
        np.save(first / "scores.npy", np.full((6, 3), 0.4, "f4"))
    elif how in ("classes", "pictures"):
        path, column = {
            "classes": ("per_class.csv", "class"),
            "pictures": ("predictions.csv", "id"),
        }[how]
        rows = read_csv(first / path)
        rows[column] = rows[column].tolist()[::-1]
        write_csv(first / path, rows)
    elif how == "forest":
        drop(first, "scores.npy")
    return folders


@pytest.mark.parametrize(
    ("how", "metrics", "named"),
    [
        ("twice", {}, "are the same run; accepted: each run once"),
        ("copied", {}, "copy are the same run"),
        ("no run", {}, "holds no metrics.json"),
        ("damaged", {}, "scores.npy is damaged"),
        ("objects", {}, "scores.npy is damaged"),
        ("width", {}, r"has scores of (6, 2); accepted: (6, 3)"),
        ("decisions", {}, "are no probabilities"),
        ("classes", {}, "per_class.csv has not the 3 values of class that"),
        ("pictures", {}, "predictions.csv has not the 6 values of id that"),
        ("forest", {"classifier": "random_forest"}, "kept neither scores.npy nor a network"),
        ("", {"classifier": "svm", "tl_mode": "off_the_shelf"}, "is an SVM, whose scores"),
        ("", {"split_sha256": "cd" * 32}, "accepted: runs of one split"),
        ("", {"challenge": "dc_maker"}, "accepted: runs of one challenge"),
        ("", {"dataset": "other"}, "accepted: runs of one challenge"),
        ("", {"mean_average_precision": 0.5}, "accepted: runs of one kind of labels"),
    ],
)
def test_what_cannot_be_averaged_is_one_line(runs, command, tmp_path, capsys, how, metrics, named):
    folders = runs("a", **metrics) + runs("b")
    assert command(*spoil(folders, how)) == 2
    error = capsys.readouterr().err
    assert named in error and error.startswith("error: ") and error.count("\n") == 1
    assert made_by(tmp_path) == []


def test_one_run_and_an_ensemble_are_refused(runs, command, tmp_path, capsys):
    folders = runs("a", "b")
    assert command(folders[0]) == 2
    assert "is one run; accepted: two or more" in capsys.readouterr().err
    assert command(*folders) == 0
    assert command(*folders, *made_by(tmp_path)) == 2
    assert "is an ensemble itself" in capsys.readouterr().err


def test_another_data_set_is_refused(runs, datasets, tmp_path):
    (folder,) = runs("a", split_sha256="cd" * 32)
    member = mean_of_runs.Member(read_run(folder))
    with pytest.raises(InputError, match="is split otherwise than what"):
        mean_of_runs.open_store(member, datasets)
    with pytest.raises(InputError, match="no file"):
        mean_of_runs.open_store(member, tmp_path)


def test_scores_that_were_not_kept_are_the_networks(runs, datasets):
    import keras

    from models import network

    (folder,) = runs("a", settings={"input_size": 8, "augmentation": "crop"})
    drop(folder, "scores.npy")
    pixels = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(3, "softmax", name="head")(pooled))
    network.save(network.Network("VGG19", model, CLASSES, "unit", 8), folder / "model.keras")
    data, said = store.Store(datasets / "rijks" / "dc_type"), []
    member = mean_of_runs.Member(read_run(folder))
    scores = mean_of_runs.read_scores(member, data, said.append)
    (pictures,) = (batch for batch, _ in data.dataset("test", 8, 6, augmentation="crop"))
    np.testing.assert_allclose(scores, model.predict(np.asarray(pictures), verbose=0), rtol=1e-5)
    assert said == [f"{folder} kept no scores.npy: its network is run again on the test pictures"]


def test_a_run_without_a_manifest_is_told_by_its_predictions(runs):
    folders = runs("a", "b")
    for folder in folders:
        drop(folder, "manifest.json")
    first, second = (mean_of_runs.Member(read_run(folder)) for folder in folders)
    assert first.digest != second.digest and first.identity == {}
    assert mean_of_runs.Member(SimpleNamespace(folder=folders[0])).digest == first.digest


def test_of_several_labels_the_mean_is_tested_by_its_mean_average_precision(
    tmp_path, write_run, command
):
    """Six test pictures of two labels: the mean of two networks is right where neither is."""
    names, made = ["lake", "tree"], tmp_path / "datasets" / "rijks" / "dc_type"
    made.mkdir(parents=True)
    rows = []
    for number, part in enumerate(PARTS):
        Image.new("RGB", (8, 8), (17 * number, 90, 20)).save(tmp_path / f"{number}.png")
        rows.append(
            (f"p{number}", ("lake", "lake | tree", "tree")[number % 3], part, f"{number}.png")
        )
    table = pd.DataFrame(rows, columns=["id", "label", "split", "path"])
    store.write(table, tmp_path, made, None, names)
    data = store.Store(made)
    labels = data.labels["test"]
    folders = []
    for name, wrong in (("a", 0), ("b", 1)):
        scores = np.where(labels == 1, 0.8, 0.1).astype("f4")
        scores[wrong] = 1 - scores[wrong]
        folders.append(tmp_path / "results/rijks/dc_type/VGG19" / name)
        told = {"split_sha256": data.split_sha256, "settings": {"input_size": 8}, "parameters": 7}
        write_run(folders[-1], **told, top1_accuracy=None, mean_average_precision=0.9)
        np.save(folders[-1] / "scores.npy", scores)
        predicted = evaluate.label_predictions(data.ids("test"), labels, scores, names)
        write_csv(folders[-1] / "predictions.csv", predicted)
        write_csv(folders[-1] / "per_class.csv", evaluate.per_label(scores, labels, names))
    out = tmp_path / "results"
    words = [*folders, "--results_path", out, "--datasets_path", tmp_path / "datasets"]
    assert ensemble.main(list(map(str, words))) == 0
    (run,) = made_by(tmp_path)
    mean = np.mean([np.load(folder / "scores.npy") for folder in folders], axis=0, dtype="f8")
    expected = average_precision_score(labels, mean, average="macro")
    assert read_run(run).metrics["mean_average_precision"] == pytest.approx(expected)
    assert not (run / "confusion_matrix.csv").exists() and (run / "per_class.csv").exists()
    assert [member["mean_average_precision"] for member in read_run(run).metrics["members"]] == [
        0.9,
        0.9,
    ]
