"""A run: what decides its numbers, and finished ones read back."""

import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import released, zoo
from models.errors import InputError
from transfer import run, tables
from transfer.dataset import Data
from transfer.recipes import RECIPES, sabatelli2018
from transfer.result_folder import result_folder

ROOT = Path(__file__).parents[2]

HEADER = "epoch,loss,accuracy,val_loss,val_accuracy,seconds"


def test_a_run_reads_back_as_it_was_written(tmp_path, write_run):
    write_run(tmp_path / "b/VGG19")
    metrics = write_run(tmp_path / "a/VGG19", seed=3)
    first, second = run.read_runs(tmp_path)
    assert (first.folder, second.folder) == (tmp_path / "a/VGG19", tmp_path / "b/VGG19")
    assert first.metrics == metrics and metrics["seed"] == 3
    assert first.history["val_accuracy"].tolist() == [0.25, 0.5, 0.45]
    assert first.history["epoch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("mode", [recipe.name for recipe in sabatelli2018.RECIPES])
def test_results_of_an_earlier_version_are_found(mode, tmp_path):
    """As 9785ee5 wrote them: manifest.json and metrics.json of the toy collection's runs."""
    folder = Path(__file__).parent / "made_before/toy/artist/MobileNet(alpha=0.25)" / mode
    made = json.loads((folder / "manifest.json").read_text())
    identity = made["identity"]
    weights = next(ROOT.glob("*/**/mobilenet_0.25_64_nature.weights.h5"))
    scratch = mode == "random"
    spec = zoo.Spec("MobileNet", (("alpha", 0.25),), None if scratch else str(weights))
    data = Data("toy", "artist", tmp_path)
    ours = run.Run(data, spec, RECIPES[mode], input_size=64)
    assert ours.folder.parts == ("toy", "artist", "MobileNet(alpha=0.25)", mode)
    store = SimpleNamespace(split_sha256=made["split_sha256"], key=identity["data"])
    copy = shutil.copytree(folder, tmp_path / mode)
    then = ours.identity(store) | {"decoding": "bilinear 2"}
    with result_folder(copy, then) as result:
        assert result.finished
    # pixels were not rounded then: today's run is another one
    with (
        pytest.raises(InputError, match="with decoding"),
        result_folder(copy, ours.identity(store)),
    ):
        pass
    other = then | {"seed": 1}
    with pytest.raises(InputError, match="with seed 42"), result_folder(copy, other):
        pass
    read = run.read_run(folder)
    assert (read.network, read.mode) == ("MobileNet(alpha=0.25)", mode) and read.toy
    settings = {**ours.settings, "decoding": "bilinear 2", "split_sha256": made["split_sha256"]}
    assert read.metrics["settings"] == settings


def test_a_folder_is_named_after_what_differs_from_the_recipe(tmp_path):
    data, spec = Data("a", "b", tmp_path), zoo.parse("VGG19:imagenet")

    def folder(mode="fine_tuning", **changes):
        return run.Run(data, spec, RECIPES[mode].adapted(True, **changes)).folder

    assert folder().parts == ("a", "b", "VGG19", "fine_tuning")
    assert folder(seed=42, epochs=100).name == "fine_tuning"
    assert folder(epochs=3, seed=2).name == "fine_tuning,seed=2,epochs=3"
    assert folder("off_the_shelf", classifier="svm", seed=1).name == "off_the_shelf_svm,seed=1"
    assert folder(learning_rate=1e-5, nesterov=False).name == (
        "fine_tuning,learning_rate=1e-05,nesterov=False"
    )
    scratch = run.Run(data, zoo.parse("VGG19"), RECIPES["fine_tuning"].adapted(False))
    assert scratch.folder.name == "fine_tuning"  # what its weights ask for is no choice


def test_dropout_off_the_shelf_is_no_run_of_a_version_in_which_it_did_nothing(tmp_path):
    data, spec = Data("a", "b", tmp_path), zoo.parse("VGG19:imagenet")

    def settings(mode, **changes):
        return run.Run(data, spec, RECIPES[mode].adapted(True, **changes)).settings

    assert settings("off_the_shelf", dropout=0.5)["features_dropout"] is True
    others = [("off_the_shelf", {}), ("fine_tuning", {"dropout": 0.5})]
    others.append(("off_the_shelf", {"dropout": 0.5, "augmentation": "crop"}))
    for mode, changes in others:  # these are found as they were made
        assert "features_dropout" not in settings(mode, **changes)


def test_a_folder_beside_another_is_named_after_what_tells_them_apart(tmp_path):
    source = tmp_path / "a long: name?.caffemodel"
    source.write_bytes(b"no weights file, but a file")
    data, key = Data("a", "b", tmp_path), "0123456789abcdef"
    spec = zoo.Spec("VGG19", (), str(source))
    ours = run.Run(data, spec, RECIPES["fine_tuning"], 64)
    assert ours.folder_beside({"input_size"}, key).name == "fine_tuning,input_size=64"
    assert ours.folder_beside({"data", "split_sha256"}, key).name == "fine_tuning,data=01234567"
    named = ours.folder_beside({"weights_sha256", "weights"}, key).name
    assert re.fullmatch("fine_tuning,weights=a long_ name_-[0-9a-f]{8}", named)
    spec = zoo.parse("VGG19:imagenet")
    other = run.Run(data, spec, RECIPES["fine_tuning"])
    every = other.folder_beside(("input_size", "weights", "data"), key).name
    assert every == "fine_tuning,input_size=224,weights=imagenet,data=01234567"


def test_a_folder_has_a_name_that_every_system_takes(tmp_path):
    changes = dict(seed=2**31 - 1, optimizer="rmsprop", learning_rate=1.2345678901234567e-05)
    changes |= dict(momentum=0.12345678901234567, nesterov=False, rho=0.12345678901234567)
    changes |= dict(epsilon=1.2345678901234567e-05, batch_size=12345678, epochs=12345678)
    changes |= dict(patience=12345678, pixels="unit", class_weights="balanced")
    recipes = [replace(RECIPES["fine_tuning"], **changes | {"seed": seed}) for seed in (1, 2)]
    runs = [run.Run(Data("a", "b", tmp_path), zoo.parse("VGG19:imagenet"), r) for r in recipes]
    names = {made.folder.name for made in runs}
    assert len(names) == 2
    for name in names:
        assert len(f".{name}.partial".encode()) < 255
        assert not set(name) & set('<>:"/\\|?*') and name.startswith("fine_tuning,seed=")


def test_paths_that_cannot_be_are_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    ours = run.Run(Data("a", "b", tmp_path), zoo.parse("VGG19:imagenet"), RECIPES["fine_tuning"])
    with pytest.raises(InputError, match="file/results/a/b/VGG19/fine_tuning cannot be written"):
        run.check_paths(ours, tmp_path / "file" / "results")
    with pytest.raises(InputError, match="file/a/b/VGG19/fine_tuning cannot be written"):
        run.check_paths(ours, tmp_path / "results", tmp_path / "file")
    assert not (tmp_path / "results").exists()


def test_parts_that_do_not_go_together(tmp_path):
    data, spec = Data("a", "b", tmp_path), zoo.parse("VGG19:imagenet")
    with pytest.raises(InputError, match="random starts from He-uniform; weights imagenet"):
        run.Run(data, spec, RECIPES["random"])
    with pytest.raises(InputError, match="input_size is 0"):
        run.Run(data, spec, RECIPES["fine_tuning"], 0)
    with pytest.raises(InputError, match="no weights file none.h5"):
        run.Run(data, zoo.parse("VGG19:none.h5"), RECIPES["fine_tuning"])


@pytest.fixture
def rijks(tmp_path, monkeypatch):
    """The file of RijksVGG19Net:artist, or one that is taken for it."""
    path = tmp_path / "creator_VGG19_weights.h5"
    path.write_bytes(b"weights")
    monkeypatch.setitem(released.RELEASED, ("creator", "VGG19"), released.blob_id(path))
    monkeypatch.setenv(released.FOLDER, str(tmp_path))
    return path


def test_a_released_network_is_a_start(rijks, tmp_path):
    """Sabatelli et al. 2018, table 3: the Rijksmuseum's networks, then Antwerp's pictures."""
    data, name = Data("a", "b", tmp_path), "RijksVGG19Net:artist"
    ours = run.Run(data, zoo.parse(name), RECIPES["fine_tuning"])
    assert ours == run.Run(data, zoo.parse(f"VGG19:{rijks}"), RECIPES["fine_tuning"])
    assert ours.folder.parts == ("a", "b", "VGG19", "fine_tuning")
    assert ours.weights == str(rijks) and ours.described["ANN"] == "VGG19"
    assert ours.settings["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert run.named_stage(name, tmp_path / "results") == str(rijks)
    scratch = run.Run(data, zoo.Spec("RijksVGG19Net"), RECIPES["random"])
    assert scratch == run.Run(data, zoo.parse("VGG19"), RECIPES["random"])


def test_a_released_network_that_is_not_there_is_named(rijks, tmp_path, monkeypatch):
    monkeypatch.setenv(released.FOLDER, str(tmp_path / "gone"))
    with pytest.raises(InputError, match="no folder .*gone"):
        run.Run(Data("a", "b", tmp_path), zoo.parse("RijksVGG19Net:artist"), RECIPES["fine_tuning"])
    with pytest.raises(InputError, match="'photos' were released; accepted: artist, creator, type"):
        run.named_stage("RijksVGG19Net:photos", tmp_path)
    with pytest.raises(InputError, match="a weights file, RijksVGG19Net:artist or a finished run"):
        run.named_stage("RijksVGG19", tmp_path)


@pytest.mark.parametrize("content", [None, "", HEADER + "\n"])
def test_an_svm_needs_no_history(tmp_path, content, write_run):
    write_run(tmp_path / "run", classifier="svm")
    if content is not None:
        (tmp_path / "run/history.csv").write_text(content)
    assert run.read_run(tmp_path / "run").history is None


def test_a_run_being_written_can_be_read_by_name(tmp_path, write_run):
    write_run(tmp_path / ".fine_tuning.part")
    assert run.read_run(tmp_path / ".fine_tuning.part").metrics["ANN"] == "VGG19"


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("metrics.json", "{", "metrics.json"),
        ("metrics.json", "[1]", "list"),
        ("metrics.json", {"tl_mode": "half"}, "tl_mode is 'half'"),
        ("metrics.json", {"top1_accuracy": 90.2}, "top1_accuracy is 90.2"),
        ("metrics.json", {"top1_accuracy": float("nan")}, "top1_accuracy"),
        ("metrics.json", {"dataset": None}, "dataset is None"),
        ("history.csv", "epoch,loss,accuracy,val_loss\n1,1,1,1\n", "column val_accuracy"),
        ("history.csv", HEADER + "\n1,x,1,1,1,1\n", "column loss"),
        ("history.csv", HEADER + "\n", "a softmax run has one"),
    ],
)
def test_a_damaged_run_is_one_line_and_nothing_is_written(
    tmp_path, capsys, name, content, named, write_run
):
    changed = content if isinstance(content, dict) else {}
    write_run(tmp_path / "run", **changed)
    if not changed:
        (tmp_path / "run" / name).write_text(content)
    assert tables.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(tmp_path / "run" / name) in error and named in error
    assert os.listdir(tmp_path) == ["run"]


def test_no_run_and_no_folder_say_what_was_looked_for(tmp_path, write_run):
    write_run(tmp_path / ".unfinished")
    with pytest.raises(InputError, match="metrics.json"):
        run.read_runs(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        run.read_runs(tmp_path / "absent")


def test_a_run_of_several_labels_is_read_by_its_mean_average_precision(write_run, tmp_path):
    write_run(tmp_path / "a", mean_average_precision=0.25, top1_accuracy=None)
    assert run.read_run(tmp_path / "a").accuracy == 25
    write_run(tmp_path / "b", mean_average_precision=1.5)
    with pytest.raises(InputError, match="mean_average_precision is 1.5, expected a fraction"):
        run.read_run(tmp_path / "b")


def test_many_labels_make_no_name_too_long(tmp_path):
    challenge = ",".join(f"label {number}" for number in range(40))
    data = Data("a", challenge, tmp_path)
    names = run.Run(data, zoo.parse("VGG19:imagenet"), RECIPES["fine_tuning"]).folder.parts
    assert names[1] == data.folder.name and len(names[1]) == 200
    assert names[1].startswith("label 0,label 1,")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classifier": "svm"}, "classifier is 'svm'.*several labels: softmax"),
        ({"classifier": "random_forest"}, "classifier is 'random_forest'"),
        ({"class_weights": "balanced"}, "class_weights is 'balanced'.*several labels: none"),
        ({"head_activation": "softmax"}, "head_activation is 'softmax'.*own or sigmoid"),
    ],
)
def test_what_is_for_one_label_is_refused_before_pictures_are_read(tmp_path, changes, told):
    (tmp_path / "m.csv").write_text("ImageId,a,b\n1,0,1\n")
    data = Data("a", "a,b", tmp_path / "d", tmp_path / "m.csv", tmp_path)
    recipe = RECIPES["off_the_shelf"].adapted(True, **changes)
    with pytest.raises(InputError, match=told):
        run.Run(data, zoo.parse("VGG19:imagenet"), recipe)
    assert run.Run(replace(data, challenge="a"), zoo.parse("VGG19:imagenet"), recipe)


def test_a_stage_is_named_by_its_place_below_the_results(tmp_path, write_run):
    place = "wikiart/style/GoogLeNet/fine_tuning"
    write_run(tmp_path / place)
    network = tmp_path / place / "model.keras"
    for text in (place, str(tmp_path / place)):
        with pytest.raises(InputError, match="finished run whose model.keras is gone; put it back"):
            run.named_stage(text, tmp_path)
    network.touch()
    for text in (place, f"{place}/", str(tmp_path / place), str(network)):
        assert Path(run.named_stage(text, tmp_path)) == network
    for text in ("imagenet", "none", "gone.h5", "gone.keras"):
        assert run.named_stage(text, tmp_path) == text
    with pytest.raises(InputError, match=f"no run below .* such as {place}"):
        run.named_stage("wikiart/style/GoogLeNet/tuning", tmp_path)
    (tmp_path / "a/b/c/.random.partial").mkdir(parents=True)
    with pytest.raises(InputError, match="a/b/c/random is not finished: run its command again"):
        run.named_stage("a/b/c/random", tmp_path)


def test_an_ensemble_is_no_network(tmp_path, write_run):
    told = {"tl_mode": "ensemble", "classifier": "mean", "weights": "one + other"}
    write_run(tmp_path / "run", **told)
    with pytest.raises(InputError, match="is an ensemble, no network; .* one [+] other"):
        run.named_network(str(tmp_path / "run"))
